/* SPDX-License-Identifier: MIT */
/* What a client would rather have (RFC 9110 12.5): see accept.h. */
#include "config.h"

#include "web/accept.h"

#include <strings.h>

static struct spout_slice
trim(struct spout_slice s)
{
	while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
		s = spout_slice_of(s.data + 1, s.len - 1);
	while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* Cut off what stands before `sep` (or everything). */
static struct spout_slice
cut(struct spout_slice *rest, char sep)
{
	const char *at = memchr(rest->data, sep, rest->len);
	struct spout_slice head = *rest;

	if (at == NULL) {
		*rest = spout_slice_of(rest->data + rest->len, 0);
		return trim(head);
	}
	head.len = (size_t)(at - rest->data);
	*rest = spout_slice_of(at + 1, rest->len - head.len - 1);
	return trim(head);
}

static bool
equal_nocase(struct spout_slice s, const char *text)
{
	return s.len == strlen(text) && strncasecmp(s.data, text, s.len) == 0;
}

/* The weight of a media range in thousandths (RFC 9110 12.4.2); 1000 without one. */
static int
weight_of(struct spout_slice parameters)
{
	while (parameters.len > 0) {
		struct spout_slice p = cut(&parameters, ';');
		int q = 0, unit = 1000;
		size_t i;

		if (p.len < 3 || (p.data[0] | 0x20) != 'q' || p.data[1] != '=')
			continue;
		for (i = 2; i < p.len && unit > 0; i++) {
			if (i == 3 && p.data[i] == '.')
				continue;
			if (p.data[i] < '0' || p.data[i] > '9')
				return 0;
			q += (p.data[i] - '0') * unit;
			unit /= 10;
		}
		return q > 1000 ? 1000 : q;
	}
	return 1000;
}

/* The weight of a type: of the most specific range that covers it. */
static int
accept_weight(
    struct spout_slice accept, const char *type, const char *family, bool *named)
{
	int weight = 0, specific = 0;

	while (accept.len > 0) {
		struct spout_slice range = cut(&accept, ',');
		struct spout_slice name = cut(&range, ';');
		int level = equal_nocase(name, "*/*");

		if (equal_nocase(name, family))
			level = 2;
		else if (equal_nocase(name, type))
			level = 3;
		if (level > specific) {
			specific = level;
			weight = weight_of(range);
		}
	}
	*named = specific == 3;
	return weight;
}

bool
spout__accept_prefers_json(struct spout_slice accept)
{
	bool json_named, html_named;
	int json, html;

	if (accept.data == NULL)
		return false;
	json = accept_weight(accept, "application/json", "application/*", &json_named);
	html = accept_weight(accept, "text/html", "text/*", &html_named);
	return json > html || (json == html && json > 0 && json_named && !html_named);
}

unsigned
spout__accept_codings(struct spout_slice accept)
{
	static const struct {
		const char *name;
		unsigned coding;
	} known[] = {
		{ "br", SPOUT__CODING_BR },
		{ "gzip", SPOUT__CODING_GZIP },
		{ "x-gzip", SPOUT__CODING_GZIP },
	};
	unsigned named = 0, codings = 0, others = 0, i;

	while (accept.len > 0) {
		struct spout_slice range = cut(&accept, ',');
		struct spout_slice name = cut(&range, ';');
		bool wanted = weight_of(range) > 0;

		if (equal_nocase(name, "*") && wanted)
			others = SPOUT__CODING_BR | SPOUT__CODING_GZIP;
		for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
			if (!equal_nocase(name, known[i].name))
				continue;
			named |= known[i].coding;
			codings |= wanted ? known[i].coding : 0;
		}
	}
	return codings | (others & ~named);
}
