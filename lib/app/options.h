/* SPDX-License-Identifier: MIT */
/*
 * The registry of options: the rows (spout/option.h) together with the value that each
 * has now and where it came from. Pure: reads its arguments and the configuration file,
 * prints only to streams it is given, never exits. Main thread, before any fork.
 *
 *     init -> add (library's table) -> add (application's) -> parse -> print ... ->
 * release
 *
 * Every value of every source is checked, also one that a stronger source overrides.
 */
#ifndef SPOUT_APP_OPTIONS_H
#define SPOUT_APP_OPTIONS_H

#include <spout/option.h>

#include <stdio.h>

/** Sources of a value, weakest first. */
enum spout__origin {
	SPOUT__FROM_NOWHERE,
	SPOUT__FROM_DEFAULT,
	SPOUT__FROM_FILE,
	SPOUT__FROM_ENVIRONMENT,
	SPOUT__FROM_COMMAND_LINE,
};

#define SPOUT__OPTIONS_MAX 96
#define SPOUT__OPTION_TEXTS_MAX 64

struct spout__option_value {
	enum spout__origin origin;
	char where[160]; /* "app.conf:3", "SPOUT_LISTEN", for people */
	char *texts[SPOUT__OPTION_TEXTS_MAX];
	unsigned n_texts; /* more than one only with `repeat` */
};

struct spout__options {
	const char *program; /* for --help and messages; borrowed */
	const char *about;   /* what it is, for --help; may be NULL */
	const struct spout_option *rows[SPOUT__OPTIONS_MAX];
	struct spout__option_value values[SPOUT__OPTIONS_MAX];
	unsigned n;
	char error[1024]; /* one line; set when a call failed */
};

void spout__options_init(
    struct spout__options *o, const char *program, const char *about);
/**
 * Add a table (borrowed) and set its defaults. Returns 0; -EEXIST for a name that is
 * there, -ENOSPC past SPOUT__OPTIONS_MAX, -EINVAL for a wrong default or row: bugs of the
 * table.
 */
int spout__options_add(struct spout__options *o, const struct spout_option *table);
/**
 * Read the command line, the file that `--config` names, and the environment. When the
 * command line has a flag named in `actions` ("help", "version"), nothing else is read:
 * its flag is set and that is all. Returns 0 or -EINVAL with o->error.
 */
int spout__options_parse(struct spout__options *o, int argc, char **argv, char **envp);
/** Set one value; `where` says its place for messages. Returns 0, -EINVAL, -ENOMEM. */
int spout__options_set(struct spout__options *o, unsigned i, enum spout__origin origin,
    const char *where, const char *text);
/** Index of an option, or -1. '_' and '-' are the same; `len` bytes of `name` count. */
int spout__options_find(const struct spout__options *o, const char *name, size_t len);
/** The help page, from the table. */
void spout__options_help(const struct spout__options *o, FILE *to);
/** All values as lines of a configuration file, each with its origin; passwords masked.
 */
void spout__options_print(const struct spout__options *o, FILE *to);
/** Free the texts: what `into` points at is gone, too. */
void spout__options_release(struct spout__options *o);

/** Compose o->error; returns -EINVAL. */
int spout__options_fail(struct spout__options *o, const char *fmt, ...)
    SPOUT_PRINTF(2, 3);

/* option_value.c: the types. */

/** Read `text` by the row's type into row->into. Returns 0, or -EINVAL with `why`. */
int spout__option_parse(const struct spout_option *row, const char *text, bool first,
    char why[SPOUT_OPTION_WHY_SIZE]);
/** Digits only, no sign, no overflow. Returns 0 or -EINVAL. */
int spout__parse_number(const char *text, size_t len, uint64_t *ret);
int spout__parse_size(const char *text, uint64_t *ret_bytes);
int spout__parse_duration(const char *text, uint64_t *ret_ms);
/** Copy a URL or conninfo text, each password replaced by "***". Truncates to fit. */
void spout__mask_password(const char *url, char *ret, size_t size);

/* option_file.c, option_argv.c, option_env.c: the sources. */
int spout__options_read_file(struct spout__options *o, const char *path);
int spout__options_read_environment(struct spout__options *o, char **envp);
/** What the command line holds, in its order; not yet applied. */
struct spout__argument {
	unsigned option;
	const char *text; /* borrowed from argv; NULL: a flag without a value */
};
int spout__options_read_arguments(struct spout__options *o, int argc, char **argv,
    struct spout__argument *ret, unsigned max, unsigned *ret_n);

#endif
