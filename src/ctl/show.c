/* SPDX-License-Identifier: MIT */
/* The commands that look: status, workers, pools, routes, requests, config. */
#include "config.h"

#include "ctl.h"

#include <stdio.h>
#include <string.h>

#include "times.h"

#define CLASSES 5

static double
number(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

static const char *
text(const json_t *object, const char *name)
{
	const char *value = json_string_value(json_object_get(object, name));

	return value != NULL ? value : "?";
}

double
ctl_figure(const json_t *worker, const char *name)
{
	return number(json_object_get(worker, "figures"), name);
}

static double
sum_figure(const json_t *status, const char *name)
{
	const json_t *worker;
	double sum = 0;
	size_t i;

	json_array_foreach (json_object_get(status, "workers"), i, worker)
		sum += ctl_figure(worker, name);
	return sum;
}

/* The member of a list whose `name` is the same as that of `like`. */
static const json_t *
same_in(const json_t *list, const json_t *like, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		if (json_equal(json_object_get(item, name), json_object_get(like, name)))
			return item;
	return NULL;
}

/* --- head --------------------------------------------------------------------------- */

static void
print_deaths(const json_t *status)
{
	double sums[16] = { 0 }, all = 0;
	const char *causes[16];
	const json_t *worker, *n;
	const char *cause;
	size_t i, k, n_causes = 0;

	json_array_foreach (json_object_get(status, "workers"), i, worker) {
		k = 0;
		json_object_foreach (json_object_get(worker, "deaths"), cause, n) {
			if (k < 16) {
				causes[k] = cause;
				sums[k] += json_number_value(n);
				all += json_number_value(n);
			}
			k++;
		}
		n_causes = k < 16 ? k : 16;
	}
	printf("deaths of workers %.0f", all);
	for (k = 0; k < n_causes; k++)
		if (sums[k] > 0)
			printf(", %s %.0f", causes[k], sums[k]);
}

static unsigned
count_running(const json_t *status)
{
	const json_t *worker;
	unsigned n = 0;
	size_t i;

	json_array_foreach (json_object_get(status, "workers"), i, worker)
		n += strcmp(text(worker, "state"), "running") == 0;
	return n;
}

void
ctl_print_head(const json_t *status)
{
	char up[TEXT_SIZE];
	double classes[CLASSES] = { 0 };
	const json_t *route;
	size_t i;

	json_array_foreach (json_object_get(status, "routes"), i, route)
		for (size_t c = 0; c < CLASSES; c++)
			classes[c] += json_number_value(
			    json_array_get(json_object_get(route, "responses"), c));
	printf("%s (spout %s), pid %.0f, up %s: %u of %.0f workers run%s%s\n",
	    text(status, "name"), text(status, "version"), number(status, "pid"),
	    time_text(number(status, "uptime"), up), count_running(status),
	    number(status, "wanted_workers"),
	    json_is_true(json_object_get(status, "set_aside")) ? ", set aside by order"
							       : "",
	    json_is_true(json_object_get(status, "stopping")) ? ", stopping" : "");
	printf("requests %.0f, %.0f in flight, %.0f connections; answers 2xx %.0f, 3xx "
	       "%.0f, 4xx %.0f, 5xx %.0f\n",
	    sum_figure(status, "requests_total"), sum_figure(status, "requests_running"),
	    sum_figure(status, "connections_open"), classes[1], classes[2], classes[3],
	    classes[4]);
	printf("reloads %.0f, failed %.0f; ", number(status, "reloads"),
	    number(status, "failed_reloads"));
	print_deaths(status);
	printf("\n");
}

/* --- workers ------------------------------------------------------------------------ */

/* What a figure grew by per second; by itself without an earlier state. */
static double
rate(const json_t *worker, const json_t *before, const char *name, double seconds)
{
	double now = ctl_figure(worker, name);

	if (before == NULL)
		return now;
	return seconds > 0 ? (now - ctl_figure(before, name)) / seconds : 0;
}

void
ctl_print_workers(const json_t *status, const json_t *before, double seconds)
{
	const json_t *worker;
	size_t i;

	printf("%6s %8s %-9s %-12s %6s %6s %9s %8s %7s %7s %9s %6s\n", "WORKER", "PID",
	    "STATE", "UP", "STARTS", "BUSY%", "LAG", "MEMORY", "CONNS", "RUNNING",
	    before ? "REQ/S" : "REQUESTS", before ? "CPU%" : "QUEUE");
	json_array_foreach (json_object_get(status, "workers"), i, worker) {
		const json_t *old =
		    same_in(json_object_get(before, "workers"), worker, "worker");
		char up[TEXT_SIZE], lag[TEXT_SIZE], memory[TEXT_SIZE];
		char requests[TEXT_SIZE];

		printf("%6.0f %8.0f %-9s %-12s %6.0f %6.1f %9s %8s %7.0f %7.0f %9s "
		       "%6.1f\n",
		    number(worker, "worker"), number(worker, "pid"),
		    text(worker, "state"), time_text(number(worker, "uptime"), up),
		    number(worker, "starts"),
		    100 * ctl_figure(worker, "loop_busy_ratio"),
		    time_text(ctl_figure(worker, "loop_lag_seconds"), lag),
		    size_text(ctl_figure(worker, "process_resident_memory_bytes"),
			memory),
		    ctl_figure(worker, "connections_open"),
		    ctl_figure(worker, "requests_running"),
		    size_text(rate(worker, old, "requests_total", seconds), requests),
		    before
			? 100 * rate(worker, old, "process_cpu_seconds_total", seconds)
			: ctl_figure(worker, "accept_queue_length"));
	}
}

/* --- routes and pools --------------------------------------------------------------- */

static void
print_route(const json_t *route, const json_t *old, double seconds)
{
	char n[TEXT_SIZE], mean[TEXT_SIZE], p50[TEXT_SIZE], p99[TEXT_SIZE];
	double bad = 0, sum = 0;
	struct times times;

	times_read(&times, json_object_get(route, "duration"),
	    json_object_get(old, "duration"));
	for (size_t c = 0; c < CLASSES; c++) {
		double responses = json_number_value(json_array_get(
				       json_object_get(route, "responses"), c)) -
		    json_number_value(
			json_array_get(json_object_get(old, "responses"), c));

		sum += responses;
		bad += c == 4 ? responses : 0;
	}
	if (seconds > 0 && sum == 0)
		return;
	printf("%9s %8.0f %9s %9s %9s  %s\n",
	    size_text(seconds > 0 ? sum / seconds : sum, n), bad,
	    time_text(times_mean(&times), mean),
	    time_text(times_quantile(&times, 0.5), p50),
	    time_text(times_quantile(&times, 0.99), p99),
	    *text(route, "route") != '\0' ? text(route, "route") : "(no route)");
}

void
ctl_print_routes(const json_t *status, const json_t *before, double seconds)
{
	const json_t *route;
	size_t i;

	printf("%9s %8s %9s %9s %9s  %s\n", before ? "ANSWERS/S" : "ANSWERS", "5XX",
	    "MEAN", "P50", "P99", "ROUTE");
	json_array_foreach (json_object_get(status, "routes"), i, route)
		print_route(route,
		    same_in(json_object_get(before, "routes"), route, "route"),
		    before ? seconds : 0);
}

static void
print_pools(const json_t *status)
{
	const json_t *pool;
	size_t i;

	printf("%6s %-10s %9s %7s %7s %8s %8s %10s %10s %10s\n", "WORKER", "POOL",
	    "THREADS", "RUNNING", "QUEUED", "REFUSED", "JOBS", "WAIT P99", "RUN P50",
	    "RUN P99");
	json_array_foreach (json_object_get(status, "pools"), i, pool) {
		char of[TEXT_SIZE], jobs[TEXT_SIZE], wait[TEXT_SIZE], p50[TEXT_SIZE],
		    p99[TEXT_SIZE];
		struct times waits, runs;

		times_read(&waits, json_object_get(pool, "wait"), NULL);
		times_read(&runs, json_object_get(pool, "run"), NULL);
		snprintf(of, sizeof(of), "%.0f/%.0f", number(pool, "threads"),
		    number(pool, "threads_max"));
		printf("%6.0f %-10s %9s %7.0f %7.0f %8.0f %8s %10s %10s %10s\n",
		    number(pool, "worker"), text(pool, "pool"), of,
		    number(pool, "running"), number(pool, "queued"),
		    number(pool, "refused"), size_text(runs.count, jobs),
		    time_text(times_quantile(&waits, 0.99), wait),
		    time_text(times_quantile(&runs, 0.5), p50),
		    time_text(times_quantile(&runs, 0.99), p99));
	}
}

/* --- commands ----------------------------------------------------------------------- */

static void
print_status(const json_t *status)
{
	ctl_print_head(status);
	printf("\n");
	ctl_print_workers(status, NULL, 0);
}

static void
print_workers(const json_t *status)
{
	ctl_print_workers(status, NULL, 0);
}

static void
print_routes(const json_t *status)
{
	ctl_print_routes(status, NULL, 0);
}

static void
print_requests(const json_t *list)
{
	const json_t *request;
	size_t i;

	printf("%6s %10s  %-24s %s\n", "WORKER", "AGE", "ID", "REQUEST");
	json_array_foreach (list, i, request) {
		char age[TEXT_SIZE];

		printf("%6.0f %10s  %-24s %s\n", number(request, "worker"),
		    time_text(number(request, "age"), age), text(request, "id"),
		    text(request, "what"));
	}
}

static void
print_text(const json_t *answer)
{
	fputs(json_is_string(answer) ? json_string_value(answer) : "", stdout);
}

/* Ask for `path`; print what comes, as it is with --json. */
static int
show(const struct ctl *ctl, const char *path, const char *part,
    void (*print)(const json_t *answer))
{
	json_t *answer = ctl_ask(ctl, path, NULL);
	const json_t *shown = part != NULL ? json_object_get(answer, part) : answer;

	if (answer == NULL)
		return CTL_FAILED;
	if (ctl->json) {
		json_dumpf(shown, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
		printf("\n");
	} else {
		print(answer);
	}
	json_decref(answer);
	return CTL_OK;
}

int
ctl_status(const struct ctl *ctl, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return show(ctl, "/status", NULL, print_status);
}

int
ctl_workers(const struct ctl *ctl, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return show(ctl, "/status", "workers", print_workers);
}

int
ctl_pools(const struct ctl *ctl, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return show(ctl, "/status", "pools", print_pools);
}

int
ctl_routes(const struct ctl *ctl, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return show(ctl, "/status", "routes", print_routes);
}

int
ctl_requests(const struct ctl *ctl, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return show(ctl, "/requests", NULL, print_requests);
}

int
ctl_config(const struct ctl *ctl, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return show(ctl, "/config", NULL, print_text);
}
