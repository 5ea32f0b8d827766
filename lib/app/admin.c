/* SPDX-License-Identifier: MIT */
/* The admin listener: see admin.h. */
#include "config.h"

#include "app/admin.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "app/database.h"
#include "app/metrics_text.h"
#include "base/clock.h"

struct spout__admin {
	struct spout_app app;
	const struct spout__worker *worker;
	struct spout__web *web;
	struct spout__http_server *server;
};

/* What the supervisor knows of a slot. */
static uint64_t
slot_up(const struct spout__scoreboard_slot *slot)
{
	return atomic_load(&slot->state) == SPOUT__WORKER_RUNNING;
}

static uint64_t
slot_pid(const struct spout__scoreboard_slot *slot)
{
	return atomic_load(&slot->pid);
}

static uint64_t
slot_starts(const struct spout__scoreboard_slot *slot)
{
	return atomic_load(&slot->generation);
}

static uint64_t
slot_uptime(const struct spout__scoreboard_slot *slot)
{
	uint64_t now = spout__clock_ms(), started = atomic_load(&slot->started_ms);

	return slot_pid(slot) != 0 && now > started ? (now - started) / 1000 : 0;
}

static uint64_t
slot_recycles(const struct spout__scoreboard_slot *slot)
{
	return atomic_load(&slot->recycles);
}

static const struct slot_figure {
	const char *name, *help, *type;
	uint64_t (*get)(const struct spout__scoreboard_slot *slot);
} slot_figures[] = {
	{ "spout_worker_up", "1 while the worker serves.", "gauge", slot_up },
	{ "spout_worker_pid", "Process id, 0 for none.", "gauge", slot_pid },
	{ "spout_worker_starts_total", "Processes started in this slot.", "counter",
	    slot_starts },
	{ "spout_worker_recycles_total",
	    "Processes replaced because they had had their share.", "counter",
	    slot_recycles },
	{ "spout_worker_uptime_seconds", "Age of the process.", "gauge", slot_uptime },
};

static int
slot_figure_write(struct spout__buffer *to, const struct slot_figure *figure,
    const struct spout__scoreboard *board)
{
	int error = spout__metrics_head(to, figure->name, figure->help, figure->type);

	for (unsigned k = 0; k < board->n_slots && error == 0; k++) {
		const struct spout__scoreboard_slot *slot = &board->slots[k];

		if (slot_starts(slot) > 0)
			error = spout__buffer_printf(to,
			    "%s{worker=\"%u\"} %" PRIu64 "\n", figure->name, k,
			    figure->get(slot));
	}
	return error;
}

static int
deaths_write(struct spout__buffer *to, const struct spout__scoreboard *board)
{
	int error = spout__metrics_head(to, "spout_worker_deaths_total",
	    "Processes that ended unasked, by cause.", "counter");

	for (unsigned k = 0; k < board->n_slots; k++) {
		if (slot_starts(&board->slots[k]) == 0)
			continue;
		for (unsigned d = 0; d < SPOUT__N_DEATHS && error == 0; d++)
			error = spout__buffer_printf(to,
			    "spout_worker_deaths_total"
			    "{worker=\"%u\",cause=\"%s\"} %" PRIu64 "\n",
			    k, spout__death_labels[d],
			    atomic_load(&board->slots[k].deaths[d]));
	}
	return error;
}

static int
workers_write(struct spout__buffer *to, const struct spout__scoreboard *board)
{
	int error = 0;

	for (size_t i = 0; i < sizeof(slot_figures) / sizeof(slot_figures[0]); i++) {
		if (error == 0)
			error = slot_figure_write(to, &slot_figures[i], board);
	}
	return error ? error : deaths_write(to, board);
}

static int
metrics_write(struct spout__buffer *to, const struct spout__scoreboard *board)
{
	struct spout__metrics_source *sources =
	    calloc(board->n_slots + 1, sizeof(*sources));
	unsigned n = 0;
	int error;

	if (sources == NULL)
		return -ENOMEM;
	for (unsigned k = 0; k <= board->n_slots; k++) {
		if (atomic_load(&board->slots[k].used) != 0)
			sources[n++] =
			    (struct spout__metrics_source){ k, &board->slots[k].stats };
	}
	error = spout__metrics_write(to, sources, n);
	free(sources);
	return error ? error : workers_write(to, board);
}

static void
buffer_release(void *arg)
{
	spout__buffer_release(arg);
}

static void
metrics_get(struct spout_request *req)
{
	struct spout__scoreboard *board = spout_app_data(req);
	struct spout__buffer *text = spout_alloc(sizeof(*text));
	int error;

	spout__buffer_init(text, SPOUT__METRICS_MAX);
	spout_defer(buffer_release, text);
	error = metrics_write(text, board);
	if (error)
		spout_fail_with(error, "no memory for the figures");
	spout_set_header(req, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
	spout_write(req, spout__buffer_at(text), text->len);
}

static const struct spout_route routes[] = { SPOUT_GET("/metrics", metrics_get),
	SPOUT_POST("/database/pause", spout__database_pause_post),
	SPOUT_POST("/database/resume", spout__database_resume_post),
	SPOUT_POST("/database/reconnect", spout__database_reconnect_post), SPOUT_END };

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
		.name = "admin", .routes = routes, .data = worker->board
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
