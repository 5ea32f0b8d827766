/* SPDX-License-Identifier: MIT */
/* Coroutines, scopes, futures. Each test runs one coroutine to its end on a fresh
 * loop. */
#include "config.h"

#include "co_help.h"
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "async/async.h"
#include "async/sanitizer.h"
#include "async/stack.h"
#include "base/clock.h"

/* --- ends ----------------------------------------------------------------------- */

static void
defer_abc(void *arg)
{
	spout_defer(co_note, "a");
	spout_defer(co_note, "b");
	spout_defer(co_note, "c");
	if (arg != NULL)
		spout_fail_with(-EBADMSG, "no %s", (const char *)arg);
	co_note("r");
}

static void
cleanups_run_newest_first_on_return(void)
{
	co_run(defer_abc, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "rcba");
	CU_ASSERT_EQUAL(co_outcome.error, 0);
	CU_ASSERT_FALSE(co_outcome.cancelled);
}

static void
failing_runs_cleanups_and_gives_the_reason(void)
{
	co_run(defer_abc, "luck");
	CU_ASSERT_STRING_EQUAL(co_trace, "cba");
	CU_ASSERT_EQUAL(co_outcome.error, -EBADMSG);
	CU_ASSERT_STRING_EQUAL(co_reason, "no luck");
}

static void
wait_for_ever(void *arg)
{
	(void)arg;
	spout_defer(co_note, "d");
	spout_await(spout_future_new());
	co_note("x");
}

static void
a_deadline_ends_a_wait(void)
{
	uint64_t began = spout__clock_ns();

	co_run_until(wait_for_ever, NULL, 20);
	CU_ASSERT_EQUAL(co_outcome.error, -ETIMEDOUT);
	CU_ASSERT_TRUE(co_outcome.cancelled);
	CU_ASSERT_STRING_EQUAL(co_trace, "d");
	CU_ASSERT_TRUE(spout__clock_ns() - began >= 20000000u);
}

static void
cancel_main(void *arg)
{
	(void)arg;
	spout__coroutine_cancel(co_main, -ECANCELED, "gone");
}

static void
cancelled_from_outside(void *arg)
{
	CU_ASSERT_PTR_NOT_NULL(spout_loop_call_later(co_loop, 5, cancel_main, NULL));
	wait_for_ever(arg);
}

static void
cancellation_ends_a_wait_once(void)
{
	co_run(cancelled_from_outside, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, -ECANCELED);
	CU_ASSERT_STRING_EQUAL(co_reason, "gone");
	CU_ASSERT_STRING_EQUAL(co_trace, "d");
}

static void
shielded(void *arg)
{
	(void)arg;
	spout_sleep(15);
	co_note("s");
}

static void
cancelled_in_shield(void *arg)
{
	CU_ASSERT_PTR_NOT_NULL(spout_loop_call_later(co_loop, 5, cancel_main, NULL));
	spout_shield(shielded, arg);
	co_note("t");
	spout_sleep(1);
	co_note("x");
}

static void
a_shielded_stretch_finishes(void)
{
	co_run(cancelled_in_shield, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "st");
	CU_ASSERT_EQUAL(co_outcome.error, -ECANCELED);
}

static void
too_much_memory(void *arg)
{
	(void)arg;
	for (;;)
		memset(spout_alloc(1 << 20), 1, 1 << 20);
}

static void
past_its_memory_limit_a_coroutine_leaves(void)
{
	co_run(too_much_memory, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, -ENOMEM);
}

/* --- futures -------------------------------------------------------------------- */

static struct spout_future *f1, *f2;

static void
complete_f1(void *arg)
{
	CU_ASSERT_EQUAL(spout_future_set_result(f1, arg), 0);
	CU_ASSERT_EQUAL(spout_future_set_result(f1, arg), -EALREADY);
	CU_ASSERT_EQUAL(spout_future_set_error(f1, -EIO, "late"), -EALREADY);
}

static void
fail_f2(void *arg)
{
	(void)arg;
	CU_ASSERT_EQUAL(spout_future_set_error(f2, -EIO, "disk %d", 7), 0);
}

static void
done_callback(struct spout_future *future, void *arg)
{
	CU_ASSERT_TRUE(spout_future_done(future));
	co_note(arg);
}

static void
awaits_two(void *arg)
{
	(void)arg;
	f1 = spout_future_new();
	f2 = spout_future_new();
	CU_ASSERT_EQUAL(spout_future_error(f1), -EINPROGRESS);
	CU_ASSERT_EQUAL(spout_future_add_done_callback(f1, done_callback, "1"), 0);
	CU_ASSERT_PTR_NOT_NULL(spout_loop_call_later(co_loop, 5, complete_f1, "v"));
	CU_ASSERT_EQUAL(spout_try_await_any(SPOUT_FOREVER, f2, f1), 1);
	CU_ASSERT_EQUAL(spout_try_await_all(2, f1, f2), -ETIMEDOUT);
	CU_ASSERT_PTR_NOT_NULL(spout_loop_call_later(co_loop, 10, fail_f2, NULL));
	CU_ASSERT_EQUAL(spout_try_await_all(SPOUT_FOREVER, f1, f2), 0);
	CU_ASSERT_STRING_EQUAL((char *)spout_await(f1), "v");
	CU_ASSERT_EQUAL(spout_future_add_done_callback(f1, done_callback, "2"), 0);
	CU_ASSERT_EQUAL(spout_try_await(f2), -EIO);
	CU_ASSERT_STRING_EQUAL(spout_error(), "disk 7");
	spout_sleep(1);
	spout_await(f2);
	co_note("x");
}

static void
futures_complete_once_and_wake_their_waiters(void)
{
	co_run(awaits_two, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "12");
	CU_ASSERT_EQUAL(co_outcome.error, -EIO);
	CU_ASSERT_STRING_EQUAL(co_reason, "disk 7");
}

static void
awaits_many(void *arg)
{
	enum { N = 100 };
	struct spout_future *futures[N];
	int i;

	(void)arg;
	for (i = 0; i < N; i++)
		futures[i] = spout_future_new();
	CU_ASSERT_EQUAL(spout_try_await_all_of(1, futures, N), -ETIMEDOUT);
	for (i = 0; i < N; i++)
		CU_ASSERT_EQUAL(spout_future_set_result(futures[N - 1 - i], NULL), 0);
	CU_ASSERT_EQUAL(spout_try_await_all_of(1, futures, N), 0);
	CU_ASSERT_EQUAL(spout_try_await_any_of(1, futures, N), 0);
	CU_ASSERT_EQUAL(spout_try_await_all_of(1, futures, 0), 0);
	co_note("k");
}

static void
many_futures_can_be_awaited_at_once(void)
{
	co_run(awaits_many, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "k");
}

static void
with_timeouts(void *arg)
{
	(void)arg;
	f1 = spout_future_new();
	f2 = spout_future_new();
	CU_ASSERT_EQUAL(spout_try_with_timeout(3, f1), -ETIMEDOUT);
	CU_ASSERT_FALSE(spout_future_done(f1));
	CU_ASSERT_EQUAL(spout_future_set_result(f1, "late"), 0);
	CU_ASSERT_EQUAL(spout_try_with_timeout(3, f1), 0);
	CU_ASSERT_EQUAL(spout_try_await_or_cancel(3, f2), -ETIMEDOUT);
	CU_ASSERT_EQUAL(spout_future_error(f2), -ECANCELED);
	co_note("k");
}

static void
a_timeout_leaves_the_future_or_cancels_it(void)
{
	co_run(with_timeouts, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "k");
}

/* --- pins ----------------------------------------------------------------------- */

struct pinned {
	struct spout_future future;
	struct spout_scope *scope;
};

static void
pinned_done(void *arg)
{
	struct pinned *pinned = arg;
	struct spout_scope *scope = pinned->scope;

	co_note("j");
	spout__future_complete(&pinned->future, 0, NULL, NULL);
	spout__scope_unpin(scope);
}

/* A job that is asked to stop, and takes its time. */
static void
pinned_asked(struct spout_future *future)
{
	co_note("q");
	CU_ASSERT_PTR_NOT_NULL(spout_loop_call_later(co_loop, 3, pinned_done,
	    spout__container_of(future, struct pinned, future)));
}

static void
starts_a_job_and_fails(void *arg)
{
	struct pinned pinned = { .scope = spout_scope_current() };

	(void)arg;
	spout_defer(co_note, "d");
	spout__future_init(&pinned.future, pinned.scope, pinned_asked);
	spout__scope_pin(pinned.scope);
	spout_sleep(2);
	spout_fail_with(-EIO, "early");
}

static void
cleanups_wait_until_running_jobs_have_returned(void)
{
	co_run(starts_a_job_and_fails, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "qjd");
	CU_ASSERT_EQUAL(co_outcome.error, -EIO);
}

static void
explicit_done(struct spout_scope *scope)
{
	(void)scope;
	co_note("e");
	spout_loop_stop(co_loop);
}

static void
an_explicit_scope_ends_when_its_pins_are_gone(void)
{
	struct spout_scope scope;
	struct pinned pinned = { .scope = &scope };

	co_loop = spout_loop_new();
	memset(co_trace, 0, sizeof(co_trace));
	spout__scope_init(&scope, co_loop, 1 << 20);
	CU_ASSERT_EQUAL(spout_defer_in(&scope, co_note, "d"), 0);
	CU_ASSERT_PTR_NOT_NULL(spout_strdup_in(&scope, "text"));
	spout__future_init(&pinned.future, &scope, pinned_asked);
	spout__scope_pin(&scope);
	spout__scope_end(&scope, explicit_done);
	CU_ASSERT_STRING_EQUAL(co_trace, "q");
	CU_ASSERT_EQUAL(spout_loop_run(co_loop), 0);
	CU_ASSERT_STRING_EQUAL(co_trace, "qjde");
	spout_loop_free(co_loop);
	spout__arena_trim();
}

/* --- tasks ---------------------------------------------------------------------- */

static void
task(void *arg)
{
	char letter = *(char *)arg;

	spout_sleep(3);
	co_note(&letter);
}

static void
spawns(void *arg)
{
	char letter = 'p';

	(void)arg;
	CU_ASSERT_EQUAL(spout_spawn(task, &letter, 1), 0);
	letter = 'q';
	CU_ASSERT_EQUAL(spout_spawn(task, &letter, 1), 0);
	letter = 'z'; /* the tasks have their own copies, and outlive us */
}

static void
tasks_run_on_copies_after_the_one_that_started_them(void)
{
	co_run(spawns, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "pq");
}

static void
round_of_work(void *arg)
{
	int *n = arg;

	spout_defer(co_note, "d");
	spout_alloc(50000);
	spout_sleep(1);
	if (++*n == 3)
		spout_fail_with(-EIO, "round %d", *n);
}

static void
rounds(void *arg)
{
	int n = 0;

	(void)arg;
	spout_scope_run(round_of_work, &n);
	co_note("1");
	CU_ASSERT_EQUAL(spout_try_scope_run(round_of_work, &n), 0);
	co_note("2");
	CU_ASSERT_EQUAL(spout_try_scope_run(round_of_work, &n), -EIO);
	CU_ASSERT_STRING_EQUAL(spout_error(), "round 3");
	n = 2;
	spout_scope_run(round_of_work, &n);
	co_note("x");
}

static void
a_child_scope_ends_with_its_round(void)
{
	co_run(rounds, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "d1d2dd");
	CU_ASSERT_EQUAL(co_outcome.error, -EIO);
}

static void
waits_in_child(void *arg)
{
	CU_ASSERT_PTR_NOT_NULL(spout_loop_call_later(co_loop, 3, cancel_main, NULL));
	spout_defer(co_note, "p");
	spout_scope_run(wait_for_ever, arg);
}

static void
cancelling_a_parent_ends_its_child_first(void)
{
	co_run(waits_in_child, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "dp");
	CU_ASSERT_EQUAL(co_outcome.error, -ECANCELED);
}

/* --- many, deep, wrong ---------------------------------------------------------- */

static int awake;

static void
sleeper(void *arg)
{
	(void)arg;
	spout_sleep(20);
	awake++;
}

static void
starts_many(void *arg)
{
	int i, n = *(int *)arg;

	for (i = 0; i < n; i++)
		CU_ASSERT_EQUAL(spout_spawn(sleeper, NULL, 0), 0);
}

static void
thousands_of_coroutines_wait_at_once(void)
{
	int n = SPOUT__SANITIZED ? 1000 : 20000;

	awake = 0;
	co_run(starts_many, &n);
	CU_ASSERT_EQUAL(awake, n);
}

static void
yields(void *arg)
{
	char *letter = arg;
	int i;

	for (i = 0; i < 3; i++) {
		co_note(letter);
		spout_yield();
	}
}

static void
two_yield(void *arg)
{
	(void)arg;
	CU_ASSERT_EQUAL(spout_spawn(yields, "A", 1), 0);
	CU_ASSERT_EQUAL(spout_spawn(yields, "B", 1), 0);
}

static void
yielding_lets_the_others_run(void)
{
	co_run(two_yield, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "ABABAB");
}

static int
recurse(int n)
{
	volatile char frame[2000];

	frame[0] = (char)n;
	return n == 0 ? 0 : recurse(n - 1) + frame[0];
}

static void
overflows(void *arg)
{
	(void)arg;
	(void)recurse(100000);
}

static void
run_overflow(void)
{
	co_run(overflows, NULL);
}

static void
a_stack_overflow_names_itself(void)
{
	char text[4096];
	int status = unit_status_of_child(run_overflow, text, sizeof(text));

	CU_ASSERT_NOT_EQUAL(status, 0);
	if (!SPOUT__SANITIZED) {
		CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
		CU_ASSERT_PTR_NOT_NULL(strstr(text, "coroutine stack overflow: test"));
	}
}

static void
sleep_outside(void)
{
	spout_sleep(1);
}

static void
waiting_outside_a_coroutine_is_a_clear_abort(void)
{
	unit_assert_aborts(sleep_outside, "spout_sleep was called outside a coroutine");
}

static void
waiting_cleanup(void *arg)
{
	(void)arg;
	spout_sleep(1);
}

static void
defers_a_wait(void *arg)
{
	(void)arg;
	spout_defer(waiting_cleanup, NULL);
}

static void
run_defers_a_wait(void)
{
	co_run(defers_a_wait, NULL);
}

static void
a_cleanup_that_waits_is_a_clear_abort(void)
{
	unit_assert_aborts(run_defers_a_wait, "a clean-up may not wait (spout_sleep)");
}

static void
keeps_doubles_across_waits(void *arg)
{
	double x = 1.5, *out = arg;
	int i;

	for (i = 0; i < 10; i++) {
		x *= 1.25;
		spout_yield();
	}
	*out = x;
}

static void
registers_survive_a_switch(void)
{
	double x = 0, expected = 1.5;
	int i;

	for (i = 0; i < 10; i++)
		expected *= 1.25;
	co_run(keeps_doubles_across_waits, &x);
	CU_ASSERT_EQUAL(x, expected);
}

static const struct unit_test async_tests[] = {
	UNIT_TEST(cleanups_run_newest_first_on_return),
	UNIT_TEST(failing_runs_cleanups_and_gives_the_reason),
	UNIT_TEST(a_deadline_ends_a_wait),
	UNIT_TEST(cancellation_ends_a_wait_once),
	UNIT_TEST(a_shielded_stretch_finishes),
	UNIT_TEST(past_its_memory_limit_a_coroutine_leaves),
	UNIT_TEST(futures_complete_once_and_wake_their_waiters),
	UNIT_TEST(many_futures_can_be_awaited_at_once),
	UNIT_TEST(a_timeout_leaves_the_future_or_cancels_it),
	UNIT_TEST(cleanups_wait_until_running_jobs_have_returned),
	UNIT_TEST(an_explicit_scope_ends_when_its_pins_are_gone),
	UNIT_TEST(tasks_run_on_copies_after_the_one_that_started_them),
	UNIT_TEST(a_child_scope_ends_with_its_round),
	UNIT_TEST(cancelling_a_parent_ends_its_child_first),
	UNIT_TEST(thousands_of_coroutines_wait_at_once),
	UNIT_TEST(yielding_lets_the_others_run),
	UNIT_TEST(a_stack_overflow_names_itself),
	UNIT_TEST(waiting_outside_a_coroutine_is_a_clear_abort),
	UNIT_TEST(a_cleanup_that_waits_is_a_clear_abort),
	UNIT_TEST(registers_survive_a_switch),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "async", async_tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
