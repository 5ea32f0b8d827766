/* SPDX-License-Identifier: MIT */
/*
 * The loop's side of a job: hand it in, call it off, take its result back.
 *
 * The scope is pinned from submit to the end of on_done(): both happen here, on the
 * loop's thread, so that nobody has to ask a thread whether a job still runs.
 */
#include "config.h"

#include "executor/pool.h"

#include <errno.h>

#include <spout/log.h>

#include "base/clock.h"
#include "base/stats.h"

/* How long the timer waits after the system refused a thread. */
#define GROW_RETRY_MS 1000u

struct spout__job *
spout__pool_oldest(struct spout_pool *pool)
{
	if (spout__list_empty(&pool->queue))
		return NULL;
	return spout__container_of(pool->queue.next, struct spout__job, link);
}

uint64_t
spout__pool_oldest_wait_ns(struct spout_pool *pool, uint64_t now_ns)
{
	const struct spout__job *job = spout__pool_oldest(pool);

	return job != NULL && now_ns > job->queued_ns ? now_ns - job->queued_ns : 0;
}

/* May a job that comes at `now_ns` be queued? 0 or -errno. With the lock. */
static int
pool_admit(struct spout_pool *pool, uint64_t now_ns)
{
	const struct spout_pool_options *options = &pool->options;

	if (pool->closed)
		return -ECANCELED;
	if (pool->stats.queued >= options->max_queued)
		return -ENOBUFS;
	if (options->max_wait_ms != 0 && pool->stats.queued > 0 &&
	    spout__pool_oldest_wait_ns(pool, now_ns) >=
		options->max_wait_ms * UINT64_C(1000000))
		return -ENOBUFS;
	return 0;
}

/* The thread that slept last, taken off the list; NULL if all work. With the lock. */
static struct spout__pool_thread *
pool_take_idle(struct spout_pool *pool)
{
	struct spout__list *node = spout__list_pop(&pool->idle);

	if (node == NULL)
		return NULL;
	pool->stats.idle--;
	return spout__container_of(node, struct spout__pool_thread, idle);
}

static void
pool_enqueue(struct spout_pool *pool, struct spout__job *job, uint64_t now_ns)
{
	job->pool = pool;
	job->post.run = spout__job_posted;
	job->queued_ns = now_ns;
	job->state = SPOUT__JOB_QUEUED;
	atomic_store_explicit(&job->cancelled, false, memory_order_relaxed);
	spout__list_push(&pool->queue, &job->link);
	pool->stats.submitted++;
	pool->stats.queued++;
	spout__gauge_add_shared(SPOUT__G_JOBS_QUEUED, 1);
	spout__pool_publish(pool);
}

static void
pool_wake_or_grow(
    struct spout_pool *pool, struct spout__pool_thread *thread, bool may_grow)
{
	if (thread != NULL)
		pthread_cond_signal(&thread->wake);
	else if (may_grow && !spout__timer_pending(&pool->grow))
		spout__timer_start_at(pool->loop, &pool->grow,
		    spout__loop_after_ms(pool->loop, pool->options.grow_after_ms));
}

int
spout__job_submit(struct spout_pool *pool, struct spout__job *job)
{
	struct spout__pool_thread *thread = NULL;
	uint64_t now_ns = spout__clock_ns();
	bool may_grow;
	int error;

	if (pool == NULL || pool->loop != spout_loop_current())
		return -EINVAL;
	pthread_mutex_lock(&pool->lock);
	error = pool_admit(pool, now_ns);
	if (error == 0) {
		pool_enqueue(pool, job, now_ns);
		thread = pool_take_idle(pool);
	} else {
		pool->stats.refused++;
		spout__relaxed_add(&pool->figures->refused, 1);
	}
	may_grow = pool->stats.threads < pool->options.max_threads;
	pthread_mutex_unlock(&pool->lock);
	if (error != 0) {
		spout__count(SPOUT__C_JOBS_REFUSED, 1);
		return error;
	}
	pool_wake_or_grow(pool, thread, may_grow);
	pool->unfinished++;
	if (job->scope != NULL)
		spout__scope_pin(job->scope);
	spout__count(SPOUT__C_JOBS_SUBMITTED, 1);
	return 0;
}

const char *
spout__job_refusal(int error)
{
	switch (error) {
	case -EINVAL:
		return "there is no such pool on this loop";
	case -ENOBUFS:
		return "the queue of the pool is full";
	case -ECANCELED:
		return "the pool is closed";
	default:
		return strerror(-error);
	}
}

/* Add a thread now? Else how long the oldest job may still wait. With the lock. */
static bool
pool_must_grow(struct spout_pool *pool, uint64_t *ret_left_ms)
{
	uint64_t waited_ms =
	    spout__pool_oldest_wait_ns(pool, spout__clock_ns()) / 1000000;
	uint64_t limit_ms = pool->options.grow_after_ms;

	*ret_left_ms = waited_ms < limit_ms ? limit_ms - waited_ms : limit_ms;
	return waited_ms >= limit_ms && pool->stats.idle == 0;
}

void
spout__pool_grow(struct spout__timer *timer)
{
	struct spout_pool *pool = spout__container_of(timer, struct spout_pool, grow);
	uint64_t again_ms;
	bool waiting, grow;
	int error;

	pthread_mutex_lock(&pool->lock);
	waiting =
	    pool->stats.queued > 0 && pool->stats.threads < pool->options.max_threads;
	grow = pool_must_grow(pool, &again_ms) && waiting;
	pthread_mutex_unlock(&pool->lock);
	if (!waiting)
		return;
	error = grow ? spout__thread_start(pool) : 0;
	if (error != 0) {
		spout_debug(
		    "pool %s: no further thread: %s", pool->name, strerror(-error));
		again_ms = GROW_RETRY_MS;
	} else if (grow) {
		pthread_mutex_lock(&pool->lock);
		pool->stats.grown++;
		pthread_mutex_unlock(&pool->lock);
	}
	spout__timer_start_at(
	    pool->loop, timer, spout__loop_after_ms(pool->loop, again_ms));
}

/* The end of every job that was submitted. */
static void
job_over(struct spout__job *job)
{
	struct spout_pool *pool = job->pool;
	struct spout_scope *scope = job->scope;

	/* on_done() may free the job, and unpinning may free whatever held it. */
	job->pool = NULL;
	job->on_done(job);
	pool->unfinished--;
	spout__pool_free_if_over(pool);
	if (scope != NULL)
		spout__scope_unpin(scope);
}

void
spout__job_posted(struct spout__post *post)
{
	struct spout__job *job = spout__container_of(post, struct spout__job, post);
	bool expired = job->state == SPOUT__JOB_EXPIRED;

	spout__count(expired ? SPOUT__C_JOBS_EXPIRED : SPOUT__C_JOBS_COMPLETED, 1);
	job->state = SPOUT__JOB_IDLE;
	job_over(job);
}

/*
 * Take a job off the queue. One whose deadline has passed is late, not called off: the
 * deadline is what made its coroutine let go of it. With the lock.
 */
static int
pool_dequeue(struct spout_pool *pool, struct spout__job *job)
{
	bool expired = job->deadline_ms != 0 && spout__clock_ms() >= job->deadline_ms;

	spout__list_remove(&job->link);
	job->state = SPOUT__JOB_IDLE;
	pool->stats.queued--;
	spout__gauge_add_shared(SPOUT__G_JOBS_QUEUED, -1);
	if (expired)
		pool->stats.expired_unrun++;
	else
		pool->stats.cancelled_unrun++;
	spout__pool_publish(pool);
	return expired ? -ETIMEDOUT : -ECANCELED;
}

/* End a job that pool_dequeue() took off. Without the lock. */
static void
job_drop(struct spout__job *job, int result)
{
	spout__count(
	    result == -ETIMEDOUT ? SPOUT__C_JOBS_EXPIRED : SPOUT__C_JOBS_CANCELLED, 1);
	job->result = result;
	job_over(job);
}

void
spout__pool_drop_queued(struct spout_pool *pool)
{
	struct spout__job *job;
	int result = 0;

	/* One by one: the end of a job may cancel others that are still queued here. */
	do {
		pthread_mutex_lock(&pool->lock);
		job = spout__pool_oldest(pool);
		if (job != NULL)
			result = pool_dequeue(pool, job);
		pthread_mutex_unlock(&pool->lock);
		if (job != NULL)
			job_drop(job, result);
	} while (job != NULL);
}

void
spout__job_ask_to_stop(struct spout__job *job)
{
	if (!atomic_exchange(&job->cancelled, true) && job->on_cancel != NULL)
		job->on_cancel(job->arg);
}

void
spout__job_cancel(struct spout__job *job)
{
	struct spout_pool *pool = job->pool;
	enum spout__job_state state;
	int result = 0;

	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->lock);
	state = job->state;
	if (state == SPOUT__JOB_QUEUED)
		result = pool_dequeue(pool, job);
	pthread_mutex_unlock(&pool->lock);
	if (state == SPOUT__JOB_QUEUED)
		job_drop(job, result);
	else if (state != SPOUT__JOB_IDLE)
		spout__job_ask_to_stop(job);
}
