/* SPDX-License-Identifier: MIT */
/*
 * The event loop: one per worker process, run by its main thread.
 *
 * Every call here belongs to the loop's own thread, except spout_loop_post(), which is
 * the one way for another thread to reach a loop. A loop refuses use after a fork
 * (abort with a message): make it after forking.
 *
 * A turn of the loop is: posts from other threads, events and timers, then everything
 * that became ready (callbacks, coroutines), then the end-of-turn work (output is
 * flushed, deferred frees are done). Nothing is freed while its callback may run.
 */
#ifndef SPOUT_LOOP_H
#define SPOUT_LOOP_H

#include <spout/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct spout_loop;
struct spout_timer;
struct spout_periodic;
struct spout_fd_handler;
struct spout_signal;
struct event_base;

typedef void (*spout_callback_fn)(void *arg);
typedef void (*spout_fd_fn)(int fd, unsigned events, void *arg);

/** What a descriptor is watched for, and what was seen. */
enum {
	SPOUT_READ = 1,
	SPOUT_WRITE = 2,
	SPOUT_CLOSED = 4, /* the peer closed, or closed its sending side */
};

/** Make a loop. Returns owned, or NULL with errno (ENOMEM, EMFILE). */
SPOUT_API struct spout_loop *spout_loop_new(void);
/** Free a loop that is not running. Watched descriptors are not closed. */
SPOUT_API void spout_loop_free(struct spout_loop *loop);
/** The loop of this thread, or NULL. (Tornado: IOLoop.current) */
SPOUT_API struct spout_loop *spout_loop_current(void);
/** Run until spout_loop_stop(). Returns 0, or -errno of the poll call. */
SPOUT_API int spout_loop_run(struct spout_loop *loop);
/** Leave spout_loop_run() at the end of this turn. Loop thread. */
SPOUT_API void spout_loop_stop(struct spout_loop *loop);
/** The libevent base underneath, for libraries that speak libevent. Borrowed. */
SPOUT_API struct event_base *spout_loop_event_base(struct spout_loop *loop);

/** Milliseconds of the monotonic clock, cached for the turn. (Tornado: IOLoop.time) */
SPOUT_API uint64_t spout_loop_now_ms(struct spout_loop *loop);
/** The text of a Date header for this second, RFC 9110 5.6.7. Borrowed, for this turn. */
SPOUT_API const char *spout_loop_http_date(struct spout_loop *loop);

/**
 * Call fn(arg) in this turn or the next, after the running callback has returned.
 * Calls are made in order. Returns 0 or -ENOMEM. (Tornado: IOLoop.add_callback)
 */
SPOUT_API SPOUT_MUST_CHECK int spout_loop_add_callback(struct spout_loop *loop,
    spout_callback_fn fn, void *arg);
/**
 * The same from another thread: fn(arg) is called on the loop's thread. Calls of one
 * thread are made in order; wake-ups are coalesced. Returns 0 or -ENOMEM.
 */
SPOUT_API SPOUT_MUST_CHECK int spout_loop_post(struct spout_loop *loop,
    spout_callback_fn fn, void *arg);

/**
 * Call fn(arg) once, `delay_ms` from now. Returns a timer that stays valid until it has
 * fired or was removed, or NULL (out of memory). (Tornado: IOLoop.call_later)
 */
SPOUT_API struct spout_timer *spout_loop_call_later(struct spout_loop *loop,
    uint64_t delay_ms, spout_callback_fn fn, void *arg);
/** Remove a timer that has not fired. (Tornado: IOLoop.remove_timeout) */
SPOUT_API void spout_loop_remove_timeout(struct spout_timer *timer);

/**
 * Call fn(arg) every `interval_ms`, on a fixed cadence: a turn that comes late does not
 * move the later ones, missed ones are skipped. `jitter` (0 to 1) varies each interval
 * by up to that part, half down and half up. Starts at once; owned by the caller.
 * Returns NULL for interval 0, a jitter out of range, or no memory.
 * (Tornado: PeriodicCallback)
 */
SPOUT_API struct spout_periodic *spout_periodic_start(struct spout_loop *loop,
    uint64_t interval_ms, double jitter, spout_callback_fn fn, void *arg);
/** Stop and free. May be called from its own callback. */
SPOUT_API void spout_periodic_stop(struct spout_periodic *periodic);

/**
 * Watch a descriptor (level-triggered). `events` is an OR of SPOUT_READ, _WRITE, _CLOSED.
 * Returns owned, or NULL with errno. Remove it before the descriptor is closed.
 * (Tornado: IOLoop.add_handler, update_handler, remove_handler)
 */
SPOUT_API struct spout_fd_handler *spout_loop_add_handler(struct spout_loop *loop, int fd,
    unsigned events, spout_fd_fn fn, void *arg);
SPOUT_API SPOUT_MUST_CHECK int spout_loop_update_handler(struct spout_fd_handler *handler,
    unsigned events);
SPOUT_API void spout_loop_remove_handler(struct spout_fd_handler *handler);

/**
 * Call fn(arg) on the loop whenever the signal arrives. Returns owned, or NULL with
 * errno. (Tornado: add_callback_from_signal)
 */
SPOUT_API struct spout_signal *spout_loop_add_signal(struct spout_loop *loop, int signo,
    spout_callback_fn fn, void *arg);
SPOUT_API void spout_loop_remove_signal(struct spout_signal *handler);

#ifdef __cplusplus
}
#endif

#endif
