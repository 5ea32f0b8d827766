/* SPDX-License-Identifier: MIT */
/* Decompression by zlib and brotli: see decode.h. */
#include "config.h"

#include "client/decode.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <strings.h>

#include <brotli/decode.h>
#include <zlib.h>

#define GZIP_WINDOW (15 + 16)
#define ZLIB_WINDOW 15
#define BARE_WINDOW (-15)

enum kind { GZIP, DEFLATE, BROTLI };

struct spout__decoder {
	enum kind kind;
	bool begun, complete;
	z_stream zlib;
	BrotliDecoderState *brotli;
};

static const struct {
	const char *name;
	enum kind kind;
} codings[] = {
	{ "gzip", GZIP },
	{ "x-gzip", GZIP }, /* RFC 9110 8.4.1.3 */
	{ "deflate", DEFLATE },
	{ "br", BROTLI },
};

int
spout__decoder_new(const char *coding, struct spout__decoder **ret_decoder)
{
	const size_t n = sizeof(codings) / sizeof(*codings);
	struct spout__decoder *decoder;
	size_t i;

	*ret_decoder = NULL;
	for (i = 0; i < n && strcasecmp(coding, codings[i].name) != 0; i++)
		continue;
	if (i == n)
		return 0;
	decoder = calloc(1, sizeof(*decoder));
	if (decoder == NULL)
		return -ENOMEM;
	decoder->kind = codings[i].kind;
	*ret_decoder = decoder;
	return 0;
}

void
spout__decoder_free(struct spout__decoder *decoder)
{
	if (decoder == NULL)
		return;
	if (decoder->kind != BROTLI && decoder->begun)
		inflateEnd(&decoder->zlib);
	if (decoder->brotli != NULL)
		BrotliDecoderDestroyInstance(decoder->brotli);
	free(decoder);
}

/* The first byte of a zlib stream names method 8 and a window of at most 32 KiB; one of a
 * bare stream looks the same only for a stored block with odd padding. */
static int
window_of(const struct spout__decoder *decoder, unsigned char first)
{
	if (decoder->kind == GZIP)
		return GZIP_WINDOW;
	return (first & 0x0f) == 8 && first >> 4 <= 7 ? ZLIB_WINDOW : BARE_WINDOW;
}

/* Begin, or begin the next member of a gzip file. */
static int
begin(struct spout__decoder *decoder, unsigned char first)
{
	if (decoder->kind == BROTLI && !decoder->begun) {
		decoder->brotli = BrotliDecoderCreateInstance(NULL, NULL, NULL);
		if (decoder->brotli == NULL)
			return -ENOMEM;
	} else if (!decoder->begun) {
		if (inflateInit2(&decoder->zlib, window_of(decoder, first)) != Z_OK)
			return -ENOMEM;
	} else if (decoder->complete) {
		/* Something behind the end. */
		if (decoder->kind != GZIP || inflateReset(&decoder->zlib) != Z_OK)
			return -EPROTO;
	}
	decoder->begun = true;
	decoder->complete = false;
	return 0;
}

static long
run_zlib(
    struct spout__decoder *decoder, const char **data, size_t *len, char *to, size_t room)
{
	z_stream *zlib = &decoder->zlib;
	uInt given = *len > UINT_MAX ? UINT_MAX : (uInt)*len;
	int r;

	zlib->next_in = (Bytef *)(uintptr_t)*data;
	zlib->avail_in = given;
	zlib->next_out = (Bytef *)to;
	zlib->avail_out = room > UINT_MAX ? UINT_MAX : (uInt)room;
	r = inflate(zlib, Z_NO_FLUSH);
	*data += given - zlib->avail_in;
	*len -= given - zlib->avail_in;
	if (r == Z_MEM_ERROR)
		return -ENOMEM;
	if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
		return -EPROTO;
	decoder->complete = r == Z_STREAM_END;
	return (char *)zlib->next_out - to;
}

static long
run_brotli(
    struct spout__decoder *decoder, const char **data, size_t *len, char *to, size_t room)
{
	const uint8_t *in = (const uint8_t *)*data;
	uint8_t *out = (uint8_t *)to;
	BrotliDecoderResult r;
	BrotliDecoderErrorCode code;

	r = BrotliDecoderDecompressStream(decoder->brotli, len, &in, &room, &out, NULL);
	*data = (const char *)in;
	if (r == BROTLI_DECODER_RESULT_ERROR) {
		code = BrotliDecoderGetErrorCode(decoder->brotli);
		return code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES ? -ENOMEM
									: -EPROTO;
	}
	decoder->complete = r == BROTLI_DECODER_RESULT_SUCCESS;
	return (char *)out - to;
}

long
spout__decoder_run(
    struct spout__decoder *decoder, const char **data, size_t *len, char *to, size_t room)
{
	long n = 0;
	int r;

	while (n == 0 && *len > 0) {
		if (!decoder->begun || decoder->complete) {
			r = begin(decoder, (unsigned char)**data);
			if (r < 0)
				return r;
		}
		n = decoder->kind == BROTLI ? run_brotli(decoder, data, len, to, room)
					    : run_zlib(decoder, data, len, to, room);
	}
	/* What is left inside although nothing is left to give. */
	if (n == 0 && decoder->begun && !decoder->complete)
		n = decoder->kind == BROTLI ? run_brotli(decoder, data, len, to, room)
					    : run_zlib(decoder, data, len, to, room);
	return n;
}

bool
spout__decoder_complete(const struct spout__decoder *decoder)
{
	return decoder->complete || !decoder->begun;
}
