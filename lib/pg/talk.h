/* SPDX-License-Identifier: MIT */
/*
 * One statement in libpq's plain protocol on a leased connection: what rows one by one
 * and COPY have in common. Loop thread, inside a coroutine.
 *
 * Each call returns 0 (or more), or -errno with spout_error(). After an error the lease
 * has been given back, with everything that was on its way; further calls say the same
 * again. Nothing is read that was not asked for: what libpq holds is one result or row,
 * and what came in with it.
 */
#ifndef SPOUT_PG_TALK_H
#define SPOUT_PG_TALK_H

#include "pg/lease.h"

/** Take a connection and send a statement on it. */
int spout__talk_begin(struct spout__pg_lease *lease, const char *what, const char *sql,
    const struct spout_pg_param *params, size_t n_params);
/** The same without parameters and in the simple protocol, as COPY has it. */
int spout__talk_begin_simple(
    struct spout__pg_lease *lease, const char *what, const char *sql);
/** Wait until everything that was sent is on its way. */
int spout__talk_flush(struct spout__pg_lease *lease);
/** Wait for an OR of SPOUT_READ and SPOUT_WRITE; returns what came. */
int spout__talk_wait(struct spout__pg_lease *lease, unsigned events);
/** 0, or -EMSGSIZE with the lease given back: libpq is at times faster at reading a row
 * than can be seen from outside, so it is looked at once more when it is whole. */
int spout__talk_check_row(struct spout__pg_lease *lease, const PGresult *row);
/** Wait until there may be more to read, and read it. */
int spout__talk_read(struct spout__pg_lease *lease);
/** Wait for the next result, owned; NULL after the last one. One that is larger than
 * max_result_bytes is -EMSGSIZE. */
int spout__talk_result(struct spout__pg_lease *lease, PGresult **ret_result);
/** Read to the end and give the connection back. An error on the way is returned. */
int spout__talk_end(struct spout__pg_lease *lease);
/** The server refused, says the result (taken over): the same, with that error. */
int spout__talk_refused(struct spout__pg_lease *lease, PGresult *result);
/** The connection is of no use any more. */
int spout__talk_lost(struct spout__pg_lease *lease);
/** Give it back as it is, for a reason of ours. */
int spout__talk_drop(struct spout__pg_lease *lease, int error, const char *fmt, ...)
    SPOUT_PRINTF(3, 4);

#endif
