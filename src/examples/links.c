/* SPDX-License-Identifier: MIT */
/* The links of an HTML page: see links.h. */
#include "links.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* --- text that is being made -------------------------------------------------------- */

struct text {
	char *at;
	size_t len, size;
	bool full;
};

static void
add_byte(struct text *text, char c)
{
	if (text->len + 1 < text->size)
		text->at[text->len++] = c;
	else
		text->full = true;
}

static void
add(struct text *text, const char *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		add_byte(text, from[i]);
}

/* With what may not stand in a URL percent-encoded. */
static void
add_encoded(struct text *text, const char *from, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)from[i];
		char code[4];

		if (c > ' ' && c < 0x7f && strchr("\"<>\\^`{|}", c) == NULL) {
			add_byte(text, from[i]);
			continue;
		}
		snprintf(code, sizeof(code), "%%%02X", c);
		add(text, code, 3);
	}
}

/* --- references --------------------------------------------------------------------- */

/* Of a reference or a URL: where its parts are. Borrowed, each perhaps empty. */
struct parts {
	const char *scheme, *authority, *path, *query;
	size_t scheme_len, authority_len, path_len, query_len; /* query: with its "?" */
	bool has_authority;
};

static size_t
scheme_len(const char *from, size_t len)
{
	size_t n = 0;

	while (n < len && (isalnum((unsigned char)from[n]) || strchr("+-.", from[n])) &&
	    from[n] != '\0')
		n++;
	if (n == len || from[n] != ':' || !isalpha((unsigned char)from[0]))
		return 0;
	return n;
}

/* How far it is to one of these bytes, or to the end. */
static size_t
until(const char *from, size_t len, const char *stops)
{
	size_t n = 0;

	while (n < len && (from[n] == '\0' || strchr(stops, from[n]) == NULL))
		n++;
	return n;
}

static struct parts
split(const char *from, size_t len)
{
	struct parts parts = { .scheme = from, .scheme_len = scheme_len(from, len) };
	size_t skip = parts.scheme_len > 0 ? parts.scheme_len + 1 : 0;

	from += skip;
	len = until(from, len - skip, "#");
	if (len >= 2 && from[0] == '/' && from[1] == '/') {
		parts.has_authority = true;
		parts.authority = from + 2;
		parts.authority_len = until(from + 2, len - 2, "/?");
		from += 2 + parts.authority_len;
		len -= 2 + parts.authority_len;
	}
	parts.path = from;
	parts.path_len = until(from, len, "?");
	parts.query = from + parts.path_len;
	parts.query_len = len - parts.path_len;
	return parts;
}

/* "http" or "https" in lower case, or NULL. */
static const char *
web_scheme(const struct parts *parts)
{
	static const char *const known[] = { "http", "https" };

	for (size_t i = 0; i < 2; i++)
		if (parts->scheme_len == strlen(known[i]) &&
		    strncasecmp(parts->scheme, known[i], parts->scheme_len) == 0)
			return known[i];
	return NULL;
}

/* The number behind ":", `otherwise` if there is none, -1 if it is no port. */
static long
port_of(const char *from, size_t len, long otherwise)
{
	long port = 0;

	if (len <= 1)
		return otherwise;
	for (size_t i = 1; i < len && port <= 65535; i++) {
		if (!isdigit((unsigned char)from[i]))
			return -1;
		port = port * 10 + (from[i] - '0');
	}
	return port <= 65535 ? port : -1;
}

/* Host and port: in lower case, without the port that goes without saying. */
static bool
add_authority(struct text *url, const char *from, size_t len, const char *scheme)
{
	bool numeric = len > 0 && from[0] == '['; /* an IPv6 address */
	const char *marks = numeric ? ".:[]" : "-._~";
	size_t host = numeric ? until(from, len, "]") + 1 : until(from, len, ":");
	long usual = strcmp(scheme, "http") == 0 ? 80 : 443, port;
	char text[16];

	if (host == 0 || host > len || (host < len && from[host] != ':'))
		return false;
	for (size_t i = 0; i < host; i++) {
		unsigned char c = (unsigned char)from[i];

		if (!isalnum(c) && (c == '\0' || strchr(marks, c) == NULL))
			return false;
		add_byte(url, (char)tolower(c));
	}
	port = port_of(from + host, len - host, usual);
	if (port < 0)
		return false;
	if (port != usual)
		add(url, text, (size_t)snprintf(text, sizeof(text), ":%ld", port));
	return true;
}

/* Append a path without its "." and ".." segments (RFC 3986 5.2.4). `url` ends where
 * paths begin; `path` begins with a slash, or is empty. */
static void
add_path(struct text *url, const char *path, size_t len)
{
	size_t root = url->len;

	for (size_t i = 0; i < len;) {
		size_t n = 1 + until(path + i + 1, len - i - 1, "/");
		bool last = i + n >= len;
		bool dot = n == 2 && path[i + 1] == '.';
		bool dots = n == 3 && path[i + 1] == '.' && path[i + 2] == '.';

		while (dots && url->len > root && url->at[--url->len] != '/')
			;
		if (!dot && !dots)
			add_encoded(url, path + i, n);
		else if (last)
			add_byte(url, '/');
		i += n;
	}
	if (url->len == root)
		add_byte(url, '/');
}

/* A relative path, put behind the last slash of the base's. */
static void
add_merged(struct text *url, const struct parts *base, const char *path, size_t len)
{
	char merged[2 * LINKS_URL_BYTES];
	struct text text = { .at = merged, .size = sizeof(merged) };
	size_t keep = base->path_len;

	while (keep > 0 && base->path[keep - 1] != '/')
		keep--;
	add(&text, base->path, keep);
	add(&text, path, len);
	add_path(url, text.at, text.len);
	url->full |= text.full;
}

static void
add_rest(struct text *url, const struct parts *ref, const struct parts *base)
{
	if (ref->has_authority || (ref->path_len > 0 && ref->path[0] == '/')) {
		add_path(url, ref->path, ref->path_len);
	} else if (ref->path_len > 0) {
		add_merged(url, base, ref->path, ref->path_len);
	} else {
		add_path(url, base->path, base->path_len);
		if (ref->query_len == 0)
			add_encoded(url, base->query, base->query_len);
	}
	add_encoded(url, ref->query, ref->query_len);
}

bool
links_resolve(
    const char *base, const char *reference, size_t len, char url[LINKS_URL_BYTES])
{
	struct text text = { .at = url, .size = LINKS_URL_BYTES };
	struct parts ref, from = split(base != NULL ? base : "", base ? strlen(base) : 0);
	const struct parts *where;
	const char *scheme;

	while (len > 0 && isspace((unsigned char)*reference))
		reference++, len--;
	while (len > 0 && isspace((unsigned char)reference[len - 1]))
		len--;
	if (len >= LINKS_URL_BYTES)
		return false;
	ref = split(reference, len);
	where = ref.has_authority ? &ref : &from;
	scheme = web_scheme(ref.scheme_len > 0 ? &ref : &from);
	if (scheme == NULL || (ref.scheme_len > 0 && !ref.has_authority))
		return false;
	add(&text, scheme, strlen(scheme));
	add(&text, "://", 3);
	if (!add_authority(&text, where->authority, where->authority_len, scheme))
		return false;
	add_rest(&text, &ref, &from);
	url[text.len] = '\0';
	return !text.full;
}

size_t
links_origin_len(const char *url)
{
	const char *host = strstr(url, "://") + 3;

	return (size_t)(host - url) + strcspn(host, "/?#");
}

/* --- tags --------------------------------------------------------------------------- */

/* What is being read, and where. */
struct scan {
	const char *at, *end;
};

static bool
looking_at(const struct scan *scan, const char *word)
{
	size_t len = strlen(word);

	return (size_t)(scan->end - scan->at) >= len &&
	    strncasecmp(scan->at, word, len) == 0;
}

/* Go behind the next `word`, or to the end. */
static void
skip_past(struct scan *scan, const char *word)
{
	while (scan->at < scan->end && !looking_at(scan, word))
		scan->at++;
	if (scan->at < scan->end)
		scan->at += strlen(word);
}

static void
skip_blanks(struct scan *scan)
{
	while (scan->at < scan->end && isspace((unsigned char)*scan->at))
		scan->at++;
}

/* Bytes up to a blank or one of `stops`. */
static size_t
word_len(const struct scan *scan, const char *stops)
{
	const char *at = scan->at;

	while (at < scan->end && !isspace((unsigned char)*at) &&
	    (*at == '\0' || strchr(stops, *at) == NULL))
		at++;
	return (size_t)(at - scan->at);
}

/* The value behind a "=", in quotes or not. */
static size_t
read_value(struct scan *scan, const char **ret_value)
{
	size_t len;

	skip_blanks(scan);
	if (scan->at < scan->end && (*scan->at == '"' || *scan->at == '\'')) {
		const char *close = memchr(
		    scan->at + 1, *scan->at, (size_t)(scan->end - scan->at) - 1);

		*ret_value = scan->at + 1;
		len = (size_t)((close != NULL ? close : scan->end) - *ret_value);
		scan->at = close != NULL ? close + 1 : scan->end;
		return len;
	}
	*ret_value = scan->at;
	len = word_len(scan, ">");
	scan->at += len;
	return len;
}

/* One attribute. Returns the length of its value if it is href, else 0. */
static size_t
read_attribute(struct scan *scan, const char **ret_value)
{
	const char *value;
	size_t name_len = word_len(scan, "=>/"), value_len;
	bool href = name_len == 4 && looking_at(scan, "href");

	if (name_len == 0) { /* a stray byte */
		scan->at++;
		return 0;
	}
	scan->at += name_len;
	skip_blanks(scan);
	if (scan->at == scan->end || *scan->at != '=')
		return 0;
	scan->at++;
	value_len = read_value(scan, &value);
	if (!href)
		return 0;
	*ret_value = value;
	return value_len;
}

/* The first href of the tag that begins here; goes to its end. Its length, or 0. A tag
 * that is cut off by the end of the page is none. */
static size_t
read_href(struct scan *scan, const char **ret_value)
{
	size_t found = 0;

	for (;;) {
		const char *value = NULL;
		size_t len;

		skip_blanks(scan);
		if (scan->at == scan->end)
			return 0;
		if (*scan->at == '>')
			return found;
		len = read_attribute(scan, &value);
		if (found == 0 && len > 0) {
			found = len;
			*ret_value = value;
		}
	}
}

/* "&amp;" stands for "&"; the other names have no place in a URL. Line ends go. */
static size_t
decode(const char *from, size_t len, char to[LINKS_URL_BYTES])
{
	struct text text = { .at = to, .size = LINKS_URL_BYTES };
	struct scan scan = { from, from + len };

	while (scan.at < scan.end && !text.full) {
		char c = *scan.at;

		if (looking_at(&scan, "&amp;"))
			scan.at += strlen("amp;");
		if (c != '\n' && c != '\r' && c != '\t')
			add_byte(&text, c);
		scan.at++;
	}
	return text.full ? 0 : text.len;
}

static bool
is_link_tag(struct scan *scan)
{
	size_t len = word_len(scan, ">/");
	bool is = (len == 1 && looking_at(scan, "a")) ||
	    (len == 4 && looking_at(scan, "area"));

	if (is)
		scan->at += len;
	return is;
}

void
links_find(const char *html, size_t len, const char *base,
    void (*fn)(const char *url, void *arg), void *arg)
{
	struct scan scan = { html, html + len };
	char reference[LINKS_URL_BYTES], url[LINKS_URL_BYTES];

	for (;;) {
		const char *href = NULL;
		size_t n;

		scan.at = memchr(scan.at, '<', (size_t)(scan.end - scan.at));
		if (scan.at == NULL || ++scan.at == scan.end)
			return;
		if (looking_at(&scan, "!--"))
			skip_past(&scan, "-->");
		else if (looking_at(&scan, "script"))
			skip_past(&scan, "</script");
		else if (looking_at(&scan, "style"))
			skip_past(&scan, "</style");
		else if (is_link_tag(&scan) && (n = read_href(&scan, &href)) > 0 &&
		    (n = decode(href, n, reference)) > 0 &&
		    links_resolve(base, reference, n, url))
			fn(url, arg);
	}
}
