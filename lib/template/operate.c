/* SPDX-License-Identifier: MIT */
/* Arithmetic and comparison of values: see value.h. */
#include "config.h"

#include <math.h>

#include "template/value.h"

static bool
is_number(const struct spout__value *v)
{
	return v->kind == SPOUT__INT || v->kind == SPOUT__REAL;
}

static double
real_of(const struct spout__value *v)
{
	return v->kind == SPOUT__INT ? (double)v->integer : v->real;
}

/* --- arithmetic ------------------------------------------------------------------ */

static const char *
join_texts(struct spout__arena *arena, struct spout_slice a, struct spout_slice b,
    struct spout__value *ret)
{
	char *room = spout__arena_alloc(arena, a.len + b.len + 1);

	if (room == NULL)
		return spout__wrong_memory;
	if (a.len > 0)
		memcpy(room, a.data, a.len);
	if (b.len > 0)
		memcpy(room + a.len, b.data, b.len);
	*ret = spout__value_text(room, a.len + b.len);
	return NULL;
}

static const char *
divide_ints(enum spout__op op, int64_t a, int64_t b, struct spout__value *ret)
{
	int64_t quotient, rest;

	if (b == 0)
		return "division by zero";
	if (op == SPOUT__OP_DIVIDE) {
		*ret = (struct spout__value){ .kind = SPOUT__REAL,
			.real = (double)a / (double)b };
		return NULL;
	}
	if (a == INT64_MIN && b == -1)
		return "number too large";
	quotient = a / b;
	rest = a % b;
	if (rest != 0 && (rest < 0) != (b < 0)) { /* towards minus infinity */
		quotient--;
		rest += b;
	}
	*ret = spout__value_int(op == SPOUT__OP_MODULO ? rest : quotient);
	return NULL;
}

static const char *
calculate_ints(enum spout__op op, int64_t a, int64_t b, struct spout__value *ret)
{
	bool overflow;

	*ret = spout__value_int(0);
	switch (op) {
	case SPOUT__OP_ADD:
		overflow = __builtin_add_overflow(a, b, &ret->integer);
		break;
	case SPOUT__OP_SUBTRACT:
		overflow = __builtin_sub_overflow(a, b, &ret->integer);
		break;
	case SPOUT__OP_MULTIPLY:
		overflow = __builtin_mul_overflow(a, b, &ret->integer);
		break;
	default:
		return divide_ints(op, a, b, ret);
	}
	return overflow ? "number too large" : NULL;
}

static const char *
calculate_reals(enum spout__op op, double a, double b, struct spout__value *ret)
{
	ret->kind = SPOUT__REAL;
	if (b == 0 && op >= SPOUT__OP_DIVIDE)
		return "division by zero";
	switch (op) {
	case SPOUT__OP_ADD:
		ret->real = a + b;
		break;
	case SPOUT__OP_SUBTRACT:
		ret->real = a - b;
		break;
	case SPOUT__OP_MULTIPLY:
		ret->real = a * b;
		break;
	case SPOUT__OP_DIVIDE:
		ret->real = a / b;
		break;
	case SPOUT__OP_FLOOR_DIVIDE:
		ret->real = floor(a / b);
		break;
	default:
		ret->real = a - b * floor(a / b);
		break;
	}
	return isfinite(ret->real) ? NULL : "number too large";
}

static const char *
calculate(enum spout__op op, struct spout__arena *arena, const struct spout__value *a,
    const struct spout__value *b, struct spout__value *ret)
{
	if (op == SPOUT__OP_ADD && spout__value_is_text(a) && spout__value_is_text(b))
		return join_texts(arena, a->text, b->text, ret);
	if (!is_number(a) || !is_number(b))
		return op == SPOUT__OP_ADD ? "only two numbers or two texts can be added"
					   : "arithmetic needs numbers";
	if (a->kind == SPOUT__INT && b->kind == SPOUT__INT)
		return calculate_ints(op, a->integer, b->integer, ret);
	return calculate_reals(op, real_of(a), real_of(b), ret);
}

const char *
spout__value_negate(const struct spout__value *v, struct spout__value *ret)
{
	struct spout__value zero = spout__value_int(0);

	return calculate(SPOUT__OP_SUBTRACT, NULL, &zero, v, ret);
}

/* --- comparison ------------------------------------------------------------------- */

static int
compare_texts(struct spout_slice a, struct spout_slice b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n > 0 ? memcmp(a.data, b.data, n) : 0;

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static bool equal(const struct spout__value *a, const struct spout__value *b);

static bool
equal_lists(const struct spout__value *a, const struct spout__value *b)
{
	size_t n = 0, m = 0, i;

	if (a->kind == SPOUT__JSON && b->kind == SPOUT__JSON)
		return json_equal(a->json, b->json) != 0;
	if ((a->kind == SPOUT__JSON && json_is_object(a->json)) ||
	    (b->kind == SPOUT__JSON && json_is_object(b->json)))
		return false;
	spout__value_length(a, &n);
	spout__value_length(b, &m);
	for (i = 0; i < n && n == m; i++) {
		struct spout__value x = spout__value_item(a, i);
		struct spout__value y = spout__value_item(b, i);

		if (!equal(&x, &y))
			return false;
	}
	return n == m;
}

static bool
equal(const struct spout__value *a, const struct spout__value *b)
{
	if (spout__value_is_text(a) && spout__value_is_text(b))
		return compare_texts(a->text, b->text) == 0;
	if (a->kind == SPOUT__INT && b->kind == SPOUT__INT)
		return a->integer == b->integer;
	if (is_number(a) && is_number(b))
		return real_of(a) == real_of(b);
	if (a->kind >= SPOUT__JSON && b->kind >= SPOUT__JSON)
		return equal_lists(a, b);
	if (a->kind != b->kind)
		return false;
	return a->kind == SPOUT__NONE || (a->kind == SPOUT__BOOL && a->yes == b->yes);
}

static const char *
order(enum spout__op op, const struct spout__value *a, const struct spout__value *b,
    bool *ret)
{
	double x, y;

	if (spout__value_is_text(a) && spout__value_is_text(b)) {
		x = compare_texts(a->text, b->text);
		y = 0;
	} else if (a->kind == SPOUT__INT && b->kind == SPOUT__INT) {
		x = (a->integer > b->integer) - (a->integer < b->integer);
		y = 0;
	} else if (is_number(a) && is_number(b)) {
		x = real_of(a);
		y = real_of(b);
	} else {
		return "only two numbers or two texts have an order";
	}
	*ret = op == SPOUT__OP_LESS      ? x < y
	    : op == SPOUT__OP_LESS_EQUAL ? x <= y
	    : op == SPOUT__OP_GREATER    ? x > y
					 : x >= y;
	return NULL;
}

static const char *
contains(const struct spout__value *v, const struct spout__value *in, bool *ret)
{
	size_t n, i;

	if (spout__value_is_text(in)) {
		if (!spout__value_is_text(v))
			return "only text can be in text";
		*ret = v->text.len == 0 ||
		    (in->text.len > 0 &&
			memmem(in->text.data, in->text.len, v->text.data, v->text.len) !=
			    NULL);
		return NULL;
	}
	if (in->kind == SPOUT__JSON && json_is_object(in->json)) {
		*ret = spout__value_is_text(v) &&
		    json_object_getn(in->json, v->text.data, v->text.len) != NULL;
		return NULL;
	}
	if (!spout__value_length(in, &n))
		return "only lists, objects and text have something in them";
	*ret = false;
	if (in->kind == SPOUT__RANGE) {
		*ret = v->kind == SPOUT__INT && v->integer >= in->range.from &&
		    v->integer < in->range.to;
		return NULL;
	}
	for (i = 0; i < n && !*ret; i++) {
		struct spout__value item = spout__value_item(in, i);

		*ret = equal(v, &item);
	}
	return NULL;
}

const char *
spout__value_binary(enum spout__op op, struct spout__arena *arena,
    const struct spout__value *a, const struct spout__value *b, struct spout__value *ret)
{
	const char *wrong = NULL;
	bool yes = false;

	switch (op) {
	case SPOUT__OP_EQUAL:
		yes = equal(a, b);
		break;
	case SPOUT__OP_NOT_EQUAL:
		yes = !equal(a, b);
		break;
	case SPOUT__OP_IN:
		wrong = contains(a, b, &yes);
		break;
	case SPOUT__OP_LESS:
	case SPOUT__OP_LESS_EQUAL:
	case SPOUT__OP_GREATER:
	case SPOUT__OP_GREATER_EQUAL:
		wrong = order(op, a, b, &yes);
		break;
	default:
		return calculate(op, arena, a, b, ret);
	}
	*ret = spout__value_bool(yes);
	return wrong;
}
