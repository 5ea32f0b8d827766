/* SPDX-License-Identifier: MIT */
/* Locks and queues together: ten thousand coroutines at once. */
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

static const struct unit_test tests[] = {
	UNIT_TEST(ten_thousand_on_a_semaphore_and_a_queue_are_served_fairly),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "sync", tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
