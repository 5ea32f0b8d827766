/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: what workers, and the bridges to other hosts, tell each other about
 * topics, and the positions that clients bring along. A frame that is read is written
 * again as it was, and each is whole only with its last byte; a position that is read is
 * written so that it means the same.
 */
#include "config.h"

#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topic/history.h"
#include "topic/wire.h"

static void
must(bool so, const char *what)
{
	if (so)
		return;
	fprintf(stderr, "finding: %s\n", what);
	abort();
}

static void
check_frame(const char *data, size_t len, const struct spout__topic_frame *frame)
{
	struct spout__topic_frame again;
	char *bytes = malloc(len);

	must(bytes != NULL && spout__wire_size(frame) == len, "a frame of another size");
	spout__wire_put(bytes, frame);
	must(spout__wire_get(bytes, len, &again) == (long)len &&
		again.kind == frame->kind && again.flag == frame->flag &&
		again.n == frame->n && again.prev == frame->prev &&
		spout__publisher_equal(&again.origin, &frame->origin),
	    "a frame that is not read as it is written");
	must(memcmp(bytes + 8, data + 8, len - 8) == 0, "a frame that has changed");
	must(spout__wire_get(data, len - 1, &again) == 0, "a frame before its last byte");
	free(bytes);
}

static void
check_position(const char *data, size_t len)
{
	struct spout__position position = { 0 }, again = { 0 };
	char text[SPOUT__POSITION_TEXT], *string = malloc(len + 1);

	must(string != NULL, "memory");
	memcpy(string, data, len);
	string[len] = '\0';
	if (spout__position_parse(string, &position) == 0) {
		spout__position_text(&position, text);
		must(spout__position_parse(text, &again) == 0 &&
			again.len == position.len &&
			(position.len == 0 ||
			    memcmp(again.marks, position.marks,
				position.len * sizeof(*position.marks)) == 0),
		    "a position that means something else");
	}
	must(position.len <= SPOUT__POSITION_MAX, "a position that is too long");
	spout__position_release(&position);
	spout__position_release(&again);
	free(string);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *at = (const char *)data;
	struct spout__topic_frame frame;
	size_t left = len;
	long n;

	while ((n = spout__wire_get(at, left, &frame)) > 0) {
		check_frame(at, (size_t)n, &frame);
		at += n;
		left -= (size_t)n;
	}
	check_position((const char *)data, len);
	return 0;
}
