/* SPDX-License-Identifier: MIT */
/*
 * Advisory locks (spout/pg_lock.h). Loop thread.
 *
 * One of a session lives on a lease, whose connection is spoilt for as long as the server
 * might hold the lock: whoever leaves in between has it closed, and the lock goes with
 * the session. Only an unlock that the server has confirmed makes it good again.
 */
#include "config.h"

#include <spout/pg_lock.h>

#include <errno.h>
#include <stdio.h>

#include <spout/crypto.h>

#include "pg/round.h"

/* The time-out holds for this one statement: its transaction has no other. */
#define WAIT(function) \
	"SELECT set_config('lock_timeout', $2::text, true), " function "($1::bigint)"
/* In a transaction of others it is put back. The server works from left to right. */
#define WAIT_IN(function) \
	"SELECT set_config('spout.lock_timeout', current_setting('lock_timeout')," \
	" true)," \
	" set_config('lock_timeout', $2::text, true), " function "($1::bigint)," \
	" set_config('lock_timeout', current_setting('spout.lock_timeout'), true)"
#define ASK(function) "SELECT " function "($1::bigint) AS done"
#define NOT_FREE "somebody else has the lock"

/* By .shared. */
static const char *const wait_sql[] = { WAIT("pg_advisory_lock"),
	WAIT("pg_advisory_lock_shared") };
static const char *const try_sql[] = { ASK("pg_try_advisory_lock"),
	ASK("pg_try_advisory_lock_shared") };
static const char *const unlock_sql[] = { ASK("pg_advisory_unlock"),
	ASK("pg_advisory_unlock_shared") };
static const char *const tx_wait_sql[] = { WAIT_IN("pg_advisory_xact_lock"),
	WAIT_IN("pg_advisory_xact_lock_shared") };
static const char *const tx_try_sql[] = { ASK("pg_try_advisory_xact_lock"),
	ASK("pg_try_advisory_xact_lock_shared") };

struct spout_pg_lock {
	struct spout__pg_lease lease;
	int64_t key;
	bool shared;
};

int64_t
spout_pg_lock_key(const char *name)
{
	struct spout_sha256 *sha256 = spout_sha256_new();
	unsigned char digest[SPOUT_SHA256_SIZE];
	uint64_t key = 0;
	int r = -ENOMEM;
	size_t i;

	if (sha256 != NULL)
		r = spout_sha256_update(sha256, name, strlen(name));
	if (r == 0)
		r = spout_sha256_final(sha256, digest);
	spout_sha256_free(sha256);
	if (r < 0)
		spout__co_leave(r, 0, "out of memory (key of a lock)");
	for (i = 0; i < sizeof(key); i++)
		key = key << 8 | digest[i];
	return (int64_t)key;
}

static struct spout_pg_lock_options
options_of(const char *name, const struct spout_pg_lock_options *given)
{
	struct spout_pg_lock_options options = { 0 };

	memcpy(&options, given,
	    given->size < sizeof(options) ? given->size : sizeof(options));
	if (name != NULL)
		options.key = spout_pg_lock_key(name);
	return options;
}

/* --- of a session ----------------------------------------------------------------- */

/* One statement on the connection of a lock. Returns 0 or -errno with spout_error(). */
static int
run(struct spout_pg_lock *lock, const char *sql, const struct spout_pg_param *params,
    size_t n_params, struct spout_rows **ret_rows)
{
	struct spout_scope *scope = spout_scope_current();
	struct spout__pg_step step = { 0 };
	int r = spout__step_set(scope, &step, sql, params, n_params, false);

	if (r == 0)
		r = spout__round_run(&lock->lease, &step, 1);
	if (r == 0 && step.error != 0)
		r = spout__co_error(step.error, "%s", step.reason);
	*ret_rows = step.rows;
	return r;
}

/* Ask for it. Returns 1: had, 0: somebody else has it, or -errno. */
static int
ask(struct spout_pg_lock *lock, const char *sql, unsigned timeout_ms, bool wait)
{
	char limit[16];
	const struct spout_pg_param params[] = { spout_pg_param_int(lock->key),
		spout_pg_param_text(limit) };
	struct spout_rows *rows;
	int r;

	snprintf(limit, sizeof(limit), "%u", timeout_ms);
	lock->lease.spoilt = true;
	r = run(lock, sql, params, wait ? 2 : 1, &rows);
	if (r < 0)
		return r;
	if (wait || spout_row_bool(rows, 0, "done"))
		return 1;
	lock->lease.spoilt = false;
	return 0;
}

static struct spout_pg_lock *
take(const char *name, const struct spout_pg_lock_options *given, bool wait)
{
	struct spout_pg_lock_options options = options_of(name, given);
	struct spout_pg_lock *lock = spout_alloc(sizeof(*lock));
	int r = spout__lease_take(&lock->lease, "spout_pg_lock");

	lock->key = options.key;
	lock->shared = options.shared;
	if (r == 0) {
		r = ask(lock, (wait ? wait_sql : try_sql)[lock->shared],
		    options.timeout_ms, wait);
		if (r == 0)
			r = spout__co_error(-EAGAIN, NOT_FREE);
		/* Any other error may have come when it was had already. */
		if (r < 0 && strcmp(spout_pg_sqlstate(), "55P03") == 0)
			lock->lease.spoilt = false;
		if (r < 0)
			spout__lease_give(&lock->lease);
	}
	errno = r < 0 ? -r : 0;
	return r < 0 ? NULL : lock;
}

struct spout_pg_lock *
spout_try_pg_lock_with(const char *name, const struct spout_pg_lock_options *options)
{
	return take(name, options, true);
}

struct spout_pg_lock *
spout_try_pg_lock_now_with(const char *name, const struct spout_pg_lock_options *options)
{
	return take(name, options, false);
}

struct spout_pg_lock *
spout_pg_lock_with(const char *name, const struct spout_pg_lock_options *options)
{
	struct spout_pg_lock *lock = take(name, options, true);

	if (lock == NULL)
		spout__co_leave(-errno, 0, "%s", spout_error());
	return lock;
}

bool
spout_pg_lock_held(struct spout_pg_lock *lock)
{
	struct spout_rows *rows;

	return run(lock, "SELECT 1", NULL, 0, &rows) == 0;
}

void
spout_pg_unlock(struct spout_pg_lock *lock)
{
	const struct spout_pg_param key = spout_pg_param_int(lock->key);
	struct spout_rows *rows;

	if (lock->lease.pipe != NULL && !lock->lease.busy &&
	    run(lock, unlock_sql[lock->shared], &key, 1, &rows) == 0 &&
	    spout_row_bool(rows, 0, "done"))
		lock->lease.spoilt = false;
	spout__lease_give(&lock->lease);
}

/* --- of a transaction ------------------------------------------------------------- */

int
spout_try_pg_tx_lock_with(struct spout_pg_tx *tx, const char *name,
    const struct spout_pg_lock_options *given)
{
	struct spout_pg_lock_options options = options_of(name, given);
	char limit[16];
	const struct spout_pg_param params[] = { spout_pg_param_int(options.key),
		spout_pg_param_text(limit) };

	snprintf(limit, sizeof(limit), "%u", options.timeout_ms);
	return spout_try_pg_tx_query_with(
		   tx, tx_wait_sql[options.shared], params, 2) != NULL
	    ? 0
	    : -errno;
}

int
spout_try_pg_tx_lock_now_with(struct spout_pg_tx *tx, const char *name,
    const struct spout_pg_lock_options *given)
{
	struct spout_pg_lock_options options = options_of(name, given);
	const struct spout_pg_param key = spout_pg_param_int(options.key);
	struct spout_rows *rows =
	    spout_try_pg_tx_query_with(tx, tx_try_sql[options.shared], &key, 1);

	if (rows == NULL)
		return -errno;
	return spout_row_bool(rows, 0, "done") ? 0
					       : spout__co_error(-EAGAIN, NOT_FREE);
}
