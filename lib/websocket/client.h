/* SPDX-License-Identifier: MIT */
/*
 * The client's side of a WebSocket: its opening handshake (connect.c), and reading by a
 * coroutine instead of callbacks (client.c). Everything else is as on the server's side.
 */
#ifndef SPOUT_WEBSOCKET_CLIENT_H
#define SPOUT_WEBSOCKET_CLIENT_H

#include "async/line.h"
#include "websocket/answer.h"
#include "websocket/socket.h"

struct spout_stream;

struct spout__ws_client {
	struct spout_websocket *ws;
	struct spout__list link; /* of the loop's */
	struct spout_websocket_handler handler; /* limits and times; no callbacks */
	struct spout__line readers;
	struct spout__buffer lent; /* the message that was read last */
	char *subprotocol;         /* owned, or NULL */
	bool eof;      /* the server sends no more, but not all was read */
	bool released; /* nobody reads any more */
};

/**
 * Make a socket of a connection that has agreed on it; takes the stream, closed in any
 * case. The scope of the caller holds the socket. Returns 0, -ENOMEM or what the stream
 * has failed with.
 */
int spout__ws_adopt(struct spout_stream *stream,
    const struct spout_websocket_options *options,
    const struct spout__ws_handshake *handshake, struct spout_websocket **ret_ws);

#endif
