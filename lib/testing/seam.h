/* SPDX-License-Identifier: MIT */
/*
 * What the test kit uses of the inside of libspout. The shared library hides those
 * names; one exported function returns a table of them. Both are of one version.
 */
#ifndef SPOUT_TESTING_SEAM_H
#define SPOUT_TESTING_SEAM_H

#include "async/async.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "base/log.h"
#include "base/stats.h"
#include "executor/executor.h"
#include "http/server.h"
#include "loop/loop.h"
#include "web/web.h"

#define SPOUT__SEAM(X) \
	X(arena_trim) \
	X(buffer_trim) \
	X(coroutine_cancel) \
	X(coroutine_is_alive) \
	X(coroutine_is_woken) \
	X(coroutine_new) \
	X(coroutine_start) \
	X(coroutines_alive) \
	X(coroutines_cancel) \
	X(coroutines_describe) \
	X(executor_start) \
	X(executor_stop) \
	X(executor_unfinished) \
	X(http_options_init) \
	X(http_server_free) \
	X(http_server_listen) \
	X(http_server_new) \
	X(log_configure) \
	X(log_current) \
	X(loop_after_ms) \
	X(loop_virtual_clock) \
	X(web_check) \
	X(web_delegate) \
	X(web_free) \
	X(web_new) \
	X(web_set_unready)

struct spout__seam {
#define SPOUT__SEAM_MEMBER(name) __typeof__(&spout__##name) name;
	SPOUT__SEAM(SPOUT__SEAM_MEMBER)
#undef SPOUT__SEAM_MEMBER
	void (**on_wait)(struct spout_coroutine *co, const char *what);
	struct spout__stats *(*stats)(void);
};

/** The table; never NULL. Exported for libspout-testing, and for nobody else. */
SPOUT_API const struct spout__seam *spout_testing_seam(void);

#endif
