/* SPDX-License-Identifier: MIT */
/* A statement in libpq's plain protocol on a leased connection: see talk.h. */
#include "config.h"

#include "pg/talk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/stats.h"

/* --- how it ends ------------------------------------------------------------------ */

/* Give it back, for the reason that is known. */
static int
give_back(struct spout__pg_lease *lease, const struct spout__pg_failure *failure)
{
	char reason[sizeof(failure->text) + 32];

	spout__pg_count_error(failure->error);
	lease->lost = *failure;
	spout__lease_give(lease);
	spout__pg_failure_text(&lease->lost, reason, sizeof(reason));
	return spout__co_error(lease->lost.error, "%s", reason);
}

int
spout__talk_lost(struct spout__pg_lease *lease)
{
	struct spout__pg_conn *conn = lease->pipe->conn;

	spout__pg_last_words(conn);
	lease->pipe->broken = true;
	return give_back(lease, &conn->failure);
}

int
spout__talk_drop(struct spout__pg_lease *lease, int error, const char *fmt, ...)
{
	struct spout__pg_failure failure;
	char text[sizeof(failure.text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	spout__pg_fail(&failure, error, "%s", text);
	return give_back(lease, &failure);
}

/* libpq gives the result of a COPY that goes on again and again, without an end. */
static bool
is_copy(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_COPY_IN || status == PGRES_COPY_OUT ||
	    status == PGRES_COPY_BOTH;
}

static int
one_copy_only(struct spout__pg_lease *lease, PGresult *result)
{
	PQclear(result);
	lease->spoilt = true;
	return spout__talk_drop(lease, -EINVAL, "one COPY at a time");
}

int
spout__talk_end(struct spout__pg_lease *lease)
{
	PGresult *result;
	int r;

	while ((r = spout__talk_result(lease, &result)) == 0 && result != NULL) {
		if (PQresultStatus(result) == PGRES_FATAL_ERROR)
			return spout__talk_refused(lease, result);
		if (is_copy(result))
			return one_copy_only(lease, result);
		PQclear(result);
	}
	if (r < 0)
		return r;
	lease->busy = false;
	spout__lease_give(lease);
	return 0;
}

int
spout__talk_refused(struct spout__pg_lease *lease, PGresult *result)
{
	struct spout__pg_failure failure = { 0 };
	int r;

	spout__pg_fail_with_result(&failure, result);
	do {
		PQclear(result);
		r = spout__talk_result(lease, &result);
		if (r == 0 && result != NULL && is_copy(result))
			return one_copy_only(lease, result);
	} while (r == 0 && result != NULL);
	if (r < 0)
		return r;
	lease->busy = false;
	return give_back(lease, &failure);
}

/* --- waiting ---------------------------------------------------------------------- */

int
spout__talk_wait(struct spout__pg_lease *lease, unsigned events)
{
	int r = spout__lease_wait(lease, events, SPOUT_FOREVER);

	if (r >= 0)
		return r;
	return lease->pipe == NULL ? spout__lease_check(lease) : spout__talk_lost(lease);
}

int
spout__talk_flush(struct spout__pg_lease *lease)
{
	int left, r = spout__lease_check(lease);

	while (r >= 0) {
		left = PQflush(spout__lease_pq(lease));
		if (left <= 0)
			return left == 0 ? 0 : spout__talk_lost(lease);
		r = spout__talk_wait(lease, SPOUT_READ | SPOUT_WRITE);
		if (r > 0 && (r & SPOUT_READ) != 0 &&
		    !PQconsumeInput(spout__lease_pq(lease)))
			return spout__talk_lost(lease);
	}
	return r;
}

static uint64_t
limit_of(const struct spout__pg_lease *lease)
{
	return lease->pipe->conn->pg->options.max_result_bytes;
}

static int
too_large(struct spout__pg_lease *lease)
{
	lease->spoilt = true;
	return spout__talk_drop(lease, -EMSGSIZE, "a row is larger than %llu bytes",
	    (unsigned long long)limit_of(lease));
}

int
spout__talk_check_row(struct spout__pg_lease *lease, const PGresult *row)
{
	uint64_t bytes = 0;

	for (int column = 0; column < PQnfields(row); column++)
		bytes += (uint64_t)PQgetlength(row, 0, column);
	return bytes <= limit_of(lease) ? 0 : too_large(lease);
}

int
spout__talk_read(struct spout__pg_lease *lease)
{
	int left = PQflush(spout__lease_pq(lease)), r;
	struct spout__pg_pipe *pipe = lease->pipe;

	if (left < 0)
		return spout__talk_lost(lease);
	r = spout__talk_wait(lease, SPOUT_READ | (left > 0 ? SPOUT_WRITE : 0));
	if (r < 0 || (r & SPOUT_READ) == 0)
		return r < 0 ? r : 0;
	if (!spout__pipe_consume(pipe))
		return spout__talk_lost(lease);
	return pipe->waiting_bytes <= limit_of(lease) ? 0 : too_large(lease);
}

int
spout__talk_result(struct spout__pg_lease *lease, PGresult **ret_result)
{
	int r = spout__lease_check(lease);

	while (r == 0 && PQisBusy(spout__lease_pq(lease)))
		r = spout__talk_read(lease);
	if (r < 0)
		return r;
	lease->pipe->waiting_bytes = 0;
	*ret_result = PQgetResult(spout__lease_pq(lease));
	return 0;
}

/* --- how it begins ---------------------------------------------------------------- */

static int
take(struct spout__pg_lease *lease, const char *what)
{
	int r = spout__lease_take(lease, what);

	if (r == 0)
		r = spout__lease_plain(lease);
	if (r < 0)
		return r;
	spout__count(SPOUT__C_PG_QUERIES, 1);
	lease->busy = true;
	return 0;
}

static int
sent(struct spout__pg_lease *lease, int ok)
{
	PGconn *pq = spout__lease_pq(lease);

	if (ok)
		return 0;
	if (PQstatus(pq) == CONNECTION_BAD)
		return spout__talk_lost(lease);
	lease->busy = false;
	return spout__talk_drop(lease, -EINVAL, "%s", PQerrorMessage(pq));
}

int
spout__talk_begin_simple(struct spout__pg_lease *lease, const char *what, const char *sql)
{
	int r = take(lease, what);

	return r < 0 ? r : sent(lease, PQsendQuery(spout__lease_pq(lease), sql));
}

int
spout__talk_begin(struct spout__pg_lease *lease, const char *what, const char *sql,
    const struct spout_pg_param *params, size_t n_params)
{
	size_t size = spout__pg_encoded_size(sql, params, n_params, false);
	struct spout__pg_statement s;
	void *memory;
	int r;

	if (size == SIZE_MAX)
		return spout__co_error(
		    -EINVAL, "a statement has at most 65535 parameters");
	r = take(lease, what);
	if (r < 0)
		return r;
	memory = malloc(size + 1);
	if (memory == NULL) {
		lease->busy = false;
		return spout__talk_drop(lease, -ENOMEM, "out of memory (%s)", what);
	}
	r = spout__pg_encode(sql, params, n_params, false, memory, &s);
	if (r < 0) {
		lease->busy = false;
		r = spout__talk_drop(
		    lease, r, "a void pointer other than NULL is no SQL value");
	} else {
		r = sent(lease,
		    PQsendQueryParams(spout__lease_pq(lease), s.sql, s.n_params, NULL,
			s.values, s.lengths, s.formats, 0));
	}
	free(memory);
	return r;
}
