/* SPDX-License-Identifier: MIT */
/* The admin listener: see admin.h. */
#include "config.h"

#include "app/admin.h"

#include <errno.h>
#include <stdlib.h>

#include "app/admin_routes.h"

struct spout__admin {
	struct spout_app app;
	const struct spout__worker *worker;
	struct spout__web *web;
	struct spout__http_server *server;
};

static const spout_handler_fn middleware[] = { spout__admin_refuse_rebinding, NULL };

static int
admin_open(
    struct spout__admin *admin, struct spout_loop *loop, int fd, struct spout_tls *tls)
{
	struct spout__web_options web_options = { .access_log_fd = -1 };
	struct spout__http_options http_options;
	struct spout__http_delegate delegate;

	admin->web = spout__web_new(loop, &admin->app, &web_options);
	if (admin->web == NULL)
		return -errno;
	delegate = spout__web_delegate(admin->web);
	spout__http_options_init(&http_options);
	http_options.max_connections = 256;
	admin->server = spout__http_server_new(loop, &http_options, &delegate);
	if (admin->server == NULL)
		return -ENOMEM;
	return spout__http_server_listen(admin->server,
	    &(struct spout__http_listen){ .fd = fd, .tls = tls, .shared = true });
}

struct spout__admin *
spout__admin_new(struct spout_loop *loop, const struct spout__worker *worker, int fd,
    struct spout_tls *tls)
{
	struct spout__admin *admin = calloc(1, sizeof(*admin));
	int error;

	if (admin == NULL)
		return NULL;
	admin->worker = worker;
	admin->app = (struct spout_app){
		.name = "admin", .middleware = middleware,
		.routes = spout__admin_routes, .data = (void *)worker
	};
	error = admin_open(admin, loop, fd, tls);
	if (error) {
		spout__admin_free(admin);
		errno = -error;
		return NULL;
	}
	return admin;
}

struct spout__web *
spout__admin_web(struct spout__admin *admin)
{
	return admin->web;
}

void
spout__admin_set_drain_idle(struct spout__admin *admin, uint64_t ms)
{
	spout__http_server_set_drain_idle(admin->server, ms);
}

void
spout__admin_retire(struct spout__admin *admin, spout_callback_fn done, void *arg)
{
	spout__http_server_drain(admin->server, done, arg);
}

void
spout__admin_free(struct spout__admin *admin)
{
	if (admin == NULL)
		return;
	if (admin->server)
		spout__http_server_free(admin->server);
	if (admin->web)
		spout__web_free(admin->web);
	free(admin);
}
