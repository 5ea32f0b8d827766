/* SPDX-License-Identifier: MIT */
/* Compression of messages: see deflate.h. */
#include "config.h"

#include "websocket/deflate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "loop/loop.h"
#include "websocket/frame.h"

#define BITS_MIN 9u
#define BITS_MAX 15u
#define LEVEL 1
#define MEMORY_LEVEL 8
#define TAIL "\0\0\xff\xff" /* left out at the end of a message (7.2.1) */
#define TAIL_LEN 4u
#define KEEP_OUT (64u << 10)

struct compressor {
	z_stream zlib;
	int level, memory_level;
	bool made;
	bool used; /* since it was reset */
};

struct decompressor {
	z_stream zlib;
	bool made;
};

struct spout__ws_context {
	struct compressor out;
	struct decompressor in;
};

/* What the sockets of a loop share. */
struct spout__ws_codecs {
	struct compressor out[BITS_MAX + 1 - BITS_MIN];
	struct decompressor in;
	struct spout__buffer packed;
};

/* --- the shared ones -------------------------------------------------------------- */

static void
compressor_end(struct compressor *c)
{
	if (c->made)
		deflateEnd(&c->zlib);
	c->made = false;
}

static void
decompressor_end(struct decompressor *d)
{
	if (d->made)
		inflateEnd(&d->zlib);
	d->made = false;
}

struct spout__ws_codecs *
spout__ws_codecs_new(void)
{
	struct spout__ws_codecs *codecs = calloc(1, sizeof(*codecs));

	if (codecs != NULL)
		spout__buffer_init(&codecs->packed, SIZE_MAX);
	return codecs;
}

void
spout__ws_codecs_free(struct spout__ws_codecs *codecs)
{
	unsigned i;

	for (i = 0; i <= BITS_MAX - BITS_MIN; i++)
		compressor_end(&codecs->out[i]);
	decompressor_end(&codecs->in);
	spout__buffer_release(&codecs->packed);
	free(codecs);
}

static void
free_object(void *object)
{
	spout__ws_codecs_free(object);
}

struct spout__ws_codecs *
spout__ws_codecs_of(struct spout_loop *loop)
{
	struct spout__ws_codecs *codecs = spout__loop_slot(loop, SPOUT__SLOT_WEBSOCKET);

	if (codecs != NULL)
		return codecs;
	codecs = spout__ws_codecs_new();
	if (codecs != NULL)
		spout__loop_set_slot(loop, SPOUT__SLOT_WEBSOCKET, codecs, free_object);
	return codecs;
}

/* --- a socket's own --------------------------------------------------------------- */

static struct spout__ws_context *
context_of(struct spout__ws_context **context)
{
	if (*context == NULL)
		*context = calloc(1, sizeof(**context));
	return *context;
}

void
spout__ws_context_forget(struct spout__ws_context *context)
{
	if (context != NULL && context->out.made && context->out.used)
		deflateReset(&context->out.zlib);
}

void
spout__ws_context_free(struct spout__ws_context *context)
{
	if (context == NULL)
		return;
	compressor_end(&context->out);
	decompressor_end(&context->in);
	free(context);
}

/* --- compressing ------------------------------------------------------------------ */

static int
between(unsigned value, int min, int max, int otherwise)
{
	if (value == 0)
		return otherwise;
	return (int)value < min ? min : (int)value > max ? max : (int)value;
}

/* Ready to compress with these; returns 0 or -ENOMEM. */
static int
compressor_begin(struct compressor *c, unsigned bits,
    const struct spout_websocket_compress *options)
{
	int level = between(options->level, 1, 9, LEVEL);
	int memory_level = between(options->memory_level, 1, 9, MEMORY_LEVEL);

	if (c->made && (c->level != level || c->memory_level != memory_level))
		compressor_end(c);
	if (c->made)
		return 0;
	memset(&c->zlib, 0, sizeof(c->zlib));
	if (deflateInit2(&c->zlib, level, Z_DEFLATED, -(int)bits, memory_level,
		Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	c->level = level;
	c->memory_level = memory_level;
	c->made = true;
	c->used = false;
	return 0;
}

/* Append to `out` until all is out, or more than `max` bytes. Returns 0 or -ENOMEM. */
static int
compress_all(struct compressor *c, struct spout_slice data, struct spout__buffer *out,
    size_t max)
{
	z_stream *zlib = &c->zlib;
	unsigned room;
	char *to;

	c->used = true;
	zlib->next_in = (unsigned char *)data.data;
	zlib->avail_in = (unsigned)data.len;
	do {
		room = (unsigned)(data.len / 2 + 256);
		to = spout__buffer_reserve(out, room);
		if (to == NULL)
			return -ENOMEM;
		zlib->next_out = (unsigned char *)to;
		zlib->avail_out = room;
		(void)deflate(zlib, Z_SYNC_FLUSH);
		spout__buffer_commit(out, room - zlib->avail_out);
	} while (zlib->avail_out == 0 && out->len <= max);
	return 0;
}

int
spout__ws_pack(struct spout__ws_codecs *codecs, const struct spout__ws_deflate *agreed,
    const struct spout_websocket_compress *options, struct spout__ws_context **context,
    struct spout_slice data, struct spout_slice *ret)
{
	bool keeps = agreed->own_keeps && context != NULL;
	struct compressor *c;
	size_t max;

	if (agreed->own_bits < BITS_MIN || data.len == 0 || data.len > UINT32_MAX / 2)
		return 0;
	if (codecs == NULL || (keeps && context_of(context) == NULL))
		return -ENOMEM;
	c = keeps ? &(*context)->out : &codecs->out[agreed->own_bits - BITS_MIN];
	if (compressor_begin(c, agreed->own_bits, options) < 0)
		return -ENOMEM;
	/* What is in our window has to be sent so; else only if it is shorter. */
	max = keeps ? SIZE_MAX : data.len - 1 + TAIL_LEN;
	if (codecs->packed.cap > KEEP_OUT)
		spout__buffer_release(&codecs->packed);
	spout__buffer_clear(&codecs->packed);
	if (!keeps && c->used)
		deflateReset(&c->zlib);
	if (compress_all(c, data, &codecs->packed, max) < 0) {
		deflateReset(&c->zlib);
		return -ENOMEM;
	}
	if (codecs->packed.len > max)
		return 0;
	*ret = spout_slice_of(
	    spout__buffer_at(&codecs->packed), codecs->packed.len - TAIL_LEN);
	return 1;
}

/* --- decompressing ---------------------------------------------------------------- */

/* Between two blocks (zlib.h, data_type): where a message has to end. */
static bool
is_complete(const z_stream *zlib)
{
	return (zlib->data_type & 128) != 0;
}

/* Decompress one piece of the message. Returns 0 or a close code. */
static int
decompress(z_stream *zlib, struct spout_slice in, size_t max,
    struct spout__buffer *message)
{
	size_t room;
	char *to;
	int r;

	zlib->next_in = (unsigned char *)in.data;
	zlib->avail_in = (unsigned)in.len;
	do {
		/* One byte more than may come tells that there is too much. */
		room = max + 1 - message->len;
		if (room > in.len * 4 + 256)
			room = in.len * 4 + 256;
		to = spout__buffer_reserve(message, room);
		if (to == NULL)
			return SPOUT__WS_INTERNAL_ERROR;
		zlib->next_out = (unsigned char *)to;
		zlib->avail_out = (unsigned)room;
		r = inflate(zlib, Z_SYNC_FLUSH);
		spout__buffer_commit(message, room - zlib->avail_out);
		if (message->len > max)
			return SPOUT__WS_TOO_BIG;
		/* A block may be marked as the last (7.2.3.4); others may follow. */
		if (r == Z_STREAM_END)
			inflateResetKeep(zlib);
		else if (r == Z_MEM_ERROR)
			return SPOUT__WS_INTERNAL_ERROR;
		else if (r != Z_OK && r != Z_BUF_ERROR)
			return SPOUT__WS_BAD_DATA;
	} while (zlib->avail_in > 0 || zlib->avail_out == 0);
	return 0;
}

/* The largest window understands the smaller ones. */
static int
decompressor_begin(struct decompressor *d, bool keeps, unsigned bits)
{
	int r;

	if (d->made) {
		if (!keeps)
			inflateReset(&d->zlib);
		return 0;
	}
	if (!keeps)
		bits = BITS_MAX;
	memset(&d->zlib, 0, sizeof(d->zlib));
	r = inflateInit2(&d->zlib, -(int)(bits < BITS_MIN ? BITS_MIN : bits));
	d->made = r == Z_OK;
	return r == Z_OK ? 0 : -ENOMEM;
}

int
spout__ws_unpack(struct spout__ws_codecs *codecs, const struct spout__ws_deflate *agreed,
    struct spout__ws_context **context, struct spout_slice packed, size_t max,
    struct spout__buffer *message)
{
	struct decompressor *d;
	int r;

	if (codecs == NULL || (agreed->peer_keeps && context_of(context) == NULL))
		return SPOUT__WS_INTERNAL_ERROR;
	d = agreed->peer_keeps ? &(*context)->in : &codecs->in;
	if (decompressor_begin(d, agreed->peer_keeps, agreed->peer_bits) < 0)
		return SPOUT__WS_INTERNAL_ERROR;
	r = decompress(&d->zlib, packed, max, message);
	if (r == 0 && packed.len > 0 && d->zlib.total_in == 0)
		return 0; /* its end was marked */
	if (r == 0)
		r = decompress(&d->zlib, spout_slice_of(TAIL, TAIL_LEN), max, message);
	if (r == 0 && !is_complete(&d->zlib))
		r = SPOUT__WS_BAD_DATA;
	return r;
}
