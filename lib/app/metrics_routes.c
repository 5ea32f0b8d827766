/* SPDX-License-Identifier: MIT */
/* The figures of routes in /metrics: summed over the workers that know a route. */
#include "config.h"

#include "app/metrics_text.h"

#include <inttypes.h>
#include <stdio.h>

/*
 * Every worker gives the same names the same places, unless it has another program: then
 * a name is met again at another place. It is written where it is met first.
 */
static const struct spout__route_figures *
route_of(const struct spout__stats *stats, const char *name, unsigned place)
{
	if (strcmp(stats->routes[place].name, name) == 0)
		return &stats->routes[place];
	for (unsigned i = 1; i < SPOUT__ROUTE_FIGURES && *name != '\0'; i++)
		if (strcmp(stats->routes[i].name, name) == 0)
			return &stats->routes[i];
	return NULL;
}

static bool
met_before(const struct spout__metrics_workers *workers, unsigned worker, unsigned place)
{
	const char *name = workers->sources[worker].stats->routes[place].name;

	for (unsigned k = 0; k < worker; k++)
		if (route_of(workers->sources[k].stats, name, place) != NULL)
			return true;
	return false;
}

static void
route_add(struct spout__route_sums *sums, const struct spout__route_figures *route)
{
	for (unsigned c = 0; c < SPOUT__STATUS_CLASSES; c++)
		sums->responses[c] += spout__figure(&route->responses[c]);
	spout__sums_add(&sums->duration, &route->duration);
}

int
spout__each_route(const struct spout__metrics_workers *workers,
    int (*each)(void *arg, const struct spout__route_sums *sums), void *arg)
{
	int error = 0;

	for (unsigned w = 0; w < workers->n; w++) {
		const struct spout__stats *stats = workers->sources[w].stats;

		for (unsigned i = 0; i < SPOUT__ROUTE_FIGURES && error == 0; i++) {
			struct spout__route_sums sums = { .name = stats->routes[i].name };

			if (i > 0 && *sums.name == '\0')
				break;
			if (met_before(workers, w, i))
				continue;
			for (unsigned k = w; k < workers->n; k++) {
				const struct spout__route_figures *same = route_of(
				    workers->sources[k].stats, sums.name, i);

				if (same != NULL)
					route_add(&sums, same);
			}
			error = each(arg, &sums);
		}
	}
	return error;
}

static int
responses_write(void *to, const struct spout__route_sums *sums)
{
	char label[SPOUT__LABEL_SIZE];
	int error = 0;

	for (unsigned c = 0; c < SPOUT__STATUS_CLASSES && error == 0; c++)
		if (sums->responses[c] > 0)
			error = spout__buffer_printf(to,
			    "spout_responses_total{route=\"%s\",status=\"%uxx\"} "
			    "%" PRIu64 "\n",
			    spout__label_text(sums->name, label), c + 1,
			    sums->responses[c]);
	return error;
}

static int
durations_write(void *to, const struct spout__route_sums *sums)
{
	char label[SPOUT__LABEL_SIZE], text[SPOUT__LABEL_SIZE + 16];
	uint64_t any = 0;

	for (unsigned b = 0; b < SPOUT__HISTOGRAM_BUCKETS; b++)
		any |= sums->duration.buckets[b];
	if (any == 0)
		return 0;
	snprintf(
	    text, sizeof(text), "route=\"%s\",", spout__label_text(sums->name, label));
	return spout__sums_write(
	    to, "spout_request_duration_seconds", text, &sums->duration);
}

int
spout__metrics_routes(
    struct spout__buffer *to, const struct spout__metrics_workers *workers)
{
	int error = spout__metrics_head(to, "spout_responses_total",
	    "Answers, by route and class of their status.", "counter");

	if (error == 0)
		error = spout__each_route(workers, responses_write, to);
	if (error == 0)
		error = spout__metrics_head(to, "spout_request_duration_seconds",
		    "From the head of a request to the end of its handler.", "histogram");
	return error ? error : spout__each_route(workers, durations_write, to);
}
