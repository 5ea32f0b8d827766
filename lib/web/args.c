/* SPDX-License-Identifier: MIT */
/*
 * Arguments of a request: parameters of the path, of the query, of a form, as text and as
 * values. What is missing or malformed ends the handler with 400 and the field's name.
 */
#include "config.h"

#include "web/args.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "web/form.h"
#include "web/request.h"

#define NO_UPPER_BOUND INT64_MAX

/* --- text --------------------------------------------------------------------------- */

struct spout__args *
spout__args_of(struct spout_request *req, const char *what, struct spout_slice text)
{
	size_t max = spout__args_count(text);
	struct spout__args *args;
	struct spout_slice bad;

	if (max > SPOUT__ARGS_MAX)
		spout_fail(
		    req, 400, "more than %u arguments in the %s", SPOUT__ARGS_MAX, what);
	args = spout_alloc(sizeof(*args) + max * sizeof(args->list[0]));
	if (spout__args_parse(text, spout_alloc(text.len + 1), args, &bad) != 0)
		spout_fail(req, 400, "malformed argument in the %s: \"%.*s\"", what,
		    bad.len > 60 ? 60 : (int)bad.len, bad.data);
	return args;
}

static const struct spout__args *
query_args(struct spout_request *req)
{
	if (req->query == NULL)
		req->query = spout__args_of(req, "query", req->head->query);
	return req->query;
}

const char *
spout_query_arg(struct spout_request *req, const char *name)
{
	return spout__args_get(query_args(req), name);
}

const char *
spout_form_arg(struct spout_request *req, const char *name)
{
	return spout__args_get(spout__form_args(req), name);
}

const char *
spout_arg(struct spout_request *req, const char *name)
{
	const char *value = spout_form_arg(req, name);

	return value != NULL ? value : spout_query_arg(req, name);
}

const char *
spout_require_arg(struct spout_request *req, const char *name)
{
	const char *value = spout_arg(req, name);

	if (value == NULL)
		spout_fail(req, 400, "missing argument \"%s\"", name);
	return value;
}

/* NULL if it is missing or empty: then the typed getters have a value of their own. */
static const char *
filled_arg(struct spout_request *req, const char *name)
{
	const char *text = spout_arg(req, name);

	return text != NULL && text[0] != '\0' ? text : NULL;
}

static size_t
collect(const struct spout__args *args, const char *name, const char **to)
{
	size_t n = 0;
	unsigned i;

	for (i = 0; i < args->n; i++)
		if (strcmp(args->list[i].name, name) == 0)
			to[n++] = args->list[i].value;
	return n;
}

const char *const *
spout_args(struct spout_request *req, const char *name)
{
	const struct spout__args *query = query_args(req), *form = spout__form_args(req);
	const char **values = spout_alloc(sizeof(*values) * (query->n + form->n + 1));
	size_t n = collect(query, name, values);

	n += collect(form, name, values + n);
	values[n] = NULL;
	return values;
}

const char *
spout_path(struct spout_request *req, const char *name)
{
	const struct spout__endpoint *endpoint = req->match.endpoint;
	unsigned i;

	for (i = 0; endpoint != NULL && i < endpoint->n_params; i++)
		if (spout_slice_equal(endpoint->names[i], name))
			return spout_strndup(
			    req->match.params[i].data, req->match.params[i].len);
	spout_fail(
	    req, 500, "the route %s has no parameter {%s}", req->route->pattern, name);
}

/* --- numbers -------------------------------------------------------------------- */

static void SPOUT_NORETURN
refuse_int(struct spout_request *req, const char *what, const char *name, int64_t min,
    int64_t max)
{
	if (max == NO_UPPER_BOUND)
		spout_fail(req, 400,
		    "%s \"%s\" must be a whole number of at least %" PRId64, what, name,
		    min);
	spout_fail(req, 400,
	    "%s \"%s\" must be a whole number from %" PRId64 " to %" PRId64, what, name,
	    min, max);
}

static int64_t
take_int(struct spout_request *req, const char *what, const char *name, const char *text,
    const struct spout_int_range *range)
{
	int64_t max = range->max != 0 ? range->max : NO_UPPER_BOUND;
	int64_t value;

	if (spout__parse_int(text, &value) != 0 || value < range->min || value > max)
		refuse_int(req, what, name, range->min, max);
	return value;
}

int64_t
spout_path_int_in(
    struct spout_request *req, const char *name, const struct spout_int_range *range)
{
	return take_int(req, "parameter", name, spout_path(req, name), range);
}

int64_t
spout_arg_int_in(
    struct spout_request *req, const char *name, const struct spout_int_range *range)
{
	const char *text = filled_arg(req, name);

	if (text == NULL)
		return range->otherwise;
	return take_int(req, "argument", name, text, range);
}

int64_t
spout_require_arg_int_in(
    struct spout_request *req, const char *name, const struct spout_int_range *range)
{
	return take_int(req, "argument", name, spout_require_arg(req, name), range);
}

static double
take_double(struct spout_request *req, const char *name, const char *text,
    const struct spout_double_range *range)
{
	bool bounded = range->max != 0;
	double value;

	if (spout__parse_double(text, &value) == 0 && value >= range->min &&
	    (!bounded || value <= range->max))
		return value;
	if (!bounded)
		spout_fail(req, 400, "argument \"%s\" must be a number of at least %g",
		    name, range->min);
	spout_fail(req, 400, "argument \"%s\" must be a number from %g to %g", name,
	    range->min, range->max);
}

double
spout_arg_double_in(
    struct spout_request *req, const char *name, const struct spout_double_range *range)
{
	const char *text = filled_arg(req, name);

	if (text == NULL)
		return range->otherwise;
	return take_double(req, name, text, range);
}

double
spout_require_arg_double_in(
    struct spout_request *req, const char *name, const struct spout_double_range *range)
{
	return take_double(req, name, spout_require_arg(req, name), range);
}

static bool
take_bool(struct spout_request *req, const char *name, const char *text)
{
	bool value;

	if (spout__parse_bool(text, &value) != 0)
		spout_fail(req, 400, "argument \"%s\" must be true or false", name);
	return value;
}

bool
spout_arg_bool(struct spout_request *req, const char *name, bool otherwise)
{
	const char *text = filled_arg(req, name);

	return text == NULL ? otherwise : take_bool(req, name, text);
}

bool
spout_require_arg_bool(struct spout_request *req, const char *name)
{
	return take_bool(req, name, spout_require_arg(req, name));
}

/* --- words and times ---------------------------------------------------------------- */

static int
take_enum(struct spout_request *req, const char *name, const char *text,
    const char *const *words)
{
	char *list = spout_strdup("");
	int i;

	for (i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], text) == 0)
			return i;
	for (i = 0; words[i] != NULL; i++)
		list = spout_sprintf("%s%s%s", list, i > 0 ? ", " : "", words[i]);
	spout_fail(req, 400, "argument \"%s\" must be one of %s", name, list);
}

int
spout_arg_enum(struct spout_request *req, const char *name, const char *const *words,
    int otherwise)
{
	const char *text = filled_arg(req, name);

	if (text == NULL)
		return otherwise;
	return take_enum(req, name, text, words);
}

int
spout_require_arg_enum(
    struct spout_request *req, const char *name, const char *const *words)
{
	return take_enum(req, name, spout_require_arg(req, name), words);
}

static int64_t
take_time(struct spout_request *req, const char *name, const char *text)
{
	int64_t seconds;

	if (spout__parse_time(text, &seconds) != 0)
		spout_fail(req, 400,
		    "argument \"%s\" must be a date or a time like 2026-11-21T10:30",
		    name);
	return seconds;
}

int64_t
spout_arg_time(struct spout_request *req, const char *name, int64_t otherwise)
{
	const char *text = filled_arg(req, name);

	return text == NULL ? otherwise : take_time(req, name, text);
}

int64_t
spout_require_arg_time(struct spout_request *req, const char *name)
{
	return take_time(req, name, spout_require_arg(req, name));
}
