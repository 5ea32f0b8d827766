/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: what the HTTP client reads of an answer by itself. The first byte says how
 * the rest is taken: 'h' as lines of heads, 'g', 'd' or 'b' as a body compressed by gzip,
 * deflate or brotli. What must hold:
 *
 *   - a line of a head is taken or refused with an error of the two that there are, every
 *     field that was taken is found by its name, and no text has the end of a line in it;
 *   - a body comes out the same in one piece and byte by byte, with the same verdict, and
 *     nothing is written beyond the room that was given.
 */
#include "config.h"

#include "fuzz.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/client.h"

#define MAX_OUTPUT (1u << 16)
#define GUARD 0x5a

static void
must(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "finding: %s\n", what);
		abort();
	}
}

/* --- heads ------------------------------------------------------------------------- */

static void
check_fields(const struct spout_response *response)
{
	const struct spout_field *field;

	for (size_t i = 0; (field = spout_response_field(response, i)) != NULL; i++) {
		must(
		    spout_response_header(response, field->name) != NULL, "a field lost");
		must(strchr(field->name, '\n') == NULL, "a line's end in a name");
		must(strchr(field->value, '\n') == NULL, "a line's end in a value");
	}
	must(spout_response_status(response) <= 999, "a status of four digits");
	must(strchr(spout_response_reason(response), '\n') == NULL, "… in a reason");
}

static void
read_heads(const char *data, size_t len)
{
	struct spout_response *response = spout__response_new();
	int r = 0;

	must(response != NULL, "no memory");
	spout__response_reset(response);
	while (len > 0 && r >= 0) {
		const char *end = memchr(data, '\n', len);
		size_t n = end != NULL ? (size_t)(end - data) + 1 : len;

		r = spout__response_line(response, data, n);
		must(r == 0 || r == 1 || r == -EPROTO, "an unknown error");
		must(r != 1 || response->status != 0, "a head without a status");
		data += n;
		len -= n;
	}
	check_fields(response);
	spout__response_release(response);
}

/* --- bodies ------------------------------------------------------------------------ */

struct result {
	size_t len;
	bool failed, complete, cut; /* cut: at MAX_OUTPUT */
	char bytes[MAX_OUTPUT + 16];
};

/* Take all that the decoder gives for a piece. False: it failed, or that is enough. */
static bool
decode_piece(struct spout__decoder *decoder, const char *data, size_t len, size_t step,
    struct result *result)
{
	for (;;) {
		size_t room = MAX_OUTPUT - result->len;
		long n;

		if (room == 0) {
			result->cut = true;
			return false;
		}
		room = room < step ? room : step;
		memset(result->bytes + result->len + room, GUARD, 16);
		n = spout__decoder_run(
		    decoder, &data, &len, result->bytes + result->len, room);
		for (size_t i = 0; i < 16; i++)
			must(result->bytes[result->len + room + i] == GUARD, "overrun");
		must(n <= (long)room, "more than the room");
		if (n < 0)
			result->failed = true;
		if (n <= 0)
			return n == 0;
		result->len += (size_t)n;
	}
}

static void
decode(
    const char *coding, const char *data, size_t len, size_t piece, struct result *result)
{
	struct spout__decoder *decoder;

	result->len = 0;
	result->failed = result->complete = result->cut = false;
	must(spout__decoder_new(coding, &decoder) == 0 && decoder != NULL, "no decoder");
	for (size_t at = 0; at < len; at += piece)
		if (!decode_piece(decoder, data + at, len - at < piece ? len - at : piece,
			piece, result))
			break;
	result->complete = spout__decoder_complete(decoder);
	spout__decoder_free(decoder);
}

static void
read_body(const char *coding, const char *data, size_t len)
{
	static struct result whole, drip;

	decode(coding, data, len, len > 0 ? len : 1, &whole);
	decode(coding, data, len, 1, &drip);
	must(whole.failed == drip.failed, "another verdict byte by byte");
	if (whole.failed)
		return; /* what was good before it may come out in part */
	must(whole.len == drip.len && whole.cut == drip.cut, "another length");
	must(memcmp(whole.bytes, drip.bytes, whole.len) == 0, "other bytes");
	must(whole.cut || whole.complete == drip.complete, "another end");
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *data = (const char *)bytes;

	if (len == 0)
		return 0;
	switch (data[0]) {
	case 'h':
		read_heads(data + 1, len - 1);
		break;
	case 'g':
		read_body("gzip", data + 1, len - 1);
		break;
	case 'd':
		read_body("deflate", data + 1, len - 1);
		break;
	case 'b':
		read_body("br", data + 1, len - 1);
		break;
	default:
		break;
	}
	return 0;
}
