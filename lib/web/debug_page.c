/* SPDX-License-Identifier: MIT */
/* Error pages for whoever writes the program: see debug_page.h. */
#include "config.h"

#include "web/debug_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/text.h"
#include "web/page.h"

#define LINES_AROUND 6u
#define LINE_SIZE 240
#define VALUE_SHOWN 512
#define MASKED "<i>masked</i>"

/* --- where it failed ---------------------------------------------------------------- */

/* The path without what leads out of the folder that it was compiled in. */
static const char *
inside(const char *path)
{
	while (strncmp(path, "../", 3) == 0 || strncmp(path, "./", 2) == 0)
		path = strchr(path, '/') + 1;
	return path;
}

static bool
ends_with(const char *path, const char *end)
{
	size_t len = strlen(path), end_len = strlen(end);

	return len > end_len && path[len - end_len - 1] == '/' &&
	    strcmp(path + len - end_len, end) == 0;
}

/* "src/page.c:12", as the compiler was called; a frame may know the whole path. */
static void
use_place(struct spout__debug *debug, const char *where)
{
	const char *colon = strrchr(where, ':');
	unsigned i;

	if (colon == NULL)
		return;
	debug->line = (unsigned)strtoul(colon + 1, NULL, 10);
	snprintf(debug->file, sizeof(debug->file), "%.*s", (int)(colon - where), where);
	for (i = 0; i < debug->n_frames; i++)
		if (ends_with(debug->frames[i].file, inside(debug->file))) {
			memcpy(debug->file, debug->frames[i].file, sizeof(debug->file));
			return;
		}
}

/* The innermost function that is not the library's. */
static void
use_frame(struct spout__debug *debug)
{
	unsigned i = 0;

	while (i < debug->n_frames &&
	    (debug->frames[i].library || debug->frames[i].line == 0))
		i++;
	if (i == debug->n_frames)
		return;
	memcpy(debug->file, debug->frames[i].file, sizeof(debug->file));
	debug->line = debug->frames[i].line;
}

struct spout__debug *
spout__debug_new(const struct spout_request *req, const struct spout__outcome *outcome)
{
	struct spout__debug *debug = malloc(sizeof(*debug));

	if (debug == NULL)
		return NULL;
	debug->req = req;
	debug->reason = outcome->reason;
	debug->file[0] = '\0';
	debug->line = 0;
	debug->n_frames = spout__backtrace(debug->frames);
	if (req->has_failed_at && req->failed_at != NULL)
		use_place(debug, req->failed_at);
	else
		use_frame(debug);
	return debug;
}

/* --- what may be a secret ----------------------------------------------------------- */

static bool
is_secret(struct spout_slice name)
{
	static const char *const words[] = { "auth", "cookie", "credential", "key",
		"pass", "pwd", "secret", "session", "sig", "token", "xsrf", "csrf" };
	size_t i, at;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t len = strlen(words[i]);

		for (at = 0; at + len <= name.len; at++)
			if (strncasecmp(name.data + at, words[i], len) == 0)
				return true;
	}
	/* Percent-encoded, it is not to be read here. */
	return memchr(name.data, '%', name.len) != NULL;
}

static int
put_text(struct spout__buffer *to, struct spout_slice text)
{
	size_t shown = text.len < VALUE_SHOWN ? text.len : VALUE_SHOWN;
	int rc = spout__page_html(to, text.data, shown);

	return rc != 0 || shown == text.len ? rc : spout__buffer_append(to, " …", 4);
}

/* "/path?a=1&password=2": values of arguments whose names say so are not shown. */
static int
put_url(struct spout__buffer *to, struct spout_slice url)
{
	const char *at = url.data, *end = url.data + url.len, *stop, *equal;
	int rc = 0;

	while (rc == 0 && at < end) {
		for (stop = at; stop < end && *stop != '?' && *stop != '&';)
			stop++;
		equal = memchr(at, '=', (size_t)(stop - at));
		if (equal == NULL ||
		    !is_secret(spout_slice_of(at, (size_t)(equal - at))))
			equal = stop;
		rc = put_text(to, spout_slice_of(at, (size_t)(equal - at)));
		if (rc == 0 && equal < stop)
			rc = spout__buffer_printf(to, "=" MASKED);
		if (rc == 0 && stop < end)
			rc = spout__page_html(to, stop++, 1);
		at = stop;
	}
	return rc;
}

/* --- its parts ---------------------------------------------------------------------- */

static int
put_source_line(struct spout__buffer *to, unsigned number, const char *text, bool failed)
{
	int rc = spout__buffer_printf(
	    to, "%s%5u  ", failed ? "<b>" : "", number);

	if (rc == 0)
		rc = spout__page_html(to, text, strcspn(text, "\r\n"));
	return rc != 0 ? rc : spout__buffer_printf(to, failed ? "</b>\n" : "\n");
}

/* Nothing if the file is not there any more, or is no text. */
static int
put_source(const struct spout__debug *debug, struct spout__buffer *to)
{
	FILE *file = debug->file[0] != '\0' ? fopen(debug->file, "re") : NULL;
	char text[LINE_SIZE];
	unsigned number = 1;
	bool begins = true; /* of a line that does not fit the rest is left out */
	int rc;

	if (file == NULL)
		return 0;
	rc = spout__buffer_printf(to, "<pre>");
	while (rc == 0 && number <= debug->line + LINES_AROUND &&
	    fgets(text, sizeof(text), file) != NULL) {
		if (begins && number + LINES_AROUND >= debug->line)
			rc = put_source_line(to, number, text, number == debug->line);
		begins = strchr(text, '\n') != NULL;
		number += begins;
	}
	fclose(file);
	return rc != 0 ? rc : spout__buffer_printf(to, "</pre>\n");
}

static int
put_frames(const struct spout__debug *debug, struct spout__buffer *to)
{
	int rc = spout__buffer_printf(to, "<h2>Functions</h2>\n<ol>\n");
	unsigned i;

	for (i = 0; rc == 0 && i < debug->n_frames; i++) {
		const struct spout__frame *frame = &debug->frames[i];

		rc = spout__buffer_printf(
		    to, frame->library ? "<li class=\"library\">" : "<li>");
		if (rc == 0)
			rc = spout__page_html(
			    to, frame->function, strlen(frame->function));
		if (rc == 0 && frame->line > 0)
			rc = spout__buffer_printf(to, " <small>");
		if (rc == 0 && frame->line > 0)
			rc = spout__page_html(to, frame->file, strlen(frame->file));
		if (rc == 0 && frame->line > 0)
			rc = spout__buffer_printf(to, ":%u</small>", frame->line);
		if (rc == 0)
			rc = spout__buffer_printf(to, "</li>\n");
	}
	return rc != 0 ? rc : spout__buffer_printf(to, "</ol>\n");
}

static int
put_request(const struct spout_request *req, struct spout__buffer *to)
{
	const struct spout__http_head *head = req->head;
	int rc = spout__buffer_printf(
	    to, "<h2>Request</h2>\n<p><code>%s ", spout_request_method(req));
	unsigned i;

	if (rc == 0)
		rc = put_url(to, head->target);
	if (rc == 0)
		rc = spout__buffer_printf(to, "</code></p>\n<table>\n");
	for (i = 0; rc == 0 && i < head->n_fields; i++) {
		struct spout_slice name = head->fields[i].name;

		rc = spout__buffer_printf(to, "<tr><th>");
		if (rc == 0)
			rc = put_text(to, name);
		if (rc == 0)
			rc = spout__buffer_printf(to, "</th><td>");
		if (rc == 0)
			rc = is_secret(name) ? spout__buffer_printf(to, MASKED)
					     : put_url(to, head->fields[i].value);
		if (rc == 0)
			rc = spout__buffer_printf(to, "</td></tr>\n");
	}
	return rc != 0 ? rc : spout__buffer_printf(to, "</table>\n");
}

/* --- the page ----------------------------------------------------------------------- */

static const char style[] =
    "<style>"
    "body{font-family:sans-serif;max-width:60em;margin:2em auto;padding:0 1em;"
    "color:#222;background:#fff}"
    "pre{background:#f4f4f4;padding:.7em;overflow-x:auto;line-height:1.4}"
    "pre b{background:#ffd9d2}"
    "li.library{color:#888}"
    "small,th{color:#666;font-weight:normal}"
    "th{text-align:left;vertical-align:top;padding-right:1em}"
    "td,code{font-family:monospace;overflow-wrap:anywhere}"
    "</style>\n";

int
spout__debug_html(const struct spout__debug *debug, struct spout__buffer *to)
{
	int rc = spout__buffer_append(to, style, sizeof(style) - 1);

	if (rc == 0)
		rc = spout__buffer_printf(to, "<h2>Reason</h2>\n<p>");
	if (rc == 0)
		rc = put_text(to, spout_slice(debug->reason));
	if (rc == 0 && debug->line > 0)
		rc = spout__buffer_printf(to, "</p>\n<p><code>");
	if (rc == 0 && debug->line > 0)
		rc = spout__page_html(to, debug->file, strlen(debug->file));
	if (rc == 0 && debug->line > 0)
		rc = spout__buffer_printf(to, ":%u</code>", debug->line);
	if (rc == 0)
		rc = spout__buffer_printf(to, "</p>\n");
	if (rc == 0)
		rc = put_source(debug, to);
	if (rc == 0)
		rc = put_frames(debug, to);
	if (rc == 0)
		rc = put_request(debug->req, to);
	return rc != 0 ? rc
		       : spout__buffer_printf(to,
			     "<p><small>This page is for whoever writes the program: it "
			     "runs in debug mode.</small></p>\n");
}

static int
put_json(struct spout__buffer *to, const char *text)
{
	return spout__json_escape(to, text, strlen(text));
}

int
spout__debug_json(const struct spout__debug *debug, struct spout__buffer *to)
{
	int rc = spout__buffer_printf(to, ",\"debug\":{\"reason\":\"");
	unsigned i;

	if (rc == 0)
		rc = put_json(to, debug->reason);
	if (rc == 0)
		rc = spout__buffer_printf(to, "\",\"file\":\"");
	if (rc == 0)
		rc = put_json(to, debug->file);
	if (rc == 0)
		rc = spout__buffer_printf(
		    to, "\",\"line\":%u,\"functions\":[", debug->line);
	for (i = 0; rc == 0 && i < debug->n_frames; i++) {
		rc = spout__buffer_printf(to, i == 0 ? "\"" : ",\"");
		if (rc == 0)
			rc = put_json(to, debug->frames[i].function);
		if (rc == 0)
			rc = spout__buffer_printf(to, "\"");
	}
	return rc != 0 ? rc : spout__buffer_printf(to, "]}");
}
