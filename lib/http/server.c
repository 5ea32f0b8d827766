/* SPDX-License-Identifier: MIT */
/* The HTTP server: listeners, limits, draining: see server.h. Loop thread. */
#include "config.h"

#include "http/server.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/stats.h"
#include "http/conn.h"
#include "net/proxy.h"

/* Connections looked at, longest idle first, when room must be made. */
#define PRESSURE_LOOKS 16u
#define DRAIN_TICK_MS 50

void
spout__http_options_init(struct spout__http_options *options)
{
	*options = (struct spout__http_options){
		.limits = { .max_head_bytes = 16384,
		    .max_line_bytes = 8192,
		    .max_fields = 100 },
		.head_timeout_ms = 10000,
		.idle_timeout_ms = 75000,
		.body_timeout_ms = 30000,
		.min_body_rate = 240,
		.min_body_grace_ms = 5000,
		.write_timeout_ms = 30000,
		.request_timeout_ms = 30000,
		.max_body_bytes = 1u << 20,
		.max_connections = 10000,
		.server_name = "Spout/" PACKAGE_VERSION,
		.content_type = spout_slice("text/html; charset=UTF-8"),
		.proxy_timeout_ms = 5000,
		.drain_idle_ms = 300,
	};
}

static struct spout__http_conn *
conn_of_link(struct spout__list *link)
{
	return spout__container_of(link, struct spout__http_conn, link);
}

static struct spout__http_listener *
listener_of_link(struct spout__list *link)
{
	return spout__container_of(link, struct spout__http_listener, link);
}

/* --- accepting -------------------------------------------------------------------- */

static void
on_accept(void *ctx, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
	struct spout__http_listener *listener = ctx;

	if (spout__conn_new(listener->server, fd, peer, peer_len, listener->tls) < 0)
		close(fd);
}

/* Make room by closing the connection that has been idle longest. */
static bool
on_pressure(void *ctx)
{
	struct spout__http_listener *listener = ctx;
	struct spout__list *idle = &listener->server->idle, *node;
	unsigned looked_at = 0;

	spout__list_for_each(node, idle) {
		struct spout__http_conn *conn = conn_of_link(node);

		if (!spout__conn_expects_nothing(conn)) {
			if (++looked_at == PRESSURE_LOOKS)
				return false;
			continue;
		}
		spout__conn_close(conn);
		return true;
	}
	return false;
}

static bool
may_accept(void *ctx)
{
	struct spout__http_listener *listener = ctx;
	struct spout__http_server *server = listener->server;

	if (server->n_conns >= server->options.max_connections && !on_pressure(ctx))
		return false;
	return listener->may_accept == NULL || listener->may_accept(listener->ctx);
}

/* --- behind the PROXY protocol ---------------------------------------------------- */

/* One that waits for its header counts as a connection. */
static void
on_gate_open(void *ctx, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
	struct spout__http_listener *listener = ctx;
	struct spout__http_server *server = listener->server;

	server->n_conns--;
	if (spout__conn_new(server, fd, peer, peer_len, listener->tls) < 0) {
		close(fd);
		spout__server_conn_gone(server);
	}
}

static void
on_gate_refused(void *ctx)
{
	struct spout__http_listener *listener = ctx;

	listener->server->n_conns--;
	spout__server_conn_gone(listener->server);
}

static void
on_accept_behind(void *ctx, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
	struct spout__http_listener *listener = ctx;

	if (spout__proxy_gate_enter(listener->gate, fd, peer, peer_len) < 0)
		close(fd);
	else
		listener->server->n_conns++;
}

static int
make_gate(struct spout__http_listener *listener, const struct spout__http_listen *listen)
{
	struct spout__http_server *server = listener->server;
	struct spout__proxy_gate_options options = {
		.networks = listen->proxies,
		.n_networks = listen->n_proxies,
		.timeout_ms = server->options.proxy_timeout_ms,
		.on_open = on_gate_open,
		.on_refused = on_gate_refused,
		.ctx = listener,
	};

	listener->gate = spout__proxy_gate_new(server->loop, &options);
	return listener->gate != NULL ? 0 : -ENOMEM;
}

static void
listener_free(struct spout__http_listener *listener)
{
	if (listener->acceptor != NULL)
		spout__acceptor_free(listener->acceptor);
	listener->server->n_conns -= spout__proxy_gate_free(listener->gate);
	free(listener);
}

int
spout__http_server_listen(
    struct spout__http_server *server, const struct spout__http_listen *listen)
{
	struct spout__http_listener *listener = calloc(1, sizeof(*listener));
	struct spout__acceptor_options options = { .burst = listen->shared ? 1 : 64,
		.on_accept = listen->n_proxies > 0 ? on_accept_behind : on_accept,
		.may_accept = may_accept,
		.on_pressure = on_pressure,
		.ctx = listener };
	int rc = 0;

	if (listener == NULL)
		return -ENOMEM;
	listener->server = server;
	listener->tls = listen->tls;
	listener->may_accept = listen->may_accept;
	listener->ctx = listen->ctx;
	if (listen->n_proxies > 0)
		rc = make_gate(listener, listen);
	if (rc == 0) {
		listener->acceptor =
		    spout__acceptor_new(server->loop, listen->fd, &options);
		rc = listener->acceptor != NULL ? 0 : -errno;
	}
	if (rc != 0) {
		listener_free(listener);
		return rc;
	}
	spout__list_push(&server->listeners, &listener->link);
	return 0;
}

int
spout__http_server_adopt(struct spout__http_server *server, int fd,
    const struct sockaddr *peer, socklen_t peer_len)
{
	return spout__conn_new(server, fd, peer, peer_len, NULL);
}

/* --- draining --------------------------------------------------------------------- */

void
spout__server_conn_gone(struct spout__http_server *server)
{
	struct spout__list *node;
	spout_callback_fn drained = server->drained;

	if (!server->draining) {
		if (server->n_conns + 1 == server->options.max_connections)
			spout__list_for_each(node, &server->listeners)
				spout__acceptor_resume(listener_of_link(node)->acceptor);
		return;
	}
	if (server->n_conns > 0 || drained == NULL || server->freeing)
		return;
	server->drained = NULL;
	drained(server->drained_arg);
}

static struct spout__http_guest *
guest_of_link(struct spout__list *link)
{
	return spout__container_of(link, struct spout__http_guest, link);
}

void
spout__http_guest_init(
    struct spout__http_guest *guest, const struct spout__http_guest_ops *ops)
{
	*guest = (struct spout__http_guest){ .ops = ops };
	spout__list_init(&guest->link);
}

void
spout__server_guest_comes(
    struct spout__http_server *server, struct spout__http_guest *guest)
{
	guest->server = server;
	spout__list_push(&server->guests, &guest->link);
	server->n_conns++;
	spout__gauge_add(SPOUT__G_CONNECTIONS_OPEN, 1);
}

static void
forget_guest(struct spout__http_guest *guest)
{
	guest->server->n_conns--;
	guest->server = NULL;
	spout__list_remove(&guest->link);
	spout__gauge_add(SPOUT__G_CONNECTIONS_OPEN, -1);
}

void
spout__http_guest_gone(struct spout__http_guest *guest)
{
	struct spout__http_server *server = guest->server;

	if (server == NULL)
		return;
	forget_guest(guest);
	spout__server_conn_gone(server);
}

static void
drain_conns(struct spout__list *list, bool close_idle)
{
	struct spout__list *node, *next;

	spout__list_for_each_safe(node, next, list)
		spout__conn_drain(conn_of_link(node), close_idle);
}

/* Close this tick's share of the idle connections; the last tick takes all. */
static void
drain_idle_share(struct spout__http_server *server)
{
	struct spout__list *node, *next;
	unsigned n = 0;

	spout__list_for_each(node, &server->idle)
		n++;
	if (server->drain_ticks > 1)
		n = n / server->drain_ticks-- + 1;
	spout__list_for_each_safe(node, next, &server->idle) {
		if (n-- == 0)
			break;
		spout__conn_drain(conn_of_link(node), true);
	}
}

static void
on_drain_timer(struct spout__timer *timer)
{
	struct spout__http_server *server =
	    spout__container_of(timer, struct spout__http_server, drain_timer);

	drain_idle_share(server);
	if (!spout__list_empty(&server->idle))
		spout__timer_start_at(server->loop, timer,
		    spout__loop_after_ms(server->loop, DRAIN_TICK_MS));
}

void
spout__server_idle_in_drain(struct spout__http_server *server)
{
	if (!spout__timer_pending(&server->drain_timer))
		spout__timer_start_at(server->loop, &server->drain_timer,
		    spout__loop_after_ms(server->loop, server->options.drain_idle_ms));
}

static void
drain_guests(struct spout__http_server *server)
{
	struct spout__list *node, *next;

	spout__list_for_each_safe(node, next, &server->guests)
		guest_of_link(node)->ops->drain(
		    guest_of_link(node), server->guest_window_ms);
}

void
spout__http_server_drain(
    struct spout__http_server *server, spout_callback_fn done, void *arg)
{
	struct spout__list *node;

	if (server->draining)
		return;
	spout__list_for_each(node, &server->listeners) {
		spout__acceptor_take_all(listener_of_link(node)->acceptor);
		spout__acceptor_stop(listener_of_link(node)->acceptor);
	}
	server->draining = true;
	server->drained = done;
	server->drained_arg = arg;
	drain_conns(&server->idle, false);
	drain_conns(&server->busy, false);
	drain_guests(server);
	spout__timer_start_at(server->loop, &server->drain_timer,
	    spout__loop_after_ms(server->loop, server->options.drain_idle_ms));
	if (server->n_conns == 0) {
		server->drained = NULL;
		done(arg);
	}
}

void
spout__http_server_set_drain_idle(struct spout__http_server *server, uint64_t ms)
{
	server->options.drain_idle_ms = ms;
	server->guest_window_ms = ms;
	server->drain_ticks = (unsigned)(ms / 10 / DRAIN_TICK_MS);
	if (!server->draining)
		return;
	spout__timer_stop(&server->drain_timer);
	spout__server_idle_in_drain(server);
	drain_guests(server);
}

/* --- life ------------------------------------------------------------------------- */

struct spout__http_server *
spout__http_server_new(struct spout_loop *loop, const struct spout__http_options *options,
    const struct spout__http_delegate *delegate)
{
	struct spout__http_server *server = calloc(1, sizeof(*server));

	if (server == NULL)
		return NULL;
	server->loop = loop;
	server->options = *options;
	server->delegate = *delegate;
	spout__list_init(&server->idle);
	spout__list_init(&server->busy);
	spout__list_init(&server->guests);
	spout__list_init(&server->listeners);
	spout__timer_init(&server->drain_timer, on_drain_timer);
	return server;
}

void
spout__http_server_free(struct spout__http_server *server)
{
	if (server == NULL)
		return;
	server->freeing = server->draining = true;
	server->n_exchanges++; /* not freed before the end of this function */
	while (!spout__list_empty(&server->listeners)) {
		struct spout__http_listener *listener =
		    listener_of_link(spout__list_pop(&server->listeners));

		listener_free(listener);
	}
	while (!spout__list_empty(&server->idle))
		spout__conn_close(conn_of_link(server->idle.next));
	while (!spout__list_empty(&server->busy))
		spout__conn_close(conn_of_link(server->busy.next));
	while (!spout__list_empty(&server->guests)) {
		struct spout__http_guest *guest = guest_of_link(server->guests.next);

		forget_guest(guest);
		guest->ops->stop(guest);
	}
	spout__timer_stop(&server->drain_timer);
	spout__server_exchange_gone(server);
}

void
spout__server_exchange_gone(struct spout__http_server *server)
{
	if (--server->n_exchanges == 0 && server->freeing)
		free(server);
}

unsigned
spout__http_server_connections(const struct spout__http_server *server)
{
	return server->n_conns;
}
