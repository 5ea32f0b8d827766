/* SPDX-License-Identifier: MIT */
/* The state of the program as JSON: see status.h. */
#include "config.h"

#include "app/status.h"

#include <stdlib.h>
#include <unistd.h>

#include "app/metrics_text.h"
#include "base/clock.h"

#define PREFIX "spout_" /* of the names of figures */

static uint64_t
load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static json_t *
number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *
seconds(uint64_t ms)
{
	return json_real((double)ms / 1000.0);
}

static uint64_t
since(uint64_t then_ms)
{
	uint64_t now = spout__clock_ms();

	return then_ms != 0 && now > then_ms ? now - then_ms : 0;
}

static json_t *
cells_json(const struct spout__cells *cells)
{
	json_t *buckets = json_array();

	for (unsigned b = 0; b < SPOUT__HISTOGRAM_BUCKETS; b++)
		json_array_append_new(buckets, number(load(&cells->buckets[b])));
	return json_pack("{s:f,s:o}", "sum", (double)load(&cells->sum) / 1e6, "buckets",
	    buckets);
}

/* --- workers --------------------------------------------------------------------- */

static void
set_figure(json_t *figures, const struct spout__stats_name *name, double unit, int64_t n)
{
	json_object_set_new(figures, name->name + strlen(PREFIX),
	    unit > 0 ? json_real((double)n / unit) : json_integer(n));
}

static json_t *
figures_json(const struct spout__stats *stats)
{
	json_t *figures = json_object();

	for (unsigned i = 0; i < SPOUT__N_COUNTERS; i++)
		set_figure(figures, &spout__counter_names[i], spout__counter_units[i],
		    (int64_t)load(&stats->counters[i]));
	for (unsigned i = 0; i < SPOUT__N_GAUGES; i++)
		set_figure(figures, &spout__gauge_names[i], spout__gauge_units[i],
		    (int64_t)load(&stats->gauges[i]));
	return figures;
}

static json_t *
worker_json(const struct spout__scoreboard *board, unsigned k)
{
	const struct spout__scoreboard_slot *slot = &board->slots[k];
	const struct spout__stats *stats = &board->slots[atomic_load(&slot->place)].stats;
	uint64_t heartbeat = load(&stats->gauges[SPOUT__G_HEARTBEAT_MS]);
	uint32_t pid = atomic_load(&slot->pid);
	json_t *deaths = json_object();

	for (unsigned d = 0; d < SPOUT__N_DEATHS; d++)
		json_object_set_new(
		    deaths, spout__death_labels[d], number(load(&slot->deaths[d])));
	return json_pack("{s:i,s:i,s:s,s:o,s:o,s:o,s:o,s:o,s:o}", "worker", (int)k, "pid",
	    (int)pid, "state", spout__worker_state_names[atomic_load(&slot->state)],
	    "uptime", seconds(pid != 0 ? since(load(&slot->started_ms)) : 0), "starts",
	    number(load(&slot->generation)), "recycles", number(load(&slot->recycles)),
	    "deaths", deaths, "heartbeat_age", seconds(since(heartbeat)), "figures",
	    figures_json(stats));
}

static json_t *
workers_json(const struct spout__scoreboard *board)
{
	json_t *workers = json_array();

	for (unsigned k = 0; k < board->n_slots; k++)
		if (atomic_load(&board->slots[k].pid) != 0 ||
		    k < atomic_load(&board->n_workers))
			json_array_append_new(workers, worker_json(board, k));
	return workers;
}

/* --- pools ------------------------------------------------------------------------ */

static void
add_pools(json_t *list, unsigned worker, const struct spout__stats *stats)
{
	for (unsigned i = 0; i < SPOUT__POOL_FIGURES; i++) {
		const struct spout__pool_figures *pool = &stats->pools[i];

		if (*pool->name != '\0' && load(&pool->max_threads) > 0)
			json_array_append_new(list,
			    json_pack("{s:i,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "worker",
				(int)worker, "pool", pool->name, "threads",
				number(load(&pool->threads)), "threads_max",
				number(load(&pool->max_threads)), "queued",
				number(load(&pool->queued)), "running",
				number(load(&pool->running)), "refused",
				number(load(&pool->refused)), "wait",
				cells_json(&pool->wait), "run", cells_json(&pool->run)));
	}
}

static json_t *
pools_json(const struct spout__scoreboard *board)
{
	json_t *list = json_array();

	for (unsigned k = 0; k < board->n_slots; k++) {
		const struct spout__scoreboard_slot *slot = &board->slots[k];

		if (atomic_load(&slot->pid) != 0)
			add_pools(
			    list, k, &board->slots[atomic_load(&slot->place)].stats);
	}
	return list;
}

/* --- routes ----------------------------------------------------------------------- */

static json_t *
route_json(const struct spout__route_sums *sums)
{
	json_t *responses = json_array(), *buckets = json_array();

	for (unsigned c = 0; c < SPOUT__STATUS_CLASSES; c++)
		json_array_append_new(responses, number(sums->responses[c]));
	for (unsigned b = 0; b < SPOUT__HISTOGRAM_BUCKETS; b++)
		json_array_append_new(buckets, number(sums->duration.buckets[b]));
	return json_pack("{s:s,s:o,s:{s:f,s:o}}", "route", sums->name, "responses",
	    responses, "duration", "sum", (double)sums->duration.sum / 1e6, "buckets",
	    buckets);
}

static int
append_route(void *list, const struct spout__route_sums *sums)
{
	uint64_t any = 0;

	for (unsigned c = 0; c < SPOUT__STATUS_CLASSES; c++)
		any |= sums->responses[c];
	if (any != 0)
		json_array_append_new(list, route_json(sums));
	return 0;
}

static json_t *
routes_json(const struct spout__scoreboard *board)
{
	struct spout__metrics_source *sources =
	    calloc(board->n_slots + 1, sizeof(*sources));
	json_t *list = json_array();

	if (sources == NULL || list == NULL)
		goto out;
	spout__each_route(&(struct spout__metrics_workers){ sources,
	    spout__metrics_sources(board, sources) }, append_route, list);
out:
	free(sources);
	return list;
}

json_t *
spout__status_json(
    const struct spout__scoreboard *board, const struct spout__program *program)
{
	return json_pack("{s:s,s:s,s:i,s:o,s:o,s:o,s:b,s:b,s:i,s:o,s:o,s:o}", "name",
	    program->app.name, "version", PACKAGE_VERSION, "pid", (int)getppid(),
	    "uptime", seconds(since(load(&board->started_ms))), "reloads",
	    number(load(&board->reloads)), "failed_reloads",
	    number(load(&board->failed_reloads)), "set_aside",
	    (int)atomic_load(&board->set_aside), "stopping",
	    (int)atomic_load(&board->stopping), "wanted_workers",
	    (int)atomic_load(&board->n_workers), "workers", workers_json(board), "pools",
	    pools_json(board), "routes", routes_json(board));
}

/* --- requests in flight ----------------------------------------------------------- */

struct request {
	unsigned worker;
	struct spout__inflight in;
};

static int
older_first(const void *a, const void *b)
{
	uint64_t x = ((const struct request *)a)->in.started_ms;
	uint64_t y = ((const struct request *)b)->in.started_ms;

	return x < y ? -1 : x > y;
}

/* Those of the process at this place. Appends to `list`, returns how many there are. */
static size_t
collect(const struct spout__scoreboard_slot *place, unsigned worker, struct request *list,
    size_t n, size_t room)
{
	for (unsigned i = 0; i < SPOUT__INFLIGHT_MAX && n < room; i++) {
		list[n].worker = worker;
		if (spout__inflight_read(&place->requests[i], &list[n].in) > 0)
			n++;
	}
	return n;
}

json_t *
spout__requests_json(const struct spout__scoreboard *board)
{
	size_t n = 0, room = (size_t)(board->n_slots + 1) * SPOUT__INFLIGHT_MAX;
	struct request *list = malloc(room * sizeof(*list));
	json_t *json = json_array();

	if (list == NULL || json == NULL)
		goto out;
	for (unsigned k = 0; k < board->n_slots; k++)
		if (atomic_load(&board->slots[k].pid) != 0)
			n = collect(
			    &board->slots[atomic_load(&board->slots[k].place)], k, list,
			    n, room);
	qsort(list, n, sizeof(*list), older_first);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(json,
		    json_pack("{s:i,s:s,s:s,s:o}", "worker", (int)list[i].worker, "id",
			list[i].in.id, "what", list[i].in.what, "age",
			seconds(since(list[i].in.started_ms))));
out:
	free(list);
	return json;
}
