/* SPDX-License-Identifier: MIT */
/* Advisory locks: one holder at a time, and none after its scope. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <spout/spout.h>

#include "async/async.h"
#include "pg_help.h"

static int
locks(void)
{
	return observe("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'");
}

static void
one_holder(void *arg)
{
	struct spout_pg_lock *lock = spout_pg_lock("a"), *other;

	(void)arg;
	CU_ASSERT_TRUE(spout_pg_lock_held(lock));
	CU_ASSERT_EQUAL(locks(), 1);
	CU_ASSERT_PTR_NULL(spout_try_pg_lock_now("a"));
	CU_ASSERT_EQUAL(errno, EAGAIN);
	CU_ASSERT_STRING_EQUAL(spout_error(), "somebody else has the lock");
	CU_ASSERT_PTR_NULL(spout_try_pg_lock("a", .timeout_ms = 20));
	CU_ASSERT_EQUAL(errno, EAGAIN);
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "55P03");
	CU_ASSERT_PTR_NULL(
	    spout_try_pg_lock_now(NULL, .key = spout_pg_lock_key("a"), .shared = true));
	other = spout_pg_lock("b");
	CU_ASSERT_EQUAL(locks(), 2);
	spout_pg_unlock(other);
	spout_pg_unlock(other);
	CU_ASSERT_FALSE(spout_pg_lock_held(other));
	spout_pg_unlock(lock);
	CU_ASSERT_EQUAL(locks(), 0);
	lock = spout_try_pg_lock_now("a", .shared = true);
	other = spout_try_pg_lock_now("a", .shared = true);
	CU_ASSERT_PTR_NOT_NULL_FATAL(lock);
	CU_ASSERT_PTR_NOT_NULL_FATAL(other);
	CU_ASSERT_PTR_NULL(spout_try_pg_lock_now("a"));
	spout_pg_unlock(lock);
	spout_pg_unlock(other);
	lock = spout_try_pg_lock_now("a");
	CU_ASSERT_PTR_NOT_NULL_FATAL(lock);
	spout_pg_unlock(lock);
	/* All on connections that live on, and know nothing of it. */
	CU_ASSERT_EQUAL(spout_row_int(spout_pg_query("SELECT count(*) AS n FROM pg_locks "
						     "WHERE locktype = 'advisory'"),
			    0, "n"), 0);
	CU_ASSERT(sessions("%") <= 3);
	check_whole(3);
}

static void
a_lock_has_one_holder_or_many_that_share_it(void)
{
	with_pool(&(struct setup){ .threads = 3 }, one_holder);
}

static void
keys(void *arg)
{
	(void)arg;
	/* The first eight bytes of the digest, whatever the program. */
	CU_ASSERT_EQUAL((uint64_t)spout_pg_lock_key("abc"), UINT64_C(0xba7816bf8f01cfea));
	CU_ASSERT_EQUAL((uint64_t)spout_pg_lock_key(""), UINT64_C(0xe3b0c44298fc1c14));
}

static void
the_key_of_a_name_is_the_same_everywhere(void)
{
	with_pool(&(struct setup){ .threads = 1 }, keys);
}

/* --- in a transaction ------------------------------------------------------------- */

static void
in_transactions(void *arg)
{
	struct spout_pg_tx *tx = spout_pg_begin(), *other = spout_pg_begin();

	(void)arg;
	CU_ASSERT_EQUAL(spout_try_pg_tx_lock(tx, "a"), 0);
	CU_ASSERT_EQUAL(spout_try_pg_tx_lock_now(other, "a"), -EAGAIN);
	CU_ASSERT_EQUAL(spout_try_pg_tx_lock_now(other, "b", .shared = true), 0);
	CU_ASSERT_STRING_EQUAL(
	    spout_rows_value(spout_pg_tx_query(other, "SHOW lock_timeout"), 0, 0).data,
	    "5s");
	CU_ASSERT_EQUAL(spout_try_pg_tx_lock(other, "c", .timeout_ms = 900), 0);
	CU_ASSERT_STRING_EQUAL(
	    spout_rows_value(spout_pg_tx_query(other, "SHOW lock_timeout"), 0, 0).data,
	    "5s");
	CU_ASSERT_EQUAL(spout_try_pg_tx_lock(other, "a", .timeout_ms = 20), -EAGAIN);
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "55P03");
	spout_pg_rollback(other);
	CU_ASSERT_EQUAL(locks(), 1);
	spout_pg_commit(tx);
	CU_ASSERT_EQUAL(locks(), 0);
	check_whole(2);
}

static void
a_lock_of_a_transaction_ends_with_it(void)
{
	with_pool(&(struct setup){ .threads = 2 }, in_transactions);
}

/* --- at any moment ---------------------------------------------------------------- */

static unsigned inside, most_inside, entered;

static void
leave_it(void *arg)
{
	(void)arg;
	inside--;
}

static void
enter(void *arg)
{
	struct spout_pg_lock *lock = spout_pg_lock("a");

	spout_defer(leave_it, NULL); /* before the lock goes */
	inside++;
	entered++;
	most_inside = inside > most_inside ? inside : most_inside;
	spout_sleep((uintptr_t)arg % 3);
	if ((uintptr_t)arg % 4 == 0)
		spout_fail_with(-EIO, "on purpose");
	if ((uintptr_t)arg % 4 == 1)
		return;
	inside--;
	spout_pg_unlock(lock);
	inside++;
}

static void
crowd(void *arg)
{
	enum { AT_ONCE = 16 };
	int rounds = (int)unit_scaled(12), round, i;
	struct spout_coroutine *co[AT_ONCE];
	struct ending endings[AT_ONCE];

	(void)arg;
	inside = most_inside = entered = 0;
	for (round = 0; round < rounds; round++) {
		for (i = 0; i < AT_ONCE; i++)
			co[i] = start(enter, (void *)(uintptr_t)(round + i),
			    (uint64_t)((i + round) % 6 == 0 ? 1 + (round + i) % 9 : 0),
			    &endings[i]);
		for (i = 0; i < round % 9; i++)
			spout_yield();
		for (i = 0; i < AT_ONCE; i++)
			if ((round + i) % 5 == 1 && !endings[i].gone)
				spout__coroutine_cancel(co[i], -ECANCELED, "client gone");
		for (i = 0; i < AT_ONCE; i++)
			wait_until(endings[i].gone);
	}
	CU_ASSERT(entered > 0);
	CU_ASSERT_EQUAL(most_inside, 1);
	CU_ASSERT_EQUAL(inside, 0);
	wait_until(locks() == 0);
	check_whole(4);
}

static void
whoever_leaves_when_leaves_no_lock_behind(void)
{
	with_pool(&(struct setup){ .threads = 4 }, crowd);
}

static void
lost(void *arg)
{
	struct spout_pg_lock *lock = spout_pg_lock("a");

	(void)arg;
	CU_ASSERT_EQUAL(observe("SELECT count(pg_terminate_backend(pid)) FROM "
				"pg_stat_activity WHERE application_name = 'test/w0'"),
	    1);
	wait_until(locks() == 0);
	CU_ASSERT_FALSE(spout_pg_lock_held(lock));
	spout_pg_unlock(lock);
	lock = spout_try_pg_lock_now("a");
	CU_ASSERT_PTR_NOT_NULL(lock);
	spout_pg_unlock(lock);
	check_whole(2);
}

static void
a_lost_connection_has_no_lock(void)
{
	with_pool(&(struct setup){ .threads = 2 }, lost);
}

int
main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(a_lock_has_one_holder_or_many_that_share_it),
		UNIT_TEST(the_key_of_a_name_is_the_same_everywhere),
		UNIT_TEST(a_lock_of_a_transaction_ends_with_it),
		UNIT_TEST(whoever_leaves_when_leaves_no_lock_behind),
		UNIT_TEST(a_lost_connection_has_no_lock),
		UNIT_END,
	};
	static const struct unit_suite suites[] = { { "locks", tests }, { NULL, NULL } };
	int status = cluster_start();

	return status != 0 ? status : unit_run(argc, argv, suites);
}
