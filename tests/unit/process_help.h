/* SPDX-License-Identifier: MIT */
/* For tests that run other programs: which of them are still there. */
#ifndef SPOUT_TESTS_PROCESS_HELP_H
#define SPOUT_TESTS_PROCESS_HELP_H

#include <stdbool.h>

#include <spout/executor.h>
#include <spout/process.h>

#include "co_help.h"

#define ASSERT_SLICE(slice, text) CU_ASSERT_TRUE(spout_slice_equal((slice), (text)))
#define SH(script) SPOUT_ARGV("sh", "-c", (script))
#define HANG_GUARD_MS 60000 /* how long anything may take on a busy machine */

/* A child that neither reads nor ends, and one that does not want to end. */
#define IDLE SPOUT_ARGV("sleep", "1000")
#define STUBBORN SH("trap '' TERM; echo ready; while :; do sleep 1000; done")

/** Is neither a running child nor a zombie left? */
bool process_none_left(void);
/** Wait until that is so; inside a coroutine. */
void process_wait_none_left(void);
/** Does it run? A zombie does not. */
bool process_is_alive(int pid);
/** Run fn in a coroutine, which must end well, with all that it started reaped. */
void process_run(spout_fn fn);
/** A blocking pool, as every worker has one; closed when the scope ends. */
struct spout_pool *process_pool(void);

#endif
