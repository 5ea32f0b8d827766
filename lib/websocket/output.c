/* SPDX-License-Identifier: MIT */
/*
 * What waits for the client of a WebSocket. Copied bytes are in the queue of the stream;
 * whole messages, which others may share, wait behind them in a list:
 *
 *     stream.out (head first) | message, message, … (dropped from their front)
 *
 * The list leaves at the end of the turn, many messages in one write, straight from where
 * they are. Of a message that the kernel takes in part the rest moves to the stream. Over
 * TLS a little of the list is copied to the stream at a time. On the loop's stack or a
 * coroutine's; nothing here suspends.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include <spout/crypto.h>

#include "websocket/message.h"
#include "websocket/socket.h"

#define MANY 64 /* messages in one write */

/* A message that waits. */
struct entry {
	struct spout__list link;
	struct spout__ws_message *message;
};

/* --- the list --------------------------------------------------------------------- */

static struct entry *
entry_of(struct spout__list *link)
{
	return spout__container_of(link, struct entry, link);
}

static void
drop_first(struct spout__ws_output *output)
{
	struct entry *entry = entry_of(spout__list_pop(&output->entries));

	output->bytes -= spout__ws_message_frame(entry->message).len;
	spout__ws_message_unref(entry->message);
	free(entry);
}

void
spout__ws_drop_output(struct spout_websocket *ws)
{
	while (ws->output != NULL && !spout__list_empty(&ws->output->entries))
		drop_first(ws->output);
}

void
spout__ws_drop_oldest(struct spout_websocket *ws, size_t max)
{
	while (ws->output != NULL && ws->output->bytes > max) {
		drop_first(ws->output);
		ws->dropped++;
	}
}

static void
on_turn_end(struct spout__ready *ready)
{
	struct spout__ws_output *output =
	    spout__container_of(ready, struct spout__ws_output, flush);

	spout__ws_flush(output->ws);
}

struct spout__ws_output *
spout__ws_output(struct spout_websocket *ws)
{
	struct spout__ws_output *output = ws->output;

	if (output != NULL)
		return output;
	output = malloc(sizeof(*output));
	if (output == NULL)
		return NULL;
	output->ws = ws;
	output->bytes = 0;
	spout__list_init(&output->entries);
	spout__list_init(&output->writers);
	spout__ready_init(&output->flush, on_turn_end);
	ws->output = output;
	return output;
}

void
spout__ws_output_free(struct spout_websocket *ws)
{
	if (ws->output == NULL)
		return;
	spout__ws_drop_output(ws);
	spout__list_remove(&ws->output->flush.link);
	free(ws->output);
	ws->output = NULL;
}

/* --- into the queue --------------------------------------------------------------- */

/* Something will wait: since when, unless something does already. */
static void
begin_waiting(struct spout_websocket *ws)
{
	if (spout__ws_unsent(ws) == 0)
		ws->moved_ms = spout_loop_now_ms(spout__ws_loop(ws));
}

/* Room at the end of the stream's queue. Before the connection is ours that fills behind
 * the 101. */
static char *
reserve(struct spout_websocket *ws, size_t n)
{
	return ws->taken ? spout__stream_reserve(&ws->stream, n) :
	                   spout__buffer_reserve(&ws->stream.out, n);
}

static int
commit(struct spout_websocket *ws, size_t n)
{
	begin_waiting(ws);
	if (ws->taken)
		spout__stream_commit(&ws->stream, n);
	else
		spout__buffer_commit(&ws->stream.out, n);
	spout__ws_watch(ws);
	return 0;
}

/* A mask that nobody can foresee (RFC 6455 10.3). */
static void
new_mask(unsigned char mask[4])
{
	static __thread unsigned char pool[1024];
	static __thread unsigned left;

	if (left == 0) {
		spout_random(pool, sizeof(pool));
		left = sizeof(pool);
	}
	left -= 4;
	memcpy(mask, pool + left, 4);
}

int
spout__ws_put_copy(
    struct spout_websocket *ws, unsigned opcode, const void *data, size_t len)
{
	char *to = reserve(ws, SPOUT__WS_HEAD_MAX + len);
	unsigned char mask[4];
	size_t n;

	if (to == NULL)
		return -errno;
	if (ws->client != NULL) {
		new_mask(mask);
		n = spout__ws_put_head(to, opcode, len, mask);
		spout__ws_unmask(to + n, data, len, mask);
	} else {
		n = spout__ws_put_head(to, opcode, len, NULL);
		if (len > 0)
			memcpy(to + n, data, len);
	}
	return commit(ws, n + len);
}

static int
put_bytes(struct spout_websocket *ws, struct spout_slice bytes)
{
	char *to = reserve(ws, bytes.len);

	if (to == NULL)
		return -errno;
	memcpy(to, bytes.data, bytes.len);
	return commit(ws, bytes.len);
}

int
spout__ws_put_message(struct spout_websocket *ws, struct spout__ws_message *message)
{
	struct spout_slice frame = spout__ws_message_frame(message);
	struct spout__ws_output *output;
	struct entry *entry;

	if (ws->client != NULL) /* masked, each for itself */
		return spout__ws_put_copy(ws, message->data[0] & 0x7f,
		    frame.data + message->head_len, message->len);
	if (!ws->taken)
		return put_bytes(ws, frame);
	output = spout__ws_output(ws);
	entry = output != NULL ? malloc(sizeof(*entry)) : NULL;
	if (entry == NULL)
		return -ENOMEM;
	begin_waiting(ws);
	entry->message = spout__ws_message_ref(message);
	spout__list_push(&output->entries, &entry->link);
	output->bytes += frame.len;
	if (!ws->stream.blocked)
		spout__loop_at_turn_end(spout__ws_loop(ws), &output->flush);
	spout__ws_watch(ws);
	return 0;
}

int
spout__ws_put(struct spout_websocket *ws, unsigned opcode, const void *data, size_t len,
    bool whole)
{
	struct spout__ws_message *message;
	int r;

	if (!ws->taken || (!whole && !spout__ws_has_messages(ws)))
		return spout__ws_put_copy(ws, opcode, data, len);
	message = spout__ws_message_new(opcode, data, len);
	if (message == NULL)
		return -errno;
	r = spout__ws_put_message(ws, message);
	spout__ws_message_unref(message);
	return r;
}

/* --- out of it -------------------------------------------------------------------- */

/* Copy messages to the stream, as many as it is to have ahead. */
static int
refill(struct spout_websocket *ws)
{
	struct spout_slice frame;
	int r = 0;

	while (r == 0 && spout__ws_has_messages(ws) &&
	    spout__stream_unsent(&ws->stream) < SPOUT__WS_STREAM_AHEAD) {
		frame = spout__ws_message_frame(
		    entry_of(ws->output->entries.next)->message);
		r = spout__stream_write(&ws->stream, frame.data, frame.len);
		if (r == 0)
			drop_first(ws->output);
	}
	return r;
}

/* The kernel has taken so many bytes of the list. */
static int
consume(struct spout_websocket *ws, size_t n)
{
	struct spout_slice frame;
	int r = 0;

	while (r == 0 && n > 0) {
		frame = spout__ws_message_frame(
		    entry_of(ws->output->entries.next)->message);
		if (n < frame.len) {
			r = spout__stream_write(
			    &ws->stream, frame.data + n, frame.len - n);
			n = frame.len;
		}
		drop_first(ws->output);
		n -= frame.len;
	}
	return r;
}

static unsigned
gather(const struct spout__ws_output *output, struct spout_slice pieces[MANY])
{
	struct spout__list *node = output->entries.next;
	unsigned n = 0;

	for (; node != &output->entries && n < MANY; node = node->next)
		pieces[n++] = spout__ws_message_frame(entry_of(node)->message);
	return n;
}

/* Returns 0, or -errno when the connection is of no further use. */
static int
send_messages(struct spout_websocket *ws)
{
	struct spout_slice pieces[MANY];
	ssize_t n;

	while (spout__ws_has_messages(ws) && spout__stream_unsent(&ws->stream) == 0) {
		n = spout__stream_send_now(
		    &ws->stream, pieces, gather(ws->output, pieces));
		if (n == -EOPNOTSUPP)
			return refill(ws);
		if (n < 0)
			return n == -EAGAIN || n == -EPIPE ? 0 : (int)n;
		ws->moved_ms = spout_loop_now_ms(spout__ws_loop(ws));
		if (consume(ws, (size_t)n) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* An idle socket owns nothing. */
static void
free_if_idle(struct spout_websocket *ws)
{
	struct spout__ws_output *output = ws->output;

	if (output != NULL && spout__list_empty(&output->entries) &&
	    spout__list_empty(&output->writers))
		spout__ws_output_free(ws);
}

void
spout__ws_flush(struct spout_websocket *ws)
{
	if (ws->state == SPOUT__WS_CLOSED || !ws->taken)
		return;
	if (spout__stream_unsent(&ws->stream) > 0 && !ws->stream.blocked)
		spout__stream_flush(&ws->stream); /* comes back here by on_sent() */
	else
		spout__ws_sent(ws);
}

void
spout__ws_sent(struct spout_websocket *ws)
{
	if (send_messages(ws) < 0) {
		spout__ws_lost(ws);
		return;
	}
	if (ws->state == SPOUT__WS_CLOSED)
		return; /* found out by writing */
	if (spout__ws_unsent(ws) <= spout__ws_max_unsent(ws) / 2)
		spout__ws_wake_writers(ws, 0);
	free_if_idle(ws);
	spout__ws_finish_output(ws);
}
