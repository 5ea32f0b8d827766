/* SPDX-License-Identifier: MIT */
/*
 * The pool of connections under stress: cancelled queries, too few connections, sessions
 * that end; what goes back to the pool is always whole. (The server away:
 * test_pg_away.c.)
 */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include <spout/spout.h>

#include "async/async.h"
#include "base/clock.h"
#include "base/stats.h"
#include "pg_help.h"

/* --- cancelling ------------------------------------------------------------------- */

static void
deadline(void *arg)
{
	struct ending ending;
	int n;

	(void)arg;
	check_whole(4);
	n = sessions("%");
	start(query, "SELECT pg_sleep(30)", 100, &ending);
	wait_until(ending.left);
	CU_ASSERT_EQUAL(ending.error, -ETIMEDOUT);
	CU_ASSERT(ending.left_after_ms >= 100 && ending.left_after_ms < 10000);
	wait_until(ending.gone);
	CU_ASSERT(spout__clock_ms() - ending.started_ms < 10000);
	CU_ASSERT_EQUAL(sessions("active"), 0);
	CU_ASSERT_EQUAL(sessions("idle"), n);
	check_whole(4);
}

static void
a_query_past_its_deadline_is_cancelled_on_the_server(void)
{
	with_pool(&(struct setup){ .threads = 4 }, deadline);
}

static void
client_gone(void *arg)
{
	struct ending endings[8];
	struct spout_coroutine *co[8];
	int round, i, n;

	(void)arg;
	for (round = 0; round < 25; round++) {
		/* More than there are threads: some are cancelled in the queue. */
		n = round % 8 + 1;
		for (i = 0; i < n; i++)
			co[i] = start(query, "SELECT pg_sleep(30)", 0, &endings[i]);
		if (round % 3 == 0)
			wait_until(sessions("active") == (n < 4 ? n : 4));
		else if (round % 3 == 1)
			spout_yield();
		else
			spout_sleep((uint64_t)round % 5);
		for (i = 0; i < n; i++)
			spout__coroutine_cancel(co[i], -ECANCELED, "client gone");
		for (i = 0; i < n; i++) {
			wait_until(endings[i].gone);
			CU_ASSERT_EQUAL(endings[i].error, -ECANCELED);
		}
		CU_ASSERT_EQUAL(sessions("active"), 0);
	}
	check_whole(4);
}

static void
cancelled_queries_leave_the_pool_whole(void)
{
	with_pool(&(struct setup){ .threads = 4 }, client_gone);
}

static int
sleeps_long(PGconn *conn, void *arg)
{
	(void)arg;
	PQclear(PQexec(conn, "SELECT pg_sleep(30)"));
	return 0;
}

/* Waits as libpq does, blind to everything else, and does not give up. */
static int
stubborn(PGconn *conn, void *arg)
{
	atomic_int *statements = arg;
	PGresult *result;

	while (PQstatus(conn) == CONNECTION_OK) {
		result = PQexec(conn, "SELECT pg_sleep(0.01)");
		atomic_fetch_add(statements, 1);
		PQclear(result);
	}
	return 0;
}

/* Begins its statement when the first cancel request has found nothing to cancel. */
static int
sleeps_late(PGconn *conn, void *arg)
{
	uint64_t cancels = counter(SPOUT__C_PG_CANCELS);

	atomic_store((atomic_int *)arg, 1);
	while (!spout_job_cancelled() || counter(SPOUT__C_PG_CANCELS) == cancels)
		poll(NULL, 0, 1);
	return sleeps_long(conn, NULL);
}

static void
run_sleeps_late(void *arg)
{
	spout_pg_run(sleeps_late, arg);
}

static void
run_stubborn(void *arg)
{
	spout_pg_run(stubborn, arg);
}

static void
run_sleeps_long(void *arg)
{
	(void)arg;
	spout_pg_run(sleeps_long, NULL);
}

static void
functions_end(void *arg)
{
	struct spout_coroutine *co;
	struct ending ending;
	atomic_int statements = 0;

	(void)arg;
	co = start(run_sleeps_long, NULL, 0, &ending);
	wait_until(sessions("active") == 1);
	spout__coroutine_cancel(co, -ECANCELED, "client gone");
	wait_until(ending.gone);
	CU_ASSERT(spout__clock_ms() - ending.started_ms < 10000);
	CU_ASSERT_EQUAL(sessions("idle"), 1);
	co = start(run_sleeps_late, &statements, 0, &ending);
	wait_until(atomic_load(&statements) == 1);
	spout__coroutine_cancel(co, -ECANCELED, "client gone");
	wait_until(ending.gone);
	CU_ASSERT(spout__clock_ms() - ending.started_ms < 10000);
	CU_ASSERT_EQUAL(sessions("idle"), 1);
	co = start(run_stubborn, &statements, 0, &ending);
	wait_until(atomic_load(&statements) > 4);
	spout__coroutine_cancel(co, -ECANCELED, "client gone");
	wait_until(ending.left);
	CU_ASSERT_FALSE(ending.gone);
	wait_until(ending.gone);
	check_whole(2);
}

static void
functions_are_interrupted_and_at_last_cut(void)
{
	with_pool(&(struct setup){ .threads = 2 }, functions_end);
}

static void
stop_while_running(void *arg)
{
	static struct ending ending;

	(void)arg;
	start(query, "SELECT pg_sleep(30)", 0, &ending);
	wait_until(sessions("active") == 1);
	CU_ASSERT_EQUAL(spout__pg_stop(loop, 3000), 0);
	CU_ASSERT_EQUAL(sessions("active"), 0);
	wait_until(ending.gone);
	CU_ASSERT_EQUAL(ending.error, -ECANCELED);
	CU_ASSERT_PTR_NULL(spout_try_pg_query("SELECT 1"));
}

static void
whole(void *arg)
{
	(void)arg;
	check_whole(2);
}

static void
freeing_the_loop_ends_the_pool(void)
{
	with_pool(&(struct setup){ .threads = 2, .unstopped = true }, whole);
}

static void
stopping_cancels_what_runs(void)
{
	with_pool(&(struct setup){ .threads = 2 }, stop_while_running);
}

/* --- limits ----------------------------------------------------------------------- */

static void
exhausted(void *arg)
{
	struct spout_future *a = spout_pg_query_async("SELECT pg_sleep(1.5)");
	struct spout_future *b = spout_pg_query_async("SELECT pg_sleep(1.5)");
	/* Limits count from the time of the turn. */
	uint64_t start_ms = spout_loop_now_ms(spout_loop_current()), took_ms;

	(void)arg;
	CU_ASSERT_PTR_NULL(spout_try_pg_query("SELECT 1"));
	took_ms = spout__clock_ms() - start_ms;
	CU_ASSERT_EQUAL(errno, ENOBUFS);
	CU_ASSERT_STRING_EQUAL(
	    spout_error(), "no database connection became free within 100 ms");
	CU_ASSERT(took_ms >= 100 && took_ms < 1400);
	CU_ASSERT_PTR_NOT_NULL(spout_future_rows(a));
	CU_ASSERT_PTR_NOT_NULL(spout_future_rows(b));
	check_whole(2);
}

static void
waiting_for_a_connection_has_an_end(void)
{
	struct setup setup = { .threads = 2, .options.acquire_ms = 100 };

	with_pool(&setup, exhausted);
}

static void
hurried(void *arg)
{
	struct ending endings[3];
	int i;

	(void)arg;
	for (i = 0; i < 3; i++)
		start(query, "SELECT pg_sleep(1)", 100, &endings[i]);
	for (i = 0; i < 3; i++) {
		wait_until(endings[i].gone);
		CU_ASSERT_EQUAL(endings[i].error, -ETIMEDOUT);
	}
}

static void
a_deadline_in_the_queue_is_a_deadline(void)
{
	with_pool(&(struct setup){ .threads = 1 }, hurried);
}

static void
shielded_query(void *arg)
{
	spout_sleep(30);
	*(bool *)arg = spout_rows_count(spout_pg_query("SELECT pg_sleep(0.2)")) == 1;
}

static void
shield_query(void *arg)
{
	spout_shield(shielded_query, arg);
}

static void
shield(void *arg)
{
	struct ending ending;
	bool finished = false;

	(void)arg;
	start(shield_query, &finished, 20, &ending);
	wait_until(ending.gone);
	CU_ASSERT(finished);
}

static void
a_shielded_query_outlives_the_deadline(void)
{
	with_pool(&(struct setup){ .threads = 1 }, shield);
}

/* --- life of connections ---------------------------------------------------------- */

static int
backend(void)
{
	return (int)spout_row_int(
	    spout_pg_query("SELECT pg_backend_pid() AS pid"), 0, "pid");
}

static void
same_backend(void *arg)
{
	int first = backend();

	(void)arg;
	CU_ASSERT_EQUAL(backend(), first);
	wait_until(sessions("%") == 1); /* those of the last test may be ending */
}

static void
a_connection_is_used_again(void)
{
	with_pool(&(struct setup){ .threads = 4 }, same_backend);
}

static void
short_lives(void *arg)
{
	int first = backend();

	(void)arg;
	spout_sleep(5);
	CU_ASSERT_NOT_EQUAL(backend(), first);
	CU_ASSERT(sessions("%") <= 1);
}

static void
an_old_connection_is_replaced(void)
{
	with_pool(&(struct setup){ .threads = 1, .options.lifetime_ms = 2 }, short_lives);
}

static void
unused(void *arg)
{
	(void)arg;
	check_whole(4);
	wait_until(sessions("%") == 0);
	CU_ASSERT_EQUAL(
	    atomic_load(&spout__stats->gauges[SPOUT__G_PG_CONNECTIONS_OPEN]), 0);
	check_whole(4);
}

static void
unused_connections_are_closed(void)
{
	with_pool(&(struct setup){ .threads = 4, .options.idle_ms = 200 }, unused);
}

static void
startup(void *arg)
{
	struct spout_rows *rows = spout_pg_query(
	    "SELECT "
	    "current_setting('client_connection_check_interval') AS a, "
	    "current_setting('lock_timeout') AS b, "
	    "current_setting('work_mem') AS c, "
	    "current_setting('application_name') AS d");

	(void)arg;
	CU_ASSERT_STRING_EQUAL(spout_row_text(rows, 0, "a"), "1s");
	CU_ASSERT_STRING_EQUAL(spout_row_text(rows, 0, "b"), "7s");
	CU_ASSERT_STRING_EQUAL(spout_row_text(rows, 0, "c"), "5MB");
	CU_ASSERT_STRING_EQUAL(spout_row_text(rows, 0, "d"), "test/w3");
}

static void
options_of_the_url_go_with_ours(void)
{
	struct setup setup = { .threads = 1, .options.slot = 3 };
	char url[700];

	snprintf(url, sizeof(url),
	    "%s&options=-c%%20lock_timeout%%3D7s%%20-c%%20work_mem%%3D5MB", cluster_url);
	setup.url = url;
	with_pool(&setup, startup);
}

static void
terminated(void *arg)
{
	struct ending ending;

	(void)arg;
	check_whole(4);
	CU_ASSERT(
	    observe("SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity "
		    "WHERE application_name = 'test/w0'") >= 1);
	/* Idle ones are found dead before anything is sent: nobody notices. */
	check_whole(4);
	start(query, "SELECT pg_sleep(30)", 0, &ending);
	wait_until(sessions("active") == 1);
	observe("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
		"WHERE application_name = 'test/w0' AND state = 'active'");
	wait_until(ending.gone);
	CU_ASSERT_EQUAL(ending.error, -EHOSTDOWN);
	CU_ASSERT_PTR_NOT_NULL(strstr(ending.reason, "SQLSTATE 57P01"));
	wait_until(sessions("%") <= 3); /* its session may still be ending */
	check_whole(4);
}

static void
terminated_backends_are_replaced(void)
{
	with_pool(&(struct setup){ .threads = 4 }, terminated);
}

int
main(int argc, char **argv)
{
	static const struct unit_test cancelling[] = {
		UNIT_TEST(a_query_past_its_deadline_is_cancelled_on_the_server),
		UNIT_TEST(cancelled_queries_leave_the_pool_whole),
		UNIT_TEST(functions_are_interrupted_and_at_last_cut),
		UNIT_TEST(stopping_cancels_what_runs),
		UNIT_TEST(freeing_the_loop_ends_the_pool),
		UNIT_END,
	};
	static const struct unit_test limits[] = {
		UNIT_TEST(waiting_for_a_connection_has_an_end),
		UNIT_TEST(a_deadline_in_the_queue_is_a_deadline),
		UNIT_TEST(a_shielded_query_outlives_the_deadline),
		UNIT_END,
	};
	static const struct unit_test life[] = {
		UNIT_TEST(a_connection_is_used_again),
		UNIT_TEST(an_old_connection_is_replaced),
		UNIT_TEST(unused_connections_are_closed),
		UNIT_TEST(options_of_the_url_go_with_ours),
		UNIT_TEST(terminated_backends_are_replaced),
		UNIT_END,
	};
	static const struct unit_suite suites[] = {
		{ "cancelling", cancelling },
		{ "limits", limits },
		{ "life of connections", life },
		{ NULL, NULL },
	};
	int status = cluster_start();

	return status != 0 ? status : unit_run(argc, argv, suites);
}
