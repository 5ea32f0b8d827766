/* SPDX-License-Identifier: MIT */
/*
 * Serving raw TCP: a listening socket, and one coroutine per connection. Loop thread.
 *
 * The server is freed when spout_tcp_server_free() was called and the last coroutine that
 * it started is gone.
 */
#include "config.h"

#include <spout/tcp.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/address.h"
#include "base/stats.h"
#include "net/accept.h"
#include "net/costream.h"
#include "net/tls.h"

#define MAX_CONNECTIONS 1000u
#define BACKLOG 1024
#define ACCEPT_BURST 64u

struct spout_tcp_server {
	struct spout_loop *loop;
	struct spout__acceptor *acceptor; /* NULL: not listening any more */
	int fd;
	spout_tcp_handler_fn handler;
	void *arg;
	struct spout_tcp_server_options options;
	struct spout__listen_address address;
	bool owns_path;
	struct spout__list connections;
	unsigned n_connections;
	struct spout__line drained; /* who waits for the last one */
	bool freeing;
};

/* In the arena of its coroutine. */
struct connection {
	struct spout__list link;
	struct spout_tcp_server *server;
	struct spout_coroutine *co;
	struct spout_stream *stream;
};

/* --- connections ------------------------------------------------------------------ */

static void
connection_run(void *arg)
{
	struct connection *connection = arg;
	struct spout_stream *stream = connection->stream;
	int r = 0;

	if (connection->server->options.tls != NULL)
		r = spout__costream_handshake(stream);
	if (r < 0) {
		spout_debug("TCP connection: %s", spout_error());
		return;
	}
	connection->server->handler(stream, connection->server->arg);
	if (!stream->closed)
		r = spout_try_stream_shutdown(stream);
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		spout__net_leave_if(r);
}

static void
connection_exit(struct spout_coroutine *co, const struct spout__outcome *outcome)
{
	const struct connection *connection = spout__coroutine_arg(co);

	/* What the peer did wrong below the stream is not a failure of the handler. */
	if (outcome->error == -EPROTO && connection->stream->error == -EPROTO)
		return;
	if (outcome->error == 0 || outcome->cancelled || outcome->error == -EPIPE ||
	    outcome->error == -ECONNRESET)
		return;
	spout__count(SPOUT__C_TASK_FAILURES, 1);
	spout__log_often(SPOUT_LOG_WARNING, "TCP connection failed: %s", outcome->reason);
}

static void
connection_gone(void *arg)
{
	struct spout_tcp_server *server = arg;

	server->n_connections--;
	if (server->freeing) {
		if (server->n_connections == 0)
			free(server);
		return;
	}
	if (server->acceptor != NULL)
		spout__acceptor_resume(server->acceptor);
	while (server->n_connections == 0 && spout__line_grant(&server->drained))
		;
}

static void
connection_unlink(void *arg)
{
	spout__list_remove(&((struct connection *)arg)->link);
}

static int
connection_make(struct connection *connection, int fd)
{
	struct spout_scope *scope = spout__coroutine_scope(connection->co);
	int r = spout__costream_new(scope, fd, SPOUT__STREAM_SOCKET,
	    &connection->server->options.stream, &connection->stream);

	if (r < 0)
		return r;
	connection->stream->pinned =
	    true; /* connection_run() asks whether it is closed */
	if (connection->server->options.tls != NULL)
		r = spout__stream_start_tls(&connection->stream->base,
		    connection->server->options.tls, NULL, spout__costream_on_secure);
	if (r < 0)
		return r;
	return spout_defer_in(scope, connection_unlink, connection);
}

static void
on_accept(void *ctx, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
	struct spout_tcp_server *server = ctx;
	struct spout__coroutine_options options = { .fn = connection_run,
		.on_exit = connection_exit,
		.on_gone = connection_gone,
		.on_gone_arg = server,
		.where = "spout_tcp_listen" };
	struct spout_coroutine *co = spout__coroutine_new(server->loop);
	struct connection *connection = NULL;

	(void)peer;
	(void)peer_len;
	if (co != NULL)
		connection =
		    spout_alloc_in(spout__coroutine_scope(co), sizeof(*connection));
	if (connection == NULL) {
		close(fd);
		if (co != NULL)
			spout__coroutine_drop(co);
		return;
	}
	*connection = (struct connection){ .server = server, .co = co };
	spout__list_init(&connection->link);
	if (connection_make(connection, fd) < 0) {
		spout__coroutine_drop(co);
		return;
	}
	options.arg = connection;
	spout__list_push(&server->connections, &connection->link);
	server->n_connections++;
	spout__coroutine_start(co, &options);
}

static bool
may_accept(void *ctx)
{
	struct spout_tcp_server *server = ctx;

	return server->n_connections < server->options.max_connections;
}

/* --- listening -------------------------------------------------------------------- */

/* A socket file that nobody serves any more? Then it is removed. */
static bool
remove_stale(const struct spout__listen_address *address)
{
	const char *path = ((const struct sockaddr_un *)&address->addr)->sun_path;
	struct stat st;
	bool stale;
	int fd;

	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	stale = connect(fd, (const struct sockaddr *)&address->addr, address->len) < 0 &&
	    errno == ECONNREFUSED;
	close(fd);
	return stale && unlink(path) == 0;
}

static int
bind_address(int fd, const struct spout__listen_address *address)
{
	const struct sockaddr *addr = (const struct sockaddr *)&address->addr;

	if (bind(fd, addr, address->len) == 0)
		return 0;
	if (errno == EADDRINUSE && addr->sa_family == AF_UNIX && remove_stale(address))
		return bind(fd, addr, address->len) == 0 ? 0 : -errno;
	return -(errno ? errno : EADDRINUSE);
}

static int
set_options(int fd, const struct spout_tcp_server *server)
{
	int on = 1;

	if (server->address.addr.ss_family == AF_UNIX)
		return 0;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		return -errno;
	if (server->address.addr.ss_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		return -errno;
	if (server->options.reuseport &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
		return -errno;
	return 0;
}

/* Returns 0 or -errno, with server->fd closed. */
static int
open_socket(struct spout_tcp_server *server)
{
	struct spout__listen_address *address = &server->address;
	int r;

	server->fd = socket(
	    address->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (server->fd < 0)
		return -errno;
	r = set_options(server->fd, server);
	if (r == 0)
		r = bind_address(server->fd, address);
	server->owns_path = r == 0 && address->addr.ss_family == AF_UNIX;
	if (r == 0 && listen(server->fd, server->options.backlog) < 0)
		r = -errno;
	address->len = sizeof(address->addr);
	if (r == 0 &&
	    getsockname(server->fd, (struct sockaddr *)&address->addr, &address->len) < 0)
		r = -errno;
	return r;
}

static void
stop_listening(struct spout_tcp_server *server)
{
	if (server->fd < 0)
		return;
	spout__acceptor_free(server->acceptor);
	server->acceptor = NULL;
	if (server->owns_path)
		unlink(((struct sockaddr_un *)&server->address.addr)->sun_path);
	close(server->fd);
	server->fd = -1;
}

static void
set_defaults(struct spout_tcp_server_options *o)
{
	if (o->max_connections == 0)
		o->max_connections = MAX_CONNECTIONS;
	if (o->backlog == 0)
		o->backlog = BACKLOG;
}

static int
start(struct spout_tcp_server *server)
{
	struct spout__acceptor_options options = { .burst = ACCEPT_BURST,
		.on_accept = on_accept,
		.may_accept = may_accept,
		.ctx = server };
	int r = open_socket(server);

	if (r < 0)
		return r;
	server->acceptor = spout__acceptor_new(server->loop, server->fd, &options);
	return server->acceptor != NULL ? 0 : -errno;
}

struct spout_tcp_server *
spout_tcp_listen_with(const char *address, spout_tcp_handler_fn handler, void *arg,
    const struct spout_tcp_server_options *options)
{
	struct spout_tcp_server *server = calloc(1, sizeof(*server));
	char why[SPOUT__WHY];
	int r;

	if (server == NULL)
		return NULL;
	server->loop = spout_loop_current();
	server->handler = handler;
	server->arg = arg;
	server->options = *options;
	server->fd = -1;
	set_defaults(&server->options);
	spout__list_init(&server->connections);
	spout__line_init(&server->drained, NULL);
	r = server->loop != NULL ? spout__listen_parse(address, &server->address, why)
				 : -EINVAL;
	if (options->tls != NULL && !options->tls->server)
		r = -EINVAL;
	if (r == 0)
		r = start(server);
	if (r < 0) {
		stop_listening(server);
		free(server);
		errno = -r;
		return NULL;
	}
	return server;
}

/* --- stopping --------------------------------------------------------------------- */

int
spout_tcp_server_drain(struct spout_tcp_server *server, uint64_t ms)
{
	(void)spout__co_checkpoint("spout_tcp_server_drain");
	if (server->acceptor != NULL)
		spout__acceptor_take_all(server->acceptor);
	stop_listening(server);
	if (server->n_connections == 0)
		return 0;
	return spout__line_wait(&server->drained, ms, "spout_tcp_server_drain");
}

void
spout_tcp_server_free(struct spout_tcp_server *server)
{
	struct spout__list *node;

	if (server == NULL)
		return;
	stop_listening(server);
	server->freeing = true;
	spout__line_end(&server->drained, -EPIPE);
	spout__list_for_each(node, &server->connections) {
		struct connection *connection =
		    spout__container_of(node, struct connection, link);

		spout__coroutine_cancel(connection->co, -ECANCELED, "the server stops");
	}
	if (server->n_connections == 0)
		free(server);
}

uint16_t
spout_tcp_server_port(const struct spout_tcp_server *server)
{
	const struct sockaddr_storage *addr = &server->address.addr;

	if (addr->ss_family == AF_UNIX)
		return 0;
	return ntohs(addr->ss_family == AF_INET6
		? ((const struct sockaddr_in6 *)addr)->sin6_port
		: ((const struct sockaddr_in *)addr)->sin_port);
}

unsigned
spout_tcp_server_connections(const struct spout_tcp_server *server)
{
	return server->n_connections;
}
