/* SPDX-License-Identifier: MIT */
/* The text of /metrics: see metrics.h. */
#include "config.h"

#include "app/metrics_text.h"

#include <inttypes.h>

const double spout__counter_units[SPOUT__N_COUNTERS] = { [SPOUT__C_CPU_US] = 1e6 };
const double spout__gauge_units[SPOUT__N_GAUGES] = { [SPOUT__G_HEARTBEAT_MS] = 1e3,
	[SPOUT__G_LOOP_LAG_US] = 1e6,
	[SPOUT__G_LOOP_BUSY_PPM] = 1e6 };

/* A word of struct spout__stats, of each worker. */
struct figure {
	const struct spout__stats_name *name;
	size_t offset;
	double unit; /* 0: as it is */
	bool gauge;
};

static int
value_write(struct spout__buffer *to, const struct figure *figure, unsigned worker,
    uint64_t value)
{
	const char *name = figure->name->name;

	if (figure->unit > 0)
		return spout__buffer_printf(to, "%s{worker=\"%u\"} %.6f\n", name, worker,
		    (double)value / figure->unit);
	/* Written by several threads, a gauge may be seen below zero for a moment. */
	if (figure->gauge)
		return spout__buffer_printf(
		    to, "%s{worker=\"%u\"} %" PRId64 "\n", name, worker, (int64_t)value);
	return spout__buffer_printf(
	    to, "%s{worker=\"%u\"} %" PRIu64 "\n", name, worker, value);
}

static int
figure_write(struct spout__buffer *to, const struct figure *figure,
    const struct spout__metrics_workers *workers)
{
	int error = spout__metrics_head(to, figure->name->name, figure->name->help,
	    figure->gauge ? "gauge" : "counter");

	for (unsigned k = 0; k < workers->n && error == 0; k++)
		error = value_write(to, figure, workers->sources[k].worker,
		    spout__figure_at(workers->sources[k].stats, figure->offset));
	return error;
}

static int
histogram_write(struct spout__buffer *to, enum spout__histogram id,
    const struct spout__metrics_workers *workers)
{
	const struct spout__stats_name *name = &spout__histogram_names[id];
	struct spout__sums sums = { 0 };
	int error = spout__metrics_head(to, name->name, name->help, "histogram");

	for (unsigned k = 0; k < workers->n; k++)
		spout__sums_add(&sums, &workers->sources[k].stats->histograms[id]);
	return error ? error : spout__sums_write(to, name->name, "", &sums);
}

int
spout__metrics_write(
    struct spout__buffer *to, const struct spout__metrics_source *sources, unsigned n)
{
	struct spout__metrics_workers workers = { sources, n };
	int error = 0;

	for (unsigned id = 0; id < SPOUT__N_COUNTERS && error == 0; id++)
		error = figure_write(to,
		    &(struct figure){ .name = &spout__counter_names[id],
			.offset = offsetof(struct spout__stats, counters[id]),
			.unit = spout__counter_units[id] },
		    &workers);
	for (unsigned id = 0; id < SPOUT__N_GAUGES && error == 0; id++)
		error = figure_write(to,
		    &(struct figure){ .name = &spout__gauge_names[id],
			.offset = offsetof(struct spout__stats, gauges[id]),
			.unit = spout__gauge_units[id],
			.gauge = true },
		    &workers);
	for (unsigned id = 0; id < SPOUT__N_HISTOGRAMS && error == 0; id++)
		error = histogram_write(to, id, &workers);
	if (error == 0)
		error = spout__metrics_routes(to, &workers);
	return error ? error : spout__metrics_pools(to, &workers);
}
