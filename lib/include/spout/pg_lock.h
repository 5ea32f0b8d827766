/* SPDX-License-Identifier: MIT */
/*
 * PostgreSQL: advisory locks. Locks of the application's own making, by number or by
 * name, that one session of the database holds at a time (or many, shared), across
 * workers and hosts:
 *
 *     struct spout_pg_lock *lock = spout_try_pg_lock_now("nightly report");
 *
 *     if (lock == NULL)
 *             return;                              (somebody else is at it)
 *     make_report();
 *     spout_pg_unlock(lock);
 *
 * A lock of this kind takes a connection of the pool for as long as it is held. One
 * inside a transaction takes none, and ends with that. Either is given up when the scope
 * ends for whichever reason, and by the server when the connection is lost, which its
 * holder is not told: it orders work, it does not protect what must never happen twice.
 * Not through pgbouncer in transaction mode, but for those of transactions.
 *
 * Errors are those of spout/pg.h. -EAGAIN: somebody else has it. Inside a coroutine.
 */
#ifndef SPOUT_PG_LOCK_H
#define SPOUT_PG_LOCK_H

#include <spout/pg_transaction.h>

#ifdef __cplusplus
extern "C" {
#endif

struct spout_pg_lock;

/**
 * The number that a name stands for: the first 64 bits of its SHA-256, so that all
 * programs that ask here have the same.
 */
SPOUT_API int64_t spout_pg_lock_key(const char *name);

struct spout_pg_lock_options {
	size_t size;         /* sizeof this struct, set by the macro */
	int64_t key;         /* instead of a name, which is NULL then */
	bool shared;         /* with others that share it, not with one that does not */
	unsigned timeout_ms; /* longest wait for it [the coroutine's deadline] */
};

/**
 * Take a lock, and wait for it: for a connection at first, then for who has it, up to
 * .timeout_ms (-EAGAIN). It belongs to the running scope. Leaves when it cannot be had.
 */
#define spout_pg_lock(name, ...) \
	spout_pg_lock_with((name), &(struct spout_pg_lock_options){ \
	    .size = sizeof(struct spout_pg_lock_options), ##__VA_ARGS__ })
/** The same, but NULL with errno when it fails. */
#define spout_try_pg_lock(name, ...) \
	spout_try_pg_lock_with((name), &(struct spout_pg_lock_options){ \
	    .size = sizeof(struct spout_pg_lock_options), ##__VA_ARGS__ })
/** The same without waiting for who has it: NULL with EAGAIN. */
#define spout_try_pg_lock_now(name, ...) \
	spout_try_pg_lock_now_with((name), &(struct spout_pg_lock_options){ \
	    .size = sizeof(struct spout_pg_lock_options), ##__VA_ARGS__ })
SPOUT_API struct spout_pg_lock *spout_pg_lock_with(
    const char *name, const struct spout_pg_lock_options *options);
SPOUT_API SPOUT_MUST_CHECK struct spout_pg_lock *spout_try_pg_lock_with(
    const char *name, const struct spout_pg_lock_options *options);
SPOUT_API SPOUT_MUST_CHECK struct spout_pg_lock *spout_try_pg_lock_now_with(
    const char *name, const struct spout_pg_lock_options *options);

/**
 * Does its connection still live, as far as one round trip can tell? A holder that works
 * for long asks now and then: false means that somebody else may have the lock by now.
 */
SPOUT_API bool spout_pg_lock_held(struct spout_pg_lock *lock);
/** Give it up and the connection back; no-op if that has happened. Suspends, never fails.
 */
SPOUT_API void spout_pg_unlock(struct spout_pg_lock *lock);

/** Take a lock that ends with the transaction; waits. Returns 0 or -errno. */
#define spout_try_pg_tx_lock(tx, name, ...) \
	spout_try_pg_tx_lock_with((tx), (name), &(struct spout_pg_lock_options){ \
	    .size = sizeof(struct spout_pg_lock_options), ##__VA_ARGS__ })
/**
 * The same without waiting: -EAGAIN when somebody else has it, which leaves the
 * transaction as it is. A time-out of the waiting form fails the transaction.
 */
#define spout_try_pg_tx_lock_now(tx, name, ...) \
	spout_try_pg_tx_lock_now_with((tx), (name), &(struct spout_pg_lock_options){ \
	    .size = sizeof(struct spout_pg_lock_options), ##__VA_ARGS__ })
SPOUT_API SPOUT_MUST_CHECK int spout_try_pg_tx_lock_with(struct spout_pg_tx *tx,
    const char *name, const struct spout_pg_lock_options *options);
SPOUT_API SPOUT_MUST_CHECK int spout_try_pg_tx_lock_now_with(struct spout_pg_tx *tx,
    const char *name, const struct spout_pg_lock_options *options);

#ifdef __cplusplus
}
#endif

#endif
