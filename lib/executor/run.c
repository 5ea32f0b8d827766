/* SPDX-License-Identifier: MIT */
/*
 * What a handler sees of the executor: run a job and wait, or take a future for it.
 *
 * The waiting forms keep job and future on the coroutine's stack, which lives as long as
 * the scope that the job pins; the other one allocates both in the scope. The future is
 * made after the job was taken: results come through the loop, never before we wait.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "executor/executor.h"

struct run {
	struct spout_future future; /* first: see spout__future_alloc() */
	struct spout__job job;
};

/* Marks the futures whose value is a number. */
static const char run_type[] = "job";

static void
run_on_done(struct spout__job *job)
{
	struct run *run = spout__container_of(job, struct run, job);
	char reason[160];

	if (job->result >= 0) {
		spout__future_complete(
		    &run->future, 0, (void *)(intptr_t)job->result, NULL);
		return;
	}
	snprintf(reason, sizeof(reason), "job %s: %s", job->name, strerror(-job->result));
	spout__future_complete(&run->future, job->result, NULL, reason);
}

static void
run_on_cancel(struct spout_future *future)
{
	spout__job_cancel(&spout__container_of(future, struct run, future)->job);
}

static int
run_submit(struct run *run, struct spout_coroutine *co, struct spout_pool *pool,
    spout_job_fn fn, void *arg, const char *name)
{
	run->job = (struct spout__job){
		.fn = fn,
		.arg = arg,
		.name = name,
		.scope = spout__coroutine_scope(co),
		.deadline_ms = spout__coroutine_deadline(co),
		.on_done = run_on_done,
	};
	return spout__job_submit(pool, &run->job);
}

int
spout_try_run_on_at(struct spout_pool *pool, spout_job_fn fn, void *arg, const char *name)
{
	struct spout_coroutine *co = spout__co_must("spout_run");
	struct run run;
	int error = run_submit(&run, co, pool, fn, arg, name);

	if (error != 0)
		return spout__co_error(
		    error, "job %s: %s", name, spout__job_refusal(error));
	spout__future_init(&run.future, run.job.scope, run_on_cancel);
	run.future.type = run_type;
	error = spout_try_await(&run.future);
	return error != 0 ? error : run.job.result;
}

int
spout_run_on_at(struct spout_pool *pool, spout_job_fn fn, void *arg, const char *name)
{
	int result = spout_try_run_on_at(pool, fn, arg, name);

	if (result < 0)
		spout__co_leave(result, 0, "%s", spout_error());
	return result;
}

struct spout_future *
spout_run_on_async_at(
    struct spout_pool *pool, spout_job_fn fn, void *arg, const char *name)
{
	struct spout_coroutine *co = spout__co_must("spout_run_async");
	struct run *run =
	    spout__future_alloc(spout__coroutine_scope(co), sizeof(*run), run_on_cancel);
	char reason[160];
	int error;

	if (run == NULL)
		spout__co_leave(-ENOMEM, 0, "job %s: out of memory", name);
	run->future.type = run_type;
	error = run_submit(run, co, pool, fn, arg, name);
	if (error != 0) {
		snprintf(reason, sizeof(reason), "job %s: %s", name,
		    spout__job_refusal(error));
		spout__future_complete(&run->future, error, NULL, reason);
	}
	return &run->future;
}

int
spout_future_int(struct spout_future *future)
{
	if (future->type != run_type)
		return 0;
	return (int)(intptr_t)spout_future_result(future);
}
