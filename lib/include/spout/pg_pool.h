/* SPDX-License-Identifier: MIT */
/*
 * The pool of connections of a worker: its figures, and a hand on it while it runs.
 *
 * A pause is for a restart of the server or of what stands before it: nothing more is
 * sent, what is under way ends, and each connection is closed as soon as it is free. Who
 * wants something of the database waits, for as long as its own deadline allows; the
 * acquire time-out does not count. When `open` is 0 nothing of this worker is left on
 * the server.
 *
 * POST /database/pause, /database/resume and /database/reconnect on the admin address do
 * the same in all workers, the ones that start later included.
 *
 * Loop thread; nothing here suspends. Without a database: -EHOSTDOWN.
 */
#ifndef SPOUT_PG_POOL_PUBLIC_H
#define SPOUT_PG_POOL_PUBLIC_H

#include <spout/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Figures of now, and totals since this worker started. */
struct spout_pg_pool_stats {
	unsigned places;  /* --db-connections: so many at most */
	unsigned open;    /* logged in */
	unsigned in_use;  /* a statement, a function or a transaction has it */
	unsigned idle;    /* open and not in use */
	unsigned waiting; /* queries, functions and transactions that wait in line */
	bool down;        /* the last attempt to connect failed */
	bool paused;
	uint64_t acquires; /* that got a connection, or a share of one */
	uint64_t waited_us; /* … all of them together */
	uint64_t acquire_timeouts, queries, errors;
	uint64_t connects, connect_failures, cancels;
};

/** Fill in the figures. Returns 0 or -EHOSTDOWN. */
SPOUT_API int spout_pg_pool_get_stats(struct spout_pg_pool_stats *ret_stats);

/** Send nothing more. Any number of times. Returns 0 or -EHOSTDOWN. */
SPOUT_API int spout_pg_pool_pause(void);
/** Go on. Returns 0 or -EHOSTDOWN. */
SPOUT_API int spout_pg_pool_resume(void);
/**
 * Replace every connection as soon as it is free, and look its server up again: for
 * settings of roles and databases, or servers that have moved. Returns 0 or -EHOSTDOWN.
 */
SPOUT_API int spout_pg_pool_reconnect(void);

#ifdef __cplusplus
}
#endif

#endif
