/* SPDX-License-Identifier: MIT */
/* spoutctl: looks into a running server and gives it orders; see spoutctl(1). */
#include "config.h"

#include "ctl.h"

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

static const struct command {
	const char *name, *words, *help;
	int least, most; /* words that follow */
	int (*run)(const struct ctl *ctl, int argc, char **argv);
} commands[] = {
	{ "status", "", "what the server is doing, and its workers", 0, 0, ctl_status },
	{ "top", "", "rates of the last second, again and again", 0, 0, ctl_top },
	{ "workers", "", "the worker processes", 0, 0, ctl_workers },
	{ "routes", "", "answers and times by route", 0, 0, ctl_routes },
	{ "pools", "", "the thread pools", 0, 0, ctl_pools },
	{ "requests", "", "requests in flight, the oldest first", 0, 0, ctl_requests },
	{ "config", "", "the configuration in use", 0, 0, ctl_config },
	{ "reload", "", "replace the workers, with the configuration read anew", 0, 0,
	    ctl_reload },
	{ "scale", "N", "have N workers", 1, 1, ctl_scale },
	{ "drain", "[on|off]", "not ready, so that load balancers send no more", 0, 1,
	    ctl_drain },
	{ "log-level", "LEVEL", "debug, info, warning, error; configured: as before", 1,
	    1, ctl_log_level },
	{ "reopen-logs", "", "open the log files anew", 0, 0, ctl_reopen_logs },
	{ "stop", "", "stop gracefully", 0, 0, ctl_stop },
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

int
ctl_complain(int status, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "spoutctl: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

static int
help(void)
{
	printf("Usage: spoutctl [OPTION]... COMMAND [ARGUMENT]\n"
	       "Look into a running server, or give it an order.\n\n");
	for (size_t i = 0; i < N_COMMANDS; i++) {
		char call[40];

		snprintf(
		    call, sizeof(call), "%s %s", commands[i].name, commands[i].words);
		printf("  %-22s %s\n", call, commands[i].help);
	}
	printf("\n"
	       "      --admin ADDRESS   the server's --admin: HOST:PORT,\n"
	       "                        https://HOST:PORT or unix:PATH [$SPOUT_ADMIN]\n"
	       "      --ca-file FILE    whom to trust over https [the system's]\n"
	       "      --json            print the answer as JSON\n"
	       "      --interval TIME   of top, in seconds [1]\n"
	       "      --count N         rounds of top [until interrupted]\n"
	       "      --timeout TIME    of an answer and of an order, in seconds [60]\n"
	       "      --help            print this page\n"
	       "      --version         print the version\n");
	return CTL_OK;
}

/* Seconds, with a fraction perhaps, as milliseconds; -1: no such time. */
static long
milliseconds(const char *text)
{
	char *end;
	double s = strtod(text, &end);

	return *text == '\0' || *end != '\0' || !(s >= 0.001 && s <= 86400)
	    ? -1
	    : (long)(s * 1000);
}

enum { OPT_ADMIN = 256, OPT_CA, OPT_JSON, OPT_INTERVAL, OPT_COUNT, OPT_TIMEOUT, OPT_HELP,
	OPT_VERSION };

static const struct option options[] = {
	{ "admin", required_argument, NULL, OPT_ADMIN },
	{ "ca-file", required_argument, NULL, OPT_CA },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "interval", required_argument, NULL, OPT_INTERVAL },
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

/* Returns -1 to go on, else the exit status. */
static int
take_option(struct ctl *ctl, int option)
{
	char *end;

	switch (option) {
	case OPT_ADMIN: ctl->admin = optarg; return -1;
	case OPT_CA: ctl->ca_file = optarg; return -1;
	case OPT_JSON: ctl->json = true; return -1;
	case OPT_INTERVAL:
		ctl->interval_ms = milliseconds(optarg);
		return ctl->interval_ms > 0
		    ? -1
		    : ctl_complain(CTL_USAGE, "--interval: no time: %s", optarg);
	case OPT_COUNT:
		ctl->count = strtol(optarg, &end, 10);
		return *end == '\0' && ctl->count > 0
		    ? -1
		    : ctl_complain(CTL_USAGE, "--count: no number: %s", optarg);
	case OPT_TIMEOUT:
		ctl->timeout_ms = milliseconds(optarg);
		return ctl->timeout_ms > 0
		    ? -1
		    : ctl_complain(CTL_USAGE, "--timeout: no time: %s", optarg);
	case OPT_HELP: return help();
	case OPT_VERSION:
		printf("spoutctl " PACKAGE_VERSION "\n");
		return CTL_OK;
	default: return CTL_USAGE; /* getopt has said what is wrong */
	}
}

static int
run(const struct ctl *ctl, int argc, char **argv)
{
	if (argc == 0)
		return ctl_complain(CTL_USAGE, "which command? Try --help");
	for (size_t i = 0; i < N_COMMANDS; i++) {
		const struct command *c = &commands[i];

		if (strcmp(c->name, argv[0]) != 0)
			continue;
		if (argc - 1 < c->least || argc - 1 > c->most)
			return ctl_complain(CTL_USAGE, "usage: %s %s", c->name, c->words);
		if (ctl->admin == NULL || *ctl->admin == '\0')
			return ctl_complain(CTL_USAGE,
			    "which server? Say --admin ADDRESS, or set SPOUT_ADMIN");
		return c->run(ctl, argc - 1, argv + 1);
	}
	return ctl_complain(CTL_USAGE, "no command %s; try --help", argv[0]);
}

int
main(int argc, char **argv)
{
	struct ctl ctl = { .admin = getenv("SPOUT_ADMIN"),
		.interval_ms = 1000,
		.timeout_ms = 60000 };
	int option, status = -1;

	setlocale(LC_CTYPE, "");
	while (status < 0 &&
	    (option = getopt_long(argc, argv, "", options, NULL)) != -1)
		status = take_option(&ctl, option);
	if (status < 0) {
		curl_global_init(CURL_GLOBAL_DEFAULT);
		status = run(&ctl, argc - optind, argv + optind);
		curl_global_cleanup();
	}
	if (fflush(stdout) != 0 || ferror(stdout))
		return ctl_complain(CTL_FAILED, "standard output: %s", strerror(errno));
	return status;
}
