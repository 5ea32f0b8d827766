/* SPDX-License-Identifier: MIT */
/* Where in a style sheet or a URL a byte stands: see html.h. */
#include "config.h"

#include "template/html.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

/* --- styles --------------------------------------------------------------------- */

static void
code(struct spout__html *h, char c)
{
	char letter = (char)(c | 0x20);

	if ((letter >= 'a' && letter <= 'z') || c == '-' || (c >= '0' && c <= '9')) {
		spout__html_name_add(h, c);
		return;
	}
	if (c == '(' && spout__html_name_is(h, "url")) {
		h->css = SPOUT__CSS_URL_BEGIN;
		h->url = SPOUT__URL_START;
	} else if (c == '"') {
		h->css = SPOUT__CSS_DOUBLE;
	} else if (c == '\'') {
		h->css = SPOUT__CSS_SINGLE;
	} else if (c == '/') {
		h->css = SPOUT__CSS_SLASH;
	} else if (c == '\\') {
		h->css = SPOUT__CSS_UNKNOWN; /* could be any word */
	}
	h->name_len = 0;
}

static void
quoted(struct spout__html *h, char c, char end)
{
	if (h->escaped) {
		h->escaped = false;
	} else if (c == '\\') {
		h->escaped = true;
	} else if (c == end || c == '\n') {
		h->css = SPOUT__CSS_CODE;
	}
}

static void
url_begin(struct spout__html *h, char c)
{
	if (is_blank(c))
		return;
	h->name_len = 0;
	h->css = c == '"' ? SPOUT__CSS_URL_DOUBLE
	    : c == '\''   ? SPOUT__CSS_URL_SINGLE
			  : SPOUT__CSS_URL;
	if (h->css == SPOUT__CSS_URL)
		spout__html_css(h, c);
}

static void
in_url(struct spout__html *h, char c, char end)
{
	if (c == '\\') {
		h->css = SPOUT__CSS_UNKNOWN;
	} else if (c == end || c == '\n') {
		h->css = SPOUT__CSS_CODE;
		h->name_len = 0;
	} else {
		spout__html_url(h, c);
	}
}

void
spout__html_css(struct spout__html *h, char c)
{
	switch (h->css) {
	case SPOUT__CSS_CODE:
		code(h, c);
		break;
	case SPOUT__CSS_SLASH:
		h->css = c == '*' ? SPOUT__CSS_COMMENT : SPOUT__CSS_CODE;
		if (h->css == SPOUT__CSS_CODE)
			code(h, c);
		break;
	case SPOUT__CSS_DOUBLE:
		quoted(h, c, '"');
		break;
	case SPOUT__CSS_SINGLE:
		quoted(h, c, '\'');
		break;
	case SPOUT__CSS_COMMENT:
		if (c == '*')
			h->css = SPOUT__CSS_COMMENT_STAR;
		break;
	case SPOUT__CSS_COMMENT_STAR:
		if (c != '*')
			h->css = c == '/' ? SPOUT__CSS_CODE : SPOUT__CSS_COMMENT;
		break;
	case SPOUT__CSS_URL_BEGIN:
		url_begin(h, c);
		break;
	case SPOUT__CSS_URL:
		in_url(h, c, ')');
		break;
	case SPOUT__CSS_URL_DOUBLE:
		in_url(h, c, '"');
		break;
	case SPOUT__CSS_URL_SINGLE:
		in_url(h, c, '\'');
		break;
	default:
		break;
	}
}

const char *
spout__html_css_expression(struct spout__html *h, enum spout__escape *ret)
{
	if (h->escaped)
		return "an expression behind a backslash in a style";
	switch (h->css) {
	case SPOUT__CSS_SLASH:
		h->css = SPOUT__CSS_CODE;
		/* fall through */
	case SPOUT__CSS_CODE:
		h->name_len = 0;
		*ret = SPOUT__ESCAPE_CSS;
		return NULL;
	case SPOUT__CSS_DOUBLE:
	case SPOUT__CSS_SINGLE:
		*ret = SPOUT__ESCAPE_CSS_STRING;
		return NULL;
	case SPOUT__CSS_URL_BEGIN:
		h->css = SPOUT__CSS_URL;
		/* fall through */
	case SPOUT__CSS_URL:
	case SPOUT__CSS_URL_DOUBLE:
	case SPOUT__CSS_URL_SINGLE:
		return spout__html_url_expression(h, ret);
	case SPOUT__CSS_UNKNOWN:
		return "an expression in a style that cannot be followed up to here";
	default:
		return "an expression in a comment of a style; write {# #} around it";
	}
}

/* --- URLs ------------------------------------------------------------------------- */

static bool
is_scheme(char c)
{
	char letter = (char)(c | 0x20);

	return (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
	    c == '-' || c == '.';
}

/* Schemes whose rest is run or shown as a page of ours. */
static bool
runs(const struct spout__html *h)
{
	return h->name_len >= SPOUT__HTML_NAME_MAX ||
	    spout__html_name_is(h, "javascript") || spout__html_name_is(h, "vbscript") ||
	    spout__html_name_is(h, "livescript") || spout__html_name_is(h, "data");
}

void
spout__html_url(struct spout__html *h, char c)
{
	if (c == '\t' || c == '\n' || c == '\r')
		return; /* dropped by browsers */
	if (h->attribute == SPOUT__ATTRIBUTE_URLS && h->state == SPOUT__HTML_VALUE &&
	    (c == ' ' || c == ',')) {
		h->url = SPOUT__URL_START;
		h->name_len = 0;
		return;
	}
	switch (h->url) {
	case SPOUT__URL_START:
		if ((unsigned char)c <= ' ')
			return;
		h->url = SPOUT__URL_SCHEME;
		h->name_len = 0;
		/* fall through */
	case SPOUT__URL_SCHEME:
	case SPOUT__URL_DYNAMIC:
		if (c == ':')
			h->url = h->url == SPOUT__URL_DYNAMIC || runs(h)
			    ? SPOUT__URL_BAD
			    : SPOUT__URL_PATH;
		else if (is_scheme(c))
			spout__html_name_add(h, c);
		else if (c == '/' && h->url == SPOUT__URL_SCHEME)
			h->url = SPOUT__URL_PATH;
		else if (c == '/' || c == '?' || c == '#' || h->url == SPOUT__URL_DYNAMIC)
			h->url = SPOUT__URL_QUERY;
		else
			h->url = SPOUT__URL_PATH;
		break;
	case SPOUT__URL_PATH:
		if (c == '?' || c == '#')
			h->url = SPOUT__URL_QUERY;
		break;
	default:
		break;
	}
}

const char *
spout__html_url_expression(struct spout__html *h, enum spout__escape *ret)
{
	switch (h->url) {
	case SPOUT__URL_START:
		h->url = SPOUT__URL_DYNAMIC;
		*ret = SPOUT__ESCAPE_URL;
		return NULL;
	case SPOUT__URL_PATH:
		*ret = SPOUT__ESCAPE_URL_PATH;
		return NULL;
	case SPOUT__URL_BAD:
		return "an expression in a URL whose scheme runs code, or "
		       "could: write the scheme into the template";
	default:
		if (h->url == SPOUT__URL_SCHEME)
			h->url = SPOUT__URL_DYNAMIC;
		*ret = SPOUT__ESCAPE_URL_PART;
		return NULL;
	}
}
