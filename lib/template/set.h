/* SPDX-License-Identifier: MIT */
/* A set of templates as its files see it: set.c, files.c. */
#ifndef SPOUT_TEMPLATE_SET_H
#define SPOUT_TEMPLATE_SET_H

#include <spout/template.h>

#include "base/list.h"
#include "template/render.h"

struct spout__template_entry {
	struct spout__list link;
	char *source; /* from memory, owned; NULL: a file */
	size_t source_len;
	const struct spout_template_program *embedded;
	struct spout_template *template; /* owned; NULL: not compiled yet */
	uint64_t seen;                   /* of the files it was made of */
	char name[];
};

struct spout_templates {
	int dir; /* -1: none */
	bool debug, any_function;
	struct spout__template_limits limits;
	const struct spout_template_function **tables;
	size_t n_tables;
	struct spout__list entries; /* in the order of compiling */
	uint64_t reading;           /* what entry->seen will be */
};

/**
 * Read a file below `dir`, never one that a link leads to outside of it, into the arena.
 * `seen` becomes another number for every file, and for other contents of the same one.
 * 0, or -errno: -EMSGSIZE for more than SPOUT__TEMPLATE_SOURCE_MAX bytes, -EILSEQ for
 * what is not UTF-8. May block.
 */
int spout__template_file_read(int dir, const char *name, struct spout__arena *arena,
    struct spout_slice *ret, uint64_t *seen);
/** Only `seen`, without reading. May block. */
void spout__template_file_seen(int dir, const char *name, uint64_t *seen);

/**
 * Call `each` with the path of every file that is a template of its own, in the order
 * of names. Ends with the first that is not 0, and returns it, or -errno with `why`.
 */
int spout__template_files(int dir,
    int (*each)(void *arg, const char *name, char why[SPOUT_TEMPLATE_WHY_SIZE]),
    void *arg, char why[SPOUT_TEMPLATE_WHY_SIZE]);

/** What spout_templates_load() compiled, or NULL. Reads nothing. set.c */
const struct spout_template *spout__templates_find(
    const struct spout_templates *set, const char *name);

#endif
