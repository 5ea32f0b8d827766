/* SPDX-License-Identifier: MIT */
/*
 * Sec-WebSocket-Extensions (RFC 6455 9.1), as far as permessage-deflate (RFC 7692 7.1)
 * needs it: what is offered, what is agreed on. Pure.
 */
#ifndef SPOUT_WEBSOCKET_EXTENSION_H
#define SPOUT_WEBSOCKET_EXTENSION_H

#include <spout/websocket.h>

#include "http/head.h"

/** What was agreed on. */
struct spout__ws_deflate {
	/* Window of what we compress: 9 to 15; 8: we cannot, and send as it is; 0: there
	 * is no compression. */
	unsigned char own_bits;
	unsigned char peer_bits; /* of what the peer compresses: 8 to 15 */
	bool own_keeps;          /* our windows go on from message to message */
	bool peer_keeps;
};

/* "permessage-deflate" with all its parameters. */
#define SPOUT__WS_EXTENSION_SIZE 160

/**
 * Choose among what a client offers: the first offer that can be taken. `ret->own_bits`
 * is 0 when there is none; else `answer` is the field to answer with. Returns 0, or
 * -EBADMSG for a field that is malformed.
 */
int spout__ws_accept_offer(const struct spout__http_head *head,
    const struct spout_websocket_compress *options, struct spout__ws_deflate *ret,
    char answer[SPOUT__WS_EXTENSION_SIZE]);
/** What a client offers. */
void spout__ws_offer(const struct spout_websocket_compress *options,
    char offer[SPOUT__WS_EXTENSION_SIZE]);
/**
 * What a server has answered to that, `answer` being empty if nothing: -EBADMSG when it
 * may not say so.
 */
int spout__ws_take_answer(struct spout_slice answer,
    const struct spout_websocket_compress *options, struct spout__ws_deflate *ret);

#endif
