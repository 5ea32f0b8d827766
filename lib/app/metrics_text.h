/* SPDX-License-Identifier: MIT */
/* What the files that write /metrics share: labels, histograms, the workers summed up. */
#ifndef SPOUT_APP_METRICS_TEXT_H
#define SPOUT_APP_METRICS_TEXT_H

#include "app/metrics.h"
#include "supervisor/scoreboard.h"

#define SPOUT__LABEL_SIZE (2 * SPOUT__FIGURE_NAME)

struct spout__metrics_workers {
	const struct spout__metrics_source *sources;
	unsigned n;
};

/** A histogram of several workers. */
struct spout__sums {
	uint64_t sum, buckets[SPOUT__HISTOGRAM_BUCKETS];
};

static inline uint64_t
spout__figure(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

/** Figures kept as whole numbers of a smaller unit: how many of it make one of the
 * name's; 0: they are what the name says. */
extern const double spout__counter_units[SPOUT__N_COUNTERS];
extern const double spout__gauge_units[SPOUT__N_GAUGES];

/** The word at this offset of a struct. */
static inline uint64_t
spout__figure_at(const void *figures, size_t offset)
{
	return spout__figure(
	    (const _Atomic uint64_t *)(const void *)((const char *)figures + offset));
}

/** Append HELP and TYPE of one figure. */
int spout__metrics_head(
    struct spout__buffer *to, const char *name, const char *help, const char *type);
/** A name between the quotes of a label: \ " and line feed escaped. Returns `text`. */
const char *spout__label_text(const char *name, char text[SPOUT__LABEL_SIZE]);
void spout__sums_add(struct spout__sums *sums, const struct spout__cells *cells);
/** Append a histogram in seconds. `label` is `name="value",` or empty. */
int spout__sums_write(struct spout__buffer *to, const char *name, const char *label,
    const struct spout__sums *sums);

/** The figures of a route, of all workers. */
struct spout__route_sums {
	const char *name; /* "" for answers of no route */
	uint64_t responses[SPOUT__STATUS_CLASSES];
	struct spout__sums duration;
};

/** Call each(arg) for every route until it does not return 0. Returns what it did. */
int spout__each_route(const struct spout__metrics_workers *workers,
    int (*each)(void *arg, const struct spout__route_sums *sums), void *arg);
/** Append the figures of all routes, of all pools. */
int spout__metrics_routes(
    struct spout__buffer *to, const struct spout__metrics_workers *workers);
int spout__metrics_pools(
    struct spout__buffer *to, const struct spout__metrics_workers *workers);

/**
 * The processes whose figures are on the board: fills up to n_slots + 1 sources. Returns
 * how many.
 */
unsigned spout__metrics_sources(
    const struct spout__scoreboard *board, struct spout__metrics_source *sources);
/** Append the figures of all workers and what the supervisor knows. 0 or -errno. */
int spout__metrics_write_all(
    struct spout__buffer *to, const struct spout__scoreboard *board);

#endif
