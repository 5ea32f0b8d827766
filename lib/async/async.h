/* SPDX-License-Identifier: MIT */
/*
 * Inside of coroutines, scopes and futures, for the layers above (spout/async.h is the
 * public part). Everything on the loop's thread.
 *
 * Who makes futures (executor, client, pg, …) follows three rules:
 *  - the future is completed once, by spout__future_complete(), from the loop's stack
 *    or a coroutine, never from another thread;
 *  - `on_cancel`, if set, either detaches the producer and completes the future with
 *    -ECANCELED before it returns, or only asks the work to stop; in the second case
 *    the producer has pinned the scope (spout__scope_pin) from the start of the work and
 *    unpins it when the last access to the scope's memory or stack is over;
 *  - when a scope ends, its pending futures get `on_cancel`, then it waits for its pins
 *    to go, then clean-ups run, then its memory dies, futures included. A future that is
 *    still pending without a pin completes with -ECANCELED: its producer must be detached
 *    by then.
 *
 * A producer that waits in the same call (spout_try_run, spout_try_pg_query) may keep its
 * future on the coroutine's stack: the stack lives as long as the scope.
 */
#ifndef SPOUT_ASYNC_ASYNC_H
#define SPOUT_ASYNC_ASYNC_H

#include <spout/async.h>
#include <spout/loop.h>

#include "base/arena.h"
#include "base/list.h"
#include "base/log.h"
#include "loop/loop.h"

struct spout_coroutine;

/* --- scopes -------------------------------------------------------------------- */

struct spout__defer {
	struct spout__defer *next;
	spout_fn fn;
	void *arg;
};

struct spout_scope {
	struct spout_loop *loop;
	struct spout__arena arena;
	struct spout__defer *defers;  /* newest first */
	struct spout__list futures;   /* pending futures made in it */
	struct spout__list failed;    /* futures whose error nobody has looked at */
	struct spout__list holds;     /* locks that it holds, newest first */
	struct spout__local *locals;  /* values of spout_local_set() */
	unsigned pins;                /* running jobs and children: see above */
	bool ending;
	struct spout_coroutine *co;   /* whose scope it is; NULL for an explicit one */
	void (*on_unpinned)(struct spout_scope *scope); /* explicit ones: all pins are
							 * gone */
	const char *request_id;       /* for the log; borrowed from the arena or longer */
	void *local;                  /* what runs in it: the web layer's request */
};

/** Something a scope holds and gives back when it ends, after its clean-ups. */
struct spout__hold {
	struct spout__list link;      /* in scope->holds */
	void (*release)(struct spout__hold *hold); /* called off the list; may not wait */
};

/** Memory limit of a coroutine's scope. */
#define SPOUT__SCOPE_MAX_BYTES (64u << 20)

void spout__scope_init(
    struct spout_scope *scope, struct spout_loop *loop, size_t max_bytes);
/**
 * End an explicit scope (no coroutine): cancel its futures; when no pin is left, now or
 * later, run its clean-ups, free its memory and call `done(scope)`.
 */
void spout__scope_end(struct spout_scope *scope, void (*done)(struct spout_scope *scope));
void spout__scope_pin(struct spout_scope *scope);
void spout__scope_unpin(struct spout_scope *scope);
/**
 * Give a new scope copies of the values that `from` has (spout_local_set): all of them,
 * or those that may outlive `from`. Returns 0 or -ENOMEM.
 */
int spout__locals_inherit(struct spout_scope *scope, const struct spout_scope *from,
    bool outlives);

/* --- futures ------------------------------------------------------------------- */

struct spout__waiter;
struct spout__future_callback;

struct spout_future {
	struct spout__list link;      /* in scope->futures while pending, or
				       * scope->failed */
	struct spout_scope *scope;
	struct spout__list waiters;   /* coroutines in a wait on it */
	struct spout__future_callback *callbacks;
	void (*on_cancel)(struct spout_future *future);
	const void *type;             /* tag checked by typed getters, or NULL */
	void *value;
	const char *reason;           /* in the scope's arena, or static */
	const char *where;            /* file:line that made it, or NULL */
	int error;                    /* -errno, 0 for a value */
	bool done;
	bool log_late_error;          /* nobody waits any more: log an error */
	bool quiet;                   /* do not log an error */
};

/** Make a pending future in place. `on_cancel` may be NULL (then it completes
 * -ECANCELED). */
void spout__future_init(struct spout_future *future, struct spout_scope *scope,
    void (*on_cancel)(struct spout_future *future));
/** Allocate `size` bytes (a struct that begins with a future) in the scope; cleared, its
 * future initialised. NULL when out of memory. */
void *spout__future_alloc(struct spout_scope *scope, size_t size,
    void (*on_cancel)(struct spout_future *future));
/**
 * Complete: `error` 0 with a value, or -errno with a reason (copied into the scope's
 * arena; NULL for the errno's text). Wakes waiters through the ready list. Aborts if done
 * already.
 */
void spout__future_complete(struct spout_future *future, int error, void *value,
    const char *reason);
/** Somebody has seen how it ended: its error will not be logged. Typed getters
 * call it. */
void spout__future_looked(struct spout_future *future);
/** spout_try_await() with a time-out: 0, the future's error, or -ETIMEDOUT. */
int spout__future_await(struct spout_future *future, uint64_t ms, const char *what);

/* --- coroutines ---------------------------------------------------------------- */

/** How a coroutine ended. */
struct spout__outcome {
	int error;            /* 0: it returned; else -errno. -ECANCELED: client gone or
			       * stop */
	int status;           /* HTTP status chosen by the failing side, 0: by error */
	const char *reason;   /* never NULL; lives as long as the scope */
	bool cancelled;       /* it was cancelled from outside (error says why) */
};

struct spout__coroutine_options {
	spout_fn fn;
	void *arg;
	/* Called on the coroutine's stack when it has failed, before it leaves: the last
	 * thing it does, once, as if the function had called it. It may do whatever that
	 * may; if it fails itself, that is the outcome. NULL: nothing. */
	void (*on_failure)(
	    struct spout_coroutine *co, const struct spout__outcome *outcome);
	/* Called on the coroutine's stack as soon as the outcome is known, before running
	 * jobs are awaited and before clean-ups: the place to answer. May not wait or
	 * fail. */
	void (*on_exit)(struct spout_coroutine *co, const struct spout__outcome *outcome);
	/* Called on the loop's stack when the coroutine and its scope are gone. */
	void (*on_gone)(void *arg);
	void *on_gone_arg;
	uint64_t deadline_ms; /* absolute loop time, 0: none */
	const char *request_id;
	const char *where;    /* what started it; static text */
};

/**
 * Make a coroutine with an empty scope, not yet started; NULL when out of memory.
 * Its scope may be filled (spout_alloc_in) before it is started.
 */
struct spout_coroutine *spout__coroutine_new(struct spout_loop *loop);
struct spout_scope *spout__coroutine_scope(struct spout_coroutine *co);
/** The argument that it was started with. */
void *spout__coroutine_arg(const struct spout_coroutine *co);
/** Put it on the ready list. Copies `options`. */
void spout__coroutine_start(struct spout_coroutine *co,
    const struct spout__coroutine_options *options);
/**
 * The same, but run it now, on the caller's turn, until it first waits. Only from the
 * loop's stack (not from inside a coroutine): the fast path of a request.
 */
void spout__coroutine_start_now(struct spout_coroutine *co,
    const struct spout__coroutine_options *options);
/** Free one that was never started. */
void spout__coroutine_drop(struct spout_coroutine *co);
/**
 * Cancel: -ECANCELED (client gone, stop) or -ETIMEDOUT. Resumed once inside its wait, it
 * leaves. No-op if it is leaving already.
 */
void spout__coroutine_cancel(struct spout_coroutine *co, int error, const char *reason);
/** Change its deadline (absolute loop time, 0: none). */
void spout__coroutine_set_deadline(struct spout_coroutine *co, uint64_t deadline_ms);
/** The deadline of what it does now: 0 for none, or while it is shielded. */
uint64_t spout__coroutine_deadline(const struct spout_coroutine *co);
/** Has it been started? */
bool spout__coroutine_started(const struct spout_coroutine *co);
/** Has its outcome been decided (it is leaving, or about to: cancelled)? */
bool spout__coroutine_cancelled(const struct spout_coroutine *co);
/** Size of the stacks of coroutines of loops made from now on, KiB [256]. */
void spout__async_set_stack_kib(unsigned kib);
/** How many coroutines of the loop have not ended. */
size_t spout__coroutines_alive(struct spout_loop *loop);
/** Is this one of those? For who kept a pointer that may be stale. */
bool spout__coroutine_is_alive(struct spout_loop *loop, const struct spout_coroutine *co);
/** Is its wait over, although it has not been resumed? */
bool spout__coroutine_is_woken(const struct spout_coroutine *co);
/** Cancel every coroutine of the loop; spawned ones may come. */
void spout__coroutines_cancel(struct spout_loop *loop, int error, const char *reason);
/** What one that has not ended was started by and waits for: "FILE:LINE in spout_sleep";
 * "" if there is none. */
void spout__coroutines_describe(struct spout_loop *loop, char *text, size_t size);
/** Cancel every task made by spout_spawn(), refuse new ones (the worker stops). */
void spout__tasks_cancel(struct spout_loop *loop);

/** The running coroutine of this thread, NULL on the loop's stack or another thread. */
extern __thread struct spout_coroutine *spout__co
    __attribute__((tls_model("initial-exec")));
/** Name of the job that this pool thread runs, or NULL: for the misuse check. */
extern __thread const char *spout__job_name __attribute__((tls_model("initial-exec")));

/** The running coroutine, or abort saying that `what` was called outside one (or in a
 * job). */
struct spout_coroutine *spout__co_must(const char *what);
/** Set the reason that spout_error() returns, and return `error`. Copies into the
 * scope. */
int spout__co_error(int error, const char *fmt, ...) SPOUT_PRINTF(2, 3);
/** Leave with an error and an HTTP status (0: from the error); 0: as by returning. */
void spout__co_leave(int error, int status, const char *fmt, ...) SPOUT_PRINTF(3, 4)
    SPOUT_NORETURN;
/** Leave with a future's error. */
void spout__co_leave_with(struct spout_future *future) SPOUT_NORETURN;

/*
 * The one primitive below every wait: suspend until spout__waker_wake(), or cancellation.
 * `waker` lies on the coroutine's stack. `detach(waker)` is called, when the wait is over
 * for whichever reason, before anything else: it takes the waker off whatever lists it is
 * on. Does not return when the coroutine is cancelled.
 */
struct spout__waker {
	struct spout_coroutine *co;
	bool woken;
	void (*detach)(struct spout__waker *waker);
};
void spout__wait(struct spout__waker *waker, const char *what);
/** End the wait of this waker (once; more are no-ops). Never resumes inline. */
void spout__waker_wake(struct spout__waker *waker);
/**
 * For `detach`: the wait will not return, the coroutine leaves. What was granted to it
 * together with the wake-up must be handed on.
 */
bool spout__co_leaves(const struct spout_coroutine *co);
/** What a wait does that need not suspend: abort outside a coroutine, leave if
 * cancelled. */
struct spout_coroutine *spout__co_checkpoint(const char *what);
/** For tests: called at the start of every wait; may cancel the coroutine. */
extern void (*spout__on_wait)(struct spout_coroutine *co, const char *what);

#endif
