/* SPDX-License-Identifier: MIT */
/*
 * Inside of struct spout_stream (spout/stream.h): a transport and a buffer of what it
 * read, with lines of coroutines that wait for either direction. Loop thread.
 *
 * A read lends `taken` bytes at the front of `in`; they are dropped by the next read.
 * While bytes are lent, `in` must not move: what arrives then goes to `more`.
 */
#ifndef SPOUT_NET_COSTREAM_H
#define SPOUT_NET_COSTREAM_H

#include <spout/stream.h>

#include "async/async.h"
#include "async/line.h"
#include "net/stream.h"

struct spout_tls;

/* Read ahead up to here when nobody waits for more. */
#define SPOUT__STREAM_READ_AHEAD 65536u

struct spout_stream {
	struct spout__stream base;
	struct spout__hold hold; /* by the scope that owns it */
	struct spout__buffer in, more;
	size_t taken;            /* bytes of `in` that are lent */
	size_t need;             /* what the reader waits for */
	size_t max_buffer, max_unsent;
	uint64_t timeout_ms;
	struct spout__line readers, writers;
	int error;               /* why it is of no further use, 0: it is */
	char reason[200];        /* in words */
	bool closed;             /* by spout_stream_close() */
	bool pinned;             /* struct stays after that: somebody looks at `closed` */
	struct spout__ready free_later;
};

/** What spout__costream_new() makes of a descriptor. */
enum spout__stream_kind {
	SPOUT__STREAM_SOCKET,
	SPOUT__STREAM_PIPE_IN,  /* we read */
	SPOUT__STREAM_PIPE_OUT, /* we write */
};

/**
 * Make a stream that `scope` owns, on a non-blocking descriptor, which it takes, also on
 * failure. Returns 0 or -errno.
 */
int spout__costream_new(struct spout_scope *scope, int fd, enum spout__stream_kind kind,
    const struct spout_stream_options *options, struct spout_stream **ret_stream);
/**
 * Hand the transport over (spout__stream_move), and what was read of it and not used yet,
 * to an empty buffer. The stream is closed then. Returns 0 or -errno: nothing has
 * changed, but that it is closed.
 */
int spout__costream_give(struct spout_stream *stream, struct spout__stream *to,
    const struct spout__stream_ops *ops, size_t max_unsent, struct spout__buffer *ahead);
/** Begin TLS, not waiting for it; 0, or -errno with spout_error(). */
int spout__costream_start_tls(
    struct spout_stream *stream, struct spout_tls *tls, const char *host);
/** For spout__stream_start_tls(): wakes spout__costream_handshake(). */
void spout__costream_on_secure(struct spout__stream *base);
/** Wait for the end of the handshake. */
int spout__costream_handshake(struct spout_stream *stream);
/** Compose the error of a stream that has failed, or was closed; returns it. */
int spout__costream_error(const struct spout_stream *stream);
/** Wait in one of its lines. After an error the stream may be gone: do not touch it. */
int spout__costream_wait(struct spout_stream *stream, struct spout__line *line,
    const char *what);
/** Leave with what a try form has just returned, if that is an error. */
void spout__net_leave_if(int r);

#endif
