/* SPDX-License-Identifier: MIT */
/*
 * The commands that change something. An order is only given to the server; those that
 * take time are waited for here, by looking at the status until they are done.
 */
#include "config.h"

#include "ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_MS 50

/* Give an order; 0 when the server has taken it. */
static int
order(const struct ctl *ctl, const char *path, const char *form)
{
	json_t *answer = ctl_ask(ctl, path, form);

	if (answer == NULL)
		return CTL_FAILED;
	json_decref(answer);
	return CTL_OK;
}

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Look until done(status, arg) says 1 or -1, or the time is over, or nobody answers: then
 * 0. */
static int
wait_until(const struct ctl *ctl, int (*done)(const json_t *status, void *arg), void *arg)
{
	double end = now_s() + (double)ctl->timeout_ms / 1000;
	int verdict = 0;

	while (verdict == 0 && now_s() < end) {
		json_t *status = ctl_ask(ctl, "/status", NULL);

		if (status == NULL)
			return 0;
		verdict = done(status, arg);
		json_decref(status);
		if (verdict == 0)
			nanosleep(&(struct timespec){ 0, LOOK_MS * 1000000L }, NULL);
	}
	return verdict;
}

static json_int_t
integer(const json_t *status, const char *name)
{
	return json_integer_value(json_object_get(status, name));
}

/* --- reload ------------------------------------------------------------------------- */

struct reloads {
	json_int_t done, failed;
};

static int
reload_done(const json_t *status, void *arg)
{
	const struct reloads *before = arg;

	if (integer(status, "failed_reloads") > before->failed)
		return -1;
	return integer(status, "reloads") > before->done;
}

int
ctl_reload(const struct ctl *ctl, int argc, char **argv)
{
	json_t *status = ctl_ask(ctl, "/status", NULL);
	struct reloads before;
	int verdict;

	(void)argc;
	(void)argv;
	if (status == NULL)
		return CTL_FAILED;
	before = (struct reloads){ integer(status, "reloads"),
		integer(status, "failed_reloads") };
	json_decref(status);
	if (order(ctl, "/reload", "") != CTL_OK)
		return CTL_FAILED;
	verdict = wait_until(ctl, reload_done, &before);
	if (verdict > 0)
		printf("reloaded\n");
	else if (verdict < 0)
		ctl_complain(
		    CTL_FAILED, "the reload failed; the log of the server says why");
	else
		ctl_complain(CTL_FAILED, "no end of the reload was seen in %ld s",
		    ctl->timeout_ms / 1000);
	return verdict > 0 ? CTL_OK : CTL_FAILED;
}

/* --- scale -------------------------------------------------------------------------- */

static int
scale_done(const json_t *status, void *arg)
{
	const json_t *workers = json_object_get(status, "workers"), *worker;
	json_int_t wanted = *(const long *)arg, running = 0;
	size_t i;

	json_array_foreach (workers, i, worker) {
		const char *state = json_string_value(json_object_get(worker, "state"));

		running += state != NULL && strcmp(state, "running") == 0;
	}
	return running == wanted && integer(status, "wanted_workers") == wanted &&
	    (json_int_t)json_array_size(workers) == wanted;
}

int
ctl_scale(const struct ctl *ctl, int argc, char **argv)
{
	char form[64], *end;
	long n;
	int verdict;

	(void)argc;
	n = strtol(argv[0], &end, 10);
	if (*end != '\0' || n < 1)
		return ctl_complain(
		    CTL_USAGE, "scale: %s is no number of workers", argv[0]);
	snprintf(form, sizeof(form), "workers=%ld", n);
	if (order(ctl, "/scale", form) != CTL_OK)
		return CTL_FAILED;
	verdict = wait_until(ctl, scale_done, &n);
	if (verdict <= 0)
		return ctl_complain(CTL_FAILED,
		    "not %ld workers after %ld s; the log of the server says why", n,
		    ctl->timeout_ms / 1000);
	printf("%ld workers\n", n);
	return CTL_OK;
}

/* --- the others --------------------------------------------------------------------- */

int
ctl_drain(const struct ctl *ctl, int argc, char **argv)
{
	bool on = argc == 0 || strcmp(argv[0], "on") == 0;

	if (!on && strcmp(argv[0], "off") != 0)
		return ctl_complain(CTL_USAGE, "drain: on or off, not %s", argv[0]);
	if (order(ctl, "/set-aside", on ? "on=1" : "on=0") != CTL_OK)
		return CTL_FAILED;
	printf(on ? "not ready: load balancers send no more, everything else goes on\n"
		  : "ready again\n");
	return CTL_OK;
}

int
ctl_stop(const struct ctl *ctl, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (order(ctl, "/stop", "") != CTL_OK)
		return CTL_FAILED;
	printf("stopping\n");
	return CTL_OK;
}

int
ctl_reopen_logs(const struct ctl *ctl, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return order(ctl, "/reopen-logs", "");
}

int
ctl_log_level(const struct ctl *ctl, int argc, char **argv)
{
	char form[64];

	(void)argc;
	if (strspn(argv[0], "abcdefghijklmnopqrstuvwxyz") != strlen(argv[0]) ||
	    strlen(argv[0]) > 32)
		return ctl_complain(CTL_USAGE, "log-level: no level %s", argv[0]);
	snprintf(form, sizeof(form), "level=%s", argv[0]);
	if (order(ctl, "/log-level", form) != CTL_OK)
		return CTL_FAILED;
	printf("log level %s\n", argv[0]);
	return CTL_OK;
}
