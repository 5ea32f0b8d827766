/* SPDX-License-Identifier: MIT */
/*
 * Expressions, read by precedence and turned into code on the way:
 *
 *     a if b else c | or | and | not | == != < <= > >= in is | + - | * / // % | -a
 *     | a.b a[b] a[b:c] a|filter f(a, b=c) | "text" 1 1.5 true none [a, b] (a)
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "template/token.h"

#define wrong(r, ...) spout__compile_wrong((r)->c, __VA_ARGS__)

/* --- literals --------------------------------------------------------------------- */

static bool
push_words(struct spout__reader *r, enum spout__op op, uint64_t bits)
{
	return spout__emit(r->c, op, 0, 1) && spout__emit_word(r->c, (uint32_t)bits) &&
	    spout__emit_word(r->c, (uint32_t)(bits >> 32)) && spout__token_next(r);
}

static bool
number(struct spout__reader *r)
{
	char digits[64];
	uint64_t bits;
	double real;

	if (r->text.len >= sizeof(digits))
		return wrong(r, "number too large");
	memcpy(digits, r->text.data, r->text.len);
	digits[r->text.len] = '\0';
	if (r->token == SPOUT__TOKEN_INT) {
		errno = 0;
		bits = (uint64_t)strtoll(digits, NULL, 10);
		if (errno != 0)
			return wrong(r, "number too large");
		return push_words(r, SPOUT__OP_INT, bits);
	}
	real = strtod(digits, NULL);
	memcpy(&bits, &real, sizeof(bits));
	return push_words(r, SPOUT__OP_REAL, bits);
}

/* The bytes of a text between its quotes; NULL data after a failure. */
static struct spout_slice
unescape(struct spout__reader *r)
{
	static const char from[] = "nrt\\'\"", to[] = "\n\r\t\\'\"";
	char *room = spout__compile_alloc(r->c, r->text.len);
	size_t n = 0;

	for (size_t i = 1; room != NULL && i < r->text.len - 1; i++) {
		const char *known;

		room[n++] = r->text.data[i];
		if (r->text.data[i] != '\\')
			continue;
		known = strchr(from, r->text.data[++i]);
		if (known == NULL || *known == '\0') {
			wrong(r,
			    "\"\\%c\" in a text; known are \\n \\r \\t \\\\ \\' \\\"",
			    r->text.data[i]);
			return spout_slice_of(NULL, 0);
		}
		room[n - 1] = to[known - from];
	}
	return spout_slice_of(room, n);
}

static bool
push_string(
    struct spout__reader *r, enum spout__op op, struct spout_slice text, int effect)
{
	int i = text.data != NULL ? spout__string(r->c, text) : -1;

	return i >= 0 && spout__emit(r->c, op, (uint32_t)i, effect) &&
	    spout__token_next(r);
}

static bool expression(struct spout__reader *r);

/* Items up to `end`; counts them. */
static bool
items(struct spout__reader *r, const char *end, uint32_t n)
{
	while (!spout__token_is_sign(r, end)) {
		if (!expression(r))
			return false;
		n++;
		if (!spout__token_is_sign(r, end) && !spout__token_expect(r, ","))
			return false;
	}
	return spout__emit(r->c, SPOUT__OP_LIST, n, 1 - (int)n) && spout__token_next(r);
}

/* --- calls ------------------------------------------------------------------------ */

static bool
is_reserved(struct spout_slice name)
{
	static const char *const reserved[] = { "and", "or", "not", "in", "is", "if",
		"else", "true", "false", "none", "True", "False", "None", "null" };

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (spout_slice_equal(name, reserved[i]))
			return true;
	return false;
}

/* "name=": then the reader stands behind it. */
static bool
named(struct spout__reader *r, struct spout_slice *ret)
{
	struct spout__reader ahead = *r;
	uint32_t line = r->c->line;

	if (r->token == SPOUT__TOKEN_NAME && !is_reserved(r->text) &&
	    spout__token_next(&ahead) && spout__token_is_sign(&ahead, "=") &&
	    spout__token_next(&ahead)) {
		*ret = r->text;
		*r = ahead;
		return true;
	}
	r->c->line = line;
	return false;
}

/* Behind "(": arguments up to ")". */
static bool
arguments(struct spout__reader *r, uint32_t *n, uint32_t *n_named)
{
	while (!spout__token_is_sign(r, ")")) {
		struct spout_slice name;
		int i;

		if (named(r, &name)) {
			i = spout__string(r->c, name);
			if (i < 0 || !spout__emit(r->c, SPOUT__OP_STRING, (uint32_t)i, 1))
				return false;
			++*n_named;
		} else if (*n_named > 0) {
			return wrong(
			    r, "an argument without a name behind one with a name");
		} else {
			++*n;
		}
		if (!expression(r))
			return false;
		if (!spout__token_is_sign(r, ")") && !spout__token_expect(r, ","))
			return false;
	}
	if (*n > 100 || *n_named > 100)
		return wrong(r, "more than 100 arguments");
	return spout__token_next(r);
}

/* A call with `n` arguments pushed; the reader stands at "(", or not. */
static bool
call(struct spout__reader *r, struct spout_slice name, uint32_t n)
{
	int external = spout__external(r->c, name, true);
	uint32_t n_named = 0;

	if (external < 0)
		return false;
	if (spout__token_is_sign(r, "(") &&
	    (!spout__token_next(r) || !arguments(r, &n, &n_named)))
		return false;
	return spout__emit(r->c, SPOUT__OP_CALL, (uint32_t)external,
		   1 - (int)(n + 2 * n_named)) &&
	    spout__emit_word(r->c, n | n_named << 16);
}

/* --- names -------------------------------------------------------------------------- */

static const struct spout__variable *
variable(const struct spout__compiler *c, struct spout_slice name)
{
	for (unsigned i = 0; i < c->names->n; i++) {
		const struct spout__variable *v = &c->names->variables[i];

		if (v->name.len == name.len &&
		    memcmp(v->name.data, name.data, name.len) == 0)
			return v;
	}
	return NULL;
}

int
spout__variable_slot(struct spout__compiler *c, struct spout_slice name)
{
	const struct spout__variable *known = variable(c, name);

	if (known != NULL)
		return (int)known->slot;
	if (!spout__is_name(name) || is_reserved(name)) {
		spout__compile_wrong(c, "\"%.*s\" is no name for a variable",
		    name.len > 40 ? 40 : (int)name.len, name.data);
		return -1;
	}
	if (c->n_slots == SPOUT__TEMPLATE_SLOTS_MAX) {
		spout__compile_wrong(
		    c, "more than %d variables", SPOUT__TEMPLATE_SLOTS_MAX);
		return -1;
	}
	c->names->variables[c->names->n++] = (struct spout__variable){ name, c->n_slots };
	return (int)c->n_slots++;
}

/* "loop.index" and its kin, inside of a loop. */
static bool
loop_info(struct spout__reader *r)
{
	static const char *const infos[] = { "index", "index0", "first", "last",
		"length" };
	uint32_t i;

	if (!spout__token_next(r) || !spout__token_expect(r, "."))
		return false;
	for (i = 0; i < sizeof(infos) / sizeof(infos[0]); i++)
		if (spout__token_is_word(r, infos[i]))
			return spout__emit(r->c, SPOUT__OP_LOOP_INFO,
				   (uint32_t)r->c->loop_number | i << 16, 1) &&
			    spout__token_next(r);
	return wrong(r, "a loop has index, index0, first, last and length");
}

static bool
name(struct spout__reader *r)
{
	const struct spout__variable *known = variable(r->c, r->text);
	struct spout__compiler *c = r->c;
	struct spout_slice text = r->text;
	struct spout__reader ahead = *r;
	uint32_t line = c->line;
	int external;

	if (!spout__token_next(&ahead))
		return false;
	c->line = line;
	if (spout__token_is_sign(&ahead, "("))
		return spout__token_next(r) && call(r, text, 0);
	if (known == NULL && c->loop_number >= 0 && spout_slice_equal(text, "loop"))
		return loop_info(r);
	external = spout__external(c, text, false);
	if (external < 0)
		return false;
	if (known != NULL)
		return spout__emit(c, SPOUT__OP_VARIABLE, known->slot, 1) &&
		    spout__emit_word(
			c, (uint32_t)external | (c->names->closed ? 1u << 31 : 0)) &&
		    spout__token_next(r);
	return spout__emit(c, c->names->closed ? SPOUT__OP_GLOBAL : SPOUT__OP_NAME,
		   (uint32_t)external, 1) &&
	    spout__token_next(r);
}

static bool
word(struct spout__reader *r)
{
	static const struct {
		const char *text;
		enum spout__op op;
		uint32_t a;
	} constants[] = { { "true", SPOUT__OP_BOOL, 1 }, { "True", SPOUT__OP_BOOL, 1 },
		{ "false", SPOUT__OP_BOOL, 0 }, { "False", SPOUT__OP_BOOL, 0 },
		{ "none", SPOUT__OP_NONE, 0 }, { "None", SPOUT__OP_NONE, 0 },
		{ "null", SPOUT__OP_NONE, 0 } };

	for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++)
		if (spout__token_is_word(r, constants[i].text))
			return spout__emit(r->c, constants[i].op, constants[i].a, 1) &&
			    spout__token_next(r);
	return is_reserved(r->text) ? spout__token_unexpected(r) : name(r);
}

static bool
primary(struct spout__reader *r)
{
	switch (r->token) {
	case SPOUT__TOKEN_NAME:
		return word(r);
	case SPOUT__TOKEN_INT:
	case SPOUT__TOKEN_REAL:
		return number(r);
	case SPOUT__TOKEN_STRING:
		return push_string(r, SPOUT__OP_STRING, unescape(r), 1);
	default:
		break;
	}
	if (spout__token_is_sign(r, "["))
		return spout__token_next(r) && items(r, "]", 0);
	if (!spout__token_is_sign(r, "("))
		return spout__token_unexpected(r);
	if (!spout__token_next(r) || !expression(r))
		return false;
	if (spout__token_is_sign(r, ","))
		return spout__token_next(r) && items(r, ")", 1);
	return spout__token_expect(r, ")");
}

/* --- operators -------------------------------------------------------------------- */

/* Behind "[". */
static bool
index_or_slice(struct spout__reader *r)
{
	bool slice = spout__token_is_sign(r, ":");

	if (slice ? !spout__emit(r->c, SPOUT__OP_NONE, 0, 1) : !expression(r))
		return false;
	if (!spout__token_is_sign(r, ":"))
		return spout__token_expect(r, "]") &&
		    spout__emit(r->c, SPOUT__OP_INDEX, 0, -1);
	if (!spout__token_next(r))
		return false;
	if (spout__token_is_sign(r, "]") ? !spout__emit(r->c, SPOUT__OP_NONE, 0, 1)
					 : !expression(r))
		return false;
	return spout__token_expect(r, "]") && spout__emit(r->c, SPOUT__OP_SLICE, 0, -2);
}

static bool
postfix(struct spout__reader *r)
{
	if (!primary(r))
		return false;
	for (;;) {
		struct spout_slice text;

		if (spout__token_is_sign(r, ".")) {
			if (!spout__token_next(r))
				return false;
			if (r->token != SPOUT__TOKEN_NAME)
				return spout__token_unexpected(r);
			if (!push_string(r, SPOUT__OP_MEMBER, r->text, 0))
				return false;
		} else if (spout__token_is_sign(r, "[")) {
			if (!spout__token_next(r) || !index_or_slice(r))
				return false;
		} else if (spout__token_is_sign(r, "|")) {
			if (!spout__token_next(r))
				return false;
			text = r->text;
			if (r->token != SPOUT__TOKEN_NAME)
				return spout__token_unexpected(r);
			if (!spout__token_next(r) || !call(r, text, 1))
				return false;
		} else if (spout__token_is_sign(r, "(")) {
			return wrong(r, "only functions can be called, by their name");
		} else {
			return true;
		}
	}
}

static bool
unary(struct spout__reader *r)
{
	unsigned minus = 0;

	while (spout__token_is_sign(r, "-") || spout__token_is_sign(r, "+")) {
		minus += spout__token_is_sign(r, "-");
		if (!spout__token_next(r))
			return false;
	}
	if (!postfix(r))
		return false;
	for (; minus > 0; minus--)
		if (!spout__emit(r->c, SPOUT__OP_NEGATE, 0, 0))
			return false;
	return true;
}

static bool
product(struct spout__reader *r)
{
	static const struct {
		const char *sign;
		enum spout__op op;
	} signs[] = { { "*", SPOUT__OP_MULTIPLY }, { "/", SPOUT__OP_DIVIDE },
		{ "//", SPOUT__OP_FLOOR_DIVIDE }, { "%", SPOUT__OP_MODULO } };
	size_t i;

	if (!unary(r))
		return false;
	do {
		for (i = 0; i < 4 && !spout__token_is_sign(r, signs[i].sign); i++)
			;
		if (i < 4 &&
		    (!spout__token_next(r) || !unary(r) ||
			!spout__emit(r->c, signs[i].op, 0, -1)))
			return false;
	} while (i < 4);
	return true;
}

static bool
sum(struct spout__reader *r)
{
	if (!product(r))
		return false;
	while (spout__token_is_sign(r, "+") || spout__token_is_sign(r, "-")) {
		enum spout__op op = spout__token_is_sign(r, "+") ? SPOUT__OP_ADD
								 : SPOUT__OP_SUBTRACT;

		if (!spout__token_next(r) || !product(r) || !spout__emit(r->c, op, 0, -1))
			return false;
	}
	return true;
}

/* "is [not] defined", "is [not] none" and the like. */
static bool
is(struct spout__reader *r)
{
	bool negated;

	if (!spout__token_next(r))
		return false;
	negated = spout__token_is_word(r, "not");
	if (negated && !spout__token_next(r))
		return false;
	if (spout__token_is_word(r, "defined")) {
		if (!spout__emit(r->c, SPOUT__OP_DEFINED, 0, 0) || !spout__token_next(r))
			return false;
	} else if (!sum(r) || !spout__emit(r->c, SPOUT__OP_EQUAL, 0, -1)) {
		return false;
	}
	return !negated || spout__emit(r->c, SPOUT__OP_NOT, 0, 0);
}

static bool
comparison_op(struct spout__reader *r, enum spout__op *ret)
{
	static const struct {
		const char *sign;
		enum spout__op op;
	} signs[] = { { "==", SPOUT__OP_EQUAL }, { "!=", SPOUT__OP_NOT_EQUAL },
		{ "<", SPOUT__OP_LESS }, { "<=", SPOUT__OP_LESS_EQUAL },
		{ ">", SPOUT__OP_GREATER }, { ">=", SPOUT__OP_GREATER_EQUAL } };

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (spout__token_is_sign(r, signs[i].sign)) {
			*ret = signs[i].op;
			return true;
		}
	*ret = SPOUT__OP_IN;
	return spout__token_is_word(r, "in") || spout__token_is_word(r, "not");
}

static bool
comparison(struct spout__reader *r)
{
	enum spout__op op;
	bool negated;

	if (!sum(r))
		return false;
	if (spout__token_is_word(r, "is")) {
		if (!is(r))
			return false;
	} else if (comparison_op(r, &op)) {
		negated = spout__token_is_word(r, "not");
		if (negated && (!spout__token_next(r) || !spout__token_is_word(r, "in")))
			return spout__token_unexpected(r);
		if (!spout__token_next(r) || !sum(r) || !spout__emit(r->c, op, 0, -1) ||
		    (negated && !spout__emit(r->c, SPOUT__OP_NOT, 0, 0)))
			return false;
	} else {
		return true;
	}
	if (spout__token_is_word(r, "is") || comparison_op(r, &op))
		return wrong(
		    r, "comparisons do not follow each other; join them with and");
	return true;
}

static bool
negation(struct spout__reader *r)
{
	unsigned n = 0;

	for (; spout__token_is_word(r, "not"); n++)
		if (!spout__token_next(r))
			return false;
	if (!comparison(r))
		return false;
	for (; n > 0; n--)
		if (!spout__emit(r->c, SPOUT__OP_NOT, 0, 0))
			return false;
	return true;
}

static bool
conjunction(struct spout__reader *r)
{
	size_t jump;

	if (!negation(r))
		return false;
	while (spout__token_is_word(r, "and")) {
		if (!spout__token_next(r) ||
		    !spout__emit_jump(r->c, SPOUT__OP_AND, 0, -1, &jump) ||
		    !negation(r) || !spout__land(r->c, jump))
			return false;
	}
	return true;
}

static bool
disjunction(struct spout__reader *r)
{
	size_t jump;

	if (!conjunction(r))
		return false;
	while (spout__token_is_word(r, "or")) {
		if (!spout__token_next(r) ||
		    !spout__emit_jump(r->c, SPOUT__OP_OR, 0, -1, &jump) ||
		    !conjunction(r) || !spout__land(r->c, jump))
			return false;
	}
	return true;
}

/* "a if b else c": the code of `a` was made before that of `b`, and goes behind it. */
static bool
conditional(struct spout__reader *r)
{
	size_t a = spout__here(r->c), b, if_not, end;

	if (!disjunction(r))
		return false;
	if (!spout__token_is_word(r, "if"))
		return true;
	b = spout__here(r->c);
	if (!spout__token_next(r) || !disjunction(r) ||
	    !spout__emit_jump(r->c, SPOUT__OP_IF_NOT, 0, -1, &if_not) ||
	    !spout__rotate(r->c, a, b))
		return false;
	if (!spout__token_is_word(r, "else"))
		return wrong(r, "if without else in an expression");
	if (!spout__emit_jump(r->c, SPOUT__OP_JUMP, 0, -1, &end) ||
	    !spout__land(r->c, if_not - (b - a)))
		return false;
	return spout__token_next(r) && expression(r) && spout__land(r->c, end);
}

static bool
expression(struct spout__reader *r)
{
	bool ok;

	if (++r->depth > SPOUT__TEMPLATE_EXPRESSION_MAX)
		return wrong(r, "the expression is nested too deeply");
	ok = conditional(r);
	r->depth--;
	return ok;
}

/* --- whole texts ------------------------------------------------------------------ */

static bool
begin(struct spout__reader *r, struct spout__compiler *c, struct spout_slice text)
{
	*r = (struct spout__reader){ .c = c, .left = text, .next_line = c->line };
	return spout__token_next(r);
}

bool
spout__expression(struct spout__compiler *c, struct spout_slice text)
{
	struct spout__reader r;

	return begin(&r, c, text) && expression(&r) &&
	    (r.token == SPOUT__TOKEN_END || spout__token_unexpected(&r));
}

bool
spout__expression_call(struct spout__compiler *c, struct spout_slice name,
    unsigned pushed, struct spout_slice arguments)
{
	struct spout__reader r;

	return begin(&r, c, arguments) && call(&r, name, pushed) &&
	    (r.token == SPOUT__TOKEN_END || spout__token_unexpected(&r));
}

bool
spout__expression_template(struct spout__compiler *c, struct spout_slice arguments,
    bool (*each)(struct spout__compiler *c, struct spout_slice name, void *arg),
    void *arg, struct spout_slice *ret_name)
{
	struct spout_slice argument;
	struct spout__reader r;

	if (!begin(&r, c, arguments) || !spout__token_expect(&r, "("))
		return false;
	if (r.token != SPOUT__TOKEN_STRING)
		return wrong(&r, "the name of a template is missing");
	*ret_name = unescape(&r);
	if (ret_name->data == NULL || !spout__token_next(&r))
		return false;
	while (!spout__token_is_sign(&r, ")")) {
		if (!spout__token_expect(&r, ","))
			return false;
		if (!named(&r, &argument))
			return wrong(&r, "an argument without a name");
		if (!expression(&r) || !each(c, argument, arg))
			return false;
	}
	return spout__token_next(&r) &&
	    (r.token == SPOUT__TOKEN_END || spout__token_unexpected(&r));
}
