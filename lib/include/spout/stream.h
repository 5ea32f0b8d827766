/* SPDX-License-Identifier: MIT */
/*
 * Buffered byte streams for coroutines: sockets and pipes. (Tornado: IOStream)
 *
 * A stream belongs to the scope in which it was made, which closes it when it ends; the
 * owner's children may use it too. Loop thread, inside a coroutine. A read lends bytes of
 * the stream's buffer: they are valid until the next read of this stream, or its end.
 *
 * Every read and write exists twice, as everything that waits: spout_x() leaves when it
 * fails, spout_try_x() returns -errno and spout_error() says why:
 *
 *   -EPIPE      the peer has closed, or the stream was closed here
 *   -ECONNRESET the connection was cut; with TLS also: ended without a farewell
 *   -EMSGSIZE   more than the limit, before the delimiter or the end
 *   -ETIMEDOUT  nothing happened for as long as spout_stream_set_timeout() allows
 *   -ENOMEM, and what the kernel reports; spout/tls.h has those of TLS
 *
 * The deadline of the coroutine bounds each wait besides.
 */
#ifndef SPOUT_STREAM_H
#define SPOUT_STREAM_H

#include <spout/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct spout_stream;

struct spout_stream_options {
	size_t size;             /* sizeof this struct, set by the macro */
	size_t max_buffer_bytes; /* most that a read may ask for [1 MiB] */
	size_t max_unsent_bytes; /* a writer waits while this much is unsent [256 KiB] */
	uint64_t timeout_ms;     /* see spout_stream_set_timeout() [none] */
};

/**
 * A stream on a connected socket, or on an end of a pipe. Takes the descriptor, also when
 * it fails, and makes it non-blocking and close-on-exec. Leaves with -errno.
 *
 *     struct spout_stream *stream = spout_stream_new(fd, .timeout_ms = 5000);
 */
#define spout_stream_new(fd, ...) \
	spout_stream_new_with((fd), &(struct spout_stream_options){ \
	    .size = sizeof(struct spout_stream_options), __VA_ARGS__ })
#define spout_try_stream_new(fd, ret_stream, ...) \
	spout_try_stream_new_with((fd), &(struct spout_stream_options){ \
	    .size = sizeof(struct spout_stream_options), __VA_ARGS__ }, (ret_stream))
SPOUT_API struct spout_stream *spout_stream_new_with(int fd,
    const struct spout_stream_options *options);
SPOUT_API SPOUT_MUST_CHECK int spout_try_stream_new_with(int fd,
    const struct spout_stream_options *options, struct spout_stream **ret_stream);

/* --- reading -------------------------------------------------------------------- */

/** Exactly `n` bytes. (Tornado: read_bytes) */
SPOUT_API struct spout_slice spout_stream_read_bytes(
    struct spout_stream *stream, size_t n);
SPOUT_API SPOUT_MUST_CHECK int spout_try_stream_read_bytes(struct spout_stream *stream,
    size_t n, struct spout_slice *ret);
/**
 * Everything up to and including `delimiter` (not empty), at most `max` bytes in all;
 * what a failed read has seen stays in the buffer. (Tornado: read_until)
 */
SPOUT_API struct spout_slice spout_stream_read_until(struct spout_stream *stream,
    const char *delimiter, size_t max);
SPOUT_API SPOUT_MUST_CHECK int spout_try_stream_read_until(struct spout_stream *stream,
    const char *delimiter, size_t max, struct spout_slice *ret);
/** What there is, at least one byte; empty when the peer has closed. (partial=True) */
SPOUT_API struct spout_slice spout_stream_read_some(struct spout_stream *stream);
SPOUT_API SPOUT_MUST_CHECK int spout_try_stream_read_some(struct spout_stream *stream,
    struct spout_slice *ret);
/** Everything until the peer closes, at most `max` bytes. (Tornado: read_until_close) */
SPOUT_API struct spout_slice spout_stream_read_all(
    struct spout_stream *stream, size_t max);
SPOUT_API SPOUT_MUST_CHECK int spout_try_stream_read_all(struct spout_stream *stream,
    size_t max, struct spout_slice *ret);
/** Fill `n` bytes at `data`, any number, beyond the size of the buffer. (read_into) */
SPOUT_API void spout_stream_read_into(struct spout_stream *stream, void *data, size_t n);
SPOUT_API SPOUT_MUST_CHECK int spout_try_stream_read_into(struct spout_stream *stream,
    void *data, size_t n);

/* --- writing -------------------------------------------------------------------- */

/**
 * Queue a copy of the bytes; they leave at the end of the loop's turn. Suspends while
 * max_unsent_bytes are waiting for a slow reader.
 */
SPOUT_API void spout_stream_write(
    struct spout_stream *stream, const void *data, size_t len);
SPOUT_API SPOUT_MUST_CHECK int spout_try_stream_write(struct spout_stream *stream,
    const void *data, size_t len);
/** Wait until the kernel has taken everything. */
SPOUT_API void spout_stream_flush(struct spout_stream *stream);
SPOUT_API SPOUT_MUST_CHECK int spout_try_stream_flush(struct spout_stream *stream);
/** Flush, then tell the peer that no more comes; reading goes on. A pipe is closed. */
SPOUT_API void spout_stream_shutdown(struct spout_stream *stream);
SPOUT_API SPOUT_MUST_CHECK int spout_try_stream_shutdown(struct spout_stream *stream);

/**
 * Close, and free the stream. Does not wait: what the kernel does not take at once is
 * lost, so flush first what matters. Who waits for the stream gets -EPIPE.
 */
SPOUT_API void spout_stream_close(struct spout_stream *stream);

/* --- about it --------------------------------------------------------------------- */

/** No single wait for this stream takes longer: -ETIMEDOUT. SPOUT_FOREVER: no limit. */
SPOUT_API void spout_stream_set_timeout(struct spout_stream *stream, uint64_t ms);
/** Send small pieces at once (TCP_NODELAY): on for TCP until switched off. */
SPOUT_API void spout_stream_set_nodelay(struct spout_stream *stream, bool on);
/** Address of the peer: "127.0.0.1:80", "[::1]:80", "unix:PATH", "" for a pipe. Copied
 * into the running scope. */
SPOUT_API const char *spout_stream_peer(const struct spout_stream *stream);
/** Bytes that can be read without a wait. */
SPOUT_API size_t spout_stream_buffered(const struct spout_stream *stream);
/** Bytes that the kernel has not taken yet. */
SPOUT_API size_t spout_stream_unsent(const struct spout_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
