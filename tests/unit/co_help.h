/* SPDX-License-Identifier: MIT */
/*
 * For tests of what runs in coroutines: one coroutine with everything it starts runs to
 * its end on a fresh loop; a trace of letters; the lines that were logged.
 */
#ifndef SPOUT_TESTS_CO_HELP_H
#define SPOUT_TESTS_CO_HELP_H

#include <spout/testing.h>

#include "async/async.h"

extern struct spout_loop *co_loop;
extern struct spout_coroutine *co_main;  /* the one that co_run() started */
extern struct spout__outcome co_outcome; /* of that one */
extern char co_reason[256];              /* of its outcome */
extern char co_trace[128];

/** Run fn(arg) as a coroutine until nothing is alive. */
void co_run(spout_fn fn, void *arg);
/** The same with a deadline, `ms` from now. */
void co_run_until(spout_fn fn, void *arg, uint64_t ms);

/** Add a letter to the trace; fits spout_defer(). */
void co_note(void *letter);
/** Cancel a coroutine: struct spout_coroutine *; fits spout_loop_call_later(). */
void co_cancel(void *co);
/** Call fn(arg) from the loop in `ms`. */
void co_later(uint64_t ms, spout_fn fn, void *arg);

/** spout_test_log_begin(), for who looks at the lines himself. */
#define co_log_begin() spout_test_log_begin()
/** The lines since then, until the next stretch; the log is as it was before. */
const char *co_log_end(void);
/** How often `text` is in `lines`. */
unsigned co_count(const char *lines, const char *text);

#endif
