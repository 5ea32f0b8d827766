/* SPDX-License-Identifier: MIT */
/*
 * spout_main(): options, then everything that is made once before the fork, then the
 * supervisor. Messages of this part go to stderr, one line each, with the program's name.
 */
#include "config.h"

#include <spout/app.h>
#include <spout/template.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "app/program.h"
#include "app/rebuilt.h"
#include "app/tls_settings.h"
#include "app/worker.h"
#include "base/log.h"
#include "supervisor/supervisor.h"
#include "web/web.h"

extern char **environ;

enum { EXIT_USAGE = 2 };

/* How long an address in use is tried again, and how often. */
#define ADDRESS_PATIENCE_MS 1000
#define ADDRESS_PAUSE_MS 20

/* Who waits for the new program wants to see it soon. */
#define DEBUG_DRAIN_MS 2000

/* What spout__worker_main and its hooks refer to: lives as long as the process. */
static struct spout__program program = { .admin_listener = -1,
	.agent_listener = -1,
	.access_log_fd = -1 };

static int
complain(int status, const char *fmt, ...)
{
	char line[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s: %s\n", program.app.name, line);
	return status;
}

static int
print_version(void)
{
	if (program.app.version)
		printf("%s %s (Spout %s)\n", program.app.name, program.app.version,
		    PACKAGE_VERSION);
	else
		printf("%s (Spout %s)\n", program.app.name, PACKAGE_VERSION);
	return 0;
}

/* --- options ---------------------------------------------------------------------- */

/* What options override in the application's own description. */
static void
apply_options(void)
{
	struct spout_app *app = &program.app;

	program.asked.request_timeout_ms = app->request_timeout_ms;
	program.asked.max_body_bytes = app->max_body_bytes;
	spout__program_apply_asked(&program, &program.settings, &program.options);
	if (program.settings.template_path != NULL) {
		app->template_path = program.settings.template_path;
		app->template_programs = NULL; /* files come instead */
	}
	app->debug = app->debug || program.settings.debug;
	app->template_reload = app->template_reload || app->debug ||
	    program.settings.template_reload;
	if (app->debug && !spout__option_given(&program.options, "drain-timeout"))
		program.settings.drain_timeout_ms = DEBUG_DRAIN_MS;
	app->request_timeout_ms = 0;
	app->max_body_bytes = 0;
}

/* Returns 0, or EXIT_USAGE after having complained. */
static int
read_options(int argc, char **argv)
{
	struct spout__options *o = &program.options;

	spout__options_init(o, program.app.name, program.app.description);
	if (spout__settings_add(&program.settings, o) != 0 ||
	    spout__options_add(o, program.app.options) != 0 ||
	    spout__options_parse(o, argc, argv, environ) != 0)
		return complain(EXIT_USAGE, "%s", o->error);
	if (program.settings.help || program.settings.version)
		return 0;
	if (spout__settings_check(&program.settings, o) != 0)
		return complain(EXIT_USAGE, "%s", o->error);
	apply_options();
	return 0;
}

/* --- before the fork -------------------------------------------------------------- */

/*
 * Whoever starts us may have closed 0, 1 or 2. A socket that took such a number would get
 * the log, or what a library prints.
 */
static void
fill_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* Descriptors are what a server runs out of first: take all that may be had. */
static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* The application's part: what it loads, and whether its routes make sense. */
static int
prepare_app(void)
{
	char why[SPOUT__ROUTER_WHY_SIZE], wrong[SPOUT_TEMPLATE_WHY_SIZE];
	int error = program.app.preload ? program.app.preload(&program.app) : 0;

	if (error < 0)
		return complain(1, "preload: %s", strerror(-error));
	program.asked.cookie_secret = program.app.cookie_secret;
	spout__program_apply_secret(&program);
	if (program.settings.static_path != NULL && *program.settings.static_path)
		program.app.static_path = program.settings.static_path;
	if (spout__web_check(&program.app, why) != 0)
		return complain(1, "%s", why);
	if (spout__web_check_templates(&program.app, wrong) != 0)
		return complain(1, "templates: %s", wrong);
	return 0;
}

/* Read while we may: workers perhaps become somebody else. */
static int
load_certificates(void)
{
	char why[SPOUT__WHY];

	if (spout__tls_settings_load(&program.settings, &program.tls, why) != 0)
		return complain(EXIT_USAGE, "TLS: %s", why);
	return 0;
}

static int
open_access_log(void)
{
	const char *path = program.settings.access_log;
	int fd = path != NULL ? spout__program_open_access_log(&program) : -1;

	if (path != NULL && fd < 0)
		return complain(1, "access log %s: %s", path, strerror(-fd));
	program.access_log_fd = fd;
	return 0;
}

/*
 * Workers outlive a supervisor that was killed by some milliseconds and hold its
 * addresses: who is started again at once waits for them a little.
 */
static int
open_patiently(struct spout__listeners *listeners, const struct spout__listen_spec *specs,
    unsigned n_specs, char why[SPOUT__WHY])
{
	const struct timespec pause = { .tv_nsec = ADDRESS_PAUSE_MS * 1000000L };
	unsigned waited_ms = 0;
	int rc;

	while ((rc = spout__listeners_open(
		    listeners, specs, n_specs, program.settings.processes, why)) ==
		-EADDRINUSE && waited_ms < ADDRESS_PATIENCE_MS) {
		nanosleep(&pause, NULL);
		waited_ms += ADDRESS_PAUSE_MS;
	}
	return rc;
}

/* One address to listen on, the n-th. */
static struct spout__listen_spec
listen_spec(const char *text, unsigned n, char bare[SPOUT__LISTEN_TEXT])
{
	struct spout__listen_spec spec = { .text = bare };
	unsigned how = spout__listen_split(text, bare);
	bool tls = how & SPOUT__LISTEN_TLS;

	if (tls)
		program.over_tls |= (uint64_t)1 << n;
	if (how & SPOUT__LISTEN_PROXY)
		program.proxied |= (uint64_t)1 << n;
	spec.mode = (enum spout__listen_mode)program.settings.listen_mode;
	spec.announce = tls ? "listening on https://" : "listening on http://";
	return spec;
}

static struct spout__listen_spec
admin_spec(const char *text, unsigned n, char bare[SPOUT__LISTEN_TEXT])
{
	struct spout__listen_spec spec = listen_spec(text, n, bare);
	bool tls = program.over_tls >> n & 1;

	program.admin_listener = (int)n;
	spec.mode = SPOUT__LISTEN_SHARED;
	spec.unix_mode = 0660;
	spec.announce = tls ? "admin listening on https://"
			    : "admin listening on http://";
	spec.to_the_end = true;
	return spec;
}

static int
open_listeners(struct spout__listeners *listeners)
{
	const struct spout__settings *s = &program.settings;
	struct spout__listen_spec specs[SPOUT__LISTENS_MAX + 2] = { 0 };
	char bare[SPOUT__LISTENS_MAX + 2][SPOUT__LISTEN_TEXT], why[SPOUT__WHY];
	unsigned n = 0;

	/* The default address is for a program that got no other, from systemd either. */
	if (spout__option_given(&program.options, "listen") ||
	    spout__listeners_inherited() == 0) {
		for (; n < s->n_listens; n++)
			specs[n] = listen_spec(s->listens[n], n, bare[n]);
	}
	if (s->admin) {
		specs[n] = admin_spec(s->admin, n, bare[n]);
		n++;
	}
	if (s->agent_check) {
		program.agent_listener = (int)n;
		specs[n] = listen_spec(s->agent_check, n, bare[n]);
		specs[n].mode = SPOUT__LISTEN_SHARED;
		specs[n].announce = "agent check on ";
		specs[n++].to_the_end = true;
	}
	if (open_patiently(listeners, specs, n, why) != 0)
		return complain(1, "%s", why);
	return 0;
}

/* What systemd has handed over would be lost: then the program stays as it is. */
static void
begin_debug_mode(void)
{
	int fd = -ENOTSUP;

	spout_warning("debug mode: error pages show the source and the request; not for "
		      "the public");
	if (spout__listeners_inherited() == 0)
		fd = spout__rebuilt_watch(&program);
	if (fd < 0)
		spout_warning(
		    "debug mode: a new build is not noticed: %s", strerror(-fd));
	else
		program.watched_fd = fd;
}

static bool
on_rebuilt(void *arg)
{
	(void)arg;
	program.rebuilt = spout__rebuilt_is_there(program.watched_fd);
	if (program.rebuilt)
		spout_info("debug mode: the program was built anew: starting it");
	return program.rebuilt;
}

static int
supervise(struct spout__listeners *listeners, struct spout__scoreboard *board)
{
	const struct spout__settings *s = &program.settings;
	struct spout__supervisor_options options = {
		.n_workers = s->processes,
		.max_workers = s->max_processes,
		.listeners = listeners,
		.board = board,
		.worker_main = spout__worker_main,
		.arg = &program,
		.peers = true,
		.on_reload = spout__program_reload,
		.on_reload_end = spout__program_reload_end,
		.on_reopen = spout__program_reopen,
		.watched_fd = program.watched_fd,
		.on_watched = on_rebuilt,
		.argv = program.argv,
		.on_exec = spout__program_before_exec,
		.run_as = s->user ? &s->identity : NULL,
		.pid_file = s->pid_file,
		.max_requests = s->max_requests,
		.max_age_ms = s->max_age_ms,
		.max_memory_bytes = s->max_memory_bytes,
		.drain_delay_ms = s->drain_delay_ms,
		.drain_timeout_ms = s->drain_timeout_ms > 0 ? s->drain_timeout_ms : 1,
		.kill_grace_ms = SPOUT__STOP_GRACE_MS,
	};

	return spout__supervisor_run(&options);
}

static int
run(void)
{
	struct spout__listeners listeners = { 0 };
	struct spout__scoreboard *board;
	int status = open_access_log();

	if (status)
		return status;
	raise_descriptor_limit();
	if (program.app.debug)
		begin_debug_mode();
	status = open_listeners(&listeners);
	if (status)
		return status;
	if (program.settings.max_processes < listeners.n_slots)
		program.settings.max_processes = listeners.n_slots;
	board = spout__scoreboard_new(program.settings.max_processes);
	if (board == NULL)
		status = complain(1, "no shared memory: %s", strerror(errno));
	else
		status = supervise(&listeners, board);
	if (board)
		spout__scoreboard_free(board);
	spout__listeners_close(&listeners);
	if (program.access_log_fd >= 0)
		close(program.access_log_fd);
	return status;
}

/* The options are fine: do what they say. */
static int
obey(void)
{
	int status;

	if (program.settings.help)
		spout__options_help(&program.options, stdout);
	else if (program.settings.version)
		print_version();
	else if (program.settings.print_config)
		spout__options_print(&program.options, stdout);
	if (fflush(stdout) != 0 || ferror(stdout))
		return complain(1, "standard output: %s", strerror(errno));
	if (program.settings.help || program.settings.version ||
	    (program.settings.print_config && !program.settings.check))
		return 0;
	spout__program_configure_log(&program);
	status = load_certificates();
	if (status == 0)
		status = prepare_app();
	if (program.settings.check)
		return status ? EXIT_USAGE : 0;
	return status ? status : run();
}

int
spout_main_with(int argc, char **argv, struct spout_app *app, size_t app_size)
{
	size_t known = app_size < sizeof(program.app) ? app_size : sizeof(program.app);
	int status;

	fill_standard_descriptors();
	program.argc = argc;
	program.argv = argv;
	memcpy(&program.app, app, known);
	if (program.app.name == NULL)
		program.app.name = "spout";
	if (app_size > sizeof(program.app))
		return complain(
		    1, "was built for a newer libspout than " PACKAGE_VERSION);
	status = read_options(argc, argv);
	if (status == 0)
		status = obey();
	spout_tls_free(program.tls);
	program.tls = NULL;
	spout__program_reload_release();
	if (program.rebuilt)
		status = complain(1, "the new program: %s",
		    strerror(-spout__rebuilt_execute(&program)));
	spout__options_release(&program.options);
	return status;
}
