/* SPDX-License-Identifier: MIT */
/* The text of /metrics: see metrics.h. */
#include "config.h"

#include "app/metrics.h"

#include <inttypes.h>

static uint64_t
load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

int
spout__metrics_head(
    struct spout__buffer *to, const char *name, const char *help, const char *type)
{
	return spout__buffer_printf(
	    to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static int
counter_write(struct spout__buffer *to, enum spout__counter id,
    const struct spout__metrics_source *sources, unsigned n)
{
	const struct spout__stats_name *name = &spout__counter_names[id];
	int error = spout__metrics_head(to, name->name, name->help, "counter");

	for (unsigned k = 0; k < n && error == 0; k++)
		error = spout__buffer_printf(to, "%s{worker=\"%u\"} %" PRIu64 "\n",
		    name->name, sources[k].worker, load(&sources[k].stats->counters[id]));
	return error;
}

static int
gauge_write(struct spout__buffer *to, enum spout__gauge id,
    const struct spout__metrics_source *sources, unsigned n)
{
	const struct spout__stats_name *name = &spout__gauge_names[id];
	int error = spout__metrics_head(to, name->name, name->help, "gauge");

	/* Written by several threads, a gauge may be seen below zero for a moment. */
	for (unsigned k = 0; k < n && error == 0; k++)
		error = spout__buffer_printf(to, "%s{worker=\"%u\"} %" PRId64 "\n",
		    name->name, sources[k].worker,
		    (int64_t)load(&sources[k].stats->gauges[id]));
	return error;
}

/* Bucket i counts whole microseconds below 2^i, that is up to 2^i - 1. */
static int
histogram_write(struct spout__buffer *to, enum spout__histogram id,
    const struct spout__metrics_source *sources, unsigned n)
{
	const struct spout__stats_name *name = &spout__histogram_names[id];
	uint64_t count = 0, sum = 0;
	int error = spout__metrics_head(to, name->name, name->help, "histogram");

	for (unsigned b = 0; b < SPOUT__HISTOGRAM_BUCKETS && error == 0; b++) {
		for (unsigned k = 0; k < n; k++)
			count += load(&sources[k].stats->histograms[id].buckets[b]);
		if (b + 1 < SPOUT__HISTOGRAM_BUCKETS)
			error = spout__buffer_printf(to,
			    "%s_bucket{le=\"%" PRIu64 "\"} %" PRIu64 "\n", name->name,
			    ((uint64_t)1 << b) - 1, count);
	}
	for (unsigned k = 0; k < n; k++)
		sum += load(&sources[k].stats->histograms[id].sum);
	if (error == 0)
		error = spout__buffer_printf(to,
		    "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n"
		    "%s_sum %" PRIu64 "\n%s_count %" PRIu64 "\n",
		    name->name, count, name->name, sum, name->name, count);
	return error;
}

int
spout__metrics_write(
    struct spout__buffer *to, const struct spout__metrics_source *sources, unsigned n)
{
	int error = 0;

	for (unsigned id = 0; id < SPOUT__N_COUNTERS && error == 0; id++)
		error = counter_write(to, id, sources, n);
	for (unsigned id = 0; id < SPOUT__N_GAUGES && error == 0; id++)
		error = gauge_write(to, id, sources, n);
	for (unsigned id = 0; id < SPOUT__N_HISTOGRAMS && error == 0; id++)
		error = histogram_write(to, id, sources, n);
	return error;
}
