/* SPDX-License-Identifier: MIT */
/*
 * Logging in, on the thread of the job that needs the connection, without ever blocking
 * in libpq but for name look-up and the files it reads (passwords, certificates).
 *
 * Defaults that a URL may override stand before it in the list for libpq, what we insist
 * on stands behind it. `options` is put together of ours and the URL's.
 */
#include "config.h"

#include "pg/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <libpq-events.h>
#include <spout/log.h>

#include "base/clock.h"
#include "base/stats.h"

/* --- what the server and libpq tell on the side ----------------------------------- */

static void
on_notice(void *arg, const PGresult *notice)
{
	struct spout__pg_conn *conn = arg;
	const char *sqlstate = PQresultErrorField(notice, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);

	/* An idle connection hears in this way that the server ends it. */
	if (sqlstate != NULL && strncmp(sqlstate, "57P", 3) == 0)
		conn->doomed = true;
	spout_debug("PostgreSQL: %s", text != NULL ? text : PQresultErrorMessage(notice));
}

/* Every result passes here, also those that a user's function gets. */
static int
on_event(PGEventId id, void *info, void *arg)
{
	struct spout__pg_conn *conn = arg;
	const PGEventResultCreate *created = info;

	if (id == PGEVT_RESULTCREATE &&
	    PQresultStatus(created->result) == PGRES_FATAL_ERROR)
		spout__pg_fail_with_result(&conn->failure, created->result);
	return 1;
}

/* It costs each result some memory: only for connections that run functions. */
int
spout__pg_hook(struct spout__pg_conn *conn)
{
	if (!conn->hooked && !PQregisterEventProc(conn->pq, on_event, "spout", conn))
		return spout__pg_fail(
		    &conn->failure, -ENOMEM, "out of memory (connection)");
	conn->hooked = true;
	return 0;
}

/* --- connecting ------------------------------------------------------------------- */

static PGconn *
start_connecting(const struct spout__pg_conn *conn)
{
	const struct spout__pg *pg = conn->pg;
	const char *const keywords[] = { "application_name", "client_encoding",
		"keepalives", "keepalives_idle", "keepalives_interval",
		"keepalives_count", "tcp_user_timeout", "gssencmode", "dbname", "options",
		NULL };
	const char *const values[] = { pg->application_name, "UTF8", "1", "30", "10", "3",
		"15000", "disable", pg->url, pg->startup_options, NULL };

	return PQconnectStartParams(keywords, values, 1);
}

/* Whatever the server says to a log-in, there is no database for us. */
static int
fail_to_connect(struct spout__pg_conn *conn)
{
	struct spout__pg_failure *failure = &conn->failure;

	spout__pg_fail_with_message(failure, -EHOSTDOWN, PQerrorMessage(conn->pq));
	if (PQconnectionNeedsPassword(conn->pq))
		memcpy(failure->sqlstate, "28P01",
		    6); /* libpq did not even ask the server */
	return failure->error = -EHOSTDOWN;
}

bool
spout__pg_refused(const struct spout__pg_failure *failure)
{
	return strncmp(failure->sqlstate, "28", 2) == 0 ||
	    strcmp(failure->sqlstate, "3D000") == 0 ||
	    strcmp(failure->sqlstate, "42501") == 0;
}

/* Poll as libpq asks until it is logged in. Returns 0 or -errno with the failure. */
static int
poll_until_connected(struct spout__pg_conn *conn, uint64_t until_ms)
{
	PostgresPollingStatusType state = PGRES_POLLING_WRITING;
	int r;

	while (state != PGRES_POLLING_OK) {
		if (state == PGRES_POLLING_FAILED || PQstatus(conn->pq) == CONNECTION_BAD)
			return fail_to_connect(conn);
		r = spout__pg_wait(conn,
		    state == PGRES_POLLING_READING ? POLLIN : POLLOUT, until_ms, true);
		if (r == 0)
			return spout__pg_fail(&conn->failure, -EHOSTDOWN,
			    "no connection to the database within the time-out");
		if (r < 0)
			return spout__pg_fail(
			    &conn->failure, r, "cancelled while connecting");
		state = PQconnectPoll(conn->pq);
	}
	return 0;
}

/* 90 % to 110 % of `ms`, so that connections made together do not end together. */
static uint64_t
jittered(uint64_t ms)
{
	return ms - ms / 10 + (spout__clock_ns() >> 8) % (ms / 5 + 1);
}

/* What a connection that is logged in needs to be of use. Returns 0 or -errno. */
static int
equip(struct spout__pg_conn *conn)
{
	struct spout__pg *pg = conn->pg;
	PGcancel *handle;

	PQsetErrorVerbosity(conn->pq, PQERRORS_DEFAULT);
	conn->socket_dup = fcntl(PQsocket(conn->pq), F_DUPFD_CLOEXEC, 0);
	if (conn->socket_dup < 0)
		return spout__pg_fail(&conn->failure, -ENOBUFS, "no descriptor is left");
	handle = PQgetCancel(conn->pq);
	if (handle == NULL || PQsetnonblocking(conn->pq, 1) != 0) {
		PQfreeCancel(handle);
		return spout__pg_fail(
		    &conn->failure, -ENOMEM, "out of memory (connection)");
	}
	conn->expires_ms = spout__clock_ms() + jittered(pg->options.lifetime_ms);
	pthread_mutex_lock(&pg->lock);
	conn->handle = handle;
	conn->logged_in = true;
	conn->logins++;
	conn->backend_pid = PQbackendPID(conn->pq);
	pg->open += !conn->outside;
	pthread_mutex_unlock(&pg->lock);
	spout__gauge_add_shared(SPOUT__G_PG_CONNECTIONS_OPEN, 1);
	return 0;
}

int
spout__pg_connect(struct spout__pg_conn *conn, uint64_t until_ms)
{
	int r;

	conn->reused = conn->doomed = conn->hooked = false;
	conn->pid = getpid();
	conn->pq = start_connecting(conn);
	if (conn->pq == NULL)
		return spout__pg_fail(
		    &conn->failure, -ENOMEM, "out of memory (connection)");
	PQsetErrorVerbosity(conn->pq, PQERRORS_VERBOSE);
	PQsetNoticeReceiver(conn->pq, on_notice, conn);
	r = poll_until_connected(conn, until_ms);
	if (r == 0)
		r = equip(conn);
	spout__count_shared(
	    r == 0 ? SPOUT__C_PG_CONNECTS : SPOUT__C_PG_CONNECT_FAILURES, 1);
	if (r < 0)
		spout__pg_disconnect(conn);
	return r;
}

void
spout__pg_disconnect(struct spout__pg_conn *conn)
{
	struct spout__pg *pg = conn->pg;
	PGcancel *handle;

	if (conn->pq == NULL)
		return;
	(void)spout__pg_cancel_settle(conn, false);
	pthread_mutex_lock(&pg->lock);
	handle = conn->handle;
	conn->handle = NULL;
	if (conn->logged_in) {
		conn->logged_in = false;
		pg->open -= !conn->outside;
		spout__gauge_add_shared(SPOUT__G_PG_CONNECTIONS_OPEN, -1);
	}
	pthread_mutex_unlock(&pg->lock);
	PQfreeCancel(handle);
	/* What another process connected is its own: PQfinish() would end its session. */
	if (conn->pid == getpid())
		PQfinish(conn->pq);
	conn->pq = NULL;
	if (conn->socket_dup >= 0)
		close(conn->socket_dup);
	conn->socket_dup = -1;
}
