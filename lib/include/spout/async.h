/* SPDX-License-Identifier: MIT */
/*
 * Coroutines, scopes and futures: how a plain C function waits without stopping the loop.
 *
 * A request handler, a WebSocket callback and a background task each run as one
 * coroutine with one scope. A call that has to wait suspends the coroutine, never the
 * loop. Everything here belongs to the loop's thread.
 *
 * How a coroutine ends: its function returns, it fails (spout_fail_with(), or a plain
 * waiting call that failed), or it is cancelled (client gone, deadline, stop) while it
 * waits. In every case what it started is cancelled, its running jobs are awaited, and
 * its clean-ups run, newest first, on its own stack. C frames between the wait and the
 * start of the coroutine are left as by longjmp(): what must be undone is registered
 * with spout_defer() or lives in the scope's arena.
 *
 * Naming: spout_x() waits or leaves (ends the coroutine when it fails), spout_try_x()
 * waits and returns -errno, spout_x_async() returns a future. A coroutine that is
 * cancelled leaves from either kind of wait.
 */
#ifndef SPOUT_ASYNC_H
#define SPOUT_ASYNC_H

#include <spout/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct spout_scope;
struct spout_future;
struct spout_task;

typedef void (*spout_fn)(void *arg);

/** No time-out: only the deadline of the coroutine bounds the wait. */
#define SPOUT_FOREVER UINT64_MAX

/* --- memory and clean-ups of the running coroutine's scope ------------------ */

/**
 * `size` bytes that live until the scope ends; aligned for any type, not cleared.
 * Never NULL: running out of memory or of the scope's limit leaves with -ENOMEM.
 */
SPOUT_API void *spout_alloc(size_t size) __attribute__((malloc, alloc_size(1)));
/** The same, cleared. `n * size` is checked for overflow. */
SPOUT_API void *spout_zalloc(size_t n, size_t size) __attribute__((malloc));
/** Copies of text into the scope, NUL-terminated. */
SPOUT_API char *spout_strdup(const char *text);
SPOUT_API char *spout_strndup(const char *text, size_t len);
/** printf into the scope's memory. */
SPOUT_API char *spout_sprintf(const char *fmt, ...) SPOUT_PRINTF(1, 2);
SPOUT_API char *spout_vsprintf(const char *fmt, va_list ap);

/**
 * Call fn(arg) when the scope ends, newest first, on the coroutine's stack.
 * `fn` may not wait or fail. Leaves with -ENOMEM, after calling fn(arg).
 */
SPOUT_API void spout_defer(spout_fn fn, void *arg);

/* --- explicit scopes ----------------------------------------------------------- */

/** The scope of the running coroutine. Never NULL inside one; aborts outside. */
SPOUT_API struct spout_scope *spout_scope_current(void);
/** The same functions on a given scope; they return NULL or -ENOMEM. */
SPOUT_API void *spout_alloc_in(struct spout_scope *scope, size_t size);
SPOUT_API char *spout_strdup_in(struct spout_scope *scope, const char *text);
SPOUT_API SPOUT_MUST_CHECK int spout_defer_in(struct spout_scope *scope, spout_fn fn,
    void *arg);

/* --- the way out --------------------------------------------------------------- */

/**
 * End the running coroutine with an error (-errno) and a reason for the log. For a
 * request the error decides the status: see the table in lib/web/status.c.
 */
SPOUT_API SPOUT_NORETURN void spout_fail_with(int error, const char *fmt, ...)
    SPOUT_PRINTF(2, 3);
/** Why the last spout_try_ call of this coroutine failed. Borrowed, "" if it did not. */
SPOUT_API const char *spout_error(void);
/**
 * Run fn(arg) to its end although the coroutine is cancelled or its deadline passes;
 * either takes effect at the first wait after it. Nests.
 */
SPOUT_API void spout_shield(spout_fn fn, void *arg);
/**
 * Milliseconds until the deadline of the running coroutine: 0 when it has passed,
 * SPOUT_FOREVER when there is none.
 */
SPOUT_API uint64_t spout_time_left_ms(void);
/** Set the deadline to `ms` from now, if that is earlier than the one that stands. */
SPOUT_API void spout_set_deadline_ms(uint64_t ms);

/* --- waiting -------------------------------------------------------------------- */

/** Suspend for `ms`. (Tornado: gen.sleep) */
SPOUT_API void spout_sleep(uint64_t ms);
/** Let everything else that is ready run first. (Tornado: gen.moment) */
SPOUT_API void spout_yield(void);

/* --- futures --------------------------------------------------------------------- */

/**
 * A value or an error that comes later; completed exactly once, on the loop's thread.
 * A future belongs to the scope that it was made in and dies with it; scopes that end
 * cancel what is still pending. Completing one never runs a coroutine inline.
 */

/** Make a future in the running coroutine's scope. Leaves with -ENOMEM. */
#define spout_future_new() spout_future_new_at(SPOUT_WHERE)
SPOUT_API struct spout_future *spout_future_new_at(const char *where);
/** Make one in a given scope; NULL when out of memory. */
SPOUT_API struct spout_future *spout_future_new_in(struct spout_scope *scope);
/** Complete with a value (borrowed). Returns 0, or -EALREADY if it is complete. */
SPOUT_API int spout_future_set_result(struct spout_future *future, void *value);
/** Complete with an error (-errno, not 0) and a reason. Returns 0 or -EALREADY. */
SPOUT_API int spout_future_set_error(struct spout_future *future, int error,
    const char *fmt, ...) SPOUT_PRINTF(3, 4);
SPOUT_API bool spout_future_done(const struct spout_future *future);
/** The value, NULL while pending or after an error. */
SPOUT_API void *spout_future_result(struct spout_future *future);
/** 0, or the error (-errno); -EINPROGRESS while pending. */
SPOUT_API int spout_future_error(struct spout_future *future);
/** The reason of the error, "" if there is none. Borrowed from the future. */
SPOUT_API const char *spout_future_reason(struct spout_future *future);
/**
 * Call fn(future, arg) from the loop after completion, soon if it is complete already.
 * Not called when the future is dropped with its scope. Returns 0 or -ENOMEM.
 */
SPOUT_API SPOUT_MUST_CHECK int spout_future_add_done_callback(struct spout_future *future,
    void (*fn)(struct spout_future *future, void *arg), void *arg);
/**
 * Cancel what the future stands for. If that is still queued it completes with
 * -ECANCELED now; if it is running it is asked to stop and completes when it has.
 */
SPOUT_API void spout_cancel(struct spout_future *future);

/** Wait for a future. The value, or the coroutine leaves with the future's error. */
SPOUT_API void *spout_await(struct spout_future *future);
/** Wait for a future. Returns 0 or its error. */
SPOUT_API SPOUT_MUST_CHECK int spout_try_await(struct spout_future *future);
/**
 * Wait at most `ms`; then the error is -ETIMEDOUT while the future goes on within its
 * scope, and its late error is logged. (Tornado: gen.with_timeout)
 */
SPOUT_API void *spout_with_timeout(uint64_t ms, struct spout_future *future);
SPOUT_API SPOUT_MUST_CHECK int spout_try_with_timeout(uint64_t ms,
    struct spout_future *future);
/** The same, but the future is cancelled when the time is up. */
SPOUT_API void *spout_await_or_cancel(uint64_t ms, struct spout_future *future);
SPOUT_API SPOUT_MUST_CHECK int spout_try_await_or_cancel(uint64_t ms,
    struct spout_future *future);

/**
 * Wait until all futures are complete, at most `ms` (or SPOUT_FOREVER). Returns 0 (look
 * at each for its own error), or -ETIMEDOUT. The plain form leaves with the first error.
 */
#define spout_try_await_all(ms, ...) \
	spout_try_await_all_of((ms), SPOUT_FUTURES(__VA_ARGS__), SPOUT_COUNT(__VA_ARGS__))
#define spout_await_all(ms, ...) \
	spout_await_all_of((ms), SPOUT_FUTURES(__VA_ARGS__), SPOUT_COUNT(__VA_ARGS__))
SPOUT_API SPOUT_MUST_CHECK int spout_try_await_all_of(uint64_t ms,
    struct spout_future *const *futures, size_t n);
SPOUT_API void spout_await_all_of(uint64_t ms, struct spout_future *const *futures,
    size_t n);
/**
 * Wait until one is complete; returns its index (the lowest of several), or -ETIMEDOUT.
 * The plain form returns the index and leaves with -ETIMEDOUT or that future's error.
 */
#define spout_try_await_any(ms, ...) \
	spout_try_await_any_of((ms), SPOUT_FUTURES(__VA_ARGS__), SPOUT_COUNT(__VA_ARGS__))
#define spout_await_any(ms, ...) \
	spout_await_any_of((ms), SPOUT_FUTURES(__VA_ARGS__), SPOUT_COUNT(__VA_ARGS__))
SPOUT_API SPOUT_MUST_CHECK int spout_try_await_any_of(uint64_t ms,
    struct spout_future *const *futures, size_t n);
SPOUT_API int spout_await_any_of(uint64_t ms, struct spout_future *const *futures,
    size_t n);

#define SPOUT_FUTURES(...) ((struct spout_future *const[]){ __VA_ARGS__ })
#define SPOUT_COUNT(...) (sizeof(SPOUT_FUTURES(__VA_ARGS__)) / sizeof(struct spout_future *))
#define SPOUT_STRINGIFY_(x) #x
#define SPOUT_STRINGIFY(x) SPOUT_STRINGIFY_(x)
/** The place in the source where a macro stands: "file.c:12". */
#define SPOUT_WHERE __FILE__ ":" SPOUT_STRINGIFY(__LINE__)

/* --- tasks ------------------------------------------------------------------------ */

/**
 * Start fn(copy of data) as a coroutine of its own: own scope, no deadline, the request
 * id of the caller. Runs soon, not now. It outlives the caller; a failure is logged with
 * the place that started it. `fn` gets NULL when `len` is 0.
 * Returns 0, or -ENOMEM, or -ECANCELED when the worker is stopping. (Tornado: spawn_callback)
 */
#define spout_spawn(fn, data, len) spout_spawn_at((fn), (data), (len), SPOUT_WHERE)
SPOUT_API int spout_spawn_at(spout_fn fn, const void *data, size_t len, const char *where);
/**
 * Run fn(arg) as a child coroutine with a scope of its own and wait for it: memory and
 * clean-ups of a round of a long-lived task end with the round. The caller's deadline and
 * cancellation reach the child. The plain form leaves with the child's error.
 */
#define spout_scope_run(fn, arg) spout_scope_run_at((fn), (arg), SPOUT_WHERE)
#define spout_try_scope_run(fn, arg) spout_try_scope_run_at((fn), (arg), SPOUT_WHERE)
SPOUT_API void spout_scope_run_at(spout_fn fn, void *arg, const char *where);
SPOUT_API SPOUT_MUST_CHECK int spout_try_scope_run_at(spout_fn fn, void *arg,
    const char *where);

#ifdef __cplusplus
}
#endif

#endif
