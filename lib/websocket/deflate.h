/* SPDX-License-Identifier: MIT */
/*
 * Compression of messages (RFC 7692 7.2). Loop thread, never suspends.
 *
 * Sockets without context share the compressors of the loop, one per size of window, and
 * its one decompressor: a message is compressed, or decompressed when it is complete, in
 * one go, and nothing of it stays. With context a socket has its own, made at the first
 * message that needs them.
 */
#ifndef SPOUT_WEBSOCKET_DEFLATE_H
#define SPOUT_WEBSOCKET_DEFLATE_H

#include "base/buffer.h"
#include "websocket/extension.h"

struct spout_loop;
struct spout__ws_context;
struct spout__ws_codecs;

/** What sockets share. Returns owned, NULL when out of memory. */
struct spout__ws_codecs *spout__ws_codecs_new(void);
void spout__ws_codecs_free(struct spout__ws_codecs *codecs);
/** Those of a loop, made on first use; NULL when out of memory. */
struct spout__ws_codecs *spout__ws_codecs_of(struct spout_loop *loop);
/**
 * Compress. `context`: where the socket keeps its own, or NULL; made when it is needed.
 * `codecs` NULL: out of memory. Returns 1 with what is to be sent, valid until the next
 * call; 0: send it as it is, which is shorter; -ENOMEM.
 */
int spout__ws_pack(struct spout__ws_codecs *codecs,
    const struct spout__ws_deflate *agreed,
    const struct spout_websocket_compress *options, struct spout__ws_context **context,
    struct spout_slice data, struct spout_slice *ret);
/**
 * Decompress a whole message into an empty buffer, whose maximum is more than `max`: not
 * more than that. Returns 0 or the close code for what is wrong: 1007, 1009; 1011 when
 * out of memory.
 */
int spout__ws_unpack(struct spout__ws_codecs *codecs,
    const struct spout__ws_deflate *agreed, struct spout__ws_context **context,
    struct spout_slice packed, size_t max, struct spout__buffer *message);
/** The next message is compressed without what was sent before it: for when that was not
 * all that the peer has seen. */
void spout__ws_context_forget(struct spout__ws_context *context);
void spout__ws_context_free(struct spout__ws_context *context);

#endif
