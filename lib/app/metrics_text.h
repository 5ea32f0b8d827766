/* SPDX-License-Identifier: MIT */
/* What the files that write /metrics share: labels, histograms, the workers summed up. */
#ifndef SPOUT_APP_METRICS_TEXT_H
#define SPOUT_APP_METRICS_TEXT_H

#include "app/metrics.h"

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

/** Append the figures of all routes, of all pools. */
int spout__metrics_routes(
    struct spout__buffer *to, const struct spout__metrics_workers *workers);
int spout__metrics_pools(
    struct spout__buffer *to, const struct spout__metrics_workers *workers);

#endif
