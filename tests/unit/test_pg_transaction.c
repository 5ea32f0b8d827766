/* SPDX-License-Identifier: MIT */
/* Transactions of a coroutine: whole or not at all, whoever leaves when. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <spout/spout.h>

#include "async/async.h"
#include "base/clock.h"
#include "pg_help.h"

#define ACCOUNTS 8
#define INSERT "INSERT INTO entries VALUES ($1)"

static void
make_tables(void)
{
	spout_pg_query("DROP TABLE IF EXISTS entries");
	spout_pg_query("CREATE TABLE entries (n int PRIMARY KEY)");
	spout_pg_query("DROP TABLE IF EXISTS accounts");
	spout_pg_query("CREATE TABLE accounts (n int PRIMARY KEY, amount int NOT NULL)");
	spout_pg_query("INSERT INTO accounts SELECT i, 1000 FROM "
		       "generate_series(0, 7) i");
}

/* What other connections see. */
static int
entries(void)
{
	return observe("SELECT count(*) FROM entries");
}

/* --- the ends --------------------------------------------------------------------- */

static void
leave_in_it(void *arg)
{
	struct spout_pg_tx *tx = spout_pg_begin();

	(void)arg;
	spout_pg_tx_query(tx, INSERT, 3);
	CU_ASSERT_EQUAL(sessions("idle in transaction"), 1);
	spout_fail_with(-EIO, "on purpose");
}

static void
ends(void *arg)
{
	struct spout_pg_tx *tx;

	(void)arg;
	make_tables();
	tx = spout_pg_begin();
	CU_ASSERT_EQUAL(sessions("idle in transaction"), 0);
	CU_ASSERT_EQUAL(spout_rows_affected(spout_pg_tx_query(tx, INSERT, 1)), 1);
	CU_ASSERT_EQUAL(sessions("idle in transaction"), 1);
	CU_ASSERT_EQUAL(spout_row_int(spout_pg_tx_query(tx, "SELECT n FROM entries"), 0,
			    "n"), 1);
	CU_ASSERT_EQUAL(entries(), 0);
	spout_pg_commit(tx);
	CU_ASSERT_EQUAL(entries(), 1);
	CU_ASSERT_EQUAL(sessions("idle"), 1);

	tx = spout_pg_begin();
	spout_pg_tx_query(tx, INSERT, 2);
	spout_pg_rollback(tx);
	spout_pg_rollback(tx);
	CU_ASSERT_PTR_NULL(spout_try_pg_tx_query(tx, INSERT, 4));
	CU_ASSERT_EQUAL(errno, EINVAL);
	CU_ASSERT_EQUAL(spout_try_pg_commit(tx), -EINVAL);
	CU_ASSERT_STRING_EQUAL(spout_error(), "the transaction is over");

	CU_ASSERT_EQUAL(spout_try_scope_run(leave_in_it, NULL), -EIO);
	CU_ASSERT_STRING_EQUAL(spout_error(), "on purpose");
	tx = spout_pg_begin(); /* nothing in it: nothing to do */
	spout_pg_commit(tx);
	wait_until(sessions("idle in transaction") == 0);
	CU_ASSERT_EQUAL(entries(), 1);
	CU_ASSERT_EQUAL(sessions("%"), 1);
}

static void
what_is_committed_stays_and_nothing_else(void)
{
	with_pool(&(struct setup){ .threads = 1 }, ends);
}

static void
errors(void *arg)
{
	struct spout_pg_tx *tx;
	struct spout_rows *rows;

	(void)arg;
	make_tables();
	spout_pg_query(INSERT, 1);
	tx = spout_pg_begin();
	rows = spout_pg_tx_query(tx, INSERT " RETURNING n", 2);
	CU_ASSERT_PTR_NULL(spout_try_pg_tx_query(tx, INSERT, 1));
	CU_ASSERT_EQUAL(errno, EIO);
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "23505");
	CU_ASSERT_PTR_NULL(spout_try_pg_tx_query(tx, "SELECT 1"));
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "23505");
	CU_ASSERT_EQUAL(spout_try_pg_commit(tx), -EIO);
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "23505");
	CU_ASSERT_EQUAL(spout_row_int(rows, 0, "n"), 2);
	CU_ASSERT_EQUAL(entries(), 1);

	tx = spout_pg_begin(); /* an error with the first statement */
	CU_ASSERT_PTR_NULL(spout_try_pg_tx_query(tx, "SELECT 1 / $1::int", 0));
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "22012");
	CU_ASSERT_EQUAL(spout_try_pg_commit(tx), -EIO);

	tx = spout_pg_begin();
	CU_ASSERT_PTR_NULL(spout_try_pg_tx_query(tx, "COMMIT"));
	CU_ASSERT_STRING_EQUAL(spout_error(), "a statement ended the transaction");
	tx = spout_pg_begin();
	CU_ASSERT_PTR_NULL(spout_try_pg_tx_query(tx, "COPY entries TO STDOUT"));
	CU_ASSERT_EQUAL(errno, EINVAL);
	tx = spout_pg_begin();
	CU_ASSERT_PTR_NULL(spout_try_pg_tx_query(tx, "SELECT $1", (void *)&tx));
	CU_ASSERT_EQUAL(errno, EINVAL);
	spout_pg_tx_query(tx, "SELECT 1");
	spout_pg_rollback(tx);
	check_whole(2);
}

static void
after_an_error_everything_is_undone(void)
{
	with_pool(&(struct setup){ .threads = 2 }, errors);
}

static void
at_commit(void *arg)
{
	struct spout_pg_tx *tx;

	(void)arg;
	make_tables();
	spout_pg_query("CREATE TABLE later (n int REFERENCES entries "
		       "DEFERRABLE INITIALLY DEFERRED)");
	tx = spout_pg_begin();
	spout_pg_tx_query(tx, INSERT, 1);
	spout_pg_tx_query(tx, "INSERT INTO later VALUES (7)");
	CU_ASSERT_EQUAL(spout_try_pg_commit(tx), -EIO);
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "23503");
	CU_ASSERT_EQUAL(entries(), 0);
	tx = spout_pg_begin();
	spout_pg_tx_query(tx, INSERT, 7);
	spout_pg_tx_query(tx, "INSERT INTO later VALUES (7)");
	spout_pg_commit(tx);
	CU_ASSERT_EQUAL(entries(), 1);
	spout_pg_query("DROP TABLE later");
	check_whole(2);
}

static void
a_commit_can_fail(void)
{
	with_pool(&(struct setup){ .threads = 2 }, at_commit);
}

/* --- options ---------------------------------------------------------------------- */

static const char *
shown(struct spout_pg_tx *tx, const char *sql)
{
	return spout_rows_value(spout_pg_tx_query_with(tx, sql, NULL, 0), 0, 0).data;
}

static void
options(void *arg)
{
	struct spout_pg_tx *tx = spout_pg_begin(.isolation = SPOUT_PG_SERIALIZABLE,
	    .read_only = true, .deferrable = true);

	(void)arg;
	CU_ASSERT_STRING_EQUAL(shown(tx, "SHOW transaction_isolation"), "serializable");
	CU_ASSERT_STRING_EQUAL(shown(tx, "SHOW transaction_read_only"), "on");
	CU_ASSERT_STRING_EQUAL(shown(tx, "SHOW transaction_deferrable"), "on");
	CU_ASSERT_STRING_EQUAL(
	    shown(tx, "SHOW idle_in_transaction_session_timeout"), "10s");
	CU_ASSERT_PTR_NULL(spout_try_pg_tx_query(tx, "CREATE TABLE t (n int)"));
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "25006");
	spout_pg_rollback(tx);
	tx = spout_pg_begin(.isolation = SPOUT_PG_REPEATABLE_READ, .idle_ms = 60000);
	CU_ASSERT_STRING_EQUAL(
	    shown(tx, "SHOW transaction_isolation"), "repeatable read");
	CU_ASSERT_STRING_EQUAL(
	    shown(tx, "SHOW idle_in_transaction_session_timeout"), "70s");
	spout_pg_commit(tx);
	tx = spout_pg_begin();
	CU_ASSERT_STRING_EQUAL(
	    shown(tx, "SHOW transaction_isolation"), "read committed");
	CU_ASSERT_STRING_EQUAL(shown(tx, "SHOW transaction_read_only"), "off");
	spout_pg_commit(tx);
}

static void
a_transaction_is_what_was_asked_for(void)
{
	with_pool(&(struct setup){ .threads = 1 }, options);
}

static void
idle(void *arg)
{
	static const char pid_sql[] = "SELECT pg_backend_pid() AS n";
	struct spout_pg_tx *tx;
	int64_t pid = spout_row_int(spout_pg_query(pid_sql), 0, "n");

	(void)arg;
	make_tables();
	tx = spout_pg_begin(.idle_ms = 40);
	spout_pg_tx_query(tx, INSERT, 1);
	spout_pg_tx_query(tx, "SELECT pg_sleep(0.1)"); /* busy is not idle */
	wait_until(sessions("idle in transaction") == 0);
	CU_ASSERT_PTR_NULL(spout_try_pg_tx_query(tx, INSERT, 2));
	CU_ASSERT_EQUAL(errno, ETIMEDOUT);
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "25P03");
	CU_ASSERT_EQUAL(spout_try_pg_commit(tx), -ETIMEDOUT);
	CU_ASSERT_EQUAL(entries(), 0);
	CU_ASSERT_EQUAL(spout_row_int(spout_pg_query(pid_sql), 0, "n"), pid);
}

static void
a_transaction_that_is_idle_for_long_is_rolled_back(void)
{
	with_pool(&(struct setup){ .threads = 1 }, idle);
}

/* --- nested ----------------------------------------------------------------------- */

static void
insert_and_leave(struct spout_pg_tx *tx, void *arg)
{
	spout_pg_tx_query(tx, INSERT, *(int *)arg);
	spout_pg_nest(tx); /* and forget it */
	spout_fail_with(-EIO, "on purpose");
}

static void
insert_twice(struct spout_pg_tx *tx, void *arg)
{
	spout_pg_tx_query(tx, INSERT, *(int *)arg);
	spout_pg_tx_query(tx, INSERT, *(int *)arg);
}

static void
insert_once(struct spout_pg_tx *tx, void *arg)
{
	spout_pg_tx_query(tx, INSERT, *(int *)arg);
}

static void
nested(void *arg)
{
	struct spout_pg_tx *tx, *inner, *innermost;
	int n = 3;

	(void)arg;
	make_tables();
	tx = spout_pg_begin();
	inner = spout_pg_nest(tx);
	CU_ASSERT_PTR_NULL(spout_try_pg_tx_query(tx, INSERT, 1));
	CU_ASSERT_EQUAL(errno, EINVAL);
	CU_ASSERT_EQUAL(spout_try_pg_commit(tx), -EINVAL);
	spout_pg_rollback(inner); /* has not begun */
	spout_pg_tx_query(tx, INSERT, 1);
	inner = spout_pg_nest(tx);
	spout_pg_tx_query(inner, INSERT, 2);
	innermost = spout_pg_nest(inner);
	CU_ASSERT_PTR_NULL(spout_try_pg_tx_query(innermost, INSERT, 2));
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "23505");
	CU_ASSERT_EQUAL(spout_try_pg_commit(innermost), -EIO);
	spout_pg_tx_query(inner, INSERT, 10);
	spout_pg_commit(inner);
	CU_ASSERT_EQUAL(spout_try_pg_nested(tx, insert_and_leave, &n), -EIO);
	CU_ASSERT_STRING_EQUAL(spout_error(), "on purpose");
	CU_ASSERT_EQUAL(spout_try_pg_nested(tx, insert_twice, &n), -EIO);
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "23505");
	n = 4;
	spout_pg_nested(tx, insert_once, &n);
	inner = spout_pg_nest(tx);
	spout_pg_tx_query(inner, INSERT, 5);
	innermost = spout_pg_nest(inner);
	spout_pg_tx_query(innermost, INSERT, 6);
	spout_pg_rollback(inner); /* and what is in it */
	CU_ASSERT_PTR_NULL(spout_try_pg_tx_query(innermost, INSERT, 6));
	spout_pg_commit(tx);
	CU_ASSERT_EQUAL(entries(), 4);
	CU_ASSERT_EQUAL(observe("SELECT sum(n) FROM entries"), 1 + 2 + 10 + 4);
}

static void
too_deep(void *arg)
{
	struct spout_pg_tx *tx = spout_pg_begin();
	int i;

	(void)arg;
	for (i = 0; i < 16; i++)
		tx = spout_pg_nest(tx);
	spout_pg_tx_query(tx, "SELECT 1");
	spout_pg_nest(tx);
}

static void
nested_transactions(void *arg)
{
	nested(arg);
	CU_ASSERT_EQUAL(spout_try_scope_run(too_deep, NULL), -EINVAL);
	CU_ASSERT_STRING_EQUAL(spout_error(), "transactions are nested too deeply");
	check_whole(2);
}

static void
a_nested_transaction_is_undone_alone(void)
{
	with_pool(&(struct setup){ .threads = 2 }, nested_transactions);
}

/* --- again ------------------------------------------------------------------------ */

static unsigned tries;

static void
increment(struct spout_pg_tx *tx, void *arg)
{
	struct spout_rows *rows = spout_pg_tx_query(
	    tx, "SELECT amount FROM accounts WHERE n = $1", *(int *)arg);
	int64_t amount = spout_row_int(rows, 0, "amount");

	tries++;
	spout_yield();
	spout_pg_tx_query(tx, "UPDATE accounts SET amount = $1 WHERE n = $2", amount + 1,
	    *(int *)arg);
}

static void
increment_task(void *arg)
{
	int i, n = 0;

	(void)arg;
	for (i = 0; i < 5; i++)
		spout_pg_atomic(increment, &n, .isolation = SPOUT_PG_SERIALIZABLE,
		    .retries = 1000);
}

/* Each locks two rows, in an order that invites a deadlock. */
static void
lock_two(struct spout_pg_tx *tx, void *arg)
{
	int first = *(int *)arg;

	spout_pg_tx_query(
	    tx, "UPDATE accounts SET amount = amount + 1 WHERE n = $1", 1 + first);
	spout_sleep(2);
	spout_pg_tx_query(
	    tx, "UPDATE accounts SET amount = amount + 1 WHERE n = $1", 2 - first);
}

static void
lock_task(void *arg)
{
	int first = (int)(intptr_t)arg, i;

	for (i = 0; i < 3; i++)
		spout_pg_atomic(lock_two, &first, .retries = 1000);
}

static void
ended_by_itself(struct spout_pg_tx *tx, void *arg)
{
	(void)arg;
	spout_pg_commit(tx);
}

static void
conflicts(void *arg)
{
	struct ending endings[6];
	int n = 0, i;

	(void)arg;
	make_tables();
	tries = 0;
	for (i = 0; i < 4; i++)
		start(increment_task, NULL, 0, &endings[i]);
	for (; i < 6; i++)
		start(lock_task, (void *)(intptr_t)(i % 2), 0, &endings[i]);
	for (i = 0; i < 6; i++) {
		wait_until(endings[i].gone);
		CU_ASSERT_EQUAL(endings[i].error, 0);
	}
	CU_ASSERT_EQUAL(observe("SELECT amount FROM accounts WHERE n = 0"), 1020);
	CU_ASSERT_EQUAL(observe("SELECT sum(amount) FROM accounts WHERE n IN (1, 2)"),
	    2012);
	CU_ASSERT(tries >= 20);
	CU_ASSERT_EQUAL(spout_try_pg_atomic(ended_by_itself, &n), -EINVAL);
	CU_ASSERT_EQUAL(spout_try_pg_atomic(insert_twice, &n, .retries = 3), -EIO);
	CU_ASSERT_EQUAL(entries(), 0);
	check_whole(6);
}

static void
conflicting_transactions_run_again(void)
{
	with_pool(&(struct setup){ .threads = 6 }, conflicts);
}

static void
select_all(struct spout_pg_tx *tx, void *arg)
{
	tries++;
	*(size_t *)arg =
	    spout_rows_columns(spout_pg_tx_query(tx, "SELECT * FROM accounts"));
}

static void
altered(void *arg)
{
	size_t columns = 0;
	int i;

	(void)arg;
	make_tables();
	for (i = 0; i < 3; i++)
		spout_pg_atomic(select_all, &columns);
	CU_ASSERT_EQUAL(columns, 2);
	spout_pg_query("ALTER TABLE accounts ADD COLUMN more int");
	CU_ASSERT_EQUAL(spout_try_pg_atomic(select_all, &columns), -EAGAIN);
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "0A000");
	spout_pg_atomic(select_all, &columns);
	CU_ASSERT_EQUAL(columns, 3);
	for (i = 0; i < 3; i++)
		spout_pg_query("SELECT * FROM accounts");
	spout_pg_atomic(select_all, &columns);
	spout_pg_query("DISCARD ALL");
	tries = 0;
	spout_pg_atomic(select_all, &columns, .retries = 1);
	CU_ASSERT_EQUAL(tries, 2);
	check_whole(1);
}

static void
statements_of_transactions_are_prepared_again(void)
{
	with_pool(&(struct setup){ .threads = 1 }, altered);
}

/* --- losing it -------------------------------------------------------------------- */

static int
terminate(void)
{
	return observe("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
		       "WHERE application_name = 'test/w0'");
}

static void
kill_all(void)
{
	CU_ASSERT(terminate() >= 1);
	wait_until(sessions("%") == 0);
}

static void
lost(void *arg)
{
	struct spout_pg_tx *tx = spout_pg_begin(), *inner;

	(void)arg;
	make_tables();
	spout_pg_tx_query(tx, INSERT, 1);
	kill_all();
	CU_ASSERT_PTR_NULL(spout_try_pg_tx_query(tx, INSERT, 2));
	CU_ASSERT_EQUAL(errno, EHOSTDOWN);
	CU_ASSERT_EQUAL(spout_try_pg_commit(tx), -EHOSTDOWN);
	tx = spout_pg_begin();
	spout_pg_tx_query(tx, INSERT, 1);
	kill_all();
	CU_ASSERT_EQUAL(spout_try_pg_commit(tx), -EHOSTDOWN);
	CU_ASSERT_PTR_NOT_NULL(strstr(spout_error(), "may have taken effect"));
	tx = spout_pg_begin();
	inner = spout_pg_nest(tx);
	spout_pg_tx_query(inner, INSERT, 1);
	kill_all();
	CU_ASSERT_EQUAL(spout_try_pg_commit(inner), -EHOSTDOWN);
	spout_pg_rollback(tx);
	tx = spout_pg_begin();
	CU_ASSERT_PTR_NULL(spout_try_pg_tx_query(
	    tx, "SELECT repeat('x', 1000) FROM generate_series(1, 9000)"));
	CU_ASSERT_EQUAL(errno, EMSGSIZE);
	tx = spout_pg_begin();
	CU_ASSERT_EQUAL(
	    spout_rows_count(spout_pg_tx_query(
		tx, "SELECT repeat('x', 1000) FROM generate_series(1, 900)")),
	    900);
	spout_pg_commit(tx);
	CU_ASSERT_EQUAL(entries(), 0);
	check_whole(2);
}

static void
a_lost_connection_is_an_error_and_replaced(void)
{
	with_pool(&(struct setup){ .threads = 2, .options.max_result_bytes = 2000000 },
	    lost);
}

/* --- at any moment ---------------------------------------------------------------- */

static unsigned done;

struct transfer {
	int from, to, amount;
};

static void
audit(struct spout_pg_tx *tx, void *arg)
{
	const struct transfer *t = arg;

	spout_pg_tx_query(tx, "UPDATE accounts SET amount = amount - 1000000 "
			      "WHERE n = $1", t->from);
	spout_pg_tx_query(tx, "SELECT 1 / ($1::int % 2)", t->amount);
	spout_pg_tx_query(tx, "UPDATE accounts SET amount = amount + 1000000 "
			      "WHERE n = $1", t->from);
}

static void
move(struct spout_pg_tx *tx, void *arg)
{
	const struct transfer *t = arg;

	spout_pg_tx_query(tx, "UPDATE accounts SET amount = amount - $1 WHERE n = $2",
	    t->amount, t->from);
	if (spout_try_pg_nested(tx, audit, arg) < 0 && t->amount % 2 == 1)
		return; /* a conflict: this one fails as well */
	spout_pg_tx_query(tx, "UPDATE accounts SET amount = amount + $1 WHERE n = $2",
	    t->amount, t->to);
	if (t->amount % 7 == 0)
		spout_fail_with(-EIO, "no");
}

static void
transfer(void *arg)
{
	unsigned n = (unsigned)(uintptr_t)arg;
	struct transfer t = { (int)(n % ACCOUNTS), (int)((n * 5 + 1) % ACCOUNTS),
		(int)n % 50 };

	if (spout_try_pg_atomic(move, &t, .retries = n % 3) == 0)
		done++;
}

static void
storm(void *arg)
{
	enum { AT_ONCE = 20 };
	int rounds = (int)unit_scaled(25), round, i;
	struct spout_coroutine *co[AT_ONCE];
	struct ending endings[AT_ONCE];

	(void)arg;
	make_tables();
	done = 0;
	for (round = 0; round < rounds; round++) {
		for (i = 0; i < AT_ONCE; i++)
			co[i] = start(transfer,
			    (void *)(uintptr_t)(round * AT_ONCE + i),
			    (uint64_t)((i + round) % 5 == 0 ? 1 + (round + i) % 13 : 0),
			    &endings[i]);
		for (i = 0; i < round % 17; i++)
			spout_yield();
		for (i = 0; i < AT_ONCE; i++)
			if ((round + i) % 6 == 1 && !endings[i].gone)
				spout__coroutine_cancel(co[i], -ECANCELED, "client gone");
		if (round % 10 == 5)
			CU_ASSERT(terminate() >= 0);
		for (i = 0; i < AT_ONCE; i++)
			wait_until(endings[i].gone);
		wait_until(sessions("active") + sessions("idle in%") == 0);
		CU_ASSERT_EQUAL(observe("SELECT sum(amount) FROM accounts"), 8000);
	}
	printf("(%u of %d done) ", done, rounds * AT_ONCE);
	CU_ASSERT(done > 0);
	wait_until(
	    atomic_load(&spout__stats->gauges[SPOUT__G_PG_CONNECTIONS_BUSY]) == 0);
	check_whole(5);
}

static void
there_is_never_half_a_transaction(void)
{
	with_pool(&(struct setup){ .threads = 5 }, storm);
}

int
main(int argc, char **argv)
{
	static const struct unit_test transactions[] = {
		UNIT_TEST(what_is_committed_stays_and_nothing_else),
		UNIT_TEST(after_an_error_everything_is_undone),
		UNIT_TEST(a_commit_can_fail),
		UNIT_TEST(a_transaction_is_what_was_asked_for),
		UNIT_TEST(a_transaction_that_is_idle_for_long_is_rolled_back),
		UNIT_TEST(a_nested_transaction_is_undone_alone),
		UNIT_TEST(conflicting_transactions_run_again),
		UNIT_TEST(statements_of_transactions_are_prepared_again),
		UNIT_TEST(a_lost_connection_is_an_error_and_replaced),
		UNIT_TEST(there_is_never_half_a_transaction),
		UNIT_END,
	};
	static const struct unit_suite suites[] = { { "transactions", transactions },
		{ NULL, NULL } };
	int status = cluster_start();

	return status != 0 ? status : unit_run(argc, argv, suites);
}
