/* SPDX-License-Identifier: MIT */
/*
 * Ten thousand mixed requests at once: reads, writes, transactions on threads and on the
 * loop, batches; with errors, time-outs and clients that vanish, and connections that
 * are killed. No request gets the rows of another, none of them does half of its work.
 */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <spout/spout.h>

#include "async/async.h"
#include "base/stats.h"
#include "pg/driver.h"
#include "pg_help.h"

static void
make_pairs(void)
{
	spout_pg_query("DROP TABLE IF EXISTS pairs");
	spout_pg_query("CREATE TABLE pairs (n int PRIMARY KEY, v int NOT NULL)");
	spout_pg_query(
	    "INSERT INTO pairs SELECT i, i * 7 FROM generate_series(0, 999) i");
}

static struct spout__pg_driver *
driver(void)
{
	return spout__pg_of(loop)->driver;
}

/* --- all at once ------------------------------------------------------------------ */

static int answered, failed;
static unsigned dice;

static unsigned
roll(unsigned sides)
{
	dice = dice * 1103515245u + 12345u;
	return dice / 65536u % sides;
}

static int
echo(struct pg_conn *conn, void *arg)
{
	struct spout_rows *rows = spout_pg_exec(conn, "SELECT $1::int AS n", *(int *)arg);

	return rows != NULL ? (int)spout_row_int(rows, 0, "n")
			    : spout_pg_exec_error(conn);
}

static void
transact(int n)
{
	int r = spout_try_pg_transaction(echo, &n);

	CU_ASSERT(r < 0 || r == n);
	if (r < 0)
		failed++;
	else
		answered++;
}

/* A transaction of the loop: reads its own write, and undoes a part. */
static struct spout_rows *
transaction_of(int n)
{
	struct spout_pg_tx *tx = spout_try_pg_begin(), *inner;
	struct spout_rows *rows;

	if (tx == NULL ||
	    spout_try_pg_tx_query(tx, "INSERT INTO marks VALUES ($1), ($1)", n) == NULL)
		return NULL;
	inner = spout_pg_nest(tx);
	if (n % 4 < 2 || spout_try_pg_tx_query(inner, "SELECT 1 / ($1::int % 2)", n) ==
		NULL)
		spout_pg_rollback(inner);
	else
		spout_pg_commit(inner);
	rows = spout_try_pg_tx_query(
	    tx, "SELECT n, pg_sleep($2) FROM marks WHERE n = $1 LIMIT 1", n,
	    n % 120 == 5 ? 0.03 : 0.0);
	if (n % 3 == 0)
		spout_pg_rollback(tx);
	else if (rows != NULL && spout_try_pg_commit(tx) < 0)
		rows = NULL;
	return rows;
}

/* Two marks and the answer, in one transaction. */
static struct spout_rows *
batch_of(int n)
{
	struct spout_pg_batch *batch = spout_pg_batch_new(.transaction = true);

	spout_pg_batch_add(batch, "INSERT INTO marks VALUES ($1)", n);
	spout_pg_batch_add(batch, "SELECT $1::int AS n", n);
	spout_pg_batch_add(batch, "INSERT INTO marks VALUES ($1)", n);
	if (n % 4 == 2)
		spout_pg_batch_add(batch, "SELECT 1 / 0");
	return spout_try_pg_batch_run(batch) < 0 ? NULL
						 : spout_try_pg_batch_rows(batch, 1);
}

static void
one_of_many(void *arg)
{
	int n = (int)(intptr_t)arg;
	struct spout_rows *rows;

	switch (n % 10) {
	case 0:
		rows = spout_try_pg_query("SELECT $1::int AS n, 1 / $2::int", n, n % 3);
		break;
	case 1:
		rows = spout_try_pg_query(
		    "UPDATE pairs SET v = v WHERE n = $1 RETURNING $2::int AS n", n % 50,
		    n);
		break;
	case 2:
		rows = spout_try_pg_query(
		    "SELECT $1::int AS n, pg_sleep($2)", n, n % 300 == 2 ? 0.05 : 0.0);
		break;
	case 3:
		rows =
		    spout_try_pg_query("SELECT $1::int AS n FROM pairs WHERE 1 / v = $2 "
				       "AND n = $3",
			n, 0, n % 40 == 3 ? 0 : 1);
		break;
	case 4:
		if (n % 50 == 4) {
			transact(n);
			return;
		}
		rows = spout_try_pg_query(
		    "SELECT $1::int AS n FROM pairs WHERE n = $2", n, n % 1000);
		break;
	case 5:
		rows = transaction_of(n);
		break;
	case 6:
		rows = batch_of(n);
		break;
	default:
		rows = spout_try_pg_query(
		    "SELECT $1::int AS n FROM pairs WHERE n = $2", n, n % 1000);
	}
	if (rows == NULL) {
		failed++;
		return;
	}
	answered++;
	CU_ASSERT_EQUAL(spout_rows_count(rows), 1);
	CU_ASSERT_EQUAL(spout_row_int(rows, 0, "n"), n);
}

static void
disturb(int round)
{
	switch (round % 7) {
	case 1:
		spout_pg_query("DEALLOCATE ALL");
		break;
	case 2:
		spout_pg_query("ALTER TABLE pairs ADD COLUMN x int");
		break;
	case 3:
		spout_pg_query("ALTER TABLE pairs DROP COLUMN x");
		break;
	case 5:
		observe("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
			"WHERE application_name = 'test/w0'");
		break;
	}
}

static void
storm(void *arg)
{
	enum { AT_ONCE = 100 };
	int rounds = (int)unit_scaled(100), round, i;
	struct spout_coroutine *co[AT_ONCE];
	struct ending endings[AT_ONCE];

	(void)arg;
	make_pairs();
	spout_pg_query("CREATE TABLE marks (n int)");
	answered = failed = 0;
	dice = 1;
	for (round = 0; round < rounds; round++) {
		for (i = 0; i < AT_ONCE; i++)
			co[i] = start(one_of_many,
			    (void *)(intptr_t)(round * AT_ONCE + i),
			    roll(20) == 0 ? 1 + roll(10) : 0, &endings[i]);
		for (i = (int)roll(4); i > 0; i--)
			spout_yield();
		for (i = 0; i < AT_ONCE; i++)
			if (roll(20) == 0 && !endings[i].gone)
				spout__coroutine_cancel(co[i], -ECANCELED, "client gone");
		if (round % 10 == 9)
			disturb(round / 10);
		for (i = 0; i < AT_ONCE; i++)
			wait_until(endings[i].gone);
	}
	printf("(%d answered, %d failed) ", answered, failed);
	CU_ASSERT(answered > rounds * AT_ONCE / 2);
	CU_ASSERT_EQUAL(driver()->n_waiting, 0);
	CU_ASSERT_EQUAL(driver()->n_jobs, 0);
	wait_until( /* what was left in the middle may still be cleaned */
	    atomic_load(&spout__stats->gauges[SPOUT__G_PG_CONNECTIONS_BUSY]) == 0 &&
	    sessions("active") + sessions("idle in%") == 0);
	/* Never half a transaction, nor half a batch. */
	CU_ASSERT(observe("SELECT count(*) FROM marks") > 0);
	CU_ASSERT_EQUAL(observe("SELECT count(*) FROM (SELECT n FROM marks GROUP BY n "
				"HAVING count(*) <> 2) AS halves"),
	    0);
	check_whole(6);
}

/* On a machine that is busy, or under a checker, fast ones take longer. */
static void
no_request_gets_the_rows_of_another(void)
{
	with_pool(&(struct setup){ .threads = 6, .options.fast_us = 300000 }, storm);
}

int
main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(no_request_gets_the_rows_of_another),
		UNIT_END,
	};
	static const struct unit_suite suites[] = { { "storm", tests }, { NULL, NULL } };
	int status = cluster_start();

	return status != 0 ? status : unit_run(argc, argv, suites);
}
