/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: compressed messages of a WebSocket client (RFC 7692), and our own. What
 * must hold: bytes mean the same however they are split, no message is larger than its
 * limit, what we compress comes back as it was, with and without context, and a field of
 * extensions that is taken is answered with what can be taken in turn.
 */
#include "config.h"

#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "stream.h"
#include "websocket/deflate.h"
#include "websocket/frame.h"

#define MAX_MESSAGE 1000u

static void
must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "finding: %s\n", what);
	abort();
}

static void
check_frames(const char *bytes, size_t len)
{
	char *whole = frames_read(bytes, len, STREAM_WHOLE, MAX_MESSAGE, true);
	char *single = frames_read(bytes, len, STREAM_BYTES, MAX_MESSAGE, true);

	must(strcmp(whole, single) == 0, "bytes mean something else one by one");
	free(whole);
	free(single);
}

/* Arbitrary bytes as they come in one message: an error, or at most the limit. */
static void
check_unpack(struct spout__ws_codecs *codecs, struct spout_slice in)
{
	static const struct spout__ws_deflate agreed = { .own_bits = 15, .peer_bits = 9,
		.peer_keeps = true };
	struct spout__ws_context *context = NULL;
	struct spout__buffer message;
	unsigned i;

	spout__buffer_init(&message, spout__ws_packed_max(MAX_MESSAGE));
	for (i = 0; i < 2 && spout__ws_unpack(codecs, &agreed, &context, in, MAX_MESSAGE,
				 &message) == 0; i++) {
		must(message.len <= MAX_MESSAGE, "a message that is too large");
		spout__buffer_clear(&message);
	}
	spout__buffer_release(&message);
	spout__ws_context_free(context);
}

static void
check_round(struct spout__ws_codecs *codecs, struct spout_slice in, unsigned bits,
    bool keeps)
{
	const struct spout_websocket_compress options = { .on = true };
	struct spout__ws_deflate agreed = { .own_bits = (unsigned char)bits,
		.peer_bits = (unsigned char)bits, .own_keeps = keeps,
		.peer_keeps = keeps };
	struct spout__ws_context *ours = NULL, *theirs = NULL;
	struct spout__buffer message;
	struct spout_slice packed;
	unsigned i;

	spout__buffer_init(&message, spout__ws_packed_max(in.len));
	for (i = 0; i < 3; i++) {
		if (spout__ws_pack(codecs, &agreed, &options, &ours, in, &packed) != 1)
			continue;
		must(keeps || packed.len < in.len, "larger than it was");
		must(spout__ws_unpack(codecs, &agreed, &theirs, packed, in.len,
			 &message) == 0, "what we compress cannot be read");
		must(message.len == in.len &&
			memcmp(spout__buffer_at(&message), in.data, in.len) == 0,
		    "what we compress is something else");
		spout__buffer_clear(&message);
		if (i == 1)
			spout__ws_context_forget(ours);
	}
	spout__buffer_release(&message);
	spout__ws_context_free(ours);
	spout__ws_context_free(theirs);
}

/* The bytes as a field of extensions. */
static void
check_offer(struct spout_slice in)
{
	const struct spout_websocket_compress options = { .on = true,
		.keep_context = true, .window_bits = 12, .peer_window_bits = 13 };
	struct spout__ws_deflate ours, theirs;
	char answer[SPOUT__WS_EXTENSION_SIZE];
	static struct spout__http_head head;

	head.n_fields = 1;
	head.fields[0].name = spout_slice("Sec-WebSocket-Extensions");
	head.fields[0].value = in;
	if (spout__ws_accept_offer(&head, &options, &ours, answer) == 0 &&
	    ours.own_bits != 0) {
		must(ours.own_bits <= 12 && ours.own_bits > 8, "too large a window");
		must(strlen(answer) < sizeof(answer) - 1, "too long an answer");
	}
	if (spout__ws_take_answer(in, &options, &theirs) == 0 && theirs.own_bits != 0)
		must(theirs.own_bits <= 12 && theirs.peer_bits <= 13,
		    "an answer that asks for too much");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct spout_slice in = spout_slice_of((const char *)data, len);
	struct spout__ws_codecs *codecs = spout__ws_codecs_new();
	unsigned bits = len > 0 ? 9 + data[0] % 7u : 15;

	check_frames(in.data, len);
	check_unpack(codecs, in);
	check_round(codecs, in, bits, false);
	check_round(codecs, in, bits, true);
	check_offer(in);
	spout__ws_codecs_free(codecs);
	return 0;
}
