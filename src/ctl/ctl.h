/* SPDX-License-Identifier: MIT */
/* What the files of spoutctl share: the server that it talks to, and its commands. */
#ifndef SPOUT_CTL_H
#define SPOUT_CTL_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

enum { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

struct ctl {
	const char *admin;   /* "HOST:PORT", "http://…", "https://…" or "unix:PATH" */
	const char *ca_file; /* NULL: the system's */
	bool json;           /* print what the server said */
	long interval_ms;    /* top */
	long count;          /* top: rounds; 0: until interrupted */
	long timeout_ms;     /* of a request, and of what an order begins */
};

/** "spoutctl: …" on stderr. Returns `status`. */
int ctl_complain(int status, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* connect.c */

/**
 * Ask the server. `form`: NULL for GET, else the body of a POST. Returns its JSON (or, if
 * it is not JSON, a JSON string), to be freed by json_decref(); NULL after a complaint.
 */
json_t *ctl_ask(const struct ctl *ctl, const char *path, const char *form);

/* Commands: `argc` words follow the name. Return the exit status. */
int ctl_status(const struct ctl *ctl, int argc, char **argv);
int ctl_workers(const struct ctl *ctl, int argc, char **argv);
int ctl_pools(const struct ctl *ctl, int argc, char **argv);
int ctl_routes(const struct ctl *ctl, int argc, char **argv);
int ctl_requests(const struct ctl *ctl, int argc, char **argv);
int ctl_config(const struct ctl *ctl, int argc, char **argv);
int ctl_top(const struct ctl *ctl, int argc, char **argv);
int ctl_reload(const struct ctl *ctl, int argc, char **argv);
int ctl_scale(const struct ctl *ctl, int argc, char **argv);
int ctl_drain(const struct ctl *ctl, int argc, char **argv);
int ctl_stop(const struct ctl *ctl, int argc, char **argv);
int ctl_reopen_logs(const struct ctl *ctl, int argc, char **argv);
int ctl_log_level(const struct ctl *ctl, int argc, char **argv);

/* show.c */

/** Print what status said: head, workers. `before` (may be NULL) is what it said
 * `seconds` ago: then there are rates. */
void ctl_print_workers(const json_t *status, const json_t *before, double seconds);
void ctl_print_head(const json_t *status);
void ctl_print_routes(const json_t *status, const json_t *before, double seconds);
/** A figure of a worker, 0 if it has none. */
double ctl_figure(const json_t *worker, const char *name);

#endif
