/* SPDX-License-Identifier: MIT */
/*
 * GET /healthz: 200 while the loop turns. GET /readyz: 200, or 503 with the reasons why
 * this worker should not get requests now:
 *
 *     {"ready":false,"reasons":{"database":"the connection was refused"}}
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include <jansson.h>

#include "web/request.h"
#include "web/status.h"

#define CHECK_TIMEOUT_MS 1000u
#define REASONS_MAX 16u

struct reason {
	const char *name, *why;
};

struct checking {
	struct spout__web *web;
	const struct spout__web_check *own;      /* of the library's, */
	const struct spout_readiness *app_check; /* or of the application's */
};

static void
run_check(void *arg)
{
	struct checking *c = arg;

	spout_set_deadline_ms(CHECK_TIMEOUT_MS);
	if (c->own != NULL)
		c->own->check(c->own->arg);
	else
		c->app_check->check(c->web->app);
}

/* Run a check in a coroutine of its own; its failure is a reason. */
static void
add_reason(struct checking *c, const char *name, struct reason *reasons, unsigned *n)
{
	if (*n == REASONS_MAX || spout_try_scope_run(run_check, c) == 0)
		return;
	reasons[*n].name = name;
	reasons[(*n)++].why = spout_strdup(spout_error());
}

static unsigned
collect(struct spout__web *web, struct reason *reasons)
{
	const struct spout_readiness *r;
	struct spout__list *node;
	unsigned n = 0;

	if (web->unready != NULL)
		reasons[n++] = (struct reason){ "worker", web->unready };
	spout__list_for_each(node, &web->checks) {
		struct checking c = { web,
			spout__container_of(node, struct spout__web_check, link), NULL };

		add_reason(&c, c.own->name, reasons, &n);
	}
	for (r = web->app->readiness; r != NULL && r->name != NULL; r++) {
		struct checking c = { web, NULL, r };

		add_reason(&c, r->name, reasons, &n);
	}
	return n;
}

static void
answer_ready(struct spout_request *req)
{
	struct reason reasons[REASONS_MAX];
	unsigned i, n = collect(req->web, reasons);
	json_t *list;

	spout_set_header(req, "Cache-Control", "no-store");
	if (n == 0) {
		spout_json_pack(req, "{s:b}", "ready", 1);
		return;
	}
	spout_set_status(req, 503);
	spout_set_header(req, "Retry-After", SPOUT__RETRY_AFTER);
	list = json_object();
	for (i = 0; i < n; i++)
		json_object_set_new(list, reasons[i].name, json_string(reasons[i].why));
	spout_json_pack(req, "{s:b,s:o}", "ready", 0, "reasons", list);
}

static void
answer_healthy(struct spout_request *req)
{
	spout_set_header(req, "Cache-Control", "no-store");
	spout_plain(req, "ok\n");
}

const struct spout_route spout__health_routes[] = {
	SPOUT_GET("/healthz", answer_healthy),
	SPOUT_GET("/readyz", answer_ready, .timeout_ms = 5000),
	SPOUT_END,
};
