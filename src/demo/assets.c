/* SPDX-License-Identifier: MIT */
/* Where the demo's folders are: beside the program, in a build tree or installed. */
#include "config.h"

#include "demo.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

const char *
demo_folder(const char *name, char path[DEMO_PATH_SIZE])
{
	static const char *const places[] = {
		"demo",               /* a build tree */
		"../demo",            /* the same, below .libs */
		"../share/spout-demo" /* installed */
	};
	char program[4096];
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
	char *slash;
	size_t i;

	if (len <= 0)
		return NULL;
	program[len] = '\0';
	slash = strrchr(program, '/');
	if (slash == NULL)
		return NULL;
	slash[1] = '\0';
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct stat st;

		snprintf(path, DEMO_PATH_SIZE, "%s%s/%s", program, places[i], name);
		if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
			return path;
	}
	return NULL;
}
