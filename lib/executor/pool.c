/* SPDX-License-Identifier: MIT */
/*
 * The pools of a loop: make, find, look into, close.
 *
 *   OPEN --spout_pool_close()--> CLOSED --threads joined--> JOINED --last job--> freed
 *
 * A pool outlives the joining of its threads by the results that the loop has not run
 * yet: they still count in it. A pool is found by its name until it is joined.
 */
#include "config.h"

#include "executor/pool.h"

#include <errno.h>
#include <stdlib.h>

#include <spout/log.h>

#include "base/clock.h"

#define MAX_THREADS 1024u
#define NICE_OF_CPU 19

static struct spout__list *
executor_of(struct spout_loop *loop)
{
	return loop != NULL ? spout__loop_slot(loop, SPOUT__SLOT_EXECUTOR) : NULL;
}

/* --- make and find ---------------------------------------------------------- */

void
spout__pool_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

struct timespec
spout__pool_timespec(uint64_t at_ns)
{
	return (struct timespec){ .tv_sec = (time_t)(at_ns / 1000000000u),
		.tv_nsec = (long)(at_ns % 1000000000u) };
}

static void
pool_free(struct spout_pool *pool)
{
	spout__list_remove(&pool->link);
	pthread_cond_destroy(&pool->empty);
	pthread_mutex_destroy(&pool->lock);
	free(pool->name);
	free(pool);
}

void
spout__pool_free_if_over(struct spout_pool *pool)
{
	unsigned retiring;

	if (!pool->joined || pool->unfinished > 0)
		return;
	pthread_mutex_lock(&pool->lock);
	retiring = pool->retiring;
	pthread_mutex_unlock(&pool->lock);
	if (retiring == 0)
		pool_free(pool);
}

/* With spout_loop_free(): nothing that was posted will be run any more. */
static void
executor_free(void *object)
{
	struct spout__list *pools = object, *it, *tmp;

	spout__list_for_each_safe(it, tmp, pools) {
		struct spout_pool *pool =
		    spout__container_of(it, struct spout_pool, link);

		/* Keep it from being freed below, whatever is still owed to it. */
		pool->unfinished++;
		if (!pool->joined)
			spout_pool_close(pool, SPOUT_FOREVER);
		pool_free(pool);
	}
	free(pools);
}

static struct spout__list *
executor_make(struct spout_loop *loop)
{
	struct spout__list *pools = executor_of(loop);

	if (pools != NULL)
		return pools;
	pools = malloc(sizeof(*pools));
	if (pools == NULL)
		return NULL;
	spout__list_init(pools);
	spout__loop_set_slot(loop, SPOUT__SLOT_EXECUTOR, pools, executor_free);
	return pools;
}

struct spout_pool *
spout_pool_get(const char *name)
{
	struct spout__list *pools = executor_of(spout_loop_current()), *it;

	if (pools == NULL)
		return NULL;
	spout__list_for_each(it, pools) {
		struct spout_pool *pool =
		    spout__container_of(it, struct spout_pool, link);

		if (!pool->joined && strcmp(pool->name, name) == 0)
			return pool;
	}
	return NULL;
}

/* The options with what was left out filled in; 0 or -EINVAL. */
static int
options_complete(const struct spout_pool_options *from, struct spout_pool_options *ret)
{
	struct spout_pool_options o = { 0 };

	if (from->size == 0 || from->size > sizeof(o))
		return -EINVAL;
	memcpy(&o, from, from->size);
	if (o.min_threads == 0)
		o.min_threads = 1;
	if (o.max_threads == 0)
		o.max_threads = o.min_threads;
	if (o.max_queued == 0)
		o.max_queued = 1024;
	if (o.grow_after_ms == 0)
		o.grow_after_ms = 5;
	if (o.retire_after_ms == 0)
		o.retire_after_ms = 30000;
	if (o.max_threads < o.min_threads || o.max_threads > MAX_THREADS ||
	    o.nice < -20 || o.nice > 19)
		return -EINVAL;
	*ret = o;
	return 0;
}

void
spout__pool_publish(struct spout_pool *pool)
{
	struct spout__pool_figures *figures = pool->figures;

	atomic_store_explicit(
	    &figures->threads, pool->stats.threads, memory_order_relaxed);
	atomic_store_explicit(&figures->queued, pool->stats.queued, memory_order_relaxed);
	atomic_store_explicit(
	    &figures->running, pool->stats.running, memory_order_relaxed);
}

static struct spout_pool *
pool_alloc(
    struct spout_loop *loop, const char *name, const struct spout_pool_options *options)
{
	struct spout_pool *pool =
	    calloc(1, sizeof(*pool) + options->max_threads * sizeof(pool->threads[0]));
	pthread_mutexattr_t attr;

	if (pool == NULL)
		return NULL;
	pool->name = strdup(name);
	if (pool->name == NULL) {
		free(pool);
		return NULL;
	}
	pool->loop = loop;
	pool->options = *options;
	pool->figures = spout__pool_figures(name);
	atomic_store_explicit(
	    &pool->figures->max_threads, options->max_threads, memory_order_relaxed);
	spout__list_init(&pool->queue);
	spout__list_init(&pool->idle);
	spout__timer_init(&pool->grow, spout__pool_grow);
	/* The lock is held for tens of nanoseconds: spin a little before sleeping. */
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(&pool->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	spout__pool_cond_init(&pool->empty);
	return pool;
}

static int
pool_start(struct spout_pool *pool)
{
	unsigned i;
	int error = 0;

	for (i = 0; i < pool->options.min_threads && error == 0; i++)
		error = spout__thread_start(pool);
	return error;
}

struct spout_pool *
spout_pool_new_with(const char *name, const struct spout_pool_options *options)
{
	struct spout_loop *loop = spout_loop_current();
	struct spout_pool_options complete;
	struct spout_pool *pool = NULL;
	struct spout__list *pools;
	int error;

	if (loop == NULL || name == NULL || *name == '\0' ||
	    options_complete(options, &complete) < 0) {
		spout_warning("spout_pool_new: wrong options, or not on a loop's thread");
		errno = EINVAL;
		return NULL;
	}
	if (spout_pool_get(name) != NULL) {
		errno = EEXIST;
		return NULL;
	}
	pools = executor_make(loop);
	if (pools != NULL)
		pool = pool_alloc(loop, name, &complete);
	if (pool == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	spout__list_push(pools, &pool->link);
	error = pool_start(pool);
	if (error != 0) {
		spout_pool_close(pool, SPOUT_FOREVER);
		errno = -error;
		return NULL;
	}
	return pool;
}

/* --- look into -------------------------------------------------------------- */

void
spout_pool_get_stats(struct spout_pool *pool, struct spout_pool_stats *ret)
{
	pthread_mutex_lock(&pool->lock);
	*ret = pool->stats;
	ret->oldest_wait_us = spout__pool_oldest_wait_ns(pool, spout__clock_ns()) / 1000;
	pthread_mutex_unlock(&pool->lock);
}

/* --- close ------------------------------------------------------------------ */

/* Refuse new jobs, drop the queued ones, ask the running ones to stop. */
static void
pool_shut(struct spout_pool *pool)
{
	struct spout__list *it;
	unsigned i;

	pthread_mutex_lock(&pool->lock);
	pool->closed = true;
	spout__list_for_each(it, &pool->idle)
		pthread_cond_signal(
		    &spout__container_of(it, struct spout__pool_thread, idle)->wake);
	pthread_mutex_unlock(&pool->lock);
	spout__timer_stop(&pool->grow);
	spout__pool_drop_queued(pool);
	for (i = 0; i < pool->options.max_threads; i++) {
		struct spout__job *job;

		/* A job that a thread has lives until this thread has run its result. */
		pthread_mutex_lock(&pool->lock);
		job = pool->threads[i].job;
		pthread_mutex_unlock(&pool->lock);
		if (job != NULL)
			spout__job_ask_to_stop(job);
	}
}

/* Wait until no thread is alive; false: `until_ns` came first. */
static bool
pool_wait_empty(struct spout_pool *pool, uint64_t until_ns)
{
	struct timespec until = spout__pool_timespec(until_ns);
	bool empty;
	int error = 0;

	pthread_mutex_lock(&pool->lock);
	while (pool->stats.threads > 0 && error != ETIMEDOUT)
		error = until_ns == SPOUT_FOREVER
		            ? pthread_cond_wait(&pool->empty, &pool->lock)
		            : pthread_cond_timedwait(&pool->empty, &pool->lock, &until);
	empty = pool->stats.threads == 0;
	pthread_mutex_unlock(&pool->lock);
	return empty;
}

static void
pool_log_stuck(struct spout_pool *pool)
{
	unsigned i;

	pthread_mutex_lock(&pool->lock);
	for (i = 0; i < pool->options.max_threads; i++)
		if (pool->threads[i].job != NULL)
			spout_debug("pool %s: %s has not returned", pool->name,
			    pool->threads[i].job->name);
	pthread_mutex_unlock(&pool->lock);
}

/* Join the threads of a pool that was shut. */
static int
pool_join(struct spout_pool *pool, uint64_t until_ns)
{
	unsigned i;

	if (!pool_wait_empty(pool, until_ns)) {
		pool_log_stuck(pool);
		return -ETIMEDOUT;
	}
	for (i = 0; i < pool->options.max_threads; i++)
		if (pool->threads[i].state == SPOUT__THREAD_EXITED)
			spout__thread_join(&pool->threads[i]);
	pool->joined = true;
	spout__pool_free_if_over(pool);
	return 0;
}

static uint64_t
deadline_ns(uint64_t ms)
{
	uint64_t now_ns = spout__clock_ns();

	return ms < (SPOUT_FOREVER - now_ns) / 1000000 ? now_ns + ms * 1000000
	                                               : SPOUT_FOREVER;
}

int
spout_pool_close(struct spout_pool *pool, uint64_t deadline_ms)
{
	uint64_t until_ns = deadline_ns(deadline_ms);

	if (pool == NULL) {
		spout_warning("spout_pool_close: there is no such pool");
		return -EINVAL;
	}
	spout__loop_check_thread(pool->loop, "spout_pool_close");
	pool_shut(pool);
	return pool_join(pool, until_ns);
}

/* --- the pools of a worker -------------------------------------------------- */

static bool
default_pool(const char *name, unsigned min_threads, unsigned max_threads, int niceness)
{
	return max_threads == 0 ||
	       spout_pool_new(name, .min_threads = min_threads,
		   .max_threads = max_threads, .nice = niceness) != NULL;
}

int
spout__executor_start(
    struct spout_loop *loop, const struct spout__executor_options *options)
{
	const struct spout__executor_options *o = options;
	int error;

	spout__loop_check_thread(loop, "spout__executor_start");
	if (default_pool("cpu", o->cpu_threads, o->cpu_threads, NICE_OF_CPU) &&
	    default_pool("blocking", o->blocking_min, o->blocking_max, 0) &&
	    default_pool("db", o->db_threads, o->db_threads, 0))
		return 0;
	error = errno;
	spout__executor_stop(loop, SPOUT_FOREVER);
	return -error;
}

int
spout__executor_stop(struct spout_loop *loop, uint64_t deadline_ms)
{
	struct spout__list *pools = executor_of(loop), *it, *tmp;
	uint64_t until_ns = deadline_ns(deadline_ms);
	int error = 0;

	spout__loop_check_thread(loop, "spout__executor_stop");
	if (pools == NULL)
		return 0;
	/* All are shut before one is waited for. */
	spout__list_for_each(it, pools)
		pool_shut(spout__container_of(it, struct spout_pool, link));
	spout__list_for_each_safe(it, tmp, pools) {
		struct spout_pool *pool =
		    spout__container_of(it, struct spout_pool, link);

		if (!pool->joined && pool_join(pool, until_ns) < 0)
			error = -ETIMEDOUT;
	}
	return error;
}

size_t
spout__executor_unfinished(struct spout_loop *loop)
{
	struct spout__list *pools = executor_of(loop), *it;
	size_t n = 0;

	if (pools == NULL)
		return 0;
	spout__list_for_each(it, pools)
		n += spout__container_of(it, struct spout_pool, link)->unfinished;
	return n;
}
