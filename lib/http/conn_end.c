/* SPDX-License-Identifier: MIT */
/*
 * The ways a connection ends: at once, after its last response (lingering, RFC 9112 9.6),
 * with the answer to a fault, or when the server stops. Loop's stack only.
 */
#include "config.h"

#include "http/conn.h"

#include <stdlib.h>

#include "base/stats.h"
#include "net/tls.h"

/*
 * What still comes behind the last response is read and dropped for a while, and up to
 * this much: a proxy that meets a reset while it passes an upload on answers 502 instead.
 */
#define LINGER_MAX_BYTES (64u << 20)

static void
conn_free(struct spout__ready *ready)
{
	free(spout__container_of(ready, struct spout__http_conn, ready));
}

void
spout__conn_close(struct spout__http_conn *conn)
{
	struct spout__http_server *server = conn->server;
	struct spout__http_exchange *ex = conn->ex;
	struct spout__http_guest *guest = conn->guest;

	if (conn->state == SPOUT__CONN_CLOSED)
		return;
	spout__conn_set_state(conn, SPOUT__CONN_CLOSED);
	conn->ex = NULL;
	conn->guest = NULL;
	if (guest != NULL)
		guest->ops->lost(guest);
	if (ex != NULL)
		spout__exchange_detach(ex);
	spout__timer_stop(&conn->timer);
	spout__stream_close(&conn->stream);
	spout__buffer_release(&conn->in);
	spout__list_remove(&conn->link);
	spout__list_remove(&conn->ready.link);
	spout__ready_init(&conn->ready, conn_free);
	spout__loop_defer_free(server->loop, &conn->ready);
	server->n_conns--;
	spout__gauge_add(SPOUT__G_CONNECTIONS_OPEN, -1);
	spout__server_conn_gone(server);
}

static void
on_give(struct spout__ready *ready)
{
	struct spout__http_conn *conn =
	    spout__container_of(ready, struct spout__http_conn, ready);
	struct spout__http_guest *guest = conn->guest;
	struct spout__http_server *server = conn->server;
	struct spout_slice ahead = spout_slice_of("", 0);

	if (conn->in.len > 0)
		ahead = spout_slice_of(spout__buffer_at(&conn->in), conn->in.len);
	conn->guest = NULL;
	spout__server_guest_comes(server, guest);
	guest->ops->take(guest, &conn->stream, ahead);
	spout__conn_close(conn);
	if (server->draining && guest->server != NULL)
		guest->ops->drain(guest, server->guest_window_ms);
}

void
spout__conn_give(struct spout__http_conn *conn, struct spout__http_guest *guest)
{
	guest->given = true;
	conn->guest = guest;
	conn->ready.run = on_give;
	spout__conn_set_state(conn, SPOUT__CONN_GIVEN);
	spout__loop_ready(conn->stream.loop, &conn->ready);
}

void
spout__conn_linger(struct spout__http_conn *conn)
{
	spout__buffer_release(&conn->in);
	conn->ex = NULL;
	spout__conn_set_state(conn, SPOUT__CONN_LINGERING);
	spout__stream_set_reading(&conn->stream, true);
	if (spout__stream_unsent(&conn->stream) > 0)
		return; /* on_sent goes on */
	if (conn->stream.eof || conn->close_clean) {
		spout__stream_farewell(&conn->stream);
		spout__conn_close(conn);
		return;
	}
	if (conn->fin_sent)
		return;
	conn->fin_sent = true;
	spout__stream_shutdown(&conn->stream);
}

void
spout__conn_fault(struct spout__http_conn *conn, enum spout__http_fault fault)
{
	struct spout__http_exchange *ex = conn->ex;

	conn->ex = NULL;
	if (ex != NULL)
		spout__exchange_drop(ex);
	spout__count(SPOUT__C_REQUESTS_REJECTED, 1);
	spout__response_fault(conn, fault);
	spout__conn_linger(conn);
}

void
spout__conn_linger_data(struct spout__http_conn *conn, size_t len)
{
	conn->lingered += (uint32_t)len;
	if (conn->lingered > LINGER_MAX_BYTES)
		spout__conn_close(conn);
}

bool
spout__conn_expects_nothing(const struct spout__http_conn *conn)
{
	char byte;

	return spout__stream_unsent(&conn->stream) == 0 && conn->in.len == 0 &&
	    recv(conn->stream.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

void
spout__conn_drain(struct spout__http_conn *conn, bool close_idle)
{
	conn->close_after = true;
	if (conn->state == SPOUT__CONN_LINGERING)
		spout__conn_set_state(conn, SPOUT__CONN_LINGERING); /* for less long */
	if (close_idle && conn->state == SPOUT__CONN_IDLE &&
	    spout__conn_expects_nothing(conn))
		spout__conn_linger(conn);
}
