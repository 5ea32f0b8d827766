/* SPDX-License-Identifier: MIT */
/*
 * Options from the environment: SPOUT_QUEUE_SIZE for "queue-size". An empty value means
 * "not set". DATABASE_URL, which hosting platforms set, stands for SPOUT_DATABASE.
 */
#include "config.h"

#include "app/options.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *
environment_get(char **envp, const char *name)
{
	size_t len = strlen(name);

	for (; envp && *envp; envp++) {
		if (strncmp(*envp, name, len) == 0 && (*envp)[len] == '=')
			return (*envp)[len + 1] != '\0' ? *envp + len + 1 : NULL;
	}
	return NULL;
}

static void
variable_name(const char *option, char *ret, size_t size)
{
	size_t n = (size_t)snprintf(ret, size, "SPOUT_");

	for (; *option && n + 1 < size; option++)
		ret[n++] = *option == '-' ? '_' : (char)toupper((unsigned char)*option);
	ret[n] = '\0';
}

int
spout__options_read_environment(struct spout__options *o, char **envp)
{
	for (unsigned i = 0; i < o->n; i++) {
		char name[80];
		const char *text;
		int error;

		if (o->rows[i]->command_line_only)
			continue;
		variable_name(o->rows[i]->name, name, sizeof(name));
		text = environment_get(envp, name);
		if (text == NULL && strcmp(o->rows[i]->name, "database") == 0) {
			snprintf(name, sizeof(name), "DATABASE_URL");
			text = environment_get(envp, name);
		}
		if (text == NULL)
			continue;
		error = spout__options_set(o, i, SPOUT__FROM_ENVIRONMENT, name, text);
		if (error)
			return error;
	}
	return 0;
}
