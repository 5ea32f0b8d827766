/* SPDX-License-Identifier: MIT */
/*
 * The opening handshake (RFC 6455 4.2), as far as the head of the request decides it.
 * Pure.
 */
#ifndef SPOUT_WEBSOCKET_HANDSHAKE_H
#define SPOUT_WEBSOCKET_HANDSHAKE_H

#include "websocket/extension.h"

#define SPOUT__WS_ACCEPT_SIZE 29

struct spout__ws_handshake {
	char accept[SPOUT__WS_ACCEPT_SIZE]; /* for Sec-WebSocket-Accept */
	const char *subprotocol;            /* one of ours, or NULL */
	struct spout__ws_deflate deflate;
	/* For Sec-WebSocket-Extensions, if there is compression. */
	char extension[SPOUT__WS_EXTENSION_SIZE];
};

/**
 * Check all but the origin. `subprotocols` is ended by NULL, or NULL. Returns 0, or the
 * status of the answer with a text that says why: 400, 426.
 */
int spout__ws_handshake(const struct spout__http_head *head,
    const char *const *subprotocols, const struct spout_websocket_compress *compress,
    struct spout__ws_handshake *ret, const char **ret_why);
/** Is `name` in the list of one of those fields? */
bool spout__ws_fields_have(const struct spout__http_head *head, const char *field,
    const char *name, bool any_case);
unsigned spout__ws_count_fields(const struct spout__http_head *head, const char *name);
/** What answers that Sec-WebSocket-Key; false: it is not one of 16 bytes. */
bool spout__ws_accept_key(struct spout_slice key, char ret[SPOUT__WS_ACCEPT_SIZE]);
/** Is that origin the host that the request asks for, or one of `origins` (or NULL)? */
bool spout__ws_origin_allowed(const struct spout__http_head *head,
    struct spout_slice origin, const char *const *origins);

#endif
