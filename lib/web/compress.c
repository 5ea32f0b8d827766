/* SPDX-License-Identifier: MIT */
/* Compression by zlib and brotli: see compress.h. */
#include "config.h"

#include "web/compress.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#ifdef HAVE_BROTLIENC
#include <brotli/encode.h>
#endif

#include "web/accept.h"

#define GZIP 16 /* added to the bits of a window: a header of gzip, not of zlib */
#define LEVEL 5
#define WHOLE_WINDOW 15
#define WHOLE_MEMORY 8
/* 64 KiB each. */
#define STREAM_WINDOW 13
#define STREAM_MEMORY 6
#define BROTLI_QUALITY 4
#define BROTLI_WINDOW 16

struct spout__compressor {
	z_stream zlib;
	bool begun;
	char out[SPOUT__COMPRESS_MAX];
};

unsigned
spout__compress_codings(void)
{
#ifdef HAVE_BROTLIENC
	return SPOUT__CODING_GZIP | SPOUT__CODING_BR;
#else
	return SPOUT__CODING_GZIP;
#endif
}

const char *
spout__coding_name(unsigned coding)
{
	return coding == SPOUT__CODING_BR ? "br" : "gzip";
}

/* --- types ------------------------------------------------------------------------ */

static bool
ends_with(struct spout_slice s, const char *end)
{
	size_t len = strlen(end);

	return s.len > len && strncasecmp(s.data + s.len - len, end, len) == 0;
}

static bool
is_type(struct spout_slice s, const char *type)
{
	return s.len == strlen(type) && strncasecmp(s.data, type, s.len) == 0;
}

bool
spout__type_compressible(struct spout_slice type)
{
	static const char *const others[] = { "application/javascript",
		"application/json", "application/manifest+json", "application/wasm",
		"application/x-javascript", "application/x-ndjson", "application/xml",
		"application/yaml", "font/otf", "font/ttf", "image/bmp", "image/x-icon" };
	size_t i;

	for (i = 0; i < type.len && type.data[i] != ';' && type.data[i] != ' '; i++)
		continue;
	type.len = i;
	if (is_type(type, "text/event-stream"))
		return false; /* lives long: each would hold a compressor */
	if (type.len > 5 && strncasecmp(type.data, "text/", 5) == 0)
		return true;
	if (ends_with(type, "+json") || ends_with(type, "+xml"))
		return true;
	for (i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (is_type(type, others[i]))
			return true;
	return false;
}

/* --- whole bodies ----------------------------------------------------------------- */

struct spout__compressor *
spout__compressor_new(void)
{
	struct spout__compressor *compressor = malloc(sizeof(*compressor));

	if (compressor == NULL)
		return NULL;
	memset(&compressor->zlib, 0, sizeof(compressor->zlib));
	compressor->begun = false;
	return compressor;
}

void
spout__compressor_free(struct spout__compressor *compressor)
{
	if (compressor == NULL)
		return;
	if (compressor->begun)
		deflateEnd(&compressor->zlib);
	free(compressor);
}

static size_t
gzip_whole(struct spout__compressor *compressor, struct spout_slice body)
{
	z_stream *zlib = &compressor->zlib;

	if (!compressor->begun) {
		if (deflateInit2(zlib, LEVEL, Z_DEFLATED, WHOLE_WINDOW + GZIP,
		        WHOLE_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
			return 0;
		compressor->begun = true;
	}
	zlib->next_in = (Bytef *)(uintptr_t)body.data;
	zlib->avail_in = (uInt)body.len;
	zlib->next_out = (Bytef *)compressor->out;
	zlib->avail_out = (uInt)body.len - 1;
	if (deflate(zlib, Z_FINISH) != Z_STREAM_END)
		zlib->next_out = (Bytef *)compressor->out;
	deflateReset(zlib);
	return (size_t)((char *)zlib->next_out - compressor->out);
}

#ifdef HAVE_BROTLIENC
static size_t
brotli_whole(struct spout__compressor *compressor, struct spout_slice body)
{
	BrotliEncoderState *brotli = BrotliEncoderCreateInstance(NULL, NULL, NULL);
	const uint8_t *in = (const uint8_t *)body.data;
	uint8_t *out = (uint8_t *)compressor->out;
	size_t left = body.len, room = body.len - 1;
	bool whole;

	if (brotli == NULL)
		return 0;
	BrotliEncoderSetParameter(brotli, BROTLI_PARAM_QUALITY, BROTLI_QUALITY);
	BrotliEncoderSetParameter(brotli, BROTLI_PARAM_LGWIN, BROTLI_WINDOW);
	BrotliEncoderSetParameter(brotli, BROTLI_PARAM_SIZE_HINT, (uint32_t)body.len);
	whole = BrotliEncoderCompressStream(brotli, BROTLI_OPERATION_FINISH, &left, &in,
	            &room, &out, NULL) != BROTLI_FALSE &&
	    BrotliEncoderIsFinished(brotli);
	BrotliEncoderDestroyInstance(brotli);
	return whole ? (size_t)((char *)out - compressor->out) : 0;
}
#endif

struct spout_slice
spout__compress(
    struct spout__compressor *compressor, unsigned coding, struct spout_slice body)
{
	size_t len = 0;

	if (body.len < 2 || body.len > SPOUT__COMPRESS_MAX)
		return spout_slice_of("", 0);
#ifdef HAVE_BROTLIENC
	if (coding == SPOUT__CODING_BR)
		len = brotli_whole(compressor, body);
#endif
	if (coding == SPOUT__CODING_GZIP)
		len = gzip_whole(compressor, body);
	return spout_slice_of(compressor->out, len);
}

/* --- streams ---------------------------------------------------------------------- */

int
spout__deflater_begin(struct spout__deflater *deflater)
{
	memset(deflater, 0, sizeof(*deflater));
	return deflateInit2(&deflater->zlib, LEVEL, Z_DEFLATED, STREAM_WINDOW + GZIP,
	           STREAM_MEMORY, Z_DEFAULT_STRATEGY) == Z_OK
	    ? 0
	    : -ENOMEM;
}

int
spout__deflater_run(struct spout__deflater *deflater, struct spout_slice piece, int flush,
    int (*put)(void *arg, const char *data, size_t len), void *arg)
{
	z_stream *zlib = &deflater->zlib;
	char out[8192];
	int r = 0;

	zlib->next_in = (Bytef *)(uintptr_t)piece.data;
	zlib->avail_in = (uInt)piece.len;
	do {
		zlib->next_out = (Bytef *)out;
		zlib->avail_out = sizeof(out);
		deflate(zlib, flush);
		if (zlib->avail_out < sizeof(out))
			r = put(arg, out, sizeof(out) - zlib->avail_out);
	} while (r == 0 && zlib->avail_out == 0);
	return r;
}

void
spout__deflater_end(struct spout__deflater *deflater)
{
	deflateEnd(&deflater->zlib);
}
