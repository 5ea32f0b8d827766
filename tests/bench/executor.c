/* SPDX-License-Identifier: MIT */
/*
 * What offloading costs: an empty job through the executor against a bare mutex +
 * condition + eventfd ping-pong in the same run, repetitions interleaved, medians
 * printed; and what coroutines cost, on which all of it rests.
 *
 *     tests/bench/executor [--json] [--repeat N] [--coroutines N]
 *
 * Exit status 1 if a figure is above what is asked for.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include <spout/spout.h>

#include "async/context.h"
#include "async/stack.h"
#include "base/clock.h"
#include "bench.h"
#include "executor/executor.h"
#include "pingpong.h"

#define MAX_REPEAT 101
#define TRIPS_ALONE 20000
#define TRIPS_TOGETHER 200000
#define TOGETHER 64
#define SWITCHES 5000000
#define ROUNDS 200000

static void
must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

/* --- round trips ------------------------------------------------------------ */

struct trips {
	double p50_us, cpu_us, wakeups;
};

struct traveller {
	struct spout_loop *loop;
	struct spout_pool *pool;
	uint64_t *ns;
	size_t sent, done, n;
};

static int
empty(void *arg)
{
	(void)arg;
	return 0;
}

static void
travel(void *arg)
{
	struct traveller *t = arg;
	uint64_t sent_ns;

	while (t->sent < t->n) {
		t->sent++;
		sent_ns = spout__clock_ns();
		spout_run_on(t->pool, empty, NULL);
		t->ns[t->done++] = spout__clock_ns() - sent_ns;
	}
	if (t->done == t->n)
		spout_loop_stop(t->loop);
}

static void
start(struct spout_loop *loop, spout_fn fn, void *arg)
{
	struct spout_coroutine *co = spout__coroutine_new(loop);

	must(co != NULL, "coroutine");
	spout__coroutine_start(co,
	    &(struct spout__coroutine_options){ .fn = fn, .arg = arg, .where = "bench" });
}

static struct trips
trips_through_executor(size_t outstanding, size_t n, uint64_t *ns)
{
	struct traveller t = { .loop = spout_loop_new(), .ns = ns, .n = n };
	struct trips trips;
	uint64_t cpu_ns;
	size_t i;

	must(t.loop != NULL, "loop");
	t.pool = spout_pool_new("bench");
	must(t.pool != NULL, "pool");
	for (i = 0; i < outstanding; i++)
		start(t.loop, travel, &t);
	cpu_ns = bench_cpu_ns();
	must(spout_loop_run(t.loop) == 0, "loop");
	trips.cpu_us = (double)(bench_cpu_ns() - cpu_ns) / 1000 / (double)n;
	trips.wakeups = (double)spout__loop_wakeups(t.loop) / (double)n;
	trips.p50_us = bench_quantile_us(ns, n, 0.5);
	spout_pool_close(t.pool, SPOUT_FOREVER);
	spout_loop_free(t.loop);
	return trips;
}

static struct trips
trips_bare(size_t outstanding, size_t n, uint64_t *ns)
{
	uint64_t cpu_ns = bench_cpu_ns();
	struct trips trips = { .wakeups = 1 };

	must(pingpong_run(outstanding, n, ns) == 0, "ping-pong");
	trips.cpu_us = (double)(bench_cpu_ns() - cpu_ns) / 1000 / (double)n;
	trips.p50_us = bench_quantile_us(ns, n, 0.5);
	return trips;
}

/* Both in turn, `repeat` times; the medians, and those of the ratios. */
static void
measure_trips(struct bench_report *report, const char *group, size_t outstanding,
    size_t n, size_t repeat)
{
	enum { BARE_P50, OURS_P50, P50_RATIO, BARE_CPU, OURS_CPU, CPU_RATIO, WAKEUPS, N };
	double values[N][MAX_REPEAT], median[N];
	uint64_t *ns = malloc(n * sizeof(*ns));
	size_t i;

	must(ns != NULL, "memory");
	for (i = 0; i < repeat; i++) {
		struct trips bare = trips_bare(outstanding, n, ns);
		struct trips ours = trips_through_executor(outstanding, n, ns);

		values[BARE_P50][i] = bare.p50_us;
		values[OURS_P50][i] = ours.p50_us;
		values[P50_RATIO][i] = ours.p50_us / bare.p50_us;
		values[BARE_CPU][i] = bare.cpu_us;
		values[OURS_CPU][i] = ours.cpu_us;
		values[CPU_RATIO][i] = ours.cpu_us / bare.cpu_us;
		values[WAKEUPS][i] = ours.wakeups;
	}
	free(ns);
	for (i = 0; i < N; i++)
		median[i] = bench_median(values[i], repeat);
	bench_add(report, group, "bare_p50_us", "us", median[BARE_P50], 0);
	bench_add(report, group, "executor_p50_us", "us", median[OURS_P50], 0);
	bench_add(report, group, "p50_ratio", "x", median[P50_RATIO], 1.3);
	bench_add(report, group, "bare_cpu_us", "us", median[BARE_CPU], 0);
	bench_add(report, group, "executor_cpu_us", "us", median[OURS_CPU], 0);
	bench_add(report, group, "cpu_ratio", "x", median[CPU_RATIO], 1.3);
	bench_add(report, group, "eventfd_writes_per_job", "", median[WAKEUPS],
	    outstanding > 1 ? 0.1 : 0);
}

/* --- coroutines ------------------------------------------------------------- */

static struct spout__context here, there;

static void
bounce(void *arg)
{
	(void)arg;
	for (;;)
		spout__context_switch(&there, &here);
}

static double
switch_ns(void)
{
	static char stack[65536] __attribute__((aligned(64)));
	uint64_t begun;
	int i;

	spout__context_make(&there, stack, stack + sizeof(stack), bounce, NULL);
	spout__context_switch(&here, &there);
	begun = spout__clock_ns();
	for (i = 0; i < SWITCHES; i++)
		spout__context_switch(&here, &there);
	return (double)(spout__clock_ns() - begun) / (2.0 * SWITCHES);
}

static void
nothing(void *arg)
{
	(void)arg;
}

static double
create_run_free_ns(struct spout_loop *loop)
{
	const struct spout__coroutine_options options = { .fn = nothing,
		.where = "bench" };
	uint64_t begun = spout__clock_ns();
	int i;

	for (i = 0; i < ROUNDS; i++) {
		struct spout_coroutine *co = spout__coroutine_new(loop);

		must(co != NULL, "coroutine");
		spout__coroutine_start_now(co, &options);
	}
	must(spout__coroutines_alive(loop) == 0, "coroutines are left");
	return (double)(spout__clock_ns() - begun) / ROUNDS;
}

struct crowd {
	struct spout_loop *loop;
	struct spout_future *gate;
	size_t n, waited;
	double bytes_each, wake_ns;
};

static void
crowd_member(void *arg)
{
	struct crowd *crowd = arg;

	crowd->waited++;
	spout_await(crowd->gate);
}

static void
crowd_gather(void *arg)
{
	struct crowd *crowd = arg;
	uint64_t before = bench_resident_bytes(), begun;
	size_t i;

	crowd->gate = spout_future_new();
	for (i = 0; i < crowd->n; i++)
		start(crowd->loop, crowd_member, crowd);
	while (crowd->waited < crowd->n)
		spout_yield();
	crowd->bytes_each = (double)(bench_resident_bytes() - before) / (double)crowd->n;
	begun = spout__clock_ns();
	spout_future_set_result(crowd->gate, NULL);
	while (spout__coroutines_alive(crowd->loop) > 1)
		spout_yield();
	crowd->wake_ns = (double)(spout__clock_ns() - begun) / (double)crowd->n;
	spout_loop_stop(crowd->loop);
}

static struct crowd
crowd_measure(struct spout_loop *loop, size_t n)
{
	struct crowd crowd = { .loop = loop, .n = n };

	start(loop, crowd_gather, &crowd);
	must(spout_loop_run(loop) == 0, "loop");
	return crowd;
}

static void
measure_coroutines(struct bench_report *report, size_t repeat, size_t crowd_size)
{
	double switching[MAX_REPEAT], making[MAX_REPEAT];
	struct spout_loop *loop = spout_loop_new();
	struct crowd crowd;
	size_t i;

	must(loop != NULL, "loop");
	create_run_free_ns(loop); /* makes the stack */
	for (i = 0; i < repeat; i++) {
		switching[i] = switch_ns();
		making[i] = create_run_free_ns(loop);
	}
	crowd = crowd_measure(loop, crowd_size);
	spout_loop_free(loop);
	bench_add(report, "coroutine", "switch_ns", "ns", bench_median(switching, repeat),
	    5);
	bench_add(report, "coroutine", "create_run_free_ns", "ns",
	    bench_median(making, repeat), 0);
	bench_add(report, "coroutine", "waiting_at_once", "", (double)crowd.waited, 0);
	bench_add(report, "coroutine", "waiting_bytes_each", "bytes", crowd.bytes_each,
	    16384);
	bench_add(report, "coroutine", "wake_and_end_ns", "ns", crowd.wake_ns, 0);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "repeat", required_argument, NULL, 'r' },
		{ "coroutines", required_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	struct bench_report report = { .n = 0 };
	long repeat = 9, coroutines = 100000;
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'j')
			json = true;
		else if (c == 'r')
			repeat = atol(optarg);
		else if (c == 'c')
			coroutines = atol(optarg);
		else
			return 2;
	}
	if (repeat < 1 || repeat > MAX_REPEAT || coroutines < 1) {
		fprintf(stderr,
		    "executor: --repeat takes 1 to %d, --coroutines at least 1\n",
		    MAX_REPEAT);
		return 2;
	}
	measure_trips(&report, "alone", 1, TRIPS_ALONE, (size_t)repeat);
	measure_trips(&report, "together64", TOGETHER, TRIPS_TOGETHER, (size_t)repeat);
	measure_coroutines(&report, (size_t)repeat, (size_t)coroutines);
	return bench_print(&report, json) > 0 ? 1 : 0;
}
