/* SPDX-License-Identifier: MIT */
/*
 * A connection for one coroutine: had in turn, given back whatever happens, and then
 * without a statement, a transaction or a COPY of the one before.
 */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <spout/spout.h>

#include "base/clock.h"
#include "pg/lease.h"
#include "pg_help.h"

static const char table_sql[] = "DROP TABLE IF EXISTS leased";
static const char make_sql[] = "CREATE TABLE leased (n int)";
static const char pid_sql[] = "SELECT pg_backend_pid() AS n";

/* What a query of the pool says. */
static int
asked(const char *sql)
{
	return (int)spout_row_int(spout_pg_query_with(sql, NULL, 0), 0, "n");
}

static void
give(void *lease)
{
	spout__lease_give(lease);
}

/* One in the scope of the running coroutine, given back by a clean-up of it. */
static struct spout__pg_lease *
lease_new(void)
{
	struct spout__pg_lease *lease = spout_alloc(sizeof(*lease));
	int r = spout__lease_take(lease, "a test");

	if (r < 0)
		spout_fail_with(r, "%s", spout_error());
	spout_defer(give, lease);
	return lease;
}

/* Run a text in plain mode; the first value as a number, -1 without one. A COPY is left
 * as it begins. */
static int
run(struct spout__pg_lease *lease, const char *sql)
{
	PGconn *pq = spout__lease_pq(lease);
	PGresult *result;
	int n = -1;

	CU_ASSERT_EQUAL(spout__lease_plain(lease), 0);
	lease->busy = true;
	CU_ASSERT_EQUAL(PQsendQuery(pq, sql), 1);
	CU_ASSERT_EQUAL(PQflush(pq), 0);
	for (;;) {
		while (PQisBusy(pq)) {
			if (spout__lease_wait(lease, SPOUT_READ, 10000) < 0 ||
			    !PQconsumeInput(pq))
				return -2;
		}
		result = PQgetResult(pq);
		if (result == NULL)
			break;
		if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) > 0)
			n = atoi(PQgetvalue(result, 0, 0));
		if (PQresultStatus(result) == PGRES_COPY_IN ||
		    PQresultStatus(result) == PGRES_COPY_OUT) {
			PQclear(result);
			return n;
		}
		PQclear(result);
	}
	lease->busy = false;
	return n;
}

/* --- given back ------------------------------------------------------------------- */

static void
twice(void *arg)
{
	struct spout__pg_lease *lease;
	int pid, i;

	(void)arg;
	spout_pg_query(table_sql);
	spout_pg_query(make_sql);
	lease = lease_new();
	CU_ASSERT_EQUAL(
	    atomic_load(&spout__stats->gauges[SPOUT__G_PG_CONNECTIONS_BUSY]), 1);
	pid = run(lease, pid_sql);
	CU_ASSERT_EQUAL(run(lease, "BEGIN; INSERT INTO leased VALUES (1); COMMIT"), -1);
	spout__lease_give(lease);
	spout__lease_give(lease);
	CU_ASSERT_EQUAL(spout__lease_wait(lease, SPOUT_READ, 0), -EHOSTDOWN);
	CU_ASSERT_EQUAL(spout__lease_plain(lease), -EINVAL);
	for (i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(asked(pid_sql), pid);
		lease = lease_new();
		CU_ASSERT_EQUAL(run(lease, pid_sql), pid);
		spout__lease_give(lease);
	}
	CU_ASSERT(sessions("%") == 1 || through_pooler);
	check_whole(3);
}

static void
a_connection_is_leased_and_given_back(void)
{
	with_pool(&(struct setup){ .threads = 3 }, twice);
}

/* --- left in the middle ----------------------------------------------------------- */

/* What the coroutine was about when it was cancelled. */
static const char *const middles[] = {
	"SELECT pg_sleep(30)",
	"BEGIN; INSERT INTO leased VALUES (1)",
	"BEGIN; INSERT INTO leased VALUES (1); SELECT pg_sleep(30)",
	"BEGIN; INSERT INTO leased VALUES (1); SELECT 1/0",
	"COPY leased FROM STDIN",
	"COPY (SELECT generate_series(1, 100000)) TO STDOUT",
	"SELECT generate_series(1, 100000)",
};

static bool at_rest;

static void
in_the_middle(void *arg)
{
	struct spout__pg_lease *lease = lease_new();

	if (strncmp(arg, "SELECT generate", 15) == 0) {
		CU_ASSERT_EQUAL(spout__lease_plain(lease), 0);
		lease->busy = true;
		CU_ASSERT_EQUAL(PQsendQuery(spout__lease_pq(lease), arg), 1);
	} else {
		(void)run(lease, arg);
	}
	at_rest = true;
	spout_sleep(60000);
}

static void
left_in_the_middle(void *arg)
{
	struct spout_coroutine *co;
	struct ending ending;
	int pid;
	size_t i;

	(void)arg;
	spout_pg_query("TRUNCATE leased");
	pid = asked(pid_sql);
	for (i = 0; i < sizeof(middles) / sizeof(middles[0]); i++) {
		at_rest = false;
		co = start(in_the_middle, (void *)middles[i], 0, &ending);
		wait_until(strstr(middles[i], "sleep") != NULL ? sessions("active") == 1
							      : at_rest);
		spout__coroutine_cancel(co, -ECANCELED, "client gone");
		wait_until(ending.gone);
		CU_ASSERT_EQUAL(ending.error, -ECANCELED);
		CU_ASSERT_EQUAL(asked("SELECT count(*) AS n FROM leased"), 0);
		/* Cleaned, not closed. */
		CU_ASSERT_EQUAL(asked(pid_sql), pid);
		CU_ASSERT_EQUAL(sessions("active") + sessions("idle in%"), 0);
	}
}

static void
who_leaves_in_the_middle_leaves_nothing_behind(void)
{
	with_pool(&(struct setup){ .threads = 1 }, left_in_the_middle);
}

static void
spoilt_and_killed(void *arg)
{
	struct spout__pg_lease *lease = lease_new();
	int pid = run(lease, pid_sql);

	(void)arg;
	lease->spoilt = true;
	spout__lease_give(lease);
	lease = lease_new();
	/* Behind a pooler it is one to that, and the server's session stays. */
	CU_ASSERT(run(lease, pid_sql) != pid || through_pooler);
	if (through_pooler) {
		spout__lease_give(lease);
		return;
	}
	CU_ASSERT_EQUAL(observe("SELECT count(pg_terminate_backend(pid)) FROM "
				"pg_stat_activity WHERE application_name = 'test/w0'"),
	    1);
	CU_ASSERT_EQUAL(run(lease, "SELECT 1"), -2);
	spout__lease_give(lease);
	spout__lease_revoke(lease, &(struct spout__pg_failure){ .error = -EIO });
	lease = lease_new();
	spout__lease_revoke(
	    lease, &(struct spout__pg_failure){ -ETIMEDOUT, "25P03", "too long" });
	CU_ASSERT_EQUAL(spout__lease_check(lease), -ETIMEDOUT);
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "25P03");
	check_whole(1);
}

static void
what_cannot_be_used_again_is_closed(void)
{
	with_pool(&(struct setup){ .threads = 1 }, spoilt_and_killed);
}

/* --- in line ---------------------------------------------------------------------- */

static unsigned order[8], n_order;

static void
in_line(void *arg)
{
	struct spout__pg_lease *lease = lease_new();

	order[n_order++] = (unsigned)(uintptr_t)arg;
	CU_ASSERT_EQUAL(run(lease, "SELECT 7"), 7);
}

static void
first_come(void *arg)
{
	struct spout__pg_lease *lease = lease_new();
	struct ending endings[6];
	struct spout_coroutine *co[6];
	struct spout_future *future;
	uintptr_t i;

	(void)arg;
	n_order = 0;
	for (i = 0; i < 6; i++)
		co[i] = start(in_line, (void *)i, 0, &endings[i]);
	spout_yield();
	future = spout_pg_query_async("SELECT pg_sleep(0)");
	spout_yield();
	spout__coroutine_cancel(co[2], -ECANCELED, "client gone");
	spout_sleep(5);
	CU_ASSERT_EQUAL(n_order, 0);
	spout__lease_give(lease);
	(void)spout_future_rows(future);
	CU_ASSERT_EQUAL(n_order, 5);
	for (i = 0; i < 6; i++) {
		wait_until(endings[i].gone);
		CU_ASSERT_EQUAL(endings[i].error, i == 2 ? -ECANCELED : 0);
	}
	for (i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(order[i], i + (i >= 2));
	check_whole(1);
}

static void
leases_and_queries_are_served_in_turn(void)
{
	with_pool(&(struct setup){ .threads = 1 }, first_come);
}

static void
none_left(void *arg)
{
	struct spout__pg_lease *lease = lease_new(), other;

	(void)arg;
	CU_ASSERT_EQUAL(spout__lease_take(&other, "a test"), -ENOBUFS);
	CU_ASSERT_STRING_EQUAL(
	    spout_error(), "no database connection became free within 50 ms");
	spout__lease_give(lease);
	CU_ASSERT_EQUAL(spout__lease_take(&other, "a test"), 0);
	spout__lease_give(&other);
}

static void
waiting_for_a_lease_has_an_end(void)
{
	with_pool(
	    &(struct setup){ .threads = 1, .options.acquire_ms = 50 }, none_left);
}

static void
nowhere(void *arg)
{
	struct spout__pg_lease lease;

	(void)arg;
	CU_ASSERT_EQUAL(spout__lease_take(&lease, "a test"), -EHOSTDOWN);
	spout__lease_give(&lease);
}

static void
without_a_database_there_is_no_lease(void)
{
	with_pool(&(struct setup){ .url = "" }, nowhere);
	with_pool(&(struct setup){ .url = "postgresql://127.0.0.1:1/x" }, nowhere);
}

/* --- at any moment ---------------------------------------------------------------- */

static void
some_work(void *arg)
{
	struct spout__pg_lease *lease = lease_new();

	(void)arg;
	(void)run(lease, "BEGIN; INSERT INTO leased VALUES (1)");
	(void)run(lease, "SELECT pg_sleep(0.002)");
	(void)run(lease, "ROLLBACK");
	spout__lease_give(lease);
}

/* Cancelled, or out of time, at moments that nobody chose. */
static void
at_random(void *arg)
{
	enum { AT_ONCE = 12 };
	int rounds = (int)unit_scaled(40), round, i;
	struct spout_coroutine *co[AT_ONCE];
	struct ending endings[AT_ONCE];

	(void)arg;
	for (round = 0; round < rounds; round++) {
		for (i = 0; i < AT_ONCE; i++)
			co[i] = start(some_work, NULL,
			    (uint64_t)((i + round) % 3 == 0 ? 1 + (round + i) % 9 : 0),
			    &endings[i]);
		for (i = 0; i < round % 11; i++)
			spout_yield();
		for (i = 0; i < AT_ONCE; i++)
			if ((round + i) % 4 == 1 && !endings[i].gone)
				spout__coroutine_cancel(co[i], -ECANCELED, "client gone");
		for (i = 0; i < AT_ONCE; i++)
			wait_until(endings[i].gone);
	}
	wait_until(sessions("active") + sessions("idle in%") == 0);
	CU_ASSERT_EQUAL(observe("SELECT count(*) FROM leased"), 0);
	wait_until(
	    atomic_load(&spout__stats->gauges[SPOUT__G_PG_CONNECTIONS_BUSY]) == 0);
	check_whole(3);
}

static void
no_lease_is_lost_whoever_leaves_when(void)
{
	with_pool(&(struct setup){ .threads = 3 }, at_random);
}

static void
hold_on(void *arg)
{
	struct spout__pg_lease *lease = lease_new();

	(void)arg;
	CU_ASSERT_EQUAL(run(lease, "SELECT pg_sleep(60)"), -2);
	CU_ASSERT_EQUAL(spout__lease_check(lease), -ECANCELED);
}

static void
stop_meanwhile(void *arg)
{
	struct ending endings[3];
	int i;

	(void)arg;
	for (i = 0; i < 3; i++)
		start(hold_on, NULL, 0, &endings[i]);
	wait_until(sessions("active") == 2);
	CU_ASSERT_EQUAL(spout__pg_stop(loop, 5000), 0);
	for (i = 0; i < 3; i++) {
		wait_until(endings[i].gone);
		CU_ASSERT_EQUAL(endings[i].error, i < 2 ? 0 : -ECANCELED);
	}
}

static void
a_pool_that_stops_takes_its_leases_back(void)
{
	with_pool(&(struct setup){ .threads = 2 }, stop_meanwhile);
}

int
main(int argc, char **argv)
{
	static const struct unit_test leases[] = {
		UNIT_TEST(a_connection_is_leased_and_given_back),
		UNIT_TEST(who_leaves_in_the_middle_leaves_nothing_behind),
		UNIT_TEST(what_cannot_be_used_again_is_closed),
		UNIT_TEST(leases_and_queries_are_served_in_turn),
		UNIT_TEST(waiting_for_a_lease_has_an_end),
		UNIT_TEST(without_a_database_there_is_no_lease),
		UNIT_TEST(no_lease_is_lost_whoever_leaves_when),
		UNIT_TEST(a_pool_that_stops_takes_its_leases_back),
		UNIT_END,
	};
	static const struct unit_suite suites[] = { { "leases", leases },
		{ NULL, NULL } };
	int status = cluster_start();

	return status != 0 ? status : unit_run(argc, argv, suites);
}
