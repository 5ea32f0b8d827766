/* SPDX-License-Identifier: MIT */
/* Finding the end of a head: limits, early refusal, and no byte searched twice. */
#include "config.h"

#include "unit.h"

#include <stdlib.h>

#include "http/head.h"

static const struct spout__http_limits usual = { 16384, 8192, 100 };

/* "GET /aaa… HTTP/1.1" of exactly `line` bytes, then fields up to `total` bytes. */
static char *
make_head(size_t line, size_t total)
{
	static const char start[] = "GET /", version[] = " HTTP/1.1",
			  field[] = "\r\nHost: a\r\nX: ";
	char *p = malloc(total);

	memset(p, 'a', total);
	memcpy(p, start, sizeof(start) - 1);
	memcpy(p + line - (sizeof(version) - 1), version, sizeof(version) - 1);
	memcpy(p + line, field, sizeof(field) - 1);
	memcpy(p + total - 4, "\r\n\r\n", 4);
	return p;
}

static int
find_made(size_t line, size_t total)
{
	char *text = make_head(line, total);
	size_t from = 0;
	int rc = spout__http_head_find(text, total, &from, &usual);

	free(text);
	return rc;
}

static void
request_line_has_a_limit(void)
{
	CU_ASSERT_EQUAL(find_made(8192, 8300), 8300);
	CU_ASSERT_EQUAL(find_made(8193, 8300), -SPOUT__FAULT_TARGET_TOO_LONG);
}

static void
head_has_a_limit(void)
{
	CU_ASSERT_EQUAL(find_made(100, 16384), 16384);
	CU_ASSERT_EQUAL(find_made(100, 16385), -SPOUT__FAULT_HEAD_TOO_LARGE);
}

/* A line that may be as long as the whole head is what is too long, then. */
static void
line_limit_above_head_limit_is_head_limit(void)
{
	const struct spout__http_limits limits = { 100, SIZE_MAX, 100 };
	char *text = make_head(200, 300);
	size_t from = 0;

	CU_ASSERT_EQUAL(spout__http_head_find(text, 99, &from, &limits), 0);
	CU_ASSERT_EQUAL(spout__http_head_find(text, 300, &from, &limits),
	    -SPOUT__FAULT_TARGET_TOO_LONG);
	free(text);
}

static void
too_long_is_refused_before_its_end_is_seen(void)
{
	size_t from = 0;
	char *text = make_head(10000, 20000);

	CU_ASSERT_EQUAL(spout__http_head_find(text, 8193, &from, &usual), 0);
	CU_ASSERT_EQUAL(spout__http_head_find(text, 8194, &from, &usual),
	    -SPOUT__FAULT_TARGET_TOO_LONG);
	free(text);
	text = make_head(100, 20000);
	from = 0;
	CU_ASSERT_EQUAL(spout__http_head_find(text, 16383, &from, &usual), 0);
	CU_ASSERT_EQUAL(spout__http_head_find(text, 16384, &from, &usual),
	    -SPOUT__FAULT_HEAD_TOO_LARGE);
	free(text);
}

/* Byte by byte, in a block of the size seen so far; `from` never moves back. */
static int
find_slowly(const char *text, size_t len)
{
	size_t from = 0, before, n;
	char *seen;
	int rc = 0;

	for (n = 1; n <= len && rc == 0; n++) {
		seen = malloc(n);
		memcpy(seen, text, n);
		before = from;
		rc = spout__http_head_find(seen, n, &from, &usual);
		CU_ASSERT(from >= before && from <= n);
		CU_ASSERT(rc <= 0 || (size_t)rc == n);
		free(seen);
	}
	return rc;
}

static void
head_is_found_byte_by_byte(void)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nX: \ry\r\n\r\n";

	CU_ASSERT_EQUAL(find_slowly(text, sizeof(text) - 1), (int)sizeof(text) - 1);
}

static void
find_refuses_as_soon_as_it_can(void)
{
	static const struct {
		const char *text;
		size_t len;
		enum spout__http_fault fault;
	} rows[] = {
		{ "\x16", 1, SPOUT__FAULT_BAD_REQUEST_LINE },
		{ "\n", 1, SPOUT__FAULT_BARE_LF },
		{ "\rG", 2, SPOUT__FAULT_BARE_CR },
		{ "GET / HTTP/1.1\n", 15, SPOUT__FAULT_BARE_LF },
		{ "GET /\0", 6, SPOUT__FAULT_BAD_BYTE },
		{ "GET / HTTP/1.1\r\nHost: a\r\nX\0", 27, SPOUT__FAULT_BAD_BYTE },
	};
	size_t i, from;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		from = 0;
		CU_ASSERT_EQUAL(
		    spout__http_head_find(rows[i].text, rows[i].len, &from, &usual),
		    -(int)rows[i].fault);
		CU_ASSERT_EQUAL(
		    find_slowly(rows[i].text, rows[i].len), -(int)rows[i].fault);
	}
}

/*
 * `from` is where the search goes on, right behind what has been seen: a head of 16 KiB
 * that comes byte by byte costs its length, not its square.
 */
static void
no_byte_is_searched_twice(void)
{
	char *text = make_head(100, 16384);
	size_t from = 0, n;

	for (n = 1; n < 16384; n++) {
		CU_ASSERT_EQUAL(spout__http_head_find(text, n, &from, &usual), 0);
		CU_ASSERT_EQUAL(from, n);
	}
	CU_ASSERT_EQUAL(spout__http_head_find(text, n, &from, &usual), 16384);
	free(text);
}

static void
what_follows_the_head_is_left_alone(void)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n\0\n\r\n\r\n";
	size_t from = 0;

	CU_ASSERT_EQUAL(spout__http_head_find(text, sizeof(text) - 1, &from, &usual), 27);
}

static void
two_empty_lines_are_skipped(void)
{
	CU_ASSERT_EQUAL(spout__http_skip_empty("GET", 3), 0);
	CU_ASSERT_EQUAL(spout__http_skip_empty("", 0), 0);
	CU_ASSERT_EQUAL(spout__http_skip_empty("\r", 1), 0);
	CU_ASSERT_EQUAL(spout__http_skip_empty("\r\nGET", 5), 2);
	CU_ASSERT_EQUAL(spout__http_skip_empty("\r\n\rG", 4), 2);
	CU_ASSERT_EQUAL(spout__http_skip_empty("\r\n\r\n\r\n", 6), 4);
	CU_ASSERT_EQUAL(spout__http_skip_empty("\n\n", 2), 0);
}

/* A CR that may be the first half of an empty line is neither refused nor passed. */
static void
lone_cr_waits_for_its_lf(void)
{
	size_t from = 0;

	CU_ASSERT_EQUAL(spout__http_head_find("\r", 1, &from, &usual), 0);
	CU_ASSERT_EQUAL(from, 0);
}

static const struct unit_test tests[] = {
	UNIT_TEST(request_line_has_a_limit),
	UNIT_TEST(head_has_a_limit),
	UNIT_TEST(line_limit_above_head_limit_is_head_limit),
	UNIT_TEST(too_long_is_refused_before_its_end_is_seen),
	UNIT_TEST(head_is_found_byte_by_byte),
	UNIT_TEST(find_refuses_as_soon_as_it_can),
	UNIT_TEST(no_byte_is_searched_twice),
	UNIT_TEST(what_follows_the_head_is_left_alone),
	UNIT_TEST(two_empty_lines_are_skipped),
	UNIT_TEST(lone_cr_waits_for_its_lf),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "finding heads", tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
