/* SPDX-License-Identifier: MIT */
/*
 * Queues between coroutines of one loop: first in first out, last in first out, or by
 * priority. Loop thread only.
 *
 * A queue has a size, fixed when it is made: who puts into a full one waits (back-
 * pressure). Items are copies of a fixed number of bytes: small structs go in as they
 * are, bigger things as pointers, which change owners with the item.
 *
 * Waiting is as for locks (spout/locks.h): in line on either side, nobody overtakes, it
 * ends with cancellation or deadline, and it allocates nothing. A put that did not return
 * has put nothing; a get that did not return has taken nothing: the item goes to the
 * next.
 *
 * Life cycle: spout_queue_new() makes one in the running coroutine's scope and leaves
 * with -ENOMEM or -EINVAL; spout_queue_new_in(scope, …) makes one in a given scope, or,
 * with NULL for a scope, one that lives until spout_queue_free(); NULL when it cannot.
 *
 *     static void
 *     worker(void *arg)
 *     {
 *         struct spout_queue *queue = *(struct spout_queue **)arg;
 *         struct page page;
 *
 *         while (spout_queue_get(queue, &page)) {
 *             if (spout_try_scope_run(fetch, &page) < 0)
 *                 spout_warning("%s: %s", page.url, spout_error());
 *             spout_queue_task_done(queue);
 *         }
 *     }
 */
#ifndef SPOUT_QUEUE_H
#define SPOUT_QUEUE_H

#include <spout/async.h>
#include <spout/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct spout_queue;

enum spout_queue_order {
	SPOUT_QUEUE_FIFO,     /* Tornado: queues.Queue */
	SPOUT_QUEUE_LIFO,     /* Tornado: queues.LifoQueue */
	SPOUT_QUEUE_PRIORITY, /* Tornado: queues.PriorityQueue; equals come first in first
			       * out */
};

struct spout_queue_options {
	size_t size;          /* sizeof this struct, set by the macro */
	size_t capacity;      /* items at most; at least 1 */
	size_t item_bytes;    /* of one item; at least 1 */
	enum spout_queue_order order;
	/* For SPOUT_QUEUE_PRIORITY: < 0 if `a` comes before `b`, as for qsort(). */
	int (*compare)(const void *a, const void *b);
	/* An item that is still inside when the queue goes away. May not wait or fail. */
	void (*on_drop)(void *item);
};

/** spout_queue_new(.capacity = 100, .item_bytes = sizeof(struct page)) */
#define spout_queue_new(...) spout_queue_new_with(SPOUT_QUEUE_OPTIONS_(__VA_ARGS__))
#define spout_queue_new_in(scope, ...) \
	spout_queue_new_in_with((scope), SPOUT_QUEUE_OPTIONS_(__VA_ARGS__))
#define SPOUT_QUEUE_OPTIONS_(...) \
	(&(struct spout_queue_options){ \
	    .size = sizeof(struct spout_queue_options), __VA_ARGS__ })
SPOUT_API struct spout_queue *spout_queue_new_with(
    const struct spout_queue_options *options);
SPOUT_API struct spout_queue *spout_queue_new_in_with(struct spout_scope *scope,
    const struct spout_queue_options *options);
/** Whoever still waits gets -ECANCELED. */
SPOUT_API void spout_queue_free(struct spout_queue *queue);

/** Copy an item into the queue; waits while it is full. Leaves with -EPIPE when
 * closed. */
SPOUT_API void spout_queue_put(struct spout_queue *queue, const void *item);
/** The same, at most `ms`: 0, -ETIMEDOUT, -EPIPE when closed, -ECANCELED when gone. */
SPOUT_API SPOUT_MUST_CHECK int spout_try_queue_put(struct spout_queue *queue,
    const void *item, uint64_t ms);
/** Without waiting, anywhere on the loop's thread: 0, -ENOBUFS when full, or -EPIPE. */
SPOUT_API SPOUT_MUST_CHECK int spout_queue_put_now(struct spout_queue *queue,
    const void *item);

/** Take an item; waits while there is none. False when it is closed and empty. */
SPOUT_API bool spout_queue_get(struct spout_queue *queue, void *ret_item);
/** The same, at most `ms`: 0, -ETIMEDOUT, -EPIPE when closed and empty, -ECANCELED. */
SPOUT_API SPOUT_MUST_CHECK int spout_try_queue_get(struct spout_queue *queue,
    void *ret_item, uint64_t ms);
/** Without waiting, anywhere on the loop's thread: 0, -EAGAIN when empty, or -EPIPE. */
SPOUT_API SPOUT_MUST_CHECK int spout_queue_get_now(struct spout_queue *queue,
    void *ret_item);

/**
 * No more puts: they give -EPIPE, those too that wait. Gets go on until the queue is
 * empty. Once closed it stays so.
 */
SPOUT_API void spout_queue_close(struct spout_queue *queue);
SPOUT_API bool spout_queue_is_closed(const struct spout_queue *queue);

/** Items inside, among them such as are promised to a get that has not resumed. */
SPOUT_API size_t spout_queue_count(const struct spout_queue *queue);
SPOUT_API size_t spout_queue_capacity(const struct spout_queue *queue);

/**
 * The work on an item that was taken is done. Anywhere. A consumer that may leave in the
 * middle of it does the work in a child scope, or calls this from a clean-up.
 * Returns 0, or -EINVAL (and a warning) when every item put in is accounted for.
 */
SPOUT_API int spout_queue_task_done(struct spout_queue *queue);
/** Wait until spout_queue_task_done() was called for every item that was put in. */
SPOUT_API void spout_queue_join(struct spout_queue *queue);
SPOUT_API SPOUT_MUST_CHECK int spout_try_queue_join(
    struct spout_queue *queue, uint64_t ms);

#ifdef __cplusplus
}
#endif

#endif
