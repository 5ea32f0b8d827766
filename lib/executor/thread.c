/* SPDX-License-Identifier: MIT */
/*
 * The threads' side of a pool: take the oldest job, run it, post it to the loop, sleep.
 *
 * A thread that finds no job sleeps on a condition of its own at the head of pool->idle,
 * so that the one which slept last, whose caches are warm, is woken first. While it works
 * nobody signals it: it looks at the queue before it sleeps. Above the minimum it retires
 * after options.retire_after_ms of sleep, and asks the loop to be joined.
 *
 * Signals belong to the loop: all but the synchronous ones are blocked here.
 */
#include "config.h"

#include "executor/pool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <spout/log.h>

#include "async/sanitizer.h"
#include "base/clock.h"
#include "base/stats.h"

#define THREAD_STACK_BYTES (SPOUT__SANITIZED ? 4u << 20 : 256u << 10)

/* What this thread runs; NULL on threads of nobody's pool and between jobs. */
static __thread struct spout__job *current_job;

bool
spout_job_cancelled(void)
{
	return current_job != NULL &&
	       atomic_load_explicit(&current_job->cancelled, memory_order_relaxed);
}

static void
thread_set_busy(struct spout__pool_thread *self, bool busy)
{
	if (self->busy == busy)
		return;
	self->busy = busy;
	spout__gauge_add_shared(SPOUT__G_JOBS_RUNNING, busy ? 1 : -1);
}

/* The next job of this thread, or NULL. With the lock. */
static struct spout__job *
thread_take(struct spout__pool_thread *self)
{
	struct spout_pool *pool = self->pool;
	struct spout__job *job = pool->closed ? NULL : spout__pool_oldest(pool);
	uint64_t wait_us;

	self->job = job;
	thread_set_busy(self, job != NULL);
	if (job == NULL) {
		spout__pool_publish(pool);
		return NULL;
	}
	spout__list_remove(&job->link);
	job->state = SPOUT__JOB_RUNNING;
	if (job->deadline_ms != 0 && self->now_ns / 1000000 >= job->deadline_ms)
		job->state = SPOUT__JOB_EXPIRED;
	wait_us =
	    self->now_ns > job->queued_ns ? (self->now_ns - job->queued_ns) / 1000 : 0;
	pool->stats.wait_us_total += wait_us;
	pool->stats.wait_us[spout__bucket_of_us(wait_us, POOL_BUCKETS)]++;
	spout__cells_observe(&pool->figures->wait, wait_us);
	pool->stats.queued--;
	pool->stats.running++;
	spout__pool_publish(pool);
	spout__gauge_add_shared(SPOUT__G_JOBS_QUEUED, -1);
	return job;
}

/* Without the lock. */
static void
thread_run(struct spout__pool_thread *self, struct spout__job *job)
{
	if (job->state == SPOUT__JOB_EXPIRED) {
		job->result = -ETIMEDOUT;
		return;
	}
	current_job = job;
	spout__job_name = job->name;
	job->result = job->fn(job->arg);
	spout__job_name = NULL;
	current_job = NULL;
	self->ended_ns = spout__clock_ns();
}

/* The figures of a job that is over. With the lock. */
static void
thread_account(struct spout__pool_thread *self, const struct spout__job *job)
{
	struct spout_pool_stats *stats = &self->pool->stats;
	uint64_t run_us;

	stats->running--;
	if (job->state == SPOUT__JOB_EXPIRED) {
		stats->expired_unrun++;
		return;
	}
	run_us = (self->ended_ns - self->now_ns) / 1000;
	self->now_ns = self->ended_ns;
	stats->completed++;
	stats->run_us_total += run_us;
	stats->run_us[spout__bucket_of_us(run_us, POOL_BUCKETS)]++;
	spout__cells_observe(&self->pool->figures->run, run_us);
}

/*
 * Run `job` and all that are queued behind it. The next one is taken in the same stretch
 * of the lock that ends the last, and the result is posted before it is run.
 */
static void
thread_work(struct spout__pool_thread *self, struct spout__job *job)
{
	struct spout_pool *pool = self->pool;
	struct spout__job *next;

	for (; job != NULL; job = next) {
		thread_run(self, job);
		pthread_mutex_lock(&pool->lock);
		thread_account(self, job);
		next = thread_take(self);
		pthread_mutex_unlock(&pool->lock);
		spout__loop_post(pool->loop, &job->post);
	}
}

/* With the lock. Returns 0 when it was woken, ETIMEDOUT when it slept too long. */
static int
thread_wait(struct spout__pool_thread *self)
{
	struct spout_pool *pool = self->pool;
	struct timespec until;

	if (pool->stats.threads <= pool->options.min_threads)
		return pthread_cond_wait(&self->wake, &pool->lock);
	until = spout__pool_timespec(
	    spout__clock_ns() + pool->options.retire_after_ms * UINT64_C(1000000));
	return pthread_cond_timedwait(&self->wake, &pool->lock, &until);
}

/* Sleep until there may be a job. False: end. With the lock. */
static bool
thread_sleep(struct spout__pool_thread *self)
{
	struct spout_pool *pool = self->pool;
	bool stay = !pool->closed;

	spout__list_push_front(&pool->idle, &self->idle);
	pool->stats.idle++;
	while (!spout__list_empty(&self->idle) && !pool->closed && stay)
		if (thread_wait(self) == ETIMEDOUT)
			stay = pool->stats.threads <= pool->options.min_threads;
	/* Who wakes it takes it off the list. */
	if (!spout__list_empty(&self->idle)) {
		spout__list_remove(&self->idle);
		pool->stats.idle--;
		return stay && !pool->closed;
	}
	self->now_ns = spout__clock_ns();
	return true;
}

static void
thread_prepare(struct spout__pool_thread *self)
{
	struct spout_pool *pool = self->pool;
	unsigned index = (unsigned)(self - pool->threads);
	char name[16], number[12];
	size_t digits = (size_t)snprintf(number, sizeof(number), "-%u", index);

	/* The kernel keeps 15 characters: shorten the pool's name, not the number. */
	snprintf(name, sizeof(name) - digits, "spout-%s", pool->name);
	memcpy(name + strlen(name), number, digits + 1);
	pthread_setname_np(pthread_self(), name);
	/* Linux: with a thread's id this sets the niceness of that thread alone. */
	if (pool->options.nice != 0 &&
	    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), pool->options.nice) < 0)
		spout_debug("pool %s: niceness %d: %s", pool->name, pool->options.nice,
		    strerror(errno));
}

/* Its last words. With the lock, which it gives back. */
static void
thread_end(struct spout__pool_thread *self)
{
	struct spout_pool *pool = self->pool;
	bool retires = !pool->closed;

	self->state = SPOUT__THREAD_EXITED;
	if (retires) {
		pool->retiring++;
		pool->stats.retired++;
	}
	if (--pool->stats.threads == 0)
		pthread_cond_signal(&pool->empty);
	spout__pool_publish(pool);
	pthread_mutex_unlock(&pool->lock);
	/* Whoever closes the pool meanwhile joins this thread before freeing anything. */
	if (retires)
		spout__loop_post(pool->loop, &self->retired);
}

static void *
thread_main(void *arg)
{
	struct spout__pool_thread *self = arg;
	struct spout_pool *pool = self->pool;
	struct spout__job *job;

	thread_prepare(self);
	self->now_ns = spout__clock_ns();
	pthread_mutex_lock(&pool->lock);
	for (;;) {
		job = thread_take(self);
		if (job != NULL) {
			pthread_mutex_unlock(&pool->lock);
			thread_work(self, job);
			pthread_mutex_lock(&pool->lock);
		} else if (!thread_sleep(self)) {
			break;
		}
	}
	thread_end(self);
	return NULL;
}

/* On the loop: a thread has retired. */
static void
thread_retired(struct spout__post *post)
{
	struct spout__pool_thread *thread =
	    spout__container_of(post, struct spout__pool_thread, retired);
	struct spout_pool *pool = thread->pool;

	/* Not if spout_pool_close() came first. */
	if (thread->state == SPOUT__THREAD_EXITED)
		spout__thread_join(thread);
	pthread_mutex_lock(&pool->lock);
	pool->retiring--;
	pthread_mutex_unlock(&pool->lock);
	spout__pool_free_if_over(pool);
}

void
spout__thread_join(struct spout__pool_thread *thread)
{
	pthread_join(thread->id, NULL);
	pthread_cond_destroy(&thread->wake);
	thread->state = SPOUT__THREAD_UNUSED;
}

/* Take a place that no thread has, counting its thread as alive; NULL: none. */
static struct spout__pool_thread *
take_place(struct spout_pool *pool)
{
	struct spout__pool_thread *thread = NULL;
	unsigned i;

	pthread_mutex_lock(&pool->lock);
	for (i = 0; i < pool->options.max_threads && thread == NULL; i++)
		if (pool->threads[i].state == SPOUT__THREAD_UNUSED)
			thread = &pool->threads[i];
	if (thread != NULL) {
		thread->state = SPOUT__THREAD_ALIVE;
		pool->stats.threads++;
		spout__pool_publish(pool);
	}
	pthread_mutex_unlock(&pool->lock);
	return thread;
}

static void
give_place_back(struct spout__pool_thread *thread)
{
	pthread_cond_destroy(&thread->wake);
	pthread_mutex_lock(&thread->pool->lock);
	thread->state = SPOUT__THREAD_UNUSED;
	thread->pool->stats.threads--;
	spout__pool_publish(thread->pool);
	pthread_mutex_unlock(&thread->pool->lock);
}

int
spout__thread_create(pthread_t *ret, bool detached, void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	sigset_t block, old;
	int error = pthread_attr_init(&attr);

	if (error != 0)
		return -error;
	pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
	if (detached)
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&block);
	sigdelset(&block, SIGSEGV);
	sigdelset(&block, SIGBUS);
	sigdelset(&block, SIGFPE);
	sigdelset(&block, SIGILL);
	sigdelset(&block, SIGTRAP);
	sigdelset(&block, SIGABRT);
	pthread_sigmask(SIG_SETMASK, &block, &old);
	error = pthread_create(ret, &attr, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -error;
}

int
spout__thread_start(struct spout_pool *pool)
{
	struct spout__pool_thread *thread = take_place(pool);
	int error;

	if (thread == NULL)
		return -EAGAIN;
	thread->pool = pool;
	thread->retired.run = thread_retired;
	spout__list_init(&thread->idle);
	spout__pool_cond_init(&thread->wake);
	error = spout__thread_create(&thread->id, false, thread_main, thread);
	if (error != 0)
		give_place_back(thread);
	return error;
}
