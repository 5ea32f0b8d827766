/* SPDX-License-Identifier: MIT */
/* Schemas of route parameters, and the arguments that are words or times. */
#include "config.h"

#include "unit.h"
#include "web_client.h"

#include <errno.h>
#include <stdio.h>

#include "web/args.h"
#include "web/schema.h"

/* Does the value fit? -1: the schema is refused. */
static int
fits(const char *text, const char *value)
{
	char why[SPOUT__SCHEMA_WHY_SIZE] = "";
	struct spout__schema *schema;
	bool fit;

	if (spout__schema_new(spout_slice(text), &schema, why) != 0) {
		CU_ASSERT_NOT_EQUAL(why[0], '\0');
		return -1;
	}
	fit = spout__schema_fits(schema, spout_slice(value));
	spout__schema_free(schema);
	return fit;
}

static void
whole_numbers_have_their_range(void)
{
	CU_ASSERT_EQUAL(fits("int", "0"), 1);
	CU_ASSERT_EQUAL(fits("int", "9223372036854775807"), 1);
	CU_ASSERT_EQUAL(fits("int", "9223372036854775808"), 0);
	CU_ASSERT_EQUAL(fits("int", "-1"), 0);
	CU_ASSERT_EQUAL(fits("int", "1x"), 0);
	CU_ASSERT_EQUAL(fits("int", ""), 0);
	CU_ASSERT_EQUAL(fits("int(1..10)", "0"), 0);
	CU_ASSERT_EQUAL(fits("int(1..10)", "1"), 1);
	CU_ASSERT_EQUAL(fits("int(1..10)", "10"), 1);
	CU_ASSERT_EQUAL(fits("int(1..10)", "11"), 0);
	CU_ASSERT_EQUAL(fits("int(-5..)", "-5"), 1);
	CU_ASSERT_EQUAL(fits("int(..5)", "-1"), 0);
	CU_ASSERT_EQUAL(fits("int(10..1)", "1"), -1);
	CU_ASSERT_EQUAL(fits("int()", "1"), -1);
	CU_ASSERT_EQUAL(fits("int(1)", "1"), -1);
	CU_ASSERT_EQUAL(fits("int(1..x)", "1"), -1);
	CU_ASSERT_EQUAL(fits("int(1..2", "1"), -1);
}

static void
uuids_are_told(void)
{
	CU_ASSERT_EQUAL(fits("uuid", "f81d4fae-7dec-11d0-A765-00a0c91e6bf6"), 1);
	CU_ASSERT_EQUAL(fits("uuid", "f81d4fae-7dec-11d0-a765-00a0c91e6bf"), 0);
	CU_ASSERT_EQUAL(fits("uuid", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6a"), 0);
	CU_ASSERT_EQUAL(fits("uuid", "f81d4fae-7dec-11d0-a765-00a0c91e6bg6"), 0);
	CU_ASSERT_EQUAL(fits("uuid", "f81d4fae07dec-11d0-a765-00a0c91e6bf6"), 0);
}

static void
patterns_are_for_the_whole_value(void)
{
	CU_ASSERT_EQUAL(fits("[a-z0-9-]+", "a-b-1"), 1);
	CU_ASSERT_EQUAL(fits("[a-z0-9-]+", "a_b"), 0);
	CU_ASSERT_EQUAL(fits("[a-z]{2}", "ab"), 1);
	CU_ASSERT_EQUAL(fits("[a-z]{2}", "abc"), 0);
	CU_ASSERT_EQUAL(fits("a|ab", "ab"), 1);
	CU_ASSERT_EQUAL(fits("integer", "integer"), 1);
	CU_ASSERT_EQUAL(fits("\\p{Lu}.", "\xc3\x84\xc3\xa4"), 1);
	CU_ASSERT_EQUAL(fits("[a-z", "a"), -1);
	CU_ASSERT_EQUAL(fits("", "a"), -1);
	CU_ASSERT_EQUAL(fits("\\C", "a"), -1);
}

static void
patterns_that_take_for_ever_do_not(void)
{
	CU_ASSERT_EQUAL(fits("(a+)+b", "aaaaaaaab"), 1);
	CU_ASSERT_EQUAL(
	    fits("(a+)+b|.*", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 0);
}

/* --- in a table -------------------------------------------------------------------- */

static void
show_id(struct spout_request *req)
{
	spout_plain(req, spout_path(req, "id"));
}

static void
reverse(struct spout_request *req)
{
	spout_plain(req, spout_reverse_url(req, "slug", "x.y", "a"));
}

static void
typed(struct spout_request *req)
{
	static const char *const sorts[] = { "name", "date", NULL };

	spout_printf(req, "%d %lld", spout_arg_enum(req, "sort", sorts, 7),
	    (long long)spout_arg_time(req, "since", -1));
	if (spout_arg(req, "must") != NULL)
		spout_printf(req, " %d %lld", spout_require_arg_enum(req, "sort", sorts),
		    (long long)spout_require_arg_time(req, "since"));
}

static const struct spout_route routes[] = {
	SPOUT_GET("/n/{id:int(1..99)}", show_id),
	SPOUT_POST("/n/{id:int(1..99)}", show_id),
	SPOUT_GET("/n/all", show_id),
	SPOUT_GET("/s/{id:[a-z]{1,3}(%|\\?)?}/{x}", show_id),
	SPOUT_GET("/r/{id:[a-z.]+}/{rest...}", show_id, .name = "slug"),
	SPOUT_GET("/reverse", reverse),
	SPOUT_GET("/typed", typed),
	SPOUT_END,
};

static void
a_parameter_that_does_not_fit_is_another_path(void)
{
	struct spout_app app = { .name = "t", .routes = routes };

	begin(&app, NO_ACCESS_LOG);
	get("/n/99");
	CU_ASSERT_STRING_EQUAL(body(), "99");
	get("/n/100");
	CU_ASSERT(status_is(404));
	request("PUT /n/100", "", NULL);
	CU_ASSERT(status_is(405));
	get("/s/abc%3F/1");
	CU_ASSERT_STRING_EQUAL(body(), "abc?");
	get("/s/abcd/1");
	CU_ASSERT(status_is(404));
	get("/reverse");
	CU_ASSERT_STRING_EQUAL(body(), "/r/x.y/a");
	end();
}

static void
bad_schemas_are_named_with_their_route(void)
{
	static const struct spout_route bad[] = {
		SPOUT_GET("/x/{id:[a-}", show_id), SPOUT_END };
	struct spout_app app = { .name = "t", .routes = bad };
	char why[SPOUT__ROUTER_WHY_SIZE] = "";

	CU_ASSERT_EQUAL(spout__web_check(&app, why), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "route GET /x/{id:[a-}: {id}: "));
}

/* --- words and times --------------------------------------------------------------- */

static void
words_and_times_are_checked(void)
{
	struct spout_app app = { .name = "t", .routes = routes };

	begin(&app, NO_ACCESS_LOG);
	get("/typed");
	CU_ASSERT_STRING_EQUAL(body(), "7 -1");
	get("/typed?sort=date&since=1970-01-02&must=1");
	CU_ASSERT_STRING_EQUAL(body(), "1 86400 1 86400");
	get("/typed?sort=Date");
	CU_ASSERT(status_is(400) && has("must be one of name, date"));
	get("/typed?since=yesterday");
	CU_ASSERT(status_is(400) && has("must be a date or a time"));
	get("/typed?must=1");
	CU_ASSERT(status_is(400) && has("missing argument"));
	end();
}

static long long
parsed(const char *text)
{
	int64_t seconds;

	return spout__parse_time(text, &seconds) == 0 ? seconds : -1;
}

static void
times_are_read_as_the_standard_writes_them(void)
{
	static const char *const bad[] = { "", "2026", "2026-1-1", "2026-13-01",
		"2026-00-01", "2026-02-29", "2026-04-31", "0000-01-01", "2026-01-01x",
		"2026-01-01T", "2026-01-01T1:00", "2026-01-01T24:00", "2026-01-01T10:60",
		"2026-01-01T10:00:61", "2026-01-01T10:00:00.", "2026-01-01T10:00+1",
		"2026-01-01T10:00+25:00", "2026-01-01T10:00Z ", " 2026-01-01",
		"1900-02-29" };
	size_t i;

	CU_ASSERT_EQUAL(parsed("1970-01-01"), 0);
	CU_ASSERT_EQUAL(parsed("2026-11-21T10:30"), 1795257000);
	CU_ASSERT_EQUAL(parsed("2026-11-21T10:30:15Z"), 1795257015);
	CU_ASSERT_EQUAL(parsed("2026-11-21 11:30:00+01:00"), 1795257000);
	CU_ASSERT_EQUAL(parsed("2026-11-21t05:00:00.999-05:30"), 1795257000);
	CU_ASSERT_EQUAL(parsed("2016-12-31T23:59:60Z"), 1483228799);
	CU_ASSERT_EQUAL(parsed("2000-02-29"), 951782400);
	CU_ASSERT_EQUAL(parsed("9999-12-31T23:59:59Z"), 253402300799);
	CU_ASSERT_EQUAL(parsed("0001-01-01"), -62135596800);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CU_ASSERT_EQUAL(parsed(bad[i]), -1);
}

static const struct unit_test schema_tests[] = {
	UNIT_TEST(whole_numbers_have_their_range),
	UNIT_TEST(uuids_are_told),
	UNIT_TEST(patterns_are_for_the_whole_value),
	UNIT_TEST(patterns_that_take_for_ever_do_not),
	UNIT_TEST(a_parameter_that_does_not_fit_is_another_path),
	UNIT_TEST(bad_schemas_are_named_with_their_route),
	UNIT_TEST(words_and_times_are_checked),
	UNIT_TEST(times_are_read_as_the_standard_writes_them),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "schema", schema_tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
