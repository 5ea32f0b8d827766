/* SPDX-License-Identifier: MIT */
/*
 * Transactions of a coroutine (spout/pg_transaction.h), on a lease. Loop thread.
 *
 *            statement             COMMIT, ROLLBACK, lost
 *   FRESH --------------> OPEN ------------------------------> OVER
 *                          |  ^                                 ^
 *                    error |  | ROLLBACK TO, of a nested one    |
 *                          v  |                                 |
 *                         FAILED -------------------------------+
 *
 * What has not begun at the server has nothing to end there: BEGIN and SAVEPOINT go out
 * with the first statement. A nested one is FRESH, OPEN … by itself; while there is one,
 * only the innermost can be used. All live in the scope of the outermost, so that none
 * points to one that is gone.
 */
#include "config.h"

#include <spout/pg_transaction.h>

#include <errno.h>
#include <stdio.h>

#include "pg/round.h"

#define MAX_DEPTH (SPOUT__TX_ROOM - 2)
/* Shorter than the server's own limit (start.c), which costs the connection. */
#define IDLE_MS 8000u
#define SERVER_IDLE_MS 10000u
#define PAUSE_MS 5u
#define MAX_PAUSE_MS 200u
#define IN_THE_MIDDLE "the transaction is in the middle of a statement"

enum state { FRESH, OPEN, FAILED, OVER };

struct spout_pg_tx {
	struct root *root;
	struct spout_pg_tx *outer, *inner; /* NULL: none */
	enum state state;
	struct spout__pg_failure failure; /* why it FAILED */
	char begin[24];                   /* SAVEPOINT …; of the outermost in `root` */
};

/* The outermost. */
struct root {
	struct spout_pg_tx tx; /* first */
	struct spout_scope *scope;
	struct spout__pg_lease lease;
	struct spout__timer idle;
	unsigned idle_ms, depth;
	char begin[100];
	char set[80]; /* "" unless the server has to wait longer */
};

/* --- idle ------------------------------------------------------------------------- */

static void
on_idle(struct spout__timer *timer)
{
	struct root *root = spout__container_of(timer, struct root, idle);
	struct spout__pg_failure failure;

	spout__pg_fail(&failure, -ETIMEDOUT,
	    "the transaction was idle for more than %u ms", root->idle_ms);
	memcpy(failure.sqlstate, "25P03", 6);
	spout__lease_revoke(&root->lease, &failure);
}

static void
watch_idle(struct root *root)
{
	struct spout_loop *loop = root->scope->loop;

	if (root->lease.pipe != NULL)
		spout__timer_start_at(
		    loop, &root->idle, spout__loop_after_ms(loop, root->idle_ms));
}

/* The scope ends: the lease goes after the clean-ups, this is one of them. */
static void
stop_idle(void *arg)
{
	spout__timer_stop(&((struct root *)arg)->idle);
}

/* --- states ----------------------------------------------------------------------- */

static int
fail(struct spout_pg_tx *tx, const struct spout__pg_failure *failure)
{
	char reason[sizeof(failure->text) + 32];

	if (tx->state != OVER)
		tx->state = FAILED;
	tx->failure = *failure;
	spout__pg_failure_text(failure, reason, sizeof(reason));
	return spout__co_error(failure->error, "%s", reason);
}

/* It is over, with those inside it. */
static void
over(struct spout_pg_tx *tx)
{
	struct spout_pg_tx *inner;

	for (inner = tx; inner != NULL; inner = inner->inner)
		inner->state = OVER;
	if (tx->outer != NULL) {
		tx->outer->inner = NULL;
	} else {
		spout__timer_stop(&tx->root->idle);
		spout__lease_give(&tx->root->lease);
	}
}

/* May it have a statement? Returns 0, or -errno with spout_error(). */
static int
check(struct spout_pg_tx *tx)
{
	struct root *root = tx->root;

	if (tx->state == FAILED)
		return fail(tx, &tx->failure);
	if (tx->state == OVER)
		return spout__co_error(-EINVAL, "the transaction is over");
	if (tx->inner != NULL)
		return spout__co_error(
		    -EINVAL, "a transaction inside this one has not ended");
	if (spout__lease_check(&root->lease) < 0)
		return root->lease.lost.error;
	if (root->lease.busy)
		return spout__co_error(-EINVAL, IN_THE_MIDDLE);
	return 0;
}

/* --- statements ------------------------------------------------------------------- */

/* What begins at the server with the next statement, the outermost first. */
static unsigned
begin_steps(struct spout_pg_tx *tx, struct spout__pg_step *steps)
{
	unsigned n = tx->outer != NULL ? begin_steps(tx->outer, steps) : 0;

	if (tx->state != FRESH)
		return n;
	spout__step_text(tx->root->scope, &steps[n++],
	    tx->outer == NULL ? tx->root->begin : tx->begin);
	if (tx->outer == NULL && tx->root->set[0] != '\0')
		spout__step_text(tx->root->scope, &steps[n++], tx->root->set);
	return n;
}

static void
begun(struct spout_pg_tx *tx)
{
	for (; tx != NULL; tx = tx->outer)
		if (tx->state == FRESH)
			tx->state = OPEN;
}

/* The first that failed, or NULL. */
static const struct spout__pg_step *
first_failed(const struct spout__pg_step *steps, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (steps[i].error != 0)
			return &steps[i];
	return NULL;
}

static int
fail_with_step(struct spout_pg_tx *tx, const struct spout__pg_step *step)
{
	struct spout__pg_failure failure = { .error = step->error };
	const char *text = step->reason;

	memcpy(failure.sqlstate, step->sqlstate, sizeof(failure.sqlstate));
	if (step->sqlstate[0] != '\0' && strncmp(text, "SQLSTATE ", 9) == 0)
		text += 16; /* "SQLSTATE xxxxx: " */
	snprintf(failure.text, sizeof(failure.text), "%s", text);
	return fail(tx, &failure);
}

/* Did the server do what was asked, and is there still a transaction? */
static int
judge(struct spout_pg_tx *tx, const struct spout__pg_step *steps, unsigned n)
{
	const struct spout__pg_step *failed = first_failed(steps, n);
	PGTransactionStatusType status =
	    PQtransactionStatus(spout__lease_pq(&tx->root->lease));
	int r = 0;

	if (failed != NULL)
		r = fail_with_step(tx, failed);
	else if (status != PQTRANS_INTRANS)
		r = spout__co_error(-EINVAL, "a statement ended the transaction");
	else
		begun(tx);
	if (status == PQTRANS_IDLE)
		over(&tx->root->tx);
	else if (failed != NULL && tx->state == FAILED && tx->outer != NULL)
		begun(tx->outer);
	return r;
}

/* Run `n` steps behind those that begin it. */
static int
run(struct spout_pg_tx *tx, struct spout__pg_step *steps, unsigned n_begin, unsigned n)
{
	struct root *root = tx->root;
	int r;

	spout__timer_stop(&root->idle);
	r = spout__round_run(&root->lease, steps, n_begin + n);
	if (r == 0)
		r = judge(tx, steps, n_begin + n);
	watch_idle(root);
	return r;
}

int
spout__tx_run(struct spout_pg_tx *tx, const struct spout__pg_step *more, unsigned n,
    struct spout__pg_step *steps)
{
	unsigned n_begin;
	int r = check(tx);

	if (r < 0)
		return r;
	n_begin = begin_steps(tx, steps);
	memcpy(steps + n_begin, more, n * sizeof(*more));
	r = run(tx, steps, n_begin, n);
	memmove(steps, steps + n_begin, n * sizeof(*steps));
	return r;
}

struct spout_rows *
spout_try_pg_tx_query_with(struct spout_pg_tx *tx, const char *sql,
    const struct spout_pg_param *params, size_t n_params)
{
	struct spout_scope *scope =
	    spout__coroutine_scope(spout__co_must("spout_pg_tx_query"));
	struct spout__pg_step step = { 0 }, steps[SPOUT__TX_ROOM + 1];
	int r = check(tx);

	if (r == 0)
		r = spout__step_set(scope, &step, sql, params, n_params, false);
	if (r == 0)
		r = spout__tx_run(tx, &step, 1, steps);
	errno = -r;
	return r == 0 ? step.rows : NULL;
}

struct spout_rows *
spout_pg_tx_query_with(struct spout_pg_tx *tx, const char *sql,
    const struct spout_pg_param *params, size_t n_params)
{
	struct spout_rows *rows = spout_try_pg_tx_query_with(tx, sql, params, n_params);

	if (rows == NULL)
		spout__co_leave(-errno, 0, "%s", spout_error());
	return rows;
}

/* --- the beginning ---------------------------------------------------------------- */

static void
set_options(struct root *root, const struct spout_pg_begin_options *options)
{
	spout__pg_begin_sql(root->begin, sizeof(root->begin), options->isolation,
	    options->read_only, options->deferrable);
	root->idle_ms = options->idle_ms != 0 ? options->idle_ms : IDLE_MS;
	root->set[0] = '\0';
	if (root->idle_ms > IDLE_MS)
		snprintf(root->set, sizeof(root->set),
		    "SET LOCAL idle_in_transaction_session_timeout = %u",
		    root->idle_ms < INT32_MAX - SERVER_IDLE_MS
			? root->idle_ms + SERVER_IDLE_MS
			: 0);
}

struct spout_pg_tx *
spout_try_pg_begin_with(const struct spout_pg_begin_options *given)
{
	struct spout_scope *scope =
	    spout__coroutine_scope(spout__co_must("spout_pg_begin"));
	struct root *root = spout_alloc_in(scope, sizeof(*root));
	struct spout_pg_begin_options options = { 0 };
	int r = 0;

	memcpy(&options, given,
	    given->size < sizeof(options) ? given->size : sizeof(options));
	if (root == NULL || spout_defer_in(scope, stop_idle, root) < 0)
		r = -ENOMEM;
	if (root != NULL)
		spout__timer_init(&root->idle, on_idle);
	if (r == 0) {
		root->tx = (struct spout_pg_tx){ .root = root };
		root->scope = scope;
		root->depth = 0;
		set_options(root, &options);
		r = spout__lease_take(&root->lease, "spout_pg_begin");
	} else {
		(void)spout__co_error(r, "out of memory (transaction)");
	}
	if (r == 0)
		watch_idle(root);
	errno = -r;
	return r == 0 ? &root->tx : NULL;
}

struct spout_pg_tx *
spout_pg_begin_with(const struct spout_pg_begin_options *options)
{
	struct spout_pg_tx *tx = spout_try_pg_begin_with(options);

	if (tx == NULL)
		spout__co_leave(-errno, 0, "%s", spout_error());
	return tx;
}

struct spout_pg_tx *
spout_pg_nest(struct spout_pg_tx *outer)
{
	struct root *root = outer->root;
	struct spout_pg_tx *tx;
	unsigned depth = 1;
	int r = check(outer);

	for (tx = outer; tx->outer != NULL; tx = tx->outer)
		depth++;
	if (r == 0 && depth > MAX_DEPTH)
		r = spout__co_error(-EINVAL, "transactions are nested too deeply");
	if (r < 0)
		spout__co_leave(r, 0, "%s", spout_error());
	tx = spout_alloc_in(root->scope, sizeof(*tx));
	if (tx == NULL)
		spout__co_leave(-ENOMEM, 0, "out of memory (transaction)");
	*tx = (struct spout_pg_tx){ .root = root, .outer = outer };
	snprintf(tx->begin, sizeof(tx->begin), "SAVEPOINT spout_%u", depth);
	outer->inner = tx;
	return tx;
}

/* --- the end ---------------------------------------------------------------------- */

/* "…SAVEPOINT spout_1", of a nested one. */
static const char *
savepoint_sql(const struct spout_pg_tx *tx, const char *verb, char sql[48])
{
	snprintf(sql, 48, "%s %s", verb, tx->begin);
	return sql;
}

static int
commit(struct spout_pg_tx *tx)
{
	struct spout__pg_lease *lease = &tx->root->lease;
	struct spout__pg_step step;
	char sql[48];
	int r;

	spout__step_text(tx->root->scope, &step,
	    tx->outer == NULL ? "COMMIT" : savepoint_sql(tx, "RELEASE", sql));
	spout__timer_stop(&tx->root->idle);
	r = spout__round_run(lease, &step, 1);
	if (r == -EHOSTDOWN && tx->outer == NULL)
		r = spout__co_error(r,
		    "the connection was lost during COMMIT, which may have taken effect");
	if (r == 0 && step.error != 0)
		r = fail_with_step(tx, &step);
	watch_idle(tx->root);
	return r;
}

/* Back to the savepoint. */
static int
rollback_nested(struct spout_pg_tx *tx)
{
	struct spout__pg_step steps[2];
	struct spout_scope *scope = tx->root->scope;
	char back[48], release[48];
	int r;

	spout__step_text(scope, &steps[0], savepoint_sql(tx, "ROLLBACK TO", back));
	spout__step_text(scope, &steps[1], savepoint_sql(tx, "RELEASE", release));
	r = spout__round_run(&tx->root->lease, steps, 2);
	if (r == 0 && first_failed(steps, 2) != NULL)
		r = fail_with_step(tx, first_failed(steps, 2));
	return r;
}

/* What was left in the middle of a statement goes back as it is: see cleanse.c. Fails
 * for a nested one only. */
static int
rollback(struct spout_pg_tx *tx)
{
	struct root *root = tx->root;
	struct spout__pg_step step;
	int r = 0;

	if (tx->state == OVER)
		return 0;
	spout__timer_stop(&root->idle);
	if (tx->outer == NULL && tx->state != FRESH && root->lease.pipe != NULL &&
	    !root->lease.busy) {
		spout__step_text(root->scope, &step, "ROLLBACK");
		(void)spout__round_run(&root->lease, &step, 1);
	} else if (tx->outer != NULL && tx->state != FRESH) {
		r = spout__lease_check(&root->lease);
		if (r == 0 && root->lease.busy)
			r = spout__co_error(-EHOSTDOWN, IN_THE_MIDDLE);
		if (r == 0)
			r = rollback_nested(tx);
	}
	over(tx);
	watch_idle(root);
	return r;
}

void
spout_pg_rollback(struct spout_pg_tx *tx)
{
	int r;

	(void)spout__co_checkpoint("spout_pg_rollback");
	r = rollback(tx);
	if (r < 0)
		spout__co_leave(r, 0, "%s", spout_error());
}

int
spout_try_pg_commit(struct spout_pg_tx *tx)
{
	struct spout__pg_failure failure;
	int r;

	(void)spout__co_checkpoint("spout_pg_commit");
	if (tx->state == FAILED) {
		failure = tx->failure;
		(void)rollback(tx);
		return fail(tx, &failure);
	}
	r = check(tx);
	if (r == 0 && tx->state == OPEN)
		r = commit(tx);
	if (r == 0 || (tx->outer == NULL && tx->inner == NULL))
		over(tx);
	return r;
}

void
spout_pg_commit(struct spout_pg_tx *tx)
{
	int r = spout_try_pg_commit(tx);

	if (r < 0)
		spout__co_leave(r, 0, "%s", spout_error());
}

/* --- around a function ------------------------------------------------------------ */

struct call {
	struct spout_pg_tx *tx;
	spout_pg_tx_fn fn;
	void *arg;
};

static void
call_main(void *arg)
{
	struct call *call = arg;

	call->fn(call->tx, call->arg);
}

/* Run it, end the transaction. Returns 0, or -errno with spout_error(). */
static int
call_and_end(struct spout_pg_tx *tx, spout_pg_tx_fn fn, void *arg, const char *name)
{
	struct call call = { tx, fn, arg };
	char reason[300];
	int r = spout_try_scope_run_at(call_main, &call, name);

	if (r == 0)
		r = spout_try_pg_commit(tx);
	if (r == 0)
		return 0;
	snprintf(reason, sizeof(reason), "%s", spout_error());
	(void)rollback(tx);
	return spout__co_error(r, "%s", reason);
}

static bool
worth_a_retry(int error)
{
	const char *sqlstate = spout_pg_sqlstate();

	return error == -EAGAIN &&
	    (strcmp(sqlstate, "40001") == 0 || strcmp(sqlstate, "40P01") == 0 ||
		strcmp(sqlstate, "26000") == 0 || strcmp(sqlstate, "0A000") == 0);
}

/* Let the other side of the conflict finish. False: there is no time for that. */
static bool
pause_before(unsigned try)
{
	uint64_t most_ms = try < 6 ? (uint64_t)PAUSE_MS << try : MAX_PAUSE_MS;
	uint64_t ms = 1 + spout__clock_ns() / 1000 % most_ms;

	if (ms >= spout_time_left_ms())
		return false;
	spout_sleep(ms);
	return true;
}

int
spout_try_pg_atomic_with(spout_pg_tx_fn fn, void *arg, const char *name,
    const struct spout_pg_begin_options *options)
{
	bool retries = options->size > offsetof(struct spout_pg_begin_options, retries);
	unsigned left = retries ? options->retries : 0, try;
	struct spout_pg_tx *tx;
	char reason[300];
	int r;

	for (try = 0;; try++) {
		tx = spout_try_pg_begin_with(options);
		r = tx == NULL ? -errno : call_and_end(tx, fn, arg, name);
		if (r == 0 || try >= left || !worth_a_retry(r))
			return r;
		snprintf(reason, sizeof(reason), "%s", spout_error());
		if (!pause_before(try))
			return spout__co_error(r, "%s", reason);
	}
}

void
spout_pg_atomic_with(spout_pg_tx_fn fn, void *arg, const char *name,
    const struct spout_pg_begin_options *options)
{
	int r = spout_try_pg_atomic_with(fn, arg, name, options);

	if (r < 0)
		spout__co_leave(r, 0, "%s", spout_error());
}

int
spout_try_pg_nested_with(
    struct spout_pg_tx *outer, spout_pg_tx_fn fn, void *arg, const char *name)
{
	return call_and_end(spout_pg_nest(outer), fn, arg, name);
}

void
spout_pg_nested_with(
    struct spout_pg_tx *outer, spout_pg_tx_fn fn, void *arg, const char *name)
{
	int r = spout_try_pg_nested_with(outer, fn, arg, name);

	if (r < 0)
		spout__co_leave(r, 0, "%s", spout_error());
}
