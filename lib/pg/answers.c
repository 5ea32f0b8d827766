/* SPDX-License-Identifier: MIT */
/*
 * What comes in on a connection in pipeline mode: results, segment by segment, and what
 * becomes of the queries in them. Loop thread. See pipe.c.
 */
#include "config.h"

#include "pg/driver.h"

#include <errno.h>

#define MAX_TRIES 4u

static void
again(struct spout__pg_query *query)
{
	struct spout__pg_failure failure;

	PQclear(query->rows.result);
	query->rows.result = NULL;
	if (!query->asked) {
		spout__driver_again(query);
		return;
	}
	spout__pipe_fail_asked(query, &failure);
	spout__driver_over(query, &failure);
}

/* --- a segment is over ------------------------------------------------------------ */

/* Not the statement failed, but what the connection had prepared? Mends that. */
static bool
mend_plan(struct spout__pg_pipe *pipe, struct spout__pg_query *query)
{
	const char *sqlstate = pipe->conn->failure.sqlstate;
	struct spout__pg_plan *plan = query->plan;
	uint64_t *prepared;

	if (plan == NULL || plan->runs == 0)
		return false;
	prepared = &pipe->prepared[plan->place];
	if (query->unprepared) {
		*prepared = 0;
		/* Somebody has done it, under the same name: of no use. */
		if (strcmp(sqlstate, "42P05") != 0)
			return false;
		*prepared = plan->hash & ~UINT64_C(1);
		return true;
	}
	if (!query->reused)
		return false;
	if (strcmp(sqlstate, "26000") == 0) /* it is gone: DEALLOCATE ALL, DISCARD ALL */
		*prepared = 0;
	else if (strcmp(sqlstate, "0A000") == 0) /* it would have other columns by now */
		*prepared = plan->hash & ~UINT64_C(1);
	else
		return false;
	return true;
}

/* The only statement of its segment failed. */
static void
judge(struct spout__pg_pipe *pipe, struct spout__pg_query *query)
{
	bool demoted = spout__pg_demoted(pipe->conn);
	struct spout__pg_failure failure = pipe->conn->failure;
	bool cancelled = strcmp(failure.sqlstate, "57014") == 0;
	bool meant = !pipe->cancelling && !query->exposed;

	if (query->asked && cancelled) {
		spout__pipe_fail_asked(query, &failure);
		spout__driver_over(query, &failure);
	} else if (query->tries++ < MAX_TRIES &&
	    (demoted || mend_plan(pipe, query) || (cancelled && !meant))) {
		/* Undone, or never begun; the cancel was meant for a neighbour. */
		query->alone |= cancelled;
		query->suspect |= cancelled;
		again(query);
	} else {
		spout__driver_over(query, &failure);
	}
}

static void
cleared(struct spout__pg_pipe *pipe, struct spout__pg_query *query)
{
	pipe->prepared[query->plan->place] = 0;
	query->clearing = false;
	again(query);
}

static void
deliver(struct spout__pg_pipe *pipe, struct spout__pg_query *query, uint64_t us)
{
	if (query->plan != NULL)
		spout__pg_plan_took(
		    &pipe->driver->plans, query->plan, us, query->suspect);
	if (PQresultMemorySize(query->rows.result) > SPOUT__PG_BIG_RESULT_BYTES)
		pipe->conn->expires_ms = 0;
	spout__driver_over(query, NULL);
}

/* Take the queries of the first segment off. Returns how many. */
static unsigned
take_segment(struct spout__pg_pipe *pipe, struct spout__list *ret_queries)
{
	struct spout__pg_query *query;
	unsigned n = 0;

	spout__list_init(ret_queries);
	do {
		query = spout__pg_query_of(spout__list_pop(&pipe->sent));
		spout__list_push(ret_queries, &query->link);
		if (query->plan != NULL)
			pipe->load_us -= pipe->load_us < query->plan->cost_us
			    ? pipe->load_us
			    : query->plan->cost_us;
		n++;
	} while (!query->ends && !spout__pipe_idle(pipe));
	pipe->n_sent -= n;
	if (spout__pipe_idle(pipe))
		pipe->load_us = 0;
	return n;
}

/* The answer to a Sync came. */
static void
segment_over(struct spout__pg_pipe *pipe)
{
	struct spout__pg_query *culprit = pipe->culprit, *query;
	struct spout__list queries, *node;
	uint64_t now = spout__pipe_now_us(), us = now - pipe->since_us;
	unsigned n = take_segment(pipe, &queries);

	if (culprit != NULL && n > 1)
		(void)mend_plan(pipe, culprit);
	while ((node = spout__list_pop(&queries)) != NULL) {
		query = spout__pg_query_of(node);
		if (query->clearing) {
			cleared(pipe, query);
		} else if (culprit == NULL) {
			deliver(pipe, query, us / n);
		} else if (n == 1) {
			judge(pipe, query);
		} else {
			query->alone = query->suspect = true;
			again(query);
		}
	}
	pipe->culprit = NULL;
	pipe->conn->failure.error = 0;
	pipe->conn->failure.sqlstate[0] = '\0';
	pipe->since_us = now;
	pipe->reading = spout__pipe_idle(pipe) ? NULL
					       : spout__pg_query_of(pipe->sent.next);
	spout__pipe_segment_over(pipe);
}

/* --- reading ---------------------------------------------------------------------- */

void
spout__pipe_take_result(struct spout__pg_pipe *pipe, PGresult *result)
{
	struct spout__pg_query *query = pipe->reading;
	struct spout__pg_failure *failure = &pipe->conn->failure;

	if (query == NULL || query->clearing) {
		PQclear(result);
		pipe->got = true;
		return;
	}
	switch (PQresultStatus(result)) {
	case PGRES_TUPLES_OK:
	case PGRES_EMPTY_QUERY:
		break;
	case PGRES_COMMAND_OK:
		if (query->commands == 1)
			break;
		PQclear(result); /* prepared */
		pipe->got = true;
		return;
	case PGRES_PIPELINE_ABORTED:
		PQclear(result);
		pipe->got = true;
		return;
	default: /* an error; a COPY, which no class of ours allows, breaks the pipe */
		if (PQresultStatus(result) != PGRES_FATAL_ERROR)
			pipe->broken = true;
		if (pipe->culprit == NULL) {
			pipe->culprit = query;
			query->unprepared = query->commands > 1;
			spout__pg_fail_with_result(failure, result);
		}
		PQclear(result);
		pipe->got = true;
		return;
	}
	PQclear(query->rows.result);
	query->rows.result = result;
	pipe->got = true;
}

/* NULL came: the end of one command. */
static bool
command_over(struct spout__pg_pipe *pipe)
{
	struct spout__pg_query *query = pipe->reading;

	if (query == NULL || !pipe->got)
		return false;
	pipe->got = false;
	if (--query->commands == 0)
		pipe->reading = query->ends || query->link.next == &pipe->sent
		    ? NULL
		    : spout__pg_query_of(query->link.next);
	return true;
}

void
spout__pipe_take_results(struct spout__pg_pipe *pipe)
{
	PGconn *pq = pipe->conn->pq;
	unsigned nothing = 0;
	PGresult *result;

	while (!spout__pipe_idle(pipe) && !pipe->broken && !PQisBusy(pq)) {
		result = PQgetResult(pq);
		if (result == NULL) {
			/* Between two commands that is how libpq goes on to the next. */
			if (!command_over(pipe) && ++nothing > 2)
				pipe->broken = true;
			continue;
		}
		nothing = 0;
		pipe->waiting_bytes = 0;
		if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
			PQclear(result);
			segment_over(pipe);
		} else {
			spout__pipe_take_result(pipe, result);
		}
	}
}

/* Is what comes in larger than a result may be? */
static bool
too_large(struct spout__pg_pipe *pipe)
{
	if (pipe->reading == NULL ||
	    !spout__pg_too_large(pipe->conn, pipe->waiting_bytes, "the result"))
		return false;
	pipe->culprit = pipe->reading;
	return true;
}

void
spout__pipe_read(struct spout__pg_pipe *pipe)
{
	PGconn *pq = pipe->conn->pq;
	PGnotify *notification;

	pipe->broken = !spout__pipe_consume(pipe);
	spout__pipe_take_results(pipe);
	pipe->broken |= too_large(pipe);
	if (spout__pipe_idle(pipe))
		while (!pipe->broken && (notification = PQnotifies(pq)) != NULL)
			PQfreemem(notification);
}
