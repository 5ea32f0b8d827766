/* SPDX-License-Identifier: MIT */
/* The test kit, by its public header: what it reports, and what it finds wrong. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include <spout/spout.h>
#include <spout/testing.h>

#include "base/clock.h"

/* --- running -------------------------------------------------------------------- */

static int steps;

static void
two_steps(void *arg)
{
	steps++;
	spout_sleep(1);
	steps += *(int *)arg;
}

static void
a_coroutine_runs_to_its_end(void)
{
	int one = 1;

	steps = 0;
	SPOUT_TEST_RUN(two_steps, &one);
	CU_ASSERT_EQUAL(steps, 2);
}

static void
fails(void *arg)
{
	(void)arg;
	spout_fail_with(-EBADMSG, "no luck");
}

static void
a_failure_is_reported_with_its_reason(void)
{
	struct spout_test_result result = spout_test_run(fails, NULL);

	CU_ASSERT_EQUAL(result.error, -EBADMSG);
	CU_ASSERT_STRING_EQUAL(result.reason, "no luck");
	CU_ASSERT_FALSE(result.cancelled || result.timed_out);
	SPOUT_TEST_FAILS(-EBADMSG, fails, NULL);
}

static void
late(void *arg)
{
	spout_sleep(20);
	++**(int **)arg;
}

static void
spawns(void *arg)
{
	CU_ASSERT_EQUAL(spout_spawn(late, &arg, sizeof(arg)), 0);
}

static void
what_it_started_ends_too(void)
{
	steps = 0;
	SPOUT_TEST_RUN(spawns, &steps);
	CU_ASSERT_EQUAL(steps, 1);
}

static void
hangs(void *arg)
{
	(void)arg;
	spout_await(spout_future_new());
}

static void
who_hangs_is_cancelled_and_named(void)
{
	struct spout_test_result result = spout_test_run(hangs, NULL, 30);

	CU_ASSERT_EQUAL(result.error, -ETIMEDOUT);
	CU_ASSERT_TRUE(result.timed_out && result.cancelled);
	CU_ASSERT_PTR_NOT_NULL(strstr(result.reason, "not over after 30 ms"));
	CU_ASSERT_PTR_NOT_NULL(strstr(result.reason, "test_testing.c:"));
	CU_ASSERT_PTR_NOT_NULL(strstr(result.reason, "in spout_await"));
}

static void
spawns_one_that_hangs(void *arg)
{
	CU_ASSERT_EQUAL(spout_spawn(hangs, arg, 0), 0);
}

static void
a_task_that_hangs_is_a_time_out_although_the_test_returned(void)
{
	struct spout_test_result result = spout_test_run(spawns_one_that_hangs, NULL, 30);

	CU_ASSERT_EQUAL(result.error, -ETIMEDOUT);
	CU_ASSERT_TRUE(result.timed_out);
}

static void
has_a_deadline(void *arg)
{
	*(uint64_t *)arg = spout_time_left_ms();
	hangs(NULL);
}

static void
a_deadline_is_no_time_out(void)
{
	uint64_t left_ms = 0;
	struct spout_test_result result =
	    spout_test_run(has_a_deadline, &left_ms, .deadline_ms = 10,
		.virtual_clock = true);

	CU_ASSERT_EQUAL(result.error, -ETIMEDOUT);
	CU_ASSERT_FALSE(result.timed_out);
	CU_ASSERT_EQUAL(left_ms, 10);
}

static int
job(void *arg)
{
	poll(NULL, 0, *(int *)arg);
	return 7;
}

static void
runs_jobs(void *arg)
{
	CU_ASSERT_EQUAL(spout_run(job, arg), 7);
	CU_ASSERT_EQUAL(spout_run_on(SPOUT_POOL_CPU, job, arg), 7);
}

static void
jobs_have_their_pools(void)
{
	int ms = 1;

	SPOUT_TEST_RUN(runs_jobs, &ms);
	SPOUT_TEST_RUN(runs_jobs, &ms, .threads = 1);
	SPOUT_TEST_FAILS(-EINVAL, runs_jobs, &ms, .no_threads = true);
}

static int tests_run;

SPOUT_TEST(counts_itself, .deadline_ms = 60000)
{
	spout_yield();
	CU_ASSERT_NOT_EQUAL(spout_time_left_ms(), SPOUT_FOREVER);
	tests_run++;
}

static void
a_test_may_be_a_coroutine(void)
{
	tests_run = 0;
	counts_itself();
	CU_ASSERT_EQUAL(tests_run, 1);
}

static void
requires(void *arg)
{
	SPOUT_TEST_REQUIRE(*(int *)arg == 1);
	++*(int *)arg;
}

static void
a_requirement_that_holds_goes_on(void)
{
	int value = 1;

	SPOUT_TEST_RUN(requires, &value);
	CU_ASSERT_EQUAL(value, 2);
}

/* --- the virtual clock ---------------------------------------------------------- */

static void
sleeps_an_hour(void *arg)
{
	uint64_t began_ms = spout_loop_now_ms(spout_loop_current());

	spout_sleep(3600 * 1000);
	*(uint64_t *)arg = spout_loop_now_ms(spout_loop_current()) - began_ms;
}

static void
an_hour_of_sleeping_takes_no_time(void)
{
	uint64_t began_ns = spout__clock_ns(), slept_ms = 0;

	SPOUT_TEST_RUN(sleeps_an_hour, &slept_ms, .virtual_clock = true);
	CU_ASSERT_EQUAL(slept_ms, 3600 * 1000);
	CU_ASSERT_TRUE(spout__clock_ns() - began_ns < UINT64_C(60) * 1000000000u);
}

static char order[16];

static void
sleeps_and_notes(void *arg)
{
	const int ms = *(int *)arg;

	spout_sleep((uint64_t)ms);
	order[strlen(order)] = (char)('a' + ms / 1000);
}

static void
sleeps_in_order(void *arg)
{
	static const int times[] = { 5000, 1000, 3000, 2000 };
	uint64_t began_ms = spout_loop_now_ms(spout_loop_current());
	struct spout_group *group = spout_group_new();
	size_t i;

	(void)arg;
	for (i = 0; i < 4; i++)
		spout_group_spawn(group, sleeps_and_notes, &times[i], sizeof(int));
	spout_group_wait(group);
	CU_ASSERT_EQUAL(spout_loop_now_ms(spout_loop_current()) - began_ms, 5000);
}

static void
timers_keep_their_order(void)
{
	memset(order, 0, sizeof(order));
	SPOUT_TEST_RUN(sleeps_in_order, NULL, .virtual_clock = true);
	CU_ASSERT_STRING_EQUAL(order, "bcdf");
}

/* The job takes less real time than the time-out has: so it must not pass. */
static void
waits_for_a_job(void *arg)
{
	struct spout_future *future = spout_run_async(job, arg);

	CU_ASSERT_EQUAL(spout_try_with_timeout(60000, future), 0);
	CU_ASSERT_EQUAL(spout_future_int(future), 7);
}

static void
time_does_not_jump_while_a_job_is_out(void)
{
	int ms = 20;

	SPOUT_TEST_RUN(waits_for_a_job, &ms, .virtual_clock = true);
}

static int
until_cancelled(void *arg)
{
	(void)arg;
	while (!spout_job_cancelled())
		poll(NULL, 0, 1);
	return 0;
}

static void
gives_a_job_up(void *arg)
{
	struct spout_future *future = spout_run_async(until_cancelled, NULL);

	(void)arg;
	CU_ASSERT_EQUAL(spout_try_await_or_cancel(20, future), -ETIMEDOUT);
}

static void
time_passes_while_a_job_is_out(void)
{
	SPOUT_TEST_RUN(gives_a_job_up, NULL, .virtual_clock = true);
}

static void
times_out_for_real(void *arg)
{
	int fds[2];

	(void)arg;
	SPOUT_TEST_REQUIRE(pipe(fds) == 0);
	spout_stream_new(fds[1]);
	spout_stream_read_some(spout_stream_new(fds[0]));
}

static void
the_time_out_of_a_test_is_of_real_time(void)
{
	struct spout_test_result result =
	    spout_test_run(times_out_for_real, NULL, 30, .virtual_clock = true);

	CU_ASSERT_TRUE(result.timed_out);
}

/* --- the log -------------------------------------------------------------------- */

static void
expected_lines_are_found_and_others_reported(void)
{
	spout_test_log_begin();
	CU_ASSERT_EQUAL(spout_test_log_expect("^.* WARNING .*no (luck|way)"), 0);
	CU_ASSERT_EQUAL(spout_test_log_expect("("), -EINVAL);
	spout_info("nothing of weight");
	spout_warning("there was no luck");
	CU_ASSERT_EQUAL(spout_test_log_count("luck"), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(spout_test_log_text(), "nothing of weight"));
	SPOUT_TEST_LOG_END();
	CU_ASSERT_EQUAL(spout_test_log_count("luck"), 1);
}

static void
a_missing_line_is_reported(void)
{
	const char *wrong;

	spout_test_log_begin();
	CU_ASSERT_EQUAL(spout_test_log_expect("no luck"), 0);
	spout_info("luck");
	wrong = spout_test_log_end();
	CU_ASSERT_PTR_NOT_NULL_FATAL(wrong);
	CU_ASSERT_STRING_EQUAL(wrong, "no line matches: no luck");
}

static void
an_unexpected_warning_is_reported(void)
{
	const char *wrong;

	spout_test_log_begin();
	spout_warning("the roof is on fire");
	wrong = spout_test_log_end();
	CU_ASSERT_PTR_NOT_NULL_FATAL(wrong);
	CU_ASSERT_PTR_NOT_NULL(strstr(wrong, "unexpected: "));
	CU_ASSERT_PTR_NOT_NULL(strstr(wrong, "the roof is on fire"));
	CU_ASSERT_PTR_NOT_NULL(spout_test_log_end()); /* there is none */
}

static const struct unit_test run_tests[] = {
	UNIT_TEST(a_coroutine_runs_to_its_end),
	UNIT_TEST(a_failure_is_reported_with_its_reason),
	UNIT_TEST(what_it_started_ends_too),
	UNIT_TEST(who_hangs_is_cancelled_and_named),
	UNIT_TEST(a_task_that_hangs_is_a_time_out_although_the_test_returned),
	UNIT_TEST(a_deadline_is_no_time_out),
	UNIT_TEST(jobs_have_their_pools),
	UNIT_TEST(a_test_may_be_a_coroutine),
	UNIT_TEST(a_requirement_that_holds_goes_on),
	UNIT_END,
};

static const struct unit_test clock_tests[] = {
	UNIT_TEST(an_hour_of_sleeping_takes_no_time),
	UNIT_TEST(timers_keep_their_order),
	UNIT_TEST(time_does_not_jump_while_a_job_is_out),
	UNIT_TEST(time_passes_while_a_job_is_out),
	UNIT_TEST(the_time_out_of_a_test_is_of_real_time),
	UNIT_END,
};

static const struct unit_test log_tests[] = {
	UNIT_TEST(expected_lines_are_found_and_others_reported),
	UNIT_TEST(a_missing_line_is_reported),
	UNIT_TEST(an_unexpected_warning_is_reported),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = {
		{ "running", run_tests },
		{ "virtual clock", clock_tests },
		{ "log", log_tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
