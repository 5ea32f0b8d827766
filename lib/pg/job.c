/* SPDX-License-Identifier: MIT */
/*
 * A job's way to a connection and back: submitted here on the loop, run on a db thread,
 * completed here. What is a query, a function or a transaction lies in its `run`.
 *
 * Two limits bound the wait for a thread: the request's deadline, which the executor
 * knows too, and the acquire time-out, which does not wait until a thread looks at the
 * job: a timer and the thread race for job->phase, and only one of them wins.
 */
#include "config.h"

#include "pg/driver.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/stats.h"

#define NO_DATABASE "no database is configured (--database or DATABASE_URL)"

/* --- on the thread ---------------------------------------------------------------- */

/* With a connection. Returns what run() did, and whether a second try is harmless. */
static int
run_once(struct spout__pg_job *job, bool *ret_again)
{
	struct spout__pg_conn *conn = spout__pg_borrow(job);
	int r;

	*ret_again = false;
	if (conn == NULL)
		return job->failure.error;
	r = spout__pg_cancelled(job)
	    ? spout__pg_fail(&conn->failure, -ECANCELED, "cancelled")
	    : job->run(job, conn);
	if (r < 0) {
		if (spout__pg_demoted(conn))
			r = conn->failure.error;
		job->failure = conn->failure;
		*ret_again = conn->reused && conn->unsent;
	}
	spout__pg_return(conn);
	return r;
}

static int
job_main(void *arg)
{
	struct spout__pg_job *job = arg;
	int expected = SPOUT__PG_WAITING, r;
	bool again;

	if (!atomic_compare_exchange_strong(&job->phase, &expected, SPOUT__PG_STARTED))
		return -ENOBUFS;
	r = run_once(job, &again);
	/* An idle connection died between the look at it and the sending. */
	if (again)
		r = run_once(job, &again);
	return r;
}

/* --- on the loop ------------------------------------------------------------------ */

/* Does it wait for a connection that others have? */
static bool
in_line(const struct spout__pg_job *job)
{
	return !spout__list_empty(&job->link);
}

static void
start_patience(struct spout__pg_job *job)
{
	struct spout_loop *loop = job->pg->loop;

	spout__timer_start_at(
	    loop, &job->timer, spout__loop_after_ms(loop, job->pg->options.acquire_ms));
}

static void
on_acquire_timeout(struct spout__timer *timer)
{
	struct spout__pg_job *job =
	    spout__container_of(timer, struct spout__pg_job, timer);
	int expected = SPOUT__PG_WAITING;

	/* Nobody gets one: its time has not begun. */
	if (in_line(job) && job->pg->driver->paused) {
		start_patience(job);
		return;
	}
	if (!atomic_compare_exchange_strong(&job->phase, &expected, SPOUT__PG_GIVEN_UP))
		return;
	if (in_line(job)) {
		spout__driver_forget_job(job->pg->driver, job);
		spout__pg_job_refuse(job, -ETIMEDOUT);
	} else {
		spout__job_cancel(&job->job);
	}
}

static void
on_cancel_grace_over(struct spout__timer *timer)
{
	spout__pg_cut(spout__container_of(timer, struct spout__pg_job, timer));
}

/* Hook of the executor: it is in the hands of a thread and shall stop. */
static void
on_job_cancel(void *arg)
{
	struct spout__pg_job *job = arg;
	struct spout_loop *loop = job->pg->loop;

	spout__pg_cancel(job);
	spout__timer_stop(&job->timer);
	spout__timer_init(&job->timer, on_cancel_grace_over);
	spout__timer_start_at(
	    loop, &job->timer, spout__loop_after_ms(loop, SPOUT__PG_CANCEL_GRACE_MS));
}

/* Why did a job fail that no thread has run? */
static void
explain_unrun(struct spout__pg_job *job, int error)
{
	bool late = job->deadline_ms != 0 && spout__clock_ms() >= job->deadline_ms;

	if (atomic_load(&job->phase) == SPOUT__PG_GIVEN_UP ||
	    (error == -ETIMEDOUT && !late)) {
		spout__count(SPOUT__C_PG_ACQUIRE_TIMEOUTS, 1);
		spout__pg_fail(&job->failure, -ENOBUFS,
		    "no database connection became free within %u ms",
		    job->pg->options.acquire_ms);
	} else {
		spout__pg_fail(&job->failure, error, "%s",
		    error == -ETIMEDOUT
			? "the deadline passed while waiting for a database connection"
			: "cancelled");
	}
}

static void
complete(struct spout__pg_job *job)
{
	char reason[sizeof(job->failure.text) + 32];

	spout__pg_count_error(job->failure.error);
	spout__pg_failure_text(&job->failure, reason, sizeof(reason));
	spout__future_complete(&job->future, job->failure.error, NULL, reason);
}

static void
on_job_done(struct spout__job *executor_job)
{
	struct spout__pg_job *job =
	    spout__container_of(executor_job, struct spout__pg_job, job);

	spout__timer_stop(&job->timer);
	spout__driver_job_over(job->pg->driver);
	if (job->job.result >= 0) {
		spout__future_complete(&job->future, 0, job->value(job), NULL);
		return;
	}
	if (job->failure.error == 0)
		explain_unrun(job, job->job.result);
	complete(job);
}

void
spout__pg_job_refuse(struct spout__pg_job *job, int error)
{
	spout__timer_stop(&job->timer);
	explain_unrun(job, error);
	complete(job);
}

void
spout__pg_job_on_cancel(struct spout_future *future)
{
	struct spout__pg_job *job =
	    spout__container_of(future, struct spout__pg_job, future);
	bool late = job->deadline_ms != 0 && spout__clock_ms() >= job->deadline_ms;

	if (in_line(job)) {
		spout__driver_forget_job(job->pg->driver, job);
		spout__pg_job_refuse(job, late ? -ETIMEDOUT : -ECANCELED);
	} else {
		spout__job_cancel(&job->job);
	}
}

struct spout__pg *
spout__pg_usable(struct spout_loop *loop, struct spout__pg_failure *ret_failure)
{
	struct spout__pg *pg = spout__pg_of(loop);

	if (pg == NULL) {
		spout__pg_fail(ret_failure, -EHOSTDOWN, NO_DATABASE);
		return NULL;
	}
	return spout__pg_admit(pg, ret_failure) == 0 ? pg : NULL;
}

void
spout__pg_job_enter(struct spout__pg_job *job)
{
	uint64_t until_ms = job->timer.at_ms;
	int error;

	spout__driver_acquired(job->pg->driver, job->queued_us);
	job->job = (struct spout__job){ .fn = job_main,
		.arg = job,
		.name = job->name,
		.scope = job->future.scope,
		.on_done = on_job_done,
		.on_cancel = on_job_cancel,
		.deadline_ms = job->deadline_ms != 0 && job->deadline_ms < until_ms
		    ? job->deadline_ms
		    : until_ms };
	error = spout__job_submit(spout_pool_get("db"), &job->job);
	if (error == 0)
		return;
	spout__timer_stop(&job->timer);
	spout__driver_job_over(job->pg->driver);
	spout__pg_fail(&job->failure, error, "%s", spout__job_refusal(error));
	complete(job);
}

void
spout__pg_submit(struct spout__pg_job *job, const char *name)
{
	struct spout_scope *scope = job->future.scope;
	struct spout_loop *loop = scope->loop;

	spout__timer_init(&job->timer, on_acquire_timeout);
	spout__list_init(&job->link);
	job->name = name;
	job->pg = spout__pg_usable(loop, &job->failure);
	if (job->pg == NULL) {
		complete(job);
		return;
	}
	spout__count(SPOUT__C_PG_QUERIES, 1);
	job->deadline_ms = spout__coroutine_deadline(scope->co);
	if (!spout__driver_admit_job(job->pg->driver, job)) {
		spout__pg_fail(
		    &job->failure, -ENOBUFS, "%s", spout__job_refusal(-ENOBUFS));
		complete(job);
		return;
	}
	job->queued_us = spout__loop_now_us(loop);
	start_patience(job);
}
