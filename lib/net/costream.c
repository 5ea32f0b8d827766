/* SPDX-License-Identifier: MIT */
/* Streams for coroutines: their life, and writing. Reading is in costream_read.c. */
#include "config.h"

#include "net/costream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/address.h"
#include "net/tls.h"

#define MAX_BUFFER_BYTES (1u << 20)
#define MAX_UNSENT_BYTES (256u << 10)

void
spout__net_leave_if(int r)
{
	if (r < 0)
		spout__co_leave(r, 0, "%s", spout_error());
}

/* --- what the transport reports --------------------------------------------------- */

static struct spout_stream *
stream_of(struct spout__stream *base)
{
	return spout__container_of(base, struct spout_stream, base);
}

static void
wake_all(struct spout__line *line)
{
	while (spout__line_grant(line))
		;
}

static void
set_error(struct spout_stream *stream, int error, const char *reason)
{
	if (stream->error != 0)
		return;
	stream->error = error;
	snprintf(stream->reason, sizeof(stream->reason), "%s",
	    reason != NULL ? reason : strerror(-error));
	wake_all(&stream->readers);
	wake_all(&stream->writers);
}

static size_t
unread(const struct spout_stream *stream)
{
	return stream->in.len - stream->taken + stream->more.len;
}

static void
on_data(struct spout__stream *base, const char *data, size_t len)
{
	struct spout_stream *stream = stream_of(base);
	struct spout__buffer *to = stream->taken > 0 ? &stream->more : &stream->in;
	size_t limit = stream->need > SPOUT__STREAM_READ_AHEAD ? stream->need
							      : SPOUT__STREAM_READ_AHEAD;
	int r = spout__buffer_append(to, data, len);

	if (r < 0) {
		set_error(stream, r, NULL);
		spout__stream_set_reading(base, false);
		return;
	}
	if (unread(stream) >= stream->need)
		wake_all(&stream->readers);
	spout__stream_set_reading(base, unread(stream) < limit);
}

static void
on_eof(struct spout__stream *base)
{
	wake_all(&stream_of(base)->readers);
}

static void
on_closing(struct spout__stream *base)
{
	(void)base; /* on_eof() comes when the rest has been read */
}

static void
on_error(struct spout__stream *base, int error)
{
	set_error(stream_of(base), error, spout__stream_reason(base));
}

static void
on_sent(struct spout__stream *base)
{
	struct spout_stream *stream = stream_of(base);

	if (spout__stream_unsent(base) <= stream->max_unsent / 2)
		wake_all(&stream->writers);
}

static const struct spout__stream_ops ops = { on_data, on_eof, on_closing, on_error,
	on_sent };

/* --- life ------------------------------------------------------------------------- */

static void
free_now(struct spout__ready *ready)
{
	free(spout__container_of(ready, struct spout_stream, free_later));
}

static void
stream_end(struct spout_stream *stream)
{
	if (!stream->closed) {
		spout__stream_flush(&stream->base);
		spout__stream_close(&stream->base);
		spout__buffer_release(&stream->in);
		spout__buffer_release(&stream->more);
		stream->closed = true;
		stream->error = -EPIPE;
		spout__line_end(&stream->readers, -EPIPE);
		spout__line_end(&stream->writers, -EPIPE);
	}
	if (!stream->pinned)
		spout__loop_defer_free(stream->base.loop, &stream->free_later);
}

static void
scope_ends(struct spout__hold *hold)
{
	struct spout_stream *stream =
	    spout__container_of(hold, struct spout_stream, hold);

	stream->pinned = false;
	stream_end(stream);
}

void
spout_stream_close(struct spout_stream *stream)
{
	if (!stream->pinned)
		spout__list_remove(&stream->hold.link);
	spout__stream_flush(&stream->base);
	spout__stream_farewell(&stream->base);
	stream_end(stream);
}

int
spout__costream_give(struct spout_stream *stream, struct spout__stream *to,
    const struct spout__stream_ops *to_ops, size_t max_unsent,
    struct spout__buffer *ahead)
{
	size_t n = stream->in.len - stream->taken;
	int r = stream->error;

	if (r == 0 && n > 0)
		r = spout__buffer_append(
		    ahead, spout__buffer_at(&stream->in) + stream->taken, n);
	if (r == 0 && stream->more.len > 0)
		r = spout__buffer_append(
		    ahead, spout__buffer_at(&stream->more), stream->more.len);
	if (r == 0)
		spout__stream_move(to, &stream->base, to_ops, max_unsent);
	spout_stream_close(stream);
	return r;
}

static int
start(struct spout_stream *stream, struct spout_loop *loop, int fd,
    enum spout__stream_kind kind)
{
	if (kind == SPOUT__STREAM_SOCKET)
		return spout__stream_init(
		    &stream->base, loop, fd, &ops, stream->max_unsent);
	return spout__stream_init_pipe(&stream->base, loop, fd,
	    kind == SPOUT__STREAM_PIPE_IN, &ops, stream->max_unsent);
}

int
spout__costream_new(struct spout_scope *scope, int fd, enum spout__stream_kind kind,
    const struct spout_stream_options *options, struct spout_stream **ret_stream)
{
	struct spout_stream *stream = calloc(1, sizeof(*stream));
	int r;

	if (stream == NULL) {
		close(fd);
		return -ENOMEM;
	}
	stream->max_buffer = options->max_buffer_bytes ? options->max_buffer_bytes
						       : MAX_BUFFER_BYTES;
	stream->max_unsent = options->max_unsent_bytes ? options->max_unsent_bytes
						       : MAX_UNSENT_BYTES;
	stream->timeout_ms = options->timeout_ms ? options->timeout_ms : SPOUT_FOREVER;
	/* A read that waits for the most it may ask for gets what came with it, too. */
	spout__buffer_init(&stream->in, stream->max_buffer + 4 * SPOUT__LOOP_SCRATCH);
	spout__buffer_init(&stream->more, stream->in.max);
	spout__line_init(&stream->readers, NULL);
	spout__line_init(&stream->writers, NULL);
	spout__ready_init(&stream->free_later, free_now);
	r = start(stream, scope->loop, fd, kind);
	if (r < 0) {
		close(fd);
		free(stream);
		return r;
	}
	stream->hold.release = scope_ends;
	spout__list_push_front(&scope->holds, &stream->hold.link);
	*ret_stream = stream;
	return 0;
}

/* Says what kind of stream a descriptor makes. Returns it, or -errno. */
static int
kind_of(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (flags < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	if (S_ISSOCK(st.st_mode))
		return SPOUT__STREAM_SOCKET;
	return (flags & O_ACCMODE) == O_WRONLY ? SPOUT__STREAM_PIPE_OUT
					       : SPOUT__STREAM_PIPE_IN;
}

int
spout_try_stream_new_with(int fd, const struct spout_stream_options *options,
    struct spout_stream **ret_stream)
{
	struct spout_scope *scope = spout_scope_current();
	int r = kind_of(fd);

	if (r < 0)
		close(fd);
	else
		r = spout__costream_new(
		    scope, fd, (enum spout__stream_kind)r, options, ret_stream);
	if (r < 0)
		return spout__co_error(r, "spout_stream_new: %s", strerror(-r));
	return 0;
}

struct spout_stream *
spout_stream_new_with(int fd, const struct spout_stream_options *options)
{
	struct spout_stream *stream = NULL;

	spout__net_leave_if(spout_try_stream_new_with(fd, options, &stream));
	return stream;
}

/* --- waiting ---------------------------------------------------------------------- */

int
spout__costream_error(const struct spout_stream *stream)
{
	if (stream->closed)
		return spout__co_error(-EPIPE, "the stream is closed");
	return spout__co_error(stream->error, "%s", stream->reason);
}

int
spout__costream_wait(
    struct spout_stream *stream, struct spout__line *line, const char *what)
{
	uint64_t ms = stream->timeout_ms;
	int r = spout__line_wait(line, ms, what);

	if (r == -ETIMEDOUT)
		return spout__co_error(
		    r, "%s: nothing for %llu ms", what, (unsigned long long)ms);
	if (r < 0)
		return spout__co_error(r, "%s: the stream was closed", what);
	return 0;
}

/* --- writing ---------------------------------------------------------------------- */

int
spout_try_stream_write(struct spout_stream *stream, const void *data, size_t len)
{
	const char *from = data;

	(void)spout__co_checkpoint("spout_stream_write");
	while (len > 0) {
		size_t room = stream->max_unsent - spout__stream_unsent(&stream->base);
		size_t n = room < len ? room : len;
		int r;

		if (stream->error != 0)
			return spout__costream_error(stream);
		if (n > 0)
			r = spout__stream_write(&stream->base, from, n);
		else
			r = spout__costream_wait(
			    stream, &stream->writers, "spout_stream_write");
		if (r < 0)
			return n > 0 ? spout__co_error(r, "write: %s", strerror(-r)) : r;
		from += n;
		len -= n;
	}
	return 0;
}

void
spout_stream_write(struct spout_stream *stream, const void *data, size_t len)
{
	spout__net_leave_if(spout_try_stream_write(stream, data, len));
}

int
spout_try_stream_flush(struct spout_stream *stream)
{
	(void)spout__co_checkpoint("spout_stream_flush");
	while (stream->error == 0 && spout__stream_unsent(&stream->base) > 0) {
		int r = spout__costream_wait(
		    stream, &stream->writers, "spout_stream_flush");

		if (r < 0)
			return r;
	}
	return stream->error != 0 ? spout__costream_error(stream) : 0;
}

void
spout_stream_flush(struct spout_stream *stream)
{
	spout__net_leave_if(spout_try_stream_flush(stream));
}

int
spout_try_stream_shutdown(struct spout_stream *stream)
{
	int r = spout_try_stream_flush(stream);

	if (r == 0)
		spout__stream_shutdown(&stream->base);
	return r;
}

void
spout_stream_shutdown(struct spout_stream *stream)
{
	spout__net_leave_if(spout_try_stream_shutdown(stream));
}

/* --- about it --------------------------------------------------------------------- */

void
spout_stream_set_timeout(struct spout_stream *stream, uint64_t ms)
{
	stream->timeout_ms = ms;
}

void
spout_stream_set_nodelay(struct spout_stream *stream, bool on)
{
	int value = on;

	/* Unix sockets and pipes have no such thing, and send small pieces at once. */
	(void)setsockopt(
	    stream->base.fd, IPPROTO_TCP, TCP_NODELAY, &value, sizeof(value));
}

const char *
spout_stream_peer(const struct spout_stream *stream)
{
	char text[SPOUT__LISTEN_TEXT] = "";
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	memset(&peer, 0, sizeof(peer));
	if (getpeername(stream->base.fd, (struct sockaddr *)&peer, &len) == 0)
		spout__listen_print(&peer, len, text);
	return spout_strdup(text);
}

size_t
spout_stream_buffered(const struct spout_stream *stream)
{
	return unread(stream);
}

size_t
spout_stream_unsent(const struct spout_stream *stream)
{
	return spout__stream_unsent(&stream->base);
}
