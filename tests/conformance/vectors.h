/* SPDX-License-Identifier: MIT */
/* Reads the files of conformance vectors; their format is told in README.md. */
#ifndef SPOUT_TESTS_VECTORS_H
#define SPOUT_TESTS_VECTORS_H

#include <stdbool.h>
#include <stddef.h>

struct vector {
	char *name;
	char *input;
	size_t input_len;
	char **expected; /* one line each, escapes brought to one form */
	unsigned n_expected;
};

struct vectors {
	struct vector *list;
	unsigned n;
};

/** Append the vectors of a file. Returns 0, or -errno after a message on stderr. */
int vectors_load(struct vectors *vectors, const char *path);
void vectors_release(struct vectors *vectors);

#endif
