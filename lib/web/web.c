/* SPDX-License-Identifier: MIT */
/*
 * The web layer as the delegate of lib/http: picks the route when a head is there, runs
 * the handler, answers when it fails, and accounts for the response when it is over.
 */
#include "config.h"

#include "web/web.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/inflight.h"
#include "base/quarantine.h"
#include "web/compress.h"
#include "web/guard.h"
#include "web/page.h"
#include "web/rate.h"
#include "web/render.h"
#include "web/request.h"
#include "web/session.h"
#include "web/status.h"

/* --- a head is there ------------------------------------------------------------ */

/* Such requests have ended workers: keep this one alive. */
static void
hold_off(struct spout_request *req, uint64_t now_ms)
{
	const struct spout__endpoint *endpoint = req->match.endpoint;

	if (spout__quarantine_left_ms(
		spout_slice_of(endpoint->what, endpoint->what_len), now_ms) > 0)
		spout_fail(req, 503, "requests like this one have ended the server");
}

static void
run_handler(struct spout__http_exchange *ex, void *arg)
{
	struct spout_request *req = arg;
	const struct spout__endpoint *endpoint = req->match.endpoint;
	uint64_t now_ms;

	(void)ex;
	if (endpoint != NULL) {
		now_ms = spout_loop_now_ms(req->web->loop);
		if (spout__quarantine_any(now_ms))
			hold_off(req, now_ms);
		req->inflight =
		    spout__inflight_claim(spout_slice_of(req->id, req->id_len),
			spout_slice_of(endpoint->what, endpoint->what_len), now_ms);
	}
	if (endpoint != NULL && endpoint->chain == NULL)
		req->route->handler(req);
	else
		spout__run_chain(req);
	spout__after_handler(req);
}

void
spout__after_handler(struct spout_request *req)
{
	if (req->guarded != NULL)
		spout__session_finish(req);
}

static void
run_without_memory(struct spout__http_exchange *ex, void *arg)
{
	(void)ex;
	(void)arg;
	spout__co_leave(-ENOMEM, 0, "out of memory");
}

static void
fill_plan(const struct spout__web *web, const struct spout_route *route,
    struct spout__http_plan *plan)
{
	const struct spout_app *app = web->app;

	plan->stream_body = route->stream_body;
	plan->half_close = route->half_close;
	if (route->max_body_bytes != 0 || app->max_body_bytes != 0)
		plan->max_body_bytes = route->max_body_bytes != 0 ? route->max_body_bytes
								  : app->max_body_bytes;
	if (route->timeout_ms != 0 || app->request_timeout_ms != 0)
		plan->timeout_ms = route->timeout_ms != 0 ? route->timeout_ms
							  : app->request_timeout_ms;
	if (route->body_timeout_ms != 0)
		plan->body_timeout_ms = route->body_timeout_ms;
}

static void
on_head(void *ctx, struct spout__http_exchange *ex, const struct spout__http_head *head,
    struct spout__http_plan *plan)
{
	struct spout__web *web = ctx;
	struct spout_request *req = spout__request_new(web, ex, head);
	struct spout_scope *scope = spout__http_scope(ex);

	spout__http_set_data(ex, req);
	if (req != NULL) {
		spout__request_set_id(req);
		scope->local = req;
		scope->request_id = req->id;
		req->route = spout__find_route(req, head);
		if (req->match.endpoint != NULL)
			plan->figures = req->match.endpoint->figures;
	}
	if (req == NULL || req->route == NULL) {
		plan->run = run_without_memory;
		plan->stream_body = true;
		return;
	}
	plan->run = run_handler;
	plan->arg = req;
	fill_plan(web, req->route, plan);
}

/* --- the handler has ended ------------------------------------------------------ */

/* Not even a request could be made: an answer without a page. */
static void
answer_without_memory(struct spout__http_exchange *ex)
{
	if (spout__http_reset(ex) != 0 || spout__http_set_status(ex, 503) != 0 ||
	    spout__http_set_header(
		ex, spout_slice("Retry-After"), spout_slice(SPOUT__RETRY_AFTER)) != 0)
		spout__http_close_after(ex);
}

static void
on_failure(
    void *ctx, struct spout__http_exchange *ex, const struct spout__outcome *outcome)
{
	struct spout_request *req = spout__http_data(ex);

	(void)ctx;
	if (req != NULL)
		spout__failure_write(req, outcome);
}

static void
on_exit_handler(void *ctx, struct spout__http_exchange *ex,
    const struct spout__outcome *outcome, bool client_gone)
{
	struct spout_request *req = spout__http_data(ex);

	(void)ctx;
	if (req == NULL) {
		answer_without_memory(ex);
		return;
	}
	req->client_gone = client_gone;
	spout__inflight_release(req->inflight);
	if (outcome->error != 0)
		spout__failure_answer(req, outcome);
	req->finished = true;
}

/* --- the response is over ------------------------------------------------------- */

static void
log_access(struct spout_request *req, const struct spout_finish *how)
{
	const struct spout__http_head *head = req->head;
	const struct sockaddr *peer = spout__http_peer(req->ex);
	struct sockaddr_storage addr;
	struct spout__client client;

	if (req->web->trust.n > 0) {
		spout__request_client(req, &client);
		spout__ip_sockaddr(&client.ip, &addr);
		peer = (const struct sockaddr *)&addr;
	}
	spout__access_log_add(&req->web->access_log,
	    &(struct spout__access_entry){ .peer = peer,
		.method = spout_request_method(req),
		.target = head->target,
		.minor = head->minor,
		.referer = spout__http_head_get(head, "Referer"),
		.user_agent = spout__http_head_get(head, "User-Agent"),
		.status = how->status,
		.bytes = how->bytes,
		.duration_us = how->duration_us,
		.request_id = req->id,
		.cut = req->cut });
}

static void
on_finish(void *ctx, struct spout__http_exchange *ex)
{
	struct spout__web *web = ctx;
	struct spout_request *req = spout__http_data(ex);
	struct spout_finish how;

	if (req == NULL || (req->finishers == NULL && !web->watches_finish))
		return;
	how = (struct spout_finish){ .status = spout__http_status(ex),
		.bytes = spout__http_bytes_sent(ex),
		.duration_us = spout__http_duration_us(ex),
		.cut = req->cut };
	if (req->client_gone && !spout__http_head_sent(ex))
		how.status = SPOUT__STATUS_CLIENT_GONE;
	spout__run_finishers(req, &how);
	if (web->access_log.fd >= 0)
		log_access(req, &how);
}

static void
on_fault(void *ctx, enum spout__http_fault fault, const struct sockaddr *peer,
    struct spout__buffer *body)
{
	const struct spout__http_fault_row *row = &spout__http_faults[fault];
	struct spout__web *web = ctx;
	char message[64];

	snprintf(message, sizeof(message), "%s (%s)", row->word, row->section);
	if (spout__page_write(
		&(struct spout__page){ .status = row->status, .message = message },
		body) != 0)
		spout__buffer_clear(body);
	spout__access_log_add(&web->access_log,
	    &(struct spout__access_entry){
		.peer = peer, .status = row->status, .bytes = body->len });
}

/* --- made and freed ------------------------------------------------------------- */

int
spout__web_check_templates(const struct spout_app *app, char *why)
{
	struct spout_templates *set = spout__render_open(app, why);

	if (set == NULL)
		return -errno;
	spout_templates_free(set);
	return 0;
}

struct spout__web *
spout__web_new(struct spout_loop *loop, struct spout_app *app,
    const struct spout__web_options *options)
{
	struct spout__web *web = calloc(1, sizeof(*web));
	char why[SPOUT__ROUTER_WHY_SIZE], wrong[SPOUT_TEMPLATE_WHY_SIZE];
	int rc;

	if (web == NULL)
		return NULL;
	web->loop = loop;
	web->app = app;
	web->unready = "starting";
	if (options->trust != NULL)
		web->trust = *options->trust;
	spout__list_init(&web->checks);
	spout__request_ids_init(web);
	spout__access_log_init(
	    &web->access_log, options->access_log_fd, options->access_log_json);
	spout__web_set_access_log(web, options->access_log_fd);
	rc = spout__routers_make(web, why);
	if (rc == 0)
		web->templates = spout__render_open(app, wrong);
	if (rc == 0 && web->templates == NULL) {
		rc = -errno;
		spout_debug("templates: %s", wrong);
	}
	if (rc == 0)
		return web;
	spout__web_free(web);
	errno = -rc;
	return NULL;
}

void
spout__web_free(struct spout__web *web)
{
	struct spout__list *node;

	if (web == NULL)
		return;
	while ((node = spout__list_pop(&web->checks)) != NULL)
		free(spout__container_of(node, struct spout__web_check, link));
	spout__file_cache_free(web->files);
	spout__routers_free(web);
	spout__rates_free(web->rates);
	spout__compressor_free(web->compressor);
	spout_templates_free(web->templates);
	free(web);
}

struct spout__http_delegate
spout__web_delegate(struct spout__web *web)
{
	return (struct spout__http_delegate){ .on_head = on_head,
		.on_failure = on_failure,
		.on_exit = on_exit_handler,
		.on_finish = on_finish,
		.on_fault = on_fault,
		.ctx = web };
}

void
spout__web_set_unready(struct spout__web *web, const char *why)
{
	web->unready = why;
}

void
spout__web_set_session_store(
    struct spout__web *web, const struct spout__session_store *store)
{
	web->session_store = store;
}

void
spout__web_set_access_log(struct spout__web *web, int fd)
{
	web->access_log.fd = fd;
	web->watches_finish = fd >= 0 || web->app->on_finish != NULL;
}

int
spout__web_add_check(struct spout__web *web, const char *name, spout_fn check, void *arg)
{
	struct spout__web_check *node = calloc(1, sizeof(*node));

	if (node == NULL)
		return -ENOMEM;
	*node = (struct spout__web_check){ .name = name, .check = check, .arg = arg };
	spout__list_init(&node->link);
	spout__list_push(&web->checks, &node->link);
	return 0;
}
