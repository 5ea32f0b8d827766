/* SPDX-License-Identifier: MIT */
/*
 * PostgreSQL: several statements, one round trip, each with its own result.
 *
 *     struct spout_pg_batch *batch = spout_pg_batch_new(.transaction = true);
 *
 *     spout_pg_batch_add(batch, "UPDATE stock SET n = n - 1 WHERE id = $1", id);
 *     spout_pg_batch_add(batch, "INSERT INTO orders (item) VALUES ($1) RETURNING n", id);
 *     spout_pg_batch_run(batch);
 *     order = spout_row_int(spout_pg_batch_rows(batch, 1), 0, "n");
 *
 * What an error of one statement means to the others is chosen when the batch is made or
 * run:
 *
 *                            before it           behind it
 *   as it comes              done                run all the same
 *   .transaction = true      undone, -ECANCELED  not run, -ECANCELED
 *   spout_pg_batch_run_in()  stay in the         not run, -ECANCELED
 *                            transaction, which
 *                            can only roll back
 *
 * It runs on a connection of its own, for which it waits like a query, but in a
 * transaction that has one. COPY and statements that begin or end transactions do not
 * belong into it. Reads that are independent of each other need no batch: those of
 * spout_pg_query_async() travel together anyway. Inside a coroutine.
 */
#ifndef SPOUT_PG_BATCH_H
#define SPOUT_PG_BATCH_H

#include <spout/pg.h>
#include <spout/pg_transaction.h>

#ifdef __cplusplus
extern "C" {
#endif

struct spout_pg_batch;

struct spout_pg_batch_options {
	size_t size;      /* sizeof this struct, set by the macro */
	bool transaction; /* all of it, or nothing */
};

/** Make an empty one, which belongs to the running scope. Leaves with -ENOMEM. */
#define spout_pg_batch_new(...) \
	spout_pg_batch_new_with(&(struct spout_pg_batch_options){ \
	    .size = sizeof(struct spout_pg_batch_options), __VA_ARGS__ })
SPOUT_API struct spout_pg_batch *spout_pg_batch_new_with(
    const struct spout_pg_batch_options *options);

/**
 * Add a statement: spout_pg_batch_add(batch, sql, ...), as spout_pg_query(). Statement
 * and values are copied. Returns its number, from 0 on. Leaves with -ENOMEM, with
 * -ENOBUFS after 10,000 statements, and with -EINVAL when the batch has run.
 */
#define spout_pg_batch_add(batch, ...) \
	spout_pg_batch_add_with((batch), SPOUT_PG_ARGS(__VA_ARGS__))
SPOUT_API size_t spout_pg_batch_add_with(struct spout_pg_batch *batch, const char *sql,
    const struct spout_pg_param *params, size_t n_params);

/**
 * Run it, once, and wait until all of it is over. Leaves with the error of the first
 * statement that failed; the try form returns it (0: none did), and each one's own is
 * found with spout_try_pg_batch_rows(). When the connection is lost all of them fail,
 * also those that were done. Together the results have the limit of one query's.
 */
SPOUT_API void spout_pg_batch_run(struct spout_pg_batch *batch);
SPOUT_API SPOUT_MUST_CHECK int spout_try_pg_batch_run(struct spout_pg_batch *batch);
/** The same inside a transaction; .transaction makes no difference then. */
SPOUT_API void spout_pg_batch_run_in(
    struct spout_pg_batch *batch, struct spout_pg_tx *tx);
SPOUT_API SPOUT_MUST_CHECK int spout_try_pg_batch_run_in(
    struct spout_pg_batch *batch, struct spout_pg_tx *tx);

/** How many statements it has. */
SPOUT_API size_t spout_pg_batch_count(const struct spout_pg_batch *batch);
/**
 * The rows of a statement of a batch that has run; they live as long as the batch.
 * Leaves with the error of that statement, or -EINVAL when there is none of that number.
 */
SPOUT_API struct spout_rows *spout_pg_batch_rows(struct spout_pg_batch *batch, size_t i);
/** The same, but NULL with errno; see spout_error(), spout_pg_sqlstate(). */
SPOUT_API SPOUT_MUST_CHECK struct spout_rows *spout_try_pg_batch_rows(
    struct spout_pg_batch *batch, size_t i);

#ifdef __cplusplus
}
#endif

#endif
