/* SPDX-License-Identifier: MIT */
/* Coroutines under test: see co_help.h. */
#include "config.h"

#include "co_help.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>

#define TIMEOUT_MS 180000 /* the runner of the tests comes after it */

struct spout_loop *co_loop;
struct spout_coroutine *co_main;
struct spout__outcome co_outcome;
char co_reason[256], co_trace[128];

struct call {
	spout_fn fn;
	void *arg;
};

static void
call(void *arg)
{
	struct call *call = arg;

	co_loop = spout_loop_current();
	co_main = spout__co;
	call->fn(call->arg);
}

void
co_run_until(spout_fn fn, void *arg, uint64_t ms)
{
	struct call it = { fn, arg };
	struct spout_test_result result;

	memset(co_trace, 0, sizeof(co_trace));
	result = spout_test_run_at(call, &it,
	    SPOUT_TEST_OPTIONS_(TIMEOUT_MS, .no_threads = true,
		.deadline_ms = ms != SPOUT_FOREVER ? ms : 0), "test");
	snprintf(co_reason, sizeof(co_reason), "%s", result.reason);
	co_outcome = (struct spout__outcome){ .error = result.error,
		.status = result.status,
		.reason = co_reason,
		.cancelled = result.cancelled };
	if (result.timed_out)
		SPOUT_TEST_CHECK(false, co_reason);
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

const char *
co_log_end(void)
{
	(void)spout_test_log_end(); /* the caller looks at each line */
	return spout_test_log_text();
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
