/* SPDX-License-Identifier: MIT */
/* Queries, their parameters and rows; functions and transactions on a connection. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <spout/spout.h>

#include "pg_help.h"

static const struct setup usual;

#define QUERY_TEST(name, body) \
	static void name(void) \
	{ \
		with_pool(&usual, body); \
	}

/* Start fn in a coroutine of its own and wait until it is gone. */
static struct ending
end_of(spout_fn fn, void *arg, uint64_t timeout_ms)
{
	struct ending ending;

	start(fn, arg, timeout_ms, &ending);
	wait_until(ending.gone);
	return ending;
}

/* --- parameters ------------------------------------------------------------------- */

static void
integers(void *arg)
{
	struct spout_rows *rows;
	unsigned char byte = 255;
	short small = SHRT_MIN;
	size_t size = 77;
	const int constant = -3;
	enum { ONE = 1 } one = ONE;

	(void)arg;
	rows =
	    spout_pg_query("SELECT $1::bigint a, $2::bigint b, $3::numeric c, $4::int d, "
			   "$5::smallint e, $6::bigint f, $7::int g, $8::int h",
		INT64_MIN, INT64_MAX, UINT64_MAX, byte, small, size, constant, one);
	CU_ASSERT_EQUAL_FATAL(spout_rows_count(rows), 1);
	CU_ASSERT_EQUAL(spout_rows_columns(rows), 8);
	CU_ASSERT_EQUAL(spout_row_int(rows, 0, "a"), INT64_MIN);
	CU_ASSERT_EQUAL(spout_row_int(rows, 0, "b"), INT64_MAX);
	CU_ASSERT_STRING_EQUAL(spout_row_text(rows, 0, "c"), "18446744073709551615");
	CU_ASSERT_EQUAL(spout_row_int(rows, 0, "d"), 255);
	CU_ASSERT_EQUAL(spout_row_int(rows, 0, "e"), SHRT_MIN);
	CU_ASSERT_EQUAL(spout_row_int(rows, 0, "f"), 77);
	CU_ASSERT_EQUAL(spout_row_int(rows, 0, "g"), -3);
	CU_ASSERT_EQUAL(spout_row_int(rows, 0, "h"), 1);
}
QUERY_TEST(integers_of_every_size_come_back, integers)

static void
numbers(void *arg)
{
	struct spout_rows *rows;
	float quarter = 0.25f;

	(void)arg;
	rows = spout_pg_query(
	    "SELECT $1::float8 a, $2::float8 b, $3::float8 c, $4::float8 d, "
	    "$5::float8 e, $6::float4 f, $7::bool g, $8::bool h",
	    0.1, -1.7976931348623157e308, (double)NAN, (double)INFINITY,
	    -(double)INFINITY, quarter, (bool)true, false);
	CU_ASSERT_EQUAL(spout_row_double(rows, 0, "a"), 0.1);
	CU_ASSERT_EQUAL(spout_row_double(rows, 0, "b"), -1.7976931348623157e308);
	CU_ASSERT(isnan(spout_row_double(rows, 0, "c")));
	CU_ASSERT_EQUAL(spout_row_double(rows, 0, "d"), INFINITY);
	CU_ASSERT_EQUAL(spout_row_double(rows, 0, "e"), -INFINITY);
	CU_ASSERT_EQUAL(spout_row_double(rows, 0, "f"), 0.25);
	CU_ASSERT_TRUE(spout_row_bool(rows, 0, "g"));
	CU_ASSERT_FALSE(spout_row_bool(rows, 0, "h"));
}
QUERY_TEST(doubles_and_bools_come_back, numbers)

static void
texts(void *arg)
{
	struct spout_rows *rows;
	char array[] = "o'clock \\ \"x\" \xc3\xa4";
	const char *none = NULL;

	(void)arg;
	rows = spout_pg_query(
	    "SELECT $1::text a, $2::text b, $3::text c, $4::text d, $5::int e", array, "",
	    none, NULL, NULL);
	CU_ASSERT_STRING_EQUAL(spout_row_text(rows, 0, "a"), array);
	CU_ASSERT_STRING_EQUAL(spout_row_text(rows, 0, "b"), "");
	CU_ASSERT_FALSE(spout_row_is_null(rows, 0, "b"));
	CU_ASSERT_PTR_NULL(spout_row_text(rows, 0, "c"));
	CU_ASSERT_TRUE(spout_row_is_null(rows, 0, "d"));
	CU_ASSERT_TRUE(spout_row_is_null(rows, 0, "e"));
}
QUERY_TEST(text_and_null_come_back, texts)

static void
slices(void *arg)
{
	static const char binary[] = { 0, 1, '\\', 'x', (char)0xff, '\'' };
	struct spout_slice part = { "hello world", 5 }, none = { NULL, 0 };
	struct spout_rows *rows;
	struct spout_slice back;

	(void)arg;
	rows = spout_pg_query("SELECT $1::bytea a, $2::text b, $3::json c, $4::bytea d, "
			      "$5::bytea e",
	    spout_slice_of(binary, sizeof(binary)), part, spout_slice("{\"a\":[1]}"),
	    spout_slice_of("", 0), none);
	back = spout_row_bytes(rows, 0, "a");
	CU_ASSERT_EQUAL_FATAL(back.len, sizeof(binary));
	CU_ASSERT_EQUAL(memcmp(back.data, binary, sizeof(binary)), 0);
	CU_ASSERT_STRING_EQUAL(spout_row_text(rows, 0, "b"), "hello");
	CU_ASSERT(spout_slice_equal(spout_row_bytes(rows, 0, "b"), "hello"));
	CU_ASSERT_STRING_EQUAL(spout_row_text(rows, 0, "c"), "{\"a\":[1]}");
	CU_ASSERT_FALSE(spout_row_is_null(rows, 0, "d"));
	CU_ASSERT_EQUAL(spout_row_bytes(rows, 0, "d").len, 0);
	CU_ASSERT_TRUE(spout_row_is_null(rows, 0, "e"));
	CU_ASSERT_PTR_NULL(spout_row_bytes(rows, 0, "e").data);
}
QUERY_TEST(slices_carry_bytes, slices)

static void
types(void *arg)
{
	struct spout_rows *rows;

	(void)arg;
	spout_pg_query(
	    "CREATE TABLE typed (id int PRIMARY KEY, score numeric, ok boolean, "
	    "name varchar(20), at timestamptz, tags text[])");
	rows = spout_pg_query("INSERT INTO typed VALUES ($1, $2, $3, $4, $5, $6)", 7, 1.5,
	    true, "seven", "2026-01-02 03:04:05+00", "{a,b}");
	CU_ASSERT_EQUAL(spout_rows_affected(rows), 1);
	CU_ASSERT_EQUAL(spout_rows_count(rows), 0);
	rows =
	    spout_pg_query("SELECT * FROM typed WHERE id = $1 AND score < $2 AND ok = $3 "
			   "AND name = $4 LIMIT $5",
		7L, 2, true, "seven", 10);
	CU_ASSERT_EQUAL(spout_rows_count(rows), 1);
	CU_ASSERT_STRING_EQUAL(spout_row_text(rows, 0, "tags"), "{a,b}");
	CU_ASSERT_EQUAL(spout_rows_kind(rows, 0), SPOUT_COLUMN_INT);
	CU_ASSERT_EQUAL(spout_rows_kind(rows, 1), SPOUT_COLUMN_NUMBER);
	CU_ASSERT_EQUAL(spout_rows_kind(rows, 2), SPOUT_COLUMN_BOOL);
	CU_ASSERT_EQUAL(spout_rows_kind(rows, 3), SPOUT_COLUMN_TEXT);
	CU_ASSERT_STRING_EQUAL(spout_rows_name(rows, 3), "name");
	CU_ASSERT_EQUAL(spout_rows_column(rows, "ok"), 2);
	CU_ASSERT_EQUAL(spout_rows_column(rows, "OK"), -ENOENT);
	CU_ASSERT_EQUAL(spout_rows_type(rows, 4), 1184);
	CU_ASSERT(spout_slice_equal(spout_rows_value(rows, 0, 3), "seven"));
	spout_pg_query("DROP TABLE typed");
	rows = spout_pg_query("SELECT '{}'::jsonb a, '\\x00'::bytea b");
	CU_ASSERT_EQUAL(spout_rows_kind(rows, 0), SPOUT_COLUMN_JSON);
	CU_ASSERT_EQUAL(spout_rows_kind(rows, 1), SPOUT_COLUMN_BYTES);
}
QUERY_TEST(parameters_take_the_type_of_their_place, types)

static void
copies(void *arg)
{
	char sql[] = "SELECT $1::text || $2 AS t", text[] = "before", bytes[] = "bytes";
	struct spout_future *future;

	(void)arg;
	future = spout_pg_query_async(sql, text, spout_slice_of(bytes, 5));
	memset(sql, 'x', sizeof(sql));
	memset(text, 'x', sizeof(text));
	memset(bytes, 'x', sizeof(bytes));
	CU_ASSERT_STRING_EQUAL(
	    spout_row_text(spout_future_rows(future), 0, "t"), "beforebytes");
}
QUERY_TEST(query_async_copies_statement_and_parameters, copies)

static void
many(void *arg)
{
	struct spout_pg_param params[100];
	struct spout_rows *rows;
	char sql[1000] = "SELECT $1::int";
	int i;

	(void)arg;
	for (i = 0; i < 100; i++) {
		params[i] = SPOUT_PG_PARAM(i);
		if (i > 0)
			sprintf(sql + strlen(sql), " + $%d", i + 1);
	}
	rows = spout_pg_query_with(strcat(sql, " AS sum"), params, 100);
	CU_ASSERT_EQUAL(spout_row_int(rows, 0, "sum"), 4950);
	CU_ASSERT_PTR_NULL(spout_try_pg_query_with("SELECT 1", params, 70000));
	CU_ASSERT_EQUAL(errno, EINVAL);
}
QUERY_TEST(any_number_of_parameters_can_be_given, many)

static void
several_at_once(void *arg)
{
	struct spout_future *a = spout_pg_query_async("SELECT 1 AS n, pg_sleep(1)");
	struct spout_future *b = spout_pg_query_async("SELECT 2 AS n, pg_sleep(1)");
	struct spout_future *c = spout_pg_query_async("SELECT 1/0");
	uint64_t start_ms = spout_loop_now_ms(loop);

	(void)arg;
	CU_ASSERT_EQUAL(spout_try_await_all(SPOUT_FOREVER, a, b, c), 0);
	CU_ASSERT(spout_loop_now_ms(loop) - start_ms < 1900);
	CU_ASSERT_EQUAL(spout_row_int(spout_future_rows(a), 0, "n"), 1);
	CU_ASSERT_EQUAL(spout_row_int(spout_future_rows(b), 0, "n"), 2);
	CU_ASSERT_STRING_EQUAL(spout_future_sqlstate(c), "22012");
	CU_ASSERT_STRING_EQUAL(spout_future_sqlstate(a), "");
	CU_ASSERT_PTR_NULL(spout_try_future_rows(c));
	CU_ASSERT_EQUAL(errno, EIO);
}
QUERY_TEST(queries_run_at_the_same_time, several_at_once)

/* --- failures --------------------------------------------------------------------- */

static void
divide(void *arg)
{
	(void)arg;
	spout_pg_query("SELECT 1/$1::int", 0);
	CU_FAIL("a failed query returned");
}

static void
server_errors(void *arg)
{
	struct ending ending;

	(void)arg;
	CU_ASSERT_PTR_NULL(spout_try_pg_query("SELEC 1"));
	CU_ASSERT_EQUAL(errno, EIO);
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "42601");
	CU_ASSERT_PTR_NOT_NULL(strstr(spout_error(), "syntax error"));
	CU_ASSERT_PTR_NULL(spout_try_pg_query("SELECT $1::int", "no number"));
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "22P02");
	CU_ASSERT_PTR_NULL(spout_try_pg_query("SELECT 1; SELECT 2"));
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "42601");
	CU_ASSERT_PTR_NULL(spout_try_pg_query("SELECT $1"));
	CU_ASSERT_PTR_NULL(spout_try_pg_query("COPY (SELECT 1) TO STDOUT"));
	CU_ASSERT_EQUAL(errno, EINVAL);
	CU_ASSERT_PTR_NULL(spout_try_pg_query(
	    "DO $$ BEGIN RAISE NOTICE 'psst'; RAISE unique_violation; END $$"));
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "23505");
	ending = end_of(divide, NULL, 0);
	CU_ASSERT_EQUAL(ending.error, -EIO);
	CU_ASSERT_STRING_EQUAL(ending.reason, "SQLSTATE 22012: division by zero");
	CU_ASSERT_EQUAL(spout_row_int(spout_pg_query("SELECT 1 AS n"), 0, "n"), 1);
	CU_ASSERT_STRING_EQUAL(spout_row_text(spout_pg_query(""), 0, "x"), "");
}

static void
server_errors_leave(void *arg)
{
	struct ending ending = end_of(server_errors, arg, 0);

	/* An empty statement has no rows. */
	CU_ASSERT_EQUAL(ending.error, -EINVAL);
	CU_ASSERT_STRING_EQUAL(ending.reason, "the result has no column \"x\"");
}
QUERY_TEST(server_errors_have_their_sqlstate, server_errors_leave)

struct question {
	const char *sql, *column, *answer;
	int kind;
};

static void
ask(void *arg)
{
	const struct question *question = arg;
	struct spout_rows *rows = spout_pg_query_with(question->sql, NULL, 0);

	switch (question->kind) {
	case 'i':
		spout_row_int(rows, 0, question->column);
		break;
	case 'd':
		spout_row_double(rows, 0, question->column);
		break;
	case 'b':
		spout_row_bool(rows, 0, question->column);
		break;
	case 'n':
		spout_rows_name(rows, 1);
		break;
	case 'r':
		spout_rows_value(rows, 1, 0);
		break;
	case 'f':
		spout_future_rows(spout_future_new());
		break;
	default:
		spout_row_text(rows, 1, question->column);
	}
	CU_FAIL("a mistake was not noticed");
}

static void
mistakes(void *arg)
{
	static const struct question questions[] = {
		{ "SELECT 1 AS a", "A", "the result has no column \"A\"", 'i' },
		{ "SELECT 1 AS a", "a", "there is no row 1: the result has 1", 't' },
		{ "SELECT NULL::int AS a", "a",
		    "column \"a\" is NULL, a whole number was "
		    "asked for",
		    'i' },
		{ "SELECT 1.5 AS a", "a",
		    "column \"a\" holds \"1.5\", no whole number of 64 bits", 'i' },
		{ "SELECT 9223372036854775808 AS a", "a",
		    "column \"a\" holds "
		    "\"9223372036854775808\", no whole number of 64 bits",
		    'i' },
		{ "SELECT '' AS a", "a", "column \"a\" holds \"\", no number", 'd' },
		{ "SELECT 1 AS a", "a", "column \"a\" holds \"1\", no boolean", 'b' },
		{ "SELECT 1 AS a", "a", "there is no column 1: the result has 1", 'n' },
		{ "SELECT 1 AS a", "a", "there is no row 1: the result has 1", 'r' },
		{ "SELECT 1 AS a", "a", "spout_future_rows: not the future of a query",
		    'f' },
	};
	struct ending ending;
	int somewhere;
	size_t i;

	(void)arg;
	for (i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
		ending = end_of(ask, (void *)&questions[i], 0);
		CU_ASSERT_EQUAL(ending.error, -EINVAL);
		CU_ASSERT_STRING_EQUAL(ending.reason, questions[i].answer);
	}
	CU_ASSERT_PTR_NULL(spout_try_pg_query("SELECT $1", (void *)&somewhere));
	CU_ASSERT_EQUAL(errno, EINVAL);
}
QUERY_TEST(mistakes_with_rows_leave_and_say_why, mistakes)

static void
unconfigured(void *arg)
{
	(void)arg;
	CU_ASSERT_PTR_NULL(spout_try_pg_query("SELECT 1"));
	CU_ASSERT_EQUAL(errno, EHOSTDOWN);
	CU_ASSERT_STRING_EQUAL(
	    spout_error(), "no database is configured (--database or DATABASE_URL)");
}

static void
without_a_url_every_call_says_so(void)
{
	with_pool(&(struct setup){ .url = "" }, unconfigured);
}

static void
a_bad_url_is_refused(void)
{
	char why[200];

	CU_ASSERT_EQUAL(
	    spout__pg_check_url("postgresql://h/%zz", why, sizeof(why)), -EINVAL);
	CU_ASSERT(strlen(why) > 0);
	CU_ASSERT_EQUAL(spout__pg_check_url("nonsense=1", why, sizeof(why)), -EINVAL);
	CU_ASSERT_EQUAL(spout__pg_check_url("postgresql:///x", why, sizeof(why)), 0);
}

/* --- functions -------------------------------------------------------------------- */

static int
plain_libpq(PGconn *conn, void *arg)
{
	PGresult *result = PQexec(conn, "SELECT 40 + 2");
	int n = PQisnonblocking(conn) ? -EINVAL : atoi(PQgetvalue(result, 0, 0));

	PQclear(result);
	return n + *(int *)arg;
}

static int
fails_by_itself(PGconn *conn, void *arg)
{
	(void)conn, (void)arg;
	return -EPERM;
}

static int
fails_on_the_server(PGconn *conn, void *arg)
{
	(void)arg;
	return spout_pg_exec(conn, "SELECT 1/$1::int", 0) != NULL
	    ? 0
	    : spout_pg_exec_error(conn);
}

static int
asks_wrongly(PGconn *conn, void *arg)
{
	struct spout_rows *rows = spout_pg_exec(conn, "SELECT 1 AS a");

	(void)arg;
	return (int)spout_row_int(rows, 0, "b");
}

static int
leaves_a_transaction_open(PGconn *conn, void *arg)
{
	(void)arg;
	return spout_pg_exec(conn, "BEGIN") != NULL &&
		spout_pg_exec(conn, "CREATE TABLE never (a int)") != NULL
	    ? 0
	    : -EIO;
}

static void
functions(void *arg)
{
	int one = 1;

	(void)arg;
	CU_ASSERT_EQUAL(spout_pg_run(plain_libpq, &one), 43);
	CU_ASSERT_EQUAL(spout_try_pg_run(fails_by_itself, NULL), -EPERM);
	CU_ASSERT_STRING_EQUAL(spout_error(), "fails_by_itself: Operation not permitted");
	CU_ASSERT_EQUAL(spout_try_pg_run(fails_on_the_server, NULL), -EIO);
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "22012");
	CU_ASSERT_EQUAL(spout_try_pg_run(asks_wrongly, NULL), -EINVAL);
	CU_ASSERT_STRING_EQUAL(spout_error(), "the result has no column \"b\"");
	CU_ASSERT_EQUAL(spout_try_pg_run(leaves_a_transaction_open, NULL), 0);
	CU_ASSERT_EQUAL(sessions("idle in transaction%"), 0);
	CU_ASSERT_EQUAL(
	    observe("SELECT count(*) FROM pg_class WHERE relname = 'never'"), 0);
	CU_ASSERT_PTR_NOT_NULL(spout_try_pg_query("BEGIN"));
	CU_ASSERT_EQUAL(sessions("idle in transaction%"), 0);
	CU_ASSERT(sessions("%") == 1 || through_pooler);
}
QUERY_TEST(functions_have_a_connection_and_leave_it_clean, functions)

/* --- transactions ----------------------------------------------------------------- */

static int
add_row(PGconn *conn, void *arg)
{
	int r = *(int *)arg;

	if (spout_pg_exec(conn, "INSERT INTO t VALUES (1)") == NULL)
		return spout_pg_exec_error(conn);
	return r;
}

static int
overlooks_an_error(PGconn *conn, void *arg)
{
	(void)arg;
	PQclear(PQexec(conn, "INSERT INTO t VALUES (2)"));
	PQclear(PQexec(conn, "SELECT 1/0"));
	PQclear(PQexec(conn, "INSERT INTO t VALUES (3)"));
	return 0;
}

static int
commits_itself(PGconn *conn, void *arg)
{
	(void)arg;
	PQclear(PQexec(conn, "COMMIT"));
	return 0;
}

static int
recovers_by_savepoint(PGconn *conn, void *arg)
{
	(void)arg;
	PQclear(PQexec(conn, "SAVEPOINT s"));
	PQclear(PQexec(conn, "SELECT 1/0"));
	PQclear(PQexec(conn, "ROLLBACK TO s"));
	PQclear(PQexec(conn, "INSERT INTO t VALUES (4)"));
	return 5;
}

static int
shows_settings(PGconn *conn, void *arg)
{
	struct spout_rows *rows = spout_pg_exec(conn,
	    "SELECT "
	    "current_setting('transaction_isolation') AS level, "
	    "current_setting('transaction_read_only') AS ro, "
	    "current_setting('transaction_deferrable') AS de");

	snprintf(arg, 60, "%s %s %s", spout_row_text(rows, 0, "level"),
	    spout_row_text(rows, 0, "ro"), spout_row_text(rows, 0, "de"));
	return 0;
}

static void
transactions(void *arg)
{
	int seven = 7, broken = -EPERM;
	char text[60];

	(void)arg;
	spout_pg_query("CREATE TABLE t (n int)");
	CU_ASSERT_EQUAL(spout_pg_transaction(add_row, &seven), 7);
	CU_ASSERT_EQUAL(observe("SELECT count(*) FROM t"), 1);
	CU_ASSERT_EQUAL(spout_try_pg_transaction(add_row, &broken), -EPERM);
	CU_ASSERT_EQUAL(observe("SELECT count(*) FROM t"), 1);
	CU_ASSERT_EQUAL(spout_try_pg_transaction(overlooks_an_error, NULL), -EIO);
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "22012");
	CU_ASSERT_EQUAL(observe("SELECT count(*) FROM t"), 1);
	CU_ASSERT_EQUAL(spout_try_pg_transaction(commits_itself, NULL), -EINVAL);
	CU_ASSERT_EQUAL(spout_try_pg_transaction(recovers_by_savepoint, NULL), 5);
	CU_ASSERT_EQUAL(observe("SELECT count(*) FROM t"), 2);
	CU_ASSERT_EQUAL(
	    spout_try_pg_transaction(add_row, &seven, .read_only = true), -EIO);
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "25006");
	spout_pg_transaction(shows_settings, text, .isolation = SPOUT_PG_SERIALIZABLE,
	    .read_only = true, .deferrable = true);
	CU_ASSERT_STRING_EQUAL(text, "serializable on on");
	spout_pg_transaction(shows_settings, text);
	CU_ASSERT_STRING_EQUAL(text, "read committed off off");
	spout_pg_query("DROP TABLE t");
	CU_ASSERT_EQUAL(sessions("idle in transaction%"), 0);
}
QUERY_TEST(transactions_commit_or_roll_back, transactions)

/* Two of them meet in the middle of their first try, so that one must lose. */
struct conflict {
	pthread_barrier_t *barrier;
	int first, second, tries;
};

static int
read_then_write(PGconn *conn, void *arg)
{
	struct conflict *conflict = arg;
	struct spout_rows *rows = spout_pg_exec(conn, "SELECT n FROM c WHERE id = 1");

	if (rows == NULL)
		return spout_pg_exec_error(conn);
	if (conflict->tries++ == 0)
		pthread_barrier_wait(conflict->barrier);
	rows = spout_pg_exec(
	    conn, "UPDATE c SET n = $1 WHERE id = 1", spout_row_int(rows, 0, "n") + 1);
	return rows != NULL ? 0 : spout_pg_exec_error(conn);
}

static int
lock_both(PGconn *conn, void *arg)
{
	static const char sql[] = "UPDATE c SET n = n + 1 WHERE id = $1";
	struct conflict *conflict = arg;

	if (spout_pg_exec(conn, sql, conflict->first) == NULL)
		return spout_pg_exec_error(conn);
	if (conflict->tries++ == 0)
		pthread_barrier_wait(conflict->barrier);
	return spout_pg_exec(conn, sql, conflict->second) != NULL
	    ? 0
	    : spout_pg_exec_error(conn);
}

static void
serializable(void *arg)
{
	spout_pg_transaction(
	    read_then_write, arg, .retries = 5, .isolation = SPOUT_PG_SERIALIZABLE);
}

static void
deadlocking(void *arg)
{
	spout_pg_transaction(lock_both, arg, .retries = 5);
}

static void
serializable_once(void *arg)
{
	int r = spout_try_pg_transaction(
	    read_then_write, arg, .isolation = SPOUT_PG_REPEATABLE_READ);

	if (r == 0)
		return;
	CU_ASSERT_EQUAL(r, -EAGAIN);
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "40001");
	spout_fail_with(r, "lost");
}

/* Run two that conflict; returns how many of them failed. */
static int
collide(spout_fn fn, int *ret_tries)
{
	pthread_barrier_t barrier;
	struct conflict a = { &barrier, 1, 2, 0 }, b = { &barrier, 2, 1, 0 };
	struct ending end_a, end_b;

	pthread_barrier_init(&barrier, NULL, 2);
	start(fn, &a, 0, &end_a);
	start(fn, &b, 0, &end_b);
	wait_until(end_a.gone && end_b.gone);
	pthread_barrier_destroy(&barrier);
	*ret_tries = a.tries + b.tries;
	return (end_a.error != 0) + (end_b.error != 0);
}

static void
conflicts(void *arg)
{
	int tries;

	(void)arg;
	spout_pg_query("CREATE TABLE c (id int PRIMARY KEY, n int)");
	spout_pg_query("INSERT INTO c VALUES (1, 0), (2, 0)");
	CU_ASSERT_EQUAL(collide(serializable, &tries), 0);
	CU_ASSERT(tries >= 3);
	CU_ASSERT_EQUAL(observe("SELECT n FROM c WHERE id = 1"), 2);
	CU_ASSERT_EQUAL(collide(deadlocking, &tries), 0);
	CU_ASSERT(tries >= 3);
	CU_ASSERT_EQUAL(observe("SELECT n FROM c WHERE id = 1"), 4);
	CU_ASSERT_EQUAL(collide(serializable_once, &tries), 1);
	CU_ASSERT_EQUAL(tries, 2);
	CU_ASSERT_EQUAL(observe("SELECT n FROM c WHERE id = 1"), 5);
	spout_pg_query("DROP TABLE c");
}
QUERY_TEST(conflicting_transactions_are_tried_again, conflicts)

int
main(int argc, char **argv)
{
	static const struct unit_test queries[] = {
		UNIT_TEST(integers_of_every_size_come_back),
		UNIT_TEST(doubles_and_bools_come_back),
		UNIT_TEST(text_and_null_come_back),
		UNIT_TEST(slices_carry_bytes),
		UNIT_TEST(parameters_take_the_type_of_their_place),
		UNIT_TEST(query_async_copies_statement_and_parameters),
		UNIT_TEST(any_number_of_parameters_can_be_given),
		UNIT_TEST(queries_run_at_the_same_time),
		UNIT_TEST(server_errors_have_their_sqlstate),
		UNIT_TEST(mistakes_with_rows_leave_and_say_why),
		UNIT_TEST(without_a_url_every_call_says_so),
		UNIT_TEST(a_bad_url_is_refused),
		UNIT_END,
	};
	static const struct unit_test functions_and_transactions[] = {
		UNIT_TEST(functions_have_a_connection_and_leave_it_clean),
		UNIT_TEST(transactions_commit_or_roll_back),
		UNIT_TEST(conflicting_transactions_are_tried_again),
		UNIT_END,
	};
	static const struct unit_suite suites[] = {
		{ "queries", queries },
		{ "transactions", functions_and_transactions },
		{ NULL, NULL },
	};
	int status = cluster_start();

	return status != 0 ? status : unit_run(argc, argv, suites);
}
