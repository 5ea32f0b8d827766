/* SPDX-License-Identifier: MIT */
/* The text of /metrics. */
#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/metrics.h"

static char *
text_of(const struct spout__metrics_source *sources, unsigned n)
{
	struct spout__buffer b;
	char *text;

	spout__buffer_init(&b, SPOUT__METRICS_MAX);
	CU_ASSERT_EQUAL_FATAL(spout__metrics_write(&b, sources, n), 0);
	text = strndup(spout__buffer_at(&b), b.len);
	spout__buffer_release(&b);
	spout__buffer_trim();
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	return text;
}

static void
counters_and_gauges_have_one_line_per_worker(void)
{
	static struct spout__stats a, b;
	struct spout__metrics_source sources[] = { { 0, &a }, { 3, &b } };
	char *text;

	a.counters[SPOUT__C_REQUESTS] = 7;
	b.counters[SPOUT__C_REQUESTS] = 18446744073709551615u;
	a.gauges[SPOUT__G_JOBS_RUNNING] = (uint64_t)-1;
	text = text_of(sources, 2);
	CU_ASSERT_PTR_NOT_NULL(strstr(text,
	    "# TYPE spout_requests_total counter\n"
	    "spout_requests_total{worker=\"0\"} 7\n"
	    "spout_requests_total{worker=\"3\"} 18446744073709551615\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text,
	    "# TYPE spout_jobs_running gauge\n"
	    "spout_jobs_running{worker=\"0\"} -1\n"));
	free(text);
}

static void
histograms_are_summed_and_cumulative(void)
{
	static struct spout__stats a, b;
	struct spout__metrics_source sources[] = { { 0, &a }, { 1, &b } };
	struct spout__stats *kept = spout__stats;
	char *text;

	spout__stats = &a;
	spout__observe_us(SPOUT__H_LOOP_TURN_US, 0);
	spout__observe_us(SPOUT__H_LOOP_TURN_US, 3);
	spout__stats = &b;
	spout__observe_us(SPOUT__H_LOOP_TURN_US, 4);
	spout__observe_us(SPOUT__H_LOOP_TURN_US, (uint64_t)1 << 50);
	spout__stats = kept;
	text = text_of(sources, 2);
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, "spout_loop_turn_seconds_bucket{le=\"0.000001\"} 1\n"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, "spout_loop_turn_seconds_bucket{le=\"0.000002\"} 1\n"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, "spout_loop_turn_seconds_bucket{le=\"0.000004\"} 2\n"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, "spout_loop_turn_seconds_bucket{le=\"0.000008\"} 3\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text,
	    "spout_loop_turn_seconds_bucket{le=\"+Inf\"} 4\n"
	    "spout_loop_turn_seconds_sum 1125899906.842631\n"
	    "spout_loop_turn_seconds_count 4\n"));
	free(text);
}

static void
whole_numbers_become_the_unit_of_the_name(void)
{
	static struct spout__stats a;
	struct spout__metrics_source source = { 2, &a };
	char *text;

	a.counters[SPOUT__C_CPU_US] = 1500000;
	a.gauges[SPOUT__G_HEARTBEAT_MS] = 12345;
	a.gauges[SPOUT__G_LOOP_BUSY_PPM] = 250000;
	text = text_of(&source, 1);
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, "\nspout_process_cpu_seconds_total{worker=\"2\"} 1.500000\n"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, "\nspout_heartbeat_seconds{worker=\"2\"} 12.345000\n"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, "\nspout_loop_busy_ratio{worker=\"2\"} 0.250000\n"));
	free(text);
}

/* --- figures with names --------------------------------------------------------- */

/* What `stats` counts of a request of this route. */
static void
count_a_request(struct spout__stats *stats, const char *name, int status, uint64_t us)
{
	struct spout__stats *kept = spout__stats;
	struct spout__route_figures *route;

	spout__stats = stats;
	route = spout__route_figures(spout_slice(name));
	spout__count_response(route, status);
	spout__cells_observe(&route->duration, us);
	spout__stats = kept;
}

static void
a_route_is_summed_wherever_it_stands(void)
{
	static struct spout__stats a, b;
	struct spout__metrics_source sources[] = { { 0, &a }, { 1, &b } };
	char *text;

	count_a_request(&a, "GET /one", 200, 5);
	count_a_request(&a, "GET /two/{id}", 404, 5);
	count_a_request(&b, "GET /two/{id}", 404, 7);
	count_a_request(&b, "GET /three", 503, 7);
	text = text_of(sources, 2);
	CU_ASSERT_PTR_NOT_NULL(strstr(text,
	    "# TYPE spout_responses_total counter\n"
	    "spout_responses_total{route=\"GET /one\",status=\"2xx\"} 1\n"
	    "spout_responses_total{route=\"GET /two/{id}\",status=\"4xx\"} 2\n"
	    "spout_responses_total{route=\"GET /three\",status=\"5xx\"} 1\n#"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text,
	    "spout_request_duration_seconds_sum{route=\"GET /two/{id}\"} 0.000012\n"
	    "spout_request_duration_seconds_count{route=\"GET /two/{id}\"} 2\n"));
	free(text);
}

static void
a_name_finds_its_place_again_and_the_last_ones_share(void)
{
	static struct spout__stats a;
	struct spout__stats *kept = spout__stats;
	struct spout__route_figures *first, *none;
	char name[200];

	spout__stats = &a;
	first = spout__route_figures(spout_slice("GET /"));
	CU_ASSERT_PTR_EQUAL(first, &a.routes[1]);
	CU_ASSERT_PTR_EQUAL(spout__route_figures(spout_slice("GET /")), first);
	CU_ASSERT_PTR_EQUAL(spout__route_figures(spout_slice("GET /x")), &a.routes[2]);
	for (unsigned i = 3; i < SPOUT__ROUTE_FIGURES; i++) {
		snprintf(name, sizeof(name), "GET /%u", i);
		CU_ASSERT_PTR_EQUAL(
		    spout__route_figures(spout_slice(name)), &a.routes[i]);
	}
	none = spout__route_figures(spout_slice("GET /one-too-many"));
	CU_ASSERT_PTR_EQUAL(none, &a.routes[0]);
	CU_ASSERT_STRING_EQUAL(none->name, "");
	/* Cut to fit, and found again. */
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	CU_ASSERT_PTR_EQUAL(spout__pool_figures(name), &a.pools[1]);
	CU_ASSERT_EQUAL(strlen(a.pools[1].name), SPOUT__FIGURE_NAME - 1);
	CU_ASSERT_PTR_EQUAL(spout__pool_figures(name), &a.pools[1]);
	spout__stats = kept;
}

static void
names_are_escaped_in_labels(void)
{
	static struct spout__stats a;
	struct spout__metrics_source source = { 0, &a };
	char *text;

	count_a_request(&a, "GET /{a:\\d+\"\n}", 200, 1);
	text = text_of(&source, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "{route=\"GET /{a:\\\\d+\\\"\\n}\",status="));
	free(text);
}

static void
pools_are_shown_and_their_gauges_end_with_their_owner(void)
{
	static struct spout__stats a;
	struct spout__metrics_source source = { 4, &a };
	struct spout__stats *kept = spout__stats;
	struct spout__pool_figures *pool;
	char *text;

	spout__stats = &a;
	pool = spout__pool_figures("db");
	spout__stats = kept;
	pool->threads = 3;
	pool->queued = 7;
	spout__cells_observe(&pool->wait, 1000);
	text = text_of(&source, 1);
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, "\nspout_pool_threads{worker=\"4\",pool=\"db\"} 3\n"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, "\nspout_pool_jobs_queued{worker=\"4\",pool=\"db\"} 7\n"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, "\nspout_job_wait_seconds_sum{pool=\"db\"} 0.001000\n"));
	free(text);
	spout__stats_clear_gauges(&a);
	CU_ASSERT_EQUAL(pool->threads + pool->queued, 0);
	CU_ASSERT_EQUAL(pool->wait.sum, 1000);
	CU_ASSERT_STRING_EQUAL(pool->name, "db");
}

static void
every_figure_is_there(void)
{
	static struct spout__stats a;
	struct spout__metrics_source source = { 0, &a };
	char *text = text_of(&source, 1);

	for (unsigned i = 0; i < SPOUT__N_COUNTERS; i++)
		CU_ASSERT_PTR_NOT_NULL(strstr(text, spout__counter_names[i].name));
	for (unsigned i = 0; i < SPOUT__N_GAUGES; i++)
		CU_ASSERT_PTR_NOT_NULL(strstr(text, spout__gauge_names[i].name));
	for (unsigned i = 0; i < SPOUT__N_HISTOGRAMS; i++)
		CU_ASSERT_PTR_NOT_NULL(strstr(text, spout__histogram_names[i].name));
	free(text);
}

static const struct unit_test metrics_tests[] = {
	UNIT_TEST(counters_and_gauges_have_one_line_per_worker),
	UNIT_TEST(histograms_are_summed_and_cumulative), UNIT_TEST(every_figure_is_there),
	UNIT_TEST(whole_numbers_become_the_unit_of_the_name),
	UNIT_TEST(a_route_is_summed_wherever_it_stands),
	UNIT_TEST(a_name_finds_its_place_again_and_the_last_ones_share),
	UNIT_TEST(names_are_escaped_in_labels),
	UNIT_TEST(pools_are_shown_and_their_gauges_end_with_their_owner),
	UNIT_END
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "metrics", metrics_tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
