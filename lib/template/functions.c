/* SPDX-License-Identifier: MIT */
/* The functions that every template has: see spout-template(7). */
#include "config.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/text.h"
#include "template/render.h"

/* --- arguments -------------------------------------------------------------------- */

static int
count(struct spout_template_call *call, size_t min, size_t max)
{
	if (call->n >= min && call->n <= max && call->n_named == 0)
		return 0;
	return spout_template_fail(
	    call, "%s() is called with other arguments", call->function->name);
}

static int
need_text(struct spout_template_call *call, size_t i, struct spout_slice *ret)
{
	const struct spout__value *v = &call->args[i];

	*ret = spout_slice("");
	if (!spout__value_is_text(v))
		return spout_template_fail(call, "%s() needs text, not %s",
		    call->function->name, spout__value_kind(v));
	*ret = v->text;
	return 0;
}

static int
need_int(struct spout_template_call *call, size_t i, int64_t otherwise, int64_t *ret)
{
	*ret = otherwise;
	if (i >= call->n)
		return 0;
	if (call->args[i].kind != SPOUT__INT)
		return spout_template_fail(call, "%s() needs a whole number, not %s",
		    call->function->name, spout__value_kind(&call->args[i]));
	*ret = call->args[i].integer;
	return 0;
}

/* Room in the arena; sets the result to it. */
static char *
room(struct spout_template_call *call, size_t n)
{
	char *to = n + 1 > n ? spout__arena_alloc(&call->vm->arena, n + 1) : NULL;

	if (to != NULL)
		call->result = spout__value_text(to, n);
	return to;
}

/* --- text ------------------------------------------------------------------------- */

static char
upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 0x20) : c;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 0x20) : c;
}

static int
change_case(struct spout_template_call *call, char (*first)(char), char (*rest)(char))
{
	struct spout_slice text = { "", 0 };
	char *to;
	int error = count(call, 1, 1);

	if (error == 0)
		error = need_text(call, 0, &text);
	if (error != 0)
		return error;
	to = room(call, text.len);
	if (to == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < text.len; i++)
		to[i] = i == 0 ? first(text.data[i]) : rest(text.data[i]);
	return 0;
}

static int
fn_upper(struct spout_template_call *call)
{
	return change_case(call, upper, upper);
}

static int
fn_lower(struct spout_template_call *call)
{
	return change_case(call, lower, lower);
}

static int
fn_capitalize(struct spout_template_call *call)
{
	return change_case(call, upper, lower);
}

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static int
fn_trim(struct spout_template_call *call)
{
	struct spout_slice text = { "", 0 };
	int error = count(call, 1, 1);

	if (error == 0)
		error = need_text(call, 0, &text);
	if (error != 0)
		return error;
	while (text.len > 0 && is_blank(text.data[0]))
		text = spout_slice_of(text.data + 1, text.len - 1);
	while (text.len > 0 && is_blank(text.data[text.len - 1]))
		text.len--;
	call->result = spout__value_text(text.data, text.len);
	return 0;
}

/* Every run of white space becomes one blank; none at the ends. */
static int
fn_squeeze(struct spout_template_call *call)
{
	struct spout_slice text = { "", 0 };
	size_t n = 0;
	char *to;
	int error = fn_trim(call);

	if (error != 0)
		return error;
	text = call->result.text;
	to = room(call, text.len);
	if (to == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < text.len; i++)
		if (!is_blank(text.data[i]))
			to[n++] = text.data[i];
		else if (to[n - 1] != ' ')
			to[n++] = ' ';
	call->result.text.len = n;
	return 0;
}

/* What was put together, unless that has failed. Releases it. */
static int
return_buffer(struct spout_template_call *call, struct spout__buffer *out, int error)
{
	if (error == 0)
		error = spout_template_return_text(
		    call, out->len > 0 ? out->data : "", out->len);
	spout__buffer_release(out);
	return error;
}

static int
fn_replace(struct spout_template_call *call)
{
	struct spout_slice text = { "", 0 }, from = text, to = text;
	struct spout__buffer out;
	const char *at, *end, *found;
	int error = count(call, 3, 3);

	if (error == 0)
		error = need_text(call, 0, &text);
	if (error == 0)
		error = need_text(call, 1, &from);
	if (error == 0)
		error = need_text(call, 2, &to);
	if (error == 0 && from.len == 0)
		return spout_template_fail(call, "replace() of an empty text");
	if (error != 0)
		return error;
	spout__buffer_init(&out, call->vm->arena.max);
	for (at = text.data, end = at + text.len; error == 0 && at < end; at = found) {
		found = memmem(at, (size_t)(end - at), from.data, from.len);
		error = spout__buffer_append(
		    &out, at, (size_t)((found != NULL ? found : end) - at));
		if (found == NULL)
			break;
		if (error == 0)
			error = spout__buffer_append(&out, to.data, to.len);
		found += from.len;
	}
	return return_buffer(call, &out, error);
}

/* Up to so many characters, then "…". */
static int
fn_truncate(struct spout_template_call *call)
{
	struct spout_slice text = { "", 0 };
	int64_t most = 0, n = 0;
	size_t i, keep = 0;
	char *to;
	int error = count(call, 2, 2);

	if (error == 0)
		error = need_text(call, 0, &text);
	if (error == 0)
		error = need_int(call, 1, 0, &most);
	if (error != 0)
		return error;
	call->result = call->args[0];
	for (i = 0; i < text.len; i++) {
		if ((text.data[i] & 0xc0) == 0x80)
			continue;
		if (n == most - 1)
			keep = i;
		n++;
	}
	if (n <= most)
		return 0;
	to = room(call, keep + 3);
	if (to == NULL)
		return -ENOMEM;
	memcpy(to, text.data, keep);
	memcpy(to + keep, "…", 3);
	return 0;
}

static int
fn_join(struct spout_template_call *call)
{
	struct spout_slice between = { "", 0 }, text;
	char small[SPOUT__REAL_MAX];
	struct spout__buffer out;
	size_t n, i;
	int error = count(call, 1, 2);

	if (error == 0 && call->n == 2)
		error = need_text(call, 1, &between);
	if (error != 0)
		return error;
	if (spout__value_is_text(&call->args[0]) ||
	    !spout__value_length(&call->args[0], &n) ||
	    (call->args[0].kind == SPOUT__JSON && json_is_object(call->args[0].json)))
		return spout_template_fail(call, "join() needs a list");
	spout__buffer_init(&out, call->vm->arena.max);
	for (i = 0; i < n && error == 0; i++) {
		struct spout__value item = spout__value_item(&call->args[0], i);

		if (i > 0)
			error = spout__buffer_append(&out, between.data, between.len);
		if (!spout__value_as_text(&item, small, &text))
			error = spout_template_fail(
			    call, "join() of %s", spout__value_kind(&item));
		if (error == 0)
			error = spout__buffer_append(&out, text.data, text.len);
	}
	return return_buffer(call, &out, error);
}

static int
fn_string(struct spout_template_call *call)
{
	struct spout_slice text = { "", 0 };
	int error = count(call, 1, 1);

	if (error != 0)
		return error;
	if (call->args[0].kind >= SPOUT__JSON)
		return spout_template_fail(
		    call, "string() of %s", spout__value_kind(&call->args[0]));
	text = spout_template_arg_text(call, 0);
	return spout_template_return_text(call, text.data, text.len);
}

/* --- escaping by hand ------------------------------------------------------------- */

static int
fn_escape(struct spout_template_call *call)
{
	struct spout_slice text = spout_template_arg_text(call, 0);
	char *to;
	int error = count(call, 1, 1);

	if (error != 0)
		return error;
	to = room(call, spout__html_escaped_len(text.data, text.len));
	if (to == NULL)
		return -ENOMEM;
	spout__html_escape(text.data, text.len, to);
	call->result.kind = SPOUT__HTML;
	return 0;
}

static int
fn_url_escape(struct spout_template_call *call)
{
	struct spout_slice text = spout_template_arg_text(call, 0);
	char *to;
	int error = count(call, 1, 1);

	if (error != 0)
		return error;
	to = room(call, 3 * text.len);
	if (to == NULL)
		return -ENOMEM;
	call->result.text.len = spout__percent_encode(text.data, text.len, to);
	return 0;
}

static int
fn_json_encode(struct spout_template_call *call)
{
	struct spout__buffer out;
	const char *wrong;
	int error = count(call, 1, 1);

	if (error != 0)
		return error;
	spout__buffer_init(&out, call->vm->arena.max);
	wrong = spout__value_print_json(&out, &call->args[0], "\"");
	if (wrong == spout__wrong_memory)
		error = -ENOMEM;
	else if (wrong != NULL)
		error = spout_template_fail(call, "%s", wrong);
	else
		error = spout_template_return_text(call, out.data, out.len);
	spout__buffer_release(&out);
	return error;
}

/* --- numbers ---------------------------------------------------------------------- */

static int
set_real(struct spout_template_call *call, double real)
{
	if (!isfinite(real))
		return spout_template_fail(call, "number too large");
	call->result = (struct spout__value){ .kind = SPOUT__REAL, .real = real };
	return 0;
}

/* The argument as a number; text is read. */
static int
need_number(struct spout_template_call *call, struct spout__value *ret)
{
	char text[64], *end = text;
	struct spout__value *v = ret;

	*v = call->args[0];
	if (v->kind == SPOUT__INT || v->kind == SPOUT__REAL)
		return 0;
	if (v->kind == SPOUT__BOOL) {
		*v = spout__value_int(v->yes);
		return 0;
	}
	if (spout__value_is_text(v) && v->text.len > 0 && v->text.len < sizeof(text)) {
		memcpy(text, v->text.data, v->text.len);
		text[v->text.len] = '\0';
		errno = 0;
		*ret = spout__value_int(strtoll(text, &end, 10));
		if (*end == '\0' && errno == 0)
			return 0;
		ret->kind = SPOUT__REAL;
		ret->real = strtod(text, &end);
		if (*end == '\0' && end != text && isfinite(ret->real))
			return 0;
	}
	return spout_template_fail(call, "%s() needs a number", call->function->name);
}

static int
fn_int(struct spout_template_call *call)
{
	int error = count(call, 1, 1);

	if (error == 0)
		error = need_number(call, &call->result);
	if (error != 0 || call->result.kind == SPOUT__INT)
		return error;
	if (fabs(call->result.real) >= 9.2e18)
		return spout_template_fail(call, "number too large");
	call->result = spout__value_int((int64_t)call->result.real);
	return 0;
}

static int
fn_float(struct spout_template_call *call)
{
	int error = count(call, 1, 1);

	if (error == 0)
		error = need_number(call, &call->result);
	if (error != 0 || call->result.kind == SPOUT__REAL)
		return error;
	return set_real(call, (double)call->result.integer);
}

static int
fn_abs(struct spout_template_call *call)
{
	int error = count(call, 1, 1);

	if (error == 0)
		error = need_number(call, &call->result);
	if (error != 0)
		return error;
	if (call->result.kind == SPOUT__REAL)
		return set_real(call, fabs(call->result.real));
	if (call->result.integer == INT64_MIN)
		return spout_template_fail(call, "number too large");
	call->result.integer = llabs(call->result.integer);
	return 0;
}

/* To so many digits behind the point; without them a whole number. */
static int
fn_round(struct spout_template_call *call)
{
	int64_t places = 0;
	double scale;
	int error = count(call, 1, 2);

	if (error == 0)
		error = need_number(call, &call->result);
	if (error == 0)
		error = need_int(call, 1, 0, &places);
	if (error != 0 || call->result.kind == SPOUT__INT)
		return error;
	if (places < 0 || places > 15)
		return spout_template_fail(call, "round() to 0 to 15 places");
	if (call->n == 1 && fabs(call->result.real) < 9.2e18) {
		call->result = spout__value_int(llround(call->result.real));
		return 0;
	}
	scale = pow(10, (double)places);
	return set_real(call, round(call->result.real * scale) / scale);
}

/* --- lists ------------------------------------------------------------------------ */

static int
fn_range(struct spout_template_call *call)
{
	int64_t a = 0, b = 0;
	int error = count(call, 1, 2);

	if (error == 0)
		error = need_int(call, 0, 0, &a);
	if (error == 0)
		error = need_int(call, 1, 0, &b);
	if (error != 0)
		return error;
	call->result.kind = SPOUT__RANGE;
	call->result.range.from = call->n == 2 ? a : 0;
	call->result.range.to = call->n == 2 ? b : a;
	return 0;
}

static int
fn_length(struct spout_template_call *call)
{
	const struct spout__value *v = &call->args[0];
	size_t n = 0, i;
	int error = count(call, 1, 1);

	if (error != 0)
		return error;
	if (spout__value_is_text(v)) {
		for (i = 0; i < v->text.len; i++)
			n += (v->text.data[i] & 0xc0) != 0x80;
	} else if (!spout__value_length(v, &n)) {
		return spout_template_fail(
		    call, "%s has no length", spout__value_kind(v));
	}
	call->result = spout__value_int((int64_t)n);
	return 0;
}

static int
end_of(struct spout_template_call *call, int64_t i)
{
	struct spout__value key = spout__value_int(i);
	const char *wrong;
	size_t n;
	int error = count(call, 1, 1);

	if (error != 0)
		return error;
	if (spout__value_length(&call->args[0], &n) && n == 0)
		return 0; /* none */
	wrong = spout__value_index(&call->args[0], &key, &call->result);
	return wrong == NULL ? 0 : spout_template_fail(call, "%s", wrong);
}

static int
fn_first(struct spout_template_call *call)
{
	return end_of(call, 0);
}

static int
fn_last(struct spout_template_call *call)
{
	return end_of(call, -1);
}

int
spout__template_default(struct spout_template_call *call)
{
	const struct spout__value *v = &call->args[0];
	int error = count(call, 2, 2);

	if (error != 0)
		return error;
	call->result =
	    v->kind == SPOUT__UNDEFINED || v->kind == SPOUT__NONE ? call->args[1] : *v;
	return 0;
}

const struct spout_template_function spout__template_functions[] = {
	{ .name = "abs", .fn = fn_abs },
	{ .name = "capitalize", .fn = fn_capitalize },
	{ .name = "default", .fn = spout__template_default },
	{ .name = "escape", .fn = fn_escape },
	{ .name = "first", .fn = fn_first },
	{ .name = "float", .fn = fn_float },
	{ .name = "int", .fn = fn_int },
	{ .name = "join", .fn = fn_join },
	{ .name = "json_encode", .fn = fn_json_encode },
	{ .name = "last", .fn = fn_last },
	{ .name = "len", .fn = fn_length },
	{ .name = "length", .fn = fn_length },
	{ .name = "lower", .fn = fn_lower },
	{ .name = "range", .fn = fn_range },
	{ .name = "replace", .fn = fn_replace },
	{ .name = "round", .fn = fn_round },
	{ .name = "squeeze", .fn = fn_squeeze },
	{ .name = "str", .fn = fn_string },
	{ .name = "string", .fn = fn_string },
	{ .name = "trim", .fn = fn_trim },
	{ .name = "truncate", .fn = fn_truncate },
	{ .name = "upper", .fn = fn_upper },
	{ .name = "url_escape", .fn = fn_url_escape },
	{ .name = "xhtml_escape", .fn = fn_escape },
	{ .name = NULL },
};
