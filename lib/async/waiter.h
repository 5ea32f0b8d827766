/* SPDX-License-Identifier: MIT */
/*
 * Interest in one future: lies on a waiting coroutine's stack, or in the arena of whoever
 * wants to hear of it, and is taken off the list before that goes.
 */
#ifndef SPOUT_ASYNC_WAITER_H
#define SPOUT_ASYNC_WAITER_H

#include "async/async.h"

struct spout__waiter {
	struct spout__list link; /* in future->waiters */
	/* Called when the future completes, off its list; may not run anything inline. */
	void (*notify)(struct spout__waiter *waiter, struct spout_future *future);
};

#endif
