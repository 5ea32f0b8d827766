/* SPDX-License-Identifier: MIT */
/*
 * Options of a program: one table drives the command line, --help, the configuration
 * file, the environment and --print-config. The library's own options and those of an
 * application (struct spout_app, .options) are rows of the same kind.
 *
 * An option "queue-size" is `--queue-size N` on the command line, SPOUT_QUEUE_SIZE in the
 * environment and `queue-size = N` in the file; they win over each other in that order.
 */
#ifndef SPOUT_OPTION_H
#define SPOUT_OPTION_H

#include <spout/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a value looks like, and what `into` points to. */
enum spout_option_type {
	SPOUT_OPTION_FLAG = 1, /* bool: yes, no, true, false, on, off, 1, 0 */
	SPOUT_OPTION_TEXT,     /* const char *: as given */
	SPOUT_OPTION_NUMBER,   /* uint64_t */
	SPOUT_OPTION_SIZE,     /* uint64_t, bytes: 512, 64k, 10m, 1g (powers of 1024) */
	SPOUT_OPTION_DURATION, /* uint64_t, milliseconds: 250ms, 30s, 5m, 2h; bare:
	                          seconds */
	SPOUT_OPTION_CHOICE,   /* unsigned: index into `choices` */
	SPOUT_OPTION_URL,      /* const char *: as given; its password is never printed */
	SPOUT_OPTION_OTHER,    /* whatever `parse` makes of it */
};

/** Room for the text that says why a value is wrong. */
#define SPOUT_OPTION_WHY_SIZE 256

struct spout_option {
	const char *name; /* "queue-size"; NULL ends a table */
	enum spout_option_type type;
	void *into; /* where the value goes; texts stay valid for the program's life */
	const char *otherwise;  /* default, written as a user would; NULL: none */
	const char *value_name; /* what --help calls the value: "N" */
	const char *help;       /* one or two sentences */
	const char *group;      /* heading in --help; NULL: that of the row above */
	uint64_t min, max; /* bounds of a number, size, duration; max 0: no upper bound */
	const char *choices;    /* "text|json" */
	bool repeat;            /* may be given several times (SPOUT_OPTION_OTHER only) */
	bool command_line_only; /* neither in the file nor in the environment */
	/*
	 * SPOUT_OPTION_OTHER: read `text` into `option->into`; `first`: forget what a
	 * weaker source gave. Returns 0, or -EINVAL with a text such as "is not a
	 * colour".
	 */
	int (*parse)(const struct spout_option *option, const char *text, bool first,
	    char why[SPOUT_OPTION_WHY_SIZE]);
};

/** Ends a table of options. */
#define SPOUT_OPTIONS_END \
	{ \
		.name = NULL \
	}

#ifdef __cplusplus
}
#endif

#endif
