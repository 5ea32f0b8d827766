/* SPDX-License-Identifier: MIT */
/*
 * A pool of threads: what the loop's side (pool.c, job.c) and the threads' side
 * (thread.c) share. `lock` guards what both touch; the rest belongs to the loop's thread.
 */
#ifndef SPOUT_EXECUTOR_POOL_H
#define SPOUT_EXECUTOR_POOL_H

#include <pthread.h>
#include <time.h>

#include "base/stats.h"
#include "executor/executor.h"

/* Buckets of the histograms in struct spout_pool_stats. */
#define POOL_BUCKETS 24u

/*
 *   UNUSED --spawn--> ALIVE --retires, or its pool closes--> EXITED --join--> UNUSED
 */
enum spout__thread_state {
	SPOUT__THREAD_UNUSED,
	SPOUT__THREAD_ALIVE,
	SPOUT__THREAD_EXITED,
};

struct spout__pool_thread {
	struct spout_pool *pool;
	enum spout__thread_state state;
	pthread_t id;              /* valid unless UNUSED */
	pthread_cond_t wake;
	struct spout__list idle;   /* in pool->idle while it sleeps */
	struct spout__job *job;    /* what it runs, NULL when idle */
	uint64_t now_ns, ended_ns; /* its clock, read once per job; only it */
	bool busy;                 /* counted in the gauge of running jobs; only it */
	struct spout__post retired; /* to the loop, which joins it */
};

struct spout_pool {
	struct spout_loop *loop;
	struct spout__list link;   /* in the executor's list */
	char *name;
	struct spout_pool_options options;

	pthread_mutex_t lock;
	struct spout__list queue;  /* jobs, oldest first */
	struct spout__list idle;   /* threads, most recently idle first */
	struct spout_pool_stats stats; /* all but oldest_wait_us */
	bool closed;
	pthread_cond_t empty;      /* no thread is alive any more */
	unsigned retiring;         /* threads whose `retired` the loop has not run yet */

	/* Loop thread. */
	size_t unfinished;         /* submitted jobs whose on_done() has not run */
	struct spout__pool_figures *figures; /* written with `lock` held */
	struct spout__timer grow;  /* pending while a job waits and a thread may come */
	bool joined;               /* closed, no thread left: freed with the last job */

	struct spout__pool_thread threads[]; /* options.max_threads */
};

/**
 * pthread_create() with the stack of our threads and all signals but the synchronous ones
 * blocked. Returns 0 or -errno.
 */
int spout__thread_create(pthread_t *ret, bool detached, void *(*fn)(void *), void *arg);
/** Start a thread in an unused place; returns 0 or -errno. Loop thread. */
int spout__thread_start(struct spout_pool *pool);
/** Join a thread that is EXITED; waits for its last instructions only. Loop thread. */
void spout__thread_join(struct spout__pool_thread *thread);
/** A condition whose timed waits take a monotonic time, and such a time. */
void spout__pool_cond_init(pthread_cond_t *cond);
struct timespec spout__pool_timespec(uint64_t at_ns);
/** Show what is true now to other processes. With `lock` held. */
void spout__pool_publish(struct spout_pool *pool);
/** The oldest job that is queued, or NULL. With `lock` held. */
struct spout__job *spout__pool_oldest(struct spout_pool *pool);
/** How long that job has waited at `now_ns`; 0 if there is none. With `lock` held. */
uint64_t spout__pool_oldest_wait_ns(struct spout_pool *pool, uint64_t now_ns);
/** The posted completion of a job. Loop thread. */
void spout__job_posted(struct spout__post *post);
/** End every queued job unrun. Loop thread. */
void spout__pool_drop_queued(struct spout_pool *pool);
/** Set the flag and call the hook of a job that is not queued. Loop thread. */
void spout__job_ask_to_stop(struct spout__job *job);
/** Add a thread if the oldest job waits too long. Loop thread; the timer's function. */
void spout__pool_grow(struct spout__timer *timer);
/** Free a pool that is joined once nothing refers to it any more. Loop thread. */
void spout__pool_free_if_over(struct spout_pool *pool);

#endif
