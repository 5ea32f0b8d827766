/* SPDX-License-Identifier: MIT */
/*
 * The configuration file: lines of `key = value`. White space around either is dropped;
 * '#' at the start of a line or after white space begins a comment. Keys are the long
 * options. An unknown key, a key given twice or a line of another form is an error with
 * its place.
 */
#include "config.h"

#include "app/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_LINE 8192

/* Cut the comment and the white space at both ends; returns the start. */
static char *
line_trim(char *line)
{
	char *end;

	for (char *p = line; *p; p++) {
		if (*p == '#' && (p == line || isspace((unsigned char)p[-1]))) {
			*p = '\0';
			break;
		}
	}
	while (isspace((unsigned char)*line))
		line++;
	end = line + strlen(line);
	while (end > line && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	return line;
}

static int
option_allowed(struct spout__options *o, int i, const char *where, const char *key)
{
	if (i < 0)
		return spout__options_fail(o, "%s: unknown key '%s'", where, key);
	if (o->rows[i]->command_line_only || strcmp(o->rows[i]->name, "config") == 0)
		return spout__options_fail(
		    o, "%s: '%s' belongs on the command line only", where, key);
	if (o->values[i].origin == SPOUT__FROM_FILE && !o->rows[i]->repeat)
		return spout__options_fail(o, "%s: '%s' is set twice (before at %s)",
		    where, key, o->values[i].where);
	return 0;
}

static int
line_apply(struct spout__options *o, const char *where, char *line)
{
	char message[240], *value = strchr(line, '=');
	const char *key = line;
	int i, error;

	if (value == NULL)
		return spout__options_fail(
		    o, "%s: '%.60s' is not of the form 'key = value'", where, line);
	*value++ = '\0';
	key = line_trim(line);
	value = line_trim(value);
	i = spout__options_find(o, key, strlen(key));
	error = option_allowed(o, i, where, key);
	if (error)
		return error;
	error = spout__options_set(o, (unsigned)i, SPOUT__FROM_FILE, where, value);
	if (error) {
		/* "app.conf:3: 'x' is …" becomes "app.conf:3: key: 'x' is …" */
		snprintf(message, sizeof(message), "%s", o->error + strlen(where));
		spout__options_fail(o, "%s: %s%s", where, key, message);
	}
	return error;
}

static int
lines_apply(struct spout__options *o, const char *path, FILE *file)
{
	char line[MAX_LINE], where[160];
	const char *name = strrchr(path, '/');
	unsigned number = 0;
	int error = 0;

	name = name && strlen(path) > 100 ? name + 1 : path;
	while (error == 0 && fgets(line, sizeof(line), file) != NULL) {
		size_t len = strlen(line);
		char *text;

		snprintf(where, sizeof(where), "%s:%u", name, ++number);
		if (len + 1 == sizeof(line) && line[len - 1] != '\n')
			return spout__options_fail(o,
			    "%s: the line is longer than %d bytes", where, MAX_LINE - 2);
		if (len == 0 || (line[len - 1] != '\n' && !feof(file)))
			return spout__options_fail(
			    o, "%s: a zero byte in the line", where);
		text = line_trim(line);
		if (*text != '\0')
			error = line_apply(o, where, text);
	}
	if (error == 0 && ferror(file))
		return spout__options_fail(o, "%s: %s", path, strerror(errno));
	return error;
}

int
spout__options_read_file(struct spout__options *o, const char *path)
{
	FILE *file = fopen(path, "re");
	struct stat st;
	int error;

	if (file == NULL)
		return spout__options_fail(
		    o, "configuration file %s: %s", path, strerror(errno));
	if (fstat(fileno(file), &st) == 0 && S_ISDIR(st.st_mode))
		error = spout__options_fail(
		    o, "configuration file %s: %s", path, strerror(EISDIR));
	else
		error = lines_apply(o, path, file);
	fclose(file);
	return error;
}
