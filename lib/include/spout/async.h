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
 * `fn` may not wait or fail. `arg` lives in the scope or longer: a local variable is gone
 * when its function returns before the scope ends. Leaves with -ENOMEM, after calling
 * fn(arg).
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
 *
 * An error that nobody has looked at (awaited, spout_future_error(), …_result() or a
 * typed getter) is logged as a warning, with the place that made the future, when its
 * scope ends; not so -ECANCELED, and what comes while the scope is ending already.
 */

/** Make a future in the running coroutine's scope. Leaves with -ENOMEM. */
#define spout_future_new() spout_future_new_at(SPOUT_WHERE)
SPOUT_API struct spout_future *spout_future_new_at(const char *where);
/** Make one in a given scope; NULL when out of memory. */
#define spout_future_new_in(scope) spout_future_new_in_at((scope), SPOUT_WHERE)
SPOUT_API struct spout_future *spout_future_new_in_at(struct spout_scope *scope,
    const char *where);
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
/** Never log its error: not when nobody looks, not when it comes late. */
SPOUT_API void spout_future_set_quiet(struct spout_future *future);
/**
 * When `from` completes, complete `to` with the same value or error, unless it is
 * complete by then. `to` may live in another scope and end first; cancelling it does not
 * cancel `from`. Returns 0 or -ENOMEM. (Tornado: chain_future)
 */
SPOUT_API SPOUT_MUST_CHECK int spout_future_chain(struct spout_future *from,
    struct spout_future *to);
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
 * Wait until all futures are complete, at most `ms` (or SPOUT_FOREVER). (Tornado:
 * gen.multi) The try form waits for every one, also after an error, and returns 0 (look
 * at each for its own error) or -ETIMEDOUT; nothing is cancelled.
 * The plain form leaves as soon as one fails, with the error that came first: the end of
 * the scope then cancels what is pending, and logs what else had failed, unless quiet.
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

/**
 * Futures in the order of their completion. (Tornado: gen.WaitIterator)
 *
 *     struct spout_wait_iterator *it = spout_wait_iterator_new(first, second, third);
 *     struct spout_future *done;
 *
 *     while ((done = spout_wait_next(it)) != NULL)
 *         use(spout_wait_index(it), spout_try_await(done));
 *
 * Belongs to the running scope; leaves with -ENOMEM. The futures may end before it.
 */
struct spout_wait_iterator;
#define spout_wait_iterator_new(...) \
	spout_wait_iterator_new_of(SPOUT_FUTURES(__VA_ARGS__), SPOUT_COUNT(__VA_ARGS__))
SPOUT_API struct spout_wait_iterator *spout_wait_iterator_new_of(
    struct spout_future *const *futures, size_t n);
/** Wait for the next one; its error is for the caller to look at. NULL after the last. */
SPOUT_API struct spout_future *spout_wait_next(struct spout_wait_iterator *it);
/** At most `ms`. Returns 1 with the future, 0 after the last one, or -ETIMEDOUT. */
SPOUT_API SPOUT_MUST_CHECK int spout_try_wait_next(struct spout_wait_iterator *it,
    uint64_t ms, struct spout_future **ret_future);
/** Which of the futures came last, counted from 0 as they were given. */
SPOUT_API size_t spout_wait_index(const struct spout_wait_iterator *it);

#define SPOUT_FUTURES(...) ((struct spout_future *const[]){ __VA_ARGS__ })
#define SPOUT_COUNT(...) \
	(sizeof(SPOUT_FUTURES(__VA_ARGS__)) / sizeof(struct spout_future *))
#define SPOUT_STRINGIFY_(x) #x
#define SPOUT_STRINGIFY(x) SPOUT_STRINGIFY_(x)
/** The place in the source where a macro stands: "file.c:12". */
#define SPOUT_WHERE __FILE__ ":" SPOUT_STRINGIFY(__LINE__)

/* --- tasks ------------------------------------------------------------------------ */

/**
 * Start fn(copy of data) as a coroutine of its own: own scope, no deadline, the request
 * id of the caller. Runs soon, not now. It outlives the caller; a failure is logged with
 * the place that started it. `fn` gets NULL when `len` is 0.
 * Returns 0, or -ENOMEM, or -ECANCELED when the worker is stopping. (Tornado:
 * spawn_callback)
 */
#define spout_spawn(fn, data, len) spout_spawn_at((fn), (data), (len), SPOUT_WHERE)
SPOUT_API int spout_spawn_at(
    spout_fn fn, const void *data, size_t len, const char *where);
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

/* --- groups ----------------------------------------------------------------------- */

/**
 * Children that live and fail together: each runs as a coroutine with its own scope and
 * the owner's deadline. When one fails the others are cancelled; when the owner's scope
 * ends, for whichever reason, all are; and it does not end before they are gone, so that
 * a child may use the owner's memory, and what is on the stack of a function that waits
 * for the group before it returns. The first error wins; what other children failed with
 * of themselves is logged, unless quiet. The owner learns of it in spout_group_spawn() or
 * spout_group_wait(); other waits of its own go on.
 *
 *     struct spout_group *group = spout_group_new(.limit = 10);
 *
 *     for (i = 0; i < n; i++)
 *         spout_group_spawn(group, fetch_page, &pages[i], sizeof(pages[i]));
 *     spout_group_wait(group);
 */
struct spout_group;
struct spout_group_options {
	size_t size;     /* sizeof this struct, set by the macro */
	unsigned limit;  /* more children than this do not run at once [no limit] */
	bool quiet;      /* do not log errors but the first */
};
/** Make a group that the running scope owns. Leaves with -ENOMEM. */
#define spout_group_new(...) \
	spout_group_new_at(&(struct spout_group_options){ \
	    .size = sizeof(struct spout_group_options), __VA_ARGS__ }, SPOUT_WHERE)
SPOUT_API struct spout_group *spout_group_new_at(
    const struct spout_group_options *options, const char *where);
/**
 * Start fn(copy of data) in the group; waits while it has reached its limit. The owner
 * and the children may call it, children of a group with a limit at the risk of waiting
 * for each other. `fn` gets NULL when `len` is 0. Errors: the group's first error,
 * -ECANCELED after spout_group_cancel(), -EALREADY after the wait for it, -ENOMEM.
 */
#define spout_group_spawn(group, fn, data, len) \
	spout_group_spawn_at((group), (fn), (data), (len), SPOUT_WHERE)
#define spout_try_group_spawn(group, fn, data, len) \
	spout_try_group_spawn_at((group), (fn), (data), (len), SPOUT_WHERE)
SPOUT_API void spout_group_spawn_at(struct spout_group *group, spout_fn fn,
    const void *data, size_t len, const char *where);
SPOUT_API SPOUT_MUST_CHECK int spout_try_group_spawn_at(struct spout_group *group,
    spout_fn fn, const void *data, size_t len, const char *where);
/**
 * Wait until every child is gone; the group is over then. Leaves with the first error.
 * The try form waits at most `ms` and returns 0, the first error, or -ETIMEDOUT (the
 * children go on). Owner only: -EINVAL for anyone else.
 */
SPOUT_API void spout_group_wait(struct spout_group *group);
SPOUT_API SPOUT_MUST_CHECK int spout_try_group_wait(
    struct spout_group *group, uint64_t ms);
/** Cancel the children and refuse new ones. A wait for the group gives -ECANCELED
 * then. */
SPOUT_API void spout_group_cancel(struct spout_group *group);
/** Children that are not gone. */
SPOUT_API size_t spout_group_count(const struct spout_group *group);

/* --- values of a coroutine ---------------------------------------------------------- */

/**
 * Key of a value that a coroutine carries with it: a static variable, known by its
 * address. Children (spout_scope_run, groups) and spawned tasks start with copies of the
 * values of the moment; later changes are seen by neither side.
 */
struct spout_local {
	const char *name;   /* for people */
	bool children_only; /* it points into the scope: not for tasks that outlive it */
};

/** Copy `len` bytes as the value of this coroutine. Leaves with -ENOMEM. */
SPOUT_API void spout_local_set(
    const struct spout_local *key, const void *data, size_t len);
/** The value: borrowed, 16-byte aligned, until it is set again or the scope ends. NULL if
 * it was never set, and outside a coroutine. */
SPOUT_API void *spout_local_get(const struct spout_local *key);
/**
 * The id in every line that this coroutine logs, and what it starts from now on (a
 * request has one already). Copies. Leaves with -ENOMEM.
 */
SPOUT_API void spout_set_request_id(const char *id);
SPOUT_API const char *spout_request_id_current(void);

#ifdef __cplusplus
}
#endif

#endif
