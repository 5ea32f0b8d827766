/* SPDX-License-Identifier: MIT */
/*
 * The driver: which statements share a connection and a transaction, and that no request
 * notices, whatever happens to its neighbours.
 */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <spout/spout.h>

#include "async/async.h"
#include "base/clock.h"
#include "base/stats.h"
#include "pg/driver.h"
#include "pg_help.h"

static const char read_sql[] = "SELECT n, v FROM pairs WHERE n = $1";

/* Behind a pooler there is nothing to forget, and it is not known on whose session. */
static void
forget_prepared(void)
{
	const struct spout_rows *rows = spout_try_pg_query("DEALLOCATE ALL");

	CU_ASSERT_EQUAL(rows == NULL, through_pooler);
}

/* --- classes ---------------------------------------------------------------------- */

static void
the_class_of_a_statement_is_taken_from_its_words(void)
{
	static const struct {
		enum spout__pg_class class;
		const char *sql;
	} cases[] = {
		{ SPOUT__PG_SHARED, "SELECT id, v FROM world WHERE id = $1" },
		{ SPOUT__PG_SHARED, " -- note\n/* a /* b */ */ select 1;  " },
		{ SPOUT__PG_SHARED,
		    "SELECT count(*), max (a), \"Odd\" FROM t WHERE b IN ($1, $2)" },
		{ SPOUT__PG_SHARED,
		    "WITH x AS (SELECT 'insert; for update' AS t) SELECT * FROM x" },
		{ SPOUT__PG_SHARED, "VALUES (1), (2)" },
		{ SPOUT__PG_SHARED, "SELECT 'it''s', $1::int, a.count FROM a" },
		{ SPOUT__PG_ALONE, "SELECT 1; SELECT 2" },
		{ SPOUT__PG_ALONE, "SELECT pg_sleep(1)" },
		{ SPOUT__PG_ALONE, "SELECT set_config('a.b', $1, true)" },
		{ SPOUT__PG_ALONE, "SELECT nextval('s')" },
		{ SPOUT__PG_ALONE, "SELECT public.count(1)" },
		{ SPOUT__PG_ALONE, "SELECT \"count\" (1)" },
		{ SPOUT__PG_ALONE, "SELECT count/* */(1), own /* */ (2)" },
		{ SPOUT__PG_ALONE, "SELECT * FROM t FOR UPDATE" },
		{ SPOUT__PG_ALONE, "SELECT a INTO b FROM t" },
		{ SPOUT__PG_ALONE,
		    "WITH x AS (INSERT INTO t VALUES (1) RETURNING a) SELECT * FROM x" },
		{ SPOUT__PG_ALONE, "SELECT E'\\'', pg_sleep(1), ''" },
		{ SPOUT__PG_ALONE, "SELECT '\\', pg_sleep(1), ''" },
		{ SPOUT__PG_ALONE, "SELECT $$a$$" },
		{ SPOUT__PG_ALONE, "SELECT $q$a$q$" },
		{ SPOUT__PG_ALONE, "SELECT 'open" },
		{ SPOUT__PG_ALONE, "INSERT INTO t VALUES (1)" },
		{ SPOUT__PG_ALONE, "update t set a = 1" },
		{ SPOUT__PG_ALONE, "DELETE FROM t" },
		{ SPOUT__PG_ALONE,
		    "MERGE INTO t USING s ON a = b WHEN MATCHED THEN DELETE" },
		{ SPOUT__PG_JOB, "" },
		{ SPOUT__PG_JOB, "/* only" },
		{ SPOUT__PG_JOB, "BEGIN" },
		{ SPOUT__PG_JOB, "COPY t TO STDOUT" },
		{ SPOUT__PG_JOB, "(SELECT 1)" },
		{ SPOUT__PG_JOB, "SELECTED" },
		{ SPOUT__PG_JOB, "SET a = 1" },
		{ SPOUT__PG_JOB, "DO $$ BEGIN END $$" },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (spout__pg_classify(cases[i].sql) != cases[i].class)
			fprintf(stderr, "wrong class: %s\n", cases[i].sql);
		CU_ASSERT_EQUAL(spout__pg_classify(cases[i].sql), cases[i].class);
	}
}

static void
statements_that_were_not_used_for_long_are_forgotten(void)
{
	struct spout__pg_plans plans;
	struct spout__pg_plan *plan, *kept;
	char sql[60], *large = malloc(20000);
	unsigned i, places = 0;

	spout__pg_plans_init(&plans, 3000);
	kept = spout__pg_plan_of(&plans, "SELECT 'kept'");
	kept->queries = 1;
	for (i = 0; i < 2 * SPOUT__PG_PLANS; i++) {
		snprintf(sql, sizeof(sql), "SELECT %u", i);
		plan = spout__pg_plan_of(&plans, sql);
		CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
		CU_ASSERT_PTR_EQUAL(spout__pg_plan_of(&plans, sql), plan);
		CU_ASSERT(plan->place < SPOUT__PG_PLANS && plan->place != kept->place);
		places += plan->place;
	}
	CU_ASSERT_PTR_EQUAL(spout__pg_plan_of(&plans, "SELECT 'kept'"), kept);
	CU_ASSERT(places > 0);
	memset(large, ' ', 19999);
	large[19999] = '\0';
	CU_ASSERT_PTR_NULL(spout__pg_plan_of(&plans, large));
	free(large);
	spout__pg_plans_release(&plans);
}

static void
take(struct spout__pg_plans *plans, struct spout__pg_plan *plan, int n, uint64_t us)
{
	while (n-- > 0)
		spout__pg_plan_took(plans, plan, us, false);
}

static void
a_statement_is_fast_that_was_fast_of_late(void)
{
	struct spout__pg_plans plans;
	struct spout__pg_plan *plan;

	spout__pg_plans_init(&plans, 3000);
	plan = spout__pg_plan_of(&plans, "SELECT 1");
	CU_ASSERT_FALSE(spout__pg_plan_fast(&plans, plan));
	take(&plans, plan, 1, 10);
	CU_ASSERT_FALSE(spout__pg_plan_fast(&plans, plan));
	take(&plans, plan, 1, 10);
	CU_ASSERT_TRUE(spout__pg_plan_fast(&plans, plan));
	take(&plans, plan, 1, 1000000);
	CU_ASSERT_TRUE(spout__pg_plan_fast(&plans, plan));
	take(&plans, plan, 3, 1000000);
	CU_ASSERT_FALSE(spout__pg_plan_fast(&plans, plan));
	take(&plans, plan, 60, 10);
	CU_ASSERT_TRUE(spout__pg_plan_fast(&plans, plan));
	spout__pg_plan_took(&plans, plan, 1000000, true);
	CU_ASSERT_FALSE(spout__pg_plan_fast(&plans, plan));
	take(&plans, plan, 60, 3000);
	CU_ASSERT_FALSE(spout__pg_plan_fast(&plans, plan));
	take(&plans, plan, 60, 10);
	CU_ASSERT_TRUE(spout__pg_plan_fast(&plans, plan));
	plan = spout__pg_plan_of(&plans, "SELECT pg_sleep(0)");
	take(&plans, plan, 10, 10);
	CU_ASSERT_FALSE(spout__pg_plan_fast(&plans, plan));
	spout__pg_plans_release(&plans);
}

/* On a machine that is busy, or under a checker, fast ones take longer. */
static void
with_driver(unsigned connections, spout_fn fn)
{
	with_pool(
	    &(struct setup){ .threads = connections, .options.fast_us = 300000 }, fn);
}

/* --- the fast lane ---------------------------------------------------------------- */

static void
make_pairs(void)
{
	spout_pg_query("DROP TABLE IF EXISTS pairs");
	spout_pg_query("CREATE TABLE pairs (n int PRIMARY KEY, v int NOT NULL)");
	spout_pg_query(
	    "INSERT INTO pairs SELECT i, i * 7 FROM generate_series(0, 999) i");
}

/* One read; the answer must be to this question. */
static bool
read_pair(int n)
{
	struct spout_rows *rows = spout_try_pg_query(read_sql, n);

	if (rows == NULL)
		return false;
	CU_ASSERT_EQUAL(spout_rows_count(rows), 1);
	CU_ASSERT_EQUAL(spout_row_int(rows, 0, "n"), n);
	CU_ASSERT_EQUAL(spout_row_int(rows, 0, "v"), n * 7);
	return true;
}

/* Until the driver takes it for a fast one. */
static void
prove_fast(int times)
{
	int i;

	for (i = 0; i < times; i++)
		CU_ASSERT_TRUE(read_pair(i));
}

static struct spout__pg_driver *
driver(void)
{
	return spout__pg_of(loop)->driver;
}

static void
many_at_once(void *arg)
{
	struct spout_future *futures[500];
	int i;

	(void)arg;
	make_pairs();
	prove_fast(60);
	CU_ASSERT(driver()->n_sharing >= 1);
	for (i = 0; i < 500; i++)
		futures[i] = spout_pg_query_async(read_sql, i);
	for (i = 0; i < 500; i++) {
		struct spout_rows *rows = spout_future_rows(futures[i]);

		CU_ASSERT_EQUAL(spout_row_int(rows, 0, "n"), i);
		CU_ASSERT_EQUAL(spout_row_int(rows, 0, "v"), i * 7);
	}
	CU_ASSERT(sessions("%") <= 8);
	check_whole(8);
}

static void
fast_reads_share_connections_and_get_their_own_rows(void)
{
	with_driver(8, many_at_once);
}

static void
neighbours_of_an_error(void *arg)
{
	static const char sql[] =
	    "SELECT 840 / v AS q, $1::int AS n FROM pairs WHERE n = $2";
	struct spout_future *futures[40];
	int i, bad = 0;

	(void)arg;
	make_pairs();
	for (i = 1; i < 40; i++)
		spout_pg_query(sql, i, i);
	for (i = 0; i < 40; i++) /* v of n = 0 is 0 */
		futures[i] = spout_pg_query_async(sql, i, i % 10 == 3 ? 0 : 1);
	for (i = 0; i < 40; i++) {
		struct spout_rows *rows = spout_try_future_rows(futures[i]);

		if (i % 10 == 3) {
			bad += rows == NULL && strcmp(spout_pg_sqlstate(), "22012") == 0;
			continue;
		}
		CU_ASSERT_PTR_NOT_NULL_FATAL(rows);
		CU_ASSERT_EQUAL(spout_row_int(rows, 0, "n"), i);
		CU_ASSERT_EQUAL(spout_row_int(rows, 0, "q"), 120);
	}
	CU_ASSERT_EQUAL(bad, 4);
	check_whole(4);
}

static void
an_error_does_not_reach_the_neighbours(void)
{
	with_driver(4, neighbours_of_an_error);
}

/* A view can write through its function: that looks like a plain read. */
static void
hidden_writes(void *arg)
{
	static const char write_sql[] = "SELECT w FROM writing";
	static const char fail_sql[] = "SELECT 1 / v AS q FROM pairs WHERE n = $1";
	struct spout_future *a, *b;
	int i, runs = (int)unit_scaled(30);

	(void)arg;
	make_pairs();
	spout_pg_query("CREATE TABLE written (n int)");
	spout_pg_query("CREATE FUNCTION write_one() RETURNS int LANGUAGE sql AS "
		       "'INSERT INTO written VALUES (1) RETURNING n'");
	spout_pg_query("CREATE VIEW writing AS SELECT write_one() AS w");
	for (i = 0; i < 60; i++)
		spout_pg_query(fail_sql, 1);
	for (i = 0; i < runs; i++) {
		a = spout_pg_query_async(write_sql);
		b = spout_pg_query_async(fail_sql, i % 2);
		CU_ASSERT_PTR_NOT_NULL(spout_try_future_rows(a));
		CU_ASSERT_EQUAL(spout_try_future_rows(b) == NULL, i % 2 == 0);
	}
	CU_ASSERT_EQUAL(observe("SELECT count(*) FROM written"), runs);
	spout_pg_query("DROP VIEW writing");
	spout_pg_query("DROP FUNCTION write_one()");
	spout_pg_query("DROP TABLE written");
}

static void
a_write_that_looks_like_a_read_is_done_once(void)
{
	with_driver(4, hidden_writes);
}

/* --- lanes ------------------------------------------------------------------------ */

static void
slow_and_fast(void *arg)
{
	struct ending slow[5];
	uint64_t began_ms, took_ms, worst_ms = 0;
	int i, rounds = 0;

	(void)arg;
	make_pairs();
	check_whole(4); /* that is, all are connected */
	prove_fast(60);
	for (i = 0; i < 5; i++)
		start(query, "SELECT pg_sleep(1.5)", 0, &slow[i]);
	wait_until(sessions("active") == 3);
	while (!slow[0].gone) {
		began_ms = spout__clock_ms();
		CU_ASSERT_TRUE(read_pair(rounds++ % 1000));
		took_ms = spout__clock_ms() - began_ms;
		worst_ms = took_ms > worst_ms ? took_ms : worst_ms;
		spout_yield();
	}
	printf("(%d fast ones beside slow ones, %d ms at most) ", rounds, (int)worst_ms);
	CU_ASSERT(worst_ms < 1000);
	CU_ASSERT(rounds > 20);
	for (i = 0; i < 5; i++) {
		wait_until(slow[i].gone);
		CU_ASSERT_EQUAL(slow[i].error, 0);
	}
	check_whole(4);
}

static void
slow_statements_do_not_hold_up_fast_ones(void)
{
	with_driver(4, slow_and_fast);
}

static void
locked_read(void *arg)
{
	(void)arg;
	spout_pg_query("SELECT n FROM locked WHERE n = $1", 1);
}

/* A fast statement meets a lock, and holds up what was sent along with it. */
static void
locked(void *arg)
{
	PGconn *locker = PQconnectdb(cluster_url);
	struct spout_coroutine *co;
	struct ending ending;
	int i;

	(void)arg;
	make_pairs();
	spout_pg_query("CREATE TABLE locked (n int)");
	prove_fast(60);
	for (i = 0; i < 60; i++)
		locked_read(NULL);
	PQclear(PQexec(locker, "BEGIN; LOCK TABLE locked IN ACCESS EXCLUSIVE MODE"));
	co = start(locked_read, NULL, 0, &ending);
	for (i = 0; i < 20; i++)
		CU_ASSERT_TRUE(read_pair(i));
	CU_ASSERT_FALSE(ending.gone);
	spout__coroutine_cancel(co, -ECANCELED, "client gone");
	wait_until(ending.gone);
	CU_ASSERT_EQUAL(sessions("active"), 0);
	start(locked_read, NULL, 0, &ending);
	CU_ASSERT_TRUE(read_pair(21));
	PQclear(PQexec(locker, "ROLLBACK"));
	wait_until(ending.gone);
	CU_ASSERT_EQUAL(ending.error, 0);
	PQfinish(locker);
	spout_pg_query("DROP TABLE locked");
	check_whole(3);
}

static void
a_read_that_is_stuck_is_taken_out_of_the_fast_lane(void)
{
	with_driver(3, locked);
}

static int
one(struct pg_conn *conn, void *arg)
{
	(void)arg;
	return spout_pg_exec(conn, "SELECT 1") != NULL ? 1 : spout_pg_exec_error(conn);
}

static void
keep_reading(void *arg)
{
	while (!*(bool *)arg)
		CU_ASSERT_TRUE(read_pair(5));
}

static void
all_kinds(void *arg)
{
	struct ending endings[8];
	bool stop = false;
	int i;

	(void)arg;
	make_pairs();
	prove_fast(60);
	for (i = 0; i < 8; i++)
		start(keep_reading, &stop, 0, &endings[i]);
	for (i = 0; i < 20; i++) {
		CU_ASSERT_EQUAL(spout_pg_run(one, NULL), 1);
		spout_pg_query("UPDATE pairs SET v = v WHERE n = $1", i);
		CU_ASSERT((spout_try_pg_query("SET application_name = 'test/w0'") ==
			      NULL) == through_pooler);
		CU_ASSERT_EQUAL(spout_pg_transaction(one, NULL), 1);
	}
	stop = true;
	for (i = 0; i < 8; i++) {
		wait_until(endings[i].gone);
		CU_ASSERT_EQUAL(endings[i].error, 0);
	}
	CU_ASSERT(sessions("%") == 1 || through_pooler);
}

static void
one_connection_serves_queries_and_jobs_in_turn(void)
{
	with_driver(1, all_kinds);
}

/* --- prepared statements ---------------------------------------------------------- */

static void
changes(void *arg)
{
	static const char sql[] = "SELECT * FROM pairs WHERE n = $1";
	char text[40];
	int i;

	(void)arg;
	make_pairs();
	for (i = 0; i < 30; i++)
		CU_ASSERT_EQUAL(spout_rows_columns(spout_pg_query(sql, i)), 2);
	spout_pg_query("ALTER TABLE pairs ADD COLUMN w int DEFAULT 3");
	for (i = 0; i < 30; i++)
		CU_ASSERT_EQUAL(spout_row_int(spout_pg_query(sql, i), 0, "w"), 3);
	forget_prepared();
	for (i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(spout_rows_columns(spout_pg_query(sql, i)), 3);
	spout_pg_query("ALTER TABLE pairs ALTER COLUMN w TYPE text");
	CU_ASSERT((spout_try_pg_query("DISCARD ALL") == NULL) == through_pooler);
	for (i = 0; i < 5; i++)
		CU_ASSERT_STRING_EQUAL(
		    spout_row_text(spout_pg_query(sql, i), 0, "w"), "3");
	/* More statements than a connection remembers, twice each. */
	for (i = 0; i < 2 * 300; i++) {
		snprintf(text, sizeof(text), "SELECT %d AS n", i / 2);
		CU_ASSERT_EQUAL(
		    spout_row_int(spout_pg_query_with(text, NULL, 0), 0, "n"), i / 2);
	}
	for (i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(spout_rows_columns(spout_pg_query(sql, i)), 3);
	CU_ASSERT(spout_row_int(
		      spout_pg_query("SELECT count(*) AS n FROM pg_prepared_statements"),
		      0, "n") <= SPOUT__PG_PLANS);
	CU_ASSERT(sessions("%") == 1 || through_pooler);
}

static void
statements_are_prepared_again_when_they_have_to_be(void)
{
	with_driver(1, changes);
}

/* --- limits ----------------------------------------------------------------------- */

static void
large(void *arg)
{
	(void)arg;
	CU_ASSERT_PTR_NOT_NULL(
	    spout_try_pg_query("SELECT repeat('x', 1000) FROM generate_series(1, 900)"));
	CU_ASSERT_PTR_NULL(spout_try_pg_query(
	    "SELECT repeat('x', 1000) FROM generate_series(1, 99000)"));
	CU_ASSERT_EQUAL(errno, EMSGSIZE);
	CU_ASSERT_STRING_EQUAL(spout_error(), "the result is larger than 2000000 bytes");
	wait_until(sessions("active") == 0);
	check_whole(2);
}

static void
a_result_has_a_largest_size(void)
{
	struct setup setup = { .threads = 2, .options.max_result_bytes = 2000000 };

	with_pool(&setup, large);
}

int
main(int argc, char **argv)
{
	static const struct unit_test statements[] = {
		UNIT_TEST(the_class_of_a_statement_is_taken_from_its_words),
		UNIT_TEST(statements_that_were_not_used_for_long_are_forgotten),
		UNIT_TEST(a_statement_is_fast_that_was_fast_of_late),
		UNIT_TEST(statements_are_prepared_again_when_they_have_to_be),
		UNIT_END,
	};
	static const struct unit_test lanes[] = {
		UNIT_TEST(fast_reads_share_connections_and_get_their_own_rows),
		UNIT_TEST(an_error_does_not_reach_the_neighbours),
		UNIT_TEST(a_write_that_looks_like_a_read_is_done_once),
		UNIT_TEST(slow_statements_do_not_hold_up_fast_ones),
		UNIT_TEST(a_read_that_is_stuck_is_taken_out_of_the_fast_lane),
		UNIT_TEST(one_connection_serves_queries_and_jobs_in_turn),
		UNIT_TEST(a_result_has_a_largest_size),
		UNIT_END,
	};
	static const struct unit_suite suites[] = {
		{ "statements", statements },
		{ "lanes", lanes },
		{ NULL, NULL },
	};
	int status = cluster_start();

	return status != 0 ? status : unit_run(argc, argv, suites);
}
