/* SPDX-License-Identifier: MIT */
/* What the benchmarks share: clocks, medians, and one way to print figures. */
#ifndef SPOUT_TESTS_BENCH_H
#define SPOUT_TESTS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* CPU time of this process, all threads, user and system. */
uint64_t bench_cpu_ns(void);
/* Resident memory of this process. */
uint64_t bench_resident_bytes(void);
/* Sorts. */
double bench_median(double *values, size_t n);
double bench_quantile_us(uint64_t *ns, size_t n, double q);

#define BENCH_MAX_FIGURES 64

struct bench_report {
	struct bench_figure {
		char name[48];
		const char *unit;
		double value;
		double at_most; /* what is asked for; 0: nothing */
	} figures[BENCH_MAX_FIGURES];
	size_t n;
};

/* Add a figure; its name is "GROUP.NAME". */
void bench_add(struct bench_report *report, const char *group, const char *name,
    const char *unit, double value, double at_most);
/* As a table, or as one JSON object; returns how many figures are above their limit. */
unsigned bench_print(const struct bench_report *report, bool json);

#endif
