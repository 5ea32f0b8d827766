/* SPDX-License-Identifier: MIT */
/* One coroutine's interest in one future: lies on its stack, or in its arena. */
#ifndef SPOUT_ASYNC_WAITER_H
#define SPOUT_ASYNC_WAITER_H

#include "async/async.h"

struct spout__waiter {
	struct spout__list link; /* in future->waiters */
	struct spout__await *await;
};

/** The future of this waiter is complete; the waiter is off its list. */
void spout__waiter_notify(struct spout__waiter *waiter);

#endif
