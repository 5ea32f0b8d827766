/* SPDX-License-Identifier: MIT */
/*
 * What a WebSocket receives: bytes to messages, messages to callbacks, one at a time. On
 * the loop's stack.
 */
#include "config.h"

#include <stdlib.h>

#include "base/stats.h"
#include "base/text.h"
#include "websocket/deflate.h"
#include "websocket/socket.h"

#define MAX_FRAMES_PER_TURN 64u

/* --- buffers ---------------------------------------------------------------------- */

struct spout__ws_input *
spout__ws_input(struct spout_websocket *ws)
{
	struct spout__ws_input *input = ws->input;

	if (input != NULL)
		return input;
	input = calloc(1, sizeof(*input));
	if (input == NULL)
		return NULL;
	/* With the NUL behind a message. */
	spout__buffer_init(&input->message, spout__ws_packed_max(ws->reader.max) + 1);
	spout__buffer_init(&input->pending, ws->reader.max + SPOUT__WS_CONTROL_MAX + 1);
	spout__buffer_init(&input->ahead, 4 * SPOUT__LOOP_SCRATCH);
	ws->input = input;
	return input;
}

void
spout__ws_input_free(struct spout_websocket *ws)
{
	struct spout__ws_input *input = ws->input;

	if (input == NULL)
		return;
	spout__buffer_release(&input->ahead);
	spout__buffer_release(&input->message);
	spout__buffer_release(&input->pending);
	free(input);
	ws->input = NULL;
}

/* --- what was read ---------------------------------------------------------------- */

/* Keep it for when the callback that runs is over. Takes the bytes. */
static void
keep(struct spout_websocket *ws, enum spout__ws_opcode opcode, struct spout__buffer *data)
{
	struct spout__ws_input *input = ws->input;
	size_t max = input->pending.max;

	input->pending = *data;
	input->pending.max = max;
	input->pending_opcode = (unsigned char)opcode;
	spout__buffer_init(data, data->max);
}

static void
deliver(
    struct spout_websocket *ws, enum spout__ws_opcode opcode, struct spout__buffer *data)
{
	if (ws->co != NULL || ws->client != NULL)
		keep(ws, opcode, data);
	else
		spout__ws_run(ws, opcode, data);
	spout__ws_wake_reader(ws);
}

static void
deliver_control(struct spout_websocket *ws, const struct spout__ws_item *item)
{
	struct spout__buffer data;

	spout__buffer_init(&data, SPOUT__WS_CONTROL_MAX + 1);
	if (item->len > 0 && spout__buffer_append(&data, item->control, item->len) < 0)
		spout__ws_fail(ws, SPOUT__WS_INTERNAL_ERROR, "out of memory");
	else
		deliver(ws, item->opcode, &data);
}

/* A message has come that is compressed: replace it by what it means. Returns 0 or a
 * close code. */
static int
unpack(struct spout_websocket *ws, bool text, struct spout__buffer *message)
{
	struct spout__buffer packed = *message;
	struct spout_slice in = { "", packed.len };
	int r;

	if (in.len > 0)
		in.data = spout__buffer_at(&packed);
	spout__buffer_init(message, packed.max);
	r = spout__ws_unpack(spout__ws_codecs_of(spout__ws_loop(ws)), &ws->deflate,
	    &ws->context, in, ws->reader.max, message);
	spout__buffer_release(&packed);
	if (r == 0 && text && message->len > 0 &&
	    !spout__utf8_valid(spout__buffer_at(message), message->len))
		r = SPOUT__WS_BAD_DATA;
	if (message->len == 0)
		spout__buffer_release(message);
	return r;
}

static void
take_message(struct spout_websocket *ws, const struct spout__ws_item *item)
{
	struct spout__buffer *message = &ws->input->message;
	int r = 0;

	if (item->packed && ws->state == SPOUT__WS_OPEN)
		r = unpack(ws, item->opcode == SPOUT__WS_TEXT, message);
	if (r == 0 && ws->state == SPOUT__WS_OPEN &&
	    (ws->handler->message != NULL || ws->client != NULL)) {
		if (ws->counted) {
			spout__count(SPOUT__C_WS_MESSAGES_IN, 1);
			spout__count(SPOUT__C_WS_BYTES_IN, message->len);
		}
		deliver(ws, item->opcode, message);
		return;
	}
	spout__buffer_release(message);
	if (r != 0)
		spout__ws_fail(ws, r, NULL);
}

static void
take_close(struct spout_websocket *ws, const struct spout__ws_item *item)
{
	spout__ws_set_close(ws, item->code, item->control, item->len);
	if (ws->state == SPOUT__WS_OPEN)
		spout__ws_put_close(ws, item->code, NULL);
	spout__ws_end(ws);
}

/* Does this client say more than it may? Counts in time that is paid for: a message
 * costs its part of a second, and the credit is the burst. */
static bool
says_too_much(struct spout_websocket *ws)
{
	const struct spout_websocket_handler *handler = ws->handler;
	uint64_t now, each, burst;

	if (handler->max_messages_per_second == 0)
		return false;
	now = spout__loop_now_us(spout__ws_loop(ws));
	each = 1000000u / handler->max_messages_per_second;
	burst = spout__ws_or(handler->message_burst, handler->max_messages_per_second);
	if (ws->rate_us < now)
		ws->rate_us = now;
	ws->rate_us += each;
	return ws->rate_us - now > burst * each;
}

static void
take_item(struct spout_websocket *ws, const struct spout__ws_item *item)
{
	const struct spout_websocket_handler *handler = ws->handler;
	bool open = ws->state == SPOUT__WS_OPEN;

	if (open && item->opcode != SPOUT__WS_CLOSE && says_too_much(ws)) {
		spout__buffer_release(&ws->input->message);
		spout__ws_fail(ws, SPOUT__WS_POLICY, "too many messages");
		return;
	}
	switch (item->opcode) {
	case SPOUT__WS_CLOSE:
		take_close(ws, item);
		break;
	case SPOUT__WS_PING:
		if (open)
			(void)spout__ws_put_control(
			    ws, SPOUT__WS_PONG, item->control, item->len);
		if (open && handler->ping != NULL)
			deliver_control(ws, item);
		break;
	case SPOUT__WS_PONG:
		if (open && handler->pong != NULL)
			deliver_control(ws, item);
		break;
	default:
		take_message(ws, item);
	}
}

/* --- bytes ------------------------------------------------------------------------ */

static bool
can_use(const struct spout_websocket *ws)
{
	return ws->state < SPOUT__WS_ENDING && ws->input->pending_opcode == 0;
}

/* Use bytes until something has to wait. Returns how many were used. */
static size_t
use(struct spout_websocket *ws, const char *data, size_t len)
{
	struct spout__ws_item item;
	size_t used, total = 0;
	unsigned n = 0;
	int r;

	while (total < len && can_use(ws)) {
		if (++n > MAX_FRAMES_PER_TURN) {
			spout__loop_ready(spout__ws_loop(ws), &ws->ready);
			break;
		}
		r = spout__ws_read(&ws->reader, data + total, len - total,
		    &ws->input->message, &used, &item);
		total += used;
		if (r != 0)
			spout__ws_fail(ws, r, NULL);
		else if (item.opcode == SPOUT__WS_MORE)
			break;
		else
			take_item(ws, &item);
	}
	return total;
}

/* Use bytes and store the rest. Returns 0 or -errno. */
static int
use_or_store(struct spout_websocket *ws, const char *data, size_t len)
{
	struct spout__buffer *ahead = &ws->input->ahead;
	size_t used;

	if (ahead->len == 0) {
		used = use(ws, data, len);
		return spout__buffer_append(ahead, data + used, len - used);
	}
	if (len > 0 && spout__buffer_append(ahead, data, len) < 0)
		return -1;
	used = use(ws, spout__buffer_at(ahead), ahead->len);
	spout__buffer_consume(ahead, used);
	if (ahead->len == 0)
		spout__buffer_release(ahead);
	return 0;
}

/* While it is not read, its silence says nothing. */
static void
set_reading(struct spout_websocket *ws, bool on)
{
	if (on && !ws->stream.reading)
		ws->heard_ms = spout_loop_now_ms(spout__ws_loop(ws));
	spout__stream_set_reading(&ws->stream, on);
	if (on)
		spout__ws_watch(ws);
}

void
spout__ws_receive(struct spout_websocket *ws, const char *data, size_t len)
{
	struct spout__ws_input *input;

	if (ws->state >= SPOUT__WS_ENDING)
		return; /* read and dropped */
	if (len == 0 && ws->input == NULL) {
		set_reading(ws, true);
		return;
	}
	input = spout__ws_input(ws);
	ws->using = true;
	if (input == NULL || use_or_store(ws, data, len) < 0)
		spout__ws_fail(ws, SPOUT__WS_INTERNAL_ERROR, "out of memory");
	ws->using = false;
	if (ws->state == SPOUT__WS_CLOSED || input == NULL)
		return;
	set_reading(ws,
	    ws->state == SPOUT__WS_ENDING ||
		((input->pending_opcode == 0 || ws->client != NULL) &&
		    input->ahead.len < SPOUT__LOOP_SCRATCH));
	if (input->pending_opcode == 0 && input->ahead.len == 0 &&
	    input->message.len == 0 && input->message.data == NULL)
		spout__ws_input_free(ws);
}

void
spout__ws_drop_pending(struct spout_websocket *ws)
{
	if (ws->input == NULL)
		return;
	ws->input->pending_opcode = 0;
	spout__buffer_release(&ws->input->pending);
}

void
spout__ws_run_pending(struct spout_websocket *ws)
{
	struct spout__ws_input *input = ws->input;
	enum spout__ws_opcode opcode;

	if (input == NULL || input->pending_opcode == 0 || ws->client != NULL)
		return;
	opcode = (enum spout__ws_opcode)input->pending_opcode;
	input->pending_opcode = 0;
	spout__ws_run(ws, opcode, &input->pending);
}
