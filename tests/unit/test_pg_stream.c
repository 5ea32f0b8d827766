/* SPDX-License-Identifier: MIT */
/* Rows one by one, and COPY in both directions. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <spout/spout.h>

#include "async/async.h"
#include "pg_help.h"

/* Patient: the machine may have much else to do. */
static const struct setup usual = { .threads = 4,
	.options = { .acquire_ms = 30000, .connect_ms = 30000 } };

#define STREAM_TEST(name, body) \
	static void name(void) \
	{ \
		with_pool(&usual, body); \
	}

#define SERIES "SELECT i, 'row ' || i AS t FROM generate_series(1, $1::int) i"
/* So much that it fits into no buffer on the way; made while it is sent. */
#define ENDLESS \
	"SELECT t FROM (SELECT repeat('x', 100) AS t, generate_series(1, 100000000)) s"
#define WRITING \
	"SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'ClientWrite'"

/* The pool is whole, as soon as the server is through with what was cut off. */
static void
check_all(void)
{
	wait_until(sessions("active") == 0);
	check_whole(4);
}

/* --- rows ------------------------------------------------------------------------- */

static void
rows_in_order(void *arg)
{
	unsigned n = unit_scaled(20000), i = 0;
	struct spout_pg_stream *stream = spout_pg_stream(SERIES, n);
	struct spout_rows *row;
	char text[30];

	(void)arg;
	while ((row = spout_pg_stream_next(stream)) != NULL) {
		i++;
		snprintf(text, sizeof(text), "row %u", i);
		if (spout_rows_count(row) != 1 || spout_row_int(row, 0, "i") != i ||
		    strcmp(spout_row_text(row, 0, "t"), text) != 0)
			break;
	}
	CU_ASSERT_PTR_NULL(row);
	CU_ASSERT_EQUAL(i, n);
	CU_ASSERT_PTR_NULL(spout_pg_stream_next(stream));
	spout_pg_stream_close(stream);
	CU_ASSERT_PTR_NULL(spout_pg_stream_next(stream));
	check_all();
}
STREAM_TEST(rows_come_one_by_one, rows_in_order)

static void
no_rows(void *arg)
{
	static const char *const statements[] = { "SELECT 1 WHERE false",
		"CREATE TEMP TABLE nothing (n int)", "", "-- nothing" };
	struct spout_pg_stream *stream;
	struct spout_rows *row;
	size_t i;

	(void)arg;
	for (i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
		stream = spout_pg_stream(statements[i]);
		CU_ASSERT_PTR_NULL(spout_pg_stream_next(stream));
	}
	stream = spout_pg_stream("SELECT $1::text AS a, $2::bytea AS b", NULL,
	    spout_slice_of("\0\1", 2));
	row = spout_pg_stream_next(stream);
	CU_ASSERT_PTR_NOT_NULL_FATAL(row);
	CU_ASSERT_TRUE(spout_row_is_null(row, 0, "a"));
	CU_ASSERT_EQUAL(spout_row_bytes(row, 0, "b").len, 2);
}
STREAM_TEST(a_stream_may_have_no_rows, no_rows)

/* Read to the error. Returns how many rows came before it. */
static int
rows_before_error(struct spout_pg_stream *stream, int *ret_error)
{
	struct spout_rows *row;
	int n = 0, r;

	while ((r = spout_try_pg_stream_next(stream, &row)) > 0)
		n++;
	*ret_error = r;
	CU_ASSERT_EQUAL(spout_try_pg_stream_next(stream, &row), r);
	return n;
}

static void
errors(void *arg)
{
	struct spout_pg_stream *stream;
	int error;

	(void)arg;
	stream = spout_pg_stream("SELEC 1");
	CU_ASSERT_EQUAL(rows_before_error(stream, &error), 0);
	CU_ASSERT_EQUAL(error, -EIO);
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "42601");
	stream = spout_pg_stream(
	    "SELECT 1 / (1001 - i) FROM generate_series(1, 2000) i");
	CU_ASSERT_EQUAL(rows_before_error(stream, &error), 1000);
	CU_ASSERT_EQUAL(error, -EIO);
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "22012");
	stream = spout_pg_stream("COPY (SELECT 1) TO STDOUT");
	CU_ASSERT_EQUAL(rows_before_error(stream, &error), 0);
	CU_ASSERT_EQUAL(error, -EINVAL);
	stream = spout_pg_stream("SELECT pg_terminate_backend(pg_backend_pid())");
	(void)rows_before_error(stream, &error);
	CU_ASSERT_EQUAL(error, -EHOSTDOWN);
	CU_ASSERT_PTR_NULL(spout_try_pg_stream("SELECT $1::int", (void *)&error));
	CU_ASSERT_EQUAL(errno, EINVAL);
	check_all();
}
STREAM_TEST(an_error_comes_behind_its_rows, errors)

/* The server has to wait while nobody reads. */
static void
slow(void *arg)
{
	struct spout_pg_stream *stream = spout_pg_stream(ENDLESS);
	int i;

	(void)arg;
	for (i = 0; i < 100; i++)
		CU_ASSERT_PTR_NOT_NULL(spout_pg_stream_next(stream));
	wait_until(observe(WRITING) == 1);
	spout_sleep(20);
	CU_ASSERT_EQUAL(observe(WRITING), 1);
	for (i = 0; i < 100; i++)
		CU_ASSERT_PTR_NOT_NULL(spout_pg_stream_next(stream));
	spout_pg_stream_close(stream);
	CU_ASSERT_PTR_NULL(spout_pg_stream_next(stream));
	wait_until(sessions("active") == 0);
	check_all();
}
STREAM_TEST(nothing_is_read_ahead_of_a_slow_reader, slow)

static void
read_some(void *arg)
{
	struct spout_pg_stream *stream = spout_pg_stream(ENDLESS);
	int i;

	for (i = 0; i < 10; i++)
		spout_pg_stream_next(stream);
	*(bool *)arg = true;
	spout_sleep(SPOUT_FOREVER);
}

/* Reads as fast as it can. */
static void
read_all(void *arg)
{
	struct spout_pg_stream *stream = spout_pg_stream(ENDLESS);

	while (spout_pg_stream_next(stream) != NULL)
		*(bool *)arg = true;
}

static void
wait_for_row(void *arg)
{
	struct spout_pg_stream *stream = spout_pg_stream("SELECT pg_sleep(60)");

	*(bool *)arg = true;
	spout_pg_stream_next(stream);
}

static void
abandoned(void *arg)
{
	static const spout_fn fns[] = { read_some, read_all, wait_for_row };
	struct spout_coroutine *co;
	struct ending ending;
	bool reads;
	size_t i;

	(void)arg;
	for (i = 0; i < 3; i++) {
		reads = false;
		co = start(fns[i], &reads, 0, &ending);
		wait_until(reads && sessions("active") == 1);
		spout__coroutine_cancel(co, -ECANCELED, "client gone");
		wait_until(ending.gone);
		wait_until(sessions("active") == 0);
	}
	reads = false;
	start(wait_for_row, &reads, 100, &ending);
	wait_until(ending.gone);
	CU_ASSERT_EQUAL(ending.error, -ETIMEDOUT);
	wait_until(sessions("active") == 0);
	check_all();
}
STREAM_TEST(an_abandoned_stream_is_cancelled, abandoned)

/* A loop that has other things to do gets to do them. */
static void
fair(void *arg)
{
	struct spout_coroutine *co;
	struct ending ending;
	bool reads = false;
	int i;

	(void)arg;
	co = start(read_all, &reads, 0, &ending);
	wait_until(reads);
	for (i = 0; i < 20; i++) {
		spout_yield();
		CU_ASSERT_EQUAL(spout_rows_count(spout_pg_query("SELECT 7 AS n")), 1);
	}
	CU_ASSERT_FALSE(ending.gone);
	spout__coroutine_cancel(co, -ECANCELED, "client gone");
	wait_until(ending.gone);
}
STREAM_TEST(a_fast_stream_leaves_room_for_others, fair)

static void
large_row(void *arg)
{
	struct spout_pg_stream *stream;
	struct spout_rows *row;
	int error;

	(void)arg;
	stream = spout_pg_stream("SELECT repeat('x', 900000) AS t FROM "
				 "generate_series(1, 5)");
	while ((row = spout_pg_stream_next(stream)) != NULL)
		CU_ASSERT_EQUAL(spout_row_bytes(row, 0, "t").len, 900000);
	stream = spout_pg_stream("SELECT repeat('x', n) AS t FROM "
				 "(VALUES (10), (24000000)) AS v(n)");
	CU_ASSERT_EQUAL(rows_before_error(stream, &error), 1);
	CU_ASSERT_EQUAL(error, -EMSGSIZE);
	check_all();
}

static int
exec_large(struct pg_conn *conn, void *arg)
{
	(void)arg;
	if (spout_pg_exec(conn, "SELECT repeat('x', 1000) FROM "
				"generate_series(1, 900)") == NULL)
		return 1;
	if (spout_pg_exec(conn, "SELECT repeat('x', 1000) FROM "
				"generate_series(1, 99000)") != NULL)
		return 2;
	return spout_pg_exec_error(conn);
}

static void
large_result(void *arg)
{
	(void)arg;
	CU_ASSERT_EQUAL(spout_try_pg_run(exec_large, NULL), -EMSGSIZE);
	CU_ASSERT_STRING_EQUAL(spout_error(), "the result is larger than 1048576 bytes");
	wait_until(sessions("active") == 0);
	check_all();
}

static void
the_result_of_a_function_has_a_limit(void)
{
	with_pool(&(struct setup){ .threads = 4, .options.max_result_bytes = 1u << 20 },
	    large_result);
}

static void
a_row_has_a_limit(void)
{
	with_pool(&(struct setup){ .threads = 4, .options.max_result_bytes = 1u << 20 },
	    large_row);
}

static void
crowded(void *arg)
{
	struct spout_pg_stream *a = spout_pg_stream(ENDLESS), *b;

	(void)arg;
	b = spout_pg_stream(ENDLESS);
	CU_ASSERT_PTR_NULL(spout_try_pg_stream("SELECT 1"));
	CU_ASSERT_EQUAL(errno, ENOBUFS);
	CU_ASSERT_PTR_NULL(spout_try_pg_copy_out("COPY (SELECT 1) TO STDOUT"));
	CU_ASSERT_EQUAL(errno, ENOBUFS);
	spout_pg_stream_close(a);
	spout_pg_stream_close(b);
	wait_until((a = spout_try_pg_stream("SELECT 1")) != NULL);
	CU_ASSERT_PTR_NOT_NULL(spout_pg_stream_next(a));
}

static void
a_stream_waits_for_a_connection_but_not_for_ever(void)
{
	with_pool(
	    &(struct setup){ .threads = 2, .options.acquire_ms = 200,
		.options.connect_ms = 30000 }, crowded);
}

static void
nowhere(void *arg)
{
	(void)arg;
	CU_ASSERT_PTR_NULL(spout_try_pg_stream("SELECT 1"));
	CU_ASSERT_EQUAL(errno, EHOSTDOWN);
	CU_ASSERT_PTR_NULL(spout_try_pg_copy_in("COPY t FROM STDIN"));
	CU_ASSERT_EQUAL(errno, EHOSTDOWN);
}

static void
without_a_database_a_stream_says_so(void)
{
	with_pool(&(struct setup){ .threads = 2, .url = "" }, nowhere);
}

/* --- COPY in ---------------------------------------------------------------------- */

static int64_t
count_of(const char *table)
{
	char sql[100];

	snprintf(sql, sizeof(sql), "SELECT count(*) AS n FROM %s", table);
	return spout_row_int(spout_pg_query(sql), 0, "n");
}

static void
copy_rows(void *arg)
{
	static const char awkward[] = "a\tb\nc\rd\\e\\N \"'";
	struct spout_slice part = { "slice\tand more", 9 }, none = { NULL, 0 };
	struct spout_pg_copy *copy;
	struct spout_rows *rows;

	(void)arg;
	spout_pg_query("CREATE TABLE copied (id int, t text, d float8, b bool, x bytea)");
	copy = spout_pg_copy_in("COPY copied FROM STDIN");
	spout_pg_copy_row(copy, 1, awkward, 0.1, true, "\\x0102");
	spout_pg_copy_row(copy, INT32_MIN, NULL, NULL, NULL, none);
	spout_pg_copy_row(copy, 3, "", -(double)INFINITY, (bool)false, "");
	spout_pg_copy_row(copy, 4, part, 1e300, true, NULL);
	spout_pg_copy_row(copy, 5, "\\.", 5, true, NULL);
	CU_ASSERT_EQUAL(spout_pg_copy_end(copy), 5);
	CU_ASSERT_EQUAL(spout_try_pg_copy_row(copy, 1), -EINVAL);
	rows = spout_pg_query("SELECT * FROM copied ORDER BY abs(id::bigint)");
	CU_ASSERT_EQUAL_FATAL(spout_rows_count(rows), 5);
	CU_ASSERT_STRING_EQUAL(spout_row_text(rows, 0, "t"), awkward);
	CU_ASSERT_EQUAL(spout_row_double(rows, 0, "d"), 0.1);
	CU_ASSERT_TRUE(spout_row_bool(rows, 0, "b"));
	CU_ASSERT_EQUAL(spout_row_bytes(rows, 0, "x").len, 2);
	CU_ASSERT_STRING_EQUAL(spout_row_text(rows, 1, "t"), "");
	CU_ASSERT_FALSE(spout_row_bool(rows, 1, "b"));
	CU_ASSERT_STRING_EQUAL(spout_row_text(rows, 2, "t"), "slice\tand");
	CU_ASSERT_STRING_EQUAL(spout_row_text(rows, 3, "t"), "\\.");
	CU_ASSERT_EQUAL(spout_row_int(rows, 4, "id"), INT32_MIN);
	CU_ASSERT_TRUE(spout_row_is_null(rows, 4, "t"));
	CU_ASSERT_TRUE(spout_row_is_null(rows, 4, "d"));
	CU_ASSERT_TRUE(spout_row_is_null(rows, 4, "x"));
	spout_pg_query("DROP TABLE copied");
	check_all();
}
STREAM_TEST(rows_are_copied_with_their_escapes, copy_rows)

static void
copy_csv(void *arg)
{
	static const char csv[] = "id,t\n1,\"one, \"\"1\"\"\"\n2,\n3,\"\"\n";
	struct spout_pg_copy *copy;
	struct spout_rows *rows;
	size_t i;

	(void)arg;
	spout_pg_query("CREATE TABLE csv (id int, t text)");
	copy = spout_pg_copy_in("COPY csv FROM STDIN (FORMAT csv, HEADER)");
	for (i = 0; i < sizeof(csv) - 1; i++)
		spout_pg_copy_write(copy, csv + i, 1);
	spout_pg_copy_write(copy, NULL, 0);
	CU_ASSERT_EQUAL(spout_pg_copy_end(copy), 3);
	rows = spout_pg_query("SELECT * FROM csv ORDER BY id");
	CU_ASSERT_STRING_EQUAL(spout_row_text(rows, 0, "t"), "one, \"1\"");
	CU_ASSERT_TRUE(spout_row_is_null(rows, 1, "t"));
	CU_ASSERT_STRING_EQUAL(spout_row_text(rows, 2, "t"), "");
	/* Nothing at all is no error. */
	CU_ASSERT_EQUAL(spout_pg_copy_end(spout_pg_copy_in("COPY csv FROM STDIN")), 0);
	spout_pg_query("DROP TABLE csv");
}
STREAM_TEST(csv_may_be_cut_anywhere, copy_csv)

static void
copy_large(void *arg)
{
	unsigned n = unit_scaled(20000), i;
	struct spout_pg_copy *in, *out;
	struct spout_slice part;
	char *text = spout_alloc(200000);
	struct spout_rows *rows;

	(void)arg;
	spout_pg_query("CREATE TABLE large (id int, t text)");
	spout_pg_query("CREATE TABLE binary_copy (id int, t text)");
	in = spout_pg_copy_in("COPY large FROM STDIN");
	for (i = 0; i < n; i++)
		spout_pg_copy_row(in, i, "some text, as long as texts are");
	memset(text, 'y', 200000);
	text[199999] = '\0';
	spout_pg_copy_row(in, -1, text);
	CU_ASSERT_EQUAL(spout_pg_copy_end(in), n + 1);
	out = spout_pg_copy_out("COPY large TO STDOUT (FORMAT binary)");
	in = spout_pg_copy_in("COPY binary_copy FROM STDIN (FORMAT binary)");
	while ((part = spout_pg_copy_read(out)).len > 0)
		spout_pg_copy_write(in, part.data, part.len);
	CU_ASSERT_EQUAL(spout_pg_copy_read(out).len, 0);
	CU_ASSERT_EQUAL(spout_pg_copy_end(in), n + 1);
	rows = spout_pg_query("SELECT (SELECT md5(string_agg(l::text, '' ORDER BY id)) "
			      "FROM large l) = (SELECT md5(string_agg(b::text, '' "
			      "ORDER BY id)) FROM binary_copy b) AS same");
	CU_ASSERT_TRUE(spout_row_bool(rows, 0, "same"));
	spout_pg_query("DROP TABLE large, binary_copy");
	check_all();
}
STREAM_TEST(large_data_goes_out_and_in_again, copy_large)

/* Write that for as long as the server takes it. Returns -errno, and after how much. */
static int
write_until_error(struct spout_pg_copy *copy, const char *text, size_t *ret_bytes)
{
	int r = 0;

	for (*ret_bytes = 0; r == 0 && *ret_bytes < (256u << 20);
	     *ret_bytes += strlen(text))
		r = spout_try_pg_copy_write(copy, text, strlen(text));
	return r;
}

static void
copy_errors(void *arg)
{
	struct spout_pg_copy *copy;
	uint64_t rows = 77;
	char *text = spout_alloc(65536);
	size_t bytes;

	(void)arg;
	spout_pg_query("CREATE TABLE faulty (id int)");
	/* At the end. */
	copy = spout_pg_copy_in("COPY faulty FROM STDIN");
	spout_pg_copy_row(copy, 1);
	spout_pg_copy_row(copy, "one");
	CU_ASSERT_EQUAL(spout_try_pg_copy_end(copy, &rows), -EIO);
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "22P02");
	CU_ASSERT_EQUAL(spout_try_pg_copy_end(copy, &rows), -EIO);
	CU_ASSERT_EQUAL(rows, 77);
	/* In the middle, long before the end. */
	memset(text, '1', 65536);
	memcpy(text, "one\n", 4);
	text[65535] = '\0';
	copy = spout_pg_copy_in("COPY faulty FROM STDIN");
	CU_ASSERT_EQUAL(write_until_error(copy, text, &bytes), -EIO);
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "22P02");
	CU_ASSERT(bytes < (256u << 20));
	/* It is killed. */
	copy = spout_pg_copy_in("COPY faulty FROM STDIN");
	CU_ASSERT_EQUAL(observe("SELECT count(pg_terminate_backend(pid)) FROM "
				"pg_stat_activity WHERE query LIKE 'COPY faulty%' AND "
				"state = 'active' AND pid <> pg_backend_pid()"),
	    1);
	CU_ASSERT_EQUAL(write_until_error(copy, "1\n", &bytes), -EHOSTDOWN);
	CU_ASSERT_EQUAL(count_of("faulty"), 0);
	spout_pg_query("DROP TABLE faulty");
	check_all();
}
STREAM_TEST(what_the_server_refuses_is_said_early, copy_errors)

static void
two_copies(void *arg)
{
	struct spout_pg_copy *copy;
	uint64_t rows;

	(void)arg;
	spout_pg_query("CREATE TABLE twice (n int)");
	copy = spout_pg_copy_in("COPY twice FROM STDIN; COPY twice FROM STDIN");
	CU_ASSERT_EQUAL(spout_try_pg_copy_end(copy, &rows), -EINVAL);
	check_all();
}
STREAM_TEST(a_second_copy_in_one_statement_is_refused, two_copies)

static void
no_copy(void *arg)
{
	static const struct {
		const char *sql;
		bool out;
		int error;
	} wrong[] = { { "COPY nowhere FROM STDIN", false, EIO },
		{ "SELECT 1", false, EINVAL }, { "SELECT 1", true, EINVAL },
		{ "COPY (SELECT 1) TO STDOUT", false, EINVAL },
		{ "COPY other FROM STDIN", true, EINVAL }, { "", true, EINVAL },
		{ "COPY", true, EIO } };
	struct spout_pg_copy *copy;
	struct spout_slice data;
	size_t i;

	(void)arg;
	spout_pg_query("CREATE TABLE other (id int)");
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		copy = wrong[i].out ? spout_try_pg_copy_out(wrong[i].sql)
				    : spout_try_pg_copy_in(wrong[i].sql);
		CU_ASSERT_PTR_NULL(copy);
		CU_ASSERT_EQUAL(errno, wrong[i].error);
	}
	copy = spout_pg_copy_in("COPY other FROM STDIN");
	CU_ASSERT_EQUAL(spout_try_pg_copy_read(copy, &data), -EINVAL);
	CU_ASSERT_EQUAL(spout_try_pg_copy_row(copy, (void *)&copy), -EINVAL);
	CU_ASSERT_EQUAL(spout_try_pg_copy_row_with(copy, NULL, 0), -EINVAL);
	spout_pg_copy_row(copy, 1);
	CU_ASSERT_EQUAL(spout_pg_copy_end(copy), 1);
	copy = spout_pg_copy_out("COPY other TO STDOUT");
	CU_ASSERT_EQUAL(spout_try_pg_copy_write(copy, "x", 1), -EINVAL);
	CU_ASSERT_EQUAL(spout_try_pg_copy_row(copy, 1), -EINVAL);
	CU_ASSERT(spout_slice_equal(spout_pg_copy_read(copy), "1\n"));
	CU_ASSERT_EQUAL(spout_pg_copy_read(copy).len, 0);
	CU_ASSERT_EQUAL(spout_pg_copy_read(copy).len, 0);
	spout_pg_query("DROP TABLE other");
	check_all();
}
STREAM_TEST(what_is_no_copy_is_refused, no_copy)

static void
copy_and_wait(void *arg)
{
	struct spout_pg_copy *copy = spout_pg_copy_in("COPY given_up FROM STDIN");

	spout_pg_copy_row(copy, 1);
	*(bool *)arg = true;
	spout_sleep(SPOUT_FOREVER);
}

/* The server takes its time over each row. */
static void
copy_for_ever(void *arg)
{
	struct spout_pg_copy *copy = spout_pg_copy_in("COPY slowly FROM STDIN");
	char *text = spout_alloc(65536);

	memset(text, '\n', 65536);
	for (;;) {
		spout_pg_copy_write(copy, text, 65536);
		++*(unsigned *)arg;
	}
}

static void
copy_given_up(void *arg)
{
	struct spout_pg_copy *copy;
	struct spout_coroutine *co;
	struct ending ending;
	unsigned written = 0, before;
	bool waits = false;

	(void)arg;
	spout_pg_query("CREATE TABLE given_up (id int)");
	copy = spout_pg_copy_in("COPY given_up FROM STDIN");
	spout_pg_copy_row(copy, 1);
	spout_pg_copy_close(copy);
	CU_ASSERT_EQUAL(spout_try_pg_copy_row(copy, 1), -EINVAL);
	co = start(copy_and_wait, &waits, 0, &ending);
	wait_until(waits);
	spout__coroutine_cancel(co, -ECANCELED, "client gone");
	wait_until(ending.gone);
	wait_until(sessions("active") == 0);
	CU_ASSERT_EQUAL(count_of("given_up"), 0);

	spout_pg_query("CREATE TABLE slowly (t text)");
	spout_pg_query("CREATE FUNCTION doze() RETURNS trigger LANGUAGE plpgsql AS "
		       "'BEGIN PERFORM pg_sleep(0.01); RETURN new; END'");
	spout_pg_query("CREATE TRIGGER doze BEFORE INSERT ON slowly FOR EACH ROW "
		       "EXECUTE FUNCTION doze()");
	co = start(copy_for_ever, &written, 0, &ending);
	do {
		before = written;
		spout_sleep(100);
	} while (written == 0 || before != written);
	CU_ASSERT(written < 1000);
	spout__coroutine_cancel(co, -ECANCELED, "client gone");
	wait_until(ending.gone);
	wait_until(sessions("active") == 0);
	CU_ASSERT_EQUAL(count_of("slowly"), 0);
	spout_pg_query("DROP TABLE given_up, slowly");
	spout_pg_query("DROP FUNCTION doze");
	check_all();
}
STREAM_TEST(of_a_copy_that_is_given_up_nothing_stays, copy_given_up)

/* --- COPY out --------------------------------------------------------------------- */

static void
copy_out_errors(void *arg)
{
	struct spout_pg_copy *copy;
	struct spout_slice data;
	size_t bytes = 0;
	int r;

	(void)arg;
	copy = spout_pg_copy_out("COPY (SELECT 1 / (10001 - i) FROM "
				 "generate_series(1, 20000) i) TO STDOUT");
	while ((r = spout_try_pg_copy_read(copy, &data)) > 0)
		bytes += data.len;
	CU_ASSERT_EQUAL(r, -EIO);
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "22012");
	CU_ASSERT_EQUAL(bytes, 20000);
	CU_ASSERT_EQUAL(spout_try_pg_copy_read(copy, &data), -EIO);
	copy = spout_pg_copy_out("COPY (" ENDLESS ") TO STDOUT");
	CU_ASSERT_EQUAL(observe("SELECT count(pg_terminate_backend(pid)) FROM "
				"pg_stat_activity WHERE query LIKE 'COPY (SELECT t%' "
				"AND pid <> pg_backend_pid()"),
	    1);
	while ((r = spout_try_pg_copy_read(copy, &data)) > 0)
		continue;
	CU_ASSERT_EQUAL(r, -EHOSTDOWN);
	check_all();
}
STREAM_TEST(an_error_comes_behind_the_data, copy_out_errors)

static void
copy_out_slow(void *arg)
{
	struct spout_pg_copy *copy = spout_pg_copy_out("COPY (" ENDLESS ") TO STDOUT");
	struct spout_slice data;

	(void)arg;
	data = spout_pg_copy_read(copy);
	CU_ASSERT(data.len >= 101 && data.len <= 65536);
	CU_ASSERT_EQUAL(data.len % 101, 0);
	wait_until(observe(WRITING) == 1);
	spout_sleep(20);
	CU_ASSERT_EQUAL(observe(WRITING), 1);
	CU_ASSERT_EQUAL(spout_pg_copy_read(copy).len % 101, 0);
	spout_pg_copy_close(copy);
	CU_ASSERT_EQUAL(spout_pg_copy_read(copy).len, 0);
	wait_until(sessions("active") == 0);
	check_all();
}
STREAM_TEST(nothing_is_copied_ahead_of_a_slow_reader, copy_out_slow)

static const struct unit_test row_tests[] = {
	UNIT_TEST(rows_come_one_by_one),
	UNIT_TEST(a_stream_may_have_no_rows),
	UNIT_TEST(an_error_comes_behind_its_rows),
	UNIT_TEST(nothing_is_read_ahead_of_a_slow_reader),
	UNIT_TEST(an_abandoned_stream_is_cancelled),
	UNIT_TEST(a_fast_stream_leaves_room_for_others),
	UNIT_TEST(a_row_has_a_limit),
	UNIT_TEST(the_result_of_a_function_has_a_limit),
	UNIT_TEST(a_stream_waits_for_a_connection_but_not_for_ever),
	UNIT_TEST(without_a_database_a_stream_says_so),
	UNIT_END,
};

static const struct unit_test copy_tests[] = {
	UNIT_TEST(rows_are_copied_with_their_escapes),
	UNIT_TEST(csv_may_be_cut_anywhere),
	UNIT_TEST(large_data_goes_out_and_in_again),
	UNIT_TEST(what_the_server_refuses_is_said_early),
	UNIT_TEST(a_second_copy_in_one_statement_is_refused),
	UNIT_TEST(what_is_no_copy_is_refused),
	UNIT_TEST(of_a_copy_that_is_given_up_nothing_stays),
	UNIT_TEST(an_error_comes_behind_the_data),
	UNIT_TEST(nothing_is_copied_ahead_of_a_slow_reader),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "rows", row_tests },
		{ "COPY", copy_tests }, { NULL, NULL } };
	int status = cluster_start();

	return status != 0 ? status : unit_run(argc, argv, suites);
}
