/* SPDX-License-Identifier: MIT */
/*
 * One HTTP/1 connection: bytes in, requests started in order, what follows the end of
 * each. Loop's stack only; states in conn.h, their time-outs in conn_time.c, the ways a
 * connection ends in conn_end.c.
 *
 * Nothing here happens per request but list moves and stores: the timer is lazy, the read
 * buffer belongs to the loop, the write leaves at the end of the turn.
 */
#include "config.h"

#include "http/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/stats.h"
#include "net/tls.h"

#define MAX_REQUESTS_PER_TURN 64
/* An unread body up to this size is read and dropped to keep the connection. */
#define DRAIN_MAX_BYTES 65536u
/* --- requests --------------------------------------------------------------------- */

static void
conn_run(struct spout__http_conn *conn)
{
	spout__conn_set_state(conn, SPOUT__CONN_RUNNING);
	if (conn->ex->plan.stream_body)
		conn->run_pending = true; /* it reads from conn->in */
	else
		spout__exchange_run(conn->ex);
}

/* Take body bytes of a buffered request. Returns how many were used. */
static size_t
conn_take_body(struct spout__http_conn *conn, const char *data, size_t len)
{
	struct spout__http_exchange *ex = conn->ex;
	size_t used, total = 0;
	struct spout_slice piece;
	int r;

	do {
		r = spout__http_body_feed(
		    &ex->body, data + total, len - total, &used, &piece);
		if (r < 0) {
			spout__conn_fault(conn, (enum spout__http_fault)-r);
			return len;
		}
		total += used;
		if (piece.len > 0 &&
		    spout__buffer_append(&ex->body_in, piece.data, piece.len) < 0) {
			spout__conn_close(conn); /* out of memory */
			return len;
		}
	} while (used > 0 && !spout__http_body_done(&ex->body));
	if (spout__http_body_done(&ex->body))
		conn_run(conn);
	return total;
}

/* Drop the rest of a body that the handler did not read. */
static size_t
conn_drop_body(struct spout__http_conn *conn, const char *data, size_t len)
{
	size_t used, total = 0;
	struct spout_slice piece;

	do {
		if (spout__http_body_feed(&conn->drain, data + total, len - total, &used,
		        &piece) < 0) {
			spout__conn_linger(conn); /* answered already: no second answer */
			return len;
		}
		total += used;
	} while (used > 0 && !spout__http_body_done(&conn->drain));
	if (spout__http_body_done(&conn->drain))
		spout__conn_set_state(conn, SPOUT__CONN_IDLE);
	return total;
}

static void
conn_start_exchange(struct spout__http_conn *conn, const char *data, size_t len)
{
	enum spout__http_fault fault = SPOUT__FAULT_NONE;
	struct spout__http_exchange *ex = spout__exchange_new(conn, data, len, &fault);

	if (ex == NULL) {
		if (fault != SPOUT__FAULT_NONE)
			spout__conn_fault(conn, fault);
		else
			spout__conn_close(conn);
		return;
	}
	conn->ex = ex;
	if (ex->plan.stream_body || spout__http_body_done(&ex->body))
		conn_run(conn);
	else
		spout__conn_set_state(conn, SPOUT__CONN_BODY);
}

/* Skip empty lines before a head: not more than are allowed, in however many pieces. */
static size_t
conn_skip_empty(struct spout__http_conn *conn, const char *data, size_t len)
{
	size_t left = SPOUT__HTTP_MAX_EMPTY - conn->empty_bytes;
	size_t skipped = spout__http_skip_empty(data, len < left ? len : left);

	conn->empty_bytes += (unsigned char)skipped;
	return skipped;
}

/* Look for a head; start its exchange. Returns how many bytes were used. */
static size_t
conn_take_head(struct spout__http_conn *conn, const char *data, size_t len)
{
	size_t skipped = 0;
	int n;

	if (conn->find_from == 0)
		skipped = conn_skip_empty(conn, data, len);
	if (len == skipped) {
		if (conn->state == SPOUT__CONN_HEAD)
			spout__conn_set_state(conn, SPOUT__CONN_IDLE);
		return skipped;
	}
	n = spout__http_head_find(data + skipped, len - skipped, &conn->find_from,
	    &conn->server->options.limits);
	if (n < 0) {
		spout__conn_fault(conn, (enum spout__http_fault)-n);
		return len;
	}
	if (n == 0) {
		if (conn->state != SPOUT__CONN_HEAD)
			spout__conn_set_state(conn, SPOUT__CONN_HEAD);
		return skipped;
	}
	conn->find_from = conn->empty_bytes = 0;
	conn_start_exchange(conn, data + skipped, (size_t)n);
	return skipped + (size_t)n;
}

static bool
conn_can_start(const struct spout__http_conn *conn)
{
	return (conn->state == SPOUT__CONN_IDLE || conn->state == SPOUT__CONN_HEAD) &&
	    spout__stream_unsent(&conn->stream) <= SPOUT__CONN_UNSENT_HIGH;
}

/* Use bytes until more are needed, a handler waits, or this turn has done enough. */
static size_t
conn_use(struct spout__http_conn *conn, const char *data, size_t len)
{
	unsigned started = 0;
	size_t used, total = 0;

	do {
		used = 0;
		if (conn->state == SPOUT__CONN_BODY) {
			if (len > total)
				used = conn_take_body(conn, data + total, len - total);
			else
				spout__exchange_continue(conn->ex);
		} else if (conn->state == SPOUT__CONN_DRAINING) {
			used = conn_drop_body(conn, data + total, len - total);
		} else if (conn_can_start(conn) && len > total) {
			if (++started > MAX_REQUESTS_PER_TURN) {
				spout__loop_ready(conn->stream.loop, &conn->ready);
				break;
			}
			used = conn_take_head(conn, data + total, len - total);
		}
		total += used;
	} while (used > 0 && (total < len || conn->state == SPOUT__CONN_BODY) &&
	    conn->state < SPOUT__CONN_LINGERING);
	return total;
}

void
spout__conn_update_reading(struct spout__http_conn *conn)
{
	size_t limit = SPOUT__CONN_READ_AHEAD;

	if (conn->ex != NULL && conn->ex->plan.stream_body)
		limit = SPOUT__CONN_BODY_AHEAD;
	if (conn->state == SPOUT__CONN_HEAD || conn->state == SPOUT__CONN_BODY ||
	    conn->state == SPOUT__CONN_LINGERING)
		limit = SIZE_MAX; /* what arrives is used or refused at once */
	spout__stream_set_reading(&conn->stream, conn->in.len < limit);
}

/* New bytes (from the loop's scratch), or none: go on with what is buffered. */
static void
conn_use_or_store(struct spout__http_conn *conn, const char *data, size_t len)
{
	bool direct = conn->in.len == 0;
	size_t used;

	if (!direct) {
		if (len > 0 && spout__buffer_append(&conn->in, data, len) < 0) {
			spout__conn_close(conn);
			return;
		}
		data = spout__buffer_at(&conn->in);
		len = conn->in.len;
	}
	used = conn_use(conn, data, len);
	if (conn->state >= SPOUT__CONN_LINGERING)
		return;
	if (!direct) {
		spout__buffer_consume(&conn->in, used);
		if (conn->in.len == 0)
			spout__buffer_release(&conn->in);
	} else if (used < len &&
	    spout__buffer_append(&conn->in, data + used, len - used) < 0) {
		spout__conn_close(conn);
	}
}

static void
conn_process(struct spout__http_conn *conn, const char *data, size_t len)
{
	conn->processing = true;
	conn_use_or_store(conn, data, len);
	conn->processing = false;
	if (conn->run_pending && conn->state == SPOUT__CONN_RUNNING) {
		conn->run_pending = false;
		spout__exchange_run(conn->ex);
	}
	if (conn->state < SPOUT__CONN_LINGERING)
		spout__conn_update_reading(conn);
}

/* The client sends no more: over, unless a request that is buffered can still start. */
static void
conn_check_eof(struct spout__http_conn *conn)
{
	struct spout__http_exchange *ex = conn->ex;

	if (!conn->stream.eof || spout__ready_pending(&conn->ready) ||
	    conn->state == SPOUT__CONN_RUNNING || conn->state >= SPOUT__CONN_LINGERING)
		return;
	if (conn->in.len > 0 && conn->state <= SPOUT__CONN_HEAD && !conn_can_start(conn))
		return; /* on_sent goes on */
	conn->ex = NULL;
	if (ex != NULL)
		spout__exchange_drop(ex);
	spout__conn_linger(conn);
}

static void
on_ready(struct spout__ready *ready)
{
	struct spout__http_conn *conn =
	    spout__container_of(ready, struct spout__http_conn, ready);

	conn_process(conn, "", 0);
	conn_check_eof(conn);
}

/* --- the end of an exchange ------------------------------------------------------- */

/* May the rest of the body be read and dropped, to keep the connection? */
static bool
worth_draining(const struct spout__http_exchange *ex)
{
	if (spout__http_body_done(&ex->body))
		return true;
	if (ex->head->expect_continue && !ex->continue_sent)
		return false; /* nobody knows whether the client will send it */
	return ex->head->framing == SPOUT__HTTP_LENGTH &&
	    ex->head->content_length - ex->body.total <= DRAIN_MAX_BYTES &&
	    ex->fault == SPOUT__FAULT_NONE;
}

bool
spout__conn_may_keep(const struct spout__http_conn *conn)
{
	const struct spout__http_exchange *ex = conn->ex;

	return ex->head->keep_alive && !ex->close_after && !conn->close_after &&
	    !conn->server->draining && (ex->body_read_began || worth_draining(ex));
}

void
spout__conn_exchange_done(struct spout__http_conn *conn, bool cut)
{
	struct spout__http_exchange *ex = conn->ex;
	bool body_done = spout__http_body_done(&ex->body);

	if (cut) {
		/* After the head only a missing end tells the client (RFC 9112 8). */
		spout__stream_flush(&conn->stream);
		if (conn->state != SPOUT__CONN_CLOSED) {
			conn->ex = NULL;
			spout__conn_close(conn);
		}
		return;
	}
	conn->ex = NULL;
	if (ex->close_after || !worth_draining(ex))
		conn->close_after = true;
	if (conn->close_after) {
		if (ex->guest != NULL) {
			spout__conn_give(conn, ex->guest);
			return;
		}
		conn->close_clean = body_done && conn->in.len == 0 &&
		    !ex->head->keep_alive;
		spout__conn_linger(conn);
		return;
	}
	conn->drain = ex->body;
	spout__conn_set_state(conn, body_done ? SPOUT__CONN_IDLE : SPOUT__CONN_DRAINING);
	if (conn->processing)
		return; /* conn_use() goes on */
	if (conn->in.len > 0 || conn->stream.eof)
		spout__loop_ready(conn->stream.loop, &conn->ready);
	else
		spout__conn_update_reading(conn);
}

/* --- stream callbacks ------------------------------------------------------------- */

static struct spout__http_conn *
conn_of(struct spout__stream *stream)
{
	return spout__container_of(stream, struct spout__http_conn, stream);
}

static void
on_streamed_body(struct spout__http_conn *conn, const char *data, size_t len)
{
	struct spout__http_exchange *ex = conn->ex;

	if (spout__buffer_append(&conn->in, data, len) < 0) {
		spout__conn_close(conn);
		return;
	}
	spout__exchange_wake(&ex->readers);
	spout__conn_update_reading(conn);
}

static void
on_data(struct spout__stream *stream, const char *data, size_t len)
{
	struct spout__http_conn *conn = conn_of(stream);

	if (conn->state == SPOUT__CONN_LINGERING) {
		spout__conn_linger_data(conn, len);
		return;
	}
	if (conn->state == SPOUT__CONN_RUNNING) {
		on_streamed_body(conn, data, len);
		return;
	}
	if (conn->state == SPOUT__CONN_BODY) {
		if (spout__conn_body_too_slow(conn, conn->ex)) {
			spout__count(SPOUT__C_CONN_TIMEOUTS, 1);
			spout__conn_fault(conn, SPOUT__FAULT_BODY_TIMEOUT);
			return;
		}
		spout__conn_set_deadline(conn, conn->server->options.body_timeout_ms);
	}
	conn_process(conn, data, len);
}

/*
 * Does the rest of the running request wait to be read, or a whole head behind it? Then
 * the end of input says nothing about the client.
 */
static bool
request_is_buffered(const struct spout__http_conn *conn)
{
	struct spout__http_body body = conn->ex->body;
	size_t len = conn->in.len, used, from = 0;
	struct spout_slice piece;
	const char *data;

	if (len == 0)
		return false;
	data = spout__buffer_at(&conn->in);
	for (; !spout__http_body_done(&body); data += used, len -= used) {
		if (spout__http_body_feed(&body, data, len, &used, &piece) < 0)
			return true; /* the handler will be told */
		if (used == 0)
			return false;
	}
	if (!spout__http_body_done(&conn->ex->body))
		return true;
	used = spout__http_skip_empty(data, len);
	return spout__http_head_find(data + used, len - used, &from,
	           &conn->server->options.limits) > 0;
}

static void
on_eof(struct spout__stream *stream)
{
	struct spout__http_conn *conn = conn_of(stream);

	if (conn->state == SPOUT__CONN_RUNNING) {
		if (!spout__list_empty(&conn->ex->readers))
			spout__exchange_wake(&conn->ex->readers);
		else if (!conn->ex->plan.half_close && !request_is_buffered(conn))
			spout__conn_close(conn);
		return;
	}
	if (conn->state == SPOUT__CONN_LINGERING) {
		if (spout__stream_unsent(stream) == 0)
			spout__conn_close(conn);
		return;
	}
	conn_check_eof(conn);
}

/* Not read to the end: what is missing of a body, or of a next request, may still
 * come. */
static void
on_closing(struct spout__stream *stream)
{
	struct spout__http_conn *conn = conn_of(stream);
	const struct spout__http_exchange *ex = conn->ex;

	if (conn->state == SPOUT__CONN_RUNNING && !ex->plan.half_close &&
	    spout__http_body_done(&ex->body) && !request_is_buffered(conn))
		spout__conn_close(conn);
}

static void
on_error(struct spout__stream *stream, int error)
{
	(void)error;
	spout__conn_close(conn_of(stream));
}

static void
on_sent(struct spout__stream *stream)
{
	struct spout__http_conn *conn = conn_of(stream);
	size_t unsent = spout__stream_unsent(stream);

	if (conn->state == SPOUT__CONN_LINGERING) {
		spout__conn_linger(conn);
		return;
	}
	/* While a body is awaited, that is what has a deadline. */
	if (conn->state == SPOUT__CONN_RUNNING && spout__list_empty(&conn->ex->readers))
		spout__conn_watch_output(conn);
	else if (conn->state == SPOUT__CONN_IDLE)
		spout__conn_watch_idle(conn);
	if (conn->ex != NULL && unsent <= SPOUT__CONN_UNSENT_HIGH / 2)
		spout__exchange_wake(&conn->ex->writers);
	if (conn->in.len > 0 && conn_can_start(conn) && !conn->processing)
		spout__loop_ready(stream->loop, &conn->ready);
}

static const struct spout__stream_ops stream_ops = { on_data, on_eof, on_closing,
	on_error, on_sent };

/* --- making ----------------------------------------------------------------------- */

static void
set_peer(struct spout__http_conn *conn, const struct sockaddr *peer, socklen_t len)
{
	if (len > sizeof(conn->peer) || peer->sa_family == AF_UNIX)
		conn->peer.sa.sa_family = AF_UNIX;
	else
		memcpy(&conn->peer, peer, len);
}

int
spout__conn_new(struct spout__http_server *server, int fd, const struct sockaddr *peer,
    socklen_t peer_len, struct spout_tls *tls)
{
	struct spout__http_conn *conn = calloc(1, sizeof(*conn));
	int r;

	if (conn == NULL)
		return -ENOMEM;
	r = spout__stream_init(&conn->stream, server->loop, fd, &stream_ops,
	    SPOUT__CONN_UNSENT_MAX);
	if (r < 0) {
		free(conn);
		return r;
	}
	conn->server = server;
	set_peer(conn, peer, peer_len);
	spout__buffer_init(&conn->in, SPOUT__CONN_BODY_AHEAD + 2 * SPOUT__LOOP_SCRATCH);
	spout__timer_init(&conn->timer, spout__conn_on_timer);
	spout__ready_init(&conn->ready, on_ready);
	spout__list_init(&conn->link);
	conn->close_after = server->draining || server->options.no_keep_alive;
	server->n_conns++;
	spout__gauge_add(SPOUT__G_CONNECTIONS_OPEN, 1);
	spout__conn_set_state(conn, SPOUT__CONN_IDLE);
	if (tls != NULL && spout__stream_start_tls(&conn->stream, tls, NULL, NULL) < 0)
		spout__conn_close(conn);
	return 0;
}
