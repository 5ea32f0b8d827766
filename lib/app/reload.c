/* SPDX-License-Identifier: MIT */
/*
 * The configuration, read again while the program runs (SIGHUP), and the access log,
 * opened again (SIGUSR1). In the supervisor: workers forked afterwards have what it read.
 *
 * Only options that concern what a worker makes for itself may change. A change of any
 * other, those of the application included, is refused as a whole: the program never
 * runs with half of a file. So the options of the application are only compared, and
 * nothing is written to its variables.
 */
#include "config.h"

#include <spout/template.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/program.h"
#include "base/log.h"
#include "web/web.h"

extern char **environ;

/* A configuration, with the texts that its settings point to. */
struct configuration {
	struct spout__settings settings;
	struct spout__options options;
	/* The application's rows, and where their values go instead. */
	struct spout_option rows[SPOUT__OPTIONS_MAX + 1];
	uint64_t values[SPOUT__OPTIONS_MAX];
};

/* `current` is NULL as long as that of the start is in force. `before` is what to put
 * back while a reload is going on. */
static struct configuration *current, *next;
static struct spout__settings before;

static const char *const may_change[] = { "threads", "cpu-threads", "stack-kib",
	"database", "db-connections", "db-password-file", "db-connect-timeout",
	"db-pooler", "db-min-connections", "db-statement-timeout", "db-lock-timeout",
	"db-transaction-timeout", "db-slow-query", "db-leak-report",
	"db-acquire-timeout", "db-idle-timeout", "db-max-lifetime", "request-timeout",
	"idle-timeout", "no-keep-alive", "max-body", "max-connections",
	"cookie-secret-file", "trusted-proxy", "forwarded-header", "log-level",
	"log-format", "stall-threshold" };

static bool
is_fixed(const char *name)
{
	for (size_t i = 0; i < sizeof(may_change) / sizeof(may_change[0]); i++)
		if (strcmp(may_change[i], name) == 0)
			return false;
	return true;
}

static void
configuration_free(struct configuration *c)
{
	if (c != NULL)
		spout__options_release(&c->options);
	free(c);
}

static int
parse_anything(const struct spout_option *option, const char *text, bool first,
    char why[SPOUT_OPTION_WHY_SIZE])
{
	(void)option;
	(void)text;
	(void)first;
	(void)why;
	return 0;
}

static void
copy_rows(struct configuration *c, const struct spout_option *table)
{
	for (unsigned i = 0; table && table[i].name && i < SPOUT__OPTIONS_MAX; i++) {
		c->rows[i] = table[i];
		c->rows[i].into = &c->values[i];
		if (table[i].type == SPOUT_OPTION_OTHER)
			c->rows[i].parse = parse_anything;
	}
}

static bool
same_texts(const struct spout__option_value *a, const struct spout__option_value *b)
{
	if (a->n_texts != b->n_texts)
		return false;
	for (unsigned k = 0; k < a->n_texts; k++)
		if (strcmp(a->texts[k], b->texts[k]) != 0)
			return false;
	return true;
}

/* The tables are the same, so are the indices. */
static int
check_fixed(const struct spout__options *start, struct spout__options *o)
{
	for (unsigned i = 0; i < o->n; i++)
		if (is_fixed(o->rows[i]->name) &&
		    !same_texts(&start->values[i], &o->values[i]))
			return spout__options_fail(o,
			    "'%s' has changed, which takes a restart", o->rows[i]->name);
	return 0;
}

static int
check_templates(const struct spout__program *program, struct spout__options *o)
{
	char why[SPOUT_TEMPLATE_WHY_SIZE];

	if (spout__web_check_templates(&program->app, why) != 0)
		return spout__options_fail(o, "templates: %s", why);
	return 0;
}

/* What does not come from the file stays: it is decided once, at the start. */
static void
carry_over(const struct spout__program *program, struct spout__settings *s)
{
	const struct spout__settings *old = &program->settings;

	s->processes = old->processes;
	s->max_processes = old->max_processes;
	s->identity = old->identity;
	if (s->cookie_secret_file == NULL && old->cookie_secret_file == NULL)
		memcpy(s->cookie_secret, old->cookie_secret, sizeof(s->cookie_secret));
}

static int
configuration_read(const struct spout__program *program, struct configuration *c)
{
	struct spout__options *o = &c->options;

	spout__options_init(o, program->app.name, program->app.description);
	copy_rows(c, program->app.options);
	if (spout__settings_add(&c->settings, o) != 0 ||
	    spout__options_add(o, c->rows) != 0 ||
	    spout__options_parse(o, program->argc, program->argv, environ) != 0 ||
	    check_fixed(&program->options, o) != 0 ||
	    spout__settings_check(&c->settings, o) != 0 ||
	    check_templates(program, o) != 0)
		return -EINVAL;
	spout__program_apply_asked(program, &c->settings, o);
	carry_over(program, &c->settings);
	return 0;
}

static void
settings_use(struct spout__program *program, const struct spout__settings *s)
{
	program->settings = *s;
	spout__program_apply_secret(program);
	spout__program_configure_log(program);
}

int
spout__program_reload(void *arg)
{
	struct spout__program *program = arg;

	next = calloc(1, sizeof(*next));
	if (next == NULL || configuration_read(program, next) != 0) {
		spout_error_log("reload: refused, the workers go on as they are: %s",
		    next != NULL ? next->options.error : "out of memory");
		configuration_free(next);
		next = NULL;
		return -EINVAL;
	}
	before = program->settings;
	settings_use(program, &next->settings);
	return 0;
}

void
spout__program_reload_end(void *arg, bool taken)
{
	if (taken) {
		configuration_free(current);
		current = next;
	} else {
		settings_use(arg, &before);
		configuration_free(next);
	}
	next = NULL;
}

void
spout__program_reload_release(void)
{
	configuration_free(next);
	configuration_free(current);
	next = current = NULL;
}

int
spout__program_reopen(void *arg)
{
	struct spout__program *program = arg;
	const char *path = program->settings.access_log;
	int fd;

	if (path == NULL || strcmp(path, "-") == 0)
		return -1;
	fd = spout__program_open_access_log(program);
	if (fd < 0 || dup3(fd, program->access_log_fd, O_CLOEXEC) < 0) {
		spout_error_log("access log %s stays the old one: %s", path,
		    strerror(fd < 0 ? -fd : errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	close(fd);
	spout_info("access log %s: opened anew", path);
	return program->access_log_fd;
}
