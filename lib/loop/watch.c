/* SPDX-License-Identifier: MIT */
/* Descriptors and signals of the public API, on libevent events. Loop thread. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "loop/loop_private.h"

struct spout_fd_handler {
	struct event event;
	struct spout_loop *loop;
	struct spout__ready free_later;
	unsigned events;
	bool removed;
	spout_fd_fn fn;
	void *arg;
};

static void
on_fd_event(evutil_socket_t fd, short what, void *arg)
{
	struct spout_fd_handler *handler = arg;
	unsigned events = 0;

	if (handler->removed)
		return;
	if (what & EV_READ)
		events |= SPOUT_READ;
	if (what & EV_WRITE)
		events |= SPOUT_WRITE;
	if (what & EV_CLOSED)
		events |= SPOUT_CLOSED;
	handler->fn(fd, events, handler->arg);
}

static int
handler_add(struct spout_fd_handler *handler, int fd, unsigned events)
{
	short what = EV_PERSIST;

	if (events & SPOUT_READ)
		what |= EV_READ;
	if (events & SPOUT_WRITE)
		what |= EV_WRITE;
	if (events & SPOUT_CLOSED)
		what |= EV_CLOSED;
	handler->events = 0;
	errno = 0;
	if (event_assign(&handler->event, spout_loop_event_base(handler->loop), fd, what,
	        on_fd_event, handler) < 0 || event_add(&handler->event, NULL) < 0)
		return errno ? -errno : -EINVAL;
	handler->events = events;
	return 0;
}

static void
handler_free(struct spout__ready *ready)
{
	free(spout__container_of(ready, struct spout_fd_handler, free_later));
}

struct spout_fd_handler *
spout_loop_add_handler(struct spout_loop *loop, int fd, unsigned events, spout_fd_fn fn,
    void *arg)
{
	struct spout_fd_handler *handler;
	int r;

	spout__loop_check_thread(loop, "spout_loop_add_handler");
	handler = calloc(1, sizeof(*handler));
	if (handler == NULL)
		return NULL;
	handler->loop = loop;
	handler->fn = fn;
	handler->arg = arg;
	spout__ready_init(&handler->free_later, handler_free);
	r = handler_add(handler, fd, events);
	if (r < 0) {
		free(handler);
		errno = -r;
		return NULL;
	}
	return handler;
}

int
spout_loop_update_handler(struct spout_fd_handler *handler, unsigned events)
{
	if (handler->events == events)
		return 0;
	event_del(&handler->event);
	return handler_add(handler, event_get_fd(&handler->event), events);
}

void
spout_loop_remove_handler(struct spout_fd_handler *handler)
{
	if (handler == NULL || handler->removed)
		return;
	handler->removed = true;
	event_del(&handler->event);
	spout__loop_defer_free(handler->loop, &handler->free_later);
}

struct spout_signal {
	struct event event;
	struct spout_loop *loop;
	struct spout__ready free_later;
	spout_callback_fn fn;
	void *arg;
};

static void
on_signal(evutil_socket_t signo, short what, void *arg)
{
	struct spout_signal *handler = arg;

	(void)signo;
	(void)what;
	handler->fn(handler->arg);
}

static void
signal_free(struct spout__ready *ready)
{
	free(spout__container_of(ready, struct spout_signal, free_later));
}

struct spout_signal *
spout_loop_add_signal(struct spout_loop *loop, int signo, spout_callback_fn fn, void *arg)
{
	struct spout_signal *handler;

	spout__loop_check_thread(loop, "spout_loop_add_signal");
	handler = calloc(1, sizeof(*handler));
	if (handler == NULL)
		return NULL;
	handler->loop = loop;
	handler->fn = fn;
	handler->arg = arg;
	spout__ready_init(&handler->free_later, signal_free);
	if (evsignal_assign(&handler->event, spout_loop_event_base(loop), signo,
		on_signal, handler) < 0 ||
	    event_add(&handler->event, NULL) < 0) {
		free(handler);
		errno = EINVAL;
		return NULL;
	}
	return handler;
}

void
spout_loop_remove_signal(struct spout_signal *handler)
{
	if (handler == NULL)
		return;
	event_del(&handler->event);
	spout__loop_defer_free(handler->loop, &handler->free_later);
}
