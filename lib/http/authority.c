/* SPDX-License-Identifier: MIT */
/* Host and port: see authority.h. */
#include "config.h"

#include "http/authority.h"

#include <arpa/inet.h>

#include "http/chars.h"

/* "[" IPv6address "]": returns what follows, or NULL. */
static const char *
skip_literal(const char *p, const char *end)
{
	const char *close = memchr(p, ']', (size_t)(end - p));
	char text[INET6_ADDRSTRLEN];
	struct in6_addr addr;
	size_t len;

	if (close == NULL)
		return NULL;
	len = (size_t)(close - p) - 1;
	if (len >= sizeof(text))
		return NULL;
	memcpy(text, p + 1, len);
	text[len] = '\0';
	return inet_pton(AF_INET6, text, &addr) == 1 ? close + 1 : NULL;
}

/* reg-name, or an IPv4 address, which is one too: returns what follows, or NULL. */
static const char *
skip_name(const char *p, const char *end)
{
	const char *start = p;

	for (;;) {
		while (p < end && spout__http_char_is(*p, SPOUT__CHAR_HOST))
			p++;
		if (p == end || *p == ':')
			return p > start ? p : NULL;
		if (*p != '%' || end - p < 3 ||
		    !spout__http_char_is(p[1], SPOUT__CHAR_HEX) ||
		    !spout__http_char_is(p[2], SPOUT__CHAR_HEX))
			return NULL;
		p += 3;
	}
}

/* Digits; none is allowed, more than a port has is not. */
static bool
port_valid(const char *p, const char *end)
{
	unsigned port = 0;

	for (; p < end && port <= 65535; p++) {
		if (!spout__http_char_is(*p, SPOUT__CHAR_DIGIT))
			return false;
		port = port * 10 + (unsigned)(*p - '0');
	}
	return port <= 65535;
}

static bool
authority_check(struct spout_slice authority)
{
	const char *p = authority.data, *end = p + authority.len;

	if (authority.len == 0)
		return false;
	p = *p == '[' ? skip_literal(p, end) : skip_name(p, end);
	if (p == NULL)
		return false;
	return p == end || (*p == ':' && port_valid(p + 1, end));
}

/* A server is asked for few hosts: the last one found valid need not be looked at
 * again. */
bool
spout__http_authority_valid(struct spout_slice authority)
{
	static __thread struct {
		char text[64];
		size_t len;
	} last;

	if (authority.len > 0 && authority.len == last.len &&
	    memcmp(authority.data, last.text, last.len) == 0)
		return true;
	if (!authority_check(authority))
		return false;
	if (authority.len <= sizeof(last.text)) {
		memcpy(last.text, authority.data, authority.len);
		last.len = authority.len;
	}
	return true;
}

/* Without ":" and without the default port: what decides whether two are the same. */
static struct spout_slice
without_default_port(struct spout_slice a, const char *default_port)
{
	const char *end = a.data + a.len, *port = end;

	while (port > a.data && spout__http_char_is(port[-1], SPOUT__CHAR_DIGIT))
		port--;
	if (port == a.data || port[-1] != ':')
		return a;
	if (port == end ||
	    spout_slice_equal(spout_slice_of(port, (size_t)(end - port)), default_port))
		return spout_slice_of(a.data, (size_t)(port - 1 - a.data));
	return a;
}

bool
spout__http_authority_same(
    struct spout_slice a, struct spout_slice b, const char *default_port)
{
	return spout__http_same(
	    without_default_port(a, default_port), without_default_port(b, default_port));
}
