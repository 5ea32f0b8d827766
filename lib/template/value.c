/* SPDX-License-Identifier: MIT */
/* What values are, become as text or JSON, and contain: see value.h. */
#include "config.h"

#include "template/value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct spout__value
spout__value_of(json_t *json)
{
	struct spout__value v = { .kind = SPOUT__UNDEFINED };

	if (json == NULL)
		return v;
	switch (json_typeof(json)) {
	case JSON_NULL:
		v.kind = SPOUT__NONE;
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		return spout__value_bool(json_is_true(json));
	case JSON_INTEGER:
		return spout__value_int(json_integer_value(json));
	case JSON_REAL:
		v.kind = SPOUT__REAL;
		v.real = json_real_value(json);
		break;
	case JSON_STRING:
		return spout__value_text(
		    json_string_value(json), json_string_length(json));
	case JSON_ARRAY:
	case JSON_OBJECT:
		v.kind = SPOUT__JSON;
		v.json = json;
		break;
	}
	return v;
}

static json_t *
list_json(const struct spout__value *v)
{
	json_t *array = json_array();
	size_t n = 0, i;

	spout__value_length(v, &n);
	for (i = 0; array != NULL && i < n; i++) {
		struct spout__value item = spout__value_item(v, i);

		if (json_array_append_new(array, spout__value_json(&item)) != 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

json_t *
spout__value_json(const struct spout__value *v)
{
	switch (v->kind) {
	case SPOUT__UNDEFINED:
	case SPOUT__NONE:
		return json_null();
	case SPOUT__BOOL:
		return json_boolean(v->yes);
	case SPOUT__INT:
		return json_integer(v->integer);
	case SPOUT__REAL:
		return json_real(v->real);
	case SPOUT__TEXT:
	case SPOUT__HTML:
		return json_stringn(v->text.data, v->text.len);
	case SPOUT__JSON:
		return json_incref(v->json);
	case SPOUT__LIST:
	case SPOUT__RANGE:
		break;
	}
	return list_json(v);
}

const char *
spout__value_kind(const struct spout__value *v)
{
	switch (v->kind) {
	case SPOUT__UNDEFINED:
		return "an undefined name";
	case SPOUT__NONE:
		return "none";
	case SPOUT__BOOL:
		return "a truth value";
	case SPOUT__INT:
	case SPOUT__REAL:
		return "a number";
	case SPOUT__TEXT:
	case SPOUT__HTML:
		return "text";
	case SPOUT__JSON:
		return json_is_object(v->json) ? "an object" : "a list";
	case SPOUT__LIST:
	case SPOUT__RANGE:
		break;
	}
	return "a list";
}

bool
spout__value_true(const struct spout__value *v)
{
	size_t n;

	switch (v->kind) {
	case SPOUT__UNDEFINED:
	case SPOUT__NONE:
		return false;
	case SPOUT__BOOL:
		return v->yes;
	case SPOUT__INT:
		return v->integer != 0;
	case SPOUT__REAL:
		return v->real != 0;
	default:
		return spout__value_length(v, &n) && n > 0;
	}
}

size_t
spout__int_text(int64_t i, char to[SPOUT__REAL_MAX])
{
	uint64_t left = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
	char digits[SPOUT__REAL_MAX], *at = digits + sizeof(digits);
	size_t n;

	do {
		*--at = (char)('0' + left % 10);
		left /= 10;
	} while (left > 0);
	if (i < 0)
		*--at = '-';
	n = (size_t)(digits + sizeof(digits) - at);
	memcpy(to, at, n);
	return n;
}

/* The shortest digits that read back as the same number; always with a point. */
size_t
spout__real_text(double d, char to[SPOUT__REAL_MAX])
{
	int precision, n;

	for (precision = 15; precision <= 17; precision++) {
		n = snprintf(to, SPOUT__REAL_MAX, "%.*g", precision, d);
		if (strtod(to, NULL) == d)
			break;
	}
	for (n = 0; to[n] != '\0'; n++)
		if (to[n] == ',')
			to[n] = '.'; /* a program that called setlocale() */
	if (isfinite(d) && strpbrk(to, ".e") == NULL) {
		memcpy(to + n, ".0", 3);
		n += 2;
	}
	return (size_t)n;
}

bool
spout__value_as_text(
    const struct spout__value *v, char small[SPOUT__REAL_MAX], struct spout_slice *ret)
{
	switch (v->kind) {
	case SPOUT__TEXT:
	case SPOUT__HTML:
		*ret = v->text;
		return true;
	case SPOUT__INT:
		*ret = spout_slice_of(small, spout__int_text(v->integer, small));
		return true;
	case SPOUT__REAL:
		*ret = spout_slice_of(small, spout__real_text(v->real, small));
		return true;
	case SPOUT__BOOL:
		*ret = spout_slice(v->yes ? "true" : "false");
		return true;
	case SPOUT__NONE:
		*ret = spout_slice("");
		return true;
	default:
		return false;
	}
}

/* --- what is inside ----------------------------------------------------------------- */

bool
spout__value_length(const struct spout__value *v, size_t *ret)
{
	switch (v->kind) {
	case SPOUT__TEXT:
	case SPOUT__HTML:
		*ret = v->text.len;
		return true;
	case SPOUT__JSON:
		*ret = json_is_object(v->json) ? json_object_size(v->json)
					       : json_array_size(v->json);
		return true;
	case SPOUT__LIST:
		*ret = v->list.n;
		return true;
	case SPOUT__RANGE:
		*ret = v->range.to > v->range.from
		    ? (size_t)v->range.to - (size_t)v->range.from
		    : 0;
		return true;
	default:
		return false;
	}
}

struct spout__value
spout__value_item(const struct spout__value *v, size_t i)
{
	if (v->kind == SPOUT__LIST)
		return v->list.items[i];
	if (v->kind == SPOUT__RANGE)
		return spout__value_int(v->range.from + (int64_t)i);
	return spout__value_of(json_array_get(v->json, i));
}

static bool
is_list(const struct spout__value *v)
{
	return v->kind == SPOUT__LIST || v->kind == SPOUT__RANGE ||
	    (v->kind == SPOUT__JSON && json_is_array(v->json));
}

/* Bytes of the UTF-8 character that begins with this byte. */
static size_t
character_bytes(const struct spout_slice *text, size_t at)
{
	unsigned char c = (unsigned char)text->data[at];
	size_t n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	return n < text->len - at ? n : text->len - at;
}

/* The characters [from, to) of a text, counted from the end if negative. */
static struct spout_slice
characters(struct spout_slice text, int64_t from, int64_t to)
{
	size_t at, start = text.len, end = text.len;
	int64_t n = 0, i = 0;

	for (at = 0; at < text.len; at += character_bytes(&text, at))
		n++;
	from = from < 0 ? (from + n < 0 ? 0 : from + n) : from;
	to = to < 0 ? to + n : to;
	for (at = 0; at < text.len; at += character_bytes(&text, at), i++) {
		if (i == from)
			start = at;
		if (i == to)
			end = at;
	}
	if (to <= from || start >= end)
		return spout_slice("");
	return spout_slice_of(text.data + start, end - start);
}

static const char *
list_index(const struct spout__value *v, int64_t i, struct spout__value *ret)
{
	size_t n = 0;

	spout__value_length(v, &n);
	if (i < 0)
		i += (int64_t)n;
	if (i < 0 || (uint64_t)i >= n)
		return "index out of range";
	*ret = spout__value_item(v, (size_t)i);
	return NULL;
}

const char *
spout__value_index(const struct spout__value *v, const struct spout__value *key,
    struct spout__value *ret)
{
	if (is_list(v))
		return key->kind == SPOUT__INT ? list_index(v, key->integer, ret)
					       : "a list is indexed with a number";
	if (v->kind == SPOUT__JSON) {
		if (!spout__value_is_text(key))
			return "an object is indexed with text";
		*ret = spout__value_of(
		    json_object_getn(v->json, key->text.data, key->text.len));
		if (ret->kind == SPOUT__UNDEFINED)
			ret->text = key->text;
		return NULL;
	}
	if (spout__value_is_text(v) && key->kind == SPOUT__INT &&
	    key->integer > INT64_MIN && key->integer < INT64_MAX) {
		int64_t i = key->integer;
		struct spout_slice one =
		    characters(v->text, i, i == -1 ? INT64_MAX : i + 1);

		*ret = spout__value_text(one.data, one.len);
		return one.len == 0 ? "index out of range" : NULL;
	}
	return "only lists, objects and text can be indexed";
}

/* A bound of a slice; false if it is no number. */
static bool
bound(const struct spout__value *v, int64_t otherwise, int64_t *ret)
{
	*ret = v->kind == SPOUT__NONE ? otherwise : v->integer;
	return v->kind == SPOUT__NONE || v->kind == SPOUT__INT;
}

const char *
spout__value_slice(struct spout__arena *arena, const struct spout__value *v,
    const struct spout__value *from, const struct spout__value *to,
    struct spout__value *ret)
{
	int64_t start, end, n;
	size_t len, i;

	if (!bound(from, 0, &start) || !bound(to, INT64_MAX, &end))
		return "a bound of a slice is a number";
	if (spout__value_is_text(v)) {
		struct spout_slice part = characters(v->text, start, end);

		*ret = spout__value_text(part.data, part.len);
		return NULL;
	}
	if (!is_list(v) || !spout__value_length(v, &len))
		return "only lists and text have slices";
	n = (int64_t)len;
	start = start < 0 ? start + n : start;
	end = end < 0 ? end + n : end;
	start = start < 0 ? 0 : start;
	end = end > n ? n : end;
	*ret = (struct spout__value){ .kind = SPOUT__LIST };
	if (end <= start)
		return NULL;
	len = (size_t)(end - start);
	if (v->kind == SPOUT__RANGE) {
		*ret = *v;
		ret->range.from = v->range.from + start;
		ret->range.to = v->range.from + end;
		return NULL;
	}
	ret->list.items = spout__arena_alloc(arena, len * sizeof(*ret->list.items));
	if (ret->list.items == NULL)
		return spout__wrong_memory;
	for (i = 0; i < len; i++)
		ret->list.items[i] = spout__value_item(v, (size_t)start + i);
	ret->list.n = len;
	return NULL;
}
