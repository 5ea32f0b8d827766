/* SPDX-License-Identifier: MIT */
/*
 * Runs the vectors of tests/conformance/websocket over the reader of frames: whole, byte
 * by byte, and in pieces of changing size. The arguments are files; without any, all.
 */
#include "config.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "stream.h"
#include "vectors.h"

/* Both sides of its limit are in the vectors. */
#define MAX_MESSAGE 70000u

static bool
text_matches(const struct vector *v, const char *text)
{
	const char *at = text;
	unsigned i;

	if (v->n_expected == 1 && strcmp(v->expected[0], "nothing") == 0)
		return *text == '\0';
	for (i = 0; i < v->n_expected; i++) {
		size_t len = strlen(v->expected[i]);

		/* "text a..." is every text that begins with "a". */
		if (len > 3 && strcmp(v->expected[i] + len - 3, "...") == 0) {
			if (strncmp(at, v->expected[i], len - 3) != 0)
				return false;
			at += strcspn(at, "\n");
		} else {
			if (strncmp(at, v->expected[i], len) != 0)
				return false;
			at += len;
		}
		if (*at++ != '\n')
			return false;
	}
	return *at == '\0';
}

static bool
run_vector(const struct vector *v, const char *path)
{
	bool packs = strstr(path, "rfc7692") != NULL;
	static const unsigned splits[] = { STREAM_WHOLE, STREAM_BYTES, 2, 3, 4 };
	bool ok = v->n_expected > 0;
	size_t i;

	if (!ok)
		printf("%s: %s: expects nothing\n", path, v->name);
	for (i = 0; i < sizeof(splits) / sizeof(splits[0]) && ok; i++) {
		char *text = frames_read(v->input, v->input_len, splits[i], MAX_MESSAGE,
		    packs);

		ok = text_matches(v, text);
		if (!ok)
			printf("%s: %s (split %u): got\n%.2000s", path, v->name,
			    splits[i], text);
		free(text);
	}
	return ok;
}

/* Returns how many failed; adds to the number of those that were run. */
static unsigned
run_file(const char *path, unsigned *ran)
{
	struct vectors vectors = { NULL, 0 };
	unsigned failed = vectors_load(&vectors, path) < 0, i;

	for (i = 0; i < vectors.n; i++)
		failed += !run_vector(&vectors.list[i], path);
	*ran += vectors.n;
	vectors_release(&vectors);
	return failed;
}

int
main(int argc, char **argv)
{
	const char *srcdir = getenv("srcdir");
	unsigned ran = 0, failed = 0;
	char pattern[4096];
	glob_t files;
	size_t i;

	snprintf(pattern, sizeof(pattern), "%s/tests/conformance/websocket/*.txt",
	    srcdir != NULL ? srcdir : ".");
	if (argc > 1) {
		for (; argc > 1; argc--)
			failed += run_file(*++argv, &ran);
	} else if (glob(pattern, 0, NULL, &files) == 0) {
		for (i = 0; i < files.gl_pathc; i++)
			failed += run_file(files.gl_pathv[i], &ran);
		globfree(&files);
	}
	/* The same words as CUnit's summary: total, ran, passed, failed. */
	printf("tests %u %u %u %u 0\n", ran, ran, ran - failed, failed);
	return failed == 0 && ran > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
