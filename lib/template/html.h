/* SPDX-License-Identifier: MIT */
/*
 * Where in a page the next byte stands, followed through the literal text of a template
 * while it is compiled, so that every expression gets the escaping of its place.
 *
 *     TEXT -"<"-> TAG_OPEN -letter-> TAG_NAME -blank-> IN_TAG -letter-> ATTRIBUTE_NAME
 *       ^            |                   ">"             ">"                | "="
 *       |            +-"!"-> COMMENT …    +---> TEXT or RAW                 v
 *       +--- ">" --------------------------- IN_TAG <- quote - VALUE <- BEFORE_VALUE
 *
 * RAW is the inside of <script>, <style>, <textarea>, <title> and their like; scripts,
 * styles and URLs have a machine of their own in here, which also runs in attributes.
 * Where branches of a template meet, their states are joined; what would be ambiguous
 * afterwards is refused when an expression stands there. Plain data, copied freely.
 */
#ifndef SPOUT_TEMPLATE_HTML_H
#define SPOUT_TEMPLATE_HTML_H

#include <spout/types.h>

#include "template/program.h"

enum spout__html_state {
	SPOUT__HTML_PLAIN, /* no markup at all */
	SPOUT__HTML_TEXT,
	SPOUT__HTML_TAG_OPEN,
	SPOUT__HTML_END_TAG_OPEN,
	SPOUT__HTML_TAG_NAME,
	SPOUT__HTML_TAG_GAP, /* behind TAG_NAME or an attribute, as a branch was taken */
	SPOUT__HTML_IN_TAG,
	SPOUT__HTML_ATTRIBUTE_NAME,
	SPOUT__HTML_AFTER_NAME,
	SPOUT__HTML_BEFORE_VALUE,
	SPOUT__HTML_VALUE,
	SPOUT__HTML_RAW,
	SPOUT__HTML_MARKUP,  /* behind "<!" */
	SPOUT__HTML_BOGUS,   /* up to ">" */
	SPOUT__HTML_COMMENT, /* up to "-->" */
};

enum spout__html_element {
	SPOUT__ELEMENT_OTHER,
	SPOUT__ELEMENT_SCRIPT,
	SPOUT__ELEMENT_STYLE,
	SPOUT__ELEMENT_ESCAPABLE, /* textarea, title, and what shows no markup */
	SPOUT__ELEMENT_META,
	SPOUT__ELEMENT_ANIMATE,
};

enum spout__html_attribute {
	SPOUT__ATTRIBUTE_TEXT,
	SPOUT__ATTRIBUTE_URL,
	SPOUT__ATTRIBUTE_URLS, /* srcset: several, with blanks and commas between */
	SPOUT__ATTRIBUTE_SCRIPT,
	SPOUT__ATTRIBUTE_STYLE,
	SPOUT__ATTRIBUTE_REFUSED,
};

enum spout__html_js {
	SPOUT__JS_CODE,
	SPOUT__JS_SLASH, /* "/" seen: comment, regular expression or division */
	SPOUT__JS_DOUBLE,
	SPOUT__JS_SINGLE,
	SPOUT__JS_TEMPLATE,
	SPOUT__JS_TEMPLATE_DOLLAR,
	SPOUT__JS_REGEX,
	SPOUT__JS_REGEX_CLASS,
	SPOUT__JS_LINE_COMMENT,
	SPOUT__JS_COMMENT,
	SPOUT__JS_COMMENT_STAR,
	SPOUT__JS_UNKNOWN,
};

/** What a slash means now. */
enum spout__html_slash {
	SPOUT__SLASH_REGEX,
	SPOUT__SLASH_DIVIDES,
	SPOUT__SLASH_UNKNOWN,
};

enum spout__html_css {
	SPOUT__CSS_CODE,
	SPOUT__CSS_SLASH,
	SPOUT__CSS_DOUBLE,
	SPOUT__CSS_SINGLE,
	SPOUT__CSS_COMMENT,
	SPOUT__CSS_COMMENT_STAR,
	SPOUT__CSS_URL_BEGIN, /* behind "url(" */
	SPOUT__CSS_URL,
	SPOUT__CSS_URL_DOUBLE,
	SPOUT__CSS_URL_SINGLE,
	SPOUT__CSS_UNKNOWN,
};

enum spout__html_url {
	SPOUT__URL_START,
	SPOUT__URL_SCHEME,  /* could still become one, from the template's own text */
	SPOUT__URL_DYNAMIC, /* could still become one, from an expression */
	SPOUT__URL_PATH,
	SPOUT__URL_QUERY,
	SPOUT__URL_BAD,
};

#define SPOUT__HTML_NAME_MAX 24
#define SPOUT__HTML_BRACES_MAX 8

struct spout__html {
	uint8_t state, element, attribute, quote;
	uint8_t js, slash, css, url;
	bool dead;  /* nothing comes here: behind break */
	bool whole; /* the file is a script or a style: no end tag */
	bool end_tag, pre, has_equiv, has_content;
	bool escaped;     /* a backslash was the byte before, in a script or style */
	uint8_t matched;  /* of the end tag of a raw element, "<!--", or "-->" */
	uint8_t n_braces; /* of "${" in templates of JavaScript */
	uint8_t braces[SPOUT__HTML_BRACES_MAX];
	uint8_t name_len; /* of a tag, an attribute, a word, a scheme */
	char name[SPOUT__HTML_NAME_MAX];
	char raw[12]; /* name of the raw element */
	uint8_t entity_len;
	char entity[8]; /* behind "&" in an attribute that has a machine */
};

/** The beginning of a file of that name: by its extension. */
void spout__html_init(struct spout__html *h, const char *name);
/** The next byte of literal text. NULL, or a static text: what is refused. */
const char *spout__html_step(struct spout__html *h, char c);
/** True where white space means nothing. */
bool spout__html_collapsible(const struct spout__html *h);
/**
 * An expression stands here: how to escape it. Moves on. NULL, or a static text: why
 * there may be none.
 */
const char *spout__html_expression(struct spout__html *h, enum spout__escape *ret);
/** The same for one that is printed as it is. */
void spout__html_unescaped(struct spout__html *h);
/** Where `h` and `other` meet. NULL, or a static text: that they cannot. */
const char *spout__html_join(struct spout__html *h, const struct spout__html *other);
/** At the end of a template: NULL, or a static text: inside of what it ends. */
const char *spout__html_end(const struct spout__html *h);

/* The machines inside: html_script.c, html_style.c. */
void spout__html_js(struct spout__html *h, char c);
void spout__html_css(struct spout__html *h, char c);
void spout__html_url(struct spout__html *h, char c);
const char *spout__html_js_expression(struct spout__html *h, enum spout__escape *ret);
const char *spout__html_css_expression(struct spout__html *h, enum spout__escape *ret);
const char *spout__html_url_expression(struct spout__html *h, enum spout__escape *ret);
/** The name of a tag has ended: IN_TAG, in that element. */
void spout__html_tag_named(struct spout__html *h);
void spout__html_name_add(struct spout__html *h, char c);
bool spout__html_name_is(const struct spout__html *h, const char *name);

#endif
