/* SPDX-License-Identifier: MIT */
/* A hand on the pool while it runs: see spout/pg_pool.h. Loop thread. */
#include "config.h"

#include "pg/driver.h"

#include <errno.h>

#include <spout/loop.h>
#include <spout/pg_pool.h>

/* Close what is held and has nothing to do. What has is closed when it is over. */
static void
close_resting(struct spout__pg_driver *driver)
{
	struct spout__list *it, *next;
	struct spout__pg_pipe *pipe;

	spout__list_for_each_safe(it, next, &driver->sharing) {
		pipe = spout__container_of(it, struct spout__pg_pipe, link);
		if (pipe->n_sent == 0 && !pipe->cancelling)
			spout__pipe_lose(pipe);
	}
	spout__list_for_each_safe(it, next, &driver->resting)
		spout__pipe_lose(spout__container_of(it, struct spout__pg_pipe, link));
}

void
spout__pg_reconnect(struct spout__pg *pg)
{
	atomic_fetch_add(&pg->generation, 1);
	close_resting(pg->driver);
	spout__pg_upkeep(pg);
}

/* They have waited for us: their time begins now. */
static void
wait_anew(struct spout__pg_driver *driver, struct spout__list *queue)
{
	uint64_t now_ms = spout_loop_now_ms(driver->pg->loop);
	struct spout__list *it;

	spout__list_for_each(it, queue)
		spout__pg_query_of(it)->queued_ms = now_ms;
}

void
spout__pg_set_paused(struct spout__pg *pg, bool paused)
{
	struct spout__pg_driver *driver = pg->driver;

	if (driver->paused == paused)
		return;
	driver->paused = paused;
	if (paused) {
		spout__pg_reconnect(pg);
	} else {
		wait_anew(driver, &driver->fast);
		wait_anew(driver, &driver->alone);
	}
	spout__driver_kick(driver);
}

static int
with_pool(void (*fn)(struct spout__pg *pg, bool arg), bool arg)
{
	struct spout__pg *pg = spout__pg_of(spout_loop_current());

	if (pg == NULL || pg->stopped)
		return -EHOSTDOWN;
	fn(pg, arg);
	return 0;
}

static void
reconnect(struct spout__pg *pg, bool arg)
{
	(void)arg;
	spout__pg_reconnect(pg);
}

int
spout_pg_pool_pause(void)
{
	return with_pool(spout__pg_set_paused, true);
}

int
spout_pg_pool_resume(void)
{
	return with_pool(spout__pg_set_paused, false);
}

int
spout_pg_pool_reconnect(void)
{
	return with_pool(reconnect, false);
}
