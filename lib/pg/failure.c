/* SPDX-License-Identifier: MIT */
/* What went wrong, in the words of the server or of libpq, and as an errno. Any thread.
 */
#include "config.h"

#include "pg/pool.h"

#include <errno.h>
#include <stdio.h>

int
spout__pg_fail(struct spout__pg_failure *failure, int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(failure->text, sizeof(failure->text), fmt, ap);
	va_end(ap);
	failure->sqlstate[0] = '\0';
	failure->error = error;
	return error;
}

/* Prefixes of SQLSTATEs (PostgreSQL's appendix A) and what they mean to a caller. */
static const struct {
	const char *prefix;
	int error;
} meanings[] = {
	{ "08", -EHOSTDOWN },    /* connection exceptions */
	{ "57P01", -EHOSTDOWN }, /* admin_shutdown: also pg_terminate_backend() */
	{ "57P02", -EHOSTDOWN }, /* crash_shutdown */
	{ "57P03", -EHOSTDOWN }, /* cannot_connect_now: starting, stopping, recovering */
	{ "57P05", -EHOSTDOWN }, /* idle_session_timeout */
	{ "25P03", -EHOSTDOWN }, /* idle_in_transaction_session_timeout */
	{ "57014", -ETIMEDOUT }, /* query_canceled: by us, or statement_timeout */
	{ "40", -EAGAIN },       /* serialization failure, deadlock: others came first */
	{ "55P03", -EAGAIN },    /* lock_not_available: lock_timeout */
	{ "53", -ENOBUFS },      /* insufficient resources: connections, memory, disk */
};

static int
errno_of_sqlstate(const char *sqlstate)
{
	size_t i;

	for (i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (strncmp(sqlstate, meanings[i].prefix, strlen(meanings[i].prefix)) ==
		    0)
			return meanings[i].error;
	return -EIO;
}

static void
set_sqlstate(struct spout__pg_failure *failure, const char *sqlstate)
{
	memcpy(failure->sqlstate, sqlstate, 5);
	failure->sqlstate[5] = '\0';
	failure->error = errno_of_sqlstate(sqlstate);
}

void
spout__pg_fail_with_result(struct spout__pg_failure *failure, const PGresult *result)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	/* Without a code it is libpq that speaks: the connection is gone. */
	if (sqlstate == NULL || strlen(sqlstate) != 5) {
		spout__pg_fail_with_message(
		    failure, -EHOSTDOWN, PQresultErrorMessage(result));
		return;
	}
	/* What follows an error in a transaction tells nothing, and would hide its cause.
	 */
	if (failure->error != 0 && strcmp(sqlstate, "25P02") == 0)
		return;
	snprintf(failure->text, sizeof(failure->text), "%s", text != NULL ? text : "");
	set_sqlstate(failure, sqlstate);
}

/* ":  28P01: " as verbose messages have it, in any language; NULL if it is not there. */
static const char *
find_sqlstate(const char *message)
{
	static const char code[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const char *at;

	for (at = strstr(message, ":  "); at != NULL; at = strstr(at + 1, ":  "))
		if (strspn(at + 3, code) == 5 && at[8] == ':')
			return at + 3;
	return NULL;
}

int
spout__pg_fail_with_message(
    struct spout__pg_failure *failure, int error, const char *message)
{
	const char *sqlstate = find_sqlstate(message);
	size_t len = strcspn(message, "\n");

	if (len == 0)
		return spout__pg_fail(
		    failure, error, "the connection to the database was lost");
	spout__pg_fail(failure, error, "%.*s", (int)len, message);
	if (sqlstate != NULL)
		set_sqlstate(failure, sqlstate);
	return failure->error;
}

void
spout__pg_last_words(struct spout__pg_conn *conn)
{
	PGresult *result;

	if (conn->failure.error != 0)
		return;
	if (PQstatus(conn->pq) == CONNECTION_BAD) /* else PQgetResult() could block */
		while ((result = PQgetResult(conn->pq)) != NULL) {
			if (PQresultStatus(result) == PGRES_FATAL_ERROR)
				spout__pg_fail_with_result(&conn->failure, result);
			PQclear(result);
		}
	if (conn->failure.error == 0)
		spout__pg_fail_with_message(
		    &conn->failure, -EHOSTDOWN, PQerrorMessage(conn->pq));
}

void
spout__pg_failure_text(
    const struct spout__pg_failure *failure, char *ret_text, size_t size)
{
	if (failure->sqlstate[0] != '\0')
		snprintf(
		    ret_text, size, "SQLSTATE %s: %s", failure->sqlstate, failure->text);
	else
		snprintf(ret_text, size, "%s", failure->text);
}
