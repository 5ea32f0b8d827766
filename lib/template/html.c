/* SPDX-License-Identifier: MIT */
/* Where in a page a byte stands: see html.h. Follows the tokenizer of HTML 13.2.5. */
#include "config.h"

#include "template/html.h"

#include <strings.h>

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool
is_letter(char c)
{
	return ((c | 0x20) >= 'a') && ((c | 0x20) <= 'z');
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

void
spout__html_name_add(struct spout__html *h, char c)
{
	if (h->name_len < SPOUT__HTML_NAME_MAX)
		h->name[h->name_len++] = lower(c);
}

bool
spout__html_name_is(const struct spout__html *h, const char *name)
{
	return spout_slice_equal(spout_slice_of(h->name, h->name_len), name);
}

static bool
name_begins(const struct spout__html *h, const char *with)
{
	size_t n = strlen(with);

	return h->name_len >= n && memcmp(h->name, with, n) == 0;
}

static bool
name_is_any(const struct spout__html *h, const char *const *names)
{
	for (; *names != NULL; names++)
		if (spout__html_name_is(h, *names))
			return true;
	return false;
}

void
spout__html_init(struct spout__html *h, const char *name)
{
	const char *dot = strrchr(name, '.');

	memset(h, 0, sizeof(*h));
	h->state = SPOUT__HTML_TEXT;
	if (dot == NULL)
		return;
	if (strcasecmp(dot, ".txt") == 0 || strcasecmp(dot, ".md") == 0)
		h->state = SPOUT__HTML_PLAIN;
	else if (strcasecmp(dot, ".js") == 0 || strcasecmp(dot, ".json") == 0)
		h->element = SPOUT__ELEMENT_SCRIPT;
	else if (strcasecmp(dot, ".css") == 0)
		h->element = SPOUT__ELEMENT_STYLE;
	if (h->element != SPOUT__ELEMENT_OTHER) {
		h->state = SPOUT__HTML_RAW;
		h->whole = true;
	}
}

bool
spout__html_collapsible(const struct spout__html *h)
{
	return (h->state == SPOUT__HTML_TEXT && !h->pre) ||
	    (h->state >= SPOUT__HTML_TAG_NAME && h->state <= SPOUT__HTML_AFTER_NAME);
}

/* --- tags ------------------------------------------------------------------------- */

static enum spout__html_element
element_of(const struct spout__html *h)
{
	static const char *const escapable[] = { "textarea", "title", "xmp", "iframe",
		"noembed", "noframes", "plaintext", NULL };

	if (spout__html_name_is(h, "script"))
		return SPOUT__ELEMENT_SCRIPT;
	if (spout__html_name_is(h, "style"))
		return SPOUT__ELEMENT_STYLE;
	if (name_is_any(h, escapable))
		return SPOUT__ELEMENT_ESCAPABLE;
	if (spout__html_name_is(h, "meta"))
		return SPOUT__ELEMENT_META;
	if (name_begins(h, "animate") || spout__html_name_is(h, "set"))
		return SPOUT__ELEMENT_ANIMATE;
	return SPOUT__ELEMENT_OTHER;
}

void
spout__html_tag_named(struct spout__html *h)
{
	h->element = SPOUT__ELEMENT_OTHER;
	h->has_equiv = h->has_content = false;
	if (spout__html_name_is(h, "pre"))
		h->pre = !h->end_tag;
	if (!h->end_tag)
		h->element = element_of(h);
	if (h->element != SPOUT__ELEMENT_OTHER) {
		size_t n = h->name_len < sizeof(h->raw) - 1 ? h->name_len
							    : sizeof(h->raw) - 1;

		memcpy(h->raw, h->name, n);
		h->raw[n] = '\0';
	}
	h->state = SPOUT__HTML_IN_TAG;
	h->name_len = 0;
}

static void
begin_machines(struct spout__html *h)
{
	h->js = SPOUT__JS_CODE;
	h->slash = SPOUT__SLASH_REGEX;
	h->css = SPOUT__CSS_CODE;
	h->url = SPOUT__URL_START;
	h->escaped = false;
	h->n_braces = h->name_len = h->entity_len = h->matched = 0;
}

static void
tag_closed(struct spout__html *h)
{
	bool raw = h->element == SPOUT__ELEMENT_SCRIPT ||
	    h->element == SPOUT__ELEMENT_STYLE || h->element == SPOUT__ELEMENT_ESCAPABLE;

	h->state = raw ? SPOUT__HTML_RAW : SPOUT__HTML_TEXT;
	begin_machines(h);
}

static void
in_tag(struct spout__html *h, char c)
{
	if (c == '>') {
		tag_closed(h);
	} else if (!is_blank(c) && c != '/') {
		h->state = SPOUT__HTML_ATTRIBUTE_NAME;
		h->name_len = 0;
		spout__html_name_add(h, c);
	}
}

static void
attribute_name(struct spout__html *h, char c)
{
	if (c == '=')
		h->state = SPOUT__HTML_BEFORE_VALUE;
	else if (c == '>')
		tag_closed(h);
	else if (c == '/')
		h->state = SPOUT__HTML_IN_TAG;
	else if (is_blank(c))
		h->state = SPOUT__HTML_AFTER_NAME;
	else if (h->state == SPOUT__HTML_AFTER_NAME)
		in_tag(h, c);
	else
		spout__html_name_add(h, c);
}

/* --- attributes --------------------------------------------------------------------- */

/* Attributes whose value a browser or a well-known framework runs. */
static bool
runs(const struct spout__html *h)
{
	static const char *const begin[] = { "on", "@", ":", "x-", "v-", "ng-", "hx-on",
		"hx-vals", "hx-vars", NULL };

	for (size_t i = 0; begin[i] != NULL; i++)
		if (name_begins(h, begin[i]))
			return true;
	return false;
}

static bool
names_url(const struct spout__html *h)
{
	static const char *const urls[] = { "href", "src", "action", "formaction", "cite",
		"poster", "data", "background", "longdesc", "manifest", "icon", "ping",
		"archive", "classid", "codebase", "profile", "usemap", "dynsrc", "lowsrc",
		"hx-get", "hx-post", "hx-put", "hx-patch", "hx-delete", NULL };
	struct spout__html local = *h;
	size_t i, colon = 0;

	for (i = 0; i < h->name_len; i++)
		if (h->name[i] == ':')
			colon = i + 1;
	local.name_len = (uint8_t)(h->name_len - colon);
	memmove(local.name, h->name + colon, local.name_len);
	return name_is_any(&local, urls) ||
	    memmem(local.name, local.name_len, "url", 3) != NULL ||
	    memmem(local.name, local.name_len, "uri", 3) != NULL ||
	    memmem(local.name, local.name_len, "src", 3) != NULL ||
	    memmem(local.name, local.name_len, "href", 4) != NULL;
}

static enum spout__html_attribute
attribute_of(struct spout__html *h)
{
	static const char *const animated[] = { "attributename", "by", "from", "to",
		"values", NULL };

	if (h->name_len == 0 || h->name_len == SPOUT__HTML_NAME_MAX ||
	    spout__html_name_is(h, "srcdoc"))
		return SPOUT__ATTRIBUTE_REFUSED;
	if (h->element == SPOUT__ELEMENT_ANIMATE && name_is_any(h, animated))
		return SPOUT__ATTRIBUTE_REFUSED;
	if (h->element == SPOUT__ELEMENT_META && spout__html_name_is(h, "http-equiv"))
		h->has_equiv = true;
	if (h->element == SPOUT__ELEMENT_META && spout__html_name_is(h, "content"))
		h->has_content = true;
	if (runs(h))
		return SPOUT__ATTRIBUTE_SCRIPT;
	if (spout__html_name_is(h, "style"))
		return SPOUT__ATTRIBUTE_STYLE;
	if (spout__html_name_is(h, "srcset") || spout__html_name_is(h, "imagesrcset"))
		return SPOUT__ATTRIBUTE_URLS;
	return names_url(h) ? SPOUT__ATTRIBUTE_URL : SPOUT__ATTRIBUTE_TEXT;
}

static void
machine(struct spout__html *h, char c)
{
	if (h->attribute == SPOUT__ATTRIBUTE_SCRIPT)
		spout__html_js(h, c);
	else if (h->attribute == SPOUT__ATTRIBUTE_STYLE)
		spout__html_css(h, c);
	else
		spout__html_url(h, c);
}

/* A character reference that is none of the few below, or not ended. */
static void
lost(struct spout__html *h)
{
	h->js = SPOUT__JS_UNKNOWN;
	h->css = SPOUT__CSS_UNKNOWN;
	if (h->url != SPOUT__URL_QUERY && h->url != SPOUT__URL_PATH)
		h->url = SPOUT__URL_BAD;
}

static void
entity_ends(struct spout__html *h)
{
	static const struct {
		const char *name;
		char c;
	} known[] = { { "amp", '&' }, { "quot", '"' }, { "apos", '\'' }, { "lt", '<' },
		{ "gt", '>' }, { "#34", '"' }, { "#39", '\'' }, { "#x22", '"' },
		{ "#x27", '\'' } };
	struct spout_slice name = spout_slice_of(h->entity, h->entity_len - 1u);
	size_t i;

	h->entity_len = 0;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (spout_slice_equal(name, known[i].name)) {
			machine(h, known[i].c);
			return;
		}
	lost(h);
}

/* A byte of a value that a machine follows, with character references. */
static void
followed(struct spout__html *h, char c)
{
	bool part = is_letter(c) || c == '#' || (c >= '0' && c <= '9');

	if (h->entity_len == 0 && c == '&') {
		h->entity_len = 1;
	} else if (h->entity_len == 0) {
		machine(h, c);
	} else if (part && h->entity_len < sizeof(h->entity)) {
		h->entity[h->entity_len++ - 1] = c;
	} else if (c == ';' && h->entity_len > 1) {
		entity_ends(h);
	} else if (part || h->url != SPOUT__URL_QUERY) {
		bool alone = h->entity_len == 1;

		h->entity_len = 0;
		if (alone)
			machine(h, '&');
		else
			lost(h);
		followed(h, c);
	} else {
		h->entity_len = 0; /* "?a=1&b=2" */
	}
}

static void
value(struct spout__html *h, char c)
{
	if (h->quote != 0 ? c == h->quote : is_blank(c)) {
		h->state = SPOUT__HTML_IN_TAG;
		h->name_len = 0;
	} else if (h->quote == 0 && c == '>') {
		tag_closed(h);
	} else if (h->attribute == SPOUT__ATTRIBUTE_URL ||
	    h->attribute == SPOUT__ATTRIBUTE_URLS ||
	    h->attribute == SPOUT__ATTRIBUTE_SCRIPT ||
	    h->attribute == SPOUT__ATTRIBUTE_STYLE) {
		followed(h, c);
	}
}

static void
value_begins(struct spout__html *h, char quote)
{
	h->attribute = attribute_of(h);
	h->quote = (uint8_t)quote;
	h->state = SPOUT__HTML_VALUE;
	begin_machines(h);
}

static void
before_value(struct spout__html *h, char c)
{
	if (is_blank(c))
		return;
	if (c == '>') {
		tag_closed(h);
		return;
	}
	value_begins(h, c == '"' || c == '\'' ? c : 0);
	if (h->quote == 0)
		value(h, c);
}

/* --- raw elements, comments ------------------------------------------------------- */

/* Follow "</name": true when this byte ends it. */
static bool
raw_ends(struct spout__html *h, char c)
{
	size_t n = strlen(h->raw) + 2;

	if (h->matched == n)
		return is_blank(c) || c == '/' || c == '>';
	return false;
}

static const char *
raw(struct spout__html *h, char c)
{
	if (!h->whole && raw_ends(h, c)) {
		h->element = SPOUT__ELEMENT_OTHER;
		h->end_tag = true;
		h->state = SPOUT__HTML_IN_TAG;
		h->name_len = 0;
		in_tag(h, c);
		return NULL;
	}
	if (h->element == SPOUT__ELEMENT_SCRIPT && h->entity_len == 3 && c == '-' &&
	    !h->whole)
		return "\"<!--\" inside of <script>";
	/* How much of "<!--" is there, while no entity can be. */
	h->entity_len = c == '<' ? 1
	    : (h->entity_len == 1 && c == '!') || (h->entity_len == 2 && c == '-')
	    ? (uint8_t)(h->entity_len + 1)
	    : 0;
	if (c == '<')
		h->matched = 1;
	else if (h->matched == 1)
		h->matched = c == '/' ? 2 : 0;
	else if (h->matched >= 2 && h->raw[h->matched - 2] != '\0' &&
	    lower(c) == h->raw[h->matched - 2])
		h->matched++;
	else
		h->matched = 0;
	if (h->element == SPOUT__ELEMENT_SCRIPT)
		spout__html_js(h, c);
	else if (h->element == SPOUT__ELEMENT_STYLE)
		spout__html_css(h, c);
	return NULL;
}

static void
comment(struct spout__html *h, char c)
{
	if (c == '>' && h->matched >= 2)
		h->state = SPOUT__HTML_TEXT;
	else if (c == '-')
		h->matched = h->matched == 0 ? 1 : 2;
	else
		h->matched = c == '!' && h->matched == 2 ? 3 : 0;
}

static void
markup(struct spout__html *h, char c)
{
	if (c == '-' && h->matched == 0) {
		h->matched = 1;
	} else if (c == '-') {
		h->state = SPOUT__HTML_COMMENT;
		h->matched = 2; /* "<!-->" is one already */
	} else {
		h->state = c == '>' ? SPOUT__HTML_TEXT : SPOUT__HTML_BOGUS;
	}
}

static void
tag_open(struct spout__html *h, char c)
{
	bool end = h->state == SPOUT__HTML_END_TAG_OPEN;

	h->state = SPOUT__HTML_TEXT;
	h->end_tag = end;
	h->matched = 0;
	if (is_letter(c)) {
		h->state = SPOUT__HTML_TAG_NAME;
		h->name_len = 0;
		spout__html_name_add(h, c);
	} else if (c == '/' && !end) {
		h->state = SPOUT__HTML_END_TAG_OPEN;
	} else if (c == '!' && !end) {
		h->state = SPOUT__HTML_MARKUP;
	} else if (c == '?' || (end && c != '>')) {
		h->state = SPOUT__HTML_BOGUS;
	} else if (c == '<') {
		h->state = SPOUT__HTML_TAG_OPEN;
	}
}

const char *
spout__html_step(struct spout__html *h, char c)
{
	switch (h->state) {
	case SPOUT__HTML_TEXT:
		if (c == '<')
			h->state = SPOUT__HTML_TAG_OPEN;
		break;
	case SPOUT__HTML_TAG_OPEN:
	case SPOUT__HTML_END_TAG_OPEN:
		tag_open(h, c);
		break;
	case SPOUT__HTML_TAG_NAME:
		if (!is_blank(c) && c != '/' && c != '>') {
			spout__html_name_add(h, c);
			break;
		}
		spout__html_tag_named(h);
		in_tag(h, c);
		break;
	case SPOUT__HTML_TAG_GAP:
		if (!is_blank(c) && c != '/' && c != '>')
			return "a name goes on behind a branch; put a blank before it";
		h->state = SPOUT__HTML_IN_TAG;
		/* fall through */
	case SPOUT__HTML_IN_TAG:
		in_tag(h, c);
		break;
	case SPOUT__HTML_ATTRIBUTE_NAME:
	case SPOUT__HTML_AFTER_NAME:
		attribute_name(h, c);
		break;
	case SPOUT__HTML_BEFORE_VALUE:
		before_value(h, c);
		break;
	case SPOUT__HTML_VALUE:
		value(h, c);
		break;
	case SPOUT__HTML_RAW:
		return raw(h, c);
	case SPOUT__HTML_MARKUP:
		markup(h, c);
		break;
	case SPOUT__HTML_BOGUS:
		if (c == '>')
			h->state = SPOUT__HTML_TEXT;
		break;
	case SPOUT__HTML_COMMENT:
		comment(h, c);
		break;
	default:
		break;
	}
	return NULL;
}
