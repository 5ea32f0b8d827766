/* SPDX-License-Identifier: MIT */
/*
 * The address of --agent-check: who connects gets one line and the end of the stream, as
 * HAProxy's agent-check wants it.
 *
 *     up ready 80%      the program serves; 20 % of its loops' time is used
 *     drain             it stops: no new sessions
 *
 * Any worker answers, from shared memory. Loop thread.
 */
#ifndef SPOUT_APP_AGENT_H
#define SPOUT_APP_AGENT_H

#include "loop/loop.h"
#include "supervisor/supervisor.h"

struct spout__agent;

/** Answer on the listening socket `fd` (borrowed). Returns owned, or NULL with errno. */
struct spout__agent *spout__agent_new(
    struct spout_loop *loop, const struct spout__worker *worker, int fd);
/** Look at the load; once per heartbeat. */
void spout__agent_beat(struct spout__agent *agent);
/** Leave it to the worker that has taken our place. */
void spout__agent_stop(struct spout__agent *agent);
/** NULL is fine. */
void spout__agent_free(struct spout__agent *agent);

#endif
