/* SPDX-License-Identifier: MIT */
/*
 * The timers of the driver: waiting for a connection has an end, and a connection that
 * nobody needs goes back to the pool. Loop thread.
 */
#include "config.h"

#include "pg/driver.h"

#include <errno.h>

#include "base/stats.h"

#define KEEP_RESTING_MS 1000u
/* While a connection is being made, which has its own limit. */
#define PATIENCE_MS 20u

/* --- waiting has an end ----------------------------------------------------------- */

static uint64_t
oldest_wait(struct spout__pg_driver *driver)
{
	const struct spout__pg_query *fast = spout__driver_first(&driver->fast);
	const struct spout__pg_query *alone = spout__driver_first(&driver->alone);
	uint64_t since = UINT64_MAX;

	if (fast != NULL)
		since = fast->queued_ms;
	if (alone != NULL && alone->queued_ms < since)
		since = alone->queued_ms;
	return since;
}

static void
start_patience(struct spout__pg_driver *driver)
{
	uint64_t since = oldest_wait(driver);

	if (since == UINT64_MAX || driver->paused)
		spout__timer_stop(&driver->patience);
	else if (!spout__timer_pending(&driver->patience))
		spout__timer_start_at(driver->pg->loop, &driver->patience,
		    since + driver->pg->options.acquire_ms);
}

static void
expire(struct spout__pg_driver *driver, struct spout__list *queue, uint64_t before_ms)
{
	unsigned acquire_ms = driver->pg->options.acquire_ms;
	struct spout__pg_query *query;
	struct spout__pg_failure failure;

	while ((query = spout__driver_first(queue)) != NULL &&
	    query->queued_ms <= before_ms) {
		spout__count(SPOUT__C_PG_ACQUIRE_TIMEOUTS, 1);
		spout__pg_fail(&failure, -ENOBUFS,
		    "no database connection became free within %u ms", acquire_ms);
		spout__driver_unqueue(query);
		spout__driver_over(query, &failure);
	}
}

static void
on_patience(struct spout__timer *timer)
{
	struct spout__pg_driver *driver =
	    spout__container_of(timer, struct spout__pg_driver, patience);
	struct spout_loop *loop = driver->pg->loop;
	uint64_t now_ms = spout_loop_now_ms(loop),
		 acquire_ms = driver->pg->options.acquire_ms;

	/* Somebody waits for a connection that is being made: that has its own limit. */
	if (driver->n_taking > 0) {
		spout__timer_start_at(
		    loop, timer, spout__loop_after_ms(loop, PATIENCE_MS));
		return;
	}
	if (now_ms >= acquire_ms && !driver->paused) {
		expire(driver, &driver->fast, now_ms - acquire_ms);
		expire(driver, &driver->alone, now_ms - acquire_ms);
	}
	start_patience(driver);
}

/* --- what is not needed goes back ------------------------------------------------- */

static uint64_t
sweep_ms(const struct spout__pg_driver *driver)
{
	uint64_t ms = driver->pg->options.idle_ms / 4 + 1;

	return ms < KEEP_RESTING_MS ? ms : KEEP_RESTING_MS;
}

static void
start_sweep(struct spout__pg_driver *driver)
{
	struct spout_loop *loop = driver->pg->loop;

	if (driver->n_held > 0 && !spout__timer_pending(&driver->sweep))
		spout__timer_start_at(
		    loop, &driver->sweep, spout__loop_after_ms(loop, sweep_ms(driver)));
}

static void
on_sweep(struct spout__timer *timer)
{
	struct spout__pg_driver *driver =
	    spout__container_of(timer, struct spout__pg_driver, sweep);
	uint64_t now_ms = spout__clock_ms(), keep_ms = sweep_ms(driver);
	struct spout__list *it, *next;
	struct spout__pg_pipe *pipe;

	spout__list_for_each_safe(it, next, &driver->sharing) {
		pipe = spout__container_of(it, struct spout__pg_pipe, link);
		if (pipe->n_sent == 0 && !pipe->cancelling &&
		    now_ms - pipe->used_ms >= keep_ms &&
		    driver->n_sharing > spout__driver_reserved(driver))
			spout__driver_move(pipe, SPOUT__PIPE_RESTING);
	}
	spout__list_for_each_safe(it, next, &driver->resting) {
		pipe = spout__container_of(it, struct spout__pg_pipe, link);
		if (now_ms - pipe->used_ms >= keep_ms)
			spout__hold_give(pipe);
	}
	spout__driver_kick(driver);
}

void
spout__tend_init(struct spout__pg_driver *driver)
{
	spout__timer_init(&driver->patience, on_patience);
	spout__timer_init(&driver->sweep, on_sweep);
}

void
spout__tend_start(struct spout__pg_driver *driver)
{
	start_patience(driver);
	start_sweep(driver);
}
