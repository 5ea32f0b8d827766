/* SPDX-License-Identifier: MIT */
/*
 * The life of a WebSocket: the handshake, the connection, the ways it ends, and when it
 * is freed. States in socket.h. Loop thread.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include <spout/crypto.h>

#include "async/async.h"
#include "base/stats.h"
#include "base/text.h"
#include "web/request.h"
#include "websocket/deflate.h"
#include "websocket/handshake.h"
#include "websocket/socket.h"

#define MAX_MESSAGE_BYTES (1u << 20)
#define CLOSE_TIMEOUT_MS 5000u
#define SCOPE_MAX_BYTES (1u << 20)

struct spout__ws_scope {
	struct spout_scope scope;
	struct spout_websocket *ws;
};

/* --- freeing ---------------------------------------------------------------------- */

static void
ws_free(struct spout__ready *ready)
{
	struct spout_websocket *ws =
	    spout__container_of(ready, struct spout_websocket, ready);

	spout__ws_free_topics(ws);
	spout__ws_input_free(ws);
	spout__ws_output_free(ws);
	spout__ws_context_free(ws->context);
	spout__ws_client_free(ws->client);
	spout__buffer_release(&ws->stream.out);
	free(ws->close_reason);
	free(ws);
}

static void
free_later(struct spout_websocket *ws)
{
	spout__list_remove(&ws->ready.link);
	spout__ready_init(&ws->ready, ws_free);
	spout__loop_defer_free(spout__ws_loop(ws), &ws->ready);
}

static void
on_scope_ended(struct spout_scope *scope)
{
	struct spout__ws_scope *own =
	    spout__container_of(scope, struct spout__ws_scope, scope);

	free_later(own->ws);
	free(own);
}

static void
finish(struct spout_websocket *ws)
{
	if (ws->counted)
		spout__gauge_add(SPOUT__G_WEBSOCKETS_OPEN, -1);
	spout__list_remove(&ws->ready.link);
	spout__http_guest_gone(&ws->guest);
	if (ws->scope != NULL)
		spout__scope_end(&ws->scope->scope, on_scope_ended);
	else
		free_later(ws);
}

/* --- going on --------------------------------------------------------------------- */

static void
run_close(struct spout_websocket *ws)
{
	if (ws->close_ran)
		return;
	ws->close_ran = true;
	if (ws->opened && ws->handler->close != NULL)
		spout__ws_run(ws, SPOUT__WS_CLOSE, NULL);
}

/* A callback is over, or something has come that it can go on with. */
static void
on_ready(struct spout__ready *ready)
{
	struct spout_websocket *ws =
	    spout__container_of(ready, struct spout_websocket, ready);

	if (ws->opening || (!ws->taken && ws->state != SPOUT__WS_CLOSED))
		return;
	if (ws->state == SPOUT__WS_OPEN && ws->co == NULL)
		spout__ws_run_pending(ws);
	if (ws->taken)
		spout__ws_receive(ws, "", 0);
	if (ws->state != SPOUT__WS_OPEN)
		spout__ws_unsubscribe(ws);
	if (ws->state >= SPOUT__WS_ENDING && ws->co == NULL)
		run_close(ws);
	if (ws->state == SPOUT__WS_CLOSED && ws->co == NULL && !spout__ws_is_held(ws))
		finish(ws);
}

/* --- the ways it ends ------------------------------------------------------------- */

/* Of those that were open. */
static void
count_close(const struct spout_websocket *ws)
{
	static const struct {
		unsigned short code;
		unsigned short counter;
	} known[] = {
		{ SPOUT__WS_NORMAL, SPOUT__C_WS_CLOSED_1000 },
		{ SPOUT__WS_GOING_AWAY, SPOUT__C_WS_CLOSED_1001 },
		{ SPOUT__WS_PROTOCOL_ERROR, SPOUT__C_WS_CLOSED_1002 },
		{ SPOUT__WS_NO_STATUS, SPOUT__C_WS_CLOSED_1005 },
		{ SPOUT__WS_ABNORMAL, SPOUT__C_WS_CLOSED_1006 },
		{ SPOUT__WS_BAD_DATA, SPOUT__C_WS_CLOSED_1007 },
		{ SPOUT__WS_POLICY, SPOUT__C_WS_CLOSED_1008 },
		{ SPOUT__WS_TOO_BIG, SPOUT__C_WS_CLOSED_1009 },
		{ SPOUT__WS_INTERNAL_ERROR, SPOUT__C_WS_CLOSED_1011 },
		{ SPOUT__WS_RESTART, SPOUT__C_WS_CLOSED_1012 },
	};
	enum spout__counter counter = SPOUT__C_WS_CLOSED_OTHER;
	unsigned i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].code == ws->close_code)
			counter = (enum spout__counter)known[i].counter;
	if (ws->counted)
		spout__count(counter, 1);
}

void
spout__ws_set_close(
    struct spout_websocket *ws, int code, const char *reason, size_t len)
{
	if (ws->close_code != 0)
		return;
	ws->close_code = (unsigned short)code;
	count_close(ws);
	if (len > 0)
		ws->close_reason = malloc(len + 1);
	if (ws->close_reason == NULL)
		return; /* without memory there is no reason */
	memcpy(ws->close_reason, reason, len);
	ws->close_reason[len] = '\0';
}

void
spout__ws_finish_output(struct spout_websocket *ws)
{
	if (ws->state != SPOUT__WS_ENDING || ws->fin_sent || spout__ws_unsent(ws) > 0)
		return;
	ws->fin_sent = true;
	spout__stream_shutdown(&ws->stream);
}

static void
end_soon(struct spout_websocket *ws, enum spout__ws_state state)
{
	ws->state = (unsigned char)state;
	ws->end_by_ms = spout__loop_after_ms(spout__ws_loop(ws),
	    spout__ws_or(ws->handler->close_timeout_ms, CLOSE_TIMEOUT_MS));
	spout__ws_drop_pending(ws);
	spout__ws_wake_reader(ws);
	spout__ws_watch(ws);
	spout__loop_ready(spout__ws_loop(ws), &ws->ready);
}

void
spout__ws_end(struct spout_websocket *ws)
{
	if (ws->state >= SPOUT__WS_ENDING)
		return;
	end_soon(ws, SPOUT__WS_ENDING);
	spout__ws_wake_writers(ws, -EPIPE);
	spout__stream_set_reading(&ws->stream, true);
	spout__ws_finish_output(ws);
}

void
spout__ws_fail(struct spout_websocket *ws, int code, const char *reason)
{
	if (ws->state >= SPOUT__WS_ENDING)
		return;
	spout__ws_set_close(ws, code, reason, reason != NULL ? strlen(reason) : 0);
	if (ws->state == SPOUT__WS_OPEN)
		spout__ws_put_close(ws, code, reason);
	spout__ws_end(ws);
}

void
spout__ws_lost(struct spout_websocket *ws)
{
	bool orderly = ws->state == SPOUT__WS_ENDING;

	if (ws->state == SPOUT__WS_CLOSED)
		return;
	ws->state = SPOUT__WS_CLOSED;
	spout__ws_set_close(ws, SPOUT__WS_ABNORMAL, "", 0);
	spout__ws_wake_writers(ws, -EPIPE);
	spout__ws_drop_output(ws);
	if (ws->client == NULL)
		spout__ws_drop_pending(ws);
	spout__ws_wake_reader(ws);
	spout__timer_stop(&ws->timer);
	spout__stream_close(&ws->stream);
	if (ws->co != NULL && !orderly)
		spout__coroutine_cancel(ws->co, -ECANCELED, "the client is gone");
	spout__loop_ready(spout__ws_loop(ws), &ws->ready);
}

void
spout__ws_abandon(struct spout_websocket *ws)
{
	spout__ws_lost(ws);
	spout__list_remove(&ws->ready.link);
	if (ws->scope == NULL && ws->co == NULL)
		ws_free(&ws->ready);
}

int
spout_websocket_close(struct spout_websocket *ws, int code, const char *reason)
{
	size_t len = reason != NULL ? strlen(reason) : 0;

	if (!spout__ws_code_valid(code) || len > SPOUT__WS_REASON_MAX ||
	    (len > 0 && !spout__utf8_valid(reason, len)))
		return -EINVAL;
	if (ws->state != SPOUT__WS_OPEN)
		return -EPIPE;
	spout__ws_put_close(ws, code, reason);
	end_soon(ws, SPOUT__WS_CLOSING);
	return 0;
}

/* --- the connection --------------------------------------------------------------- */

static struct spout_websocket *
ws_of(struct spout__stream *stream)
{
	return spout__container_of(stream, struct spout_websocket, stream);
}

static void
on_data(struct spout__stream *stream, const char *data, size_t len)
{
	struct spout_websocket *ws = ws_of(stream);

	ws->heard_ms = spout_loop_now_ms(stream->loop);
	spout__ws_receive(ws, data, len);
}

static void
on_eof(struct spout__stream *stream)
{
	if (!spout__ws_eof_can_wait(ws_of(stream)))
		spout__ws_lost(ws_of(stream));
}

/* With reading off: a message waits, and more of them may be unread. */
static void
on_closing(struct spout__stream *stream)
{
	(void)stream;
}

static void
on_error(struct spout__stream *stream, int error)
{
	(void)error;
	spout__ws_lost(ws_of(stream));
}

static void
on_sent(struct spout__stream *stream)
{
	struct spout_websocket *ws = ws_of(stream);

	ws->moved_ms = spout_loop_now_ms(stream->loop);
	spout__ws_sent(ws);
}

const struct spout__stream_ops spout__ws_stream_ops = { on_data, on_eof, on_closing,
	on_error, on_sent };

static struct spout_websocket *
ws_of_guest(struct spout__http_guest *guest)
{
	return spout__container_of(guest, struct spout_websocket, guest);
}

/* What open() has sent goes behind the 101. Returns 0 or -errno. */
static int
send_early(struct spout_websocket *ws, const struct spout__buffer *early)
{
	return early->len == 0 ? 0 :
	    spout__stream_write(&ws->stream, spout__buffer_at(early), early->len);
}

static void
guest_take(struct spout__http_guest *guest, struct spout__stream *from,
    struct spout_slice ahead)
{
	struct spout_websocket *ws = ws_of_guest(guest);
	struct spout__buffer early = ws->stream.out;
	struct spout__ws_input *input;

	ws->taken = ws->counted = true;
	spout__count(SPOUT__C_WEBSOCKETS, 1);
	spout__gauge_add(SPOUT__G_WEBSOCKETS_OPEN, 1);
	ws->moved_ms = spout_loop_now_ms(spout__ws_loop(ws));
	spout__stream_move(&ws->stream, from, &spout__ws_stream_ops, early.max);
	if (send_early(ws, &early) < 0)
		spout__ws_lost(ws);
	spout__buffer_release(&early);
	if (ahead.len > 0) {
		input = spout__ws_input(ws);
		if (input == NULL ||
		    spout__buffer_append(&input->ahead, ahead.data, ahead.len) < 0)
			spout__ws_lost(ws);
	}
	spout__ws_watch(ws);
	spout__loop_ready(spout__ws_loop(ws), &ws->ready);
}

static void
guest_lost(struct spout__http_guest *guest)
{
	spout__ws_lost(ws_of_guest(guest));
}

/* All clients at once would come back at once: each gets a time of its own. */
static void
leave_within(struct spout_websocket *ws, uint64_t ms)
{
	struct spout_loop *loop = spout__ws_loop(ws);
	uint64_t at;
	uint32_t part;

	spout_random(&part, sizeof(part));
	ms = ms < UINT32_MAX ? ms : UINT32_MAX;
	at = spout__loop_after_ms(loop, part * ms >> 32);
	if (ws->end_by_ms == 0 || at < ws->end_by_ms)
		ws->end_by_ms = at;
	spout__ws_watch(ws);
}

static void
guest_drain(struct spout__http_guest *guest, uint64_t within_ms)
{
	struct spout_websocket *ws = ws_of_guest(guest);

	if (ws->state != SPOUT__WS_OPEN)
		return;
	if (within_ms > 0)
		leave_within(ws, within_ms);
	else
		(void)spout_websocket_close(
		    ws, SPOUT__WS_GOING_AWAY, "the server stops");
}

static void
guest_stop(struct spout__http_guest *guest)
{
	struct spout_websocket *ws = ws_of_guest(guest);

	spout__ws_lost(ws);
	if (ws->co != NULL)
		spout__coroutine_cancel(ws->co, -ECANCELED, "the server stops");
}

static const struct spout__http_guest_ops guest_ops = { guest_take, guest_lost,
	guest_drain, guest_stop };

/* --- the handshake ---------------------------------------------------------------- */

static bool
origin_allowed(struct spout_request *req, const struct spout_websocket_handler *handler)
{
	const char *origin = spout_header(req, "Origin");

	if (origin == NULL)
		return true; /* no browser */
	if (handler->check_origin != NULL)
		return handler->check_origin(req, origin);
	return spout__ws_origin_allowed(req->head, spout_slice(origin), handler->origins);
}

/* False: the request has been answered. */
static bool
shake_hands(struct spout_request *req, const struct spout_websocket_handler *handler,
    struct spout__ws_handshake *ret)
{
	struct spout_websocket_compress compress = handler->compress;
	const char *why;
	int status;

	/* A message that is dropped would be missing in the window of the client. */
	if (handler->slow == SPOUT_WEBSOCKET_DROP_OLDEST)
		compress.keep_context = false;
	status = spout__ws_handshake(
	    req->head, handler->subprotocols, &compress, ret, &why);
	if (status == 426) {
		spout_set_status(req, status);
		spout_set_header(req, "Upgrade", "websocket");
		spout_set_header(req, "Sec-WebSocket-Version", "13");
		spout_plain(req, spout_sprintf("%s\n", why));
		return false;
	}
	if (status != 0)
		spout_fail(req, status, "%s", why);
	if (!origin_allowed(req, handler))
		spout_fail(req, 403, "pages of another origin may not connect");
	return true;
}

struct spout_websocket *
spout__ws_new(struct spout_loop *loop, const struct spout_websocket_handler *handler)
{
	struct spout_websocket *ws = calloc(1, sizeof(*ws));

	if (ws == NULL)
		return NULL;
	ws->handler = handler;
	ws->stream.loop = loop;
	ws->stream.fd = -1;
	spout__buffer_init(
	    &ws->stream.out, spout__ws_max_unsent(ws) + SPOUT__WS_CONTROL_ROOM);
	spout__http_guest_init(&ws->guest, &guest_ops);
	spout__ready_init(&ws->ready, on_ready);
	spout__timer_init(&ws->timer, spout__ws_on_timer);
	spout__ws_reader_init(&ws->reader,
	    spout__ws_or(handler->max_message_bytes, MAX_MESSAGE_BYTES));
	return ws;
}

void
spout__ws_agree(struct spout_websocket *ws, const struct spout__ws_deflate *deflate)
{
	ws->deflate = *deflate;
	ws->reader.may_pack = deflate->own_bits != 0;
}

/* The request of open() is over, however it ended; the last of its clean-ups. */
static void
on_request_gone(void *arg)
{
	struct spout_websocket *ws = arg;

	ws->opening = false;
	ws->request = NULL;
	if (!ws->guest.given)
		spout__ws_lost(ws);
	spout__loop_ready(spout__ws_loop(ws), &ws->ready);
}

static void
accept_socket(struct spout_request *req, struct spout_websocket *ws,
    const struct spout__ws_handshake *handshake)
{
	int r;

	spout_set_header(req, "Sec-WebSocket-Accept", handshake->accept);
	if (handshake->subprotocol != NULL)
		spout_set_header(req, "Sec-WebSocket-Protocol", handshake->subprotocol);
	if (handshake->deflate.own_bits != 0)
		spout_set_header(req, "Sec-WebSocket-Extensions", handshake->extension);
	r = spout__http_upgrade(req->ex, spout_slice("websocket"), &ws->guest);
	if (r < 0)
		spout__co_leave(r, 503, "no WebSocket: %s", strerror(-r));
}

void
spout_websocket_serve(struct spout_request *req)
{
	const struct spout_websocket_handler *handler = spout_route_data(req);
	struct spout__ws_handshake handshake;
	struct spout_websocket *ws;

	if (!shake_hands(req, handler, &handshake))
		return;
	ws = spout__ws_new(req->web->loop, handler);
	if (ws == NULL)
		spout__co_leave(-ENOMEM, 0, "out of memory");
	ws->request = req;
	ws->opening = true;
	spout_defer(on_request_gone, ws);
	ws->subprotocol = handshake.subprotocol;
	spout__ws_agree(ws, &handshake.deflate);
	if (handler->open != NULL)
		handler->open(ws);
	ws->opened = true;
	accept_socket(req, ws, &handshake);
}

/* --- looking at it ---------------------------------------------------------------- */

struct spout_request *
spout_websocket_request(struct spout_websocket *ws)
{
	return ws->request;
}

struct spout_scope *
spout_websocket_scope(struct spout_websocket *ws)
{
	if (ws->scope == NULL) {
		ws->scope = malloc(sizeof(*ws->scope));
		if (ws->scope == NULL)
			spout__co_leave(-ENOMEM, 0, "out of memory");
		spout__scope_init(
		    &ws->scope->scope, spout__ws_loop(ws), SCOPE_MAX_BYTES);
		ws->scope->ws = ws;
	}
	return &ws->scope->scope;
}

void
spout_websocket_set_data(struct spout_websocket *ws, void *data)
{
	ws->data = data;
}

void *
spout_websocket_data(const struct spout_websocket *ws)
{
	return ws->data;
}

bool
spout_websocket_is_binary(const struct spout_websocket *ws)
{
	return ws->binary;
}

const char *
spout_websocket_subprotocol(const struct spout_websocket *ws)
{
	return ws->subprotocol;
}

bool
spout_websocket_is_open(const struct spout_websocket *ws)
{
	return ws->state == SPOUT__WS_OPEN;
}
