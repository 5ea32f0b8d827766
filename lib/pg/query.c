/* SPDX-License-Identifier: MIT */
/*
 * Queries: one statement with typed parameters, its rows owned by the scope. Loop thread,
 * but query_run().
 */
#include "config.h"

#include "pg/pool.h"

#include <errno.h>
#include <stdio.h>

#include <spout/log.h>

/* libpq's buffers never shrink: after a result of this size the connection is closed. */
#define BIG_RESULT_BYTES (8u << 20)

struct query {
	struct spout__pg_job job; /* first: see spout__future_alloc() */
	struct spout__pg_statement statement;
	struct spout_rows rows;
};

/* Marks the futures whose value is rows. */
static const char rows_type[] = "rows";

/* --- on the thread ---------------------------------------------------------------- */

static int
query_run(struct spout__pg_job *job, struct spout__pg_conn *conn)
{
	struct query *query = spout__container_of(job, struct query, job);
	int r = spout__pg_execute(
	    conn, &query->statement, job->deadline_ms, &query->rows.result);

	if (r < 0)
		return r;
	if (PQresultMemorySize(query->rows.result) > BIG_RESULT_BYTES)
		conn->expires_ms = 0;
	if (PQtransactionStatus(conn->pq) != PQTRANS_IDLE)
		spout_warning(
		    "a transaction begun by a query is rolled back at its end: use "
		    "spout_pg_transaction()");
	return 0;
}

/* --- on the loop ------------------------------------------------------------------ */

static void *
query_value(struct spout__pg_job *job)
{
	return &spout__container_of(job, struct query, job)->rows;
}

static void
query_release(void *arg)
{
	struct query *query = arg;

	spout__pg_rows_release(&query->rows);
}

/* A query in the scope, not yet submitted; NULL when out of memory. */
static struct query *
query_new(struct spout_scope *scope)
{
	struct query *query =
	    spout__future_alloc(scope, sizeof(*query), spout__pg_job_on_cancel);

	if (query == NULL)
		return NULL;
	query->job.future.type = rows_type;
	query->job.run = query_run;
	query->job.value = query_value;
	if (spout_defer_in(scope, query_release, query) == 0)
		return query;
	spout__future_complete(&query->job.future, -ENOMEM, NULL, NULL);
	return NULL;
}

/* Encode and submit. When that is not possible its future is complete at return. */
static void
query_start(struct query *query, const char *sql, const struct spout_pg_param *params,
    size_t n_params, bool copy)
{
	size_t size = spout__pg_encoded_size(sql, params, n_params, copy);
	void *memory =
	    size == SIZE_MAX ? NULL : spout_alloc_in(query->job.future.scope, size + 1);

	if (size == SIZE_MAX)
		spout__future_complete(&query->job.future, -EINVAL, NULL,
		    "a statement has at most 65535 parameters");
	else if (memory == NULL)
		spout__future_complete(&query->job.future, -ENOMEM, NULL,
		    "out of memory (query parameters)");
	else if (spout__pg_encode(
		     sql, params, n_params, copy, memory, &query->statement) < 0)
		spout__future_complete(&query->job.future, -EINVAL, NULL,
		    "a void pointer other than NULL is no SQL value");
	else
		spout__pg_submit(&query->job, "spout_pg_query");
}

struct spout_future *
spout_pg_query_async_with(
    const char *sql, const struct spout_pg_param *params, size_t n_params)
{
	struct spout_coroutine *co = spout__co_must("spout_pg_query_async");
	struct query *query = query_new(spout__coroutine_scope(co));

	if (query == NULL)
		spout__co_leave(-ENOMEM, 0, "out of memory (query)");
	query_start(query, sql, params, n_params, true);
	return &query->job.future;
}

struct spout_rows *
spout_try_pg_query_with(
    const char *sql, const struct spout_pg_param *params, size_t n_params)
{
	struct spout_coroutine *co = spout__co_must("spout_pg_query");
	struct query *query = query_new(spout__coroutine_scope(co));

	if (query == NULL) {
		errno = -spout__co_error(-ENOMEM, "out of memory (query)");
		return NULL;
	}
	query_start(query, sql, params, n_params, false);
	return spout_try_future_rows(&query->job.future);
}

struct spout_rows *
spout_pg_query_with(const char *sql, const struct spout_pg_param *params, size_t n_params)
{
	struct spout_rows *rows = spout_try_pg_query_with(sql, params, n_params);

	if (rows == NULL)
		spout__co_leave(-errno, 0, "%s", spout_error());
	return rows;
}

/* --- futures ---------------------------------------------------------------------- */

struct spout_rows *
spout_try_future_rows(struct spout_future *future)
{
	int error;

	if (future->type != rows_type)
		error = spout__co_error(
		    -EINVAL, "spout_future_rows: not the future of a query");
	else
		error = spout_try_await(future);
	errno = -error;
	return error == 0 ? spout_future_result(future) : NULL;
}

struct spout_rows *
spout_future_rows(struct spout_future *future)
{
	struct spout_rows *rows = spout_try_future_rows(future);

	if (rows == NULL)
		spout__co_leave(-errno, 0, "%s", spout_error());
	return rows;
}

/* Reasons that came from the server begin with "SQLSTATE xxxxx: ". */
static const char *
sqlstate_of(const char *reason)
{
	static __thread char sqlstate[6];

	sqlstate[0] = '\0';
	if (sscanf(reason, "SQLSTATE %5[0-9A-Z]: ", sqlstate) != 1)
		sqlstate[0] = '\0';
	return sqlstate;
}

const char *
spout_pg_sqlstate(void)
{
	return sqlstate_of(spout_error());
}

const char *
spout_future_sqlstate(struct spout_future *future)
{
	return sqlstate_of(spout_future_reason(future));
}
