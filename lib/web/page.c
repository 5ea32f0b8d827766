/* SPDX-License-Identifier: MIT */
/* Error pages: see page.h. */
#include "config.h"

#include "web/page.h"

#include <errno.h>

#include "base/text.h"
#include "web/debug_page.h"
#include "web/status.h"

/* --- the page --------------------------------------------------------------------- */

int
spout__page_html(struct spout__buffer *to, const char *text, size_t len)
{
	char *room = spout__buffer_reserve(to, spout__html_escaped_len(text, len));

	if (room == NULL)
		return -errno;
	spout__buffer_commit(to, spout__html_escape(text, len, room));
	return 0;
}

static int
append_html(struct spout__buffer *to, const char *text)
{
	return spout__page_html(to, text, strlen(text));
}

static int
append_json(struct spout__buffer *to, const char *text)
{
	return spout__json_escape(to, text, strlen(text));
}

/* Text around an escaped value; nothing at all for an empty value. */
static int
append_between(struct spout__buffer *to, const char *before, const char *value,
    const char *after, int (*append)(struct spout__buffer *, const char *))
{
	int rc;

	if (value == NULL || value[0] == '\0')
		return 0;
	rc = spout__buffer_append(to, before, strlen(before));
	if (rc == 0)
		rc = append(to, value);
	return rc != 0 ? rc : spout__buffer_append(to, after, strlen(after));
}

static int
write_html(const struct spout__page *page, struct spout__buffer *to)
{
	const char *reason = spout__status_reason(page->status);
	int rc = spout__buffer_printf(to,
	    "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"
	    "<title>%d: %s</title></head>\n<body>\n<h1>%d: %s</h1>\n",
	    page->status, reason, page->status, reason);

	if (rc == 0)
		rc = append_between(to, "<p>", page->message, "</p>\n", append_html);
	if (rc == 0)
		rc = append_between(to, "<p><small>Request id: ", page->request_id,
		    "</small></p>\n", append_html);
	if (rc == 0 && page->debug != NULL)
		rc = spout__debug_html(page->debug, to);
	return rc != 0 ? rc : spout__buffer_printf(to, "</body>\n</html>\n");
}

static int
write_json(const struct spout__page *page, struct spout__buffer *to)
{
	int rc = spout__buffer_printf(to, "{\"error\":{\"status\":%d,\"reason\":\"%s\"",
	    page->status, spout__status_reason(page->status));

	if (rc == 0)
		rc = append_between(
		    to, ",\"message\":\"", page->message, "\"", append_json);
	if (rc == 0)
		rc = append_between(
		    to, ",\"request_id\":\"", page->request_id, "\"", append_json);
	if (rc == 0 && page->debug != NULL)
		rc = spout__debug_json(page->debug, to);
	return rc != 0 ? rc : spout__buffer_printf(to, "}}\n");
}

int
spout__page_write(const struct spout__page *page, struct spout__buffer *to)
{
	return page->json ? write_json(page, to) : write_html(page, to);
}

const char *
spout__page_content_type(const struct spout__page *page)
{
	return page->json ? "application/json; charset=UTF-8"
			  : "text/html; charset=UTF-8";
}
