/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the cutting of multipart bodies. The first line of an input is the
 * Content-Type, the rest the body. What must hold: the outcome is the same whole and byte
 * by byte; data lies in the input or in the delimiter; no more data comes out than went
 * in; every part that begins ends before the next.
 */
#include "config.h"

#include "fuzz.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web/multipart.h"

#define HEAD_MAX 200

struct outcome {
	int error; /* or the last event */
	unsigned parts;
	size_t data_len;
	unsigned sum; /* of the data, and of what the heads said */
};

static void
must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "finding: %s\n", what);
	abort();
}

static void
add(struct outcome *out, struct spout_slice data)
{
	size_t i;

	for (i = 0; i < data.len; i++)
		out->sum = out->sum * 31 + (unsigned char)data.data[i];
}

static bool
within(struct spout_slice inner, const char *data, size_t len)
{
	return inner.data >= data && inner.data + inner.len <= data + len;
}

static int
take_part(struct spout__multipart *mp, struct outcome *out)
{
	struct spout__part part;
	int rc = spout__multipart_part(mp, &part);

	if (rc != 0)
		return rc;
	must(within(part.name, mp->head, mp->head_len), "a name from nowhere");
	add(out, part.name);
	if (part.filename.data != NULL) {
		must(within(part.filename, mp->head, mp->head_len) &&
		        memchr(part.filename.data, '/', part.filename.len) == NULL,
		    "a path as the name of a file");
		add(out, part.filename);
	}
	out->parts++;
	return SPOUT__MULTIPART_PART;
}

static void
run(struct outcome *out, const char *type, size_t type_len, const char *body, size_t len,
    size_t step)
{
	char head[HEAD_MAX];
	struct spout__multipart mp;
	struct spout_slice input, data = { NULL, 0 };
	bool in_part = false;
	size_t at;

	out->error = spout__multipart_init(
	    &mp, spout_slice_of(type, type_len), head, sizeof(head));
	for (at = 0; at < len && out->error >= 0; at += input.len) {
		size_t piece = len - at < step ? len - at : step;

		input = spout_slice_of(body + at, piece);
		do {
			out->error = spout__multipart_next(&mp, &input, &data);
			must(input.len <= piece, "input grew");
			if (out->error == SPOUT__MULTIPART_PART) {
				must(!in_part, "a part within a part");
				in_part = true;
				out->error = take_part(&mp, out);
			} else if (out->error == SPOUT__MULTIPART_DATA) {
				must(in_part && data.len > 0 &&
				        (within(data, body, len) ||
				            within(data, mp.delimiter, mp.delimiter_len)),
				    "data from nowhere");
				out->data_len += data.len;
				add(out, data);
			} else if (out->error == SPOUT__MULTIPART_PART_END) {
				must(in_part, "an end without a part");
				in_part = false;
			}
		} while (out->error > SPOUT__MULTIPART_MORE);
		input.len = piece;
	}
	must(out->data_len <= len, "more data than body");
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
	const char *text = (const char *)input, *line = memchr(text, '\n', len);
	struct outcome whole = { .error = 0 }, bytes = { .error = 0 };
	size_t type_len, body_len;

	if (line == NULL)
		return 0;
	type_len = (size_t)(line - text);
	body_len = len - type_len - 1;
	run(&whole, text, type_len, line + 1, body_len, body_len + 1);
	run(&bytes, text, type_len, line + 1, body_len, 1);
	must(whole.error == bytes.error && whole.parts == bytes.parts &&
	        whole.data_len == bytes.data_len && whole.sum == bytes.sum,
	    "the pieces make a difference");
	return 0;
}
