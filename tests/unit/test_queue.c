/* SPDX-License-Identifier: MIT */
/* Queues between coroutines: order, bounds, closing, joining, cancellation. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spout/queue.h>

#include "co_help.h"

static struct spout_queue *queue;
static struct spout_coroutine *victim;

static void
spawn(spout_fn fn, char letter)
{
	CU_ASSERT_EQUAL(spout_spawn(fn, &letter, 1), 0);
}

/* Put each letter; they fit. */
static void
put_all(const char *letters)
{
	for (; *letters != '\0'; letters++)
		CU_ASSERT_EQUAL(spout_queue_put_now(queue, letters), 0);
}

/* Note everything that is inside. */
static void
note_all(void)
{
	char letter;

	while (spout_queue_get_now(queue, &letter) == 0)
		co_note(&letter);
}

/* --- order ------------------------------------------------------------------------ */

static void
goes_round(void *arg)
{
	(void)arg;
	queue = spout_queue_new(.capacity = 4, .item_bytes = 1);
	CU_ASSERT_EQUAL(spout_queue_capacity(queue), 4);
	put_all("abc");
	note_all();
	put_all("defg");
	CU_ASSERT_EQUAL(spout_queue_count(queue), 4);
	CU_ASSERT_EQUAL(spout_queue_put_now(queue, "x"), -ENOBUFS);
	note_all();
	CU_ASSERT_EQUAL(spout_queue_count(queue), 0);
}

static void
first_in_is_first_out(void)
{
	co_run(goes_round, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "abcdefg");
}

static void
stacks(void *arg)
{
	char letter;

	(void)arg;
	queue =
	    spout_queue_new(.capacity = 3, .item_bytes = 1, .order = SPOUT_QUEUE_LIFO);
	put_all("abc");
	CU_ASSERT_EQUAL(spout_queue_put_now(queue, "x"), -ENOBUFS);
	CU_ASSERT_EQUAL(spout_queue_get_now(queue, &letter), 0);
	co_note(&letter);
	put_all("d");
	note_all();
}

static void
last_in_is_first_out(void)
{
	co_run(stacks, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "cdba");
}

struct job {
	int priority;
	unsigned number;
	char ballast[13];
};

static int
job_compare(const void *a, const void *b)
{
	const struct job *x = a, *y = b;

	return (x->priority > y->priority) - (x->priority < y->priority);
}

static void
prioritises(void *arg)
{
	enum { N = 300 };
	struct job job = { 0 }, last = { .priority = -1 };
	unsigned i, round;

	(void)arg;
	srand(42);
	queue = spout_queue_new(.capacity = N, .item_bytes = sizeof(job),
	    .order = SPOUT_QUEUE_PRIORITY, .compare = job_compare);
	for (round = 1; round < 4; round++) {
		for (i = 0; i < N / round; i++) {
			job.priority = rand() % 20;
			job.number = i;
			CU_ASSERT_EQUAL(spout_queue_put_now(queue, &job), 0);
		}
		last.priority = -1;
		while (spout_queue_get_now(queue, &job) == 0) {
			CU_ASSERT_TRUE(job.priority > last.priority ||
			    (job.priority == last.priority && job.number > last.number));
			last = job;
			i--;
		}
		CU_ASSERT_EQUAL(i, 0);
	}
	co_note("k");
}

static void
by_priority_and_equals_as_they_came(void)
{
	co_run(prioritises, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "k");
}

static void
refused_options(void *arg)
{
	struct spout_scope *scope = spout_scope_current();

	(void)arg;
	CU_ASSERT_PTR_NULL(spout_queue_new_in(NULL, .item_bytes = 1));
	CU_ASSERT_PTR_NULL(spout_queue_new_in(scope, .capacity = 1));
	CU_ASSERT_PTR_NULL(spout_queue_new_in(
	    scope, .capacity = 1, .item_bytes = 1, .order = SPOUT_QUEUE_PRIORITY));
	CU_ASSERT_PTR_NULL(
	    spout_queue_new_in(NULL, .capacity = SIZE_MAX / 2, .item_bytes = 100));
	CU_ASSERT_PTR_NULL(
	    spout_queue_new_in(scope, .capacity = SIZE_MAX / 2, .item_bytes = 100));
	spout_queue_new(.capacity = 0, .item_bytes = 1);
}

static void
options_that_make_no_queue_are_refused(void)
{
	spout_test_log_begin();
	CU_ASSERT_EQUAL(spout_test_log_expect("a queue needs"), 0);
	co_run(refused_options, NULL);
	SPOUT_TEST_LOG_END();
	CU_ASSERT_EQUAL(spout_test_log_count("a queue needs"), 3);
	CU_ASSERT_EQUAL(co_outcome.error, -EINVAL);
}

/* --- waiting ---------------------------------------------------------------------- */

static void
produces(void *letter)
{
	char item = *(char *)letter;
	int i;

	for (i = 0; i < 3; i++)
		spout_queue_put(queue, &item);
}

static void
produce_and_consume(void *arg)
{
	char letter;
	int i;

	(void)arg;
	queue = spout_queue_new(.capacity = 1, .item_bytes = 1);
	spawn(produces, 'a');
	spawn(produces, 'b');
	for (i = 0; i < 6; i++) {
		CU_ASSERT_TRUE(spout_queue_get(queue, &letter));
		CU_ASSERT_TRUE(spout_queue_count(queue) <= 1);
		co_note(&letter);
	}
}

static void
a_full_queue_lets_producers_in_by_turns(void)
{
	co_run(produce_and_consume, NULL);
	/* Two are in before b has come; from then on each put goes to the end of the
	 * line. */
	CU_ASSERT_STRING_EQUAL(co_trace, "aababb");
}

static void
consumes(void *letter)
{
	char name = *(char *)letter, item;

	while (spout_queue_get(queue, &item)) {
		co_note(&name);
		co_note(&item);
		spout_yield();
	}
	co_note("e");
}

static void
put_from_loop(void *letters)
{
	put_all(letters);
}

static void
feeds_consumers(void *arg)
{
	(void)arg;
	queue = spout_queue_new(.capacity = 8, .item_bytes = 1);
	spawn(consumes, '1');
	spawn(consumes, '2');
	spawn(consumes, '3');
	co_later(1, put_from_loop, "abcd"); /* outside of any coroutine */
	spout_sleep(3);
	spout_queue_close(queue);
	spout_sleep(3);
}

static void
consumers_take_turns_and_end_when_it_closes(void)
{
	co_run(feeds_consumers, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "1a2b3c1deee");
}

static void
times_out(void *arg)
{
	char letter;

	(void)arg;
	queue = spout_queue_new(.capacity = 1, .item_bytes = 1);
	CU_ASSERT_EQUAL(spout_queue_get_now(queue, &letter), -EAGAIN);
	CU_ASSERT_EQUAL(spout_try_queue_get(queue, &letter, 0), -ETIMEDOUT);
	CU_ASSERT_EQUAL(spout_try_queue_get(queue, &letter, 2), -ETIMEDOUT);
	CU_ASSERT_STRING_EQUAL(spout_error(), "spout_queue_get: not after 2 ms");
	CU_ASSERT_EQUAL(spout_try_queue_put(queue, "a", 2), 0);
	CU_ASSERT_EQUAL(spout_try_queue_put(queue, "b", 0), -ETIMEDOUT);
	CU_ASSERT_EQUAL(spout_try_queue_put(queue, "b", 2), -ETIMEDOUT);
	CU_ASSERT_EQUAL(spout_try_queue_get(queue, &letter, 2), 0);
	CU_ASSERT_EQUAL(letter, 'a');
	CU_ASSERT_EQUAL(spout_queue_count(queue), 0);
}

static void
puts_and_gets_time_out(void)
{
	co_run(times_out, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

/* --- closing ---------------------------------------------------------------------- */

static void
puts_into_closing(void *letter)
{
	CU_ASSERT_EQUAL(spout_try_queue_put(queue, letter, SPOUT_FOREVER), -EPIPE);
	co_note("p");
}

static void
closes(void *arg)
{
	char letter;

	(void)arg;
	queue = spout_queue_new(.capacity = 2, .item_bytes = 1);
	put_all("ab");
	spawn(puts_into_closing, 'c');
	spawn(puts_into_closing, 'd');
	spout_yield();
	/* One of them is granted space, but the queue closes before it resumes. */
	CU_ASSERT_TRUE(spout_queue_get(queue, &letter));
	spout_queue_close(queue);
	CU_ASSERT_TRUE(spout_queue_is_closed(queue));
	spout_yield();
	CU_ASSERT_EQUAL(spout_queue_put_now(queue, "x"), -EPIPE);
	CU_ASSERT_TRUE(spout_queue_get(queue, &letter));
	CU_ASSERT_EQUAL(letter, 'b');
	CU_ASSERT_FALSE(spout_queue_get(queue, &letter));
	CU_ASSERT_EQUAL(spout_queue_get_now(queue, &letter), -EPIPE);
	CU_ASSERT_EQUAL(spout_try_queue_get(queue, &letter, 5), -EPIPE);
	spout_queue_put(queue, "x");
	co_note("x");
}

static void
a_closed_queue_takes_nothing_and_is_drained(void)
{
	co_run(closes, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "pp");
	CU_ASSERT_EQUAL(co_outcome.error, -EPIPE);
	CU_ASSERT_STRING_EQUAL(co_reason, "spout_queue_put: it is closed");
}

static void
dropped(void *item)
{
	free(*(char **)item);
	co_note("d");
}

static void
waits_to_get(void *arg)
{
	char *item;

	(void)arg;
	CU_ASSERT_EQUAL(spout_try_queue_get(queue, &item, SPOUT_FOREVER), -ECANCELED);
	co_note("g");
}

static void
waits_to_join(void *arg)
{
	(void)arg;
	CU_ASSERT_EQUAL(spout_try_queue_join(queue, SPOUT_FOREVER), -ECANCELED);
	co_note("j");
}

static void
takes_one(void *arg)
{
	char *item;

	(void)arg;
	CU_ASSERT_TRUE(spout_queue_get(queue, &item));
	co_note("t");
	free(item);
}

static void
frees_a_promised_item(void *arg)
{
	char *items[] = { strdup("one"), strdup("two"), strdup("three") };

	(void)arg;
	queue = spout_queue_new_in(
	    NULL, .capacity = 3, .item_bytes = sizeof(char *), .on_drop = dropped);
	spawn(takes_one, 'a');
	spawn(waits_to_get, 'b');
	spout_yield();
	CU_ASSERT_EQUAL(spout_queue_put_now(queue, &items[0]), 0);
	spout_yield();
	spawn(waits_to_join, 'c');
	spout_yield();
	/* Promised to b, which will not find it any more; the third is promised
	 * to none. */
	CU_ASSERT_EQUAL(spout_queue_put_now(queue, &items[1]), 0);
	CU_ASSERT_EQUAL(spout_queue_put_now(queue, &items[2]), 0);
	spout_queue_free(queue);
	spout_queue_free(NULL);
}

static void
a_queue_that_goes_away_drops_its_items_and_tells_who_waits(void)
{
	co_run(frees_a_promised_item, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "tddgj");
}

/* --- joining ---------------------------------------------------------------------- */

static void
works(void *arg)
{
	char item;

	(void)arg;
	while (spout_queue_get(queue, &item)) {
		spout_sleep(1);
		co_note(&item);
		CU_ASSERT_EQUAL(spout_queue_task_done(queue), 0);
	}
}

static void
joins(void *arg)
{
	(void)arg;
	queue = spout_queue_new(.capacity = 4, .item_bytes = 1);
	spout_queue_join(queue);
	put_all("abcd");
	CU_ASSERT_EQUAL(spout_try_queue_join(queue, 0), -ETIMEDOUT);
	CU_ASSERT_EQUAL(spout_try_queue_join(queue, 1), -ETIMEDOUT);
	spawn(works, 'w');
	spout_queue_join(queue);
	co_note("j");
	CU_ASSERT_EQUAL(spout_queue_task_done(queue), -EINVAL);
	spout_queue_close(queue);
	spout_yield();
}

static void
joining_waits_until_all_work_is_done(void)
{
	spout_test_log_begin();
	CU_ASSERT_EQUAL(spout_test_log_expect("more often than items were put"), 0);
	co_run(joins, NULL);
	SPOUT_TEST_LOG_END();
	CU_ASSERT_EQUAL(spout_test_log_count("more often than items were put"), 1);
	CU_ASSERT_STRING_EQUAL(co_trace, "abcdj");
}

/* --- cancellation ----------------------------------------------------------------- */

static void
victim_gets(void *arg)
{
	char item;

	(void)arg;
	victim = spout__co;
	(void)spout_queue_get(queue, &item);
	co_note("v");
}

static void
gets(void *arg)
{
	char item;

	(void)arg;
	CU_ASSERT_TRUE(spout_queue_get(queue, &item));
	co_note(&item);
}

static void
cancels_getter(void *arg)
{
	(void)arg;
	queue = spout_queue_new(.capacity = 2, .item_bytes = 1);
	spawn(victim_gets, 'v');
	spawn(gets, 'n');
	spout_yield();
	put_all("a");
	co_cancel(victim); /* the item is promised to it */
	spout_sleep(1);
	CU_ASSERT_STRING_EQUAL(co_trace, "a");
	spawn(victim_gets, 'v');
	spout_yield();
	put_all("b");
	co_cancel(victim);
	spout_sleep(1);
	note_all(); /* nobody else waited: it is still inside */
}

static void
an_item_promised_to_one_that_leaves_is_not_lost(void)
{
	co_run(cancels_getter, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "ab");
}

static void
victim_puts(void *arg)
{
	(void)arg;
	victim = spout__co;
	spout_queue_put(queue, "v");
	co_note("v");
}

static void
puts_n(void *arg)
{
	(void)arg;
	spout_queue_put(queue, "n");
}

static void
cancels_putter(void *arg)
{
	char letter;

	(void)arg;
	queue = spout_queue_new(.capacity = 1, .item_bytes = 1);
	put_all("a");
	spawn(victim_puts, 'v');
	spawn(puts_n, 'n');
	spout_yield();
	CU_ASSERT_TRUE(spout_queue_get(queue, &letter));
	co_cancel(victim); /* the space is promised to it */
	spout_sleep(1);
	note_all();
	CU_ASSERT_EQUAL(spout_try_queue_put(queue, "z", 0), 0);
}

static void
a_put_that_leaves_has_put_nothing(void)
{
	co_run(cancels_putter, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "n");
}

static const struct unit_test tests[] = {
	UNIT_TEST(first_in_is_first_out),
	UNIT_TEST(last_in_is_first_out),
	UNIT_TEST(by_priority_and_equals_as_they_came),
	UNIT_TEST(options_that_make_no_queue_are_refused),
	UNIT_TEST(a_full_queue_lets_producers_in_by_turns),
	UNIT_TEST(consumers_take_turns_and_end_when_it_closes),
	UNIT_TEST(puts_and_gets_time_out),
	UNIT_TEST(a_closed_queue_takes_nothing_and_is_drained),
	UNIT_TEST(a_queue_that_goes_away_drops_its_items_and_tells_who_waits),
	UNIT_TEST(joining_waits_until_all_work_is_done),
	UNIT_TEST(an_item_promised_to_one_that_leaves_is_not_lost),
	UNIT_TEST(a_put_that_leaves_has_put_nothing),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "queue", tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
