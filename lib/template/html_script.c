/* SPDX-License-Identifier: MIT */
/* Where in a script a byte stands: see html.h. */
#include "config.h"

#include "template/html.h"

static bool
is_word(char c)
{
	char letter = (char)(c | 0x20);

	return (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
	    c == '$' || (c & 0x80) != 0;
}

/* Words behind which a slash begins a regular expression. */
static bool
before_regex(const struct spout__html *h)
{
	static const char *const words[] = { "await", "case", "delete", "do", "else",
		"in", "instanceof", "new", "of", "return", "throw", "typeof", "void",
		"yield" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (spout__html_name_is(h, words[i]))
			return true;
	return false;
}

static void
end_word(struct spout__html *h)
{
	if (h->name_len > 0)
		h->slash = before_regex(h) ? SPOUT__SLASH_REGEX : SPOUT__SLASH_DIVIDES;
	h->name_len = 0;
}

static void
brace(struct spout__html *h, char c)
{
	uint8_t *depth = h->n_braces > 0 ? &h->braces[h->n_braces - 1] : NULL;

	if (depth == NULL)
		return;
	if (c == '{' && *depth == UINT8_MAX) {
		h->js = SPOUT__JS_UNKNOWN;
	} else if (c == '{') {
		++*depth;
	} else if (*depth > 0) {
		--*depth;
	} else {
		h->n_braces--;
		h->js = SPOUT__JS_TEMPLATE;
	}
}

static void
code(struct spout__html *h, char c)
{
	if (is_word(c)) {
		spout__html_name_add(h, c);
		return;
	}
	end_word(h);
	switch (c) {
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		return;
	case '"':
		h->js = SPOUT__JS_DOUBLE;
		break;
	case '\'':
		h->js = SPOUT__JS_SINGLE;
		break;
	case '`':
		h->js = SPOUT__JS_TEMPLATE;
		break;
	case '/':
		h->js = SPOUT__JS_SLASH;
		return;
	case '{':
	case '}':
		brace(h, c);
		break;
	default:
		break;
	}
	h->slash = c == ')' || c == ']' || c == '"' || c == '\'' || c == '`'
	    ? SPOUT__SLASH_DIVIDES
	    : SPOUT__SLASH_REGEX;
}

/* "/", and now this. */
static void
behind_slash(struct spout__html *h, char c)
{
	if (c == '/') {
		h->js = SPOUT__JS_LINE_COMMENT;
	} else if (c == '*') {
		h->js = SPOUT__JS_COMMENT;
	} else if (h->slash == SPOUT__SLASH_DIVIDES) {
		h->js = SPOUT__JS_CODE;
		h->slash = SPOUT__SLASH_REGEX;
		code(h, c);
	} else if (h->slash == SPOUT__SLASH_REGEX) {
		h->js = SPOUT__JS_REGEX;
		spout__html_js(h, c);
	} else {
		h->js = SPOUT__JS_UNKNOWN;
	}
}

/* In a text or a regular expression that ends with `end`. */
static void
quoted(struct spout__html *h, char c, char end)
{
	if (h->escaped) {
		h->escaped = false;
	} else if (c == '\\') {
		h->escaped = true;
	} else if (c == end || (c == '\n' && end != '`')) {
		h->js = SPOUT__JS_CODE;
		h->slash = SPOUT__SLASH_DIVIDES;
		h->name_len = 0;
	} else if (c == '[' && end == '/') {
		h->js = SPOUT__JS_REGEX_CLASS;
	} else if (c == '$' && end == '`') {
		h->js = SPOUT__JS_TEMPLATE_DOLLAR;
	}
}

static void
template_dollar(struct spout__html *h, char c)
{
	h->js = SPOUT__JS_TEMPLATE;
	if (c != '{') {
		quoted(h, c, '`');
	} else if (h->n_braces == SPOUT__HTML_BRACES_MAX) {
		h->js = SPOUT__JS_UNKNOWN;
	} else {
		h->braces[h->n_braces++] = 0;
		h->js = SPOUT__JS_CODE;
		h->slash = SPOUT__SLASH_REGEX;
		h->name_len = 0;
	}
}

static void
regex_class(struct spout__html *h, char c)
{
	if (h->escaped)
		h->escaped = false;
	else if (c == '\\')
		h->escaped = true;
	else if (c == ']')
		h->js = SPOUT__JS_REGEX;
	else if (c == '\n')
		h->js = SPOUT__JS_CODE;
}

void
spout__html_js(struct spout__html *h, char c)
{
	switch (h->js) {
	case SPOUT__JS_CODE:
		code(h, c);
		break;
	case SPOUT__JS_SLASH:
		behind_slash(h, c);
		break;
	case SPOUT__JS_DOUBLE:
		quoted(h, c, '"');
		break;
	case SPOUT__JS_SINGLE:
		quoted(h, c, '\'');
		break;
	case SPOUT__JS_TEMPLATE:
		quoted(h, c, '`');
		break;
	case SPOUT__JS_TEMPLATE_DOLLAR:
		template_dollar(h, c);
		break;
	case SPOUT__JS_REGEX:
		quoted(h, c, '/');
		break;
	case SPOUT__JS_REGEX_CLASS:
		regex_class(h, c);
		break;
	case SPOUT__JS_LINE_COMMENT:
		if (c == '\n')
			h->js = SPOUT__JS_CODE;
		break;
	case SPOUT__JS_COMMENT:
		if (c == '*')
			h->js = SPOUT__JS_COMMENT_STAR;
		break;
	case SPOUT__JS_COMMENT_STAR:
		if (c != '*')
			h->js = c == '/' ? SPOUT__JS_CODE : SPOUT__JS_COMMENT;
		break;
	default:
		break;
	}
}

const char *
spout__html_js_expression(struct spout__html *h, enum spout__escape *ret)
{
	if (h->escaped)
		return "an expression behind a backslash in a script";
	switch (h->js) {
	case SPOUT__JS_SLASH:
		if (h->slash != SPOUT__SLASH_DIVIDES)
			return "an expression in a regular expression of a script";
		h->js = SPOUT__JS_CODE;
		/* fall through */
	case SPOUT__JS_CODE:
		if (h->name_len > 0 && !before_regex(h))
			return "an expression inside of a word of a script";
		h->name_len = 0;
		h->slash = SPOUT__SLASH_DIVIDES;
		*ret = SPOUT__ESCAPE_JS;
		return NULL;
	case SPOUT__JS_TEMPLATE_DOLLAR:
		h->js = SPOUT__JS_TEMPLATE;
		/* fall through */
	case SPOUT__JS_DOUBLE:
	case SPOUT__JS_SINGLE:
	case SPOUT__JS_TEMPLATE:
		*ret = SPOUT__ESCAPE_JS_STRING;
		return NULL;
	case SPOUT__JS_REGEX:
	case SPOUT__JS_REGEX_CLASS:
		return "an expression in a regular expression of a script";
	case SPOUT__JS_UNKNOWN:
		return "an expression in a script that cannot be followed up to here";
	default:
		return "an expression in a comment of a script; write {# #} around it";
	}
}
