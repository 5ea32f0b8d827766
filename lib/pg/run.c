/* SPDX-License-Identifier: MIT */
/*
 * Functions on a connection, and transactions around them.
 *
 *   run:          fn
 *   transaction:  BEGIN -> fn -> COMMIT ------------------------------------> done
 *                   ^       |      |  failed: ROLLBACK
 *                   |       +------+--+--> 40001 or 40P01, tries left: pause --+
 *                   +----------------------------------------------------------+
 *
 * fn has the connection in blocking mode; a cancelled one is interrupted by cancel
 * requests (cancel.c) and at last by cutting its socket. What it runs through libpq
 * passes an event hook (connect.c), so that a failure is known here whatever fn makes of
 * it.
 */
#include "config.h"

#include "pg/pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

/* Rolling back has to work when the deadline has passed, too. */
#define ROLLBACK_MS 1000u
#define PAUSE_MS 5u
#define PAUSE_MAX_MS 200u

struct run {
	struct spout__pg_job job; /* first: see spout__future_alloc() */
	spout_pg_fn fn;
	void *arg;
	int result;
	struct spout_pg_transaction_options options;
};

__thread struct spout__pg_conn *spout__pg_running;

static const char run_type[] = "pg function";

/* --- the function, on the thread -------------------------------------------------- */

static void
free_rows(struct spout__pg_conn *conn)
{
	struct spout_rows *rows;

	while ((rows = conn->rows) != NULL) {
		conn->rows = rows->next;
		spout__pg_rows_release(rows);
		free(rows);
	}
}

/* The function's own, without its place. */
static int
name_length(const char *name)
{
	const char *place = strstr(name, " at ");

	return place != NULL ? (int)(place - name) : (int)strlen(name);
}

/* Call fn. Returns what it did; -errno with conn->failure. */
static int
call(struct run *run, struct spout__pg_conn *conn)
{
	int r;

	conn->failure.error = conn->misuse.error = 0;
	r = spout__pg_hook(conn);
	if (r < 0)
		return r;
	PQsetnonblocking(conn->pq, 0);
	spout__pg_running = conn;
	r = run->fn(conn->pq, run->arg);
	spout__pg_running = NULL;
	PQsetnonblocking(conn->pq, 1);
	free_rows(conn);
	conn->unsent = false; /* it has begun: not to be repeated */
	if (conn->misuse.error != 0) {
		conn->failure = conn->misuse;
		return conn->misuse.error;
	}
	/* The server's word explains fn's, unless fn had got over that error. */
	if (r < 0 && r != conn->failure.error &&
	    PQtransactionStatus(conn->pq) != PQTRANS_INERROR)
		return spout__pg_fail(&conn->failure, r, "%.*s: %s",
		    name_length(run->job.name), run->job.name, strerror(-r));
	if (r < 0)
		conn->failure.error = r;
	return r;
}

/* What the end of the scope or the server had to say weighs more than fn's own word. */
static int
settle_error(struct run *run, struct spout__pg_conn *conn, int r)
{
	if (r >= 0 || !spout__pg_cancelled(&run->job))
		return r;
	return spout__pg_fail(&conn->failure, -ECANCELED, "cancelled");
}

static int
run_function(struct spout__pg_job *job, struct spout__pg_conn *conn)
{
	struct run *run = spout__container_of(job, struct run, job);

	return run->result = settle_error(run, conn, call(run, conn));
}

/* --- transactions, on the thread -------------------------------------------------- */

static const char *
isolation_text(enum spout_pg_isolation isolation)
{
	switch (isolation) {
	case SPOUT_PG_READ_COMMITTED:
		return " ISOLATION LEVEL READ COMMITTED";
	case SPOUT_PG_REPEATABLE_READ:
		return " ISOLATION LEVEL REPEATABLE READ";
	case SPOUT_PG_SERIALIZABLE:
		return " ISOLATION LEVEL SERIALIZABLE";
	default:
		return "";
	}
}

void
spout__pg_begin_sql(char *ret_sql, size_t size, enum spout_pg_isolation isolation,
    bool read_only, bool deferrable)
{
	snprintf(ret_sql, size, "BEGIN%s%s%s", isolation_text(isolation),
	    read_only ? " READ ONLY" : "", deferrable ? " DEFERRABLE" : "");
}

/* BEGIN, in the same round trip as the time-out of its statements. */
static int
begin(struct run *run, struct spout__pg_conn *conn)
{
	const struct spout_pg_transaction_options *options = &run->options;
	uint64_t until_ms = run->job.deadline_ms, now_ms = spout__clock_ms();
	char sql[200];
	size_t len;

	spout__pg_begin_sql(sql, sizeof(sql), options->isolation, options->read_only,
	    options->deferrable);
	len = strlen(sql);
	if (until_ms != 0)
		snprintf(sql + len, sizeof(sql) - len,
		    "; SET LOCAL statement_timeout = %llu",
		    (unsigned long long)(until_ms > now_ms ? until_ms - now_ms : 1));
	return spout__pg_command(conn, sql, until_ms);
}

static int
commit(struct run *run, struct spout__pg_conn *conn)
{
	int r;

	switch (PQtransactionStatus(conn->pq)) {
	case PQTRANS_INTRANS:
		break;
	case PQTRANS_INERROR:
		/* fn went on after an error: COMMIT would roll back and say that all is
		 * well. */
		return conn->failure.error != 0
		    ? conn->failure.error
		    : spout__pg_fail(&conn->failure, -EIO, "a statement failed");
	case PQTRANS_IDLE:
		return spout__pg_fail(&conn->failure, -EINVAL,
		    "%.*s ended its transaction itself", name_length(run->job.name),
		    run->job.name);
	default:
		conn->doomed = true;
		return spout__pg_fail(
		    &conn->failure, -EHOSTDOWN, "the connection was lost");
	}
	conn->failure.error = 0;
	r = spout__pg_command(conn, "COMMIT", run->job.deadline_ms);
	if (r == -EHOSTDOWN)
		return spout__pg_fail(&conn->failure, r,
		    "the connection was lost during COMMIT, which may have taken effect");
	return r;
}

/* One try. */
static int
attempt(struct run *run, struct spout__pg_conn *conn)
{
	struct spout__pg_failure failure;
	int r, committed;

	r = begin(run, conn);
	if (r < 0)
		return r;
	r = call(run, conn);
	if (r >= 0) {
		committed = commit(run, conn);
		if (committed == 0)
			return r;
		r = committed;
	}
	failure = conn->failure;
	if (PQtransactionStatus(conn->pq) != PQTRANS_IDLE &&
	    spout__pg_command(conn, "ROLLBACK", spout__clock_ms() + ROLLBACK_MS) < 0)
		conn->doomed = true;
	conn->failure = failure;
	conn->unsent = false;
	return r;
}

static bool
worth_a_retry(const struct spout__pg_conn *conn)
{
	const char *sqlstate = conn->failure.sqlstate;

	return !conn->doomed && PQstatus(conn->pq) == CONNECTION_OK &&
	    (strcmp(sqlstate, "40001") == 0 || strcmp(sqlstate, "40P01") == 0);
}

/* Let the other side of the conflict finish. False: no time, or cancelled. */
static bool
pause_before(struct run *run, struct spout__pg_conn *conn, unsigned try)
{
	uint64_t most_ms = try < 6 ? PAUSE_MS <<
	try : PAUSE_MAX_MS
		;
	uint64_t now_ms = spout__clock_ms();
	uint64_t until_ms = now_ms + 1 + spout__clock_ns() / 1000 % most_ms;

	if (run->job.deadline_ms != 0 && until_ms >= run->job.deadline_ms)
		return false;
	return spout__pg_wait(conn, 0, until_ms, true) == 0;
}

static int
run_transaction(struct spout__pg_job *job, struct spout__pg_conn *conn)
{
	struct run *run = spout__container_of(job, struct run, job);
	unsigned try = 0;
	int r;

	for (;;) {
		r = settle_error(run, conn, attempt(run, conn));
		if (r >= 0 || try >= run->options.retries || !worth_a_retry(conn) ||
		    !pause_before(run, conn, try))
			return run->result = r;
		try++;
	}
}

/* --- inside a function ------------------------------------------------------------ */

static struct spout__pg_conn *
running(struct pg_conn *conn, const char *what)
{
	if (spout__pg_running == NULL || spout__pg_running->pq != conn)
		spout__bug("%s belongs inside a function on that connection", what);
	return spout__pg_running;
}

struct spout_rows *
spout_pg_exec_with(struct pg_conn *pq, const char *sql,
    const struct spout_pg_param *params, size_t n_params)
{
	struct spout__pg_conn *conn = running(pq, "spout_pg_exec");
	size_t size = spout__pg_encoded_size(sql, params, n_params, false);
	struct spout_rows *rows = size == SIZE_MAX ? NULL
						   : calloc(1, sizeof(*rows) + size);
	struct spout__pg_statement statement;
	int r;

	if (spout__pg_check_session(conn->pg, sql, &conn->failure) < 0) {
		free(rows);
		return NULL;
	}
	if (rows == NULL) {
		spout__pg_fail(&conn->failure, size == SIZE_MAX ? -EINVAL : -ENOMEM,
		    "too many parameters, or out of memory");
		return NULL;
	}
	r = spout__pg_encode(sql, params, n_params, false, rows + 1, &statement);
	if (r < 0)
		spout__pg_fail(
		    &conn->failure, r, "a void pointer other than NULL is no SQL value");
	statement.place = conn->borrower;
	PQsetnonblocking(pq, 1);
	if (r == 0)
		r = spout__pg_execute(
		    conn, &statement, conn->job->deadline_ms, &rows->result);
	PQsetnonblocking(pq, 0);
	if (r < 0) {
		free(rows);
		return NULL;
	}
	rows->conn = conn;
	rows->next = conn->rows;
	conn->rows = rows;
	return rows;
}

int
spout_pg_exec_error(struct pg_conn *pq)
{
	int error = running(pq, "spout_pg_exec_error")->failure.error;

	return error != 0 ? error : -EIO;
}

/* --- on the loop ------------------------------------------------------------------ */

static void *
run_value(struct spout__pg_job *job)
{
	return job;
}

static int
start_and_wait(struct run *run, struct spout_coroutine *co, const char *name)
{
	int error;

	spout__future_init(
	    &run->job.future, spout__coroutine_scope(co), spout__pg_job_on_cancel);
	run->job.future.type = run_type;
	run->job.value = run_value;
	spout__pg_submit(&run->job, name);
	error = spout_try_await(&run->job.future);
	return error != 0 ? error : run->result;
}

static int
result_or_leave(int r)
{
	if (r < 0)
		spout__co_leave(r, 0, "%s", spout_error());
	return r;
}

int
spout_try_pg_run_at(spout_pg_fn fn, void *arg, const char *name)
{
	struct spout_coroutine *co = spout__co_must("spout_pg_run");
	struct run run = { .job.run = run_function, .fn = fn, .arg = arg };

	return start_and_wait(&run, co, name);
}

int
spout_pg_run_at(spout_pg_fn fn, void *arg, const char *name)
{
	return result_or_leave(spout_try_pg_run_at(fn, arg, name));
}

int
spout_try_pg_transaction_with(spout_pg_fn fn, void *arg, const char *name,
    const struct spout_pg_transaction_options *options)
{
	struct spout_coroutine *co = spout__co_must("spout_pg_transaction");
	struct run run = { .job.run = run_transaction, .fn = fn, .arg = arg };
	size_t size = options->size < sizeof(run.options) ? options->size
							  : sizeof(run.options);

	memcpy(&run.options, options, size);
	return start_and_wait(&run, co, name);
}

int
spout_pg_transaction_with(spout_pg_fn fn, void *arg, const char *name,
    const struct spout_pg_transaction_options *options)
{
	return result_or_leave(spout_try_pg_transaction_with(fn, arg, name, options));
}
