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

#include "pg/pool.h"

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

static void
on_acquire_timeout(struct spout__timer *timer)
{
	struct spout__pg_job *job =
	    spout__container_of(timer, struct spout__pg_job, timer);
	int expected = SPOUT__PG_WAITING;

	if (atomic_compare_exchange_strong(&job->phase, &expected, SPOUT__PG_GIVEN_UP))
		spout__job_cancel(&job->job);
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

	spout__count(SPOUT__C_PG_ERRORS, 1);
	spout__pg_failure_text(&job->failure, reason, sizeof(reason));
	spout__future_complete(&job->future, job->failure.error, NULL, reason);
}

static void
on_job_done(struct spout__job *executor_job)
{
	struct spout__pg_job *job =
	    spout__container_of(executor_job, struct spout__pg_job, job);

	spout__timer_stop(&job->timer);
	if (job->job.result >= 0) {
		spout__future_complete(&job->future, 0, job->value(job), NULL);
		return;
	}
	if (job->failure.error == 0)
		explain_unrun(job, job->job.result);
	complete(job);
}

void
spout__pg_job_on_cancel(struct spout_future *future)
{
	spout__job_cancel(
	    &spout__container_of(future, struct spout__pg_job, future)->job);
}

/* The pool of this loop, as far as a job has a chance; else NULL with the failure. */
static struct spout__pg *
usable_pool(struct spout_loop *loop, struct spout__pg_failure *ret_failure)
{
	struct spout__pg *pg = spout__pg_of(loop);

	if (pg == NULL) {
		spout__pg_fail(ret_failure, -EHOSTDOWN, NO_DATABASE);
		return NULL;
	}
	return spout__pg_admit(pg, ret_failure) == 0 ? pg : NULL;
}

void
spout__pg_submit(struct spout__pg_job *job, const char *name)
{
	struct spout_scope *scope = job->future.scope;
	struct spout_loop *loop = scope->loop;
	uint64_t acquire_ms;
	int error;

	spout__timer_init(&job->timer, on_acquire_timeout);
	job->pg = usable_pool(loop, &job->failure);
	if (job->pg == NULL) {
		complete(job);
		return;
	}
	spout__count(SPOUT__C_PG_QUERIES, 1);
	job->deadline_ms = spout__coroutine_deadline(scope->co);
	acquire_ms = spout__loop_after_ms(loop, job->pg->options.acquire_ms);
	job->job = (struct spout__job){ .fn = job_main,
		.arg = job,
		.name = name,
		.scope = scope,
		.on_done = on_job_done,
		.on_cancel = on_job_cancel,
		.deadline_ms = job->deadline_ms != 0 && job->deadline_ms < acquire_ms
		    ? job->deadline_ms
		    : acquire_ms };
	error = spout__job_submit(spout_pool_get("db"), &job->job);
	if (error != 0) {
		spout__pg_fail(&job->failure, error, "%s", spout__job_refusal(error));
		complete(job);
		return;
	}
	spout__timer_start_at(loop, &job->timer, acquire_ms);
}
