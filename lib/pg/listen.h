/* SPDX-License-Identifier: MIT */
/*
 * Listening: what listen.c (subscriptions) and listener.c (the connection) share. Loop
 * thread.
 *
 * A worker has one listener, made with the first subscription. Its connection is no place
 * of the pool:
 *
 *         +------ no channel for a while ------+
 *         v                                    |
 *        OFF --a channel--> CONNECTING --> READY --lost--+
 *                            ^     |                     |
 *                            |     +-------failed--------+--> PAUSING --+
 *                            +----------------- back-off ---------------+
 *
 * A channel is there as long as it has subscriptions or the server has to be told
 * something about it. One simple query at a time tells it all that is due:
 *
 *   ABSENT --LISTEN sent--> ASKED --done--> HEARD --UNLISTEN sent--> LEAVING --> ABSENT
 */
#ifndef SPOUT_PG_LISTEN_PRIVATE_H
#define SPOUT_PG_LISTEN_PRIVATE_H

#include <spout/pg_listen.h>

#include "pg/pool.h"

#define SPOUT__PG_CHANNEL_BYTES 64u /* NAMEDATALEN: with the NUL */
#define SPOUT__PG_CHANNEL_BUCKETS 256u

enum spout__pg_channel_state {
	SPOUT__CHANNEL_ABSENT,
	SPOUT__CHANNEL_ASKED,
	SPOUT__CHANNEL_HEARD,
	SPOUT__CHANNEL_LEAVING,
	SPOUT__CHANNEL_REFUSED, /* by the server; ABSENT again after a while */
};

struct spout__pg_channel {
	struct spout__list link; /* in listener->channels */
	struct spout__list due;  /* in listener->due, or listener->asked */
	struct spout__list subscriptions;
	struct spout__pg_channel *next; /* in its bucket */
	enum spout__pg_channel_state state;
	unsigned calls; /* callbacks on the stack: it stays */
	char name[SPOUT__PG_CHANNEL_BYTES];
};

enum spout__pg_listener_state {
	SPOUT__LISTENER_OFF,
	SPOUT__LISTENER_CONNECTING,
	SPOUT__LISTENER_READY,
	SPOUT__LISTENER_PAUSING,
};

struct spout__pg_listener {
	struct spout__pg *pg;
	struct spout__pg_conn conn; /* with a thread while CONNECTING */
	struct spout__job job;
	struct spout_fd_handler *handler;
	struct spout__timer timer; /* pause, answer that is due, look after it */
	struct spout__ready work;
	enum spout__pg_listener_state state;
	struct spout__list channels;
	struct spout__list due;   /* channels about which the server is to be told */
	struct spout__list asked; /* channels in the query that runs */
	struct spout__list fresh; /* subscriptions to channels that are heard already */
	bool running;             /* a query runs */
	bool one_by_one;          /* one of several was refused */
	bool lost;                /* to be closed as soon as the stack is unwound */
	bool was_lost;            /* and that was logged */
	bool stopped;
	unsigned n_subscriptions, backoff_ms;
	struct spout__pg_channel *buckets[SPOUT__PG_CHANNEL_BUCKETS];
};

/* --- listener.c ------------------------------------------------------------------- */

/** The listener of a pool, made now if there is none yet; NULL with errno. */
struct spout__pg_listener *spout__pg_listener_of(struct spout__pg *pg);
/** There is something to tell the server about the channel. */
void spout__pg_listener_due(
    struct spout__pg_listener *listener, struct spout__pg_channel *channel);
/** Somebody has subscribed to a channel that is heard already. */
void spout__pg_listener_kick(struct spout__pg_listener *listener);
/** Close its connection; subscriptions get no events any more. 0 or -ETIMEDOUT. Blocks.
 */
int spout__pg_listener_stop(struct spout__pg_listener *listener, uint64_t until_ms);
/** NULL is fine. After spout__pg_listener_stop(). */
void spout__pg_listener_free(struct spout__pg_listener *listener);

/* --- listen.c --------------------------------------------------------------------- */

/** Tell the subscriptions of a channel that it is heard, or heard again. */
void spout__pg_channel_announce(
    struct spout__pg_listener *listener, struct spout__pg_channel *channel);
/** The same for those that came later. */
void spout__pg_listener_announce_fresh(struct spout__pg_listener *listener);
/** A notification came in. */
void spout__pg_listener_deliver(
    struct spout__pg_listener *listener, const PGnotify *notification);
/** Free a channel that nobody needs any more, if that is so. */
void spout__pg_channel_settle(
    struct spout__pg_listener *listener, struct spout__pg_channel *channel);
/** The subscriptions of a listener that goes away get no events any more. */
void spout__pg_listener_send_off(struct spout__pg_listener *listener);

#endif
