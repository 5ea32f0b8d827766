/* SPDX-License-Identifier: MIT */
/*
 * The demo's own source, as it was compiled, for the page /features: whole files without
 * their first lines, or functions of them, as HTML.
 */
#include "config.h"

#include "demo.h"
#include "embed.h"

#define SOURCES(X) \
	X(basics, "basics.c") \
	X(events, "events.c") \
	X(fetch, "fetch.c") \
	X(login, "login.c") \
	X(websocket, "websocket.c") \
	X(worlds, "worlds.c") \
	X(arguments, "features/arguments.c") \
	X(auth, "features/auth.c") \
	X(compression, "features/compression.c") \
	X(cookies, "features/cookies.c") \
	X(cors, "features/cors.c") \
	X(errors, "features/errors.c") \
	X(files, "features/files.c") \
	X(form, "features/form.c") \
	X(json, "features/json.c") \
	X(languages, "features/languages.c") \
	X(middleware, "features/middleware.c") \
	X(rate, "features/rate.c") \
	X(routes, "features/routes.c") \
	X(stream, "features/stream.c") \
	X(template, "features/template.c") \
	X(together, "features/together.c") \
	X(unchanged, "features/unchanged.c") \
	X(upload, "features/upload.c") \
	X(greeting, "templates/greeting.html")

#define EMBED(id, file) DEMO_EMBED(source_##id, file);
SOURCES(EMBED)

#define ROW(id, file) { file, source_##id },
static const struct source {
	const char *file, *text;
} sources[] = { SOURCES(ROW) };

static const struct source *
source_named(const char *file)
{
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		if (strcmp(sources[i].file, file) == 0)
			return &sources[i];
	return NULL;
}

/* What comes behind the licence and the last #include. */
static const char *
body_of(const char *text)
{
	static const char include[] = "\n#include ";
	const char *at = text, *next;

	while ((next = strstr(at, include)) != NULL)
		at = next + sizeof(include) - 1;
	if (at != text)
		at += strcspn(at, "\n");
	return at + strspn(at, "\n");
}

/* A function with the comment before it: from an empty line to the closing brace. */
static struct spout_slice
function_named(const char *text, const char *name)
{
	const char *head = strstr(text, spout_sprintf("\n%s(struct ", name)), *end, *at;

	if (head == NULL)
		head = strstr(text, spout_sprintf("\n%s(void", name));
	end = head != NULL ? strstr(head, "\n}\n") : NULL;
	if (end == NULL)
		return spout_slice_of(NULL, 0);
	for (at = head; at > text && !(at[0] == '\n' && at[-1] == '\n'); at--)
		;
	return spout_slice_of(at + 1, (size_t)(end + 3 - (at + 1)));
}

const char *
sources_html(const char *file, const char *const *names, size_t n)
{
	const struct source *source = source_named(file);
	const char *text, *more;

	if (source == NULL)
		return NULL;
	text = n == 0 ? body_of(source->text) : "";
	for (size_t i = 0; i < n; i++) {
		struct spout_slice one = function_named(source->text, names[i]);

		if (one.data == NULL)
			return NULL;
		more = spout_sprintf("%s%.*s", i > 0 ? "\n" : "", (int)one.len, one.data);
		text = spout_sprintf("%s%s", text, more);
	}
	text = strcmp(file + strlen(file) - 2, ".c") == 0 ? highlight(text)
							  : spout_html_escape(text);
	return spout_sprintf("<figure><figcaption>src/demo/%s</figcaption>"
			     "<pre tabindex=\"0\">%s</pre></figure>",
	    file, text);
}
