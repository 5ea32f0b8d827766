/* SPDX-License-Identifier: MIT */
/* The figures of thread pools in /metrics. */
#include "config.h"

#include "app/metrics_text.h"

#include <inttypes.h>
#include <stdio.h>

static const struct pool_figure {
	const char *name, *help, *type;
	size_t offset;
} pool_figures[] = {
#define FIGURE(member) offsetof(struct spout__pool_figures, member)
	{ "spout_pool_threads", "Threads of a pool.", "gauge", FIGURE(threads) },
	{ "spout_pool_threads_max", "Threads that a pool may have.", "gauge",
	    FIGURE(max_threads) },
	{ "spout_pool_jobs_queued", "Jobs waiting for a thread.", "gauge",
	    FIGURE(queued) },
	{ "spout_pool_jobs_running", "Jobs on a thread.", "gauge", FIGURE(running) },
	{ "spout_pool_jobs_refused_total", "Jobs refused by a full or late queue.",
	    "counter", FIGURE(refused) },
};

static int
pool_figure_write(struct spout__buffer *to, const struct pool_figure *figure,
    const struct spout__metrics_workers *workers)
{
	char label[SPOUT__LABEL_SIZE];
	int error = spout__metrics_head(to, figure->name, figure->help, figure->type);

	for (unsigned k = 0; k < workers->n; k++) {
		const struct spout__pool_figures *pools =
		    workers->sources[k].stats->pools;

		for (unsigned i = 0; i < SPOUT__POOL_FIGURES && error == 0; i++)
			if (*pools[i].name != '\0')
				error = spout__buffer_printf(to,
				    "%s{worker=\"%u\",pool=\"%s\"} %" PRIu64 "\n",
				    figure->name, workers->sources[k].worker,
				    spout__label_text(pools[i].name, label),
				    spout__figure_at(&pools[i], figure->offset));
	}
	return error;
}

/* The times of the pool at this place of the first worker, of all workers. */
static int
pool_times_write(struct spout__buffer *to, const char *name, size_t offset,
    unsigned place, const struct spout__metrics_workers *workers)
{
	const char *pool = workers->sources[0].stats->pools[place].name;
	char label[SPOUT__LABEL_SIZE], text[SPOUT__LABEL_SIZE + 16];
	struct spout__sums sums = { 0 };

	for (unsigned k = 0; k < workers->n; k++)
		for (unsigned i = 0; i < SPOUT__POOL_FIGURES; i++) {
			const struct spout__pool_figures *other =
			    &workers->sources[k].stats->pools[i];

			if (strcmp(other->name, pool) == 0)
				spout__sums_add(&sums,
				    (const struct spout__cells *)((const char *)other +
					offset));
		}
	snprintf(text, sizeof(text), "pool=\"%s\",", spout__label_text(pool, label));
	return spout__sums_write(to, name, text, &sums);
}

static int
all_pool_times_write(struct spout__buffer *to, const char *name, const char *help,
    size_t offset, const struct spout__metrics_workers *workers)
{
	int error = spout__metrics_head(to, name, help, "histogram");

	for (unsigned i = 0; i < SPOUT__POOL_FIGURES && workers->n > 0; i++)
		if (*workers->sources[0].stats->pools[i].name != '\0' && error == 0)
			error = pool_times_write(to, name, offset, i, workers);
	return error;
}

int
spout__metrics_pools(
    struct spout__buffer *to, const struct spout__metrics_workers *workers)
{
	int error = 0;

	for (size_t i = 0; i < sizeof(pool_figures) / sizeof(pool_figures[0]); i++)
		if (error == 0)
			error = pool_figure_write(to, &pool_figures[i], workers);
	if (error == 0)
		error = all_pool_times_write(to, "spout_job_wait_seconds",
		    "Time of a job in the queue of its pool.", FIGURE(wait), workers);
	if (error == 0)
		error = all_pool_times_write(to, "spout_job_run_seconds",
		    "Time of a job on a thread.", FIGURE(run), workers);
	return error;
}
