/* SPDX-License-Identifier: MIT */
/*
 * A connection for one coroutine: out of the driver's lanes, until it is given back.
 * Loop thread, inside a coroutine but where it is said.
 *
 * Who wants one waits in the line of the queries that run alone, for as long as they do
 * at most, and it is a unit of the pool like any other. The scope that took it gives it
 * back when it ends, whatever happens: as it is when nothing is under way on it, else a
 * db thread cancels what the server is at, reads what comes, rolls back, and closes it
 * when in doubt (cleanse.c).
 *
 *     waiting --spout__lease_take()--> held --given back, end of scope--> RESTING
 *                                       |             | not clean
 *                                       | lost        v
 *                                       +--> closed <-- CLEANING -------> RESTING
 *
 * A lease begins in pipeline mode, where statements.h works. COPY and rows one by one
 * need plain mode, and do their own talking to libpq, never waiting but here:
 *
 *     r = spout__lease_take(&lease, "spout_pg_copy_in");
 *     if (r == 0 && (r = spout__lease_plain(&lease)) == 0) {
 *             lease.busy = true;             (from the first byte on)
 *             PQsendQuery(spout__lease_pq(&lease), …);
 *             while (!done && (r = spout__lease_wait(&lease, SPOUT_READ, ms)) > 0)
 *                     PQconsumeInput(…), PQisBusy(…), PQgetResult(…) …
 *             lease.busy = false;            (everything was read)
 *     }
 *     spout__lease_give(&lease);
 *
 * A coroutine that leaves in the wait leaves `busy` set: that is how the driver knows.
 */
#ifndef SPOUT_PG_LEASE_H
#define SPOUT_PG_LEASE_H

#include "pg/driver.h"

struct spout__lease_wait;

/** Lives in the scope that takes it, or on its stack. */
struct spout__pg_lease {
	struct spout__hold hold;
	struct spout__pg_query request; /* its place in line */
	struct spout__pg_pipe *pipe;    /* NULL: it has no connection (any more) */
	const char *what;               /* who wants it; static text */
	struct spout__lease_wait *waiting;
	struct spout__pg_failure lost; /* why it has none any more */
	bool busy;   /* something was sent whose end has not been read */
	bool spoilt; /* the connection is to be closed: the session was changed */
};

/**
 * Wait for a connection. Returns 0, or -errno with spout_error(): -ENOBUFS (none became
 * free in time), -EHOSTDOWN, -ENOMEM; cleared by it. Must not move afterwards.
 */
int spout__lease_take(struct spout__pg_lease *lease, const char *what);
/** Give it back, also in the middle of things. Any number of times; never waits. */
void spout__lease_give(struct spout__pg_lease *lease);
/** Take it from who has it, with the reason that it will find: the connection is cleaned.
 * Not while a coroutine waits on it. Also outside a coroutine. */
void spout__lease_revoke(
    struct spout__pg_lease *lease, const struct spout__pg_failure *why);

/**
 * Wait for an OR of SPOUT_READ and SPOUT_WRITE on the socket, at most `ms`. Returns the
 * events, -ETIMEDOUT, or -EHOSTDOWN when there is no connection any more.
 */
int spout__lease_wait(struct spout__pg_lease *lease, unsigned events, uint64_t ms);
/** Out of pipeline mode, with nothing under way. Giving it back mends that. Returns 0 or
 * -EHOSTDOWN. */
int spout__lease_plain(struct spout__pg_lease *lease);
/** 0, or its error with spout_error() when there is no connection any more. */
int spout__lease_check(const struct spout__pg_lease *lease);

static inline PGconn *
spout__lease_pq(const struct spout__pg_lease *lease)
{
	return lease->pipe->conn->pq;
}

/* --- for the driver --------------------------------------------------------------- */

/** Its turn has come: `pipe` rests. */
void spout__lease_grant(struct spout__pg_lease *lease, struct spout__pg_pipe *pipe);
/** The socket of a leased connection is ready. */
void spout__lease_ready(struct spout__pg_pipe *pipe, unsigned events);
/** The pool ends: cut those that are held, so that nothing waits for them. */
void spout__lease_cut_all(struct spout__pg_driver *driver);
/** The pool has ended: there is no connection any more. */
void spout__lease_forget(struct spout__pg_pipe *pipe);

/* --- cleanse.c: on a db thread ---------------------------------------------------- */

/** Make a connection that was given back clean, or close it. Loop thread. */
void spout__cleanse(struct spout__pg_pipe *pipe);

#endif
