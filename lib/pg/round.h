/* SPDX-License-Identifier: MIT */
/*
 * Statements on a leased connection: sent together, answered in one round trip. Loop
 * thread, inside a coroutine, which may leave in it: the lease knows then (lease.h).
 *
 * Statements are prepared from their second use on, where the driver keeps a place for
 * them (plan.c); one whose place is taken on this connection runs unprepared.
 */
#ifndef SPOUT_PG_ROUND_H
#define SPOUT_PG_ROUND_H

#include "pg/lease.h"

/** One statement of a round, and what became of it. */
struct spout__pg_step {
	struct spout__pg_statement statement;
	struct spout_scope *scope; /* where its rows and its reason live */
	struct spout_rows *rows; /* takes the result; NULL: nobody wants it */
	bool sync;               /* outside a transaction: one of its own ends here */
	bool skipped;            /* not run: one before it failed */
	int error;               /* 0, or -errno with `reason` */
	char sqlstate[6];        /* "" if the error is not the server's */
	const char *reason;      /* static, or in the scope */
	uint64_t hash;           /* of the plan that it ran with; 0: none */
	unsigned place, commands;
};

/** Rows of the scope, without a result yet; released with it. NULL: out of memory. */
struct spout_rows *spout__pg_rows_new(struct spout_scope *scope);
/**
 * Encode a statement into a step whose other members are zero, with rows of the scope;
 * text and bytes are borrowed, or copied. Returns 0, or -errno with spout_error().
 */
int spout__step_set(struct spout_scope *scope, struct spout__pg_step *step,
    const char *sql, const struct spout_pg_param *params, size_t n_params, bool copy);
/** A text without parameters and rows, borrowed; never prepared, so that COMMIT cannot
 * fail for that. */
void spout__step_text(
    struct spout_scope *scope, struct spout__pg_step *step, const char *sql);

/**
 * Run them. Returns 0 when each step has its outcome, or -errno with spout_error() when
 * the connection was lost (the lease has none any more), or a result was too large. A
 * Sync follows the last one in any case.
 */
int spout__round_run(
    struct spout__pg_lease *lease, struct spout__pg_step *steps, unsigned n);

/* --- transaction.c ---------------------------------------------------------------- */

struct spout_pg_tx;

/* What may have to go before the statements of a transaction. */
#define SPOUT__TX_ROOM 18u

/**
 * Run `n` steps in a transaction, that are copied into `steps`, where there is room for
 * SPOUT__TX_ROOM more; their outcome is at its begin. As spout__round_run(), but also
 * fails when one of them did.
 */
int spout__tx_run(struct spout_pg_tx *tx, const struct spout__pg_step *more, unsigned n,
    struct spout__pg_step *steps);

#endif
