/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over stored inputs without libFuzzer: the arguments are files and
 * folders; without any, the corpus and the regressions of the target, whose name is that
 * of the program behind "replay_".
 */
#include "config.h"

#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static unsigned ran;

static int
replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t len = 0, n;

	if (f == NULL) {
		perror(path);
		return -1;
	}
	do {
		/* The block handed on ends where the input ends. */
		data = realloc(data, len + 65536);
		n = fread(data + len, 1, 65536, f);
		len += n;
	} while (n > 0);
	fclose(f);
	data = realloc(data, len > 0 ? len : 1);
	/* Said before, for the one that aborts. */
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(data, len);
	ran++;
	free(data);
	return 0;
}

static int
replay_folder(const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, NULL, alphasort), i, rc = 0;
	char name[4096];

	if (n < 0) {
		perror(path);
		return -1;
	}
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.' && replay_file(name) != 0)
			rc = -1;
		free(entries[i]);
	}
	free(entries);
	return rc;
}

static int
replay(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0) {
		perror(path);
		return -1;
	}
	return S_ISDIR(st.st_mode) ? replay_folder(path) : replay_file(path);
}

/* Folders that git would not keep empty may be missing. */
static int
replay_stored(const char *program)
{
	static const char *const kinds[] = { "corpus", "regressions" };
	const char *srcdir = getenv("srcdir"), *name = strstr(program, "replay_");
	char path[4096];
	struct stat st;
	int rc = 0;
	size_t i;

	if (name == NULL)
		return -1;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		snprintf(path, sizeof(path), "%s/tests/fuzz/%s/%s",
		    srcdir != NULL ? srcdir : ".", kinds[i], name + strlen("replay_"));
		if (stat(path, &st) == 0 && replay_folder(path) != 0)
			rc = -1;
	}
	return rc;
}

int
main(int argc, char **argv)
{
	int rc = 0, i;

	for (i = 1; i < argc; i++)
		if (replay(argv[i]) != 0)
			rc = -1;
	if (argc == 1)
		rc = replay_stored(argv[0]);
	/* The same words as CUnit's summary: total, ran, passed, failed. */
	printf("tests %u %u %u %u 0\n", ran, ran, ran, rc != 0);
	return rc == 0 && ran > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
