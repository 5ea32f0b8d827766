/* SPDX-License-Identifier: MIT */
/* Statements on a leased connection, in one round trip: see round.h. Loop thread. */
#include "config.h"

#include "pg/round.h"

#include <errno.h>
#include <stdio.h>

#include "base/stats.h"

struct round {
	struct spout__pg_lease *lease;
	struct spout__pg_pipe *pipe;
	struct spout__pg_step *steps;
	unsigned n, at; /* whose result comes next */
	bool got;       /* a result of that command came, its end did not */
	uint64_t bytes; /* of all results */
};

/* --- steps ------------------------------------------------------------------------ */

static void
rows_release(void *rows)
{
	spout__pg_rows_release(rows);
}

struct spout_rows *
spout__pg_rows_new(struct spout_scope *scope)
{
	struct spout_rows *rows = spout_alloc_in(scope, sizeof(*rows));

	if (rows == NULL)
		return NULL;
	memset(rows, 0, sizeof(*rows));
	return spout_defer_in(scope, rows_release, rows) == 0 ? rows : NULL;
}

int
spout__step_set(struct spout_scope *scope, struct spout__pg_step *step, const char *sql,
    const struct spout_pg_param *params, size_t n_params, bool copy)
{
	size_t size = spout__pg_encoded_size(sql, params, n_params, copy);
	struct spout__pg *pg = spout__pg_of(scope->loop);
	struct spout__pg_failure failure;
	void *memory;

	if (pg != NULL && spout__pg_check_session(pg, sql, &failure) < 0)
		return spout__co_error(failure.error, "%s", failure.text);
	if (size == SIZE_MAX)
		return spout__co_error(
		    -EINVAL, "a statement has at most 65535 parameters");
	memory = spout_alloc_in(scope, size + 1);
	step->scope = scope;
	step->rows = spout__pg_rows_new(scope);
	if (memory == NULL || step->rows == NULL)
		return spout__co_error(-ENOMEM, "out of memory (query parameters)");
	if (spout__pg_encode(sql, params, n_params, copy, memory, &step->statement) < 0)
		return spout__co_error(
		    -EINVAL, "a void pointer other than NULL is no SQL value");
	return 0;
}

void
spout__step_text(
    struct spout_scope *scope, struct spout__pg_step *step, const char *sql)
{
	*step = (struct spout__pg_step){ .statement.sql = sql, .scope = scope };
}

static void
step_fail(struct spout__pg_step *step, const struct spout__pg_failure *failure)
{
	char reason[sizeof(failure->text) + 32];

	spout__pg_count_error(failure->error);
	spout__pg_failure_text(failure, reason, sizeof(reason));
	step->error = failure->error;
	memcpy(step->sqlstate, failure->sqlstate, sizeof(step->sqlstate));
	step->reason = spout_strdup_in(step->scope, reason);
	if (step->reason == NULL)
		step->reason = "a statement failed";
}

/* --- sending ---------------------------------------------------------------------- */

/* What the connection has prepared, or will have, for a step; NULL: it runs unprepared.
 */
static uint64_t *
prepared_for(struct spout__pg_pipe *pipe, struct spout__pg_step *step,
    struct spout__pg_plan **ret_plan)
{
	struct spout__pg_plan *plan = NULL;
	uint64_t *prepared;
	bool again;

	if (step->rows != NULL && !pipe->driver->plans.unnamed)
		plan = spout__pg_plan_of(&pipe->driver->plans, step->statement.sql);
	if (plan == NULL)
		return NULL;
	again = plan->runs > 0 || plan->leased;
	plan->leased = true;
	prepared = &pipe->prepared[plan->place];
	*ret_plan = plan;
	return again && (*prepared == 0 || *prepared == plan->hash) ? prepared : NULL;
}

static int
send_step(struct spout__pg_pipe *pipe, struct spout__pg_step *step)
{
	const struct spout__pg_statement *s = &step->statement;
	PGconn *pq = pipe->conn->pq;
	struct spout__pg_plan *plan = NULL;
	uint64_t *prepared = prepared_for(pipe, step, &plan);

	step->commands = 1;
	step->hash = 0;
	if (prepared == NULL)
		return PQsendQueryParams(pq, s->sql, s->n_params, NULL, s->values,
		    s->lengths, s->formats, 0);
	step->hash = plan->hash;
	step->place = plan->place;
	if (*prepared == 0) {
		if (!PQsendPrepare(pq, plan->name, plan->sql, 0, NULL))
			return 0;
		/* If that fails, it is taken back. */
		*prepared = plan->hash;
		step->commands++;
	}
	return PQsendQueryPrepared(
	    pq, plan->name, s->n_params, s->values, s->lengths, s->formats, 0);
}

/* From libpq 17 on: the Sync without a system call for each. */
extern int PQsendPipelineSync(PGconn *pq) __attribute__((weak));

static int
sync(PGconn *pq, bool more)
{
	return more && PQsendPipelineSync != NULL ? PQsendPipelineSync(pq)
						  : PQpipelineSync(pq);
}

static bool
send_all(struct round *round)
{
	struct spout__pg_pipe *pipe = round->pipe;
	unsigned i;

	for (i = 0; i < round->n; i++) {
		spout__count(SPOUT__C_PG_QUERIES, 1);
		if (!send_step(pipe, &round->steps[i]))
			return false;
		if (!round->steps[i].sync && i + 1 < round->n)
			continue;
		if (!sync(pipe->conn->pq, i + 1 < round->n))
			return false;
		pipe->syncs++;
	}
	return true;
}

/* --- receiving -------------------------------------------------------------------- */

/* It failed, or was skipped: does the connection have the statement? */
static void
note_unprepared(struct round *round, struct spout__pg_step *step)
{
	uint64_t *prepared = &round->pipe->prepared[step->place];

	if (step->hash == 0)
		return;
	if (step->commands > 1)
		*prepared = strcmp(step->sqlstate, "42P05") == 0
		    ? step->hash & ~UINT64_C(1)
		    : 0;
	else if (strcmp(step->sqlstate, "26000") == 0) /* DEALLOCATE ALL, DISCARD ALL */
		*prepared = 0;
	else if (strcmp(step->sqlstate, "0A000") == 0) /* other columns by now */
		*prepared = step->hash & ~UINT64_C(1);
	else
		return;
	if (step->error != 0) /* the next try is better */
		step->error = -EAGAIN;
}

static void
take_error(struct round *round, struct spout__pg_step *step, const PGresult *result)
{
	struct spout__pg_failure failure = { 0 };

	spout__pg_fail_with_result(&failure, result);
	step_fail(step, &failure);
	note_unprepared(round, step);
}

/* Returns 0, or -errno when the connection is of no use any more. */
static int
take_result(struct round *round, PGresult *result)
{
	struct spout__pg_step *step = &round->steps[round->at];
	ExecStatusType status = PQresultStatus(result);

	round->got = true;
	round->pipe->waiting_bytes = 0;
	round->bytes += PQresultMemorySize(result);
	if (status == PGRES_PIPELINE_ABORTED) {
		step->skipped = step->error == 0;
		note_unprepared(round, step);
	} else if (status == PGRES_FATAL_ERROR) {
		take_error(round, step, result);
	} else if (step->commands == 1 && step->rows != NULL) {
		PQclear(step->rows->result);
		step->rows->result = result;
		result = NULL;
	}
	PQclear(result);
	return status == PGRES_COPY_IN || status == PGRES_COPY_OUT ||
		status == PGRES_COPY_BOTH
	    ? -EINVAL
	    : 0;
}

/* NULL came: the end of one command, or how libpq goes on to the next. */
static bool
command_over(struct round *round)
{
	if (!round->got)
		return false;
	round->got = false;
	if (--round->steps[round->at].commands == 0)
		round->at++;
	return true;
}

/* Returns 1: that was all, 0: more will come, -errno: out of step. */
static int
take_results(struct round *round)
{
	struct spout__pg_pipe *pipe = round->pipe;
	PGconn *pq = pipe->conn->pq;
	unsigned nothing = 0;
	PGresult *result;
	int r = 0;

	while (pipe->syncs > 0 && r == 0 && !PQisBusy(pq)) {
		result = PQgetResult(pq);
		if (result == NULL) {
			if (!command_over(round) && ++nothing > 2)
				r = -EHOSTDOWN;
			continue;
		}
		nothing = 0;
		if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
			PQclear(result);
			pipe->syncs--;
		} else if (round->at < round->n) {
			r = take_result(round, result);
		} else {
			PQclear(result);
			r = -EHOSTDOWN;
		}
	}
	return r < 0 ? r : pipe->syncs == 0;
}

/* --- the round -------------------------------------------------------------------- */

/* The connection is lost, or to be given up. */
static int
give_up(struct round *round, int error, const char *why)
{
	struct spout__pg_conn *conn = round->pipe->conn;
	struct spout__pg_failure failure = { 0 };
	PGresult *result = NULL;

	/* What the server said last; else PQgetResult() could block. */
	if (PQstatus(conn->pq) == CONNECTION_BAD)
		while ((result = PQgetResult(conn->pq)) != NULL) {
			if (PQresultStatus(result) == PGRES_FATAL_ERROR)
				spout__pg_fail_with_result(&failure, result);
			PQclear(result);
		}
	if (why != NULL)
		spout__pg_fail(&failure, error, "%s", why);
	else if (failure.error == 0)
		spout__pg_fail_with_message(&failure, error, PQerrorMessage(conn->pq));
	spout__pg_count_error(failure.error);
	round->pipe->broken = true;
	spout__lease_revoke(round->lease, &failure);
	return spout__lease_check(round->lease);
}

/* Send what is left, read what is there. As take_results(), -errno: given up. */
static int
go_on(struct round *round, int events)
{
	struct spout__pg_conn *conn = round->pipe->conn;
	uint64_t most = conn->pg->options.max_result_bytes;
	int r;

	if ((events & SPOUT_READ) != 0 && !spout__pipe_consume(round->pipe))
		return give_up(round, -EHOSTDOWN, NULL);
	r = take_results(round);
	if (r == -EINVAL)
		return give_up(round, r, "COPY is no statement for a transaction");
	if (r < 0)
		return give_up(round, r, NULL);
	if (round->bytes + round->pipe->waiting_bytes > most)
		return give_up(round, -EMSGSIZE, "the results are too large");
	return r;
}

int
spout__round_run(
    struct spout__pg_lease *lease, struct spout__pg_step *steps, unsigned n)
{
	struct round round = { .lease = lease, .steps = steps, .n = n };
	int r = spout__lease_check(lease), unsent;

	if (r < 0)
		return r;
	round.pipe = lease->pipe;
	lease->busy = true;
	if (!send_all(&round))
		return give_up(&round, -EHOSTDOWN, NULL);
	for (;;) {
		unsent = PQflush(round.pipe->conn->pq);
		if (unsent < 0)
			return give_up(&round, -EHOSTDOWN, NULL);
		r = spout__lease_wait(lease,
		    SPOUT_READ | (unsent > 0 ? SPOUT_WRITE : 0), SPOUT_FOREVER);
		if (r < 0 && lease->pipe == NULL)
			return spout__lease_check(lease);
		r = r < 0 ? give_up(&round, r, NULL) : go_on(&round, r);
		if (r < 0)
			return r;
		if (r > 0)
			break;
	}
	lease->busy = false;
	if (round.bytes > SPOUT__PG_BIG_RESULT_BYTES)
		round.pipe->conn->expires_ms = 0;
	return 0;
}
