/* SPDX-License-Identifier: MIT */
/* Coroutines under test: see co_help.h. */
#include "config.h"

#include "co_help.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

struct spout_loop *co_loop;
struct spout_coroutine *co_main;
struct spout__outcome co_outcome;
char co_reason[256], co_trace[128];

static void
on_exit_of_main(struct spout_coroutine *co, const struct spout__outcome *outcome)
{
	(void)co;
	co_outcome = *outcome;
	snprintf(co_reason, sizeof(co_reason), "%s", outcome->reason);
}

static void
stop_when_alone(void *arg)
{
	if (spout__coroutines_alive(co_loop) == 0)
		spout_loop_stop(co_loop);
	else
		co_later(1, stop_when_alone, arg);
}

void
co_run_until(spout_fn fn, void *arg, uint64_t ms)
{
	struct spout__coroutine_options options = { .fn = fn,
		.arg = arg,
		.on_exit = on_exit_of_main,
		.on_gone = stop_when_alone,
		.where = "test" };

	co_loop = spout_loop_new();
	memset(co_trace, 0, sizeof(co_trace));
	memset(&co_outcome, 0, sizeof(co_outcome));
	co_main = spout__coroutine_new(co_loop);
	CU_ASSERT_PTR_NOT_NULL_FATAL(co_main);
	if (ms != SPOUT_FOREVER)
		options.deadline_ms = spout__loop_after_ms(co_loop, ms);
	spout__coroutine_start(co_main, &options);
	CU_ASSERT_EQUAL(spout_loop_run(co_loop), 0);
	spout_loop_free(co_loop);
}

void
co_run(spout_fn fn, void *arg)
{
	co_run_until(fn, arg, SPOUT_FOREVER);
}

void
co_note(void *letter)
{
	co_trace[strlen(co_trace)] = *(const char *)letter;
}

void
co_cancel(void *co)
{
	spout__coroutine_cancel(co, -ECANCELED, "cancelled by the test");
}

void
co_later(uint64_t ms, spout_fn fn, void *arg)
{
	CU_ASSERT_PTR_NOT_NULL_FATAL(spout_loop_call_later(co_loop, ms, fn, arg));
}

static struct spout__log_options log_before;
static int log_fd = -1;

void
co_log_begin(void)
{
	struct spout__log_options options = { .level = SPOUT_LOG_INFO,
		.process = "test" };

	log_before = *spout__log_current();
	log_fd = options.fd = memfd_create("log", MFD_CLOEXEC);
	CU_ASSERT_TRUE_FATAL(log_fd >= 0);
	spout__log_configure(&options);
}

const char *
co_log_end(void)
{
	static char text[65536];
	ssize_t n = pread(log_fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	spout__log_configure(&log_before);
	close(log_fd);
	return text;
}

unsigned
co_count(const char *lines, const char *text)
{
	unsigned n = 0;

	while ((lines = strstr(lines, text)) != NULL) {
		n++;
		lines += strlen(text);
	}
	return n;
}
