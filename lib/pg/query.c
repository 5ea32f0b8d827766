/* SPDX-License-Identifier: MIT */
/*
 * Queries: one statement with typed parameters, its rows owned by the scope. Loop thread,
 * but session_run().
 *
 * Most go to the driver. What is no plain statement (BEGIN, SET, COPY, VACUUM …) may need
 * what a pipeline has not, and leave behind what nobody else should find: that is a job
 * on a thread, after which the connection is made clean.
 */
#include "config.h"

#include "pg/driver.h"

#include <errno.h>
#include <stdio.h>

#include <spout/log.h>

#include "base/stats.h"

/* What is larger has a connection to itself while it is sent. */
#define SHARED_BYTES 16384u

struct session_query {
	struct spout__pg_job job; /* first: see spout__future_alloc() */
	struct spout__pg_statement statement;
	struct spout_rows rows;
};

/* Marks the futures whose value is rows. */
static const char rows_type[] = "rows";

/* --- on a thread ------------------------------------------------------------------ */

static int
session_run(struct spout__pg_job *job, struct spout__pg_conn *conn)
{
	struct session_query *query = spout__container_of(job, struct session_query, job);
	int r = spout__pg_execute(
	    conn, &query->statement, job->deadline_ms, &query->rows.result);

	if (r < 0)
		return r;
	if (PQresultMemorySize(query->rows.result) > SPOUT__PG_BIG_RESULT_BYTES)
		conn->expires_ms = 0;
	if (PQtransactionStatus(conn->pq) != PQTRANS_IDLE)
		spout_warning(
		    "a transaction begun by a query is rolled back at its end: use "
		    "spout_pg_transaction()");
	return 0;
}

static void *
session_value(struct spout__pg_job *job)
{
	return &spout__container_of(job, struct session_query, job)->rows;
}

/* --- on the loop ------------------------------------------------------------------ */

static void
rows_release(void *rows)
{
	spout__pg_rows_release(rows);
}

/* What both kinds have. */
struct parts {
	struct spout_future *future;
	struct spout_rows *rows;
	struct spout__pg_statement *statement;
};

static bool
session_new(struct spout_scope *scope, struct parts *ret)
{
	struct session_query *query =
	    spout__future_alloc(scope, sizeof(*query), spout__pg_job_on_cancel);

	if (query == NULL)
		return false;
	query->job.run = session_run;
	query->job.value = session_value;
	spout__list_init(&query->job.link);
	*ret = (struct parts){ &query->job.future, &query->rows, &query->statement };
	return true;
}

static bool
driven_new(struct spout_scope *scope, struct parts *ret)
{
	struct spout__pg_query *query =
	    spout__future_alloc(scope, sizeof(*query), spout__driver_on_cancel);

	if (query == NULL)
		return false;
	spout__list_init(&query->link);
	*ret = (struct parts){ &query->future, &query->rows, &query->statement };
	return true;
}

/* What is asked. */
struct question {
	const char *place; /* or NULL */
	const char *sql;
	const struct spout_pg_param *params;
	size_t n_params;
	bool copy; /* sql and params do not live long enough */
};

/* Encode the parameters. Returns 0, or -errno when its future is complete. */
static int
encode(struct parts *parts, const struct question *q)
{
	size_t size = spout__pg_encoded_size(q->sql, q->params, q->n_params, q->copy);
	const char *why = "a statement has at most 65535 parameters";
	void *memory = NULL;
	int error = -EINVAL;

	if (size != SIZE_MAX) {
		memory = spout_alloc_in(parts->future->scope, size + 1);
		why = "out of memory (query parameters)";
		error = -ENOMEM;
	}
	if (memory != NULL) {
		why = "a void pointer other than NULL is no SQL value";
		error = spout__pg_encode(q->sql, q->params, q->n_params, q->copy, memory,
		    parts->statement);
		parts->statement->place = q->place;
	}
	if (error != 0)
		spout__future_complete(parts->future, error, NULL, why);
	return error;
}

static void
fail_unstarted(struct spout_future *future, const struct spout__pg_failure *failure)
{
	char reason[sizeof(failure->text) + 32];

	spout_future_set_quiet(future); /* as in spout__driver_over() */
	spout__pg_count_error(failure->error);
	spout__pg_failure_text(failure, reason, sizeof(reason));
	spout__future_complete(future, failure->error, NULL, reason);
}

/* Start a query. When that is not possible its future is complete at return. NULL when
 * there is no memory even for that. */
static struct spout_future *
query_start(struct spout_scope *scope, const struct question *q)
{
	struct spout__pg_failure failure;
	struct spout__pg *pool = spout__pg_usable(scope->loop, &failure);
	bool refused =
	    pool != NULL && spout__pg_check_session(pool, q->sql, &failure) < 0;
	struct spout__pg *pg = refused ? NULL : pool;
	struct spout__pg_plan *plan =
	    pg != NULL ? spout__pg_plan_of(&pg->driver->plans, q->sql) : NULL;
	bool session = (plan != NULL ? plan->class : spout__pg_classify(q->sql)) ==
	    SPOUT__PG_JOB;
	struct spout__pg_query *query;
	struct parts parts;

	if (!(session ? session_new(scope, &parts) : driven_new(scope, &parts)))
		return NULL;
	parts.future->type = rows_type;
	if (spout_defer_in(scope, rows_release, parts.rows) < 0) {
		spout__future_complete(parts.future, -ENOMEM, NULL, NULL);
		return NULL;
	}
	if (pg == NULL) {
		fail_unstarted(parts.future, &failure);
	} else if (encode(&parts, q) != 0) {
		return parts.future;
	} else if (session) {
		spout__pg_submit(
		    spout__container_of(parts.future, struct spout__pg_job, future),
		    q->place != NULL ? q->place : "spout_pg_query");
	} else {
		query = spout__container_of(parts.future, struct spout__pg_query, future);
		query->driver = pg->driver;
		query->alone = spout__pg_encoded_size(
				   q->sql, q->params, q->n_params, true) > SHARED_BYTES;
		query->plan = plan;
		spout__driver_submit(query);
	}
	return parts.future;
}

struct spout_future *
spout_pg_query_async_at(const char *place, const char *sql,
    const struct spout_pg_param *params, size_t n_params)
{
	struct spout_coroutine *co = spout__co_must("spout_pg_query_async");
	struct spout_future *future = query_start(spout__coroutine_scope(co),
	    &(struct question){ place, sql, params, n_params, .copy = true });

	if (future == NULL)
		spout__co_leave(-ENOMEM, 0, "out of memory (query)");
	return future;
}

struct spout_rows *
spout_try_pg_query_at(const char *place, const char *sql,
    const struct spout_pg_param *params, size_t n_params)
{
	struct spout_coroutine *co = spout__co_must("spout_pg_query");
	struct spout_future *future = query_start(spout__coroutine_scope(co),
	    &(struct question){ place, sql, params, n_params, .copy = false });

	if (future == NULL) {
		errno = -spout__co_error(-ENOMEM, "out of memory (query)");
		return NULL;
	}
	return spout_try_future_rows(future);
}

struct spout_rows *
spout_pg_query_at(const char *place, const char *sql, const struct spout_pg_param *params,
    size_t n_params)
{
	struct spout_rows *rows = spout_try_pg_query_at(place, sql, params, n_params);

	if (rows == NULL)
		spout__co_leave(-errno, 0, "%s", spout_error());
	return rows;
}

struct spout_future *
spout_pg_query_async_with(
    const char *sql, const struct spout_pg_param *params, size_t n_params)
{
	return spout_pg_query_async_at(NULL, sql, params, n_params);
}

struct spout_rows *
spout_try_pg_query_with(
    const char *sql, const struct spout_pg_param *params, size_t n_params)
{
	return spout_try_pg_query_at(NULL, sql, params, n_params);
}

struct spout_rows *
spout_pg_query_with(const char *sql, const struct spout_pg_param *params, size_t n_params)
{
	return spout_pg_query_at(NULL, sql, params, n_params);
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
