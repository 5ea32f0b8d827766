/* SPDX-License-Identifier: MIT */
/*
 * The figures of all workers as text for Prometheus (exposition format 0.0.4): counters
 * and gauges per worker, routes and histograms summed. Reads shared memory only; any
 * worker can answer.
 */
#ifndef SPOUT_APP_METRICS_H
#define SPOUT_APP_METRICS_H

#include "base/buffer.h"
#include "base/stats.h"

/** Room that the text needs at most for `n` workers. */
#define SPOUT__METRICS_MAX (4u << 20)

struct spout__metrics_source {
	unsigned worker; /* label worker="…": its place on the scoreboard */
	const struct spout__stats *stats; /* borrowed */
};

/** Append all figures. Returns 0, -EMSGSIZE or -ENOMEM. */
int spout__metrics_write(
    struct spout__buffer *to, const struct spout__metrics_source *sources, unsigned n);

#endif
