/* SPDX-License-Identifier: MIT */
/* The library's own options: their table, and the values that are more than a number. */
#include "config.h"

#include "app/settings.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "app/tls_settings.h"
#include "app/topic_bridge.h"
#include "base/cpus.h"
#include "pg/pg.h"

#define MAX_PROCESSES 256
#define MIN_ROOM 16 /* workers that there may be later, at least */
#define MAX_THREADS 1024

/* What is wrong with an address, to follow the quoted text; 0 or -EINVAL. */
static int
address_check(const char *text, char *why)
{
	struct spout__listen_address address;
	char reason[SPOUT__WHY], bare[SPOUT__LISTEN_TEXT], *at;

	spout__listen_split(text, bare);
	if (strncmp(bare, "unix:", 5) != 0 && strchr(bare, ',') != NULL) {
		snprintf(
		    why, SPOUT_OPTION_WHY_SIZE, "has something unknown after the comma");
		return -EINVAL;
	}
	if (spout__listen_parse(bare, &address, reason) == 0)
		return 0;
	at = strstr(reason, "': "); /* it quotes the text first, as our caller does */
	snprintf(
	    why, SPOUT_OPTION_WHY_SIZE, "is no address: %.200s", at ? at + 3 : reason);
	return -EINVAL;
}

static int
parse_listen(const struct spout_option *option, const char *text, bool first,
    char why[SPOUT_OPTION_WHY_SIZE])
{
	struct spout__settings *s = option->into;
	unsigned n = first ? 0 : s->n_listens;

	if (n == SPOUT__LISTENS_MAX) {
		snprintf(why, SPOUT_OPTION_WHY_SIZE,
		    "is one address too many (the limit is %d)", SPOUT__LISTENS_MAX);
		return -EINVAL;
	}
	if (address_check(text, why) != 0)
		return -EINVAL;
	s->listens[n] = text;
	s->n_listens = n + 1;
	return 0;
}

static int
parse_admin(const struct spout_option *option, const char *text, bool first,
    char why[SPOUT_OPTION_WHY_SIZE])
{
	const char **into = option->into;
	char bare[SPOUT__LISTEN_TEXT];

	(void)first;
	*into = *text != '\0' ? text : NULL;
	if (*into && (spout__listen_split(text, bare) & SPOUT__LISTEN_PROXY)) {
		snprintf(why, SPOUT_OPTION_WHY_SIZE, "is not for the PROXY protocol");
		return -EINVAL;
	}
	return *into ? address_check(text, why) : 0;
}

static int
parse_trusted_proxy(const struct spout_option *option, const char *text, bool first,
    char why[SPOUT_OPTION_WHY_SIZE])
{
	struct spout__settings *s = option->into;

	if (first)
		s->trust.n = 0;
	if (s->trust.n == SPOUT__TRUSTED_MAX) {
		snprintf(why, SPOUT_OPTION_WHY_SIZE,
		    "is one network too many (the limit is %u)", SPOUT__TRUSTED_MAX);
		return -EINVAL;
	}
	if (spout__network_parse(text, &s->trust.networks[s->trust.n]) != 0) {
		snprintf(why, SPOUT_OPTION_WHY_SIZE,
		    "is no network such as 10.0.0.0/8, ::1 or unix");
		return -EINVAL;
	}
	s->trust.n++;
	return 0;
}

static int
parse_agent_check(const struct spout_option *option, const char *text, bool first,
    char why[SPOUT_OPTION_WHY_SIZE])
{
	const char **into = option->into;
	char bare[SPOUT__LISTEN_TEXT];

	(void)first;
	*into = *text != '\0' ? text : NULL;
	if (*into && spout__listen_split(text, bare) != 0) {
		snprintf(why, SPOUT_OPTION_WHY_SIZE, "is neither for TLS nor for PROXY");
		return -EINVAL;
	}
	return *into ? address_check(text, why) : 0;
}

/* N or auto (0), at most `max`. */
static int
parse_count_or_auto(const char *text, unsigned max, unsigned *ret, char *why)
{
	uint64_t n;

	if (strcmp(text, "auto") == 0) {
		*ret = 0;
		return 0;
	}
	if (spout__parse_number(text, strlen(text), &n) != 0 || n < 1 || n > max) {
		snprintf(why, SPOUT_OPTION_WHY_SIZE,
		    "is neither a number from 1 to %u nor auto", max);
		return -EINVAL;
	}
	*ret = (unsigned)n;
	return 0;
}

static int
parse_processes(const struct spout_option *option, const char *text, bool first,
    char why[SPOUT_OPTION_WHY_SIZE])
{
	(void)first;
	return parse_count_or_auto(text, MAX_PROCESSES, option->into, why);
}

static int
parse_cpu_threads(const struct spout_option *option, const char *text, bool first,
    char why[SPOUT_OPTION_WHY_SIZE])
{
	(void)first;
	return parse_count_or_auto(text, MAX_THREADS, option->into, why);
}

static int
parse_threads(const struct spout_option *option, const char *text, bool first,
    char why[SPOUT_OPTION_WHY_SIZE])
{
	struct spout__settings *s = option->into;
	const char *dash = strchr(text, '-');
	uint64_t min, max;

	(void)first;
	if (strcmp(text, "auto") == 0) {
		s->threads_min = s->threads_max = 0;
		return 0;
	}
	if (spout__parse_number(
		text, dash ? (size_t)(dash - text) : strlen(text), &min) != 0 ||
	    spout__parse_number(
		dash ? dash + 1 : text, strlen(dash ? dash + 1 : text), &max) != 0 ||
	    min < 1 || max < min || max > MAX_THREADS) {
		snprintf(why, SPOUT_OPTION_WHY_SIZE,
		    "is not N, MIN-MAX (from 1 to %d, MIN not above MAX) or auto",
		    MAX_THREADS);
		return -EINVAL;
	}
	s->threads_min = (unsigned)min;
	s->threads_max = (unsigned)max;
	return 0;
}

/* libpq quotes what it does not understand: a password may be in it. */
static int
database_check(const char *url, char *why)
{
	char reason[SPOUT_OPTION_WHY_SIZE], shown[SPOUT_OPTION_WHY_SIZE - 40];

	if (spout__pg_check_url(url, reason, sizeof(reason)) == 0)
		return 0;
	spout__mask_password(reason, shown, sizeof(shown));
	snprintf(why, SPOUT_OPTION_WHY_SIZE, "is no address of a database: %s", shown);
	return -EINVAL;
}

static int
topic_check(const struct spout__settings *s, char *why)
{
	if (strcmp(s->topic_url, "database") != 0 &&
	    !spout__bridge_redis_valid(s->topic_url))
		snprintf(why, SPOUT_OPTION_WHY_SIZE,
		    "is neither \"database\" nor redis://[:PASSWORD@]HOST[:PORT]");
	else if (strcmp(s->topic_url, "database") == 0 && s->database == NULL)
		snprintf(why, SPOUT_OPTION_WHY_SIZE, "needs --database");
	else
		return 0;
	return -EINVAL;
}

static int
user_check(struct spout__settings *s, char *why)
{
	char reason[SPOUT__WHY];

	if (spout__identity_lookup(s->user, &s->identity, reason) != 0)
		snprintf(why, SPOUT_OPTION_WHY_SIZE, "does not work: %.200s", reason);
	else if (geteuid() != 0 && geteuid() != s->identity.uid && !s->check)
		snprintf(why, SPOUT_OPTION_WHY_SIZE, "needs a start as root");
	else
		return 0;
	return -EINVAL;
}

static int
fail_at(struct spout__options *o, const char *name, const char *text, const char *why)
{
	int i = spout__options_find(o, name, strlen(name));
	char shown[200];

	spout__mask_password(text, shown, sizeof(shown));
	return spout__options_fail(o, "%s: '%s' %s", o->values[i].where, shown, why);
}

/* An empty text in the file or in the environment means "none". */
static void
none_if_empty(const char **text)
{
	if (*text && **text == '\0')
		*text = NULL;
}

/* Pools for 'auto': workers share the cores; blocking threads mostly sleep. */
static void
resolve_auto(struct spout__settings *s)
{
	unsigned cpus = spout__cpu_count();

	if (s->processes == 0)
		s->processes = cpus < MAX_PROCESSES ? cpus : MAX_PROCESSES;
	s->max_processes = 4 * s->processes;
	if (s->max_processes < MIN_ROOM)
		s->max_processes = MIN_ROOM;
	if (s->max_processes > MAX_PROCESSES)
		s->max_processes = MAX_PROCESSES;
	if (s->cpu_threads == 0)
		s->cpu_threads = (cpus + s->processes - 1) / s->processes;
	if (s->threads_max == 0) {
		s->threads_min = 2;
		s->threads_max = 32;
	}
}

/* In `ports` mode worker k serves PORT+k: the last of them must be a port too. */
static int
check_ports(const struct spout__settings *s, struct spout__options *options)
{
	char why[SPOUT__WHY];
	unsigned i;

	if (s->listen_mode != SPOUT__LISTEN_PORTS)
		return 0;
	for (i = 0; i < s->n_listens; i++) {
		struct spout__listen_address address;

		if (spout__listen_parse(s->listens[i], &address, why) != 0 ||
		    spout__listen_port(&address) + s->processes - 1 <= 65535)
			continue;
		snprintf(why, sizeof(why),
		    "and the ports of %u workers behind it go past 65535", s->processes);
		return fail_at(options, "listen", s->listens[i], why);
	}
	return 0;
}

/* Who may speak for others has to be said. */
static int
check_proxied(struct spout__settings *s, struct spout__options *options)
{
	char bare[SPOUT__LISTEN_TEXT];

	for (unsigned i = 0; i < s->n_listens; i++)
		if ((spout__listen_split(s->listens[i], bare) & SPOUT__LISTEN_PROXY) &&
		    s->trust.n == 0)
			return spout__options_fail(options,
			    "'%s' asks for the PROXY protocol, which needs "
			    "--trusted-proxy",
			    s->listens[i]);
	return 0;
}

int
spout__settings_check(struct spout__settings *s, struct spout__options *options)
{
	char why[SPOUT_OPTION_WHY_SIZE];

	none_if_empty(&s->template_path);
	none_if_empty(&s->database);
	none_if_empty(&s->db_password_file);
	none_if_empty(&s->user);
	none_if_empty(&s->pid_file);
	none_if_empty(&s->access_log);
	none_if_empty(&s->cookie_secret_file);
	if (s->database && database_check(s->database, why) != 0)
		return fail_at(options, "database", s->database, why);
	none_if_empty(&s->topic_url);
	if (s->topic_url && topic_check(s, why) != 0)
		return fail_at(options, "topic-url", s->topic_url, why);
	if (s->user && user_check(s, why) != 0)
		return fail_at(options, "user", s->user, why);
	none_if_empty(&s->tls_client_ca);
	if (spout__tls_settings_check(s, options) != 0)
		return -EINVAL;
	if (spout__secret_read(s->cookie_secret_file, s->cookie_secret, why) != 0)
		return s->cookie_secret_file != NULL
		    ? fail_at(options, "cookie-secret-file", s->cookie_secret_file, why)
		    : spout__options_fail(options, "SPOUT_COOKIE_SECRET %s", why);
	if (check_proxied(s, options) != 0)
		return -EINVAL;
	s->trust.header = (enum spout__forwarded_header)s->forwarded_header;
	resolve_auto(s);
	return check_ports(s, options);
}

int
spout__settings_add(struct spout__settings *s, struct spout__options *options)
{
	const struct spout_option rows[] = {
		{ "listen", SPOUT_OPTION_OTHER, s, "127.0.0.1:8888",
		    "ADDR:PORT[,proxy][,tls]",
		    "Serve on this address, or unix:PATH; over TLS with ,tls behind it; "
		    "with ,proxy behind proxies that speak the PROXY protocol. "
		    "May be given several times",
		    .group = "Listening:", .repeat = true, .parse = parse_listen },
		{ "listen-mode", SPOUT_OPTION_CHOICE, &s->listen_mode, "reuseport",
		    "MODE",
		    "reuseport: a socket per worker; shared: one for all; "
		    "ports: worker k serves PORT+k",
		    .choices = "reuseport|shared|ports" },
		{ "admin", SPOUT_OPTION_OTHER, &s->admin, NULL, "ADDR:PORT[,tls]",
		    "Serve /metrics, /healthz and /readyz on this address",
		    .parse = parse_admin },
		{ "agent-check", SPOUT_OPTION_OTHER, &s->agent_check, NULL, "ADDR:PORT",
		    "Tell HAProxy's agent-check our state and weight on this address",
		    .parse = parse_agent_check },
		{ "tls-cert", SPOUT_OPTION_OTHER, s, NULL, "FILE",
		    "Certificate and its chain, PEM, for addresses with ,tls. May be "
		    "given several times: the client's name (SNI) chooses",
		    .group = "TLS:", .repeat = true, .parse = spout__tls_parse_cert },
		{ "tls-key", SPOUT_OPTION_OTHER, s, NULL, "FILE",
		    "Its key, in the same order; none if the certificates' files hold "
		    "them",
		    .repeat = true, .parse = spout__tls_parse_key },
		{ "tls-client-ca", SPOUT_OPTION_TEXT, &s->tls_client_ca, NULL, "FILE",
		    .help =
			"Ask clients for certificates that these authorities signed" },
		{ "tls-client", SPOUT_OPTION_CHOICE, &s->tls_client, "required",
		    "WHETHER",
		    "With --tls-client-ca: clients without one are refused, or not",
		    .choices = "required|optional" },
		{ "tls-min-version", SPOUT_OPTION_CHOICE, &s->tls_min_version, "1.2",
		    "VERSION", "Oldest version of TLS", .choices = "1.2|1.3" },
		{ "processes", SPOUT_OPTION_OTHER, &s->processes, "auto", "N|auto",
		    "Worker processes; auto: one per CPU",
		    .group = "Processes and threads:", .parse = parse_processes },
		{ "threads", SPOUT_OPTION_OTHER, s, "auto", "N|MIN-MAX|auto",
		    "Threads of each worker for blocking work; auto: 2-32",
		    .parse = parse_threads },
		{ "cpu-threads", SPOUT_OPTION_OTHER, &s->cpu_threads, "auto", "N|auto",
		    "Threads of each worker for CPU work; auto: its share of the CPUs",
		    .parse = parse_cpu_threads },
		{ "max-requests", SPOUT_OPTION_NUMBER, &s->max_requests, NULL, "N",
		    "Replace a worker after about so many requests", .min = 1,
		    .max = (uint64_t)1 << 60 },
		{ "max-age", SPOUT_OPTION_DURATION, &s->max_age_ms, NULL, "TIME",
		    "Replace a worker that has served for about so long", .min = 1000,
		    .max = (uint64_t)1 << 40 },
		{ "max-memory", SPOUT_OPTION_SIZE, &s->max_memory_bytes, NULL, "SIZE",
		    "Replace a worker that holds about so much memory", .min = 1 << 20,
		    .max = (uint64_t)1 << 50 },
		{ "stack-kib", SPOUT_OPTION_NUMBER, &s->stack_kib, "256", "N",
		    "Stack of a request handler, KiB", .min = 32, .max = 65536 },
		{ "user", SPOUT_OPTION_TEXT, &s->user, NULL, "USER[:GROUP]",
		    .help = "Become this user after the sockets are open (needs root)" },
		{ "pid-file", SPOUT_OPTION_TEXT, &s->pid_file, NULL, "PATH",
		    .help = "Write the process id here; removed at the end" },
		{ "template-path", SPOUT_OPTION_TEXT, &s->template_path, NULL, "DIR",
		    "The folder of the templates, in place of the program's own",
		    .group = "Templates:" },
		{ "template-reload", SPOUT_OPTION_FLAG, &s->template_reload, "no", NULL,
		    .help = "Compile a template again when its file has changed" },
		{ "static-path", SPOUT_OPTION_TEXT, &s->static_path, NULL, "DIR",
		    .help = "Serve the files below this directory as /static/…",
		    .group = "Files:" },
		{ "database", SPOUT_OPTION_URL, &s->database, NULL, "URL",
		    "PostgreSQL: postgresql://user@host/name. "
		    "DATABASE_URL in the environment, too",
		    .group = "Database:" },
		{ "topic-url", SPOUT_OPTION_URL, &s->topic_url, NULL, "URL",
		    .help = "Share topics with other hosts: 'database', or "
			    "redis://HOST:PORT" },
		{ "db-connections", SPOUT_OPTION_NUMBER, &s->db_connections, "8", "N",
		    "Connections of each worker", .min = 1, .max = 1000 },
		{ "db-pooler", SPOUT_OPTION_CHOICE, &s->db_pooler, "none", "MODE",
		    "transaction: the URL leads to a pooler (pgbouncer) that shares "
		    "sessions between transactions",
		    .choices = "none|transaction" },
		{ "db-min-connections", SPOUT_OPTION_NUMBER, &s->db_min_connections, "0",
		    "N", "Of them kept open without work, too", .min = 0, .max = 1000 },
		{ "db-password-file", SPOUT_OPTION_TEXT, &s->db_password_file, NULL,
		    "PATH",
		    .help = "The password is the first line of this file, read for "
			    "each log-in" },
		{ "db-connect-timeout", SPOUT_OPTION_DURATION, &s->db_connect_timeout_ms,
		    "3s", "TIME", "Longest log-in, of all hosts together", .min = 1,
		    .max = 3600000 },
		{ "db-acquire-timeout", SPOUT_OPTION_DURATION, &s->db_acquire_timeout_ms,
		    "2s", "TIME", "Longest wait for a connection, then 503", .min = 1,
		    .max = 3600000 },
		{ "db-idle-timeout", SPOUT_OPTION_DURATION, &s->db_idle_timeout_ms, "5m",
		    "TIME", "Close a connection without work for this long", .min = 1,
		    .max = 86400000 },
		{ "db-max-lifetime", SPOUT_OPTION_DURATION, &s->db_max_lifetime_ms, "30m",
		    "TIME", "Replace a connection of this age, give or take 10 %",
		    .min = 1, .max = 86400000 },
		{ "db-statement-timeout", SPOUT_OPTION_DURATION,
		    &s->db_statement_timeout_ms, "0", "TIME",
		    "The server ends a statement after this time; 0: when the request "
		    "does",
		    .min = 0, .max = 86400000 },
		{ "db-lock-timeout", SPOUT_OPTION_DURATION, &s->db_lock_timeout_ms, "5s",
		    "TIME", "… and one that waits for a lock", .min = 1,
		    .max = 86400000 },
		{ "db-transaction-timeout", SPOUT_OPTION_DURATION,
		    &s->db_transaction_timeout_ms, "10s", "TIME",
		    "… and a transaction in which nothing happens", .min = 1,
		    .max = 86400000 },
		{ "db-slow-query", SPOUT_OPTION_DURATION, &s->db_slow_query_ms, "0",
		    "TIME", "Log statements that take this long; 0: none", .min = 0,
		    .max = 86400000 },
		{ "db-leak-report", SPOUT_OPTION_DURATION, &s->db_leak_report_ms, "60s",
		    "TIME", "Log who has a connection for this long", .min = 1,
		    .max = 86400000 },
		{ "request-timeout", SPOUT_OPTION_DURATION, &s->request_timeout_ms, "30s",
		    "TIME", "A request that takes longer is answered with 504",
		    .group = "Limits:", .min = 1, .max = 86400000 },
		{ "idle-timeout", SPOUT_OPTION_DURATION, &s->idle_timeout_ms, "75s",
		    "TIME", "Close a connection without a request for this long",
		    .min = 1, .max = 86400000 },
		{ "no-keep-alive", SPOUT_OPTION_FLAG, &s->no_keep_alive, "no", NULL,
		    .help = "Close each connection after its first response" },
		{ "drain-timeout", SPOUT_OPTION_DURATION, &s->drain_timeout_ms, "30s",
		    "TIME", "How long a stop waits for running requests", .min = 0,
		    .max = 86400000 },
		{ "drain-delay", SPOUT_OPTION_DURATION, &s->drain_delay_ms, "0", "TIME",
		    "Before a stop, be unready for so long: load balancers shall see it",
		    .min = 0, .max = 86400000 },
		{ "max-body", SPOUT_OPTION_SIZE, &s->max_body_bytes, "1m", "SIZE",
		    "Largest body of a request", .min = 0, .max = (uint64_t)1 << 40 },
		{ "max-connections", SPOUT_OPTION_NUMBER, &s->max_connections, "10000",
		    "N", "Connections of each worker", .min = 1, .max = 10000000 },
		{ "cookie-secret-file", SPOUT_OPTION_TEXT, &s->cookie_secret_file, NULL,
		    "PATH",
		    "The secret that signs cookies, or a line 'VERSION SECRET' for each; "
		    "SPOUT_COOKIE_SECRET in the environment, too",
		    .group = "Security:" },
		{ "trusted-proxy", SPOUT_OPTION_OTHER, s, NULL, "NETWORK",
		    "Believe what proxies of this network (10.0.0.0/8, ::1, unix) say of "
		    "their clients. May be given several times",
		    .repeat = true, .parse = parse_trusted_proxy },
		{ "forwarded-header", SPOUT_OPTION_CHOICE, &s->forwarded_header,
		    "x-forwarded", "KIND",
		    "Where they say it: X-Forwarded-For and -Proto, or Forwarded",
		    .choices = "x-forwarded|forwarded" },
		{ "log-level", SPOUT_OPTION_CHOICE, &s->log_level, "info", "LEVEL",
		    "debug, info, warning or error",
		    .group = "Logging:", .choices = "debug|info|warning|error" },
		{ "log-format", SPOUT_OPTION_CHOICE, &s->log_format, "text", "FORMAT",
		    "text or json", .choices = "text|json" },
		{ "access-log", SPOUT_OPTION_TEXT, &s->access_log, NULL, "PATH|-",
		    .help = "Append a line per request; - is the standard output" },
		{ "stall-threshold", SPOUT_OPTION_DURATION, &s->stall_threshold_ms,
		    "250ms", "TIME", "Log what holds up the loop for so long; 0: do not",
		    .min = 0, .max = 3600000 },
		{ "config", SPOUT_OPTION_TEXT, &s->config, NULL, "FILE",
		    "Read options from this file", .group = "Other:" },
		{ "debug", SPOUT_OPTION_FLAG, &s->debug, "no", NULL,
		    .help = "For development only: error pages show the source; what "
			    "has changed, a template or the program, is used at once" },
		{ "check", SPOUT_OPTION_FLAG, &s->check, NULL, NULL,
		    "Check the options and the configuration, start nothing",
		    .command_line_only = true },
		{ "print-config", SPOUT_OPTION_FLAG, &s->print_config, NULL, NULL,
		    "Print every option, its value and where it comes from",
		    .command_line_only = true },
		{ "help", SPOUT_OPTION_FLAG, &s->help, NULL, NULL,
		    .help = "Print this page", .command_line_only = true },
		{ "version", SPOUT_OPTION_FLAG, &s->version, NULL, NULL,
		    .help = "Print the version", .command_line_only = true },
		SPOUT_OPTIONS_END,
	};

	_Static_assert(sizeof(rows) <= sizeof(s->rows), "raise SPOUT__SETTINGS_ROWS");
	memcpy(s->rows, rows, sizeof(rows));
	return spout__options_add(options, s->rows);
}
