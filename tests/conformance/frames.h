/* SPDX-License-Identifier: MIT */
/*
 * What the reader of frames (lib/websocket) makes of the bytes of a client, as text: one
 * line per message and control frame,
 *
 *     text BYTES | binary BYTES | ping BYTES | pong BYTES | close CODE BYTES
 *
 * then "fail CODE" when the bytes were refused, or "more" when they end inside a frame or
 * a message. What follows a close is not looked at. Every piece lies in a block of its
 * exact size.
 */
#ifndef SPOUT_TESTS_FRAMES_H
#define SPOUT_TESTS_FRAMES_H

#include <stdbool.h>
#include <stddef.h>

/**
 * `split`: STREAM_WHOLE, STREAM_BYTES or a seed, as in stream.h; `max`: bytes of a
 * message; `packs`: compression without context was agreed on. Returns the text, to be
 * freed.
 */
char *frames_read(
    const char *data, size_t len, unsigned split, size_t max, bool packs);

#endif
