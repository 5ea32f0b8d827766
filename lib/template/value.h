/* SPDX-License-Identifier: MIT */
/*
 * Values while a template runs: borrowed from the caller's JSON, or made in the arena of
 * the rendering. Operations return NULL, or a static text that says what is wrong.
 */
#ifndef SPOUT_TEMPLATE_VALUE_H
#define SPOUT_TEMPLATE_VALUE_H

#include <jansson.h>

#include <spout/types.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "template/program.h"

enum spout__kind {
	SPOUT__UNDEFINED, /* text: the name that has no value */
	SPOUT__NONE,
	SPOUT__BOOL,
	SPOUT__INT,
	SPOUT__REAL,
	SPOUT__TEXT,
	SPOUT__HTML,  /* text that a function calls safe */
	SPOUT__JSON,  /* an array or an object */
	SPOUT__LIST,  /* items */
	SPOUT__RANGE, /* from, to */
};

struct spout__value {
	enum spout__kind kind;
	union {
		bool yes;
		int64_t integer;
		double real;
		struct spout_slice text;
		json_t *json;
		struct {
			struct spout__value *items;
			size_t n;
		} list;
		struct {
			int64_t from, to;
		} range;
	};
};

/** What is wrong, when it is no mistake of the template: ENOMEM, EMSGSIZE. */
extern const char spout__wrong_memory[], spout__wrong_size[];

#define SPOUT__REAL_MAX 32 /* room for a number */

static inline struct spout__value
spout__value_int(int64_t i)
{
	return (struct spout__value){ .kind = SPOUT__INT, .integer = i };
}

static inline struct spout__value
spout__value_bool(bool yes)
{
	return (struct spout__value){ .kind = SPOUT__BOOL, .yes = yes };
}

static inline struct spout__value
spout__value_text(const char *data, size_t len)
{
	return (struct spout__value){ .kind = SPOUT__TEXT,
		.text = spout_slice_of(data, len) };
}

static inline bool
spout__value_is_text(const struct spout__value *v)
{
	return v->kind == SPOUT__TEXT || v->kind == SPOUT__HTML;
}

/** NULL is undefined. */
struct spout__value spout__value_of(json_t *json);
/** A new reference; NULL when out of memory. */
json_t *spout__value_json(const struct spout__value *v);
/** "a list", "a number" … for messages. */
const char *spout__value_kind(const struct spout__value *v);
bool spout__value_true(const struct spout__value *v);
/** Digits of a number; returns their count. */
size_t spout__int_text(int64_t i, char to[SPOUT__REAL_MAX]);
size_t spout__real_text(double d, char to[SPOUT__REAL_MAX]);
/**
 * As text: borrows where it is text already, else `small` holds it. False for lists and
 * objects.
 */
bool spout__value_as_text(
    const struct spout__value *v, char small[SPOUT__REAL_MAX], struct spout_slice *ret);

/** Number of items, members or bytes; false for what has none. */
bool spout__value_length(const struct spout__value *v, size_t *ret);
/** The i-th item of a list; it has to be there. */
struct spout__value spout__value_item(const struct spout__value *v, size_t i);
const char *spout__value_index(const struct spout__value *v,
    const struct spout__value *key, struct spout__value *ret);
const char *spout__value_slice(struct spout__arena *arena, const struct spout__value *v,
    const struct spout__value *from, const struct spout__value *to,
    struct spout__value *ret);
const char *spout__value_binary(enum spout__op op, struct spout__arena *arena,
    const struct spout__value *a, const struct spout__value *b, struct spout__value *ret);
/**
 * Print with the escaping of a place: print.c. NULL, or what is wrong: one of the two
 * above, or that a value of this kind has no form there.
 */
const char *spout__value_print(
    struct spout__buffer *out, const struct spout__value *v, enum spout__escape escape);
/** As JSON that is safe in a script, quotes as `quote`. */
const char *spout__value_print_json(
    struct spout__buffer *out, const struct spout__value *v, const char *quote);
const char *spout__value_negate(const struct spout__value *v, struct spout__value *ret);

#endif
