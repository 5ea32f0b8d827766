/* SPDX-License-Identifier: MIT */
/* Expressions in a page, and where branches meet: see html.h. */
#include "config.h"

#include "template/html.h"

/* --- expressions ------------------------------------------------------------------ */

static const char *
in_value(struct spout__html *h, enum spout__escape *ret)
{
	const char *wrong = NULL;

	if (h->quote == 0)
		return "an expression in an attribute without quotes";
	if (h->entity_len > 0 && h->url != SPOUT__URL_QUERY)
		return "an expression behind \"&\" in an attribute";
	h->entity_len = 0;
	if (h->element == SPOUT__ELEMENT_META && h->has_equiv && h->has_content)
		return "an expression in <meta http-equiv content>";
	switch (h->attribute) {
	case SPOUT__ATTRIBUTE_TEXT:
		*ret = SPOUT__ESCAPE_ATTRIBUTE;
		return NULL;
	case SPOUT__ATTRIBUTE_URL:
	case SPOUT__ATTRIBUTE_URLS:
		wrong = spout__html_url_expression(h, ret);
		break;
	case SPOUT__ATTRIBUTE_SCRIPT:
		wrong = spout__html_js_expression(h, ret);
		break;
	case SPOUT__ATTRIBUTE_STYLE:
		wrong = spout__html_css_expression(h, ret);
		break;
	default:
		return "an expression in an attribute that cannot be made safe";
	}
	*ret |= SPOUT__ESCAPE_IN_ATTRIBUTE;
	return wrong;
}

static const char *
in_raw(struct spout__html *h, enum spout__escape *ret)
{
	if (h->matched >= 2)
		return "an expression in an end tag";
	h->matched = h->entity_len = 0;
	if (h->element == SPOUT__ELEMENT_SCRIPT)
		return spout__html_js_expression(h, ret);
	if (h->element == SPOUT__ELEMENT_STYLE)
		return spout__html_css_expression(h, ret);
	*ret = SPOUT__ESCAPE_ATTRIBUTE;
	return NULL;
}

const char *
spout__html_expression(struct spout__html *h, enum spout__escape *ret)
{
	switch (h->state) {
	case SPOUT__HTML_PLAIN:
		*ret = SPOUT__ESCAPE_NONE;
		return NULL;
	case SPOUT__HTML_TEXT:
		*ret = SPOUT__ESCAPE_HTML;
		return NULL;
	case SPOUT__HTML_COMMENT:
		h->matched = 0;
		/* fall through */
	case SPOUT__HTML_BOGUS:
		*ret = SPOUT__ESCAPE_ATTRIBUTE;
		return NULL;
	case SPOUT__HTML_VALUE:
		return in_value(h, ret);
	case SPOUT__HTML_RAW:
		return in_raw(h, ret);
	case SPOUT__HTML_BEFORE_VALUE:
		return "an expression in an attribute without quotes";
	case SPOUT__HTML_TAG_OPEN:
	case SPOUT__HTML_END_TAG_OPEN:
	case SPOUT__HTML_MARKUP:
		return "an expression behind \"<\"; write &lt; for the character";
	case SPOUT__HTML_TAG_NAME:
		return "an expression in the name of a tag";
	default:
		return "an expression in the name of an attribute";
	}
}

void
spout__html_unescaped(struct spout__html *h)
{
	enum spout__escape ignored;
	const char *wrong;

	if (h->state == SPOUT__HTML_BEFORE_VALUE) {
		h->state = SPOUT__HTML_VALUE;
		h->attribute = SPOUT__ATTRIBUTE_REFUSED;
		h->quote = 0;
	}
	if (h->state == SPOUT__HTML_VALUE || h->state == SPOUT__HTML_RAW) {
		wrong = spout__html_expression(h, &ignored);
		(void)wrong; /* moves on where it can */
	}
}

/* --- where branches meet ------------------------------------------------------------ */

static bool
same_name(const struct spout__html *a, const struct spout__html *b)
{
	return a->name_len == b->name_len && memcmp(a->name, b->name, a->name_len) == 0;
}

static bool
about_names(uint8_t state)
{
	return state == SPOUT__HTML_IN_TAG || state == SPOUT__HTML_ATTRIBUTE_NAME ||
	    state == SPOUT__HTML_AFTER_NAME;
}

/* In a tag: a name that is not the same on both sides is one that nobody knows. */
static void
join_names(struct spout__html *h, const struct spout__html *other)
{
	bool within = h->state == SPOUT__HTML_ATTRIBUTE_NAME ||
	    other->state == SPOUT__HTML_ATTRIBUTE_NAME;

	if (h->state == other->state &&
	    (h->state == SPOUT__HTML_IN_TAG || same_name(h, other)))
		return;
	h->state = within ? SPOUT__HTML_ATTRIBUTE_NAME : SPOUT__HTML_AFTER_NAME;
	memset(h->name, 0, sizeof(h->name));
	h->name_len = sizeof(h->name); /* whatever follows does not make it known */
}

static bool
ends_tag_name(uint8_t state)
{
	return state == SPOUT__HTML_TAG_NAME || state == SPOUT__HTML_TAG_GAP;
}

/*
 * `<li{% if x %} class="a"{% end %}`: the name of the tag on one side, what follows it on
 * the other. Both go on as one with a blank, "/" or ">". False: it is another case.
 */
static bool
join_in_gap(struct spout__html *h, const struct spout__html *other)
{
	struct spout__html a = *h, b = *other;
	bool names = a.state == SPOUT__HTML_TAG_NAME && b.state == SPOUT__HTML_TAG_NAME;

	if (names || !(ends_tag_name(a.state) || ends_tag_name(b.state)) ||
	    !(ends_tag_name(a.state) || about_names(a.state)) ||
	    !(ends_tag_name(b.state) || about_names(b.state)))
		return false;
	if (a.state == SPOUT__HTML_TAG_NAME)
		spout__html_tag_named(&a);
	if (b.state == SPOUT__HTML_TAG_NAME)
		spout__html_tag_named(&b);
	if (a.element != b.element || a.end_tag != b.end_tag ||
	    (a.element != SPOUT__ELEMENT_OTHER && strcmp(a.raw, b.raw) != 0))
		return false;
	a.pre = a.pre || b.pre;
	a.has_equiv = a.has_equiv || b.has_equiv;
	a.has_content = a.has_content || b.has_content;
	a.state = SPOUT__HTML_TAG_GAP;
	*h = a;
	return true;
}

static void
join_url(struct spout__html *h, const struct spout__html *other)
{
	bool decided = h->url == SPOUT__URL_PATH || h->url == SPOUT__URL_QUERY;
	bool other_decided = other->url == SPOUT__URL_PATH ||
	    other->url == SPOUT__URL_QUERY;

	if (h->url == other->url && (h->url != SPOUT__URL_SCHEME || same_name(h, other)))
		return;
	if (h->url == SPOUT__URL_BAD || other->url == SPOUT__URL_BAD)
		h->url = SPOUT__URL_BAD;
	else
		h->url = decided && other_decided ? SPOUT__URL_QUERY : SPOUT__URL_DYNAMIC;
}

/* The machines inside of a value or a raw element. */
static bool
join_machines(struct spout__html *h, const struct spout__html *other)
{
	if (h->js != other->js || h->css != other->css || h->escaped != other->escaped ||
	    h->entity_len != other->entity_len ||
	    memcmp(h->entity, other->entity, sizeof(h->entity)) != 0 ||
	    h->matched != other->matched || h->n_braces != other->n_braces ||
	    memcmp(h->braces, other->braces, h->n_braces) != 0)
		return false;
	join_url(h, other);
	if (h->slash != other->slash)
		h->slash = SPOUT__SLASH_UNKNOWN;
	if (!same_name(h, other)) {
		h->slash = SPOUT__SLASH_UNKNOWN;
		h->name_len = 0;
	}
	return true;
}

const char *
spout__html_join(struct spout__html *h, const struct spout__html *other)
{
	static const char differ[] =
	    "branches end in different places: text, tag, attribute or script";

	if (other->dead)
		return NULL;
	if (h->dead) {
		*h = *other;
		return NULL;
	}
	if (join_in_gap(h, other))
		return NULL;
	h->pre = h->pre || other->pre;
	h->has_equiv = h->has_equiv || other->has_equiv;
	h->has_content = h->has_content || other->has_content;
	if (about_names(h->state) && about_names(other->state) &&
	    h->element == other->element && h->end_tag == other->end_tag) {
		join_names(h, other);
		return NULL;
	}
	if (h->state != other->state)
		return differ;
	switch (h->state) {
	case SPOUT__HTML_PLAIN:
	case SPOUT__HTML_TEXT:
	case SPOUT__HTML_BOGUS:
		return NULL;
	case SPOUT__HTML_VALUE:
		if (h->quote != other->quote || h->attribute != other->attribute ||
		    h->element != other->element)
			return differ;
		return h->attribute == SPOUT__ATTRIBUTE_TEXT || join_machines(h, other)
		    ? NULL
		    : differ;
	case SPOUT__HTML_RAW:
		return h->element == other->element && strcmp(h->raw, other->raw) == 0 &&
			join_machines(h, other)
		    ? NULL
		    : differ;
	case SPOUT__HTML_COMMENT:
		h->matched = h->matched < other->matched ? h->matched : other->matched;
		return NULL;
	default:
		return same_name(h, other) && h->element == other->element &&
			h->end_tag == other->end_tag && h->matched == other->matched
		    ? NULL
		    : differ;
	}
}

const char *
spout__html_end(const struct spout__html *h)
{
	switch (h->state) {
	case SPOUT__HTML_PLAIN:
	case SPOUT__HTML_TEXT:
		return NULL;
	case SPOUT__HTML_RAW:
		return h->whole ? NULL : "the template ends inside of a script or style";
	case SPOUT__HTML_COMMENT:
		return "the template ends inside of a comment";
	default:
		return "the template ends inside of a tag";
	}
}
