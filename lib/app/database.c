/* SPDX-License-Identifier: MIT */
/* Orders to the database pools of all workers: see database.h. */
#include "config.h"

#include "app/database.h"

#include <spout/app.h>
#include <spout/log.h>
#include <spout/pg_pool.h>

#include "supervisor/supervisor.h"

void
spout__database_begin(
    struct spout__database_orders *done, const struct spout__scoreboard *board)
{
	done->paused = 0;
	done->renewals = atomic_load(&board->database_renewals);
}

void
spout__database_follow(
    struct spout__database_orders *done, const struct spout__scoreboard *board)
{
	uint32_t paused = atomic_load(&board->database_paused);
	uint32_t renewals = atomic_load(&board->database_renewals);

	if (paused != done->paused)
		(void)(paused ? spout_pg_pool_pause() : spout_pg_pool_resume());
	if (renewals != done->renewals)
		(void)spout_pg_pool_reconnect();
	done->paused = paused;
	done->renewals = renewals;
}

static struct spout__scoreboard *
board_of(struct spout_request *req)
{
	const struct spout__worker *worker = spout_app_data(req);

	if (!spout_has_database())
		spout_fail(req, 404, "no database is configured");
	return worker->board;
}

static void
set_paused(struct spout_request *req, uint32_t paused)
{
	if (atomic_exchange(&board_of(req)->database_paused, paused) != paused)
		spout_info("database: %s", paused ? "paused" : "resumed");
	spout_plain(req, paused ? "paused\n" : "resumed\n");
}

void
spout__database_pause_post(struct spout_request *req)
{
	set_paused(req, 1);
}

void
spout__database_resume_post(struct spout_request *req)
{
	set_paused(req, 0);
}

void
spout__database_reconnect_post(struct spout_request *req)
{
	atomic_fetch_add(&board_of(req)->database_renewals, 1);
	spout_info("database: every connection is replaced");
	spout_plain(req, "reconnecting\n");
}
