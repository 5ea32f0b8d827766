/* SPDX-License-Identifier: MIT */
/* The reader of frames, as text: see frames.h. */
#include "config.h"

#include "frames.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "stream.h"
#include "websocket/deflate.h"
#include "websocket/frame.h"

struct frames {
	struct spout__ws_reader reader;
	struct spout__buffer message;
	char *kept; /* given, and not used yet */
	size_t kept_len;
	FILE *out;
	struct spout__ws_codecs *codecs;
	int failed;
	bool closed;
};

static void
print_bytes(FILE *out, const char *what, const char *data, size_t len)
{
	char *text = stream_escape(data, len);

	fprintf(out, "%s%s%s\n", what, len > 0 ? " " : "", text);
	free(text);
}

static void
print_item(struct frames *f, const struct spout__ws_item *item)
{
	char close[32];

	switch (item->opcode) {
	case SPOUT__WS_TEXT:
	case SPOUT__WS_BINARY:
		print_bytes(f->out, item->opcode == SPOUT__WS_TEXT ? "text" : "binary",
		    f->message.len > 0 ? spout__buffer_at(&f->message) : "",
		    f->message.len);
		spout__buffer_release(&f->message);
		break;
	case SPOUT__WS_PING:
	case SPOUT__WS_PONG:
		print_bytes(f->out, item->opcode == SPOUT__WS_PING ? "ping" : "pong",
		    item->control, item->len);
		break;
	case SPOUT__WS_CLOSE:
		snprintf(close, sizeof(close), "close %d", item->code);
		print_bytes(f->out, close, item->control, item->len);
		f->closed = true;
		break;
	default:
		break;
	}
}

/* Decompress the message, as a server does. Returns 0 or a close code. */
static int
unpack(struct frames *f, const struct spout__ws_item *item)
{
	const struct spout__ws_deflate agreed = { .own_bits = 15, .peer_bits = 15 };
	struct spout__buffer packed = f->message;
	struct spout_slice in = { "", packed.len };
	int r;

	if (!item->packed || (item->opcode != SPOUT__WS_TEXT &&
		item->opcode != SPOUT__WS_BINARY))
		return 0;
	if (in.len > 0)
		in.data = spout__buffer_at(&packed);
	spout__buffer_init(&f->message, spout__ws_packed_max(f->reader.max));
	r = spout__ws_unpack(
	    f->codecs, &agreed, NULL, in, f->reader.max, &f->message);
	spout__buffer_release(&packed);
	if (r == 0 && item->opcode == SPOUT__WS_TEXT && f->message.len > 0 &&
	    !spout__utf8_valid(spout__buffer_at(&f->message), f->message.len))
		r = SPOUT__WS_BAD_DATA;
	return r;
}

/* More bytes have arrived: behind what was kept, in a block of their exact size. */
static void
feed(struct frames *f, const char *data, size_t len)
{
	size_t all = f->kept_len + len, used, total = 0;
	char *block = malloc(all > 0 ? all : 1);
	struct spout__ws_item item;

	if (f->kept_len > 0)
		memcpy(block, f->kept, f->kept_len);
	memcpy(block + f->kept_len, data, len);
	do {
		f->failed = spout__ws_read(&f->reader, block + total, all - total,
		    &f->message, &used, &item);
		total += used;
		if (f->failed == 0)
			f->failed = unpack(f, &item);
		if (f->failed == 0)
			print_item(f, &item);
	} while (f->failed == 0 && !f->closed && item.opcode != SPOUT__WS_MORE);
	free(f->kept);
	f->kept_len = all - total;
	f->kept = malloc(f->kept_len > 0 ? f->kept_len : 1);
	memcpy(f->kept, block + total, f->kept_len);
	free(block);
	if (f->failed == 0 && !f->closed && f->kept_len >= SPOUT__WS_AHEAD)
		abort(); /* more is left than the reader may leave */
}

static size_t
next_piece(unsigned *seed, size_t left)
{
	size_t n = left;

	if (*seed == STREAM_BYTES) {
		n = 1;
	} else if (*seed != STREAM_WHOLE) {
		*seed = *seed * 1103515245u + 12345u;
		n = 1 + (*seed >> 16) % 17;
		*seed |= 2; /* neither of the two */
	}
	return n < left ? n : left;
}

char *
frames_read(const char *data, size_t len, unsigned split, size_t max, bool packs)
{
	struct frames f = { .out = NULL };
	size_t text_len = 0, n;
	char *text = NULL;

	f.out = open_memstream(&text, &text_len);
	spout__ws_reader_init(&f.reader, max);
	f.reader.may_pack = packs;
	f.codecs = spout__ws_codecs_new();
	spout__buffer_init(&f.message, spout__ws_packed_max(max));
	while (len > 0 && f.failed == 0 && !f.closed) {
		n = next_piece(&split, len);
		feed(&f, data, n);
		data += n;
		len -= n;
	}
	if (f.failed != 0)
		fprintf(f.out, "fail %d\n", f.failed);
	else if (!f.closed && (f.kept_len > 0 || f.reader.in_frame || f.reader.opcode))
		fprintf(f.out, "more\n");
	fclose(f.out);
	spout__buffer_release(&f.message);
	spout__ws_codecs_free(f.codecs);
	free(f.kept);
	return text;
}
