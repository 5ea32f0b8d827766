/* SPDX-License-Identifier: MIT */
/*
 * Runs the vectors over the strict layer: whole, byte by byte, and in pieces of changing
 * size. The arguments are files; without any, all of tests/conformance. With "-w DIR" the
 * inputs are written to that folder instead, as seeds for the fuzzer.
 */
#include "config.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"
#include "vectors.h"

/* Both are words, ended by a space or NUL. "ab..." is what begins with "ab". */
static bool
word_matches(const char *expected, const char *got)
{
	size_t len = strcspn(expected, " "), got_len = strcspn(got, " ");

	if (len > 3 && memcmp(expected + len - 3, "...", 3) == 0)
		return got_len >= len - 3 && memcmp(expected, got, len - 3) == 0;
	return len == got_len && memcmp(expected, got, len) == 0;
}

/* The word behind this one, "" if it is the last. */
static const char *
next_word(const char *p)
{
	p += strcspn(p, " ");
	return p + strspn(p, " ");
}

static bool
expects_word(const char *expected, const char *got)
{
	while (*expected != '\0' && !word_matches(expected, got))
		expected = next_word(expected);
	return *expected != '\0';
}

static bool
has_word(const char *got, const char *expected)
{
	while (*got != '\0' && !word_matches(expected, got))
		got = next_word(got);
	return *got != '\0';
}

/* May an expected line be silent about this word of what was got? */
static bool
may_be_left_out(const char *word)
{
	size_t len = strcspn(word, " ");

	return (len >= 5 && memcmp(word, "host=", 5) == 0) ||
	       (len == 6 && memcmp(word, "query=", 6) == 0) ||
	       (len == 5 && memcmp(word, "body=", 5) == 0);
}

/* Each word that was got is expected or may be left out, and each expected one was got.
 */
static bool
line_matches(const char *expected, const char *got)
{
	const char *p;

	for (p = got; *p != '\0'; p = next_word(p))
		if (!expects_word(expected, p) && !may_be_left_out(p))
			return false;
	for (p = expected; *p != '\0'; p = next_word(p))
		if (!has_word(got, p))
			return false;
	return true;
}

/* `text` is lines; consumed. */
static bool
text_matches(const struct vector *v, char *text)
{
	char *line, *save;
	unsigned n = 0;

	if (v->n_expected == 1 && strcmp(v->expected[0], "nothing") == 0)
		return *text == '\0';

	for (line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		if (n == v->n_expected || !line_matches(v->expected[n++], line))
			return false;
	return n == v->n_expected;
}

static bool
run_vector(const struct vector *v, const char *path)
{
	static const unsigned splits[] = { STREAM_WHOLE, STREAM_BYTES, 2, 3, 4 };
	struct stream_options options;
	char *text, *copy;
	bool ok = v->n_expected > 0;
	size_t i;

	stream_options_init(&options);
	for (i = 0; i < sizeof(splits) / sizeof(splits[0]) && ok; i++) {
		options.split = splits[i];
		text = stream_read(v->input, v->input_len, &options);
		copy = strdup(text);
		ok = text_matches(v, copy);
		if (!ok)
			printf(
			    "%s: %s (split %u): got\n%s", path, v->name, splits[i], text);
		free(copy);
		free(text);
	}
	if (v->n_expected == 0)
		printf("%s: %s: expects nothing\n", path, v->name);
	return ok;
}

/* FOLDER/rfc9112-3-request-line-017 */
static bool
write_seed(const struct vector *v, const char *path, unsigned number, const char *folder)
{
	const char *base = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
	char name[4096];
	FILE *f;
	bool ok;

	snprintf(name, sizeof(name), "%s/%.*s-%03u", folder, (int)strcspn(base, "."),
	    base, number);
	f = fopen(name, "wb");
	if (f == NULL) {
		perror(name);
		return false;
	}
	ok = fwrite(v->input, 1, v->input_len, f) == v->input_len;
	return fclose(f) == 0 && ok;
}

/* Returns how many failed; adds to the number of those that were run. */
static unsigned
run_file(const char *path, const char *folder, unsigned *ran)
{
	struct vectors vectors = { NULL, 0 };
	unsigned failed = vectors_load(&vectors, path) < 0, i;
	bool ok;

	for (i = 0; i < vectors.n; i++) {
		if (folder != NULL)
			ok = write_seed(&vectors.list[i], path, i + 1, folder);
		else
			ok = run_vector(&vectors.list[i], path);
		failed += !ok;
		*ran += 1;
	}
	vectors_release(&vectors);
	return failed;
}

int
main(int argc, char **argv)
{
	const char *srcdir = getenv("srcdir"), *folder = NULL;
	unsigned ran = 0, failed = 0;
	char pattern[4096];
	glob_t files;
	size_t i;

	if (argc > 2 && strcmp(argv[1], "-w") == 0) {
		folder = argv[2];
		argc -= 2;
		argv += 2;
	}
	snprintf(pattern, sizeof(pattern), "%s/tests/conformance/*.txt",
	    srcdir != NULL ? srcdir : ".");
	if (argc > 1) {
		for (; argc > 1; argc--)
			failed += run_file(*++argv, folder, &ran);
	} else if (glob(pattern, 0, NULL, &files) == 0) {
		for (i = 0; i < files.gl_pathc; i++)
			failed += run_file(files.gl_pathv[i], folder, &ran);
		globfree(&files);
	}
	/* The same words as CUnit's summary: total, ran, passed, failed. */
	printf("tests %u %u %u %u 0\n", ran, ran, ran - failed, failed);
	return failed == 0 && ran > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
