/* SPDX-License-Identifier: MIT */
/* Conditional requests, ranges, HTTP dates, content codings, media types. */
#include "config.h"

#include "unit.h"

#include <stdio.h>

#include "base/clock.h"
#include "web/accept.h"
#include "web/condition.h"
#include "web/media_type.h"

#define MODIFIED 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */

static const struct spout__validators ours = { .etag = { "\"abc\"", 5 },
	.modified = MODIFIED };

/* --- dates ------------------------------------------------------------------------ */

static int64_t
date(const char *text)
{
	return spout__http_date_parse(text, strlen(text));
}

static void
dates_are_read_in_three_forms(void)
{
	CU_ASSERT_EQUAL(date("Sun, 06 Nov 1994 08:49:37 GMT"), MODIFIED);
	CU_ASSERT_EQUAL(date("Sunday, 06-Nov-94 08:49:37 GMT"), MODIFIED);
	CU_ASSERT_EQUAL(date("Sun Nov  6 08:49:37 1994"), MODIFIED);
	CU_ASSERT_EQUAL(date("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
	CU_ASSERT_EQUAL(date("Thu, 29 Feb 2024 23:59:59 GMT"), 1709251199);
	CU_ASSERT_EQUAL(date("Saturday, 21-Nov-26 00:00:00 GMT"), 1795219200);
}

static void
what_is_no_date_is_minus_one(void)
{
	static const char *const bad[] = { "", "0", "now", "Sun, 06 Nov 1994",
		"Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET",
		"Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 31 Nov 1994 08:49:37 GMT",
		"Wed, 29 Feb 2023 00:00:00 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ",
		"Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nop 1994 08:49:37 GMT",
		"Wed, 31 Dec 1969 23:59:59 GMT", "Sun Nov  6 08:49:37 1994 GMT",
		"Sunday, 06-Nov-1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 GMT, and much more behind it" };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(date(bad[i]), -1);
	CU_ASSERT_EQUAL(spout__http_date_parse("Sun, 06 Nov\0 1994", 17), -1);
}

static void
a_written_date_is_read_back(void)
{
	char text[SPOUT__HTTP_DATE_LEN + 1];
	time_t when;

	for (when = 0; when < 4102444800; when += 86400 * 13 + 3607) {
		spout__http_date(when, text);
		CU_ASSERT_EQUAL(date(text), when);
	}
}

/* --- conditions ------------------------------------------------------------------- */

static enum spout__verdict
judge(struct spout__conditions c)
{
	return spout__conditions_judge(&c, &ours);
}

#define IF_NONE_MATCH(text) \
	judge((struct spout__conditions){ .if_none_match = spout_slice(text) })
#define IF_MATCH(text) \
	judge((struct spout__conditions){ .if_match = spout_slice(text) })

static void
if_none_match_compares_weakly(void)
{
	CU_ASSERT_EQUAL(IF_NONE_MATCH("\"abc\""), SPOUT__NOT_MODIFIED);
	CU_ASSERT_EQUAL(IF_NONE_MATCH("W/\"abc\""), SPOUT__NOT_MODIFIED);
	CU_ASSERT_EQUAL(IF_NONE_MATCH("*"), SPOUT__NOT_MODIFIED);
	CU_ASSERT_EQUAL(IF_NONE_MATCH("\"x\", \"a,c\" ,W/\"abc\""), SPOUT__NOT_MODIFIED);
	CU_ASSERT_EQUAL(IF_NONE_MATCH("\"ABC\""), SPOUT__SEND);
	CU_ASSERT_EQUAL(IF_NONE_MATCH("abc"), SPOUT__SEND);
	CU_ASSERT_EQUAL(IF_NONE_MATCH("\"ab"), SPOUT__SEND);
	CU_ASSERT_EQUAL(IF_NONE_MATCH(""), SPOUT__SEND);
	CU_ASSERT_EQUAL(IF_NONE_MATCH(",,, "), SPOUT__SEND);
}

static void
if_match_compares_strongly(void)
{
	CU_ASSERT_EQUAL(IF_MATCH("\"abc\""), SPOUT__SEND);
	CU_ASSERT_EQUAL(IF_MATCH("*"), SPOUT__SEND);
	CU_ASSERT_EQUAL(IF_MATCH("W/\"abc\""), SPOUT__PRECONDITION_FAILED);
	CU_ASSERT_EQUAL(IF_MATCH("\"x\""), SPOUT__PRECONDITION_FAILED);
}

static void
dates_count_to_the_second_and_tags_before_them(void)
{
	struct spout_slice before = spout_slice("Sun, 06 Nov 1994 08:49:36 GMT"),
			   same = spout_slice("Sun, 06 Nov 1994 08:49:37 GMT"),
			   other = spout_slice("\"x\"");

	CU_ASSERT_EQUAL(judge((struct spout__conditions){ .if_modified_since = same }),
	    SPOUT__NOT_MODIFIED);
	CU_ASSERT_EQUAL(judge((struct spout__conditions){ .if_modified_since = before }),
	    SPOUT__SEND);
	CU_ASSERT_EQUAL(judge((struct spout__conditions){ .if_modified_since = other }),
	    SPOUT__SEND);
	CU_ASSERT_EQUAL(judge((struct spout__conditions){
			    .if_modified_since = same, .if_none_match = other }),
	    SPOUT__SEND);
	CU_ASSERT_EQUAL(judge((struct spout__conditions){ .if_unmodified_since = same }),
	    SPOUT__SEND);
	CU_ASSERT_EQUAL(
	    judge((struct spout__conditions){ .if_unmodified_since = before }),
	    SPOUT__PRECONDITION_FAILED);
	CU_ASSERT_EQUAL(judge((struct spout__conditions){
			    .if_unmodified_since = before,
			    .if_match = spout_slice("\"abc\"") }),
	    SPOUT__SEND);
}

/* --- ranges ----------------------------------------------------------------------- */

static bool
range_is(const char *text, uint64_t size, enum spout__range_kind kind, uint64_t first,
    uint64_t len)
{
	struct spout__conditions c = { .range = spout_slice(text) };
	struct spout__range range = spout__conditions_range(&c, &ours, size);

	if (range.kind == kind &&
	    (kind == SPOUT__RANGE_NONE || (range.first == first && range.len == len)))
		return true;
	fprintf(stderr, "%s of %llu: kind %d, %llu+%llu\n", text,
	    (unsigned long long)size, (int)range.kind, (unsigned long long)range.first,
	    (unsigned long long)range.len);
	return false;
}

static void
one_range_is_a_part(void)
{
	CU_ASSERT(range_is("bytes=0-0", 10, SPOUT__RANGE_PART, 0, 1));
	CU_ASSERT(range_is("bytes=2-5", 10, SPOUT__RANGE_PART, 2, 4));
	CU_ASSERT(range_is("Bytes=9-9", 10, SPOUT__RANGE_PART, 9, 1));
	CU_ASSERT(range_is("bytes=3-", 10, SPOUT__RANGE_PART, 3, 7));
	CU_ASSERT(
	    range_is("bytes=3-99999999999999999999999", 10, SPOUT__RANGE_PART, 3, 7));
	CU_ASSERT(range_is("bytes=-3", 10, SPOUT__RANGE_PART, 7, 3));
}

static void
a_range_of_everything_and_what_is_no_range_are_the_whole(void)
{
	static const char *const whole[] = { "bytes=0-", "bytes=0-9", "bytes=0-99",
		"bytes=-10", "bytes=-99", "bytes=", "bytes", "", "lines=0-1", "bytes=-",
		"bytes=a-b", "bytes=5-4", "bytes=1-2,4-5", "bytes=1-2 ", "bytes= 1-2",
		"bytes=1", "bytes=--1", "bytes=1--2", "bytes=+1-2" };
	size_t i;

	for (i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
		CU_ASSERT(range_is(whole[i], 10, SPOUT__RANGE_WHOLE, 0, 10));
}

static void
a_range_behind_the_end_is_none(void)
{
	CU_ASSERT(range_is("bytes=10-", 10, SPOUT__RANGE_NONE, 0, 0));
	CU_ASSERT(range_is("bytes=-0", 10, SPOUT__RANGE_NONE, 0, 0));
	CU_ASSERT(range_is("bytes=0-", 0, SPOUT__RANGE_NONE, 0, 0));
	CU_ASSERT(range_is("bytes=-5", 0, SPOUT__RANGE_NONE, 0, 0));
	CU_ASSERT(range_is("bytes=18446744073709551615-", 10, SPOUT__RANGE_NONE, 0, 0));
}

static bool
if_range_holds(const char *text)
{
	struct spout__conditions c = { .range = spout_slice("bytes=1-2"),
		.if_range = spout_slice(text) };

	return spout__conditions_range(&c, &ours, 10).kind == SPOUT__RANGE_PART;
}

static void
if_range_wants_the_very_same_file(void)
{
	CU_ASSERT(if_range_holds("\"abc\""));
	CU_ASSERT(if_range_holds("Sun, 06 Nov 1994 08:49:37 GMT"));
	CU_ASSERT_FALSE(if_range_holds("W/\"abc\""));
	CU_ASSERT_FALSE(if_range_holds("\"x\""));
	CU_ASSERT_FALSE(if_range_holds("Sun, 06 Nov 1994 08:49:38 GMT"));
	CU_ASSERT_FALSE(if_range_holds("Sun, 06 Nov 1994 08:49:36 GMT"));
	CU_ASSERT_FALSE(if_range_holds("nonsense"));
	CU_ASSERT_FALSE(if_range_holds(""));
}

/* --- codings and types ------------------------------------------------------------ */

#define BR SPOUT__CODING_BR
#define GZIP SPOUT__CODING_GZIP

static void
codings_are_those_that_the_client_takes(void)
{
	static const struct {
		const char *accept;
		unsigned codings;
	} cases[] = { { "", 0 }, { "gzip", GZIP }, { "GZip, deflate, br", GZIP | BR },
		{ "gzip;q=0, br;q=0.1", BR }, { "*", GZIP | BR },
		{ "*;q=0", 0 }, { "*, gzip;q=0", BR }, { "identity", 0 },
		{ "x-gzip", GZIP }, { "gzip;q=0.000", 0 }, { "gzipped", 0 },
		{ "br ; q=1 , gzip ;q=0", BR }, { ",,;q=1,", 0 } };
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CU_ASSERT_EQUAL(spout__accept_codings(spout_slice(cases[i].accept)),
		    cases[i].codings);
}

static void
media_types_go_by_the_end_of_the_name(void)
{
	static const struct {
		const char *path, *type;
	} cases[] = { { "a.css", "text/css; charset=UTF-8" }, { "A.PNG", "image/png" },
		{ "x/y.tar.gz", "application/gzip" }, { "a.aac", "audio/aac" },
		{ "a.zst", "application/zstd" }, { "a.woff2", "font/woff2" },
		{ "noend", "application/octet-stream" },
		{ "a.css/noend", "application/octet-stream" },
		{ "a.", "application/octet-stream" }, { "", "application/octet-stream" },
		{ "a.unknown", "application/octet-stream" } };
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CU_ASSERT(spout_slice_equal(
		    spout__media_type(cases[i].path), cases[i].type));
}

static const struct unit_test condition_tests[] = {
	UNIT_TEST(dates_are_read_in_three_forms),
	UNIT_TEST(what_is_no_date_is_minus_one),
	UNIT_TEST(a_written_date_is_read_back),
	UNIT_TEST(if_none_match_compares_weakly),
	UNIT_TEST(if_match_compares_strongly),
	UNIT_TEST(dates_count_to_the_second_and_tags_before_them),
	UNIT_TEST(one_range_is_a_part),
	UNIT_TEST(a_range_of_everything_and_what_is_no_range_are_the_whole),
	UNIT_TEST(a_range_behind_the_end_is_none),
	UNIT_TEST(if_range_wants_the_very_same_file),
	UNIT_TEST(codings_are_those_that_the_client_takes),
	UNIT_TEST(media_types_go_by_the_end_of_the_name),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "condition", condition_tests },
		{ NULL, NULL } };

	return unit_run(argc, argv, suites);
}
