/* SPDX-License-Identifier: MIT */
/*
 * Run a function of the application as a coroutine and be told how it ended: the start
 * and stop hooks, the rounds of periodic tasks. Loop thread.
 */
#ifndef SPOUT_APP_HOOK_H
#define SPOUT_APP_HOOK_H

#include <spout/web.h>

#include "async/async.h"

struct spout__hook {
	/* Set by the caller: */
	struct spout_app *app;
	void (*fn)(struct spout_app *app);
	const char *name;    /* static text, for the log */
	uint64_t timeout_ms; /* 0: none */
	/* Everything of it is gone; may start it again. Loop's stack. */
	void (*on_end)(struct spout__hook *hook);

	/* How it ended, for on_end(): */
	int error; /* 0: it returned */
	bool cancelled;
	char reason[200];

	struct spout_coroutine *co; /* NULL: not running */
};

/** Start it. Returns 0, or -ENOMEM (and on_end() will not be called). */
int spout__hook_start(struct spout__hook *hook, struct spout_loop *loop);
/** Ask it to leave; on_end() follows. No-op if it does not run. */
void spout__hook_cancel(struct spout__hook *hook, const char *reason);

#endif
