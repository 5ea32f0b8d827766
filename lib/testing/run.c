/* SPDX-License-Identifier: MIT */
/*
 * One coroutine on a loop of its own, to its end.
 *
 *   RUNNING --all coroutines are gone--> CLOSING servers --stop hooks are gone--> over
 *      |
 *      +--out of time: all are cancelled--> …   --out of time again--> abort()
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "testing/run.h"

#define TIMEOUT_MS 10000u
#define PATIENCE_MS 5000u /* at least, with what was cancelled */
#define THREADS 2u

static __thread struct spout__test_run *current;

struct spout__test_run *
spout__test_run_current(void)
{
	return current;
}

void
spout__test_options_copy(void *to, size_t size, const void *from, size_t from_size)
{
	memset(to, 0, size);
	memcpy(to, from, from_size < size ? from_size : size);
}

static uint64_t
default_timeout_ms(void)
{
	const char *text = getenv("SPOUT_TEST_TIMEOUT_MS");
	unsigned long long ms = text != NULL ? strtoull(text, NULL, 10) : 0;

	return ms > 0 ? ms : TIMEOUT_MS;
}

/* --- out of time ---------------------------------------------------------------- */

static void
timer_set(struct spout__test_run *run, uint64_t ms)
{
	const struct itimerspec in = { .it_value = { .tv_sec = (time_t)(ms / 1000u),
		.tv_nsec = (long)(ms % 1000u) * 1000000 } };

	timerfd_settime(run->timer_fd, 0, &in, NULL);
}

static void
hangs(const struct spout__test_run *run, const char *what)
{
	fprintf(stderr, "%s: cancelled, it has not ended: %s\n", run->where, what);
	abort();
}

static void
out_of_time(int fd, unsigned events, void *arg)
{
	struct spout__test_run *run = arg;
	char what[160];

	(void)fd;
	(void)events;
	spout__seam()->coroutines_describe(run->loop, what, sizeof(what));
	if (run->result.timed_out)
		hangs(run, what);
	run->result.timed_out = true;
	snprintf(run->result.reason, sizeof(run->result.reason),
	    "not over after %llu ms: %s", (unsigned long long)run->timeout_ms, what);
	timer_set(run, run->timeout_ms > PATIENCE_MS ? run->timeout_ms : PATIENCE_MS);
	spout__seam()->coroutines_cancel(
	    run->loop, -ETIMEDOUT, "the test ran out of time");
}

/* --- the end -------------------------------------------------------------------- */

static void
on_exit_of_test(struct spout_coroutine *co, const struct spout__outcome *outcome)
{
	struct spout_test_result *result = &current->result;

	(void)co;
	result->error = outcome->error;
	result->status = outcome->status;
	result->cancelled = outcome->cancelled;
	if (!result->timed_out)
		snprintf(result->reason, sizeof(result->reason), "%s", outcome->reason);
}

/* Nothing tells of the end of the last coroutine: look, and look again ever later. */
static void
look_for_the_end(void *arg)
{
	uint64_t began_ms = (uint64_t)(uintptr_t)arg;
	struct spout__test_run *run = current;
	uint64_t waited_ms = spout_loop_now_ms(run->loop) - began_ms;

	if (spout__seam()->coroutines_alive(run->loop) == 0 && !run->closing) {
		run->closing = true;
		spout__test_servers_close(run);
	}
	if (spout__seam()->coroutines_alive(run->loop) == 0 ||
	    spout_loop_call_later(
		run->loop, 1 + waited_ms / 8, look_for_the_end, arg) == NULL)
		spout_loop_stop(run->loop);
}

static void
on_gone(void *arg)
{
	(void)arg;
	look_for_the_end((void *)(uintptr_t)spout_loop_now_ms(current->loop));
}

/* --- the run -------------------------------------------------------------------- */

static int
open_loop(struct spout__test_run *run, const struct spout_test_options *options)
{
	const unsigned n = options->threads > 0 ? options->threads : THREADS;
	const struct spout__executor_options pools = { .cpu_threads = n,
		.blocking_min = n,
		.blocking_max = n };
	int error = 0;

	run->loop = spout_loop_new();
	if (run->loop == NULL)
		return -ENOMEM;
	run->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (run->timer_fd < 0)
		return -errno;
	run->timer = spout_loop_add_handler(
	    run->loop, run->timer_fd, SPOUT_READ, out_of_time, run);
	if (run->timer == NULL)
		return -ENOMEM;
	timer_set(run, run->timeout_ms);
	if (options->virtual_clock)
		error = spout__seam()->loop_virtual_clock(
		    run->loop, spout__seam()->executor_unfinished);
	if (error == 0 && !options->no_threads)
		error = spout__seam()->executor_start(run->loop, &pools);
	return error;
}

static int
run_coroutine(struct spout__test_run *run, spout_fn fn, void *arg, uint64_t deadline_ms)
{
	struct spout__coroutine_options options = { .fn = fn,
		.arg = arg,
		.on_exit = on_exit_of_test,
		.on_gone = on_gone,
		.where = run->where };
	struct spout_coroutine *co = spout__seam()->coroutine_new(run->loop);

	if (co == NULL)
		return -ENOMEM;
	if (deadline_ms > 0)
		options.deadline_ms =
		    spout__seam()->loop_after_ms(run->loop, deadline_ms);
	spout__seam()->coroutine_start(co, &options);
	return spout_loop_run(run->loop);
}

static void
close_loop(struct spout__test_run *run)
{
	if (run->loop == NULL)
		return;
	if (spout__seam()->executor_stop(run->loop, PATIENCE_MS + run->timeout_ms) != 0)
		hangs(run, "a job");
	spout__test_servers_free(run);
	if (run->timer != NULL)
		spout_loop_remove_handler(run->timer);
	spout_loop_free(run->loop);
	if (run->timer_fd >= 0)
		close(run->timer_fd);
}

/* Has the program an opinion of its own about SIGPIPE? */
static void
ignore_sigpipe(void)
{
	struct sigaction now;

	if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
}

struct spout_test_result
spout_test_run_at(spout_fn fn, void *arg, const struct spout_test_options *given,
    const char *where)
{
	struct spout__test_run run = { .where = where, .timer_fd = -1 }, *outer = current;
	struct spout_test_options options;
	int error;

	spout__test_options_copy(&options, sizeof(options), given, given->size);
	run.timeout_ms =
	    options.timeout_ms > 0 ? options.timeout_ms : default_timeout_ms();
	spout__list_init(&run.servers);
	ignore_sigpipe();
	current = &run;
	error = open_loop(&run, &options);
	if (error == 0)
		error = run_coroutine(&run, fn, arg, options.deadline_ms);
	close_loop(&run);
	current = outer;
	if (error == 0 && run.result.timed_out)
		error = -ETIMEDOUT;
	if (error != 0)
		run.result.error = error;
	if (error != 0 && run.result.reason[0] == '\0')
		snprintf(run.result.reason, sizeof(run.result.reason),
		    "the loop of the test: %s", strerror(-error));
	return run.result;
}
