/* SPDX-License-Identifier: MIT */
/*
 * Names of the figures, those that are found by name, and the private memory used without
 * a supervisor.
 */
#include "config.h"

#include "base/stats.h"

#include <string.h>

static struct spout__stats private_stats;
struct spout__stats *spout__stats = &private_stats;

#define NAME(id, name, help) { name, help },
const struct spout__stats_name spout__counter_names[] = { SPOUT__COUNTERS(NAME) };
const struct spout__stats_name spout__gauge_names[] = { SPOUT__GAUGES(NAME) };
const struct spout__stats_name spout__histogram_names[] = { SPOUT__HISTOGRAMS(NAME) };

/*
 * The place of `name` in a table of figures that begin with a name, `size` bytes each.
 * Written once and before anything is counted there: readers see it whole or not at all
 * yet.
 */
static void *
place_of(void *table, size_t size, size_t n, struct spout_slice name)
{
	size_t len =
	    name.len < SPOUT__FIGURE_NAME - 1 ? name.len : SPOUT__FIGURE_NAME - 1;

	for (size_t i = 1; i < n; i++) {
		char *at = (char *)table + i * size;

		if (*at == '\0')
			memcpy(at, name.data, len);
		else if (strlen(at) != len || memcmp(at, name.data, len) != 0)
			continue;
		return at;
	}
	return table;
}

struct spout__route_figures *
spout__route_figures(struct spout_slice name)
{
	return place_of(spout__stats->routes, sizeof(spout__stats->routes[0]),
	    SPOUT__ROUTE_FIGURES, name);
}

struct spout__pool_figures *
spout__pool_figures(const char *name)
{
	return place_of(spout__stats->pools, sizeof(spout__stats->pools[0]),
	    SPOUT__POOL_FIGURES, spout_slice(name));
}

void
spout__stats_clear_gauges(struct spout__stats *stats)
{
	for (unsigned i = 0; i < SPOUT__N_GAUGES; i++)
		atomic_store_explicit(&stats->gauges[i], 0, memory_order_relaxed);
	for (unsigned i = 0; i < SPOUT__POOL_FIGURES; i++) {
		struct spout__pool_figures *pool = &stats->pools[i];

		atomic_store_explicit(&pool->threads, 0, memory_order_relaxed);
		atomic_store_explicit(&pool->max_threads, 0, memory_order_relaxed);
		atomic_store_explicit(&pool->queued, 0, memory_order_relaxed);
		atomic_store_explicit(&pool->running, 0, memory_order_relaxed);
	}
}
