/* SPDX-License-Identifier: MIT */
/* Other programs run from coroutines: how they end and are ended, who waits. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "net/process.h"
#include "process_help.h"
#include "unit.h"

/* --- how it ends -------------------------------------------------------------------- */

static void
co_exits(void *arg)
{
	struct spout_process_result *result;

	(void)arg;
	result = spout_process_run(SH("exit 255"), .any_status = true);
	CU_ASSERT_TRUE(result->exit.status == 255 && result->exit.signal == 0);
	result = spout_process_run(SH("kill -KILL $$"), .any_status = true);
	CU_ASSERT_TRUE(result->exit.status == -1 && result->exit.signal == SIGKILL);
	CU_ASSERT_EQUAL(spout_try_process_run(SH("kill -USR1 $$"), &result), -ECHILD);
	CU_ASSERT_PTR_NOT_NULL(strstr(spout_error(), "ended by signal 10"));
	CU_ASSERT_EQUAL(spout_try_process_run(SH("echo first >&2; echo why >&2; exit 3"),
	    &result), -ECHILD);
	CU_ASSERT_STRING_EQUAL(spout_error(), "sh: exit status 3: why");
	(void)spout_process_run(SPOUT_ARGV("false"));
	CU_FAIL("it leaves");
}

static void
an_exit_other_than_zero_is_an_error_unless_asked_for(void)
{
	co_run(co_exits, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, -ECHILD);
	CU_ASSERT_STRING_EQUAL(co_reason, "false: exit status 1");
	CU_ASSERT_TRUE(process_none_left());
}

static void
co_cannot_run(void *arg)
{
	struct spout_process *process = NULL;
	struct spout_process_result *result = NULL;

	(void)arg;
	CU_ASSERT_EQUAL(spout_try_process_start(SPOUT_ARGV("/no/such/program"), &process,
	    .in = SPOUT_PROCESS_PIPE, .out = SPOUT_PROCESS_PIPE), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(spout_error(), "cannot run /no/such/program"));
	CU_ASSERT_EQUAL(
	    spout_try_process_start(SPOUT_ARGV("no-such-program"), &process), -ENOENT);
	CU_ASSERT_EQUAL(
	    spout_try_process_start(SPOUT_ARGV("/etc/passwd"), &process), -EACCES);
	CU_ASSERT_EQUAL(spout_try_process_start(SPOUT_ARGV("true"), &process,
	    .directory = "/no/such/directory"), -ENOENT);
	CU_ASSERT_EQUAL(
	    spout_try_process_start(SPOUT_ARGV(NULL), &process), -EINVAL);
	CU_ASSERT_EQUAL(spout_try_process_run(SPOUT_ARGV("no-such-program"), &result),
	    -ENOENT);
	CU_ASSERT_TRUE(process == NULL && result == NULL);
	CU_ASSERT_TRUE(process_none_left());
}

static void
what_cannot_be_run_is_a_typed_error(void)
{
	process_run(co_cannot_run);
}

static void
co_times_out(void *arg)
{
	struct spout_process *process = spout_process_start(IDLE, .timeout_ms = 20);
	struct spout_process_result *result = NULL;
	struct spout_process_exit how = { .status = 77 };

	(void)arg;
	CU_ASSERT_EQUAL(spout_try_process_wait(process, &how), -ETIMEDOUT);
	CU_ASSERT_STRING_EQUAL(spout_error(), "sleep: stopped after 20 ms");
	CU_ASSERT_EQUAL(how.status, 77);
	CU_ASSERT_EQUAL(process->exit.signal, SIGTERM);
	CU_ASSERT_EQUAL(
	    spout_future_error(spout_process_wait_async(process)), -ETIMEDOUT);
	CU_ASSERT_TRUE(process_none_left());
	CU_ASSERT_EQUAL(
	    spout_try_process_run(IDLE, &result, .timeout_ms = 20), -ETIMEDOUT);
	process_wait_none_left();
	process = spout_process_start(SPOUT_ARGV("true"), .timeout_ms = HANG_GUARD_MS);
	CU_ASSERT_EQUAL(spout_process_wait(process).status, 0);
}

static void
a_process_is_stopped_when_its_time_is_up(void)
{
	process_run(co_times_out);
}

static void
co_ignores_term(void *arg)
{
	struct spout_process *process = spout_process_start(STUBBORN,
	    .out = SPOUT_PROCESS_PIPE, .timeout_ms = HANG_GUARD_MS, .grace_ms = 20);
	struct spout_process_exit how;

	(void)arg;
	ASSERT_SLICE(spout_stream_read_bytes(spout_process_out(process), 6), "ready\n");
	CU_ASSERT_EQUAL(spout_process_kill(process, SIGTERM), 0); /* sleep goes, not sh */
	spout__timer_start_at(co_loop, &process->timer, 0);       /* now time is up */
	CU_ASSERT_EQUAL(spout_try_process_wait(process, &how), -ETIMEDOUT);
	CU_ASSERT_EQUAL(process->exit.signal, SIGKILL);
}

static void
one_that_ignores_sigterm_is_killed_after_the_grace(void)
{
	process_run(co_ignores_term);
}

static void
co_open_output(void *arg)
{
	struct spout_process_result *result;

	(void)arg;
	CU_ASSERT_EQUAL(spout_try_process_run(SH("sleep 3 & exit 0"), &result,
	    .timeout_ms = 20, .grace_ms = 20), -ETIMEDOUT);
}

static void
output_that_is_left_open_does_not_hold_a_run_beyond_its_time(void)
{
	process_run(co_open_output);
}

static void
co_group(void *arg)
{
	struct spout_process *process = spout_process_start(
	    SH("sleep 1000 & echo $!; wait"), .out = SPOUT_PROCESS_PIPE);
	struct spout_slice line = spout_stream_read_until(
	    spout_process_out(process), "\n", 20);
	int grandchild = atoi(line.data);

	(void)arg;
	CU_ASSERT_TRUE(process_is_alive(grandchild));
	spout_process_close(process);
	process_wait_none_left();
	for (int i = 0; i < HANG_GUARD_MS && process_is_alive(grandchild); i++)
		spout_sleep(1);
	CU_ASSERT_FALSE(process_is_alive(grandchild));
}

static void
the_whole_group_is_stopped(void)
{
	process_run(co_group);
}

static void
leaves_a_process(void *arg)
{
	*(int *)arg = spout_process_pid(spout_process_start(IDLE));
	spout_fail_with(-EIO, "with a running child");
}

static void
co_scope_ends(void *arg)
{
	int pid = 0;

	(void)arg;
	CU_ASSERT_EQUAL(spout_try_scope_run(leaves_a_process, &pid), -EIO);
	CU_ASSERT_TRUE(pid > 0);
	process_wait_none_left();
}

static void
the_end_of_the_scope_stops_and_reaps(void)
{
	process_run(co_scope_ends);
}

static void
co_stubborn_to_the_end(void *arg)
{
	struct spout_process *process = spout_process_start(
	    STUBBORN, .out = SPOUT_PROCESS_PIPE, .grace_ms = HANG_GUARD_MS);

	(void)arg;
	spout_stream_read_bytes(spout_process_out(process), 6);
}

static void
the_end_of_the_loop_kills_what_does_not_want_to_end(void)
{
	process_run(co_stubborn_to_the_end);
}

static void
co_worker_stops(void *arg)
{
	struct spout_process *polite = spout_process_start(
	    SH("trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.01; done"),
	    .out = SPOUT_PROCESS_PIPE, .err = SPOUT_PROCESS_NULL);
	struct spout_process *stubborn = spout_process_start(
	    STUBBORN, .out = SPOUT_PROCESS_PIPE, .err = SPOUT_PROCESS_NULL);

	(void)arg;
	spout_stream_read_bytes(spout_process_out(polite), 6);
	spout_stream_read_bytes(spout_process_out(stubborn), 6);
	spout__processes_stop(co_loop, 500);
	CU_ASSERT_TRUE(process_none_left());
	CU_ASSERT_EQUAL(spout_process_wait(polite).status, 5);
	CU_ASSERT_EQUAL(spout_process_wait(stubborn).signal, SIGKILL);
	ASSERT_SLICE(spout_stream_read_all(spout_process_out(polite), 100), "bye\n");
}

static void
a_worker_that_stops_lets_its_children_end_then_kills_them(void)
{
	process_run(co_worker_stops);
}

/* --- waiting ------------------------------------------------------------------------ */

static void
child_waits(void *arg)
{
	struct spout_process *process = *(struct spout_process **)arg;
	struct spout_process_exit how;

	if (spout_try_process_wait(process, &how) == 0 && how.status == 7)
		co_note("w");
	else if (strstr(spout_error(), "closed") != NULL)
		co_note("c");
}

static void
on_end(struct spout_future *future, void *arg)
{
	if (spout_future_process_exit(future)->status == 7)
		co_note(arg);
}

static void
co_several_wait(void *arg)
{
	struct spout_group *group = spout_group_new();
	struct spout_process *process =
	    spout_process_start(SH("read x; exit 7"), .in = SPOUT_PROCESS_PIPE);
	struct spout_future *future = spout_process_wait_async(process);
	struct spout_future *dropped = spout_process_wait_async(process);

	(void)arg;
	CU_ASSERT_EQUAL(spout_future_add_done_callback(future, on_end, "f"), 0);
	spout_cancel(dropped);
	CU_ASSERT_EQUAL(spout_future_error(dropped), -ECANCELED);
	CU_ASSERT_EQUAL(spout_try_with_timeout(5, future), -ETIMEDOUT);
	CU_ASSERT_PTR_NULL(spout_future_process_exit(future));
	for (int i = 0; i < 2; i++)
		spout_group_spawn(group, child_waits, &process, sizeof(process));
	spout_yield();
	spout_stream_write(spout_process_in(process), "x\n", 2);
	CU_ASSERT_EQUAL(spout_try_await(future), 0);
	spout_group_wait(group);
	CU_ASSERT_EQUAL(co_count(co_trace, "w"), 2);
	CU_ASSERT_EQUAL(co_count(co_trace, "f"), 1);
	CU_ASSERT_EQUAL(spout_future_process_exit(future)->status, 7);
}

static void
several_may_wait_in_several_ways(void)
{
	process_run(co_several_wait);
}

static void
co_close_under_waiter(void *arg)
{
	struct spout_group *group = spout_group_new();
	struct spout_process *process = spout_process_start(
	    IDLE, .in = SPOUT_PROCESS_PIPE, .out = SPOUT_PROCESS_PIPE);
	struct spout_future *future = spout_process_wait_async(process);

	(void)arg;
	spout_group_spawn(group, child_waits, &process, sizeof(process));
	spout_yield();
	spout_stream_close(spout_process_in(process)); /* one by hand, one with it */
	spout_process_close(process);
	spout_group_wait(group);
	CU_ASSERT_STRING_EQUAL(co_trace, "c");
	CU_ASSERT_EQUAL(spout_try_await(future), -ECANCELED);
	process_wait_none_left();
}

static void
closing_sends_off_who_waits(void)
{
	process_run(co_close_under_waiter);
}

static const struct unit_test tests[] = {
	UNIT_TEST(an_exit_other_than_zero_is_an_error_unless_asked_for),
	UNIT_TEST(what_cannot_be_run_is_a_typed_error),
	UNIT_TEST(a_process_is_stopped_when_its_time_is_up),
	UNIT_TEST(one_that_ignores_sigterm_is_killed_after_the_grace),
	UNIT_TEST(output_that_is_left_open_does_not_hold_a_run_beyond_its_time),
	UNIT_TEST(the_whole_group_is_stopped),
	UNIT_TEST(the_end_of_the_scope_stops_and_reaps),
	UNIT_TEST(the_end_of_the_loop_kills_what_does_not_want_to_end),
	UNIT_TEST(a_worker_that_stops_lets_its_children_end_then_kills_them),
	UNIT_TEST(several_may_wait_in_several_ways),
	UNIT_TEST(closing_sends_off_who_waits),
	UNIT_END
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "process ends", tests }, { NULL, NULL } };

	if (!unit_has_pidfd())
		return UNIT_SKIP;
	signal(SIGPIPE, SIG_IGN); /* as in every worker */
	return unit_run(argc, argv, suites);
}
