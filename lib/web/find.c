/* SPDX-License-Identifier: MIT */
/*
 * From the head of a request to what answers it: the routes of its host, the row of its
 * path, and where there is none the page that says so.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "web/guard.h"
#include "web/request.h"

/* --- routes that are no rows of a table ----------------------------------------- */

static void
answer_not_found(struct spout_request *req)
{
	spout_fail(req, 404, "no such page");
}

static void
answer_bad_path(struct spout_request *req)
{
	spout_fail(req, 400, "malformed path");
}

static void
answer_bad_method(struct spout_request *req)
{
	spout_fail(req, 405, "%s is not allowed here", spout_request_method(req));
}

static void
answer_options(struct spout_request *req)
{
	char allow[SPOUT__ALLOW_SIZE];

	spout__guard_open(req);
	spout__router_allow(req->match.allow, allow);
	spout_set_status(req, 204);
	spout_set_header(req, "Allow", allow);
	if (req->web->app->cors != NULL)
		spout__cors_preflight(req, allow);
}

/* The path with or without its last slash, which is known. */
static struct spout_slice
other_slash(struct spout_request *req)
{
	struct spout_slice path = req->head->path;
	char *other;

	if (path.len > 1 && path.data[path.len - 1] == '/')
		return spout_slice_of(path.data, path.len - 1);
	other = spout_alloc_in(spout__http_scope(req->ex), path.len + 1);
	if (other == NULL)
		return spout_slice("");
	memcpy(other, path.data, path.len);
	other[path.len] = '/';
	return spout_slice_of(other, path.len + 1);
}

static void
answer_other_slash(struct spout_request *req)
{
	struct spout_slice path = other_slash(req), query = req->head->query;
	bool safe = req->head->method == SPOUT__HTTP_GET ||
	    req->head->method == SPOUT__HTTP_HEAD;

	spout__guard_open(req);
	spout_redirect(req,
	    spout_sprintf("%.*s%s%.*s", (int)path.len, path.data,
		query.len > 0 ? "?" : "", (int)query.len, query.data),
	    safe ? 301 : 308);
}

/* Started after the head: a body that nobody reads is not waited for. */
static const struct spout_route not_found = { .handler = answer_not_found,
	.stream_body = true };
static const struct spout_route bad_path = { .handler = answer_bad_path,
	.stream_body = true };
static const struct spout_route bad_method = { .handler = answer_bad_method,
	.stream_body = true };
static const struct spout_route slash_route = { .handler = answer_other_slash,
	.stream_body = true };
static const struct spout_route options_route = { .handler = answer_options,
	.stream_body = true };

#define EVERY_METHOD ((1u << SPOUT__HTTP_N_METHODS) - 1)

/* --- the row of a path -------------------------------------------------------------- */

/* "*.example.org" is every host below that one. Letters of either case are the same. */
static bool
host_matches(const char *name, struct spout_slice host)
{
	size_t len;

	if (name[0] == '*') {
		len = strlen(++name);
		if (host.len <= len)
			return false;
		host = spout_slice_of(host.data + host.len - len, len);
	}
	return strlen(name) == host.len && strncasecmp(name, host.data, host.len) == 0;
}

static struct spout__router *
router_of_host(const struct spout__web *web, struct spout_slice host)
{
	const char *end = host.data + host.len, *at = end;
	struct spout__host_router *h;

	while (at > host.data && at[-1] >= '0' && at[-1] <= '9')
		at--;
	if (at > host.data && at[-1] == ':')
		host.len = (size_t)(at - 1 - host.data);
	for (h = web->hosts; h->name != NULL; h++)
		if (host_matches(h->name, host))
			return h->router;
	return web->router;
}

const struct spout__router *
spout__request_router(const struct spout_request *req)
{
	return req->web->hosts == NULL ? req->web->router
				       : router_of_host(req->web, req->head->host);
}

static int
match_path(
    struct spout_request *req, struct spout__router *router, struct spout_slice path)
{
	char *scratch = NULL;

	if (memchr(path.data, '%', path.len) != NULL) {
		scratch = spout_alloc_in(spout__http_scope(req->ex), path.len);
		if (scratch == NULL)
			return -ENOMEM;
	}
	return spout__router_match(
	    router, req->head->method, path, scratch, &req->match);
}

/* The path is not known; the one that differs by its last slash may be. */
static const struct spout_route *
find_other_slash(struct spout_request *req, struct spout__router *router)
{
	enum spout_slash_policy policy = req->web->app->slash;
	struct spout_slice path;

	if (policy == SPOUT_SLASH_STRICT)
		return &not_found;
	path = other_slash(req);
	/* "//host" as a redirect would lead to another host. */
	if (path.len < 2 || path.data[1] == '/' ||
	    match_path(req, router, path) != 0)
		return &not_found;
	if (policy == SPOUT_SLASH_SAME)
		return req->match.endpoint->route;
	req->match.endpoint = NULL;
	return &slash_route;
}

const struct spout_route *
spout__find_route(struct spout_request *req, const struct spout__http_head *head)
{
	struct spout__router *router = req->web->router;
	int rc;

	if (req->web->hosts != NULL)
		router = router_of_host(req->web, head->host);
	req->match.endpoint = spout__router_known(router, head->method, head->path);
	if (req->match.endpoint != NULL) {
		req->match.allow = req->match.n_params = 0;
		return req->match.endpoint->route;
	}
	rc = match_path(req, router, head->path);
	if (rc == -ENOMEM)
		return NULL;
	if (rc == 0) {
		spout__router_remember(router, head->method, head->path, &req->match);
		return req->match.endpoint->route;
	}
	if (rc == -EPERM)
		return head->method == SPOUT__HTTP_OPTIONS ? &options_route : &bad_method;
	if (rc == -EBADMSG)
		return &bad_path;
	if (head->method == SPOUT__HTTP_OPTIONS && spout_slice_equal(head->path, "*")) {
		req->match.allow = EVERY_METHOD;
		return &options_route;
	}
	return find_other_slash(req, router);
}

/* --- the routers of an application ---------------------------------------------- */

/* The application's rows first: its own /healthz wins. */
static int
make_router(struct spout__web *web, const struct spout_route *routes,
    struct spout__router **ret_router, char why[SPOUT__ROUTER_WHY_SIZE])
{
	const struct spout_app *app = web->app;
	struct spout__route_table own = { .routes = routes,
		.middleware = app->middleware,
		.app = app };
	struct spout__route_table files = { .routes = web->statics.routes,
		.middleware = app->middleware,
		.yield = true,
		.app = app };
	struct spout__route_table health = { .routes = spout__health_routes,
		.yield = true,
		.app = app };
	struct spout__router *router = spout__router_new();
	int rc = -ENOMEM;

	snprintf(why, SPOUT__ROUTER_WHY_SIZE, "out of memory");
	if (router != NULL)
		rc = spout__router_add(router, &own, why);
	if (rc == 0)
		rc = spout__router_add(router, &files, why);
	if (rc == 0)
		rc = spout__router_add(router, &health, why);
	if (rc == 0)
		*ret_router = router;
	else
		spout__router_free(router);
	return rc;
}

static int
make_hosts(struct spout__web *web, char why[SPOUT__ROUTER_WHY_SIZE])
{
	const struct spout_host *host = web->app->hosts;
	size_t n = 0;
	int rc = 0;

	while (host != NULL && host[n].name != NULL)
		n++;
	if (n == 0)
		return 0;
	web->hosts = calloc(n + 1, sizeof(*web->hosts));
	if (web->hosts == NULL)
		return -ENOMEM;
	for (n = 0; rc == 0 && host[n].name != NULL; n++) {
		rc = make_router(web, host[n].routes, &web->hosts[n].router, why);
		if (rc == 0)
			web->hosts[n].name = host[n].name;
	}
	return rc;
}

int
spout__routers_make(struct spout__web *web, char why[SPOUT__ROUTER_WHY_SIZE])
{
	const char *wrong = spout__guard_check(web->app, &web->keys);
	int rc;

	if (wrong != NULL) {
		snprintf(why, SPOUT__ROUTER_WHY_SIZE, "%s", wrong);
		return -EINVAL;
	}
	spout__static_init(&web->statics, web->app);
	rc = make_router(web, web->app->routes, &web->router, why);
	return rc != 0 ? rc : make_hosts(web, why);
}

void
spout__routers_free(struct spout__web *web)
{
	struct spout__host_router *h;

	for (h = web->hosts; h != NULL && h->name != NULL; h++)
		spout__router_free(h->router);
	free(web->hosts);
	spout__router_free(web->router);
}

int
spout__web_check(const struct spout_app *app, char why[SPOUT__ROUTER_WHY_SIZE])
{
	struct spout__web web = { .app = (struct spout_app *)app };
	int rc = spout__routers_make(&web, why);

	if (rc == 0)
		rc = spout__static_check(app, why);
	spout__routers_free(&web);
	return rc;
}
