/* SPDX-License-Identifier: MIT */
/* Rows of PostgreSQL as JSON. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdlib.h>

#include <spout/spout.h>

#include "app/rows_json.h"
#include "pg_help.h"

static const struct setup usual;

static void
expect_row(struct spout_rows *rows, const char *expected)
{
	json_t *json = spout__row_json(rows, 0);
	char *text = json_dumps(json, JSON_COMPACT);

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_STRING_EQUAL(text, expected);
	free(text);
	json_decref(json);
}

static void
types(void *arg)
{
	(void)arg;
	expect_row(spout_pg_query("SELECT 1::smallint a, -2::int b,"
				  " 9223372036854775807 c, 4::oid d"),
	    "{\"a\":1,\"b\":-2,\"c\":9223372036854775807,\"d\":4}");
	expect_row(spout_pg_query("SELECT 1.5::real a, 0.25::float8 b, 12.50::numeric c"),
	    "{\"a\":1.5,\"b\":0.25,\"c\":12.5}");
	expect_row(spout_pg_query("SELECT true a, false b, NULL::bool c, NULL::int d"),
	    "{\"a\":true,\"b\":false,\"c\":null,\"d\":null}");
	expect_row(spout_pg_query("SELECT '' a, 'x \"y\" ü' b, '2026-01-02'::date c"),
	    "{\"a\":\"\",\"b\":\"x \\\"y\\\" ü\",\"c\":\"2026-01-02\"}");
	expect_row(spout_pg_query("SELECT '{\"k\": [1, null]}'::json a, '7'::jsonb b"),
	    "{\"a\":{\"k\":[1,null]},\"b\":7}");
}

static void
columns_become_members_by_their_type(void)
{
	with_pool(&usual, types);
}

static void
odd_numbers(void *arg)
{
	(void)arg;
	expect_row(spout_pg_query("SELECT 'NaN'::float8 a, '-Infinity'::float8 b,"
				  " 'NaN'::numeric c"),
	    "{\"a\":\"NaN\",\"b\":\"-Infinity\",\"c\":\"NaN\"}");
}

static void
numbers_that_json_cannot_say_become_text(void)
{
	with_pool(&usual, odd_numbers);
}

static void
no_row(void *arg)
{
	(void)arg;
	json_decref(spout__row_json(spout_pg_query("SELECT 1 WHERE false"), 0));
}

static void
missing(void *arg)
{
	struct ending ending;

	(void)arg;
	start(no_row, NULL, 0, &ending);
	wait_until(ending.gone);
	CU_ASSERT_EQUAL(ending.error, -EINVAL);
}

static void
a_row_that_is_not_there_leaves(void)
{
	with_pool(&usual, missing);
}

int
main(int argc, char **argv)
{
	static const struct unit_test rows[] = {
		UNIT_TEST(columns_become_members_by_their_type),
		UNIT_TEST(numbers_that_json_cannot_say_become_text),
		UNIT_TEST(a_row_that_is_not_there_leaves),
		UNIT_END,
	};
	static const struct unit_suite suites[] = {
		{ "rows as JSON", rows },
		{ NULL, NULL },
	};
	int status = cluster_start();

	return status != 0 ? status : unit_run(argc, argv, suites);
}
