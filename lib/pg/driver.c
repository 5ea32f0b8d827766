/* SPDX-License-Identifier: MIT */
/*
 * The lanes of the driver: who goes next, and on which connection. Loop thread.
 *
 * Queries and jobs have a number by the order in which they came. At the end of a turn
 * the oldest of the three lines (fast queries, queries alone, jobs) is served until none
 * of them can be; a line that has to wait does not hold up the others, but marks a
 * connection of the fast lane as wanted if that has more of them than it may keep.
 */
#include "config.h"

#include "pg/lease.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/stats.h"

/* A query that waits holds about a kilobyte of its request's memory. */
#define MAX_WAITING 32768u
#define MAX_WAITING_JOBS 1024u
/* The fast lane grows when there is more to do than this, up to so many connections, and
 * a connection is not fed beyond this number. */
#define BACKLOG_US 1000u
#define MAX_SHARING 4u
#define MAX_SENT 256u
/* Nor when the server has been at what it does there for so long. */
#define HELD_UP_US 5000u
/* The fast lane keeps a connection so long after its last use. */
#define KEEP_SHARED_MS 10000u

#define first_job(driver) \
	(spout__list_empty(&(driver)->jobs) \
		? NULL \
		: spout__container_of((driver)->jobs.next, struct spout__pg_job, link))
#define first_pipe(list) \
	(spout__list_empty(list) \
		? NULL \
		: spout__container_of((list)->next, struct spout__pg_pipe, link))

static struct spout__list *
list_of(struct spout__pg_driver *driver, enum spout__pipe_state state)
{
	switch (state) {
	case SPOUT__PIPE_TAKING:
		return &driver->taking;
	case SPOUT__PIPE_RESTING:
		return &driver->resting;
	case SPOUT__PIPE_ALONE:
		return &driver->running;
	case SPOUT__PIPE_FAST:
		return &driver->sharing;
	case SPOUT__PIPE_LEASED:
		return &driver->leased;
	default:
		return NULL;
	}
}

static void
count_state(struct spout__pg_pipe *pipe, unsigned by)
{
	if (pipe->state == SPOUT__PIPE_TAKING)
		pipe->driver->n_taking += by;
	else if (pipe->state == SPOUT__PIPE_FAST)
		pipe->driver->n_sharing += by;
}

void
spout__driver_move(struct spout__pg_pipe *pipe, enum spout__pipe_state state)
{
	struct spout__list *list = list_of(pipe->driver, state);

	spout__list_remove(&pipe->link);
	count_state(pipe, -1u);
	pipe->state = state;
	count_state(pipe, 1);
	pipe->wanted = false;
	if (list != NULL)
		spout__list_push_front(list, &pipe->link);
}

void
spout__driver_kick(struct spout__pg_driver *driver)
{
	spout__loop_at_turn_end(driver->pg->loop, &driver->feed);
}

/* --- connections for a lane ------------------------------------------------------- */

unsigned
spout__driver_reserved(struct spout__pg_driver *driver)
{
	unsigned idle_ms = driver->pg->options.idle_ms;
	uint64_t until_ms =
	    driver->shared_ms + (idle_ms < KEEP_SHARED_MS ? idle_ms : KEEP_SHARED_MS);

	return driver->pg->n_conns > 1 && driver->shared_ms != 0 &&
	    spout_loop_now_ms(driver->pg->loop) < until_ms;
}

/* The one with the least to do, of those that may be fed. */
static struct spout__pg_pipe *
least_busy(struct spout__pg_driver *driver)
{
	uint64_t now_us = spout__loop_now_us(driver->pg->loop);
	struct spout__pg_pipe *pipe, *best = NULL;
	struct spout__list *it;

	spout__list_for_each(it, &driver->sharing) {
		pipe = spout__container_of(it, struct spout__pg_pipe, link);
		if (pipe->wanted || pipe->cancelling || pipe->broken || pipe->stuffed ||
		    pipe->n_sent >= MAX_SENT)
			continue;
		/* No more for one that is to be closed when what is under way is over. */
		if (pipe->n_sent > 0 &&
		    (pipe->conn->doomed || spout__pg_stale(pipe->conn, now_us / 1000) ||
			now_us > pipe->since_us + HELD_UP_US))
			continue;
		if (best == NULL || pipe->load_us < best->load_us)
			best = pipe;
	}
	return best;
}

/* Somebody else waits: the fast lane gives one up if it has more than it may keep. */
static void
want_one(struct spout__pg_driver *driver)
{
	struct spout__pg_pipe *pipe, *best = NULL;
	struct spout__list *it;
	unsigned n = 0;

	spout__list_for_each(it, &driver->sharing) {
		pipe = spout__container_of(it, struct spout__pg_pipe, link);
		if (pipe->wanted)
			return;
		n++;
		if (best == NULL || pipe->n_sent < best->n_sent)
			best = pipe;
	}
	if (n <= spout__driver_reserved(driver))
		return;
	best->wanted = true;
	if (best->n_sent == 0 && !best->cancelling)
		spout__driver_move(best, SPOUT__PIPE_RESTING);
}

/* Units that others have to leave free for it. */
static unsigned
spare_for_others(struct spout__pg_driver *driver)
{
	return spout__driver_reserved(driver) > driver->n_sharing ? 1 : 0;
}

/* One that rests and is sound. */
static struct spout__pg_pipe *
rested(struct spout__pg_driver *driver)
{
	struct spout__pg_pipe *pipe;

	while ((pipe = first_pipe(&driver->resting)) != NULL) {
		if (spout__pipe_sound(pipe))
			return pipe;
		spout__pipe_lose(pipe);
	}
	return NULL;
}

static struct spout__pg_pipe *
pipe_for_others(struct spout__pg_driver *driver)
{
	struct spout__pg_pipe *pipe = rested(driver);

	if (pipe == NULL)
		pipe = spout__hold_take(driver, spare_for_others(driver));
	if (pipe == NULL) {
		want_one(driver);
		pipe = rested(driver);
	}
	return pipe;
}

static struct spout__pg_pipe *
pipe_for_fast(struct spout__pg_driver *driver)
{
	struct spout__pg_pipe *best = least_busy(driver), *more = NULL;

	if (best != NULL && best->n_sent == 0 && !spout__pipe_sound(best)) {
		spout__pipe_lose(best);
		return pipe_for_fast(driver);
	}
	if (best != NULL && best->load_us < BACKLOG_US)
		return best;
	if (driver->n_sharing < MAX_SHARING)
		more = rested(driver);
	if (more == NULL && driver->n_sharing < MAX_SHARING &&
	    (best == NULL || driver->n_taking == 0))
		more = spout__hold_take(driver, 0);
	if (more == NULL)
		return best;
	spout__driver_move(more, SPOUT__PIPE_FAST);
	return more;
}

/* --- serving ---------------------------------------------------------------------- */

void
spout__driver_unqueue(struct spout__pg_query *query)
{
	spout__list_remove(&query->link);
	query->driver->n_waiting--;
}

static bool
serve_fast(struct spout__pg_driver *driver)
{
	struct spout__pg_pipe *pipe = pipe_for_fast(driver);
	struct spout__pg_query *query = spout__driver_first(&driver->fast);

	/* Looking for a connection may have failed it. */
	if (pipe == NULL || query == NULL)
		return false;
	driver->shared_ms = spout_loop_now_ms(driver->pg->loop);
	spout__driver_unqueue(query);
	spout__pipe_send(pipe, query, true);
	return true;
}

static bool
serve_alone(struct spout__pg_driver *driver)
{
	struct spout__pg_pipe *pipe = pipe_for_others(driver);
	struct spout__pg_query *query = spout__driver_first(&driver->alone);

	if (pipe == NULL || query == NULL)
		return false;
	spout__driver_unqueue(query);
	if (query->lease != NULL) {
		spout__lease_grant(query->lease, pipe);
		return true;
	}
	spout__driver_move(pipe, SPOUT__PIPE_ALONE);
	spout__pipe_send(pipe, query, false);
	spout__pipe_flush(pipe);
	if (pipe->broken)
		spout__pipe_lose(pipe);
	return true;
}

/* A job finds a connection by itself, once there is a place for it. */
static bool
serve_job(struct spout__pg_driver *driver)
{
	unsigned spare = spare_for_others(driver);
	struct spout__pg_job *job = first_job(driver);
	struct spout__pg_pipe *pipe;

	if (driver->n_held + driver->n_jobs + spare >= driver->pg->n_conns) {
		pipe = rested(driver);
		if (pipe == NULL) {
			want_one(driver);
			pipe = rested(driver);
		}
		if (pipe != NULL)
			spout__hold_give(pipe);
		if (driver->n_held + driver->n_jobs + spare >= driver->pg->n_conns)
			return false;
	}
	spout__driver_forget_job(driver, job);
	driver->n_jobs++;
	spout__pg_job_enter(job);
	return true;
}

enum { FAST, ALONE, JOBS, N_LINES };

/* The line whose first has waited longest, of those that are not blocked; or N_LINES. */
static unsigned
oldest_line(struct spout__pg_driver *driver, const bool *blocked)
{
	const struct spout__pg_query *fast = spout__driver_first(&driver->fast);
	const struct spout__pg_query *alone = spout__driver_first(&driver->alone);
	const struct spout__pg_job *job = first_job(driver);
	uint64_t best = UINT64_MAX;
	unsigned line = N_LINES;

	if (fast != NULL && !blocked[FAST]) {
		best = fast->sequence;
		line = FAST;
	}
	if (alone != NULL && !blocked[ALONE] && alone->sequence < best) {
		best = alone->sequence;
		line = ALONE;
	}
	if (job != NULL && !blocked[JOBS] && job->sequence < best)
		line = JOBS;
	return line;
}

static void
flush_all(struct spout__pg_driver *driver)
{
	struct spout__list *it, *next;
	struct spout__pg_pipe *pipe;

	spout__list_for_each_safe(it, next, &driver->sharing) {
		pipe = spout__container_of(it, struct spout__pg_pipe, link);
		if (pipe->fed)
			spout__pipe_flush(pipe);
		if (pipe->broken)
			spout__pipe_lose(pipe);
	}
}

/* More connections for queries that want one each, as far as there are units. */
static void
take_more(struct spout__pg_driver *driver)
{
	unsigned needed = 0, before;
	struct spout__list *it;

	spout__list_for_each(it, &driver->alone)
		if (++needed >= driver->pg->n_conns)
			break;
	do {
		before = driver->n_taking;
		if (before >= needed)
			return;
		if (spout__hold_take(driver, spare_for_others(driver)) != NULL)
			spout__driver_kick(driver);
	} while (driver->n_taking > before);
}

static void
feed(struct spout__ready *ready)
{
	static bool (*const serve[N_LINES])(
	    struct spout__pg_driver *) = { serve_fast, serve_alone, serve_job };
	struct spout__pg_driver *driver =
	    spout__container_of(ready, struct spout__pg_driver, feed);
	bool blocked[N_LINES] = { false };
	unsigned line;

	while (!driver->paused && (line = oldest_line(driver, blocked)) != N_LINES)
		blocked[line] = !serve[line](driver);
	flush_all(driver);
	if (!driver->paused)
		take_more(driver);
	spout__gauge_set(
	    SPOUT__G_PG_WAITING, driver->n_waiting + driver->n_waiting_jobs);
	spout__tend_start(driver);
}

/* --- queries in and out ----------------------------------------------------------- */

void
spout__driver_acquired(struct spout__pg_driver *driver, uint64_t queued_us)
{
	uint64_t now_us = spout__loop_now_us(driver->pg->loop);

	spout__count(SPOUT__C_PG_ACQUIRES, 1);
	spout__observe_us(
	    SPOUT__H_PG_WAIT_US, now_us > queued_us ? now_us - queued_us : 0);
}

static void
note_duration(const struct spout__pg_query *query, bool failed)
{
	uint64_t us = spout__pipe_now_us() - query->sent_us;

	if (!failed)
		spout__observe_us(SPOUT__H_PG_QUERY_US, us);
	spout__pg_took(query->driver->pg, &query->statement, us, failed);
}

void
spout__driver_over(struct spout__pg_query *query, const struct spout__pg_failure *failure)
{
	struct spout_scope *scope = query->future.scope;
	bool sent = query->pipe != NULL;
	char reason[sizeof(failure->text) + 32];

	if (query->plan != NULL)
		query->plan->queries--;
	if (sent)
		note_duration(query, failure != NULL);
	query->pipe = NULL;
	if (failure == NULL) {
		spout__future_complete(&query->future, 0, &query->rows, NULL);
	} else {
		PQclear(query->rows.result);
		query->rows.result = NULL;
		/* Who started many tells about one; why none was sent is known. */
		if (!sent)
			spout_future_set_quiet(&query->future);
		spout__pg_count_error(failure->error);
		spout__pg_failure_text(failure, reason, sizeof(reason));
		spout__future_complete(&query->future, failure->error, NULL, reason);
	}
	if (sent)
		spout__scope_unpin(scope);
}

static struct spout__list *
lane_of(struct spout__pg_query *query)
{
	struct spout__pg_driver *driver = query->driver;
	bool fast = !query->alone && query->plan != NULL &&
	    spout__pg_plan_fast(&driver->plans, query->plan);

	return fast ? &driver->fast : &driver->alone;
}

void
spout__driver_again(struct spout__pg_query *query)
{
	query->pipe = NULL;
	spout__list_push_front(lane_of(query), &query->link);
	query->driver->n_waiting++;
	spout__scope_unpin(query->future.scope);
	spout__driver_kick(query->driver);
}

void
spout__driver_submit(struct spout__pg_query *query)
{
	struct spout__pg_driver *driver = query->driver;
	struct spout_loop *loop = driver->pg->loop;
	struct spout__pg_failure failure;

	if (query->lease == NULL)
		spout__count(SPOUT__C_PG_QUERIES, 1);
	if (query->plan != NULL)
		query->plan->queries++;
	if (driver->stopping || driver->n_waiting >= MAX_WAITING) {
		int error = driver->stopping ? -ECANCELED : -ENOBUFS;

		spout__pg_fail(&failure, error, "%s", spout__job_refusal(error));
		spout__driver_over(query, &failure);
		return;
	}
	query->sequence = ++driver->sequence;
	query->queued_ms = spout_loop_now_ms(loop);
	query->queued_us = spout__loop_now_us(loop);
	query->deadline_ms = spout__coroutine_deadline(query->future.scope->co);
	spout__list_push(lane_of(query), &query->link);
	driver->n_waiting++;
	spout__driver_kick(driver);
}

void
spout__driver_on_cancel(struct spout_future *future)
{
	struct spout__pg_query *query =
	    spout__container_of(future, struct spout__pg_query, future);
	struct spout__pg_failure failure;
	bool late = query->deadline_ms != 0 && spout__clock_ms() >= query->deadline_ms;

	if (query->pipe != NULL) {
		spout__pipe_ask(query->pipe, query);
		return;
	}
	spout__driver_unqueue(query);
	/* A log-in that nobody waits for goes on only if others have succeeded. */
	if (query->driver->n_waiting == 0 &&
	    query->driver->n_held == query->driver->n_taking)
		spout__hold_trim(query->driver);
	spout__pg_fail(&failure, late ? -ETIMEDOUT : -ECANCELED, "%s",
	    late ? "the deadline passed while waiting for a database connection"
		 : "cancelled");
	spout__driver_kick(query->driver);
	spout__driver_over(query, &failure);
}

static void
fail_first(struct spout__pg_driver *driver, const struct spout__pg_failure *failure)
{
	struct spout__pg_query *fast = spout__driver_first(&driver->fast);
	struct spout__pg_query *query = spout__driver_first(&driver->alone);

	if (query == NULL || (fast != NULL && fast->sequence < query->sequence))
		query = fast;
	if (query == NULL)
		return;
	spout__driver_unqueue(query);
	spout__driver_over(query, failure);
}

void
spout__driver_fail_all(
    struct spout__pg_driver *driver, const struct spout__pg_failure *failure)
{
	while (driver->n_waiting > 0)
		fail_first(driver, failure);
}

void
spout__driver_refuse(
    struct spout__pg_driver *driver, const struct spout__pg_failure *failure)
{
	struct spout__pg_failure down;

	/* Down: hopeless for all, unless other connections work. */
	if (spout__pg_admit(driver->pg, &down) < 0)
		spout__driver_fail_all(driver, &down);
	else if (failure->error != -EHOSTDOWN)
		fail_first(driver, failure);
}

/* --- jobs ------------------------------------------------------------------------- */

bool
spout__driver_admit_job(struct spout__pg_driver *driver, struct spout__pg_job *job)
{
	if (driver->n_waiting_jobs >= MAX_WAITING_JOBS)
		return false;
	job->sequence = ++driver->sequence;
	spout__list_push(&driver->jobs, &job->link);
	driver->n_waiting_jobs++;
	spout__driver_kick(driver);
	return true;
}

void
spout__driver_forget_job(struct spout__pg_driver *driver, struct spout__pg_job *job)
{
	spout__list_remove(&job->link);
	driver->n_waiting_jobs--;
}

void
spout__driver_job_over(struct spout__pg_driver *driver)
{
	driver->n_jobs--;
	spout__driver_kick(driver);
}

/* --- made ------------------------------------------------------------------------- */

struct spout__pg_driver *
spout__driver_new(struct spout__pg *pg)
{
	struct spout__pg_driver *driver =
	    calloc(1, sizeof(*driver) + pg->n_conns * sizeof(driver->pipes[0]));
	unsigned i;

	if (driver == NULL)
		return NULL;
	driver->pg = pg;
	spout__pg_plans_init(&driver->plans, pg->options.fast_us);
	driver->plans.unnamed = pg->options.pooler;
	spout__list_init(&driver->fast);
	spout__list_init(&driver->alone);
	spout__list_init(&driver->jobs);
	spout__list_init(&driver->taking);
	spout__list_init(&driver->resting);
	spout__list_init(&driver->running);
	spout__list_init(&driver->sharing);
	spout__list_init(&driver->leased);
	spout__ready_init(&driver->feed, feed);
	spout__tend_init(driver);
	for (i = 0; i < pg->n_conns; i++) {
		driver->pipes[i].driver = driver;
		driver->pipes[i].conn = &pg->conns[i];
		spout__list_init(&driver->pipes[i].link);
		spout__list_init(&driver->pipes[i].sent);
	}
	return driver;
}
