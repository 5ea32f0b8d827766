/* SPDX-License-Identifier: MIT */
/*
 * Allocation torture of processes: whichever allocation fails, nothing crashes or hangs,
 * and neither memory nor a descriptor nor a child is left. See torture.h.
 */
#include "config.h"

#include "torture.h"
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include <spout/process.h>

#include "async/async.h"

static struct spout_loop *loop;
static unsigned done; /* steps of the scenario that were taken */

static void
stop(void *arg)
{
	(void)arg;
	spout_loop_stop(loop);
}

static void
talks(void *arg)
{
	struct spout_process *process = spout_process_start(
	    SPOUT_ARGV("cat"), .in = SPOUT_PROCESS_PIPE, .out = SPOUT_PROCESS_PIPE);
	struct spout_future *future = spout_process_wait_async(process);

	(void)arg;
	spout_stream_write(spout_process_in(process), "x", 1);
	spout_stream_shutdown(spout_process_in(process));
	done += spout_stream_read_all(spout_process_out(process), 10).len == 1;
	spout_await(future);
	done += spout_process_run(SPOUT_ARGV("cat"), .input = "y", .input_len = 1)
	            ->output.len == 1;
}

static bool
run(void)
{
	struct spout_coroutine *co;

	done = 0;
	loop = spout_loop_new();
	if (loop == NULL)
		return false;
	co = spout__coroutine_new(loop);
	if (co != NULL) {
		spout__coroutine_start(co,
		    &(struct spout__coroutine_options){
			.fn = talks, .on_gone = stop, .where = "torture" });
		CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
	}
	spout_loop_free(loop);
	CU_ASSERT_TRUE(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	return done == 2;
}

static void
processes_end_well_whichever_allocation_fails(void)
{
	torture("processes", run);
}

static const struct unit_test tests[] = {
	UNIT_TEST(processes_end_well_whichever_allocation_fails),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "torture", tests }, { NULL, NULL } };

	if (!unit_has_pidfd())
		return UNIT_SKIP;
	signal(SIGPIPE, SIG_IGN);
	torture_init();
	return unit_run(argc, argv, suites);
}
