/* SPDX-License-Identifier: MIT */
/*
 * Rows of a query as JSON: columns become members, SQL NULL becomes null, numbers,
 * booleans and json by the type of the column, everything else its text. Of two columns
 * with one name the last wins.
 */
#include "config.h"

#include <spout/app.h>

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "app/rows_json.h"

/*
 * A double, as most readers of JSON have: of a numeric with more than 15 digits the
 * rest is lost (cast it to text to keep them). What JSON cannot say (NaN, Infinity) is a
 * text.
 */
static json_t *
number_json(struct spout_slice text)
{
	char *end;
	double number = strtod_l(text.data, &end, newlocale(LC_ALL_MASK, "C", NULL));

	if (end != text.data + text.len || !isfinite(number))
		return json_stringn(text.data, text.len);
	return json_real(number);
}

static json_t *
value_json(enum spout_column_kind kind, struct spout_slice text)
{
	json_t *json;

	if (text.data == NULL)
		return json_null();
	switch (kind) {
	case SPOUT_COLUMN_INT:
		return json_integer(strtoll(text.data, NULL, 10));
	case SPOUT_COLUMN_NUMBER:
		return number_json(text);
	case SPOUT_COLUMN_BOOL:
		return json_boolean(text.data[0] == 't');
	case SPOUT_COLUMN_JSON:
		json = json_loadb(
		    text.data, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		return json ? json : json_stringn(text.data, text.len);
	default:
		return json_stringn(text.data, text.len);
	}
}

json_t *
spout__row_json(struct spout_rows *rows, size_t row)
{
	json_t *object;

	if (row >= spout_rows_count(rows)) /* before there is something to leak */
		spout_fail_with(-EINVAL, "there is no row %zu", row);
	object = json_object();
	for (size_t c = 0; object && c < spout_rows_columns(rows); c++) {
		json_t *value =
		    value_json(spout_rows_kind(rows, c), spout_rows_value(rows, row, c));

		if (value &&
		    json_object_set_new(object, spout_rows_name(rows, c), value) == 0)
			continue;
		json_decref(object);
		object = NULL;
	}
	if (object == NULL)
		spout_fail_with(-ENOMEM, "row %zu cannot be made JSON", row);
	return object;
}

void
spout_json_row(struct spout_request *req, struct spout_rows *rows, size_t row)
{
	spout_json(req, spout__row_json(rows, row));
}

static void
json_release(void *arg)
{
	json_decref(arg);
}

void
spout_json_rows(struct spout_request *req, struct spout_rows *rows)
{
	json_t *array = json_array();

	if (array == NULL)
		spout_fail_with(-ENOMEM, "rows cannot be made JSON");
	spout_defer(json_release, array);
	for (size_t row = 0; row < spout_rows_count(rows); row++) {
		if (json_array_append_new(array, spout__row_json(rows, row)) != 0)
			spout_fail_with(-ENOMEM, "rows cannot be made JSON");
	}
	spout_json(req, json_incref(array));
}
