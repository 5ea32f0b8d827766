/* SPDX-License-Identifier: MIT */
/*
 * The command line and --help, by argp. The rows become an argp table with keys
 * FIRST_KEY + index; argp's own messages are off, because they take two lines: what is
 * wrong is worked out here again and told in one.
 */
#include "config.h"

#include "app/options.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_KEY 0x1000

struct argp_table {
	struct argp_option options[SPOUT__OPTIONS_MAX * 2 + 1]; /* headings, too */
	char docs[SPOUT__OPTIONS_MAX][400];
};

struct reading {
	struct spout__options *o;
	struct spout__argument *arguments;
	unsigned n, max;
	bool failed;
};

/* "Help text (default: 30s)" */
static void
doc_make(const struct spout_option *row, char *ret, size_t size)
{
	bool show = row->otherwise && row->otherwise[0] != '\0' &&
	    !(row->type == SPOUT_OPTION_FLAG && strcmp(row->otherwise, "no") == 0);

	if (show)
		snprintf(ret, size, "%s (default: %s)", row->help, row->otherwise);
	else
		snprintf(ret, size, "%s", row->help);
}

static void
table_fill(const struct spout__options *o, struct argp_table *table)
{
	struct argp_option *at = table->options;
	const char *group = NULL;
	int n_group = 0;

	memset(table, 0, sizeof(*table));
	for (unsigned i = 0; i < o->n; i++) {
		const struct spout_option *row = o->rows[i];
		bool flag = row->type == SPOUT_OPTION_FLAG;

		if (row->group && (group == NULL || strcmp(group, row->group) != 0)) {
			group = row->group;
			*at++ = (struct argp_option){ .doc = group, .group = ++n_group };
		}
		doc_make(row, table->docs[i], sizeof(table->docs[i]));
		*at++ = (struct argp_option){
			.name = row->name,
			.key = FIRST_KEY + (int)i,
			.arg = flag           ? (row->command_line_only ? NULL : "yes|no")
			    : row->value_name ? row->value_name
					      : "VALUE",
			.flags = flag ? OPTION_ARG_OPTIONAL : 0,
			.doc = table->docs[i],
			.group = n_group,
		};
	}
}

/* How many options begin with these bytes; an exact match counts alone. */
static unsigned
count_prefixed(
    const struct spout__options *o, const char *name, size_t len, unsigned *ret)
{
	unsigned n = 0;

	for (unsigned i = 0; i < o->n; i++) {
		if (strncmp(o->rows[i]->name, name, len) != 0)
			continue;
		*ret = i;
		if (o->rows[i]->name[len] == '\0')
			return 1;
		n++;
	}
	return n;
}

/* Say what is wrong with one word of the command line; false if it looks right. */
static bool
explain(struct spout__options *o, const char *word)
{
	size_t len = strcspn(word, "=");
	unsigned i, n;

	if (strncmp(word, "--", 2) != 0 || len == 2) {
		bool option = word[0] == '-' && strcmp(word, "-") != 0 &&
		    strcmp(word, "--") != 0;

		spout__options_fail(o, "%s '%s' (see --help)",
		    option ? "unknown option" : "unexpected argument", word);
		return true;
	}
	n = count_prefixed(o, word + 2, len - 2, &i);
	if (n == 0)
		spout__options_fail(
		    o, "unknown option '%.*s' (see --help)", (int)len, word);
	else if (n > 1)
		spout__options_fail(
		    o, "option '%.*s' could mean several (see --help)", (int)len, word);
	else if (o->rows[i]->type != SPOUT_OPTION_FLAG && word[len] == '\0')
		spout__options_fail(o, "option --%s needs a value", o->rows[i]->name);
	else if (o->rows[i]->type == SPOUT_OPTION_FLAG && word[len] == '=')
		spout__options_fail(o, "option --%s takes no value", o->rows[i]->name);
	else
		return false;
	return true;
}

static void
explain_error(struct reading *reading, const struct argp_state *state)
{
	if (reading->failed)
		return;
	reading->failed = true;
	/* getopt stands behind the wrong word, or still on it when it is a short option.
	 */
	if (state->next - 1 >= 1 && explain(reading->o, state->argv[state->next - 1]))
		return;
	if (state->next < state->argc && explain(reading->o, state->argv[state->next]))
		return;
	spout__options_fail(reading->o, "the command line is wrong (see --help)");
}

static error_t
on_argument(int key, char *text, struct argp_state *state)
{
	struct reading *reading = state->input;

	if (key == ARGP_KEY_ERROR) {
		explain_error(reading, state);
		return 0;
	}
	if (key == ARGP_KEY_ARG) {
		reading->failed = true;
		spout__options_fail(
		    reading->o, "unexpected argument '%s' (see --help)", text);
		return EINVAL;
	}
	if (key < FIRST_KEY || key >= FIRST_KEY + (int)reading->o->n)
		return ARGP_ERR_UNKNOWN;
	if (reading->n == reading->max) {
		reading->failed = true;
		spout__options_fail(reading->o, "more than %u options", reading->max);
		return EINVAL;
	}
	reading->arguments[reading->n++] = (struct spout__argument){
		.option = (unsigned)(key - FIRST_KEY),
		.text = text,
	};
	return 0;
}

int
spout__options_read_arguments(struct spout__options *o, int argc, char **argv,
    struct spout__argument *ret, unsigned max, unsigned *ret_n)
{
	struct reading reading = { .o = o, .arguments = ret, .max = max };
	struct argp_table *table = malloc(sizeof(*table));
	struct argp argp = { .parser = on_argument };
	error_t error;

	if (table == NULL) {
		spout__options_fail(o, "out of memory");
		return -ENOMEM;
	}
	table_fill(o, table);
	argp.options = table->options;
	argp_err_exit_status = 2;
	error = argc > 0 ? argp_parse(&argp, argc, argv,
			       ARGP_NO_ERRS | ARGP_NO_EXIT | ARGP_NO_HELP, NULL, &reading)
			 : 0;
	free(table);
	if (error && !reading.failed)
		return spout__options_fail(
		    o, "the command line is wrong: %s", strerror(error));
	if (error)
		return -EINVAL;
	*ret_n = reading.n;
	return 0;
}

void
spout__options_help(const struct spout__options *o, FILE *to)
{
	static const char tail[] =
	    "\vEach option is also a key of the configuration file "
	    "(key = value) and, as SPOUT_KEY, of the environment; the command "
	    "line wins, then the environment, then the file. "
	    "Durations: 250ms, 30s, 5m; sizes: 64k, 10m.";
	struct argp_table *table = malloc(sizeof(*table));
	struct argp argp = { 0 };
	char doc[1024], name[80];

	if (table == NULL)
		return;
	table_fill(o, table);
	snprintf(doc, sizeof(doc), "%s%s", o->about ? o->about : "", tail);
	snprintf(name, sizeof(name), "%s", o->program);
	argp.options = table->options;
	argp.doc = doc;
	argp_help(
	    &argp, to, ARGP_HELP_SHORT_USAGE | ARGP_HELP_LONG | ARGP_HELP_DOC, name);
	free(table);
}
