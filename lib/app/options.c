/* SPDX-License-Identifier: MIT */
/*
 * The registry of options: adding tables, setting values by precedence, printing. The
 * sources are option_argv.c, option_env.c and option_file.c; the types option_value.c.
 */
#include "config.h"

#include "app/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ARGUMENTS 256

static const char *const origin_names[] = {
	[SPOUT__FROM_NOWHERE] = "not set",
	[SPOUT__FROM_DEFAULT] = "default",
	[SPOUT__FROM_FILE] = "file",
	[SPOUT__FROM_ENVIRONMENT] = "environment",
	[SPOUT__FROM_COMMAND_LINE] = "command line",
};

void
spout__options_init(struct spout__options *o, const char *program, const char *about)
{
	memset(o, 0, sizeof(*o));
	o->program = program;
	o->about = about;
}

int
spout__options_fail(struct spout__options *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(o->error, sizeof(o->error), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static char
name_char(char c)
{
	return c == '_' ? '-' : c;
}

int
spout__options_find(const struct spout__options *o, const char *name, size_t len)
{
	for (unsigned i = 0; i < o->n; i++) {
		const char *row = o->rows[i]->name;
		size_t k = 0;

		while (
		    k < len && row[k] != '\0' && name_char(row[k]) == name_char(name[k]))
			k++;
		if (k == len && row[k] == '\0')
			return (int)i;
	}
	return -1;
}

int
spout__options_add(struct spout__options *o, const struct spout_option *table)
{
	for (const struct spout_option *row = table; row && row->name; row++) {
		unsigned i = o->n;
		int error;

		if (spout__options_find(o, row->name, strlen(row->name)) >= 0) {
			spout__options_fail(o, "option --%s is defined twice", row->name);
			return -EEXIST;
		}
		if (o->n == SPOUT__OPTIONS_MAX) {
			spout__options_fail(
			    o, "more than %d options", SPOUT__OPTIONS_MAX);
			return -ENOSPC;
		}
		o->rows[o->n++] = row;
		if (row->otherwise == NULL)
			continue;
		error = spout__options_set(
		    o, i, SPOUT__FROM_DEFAULT, "default", row->otherwise);
		if (error)
			return error;
	}
	return 0;
}

static void
value_clear(struct spout__option_value *value)
{
	for (unsigned k = 0; k < value->n_texts; k++)
		free(value->texts[k]);
	value->n_texts = 0;
}

/*
 * Values arrive weakest source first. The text is kept: options of type text point to it.
 */
int
spout__options_set(struct spout__options *o, unsigned i, enum spout__origin origin,
    const char *where, const char *text)
{
	const struct spout_option *row = o->rows[i];
	struct spout__option_value *value = &o->values[i];
	char why[SPOUT_OPTION_WHY_SIZE] = "";
	bool first = !row->repeat || origin != value->origin;
	char *copy;

	if (!first && value->n_texts == SPOUT__OPTION_TEXTS_MAX)
		return spout__options_fail(
		    o, "%s: more than %d values", where, SPOUT__OPTION_TEXTS_MAX);
	copy = strdup(text);
	if (copy == NULL) {
		spout__options_fail(o, "%s: out of memory", where);
		return -ENOMEM;
	}
	if (spout__option_parse(row, copy, first, why) != 0) {
		char shown[160];

		if (row->type == SPOUT_OPTION_URL)
			spout__mask_password(text, shown, sizeof(shown));
		else
			snprintf(shown, sizeof(shown), "%s", text);
		free(copy);
		return spout__options_fail(o, "%s: '%s' %s", where, shown, why);
	}
	if (first)
		value_clear(value);
	value->texts[value->n_texts++] = copy;
	value->origin = origin;
	snprintf(value->where, sizeof(value->where), "%s", where);
	return 0;
}

static int
arguments_apply(
    struct spout__options *o, const struct spout__argument *arguments, unsigned n)
{
	for (unsigned k = 0; k < n; k++) {
		const struct spout_option *row = o->rows[arguments[k].option];
		const char *text = arguments[k].text ? arguments[k].text : "yes";
		char where[80];
		int error;

		snprintf(where, sizeof(where), "--%s", row->name);
		error = spout__options_set(
		    o, arguments[k].option, SPOUT__FROM_COMMAND_LINE, where, text);
		if (error)
			return error;
	}
	return 0;
}

/* The value of `name` on the command line, or NULL. */
static const char *
argument_named(const struct spout__options *o, const struct spout__argument *arguments,
    unsigned n, const char *name)
{
	const char *found = NULL;

	for (unsigned k = 0; k < n; k++) {
		if (strcmp(o->rows[arguments[k].option]->name, name) == 0)
			found = arguments[k].text ? arguments[k].text : "yes";
	}
	return found;
}

static const char *
environment_config(char **envp)
{
	static const char name[] = "SPOUT_CONFIG=";

	for (; envp && *envp; envp++) {
		if (strncmp(*envp, name, sizeof(name) - 1) == 0)
			return *envp + sizeof(name) - 1;
	}
	return NULL;
}

int
spout__options_parse(struct spout__options *o, int argc, char **argv, char **envp)
{
	struct spout__argument arguments[MAX_ARGUMENTS];
	const char *path;
	unsigned n = 0;
	int error;

	error =
	    spout__options_read_arguments(o, argc, argv, arguments, MAX_ARGUMENTS, &n);
	if (error)
		return error;
	if (argument_named(o, arguments, n, "help") ||
	    argument_named(o, arguments, n, "version"))
		return arguments_apply(o, arguments, n);
	path = argument_named(o, arguments, n, "config");
	if (path == NULL)
		path = environment_config(envp);
	if (path && *path != '\0') {
		error = spout__options_read_file(o, path);
		if (error)
			return error;
	}
	error = spout__options_read_environment(o, envp);
	if (error)
		return error;
	return arguments_apply(o, arguments, n);
}

static void
value_print(const struct spout_option *row, const struct spout__option_value *value,
    const char *text, FILE *to)
{
	char shown[1024], line[1200];

	if (row->type == SPOUT_OPTION_URL)
		spout__mask_password(text, shown, sizeof(shown));
	else
		snprintf(shown, sizeof(shown), "%s", text);
	snprintf(line, sizeof(line), "%s%s = %s",
	    strcmp(row->name, "config") == 0 ? "# " : "", /* a file names no other */
	    row->name, shown);
	if (value->origin == SPOUT__FROM_FILE || value->origin == SPOUT__FROM_ENVIRONMENT)
		fprintf(to, "%-39s # %s %s\n", line, origin_names[value->origin],
		    value->where);
	else
		fprintf(to, "%-39s # %s\n", line, origin_names[value->origin]);
}

void
spout__options_print(const struct spout__options *o, FILE *to)
{
	for (unsigned i = 0; i < o->n; i++) {
		const struct spout_option *row = o->rows[i];
		const struct spout__option_value *value = &o->values[i];

		if (row->command_line_only)
			continue;
		if (value->n_texts == 0)
			fprintf(
			    to, "# %-37s # %s\n", row->name, origin_names[value->origin]);
		for (unsigned k = 0; k < value->n_texts; k++)
			value_print(row, value, value->texts[k], to);
	}
}

void
spout__options_release(struct spout__options *o)
{
	for (unsigned i = 0; i < o->n; i++)
		value_clear(&o->values[i]);
	o->n = 0;
}
