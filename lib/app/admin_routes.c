/* SPDX-License-Identifier: MIT */
/*
 * What the admin listener answers: figures to whoever asks, orders to the operator.
 * Orders are POST requests, and none of a browser: a page of somebody else could send
 * them, too.
 */
#include "config.h"

#include "app/admin_routes.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "app/database.h"
#include "app/metrics_text.h"
#include "app/status.h"
#include "base/log.h"
#include "supervisor/supervisor.h"

/* --- figures ----------------------------------------------------------------------- */

static void
buffer_release(void *arg)
{
	spout__buffer_release(arg);
}

static void
metrics_get(struct spout_request *req)
{
	const struct spout__worker *worker = spout_app_data(req);
	struct spout__buffer *text = spout_alloc(sizeof(*text));
	int error;

	spout__buffer_init(text, SPOUT__METRICS_MAX);
	spout_defer(buffer_release, text);
	error = spout__metrics_write_all(text, worker->board);
	if (error)
		spout_fail_with(error, "no memory for the figures");
	spout_set_header(req, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
	spout_write(req, spout__buffer_at(text), text->len);
}

static void
answer_json(struct spout_request *req, json_t *json)
{
	if (json == NULL)
		spout_fail_with(-ENOMEM, "no memory for the figures");
	spout_set_header(req, "Cache-Control", "no-store");
	spout_json(req, json);
}

static void
status_get(struct spout_request *req)
{
	const struct spout__worker *worker = spout_app_data(req);

	answer_json(req, spout__status_json(worker->board, worker->arg));
}

static void
requests_get(struct spout_request *req)
{
	const struct spout__worker *worker = spout_app_data(req);

	answer_json(req, spout__requests_json(worker->board));
}

static void
free_text(void *arg)
{
	free(*(char **)arg);
}

/* As --print-config has it; what is secret is not in it. */
static void
config_get(struct spout_request *req)
{
	const struct spout__worker *worker = spout_app_data(req);
	const struct spout__program *program = worker->arg;
	char **text = spout_alloc(sizeof(*text));
	size_t len = 0;
	FILE *to;

	*text = NULL;
	spout_defer(free_text, text);
	to = open_memstream(text, &len);
	if (to != NULL) {
		spout__options_print(&program->options, to);
		fclose(to);
	}
	if (to == NULL || *text == NULL)
		spout_fail_with(-ENOMEM, "no memory for the configuration");
	spout_set_header(req, "Content-Type", "text/plain; charset=utf-8");
	spout_set_header(req, "Cache-Control", "no-store");
	spout_write(req, *text, len);
}

/* --- who asks ---------------------------------------------------------------------- */

static bool
is_name(const char *host)
{
	size_t len = strcspn(host, ":");

	if (*host == '\0' || *host == '[' || host[strspn(host, "0123456789.:")] == '\0')
		return false;
	return len != strlen("localhost") || strncasecmp(host, "localhost", len) != 0;
}

/*
 * A page of somebody else may have its own name lead to our address, and read what it is
 * told. So a browser has to ask by address; others may use names.
 */
void
spout__admin_refuse_rebinding(struct spout_request *req)
{
	const char *agent = spout_header(req, "User-Agent");
	const char *host = spout_header(req, "Host");

	if (agent != NULL && strncmp(agent, "Mozilla/", 8) == 0 && host != NULL &&
	    is_name(host))
		spout_fail(req, 403, "browsers: use the address, or localhost");
	spout_next(req);
}

/* --- orders ------------------------------------------------------------------------ */

/* Browsers say where a POST comes from; spoutctl and curl do not. */
static void
refuse_browsers(struct spout_request *req)
{
	if (spout_header(req, "Origin") != NULL ||
	    spout_header(req, "Sec-Fetch-Site") != NULL)
		spout_fail(req, 403, "orders are not taken from a browser");
	spout_next(req);
}

static void
answer_ordered(struct spout_request *req, int error)
{
	if (error != 0)
		spout_fail_with(error, "cannot reach the supervisor");
	spout_set_status(req, 202);
	spout_json_pack(req, "{s:b}", "ordered", 1);
}

static void
reload_post(struct spout_request *req)
{
	answer_ordered(req, spout__worker_ask_signal(spout_app_data(req), SIGHUP));
}

static void
reopen_post(struct spout_request *req)
{
	answer_ordered(req, spout__worker_ask_signal(spout_app_data(req), SIGUSR1));
}

static void
stop_post(struct spout_request *req)
{
	answer_ordered(req, spout__worker_ask_signal(spout_app_data(req), SIGTERM));
}

static void
scale_post(struct spout_request *req)
{
	const struct spout__worker *worker = spout_app_data(req);
	int64_t n = spout_require_arg_int(
	    req, "workers", .min = 1, .max = (int64_t)worker->board->n_slots);

	answer_ordered(req, spout__worker_ask_scale(worker, (unsigned)n));
}

/* Ready again, or not: the load balancer sends no more, what comes is still answered. */
static void
set_aside_post(struct spout_request *req)
{
	const struct spout__worker *worker = spout_app_data(req);
	bool aside = spout_arg_bool(req, "on", true);

	atomic_store(&worker->board->set_aside, aside);
	spout_info("admin: this server is %s by order",
	    aside ? "set aside (not ready)" : "ready again");
	spout_json_pack(req, "{s:b}", "set_aside", (int)aside);
}

static void
log_level_post(struct spout_request *req)
{
	/* In the order of enum spout_log_level. */
	static const char *const levels[] = { "debug", "info", "warning", "error",
		"configured", NULL };
	const struct spout__worker *worker = spout_app_data(req);
	int level = spout_require_arg_enum(req, "level", levels);

	atomic_store(&worker->board->log_level, level == 4 ? 0u : (uint32_t)level + 1);
	spout_json_pack(req, "{s:s}", "level", levels[level]);
}

static const spout_handler_fn orders[] = { refuse_browsers, NULL };

const struct spout_route spout__admin_routes[] = {
	SPOUT_GET("/metrics", metrics_get),
	SPOUT_GET("/status", status_get),
	SPOUT_GET("/requests", requests_get),
	SPOUT_GET("/config", config_get),
	SPOUT_POST("/reload", reload_post, .middleware = orders),
	SPOUT_POST("/reopen-logs", reopen_post, .middleware = orders),
	SPOUT_POST("/stop", stop_post, .middleware = orders),
	SPOUT_POST("/scale", scale_post, .middleware = orders),
	SPOUT_POST("/set-aside", set_aside_post, .middleware = orders),
	SPOUT_POST("/log-level", log_level_post, .middleware = orders),
	SPOUT_POST("/database/pause", spout__database_pause_post, .middleware = orders),
	SPOUT_POST("/database/resume", spout__database_resume_post, .middleware = orders),
	SPOUT_POST(
	    "/database/reconnect", spout__database_reconnect_post, .middleware = orders),
	SPOUT_END,
};
