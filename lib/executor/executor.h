/* SPDX-License-Identifier: MIT */
/*
 * Inside of the executor, for the layers above: jobs without a future of their own, and
 * the default pools of a worker. Everything on the loop's thread.
 *
 * A job is embedded in the caller's struct, so that nothing here allocates. Its life:
 *
 *   submit --refused--> (nothing happened)
 *     |
 *   QUEUED --cancel, pool closed--------------> on_done(-ECANCELED or -ETIMEDOUT) at once
 *     |
 *   RUNNING --deadline had passed, not run----> on_done(-ETIMEDOUT)
 *     |   cancel: spout_job_cancelled() becomes true, on_cancel(arg) is called
 *     +-----fn returned-----------------------> on_done(what fn returned)
 *
 * From submit to the end of on_done() the job belongs to the executor and pins its scope.
 */
#ifndef SPOUT_EXECUTOR_EXECUTOR_H
#define SPOUT_EXECUTOR_EXECUTOR_H

#include <stdatomic.h>

#include <spout/executor.h>

#include "async/async.h"
#include "base/list.h"
#include "loop/loop.h"

enum spout__job_state {
	SPOUT__JOB_IDLE,    /* not submitted, or over */
	SPOUT__JOB_QUEUED,
	SPOUT__JOB_RUNNING, /* taken by a thread; until the loop has seen its result */
	SPOUT__JOB_EXPIRED, /* the same, but not run */
};

/** A cleared one is ready to be filled in. */
struct spout__job {
	/* Set by the caller, before spout__job_submit(): */
	spout_job_fn fn;
	void *arg;
	const char *name;            /* static text, for messages */
	struct spout_scope *scope;   /* pinned while the job lives; NULL: none */
	uint64_t deadline_ms;        /* not run after this loop time; 0: none */
	/* The job is over, see `result`; it may be freed or used again. Loop thread. */
	void (*on_done)(struct spout__job *job);
	/* Ask a job that is no longer queued to stop; NULL: the flag only. Loop thread,
	 * once, before on_done(). fn(arg) may be about to begin, running, or over. */
	void (*on_cancel)(void *arg);

	int result;                  /* for on_done(): fn's, or -ECANCELED, -ETIMEDOUT */

	/* Private. */
	struct spout_pool *pool;
	struct spout__list link;     /* in pool->queue while QUEUED */
	struct spout__post post;
	enum spout__job_state state; /* guarded by the pool's lock */
	_Atomic bool cancelled;
	uint64_t queued_ns;
};

/**
 * Hand a job to a pool. Borrows it until on_done(), which never runs before this returns.
 * Returns 0, or (nothing happened, no on_done()) -EINVAL (no pool, or one of another
 * loop), -ENOBUFS (queue full, or its oldest job waits too long), -ECANCELED (closed).
 */
SPOUT_MUST_CHECK int spout__job_submit(struct spout_pool *pool, struct spout__job *job);
/** Why spout__job_submit() returned `error`; static text. */
const char *spout__job_refusal(int error);
/**
 * A queued job is removed and its on_done() called before this returns; one that is not
 * queued any more is asked to stop. No-op before submit and after on_done().
 */
void spout__job_cancel(struct spout__job *job);

/** Sizes of the default pools; 0 leaves the pool out. */
struct spout__executor_options {
	unsigned cpu_threads;                /* "cpu", at nice 19 */
	unsigned blocking_min, blocking_max; /* "blocking" */
	unsigned db_threads;                 /* "db" */
};

/** Make the default pools of this thread's loop. Returns 0 or -errno (none is left). */
int spout__executor_start(struct spout_loop *loop,
    const struct spout__executor_options *options);
/**
 * Close every pool of the loop at once, see spout_pool_close(). Returns 0, or -ETIMEDOUT
 * when a thread still runs: then the process must _exit(), for spout_loop_free() would
 * wait for that thread.
 */
int spout__executor_stop(struct spout_loop *loop, uint64_t deadline_ms);
/** Jobs of all pools of the loop that were submitted and whose on_done() has not run. */
size_t spout__executor_unfinished(struct spout_loop *loop);

#endif
