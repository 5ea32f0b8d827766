/* SPDX-License-Identifier: MIT */
/*
 * The stall watchdog: a thread that logs what the loop is doing when one of its turns
 * does not end. A handler that computes or calls something that blocks, holds up
 * everybody else's requests; here is its name, its stack, its request.
 *
 * The thread looks a few times per threshold. When a turn has lasted for so long, waits
 * for a CPU not counted, it sends the loop's thread a signal, whose handler notes stack
 * and request; it looks the names up and logs them: once per turn, and once more when the
 * turn has ended.
 */
#ifndef SPOUT_APP_WATCHDOG_H
#define SPOUT_APP_WATCHDOG_H

#include "loop/loop.h"

struct spout__watchdog;

/** Watch this loop, of this thread. Owned; NULL with errno. One in a process. */
struct spout__watchdog *spout__watchdog_start(
    struct spout_loop *loop, uint64_t threshold_ms);
/** End it and free it; NULL is fine. */
void spout__watchdog_stop(struct spout__watchdog *watchdog);

#endif
