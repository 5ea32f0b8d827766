/* SPDX-License-Identifier: MIT */
/*
 * What a WebSocket sends: messages with back-pressure, control frames. Loop thread; only
 * the sending of a message may suspend.
 *
 * With DROP_OLDEST whole messages wait in a list of their own, so that they can be
 * dropped, and little of them goes to the stream ahead.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "async/async.h"
#include "base/text.h"
#include "websocket/socket.h"

/* A wait for room in the queue: on the sender's stack. */
struct write_wait {
	struct spout__waker waker;
	struct spout__list link; /* in ws->writers, until the socket stops sending */
	int error;
};

/* --- into the queue --------------------------------------------------------------- */

/* Before the connection is ours the queue fills behind the 101. */
static char *
reserve(struct spout_websocket *ws, size_t n)
{
	if (ws->taken)
		return spout__stream_reserve(&ws->stream, n);
	return spout__buffer_reserve(&ws->stream.out, n);
}

static void
commit(struct spout_websocket *ws, size_t n)
{
	if (spout__stream_unsent(&ws->stream) == 0)
		ws->moved_ms = spout_loop_now_ms(spout__ws_loop(ws));
	if (ws->taken)
		spout__stream_commit(&ws->stream, n);
	else
		spout__buffer_commit(&ws->stream.out, n);
	spout__ws_watch(ws);
}

static int
put(struct spout_websocket *ws, enum spout__ws_opcode opcode, const void *data,
    size_t len)
{
	char head[SPOUT__WS_HEAD_MAX];
	size_t n = spout__ws_put_head(head, opcode, len);
	char *to = reserve(ws, n + len);

	if (to == NULL)
		return -errno;
	memcpy(to, head, n);
	if (len > 0)
		memcpy(to + n, data, len);
	commit(ws, n + len);
	return 0;
}

/* --- messages that can be dropped ------------------------------------------------- */

static struct spout__ws_frame *
frame_of(struct spout__list *link)
{
	return spout__container_of(link, struct spout__ws_frame, link);
}

static void
drop_first(struct spout_websocket *ws)
{
	struct spout__ws_frame *frame = frame_of(spout__list_pop(&ws->backlog));

	ws->backlog_bytes -= frame->len;
	free(frame);
}

static int
put_behind(struct spout_websocket *ws, enum spout__ws_opcode opcode, const void *data,
    size_t len)
{
	struct spout__ws_frame *frame =
	    malloc(sizeof(*frame) + SPOUT__WS_HEAD_MAX + len);
	size_t n;

	if (frame == NULL)
		return -ENOMEM;
	n = spout__ws_put_head(frame->data, opcode, len);
	if (len > 0)
		memcpy(frame->data + n, data, len);
	frame->len = n + len;
	spout__list_init(&frame->link);
	spout__list_push(&ws->backlog, &frame->link);
	ws->backlog_bytes += frame->len;
	while (ws->backlog_bytes > spout__ws_max_unsent(ws) + SPOUT__WS_HEAD_MAX) {
		drop_first(ws);
		ws->dropped++;
	}
	return 0;
}

/* Hand as much to the stream as it is to have ahead, or all that it takes. */
static void
refill(struct spout_websocket *ws, size_t ahead)
{
	struct spout__ws_frame *frame;
	char *to;

	while (!spout__list_empty(&ws->backlog) &&
	    spout__stream_unsent(&ws->stream) < ahead) {
		frame = frame_of(ws->backlog.next);
		to = reserve(ws, frame->len);
		if (to == NULL)
			return;
		memcpy(to, frame->data, frame->len);
		commit(ws, frame->len);
		drop_first(ws);
	}
}

/* --- waiting for the client ------------------------------------------------------- */

static void
write_detach(struct spout__waker *waker)
{
	spout__list_remove(
	    &spout__container_of(waker, struct write_wait, waker)->link);
}

/* Suspend until some of the queue has left. Returns 0 or -EPIPE: then the socket may be
 * gone. */
static int
wait_for_room(struct spout_websocket *ws)
{
	struct write_wait wait = { .waker = { .co = spout__co_must("sending to a client"),
		.detach = write_detach } };

	spout__stream_flush(&ws->stream);
	if (ws->state != SPOUT__WS_OPEN)
		return -EPIPE;
	if (spout__stream_unsent(&ws->stream) == 0)
		return 0; /* it has taken all */
	spout__list_init(&wait.link);
	spout__list_push(&ws->writers, &wait.link);
	spout__wait(&wait.waker, "a slow client");
	return wait.error;
}

static void
wake_writers(struct spout_websocket *ws)
{
	struct spout__list *node;

	spout__list_for_each(node, &ws->writers)
		spout__waker_wake(
		    &spout__container_of(node, struct write_wait, link)->waker);
}

void
spout__ws_stop_sending(struct spout_websocket *ws)
{
	struct spout__list *node;

	while ((node = spout__list_pop(&ws->writers)) != NULL) {
		struct write_wait *wait =
		    spout__container_of(node, struct write_wait, link);

		wait->error = -EPIPE;
		spout__waker_wake(&wait->waker);
	}
	while (!spout__list_empty(&ws->backlog))
		drop_first(ws);
}

void
spout__ws_sent(struct spout_websocket *ws)
{
	refill(ws, SPOUT__WS_STREAM_AHEAD);
	if (spout__stream_unsent(&ws->stream) <= spout__ws_max_unsent(ws) / 2)
		wake_writers(ws);
}

/* --- messages --------------------------------------------------------------------- */

/* The queue may hold max_unsent_bytes, heads aside; one message always fits. */
static bool
has_room(const struct spout_websocket *ws, size_t len)
{
	size_t unsent = spout__stream_unsent(&ws->stream);

	return unsent == 0 || unsent + len <= spout__ws_max_unsent(ws);
}

static int
send_message(struct spout_websocket *ws, enum spout__ws_opcode opcode, const void *data,
    size_t len)
{
	int r = 0;

	if (ws->state != SPOUT__WS_OPEN)
		return -EPIPE;
	if (len > spout__ws_max_unsent(ws))
		return -EMSGSIZE;
	if (ws->handler->slow == SPOUT_WEBSOCKET_DROP_OLDEST &&
	    (!spout__list_empty(&ws->backlog) ||
		spout__stream_unsent(&ws->stream) > SPOUT__WS_STREAM_AHEAD))
		return put_behind(ws, opcode, data, len);
	while (r == 0 && !has_room(ws, len)) {
		if (!ws->taken)
			return -ENOBUFS;
		if (ws->handler->slow != SPOUT_WEBSOCKET_CLOSE) {
			r = wait_for_room(ws);
			continue;
		}
		spout_websocket_close(ws, SPOUT__WS_POLICY, "too slow");
		return -EPIPE;
	}
	return r == 0 ? put(ws, opcode, data, len) : r;
}

int
spout_try_websocket_send_text(struct spout_websocket *ws, const char *text, size_t len)
{
	if (!spout__utf8_valid(text, len))
		return -EINVAL;
	return send_message(ws, SPOUT__WS_TEXT, text, len);
}

int
spout_try_websocket_send_binary(struct spout_websocket *ws, const void *data, size_t len)
{
	return send_message(ws, SPOUT__WS_BINARY, data, len);
}

static void
leave_if_failed(int error)
{
	if (error < 0)
		spout__co_leave(error, 0, "sending to a WebSocket: %s", strerror(-error));
}

void
spout_websocket_send_text(struct spout_websocket *ws, const char *text, size_t len)
{
	leave_if_failed(spout_try_websocket_send_text(ws, text, len));
}

void
spout_websocket_send_binary(struct spout_websocket *ws, const void *data, size_t len)
{
	leave_if_failed(spout_try_websocket_send_binary(ws, data, len));
}

/* --- control frames --------------------------------------------------------------- */

int
spout__ws_put_control(struct spout_websocket *ws, enum spout__ws_opcode opcode,
    const void *data, size_t len)
{
	if (ws->state >= SPOUT__WS_ENDING)
		return -EPIPE;
	if (spout__stream_unsent(&ws->stream) > spout__ws_max_unsent(ws))
		return -ENOBUFS; /* who does not read does not see it */
	return put(ws, opcode, data, len);
}

int
spout_websocket_ping(struct spout_websocket *ws, const void *data, size_t len)
{
	if (len > SPOUT__WS_CONTROL_MAX)
		return -EMSGSIZE;
	if (ws->state != SPOUT__WS_OPEN)
		return -EPIPE;
	return spout__ws_put_control(ws, SPOUT__WS_PING, data, len);
}

void
spout__ws_put_close(struct spout_websocket *ws, int code, const char *reason)
{
	char payload[SPOUT__WS_CONTROL_MAX];
	size_t len = reason != NULL ? strlen(reason) : 0;

	refill(ws, SIZE_MAX);
	spout__ws_stop_sending(ws);
	if (code == SPOUT__WS_NO_STATUS) {
		(void)put(ws, SPOUT__WS_CLOSE, "", 0);
		return;
	}
	payload[0] = (char)(code >> 8);
	payload[1] = (char)code;
	if (len > SPOUT__WS_REASON_MAX)
		len = (size_t)spout__utf8_prefix(reason, SPOUT__WS_REASON_MAX);
	if (len > 0)
		memcpy(payload + 2, reason, len);
	(void)put(ws, SPOUT__WS_CLOSE, payload, len + 2);
}

/* --- looking at it ---------------------------------------------------------------- */

size_t
spout_websocket_unsent_bytes(const struct spout_websocket *ws)
{
	return spout__stream_unsent(&ws->stream) + ws->backlog_bytes;
}

unsigned
spout_websocket_dropped(const struct spout_websocket *ws)
{
	return ws->dropped;
}
