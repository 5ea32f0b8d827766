/* SPDX-License-Identifier: MIT */
/* Mutex, semaphore, event and condition between coroutines. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

#include <spout/locks.h>

#include "co_help.h"

static struct spout_mutex *mutex;
static struct spout_semaphore *semaphore;
static struct spout_event *event;
static struct spout_condition *condition;
static struct spout_coroutine *victim; /* one that a test cancels */

static void
spawn(spout_fn fn, const char *letter)
{
	CU_ASSERT_EQUAL(spout_spawn(fn, letter, 1), 0);
}

/* --- mutex ------------------------------------------------------------------------ */

static void
locks_briefly(void *letter)
{
	char name = *(char *)letter;

	spout_lock(mutex);
	CU_ASSERT_TRUE(spout_mutex_held(mutex));
	co_note(&name);
	spout_sleep(1);
	co_note(&name);
	CU_ASSERT_EQUAL(spout_unlock(mutex), 0);
	CU_ASSERT_FALSE(spout_mutex_held(mutex));
}

static void
locks_in_turn(void *arg)
{
	(void)arg;
	mutex = spout_mutex_new();
	spout_lock(mutex);
	spawn(locks_briefly, "a");
	spawn(locks_briefly, "b");
	spawn(locks_briefly, "c");
	spout_yield();
	CU_ASSERT_EQUAL(spout_unlock(mutex), 0);
	/* Free for a moment only on paper: the first in line has it. */
	CU_ASSERT_EQUAL(spout_try_lock(mutex, 0), -ETIMEDOUT);
	spout_lock(mutex);
	co_note("m");
}

static void
a_mutex_goes_from_one_to_the_next_in_line(void)
{
	co_run(locks_in_turn, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "aabbccm");
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
tries_to_lock(void *arg)
{
	(void)arg;
	CU_ASSERT_EQUAL(spout_try_lock(mutex, 0), -ETIMEDOUT);
	CU_ASSERT_EQUAL(spout_try_lock(mutex, 3), -ETIMEDOUT);
	CU_ASSERT_STRING_EQUAL(spout_error(), "spout_lock: not after 3 ms");
	CU_ASSERT_EQUAL(spout_unlock(mutex), -EPERM);
	co_note("t");
}

static void
misuses_mutex(void *arg)
{
	(void)arg;
	mutex = spout_mutex_new();
	CU_ASSERT_EQUAL(spout_try_lock(mutex, 0), 0);
	CU_ASSERT_EQUAL(spout_try_lock(mutex, 0), -EDEADLK);
	spout_scope_run(tries_to_lock, NULL);
	CU_ASSERT_EQUAL(spout_unlock(mutex), 0);
	CU_ASSERT_EQUAL(spout_unlock(mutex), -EPERM);
	spout_lock(mutex);
	spout_lock(mutex);
	co_note("x");
}

static void
a_mutex_knows_its_owner(void)
{
	const char *lines;

	co_log_begin();
	co_run(misuses_mutex, NULL);
	lines = co_log_end();
	CU_ASSERT_EQUAL(co_count(lines, "does not hold the mutex"), 2);
	CU_ASSERT_STRING_EQUAL(co_trace, "t");
	CU_ASSERT_EQUAL(co_outcome.error, -EDEADLK);
}

static void
needs_the_lock(void *arg)
{
	(void)arg;
	CU_ASSERT_TRUE(spout_mutex_held(mutex));
	co_note("d");
}

static void
fails_with_lock(void *arg)
{
	(void)arg;
	spout_defer(needs_the_lock, NULL);
	spout_lock(mutex);
	spout_yield();
	spout_fail_with(-EIO, "in the middle");
}

static void
runs_failing_holder(void *arg)
{
	(void)arg;
	mutex = spout_mutex_new();
	spawn(locks_briefly, "w");
	CU_ASSERT_EQUAL(spout_try_scope_run(fails_with_lock, NULL), -EIO);
	spout_lock(mutex);
	co_note("m");
}

static void
a_scope_that_ends_gives_its_mutex_back_after_its_clean_ups(void)
{
	co_run(runs_failing_holder, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "wwdm");
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
victim_locks(void *arg)
{
	(void)arg;
	victim = spout__co;
	spout_lock(mutex);
	co_note("v");
}

static void
cancels_one_that_was_granted(void *arg)
{
	(void)arg;
	mutex = spout_mutex_new();
	spout_lock(mutex);
	spawn(victim_locks, "v");
	spawn(locks_briefly, "n");
	spout_yield();
	CU_ASSERT_EQUAL(spout_unlock(mutex), 0);
	co_cancel(victim); /* it was granted, but has not resumed */
	spout_lock(mutex);
	co_note("m");
}

static void
a_mutex_granted_to_one_that_leaves_goes_to_the_next(void)
{
	co_run(cancels_one_that_was_granted, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "nnm");
}

static void
cancels_one_that_waits(void *arg)
{
	(void)arg;
	mutex = spout_mutex_new();
	spout_lock(mutex);
	spawn(victim_locks, "v");
	spawn(locks_briefly, "n");
	spout_yield();
	co_cancel(victim);
	CU_ASSERT_EQUAL(spout_unlock(mutex), 0);
	spout_lock(mutex);
	co_note("m");
}

static void
one_that_is_cancelled_in_line_is_passed_over(void)
{
	co_run(cancels_one_that_waits, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "nnm");
}

static void
locks_shielded(void *arg)
{
	(void)arg;
	victim = spout__co;
	spout_shield(locks_briefly, "s");
	co_note("t");
	spout_yield();
	co_note("x");
}

static void
cancels_a_shielded_one(void *arg)
{
	(void)arg;
	mutex = spout_mutex_new();
	spout_lock(mutex);
	spawn(locks_shielded, "s");
	spout_yield();
	CU_ASSERT_EQUAL(spout_unlock(mutex), 0);
	co_cancel(victim);
	spout_lock(mutex);
	co_note("m");
}

static void
a_shielded_wait_keeps_what_it_was_granted(void)
{
	co_run(cancels_a_shielded_one, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "sstm");
}

static void
waits_for_lost_mutex(void *arg)
{
	(void)arg;
	CU_ASSERT_EQUAL(spout_try_lock(mutex, SPOUT_FOREVER), -ECANCELED);
	co_note("g");
}

static void
frees_a_mutex(void *arg)
{
	(void)arg;
	mutex = spout_mutex_new_in(NULL);
	spout_lock(mutex);
	spawn(waits_for_lost_mutex, "a");
	spawn(waits_for_lost_mutex, "b");
	spout_yield();
	/* One was granted it, one still waits, a third holds nothing: all must cope. */
	CU_ASSERT_EQUAL(spout_unlock(mutex), 0);
	spout_mutex_free(mutex);
	mutex = spout_mutex_new_in(NULL);
	spout_lock(mutex);
	spout_mutex_free(mutex);
	spout_mutex_free(NULL);
	mutex = spout_mutex_new();
	spout_mutex_free(mutex); /* misuse: it goes with the scope */
	spout_lock(mutex);
}

static void
who_waits_for_a_mutex_that_goes_away_is_told(void)
{
	spout_test_log_begin();
	CU_ASSERT_EQUAL(spout_test_log_expect("spout_mutex_free"), 0);
	co_run(frees_a_mutex, NULL);
	SPOUT_TEST_LOG_END();
	CU_ASSERT_EQUAL(spout_test_log_count("spout_mutex_free"), 1);
	CU_ASSERT_STRING_EQUAL(co_trace, "gg");
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
locks_for_long(void *letter)
{
	char name = *(char *)letter;

	spout_lock(mutex);
	spout_sleep(15);
	co_note(&name);
}

static void
locks_past_deadline(void *arg)
{
	(void)arg;
	mutex = spout_mutex_new_in(NULL);
	spawn(locks_for_long, "a");
	spout_yield();
	spout_set_deadline_ms(3);
	spout_lock(mutex);
	co_note("x");
}

static void
a_deadline_ends_the_wait_for_a_mutex(void)
{
	co_run(locks_past_deadline, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, -ETIMEDOUT);
	CU_ASSERT_STRING_EQUAL(co_trace, "a");
	spout_mutex_free(mutex);
}

/* --- semaphore -------------------------------------------------------------------- */

static unsigned inside, most;

static void
enters(void *arg)
{
	(void)arg;
	spout_semaphore_acquire(semaphore);
	inside++;
	most = inside > most ? inside : most;
	spout_sleep(1);
	inside--; /* the unit goes back with the scope */
}

static void
many_enter(void *arg)
{
	struct spout_group *group = spout_group_new();
	int i;

	(void)arg;
	semaphore = spout_semaphore_new(3, 3);
	for (i = 0; i < 30; i++)
		spout_group_spawn(group, enters, NULL, 0);
	spout_group_wait(group);
	CU_ASSERT_EQUAL(spout_semaphore_free_units(semaphore), 3);
}

static void
a_semaphore_lets_so_many_in_and_no_more(void)
{
	most = inside = 0;
	co_run(many_enter, NULL);
	CU_ASSERT_EQUAL(most, 3);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
takes_two(void *arg)
{
	(void)arg;
	spout_semaphore_acquire(semaphore);
	spout_semaphore_acquire(semaphore);
	CU_ASSERT_EQUAL(spout_try_semaphore_acquire(semaphore, 1), -ETIMEDOUT);
	CU_ASSERT_EQUAL(spout_semaphore_free_units(semaphore), 0);
	CU_ASSERT_EQUAL(spout_semaphore_release(semaphore), 0);
	CU_ASSERT_EQUAL(spout_semaphore_free_units(semaphore), 1);
	spout_fail_with(-EIO, "with a unit");
}

static void
counts_units(void *arg)
{
	(void)arg;
	semaphore = spout_semaphore_new(2, 2);
	CU_ASSERT_EQUAL(spout_try_scope_run(takes_two, NULL), -EIO);
	CU_ASSERT_EQUAL(spout_semaphore_free_units(semaphore), 2);
	CU_ASSERT_EQUAL(spout_semaphore_release(semaphore), -EPERM);
	CU_ASSERT_EQUAL(spout_semaphore_add(semaphore), -EINVAL);
	spout_semaphore_acquire(semaphore);
	CU_ASSERT_EQUAL(spout_semaphore_consume(semaphore), 0);
	CU_ASSERT_EQUAL(spout_semaphore_consume(semaphore), -EPERM);
	CU_ASSERT_EQUAL(spout_semaphore_free_units(semaphore), 1);
	CU_ASSERT_EQUAL(spout_semaphore_add(semaphore), 0);
	CU_ASSERT_EQUAL(spout_semaphore_add(semaphore), -EINVAL);
	CU_ASSERT_EQUAL(spout_semaphore_free_units(semaphore), 2);
	co_note("k");
}

static void
units_are_counted_and_bounded(void)
{
	spout_test_log_begin();
	CU_ASSERT_EQUAL(spout_test_log_expect("holds no unit"), 0);
	co_run(counts_units, NULL);
	SPOUT_TEST_LOG_END();
	CU_ASSERT_EQUAL(spout_test_log_count("holds no unit"), 2);
	CU_ASSERT_STRING_EQUAL(co_trace, "k");
}

static void
victim_acquires(void *arg)
{
	(void)arg;
	victim = spout__co;
	spout_semaphore_acquire(semaphore);
	co_note("v");
}

static void
acquires(void *letter)
{
	spout_semaphore_acquire(semaphore);
	co_note(letter);
}

static void
add_unit(void *arg)
{
	(void)arg;
	CU_ASSERT_EQUAL(spout_semaphore_add(semaphore), 0);
	co_cancel(victim);
}

static void
signals_by_semaphore(void *arg)
{
	(void)arg;
	semaphore = spout_semaphore_new(0, UINT32_MAX);
	spawn(victim_acquires, "v");
	spout_yield();
	co_later(1, add_unit, NULL); /* from outside of any coroutine */
	acquires("m");
}

static void
a_unit_granted_to_one_that_leaves_goes_to_the_next(void)
{
	co_run(signals_by_semaphore, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "m");
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
holds_and_outlives(void *arg)
{
	(void)arg;
	spout_semaphore_acquire(semaphore);
	co_note("h");
	spout_sleep(4);
	CU_ASSERT_EQUAL(spout_try_semaphore_acquire(semaphore, 0), 0);
	CU_ASSERT_EQUAL(spout_semaphore_release(semaphore), 0);
	co_note("i");
}

static void
frees_a_semaphore(void *arg)
{
	(void)arg;
	semaphore = spout_semaphore_new_in(NULL, 1, 1);
	spawn(holds_and_outlives, "h");
	spout_yield();
	spout_semaphore_free(semaphore);
	semaphore = spout_semaphore_new_in(NULL, 1, 1);
}

static void
units_of_a_semaphore_that_goes_away_are_forgotten(void)
{
	co_run(frees_a_semaphore, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "hi");
	CU_ASSERT_EQUAL(spout_semaphore_free_units(semaphore), 1);
	spout_semaphore_free(semaphore);
}

/* Nothing may be left of a wait that timed out: neither in line nor on the heap. */

static unsigned timed_out;

static void
times_out(void *arg)
{
	(void)arg;
	if (spout_try_lock(mutex, 1) == -ETIMEDOUT &&
	    spout_try_semaphore_acquire(semaphore, 1) == -ETIMEDOUT &&
	    spout_try_event_wait(event, 1) == -ETIMEDOUT &&
	    spout_try_condition_wait(condition, 1) == -ETIMEDOUT)
		timed_out++;
}

static void
thousands_time_out(void *arg)
{
	unsigned i, n = *(unsigned *)arg;
	struct spout_group *group = spout_group_new();

	for (i = 0; i < n; i++)
		spout_group_spawn(group, times_out, NULL, 0);
	spout_group_wait(group);
}

static void
rounds_of_time_outs(void *arg)
{
	size_t before = 0;
	int round;

	mutex = spout_mutex_new();
	semaphore = spout_semaphore_new(0, 1);
	event = spout_event_new();
	condition = spout_condition_new();
	spout_lock(mutex);
	for (round = 0; round < 4; round++) {
		spout_scope_run(thousands_time_out, arg);
		if (round == 0)
			before = mallinfo2().uordblks;
	}
	/* Four lines, three rounds, thousands of waits: not one byte each. */
	CU_ASSERT_TRUE(mallinfo2().uordblks <= before + 4096);
	CU_ASSERT_EQUAL(spout_condition_notify_all(condition), 0);
	CU_ASSERT_EQUAL(spout_semaphore_add(semaphore), 0);
	CU_ASSERT_EQUAL(spout_semaphore_free_units(semaphore), 1);
	spout_unlock(mutex);
	CU_ASSERT_EQUAL(spout_try_lock(mutex, 0), 0);
}

static void
tens_of_thousands_of_time_outs_leave_nothing_behind(void)
{
	unsigned n = unit_scaled(5000);

	timed_out = 0;
	co_run(rounds_of_time_outs, &n);
	CU_ASSERT_EQUAL(timed_out, 4 * n);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

/* --- event ------------------------------------------------------------------------ */

static void
waits_for_event(void *letter)
{
	spout_event_wait(event);
	co_note(letter);
}

static void
set_event(void *arg)
{
	(void)arg;
	spout_event_set(event);
	spout_event_clear(event);
}

static void
uses_event(void *arg)
{
	(void)arg;
	event = spout_event_new();
	CU_ASSERT_FALSE(spout_event_is_set(event));
	CU_ASSERT_EQUAL(spout_try_event_wait(event, 0), -ETIMEDOUT);
	CU_ASSERT_EQUAL(spout_try_event_wait(event, 1), -ETIMEDOUT);
	spawn(waits_for_event, "a");
	spawn(waits_for_event, "b");
	spout_yield();
	co_later(1, set_event, NULL);
	spout_event_wait(event);
	co_note("m");
	CU_ASSERT_FALSE(spout_event_is_set(event));
	spout_event_set(event);
	CU_ASSERT_TRUE(spout_event_is_set(event));
	spout_event_wait(event);
	CU_ASSERT_EQUAL(spout_try_event_wait(event, 0), 0);
	spout_event_clear(event);
	spawn(waits_for_event, "x");
	spout_yield();
}

static void
an_event_wakes_everyone_who_waits(void)
{
	spout_test_log_begin();
	CU_ASSERT_EQUAL(spout_test_log_expect("spout_event_wait: it is gone"), 0);
	co_run(uses_event, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "abm");
	/* The event went with its scope; the last one was told so and left. */
	SPOUT_TEST_LOG_END();
	CU_ASSERT_EQUAL(spout_test_log_count("spout_event_wait: it is gone"), 1);
}

/* --- condition -------------------------------------------------------------------- */

static void
waits_for_condition(void *letter)
{
	spout_condition_wait(condition);
	co_note(letter);
}

static void
victim_waits_for_condition(void *arg)
{
	victim = spout__co;
	waits_for_condition(arg);
}

static void
uses_condition(void *arg)
{
	(void)arg;
	condition = spout_condition_new();
	CU_ASSERT_EQUAL(spout_condition_notify(condition, 1), 0);
	CU_ASSERT_EQUAL(spout_try_condition_wait(condition, 2), -ETIMEDOUT);
	spawn(waits_for_condition, "a");
	spawn(victim_waits_for_condition, "v");
	spawn(waits_for_condition, "b");
	spawn(waits_for_condition, "c");
	spawn(waits_for_condition, "d");
	spout_yield();
	CU_ASSERT_EQUAL(spout_condition_notify(condition, 2), 2);
	co_cancel(victim); /* its notification goes to b */
	spout_sleep(1);
	CU_ASSERT_STRING_EQUAL(co_trace, "ab");
	CU_ASSERT_EQUAL(spout_condition_notify_all(condition), 2);
	spout_sleep(1);
}

static void
a_condition_notifies_so_many_and_passes_on(void)
{
	co_run(uses_condition, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "abcd");
}

static const struct unit_test tests[] = {
	UNIT_TEST(a_mutex_goes_from_one_to_the_next_in_line),
	UNIT_TEST(a_mutex_knows_its_owner),
	UNIT_TEST(a_scope_that_ends_gives_its_mutex_back_after_its_clean_ups),
	UNIT_TEST(a_mutex_granted_to_one_that_leaves_goes_to_the_next),
	UNIT_TEST(one_that_is_cancelled_in_line_is_passed_over),
	UNIT_TEST(a_shielded_wait_keeps_what_it_was_granted),
	UNIT_TEST(who_waits_for_a_mutex_that_goes_away_is_told),
	UNIT_TEST(a_deadline_ends_the_wait_for_a_mutex),
	UNIT_TEST(a_semaphore_lets_so_many_in_and_no_more),
	UNIT_TEST(units_are_counted_and_bounded),
	UNIT_TEST(a_unit_granted_to_one_that_leaves_goes_to_the_next),
	UNIT_TEST(units_of_a_semaphore_that_goes_away_are_forgotten),
	UNIT_TEST(tens_of_thousands_of_time_outs_leave_nothing_behind),
	UNIT_TEST(an_event_wakes_everyone_who_waits),
	UNIT_TEST(a_condition_notifies_so_many_and_passes_on),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "locks", tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
