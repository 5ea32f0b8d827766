/* SPDX-License-Identifier: MIT */
/* What the benchmarks share: see bench.h. */
#include "config.h"

#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

uint64_t
bench_cpu_ns(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000u +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000u;
}

uint64_t
bench_resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(file);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double
bench_median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), by_value);
	return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static int
by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

double
bench_quantile_us(uint64_t *ns, size_t n, double q)
{
	qsort(ns, n, sizeof(*ns), by_time);
	return (double)ns[(size_t)((double)(n - 1) * q)] / 1000;
}

void
bench_add(struct bench_report *report, const char *group, const char *name,
    const char *unit, double value, double at_most)
{
	struct bench_figure *figure = &report->figures[report->n];

	if (report->n == BENCH_MAX_FIGURES)
		abort();
	report->n++;
	snprintf(figure->name, sizeof(figure->name), "%s.%s", group, name);
	figure->unit = unit;
	figure->value = value;
	figure->at_most = at_most;
}

unsigned
bench_print(const struct bench_report *report, bool json)
{
	const struct bench_figure *f;
	unsigned above = 0;

	for (f = report->figures; f < report->figures + report->n; f++) {
		bool missed = f->at_most > 0 && f->value > f->at_most;

		above += missed;
		if (json)
			printf("%s\"%s\": %.4g", f == report->figures ? "{" : ", ",
			    f->name, f->value);
		else if (f->at_most > 0)
			printf("%-40s %10.3f %-6s at most %-8g %s\n", f->name, f->value,
			    f->unit, f->at_most, missed ? "MISSED" : "ok");
		else
			printf("%-40s %10.3f %s\n", f->name, f->value, f->unit);
	}
	if (json)
		printf("}\n");
	return above;
}
