/* SPDX-License-Identifier: MIT */
/*
 * A message for many sockets: framed once, compressed once, the same bytes for all of
 * them. Who publishes makes one, posts it to each receiver, and lets go of it:
 *
 *     struct spout__ws_message *m = spout__ws_message_new(SPOUT__WS_TEXT, data, len);
 *
 *     for each socket: spout__ws_post(ws, m);
 *     spout__ws_message_unref(m);
 *
 * A socket holds a reference while the message waits for its client, no copy. What is
 * posted in one turn of the loop leaves in one write per socket at the end of the turn,
 * in order with what is sent otherwise. Each socket has its own limit and its own way
 * with a slow client: max_unsent_bytes and `slow` of its handler.
 *
 * Loop thread, inside a coroutine or not.
 */
#ifndef SPOUT_WEBSOCKET_MESSAGE_H
#define SPOUT_WEBSOCKET_MESSAGE_H

#include <spout/types.h>

#include "websocket/frame.h"

struct spout_websocket;

struct spout__ws_message {
	unsigned refs;
	unsigned char opcode;
	unsigned char head_len;
	size_t len;  /* of the payload */
	struct spout__ws_message *packed; /* the same, compressed; owned */
	unsigned char bits;               /* window that was compressed with; 0: none */
	char data[]; /* the frame: head, payload */
};

/**
 * Frame a text or a binary message, or a Close. Copies `data`. `opcode` may have
 * SPOUT__WS_PACKED. Returns one reference, or NULL with errno EINVAL (a text that is not
 * UTF-8) or ENOMEM.
 */
struct spout__ws_message *spout__ws_message_new(
    unsigned opcode, const void *data, size_t len);
/**
 * What is sent for it to this socket, which has agreed on compression: one that is
 * compressed for all whose window is as large, or the message itself. Borrowed.
 */
struct spout__ws_message *spout__ws_message_for(
    struct spout__ws_message *message, struct spout_websocket *ws);
struct spout__ws_message *spout__ws_message_ref(struct spout__ws_message *message);
void spout__ws_message_unref(struct spout__ws_message *message);

static inline struct spout_slice
spout__ws_message_payload(const struct spout__ws_message *message)
{
	return spout_slice_of(message->data + message->head_len, message->len);
}

static inline struct spout_slice
spout__ws_message_frame(const struct spout__ws_message *message)
{
	return spout_slice_of(message->data, message->head_len + message->len);
}

/**
 * Queue it for this client; never waits. When max_unsent_bytes would be exceeded, `slow`
 * decides: DROP_OLDEST drops the oldest messages that wait, CLOSE closes with 1008 and
 * returns -EPIPE, and WAIT, which nobody can do here, returns -ENOBUFS: then this client
 * does not get it. -EPIPE (closed, or being closed), -EMSGSIZE (larger than
 * max_unsent_bytes), -ENOMEM.
 */
int spout__ws_post(struct spout_websocket *ws, struct spout__ws_message *message);
/** The same from a coroutine, which with WAIT waits for room. */
int spout__ws_send(struct spout_websocket *ws, struct spout__ws_message *message);

#endif
