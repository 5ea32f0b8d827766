/* SPDX-License-Identifier: MIT */
/*
 * PostgreSQL: transactions of a coroutine.
 *
 * A transaction takes a connection for itself until it ends; its statements run on the
 * loop, one after the other, like those of spout_pg_query(), and the coroutine may do
 * anything else in between:
 *
 *     struct spout_pg_tx *tx = spout_pg_begin(.isolation = SPOUT_PG_SERIALIZABLE);
 *
 *     rows = spout_pg_tx_query(tx, "SELECT balance FROM accounts WHERE id = $1", from);
 *     if (spout_row_int(rows, 0, "balance") < amount)
 *             spout_fail(req, 409, "not enough");          (rolls back)
 *     spout_pg_tx_query(tx, "UPDATE accounts SET …", amount, from);
 *     spout_pg_commit(tx);
 *
 * What is not committed is rolled back: by spout_pg_rollback(), and when the scope ends
 * for whichever reason (an error, the deadline, a client that went away). BEGIN goes out
 * together with the first statement: a transaction costs one round trip for each
 * statement and one for COMMIT.
 *
 * After an error the server takes no more statements but those that roll back; further
 * calls fail with the first error. A transaction inside a transaction (spout_pg_nest) is
 * a savepoint: rolling it back undoes what was done in it, errors included, and the
 * outer one goes on.
 *
 * While it has a transaction, a coroutine that wants a second connection (spout_pg_query,
 * another transaction) can wait for one that waits for its own: keep to one at a time,
 * or --db-connections has to be larger than the number of those that hold one.
 *
 * Errors are those of spout/pg.h. -EAGAIN is the one worth a retry of the whole; see
 * spout_pg_atomic(). All functions belong inside a coroutine, and one coroutine at a time
 * uses a transaction.
 */
#ifndef SPOUT_PG_TRANSACTION_H
#define SPOUT_PG_TRANSACTION_H

#include <spout/pg.h>

#ifdef __cplusplus
extern "C" {
#endif

struct spout_pg_tx;

struct spout_pg_begin_options {
	size_t size; /* sizeof this struct, set by the macro */
	enum spout_pg_isolation isolation;
	bool read_only;
	bool deferrable; /* with serializable and read_only: wait for a safe snapshot */
	/* A transaction that has no statement for so long is rolled back, and further
	 * calls fail with -ETIMEDOUT, SQLSTATE 25P03. [8000] */
	unsigned idle_ms;
	/* For spout_pg_atomic(): how often to run the function again after a
	 * serialization failure (40001) or a deadlock (40P01), with a growing pause. [0]
	 */
	unsigned retries;
};

/**
 * Take a connection for a transaction; waits for one like a query. It belongs to the
 * running scope. Leaves when there is none in time (-ENOBUFS), or no database.
 */
#define spout_pg_begin(...) \
	spout_pg_begin_with(&(struct spout_pg_begin_options){ \
	    .size = sizeof(struct spout_pg_begin_options), __VA_ARGS__ })
/** The same, but NULL with errno when it fails. */
#define spout_try_pg_begin(...) \
	spout_try_pg_begin_with(&(struct spout_pg_begin_options){ \
	    .size = sizeof(struct spout_pg_begin_options), __VA_ARGS__ })
SPOUT_API struct spout_pg_tx *spout_pg_begin_with(
    const struct spout_pg_begin_options *options);
SPOUT_API SPOUT_MUST_CHECK struct spout_pg_tx *spout_try_pg_begin_with(
    const struct spout_pg_begin_options *options);

/**
 * Run one statement in it and wait: spout_pg_tx_query(tx, sql, ...), as spout_pg_query().
 * The rows live until the running scope ends, also when it is rolled back. Any statement
 * but COPY and those that begin or end transactions; settings want SET LOCAL, or they
 * outlive it on the connection.
 */
#define spout_pg_tx_query(tx, ...) \
	spout_pg_tx_query_with((tx), SPOUT_PG_ARGS(__VA_ARGS__))
/** The same, but NULL with errno when it fails; see spout_error(), spout_pg_sqlstate().
 */
#define spout_try_pg_tx_query(tx, ...) \
	spout_try_pg_tx_query_with((tx), SPOUT_PG_ARGS(__VA_ARGS__))
SPOUT_API struct spout_rows *spout_pg_tx_query_with(struct spout_pg_tx *tx,
    const char *sql, const struct spout_pg_param *params, size_t n_params);
SPOUT_API SPOUT_MUST_CHECK struct spout_rows *spout_try_pg_tx_query_with(
    struct spout_pg_tx *tx, const char *sql, const struct spout_pg_param *params,
    size_t n_params);

/**
 * End it and keep what it did. Fails, with everything undone, after an error that was
 * overlooked, or when the server finds one now (deferred constraints, serialization).
 * When the connection is lost meanwhile (-EHOSTDOWN), it may have taken effect, or not.
 * For a nested one: release the savepoint.
 */
SPOUT_API void spout_pg_commit(struct spout_pg_tx *tx);
SPOUT_API SPOUT_MUST_CHECK int spout_try_pg_commit(struct spout_pg_tx *tx);
/**
 * End it and undo what it did. The outermost: gives the connection back, and never fails;
 * no-op if it is over. A nested one: back to the savepoint; leaves with -EHOSTDOWN when
 * the connection is lost.
 */
SPOUT_API void spout_pg_rollback(struct spout_pg_tx *tx);

/**
 * Begin a transaction inside another, which must not be used until this one has ended.
 * Does not wait: the savepoint is set with the first statement. At most 64 deep, -EINVAL.
 * It belongs to the running scope, too, but ends with the outer one only.
 */
SPOUT_API struct spout_pg_tx *spout_pg_nest(struct spout_pg_tx *outer);

/** Called with the transaction; ends by returning, or by leaving. */
typedef void (*spout_pg_tx_fn)(struct spout_pg_tx *tx, void *arg);

/**
 * Begin, run fn(tx, arg) in a scope of its own, commit. When fn leaves: roll back, and
 * leave with its error; after 40001 and 40P01 run it again, up to `retries` times, so it
 * must bear that. `arg` is borrowed, and the way to hand results out: what fn allocates,
 * rows included, ends with it. fn may not commit or roll back `tx` itself.
 *
 *     spout_pg_atomic(transfer, &order, .isolation = SPOUT_PG_SERIALIZABLE,
 *         .retries = 5);
 */
#define spout_pg_atomic(fn, arg, ...) \
	spout_pg_atomic_with((fn), (arg), #fn, \
	    &(struct spout_pg_begin_options){ \
		.size = sizeof(struct spout_pg_begin_options), ##__VA_ARGS__ })
#define spout_try_pg_atomic(fn, arg, ...) \
	spout_try_pg_atomic_with((fn), (arg), #fn, \
	    &(struct spout_pg_begin_options){ \
		.size = sizeof(struct spout_pg_begin_options), ##__VA_ARGS__ })
SPOUT_API void spout_pg_atomic_with(spout_pg_tx_fn fn, void *arg, const char *name,
    const struct spout_pg_begin_options *options);
SPOUT_API SPOUT_MUST_CHECK int spout_try_pg_atomic_with(spout_pg_tx_fn fn, void *arg,
    const char *name, const struct spout_pg_begin_options *options);
/** The same inside a transaction: a savepoint around fn; no retries. */
#define spout_pg_nested(outer, fn, arg) spout_pg_nested_with((outer), (fn), (arg), #fn)
#define spout_try_pg_nested(outer, fn, arg) \
	spout_try_pg_nested_with((outer), (fn), (arg), #fn)
SPOUT_API void spout_pg_nested_with(
    struct spout_pg_tx *outer, spout_pg_tx_fn fn, void *arg, const char *name);
SPOUT_API SPOUT_MUST_CHECK int spout_try_pg_nested_with(
    struct spout_pg_tx *outer, spout_pg_tx_fn fn, void *arg, const char *name);

#ifdef __cplusplus
}
#endif

#endif
