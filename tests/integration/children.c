/* SPDX-License-Identifier: MIT */
/*
 * Starts other programs, so that a test sees what becomes of them: "/wait" answers when
 * one has ended, "/task" starts one in a task of its own, "/stubborn" one that ignores
 * SIGTERM. The latter two answer with its number.
 */
#include <spout/spout.h>

static void
task(void *arg)
{
	const char *script = *(const char **)arg;
	struct spout_process *process = spout_process_start(
	    SPOUT_ARGV("sh", "-c", script), .out = SPOUT_PROCESS_PIPE);

	spout_stream_read_until(spout_process_out(process), "\n", 100);
	spout_info("started %d", spout_process_pid(process));
	spout_process_wait(process);
}

static void
start(struct spout_request *req, const char *script)
{
	if (spout_spawn(task, &script, sizeof(script)) < 0)
		spout_fail(req, 503, "no task");
	spout_plain(req, "started\n");
}

static void
polite(struct spout_request *req)
{
	start(req, "echo ready; exec sleep 1000");
}

static void
stubborn(struct spout_request *req)
{
	start(req, "trap '' TERM; echo ready; while :; do sleep 1; done");
}

static void
wait_for_one(struct spout_request *req)
{
	struct spout_process *process =
	    spout_process_start(SPOUT_ARGV("sleep", spout_require_arg(req, "seconds")));

	spout_info("started %d", spout_process_pid(process));
	spout_process_wait(process);
	spout_plain(req, "ended\n");
}

static const struct spout_route routes[] = {
	SPOUT_GET("/task", polite),
	SPOUT_GET("/stubborn", stubborn),
	SPOUT_GET("/wait", wait_for_one, .timeout_ms = 1000),
	SPOUT_END
};

int
main(int argc, char **argv)
{
	return spout_main(argc, argv,
	    &(struct spout_app){ .name = "children", .routes = routes });
}
