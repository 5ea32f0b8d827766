/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: what a client may send over a WebSocket. What must hold: the bytes mean
 * the same however they are split, no message is larger than its limit, and no text that
 * is accepted is anything but UTF-8 (frames.h aborts where the reader keeps too much).
 */
#include "config.h"

#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "frames.h"
#include "stream.h"
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
check_messages(const char *data, size_t len)
{
	struct spout__ws_reader reader;
	struct spout__buffer message;
	struct spout__ws_item item;
	size_t used;

	spout__ws_reader_init(&reader, MAX_MESSAGE);
	spout__buffer_init(&message, MAX_MESSAGE);
	while (spout__ws_read(&reader, data, len, &message, &used, &item) == 0 &&
	    item.opcode != SPOUT__WS_MORE) {
		data += used;
		len -= used;
		if (item.opcode == SPOUT__WS_TEXT && message.len > 0)
			must(spout__utf8_valid(spout__buffer_at(&message), message.len),
			    "a text that is not UTF-8");
		if (item.opcode < SPOUT__WS_CLOSE)
			spout__buffer_clear(&message);
		must(item.opcode != SPOUT__WS_CLOSE ||
			item.code == SPOUT__WS_NO_STATUS ||
			spout__ws_code_valid(item.code), "a code that is none");
	}
	spout__buffer_release(&message);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *bytes = (const char *)data;
	char *whole = frames_read(bytes, len, STREAM_WHOLE, MAX_MESSAGE, false);
	char *single = frames_read(bytes, len, STREAM_BYTES, MAX_MESSAGE, false);
	char *pieces = frames_read(bytes, len, 2, MAX_MESSAGE, false);

	must(strcmp(whole, single) == 0, "bytes mean something else one by one");
	must(strcmp(whole, pieces) == 0, "bytes mean something else in pieces");
	free(whole);
	free(single);
	free(pieces);
	check_messages(bytes, len);
	return 0;
}
