/* SPDX-License-Identifier: MIT */
/*
 * What the pool tells about itself: figures, statements that took long, and who keeps a
 * connection. Loop thread, but where it is said.
 */
#include "config.h"

#include "pg/lease.h"

#include <errno.h>
#include <stdio.h>

#include <spout/log.h>
#include <spout/loop.h>
#include <spout/pg_pool.h>

#include "base/clock.h"
#include "base/stats.h"

/* Of slow statements so many lines are logged in so much time. */
#define SLOW_LINES 10u
#define SLOW_WINDOW_MS 10000u
/* And so much of each. */
#define SLOW_SQL_BYTES 300u

/* --- figures ---------------------------------------------------------------------- */

void
spout__pg_count_error(int error)
{
	static const struct {
		int error;
		enum spout__counter counter;
	} classes[] = {
		{ -EHOSTDOWN, SPOUT__C_PG_ERRORS_DOWN },
		{ -ENOBUFS, SPOUT__C_PG_ERRORS_BUSY },
		{ -EAGAIN, SPOUT__C_PG_ERRORS_CONFLICT },
		{ -ETIMEDOUT, SPOUT__C_PG_ERRORS_TIMEOUT },
		{ -ECANCELED, SPOUT__C_PG_ERRORS_CANCELLED },
		{ -EIO, SPOUT__C_PG_ERRORS_REFUSED },
	};
	size_t i;

	spout__count(SPOUT__C_PG_ERRORS, 1);
	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (classes[i].error == error)
			spout__count(classes[i].counter, 1);
}

static uint64_t
total(enum spout__counter id)
{
	return atomic_load_explicit(&spout__stats->counters[id], memory_order_relaxed);
}

static unsigned
length(const struct spout__list *list)
{
	const struct spout__list *it;
	unsigned n = 0;

	spout__list_for_each(it, list)
		n++;
	return n;
}

static unsigned
in_use(const struct spout__pg_driver *driver)
{
	const struct spout__list *it;
	unsigned n = driver->n_jobs + length(&driver->running) + length(&driver->leased);

	spout__list_for_each(it, &driver->sharing)
		n += spout__container_of(it, struct spout__pg_pipe, link)->n_sent > 0;
	return n;
}

int
spout_pg_pool_get_stats(struct spout_pg_pool_stats *ret_stats)
{
	struct spout__pg *pg = spout__pg_of(spout_loop_current());
	struct spout_pg_pool_stats *s = ret_stats;

	if (pg == NULL)
		return -EHOSTDOWN;
	*s = (struct spout_pg_pool_stats){ .places = pg->n_conns,
		.in_use = in_use(pg->driver),
		.waiting = pg->driver->n_waiting + pg->driver->n_waiting_jobs,
		.paused = pg->driver->paused,
		.acquires = total(SPOUT__C_PG_ACQUIRES),
		.waited_us = atomic_load_explicit(
		    &spout__stats->histograms[SPOUT__H_PG_WAIT_US].sum,
		    memory_order_relaxed),
		.acquire_timeouts = total(SPOUT__C_PG_ACQUIRE_TIMEOUTS),
		.queries = total(SPOUT__C_PG_QUERIES),
		.errors = total(SPOUT__C_PG_ERRORS),
		.connects = total(SPOUT__C_PG_CONNECTS),
		.connect_failures = total(SPOUT__C_PG_CONNECT_FAILURES),
		.cancels = total(SPOUT__C_PG_CANCELS) };
	pthread_mutex_lock(&pg->lock);
	s->open = pg->open;
	s->down = pg->down;
	pthread_mutex_unlock(&pg->lock);
	s->idle = s->open > s->in_use ? s->open - s->in_use : 0;
	return 0;
}

/* --- slow statements; any thread -------------------------------------------------- */

/* One more line? *ret_dropped: how many there were not, before it. */
static bool
may_log(struct spout__pg *pg, unsigned *ret_dropped)
{
	uint64_t now_ms = spout__clock_ms();
	bool may;

	*ret_dropped = 0;
	pthread_mutex_lock(&pg->lock);
	if (now_ms - pg->slow_since_ms >= SLOW_WINDOW_MS) {
		*ret_dropped = pg->slow_dropped;
		pg->slow_since_ms = now_ms;
		pg->slow_lines = pg->slow_dropped = 0;
	}
	may = pg->slow_lines < SLOW_LINES;
	if (may)
		pg->slow_lines++;
	else
		pg->slow_dropped++;
	pthread_mutex_unlock(&pg->lock);
	return may;
}

/* On one line, and no more than that of it. */
static void
shorten(const char *sql, char ret[SLOW_SQL_BYTES])
{
	size_t n = 0;

	for (; *sql != '\0' && n < SLOW_SQL_BYTES - 4; sql++) {
		bool blank = (unsigned char)*sql <= ' ';

		if (!blank || (n > 0 && ret[n - 1] != ' '))
			ret[n++] = blank ? ' ' : *sql;
	}
	/* Not in the middle of a character. */
	while (*sql != '\0' && n > 0 && ((unsigned char)*sql & 0xc0) == 0x80) {
		sql--;
		n--;
	}
	memcpy(ret + n, *sql != '\0' ? "..." : "", *sql != '\0' ? 4 : 1);
}

void
spout__pg_took(struct spout__pg *pg, const struct spout__pg_statement *statement,
    uint64_t us, bool failed)
{
	char sql[SLOW_SQL_BYTES], more[48] = "";
	unsigned dropped;

	if (pg->options.slow_ms == 0 || us / 1000 < pg->options.slow_ms ||
	    statement->sql == NULL || !may_log(pg, &dropped))
		return;
	shorten(statement->sql, sql);
	if (dropped > 0)
		snprintf(more, sizeof(more), " (%u before it are not logged)", dropped);
	spout_warning("slow query: %llu ms%s, %d parameters, at %s: %s%s",
	    (unsigned long long)us / 1000, failed ? ", failed" : "",
	    statement->n_params > 0 ? statement->n_params : 0,
	    statement->place != NULL ? statement->place : "?", sql, more);
}

/* --- who keeps a connection ------------------------------------------------------- */

static void
tell(uint64_t held_ms, const char *who)
{
	spout_warning("a database connection has been in use for %llu ms by %s",
	    (unsigned long long)held_ms, who);
}

static void
watch_job(struct spout__pg_conn *conn, uint64_t now_ms)
{
	uint64_t held_ms;
	bool news;

	pthread_mutex_lock(&conn->pg->lock);
	held_ms = conn->job != NULL ? now_ms - conn->borrowed_ms : 0;
	news = held_ms >= conn->pg->options.leak_ms && !conn->told;
	conn->told |= news;
	pthread_mutex_unlock(&conn->pg->lock);
	/* The job may be over, but its name is static. */
	if (news)
		tell(held_ms, conn->borrower);
}

static void
watch_lease(struct spout__pg_pipe *pipe, uint64_t now_ms)
{
	uint64_t held_ms = now_ms - pipe->leased_ms;

	if (held_ms < pipe->driver->pg->options.leak_ms || pipe->lease == NULL ||
	    pipe->told)
		return;
	pipe->told = true;
	tell(held_ms, pipe->lease->what);
}

void
spout__pg_watch(struct spout__pg *pg)
{
	uint64_t now_ms = spout__clock_ms();
	struct spout__list *it;
	unsigned i;

	for (i = 0; i < pg->n_conns; i++)
		watch_job(&pg->conns[i], now_ms);
	spout__list_for_each(it, &pg->driver->leased)
		watch_lease(
		    spout__container_of(it, struct spout__pg_pipe, link), now_ms);
}
