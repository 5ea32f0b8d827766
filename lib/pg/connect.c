/* SPDX-License-Identifier: MIT */
/*
 * Logging in, on the thread of the job that needs the connection, without ever blocking
 * in libpq but for the files it reads (.pgpass, certificates).
 *
 * Defaults that a URL may override stand before it in the list for libpq, what we insist
 * on stands behind it. `options` is put together of ours and the URL's.
 *
 * Every address of every host (hosts.c) gets an equal part of the time that is left. The
 * host that answered last comes first.
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

/* More than libpq has options, and those of ours that may stand twice. */
#define MAX_OPTIONS 96u

struct parameters {
	const char *keywords[MAX_OPTIONS + 1], *values[MAX_OPTIONS + 1];
	unsigned n;
};

/* A server to log in to, and what it has to be. */
struct target {
	const struct spout__pg_host *host; /* NULL: libpq knows */
	const char *addr;                  /* NULL: libpq needs none */
	const char *session;               /* target_session_attrs, or NULL */
	const char *password;              /* or "" */
};

static void
put(struct parameters *to, const char *keyword, const char *value)
{
	if (value == NULL || value[0] == '\0' || to->n == MAX_OPTIONS)
		return;
	to->keywords[to->n] = keyword;
	to->values[to->n++] = value;
}

static void
put_defaults(struct parameters *to, const struct spout__pg *pg)
{
	put(to, "application_name", pg->application_name);
	put(to, "client_encoding", "UTF8");
	put(to, "keepalives", "1");
	put(to, "keepalives_idle", "30");
	put(to, "keepalives_interval", "10");
	put(to, "keepalives_count", "3");
	put(to, "tcp_user_timeout", "15000");
	put(to, "gssencmode", "disable");
}

/* Does the target say it in place of the URL? */
static bool
is_of_target(const char *keyword)
{
	return strcmp(keyword, "host") == 0 || strcmp(keyword, "hostaddr") == 0 ||
	    strcmp(keyword, "port") == 0 || strcmp(keyword, "target_session_attrs") == 0;
}

static PGconn *
start_connecting(const struct spout__pg *pg, const struct target *target)
{
	const PQconninfoOption *option = pg->hosts.options;
	struct parameters parameters = { .n = 0 };

	put_defaults(&parameters, pg);
	for (; option->keyword != NULL; option++)
		if (target->host == NULL || !is_of_target(option->keyword))
			put(&parameters, option->keyword, option->val);
	if (target->host != NULL) {
		put(&parameters, "host", target->host->name);
		put(&parameters, "hostaddr", target->addr);
		put(&parameters, "port", target->host->port);
		put(&parameters, "target_session_attrs", target->session);
	}
	put(&parameters, "password", target->password);
	put(&parameters, "options", pg->startup_options);
	return PQconnectStartParams(parameters.keywords, parameters.values, 0);
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

/* One log-in. Returns 0 or -errno with the failure, and no connection. */
static int
log_in(struct spout__pg_conn *conn, const struct target *target, uint64_t until_ms)
{
	int r;

	conn->generation = atomic_load(&conn->pg->generation);
	conn->pq = start_connecting(conn->pg, target);
	if (conn->pq == NULL)
		return spout__pg_fail(
		    &conn->failure, -ENOMEM, "out of memory (connection)");
	PQsetErrorVerbosity(conn->pq, PQERRORS_VERBOSE);
	PQsetNoticeReceiver(conn->pq, on_notice, conn);
	r = poll_until_connected(conn, until_ms);
	if (r == 0)
		r = equip(conn);
	if (r < 0)
		spout__pg_disconnect(conn);
	return r;
}

/* --- one server after the other --------------------------------------------------- */

/* Is another try elsewhere of use? */
static bool
worth_going_on(const struct spout__pg_conn *conn, int r)
{
	return r == -EHOSTDOWN && !spout__pg_refused(&conn->failure);
}

/* The end of the first of `n` equal parts of the time until `until_ms`. */
static uint64_t
part_of(uint64_t until_ms, unsigned n)
{
	uint64_t now_ms = spout__clock_ms();

	return until_ms <= now_ms ? until_ms : now_ms + (until_ms - now_ms) / n;
}

/* Every address of the name of target->host. */
static int
try_addresses(struct spout__pg_conn *conn, struct target *target, uint64_t until_ms)
{
	char addr[SPOUT__ADDRESS_TEXT];
	struct spout__addresses addresses;
	int r = spout__pg_look_up(conn, target->host->name, until_ms, &addresses);
	unsigned i;

	if (r < 0)
		return r;
	r = -EHOSTDOWN;
	for (i = 0; i < addresses.n && (i == 0 || worth_going_on(conn, r)); i++) {
		spout__address_text(&addresses.at[i].addr, addr);
		target->addr = addr;
		r = log_in(conn, target, part_of(until_ms, addresses.n - i));
	}
	target->addr = NULL;
	return r;
}

static int
try_host(struct spout__pg_conn *conn, struct target *target, uint64_t until_ms)
{
	target->addr = target->host->addr;
	return spout__pg_host_is_name(target->host)
	    ? try_addresses(conn, target, until_ms)
	    : log_in(conn, target, until_ms);
}

/* Every host; `passes` of them are left, this one included. */
static int
try_hosts(struct spout__pg_conn *conn, struct target *target, unsigned passes,
    uint64_t until_ms)
{
	struct spout__pg_hosts *hosts = &conn->pg->hosts;
	unsigned n = hosts->n, first = atomic_load(&hosts->last) % n, i;
	int r = -EHOSTDOWN;

	for (i = 0; i < n && (i == 0 || worth_going_on(conn, r)); i++) {
		target->host = &hosts->at[(first + i) % n];
		r = try_host(conn, target, part_of(until_ms, passes * n - i));
		if (r == 0)
			atomic_store(&hosts->last, (first + i) % n);
	}
	return r;
}

static int
find_server(struct spout__pg_conn *conn, const char *password, uint64_t until_ms)
{
	const struct spout__pg_hosts *hosts = &conn->pg->hosts;
	struct target target = { .session = hosts->session, .password = password };
	bool prefer = target.session != NULL &&
	    strcmp(target.session, "prefer-standby") == 0;
	int r;

	if (hosts->n == 0)
		return log_in(conn, &target, until_ms);
	if (!prefer)
		return try_hosts(conn, &target, 1, until_ms);
	target.session = "standby";
	r = try_hosts(conn, &target, 2, until_ms);
	target.session = "any";
	return worth_going_on(conn, r) ? try_hosts(conn, &target, 1, until_ms) : r;
}

int
spout__pg_connect(struct spout__pg_conn *conn, uint64_t until_ms)
{
	char password[SPOUT__PG_PASSWORD_SIZE];
	int r;

	conn->reused = conn->doomed = conn->hooked = false;
	conn->pid = getpid();
	r = spout__pg_password(conn, password);
	if (r == 0)
		r = find_server(conn, password, until_ms);
	explicit_bzero(password, sizeof(password));
	spout__count_shared(
	    r == 0 ? SPOUT__C_PG_CONNECTS : SPOUT__C_PG_CONNECT_FAILURES, 1);
	return r;
}

/* Why is it closed? */
static enum spout__counter
reason_of(const struct spout__pg_conn *conn)
{
	if (conn->doomed || PQstatus(conn->pq) != CONNECTION_OK)
		return SPOUT__C_PG_CLOSED_LOST;
	return spout__pg_stale(conn, spout__clock_ms()) ? SPOUT__C_PG_CLOSED_OLD
							: SPOUT__C_PG_CLOSED_UNUSED;
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
		spout__count_shared(reason_of(conn), 1);
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
