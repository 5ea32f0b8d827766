/* SPDX-License-Identifier: MIT */
/*
 * Connections that were given back in the middle of things: cancel what the server is at,
 * read it to its end, roll back. That is waiting, and there is nobody left who could
 * wait: a db thread does it. The connection is a unit meanwhile, so one is free for it.
 *
 *   CLEANING --clean--> RESTING
 *            --SPOUT__PG_CANCEL_GRACE_MS over, an error, a cancel request that may still
 *              be under way--> closed
 */
#include "config.h"

#include "pg/lease.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "base/stats.h"

/* --- on the thread ---------------------------------------------------------------- */

/* A COPY goes on until one side ends it. Returns false if it cannot be ended now. */
static bool
end_copy(PGconn *pq, ExecStatusType status)
{
	char *data = NULL;
	int n;

	if (status == PGRES_COPY_IN)
		return PQputCopyEnd(pq, "cancelled") == 1;
	if (status != PGRES_COPY_OUT)
		return status != PGRES_COPY_BOTH;
	while ((n = PQgetCopyData(pq, &data, 1)) > 0)
		PQfreemem(data);
	return n == -1;
}

/* Take the results that are there. Returns 1: that was all, 0: more will come, or -EIO.
 */
static int
take_results(struct spout__pg_pipe *pipe)
{
	PGconn *pq = pipe->conn->pq;
	bool pipeline = PQpipelineStatus(pq) != PQ_PIPELINE_OFF;
	ExecStatusType status;
	unsigned nothing = 0;
	PGresult *result;

	while (!PQisBusy(pq)) {
		if (pipeline && pipe->syncs == 0)
			return 1;
		result = PQgetResult(pq);
		if (result == NULL && !pipeline)
			return 1;
		/* Between two commands one NULL; more of them: out of step. */
		if (result == NULL && ++nothing > 2)
			return -EIO;
		if (result == NULL)
			continue;
		nothing = 0;
		status = PQresultStatus(result);
		PQclear(result);
		if (status == PGRES_PIPELINE_SYNC)
			pipe->syncs--;
		else if (!end_copy(pq, status))
			return status == PGRES_COPY_OUT ? 0 : -EIO;
	}
	return 0;
}

static int
read_to_the_end(struct spout__pg_pipe *pipe, uint64_t until_ms)
{
	struct spout__pg_conn *conn = pipe->conn;
	int unsent, r;

	for (;;) {
		unsent = PQflush(conn->pq);
		if (unsent < 0)
			return -EHOSTDOWN;
		r = take_results(pipe);
		if (r != 0)
			return r < 0 ? r : 0;
		r = spout__pg_wait(conn, (short)(POLLIN | (unsent > 0 ? POLLOUT : 0)),
		    until_ms, false);
		if (r <= 0)
			return -ETIMEDOUT;
		if ((r & ~POLLOUT) != 0 && !PQconsumeInput(conn->pq))
			return -EHOSTDOWN;
	}
}

static int
cleanse_main(void *arg)
{
	struct spout__pg_pipe *pipe = arg;
	struct spout__pg_conn *conn = pipe->conn;
	int r = read_to_the_end(pipe, spout__clock_ms() + SPOUT__PG_CANCEL_GRACE_MS);

	if (!spout__pg_cancel_settle(conn, r == 0) || r < 0)
		return -EIO;
	if (PQpipelineStatus(conn->pq) != PQ_PIPELINE_OFF &&
	    !PQexitPipelineMode(conn->pq))
		return -EIO;
	return spout__pg_make_clean(conn) && !conn->doomed &&
		!spout__pg_stale(conn, spout__clock_ms())
	    ? 0
	    : -EIO;
}

/* --- on the loop ------------------------------------------------------------------ */

static void
cleansed(struct spout__job *job)
{
	struct spout__pg_pipe *pipe =
	    spout__container_of(job, struct spout__pg_pipe, job);

	/* The pool was stopped meanwhile, and all places are its again. */
	if (pipe->state != SPOUT__PIPE_CLEANING)
		return;
	spout__hold_cleansed(pipe, job->result == 0);
}

void
spout__cleanse(struct spout__pg_pipe *pipe)
{
	struct spout__pg_conn *conn = pipe->conn;
	struct spout__pg *pg = conn->pg;

	spout__gauge_add_shared(SPOUT__G_PG_CONNECTIONS_BUSY, -1);
	pipe->busy = false;
	if (PQtransactionStatus(conn->pq) == PQTRANS_ACTIVE) {
		pthread_mutex_lock(&pg->lock);
		spout__pg_cancel_locked(conn);
		pthread_mutex_unlock(&pg->lock);
	}
	spout__pipe_let_go(pipe);
	pipe->job = (struct spout__job){ .fn = cleanse_main,
		.arg = pipe,
		.name = "PostgreSQL roll-back",
		.on_done = cleansed };
	spout__driver_move(pipe, SPOUT__PIPE_CLEANING);
	if (spout__job_submit(spout_pool_get("db"), &pipe->job) < 0)
		spout__hold_cleansed(pipe, false);
}
