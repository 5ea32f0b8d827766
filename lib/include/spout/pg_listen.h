/* SPDX-License-Identifier: MIT */
/*
 * LISTEN and NOTIFY of PostgreSQL: short messages between all that use one database.
 *
 *     struct spout_pg_subscription *jobs = spout_pg_listen("jobs");
 *
 *     for (;;) {
 *         const struct spout_pg_event *event = spout_pg_next_event(jobs);
 *
 *         if (event->kind == SPOUT_PG_NOTIFICATION)
 *             work_on(event->payload);
 *         else
 *             look_for_work();       (what was notified while nobody listened)
 *     }
 *
 * A worker that listens to anything has one connection for that, besides those of
 * --db-connections: reckon with one more per worker in max_connections. It comes with the
 * first subscription, serves all channels, and goes when there has been none for a while.
 * It is looked after: TCP keep-alive, a question to the server when nothing was heard for
 * 30 s, and when it is lost another one, after 0.1 s, then 0.2 s and so on up to 5 s.
 *
 * PostgreSQL keeps nothing for those who do not listen. So each subscription begins with
 * SPOUT_PG_LISTENING, from which on nothing is missed, and after each loss of the
 * connection comes SPOUT_PG_GAP: either is the moment to look into the tables. Through a
 * pooler in transaction mode LISTEN does not work: it needs the server itself.
 *
 * A notification is sent when its transaction commits, in the order of the commits, and
 * equal ones of a transaction are sent once. Every commit that notifies takes a lock of
 * the whole database, and every backend that listens is woken: good for hundreds of
 * messages a second, not for many thousands.
 *
 * Loop thread.
 */
#ifndef SPOUT_PG_LISTEN_H
#define SPOUT_PG_LISTEN_H

#include <spout/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum spout_pg_event_kind {
	SPOUT_PG_NOTIFICATION,
	/* From now on nothing is missed: the first event of a subscription. */
	SPOUT_PG_LISTENING,
	/* The connection was lost, and is there again: something may have been missed. */
	SPOUT_PG_GAP,
	/* The queue of the subscription was full: `lost` events were dropped here. */
	SPOUT_PG_OVERFLOW,
};

struct spout_pg_event {
	enum spout_pg_event_kind kind;
	const char *channel;
	const char *payload; /* a string of at most 7999 bytes; "" for other kinds */
	size_t len;          /* of the payload */
	uint64_t lost;
	/* The server process whose session sent it; 0 if it is no notification. */
	int pid;
	/* That session is, or was just now, one of this worker's pool. A guess by its
	 * pid: who must know for certain puts a mark of its own into the payload. */
	bool own;
};

struct spout_pg_subscription;

/** Called on the loop's stack: may not wait. `what` is valid until it returns. */
typedef void (*spout_pg_event_fn)(const struct spout_pg_event *what, void *arg);

struct spout_pg_listen_options {
	size_t size; /* sizeof this struct, set by the macro */
	/* What may wait in the queue. Beyond, everything is dropped until the queue has
	 * been read to its end; there SPOUT_PG_OVERFLOW tells how much that was. */
	size_t max_events; /* [1024] */
	size_t max_bytes;  /* of their payloads [1 MiB] */
};

/**
 * Subscribe to a channel: 1 to 63 bytes of UTF-8, taken as they are (LISTEN orders means
 * channel "orders", and so does LISTEN ORDERS: unquoted names of SQL are in small
 * letters). Does not wait. Belongs to the running scope, which ends it. Any number of
 * subscriptions may share a channel; each gets every event.
 *
 * -EINVAL (no such name), -EHOSTDOWN (no database configured), -ENOBUFS (65536
 * subscriptions), -ECANCELED (the worker stops), -ENOMEM. A database that is down is no
 * error. A channel that the server refuses is logged, and tried again.
 */
#define spout_pg_listen(channel, ...) \
	spout_pg_listen_with((channel), SPOUT_PG_LISTEN_OPTIONS_(__VA_ARGS__))
#define spout_try_pg_listen(channel, ...) \
	spout_try_pg_listen_with((channel), SPOUT_PG_LISTEN_OPTIONS_(__VA_ARGS__))
#define SPOUT_PG_LISTEN_OPTIONS_(...) \
	(&(struct spout_pg_listen_options){ \
	    .size = sizeof(struct spout_pg_listen_options), ##__VA_ARGS__ })
SPOUT_API struct spout_pg_subscription *spout_pg_listen_with(
    const char *channel, const struct spout_pg_listen_options *options);
/** NULL with errno when it fails. */
SPOUT_API SPOUT_MUST_CHECK struct spout_pg_subscription *spout_try_pg_listen_with(
    const char *channel, const struct spout_pg_listen_options *options);

/**
 * Wait for the next event of the subscription; valid until the next call, or the end of
 * the subscription. One coroutine at a time. Leaves with -ECANCELED when the worker
 * stops.
 */
SPOUT_API const struct spout_pg_event *spout_pg_next_event(
    struct spout_pg_subscription *subscription);
/** The same, at most `ms`: NULL with ETIMEDOUT or ECANCELED in errno. */
SPOUT_API SPOUT_MUST_CHECK const struct spout_pg_event *spout_try_pg_next_event(
    struct spout_pg_subscription *subscription, uint64_t ms);

/**
 * Subscribe with a callback instead of a queue: anywhere on the loop's thread, in no
 * scope, until spout_pg_unlisten(). It is not called before this returns. It may
 * subscribe, unsubscribe and spawn. NULL with errno: as above.
 */
SPOUT_API SPOUT_MUST_CHECK struct spout_pg_subscription *spout_pg_listen_callback(
    const char *channel, spout_pg_event_fn fn, void *arg);

/**
 * End a subscription, at once: no event comes after it. For those with a queue only if
 * that is to be before the end of their scope. NULL is fine. Anywhere on the loop's
 * thread, also in a callback, its own included.
 */
SPOUT_API void spout_pg_unlisten(struct spout_pg_subscription *subscription);

/**
 * Send a notification, in a transaction of its own, and wait until it is committed.
 * `payload` NULL means "". -EINVAL for a channel as above, -EMSGSIZE for more than 7999
 * bytes; else as spout_pg_query(). Inside of a transaction: SELECT pg_notify($1, $2).
 */
SPOUT_API void spout_pg_notify(const char *channel, const char *payload);
SPOUT_API SPOUT_MUST_CHECK int spout_try_pg_notify(
    const char *channel, const char *payload);

#ifdef __cplusplus
}
#endif

#endif
