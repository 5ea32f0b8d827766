/* SPDX-License-Identifier: MIT */
/*
 * Each wait of a transaction, a batch and a lock, cancelled in turn: nothing is done by
 * half, no connection is lost, no session is left in a transaction or with a lock.
 */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <spout/spout.h>

#include "async/async.h"
#include "base/stats.h"
#include "pg_help.h"

#define MAX_WAITS 100u

/* Waits of the coroutine that is swept, and of its children. */
static const void *swept; /* the `local` of their scopes */
static unsigned waits, cancel_at;
static bool late; /* cancelled when the loop has turned, not at once */

static void
cancel_it(void *arg)
{
	struct spout_coroutine *co = arg;

	if (spout__coroutine_is_alive(loop, co))
		spout__coroutine_cancel(co, -ECANCELED, "swept");
}

static void
on_wait(struct spout_coroutine *co, const char *what)
{
	(void)what;
	if (spout__coroutine_scope(co)->local != swept || ++waits != cancel_at)
		return;
	if (!late || spout_loop_add_callback(loop, cancel_it, co) < 0)
		spout__coroutine_cancel(co, -ECANCELED, "swept");
}

/* Cancel fn at its first wait, its second … until it passes untouched. */
static void
sweep(spout_fn fn)
{
	struct ending ending;
	unsigned step = unit_scaled(16) < 16 ? 3 : 1;

	for (cancel_at = 1; cancel_at < MAX_WAITS; cancel_at += step) {
		waits = 0;
		swept = &ending;
		spout__on_wait = on_wait;
		start(fn, NULL, 0, &ending);
		wait_until(ending.gone);
		spout__on_wait = NULL;
		wait_until(sessions("active") + sessions("idle in%") == 0);
		/* Pairs, or nothing. */
		CU_ASSERT_EQUAL(observe("SELECT count(*) FROM (SELECT n FROM swept "
					"GROUP BY n HAVING count(*) <> 2) AS halves"),
		    0);
		wait_until(observe("SELECT count(*) FROM pg_locks WHERE locktype = "
				   "'advisory'") == 0);
		if (ending.error == 0 && waits < cancel_at)
			break;
	}
	printf("[%u waits] ", waits);
	CU_ASSERT(waits > 2 && cancel_at < MAX_WAITS);
	wait_until(
	    atomic_load(&spout__stats->gauges[SPOUT__G_PG_CONNECTIONS_BUSY]) == 0);
	CU_ASSERT(observe("SELECT count(*) FROM swept") > 0);
	check_whole(2);
}

static void
make_table(void)
{
	spout_pg_query("DROP TABLE IF EXISTS swept");
	spout_pg_query("CREATE TABLE swept (n int)");
}

/* --- what is swept ---------------------------------------------------------------- */

static void
insert(struct spout_pg_tx *tx, void *arg)
{
	spout_pg_tx_query(tx, "INSERT INTO swept VALUES ($1)", *(int *)arg);
}

static void
insert_and_fail(struct spout_pg_tx *tx, void *arg)
{
	insert(tx, arg);
	spout_pg_tx_query(tx, "SELECT 1 / 0");
}

static void
insert_pair(struct spout_pg_tx *tx, void *arg)
{
	insert(tx, arg);
	if (spout_try_pg_nested(tx, insert_and_fail, arg) == 0)
		CU_FAIL("division by zero");
	spout_pg_tx_query(tx, "SELECT pg_sleep(0.002)");
	spout_pg_nested(tx, insert, arg);
}

static void
transactions(void *arg)
{
	int n = (int)cancel_at;
	struct spout_pg_tx *tx;

	(void)arg;
	spout_pg_atomic(insert_pair, &n, .retries = 1);
	tx = spout_pg_begin();
	insert(tx, &n);
	spout_pg_rollback(tx);
}

static void
sweep_transactions(void *arg)
{
	(void)arg;
	make_table();
	late = false;
	sweep(transactions);
	make_table();
	late = true;
	sweep(transactions);
}

static void
a_transaction_may_be_left_at_any_wait(void)
{
	with_pool(&(struct setup){ .threads = 2 }, sweep_transactions);
}

static void
batches_and_locks(void *arg)
{
	struct spout_pg_batch *batch = spout_pg_batch_new(.transaction = true);
	struct spout_pg_lock *lock = spout_pg_lock("swept");

	(void)arg;
	spout_pg_batch_add(batch, "INSERT INTO swept VALUES ($1)", cancel_at);
	spout_pg_batch_add(batch, "SELECT pg_sleep(0.002)");
	spout_pg_batch_add(batch, "INSERT INTO swept VALUES ($1)", cancel_at);
	spout_pg_batch_run(batch);
	if (spout_pg_lock_held(lock))
		spout_pg_unlock(lock);
}

static void
sweep_batches(void *arg)
{
	(void)arg;
	make_table();
	late = false;
	sweep(batches_and_locks);
	make_table();
	late = true;
	sweep(batches_and_locks);
}

static void
a_batch_and_a_lock_may_be_left_at_any_wait(void)
{
	with_pool(&(struct setup){ .threads = 2 }, sweep_batches);
}

int
main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(a_transaction_may_be_left_at_any_wait),
		UNIT_TEST(a_batch_and_a_lock_may_be_left_at_any_wait),
		UNIT_END,
	};
	static const struct unit_suite suites[] = { { "sweep", tests }, { NULL, NULL } };
	int status = cluster_start();

	return status != 0 ? status : unit_run(argc, argv, suites);
}
