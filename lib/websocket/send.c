/* SPDX-License-Identifier: MIT */
/*
 * What a WebSocket sends: messages with back-pressure, control frames. Loop thread; only
 * the sending of a message may suspend.
 *
 * With DROP_OLDEST whole messages wait in the list of output.c, so that they can be
 * dropped, and little of them goes to the stream ahead.
 */
#include "config.h"

#include <errno.h>

#include "async/async.h"
#include "base/stats.h"
#include "base/text.h"
#include "websocket/deflate.h"
#include "websocket/message.h"
#include "websocket/socket.h"

/* A wait for room in the queue: on the sender's stack. */
struct write_wait {
	struct spout__waker waker;
	struct spout__list link; /* in output->writers, until the socket stops sending */
	int error;
};

/* --- waiting for the client ------------------------------------------------------- */

static void
write_detach(struct spout__waker *waker)
{
	spout__list_remove(
	    &spout__container_of(waker, struct write_wait, waker)->link);
}

/* Suspend until some of the queue has left. Returns 0, -ENOMEM or -EPIPE: then the socket
 * may be gone. */
static int
wait_for_room(struct spout_websocket *ws)
{
	struct write_wait wait = { .waker = { .co = spout__co_must("sending to a client"),
		.detach = write_detach } };

	spout__ws_flush(ws);
	if (ws->state != SPOUT__WS_OPEN)
		return -EPIPE;
	if (spout__ws_unsent(ws) == 0)
		return 0; /* it has taken all */
	if (spout__ws_output(ws) == NULL)
		return -ENOMEM;
	spout__list_init(&wait.link);
	spout__list_push(&ws->output->writers, &wait.link);
	spout__wait(&wait.waker, "a slow client");
	return wait.error;
}

void
spout__ws_wake_writers(struct spout_websocket *ws, int error)
{
	struct spout__list *node;

	if (ws->output == NULL)
		return;
	while ((node = spout__list_pop(&ws->output->writers)) != NULL) {
		struct write_wait *wait =
		    spout__container_of(node, struct write_wait, link);

		wait->error = error;
		spout__waker_wake(&wait->waker);
	}
}

/* --- messages --------------------------------------------------------------------- */

/* The queue may hold max_unsent_bytes, heads aside; one message always fits. */
static bool
has_room(const struct spout_websocket *ws, size_t len)
{
	size_t unsent = spout__ws_unsent(ws);

	return unsent == 0 || unsent + len <= spout__ws_max_unsent(ws);
}

/* It has no room. Returns 0 when it may have some now, or -errno. */
static int
make_room(struct spout_websocket *ws, bool may_wait)
{
	if (ws->taken && ws->handler->slow == SPOUT_WEBSOCKET_CLOSE) {
		spout_websocket_close(ws, SPOUT__WS_POLICY, "too slow");
		return -EPIPE;
	}
	return ws->taken && may_wait ? wait_for_room(ws) : -ENOBUFS;
}

/* May a message of that length be queued now? Returns 0, 1 for one that has to stay whole
 * because it may be dropped, or -errno. */
static int
admit(struct spout_websocket *ws, size_t len, bool may_wait)
{
	int r = 0;

	if (ws->state != SPOUT__WS_OPEN)
		return -EPIPE;
	if (len > spout__ws_max_unsent(ws))
		return -EMSGSIZE;
	if (ws->handler->slow == SPOUT_WEBSOCKET_DROP_OLDEST && ws->taken &&
	    (spout__ws_has_messages(ws) ||
		spout__stream_unsent(&ws->stream) > SPOUT__WS_STREAM_AHEAD))
		return 1;
	while (r == 0 && !has_room(ws, len))
		r = make_room(ws, may_wait);
	return r;
}

/* A message has been put behind others, and they may be too many now. */
static void
keep_newest(struct spout_websocket *ws)
{
	spout__ws_drop_oldest(ws, spout__ws_max_unsent(ws) + SPOUT__WS_HEAD_MAX);
}

/* As many bytes as the sender knows of. What open() sends counts, too. */
static void
count_message(const struct spout_websocket *ws, size_t len)
{
	if (ws->client != NULL)
		return;
	spout__count(SPOUT__C_WS_MESSAGES_OUT, 1);
	spout__count(SPOUT__C_WS_BYTES_OUT, len);
}

/* Compress it, if that was agreed on and pays. Returns 0 or -ENOMEM. */
static int
pack(struct spout_websocket *ws, unsigned *opcode, struct spout_slice *data)
{
	int r;

	if (data->len < spout__ws_min_packed(ws))
		return 0;
	r = spout__ws_pack(spout__ws_codecs_of(spout__ws_loop(ws)), &ws->deflate,
	    &ws->handler->compress, &ws->context, *data, data);
	if (r == 1)
		*opcode |= SPOUT__WS_PACKED;
	return r < 0 ? r : 0;
}

static int
send_message(struct spout_websocket *ws, unsigned opcode, struct spout_slice data)
{
	int whole = admit(ws, data.len, true), r;

	if (whole < 0)
		return whole;
	count_message(ws, data.len);
	r = pack(ws, &opcode, &data);
	if (r == 0)
		r = spout__ws_put(ws, opcode, data.data, data.len, whole == 1);
	if (r < 0)
		spout__ws_context_forget(ws->context);
	if (whole == 1)
		keep_newest(ws);
	return r;
}

static int
post(struct spout_websocket *ws, struct spout__ws_message *message, bool may_wait)
{
	int whole = admit(ws, message->len, may_wait), r;

	if (whole < 0)
		return whole;
	count_message(ws, message->len);
	r = spout__ws_put_message(ws, spout__ws_message_for(message, ws));
	if (whole == 1)
		keep_newest(ws);
	return r;
}

int
spout__ws_post(struct spout_websocket *ws, struct spout__ws_message *message)
{
	return post(ws, message, false);
}

int
spout__ws_send(struct spout_websocket *ws, struct spout__ws_message *message)
{
	return post(ws, message, true);
}

int
spout_try_websocket_send_text(struct spout_websocket *ws, const char *text, size_t len)
{
	if (!spout__utf8_valid(text, len))
		return -EINVAL;
	return send_message(ws, SPOUT__WS_TEXT, spout_slice_of(text, len));
}

int
spout_try_websocket_send_binary(struct spout_websocket *ws, const void *data, size_t len)
{
	return send_message(ws, SPOUT__WS_BINARY, spout_slice_of(data, len));
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
	if (spout__ws_unsent(ws) > spout__ws_max_unsent(ws))
		return -ENOBUFS; /* who does not read does not see it */
	return spout__ws_put_copy(ws, opcode, data, len);
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

	spout__ws_wake_writers(ws, -EPIPE);
	if (code == SPOUT__WS_NO_STATUS) {
		(void)spout__ws_put(ws, SPOUT__WS_CLOSE, "", 0, false);
		return;
	}
	payload[0] = (char)(code >> 8);
	payload[1] = (char)code;
	if (len > SPOUT__WS_REASON_MAX)
		len = (size_t)spout__utf8_prefix(reason, SPOUT__WS_REASON_MAX);
	if (len > 0)
		memcpy(payload + 2, reason, len);
	(void)spout__ws_put(ws, SPOUT__WS_CLOSE, payload, len + 2, false);
}

/* --- looking at it ---------------------------------------------------------------- */

size_t
spout_websocket_unsent_bytes(const struct spout_websocket *ws)
{
	return spout__ws_unsent(ws);
}

unsigned
spout_websocket_dropped(const struct spout_websocket *ws)
{
	return ws->dropped;
}
