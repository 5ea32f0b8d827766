/* SPDX-License-Identifier: MIT */
/*
 * Places of the pool on their way into the driver's hands and back. Loop thread, but
 * take_main().
 *
 * Logging in is the work of a db thread: names are looked up there, passwords hashed and
 * certificates checked, all of which would hold up the loop. So is asking the server
 * whether a connection that was idle for long is still there.
 */
#include "config.h"

#include "pg/lease.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

/* Until a place on its way between two threads turns up, or the time has come to try to
 * connect again. */
#define LOOK_AGAIN_MS 10u

static struct spout__pg_pipe *
pipe_of(struct spout__pg_driver *driver, struct spout__pg_conn *conn)
{
	return &driver->pipes[conn - driver->pg->conns];
}

static void
look_again(struct spout__pg_driver *driver)
{
	struct spout_loop *loop = driver->pg->loop;

	spout__timer_start_at(
	    loop, &driver->sweep, spout__loop_after_ms(loop, LOOK_AGAIN_MS));
}

/* --- out of the driver's hands ---------------------------------------------------- */

void
spout__hold_drop(struct spout__pg_pipe *pipe)
{
	struct spout__pg_driver *driver = pipe->driver;

	spout__driver_move(pipe, SPOUT__PIPE_OUT);
	driver->n_held--;
	spout__pg_shelve(pipe->conn);
	spout__driver_kick(driver);
}

void
spout__hold_give(struct spout__pg_pipe *pipe)
{
	if (!spout__pipe_close(pipe))
		spout__pg_disconnect(pipe->conn);
	spout__hold_drop(pipe);
}

/* --- into them -------------------------------------------------------------------- */

/* A connection that is good. */
static struct spout__pg_pipe *
hold(struct spout__pg_pipe *pipe)
{
	struct spout__pg_failure failure;

	if (spout__pipe_open(pipe)) {
		spout__driver_move(pipe, SPOUT__PIPE_RESTING);
		return pipe;
	}
	spout__pg_disconnect(pipe->conn);
	spout__hold_drop(pipe);
	spout__pg_fail(&failure, -ENOMEM, "out of memory (connection)");
	spout__driver_refuse(pipe->driver, &failure);
	return NULL;
}

/* On the thread: log in, or ask the server whether the connection still is one. */
static int
take_main(void *arg)
{
	struct spout__pg_pipe *pipe = arg;
	struct spout__pg_conn *conn = pipe->conn;

	if (conn->pq != NULL && !spout__pg_healthy(conn, true))
		spout__pg_disconnect(conn);
	return conn->pq != NULL ? 0 : spout__pg_log_in(conn, 0);
}

static void
take_over(struct spout__job *job)
{
	struct spout__pg_pipe *pipe =
	    spout__container_of(job, struct spout__pg_pipe, job);
	struct spout__pg_driver *driver = pipe->driver;
	struct spout__pg_conn *conn = pipe->conn;
	struct spout__pg_failure failure;

	/* The pool was stopped meanwhile, and all places are its again. */
	if (pipe->state != SPOUT__PIPE_TAKING)
		return;
	spout__pg_wake_over(conn);
	if (job->result >= 0) {
		(void)hold(pipe);
		spout__driver_kick(driver);
		return;
	}
	failure = conn->failure;
	if (failure.error == 0) { /* not even run */
		spout__pg_fail(&failure, job->result, "cancelled");
		spout__pg_not_tried(driver->pg);
	}
	spout__pg_disconnect(conn);
	spout__hold_drop(pipe);
	if (!pipe->dropped)
		spout__driver_refuse(driver, &failure);
}

void
spout__hold_cleansed(struct spout__pg_pipe *pipe, bool clean)
{
	if (clean) {
		(void)hold(pipe);
	} else {
		spout__pg_disconnect(pipe->conn);
		spout__hold_drop(pipe);
	}
	spout__driver_kick(pipe->driver);
}

/* Have a thread make it good. */
static void
start_taking(struct spout__pg_pipe *pipe)
{
	struct spout__pg_driver *driver = pipe->driver;
	struct spout__pg_failure failure;
	int error;

	pipe->dropped = false;
	pipe->conn->failure.error = 0;
	pipe->job = (struct spout__job){ .fn = take_main,
		.arg = pipe,
		.name = "PostgreSQL connection",
		.on_done = take_over };
	spout__driver_move(pipe, SPOUT__PIPE_TAKING);
	error = spout__job_submit(spout_pool_get("db"), &pipe->job);
	if (error == 0)
		return;
	spout__pg_fail(&failure, error, "%s", spout__job_refusal(error));
	spout__pg_not_tried(driver->pg);
	spout__hold_drop(pipe);
	spout__driver_refuse(driver, &failure);
}

/* Is one of the units free, and `spare` more? */
static bool
has_unit(const struct spout__pg_driver *driver, unsigned spare)
{
	return driver->n_held + driver->n_jobs + spare < driver->pg->n_conns;
}

/* An idle connection of the pool, or NULL; *ret_taking: a thread looks at one. */
static struct spout__pg_pipe *
take_idle(struct spout__pg_driver *driver, bool *ret_taking)
{
	struct spout__pg_conn *conn;

	while ((conn = spout__pg_take_idle(driver->pg)) != NULL) {
		if (!spout__pg_fit(conn, false)) {
			spout__pg_disconnect(conn);
			spout__pg_shelve(conn);
			continue;
		}
		driver->n_held++;
		if (!spout__pg_wants_ping(conn))
			return hold(pipe_of(driver, conn));
		start_taking(pipe_of(driver, conn));
		*ret_taking = true;
		return NULL;
	}
	return NULL;
}

struct spout__pg_pipe *
spout__hold_take(struct spout__pg_driver *driver, unsigned spare)
{
	struct spout__pg_failure failure;
	struct spout__pg_pipe *pipe;
	struct spout__pg_conn *conn;
	bool taking = false;

	if (!has_unit(driver, spare) || driver->stopping)
		return NULL;
	pipe = take_idle(driver, &taking);
	if (pipe != NULL || taking || driver->n_taking >= driver->n_waiting)
		return pipe;
	conn = spout__pg_take_empty(driver->pg, &failure);
	if (conn != NULL) {
		driver->n_held++;
		start_taking(pipe_of(driver, conn));
	} else if (failure.error != 0) {
		/* Who waits on, for other connections, will have one tried again. */
		spout__driver_refuse(driver, &failure);
		if (driver->n_waiting > 0)
			look_again(driver);
	} else {
		look_again(driver);
	}
	return NULL;
}

void
spout__hold_warm(struct spout__pg_driver *driver)
{
	struct spout__pg *pg = driver->pg;
	struct spout__pg_failure failure;
	struct spout__pg_conn *conn;
	unsigned open;

	pthread_mutex_lock(&pg->lock);
	open = pg->open;
	pthread_mutex_unlock(&pg->lock);
	while (open + driver->n_taking < pg->options.min_conns && has_unit(driver, 0) &&
	    !driver->paused && !driver->stopping &&
	    (conn = spout__pg_take_empty(pg, &failure)) != NULL) {
		driver->n_held++;
		start_taking(pipe_of(driver, conn));
	}
	spout__driver_kick(driver);
}

void
spout__hold_trim(struct spout__pg_driver *driver)
{
	struct spout__pg_pipe *pipe;
	struct spout__list *it;

	spout__list_for_each(it, &driver->taking) {
		pipe = spout__container_of(it, struct spout__pg_pipe, link);
		if (!pipe->dropped)
			spout__pg_wake(pipe->conn);
		pipe->dropped = true;
	}
}

/* --- the end ---------------------------------------------------------------------- */

static void
drain_all(struct spout__list *pipes, uint64_t until_ms)
{
	struct spout__list *it, *next;
	struct spout__pg_pipe *pipe;

	spout__list_for_each_safe(it, next, pipes) {
		pipe = spout__container_of(it, struct spout__pg_pipe, link);
		spout__pipe_drain(pipe, until_ms);
		if (pipe->broken || pipe->n_sent > 0)
			spout__pipe_lose(pipe);
	}
}

static void
ask_all(struct spout__list *pipes)
{
	struct spout__list *it, *sent;
	struct spout__pg_pipe *pipe;

	spout__list_for_each(it, pipes) {
		pipe = spout__container_of(it, struct spout__pg_pipe, link);
		spout__list_for_each(sent, &pipe->sent)
			spout__pipe_ask(pipe,
			    spout__container_of(sent, struct spout__pg_query, link));
	}
}

void
spout__driver_stop(struct spout__pg_driver *driver, uint64_t until_ms)
{
	struct spout__pg_failure failure;
	struct spout__pg_job *job;

	driver->stopping = true;
	spout__timer_stop(&driver->patience);
	spout__timer_stop(&driver->sweep);
	spout__pg_fail(&failure, -ECANCELED, "cancelled");
	spout__driver_fail_all(driver, &failure);
	while (!spout__list_empty(&driver->jobs)) {
		job = spout__container_of(driver->jobs.next, struct spout__pg_job, link);
		spout__driver_forget_job(driver, job);
		spout__pg_job_refuse(job, -ECANCELED);
	}
	spout__hold_trim(driver);
	spout__lease_cut_all(driver);
	ask_all(&driver->running);
	ask_all(&driver->sharing);
	drain_all(&driver->running, until_ms);
	drain_all(&driver->sharing, until_ms);
}

void
spout__driver_close(struct spout__pg_driver *driver)
{
	struct spout__pg_pipe *pipe;
	unsigned i;

	for (i = 0; i < driver->pg->n_conns; i++) {
		pipe = &driver->pipes[i];
		spout__lease_forget(pipe);
		if (pipe->state == SPOUT__PIPE_TAKING ||
		    pipe->state == SPOUT__PIPE_CLEANING) {
			spout__pg_disconnect(pipe->conn);
			spout__hold_drop(pipe);
		} else if (pipe->state != SPOUT__PIPE_OUT) {
			spout__pipe_lose(pipe);
		}
	}
}

void
spout__driver_free(struct spout__pg_driver *driver)
{
	if (driver == NULL)
		return;
	spout__timer_stop(&driver->patience);
	spout__timer_stop(&driver->sweep);
	spout__list_remove(&driver->feed.link);
	spout__pg_plans_release(&driver->plans);
	free(driver);
}
