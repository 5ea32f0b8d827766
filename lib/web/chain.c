/* SPDX-License-Identifier: MIT */
/* What stands around a handler: middleware before and after it, finishers behind it. */
#include "config.h"

#include "base/log.h"
#include "web/request.h"

void
spout_next(struct spout_request *req)
{
	spout_handler_fn next = req->chain != NULL ? *req->chain : NULL;

	if (next == NULL) {
		spout_warning("spout_next() was called again, or outside middleware");
		return;
	}
	req->chain++;
	next(req);
}

/* For an answer that is no row of a table: the application's middleware around it. */
static const spout_handler_fn *
chain_around(spout_handler_fn handler, const spout_handler_fn *middleware)
{
	spout_handler_fn *chain;
	size_t n = 0;

	while (middleware[n] != NULL)
		n++;
	chain = spout_alloc((n + 2) * sizeof(*chain));
	memcpy(chain, middleware, n * sizeof(*chain));
	chain[n] = handler;
	chain[n + 1] = NULL;
	return chain;
}

void
spout__run_chain(struct spout_request *req)
{
	const struct spout_app *app = req->web->app;

	if (req->match.endpoint != NULL)
		req->chain = req->match.endpoint->chain;
	else if (app->middleware != NULL)
		req->chain = chain_around(req->route->handler, app->middleware);
	if (req->chain != NULL)
		spout_next(req);
	else
		req->route->handler(req);
}

void
spout_on_finish(struct spout_request *req,
    void (*fn)(struct spout_request *req, const struct spout_finish *how, void *arg),
    void *arg)
{
	struct spout__finisher *finisher = spout_alloc(sizeof(*finisher));

	*finisher = (struct spout__finisher){ req->finishers, fn, arg };
	req->finishers = finisher;
}

void
spout__run_finishers(struct spout_request *req, const struct spout_finish *how)
{
	const struct spout_app *app = req->web->app;
	struct spout__finisher *finisher;

	for (finisher = req->finishers; finisher != NULL; finisher = finisher->next)
		finisher->fn(req, how, finisher->arg);
	if (app->on_finish != NULL)
		app->on_finish(req, how);
}
