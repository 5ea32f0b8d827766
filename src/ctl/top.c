/* SPDX-License-Identifier: MIT */
/* spoutctl top: rates of the last interval, again and again, until interrupted. */
#include "config.h"

#include "ctl.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define CLEAR_SCREEN "\033[H\033[2J"

static volatile sig_atomic_t interrupted;

static void
on_interrupt(int signo)
{
	(void)signo;
	interrupted = 1;
}

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Ends early when interrupted. */
static void
rest(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

static void
print_round(const json_t *status, const json_t *before, double seconds)
{
	if (isatty(STDOUT_FILENO))
		fputs(CLEAR_SCREEN, stdout);
	ctl_print_head(status);
	printf("\n");
	ctl_print_workers(status, before, seconds);
	printf("\n");
	ctl_print_routes(status, before, seconds);
	if (!isatty(STDOUT_FILENO))
		printf("\n");
	fflush(stdout);
}

int
ctl_top(const struct ctl *ctl, int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_interrupt };
	json_t *before = ctl_ask(ctl, "/status", NULL), *status;
	double then = now_s();

	(void)argc;
	(void)argv;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	for (long round = 0; before != NULL && (ctl->count == 0 || round < ctl->count);
	     round++) {
		double now;

		rest(ctl->interval_ms);
		if (interrupted)
			break;
		status = ctl_ask(ctl, "/status", NULL);
		if (status == NULL)
			break;
		now = now_s();
		if (ctl->json)
			json_dumpf(status, stdout, JSON_COMPACT);
		else
			print_round(status, before, now - then);
		if (ctl->json) {
			printf("\n");
			fflush(stdout);
		}
		json_decref(before);
		before = status;
		then = now;
	}
	if (before == NULL)
		return CTL_FAILED;
	json_decref(before);
	return interrupted || ctl->count > 0 ? CTL_OK : CTL_FAILED;
}
