/* SPDX-License-Identifier: MIT */
/*
 * Locks and queues together: ten thousand coroutines at once, and the cancellation of
 * every wait of a scenario in turn.
 */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <spout/locks.h>
#include <spout/queue.h>

#include "async/coroutine.h"
#include "async/sanitizer.h"
#include "co_help.h"

static struct spout_semaphore *semaphore;
static struct spout_mutex *mutex;
static struct spout_event *event;
static struct spout_condition *condition;
static struct spout_queue *queue;

/* --- ten thousand on one semaphore and one queue -------------------------------- */

enum { UNITS = 100, TURNS = 4, CONSUMERS = 8, ROUNDS = 10 };

static unsigned crowd;       /* coroutines of a round */
static unsigned char *turns; /* how often each had the semaphore */
static unsigned inside, most_inside;
static unsigned slowest_at_first; /* turns of the last when the first was done */
static unsigned long consumed[CONSUMERS];

static void
first_is_done(void)
{
	unsigned i;

	slowest_at_first = TURNS;
	for (i = 0; i < crowd; i++)
		if (turns[i] < slowest_at_first)
			slowest_at_first = turns[i];
}

static void
one_of_the_crowd(void *arg)
{
	unsigned self = *(unsigned *)arg;
	int i;

	for (i = 0; i < TURNS; i++) {
		spout_semaphore_acquire(semaphore);
		inside++;
		most_inside = inside > most_inside ? inside : most_inside;
		spout_yield();
		inside--;
		CU_ASSERT_EQUAL(spout_semaphore_release(semaphore), 0);
		turns[self]++;
		spout_queue_put(queue, &self);
	}
	if (slowest_at_first == 0)
		first_is_done();
}

static void
consumer(void *arg)
{
	unsigned self = *(unsigned *)arg, item;

	while (spout_queue_get(queue, &item)) {
		consumed[self]++;
		spout_yield();
	}
}

static void
one_round(void *arg)
{
	struct spout_group *producers = spout_group_new(), *consumers = spout_group_new();
	unsigned i;

	(void)arg;
	memset(turns, 0, crowd);
	slowest_at_first = 0;
	semaphore = spout_semaphore_new(UNITS, UNITS);
	queue = spout_queue_new(.capacity = UNITS, .item_bytes = sizeof(unsigned));
	for (i = 0; i < CONSUMERS; i++)
		spout_group_spawn(consumers, consumer, &i, sizeof(i));
	for (i = 0; i < crowd; i++)
		spout_group_spawn(producers, one_of_the_crowd, &i, sizeof(i));
	spout_group_wait(producers);
	spout_queue_close(queue);
	spout_group_wait(consumers);
	CU_ASSERT_EQUAL(spout_semaphore_free_units(semaphore), UNITS);
}

static size_t
resident_kib(void)
{
	unsigned long total = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (file == NULL || fscanf(file, "%lu %lu", &total, &resident) != 2)
		resident = 0;
	if (file != NULL)
		fclose(file);
	return resident * (size_t)sysconf(_SC_PAGESIZE) / 1024;
}

static void
all_rounds(void *arg)
{
	size_t heap = 0, resident = 0;
	int round;

	(void)arg;
	for (round = 0; round < ROUNDS; round++) {
		spout_scope_run(one_round, NULL);
		CU_ASSERT_EQUAL(most_inside, crowd < UNITS ? crowd : UNITS);
		CU_ASSERT_TRUE(slowest_at_first * 2 >= TURNS);
		if (round == 1) { /* the first one fills the pools */
			heap = mallinfo2().uordblks;
			resident = resident_kib();
		}
	}
	printf("[heap %zu -> %zu bytes, resident %zu -> %zu KiB] ", heap,
	    mallinfo2().uordblks, resident, resident_kib());
	CU_ASSERT_TRUE(mallinfo2().uordblks <= heap + 1024);
	/* Sanitizers keep freed memory for a while; valgrind (scaled) has more of its
	 * own. */
	if (!SPOUT__SANITIZED && unit_scaled(10) == 10)
		CU_ASSERT_TRUE(resident_kib() <= resident + 512);
}

static void
ten_thousand_on_a_semaphore_and_a_queue_are_served_fairly(void)
{
	unsigned long total = 0, least = ULONG_MAX, most = 0;
	int i;

	crowd = SPOUT__SANITIZED ? 1000 : unit_scaled(10000);
	turns = calloc(1, crowd);
	memset(consumed, 0, sizeof(consumed));
	most_inside = inside = 0;
	co_run(all_rounds, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
	for (i = 0; i < CONSUMERS; i++) {
		total += consumed[i];
		least = consumed[i] < least ? consumed[i] : least;
		most = consumed[i] > most ? consumed[i] : most;
	}
	CU_ASSERT_EQUAL(total, (unsigned long)crowd * TURNS * ROUNDS);
	CU_ASSERT_TRUE(most <= 2 * least);
	free(turns);
}

/* --- every wait cancelled in turn ----------------------------------------------- */

/*
 * Producers and consumers that hand malloc'ed items over with locks around. Whoever owns
 * an item frees it: the producer until its put returns, the consumer from the return of
 * its get, the queue in between. So an item lost or handed over twice is a leak or a
 * double free for AddressSanitizer and valgrind, and for the count here.
 */

static int items_alive;
static bool touched; /* a wait of this round may be cancelled */

static void
item_free(void *item)
{
	items_alive--;
	free(item);
}

static void
item_dropped(void *item)
{
	item_free(*(void **)item);
}

struct box {
	void *item;
};

static void
box_empty(void *arg)
{
	struct box *box = arg;

	if (box->item != NULL)
		item_free(box->item);
}

static void
sweep_producer(void *arg)
{
	struct box *box = spout_zalloc(1, sizeof(*box));
	int i;

	(void)arg;
	spout_defer(box_empty, box);
	for (i = 0; i < 3; i++) {
		box->item = malloc(16);
		items_alive++;
		spout_semaphore_acquire(semaphore);
		spout_queue_put(queue, &box->item);
		box->item = NULL;
		CU_ASSERT_EQUAL(spout_semaphore_release(semaphore), 0);
	}
	spout_lock(mutex);
	spout_yield();
	(void)spout_condition_notify(condition, 1);
}

static void
sweep_consumer(void *arg)
{
	struct box *box = spout_zalloc(1, sizeof(*box));

	(void)arg;
	spout_defer(box_empty, box);
	spout_event_wait(event);
	while (spout_queue_get(queue, &box->item)) {
		spout_lock(mutex);
		spout_yield();
		CU_ASSERT_EQUAL(spout_unlock(mutex), 0);
		CU_ASSERT_EQUAL(spout_queue_task_done(queue), 0);
		box_empty(box);
		box->item = NULL;
	}
}

static void
sweep_group(void *arg)
{
	struct spout_group *group = spout_group_new(.limit = 3);
	int i;

	(void)arg;
	for (i = 0; i < 4; i++)
		spout_group_spawn(group, sweep_producer, NULL, 0);
	spout_group_wait(group);
}

/* Whoever still waits for work gets to know that there is none. */
static void
wind_up(void *arg)
{
	(void)arg;
	spout_event_set(event);
	spout_queue_close(queue);
}

static void
sweep_scenario(void *arg)
{
	int i, r;

	(void)arg;
	spout_defer(wind_up, NULL);
	for (i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(spout_spawn(sweep_consumer, NULL, 0), 0);
	CU_ASSERT_EQUAL(spout_spawn(sweep_group, NULL, 0), 0);
	r = spout_try_condition_wait(condition, 3);
	CU_ASSERT_TRUE(r == 0 || r == -ETIMEDOUT);
	spout_event_set(event);
	/* Who was cancelled leaves work undone. */
	r = spout_try_queue_join(queue, touched ? 5 : SPOUT_FOREVER);
	CU_ASSERT_TRUE(r == 0 || r == -ETIMEDOUT);
}

/* All have left: nobody may hold a thing. */
static void
sweep_check(void *arg)
{
	(void)arg;
	CU_ASSERT_EQUAL(spout_try_lock(mutex, 0), 0);
	CU_ASSERT_EQUAL(spout_semaphore_free_units(semaphore), 2);
	CU_ASSERT_EQUAL(spout_condition_notify_all(condition), 0);
	CU_ASSERT_TRUE(spout_queue_count(queue) <= 2);
}

static void
sweep_before(void *arg)
{
	(void)arg;
	items_alive = 0;
	semaphore = spout_semaphore_new_in(NULL, 2, 2);
	mutex = spout_mutex_new_in(NULL);
	event = spout_event_new_in(NULL);
	condition = spout_condition_new_in(NULL);
	queue = spout_queue_new_in(
	    NULL, .capacity = 2, .item_bytes = sizeof(void *), .on_drop = item_dropped);
}

static void
sweep_after(void *arg, const struct spout_test_result *result)
{
	(void)arg;
	(void)result;
	co_run(sweep_check, NULL);
	spout_queue_free(queue);
	spout_condition_free(condition);
	spout_event_free(event);
	spout_mutex_free(mutex);
	spout_semaphore_free(semaphore);
	CU_ASSERT_EQUAL(items_alive, 0);
	touched = true; /* the first round is not */
}

static void
every_wait_can_be_cancelled_without_losing_anything(void)
{
	unsigned step = 1;

	while (unit_scaled(64) * step < 64)
		step++;
	co_log_begin(); /* cancelled waits of a joined group are failures of tasks */
	touched = false;
	SPOUT_TEST_SWEEP(sweep_scenario, NULL, .run.no_threads = true, .step = step,
	    .before = sweep_before, .after = sweep_after);
	(void)co_log_end();
}

static const struct unit_test tests[] = {
	UNIT_TEST(ten_thousand_on_a_semaphore_and_a_queue_are_served_fairly),
	UNIT_TEST(every_wait_can_be_cancelled_without_losing_anything),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "sync", tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
