/* SPDX-License-Identifier: MIT */
/* X-Forwarded-For, X-Forwarded-Proto, Forwarded: see forwarded.h. Pure. */
#include "config.h"

#include "web/forwarded.h"

#include <errno.h>

#include "http/chars.h"

/* The last elements of a list over all fields of a name; the oldest make room. */
struct hops {
	unsigned n; /* seen */
	struct spout_slice list[SPOUT__HOPS_MAX];
};

static struct spout_slice
trimmed(struct spout_slice s)
{
	while (s.len > 0 && spout__http_is_ows(s.data[0]))
		s = spout_slice_of(s.data + 1, s.len - 1);
	while (s.len > 0 && spout__http_is_ows(s.data[s.len - 1]))
		s.len--;
	return s;
}

/* Length up to a separator outside of quotes. */
static size_t
span_to(struct spout_slice s, char separator)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < s.len && (quoted || s.data[i] != separator); i++) {
		if (s.data[i] == '"')
			quoted = !quoted;
		else if (quoted && s.data[i] == '\\' && i + 1 < s.len)
			i++;
	}
	return i;
}

/* Cut the first part off, trimmed; false when nothing is left. */
static bool
next_part(struct spout_slice *rest, char separator, struct spout_slice *ret_part)
{
	size_t n;

	if (rest->data == NULL)
		return false;
	n = span_to(*rest, separator);
	*ret_part = trimmed(spout_slice_of(rest->data, n));
	*rest = n < rest->len ? spout_slice_of(rest->data + n + 1, rest->len - n - 1)
			      : spout_slice_of(NULL, 0);
	return true;
}

static void
collect(const struct spout__http_head *head, const char *name, struct hops *ret)
{
	unsigned i;

	ret->n = 0;
	for (i = 0; i < head->n_fields; i++) {
		struct spout_slice rest = head->fields[i].value, part;

		if (!spout__http_same(head->fields[i].name, spout_slice(name)))
			continue;
		while (next_part(&rest, ',', &part))
			if (part.len > 0)
				ret->list[ret->n++ % SPOUT__HOPS_MAX] = part;
	}
}

/* ":" and up to five digits or, obfuscated, a token. */
static bool
port_valid(struct spout_slice s)
{
	size_t i;

	if (s.len == 0)
		return true;
	if (s.len < 2 || s.data[0] != ':')
		return false;
	for (i = 1; i < s.len; i++)
		if (!spout__http_char_is(s.data[i], SPOUT__CHAR_DIGIT))
			return false;
	return s.len <= 6;
}

/* An address, perhaps with a port: "192.0.2.1:80", "[2001:db8::1]:80", "2001:db8::1". */
static int
parse_node(struct spout_slice s, struct spout__ip *ret_ip)
{
	const char *end, *colon;
	size_t len;

	if (s.len == 0)
		return -EINVAL;
	if (s.data[0] == '[') {
		end = memchr(s.data, ']', s.len);
		if (end == NULL)
			return -EINVAL;
		len = (size_t)(end - s.data);
		if (!port_valid(spout_slice_of(end + 1, s.len - len - 1)) ||
		    memchr(s.data, ':', len) == NULL)
			return -EINVAL;
		return spout__ip_parse(spout_slice_of(s.data + 1, len - 1), ret_ip);
	}
	colon = memchr(s.data, ':', s.len);
	len = colon != NULL ? (size_t)(colon - s.data) : s.len;
	if (colon != NULL && memrchr(s.data, ':', s.len) == colon &&
	    port_valid(spout_slice_of(colon, s.len - len)))
		s.len = len;
	return spout__ip_parse(s, ret_ip);
}

/* A token, or what stands between quotes, without escapes: an address needs none. */
static struct spout_slice
unquoted(struct spout_slice s)
{
	if (s.len >= 2 && s.data[0] == '"' && s.data[s.len - 1] == '"')
		return spout_slice_of(s.data + 1, s.len - 2);
	return s;
}

/* for=…;proto=… of one element. -EINVAL without a usable "for", or with two of them. */
static int
parse_element(struct spout_slice element, struct spout__client *ret)
{
	struct spout__client found = { .https = false };
	struct spout_slice pair;
	unsigned n_for = 0;

	while (next_part(&element, ';', &pair)) {
		const char *equals = memchr(pair.data, '=', pair.len);
		struct spout_slice name, value;

		if (equals == NULL)
			return -EINVAL;
		name = spout_slice_of(pair.data, (size_t)(equals - pair.data));
		value = unquoted(spout_slice_of(equals + 1, pair.len - name.len - 1));
		if (spout__http_same(name, spout_slice("proto")))
			found.https = spout__http_same(value, spout_slice("https"));
		if (!spout__http_same(name, spout_slice("for")))
			continue;
		if (n_for++ > 0 || parse_node(value, &found.ip) != 0)
			return -EINVAL;
	}
	if (n_for == 0)
		return -EINVAL;
	*ret = found;
	return 0;
}

static bool
trusts(const struct spout__trust *trust, const struct spout__ip *ip)
{
	unsigned i;

	for (i = 0; i < trust->n; i++)
		if (spout__network_has(&trust->networks[i], ip))
			return true;
	return false;
}

void
spout__client_find(const struct spout__trust *trust, const struct spout__http_head *head,
    const struct sockaddr *peer, struct spout__client *ret_client)
{
	bool x = trust->header == SPOUT__X_FORWARDED;
	struct spout__client client = { .ip = spout__ip_of(peer) };
	struct hops hops;
	unsigned i, left;

	*ret_client = client;
	if (!trusts(trust, &client.ip))
		return;
	collect(head, x ? "X-Forwarded-For" : "Forwarded", &hops);
	left = hops.n < SPOUT__HOPS_MAX ? hops.n : SPOUT__HOPS_MAX;
	for (i = hops.n; left > 0; left--) {
		struct spout_slice hop = hops.list[--i % SPOUT__HOPS_MAX];

		if ((x ? parse_node(hop, &client.ip) : parse_element(hop, &client)) != 0)
			break;
		*ret_client = client;
		if (!trusts(trust, &client.ip))
			break;
	}
	if (!x)
		return;
	collect(head, "X-Forwarded-Proto", &hops);
	ret_client->https = hops.n > 0 &&
	    spout__http_same(
		hops.list[(hops.n - 1) % SPOUT__HOPS_MAX], spout_slice("https"));
}
