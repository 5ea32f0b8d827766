/* SPDX-License-Identifier: MIT */
/*
 * Allocation torture of groups, iterators, chains, values, locks and queues: whichever
 * allocation fails, nothing crashes, hangs, leaks or stays locked. See torture.h.
 */
#include "config.h"

#include "torture.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

#include <spout/locks.h>
#include <spout/queue.h>
#include <spout/testing.h>

#include "async/async.h"

static unsigned done; /* steps of the scenario that were taken */

/* Run fn in a coroutine; false if that could not be, or it failed. */
static bool
run_coroutine(spout_fn fn)
{
	done = 0;
	return spout_test_run(fn, NULL, .no_threads = true).error == 0;
}

/* --- combinators ---------------------------------------------------------------- */

static const struct spout_local value = { .name = "value" };

static void
child(void *arg)
{
	char *copy = arg;

	CU_ASSERT_EQUAL(copy[4999], 'x');
	CU_ASSERT_EQUAL(((char *)spout_local_get(&value))[5999], 'v');
	spout_yield();
	done++;
}

/* Big pieces, so that each needs an allocation of its own. */
static void
combines(void *arg)
{
	struct spout_group *group = spout_group_new(.limit = 2);
	struct spout_future *from = spout_future_new(), *to = spout_future_new();
	struct spout_future *many[300];
	struct spout_wait_iterator *it;
	char data[6000];
	size_t i;

	(void)arg;
	memset(data, 'v', sizeof(data));
	spout_local_set(&value, data, 6000);
	memset(data, 'x', sizeof(data));
	for (i = 0; i < 3; i++)
		spout_group_spawn(group, child, data, 5000);
	spout_group_wait(group);
	spout_set_request_id("torture");
	if (spout_future_chain(from, to) < 0)
		spout_fail_with(-ENOMEM, "no chain");
	for (i = 0; i < 300; i++)
		many[i] = i == 7 ? to : from;
	it = spout_wait_iterator_new_of(many, 300);
	spout_future_set_result(from, &done);
	for (i = 0; i < 300; i++)
		done += spout_await(spout_wait_next(it)) == &done;
	done += spout_wait_next(it) == NULL;
}

static bool
run_combinators(void)
{
	return run_coroutine(combines) && done == 304;
}

/* --- locks and queues ----------------------------------------------------------- */

struct shared {
	struct spout_mutex *mutex;
	struct spout_semaphore *semaphore;
	struct spout_event *event;
	struct spout_condition *condition;
	struct spout_queue *queue, *urgent;
};

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, 100);
}

/* Everything in a scope, or with NULL on its own. False if something is missing. */
static bool
make_all(struct shared *shared, struct spout_scope *scope)
{
	shared->mutex = spout_mutex_new_in(scope);
	shared->semaphore = spout_semaphore_new_in(scope, 1, 1);
	shared->event = spout_event_new_in(scope);
	shared->condition = spout_condition_new_in(scope);
	shared->queue = spout_queue_new_in(scope, .capacity = 80, .item_bytes = 100);
	shared->urgent = spout_queue_new_in(scope, .capacity = 600, .item_bytes = 100,
	    .order = SPOUT_QUEUE_PRIORITY, .compare = compare);
	return shared->mutex != NULL && shared->semaphore != NULL &&
	    shared->event != NULL && shared->condition != NULL && shared->queue != NULL &&
	    shared->urgent != NULL;
}

static void
free_all(void *arg)
{
	struct shared *shared = arg;

	spout_mutex_free(shared->mutex);
	spout_semaphore_free(shared->semaphore);
	spout_event_free(shared->event);
	spout_condition_free(shared->condition);
	spout_queue_free(shared->queue);
	spout_queue_free(shared->urgent);
}

static void
other_side(void *arg)
{
	struct shared *shared = *(struct shared **)arg;
	char item[100];

	spout_event_wait(shared->event);
	spout_semaphore_acquire(shared->semaphore);
	spout_lock(shared->mutex);
	while (spout_queue_get(shared->queue, item))
		spout_queue_put(shared->urgent, item);
	(void)spout_condition_notify(shared->condition, 1);
	done++;
}

static void
use(void *arg)
{
	struct shared *shared = arg;
	struct spout_group *group = spout_group_new();
	char item[100] = "item";
	int r;

	spout_lock(shared->mutex);
	spout_semaphore_acquire(shared->semaphore);
	spout_group_spawn(group, other_side, &shared, sizeof(shared));
	spout_event_set(shared->event);
	spout_queue_put(shared->queue, item);
	spout_yield();
	CU_ASSERT_EQUAL(spout_semaphore_release(shared->semaphore), 0);
	r = spout_try_semaphore_acquire(shared->semaphore, 1);
	CU_ASSERT_TRUE(r == -ETIMEDOUT || spout_group_count(group) == 0);
	CU_ASSERT_EQUAL(spout_unlock(shared->mutex), 0);
	spout_queue_close(shared->queue);
	/* For ever it would wait in vain when the other side has failed. */
	r = spout_try_condition_wait(shared->condition, 50);
	CU_ASSERT_TRUE(r == 0 || r == -ETIMEDOUT);
	spout_group_wait(group);
	done += spout_queue_get_now(shared->urgent, item) == 0;
}

static void
use_and_check(struct shared *shared)
{
	int r = spout_try_scope_run(use, shared);

	/* Whatever became of it, all that was held is given back. */
	CU_ASSERT_EQUAL(spout_try_lock(shared->mutex, 0), 0);
	CU_ASSERT_EQUAL(spout_semaphore_free_units(shared->semaphore), 1);
	if (r < 0)
		spout_fail_with(r, "%s", spout_error());
}

static void
use_in_scope(void *arg)
{
	struct shared *shared = spout_zalloc(1, sizeof(*shared));

	(void)arg;
	if (!make_all(shared, spout_scope_current()))
		spout_fail_with(-ENOMEM, "not all could be made");
	use_and_check(shared);
}

static void
use_own(void *arg)
{
	struct shared *shared = spout_zalloc(1, sizeof(*shared));

	(void)arg;
	spout_defer(free_all, shared);
	if (!make_all(shared, NULL))
		spout_fail_with(-ENOMEM, "not all could be made");
	use_and_check(shared);
}

static bool
run_in_scope(void)
{
	return run_coroutine(use_in_scope) && done == 2;
}

static bool
run_own(void)
{
	return run_coroutine(use_own) && done == 2;
}

/* -------------------------------------------------------------------------------- */

static void
combinators_end_well_whichever_allocation_fails(void)
{
	torture("combinators", run_combinators);
}

static void
locks_and_queues_in_a_scope_survive_each_failing_allocation(void)
{
	torture("locks and queues in a scope", run_in_scope);
}

static void
locks_and_queues_on_their_own_survive_each_failing_allocation(void)
{
	torture("locks and queues on their own", run_own);
}

static const struct unit_test tests[] = {
	UNIT_TEST(combinators_end_well_whichever_allocation_fails),
	UNIT_TEST(locks_and_queues_in_a_scope_survive_each_failing_allocation),
	UNIT_TEST(locks_and_queues_on_their_own_survive_each_failing_allocation),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "sync torture", tests }, { NULL, NULL } };

	torture_init();
	return unit_run(argc, argv, suites);
}
