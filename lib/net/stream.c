/* SPDX-License-Identifier: MIT */
/* A connected socket with a queue of bytes to send: see stream.h. */
#include "config.h"

#include "net/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/stats.h"
#include "net/tls.h"

/* From this size on a file is large, and this much of it may be on its way. */
#define FILE_LARGE (64u << 10)
#define FILE_UNSENT (4 << 20)

static void on_event(evutil_socket_t fd, short what, void *arg);

static int
arm(struct spout__stream *stream, unsigned events)
{
	short what = EV_PERSIST;

	if (events == stream->events)
		return 0;
	if (stream->events != 0)
		event_del(&stream->event);
	stream->events = 0;
	if (events == 0)
		return 0;
	if (events & SPOUT_READ)
		what |= EV_READ;
	if (events & SPOUT_WRITE)
		what |= EV_WRITE;
	if (events & SPOUT_CLOSED)
		what |= EV_CLOSED;
	if (event_assign(&stream->event, spout_loop_event_base(stream->loop), stream->fd,
	        what, on_event, stream) < 0 || event_add(&stream->event, NULL) < 0)
		return errno ? -errno : -ENOMEM;
	stream->events = (unsigned char)events;
	return 0;
}

void
spout__stream_fail(struct spout__stream *stream, int error)
{
	if (stream->failed)
		return;
	stream->failed = true;
	arm(stream, 0);
	stream->ops->on_error(stream, error);
}

void
spout__stream_rearm(struct spout__stream *stream)
{
	unsigned events = 0;
	int r;

	if (stream->fd < 0 || stream->failed)
		return;
	if (stream->reading && !stream->eof)
		events |= SPOUT_READ;
	else if (!stream->eof && !stream->closing && !stream->pipe)
		events |= SPOUT_CLOSED;
	if (stream->blocked)
		events |= SPOUT_WRITE;
	r = arm(stream, events);
	if (r < 0)
		spout__stream_fail(stream, r);
}

void
spout__stream_saw_eof(struct spout__stream *stream)
{
	stream->eof = true;
	spout__stream_rearm(stream);
	stream->ops->on_eof(stream);
}

/* A client that has sent everything may close its side long before we have read it. */
static void
saw_closing(struct spout__stream *stream)
{
	stream->closing = true;
	spout__stream_rearm(stream);
	if (!stream->failed)
		stream->ops->on_closing(stream);
}

static void
read_some(struct spout__stream *stream)
{
	char *scratch;
	ssize_t n;

	if (stream->tls != NULL) {
		spout__tls_readable(stream);
		return;
	}
	scratch = spout__loop_scratch(stream->loop);
	if (scratch == NULL) {
		spout__stream_fail(stream, -ENOMEM);
		return;
	}
	n = read(stream->fd, scratch, SPOUT__LOOP_SCRATCH);
	if (n > 0) {
		spout__count(SPOUT__C_BYTES_IN, (uint64_t)n);
		stream->ops->on_data(stream, scratch, (size_t)n);
	} else if (n == 0) {
		spout__stream_saw_eof(stream);
	} else if (errno != EAGAIN && errno != EINTR) {
		spout__stream_fail(stream, -errno);
	}
}

static void
on_writable(struct spout__stream *stream)
{
	if (stream->tls != NULL)
		spout__tls_flush(stream); /* with an empty queue, too */
	else
		spout__stream_flush(stream);
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct spout__stream *stream = arg;

	(void)fd;
	if (what & EV_WRITE)
		on_writable(stream);
	if (stream->fd < 0 || stream->failed)
		return;
	if (what & EV_READ)
		read_some(stream);
	else if (what & EV_CLOSED)
		saw_closing(stream);
}

static void
on_turn_end(struct spout__ready *ready)
{
	spout__stream_flush(spout__container_of(ready, struct spout__stream, flush));
}

static void
set_up(struct spout__stream *stream, struct spout_loop *loop, int fd,
    const struct spout__stream_ops *ops, size_t max_unsent)
{
	memset(stream, 0, sizeof(*stream));
	stream->loop = loop;
	stream->ops = ops;
	stream->fd = fd;
	stream->reading = true;
	spout__buffer_init(&stream->out, max_unsent);
	spout__ready_init(&stream->flush, on_turn_end);
}

int
spout__stream_init(struct spout__stream *stream, struct spout_loop *loop, int fd,
    const struct spout__stream_ops *ops, size_t max_unsent)
{
	set_up(stream, loop, fd, ops, max_unsent);
	return arm(stream, SPOUT_READ);
}

int
spout__stream_init_pipe(struct spout__stream *stream, struct spout_loop *loop, int fd,
    bool readable, const struct spout__stream_ops *ops, size_t max_unsent)
{
	set_up(stream, loop, fd, ops, max_unsent);
	stream->pipe = true;
	stream->eof = !readable;
	return readable ? arm(stream, SPOUT_READ) : 0;
}

void
spout__stream_move(struct spout__stream *to, struct spout__stream *from,
    const struct spout__stream_ops *ops, size_t max_unsent)
{
	bool flush = spout__ready_pending(&from->flush);

	arm(from, 0);
	spout__list_remove(&from->flush.link);
	*to = *from;
	to->ops = ops;
	to->out.max = max_unsent;
	to->reading = false;
	spout__ready_init(&to->flush, on_turn_end);
	if (to->tls != NULL)
		to->tls->stream = to;
	from->fd = -1;
	from->tls = NULL;
	spout__buffer_init(&from->out, 0);
	if (flush)
		spout__loop_at_turn_end(to->loop, &to->flush);
	spout__stream_rearm(to);
}

void
spout__stream_set_reading(struct spout__stream *stream, bool on)
{
	if (stream->reading == on)
		return;
	stream->reading = on;
	spout__stream_rearm(stream);
}

char *
spout__stream_reserve(struct spout__stream *stream, size_t n)
{
	if (stream->fd < 0 || stream->failed) {
		errno = EPIPE;
		return NULL;
	}
	return spout__buffer_reserve(&stream->out, n);
}

void
spout__stream_commit(struct spout__stream *stream, size_t n)
{
	spout__buffer_commit(&stream->out, n);
	if (!stream->blocked)
		spout__loop_at_turn_end(stream->loop, &stream->flush);
}

int
spout__stream_write(struct spout__stream *stream, const void *data, size_t len)
{
	char *to = spout__stream_reserve(stream, len);

	if (to == NULL)
		return -errno;
	memcpy(to, data, len);
	spout__stream_commit(stream, len);
	return 0;
}

/* There is room again for what could not be sent past the queue. */
static void
owner_may_go_on(struct spout__stream *stream)
{
	if (!stream->blocked || stream->tls != NULL)
		return;
	stream->blocked = false;
	spout__stream_rearm(stream);
	if (!stream->failed)
		stream->ops->on_sent(stream);
}

void
spout__stream_flush(struct spout__stream *stream)
{
	bool was_blocked = stream->blocked;
	ssize_t n;

	if (stream->fd < 0 || stream->failed)
		return;
	if (stream->out.len == 0) {
		owner_may_go_on(stream);
		return;
	}
	if (stream->tls != NULL) {
		spout__tls_flush(stream);
		return;
	}
	if (stream->pipe)
		n = write(stream->fd, spout__buffer_at(&stream->out), stream->out.len);
	else
		n = send(stream->fd, spout__buffer_at(&stream->out), stream->out.len,
		    stream->more ? MSG_NOSIGNAL | MSG_MORE : MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		spout__stream_fail(stream, -errno);
		return;
	}
	if (n > 0) {
		spout__count(SPOUT__C_BYTES_OUT, (uint64_t)n);
		spout__buffer_consume(&stream->out, (size_t)n);
	}
	if (stream->out.len == 0)
		spout__buffer_release(&stream->out);
	stream->blocked = stream->out.len > 0;
	if (stream->blocked != was_blocked)
		spout__stream_rearm(stream);
	if (n > 0 && !stream->failed)
		stream->ops->on_sent(stream);
}

ssize_t
spout__stream_send_now(
    struct spout__stream *stream, const struct spout_slice *pieces, unsigned n)
{
	struct iovec parts[64];
	struct msghdr message = { .msg_iov = parts };
	ssize_t sent;

	if (stream->fd < 0 || stream->failed)
		return -EPIPE;
	if (stream->out.len > 0 || stream->pipe || stream->tls != NULL)
		return -EOPNOTSUPP;
	for (; message.msg_iovlen < n && message.msg_iovlen < 64; message.msg_iovlen++)
		parts[message.msg_iovlen] =
		    (struct iovec){ (void *)pieces[message.msg_iovlen].data,
			    pieces[message.msg_iovlen].len };
	sent = sendmsg(stream->fd, &message, MSG_NOSIGNAL);
	if (sent >= 0) {
		spout__count(SPOUT__C_BYTES_OUT, (uint64_t)sent);
		return sent;
	}
	if (errno != EAGAIN && errno != EINTR) {
		spout__stream_fail(stream, -errno);
		return -EPIPE;
	}
	stream->blocked = true;
	spout__stream_rearm(stream);
	return stream->failed ? -EPIPE : -EAGAIN;
}

bool
spout__stream_can_send_file(const struct spout__stream *stream)
{
	return !stream->pipe && stream->tls == NULL;
}

/*
 * Sockets hold little unsent data, to save memory (TCP_NOTSENT_LOWAT, set where we
 * listen). The pages of a file are there anyway: more of them means fewer waits.
 */
static void
prepare_for_files(struct spout__stream *stream)
{
	int bytes = FILE_UNSENT;

	stream->sends_files = true;
	(void)setsockopt(
	    stream->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
}

void
spout__stream_expect_file(struct spout__stream *stream)
{
	stream->more = true;
}

ssize_t
spout__stream_send_file(
    struct spout__stream *stream, int fd, uint64_t offset, size_t len)
{
	off_t at = (off_t)offset;
	ssize_t n;

	if (stream->fd < 0 || stream->failed)
		return -EPIPE;
	if (stream->out.len > 0 || !spout__stream_can_send_file(stream))
		return -EOPNOTSUPP;
	if (len > FILE_LARGE && !stream->sends_files)
		prepare_for_files(stream);
	stream->more = false;
	n = sendfile(stream->fd, fd, &at, len);
	if (n >= 0) {
		spout__count(SPOUT__C_BYTES_OUT, (uint64_t)n);
		return n;
	}
	switch (errno) {
	case EAGAIN:
	case EINTR:
		stream->blocked = true;
		spout__stream_rearm(stream);
		return stream->failed ? -EPIPE : -EAGAIN;
	case EINVAL:
	case ENOSYS:
		return -EOPNOTSUPP;
	case EIO: /* of the file */
	case EOVERFLOW:
		return -errno;
	default:
		spout__stream_fail(stream, -errno);
		return -EPIPE;
	}
}

void
spout__stream_shutdown(struct spout__stream *stream)
{
	if (stream->fd < 0)
		return;
	if (stream->pipe)
		spout__stream_close(stream);
	else if (stream->tls != NULL)
		spout__tls_shutdown(stream);
	else
		shutdown(stream->fd, SHUT_WR);
}

void
spout__stream_close(struct spout__stream *stream)
{
	if (stream->fd < 0)
		return;
	arm(stream, 0);
	spout__list_remove(&stream->flush.link);
	spout__buffer_release(&stream->out);
	if (stream->tls != NULL)
		spout__tls_free(stream);
	close(stream->fd);
	stream->fd = -1;
}
