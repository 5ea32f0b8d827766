/* SPDX-License-Identifier: MIT */
/*
 * The coroutine's own struct and the scheduler of a loop, for the files of this folder.
 *
 *   NEW -> RUNNABLE <-> RUNNING -> WAITING -> RUNNABLE ...
 *                          |
 *                          +-> LEAVING (outcome known, answered; waits for its pins,
 *                          |            runs clean-ups)
 *                          +-> DEAD (final switch done; the loop frees it)
 *
 * A coroutine moves between stacks of the same thread only.
 */
#ifndef SPOUT_ASYNC_COROUTINE_H
#define SPOUT_ASYNC_COROUTINE_H

#include "async/async.h"
#include "async/context.h"
#include "async/stack.h"

enum spout__co_state {
	SPOUT__CO_NEW,
	SPOUT__CO_RUNNABLE,
	SPOUT__CO_RUNNING,
	SPOUT__CO_WAITING,
	SPOUT__CO_LEAVING,
	SPOUT__CO_DEAD,
};

struct spout__async {
	struct spout_loop *loop;
	struct spout__stack_pool *stacks;
	struct spout__context main;
	struct spout__list all;   /* every coroutine that has not ended */
	struct spout__list tasks; /* those made by spout_spawn() */
	size_t alive;
	bool stopping;            /* no new tasks */
	struct spout__timer trim;
	const void *main_low;     /* the loop's own stack, for AddressSanitizer */
	size_t main_size;
	void *main_fiber;
};

struct spout_coroutine {
	/* Set one by one when it is made or started. */
	struct spout_scope scope;
	struct spout__context context;
	struct spout__coroutine_options options;
	struct spout__async *async;
	struct spout__stack *stack;
	struct spout__ready ready;
	struct spout__list all, task;
	struct spout__timer deadline_timer;
	void *fiber;                  /* ThreadSanitizer */
	/* Cleared from here on. */
	struct spout__waker *waker;   /* while WAITING */
	uint64_t deadline_ms;
	const char *waits_for;        /* what the wait is, static text */
	const char *cancel_reason;
	int cancel_error;             /* 0: not cancelled */
	unsigned shield;
	enum spout__co_state state;
	bool failing;                 /* on_failure has been called */
	char *error;                  /* of the last spout_try_ call, or NULL */
	size_t error_size;
};

_Static_assert(sizeof(struct spout_coroutine) <= SPOUT__STACK_USER_BYTES,
    "a coroutine fits into the top of its stack");

/** The scheduler of a loop, made on first use; NULL when out of memory. */
struct spout__async *spout__async_of(struct spout_loop *loop);
/*
 * The end of a scope: cancel what is pending; when the pins are gone drop what is still
 * pending, log what failed unseen, run the clean-ups, give back the locks; free the
 * memory.
 */
void spout__scope_cancel_futures(struct spout_scope *scope);
void spout__scope_clean_up(struct spout_scope *scope);
void spout__scope_release(struct spout_scope *scope);
/** The error of a future that nobody looked at, to the log. */
void spout__future_log_unseen(struct spout_future *future);
/** Install the handler that names a coroutine whose stack overflowed. Once per
 * process. */
void spout__overflow_install(void);

#endif
