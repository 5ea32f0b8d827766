/* SPDX-License-Identifier: MIT */
/*
 * The pool in the hands of who runs it: pauses, new connections, figures, and what is
 * told about slow statements and connections that nobody gives back.
 */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include <spout/pg_pool.h>
#include <spout/spout.h>

#include "async/async.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"
#include "pg/lease.h"
#include "pg_help.h"

static struct spout_pg_pool_stats
figures(void)
{
	struct spout_pg_pool_stats stats;

	CU_ASSERT_EQUAL(spout_pg_pool_get_stats(&stats), 0);
	return stats;
}

/* --- the log ---------------------------------------------------------------------- */

static struct spout__log_options log_before;
static FILE *log_file;

static void
catch_log(void)
{
	struct spout__log_options log = *spout__log_current();

	log_before = log;
	log_file = tmpfile();
	CU_ASSERT_PTR_NOT_NULL_FATAL(log_file);
	log.fd = fileno(log_file);
	spout__log_configure(&log);
}

static const char *
logged(void)
{
	static char text[32768];
	ssize_t n = pread(fileno(log_file), text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static int
count(const char *what)
{
	const char *at = logged();
	int n = 0;

	for (; (at = strstr(at, what)) != NULL; at++)
		n++;
	return n;
}

static void
release_log(void)
{
	spout__log_configure(&log_before);
	fclose(log_file);
}

/* --- pauses ----------------------------------------------------------------------- */

static int
one(PGconn *conn, void *arg)
{
	(void)arg;
	return spout_pg_exec(conn, "SELECT 1") != NULL ? 0 : spout_pg_exec_error(conn);
}

static void
function(void *arg)
{
	spout_pg_run(one, arg);
}

static void
paused(void *arg)
{
	struct ending under_way, waiting[3], job, hurried;
	int i;

	(void)arg;
	check_whole(4);
	start(query, "SELECT pg_sleep(0.2)", 0, &under_way);
	wait_until(sessions("active") == 1);
	CU_ASSERT_EQUAL(spout_pg_pool_pause(), 0);
	CU_ASSERT(figures().paused);
	for (i = 0; i < 3; i++)
		start(query, "SELECT 1", 0, &waiting[i]);
	start(function, NULL, 0, &job);
	start(query, "SELECT 1", 50, &hurried);
	wait_until(under_way.gone);
	CU_ASSERT_EQUAL(under_way.error, 0);
	wait_until(figures().open == 0);
	wait_until(sessions("%") == 0);
	wait_until(hurried.gone);
	CU_ASSERT_EQUAL(hurried.error, -ETIMEDOUT);
	/* Longer than anybody waits for a connection. */
	spout_sleep(250);
	CU_ASSERT_EQUAL(figures().waiting, 4);
	CU_ASSERT_EQUAL(figures().in_use, 0);
	CU_ASSERT_EQUAL(spout_pg_pool_resume(), 0);
	for (i = 0; i < 3; i++) {
		wait_until(waiting[i].gone);
		CU_ASSERT_EQUAL(waiting[i].error, 0);
	}
	wait_until(job.gone);
	CU_ASSERT_EQUAL(job.error, 0);
	check_whole(4);
}

static void
a_pause_holds_requests_and_closes_connections(void)
{
	with_pool(&(struct setup){ .threads = 4, .options.acquire_ms = 200 }, paused);
}

static void
left_paused(void *arg)
{
	static struct ending ending;

	(void)arg;
	check_whole(2);
	CU_ASSERT_EQUAL(spout_pg_pool_pause(), 0);
	start(query, "SELECT 1", 0, &ending);
	spout_sleep(5);
	CU_ASSERT_EQUAL(spout__pg_stop(loop, 3000), 0);
	wait_until(ending.gone);
	CU_ASSERT_EQUAL(ending.error, -ECANCELED);
	CU_ASSERT_EQUAL(spout_pg_pool_resume(), -EHOSTDOWN);
}

static void
a_pool_that_is_paused_can_be_stopped(void)
{
	with_pool(&(struct setup){ .threads = 2 }, left_paused);
}

static int
backend(void)
{
	return (int)spout_row_int(
	    spout_pg_query("SELECT pg_backend_pid() AS pid"), 0, "pid");
}

static void
renewed(void *arg)
{
	uint64_t closed = counter(SPOUT__C_PG_CLOSED_OLD);
	int before = backend();

	(void)arg;
	check_whole(4);
	CU_ASSERT_EQUAL(spout_pg_pool_reconnect(), 0);
	wait_until(figures().open == 0);
	CU_ASSERT_EQUAL(counter(SPOUT__C_PG_CLOSED_OLD) - closed, 4);
	CU_ASSERT_NOT_EQUAL(backend(), before);
	check_whole(4);
}

static void
every_connection_can_be_replaced(void)
{
	with_pool(&(struct setup){ .threads = 4 }, renewed);
}

/* --- connections that are kept ---------------------------------------------------- */

static void
warm(void *arg)
{
	(void)arg;
	wait_until(sessions("idle") == 3);
	spout_sleep(200); /* the idle time-out, and more */
	CU_ASSERT_EQUAL(sessions("%"), 3);
	CU_ASSERT_EQUAL(counter(SPOUT__C_PG_QUERIES), *(uint64_t *)arg);
	observe("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
		"WHERE application_name = 'test/w0'");
	wait_until(counter(SPOUT__C_PG_CLOSED_LOST) >= ((uint64_t *)arg)[1] + 3);
	wait_until(sessions("idle") == 3);
	check_whole(4);
}

static void
as_many_connections_as_wanted_are_kept_open(void)
{
	uint64_t before[2] = { counter(SPOUT__C_PG_QUERIES),
		counter(SPOUT__C_PG_CLOSED_LOST) };
	struct setup setup = { .threads = 4,
		.arg = before,
		.options.idle_ms = 50,
		.options.min_conns = 3 };

	with_pool(&setup, warm);
}

/* --- figures ---------------------------------------------------------------------- */

static void
counted(void *arg)
{
	struct spout_pg_pool_stats before = figures(), now;
	uint64_t refused = counter(SPOUT__C_PG_ERRORS_REFUSED);
	uint64_t timeouts = counter(SPOUT__C_PG_ERRORS_TIMEOUT);
	struct ending endings[2], late;

	(void)arg;
	CU_ASSERT_EQUAL(before.places, 2);
	CU_ASSERT_EQUAL(before.open, 0);
	start(query, "SELECT pg_sleep(0.3)", 0, &endings[0]);
	start(function, NULL, 0, &endings[1]);
	wait_until(sessions("active") >= 1);
	CU_ASSERT(figures().in_use >= 1);
	wait_until(endings[0].gone && endings[1].gone);
	CU_ASSERT_PTR_NULL(spout_try_pg_query("SELECT nothing"));
	start(query, "SELECT pg_sleep(30)", 30, &late);
	wait_until(late.gone);
	wait_until(figures().in_use == 0);
	now = figures();
	CU_ASSERT_EQUAL(now.acquires - before.acquires, 4);
	CU_ASSERT_EQUAL(now.queries - before.queries, 4);
	CU_ASSERT_EQUAL(now.errors - before.errors, 2);
	CU_ASSERT_EQUAL(counter(SPOUT__C_PG_ERRORS_REFUSED) - refused, 1);
	CU_ASSERT_EQUAL(counter(SPOUT__C_PG_ERRORS_TIMEOUT) - timeouts, 1);
	CU_ASSERT(now.connects - before.connects >= 1);
	CU_ASSERT_EQUAL(now.open, now.idle);
	CU_ASSERT_FALSE(now.down);
}

static void
figures_tell_what_the_pool_did(void)
{
	with_pool(&(struct setup){ .threads = 2 }, counted);
}

static void
no_pool(void *arg)
{
	struct spout_pg_pool_stats stats;

	(void)arg;
	CU_ASSERT_EQUAL(spout_pg_pool_get_stats(&stats), -EHOSTDOWN);
	CU_ASSERT_EQUAL(spout_pg_pool_pause(), -EHOSTDOWN);
	CU_ASSERT_EQUAL(spout_pg_pool_reconnect(), -EHOSTDOWN);
}

static void
without_a_database_there_is_nothing_to_pause(void)
{
	with_pool(&(struct setup){ .url = "" }, no_pool);
}

/* --- what takes long -------------------------------------------------------------- */

static int
sleeps(PGconn *conn, void *arg)
{
	(void)arg;
	return spout_pg_exec(conn, "SELECT pg_sleep(0.03), $1::text", "secret") != NULL
	    ? 0
	    : spout_pg_exec_error(conn);
}

static void
slow(void *arg)
{
	int i;

	(void)arg;
	catch_log();
	spout_pg_query("SELECT pg_sleep(0.03),\n\t $1::text", "secret");
	CU_ASSERT_EQUAL(count("slow query: "), 1);
	CU_ASSERT_EQUAL(count("1 parameters, at "), 1);
	CU_ASSERT_EQUAL(count("test_pg_care.c:"), 1);
	CU_ASSERT_EQUAL(count("SELECT pg_sleep(0.03), $1::text"), 1);
	spout_pg_run(sleeps, NULL);
	CU_ASSERT_EQUAL(count("at sleeps at "), 1);
	CU_ASSERT_EQUAL(count("secret"), 0);
	/* That were two of ten. */
	for (i = 0; i < 4; i++)
		(void)!spout_try_pg_query("SELECT pg_sleep(0.03), nothing");
	CU_ASSERT_EQUAL(count("slow query: "), 2);
	for (i = 0; i < 10; i++)
		spout_pg_query("SELECT pg_sleep(0.03)");
	CU_ASSERT_EQUAL(count("slow query: "), 10);
	release_log();
}

static void
slow_statements_are_logged_without_their_values(void)
{
	with_pool(&(struct setup){ .threads = 1, .options.slow_ms = 20 }, slow);
}

static void
a_long_statement_is_logged_in_part(void)
{
	static char sql[2000];
	struct spout__pg pg = { .options.slow_ms = 1, .lock = PTHREAD_MUTEX_INITIALIZER };
	struct spout__pg_statement statement = { .sql = sql };

	catch_log();
	memset(sql, 'x', 295);
	memcpy(sql + 295, "\303\244\303\244\303\244\303\244", 9);
	spout__pg_took(&pg, &statement, 999, false);
	CU_ASSERT_EQUAL(count("slow query"), 0);
	spout__pg_took(&pg, &statement, 1000, false);
	CU_ASSERT_EQUAL(count("slow query: 1 ms, 0 parameters, at ?: xxx"), 1);
	CU_ASSERT_EQUAL(count("x..."), 1);
	release_log();
}

static int
keeps_it(PGconn *conn, void *arg)
{
	(void)conn;
	while (!atomic_load((atomic_bool *)arg))
		poll(NULL, 0, 1);
	return 0;
}

static void
keep(void *arg)
{
	spout_pg_run(keeps_it, arg);
}

static void
kept(void *arg)
{
	struct spout__pg_lease lease;
	atomic_bool enough = false;
	struct ending ending;

	(void)arg;
	catch_log();
	start(keep, &enough, 0, &ending);
	CU_ASSERT_EQUAL(spout__lease_take(&lease, "a lease"), 0);
	wait_until(count("a database connection has been in use for ") == 2);
	CU_ASSERT_EQUAL(count(" ms by keeps_it at "), 1);
	CU_ASSERT_EQUAL(count("test_pg_care.c:"), 1);
	CU_ASSERT_EQUAL(count(" ms by a lease"), 1);
	spout_sleep(100);
	atomic_store(&enough, true);
	wait_until(ending.gone);
	spout__lease_give(&lease);
	CU_ASSERT_EQUAL(count("in use for"), 2);
	release_log();
	check_whole(2);
}

static void
who_keeps_a_connection_is_told_once(void)
{
	with_pool(&(struct setup){ .threads = 2, .options.leak_ms = 40 }, kept);
}

static void
limits(void *arg)
{
	struct spout_rows *rows = spout_pg_query(
	    "SELECT current_setting('statement_timeout') AS a, "
	    "current_setting('lock_timeout') AS b, "
	    "current_setting('idle_in_transaction_session_timeout') AS c");

	(void)arg;
	CU_ASSERT_STRING_EQUAL(spout_row_text(rows, 0, "a"), "300ms");
	CU_ASSERT_STRING_EQUAL(spout_row_text(rows, 0, "b"), "4s");
	CU_ASSERT_STRING_EQUAL(spout_row_text(rows, 0, "c"), "20s");
	CU_ASSERT_PTR_NULL(spout_try_pg_query("SELECT pg_sleep(30)"));
	CU_ASSERT_EQUAL(errno, ETIMEDOUT);
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "57014");
}

static void
the_server_keeps_the_limits_that_are_wanted(void)
{
	struct setup setup = { .threads = 1,
		.options.statement_ms = 300,
		.options.lock_ms = 4000,
		.options.idle_transaction_ms = 20000 };

	with_pool(&setup, limits);
}

/* --- behind a pooler -------------------------------------------------------------- */

static void
what_changes_a_session_is_known_by_its_words(void)
{
	static const char *const changes[] = { "SET work_mem = '1MB'",
		"set session characteristics as transaction read only",
		"SELECT 1; RESET x", "LISTEN a", "/* a */ prepare p AS SELECT 1",
		"EXECUTE p", "DEALLOCATE ALL",
		"DISCARD ALL", "LOAD 'x'", "UNLISTEN *", "CREATE TEMP TABLE t (n int)",
		"CREATE LOCAL TEMPORARY TABLE t (n int)",
		"DECLARE c CURSOR WITH HOLD FOR SELECT 1", "SELECT pg_advisory_lock(1)",
		"SELECT $$ $$, pg_try_advisory_lock_shared(1)",
		"SELECT $a$ it's $a$; SET x = 1" };
	static const char *const does_not[] = { "SELECT 1", "UPDATE t SET a = 1",
		"SET LOCAL work_mem = '1MB'", "SET CONSTRAINTS ALL DEFERRED",
		"SET TRANSACTION READ ONLY", "SELECT 'LISTEN', \"set\" FROM execute",
		"SELECT pg_advisory_xact_lock(1)", "CREATE TABLE temp (n int)",
		"DECLARE c CURSOR FOR SELECT 1",
		"DO $$ BEGIN EXECUTE 'x'; SET x = 1; END $$",
		"CREATE FUNCTION f() RETURNS int AS $f$ BEGIN; EXECUTE s; END $f$",
		"NOTIFY a", "SELECT $1, $2; -- SET x = 1", "", "$", "$$", "SELECT $$",
		";;" };
	size_t i;

	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		if (!spout__pg_changes_session(changes[i]))
			fprintf(stderr, "passed: %s\n", changes[i]);
		CU_ASSERT(spout__pg_changes_session(changes[i]));
	}
	for (i = 0; i < sizeof(does_not) / sizeof(does_not[0]); i++) {
		if (spout__pg_changes_session(does_not[i]))
			fprintf(stderr, "refused: %s\n", does_not[i]);
		CU_ASSERT_FALSE(spout__pg_changes_session(does_not[i]));
	}
}

static int
sets(PGconn *conn, void *arg)
{
	(void)arg;
	return spout_pg_exec(conn, "SET LOCAL work_mem = '1MB'") != NULL &&
		spout_pg_exec(conn, "SET work_mem = '1MB'") != NULL
	    ? 0
	    : spout_pg_exec_error(conn);
}

static void
refused(void *arg)
{
	static const char set_sql[] = "SET work_mem = '1MB'";
	static const char read_sql[] = "SELECT $1::int AS n";
	int i;

	(void)arg;
	CU_ASSERT_PTR_NULL(spout_try_pg_query(set_sql));
	CU_ASSERT_EQUAL(errno, EINVAL);
	CU_ASSERT_STRING_EQUAL(spout_error(),
	    "SET work_mem = '1MB': it needs a session of its own, which "
	    "--db-pooler=transaction has not");
	CU_ASSERT_EQUAL(spout_try_pg_transaction(sets, NULL), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(spout_error(), "--db-pooler=transaction has not"));
	CU_ASSERT_PTR_NULL(spout_try_pg_listen("a"));
	CU_ASSERT_EQUAL(errno, EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(spout_error(), "--db-pooler=transaction has not"));
	for (i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(spout_row_int(spout_pg_query(read_sql, i), 0, "n"), i);
	CU_ASSERT_EQUAL(spout_row_int(spout_pg_query(
			    "SELECT count(*) AS n FROM pg_prepared_statements"), 0, "n"),
	    0);
	CU_ASSERT_STRING_EQUAL(
	    spout_row_text(spout_pg_query("SELECT current_setting('lock_timeout') AS a"),
		0, "a"),
	    "0");
}

static void
behind_a_pooler_nothing_outlives_a_transaction(void)
{
	with_pool(&(struct setup){ .threads = 1, .options.pooler = true }, refused);
}

int
main(int argc, char **argv)
{
	static const struct unit_test hand[] = {
		UNIT_TEST(a_pause_holds_requests_and_closes_connections),
		UNIT_TEST(a_pool_that_is_paused_can_be_stopped),
		UNIT_TEST(every_connection_can_be_replaced),
		UNIT_TEST(as_many_connections_as_wanted_are_kept_open),
		UNIT_TEST(figures_tell_what_the_pool_did),
		UNIT_TEST(without_a_database_there_is_nothing_to_pause),
		UNIT_END,
	};
	static const struct unit_test told[] = {
		UNIT_TEST(slow_statements_are_logged_without_their_values),
		UNIT_TEST(a_long_statement_is_logged_in_part),
		UNIT_TEST(who_keeps_a_connection_is_told_once),
		UNIT_TEST(the_server_keeps_the_limits_that_are_wanted),
		UNIT_END,
	};
	static const struct unit_test pooler[] = {
		UNIT_TEST(what_changes_a_session_is_known_by_its_words),
		UNIT_TEST(behind_a_pooler_nothing_outlives_a_transaction),
		UNIT_END,
	};
	static const struct unit_suite suites[] = {
		{ "behind a pooler", pooler },
		{ "a hand on the pool", hand },
		{ "what takes long", told },
		{ NULL, NULL },
	};
	int status = cluster_start();

	return status != 0 ? status : unit_run(argc, argv, suites);
}
