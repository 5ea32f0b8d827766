/* SPDX-License-Identifier: MIT */
/* Escaping, and back, into the running scope. */
#include "config.h"

#include <spout/web.h>

#include <errno.h>
#include <stdarg.h>

#include "async/async.h"
#include "base/clock.h"
#include "base/text.h"

char *
spout_html_escape(const char *text)
{
	size_t len = strlen(text), need = spout__html_escaped_len(text, len);
	char *escaped = spout_alloc(need + 1);

	escaped[spout__html_escape(text, len, escaped)] = '\0';
	return escaped;
}

char *
spout_url_escape(const char *text)
{
	size_t len = strlen(text);
	char *escaped = spout_alloc(3 * len + 1);

	escaped[spout__percent_encode(text, len, escaped)] = '\0';
	return escaped;
}

char *
spout_url_unescape(const char *text)
{
	size_t len = strlen(text);
	char *plain = spout_alloc(len + 1);
	long n = spout__percent_decode(text, len, true, plain);

	if (n < 0)
		return NULL;
	plain[n] = '\0';
	return plain;
}

/* --- references of HTML ------------------------------------------------------------- */

static size_t
put_utf8(uint32_t c, char to[4])
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* "#65" or "#x41"; 0 for what is no character. */
static uint32_t
numbered(const char *name, size_t len)
{
	bool hex = len > 1 && (name[1] | 0x20) == 'x';
	size_t i = hex ? 2 : 1;
	uint32_t c = 0;

	if (i == len)
		return 0;
	for (; i < len && c <= 0x10ffff; i++) {
		char low = (char)(name[i] | 0x20);

		if (name[i] >= '0' && name[i] <= '9')
			c = c * (hex ? 16 : 10) + (uint32_t)(name[i] - '0');
		else if (hex && low >= 'a' && low <= 'f')
			c = c * 16 + (uint32_t)(low - 'a' + 10);
		else
			return 0;
	}
	return c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : c;
}

/* What stands between '&' and ';'. */
static uint32_t
reference(const char *name, size_t len)
{
	static const struct {
		const char *name;
		uint32_t c;
	} named[] = { { "amp", '&' }, { "lt", '<' }, { "gt", '>' }, { "quot", '"' },
		{ "apos", '\'' }, { "nbsp", 0xa0 } };
	size_t i;

	if (len > 1 && name[0] == '#')
		return numbered(name, len);
	for (i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		if (strlen(named[i].name) == len && memcmp(name, named[i].name, len) == 0)
			return named[i].c;
	return 0;
}

char *
spout_html_unescape(const char *text)
{
	char *plain = spout_alloc(strlen(text) + 1), *to = plain;

	while (*text != '\0') {
		size_t len = *text == '&' ? strcspn(text + 1, "&;<> ") : 0;
		uint32_t c = 0;

		if (len > 0 && text[1 + len] == ';')
			c = reference(text + 1, len);
		if (c == 0) {
			*to++ = *text++;
			continue;
		}
		to += put_utf8(c, to);
		text += len + 2;
	}
	*to = '\0';
	return plain;
}

/* --- URLs and times ----------------------------------------------------------------- */

char *
spout_url_concat_of(const char *url, const char *const *pairs)
{
	size_t before = strcspn(url, "#");
	const char *query = memchr(url, '?', before);
	char *all = spout_strndup(url, before);
	char sign = query == NULL ? '?' : '&';

	if (query != NULL && (query + 1 == url + before || url[before - 1] == '&'))
		sign = '\0';
	for (; pairs[0] != NULL; pairs += 2, sign = '&') {
		if (pairs[1] == NULL)
			spout__co_leave(-EINVAL, 0,
			    "spout_url_concat: \"%s\" has no value", pairs[0]);
		all = spout_sprintf("%s%.*s%s=%s", all, sign != '\0', &sign,
		    spout_url_escape(pairs[0]), spout_url_escape(pairs[1]));
	}
	return spout_sprintf("%s%s", all, url + before);
}

char *
spout_http_date(int64_t seconds)
{
	char *text = spout_alloc(SPOUT__HTTP_DATE_LEN + 1);

	spout__http_date((time_t)seconds, text);
	return text;
}
