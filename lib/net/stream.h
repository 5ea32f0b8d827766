/* SPDX-License-Identifier: MIT */
/*
 * A connected socket with a queue of bytes to send: the transport below HTTP. Loop
 * thread, never suspends; callbacks run on the loop's stack.
 *
 * Reading: bytes arrive in the loop's shared scratch memory and are handed to
 * on_data(), which copies what it wants to keep; so an idle stream holds no buffer.
 * With reading off only the end of input is watched for. Writing: bytes queue up and
 * leave in one write at the end of the turn; what the kernel does not take waits for
 * writability.
 *
 * With TLS below (tls.h) the same holds; what is unsent is counted in the clear.
 *
 * A pipe works the same, but for closing: nobody tells that the other end is gone
 * before a read or a write finds out.
 *
 * A callback may close the stream; the owner's memory must stay until the turn has
 * ended (spout__loop_defer_free).
 */
#ifndef SPOUT_NET_STREAM_H
#define SPOUT_NET_STREAM_H

#include <event2/event_struct.h>

#include "base/buffer.h"
#include "loop/loop.h"

struct spout__stream;
struct spout__tls;

struct spout__stream_ops {
	/* Bytes have arrived; valid only during the call. */
	void (*on_data)(struct spout__stream *stream, const char *data, size_t len);
	/* The peer sends no more, and all that it sent was read. Called once. */
	void (*on_eof)(struct spout__stream *stream);
	/* With reading off: the peer sends no more; bytes of it may be unread, which is
	 * why on_eof() still comes when they are read. Called at most once. */
	void (*on_closing)(struct spout__stream *stream);
	/* Reading or writing failed (-errno): the stream is of no further use. Called
	 * once. */
	void (*on_error)(struct spout__stream *stream, int error);
	/* Some of the queue has left; called after each write that made progress. */
	void (*on_sent)(struct spout__stream *stream);
};

struct spout__stream {
	struct spout_loop *loop;
	const struct spout__stream_ops *ops;
	struct event event;
	struct spout__buffer out;
	struct spout__ready flush;
	struct spout__tls *tls; /* below it (tls.h), or NULL */
	int fd;               /* -1: closed */
	unsigned char events; /* what the event is armed for: SPOUT_READ … */
	bool pipe;            /* no socket: write() instead of send() */
	bool reading;         /* the owner wants data */
	bool blocked;         /* the kernel took less than was offered */
	bool eof;             /* the peer sends no more, all is read */
	bool closing;         /* the peer sends no more, some may be unread */
	bool failed;
	bool more;            /* a file follows what is queued */
	bool sends_files;     /* has sent one */
};

/** Take over a connected non-blocking descriptor. At most `max_unsent` bytes may queue.
 * Starts with reading on. Returns 0 or -errno (the descriptor stays the caller's). */
int spout__stream_init(struct spout__stream *stream, struct spout_loop *loop, int fd,
    const struct spout__stream_ops *ops, size_t max_unsent);
/** The same for one end of a pipe, which can be read, or else be written. */
int spout__stream_init_pipe(struct spout__stream *stream, struct spout_loop *loop, int fd,
    bool readable, const struct spout__stream_ops *ops, size_t max_unsent);
/**
 * Hand the socket with all that is queued, and TLS, from one stream to another (not yet
 * initialised) with other callbacks and another limit; reading is off. `from` is closed
 * then. Not from a callback of the stream. A failure comes to on_error() of `to`.
 */
void spout__stream_move(struct spout__stream *to, struct spout__stream *from,
    const struct spout__stream_ops *ops, size_t max_unsent);
/** Ask for data, or only for the end of input. */
void spout__stream_set_reading(struct spout__stream *stream, bool on);
/** Queue a copy of the bytes. 0, -EPIPE, -EMSGSIZE (queue full) or -ENOMEM. */
int spout__stream_write(struct spout__stream *stream, const void *data, size_t len);
/** Room for `n` bytes at the end of the queue, or NULL with errno; then _commit(). */
char *spout__stream_reserve(struct spout__stream *stream, size_t n);
void spout__stream_commit(struct spout__stream *stream, size_t n);
/** Write what can be written now. */
void spout__stream_flush(struct spout__stream *stream);
/**
 * Let the kernel take bytes from where they are, now; the queue must be empty. Returns
 * how many it took, -EAGAIN when none (on_sent() is called when there is room again),
 * -EOPNOTSUPP when they have to go through the queue, -EPIPE when the stream has failed.
 */
ssize_t spout__stream_send_now(
    struct spout__stream *stream, const struct spout_slice *pieces, unsigned n);
/** A file will follow what is queued: the kernel may join them in one segment. */
void spout__stream_expect_file(struct spout__stream *stream);
/** Can files be sent as they are, or only bytes? */
bool spout__stream_can_send_file(const struct spout__stream *stream);
/**
 * Let the kernel send bytes of a file, now; the queue must be empty. Returns how many,
 * 0 at the end of the file, -EAGAIN (on_sent() is called when there is room again),
 * -EOPNOTSUPP for a file that cannot be sent so, -EPIPE when the stream has failed.
 */
ssize_t spout__stream_send_file(
    struct spout__stream *stream, int fd, uint64_t offset, size_t len);
/** Send FIN, with TLS close_notify before it; the queue must be empty. A pipe is
 * closed. */
void spout__stream_shutdown(struct spout__stream *stream);
/** Stop watching, close the descriptor, drop the queue. */
void spout__stream_close(struct spout__stream *stream);

/* For tls.c. */
/** Report the failure, once, and stop watching. */
void spout__stream_fail(struct spout__stream *stream, int error);
/** Watch for what is wanted now. */
void spout__stream_rearm(struct spout__stream *stream);
/** Report the end of input. */
void spout__stream_saw_eof(struct spout__stream *stream);

static inline size_t
spout__stream_unsent(const struct spout__stream *stream)
{
	return stream->out.len;
}

#endif
