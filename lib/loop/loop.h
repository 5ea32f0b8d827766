/* SPDX-License-Identifier: MIT */
/*
 * Inside of the event loop, for the layers above: intrusive nodes, so that nothing here
 * allocates. Everything on the loop's thread but spout__loop_post().
 *
 *   one turn:   posts -> events and timers -> ready list, until empty -> turn-end list
 *               (flush output) -> deferred frees -> wait for events
 */
#ifndef SPOUT_LOOP_LOOP_H
#define SPOUT_LOOP_LOOP_H

#include <spout/loop.h>

#include <pthread.h>
#include <time.h>

#include "base/list.h"

/** Something to run soon, in order. `run` is called after it was taken off the list. */
struct spout__ready {
	struct spout__list link;
	void (*run)(struct spout__ready *ready);
};

static inline void
spout__ready_init(struct spout__ready *ready, void (*run)(struct spout__ready *ready))
{
	spout__list_init(&ready->link);
	ready->run = run;
}

static inline bool
spout__ready_pending(const struct spout__ready *ready)
{
	return !spout__list_empty(&ready->link);
}

/** Run it in this turn (or the next, when the turn has grown long). No-op if pending. */
void spout__loop_ready(struct spout_loop *loop, struct spout__ready *ready);
/** Run it at the end of this turn, before the loop waits. No-op if pending. */
void spout__loop_at_turn_end(struct spout_loop *loop, struct spout__ready *ready);
/** Run it after the turn-end list: frees what a callback on the stack may still touch. */
void spout__loop_defer_free(struct spout_loop *loop, struct spout__ready *ready);

/** A message from another thread; owned by the receiver until `run` is called. */
struct spout__post {
	struct spout__post *next;
	void (*run)(struct spout__post *post);
};

/**
 * Hand `post` to the loop's thread. Never fails, never waits, any thread. Posts of one
 * thread run in order; the eventfd is written only when the loop sleeps.
 */
void spout__loop_post(struct spout_loop *loop, struct spout__post *post);
/** How often the eventfd was written (any thread); for benchmarks and tests. */
uint64_t spout__loop_wakeups(struct spout_loop *loop);

/*
 * Timer on the loop's wheel: 1 ms ticks, adding and removing are a list operation.
 * Fires at or up to 1 ms after its time, never before. For a time that moves with every
 * request keep the deadline elsewhere and let `fn` add the timer again if it is early.
 */
struct spout__timer {
	struct spout__list link;
	uint64_t at_ms; /* absolute, spout_loop_now_ms() */
	void (*fn)(struct spout__timer *timer);
};

static inline void
spout__timer_init(struct spout__timer *timer, void (*fn)(struct spout__timer *timer))
{
	spout__list_init(&timer->link);
	timer->fn = fn;
	timer->at_ms = 0;
}

static inline bool
spout__timer_pending(const struct spout__timer *timer)
{
	return !spout__list_empty(&timer->link);
}

/** (Re)start a timer for the absolute time `at_ms`. */
void spout__timer_start_at(struct spout_loop *loop, struct spout__timer *timer,
    uint64_t at_ms);
/** Stop it; no-op if it is not pending. */
void spout__timer_stop(struct spout__timer *timer);

/** Absolute time `ms` from now; saturates. */
uint64_t spout__loop_after_ms(struct spout_loop *loop, uint64_t ms);
/** Cached monotonic microseconds: the time of spout_loop_now_ms(), finer. */
uint64_t spout__loop_now_us(struct spout_loop *loop);
/** Seconds since 1970. */
time_t spout__loop_unix_time(void);
/** Fresh monotonic nanoseconds, also refreshing the cached clock. */
uint64_t spout__loop_clock_ns(struct spout_loop *loop);
/**
 * From now on time stands still, but jumps to the next timer whenever there is nothing
 * else to do (virtual.c). While busy(loop) is not 0 something is on its way from outside,
 * and time passes as it does there. Before the loop first runs. Returns 0 or -ENOMEM.
 */
SPOUT_MUST_CHECK int spout__loop_virtual_clock(struct spout_loop *loop,
    size_t (*busy)(struct spout_loop *loop));
/** Longest turn since the last call, microseconds. */
uint64_t spout__loop_take_max_turn_us(struct spout_loop *loop);
/** When the turn that now runs asked for the time first; 0: nothing of weight runs. Any
 * thread. */
uint64_t spout__loop_turn_began_ns(const struct spout_loop *loop);
/** The thread that it belongs to. Any thread. */
pthread_t spout__loop_thread(const struct spout_loop *loop);
/** Abort when called on another thread than the loop's or in a forked child. */
void spout__loop_check_thread(struct spout_loop *loop, const char *what);

/*
 * One object of each layer above hangs on the loop (coroutine scheduler, executor,
 * connection server …): made on first use, freed by `free` in spout_loop_free(), the
 * highest slot first.
 */
enum spout__loop_slot {
	SPOUT__SLOT_ASYNC,
	SPOUT__SLOT_EXECUTOR,
	SPOUT__SLOT_RESOLVE,
	SPOUT__SLOT_NET,
	SPOUT__SLOT_PROCESS,
	SPOUT__SLOT_CLIENT,
	SPOUT__SLOT_PG,
	SPOUT__SLOT_TOPIC,
	SPOUT__SLOT_HTTP,
	SPOUT__SLOT_WEB,
	SPOUT__SLOT_WEBSOCKET,
	SPOUT__SLOT_WS_CLIENTS,
	SPOUT__N_SLOTS,
};
void *spout__loop_slot(struct spout_loop *loop, enum spout__loop_slot slot);
void spout__loop_set_slot(struct spout_loop *loop, enum spout__loop_slot slot,
    void *object, void (*free_fn)(void *object));

/** Scratch memory of SPOUT__LOOP_SCRATCH bytes shared by all readers of the loop: valid
 * until the next read. */
#define SPOUT__LOOP_SCRATCH 65536u
char *spout__loop_scratch(struct spout_loop *loop);

#endif
