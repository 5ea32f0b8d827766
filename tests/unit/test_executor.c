/* SPDX-License-Identifier: MIT */
/* Jobs: their results, deadlines and cancellation; how they may not be
 * used. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stats.h"
#include "async/sanitizer.h"
#include "executor_help.h"

/* --- results ---------------------------------------------------------------- */

static void
results(void *arg)
{
	struct spout_pool *pool = spout_pool_new("blocking");
	struct spout_future *future;
	int n = 7;

	(void)arg;
	CU_ASSERT_EQUAL(spout_run(answer, NULL), 42);
	CU_ASSERT_EQUAL(spout_try_run(add_one, &n), 8);
	CU_ASSERT_EQUAL(n, 8);
	future = spout_run_async(answer, NULL);
	CU_ASSERT_EQUAL(spout_future_int(future), 0);
	CU_ASSERT_EQUAL(spout_try_await(future), 0);
	CU_ASSERT_EQUAL(spout_future_int(future), 42);
	CU_ASSERT_EQUAL(stats_of(pool).submitted, 3);
	CU_ASSERT_EQUAL(stats_of(pool).completed, 3);
	CU_ASSERT_EQUAL(stats_of(pool).running, 0);
	CU_ASSERT_EQUAL(spout_pool_close(pool, 1000), 0);
}

static void
run_returns_the_number_of_the_job(void)
{
	run_test_whole(results);
}

static void
errors(void *arg)
{
	struct spout_pool *pool = spout_pool_new("blocking");
	struct spout_future *future;

	(void)arg;
	CU_ASSERT_EQUAL(spout_try_run(fail_io, NULL), -EIO);
	CU_ASSERT_STRING_EQUAL(spout_error(), "job fail_io: Input/output error");
	future = spout_run_async(fail_io, NULL);
	CU_ASSERT_EQUAL(spout_try_await(future), -EIO);
	CU_ASSERT_EQUAL(spout_future_int(future), 0);
	CU_ASSERT_EQUAL(spout_pool_close(pool, 1000), 0);
}

static void
try_run_returns_the_error_and_names_the_job(void)
{
	run_test_whole(errors);
}

static void
leaving(void *arg)
{
	(void)arg;
	spout_pool_new("blocking");
	spout_run(fail_io, NULL);
	CU_FAIL("not reached");
}

static void
run_leaves_with_the_error_of_the_job(void)
{
	struct spout_test_result ending = run_test(leaving);

	CU_ASSERT_EQUAL(ending.error, -EIO);
	CU_ASSERT_STRING_EQUAL(ending.reason, "job fail_io: Input/output error");
}

static void
no_pool(void *arg)
{
	(void)arg;
	CU_ASSERT_PTR_NULL(spout_pool_get("nowhere"));
	CU_ASSERT_EQUAL(
	    spout_try_run_on(spout_pool_get("nowhere"), answer, NULL), -EINVAL);
	CU_ASSERT_STRING_EQUAL(
	    spout_error(), "job answer: there is no such pool on this loop");
	CU_ASSERT_EQUAL(spout_try_await(spout_run_async(answer, NULL)), -EINVAL);
}

static void
without_a_pool_run_is_einval_and_says_why(void)
{
	run_test_whole(no_pool);
}

struct order {
	int ran[100], n_ran, done[100], n_done;
};

struct order_item {
	struct order *order;
	int i;
};

static int
order_job(void *arg)
{
	struct order_item *item = arg;

	item->order->ran[item->order->n_ran++] = item->i;
	return item->i;
}

static void
order_done(struct spout_future *future, void *arg)
{
	struct order *order = arg;

	order->done[order->n_done++] = spout_future_int(future);
}

static void
ordering(void *arg)
{
	struct spout_pool *pool = spout_pool_new("one");
	struct spout_future *futures[100];
	struct order_item items[100];
	struct order order = { .n_ran = 0 };
	int i;

	(void)arg;
	for (i = 0; i < 100; i++) {
		items[i] = (struct order_item){ &order, i };
		futures[i] = spout_run_on_async(pool, order_job, &items[i]);
		CU_ASSERT_EQUAL(
		    spout_future_add_done_callback(futures[i], order_done, &order), 0);
	}
	spout_await_all_of(SPOUT_FOREVER, futures, 100);
	spout_yield();
	CU_ASSERT_EQUAL(order.n_done, 100);
	for (i = 0; i < 100; i++) {
		CU_ASSERT_EQUAL(order.ran[i], i);
		CU_ASSERT_EQUAL(order.done[i], i);
	}
	spout_pool_close(pool, 1000);
}

static void
jobs_of_one_thread_run_and_complete_in_order(void)
{
	run_test_whole(ordering);
}

/* --- deadlines -------------------------------------------------------------- */

static void
late_in_thread(void *arg)
{
	struct gate gate = GATE_CLOSED;
	struct spout_pool *pool = spout_pool_new("one");
	struct spout_future *running;
	int runs = 0;
	struct bare late = { .job = { .fn = add_one,
				 .arg = &runs,
				 .name = "late",
				 .on_done = bare_done,
				 .deadline_ms = spout__loop_after_ms(loop, 10) },
		.done = spout_future_new() };

	(void)arg;
	running = spout_run_on_async(pool, gate_pass, &gate);
	gate_wait_entered(&gate, 1);
	CU_ASSERT_EQUAL(spout__job_submit(pool, &late.job), 0);
	spout_sleep(15);
	gate_open(&gate);
	CU_ASSERT_EQUAL(spout_try_await_all(SPOUT_FOREVER, running, late.done), 0);
	CU_ASSERT_EQUAL(late.result, -ETIMEDOUT);
	CU_ASSERT_EQUAL(runs, 0);
	CU_ASSERT_EQUAL(stats_of(pool).expired_unrun, 1);
	CU_ASSERT_EQUAL(stats_of(pool).completed, 1);
	spout__job_cancel(&late.job); /* over: nothing happens */
	spout_pool_close(pool, 1000);
}

static void
expired_job_is_not_run_by_the_thread_that_takes_it(void)
{
	run_test_whole(late_in_thread);
}

static void
run_gate(void *arg)
{
	spout_run_on(shared_pool, gate_pass, arg);
}

static void
late_in_queue(void *arg)
{
	struct gate gate = GATE_CLOSED;
	struct spout_future *running;
	struct ending ending = { .left = false };
	uint64_t before = spout__stats->counters[SPOUT__C_JOBS_EXPIRED];

	(void)arg;
	shared_pool = spout_pool_new("one");
	running = spout_run_on_async(shared_pool, gate_pass, &gate);
	gate_wait_entered(&gate, 1);
	start(run_gate, &gate, 10, &ending);
	while (!ending.gone)
		spout_sleep(1);
	CU_ASSERT_EQUAL(ending.error, -ETIMEDOUT);
	CU_ASSERT_EQUAL(stats_of(shared_pool).expired_unrun, 1);
	CU_ASSERT_EQUAL(spout__stats->counters[SPOUT__C_JOBS_EXPIRED], before + 1);
	CU_ASSERT_EQUAL(stats_of(shared_pool).queued, 0);
	gate_open(&gate);
	CU_ASSERT_EQUAL(spout_try_await(running), 0);
	CU_ASSERT_EQUAL(gate.entered, 1);
	spout_pool_close(shared_pool, 1000);
}

static void
deadline_of_the_coroutine_drops_its_queued_job(void)
{
	run_test_whole(late_in_queue);
}

static void
late_running(void *arg)
{
	struct gate gate = GATE_CLOSED;
	struct ending ending = { .left = false };
	struct spout_coroutine *co;

	(void)arg;
	shared_pool = spout_pool_new("one");
	co = start(run_gate, &gate, 0, &ending);
	while (gate_entered(&gate) == 0)
		spout_sleep(1);
	spout__coroutine_set_deadline(co, spout__loop_after_ms(loop, 5));
	while (!ending.left)
		spout_sleep(1);
	/* The answer does not wait for the job; stack and memory do. */
	CU_ASSERT_EQUAL(ending.error, -ETIMEDOUT);
	spout_sleep(5);
	CU_ASSERT(!ending.gone);
	gate_open(&gate);
	while (!ending.gone)
		spout_sleep(1);
	CU_ASSERT_EQUAL(gate.passed, 1);
	CU_ASSERT_EQUAL(stats_of(shared_pool).completed, 1);
	spout_pool_close(shared_pool, 1000);
}

static void
deadline_answers_at_once_and_waits_for_the_running_job(void)
{
	run_test_whole(late_running);
}

/* --- cancelling ------------------------------------------------------------- */

static void
cancel_queued(void *arg)
{
	struct gate gate = GATE_CLOSED;
	struct spout_pool *pool = spout_pool_new("one");
	struct spout_future *running, *queued;

	(void)arg;
	running = spout_run_on_async(pool, gate_pass, &gate);
	gate_wait_entered(&gate, 1);
	queued = spout_run_on_async(pool, gate_pass, &gate);
	spout_cancel(queued);
	CU_ASSERT(spout_future_done(queued));
	CU_ASSERT_EQUAL(spout_future_error(queued), -ECANCELED);
	CU_ASSERT_EQUAL(stats_of(pool).queued, 0);
	CU_ASSERT_EQUAL(stats_of(pool).cancelled_unrun, 1);
	gate_open(&gate);
	CU_ASSERT_EQUAL(spout_try_await(running), 0);
	CU_ASSERT_EQUAL(gate.entered, 1);
	spout_pool_close(pool, 1000);
}

static void
cancelling_a_queued_job_completes_it_at_once(void)
{
	run_test_whole(cancel_queued);
}

static int
until_cancelled(void *arg)
{
	gate_pass(arg);
	while (!spout_job_cancelled())
		sched_yield();
	return 9;
}

static void
cancel_running(void *arg)
{
	struct gate gate = GATE_CLOSED;
	struct spout_pool *pool = spout_pool_new("one");
	struct spout_future *future;

	(void)arg;
	CU_ASSERT(!spout_job_cancelled());
	future = spout_run_on_async(pool, until_cancelled, &gate);
	gate_wait_entered(&gate, 1);
	spout_cancel(future);
	CU_ASSERT(!spout_future_done(future));
	spout_cancel(future);
	gate_open(&gate);
	CU_ASSERT_EQUAL(spout_try_await(future), 0);
	CU_ASSERT_EQUAL(spout_future_int(future), 9);
	/* The next job of the thread is not cancelled. */
	CU_ASSERT_EQUAL(spout_try_run_on(pool, answer, NULL), 42);
	CU_ASSERT_EQUAL(stats_of(pool).cancelled_unrun, 0);
	spout_pool_close(pool, 1000);
}

static void
cancelling_a_running_job_sets_its_flag_only(void)
{
	run_test_whole(cancel_running);
}

static void
cancel_hook(void *arg)
{
	struct gate gate = GATE_CLOSED;
	struct spout_pool *pool = spout_pool_new("one");
	struct bare running = { .job = { .fn = gate_pass,
				    .arg = &gate,
				    .name = "running",
				    .on_done = bare_done,
				    .on_cancel = gate_open },
		.done = spout_future_new() };
	struct bare queued = { .job = { .fn = gate_pass,
				   .arg = NULL,
				   .name = "queued",
				   .on_done = bare_done,
				   .on_cancel = gate_open },
		.done = spout_future_new() };

	(void)arg;
	spout__job_cancel(&running.job); /* not submitted: nothing happens */
	CU_ASSERT_EQUAL(spout__job_submit(pool, &running.job), 0);
	gate_wait_entered(&gate, 1);
	CU_ASSERT_EQUAL(spout__job_submit(pool, &queued.job), 0);
	spout__job_cancel(&queued.job); /* its hook would crash */
	CU_ASSERT(spout_future_done(queued.done));
	CU_ASSERT_EQUAL(queued.result, -ECANCELED);
	CU_ASSERT(!spout_future_done(running.done));
	spout__job_cancel(&running.job); /* its hook opens the gate */
	CU_ASSERT_EQUAL(spout_try_await(running.done), 0);
	CU_ASSERT_EQUAL(running.result, 1);
	spout_pool_close(pool, 1000);
}

static void
cancel_hook_is_called_for_a_running_job_only(void)
{
	run_test_whole(cancel_hook);
}

#define TRIALS 10000
#define TRIAL_BYTES 512
#define TRIAL_WRITES 20000 /* after the cancellation: longer than all else takes */

struct trial {
	struct spout_coroutine *co;
	struct ending ending;
	_Atomic bool returned;
};

struct scribble {
	struct trial *trial;
	unsigned char bytes[TRIAL_BYTES];
};

static void
trial_cancel(void *arg)
{
	struct trial *trial = arg;

	spout__coroutine_cancel(trial->co, -ECANCELED, "the client is gone");
}

/* Writes into the stack of its coroutine until well after that was cancelled. */
static int
scribble_job(void *arg)
{
	struct scribble *scribble = arg;
	int i, after = 0;

	if (spout_loop_post(loop, trial_cancel, scribble->trial) != 0)
		return -ENOMEM;
	for (i = 0; after < TRIAL_WRITES; i++) {
		scribble->bytes[i % TRIAL_BYTES] = (unsigned char)i;
		if (spout_job_cancelled())
			after++;
		else if (i % TRIAL_BYTES == 0)
			sched_yield();
	}
	atomic_store(&scribble->trial->returned, true);
	return 0;
}

static void
trial_victim(void *arg)
{
	struct scribble scribble = { .trial = arg };

	spout_run_on(shared_pool, scribble_job, &scribble);
	CU_FAIL("a cancelled coroutine went on");
}

/* Takes whatever stack is free and sees whether anybody else writes to it. */
static void
trial_canary(void *arg)
{
	volatile unsigned char bytes[4 * TRIAL_BYTES];
	int *damaged = arg;
	size_t i;

	memset((void *)(uintptr_t)bytes, 0xa5, sizeof(bytes));
	spout_yield();
	for (i = 0; i < sizeof(bytes); i++)
		if (bytes[i] != 0xa5)
			++*damaged;
}

static void
trial_run(struct trial *trial, int *damaged)
{
	struct spout_future left, victim_gone, canary_gone;
	struct ending canary = { .on_gone = &canary_gone };

	spout__future_init(&left, spout_scope_current(), NULL);
	spout__future_init(&victim_gone, spout_scope_current(), NULL);
	spout__future_init(&canary_gone, spout_scope_current(), NULL);
	trial->ending.on_left = &left;
	trial->ending.on_gone = &victim_gone;
	trial->co = start(trial_victim, trial, 0, &trial->ending);
	spout_await(&left);
	start(trial_canary, damaged, 0, &canary);
	spout_await(&canary_gone);
	spout_await(&victim_gone);
}

static void
stack_pinned(void *arg)
{
	int i, damaged = 0, early = 0;

	(void)arg;
	shared_pool = spout_pool_new("scribblers", .min_threads = 2);
	for (i = 0; i < (int)unit_scaled(TRIALS); i++) {
		struct trial trial = { .returned = false };

		trial_run(&trial, &damaged);
		if (!atomic_load(&trial.returned))
			early++;
	}
	CU_ASSERT_EQUAL(early, 0);
	CU_ASSERT_EQUAL(damaged, 0);
	CU_ASSERT_EQUAL(stats_of(shared_pool).completed, unit_scaled(TRIALS));
	spout_pool_close(shared_pool, 1000);
}

static void
running_job_pins_the_stack_of_its_cancelled_coroutine(void)
{
	run_test_whole(stack_pinned);
}

static void
run_answer(void *arg)
{
	*(int *)arg = spout_run_on(shared_pool, answer, NULL);
}

static void
late_but_shielded(void *arg)
{
	spout_set_deadline_ms(1);
	while (spout__clock_ms() < spout__coroutine_deadline(spout__co))
		sched_yield();
	spout_shield(run_answer, arg);
	spout_yield();
	CU_FAIL("the deadline did not count after the shield");
}

static void
shielded(void *arg)
{
	struct ending ending = { .left = false };
	int result = 0;

	(void)arg;
	shared_pool = spout_pool_new("one");
	start(late_but_shielded, &result, 0, &ending);
	while (!ending.gone)
		spout_sleep(1);
	CU_ASSERT_EQUAL(result, 42);
	CU_ASSERT_EQUAL(ending.error, -ETIMEDOUT);
	spout_pool_close(shared_pool, 1000);
}

static void
shielded_job_runs_although_the_deadline_has_passed(void)
{
	run_test_whole(shielded);
}

static void
two_async_jobs(void *arg)
{
	(void)spout_run_on_async(shared_pool, gate_pass, arg);
	gate_wait_entered(arg, 1);
	(void)spout_run_on_async(shared_pool, gate_pass, arg);
}

static void
scope_end(void *arg)
{
	struct gate gate = GATE_CLOSED;
	struct ending ending = { .left = false };

	(void)arg;
	shared_pool = spout_pool_new("one");
	/* It returns without awaiting: the queued job is dropped, the running one
	 * awaited. */
	start(two_async_jobs, &gate, 0, &ending);
	while (!ending.left)
		spout_yield();
	CU_ASSERT(!ending.gone);
	CU_ASSERT_EQUAL(stats_of(shared_pool).queued, 0);
	CU_ASSERT_EQUAL(stats_of(shared_pool).cancelled_unrun, 1);
	gate_open(&gate);
	while (!ending.gone)
		spout_sleep(1);
	CU_ASSERT_EQUAL(gate.passed, 1);
	spout_pool_close(shared_pool, 1000);
}

static void
ending_scope_drops_queued_jobs_and_awaits_running_ones(void)
{
	run_test_whole(scope_end);
}

/* --- misuse ----------------------------------------------------------------- */

static int
job_that_waits(void *arg)
{
	(void)arg;
	spout_sleep(1);
	return 0;
}

static void
waiting_job(void *arg)
{
	(void)arg;
	spout_pool_new("blocking");
	spout_run(job_that_waits, NULL);
}

static void
in_child_waiting_job(void)
{
	run_test(waiting_job);
}

static void
in_child_no_coroutine(void)
{
	loop = spout_loop_new();
	spout_run(answer, NULL);
}

static void
waiting_in_a_job_aborts_with_its_name(void)
{
	unit_assert_aborts(in_child_waiting_job, "job_that_waits");
}

static void
running_a_job_outside_a_coroutine_aborts(void)
{
	unit_assert_aborts(in_child_no_coroutine, "outside a coroutine");
}

/* Scribbles into a frame that is gone, until it has been told to stop and a while
 * more. */
static int
late_scribble_job(void *arg)
{
	volatile unsigned char *bytes = arg;
	int i, after = 0;

	for (i = 0; after < TRIAL_WRITES / 10; i++) {
		bytes[i % TRIAL_BYTES] = 0x5a;
		if (spout_job_cancelled())
			after++;
	}
	return 0;
}

static void
returns_at_once(void *arg)
{
	unsigned char bytes[TRIAL_BYTES];

	(void)arg;
	spout_run_on_async(shared_pool, late_scribble_job, bytes);
	while (stats_of(shared_pool).running == 0)
		spout_yield();
}

/* Each one is certain to catch a frame that went too early: the job writes on. */
#define RETURN_TRIALS 20

static void
return_before_job(void *arg)
{
	int i, errors = 0;

	(void)arg;
	shared_pool = spout_pool_new("scribblers", .min_threads = 1);
	for (i = 0; i < RETURN_TRIALS; i++)
		errors += spout_try_scope_run(returns_at_once, NULL) != 0;
	CU_ASSERT_EQUAL(errors, 0);
	CU_ASSERT_EQUAL(spout_pool_close(shared_pool, 5000), 0);
}

static void
returning_before_a_running_job_leaves_from_below_it(void)
{
	/* A mistake of the program, which a sanitizer may well end. */
	if (!SPOUT__SANITIZED)
		run_test_whole(return_before_job);
}

static const struct unit_test executor_tests[] = {
	UNIT_TEST(run_returns_the_number_of_the_job),
	UNIT_TEST(try_run_returns_the_error_and_names_the_job),
	UNIT_TEST(run_leaves_with_the_error_of_the_job),
	UNIT_TEST(without_a_pool_run_is_einval_and_says_why),
	UNIT_TEST(jobs_of_one_thread_run_and_complete_in_order),
	UNIT_TEST(expired_job_is_not_run_by_the_thread_that_takes_it),
	UNIT_TEST(deadline_of_the_coroutine_drops_its_queued_job),
	UNIT_TEST(deadline_answers_at_once_and_waits_for_the_running_job),
	UNIT_TEST(cancelling_a_queued_job_completes_it_at_once),
	UNIT_TEST(cancelling_a_running_job_sets_its_flag_only),
	UNIT_TEST(cancel_hook_is_called_for_a_running_job_only),
	UNIT_TEST(running_job_pins_the_stack_of_its_cancelled_coroutine),
	UNIT_TEST(returning_before_a_running_job_leaves_from_below_it),
	UNIT_TEST(shielded_job_runs_although_the_deadline_has_passed),
	UNIT_TEST(ending_scope_drops_queued_jobs_and_awaits_running_ones),
	UNIT_TEST(waiting_in_a_job_aborts_with_its_name),
	UNIT_TEST(running_a_job_outside_a_coroutine_aborts),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "executor", executor_tests },
		{ NULL, NULL } };

	return unit_run(argc, argv, suites);
}
