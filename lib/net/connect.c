/* SPDX-License-Identifier: MIT */
/*
 * Connecting: several addresses, the first that answers wins (RFC 8305, "happy
 * eyeballs").
 *
 * The coroutine waits once; attempts are started by callbacks on the loop's stack: the
 * first at once, the next when STAGGER_MS have passed or the one before has failed. All
 * of it lies on the coroutine's stack; when the wait ends, whichever way, everything but
 * the winner is closed.
 */
#include "config.h"

#include <spout/tcp.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/address.h"
#include "executor/resolve.h"
#include "net/costream.h"
#include "net/tls.h"

#define STAGGER_MS 250u
#define TIMEOUT_MS 10000u

struct attempt {
	struct event event;
	struct dial *dial;
	int fd; /* -1: not started, or failed */
};

struct dial {
	struct spout__waker waker;
	struct spout__timer stagger, timeout;
	struct spout_loop *loop;
	const struct spout__addresses *addresses;
	const struct sockaddr_storage *source; /* NULL: any */
	unsigned next, running;
	int winner; /* descriptor, or -1 */
	int error;  /* of the latest failure */
	struct attempt attempts[SPOUT__ADDRESSES_MAX];
};

static void on_connected(evutil_socket_t fd, short what, void *arg);

static socklen_t
size_of(const struct sockaddr_storage *addr)
{
	return addr->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					   : sizeof(struct sockaddr_in);
}

static void
attempt_close(struct attempt *attempt)
{
	if (attempt->fd < 0)
		return;
	event_del(&attempt->event);
	close(attempt->fd);
	attempt->fd = -1;
	attempt->dial->running--;
}

/* Returns 0 once connected, -EINPROGRESS, or the failure. */
static int
attempt_start(struct attempt *attempt, unsigned i)
{
	struct dial *dial = attempt->dial;
	const struct sockaddr_storage *to = &dial->addresses->at[i].addr;
	int r = 0, fd;

	if (dial->source != NULL && dial->source->ss_family != to->ss_family)
		return -EAFNOSUPPORT;
	fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (dial->source != NULL &&
	    bind(fd, (const struct sockaddr *)dial->source, size_of(dial->source)) < 0)
		r = -errno;
	if (r == 0 &&
	    connect(fd, (const struct sockaddr *)to, dial->addresses->at[i].len) < 0)
		r = -errno;
	if (r == 0) {
		dial->winner = fd;
		return 0;
	}
	if (r == -EINPROGRESS &&
	    (event_assign(&attempt->event, spout_loop_event_base(dial->loop), fd,
		 EV_WRITE, on_connected, attempt) < 0 ||
		event_add(&attempt->event, NULL) < 0))
		r = -ENOMEM;
	if (r != -EINPROGRESS) {
		close(fd);
		return r;
	}
	attempt->fd = fd;
	dial->running++;
	return r;
}

/* Start the next attempt that does not fail at once; wake the coroutine at the end. */
static void
dial_next(struct dial *dial)
{
	int r = -EAGAIN;

	while (dial->winner < 0 && dial->next < dial->addresses->n && r != -EINPROGRESS) {
		r = attempt_start(&dial->attempts[dial->next], dial->next);
		dial->next++;
		if (r != -EINPROGRESS)
			dial->error = r;
	}
	if (dial->winner >= 0 || dial->running == 0)
		spout__waker_wake(&dial->waker);
	else if (dial->next < dial->addresses->n)
		spout__timer_start_at(dial->loop, &dial->stagger,
		    spout__loop_after_ms(dial->loop, STAGGER_MS));
}

static void
on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct attempt *attempt = arg;
	struct dial *dial = attempt->dial;
	socklen_t len = sizeof(int);
	int error = 0;

	(void)what;
	if (dial->winner >= 0)
		return; /* a second one in the same turn: the detach closes it */
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error != 0) {
		dial->error = -error;
		attempt_close(attempt);
		dial_next(dial);
		return;
	}
	event_del(&attempt->event);
	attempt->fd = -1;
	dial->winner = (int)fd;
	spout__waker_wake(&dial->waker);
}

static void
on_stagger(struct spout__timer *timer)
{
	dial_next(spout__container_of(timer, struct dial, stagger));
}

static void
on_timeout(struct spout__timer *timer)
{
	struct dial *dial = spout__container_of(timer, struct dial, timeout);

	dial->error = -ETIMEDOUT;
	spout__waker_wake(&dial->waker);
}

static void
dial_detach(struct spout__waker *waker)
{
	struct dial *dial = spout__container_of(waker, struct dial, waker);

	spout__timer_stop(&dial->stagger);
	spout__timer_stop(&dial->timeout);
	for (unsigned i = 0; i < dial->addresses->n; i++)
		attempt_close(&dial->attempts[i]);
	if (dial->winner >= 0 && spout__co_leaves(waker->co))
		close(dial->winner);
}

/* Returns a connected descriptor, or -errno. */
static int
dial_run(const struct spout__addresses *addresses, const struct sockaddr_storage *source,
    uint64_t ms)
{
	struct dial dial = { .addresses = addresses,
		.source = source,
		.winner = -1,
		.loop = spout_loop_current(),
		.error = -EHOSTUNREACH };

	dial.waker = (struct spout__waker){
		.co = spout__co_checkpoint("spout_tcp_connect"), .detach = dial_detach
	};
	spout__timer_init(&dial.stagger, on_stagger);
	spout__timer_init(&dial.timeout, on_timeout);
	for (unsigned i = 0; i < SPOUT__ADDRESSES_MAX; i++)
		dial.attempts[i] = (struct attempt){ .dial = &dial, .fd = -1 };
	spout__timer_start_at(
	    dial.loop, &dial.timeout, spout__loop_after_ms(dial.loop, ms));
	dial_next(&dial);
	spout__wait(&dial.waker, "spout_tcp_connect");
	return dial.winner >= 0 ? dial.winner : dial.error;
}

/* --- the calls -------------------------------------------------------------------- */

static bool
parse_source(const char *text, struct sockaddr_storage *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->ss_family = AF_INET;
	if (inet_pton(AF_INET, text, &((struct sockaddr_in *)ret)->sin_addr) == 1)
		return true;
	ret->ss_family = AF_INET6;
	return inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)ret)->sin6_addr) == 1;
}

/* The handshake, which may take until `end`. */
static int
secure_stream(
    struct spout_stream *stream, struct spout_tls *tls, const char *host, uint64_t end)
{
	uint64_t now = spout_loop_now_ms(stream->base.loop), ms = stream->timeout_ms;
	int r;

	if (tls->server)
		return spout__co_error(-EINVAL, "TLS: the context is that of a server");
	r = spout__costream_start_tls(stream, tls, host);
	stream->timeout_ms = end > now ? end - now : 0;
	if (r == 0)
		r = spout__costream_handshake(stream);
	stream->timeout_ms = ms;
	return r;
}

/* Everything after the connection; `fd` is taken. */
static int
make_stream(int fd, const struct spout_connect_options *options, const char *host,
    uint64_t end, struct spout_stream **ret_stream)
{
	struct spout_stream *stream;
	int r = spout__costream_new(
	    spout_scope_current(), fd, SPOUT__STREAM_SOCKET, &options->stream, &stream);

	if (r < 0)
		return spout__co_error(r, "spout_tcp_connect: %s", strerror(-r));
	spout_stream_set_nodelay(stream, true);
	if (options->tls != NULL)
		r = secure_stream(stream, options->tls, host, end);
	if (r < 0)
		spout_stream_close(stream);
	else
		*ret_stream = stream;
	return r;
}

int
spout_try_tcp_connect_with(const char *host, uint16_t port,
    const struct spout_connect_options *options, struct spout_stream **ret_stream)
{
	struct spout_loop *loop = spout_loop_current();
	uint64_t ms = options->timeout_ms ? options->timeout_ms : TIMEOUT_MS, end, now;
	struct sockaddr_storage source;
	struct spout__addresses addresses;
	int r;

	(void)spout__co_checkpoint("spout_tcp_connect");
	end = spout__loop_after_ms(loop, ms);
	if (options->source != NULL && !parse_source(options->source, &source))
		return spout__co_error(
		    -EINVAL, "%s: not a numeric address", options->source);
	r = spout__resolve(host, port, options->family, ms, &addresses);
	if (r < 0)
		return r;
	now = spout_loop_now_ms(loop);
	r = dial_run(
	    &addresses, options->source ? &source : NULL, end > now ? end - now : 0);
	if (r < 0)
		return spout__co_error(
		    r, "connecting to %s port %u: %s", host, port, strerror(-r));
	return make_stream(r, options, host, end, ret_stream);
}

struct spout_stream *
spout_tcp_connect_with(
    const char *host, uint16_t port, const struct spout_connect_options *options)
{
	struct spout_stream *stream = NULL;

	spout__net_leave_if(spout_try_tcp_connect_with(host, port, options, &stream));
	return stream;
}

int
spout_try_unix_connect_with(const char *path, const struct spout_connect_options *options,
    struct spout_stream **ret_stream)
{
	struct sockaddr_un *un;
	struct spout__addresses one = { .n = 1 };
	uint64_t ms = options->timeout_ms ? options->timeout_ms : TIMEOUT_MS, end;
	int r;

	un = (struct sockaddr_un *)&one.at[0].addr;
	(void)spout__co_checkpoint("spout_unix_connect");
	end = spout__loop_after_ms(spout_loop_current(), ms);
	if (strlen(path) >= sizeof(un->sun_path))
		return spout__co_error(
		    -ENAMETOOLONG, "unix socket %s: path too long", path);
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, strlen(path) + 1);
	one.at[0].len = sizeof(*un);
	r = dial_run(&one, NULL, ms);
	if (r < 0)
		return spout__co_error(
		    r, "connecting to unix:%s: %s", path, strerror(-r));
	return make_stream(r, options, NULL, end, ret_stream);
}

struct spout_stream *
spout_unix_connect_with(const char *path, const struct spout_connect_options *options)
{
	struct spout_stream *stream = NULL;

	spout__net_leave_if(spout_try_unix_connect_with(path, options, &stream));
	return stream;
}
