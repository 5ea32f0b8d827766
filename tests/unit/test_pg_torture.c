/* SPDX-License-Identifier: MIT */
/*
 * Allocation torture of the PostgreSQL pool: whichever allocation of ours fails, on the
 * loop or on a db thread, a query ends with an error and the pool comes down whole. What
 * libpq allocates for itself does not fail here. See torture.h.
 */
#include "config.h"

#include "pg_help.h"
#include "torture.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <spout/spout.h>

#include "executor/executor.h"
#include "pg/listen.h"

static unsigned done; /* steps that were taken */
static char migrations[] = "/tmp/spout-test-torture-XXXXXX";

static int
two_statements(struct pg_conn *conn, void *arg)
{
	(void)arg;
	if (spout_pg_exec(conn, "CREATE TEMP TABLE IF NOT EXISTS t (n int)") == NULL ||
	    spout_pg_exec(conn, "INSERT INTO t VALUES ($1)", 7) == NULL)
		return spout_pg_exec_error(conn);
	return 1;
}

static void
fail_once(struct spout_pg_tx *tx, void *arg)
{
	*(bool *)arg = spout_try_pg_tx_query(tx, "SELECT 1 / 0") == NULL &&
	    spout_pg_sqlstate()[0] == '2';
}

/* A transaction of the loop, one inside it, and one that is left open. */
static void
transact(void *arg)
{
	struct spout_pg_tx *tx = spout_pg_begin();
	struct spout_rows *rows;
	bool failed = false;

	(void)arg;
	rows = spout_pg_tx_query(tx, "SELECT $1::int AS n", 8);
	done += spout_row_int(rows, 0, "n") == 8;
	done += spout_try_pg_nested(tx, fail_once, &failed) < 0 && failed;
	rows = spout_pg_tx_query(tx, "SELECT $1::int AS n", 9);
	done += spout_row_int(rows, 0, "n") == 9;
	spout_pg_commit(tx);
	tx = spout_pg_begin();
	spout_pg_tx_query(tx, "SELECT 1");
	done++;
}

static void
batches_and_locks(void *arg)
{
	struct spout_pg_batch *batch = spout_pg_batch_new();
	struct spout_pg_lock *lock;
	int i;

	(void)arg;
	for (i = 0; i < 9; i++)
		spout_pg_batch_add(
		    batch, i != 4 ? "SELECT $1::int AS n" : "SELECT 1 / 0 + $1", i);
	done += spout_try_pg_batch_run(batch) == -EIO;
	for (i = 5; i < 9; i++)
		done += spout_row_int(
			    spout_pg_batch_rows(batch, (size_t)i), 0, "n") == i;
	lock = spout_pg_lock("torture", .timeout_ms = 9000);
	done += spout_try_pg_lock_now("torture") == NULL && errno == EAGAIN;
	spout_pg_unlock(lock);
	batch = spout_pg_batch_new(.transaction = true);
	spout_pg_batch_add(batch, "SELECT 1 AS n");
	spout_pg_batch_run_in(batch, spout_pg_begin());
	done += spout_row_int(spout_pg_batch_rows(batch, 0), 0, "n") == 1;
}

static void
ask(void *arg)
{
	const struct spout_slice bytes = spout_slice("\\x01\\x02");
	struct spout_future *a, *b;
	struct spout_rows *rows;

	(void)arg;
	rows =
	    spout_pg_query("SELECT $1::int AS n, $2::text AS t, '\\x0102'::bytea AS b, "
			   "$3::bytea AS c",
		42, "text", bytes);
	done += spout_row_int(rows, 0, "n") == 42;
	done += spout_row_bytes(rows, 0, "b").len == 2;
	/* Prepared, then in the fast lane. */
	spout_pg_query("SELECT $1::int AS n", 1);
	spout_pg_query("SELECT $1::int AS n", 2);
	a = spout_pg_query_async("SELECT $1::int AS n", 3);
	b = spout_pg_query_async("SELECT $1::int AS n", 4);
	done += spout_row_int(spout_future_rows(a), 0, "n") == 3;
	done += spout_row_int(spout_future_rows(b), 0, "n") == 4;
	a = spout_pg_query_async("SELECT generate_series(1, 2000)");
	b = spout_pg_query_async("SELECT pg_sleep($1)", 0.001);
	done += spout_rows_count(spout_future_rows(a)) == 2000;
	done += spout_rows_count(spout_future_rows(b)) == 1;
	done += spout_try_pg_query("SELECT 1 / 0") == NULL &&
	    spout_pg_sqlstate()[0] == '2';
	done += spout_pg_transaction(two_statements, NULL, .retries = 1) == 1;
	done += spout_pg_migrate(migrations) >= 0;
}

static void
on_event(const struct spout_pg_event *event, void *arg)
{
	(void)event;
	++*(unsigned *)arg;
}

/* The next event, unless the connection that listens was lost meanwhile. */
static const struct spout_pg_event *
next_event(struct spout_pg_subscription *s)
{
	const struct spout_pg_event *event = NULL;

	while (event == NULL && !spout__pg_of(loop)->listener->was_lost)
		event = spout_try_pg_next_event(s, 5);
	return event;
}

static void
listen_and_notify(void *arg)
{
	const struct spout_pg_event *event;
	struct spout_pg_subscription *queue, *callback;
	unsigned events = 0;

	(void)arg;
	queue = spout_pg_listen("torture");
	callback = spout_pg_listen_callback("torture", on_event, &events);
	event = callback != NULL ? next_event(queue) : NULL;
	done += event != NULL && event->kind == SPOUT_PG_LISTENING;
	if (event != NULL && spout_try_pg_notify("torture", "x") == 0)
		event = next_event(queue);
	done += event != NULL && event->kind == SPOUT_PG_NOTIFICATION &&
	    strcmp(event->payload, "x") == 0;
	spout_pg_unlisten(callback);
	done += events == 2;
}

static void
gone(void *arg)
{
	(void)arg;
	spout_loop_stop(loop);
}

static bool
in_coroutine(spout_fn fn)
{
	struct spout_coroutine *co = spout__coroutine_new(loop);

	if (co == NULL)
		return false;
	spout__coroutine_start(co, &(struct spout__coroutine_options){ .fn = fn,
	    .on_gone = gone, .where = "torture",
	    .deadline_ms = spout__loop_after_ms(loop, 20000) });
	CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
	return true;
}

static bool
run_pool(spout_fn fn, unsigned steps)
{
	const struct spout__executor_options executor = { .db_threads = 2 };
	const struct spout__pg_options options = { .url = cluster_url,
		.name = "torture" };
	bool whole = false;

	done = 0;
	loop = spout_loop_new();
	if (loop == NULL)
		return false;
	if (spout__executor_start(loop, &executor) == 0) {
		if (spout__pg_start(loop, &options) == 0)
			whole = in_coroutine(fn) && done == steps;
		CU_ASSERT_EQUAL(spout__pg_stop(loop, SPOUT_FOREVER), 0);
		CU_ASSERT_EQUAL(spout__executor_stop(loop, SPOUT_FOREVER), 0);
	}
	spout_loop_free(loop);
	return whole;
}

static bool
run_queries(void)
{
	return run_pool(ask, 9);
}

static bool
run_listener(void)
{
	return run_pool(listen_and_notify, 3);
}

static bool
run_transactions(void)
{
	return run_pool(transact, 4);
}

static bool
run_batches(void)
{
	return run_pool(batches_and_locks, 7);
}

static void
batches_and_locks_survive_every_failed_allocation(void)
{
	torture("batches", run_batches);
}

static void
transactions_survive_every_failed_allocation(void)
{
	torture("transactions", run_transactions);
}

static void
listening_survives_every_failed_allocation(void)
{
	torture("listening", run_listener);
}

static void
the_pool_survives_every_failed_allocation(void)
{
	char path[sizeof(migrations) + 20];
	FILE *file;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(migrations));
	snprintf(path, sizeof(path), "%s/0001_t.sql", migrations);
	file = fopen(path, "we");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fputs("CREATE TABLE t (n int); INSERT INTO t VALUES (1);", file);
	CU_ASSERT_EQUAL(fclose(file), 0);
	torture("PostgreSQL", run_queries);
	CU_ASSERT_EQUAL(remove(path), 0);
	CU_ASSERT_EQUAL(rmdir(migrations), 0);
}

static const struct unit_test torture_tests[] = {
	UNIT_TEST(the_pool_survives_every_failed_allocation),
	UNIT_TEST(transactions_survive_every_failed_allocation),
	UNIT_TEST(batches_and_locks_survive_every_failed_allocation),
	UNIT_TEST(listening_survives_every_failed_allocation),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "torture", torture_tests },
		{ NULL, NULL } };
	int status = cluster_start();

	if (status != 0)
		return status;
	spout__log_configure(
	    &(struct spout__log_options){ .level = SPOUT_LOG_ERROR, .fd = 2 });
	torture_init();
	return unit_run(argc, argv, suites);
}
