/* SPDX-License-Identifier: MIT */
/*
 * An application served on the loop of the running test, as by a worker. Closed with the
 * run: first the HTTP server, then the stop hook has its turn, then the rest is freed.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include <spout/web.h>

#include "testing/server.h"

static struct spout__test_run *
run_must(void)
{
	if (spout__test_run_current() == NULL)
		spout_fail_with(-EINVAL, "spout_test_serve: not inside spout_test_run");
	return spout__test_run_current();
}

/* A socket that listens on a free port of 127.0.0.1; or -errno. */
static int
listen_somewhere(uint16_t *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(address);
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error;

	if (fd < 0)
		return -errno;
	/* Accepted sockets inherit it, as from the supervisor's listeners. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, SOMAXCONN) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) < 0) {
		error = -errno;
		close(fd);
		return error;
	}
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void
server_free(struct spout_test_server *server)
{
	if (server->http != NULL)
		spout__seam()->http_server_free(server->http);
	if (server->web != NULL)
		spout__seam()->web_free(server->web);
	if (server->fd >= 0)
		close(server->fd);
	free(server);
}

/* Make all of it; 0 or -errno. */
static int
server_open(struct spout_test_server *server, struct spout_loop *loop)
{
	const struct spout__web_options web_options = { .access_log_fd = -1 };
	struct spout__http_delegate delegate;
	struct spout__http_options options;

	server->fd = listen_somewhere(&server->port);
	if (server->fd < 0)
		return server->fd;
	server->web = spout__seam()->web_new(loop, server->app, &web_options);
	if (server->web == NULL)
		return errno != 0 ? -errno : -EINVAL;
	delegate = spout__seam()->web_delegate(server->web);
	spout__seam()->http_options_init(&options);
	server->http = spout__seam()->http_server_new(loop, &options, &delegate);
	if (server->http == NULL)
		return -ENOMEM;
	return spout__seam()->http_server_listen(
	    server->http, &(struct spout__http_listen){ .fd = server->fd });
}

static void
start_hook(void *arg)
{
	struct spout_app *app = arg;

	app->on_worker_start(app);
}

struct spout_test_server *
spout_test_serve(struct spout_app *app)
{
	struct spout__test_run *run = run_must();
	struct spout_test_server *server;
	char why[SPOUT__ROUTER_WHY_SIZE];
	int error = spout__seam()->web_check(app, why);

	if (error != 0)
		spout_fail_with(error, "spout_test_serve: %s", why);
	server = calloc(1, sizeof(*server));
	if (server == NULL)
		spout_fail_with(-ENOMEM, "spout_test_serve: out of memory");
	server->app = app;
	server->fd = -1;
	error = server_open(server, run->loop);
	if (error != 0) {
		server_free(server);
		spout_fail_with(error, "spout_test_serve: %s", strerror(-error));
	}
	spout__list_push(&run->servers, &server->link);
	if (app->on_worker_start != NULL)
		spout_scope_run(start_hook, app);
	server->started = true;
	spout__seam()->web_set_unready(server->web, NULL);
	return server;
}

uint16_t
spout_test_port(const struct spout_test_server *server)
{
	return server->port;
}

const char *
spout_test_url(const struct spout_test_server *server, const char *target)
{
	return spout_sprintf("http://127.0.0.1:%u%s", server->port, target);
}

/* --- the end of the run --------------------------------------------------------- */

static void
stop_hook(void *arg)
{
	struct spout_app *app = arg;

	app->on_worker_stop(app);
}

static void
stop_hook_exit(struct spout_coroutine *co, const struct spout__outcome *outcome)
{
	(void)co;
	if (outcome->error != 0)
		spout_error_log("on_worker_stop: %s", outcome->reason);
}

static void
server_close(struct spout_test_server *server, struct spout_loop *loop)
{
	const struct spout__coroutine_options options = { .fn = stop_hook,
		.arg = server->app,
		.on_exit = stop_hook_exit,
		.where = "on_worker_stop" };
	struct spout_coroutine *co;

	spout__seam()->http_server_free(server->http);
	server->http = NULL;
	if (!server->started || server->app->on_worker_stop == NULL)
		return;
	co = spout__seam()->coroutine_new(loop);
	if (co != NULL)
		spout__seam()->coroutine_start(co, &options);
}

void
spout__test_servers_close(struct spout__test_run *run)
{
	struct spout__list *it;

	spout__list_for_each(it, &run->servers)
		server_close(
		    spout__container_of(it, struct spout_test_server, link), run->loop);
}

void
spout__test_servers_free(struct spout__test_run *run)
{
	struct spout__list *it;

	while ((it = spout__list_pop(&run->servers)) != NULL)
		server_free(spout__container_of(it, struct spout_test_server, link));
}
