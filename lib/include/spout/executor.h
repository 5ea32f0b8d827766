/* SPDX-License-Identifier: MIT */
/*
 * The executor: pools of threads for work that would block the loop.
 *
 * Every worker has three pools: "cpu" (nice 19, so that the loop always wins),
 * "blocking" and "db"; more can be made by name. A job is a function and its argument.
 * It runs on a pool thread, may not touch a request or a scope and may not wait
 * (spout_sleep and the like abort with the job's name). Its result is posted back to
 * the loop that submitted it.
 *
 * A running job pins the scope that started it: stack, memory and clean-ups of an ended
 * coroutine wait until the job has returned, so an argument on the coroutine's stack is
 * safe when the coroutine fails or is cancelled. (A function that returns gives up its
 * own variables, as in any C: what an _async job uses lies in the scope, or in a function
 * that waits for it.) Jobs still queued are dropped unrun when their scope ends or their
 * deadline passes.
 */
#ifndef SPOUT_EXECUTOR_H
#define SPOUT_EXECUTOR_H

#include <spout/async.h>
#include <spout/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct spout_pool;

/** Runs on a pool thread. Returns a number >= 0, or -errno. */
typedef int (*spout_job_fn)(void *arg);

/** The default pools of the running worker. */
#define SPOUT_POOL_CPU (spout_pool_get("cpu"))
#define SPOUT_POOL_BLOCKING (spout_pool_get("blocking"))
#define SPOUT_POOL_DB (spout_pool_get("db"))

struct spout_pool_options {
	size_t size;            /* sizeof this struct, set by the macro */
	unsigned min_threads;   /* started at once; at least 1 [1] */
	unsigned max_threads;   /* grown to while jobs wait grow_after_ms [min_threads] */
	unsigned max_queued;    /* more are refused with -ENOBUFS [1024] */
	unsigned max_wait_ms;   /* so are all while the oldest waited this long [never] */
	unsigned grow_after_ms; /* [5] */
	unsigned retire_after_ms; /* an idle thread above the minimum ends [30000] */
	int nice;               /* niceness of the threads [0] */
};

/**
 * Make a pool of this loop with a name of its own (copied). Threads start here, so never
 * before a fork. Owned by the loop's worker; ended by spout_pool_close().
 * NULL with errno: EEXIST, EINVAL, ENOMEM, EAGAIN (no threads).
 *
 *     spout_pool_new("reports", .min_threads = 2, .max_threads = 8);
 */
#define spout_pool_new(name, ...) \
	spout_pool_new_with((name), &(struct spout_pool_options){ \
	    .size = sizeof(struct spout_pool_options), ##__VA_ARGS__ })
SPOUT_API struct spout_pool *spout_pool_new_with(const char *name,
    const struct spout_pool_options *options);
/** The pool of this loop with that name, or NULL. Borrowed. */
SPOUT_API struct spout_pool *spout_pool_get(const char *name);
/**
 * Refuse new jobs, drop the queued ones (-ECANCELED), ask the running ones to stop and
 * wait up to `deadline_ms` for them, join the threads, free the pool. Blocks the calling
 * (loop) thread.
 * Returns 0 (results of jobs may still be on their way to the loop), or -ETIMEDOUT when
 * threads still run: the pool then stays, closed, and may be closed again.
 */
SPOUT_API int spout_pool_close(struct spout_pool *pool, uint64_t deadline_ms);

/**
 * Run fn(arg) on a pool and wait for its result. `arg` is borrowed. Leaves with fn's
 * -errno, -ENOBUFS (queue full or too old), -ETIMEDOUT (deadline). Inside a coroutine.
 */
#define spout_run(fn, arg) spout_run_on_at(SPOUT_POOL_BLOCKING, (fn), (arg), #fn)
#define spout_try_run(fn, arg) spout_try_run_on_at(SPOUT_POOL_BLOCKING, (fn), (arg), #fn)
#define spout_run_async(fn, arg) \
	spout_run_on_async_at(SPOUT_POOL_BLOCKING, (fn), (arg), #fn)
#define spout_run_on(pool, fn, arg) spout_run_on_at((pool), (fn), (arg), #fn)
#define spout_try_run_on(pool, fn, arg) spout_try_run_on_at((pool), (fn), (arg), #fn)
#define spout_run_on_async(pool, fn, arg) spout_run_on_async_at((pool), (fn), (arg), #fn)
SPOUT_API int spout_run_on_at(struct spout_pool *pool, spout_job_fn fn, void *arg,
    const char *name);
SPOUT_API SPOUT_MUST_CHECK int spout_try_run_on_at(struct spout_pool *pool,
    spout_job_fn fn, void *arg, const char *name);
/**
 * Start fn(arg) on a pool; the future belongs to the running scope. Its result is in
 * spout_future_int(). `arg` is borrowed until the job has run: keep it in the scope
 * (spout_alloc), or in a function that awaits the future before it returns.
 */
SPOUT_API struct spout_future *spout_run_on_async_at(struct spout_pool *pool,
    spout_job_fn fn, void *arg, const char *name);
/** The number a job returned; 0 while pending or after an error. */
SPOUT_API int spout_future_int(struct spout_future *future);

/** Inside a job: true once it was asked to stop. Any thread; false outside a job. */
SPOUT_API bool spout_job_cancelled(void);

/** Figures of a pool. Times are totals since it was made. */
struct spout_pool_stats {
	unsigned threads, idle, queued, running;
	uint64_t submitted, completed, refused, expired_unrun, cancelled_unrun;
	uint64_t grown, retired;
	uint64_t wait_us_total, run_us_total, oldest_wait_us;
	uint64_t wait_us[24], run_us[24]; /* histograms: bucket i counts times < 2^i us */
};

/** Copy the figures of a pool. Any thread, while the pool is open. */
SPOUT_API void spout_pool_get_stats(struct spout_pool *pool,
    struct spout_pool_stats *ret);

#ifdef __cplusplus
}
#endif

#endif
