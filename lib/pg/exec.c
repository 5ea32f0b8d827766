/* SPDX-License-Identifier: MIT */
/*
 * One statement on a connection, on the thread of its job: send it, then poll(2) on the
 * socket and on the connection's eventfd until every result is in. Nothing here blocks
 * for longer than its limit:
 *
 *   SENT --results, ready for query------------------------------> 0 or the server's
 * error | time is up, or the job was cancelled: ask for a cancel CANCELLING --results
 * (the error, or still a success)---------> the same | SPOUT__PG_CANCEL_GRACE_MS are over
 *   given up: the connection is doomed --------------------------> -ETIMEDOUT, -ECANCELED
 *
 * The limit is kept here and not by SET statement_timeout: that would cost a round trip,
 * or put the statement into a transaction with the SET, where VACUUM and the like do not
 * run. A worker that dies takes its statements along: client_connection_check_interval.
 */
#include "config.h"

#include "pg/pool.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"

#define PING_MS 300u

struct execution {
	struct spout__pg_conn *conn;
	uint64_t until_ms; /* 0: no limit */
	int stopped;       /* 0, or why it was asked to end: -ETIMEDOUT, -ECANCELED */
	uint64_t waiting_bytes; /* read of a result that is not whole yet */
	PGresult *result;  /* the first error, else the last result */
};

/* For poll(2): a minute at most, which is waited again. */
static int
timeout_until(uint64_t until_ms)
{
	uint64_t now_ms = spout__clock_ms();

	if (until_ms == 0)
		return -1;
	if (until_ms <= now_ms)
		return 0;
	return until_ms - now_ms < 60000 ? (int)(until_ms - now_ms) : 60000;
}

int
spout__pg_wait(
    struct spout__pg_conn *conn, short events, uint64_t until_ms, bool wakeable)
{
	return spout__pg_wait_fd(conn, PQsocket(conn->pq), events, until_ms, wakeable);
}

int
spout__pg_wait_fd(struct spout__pg_conn *conn, int fd, short events, uint64_t until_ms,
    bool wakeable)
{
	struct pollfd fds[2] = { { .fd = fd, .events = events },
		{ .fd = wakeable ? conn->wake_fd : -1, .events = POLLIN } };
	int r;

	if (fd < 0)
		return POLLERR; /* libpq has closed it */
	do {
		r = poll(fds, 2, timeout_until(until_ms));
	} while ((r < 0 && errno == EINTR) || (r == 0 && timeout_until(until_ms) != 0));
	if (r <= 0)
		return r < 0 ? -errno : 0;
	return fds[1].revents != 0 ? -ECANCELED : fds[0].revents;
}

static int
send_statement(struct spout__pg_conn *conn, const struct spout__pg_statement *statement)
{
	if (statement->n_params < 0)
		return PQsendQuery(conn->pq, statement->sql);
	return PQsendQueryParams(conn->pq, statement->sql, statement->n_params, NULL,
	    statement->values, statement->lengths, statement->formats, 0);
}

/* Keep the first error, else the last result. */
static void
take_result(struct execution *x, PGresult *result)
{
	switch (PQresultStatus(result)) {
	case PGRES_COPY_IN:
	case PGRES_COPY_OUT:
	case PGRES_COPY_BOTH:
		x->conn->doomed = true; /* half a COPY: there is no way back */
		break;
	default:
		break;
	}
	x->waiting_bytes = 0;
	if (x->result != NULL && PQresultStatus(x->result) == PGRES_FATAL_ERROR) {
		PQclear(result);
		return;
	}
	PQclear(x->result);
	x->result = result;
}

/* Take what is there. Returns true when the statement is over. */
static bool
take_results(struct execution *x)
{
	PGresult *result;

	while (!PQisBusy(x->conn->pq)) {
		result = PQgetResult(x->conn->pq);
		if (result == NULL)
			return true;
		take_result(x, result);
		if (x->conn->doomed)
			return true;
	}
	return false;
}

/* The limit has passed or the job was cancelled. False: give the connection up. */
static bool
ask_to_stop(struct execution *x, int why)
{
	struct spout__pg_conn *conn = x->conn;

	if (x->stopped != 0)
		return false;
	x->stopped = why;
	x->until_ms = spout__clock_ms() + SPOUT__PG_CANCEL_GRACE_MS;
	pthread_mutex_lock(&conn->pg->lock);
	spout__pg_cancel_locked(conn);
	pthread_mutex_unlock(&conn->pg->lock);
	return true;
}

/* The connection broke: what the server said last may be in libpq's buffer. */
static int
take_last_words(struct execution *x)
{
	PGresult *result;

	x->conn->doomed = true;
	if (PQstatus(x->conn->pq) == CONNECTION_BAD) /* else PQgetResult() could block */
		while ((result = PQgetResult(x->conn->pq)) != NULL)
			take_result(x, result);
	return -EHOSTDOWN;
}

/* Until every result is in. Returns 0, or -errno when there will be none. */
static int
await_results(struct execution *x)
{
	PGconn *pq = x->conn->pq;
	int unsent, r;

	for (;;) {
		unsent = PQflush(pq);
		if (unsent < 0)
			return take_last_words(x);
		if (take_results(x))
			return 0;
		r = spout__pg_wait(x->conn, (short)(POLLIN | (unsent > 0 ? POLLOUT : 0)),
		    x->until_ms, x->stopped == 0);
		if (r <= 0) {
			if (!ask_to_stop(x, r == 0 ? -ETIMEDOUT : r))
				return x->stopped;
		} else if ((r & ~POLLOUT) != 0 &&
		    !spout__pg_consume(pq, &x->waiting_bytes)) {
			return take_last_words(x);
		} else if (spout__pg_too_large(
			       x->conn, x->waiting_bytes, "the result")) {
			return -EMSGSIZE;
		}
	}
}

/* Judge what came. Returns 0 or -errno with conn->failure. */
static int
judge(struct execution *x, int r)
{
	struct spout__pg_conn *conn = x->conn;
	struct spout__pg_failure *failure = &conn->failure;

	if (x->result != NULL && PQresultStatus(x->result) == PGRES_FATAL_ERROR) {
		spout__pg_fail_with_result(failure, x->result);
		/* Who cancelled it says more than that it was cancelled. */
		if (x->stopped != 0 && strcmp(failure->sqlstate, "57014") == 0)
			return spout__pg_fail(failure, x->stopped,
			    x->stopped == -ETIMEDOUT
				? "the deadline passed during the query"
				: "the query was cancelled");
		return failure->error;
	}
	if (x->stopped != 0 && r == x->stopped)
		return spout__pg_fail(
		    failure, r, "the query did not end when it was cancelled");
	if (r == -EMSGSIZE)
		return r;
	if (r < 0)
		return spout__pg_fail_with_message(failure, r, PQerrorMessage(conn->pq));
	if (conn->doomed)
		return spout__pg_fail(failure, -EINVAL, "COPY needs spout_pg_run()");
	return 0;
}

int
spout__pg_execute(struct spout__pg_conn *conn,
    const struct spout__pg_statement *statement, uint64_t until_ms, PGresult **ret_result)
{
	struct execution x = { .conn = conn, .until_ms = until_ms };
	uint64_t start_ns = spout__clock_ns();
	int r;

	if (!send_statement(conn, statement)) {
		conn->unsent = conn->doomed = PQstatus(conn->pq) == CONNECTION_BAD;
		return spout__pg_fail_with_message(&conn->failure,
		    conn->unsent ? -EHOSTDOWN : -EINVAL, PQerrorMessage(conn->pq));
	}
	r = await_results(&x);
	if (r < 0)
		conn->doomed = true;
	r = judge(&x, r);
	spout__pg_took(
	    conn->pg, statement, (spout__clock_ns() - start_ns) / 1000, r < 0);
	if (r < 0) {
		PQclear(x.result);
		return r;
	}
	*ret_result = x.result;
	return 0;
}

int
spout__pg_command(struct spout__pg_conn *conn, const char *sql, uint64_t until_ms)
{
	const struct spout__pg_statement statement = { .sql = sql, .n_params = -1 };
	PGresult *result = NULL;
	int r = spout__pg_execute(conn, &statement, until_ms, &result);

	PQclear(result);
	return r;
}

/* Nothing to read is as it should be; else it is news of the server, or the end. */
static bool
quiet(struct spout__pg_conn *conn)
{
	struct pollfd fd = { .fd = PQsocket(conn->pq), .events = POLLIN };
	PGnotify *notification;

	while (poll(&fd, 1, 0) > 0) {
		if (!PQconsumeInput(conn->pq) || PQisBusy(conn->pq) || conn->doomed)
			return false;
		while ((notification = PQnotifies(conn->pq)) != NULL)
			PQfreemem(notification);
	}
	return PQstatus(conn->pq) == CONNECTION_OK;
}

bool
spout__pg_healthy(struct spout__pg_conn *conn, bool ping)
{
	if (!quiet(conn))
		return false;
	return !ping || spout__pg_command(conn, "", spout__clock_ms() + PING_MS) == 0;
}
