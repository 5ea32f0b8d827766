/* SPDX-License-Identifier: MIT */
/*
 * Compression of response bodies: gzip by zlib, brotli when it is built in.
 *
 * Whole bodies go through the compressor of the worker, one at a time and never across a
 * wait; a body that is sent as it comes has a deflater of its own, with a small window,
 * since many of them may live at once. Loop thread.
 */
#ifndef SPOUT_WEB_COMPRESS_H
#define SPOUT_WEB_COMPRESS_H

#include <spout/types.h>

#include <zlib.h>

/* Whole bodies: not below, where the head alone costs more, and not above. */
#define SPOUT__COMPRESS_MIN 1024u
#define SPOUT__COMPRESS_MAX 65536u

struct spout__compressor;

/** What can be made, in bits of SPOUT__CODING_… (web/accept.h). */
unsigned spout__compress_codings(void);
/** Its name in Content-Encoding. */
const char *spout__coding_name(unsigned coding);
/** Is content of this type worth it? Parameters behind the type do not count. */
bool spout__type_compressible(struct spout_slice type);

/** Returns owned, NULL when out of memory. */
struct spout__compressor *spout__compressor_new(void);
void spout__compressor_free(struct spout__compressor *compressor);
/**
 * A body of at most SPOUT__COMPRESS_MAX bytes in a coding. Valid until the next call;
 * empty when that would not be shorter, or without memory.
 */
struct spout_slice spout__compress(
    struct spout__compressor *compressor, unsigned coding, struct spout_slice body);

/** A stream of gzip, in place. */
struct spout__deflater {
	z_stream zlib;
};

/** Returns 0 or -ENOMEM; end it then. */
int spout__deflater_begin(struct spout__deflater *deflater);
/**
 * Compress `piece` and hand what comes out to put(arg, …), in one call or several.
 * `flush`: Z_NO_FLUSH, Z_SYNC_FLUSH or Z_FINISH. Returns 0, or what `put` failed with.
 */
int spout__deflater_run(struct spout__deflater *deflater, struct spout_slice piece,
    int flush, int (*put)(void *arg, const char *data, size_t len), void *arg);
void spout__deflater_end(struct spout__deflater *deflater);

#endif
