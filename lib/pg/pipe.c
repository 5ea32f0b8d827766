/* SPDX-License-Identifier: MIT */
/*
 * One connection in pipeline mode. Loop thread.
 *
 * What goes out is a row of segments: commands, then a Sync. The server runs each segment
 * as one transaction, and so do we judge it: nothing is delivered before its Sync came.
 *
 *   one statement:   its result, or its error
 *   several reads:   their results; after an error of one the server has undone them
 *                    all, so all run again, each alone: whose fault it was, and whether
 *                    one of them was no mere read, need not be known
 *
 * Who is to stop before it is over stays until its segment ends. Alone on a connection it
 * is cancelled at once (cancel.c). In a shared segment nobody can say which statement the
 * server is at, and all are short: only when the segment takes much longer than it should
 * is it cancelled, whoever was in it; those that nobody has given up run again, alone.
 * While a cancel request may be under way, nothing more is sent.
 */
#include "config.h"

#include "pg/lease.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/stats.h"

/* A shared segment that takes longer, and several times longer than it should, holds up
 * others: it is taken apart. */
#define STUCK_MS 50u
#define STUCK_TIMES 4u
/* A cancel request that is being sent takes a few milliseconds. */
#define SETTLE_MS 2u

static void
start_timer(struct spout__pg_pipe *pipe, uint64_t ms)
{
	struct spout_loop *loop = pipe->conn->pg->loop;

	spout__timer_start_at(loop, &pipe->timer, spout__loop_after_ms(loop, ms));
}

void
spout__pipe_fail_asked(
    struct spout__pg_query *query, struct spout__pg_failure *ret_failure)
{
	bool late = query->deadline_ms != 0 && spout__clock_ms() >= query->deadline_ms;

	spout__pg_fail(ret_failure, late ? -ETIMEDOUT : -ECANCELED,
	    late ? "the deadline passed during the query" : "the query was cancelled");
}

/* --- sending ---------------------------------------------------------------------- */

/* Must something be done on the connection before the statement can run? */
static bool
must_prepare(const struct spout__pg_pipe *pipe, const struct spout__pg_plan *plan)
{
	return !pipe->driver->plans.unnamed &&
	    (plan == NULL || plan->runs == 0 ||
		pipe->prepared[plan->place] != plan->hash);
}

static int
send_prepared(struct spout__pg_pipe *pipe, struct spout__pg_query *query)
{
	const struct spout__pg_statement *s = &query->statement;
	struct spout__pg_plan *plan = query->plan;
	uint64_t *prepared = &pipe->prepared[plan->place];
	PGconn *pq = pipe->conn->pq;
	char name[SPOUT__PG_NAME], sql[SPOUT__PG_NAME + 12];

	query->clearing = *prepared != 0 && *prepared != plan->hash;
	if (query->clearing) {
		spout__pg_plan_name(*prepared, name);
		snprintf(sql, sizeof(sql), "DEALLOCATE %s", name);
		return PQsendQueryParams(pq, sql, 0, NULL, NULL, NULL, NULL, 0);
	}
	query->reused = *prepared != 0;
	if (*prepared == 0) {
		if (!PQsendPrepare(pq, plan->name, plan->sql, 0, NULL))
			return 0;
		/* If that fails, so does what follows, and it is taken back. */
		*prepared = plan->hash;
		query->commands++;
	}
	return PQsendQueryPrepared(
	    pq, plan->name, s->n_params, s->values, s->lengths, s->formats, 0);
}

static void
send_commands(struct spout__pg_pipe *pipe, struct spout__pg_query *query)
{
	const struct spout__pg_statement *s = &query->statement;
	struct spout__pg_conn *conn = pipe->conn;
	int sent;

	query->commands = 1;
	query->reused = query->clearing = query->unprepared = false;
	/* A statement that comes only once need not be remembered by the server. */
	if (query->plan == NULL || query->plan->runs == 0 ||
	    pipe->driver->plans.unnamed)
		sent = PQsendQueryParams(conn->pq, s->sql, s->n_params, NULL, s->values,
		    s->lengths, s->formats, 0);
	else
		sent = send_prepared(pipe, query);
	pipe->open = true;
	if (sent)
		return;
	pipe->broken = true;
	if (PQstatus(conn->pq) != CONNECTION_BAD && pipe->culprit == NULL) {
		pipe->culprit = query;
		spout__pg_fail_with_message(
		    &conn->failure, -EINVAL, PQerrorMessage(conn->pq));
	}
}

static void
add(struct spout__pg_pipe *pipe, struct spout__pg_query *query)
{
	if (spout__pipe_idle(pipe)) {
		spout__gauge_add_shared(SPOUT__G_PG_CONNECTIONS_BUSY, 1);
		pipe->busy = true;
		pipe->since_us = spout__pipe_now_us();
		pipe->conn->failure.error = 0;
		pipe->reading = query;
		if (pipe->state == SPOUT__PIPE_FAST)
			start_timer(pipe, STUCK_MS);
	}
	pipe->fed = true;
	query->pipe = pipe;
	query->ends = query->exposed = false;
	query->sent_us = spout__pipe_now_us();
	if (query->tries == 0)
		spout__driver_acquired(pipe->driver, query->queued_us);
	spout__scope_pin(query->future.scope);
	spout__list_push(&pipe->sent, &query->link);
	pipe->n_sent++;
	if (query->plan != NULL)
		pipe->load_us += query->plan->cost_us;
}

/* The Sync of what is open, which libpq sends off as far as the socket takes it. */
static void
end_segment(struct spout__pg_pipe *pipe)
{
	if (!pipe->open)
		return;
	spout__pg_query_of(pipe->sent.prev)->ends = true;
	pipe->open = false;
	if (!PQpipelineSync(pipe->conn->pq))
		pipe->broken = true;
}

void
spout__pipe_flush(struct spout__pg_pipe *pipe)
{
	PGconn *pq = pipe->conn->pq;
	int left;

	pipe->fed = false;
	if (pipe->broken)
		return;
	end_segment(pipe);
	left = pipe->broken ? -1 : PQflush(pq);
	pipe->stuffed = left > 0;
	if (left < 0 ||
	    spout_loop_update_handler(
		pipe->handler, SPOUT_READ | (left > 0 ? SPOUT_WRITE : 0)) < 0)
		pipe->broken = true;
}

void
spout__pipe_send(struct spout__pg_pipe *pipe, struct spout__pg_query *query, bool share)
{
	share = share && !must_prepare(pipe, query->plan);
	if (!share)
		end_segment(pipe);
	add(pipe, query);
	send_commands(pipe, query);
	if (!share)
		end_segment(pipe);
}

/* --- cancelling ------------------------------------------------------------------- */

/* Nothing is under way. */
static void
come_to_rest(struct spout__pg_pipe *pipe)
{
	struct spout__pg_conn *conn = pipe->conn;

	if (pipe->cancelling || pipe->broken)
		return;
	spout__gauge_add_shared(SPOUT__G_PG_CONNECTIONS_BUSY, -1);
	pipe->busy = false;
	spout__timer_stop(&pipe->timer);
	pipe->used_ms = spout__clock_ms();
	if (conn->doomed || spout__pg_stale(conn, pipe->used_ms) ||
	    PQtransactionStatus(conn->pq) != PQTRANS_IDLE)
		pipe->broken = true;
	else if (pipe->state == SPOUT__PIPE_ALONE || pipe->wanted)
		spout__driver_move(pipe, SPOUT__PIPE_RESTING);
}

/* What was to be cancelled is over: is the request? */
static void
look_after_cancel(struct spout__pg_pipe *pipe)
{
	uint64_t age_ms = spout__clock_ms() - pipe->cancelled_ms;
	int settled = spout__pg_cancel_look(pipe->conn);
	struct spout__list *it;

	if (settled == -EAGAIN && age_ms < SPOUT__PG_CANCEL_GRACE_MS) {
		start_timer(pipe, SETTLE_MS);
		return;
	}
	pipe->cancelling = false;
	if (settled < 0)
		pipe->conn->doomed = true;
	/* What the server had begun by then may have been hit, the news is on its way. */
	spout__list_for_each(it, &pipe->sent)
		spout__pg_query_of(it)->exposed = true;
	if (spout__pipe_idle(pipe))
		come_to_rest(pipe);
	else
		start_timer(pipe, STUCK_MS);
	spout__driver_kick(pipe->driver);
}

void
spout__pipe_segment_over(struct spout__pg_pipe *pipe)
{
	if (pipe->cancelling)
		look_after_cancel(pipe);
	else if (spout__pipe_idle(pipe))
		come_to_rest(pipe);
	spout__driver_kick(pipe->driver);
}

static void
cancel(struct spout__pg_pipe *pipe)
{
	struct spout__pg *pg = pipe->conn->pg;

	pipe->cancelling = true;
	pipe->cancelled_ms = spout__clock_ms();
	pthread_mutex_lock(&pg->lock);
	spout__pg_cancel_locked(pipe->conn);
	pthread_mutex_unlock(&pg->lock);
	start_timer(pipe, SPOUT__PG_CANCEL_GRACE_MS);
}

void
spout__pipe_ask(struct spout__pg_pipe *pipe, struct spout__pg_query *query)
{
	query->asked = true;
	if ((pipe->state == SPOUT__PIPE_ALONE || pipe->driver->stopping) &&
	    !pipe->cancelling)
		cancel(pipe);
}

/* Would others be better off without the segment that runs? */
static bool
in_the_way(const struct spout__pg_pipe *pipe)
{
	const struct spout__pg_query *query = spout__pg_query_of(pipe->sent.next);

	return query->asked || !query->ends || pipe->n_sent > 1 ||
	    !spout__list_empty(&pipe->driver->fast);
}

/* How long what is under way may take. */
static uint64_t
patience_ms(const struct spout__pg_pipe *pipe)
{
	return STUCK_MS + STUCK_TIMES * pipe->load_us / 1000;
}

static void
on_timer(struct spout__timer *timer)
{
	struct spout__pg_pipe *pipe =
	    spout__container_of(timer, struct spout__pg_pipe, timer);
	uint64_t age_ms = (spout__pipe_now_us() - pipe->since_us) / 1000;
	uint64_t most_ms = patience_ms(pipe);

	if (pipe->cancelling &&
	    (spout__pipe_idle(pipe) || age_ms < SPOUT__PG_CANCEL_GRACE_MS)) {
		/* What was to be cancelled is over, only the request is not. */
		look_after_cancel(pipe);
		if (pipe->broken)
			spout__pipe_lose(pipe);
	} else if (pipe->cancelling) {
		spout__pipe_lose(pipe);
	} else if (spout__pipe_idle(pipe) || pipe->state != SPOUT__PIPE_FAST) {
		return;
	} else if (age_ms >= most_ms && in_the_way(pipe)) {
		cancel(pipe);
	} else {
		start_timer(pipe, age_ms < most_ms ? most_ms - age_ms : STUCK_MS);
	}
}

static void
on_socket(int fd, unsigned events, void *arg)
{
	struct spout__pg_pipe *pipe = arg;

	(void)fd;
	if (pipe->lease != NULL) {
		spout__lease_ready(pipe, events);
		return;
	}
	if ((events & SPOUT_READ) != 0)
		spout__pipe_read(pipe);
	if (!spout__pipe_idle(pipe))
		spout__pipe_flush(pipe);
	if (pipe->broken ||
	    (spout__pipe_idle(pipe) && !pipe->cancelling && pipe->conn->doomed))
		spout__pipe_lose(pipe);
}

/* --- its life --------------------------------------------------------------------- */

bool
spout__pipe_mode(PGconn *pq)
{
	/* Whoever read rows one by one left that mode behind: in pipeline mode the first
	 * statement would inherit it. It ends where a statement is to be sent. */
	(void)PQsendQueryParams(pq, NULL, 0, NULL, NULL, NULL, NULL, 0);
	return PQenterPipelineMode(pq) == 1;
}

bool
spout__pipe_open(struct spout__pg_pipe *pipe)
{
	struct spout__pg_conn *conn = pipe->conn;

	if (!spout__pipe_mode(conn->pq))
		return false;
	pipe->handler = spout_loop_add_handler(
	    conn->pg->loop, PQsocket(conn->pq), SPOUT_READ, on_socket, pipe);
	if (pipe->handler == NULL)
		return false;
	if (pipe->login != conn->logins)
		memset(pipe->prepared, 0, sizeof(pipe->prepared));
	pipe->login = conn->logins;
	pipe->broken = pipe->wanted = pipe->cancelling = false;
	pipe->open = pipe->got = pipe->fed = pipe->stuffed = false;
	pipe->reading = pipe->culprit = NULL;
	pipe->waiting_bytes = 0;
	pipe->used_ms = spout__clock_ms();
	spout__timer_init(&pipe->timer, on_timer);
	return true;
}

void
spout__pipe_let_go(struct spout__pg_pipe *pipe)
{
	spout_loop_remove_handler(pipe->handler);
	pipe->handler = NULL;
	spout__timer_stop(&pipe->timer);
}

bool
spout__pipe_close(struct spout__pg_pipe *pipe)
{
	spout__pipe_let_go(pipe);
	pipe->conn->idle_since_ms = pipe->used_ms;
	return !pipe->broken && PQexitPipelineMode(pipe->conn->pq) == 1;
}

bool
spout__pipe_sound(struct spout__pg_pipe *pipe)
{
	struct spout__pg_conn *conn = pipe->conn;

	if (pipe->broken || conn->doomed || spout__pg_stale(conn, spout__clock_ms()))
		return false;
	return !spout__pipe_idle(pipe) || spout__pg_healthy(conn, false);
}

/* What the server or libpq said last, in conn->failure. */
static void
hear_last_words(struct spout__pg_pipe *pipe)
{
	struct spout__pg_conn *conn = pipe->conn;
	PGresult *result = NULL;

	if (PQstatus(conn->pq) == CONNECTION_BAD) { /* else PQgetResult() could block */
		pipe->broken = false;
		spout__pipe_take_results(pipe);
		if (!spout__pipe_idle(pipe) && pipe->culprit == NULL)
			result = PQgetResult(conn->pq);
		if (result != NULL)
			spout__pipe_take_result(pipe, result);
	}
	if (pipe->culprit == NULL)
		spout__pg_fail_with_message(
		    &conn->failure, -EHOSTDOWN, PQerrorMessage(conn->pq));
}

void
spout__pipe_lose(struct spout__pg_pipe *pipe)
{
	struct spout__pg_conn *conn = pipe->conn;
	struct spout__pg_failure failure, lost;
	struct spout__pg_query *query;
	struct spout__list *node;

	hear_last_words(pipe);
	pipe->broken = true;
	spout__pipe_let_go(pipe);
	failure = lost = conn->failure;
	if (lost.error != -EHOSTDOWN)
		spout__pg_fail(
		    &lost, -EHOSTDOWN, "the connection to the database was lost");
	while ((node = spout__list_pop(&pipe->sent)) != NULL) {
		query = spout__pg_query_of(node);
		if (query->asked)
			spout__pipe_fail_asked(query, &failure);
		spout__driver_over(
		    query, query->asked || query == pipe->culprit ? &failure : &lost);
		failure = conn->failure;
	}
	if (pipe->busy)
		spout__gauge_add_shared(SPOUT__G_PG_CONNECTIONS_BUSY, -1);
	pipe->busy = false;
	pipe->n_sent = 0;
	pipe->load_us = 0;
	spout__pg_disconnect(conn);
	spout__hold_drop(pipe);
}

void
spout__pipe_drain(struct spout__pg_pipe *pipe, uint64_t until_ms)
{
	struct spout__pg_conn *conn = pipe->conn;
	struct pollfd ready = { .fd = PQsocket(conn->pq), .events = POLLIN };
	uint64_t now_ms;

	while (!spout__pipe_idle(pipe) && !pipe->broken &&
	    (now_ms = spout__clock_ms()) < until_ms) {
		int r = poll(&ready, 1, (int)(until_ms - now_ms));

		if (r > 0)
			spout__pipe_read(pipe);
	}
}
