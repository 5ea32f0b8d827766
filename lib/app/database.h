/* SPDX-License-Identifier: MIT */
/*
 * Orders to the database pools of all workers (spout/pg_pool.h): words in the scoreboard,
 * which every worker looks at with its heartbeat, so that one that starts later knows
 * them, too. The admin listener gives them.
 */
#ifndef SPOUT_APP_DATABASE_H
#define SPOUT_APP_DATABASE_H

#include <spout/web.h>

#include "supervisor/scoreboard.h"

/** What a worker has followed so far; cleared at its start. */
struct spout__database_orders {
	uint32_t paused, renewals;
};

/** A worker begins: what was ordered before does not concern it, but for a pause. */
void spout__database_begin(
    struct spout__database_orders *done, const struct spout__scoreboard *board);
/** Do what has been ordered since. Loop thread. */
void spout__database_follow(
    struct spout__database_orders *done, const struct spout__scoreboard *board);

/** Handlers of the admin listener, whose data is a struct spout__worker. */
void spout__database_pause_post(struct spout_request *req);
void spout__database_resume_post(struct spout_request *req);
void spout__database_reconnect_post(struct spout_request *req);

#endif
