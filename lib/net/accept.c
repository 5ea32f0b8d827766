/* SPDX-License-Identifier: MIT */
/* Accepting connections: see accept.h. */
#include "config.h"

#include "net/accept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/log.h"
#include "base/stats.h"

#define PAUSE_MS 50u

struct spout__acceptor {
	struct spout_loop *loop;
	struct spout__acceptor_options options;
	struct event event;
	struct spout__timer retry;
	struct spout__ready free_later;
	int fd, reserve;
	bool watching, stopped;
	uint64_t last_warning_ms;
};

static void
retry_later(struct spout__acceptor *acceptor)
{
	spout__timer_start_at(acceptor->loop, &acceptor->retry,
	    spout__loop_after_ms(acceptor->loop, PAUSE_MS));
}

static void
watch(struct spout__acceptor *acceptor, bool on)
{
	if (acceptor->watching == on)
		return;
	if (on && event_add(&acceptor->event, NULL) < 0) {
		retry_later(acceptor); /* no memory for it now: never stay deaf */
		return;
	}
	if (!on)
		event_del(&acceptor->event);
	acceptor->watching = on;
}

static void
reserve_open(struct spout__acceptor *acceptor)
{
	if (acceptor->reserve < 0)
		acceptor->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
pause_accepting(struct spout__acceptor *acceptor)
{
	watch(acceptor, false);
	retry_later(acceptor);
}

static void
out_of_resources(struct spout__acceptor *acceptor, int error)
{
	uint64_t now = spout_loop_now_ms(acceptor->loop);

	spout__count(SPOUT__C_ACCEPT_ERRORS, 1);
	if (acceptor->options.on_pressure != NULL &&
	    acceptor->options.on_pressure(acceptor->options.ctx))
		return; /* the socket is still readable: the next turn tries again */
	if (acceptor->last_warning_ms == 0 || now - acceptor->last_warning_ms > 1000) {
		acceptor->last_warning_ms = now;
		spout_warning("accepting pauses: %s", strerror(error));
	}
	if (acceptor->reserve >= 0)
		close(acceptor->reserve);
	acceptor->reserve = -1;
	pause_accepting(acceptor);
}

/* Accept one. Returns 1, 0 when none is queued, or -errno. */
static int
accept_one(struct spout__acceptor *acceptor)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int fd = accept4(acceptor->fd, (struct sockaddr *)&peer, &len,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		spout__count(SPOUT__C_CONNECTIONS, 1);
		acceptor->options.on_accept(acceptor->options.ctx, fd,
		    (struct sockaddr *)&peer, len);
		return 1;
	}
	return errno == EAGAIN ? 0 : -errno;
}

static bool
may_accept(struct spout__acceptor *acceptor)
{
	return acceptor->options.may_accept == NULL ||
	    acceptor->options.may_accept(acceptor->options.ctx);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct spout__acceptor *acceptor = arg;
	unsigned i;
	int r = 1;

	(void)fd;
	(void)what;
	for (i = 0; i < acceptor->options.burst && r != 0 && !acceptor->stopped; i++) {
		if (!may_accept(acceptor)) {
			pause_accepting(acceptor);
			return;
		}
		r = accept_one(acceptor);
		/* Errors of the connection itself (RFC-wise: it is gone) are
		 * passed over. */
		if (r == -EMFILE || r == -ENFILE || r == -ENOBUFS || r == -ENOMEM) {
			out_of_resources(acceptor, -r);
			return;
		}
	}
}

static void
on_retry(struct spout__timer *timer)
{
	spout__acceptor_resume(spout__container_of(timer, struct spout__acceptor, retry));
}

void
spout__acceptor_resume(struct spout__acceptor *acceptor)
{
	if (acceptor->stopped || acceptor->watching)
		return;
	spout__timer_stop(&acceptor->retry);
	reserve_open(acceptor);
	watch(acceptor, true);
}

unsigned
spout__acceptor_take_all(struct spout__acceptor *acceptor)
{
	unsigned n = 0;
	int r;

	do {
		r = accept_one(acceptor);
		n += r == 1;
		if ((r == -EMFILE || r == -ENFILE) &&
		    acceptor->options.on_pressure != NULL &&
		    acceptor->options.on_pressure(acceptor->options.ctx))
			r = 1;
	} while (r == 1 || r == -ECONNABORTED || r == -EINTR);
	return n;
}

void
spout__acceptor_stop(struct spout__acceptor *acceptor)
{
	acceptor->stopped = true;
	watch(acceptor, false);
	spout__timer_stop(&acceptor->retry);
}

static void
free_now(struct spout__ready *ready)
{
	free(spout__container_of(ready, struct spout__acceptor, free_later));
}

void
spout__acceptor_free(struct spout__acceptor *acceptor)
{
	if (acceptor == NULL)
		return;
	spout__acceptor_stop(acceptor);
	if (acceptor->reserve >= 0)
		close(acceptor->reserve);
	spout__loop_defer_free(acceptor->loop, &acceptor->free_later);
}

struct spout__acceptor *
spout__acceptor_new(struct spout_loop *loop, int fd,
    const struct spout__acceptor_options *options)
{
	struct spout__acceptor *acceptor = calloc(1, sizeof(*acceptor));

	if (acceptor == NULL)
		return NULL;
	acceptor->loop = loop;
	acceptor->options = *options;
	acceptor->fd = fd;
	acceptor->reserve = -1;
	spout__timer_init(&acceptor->retry, on_retry);
	spout__ready_init(&acceptor->free_later, free_now);
	reserve_open(acceptor);
	if (event_assign(&acceptor->event, spout_loop_event_base(loop), fd,
	        EV_READ | EV_PERSIST, on_readable, acceptor) < 0 ||
	    event_add(&acceptor->event, NULL) < 0) {
		if (acceptor->reserve >= 0)
			close(acceptor->reserve);
		free(acceptor);
		errno = EINVAL;
		return NULL;
	}
	acceptor->watching = true;
	return acceptor;
}
