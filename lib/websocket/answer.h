/* SPDX-License-Identifier: MIT */
/*
 * What a client makes of URLs, and of the answer to its handshake (RFC 6455 3, 4.1).
 * Pure.
 */
#ifndef SPOUT_WEBSOCKET_ANSWER_H
#define SPOUT_WEBSOCKET_ANSWER_H

#include "websocket/handshake.h"

struct spout__ws_url {
	bool secure;
	char host[256];               /* a name, or a numeric address without brackets */
	uint16_t port;
	struct spout_slice authority; /* for Host */
	struct spout_slice target;    /* path and query; "" stands for "/" … */
	bool no_path;                 /* … and a query alone wants one before it */
};

/** "ws://host:80/path?query", "wss://…". Returns 0 or -EINVAL. */
int spout__ws_parse_url(const char *url, struct spout__ws_url *ret);

struct spout__ws_answer {
	int status;
	struct spout__http_head head; /* its fields and framing alone */
};

/** Parse the head of an answer, with its empty line. Returns 0 or -EBADMSG. */
int spout__ws_parse_answer(
    const char *data, size_t len, struct spout__ws_answer *ret);
/**
 * Is that 101 what was asked for? `accept` is what the key has to be answered with.
 * Returns 0 with the subprotocol, one of ours or NULL, and with what was agreed on; or
 * -EBADMSG with a text that says why.
 */
int spout__ws_check_answer(const struct spout__ws_answer *answer, const char *accept,
    const char *const *subprotocols, const struct spout_websocket_compress *compress,
    struct spout__ws_handshake *ret, const char **ret_why);

#endif
