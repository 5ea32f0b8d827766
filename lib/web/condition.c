/* SPDX-License-Identifier: MIT */
/* Conditional requests and ranges: see condition.h. */
#include "config.h"

#include "web/condition.h"

#include <strings.h>

#include "base/clock.h"

/* --- the fields ------------------------------------------------------------------- */

static bool
is_named(const struct spout__http_field *field, const char *name)
{
	return strncasecmp(field->name.data, name, field->name.len) == 0;
}

static struct spout_slice *
place_of(const struct spout__http_field *field, struct spout__conditions *c)
{
	switch (field->name.len) {
	case 5:
		return is_named(field, "range") ? &c->range : NULL;
	case 8:
		if (is_named(field, "if-match"))
			return &c->if_match;
		return is_named(field, "if-range") ? &c->if_range : NULL;
	case 13:
		return is_named(field, "if-none-match") ? &c->if_none_match : NULL;
	case 15:
		return is_named(field, "accept-encoding") ? &c->accept_encoding : NULL;
	case 17:
		return is_named(field, "if-modified-since") ? &c->if_modified_since
							    : NULL;
	case 19:
		return is_named(field, "if-unmodified-since") ? &c->if_unmodified_since
							      : NULL;
	default:
		return NULL;
	}
}

void
spout__conditions_find(
    const struct spout__http_head *head, struct spout__conditions *ret)
{
	unsigned i;

	memset(ret, 0, sizeof(*ret));
	for (i = 0; i < head->n_fields; i++) {
		struct spout_slice *place = place_of(&head->fields[i], ret);

		if (place != NULL && place->data == NULL)
			*place = head->fields[i].value;
	}
}

/* --- entity tags ------------------------------------------------------------------ */

/* The opaque tag at the start of `s`, with its quotes; its length, 0 if malformed. */
static size_t
tag_len(struct spout_slice s)
{
	const char *end;

	if (s.len < 2 || s.data[0] != '"')
		return 0;
	end = memchr(s.data + 1, '"', s.len - 1);
	return end == NULL ? 0 : (size_t)(end + 1 - s.data);
}

static bool
same_bytes(struct spout_slice a, struct spout_slice b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static void
skip(struct spout_slice *s, size_t n)
{
	*s = spout_slice_of(s->data + n, s->len - n);
}

/*
 * Is our tag among those listed? A weak one (W/), ours or of the list, does for the weak
 * comparison only (RFC 9110 8.8.3.2). A malformed rest of the list is not looked at.
 */
static bool
tag_listed(struct spout_slice list, const struct spout__validators *v, bool strong)
{
	if (list.len == 1 && list.data[0] == '*')
		return true;
	while (list.len > 0) {
		bool weak;
		size_t len;

		while (list.len > 0 && (list.data[0] == ' ' || list.data[0] == '\t' ||
					   list.data[0] == ','))
			skip(&list, 1);
		weak = list.len > 2 && list.data[0] == 'W' && list.data[1] == '/';
		if (weak)
			skip(&list, 2);
		len = tag_len(list);
		if (len == 0)
			return false;
		if (!((weak || v->weak) && strong) &&
		    same_bytes(spout_slice_of(list.data, len), v->etag))
			return true;
		skip(&list, len);
	}
	return false;
}

/* --- the verdict ------------------------------------------------------------------ */

static int64_t
date_of(struct spout_slice value)
{
	return value.data == NULL ? -1 : spout__http_date_parse(value.data, value.len);
}

static bool
may_begin(const struct spout__conditions *c, const struct spout__validators *v)
{
	int64_t since;

	if (c->if_match.data != NULL)
		return tag_listed(c->if_match, v, true);
	since = date_of(c->if_unmodified_since);
	return since < 0 || v->modified < 0 || v->modified <= since;
}

enum spout__verdict
spout__conditions_judge(
    const struct spout__conditions *c, const struct spout__validators *v)
{
	int64_t since;

	if (!may_begin(c, v))
		return SPOUT__PRECONDITION_FAILED;
	if (c->if_none_match.data != NULL)
		return tag_listed(c->if_none_match, v, false) ? SPOUT__NOT_MODIFIED
							      : SPOUT__SEND;
	since = date_of(c->if_modified_since);
	if (since >= 0 && v->modified >= 0 && v->modified <= since)
		return SPOUT__NOT_MODIFIED;
	return SPOUT__SEND;
}

/* --- ranges ----------------------------------------------------------------------- */

/* Digits, at least one; more than fit count as the largest number. Moves `s`. */
static bool
take_position(struct spout_slice *s, uint64_t *ret)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < s->len && s->data[i] >= '0' && s->data[i] <= '9'; i++) {
		unsigned digit = (unsigned)(s->data[i] - '0');

		n = n > (UINT64_MAX - digit) / 10 ? UINT64_MAX : n * 10 + digit;
	}
	skip(s, i);
	*ret = n;
	return i > 0;
}

static struct spout__range
part_of(uint64_t first, uint64_t last, uint64_t size)
{
	struct spout__range range = { SPOUT__RANGE_NONE, 0, 0 };

	if (first >= size)
		return range;
	if (last >= size)
		last = size - 1;
	range.kind = first == 0 && last == size - 1 ? SPOUT__RANGE_WHOLE
						    : SPOUT__RANGE_PART;
	range.first = first;
	range.len = last - first + 1;
	return range;
}

static struct spout__range
suffix_of(uint64_t n, uint64_t size)
{
	if (n == 0)
		return (struct spout__range){ SPOUT__RANGE_NONE, 0, 0 };
	return part_of(n > size ? 0 : size - n, UINT64_MAX, size);
}

/* "bytes=first-last", "bytes=first-" or "bytes=-suffix" (RFC 9110 14.1.2). */
static struct spout__range
parse_range(struct spout_slice s, uint64_t size)
{
	const struct spout__range whole = { SPOUT__RANGE_WHOLE, 0, size };
	uint64_t first, last = UINT64_MAX;
	bool has_first;

	if (s.len < 6 || strncasecmp(s.data, "bytes=", 6) != 0)
		return whole;
	skip(&s, 6);
	has_first = take_position(&s, &first);
	if (s.len == 0 || s.data[0] != '-')
		return whole;
	skip(&s, 1);
	if (!take_position(&s, &last)) {
		if (!has_first)
			return whole;
		last = UINT64_MAX;
	}
	if (s.len != 0 || (has_first && last < first))
		return whole;
	return has_first ? part_of(first, last, size) : suffix_of(last, size);
}

/* The range holds only for what the client has the rest of (RFC 9110 13.1.5). */
static bool
if_range_holds(struct spout_slice value, const struct spout__validators *v)
{
	if (value.data == NULL)
		return true;
	if (value.len > 0 && (value.data[0] == '"' || value.data[0] == 'W'))
		return !v->weak && same_bytes(value, v->etag);
	return v->modified >= 0 && date_of(value) == v->modified;
}

struct spout__range
spout__conditions_range(const struct spout__conditions *c,
    const struct spout__validators *v, uint64_t size)
{
	if (c->range.data == NULL || !if_range_holds(c->if_range, v))
		return (struct spout__range){ SPOUT__RANGE_WHOLE, 0, size };
	return parse_range(c->range, size);
}
