/* SPDX-License-Identifier: MIT */
/* Names of the figures, and the private memory used without a supervisor. */
#include "config.h"

#include "base/stats.h"

static struct spout__stats private_stats;
struct spout__stats *spout__stats = &private_stats;

#define NAME(id, name, help) { name, help },
const struct spout__stats_name spout__counter_names[] = { SPOUT__COUNTERS(NAME) };
const struct spout__stats_name spout__gauge_names[] = { SPOUT__GAUGES(NAME) };
const struct spout__stats_name spout__histogram_names[] = { SPOUT__HISTOGRAMS(NAME) };
