/* SPDX-License-Identifier: MIT */
/* Reader of conformance vectors: see vectors.h. */
#include "config.h"

#include "vectors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"

static int
hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c != '\0' ? strchr(digits, c) : NULL;

	return p != NULL ? (int)(p - digits) : -1;
}

/* One escape, `*text` behind its backslash. Returns the byte, or -1. */
static int
unescape_one(const char **text)
{
	static const char names[] = "rnt0\\", bytes[] = { '\r', '\n', '\t', '\0', '\\' };
	const char *p = *text, *name;

	if (*p == '\0')
		return -1;
	(*text)++;
	name = strchr(names, *p);
	if (name != NULL)
		return (unsigned char)bytes[name - names];
	if (*p != 'x' || hex_digit(p[1]) < 0 || hex_digit(p[2]) < 0)
		return -1;
	*text += 2;
	return hex_digit(p[1]) * 16 + hex_digit(p[2]);
}

/* The bytes that `text` stands for, at `out`. Returns how many, or -1. */
static int
unescape(const char *text, char *out)
{
	int n = 0, c;

	while (*text != '\0') {
		c = (unsigned char)*text++;
		if (c == '\\')
			c = unescape_one(&text);
		if (c < 0)
			return -1;
		out[n++] = (char)c;
	}
	return n;
}

/* "< text", or "<*N text" for N times the text. Returns false if it is neither. */
static bool
add_input(struct vector *v, const char *line)
{
	unsigned long times = 1;
	char *rest = (char *)line + 1, *bytes;
	int n;

	if (*rest == '*')
		times = strtoul(rest + 1, &rest, 10);
	if (*rest != ' ' || times == 0 || times > 1000000)
		return false;
	bytes = malloc(strlen(rest));
	n = unescape(rest + 1, bytes);
	for (; n > 0 && times > 0; times--) {
		v->input = realloc(v->input, v->input_len + (size_t)n);
		memcpy(v->input + v->input_len, bytes, (size_t)n);
		v->input_len += (size_t)n;
	}
	free(bytes);
	return n > 0;
}

/* "> words": with the escapes as stream_escape() writes them. */
static bool
add_expected(struct vector *v, const char *line)
{
	char *bytes, *text, *word, *save, *copy = strdup(line + 1), *out = NULL;
	size_t out_len = 0;
	FILE *f = open_memstream(&out, &out_len);
	bool ok = true;
	int n;

	for (word = strtok_r(copy, " ", &save); word != NULL && ok;
	     word = strtok_r(NULL, " ", &save)) {
		bytes = malloc(strlen(word) + 1);
		n = unescape(word, bytes);
		ok = n > 0;
		if (ok) {
			text = stream_escape(bytes, (size_t)n);
			fprintf(f, "%s%s", ftell(f) > 0 ? " " : "", text);
			free(text);
		}
		free(bytes);
	}
	fclose(f);
	free(copy);
	v->expected = realloc(v->expected, (v->n_expected + 1) * sizeof(*v->expected));
	v->expected[v->n_expected++] = out;
	return ok;
}

static bool
add_line(struct vectors *vectors, const char *line)
{
	struct vector *v = vectors->n > 0 ? &vectors->list[vectors->n - 1] : NULL;

	if (line[0] == '\0' || line[0] == '#')
		return true;
	if (line[0] == '=' && line[1] == ' ') {
		vectors->list =
		    realloc(vectors->list, (vectors->n + 1) * sizeof(*vectors->list));
		v = &vectors->list[vectors->n++];
		memset(v, 0, sizeof(*v));
		v->name = strdup(line + 2);
		return true;
	}
	if (v != NULL && line[0] == '<')
		return v->n_expected == 0 && add_input(v, line);
	return v != NULL && line[0] == '>' && add_expected(v, line);
}

int
vectors_load(struct vectors *vectors, const char *path)
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;
	unsigned number = 0;
	ssize_t n;
	int rc = 0;

	if (f == NULL) {
		rc = -errno;
		fprintf(stderr, "%s: %s\n", path, strerror(-rc));
		return rc;
	}
	while (rc == 0 && (n = getline(&line, &size, f)) > 0) {
		number++;
		line[strcspn(line, "\n")] = '\0';
		if (!add_line(vectors, line)) {
			fprintf(stderr, "%s:%u: cannot read: %s\n", path, number, line);
			rc = -EBADMSG;
		}
	}
	free(line);
	fclose(f);
	return rc;
}

void
vectors_release(struct vectors *vectors)
{
	unsigned i, k;

	for (i = 0; i < vectors->n; i++) {
		free(vectors->list[i].name);
		free(vectors->list[i].input);
		for (k = 0; k < vectors->list[i].n_expected; k++)
			free(vectors->list[i].expected[k]);
		free(vectors->list[i].expected);
	}
	free(vectors->list);
}
