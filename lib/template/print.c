/* SPDX-License-Identifier: MIT */
/*
 * Values on their way into the page, escaped for their place. Each form leaves nothing in
 * the output that could end the place it stands in, whatever the value is:
 *
 *     text, attribute   & < > " '                             as character references
 *     URL               all but what a URL is made of         as %XX, harmless schemes
 *     script            JSON; in its texts all but letters,
 *                       digits and a few signs                as \u00XX
 *     style             letters, digits, "#%.,+-!" or nothing; in texts as \XX
 */
#include "config.h"

#include <errno.h>
#include <strings.h>

#include "template/value.h"

#define DEPTH_MAX 64
#define CHUNK 128
#define GROWS 6 /* times, at most, by any of the forms below */

const char spout__wrong_memory[] = "out of memory";
const char spout__wrong_size[] = "the output is too large";

enum {
	HTML = 1,   /* stays as it is in text and attributes */
	URL = 2,    /* in a URL */
	PART = 4,   /* in a part of a URL */
	SCRIPT = 8, /* in a text of a script */
	STYLE = 16, /* in a text of a style */
	WORD = 32,  /* in a style itself */
};

#define ALL (HTML | URL | PART | SCRIPT | STYLE | WORD)

static const uint8_t stays[256] = {
	[0 ... 31] = HTML,
	[' '] = HTML | SCRIPT | STYLE | WORD,
	['!'] = HTML | URL | WORD,
	['"'] = 0,
	['#'] = HTML | URL | WORD,
	['$'] = HTML | URL,
	['%'] = HTML | WORD,
	['&'] = 0,
	['\''] = 0,
	['(' ... ')'] = HTML,
	['*'] = HTML | URL,
	['+'] = HTML | URL | WORD,
	[','] = HTML | URL | SCRIPT | STYLE | WORD,
	['-'] = ALL,
	['.'] = ALL,
	['/'] = HTML | URL,
	['0' ... '9'] = ALL,
	[':' ... ';'] = HTML | URL,
	['<'] = 0,
	['='] = HTML | URL,
	['>'] = 0,
	['?' ... '@'] = HTML | URL,
	['A' ... 'Z'] = ALL,
	['['] = HTML | URL,
	['\\'] = HTML,
	[']'] = HTML | URL,
	['^'] = HTML,
	['_'] = ALL,
	['`'] = HTML,
	['a' ... 'z'] = ALL,
	['{' ... '}'] = HTML,
	['~'] = HTML | URL | PART,
	[127] = HTML,
	[128 ... 255] = HTML | SCRIPT | STYLE | WORD,
};

static const char digits[] = "0123456789abcdef";
static const char upper_digits[] = "0123456789ABCDEF";

static const char *
append(struct spout__buffer *out, const char *data, size_t n)
{
	int error = spout__buffer_append(out, data, n);

	return error == 0        ? NULL
	    : error == -EMSGSIZE ? spout__wrong_size
				 : spout__wrong_memory;
}

static const char *
append_text(struct spout__buffer *out, const char *text)
{
	return append(out, text, strlen(text));
}

/* --- one byte --------------------------------------------------------------------- */

typedef size_t (*replace_fn)(char *to, const char *at, const char *end);

static size_t
copy(char *to, const char *text, size_t n)
{
	memcpy(to, text, n);
	return n;
}

static size_t
replace_html(char *to, const char *at, const char *end)
{
	(void)end;
	switch (*at) {
	case '&':
		return copy(to, "&amp;", 5);
	case '<':
		return copy(to, "&lt;", 4);
	case '>':
		return copy(to, "&gt;", 4);
	case '"':
		return copy(to, "&quot;", 6);
	default:
		return copy(to, "&#39;", 5);
	}
}

static bool
is_hex(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static size_t
percent(char *to, char c)
{
	to[0] = '%';
	to[1] = upper_digits[(unsigned char)c >> 4];
	to[2] = upper_digits[c & 15];
	return 3;
}

static size_t
replace_part(char *to, const char *at, const char *end)
{
	(void)end;
	return percent(to, *at);
}

/* What is encoded already stays so. */
static size_t
replace_url(char *to, const char *at, const char *end)
{
	if (*at == '&' ||
	    (*at == '%' && end - at > 2 && is_hex(at[1]) && is_hex(at[2]))) {
		to[0] = *at;
		return 1;
	}
	return percent(to, *at);
}

static size_t
replace_attribute_url(char *to, const char *at, const char *end)
{
	return *at == '&' ? copy(to, "&amp;", 5) : replace_url(to, at, end);
}

static size_t
replace_script(char *to, const char *at, const char *end)
{
	(void)end;
	memcpy(to, "\\u00", 4);
	to[4] = digits[(unsigned char)*at >> 4];
	to[5] = digits[*at & 15];
	return 6;
}

static size_t
replace_style(char *to, const char *at, const char *end)
{
	(void)end;
	to[0] = '\\';
	to[1] = digits[(unsigned char)*at >> 4];
	to[2] = digits[*at & 15];
	to[3] = ' '; /* ends the number */
	return 4;
}

static const char *
escape_text(
    struct spout__buffer *out, struct spout_slice text, uint8_t kind, replace_fn replace)
{
	const char *at = text.data, *end = at + text.len;
	char room[CHUNK * GROWS];
	const char *wrong = NULL;

	while (at < end && wrong == NULL) {
		const char *stop = end - at > CHUNK ? at + CHUNK : end;
		char *to = room;

		for (; at < stop; at++) {
			if (stays[(unsigned char)*at] & kind)
				*to++ = *at;
			else
				to += replace(to, at, end);
		}
		wrong = append(out, room, (size_t)(to - room));
	}
	return wrong;
}

/* --- scripts ---------------------------------------------------------------------- */

/* U+2028 and U+2029 end a line of a script of before 2019. */
static const char *
script_text(struct spout__buffer *out, struct spout_slice text)
{
	const char *at = text.data, *end = at + text.len, *wrong = NULL;

	while (at < end && wrong == NULL) {
		const char *sep = memmem(at, (size_t)(end - at), "\xe2\x80", 2);
		bool line = sep != NULL && end - sep > 2 &&
		    ((unsigned char)sep[2] & 0xfe) == 0xa8;
		const char *stop = sep == NULL ? end : line ? sep : sep + 2;

		wrong = escape_text(
		    out, spout_slice_of(at, (size_t)(stop - at)), SCRIPT, replace_script);
		at = stop;
		if (line && wrong == NULL) {
			wrong = append_text(
			    out, (unsigned char)sep[2] == 0xa8 ? "\\u2028" : "\\u2029");
			at = sep + 3;
		}
	}
	return wrong;
}

static const char *print_json(struct spout__buffer *out, const struct spout__value *v,
    const char *quote, unsigned depth);

static const char *
print_quoted(struct spout__buffer *out, struct spout_slice text, const char *quote)
{
	const char *wrong = append_text(out, quote);

	if (wrong == NULL)
		wrong = script_text(out, text);
	return wrong != NULL ? wrong : append_text(out, quote);
}

static const char *
print_object(struct spout__buffer *out, json_t *object, const char *quote, unsigned depth)
{
	const char *wrong = append(out, "{", 1);
	bool first = true;
	void *iter;

	for (iter = json_object_iter(object); iter != NULL && wrong == NULL;
	     iter = json_object_iter_next(object, iter)) {
		struct spout__value item = spout__value_of(json_object_iter_value(iter));

		if (!first)
			wrong = append(out, ",", 1);
		first = false;
		if (wrong == NULL)
			wrong = print_quoted(
			    out, spout_slice(json_object_iter_key(iter)), quote);
		if (wrong == NULL)
			wrong = append(out, ":", 1);
		if (wrong == NULL)
			wrong = print_json(out, &item, quote, depth + 1);
	}
	return wrong != NULL ? wrong : append(out, "}", 1);
}

static const char *
print_list(struct spout__buffer *out, const struct spout__value *v, const char *quote,
    unsigned depth)
{
	const char *wrong = append(out, "[", 1);
	size_t n = 0, i;

	spout__value_length(v, &n);
	for (i = 0; i < n && wrong == NULL; i++) {
		struct spout__value item = spout__value_item(v, i);

		if (i > 0)
			wrong = append(out, ",", 1);
		if (wrong == NULL)
			wrong = print_json(out, &item, quote, depth + 1);
	}
	return wrong != NULL ? wrong : append(out, "]", 1);
}

static const char *
print_json(struct spout__buffer *out, const struct spout__value *v, const char *quote,
    unsigned depth)
{
	char small[SPOUT__REAL_MAX];
	struct spout_slice text;

	if (depth > DEPTH_MAX)
		return "the value is nested too deeply";
	switch (v->kind) {
	case SPOUT__UNDEFINED:
	case SPOUT__NONE:
		return append(out, "null", 4);
	case SPOUT__TEXT:
	case SPOUT__HTML:
		return print_quoted(out, v->text, quote);
	case SPOUT__JSON:
		if (json_is_object(v->json))
			return print_object(out, v->json, quote, depth);
		return print_list(out, v, quote, depth);
	case SPOUT__LIST:
	case SPOUT__RANGE:
		return print_list(out, v, quote, depth);
	default:
		spout__value_as_text(v, small, &text);
		return append(out, text.data, text.len);
	}
}

const char *
spout__value_print_json(
    struct spout__buffer *out, const struct spout__value *v, const char *quote)
{
	return print_json(out, v, quote, 0);
}

/* As a value of a script: "x-{{ y }}" is no "--". */
static const char *
print_script(struct spout__buffer *out, const struct spout__value *v, const char *quote)
{
	bool negative = (v->kind == SPOUT__INT && v->integer < 0) ||
	    (v->kind == SPOUT__REAL && v->real < 0);
	const char *wrong = negative ? append(out, " ", 1) : NULL;

	return wrong != NULL ? wrong : spout__value_print_json(out, v, quote);
}

/* --- URLs, styles ----------------------------------------------------------------- */

/* Relative, or of a scheme that only leads somewhere. */
static bool
harmless(struct spout_slice url)
{
	static const char *const schemes[] = { "http", "https", "mailto", "tel", "sms",
		"ftp" };
	size_t n, i;

	for (n = 0; n < url.len && strchr(":/?#", url.data[n]) == NULL; n++)
		;
	if (n == url.len || url.data[n] != ':')
		return memchr(url.data, '\0', url.len) == NULL;
	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strlen(schemes[i]) == n && strncasecmp(url.data, schemes[i], n) == 0)
			return true;
	return false;
}

/* Has the URL been one slash so far? With another one a host would follow. */
static bool
after_lone_slash(const struct spout__buffer *out)
{
	const char *end = spout__buffer_at(out) + out->len;

	if (out->len == 0 || end[-1] != '/')
		return false;
	return out->len == 1 || strchr("\"'( \t\r\n,", end[-2]) != NULL;
}

static const char *
print_url(struct spout__buffer *out, struct spout_slice text, enum spout__escape escape,
    bool attribute)
{
	replace_fn replace = attribute ? replace_attribute_url : replace_url;
	struct spout_slice rest = text;
	const char *wrong = NULL;

	if (escape == SPOUT__ESCAPE_URL && !harmless(text))
		return append_text(out, "about:invalid#spout");
	if (escape == SPOUT__ESCAPE_URL_PART)
		return escape_text(out, text, PART, replace_part);
	if (escape == SPOUT__ESCAPE_URL)
		return escape_text(out, text, URL, replace);
	if (rest.len > 0 && (rest.data[0] == '/' || rest.data[0] == '\\') &&
	    after_lone_slash(out)) {
		wrong = append(out, rest.data[0] == '/' ? "%2F" : "%5C", 3);
		rest = spout_slice_of(rest.data + 1, rest.len - 1);
	}
	/* A path: "?" and "#" would end it. */
	while (rest.len > 0 && wrong == NULL) {
		size_t n;

		for (n = 0; n < rest.len && rest.data[n] != '?' && rest.data[n] != '#';
		     n++)
			;
		wrong = escape_text(out, spout_slice_of(rest.data, n), URL, replace);
		if (wrong == NULL && n < rest.len)
			wrong = append(out, rest.data[n] == '?' ? "%3F" : "%23", 3), n++;
		rest = spout_slice_of(rest.data + n, rest.len - n);
	}
	return wrong;
}

static const char *
print_style(struct spout__buffer *out, struct spout_slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!(stays[(unsigned char)text.data[i]] & WORD))
			return append_text(out, "unsafe");
	return append(out, text.data, text.len);
}

/* --- all -------------------------------------------------------------------------- */

static const char *
print_text(struct spout__buffer *out, struct spout_slice text, enum spout__escape escape,
    bool attribute)
{
	switch (escape) {
	case SPOUT__ESCAPE_NONE:
		return append(out, text.data, text.len);
	case SPOUT__ESCAPE_URL:
	case SPOUT__ESCAPE_URL_PATH:
	case SPOUT__ESCAPE_URL_PART:
		return print_url(out, text, escape, attribute);
	case SPOUT__ESCAPE_JS_STRING:
		return script_text(out, text);
	case SPOUT__ESCAPE_CSS:
		return print_style(out, text);
	case SPOUT__ESCAPE_CSS_STRING:
		return escape_text(out, text, STYLE, replace_style);
	default:
		return escape_text(out, text, HTML, replace_html);
	}
}

const char *
spout__value_print(
    struct spout__buffer *out, const struct spout__value *v, enum spout__escape escape)
{
	bool attribute = (escape & SPOUT__ESCAPE_IN_ATTRIBUTE) != 0;
	char small[SPOUT__REAL_MAX];
	struct spout_slice text;

	escape &= ~SPOUT__ESCAPE_IN_ATTRIBUTE;
	if (escape == SPOUT__ESCAPE_JS)
		return print_script(out, v, attribute ? "&quot;" : "\"");
	if (!spout__value_as_text(v, small, &text))
		return "a list or an object cannot be printed; name what is in "
		       "it, or use json_encode()";
	if (v->kind == SPOUT__HTML && escape == SPOUT__ESCAPE_HTML)
		escape = SPOUT__ESCAPE_NONE;
	return print_text(out, text, escape, attribute);
}
