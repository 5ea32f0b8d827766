/* SPDX-License-Identifier: MIT */
/*
 * The states of a connection and how long each may last. Loop's stack only; states in
 * conn.h. The timer is lazy: moving a deadline is a store, and a timer that fires too
 * early starts itself again.
 */
#include "config.h"

#include "http/conn.h"

#include "base/stats.h"

/* How long what still comes behind the last response is read: see conn_end.c. */
#define LINGER_MS 5000u
#define DRAIN_LINGER_MS 1000u /* the same while the server stops */

void
spout__conn_set_deadline(struct spout__http_conn *conn, uint64_t ms)
{
	struct spout_loop *loop = conn->stream.loop;

	conn->deadline_ms = ms == 0 ? UINT64_MAX : spout__loop_after_ms(loop, ms);
	if (ms != 0 && (!spout__timer_pending(&conn->timer) ||
	        conn->timer.at_ms > conn->deadline_ms))
		spout__timer_start_at(loop, &conn->timer, conn->deadline_ms);
}

void
spout__conn_watch_output(struct spout__http_conn *conn)
{
	bool unsent = spout__stream_unsent(&conn->stream) > 0;

	spout__conn_set_deadline(
	    conn, unsent ? conn->server->options.write_timeout_ms : 0);
}

void
spout__conn_watch_idle(struct spout__http_conn *conn)
{
	const struct spout__http_options *options = &conn->server->options;
	bool unsent = spout__stream_unsent(&conn->stream) > 0;

	/* A client that does not take the last response does not think of its next. */
	spout__conn_set_deadline(
	    conn, unsent ? options->write_timeout_ms : options->idle_timeout_ms);
}

static uint64_t
linger_ms(const struct spout__http_conn *conn)
{
	if (spout__stream_unsent(&conn->stream) > 0)
		return conn->server->options.write_timeout_ms;
	return conn->server->draining ? DRAIN_LINGER_MS : LINGER_MS;
}

void
spout__conn_set_state(struct spout__http_conn *conn, enum spout__conn_state state)
{
	struct spout__http_server *server = conn->server;
	const struct spout__http_options *options = &server->options;
	bool was_idle = conn->state == SPOUT__CONN_IDLE;

	conn->state = (unsigned char)state;
	switch (state) {
	case SPOUT__CONN_IDLE:
		spout__list_remove(&conn->link);
		spout__list_push(&server->idle, &conn->link);
		spout__conn_watch_idle(conn);
		if (server->draining)
			spout__server_idle_in_drain(server);
		return;
	case SPOUT__CONN_HEAD:
		spout__conn_set_deadline(conn, options->head_timeout_ms);
		break;
	case SPOUT__CONN_BODY:
	case SPOUT__CONN_DRAINING:
		spout__conn_set_deadline(conn, options->body_timeout_ms);
		break;
	case SPOUT__CONN_RUNNING:
	case SPOUT__CONN_GIVEN:
	case SPOUT__CONN_CLOSED:
		conn->deadline_ms = UINT64_MAX;
		break;
	case SPOUT__CONN_LINGERING:
		spout__conn_set_deadline(conn, linger_ms(conn));
		break;
	}
	if (was_idle) {
		spout__list_remove(&conn->link);
		spout__list_push(&server->busy, &conn->link);
	}
}

bool
spout__conn_body_too_slow(const struct spout__http_conn *conn,
    const struct spout__http_exchange *ex)
{
	/* A body that trickles is a client that holds a place for nothing; but the time
	 * that the handler takes between two reads is not the client's. */
	uint64_t spent = ex->plan.stream_body ?
	    ex->body_waited_ms :
	    spout_loop_now_ms(conn->stream.loop) - ex->body_began_ms;
	const struct spout__http_options *options = &conn->server->options;
	uint64_t rate = options->min_body_rate;

	return rate > 0 && spent > options->min_body_grace_ms &&
	    ex->body.total < rate * spent / 1000;
}

static void
conn_timed_out(struct spout__http_conn *conn)
{
	spout__count(SPOUT__C_CONN_TIMEOUTS, 1);
	switch ((enum spout__conn_state)conn->state) {
	case SPOUT__CONN_HEAD:
		spout__conn_fault(conn, SPOUT__FAULT_HEAD_TIMEOUT);
		break;
	case SPOUT__CONN_BODY:
		spout__conn_fault(conn, SPOUT__FAULT_BODY_TIMEOUT);
		break;
	case SPOUT__CONN_RUNNING:
		if (!spout__list_empty(&conn->ex->readers)) {
			conn->ex->fault = SPOUT__FAULT_BODY_TIMEOUT;
			spout__exchange_wake(&conn->ex->readers);
			break;
		}
		spout__conn_close(conn); /* the client does not take what we write */
		break;
	case SPOUT__CONN_IDLE:
		if (spout__stream_unsent(&conn->stream) > 0)
			spout__conn_close(conn);
		else if (spout__conn_expects_nothing(conn))
			spout__conn_linger(conn);
		else /* a request came while the loop was busy */
			spout__conn_set_deadline(
			    conn, conn->server->options.head_timeout_ms);
		break;
	case SPOUT__CONN_DRAINING:
		spout__conn_linger(conn); /* the response may still be on its way */
		break;
	case SPOUT__CONN_GIVEN:
	case SPOUT__CONN_LINGERING:
	case SPOUT__CONN_CLOSED:
		spout__conn_close(conn);
		break;
	}
}

void
spout__conn_on_timer(struct spout__timer *timer)
{
	struct spout__http_conn *conn =
	    spout__container_of(timer, struct spout__http_conn, timer);

	if (conn->deadline_ms == UINT64_MAX)
		return; /* started again with the next deadline */
	if (spout_loop_now_ms(conn->stream.loop) < conn->deadline_ms)
		spout__timer_start_at(conn->stream.loop, timer, conn->deadline_ms);
	else
		conn_timed_out(conn);
}
