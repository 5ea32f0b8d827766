/* SPDX-License-Identifier: MIT */
/* The text of /metrics. */
#include "config.h"

#include "unit.h"

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
	spout__observe_us(SPOUT__H_REQUEST_US, 0);
	spout__observe_us(SPOUT__H_REQUEST_US, 3);
	spout__stats = &b;
	spout__observe_us(SPOUT__H_REQUEST_US, 4);
	spout__observe_us(SPOUT__H_REQUEST_US, (uint64_t)1 << 50);
	spout__stats = kept;
	text = text_of(sources, 2);
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, "spout_request_duration_us_bucket{le=\"0\"} 1\n"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, "spout_request_duration_us_bucket{le=\"1\"} 1\n"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, "spout_request_duration_us_bucket{le=\"3\"} 2\n"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, "spout_request_duration_us_bucket{le=\"7\"} 3\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text,
	    "spout_request_duration_us_bucket{le=\"+Inf\"} 4\n"
	    "spout_request_duration_us_sum 1125899906842631\n"
	    "spout_request_duration_us_count 4\n"));
	free(text);
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
