/* SPDX-License-Identifier: MIT */
/*
 * Connections whose header of the PROXY protocol is still to be read: see proxy.h. Bytes
 * are looked at before they are taken, so that what follows stays in the socket.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/list.h"
#include "net/proxy.h"

struct spout__proxy_gate {
	struct spout_loop *loop;
	struct spout__proxy_gate_options options;
	struct spout__list waiting;
};

struct waiting {
	struct spout__list link;
	struct spout__proxy_gate *gate;
	struct spout_fd_handler *handler;
	struct spout_timer *timer;
	struct sockaddr_storage peer;
	socklen_t peer_len;
	int fd;
	size_t have;
	char header[SPOUT__PROXY_MAX];
};

struct spout__proxy_gate *
spout__proxy_gate_new(
    struct spout_loop *loop, const struct spout__proxy_gate_options *options)
{
	struct spout__proxy_gate *gate = calloc(1, sizeof(*gate));

	if (gate == NULL)
		return NULL;
	gate->loop = loop;
	gate->options = *options;
	spout__list_init(&gate->waiting);
	return gate;
}

/* Off the list, nothing watched any more; the descriptor is the caller's. */
static int
release(struct waiting *w)
{
	int fd = w->fd;

	spout__list_remove(&w->link);
	if (w->handler != NULL)
		spout_loop_remove_handler(w->handler);
	if (w->timer != NULL)
		spout_loop_remove_timeout(w->timer);
	free(w);
	return fd;
}

static void
refuse(struct waiting *w)
{
	struct spout__proxy_gate *gate = w->gate;

	close(release(w));
	gate->options.on_refused(gate->options.ctx);
}

static void
on_timeout(void *arg)
{
	struct waiting *w = arg;

	w->timer = NULL; /* it has fired */
	refuse(w);
}

static void
open_gate(struct waiting *w, const struct sockaddr_storage *client)
{
	struct spout__proxy_gate *gate = w->gate;
	struct sockaddr_storage peer = w->peer;
	socklen_t len = w->peer_len;

	if (client->ss_family != AF_UNSPEC) {
		peer = *client;
		len = client->ss_family == AF_INET ? sizeof(struct sockaddr_in)
						   : sizeof(struct sockaddr_in6);
	}
	gate->options.on_open(
	    gate->options.ctx, release(w), (const struct sockaddr *)&peer, len);
}

static void
on_readable(int fd, unsigned events, void *arg)
{
	struct waiting *w = arg;
	struct sockaddr_storage client;
	ssize_t n = recv(fd, w->header + w->have, sizeof(w->header) - w->have, MSG_PEEK);
	size_t take;
	int len;

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	len = n > 0 ? spout__proxy_parse(w->header, w->have + (size_t)n, &client)
		    : -EBADMSG;
	if (len < 0) {
		refuse(w);
		return;
	}
	/* All that is there belongs to a header that is not whole. */
	take = len > 0 ? (size_t)len - w->have : (size_t)n;
	if (recv(fd, w->header + w->have, take, 0) != (ssize_t)take) {
		refuse(w);
		return;
	}
	w->have += take;
	if (len > 0)
		open_gate(w, &client);
}

static bool
is_proxy(const struct spout__proxy_gate *gate, const struct sockaddr *peer)
{
	struct spout__ip ip = spout__ip_of(peer);
	unsigned i;

	for (i = 0; i < gate->options.n_networks; i++)
		if (spout__network_has(&gate->options.networks[i], &ip))
			return true;
	return false;
}

int
spout__proxy_gate_enter(
    struct spout__proxy_gate *gate, int fd, const struct sockaddr *peer, socklen_t len)
{
	struct waiting *w;

	if (!is_proxy(gate, peer))
		return -EACCES;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return -ENOMEM;
	w->gate = gate;
	w->fd = fd;
	w->peer_len = len < sizeof(w->peer) ? len : sizeof(w->peer);
	memcpy(&w->peer, peer, w->peer_len);
	spout__list_init(&w->link);
	spout__list_push(&gate->waiting, &w->link);
	w->handler = spout_loop_add_handler(gate->loop, fd, SPOUT_READ, on_readable, w);
	w->timer =
	    spout_loop_call_later(gate->loop, gate->options.timeout_ms, on_timeout, w);
	if (w->handler != NULL && w->timer != NULL)
		return 0;
	release(w);
	return -ENOMEM;
}

unsigned
spout__proxy_gate_free(struct spout__proxy_gate *gate)
{
	unsigned n = 0;

	if (gate == NULL)
		return 0;
	for (; !spout__list_empty(&gate->waiting); n++)
		close(release(
		    spout__container_of(gate->waiting.next, struct waiting, link)));
	free(gate);
	return n;
}
