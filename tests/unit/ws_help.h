/* SPDX-License-Identifier: MIT */
/*
 * A client of WebSockets that speaks raw frames, for the tests of the server's side. One
 * connection at a time, in a test of libspout-testing.
 */
#ifndef SPOUT_TESTS_WS_HELP_H
#define SPOUT_TESTS_WS_HELP_H

#include <spout/spout.h>

/* Of every handshake. */
#define WS_FIELDS \
	"Host: a.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n" \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

/** The connection of the last handshake. */
extern struct spout_stream *ws_client;

/** Ask for a socket; returns the head of the answer. `more`: what goes out with it. */
const char *ws_ask(struct spout_app *app, const char *target, const char *fields,
    const char *more, size_t more_len);
/** The same, and it must be accepted. */
void ws_dial(struct spout_app *app, const char *target);
/** Write a frame with a mask of zeros, of up to 125 bytes. Returns its length. */
size_t ws_put_frame(char *to, unsigned first, const char *payload, size_t len);
void ws_say_bytes(unsigned first, const char *payload, size_t len);
/** A text. */
void ws_say(const char *text);
/** The next frame: "text hello", "close 1000 bye"; "end" when there is none. One that is
 * compressed begins with "packed ". */
const char *ws_hear(void);
/** The same, what it is apart from its payload, which is in the test's scope. */
const char *ws_hear_bytes(struct spout_slice *ret_payload);
#define WS_HEARS(text) CU_ASSERT_STRING_EQUAL(ws_hear(), (text))

#endif
