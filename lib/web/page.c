/* SPDX-License-Identifier: MIT */
/* Error pages and the choice of their form: see page.h. */
#include "config.h"

#include "web/page.h"

#include <errno.h>
#include <strings.h>

#include "base/text.h"
#include "web/status.h"

/* --- the page --------------------------------------------------------------------- */

static int
append_html(struct spout__buffer *to, const char *text)
{
	size_t len = strlen(text), need = spout__html_escaped_len(text, len);
	char *room = spout__buffer_reserve(to, need);

	if (room == NULL)
		return -errno;
	spout__buffer_commit(to, spout__html_escape(text, len, room));
	return 0;
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

/* --- Accept --------------------------------------------------------------------- */

static struct spout_slice
trim(struct spout_slice s)
{
	while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
		s = spout_slice_of(s.data + 1, s.len - 1);
	while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* Cut off what stands before `sep` (or everything). */
static struct spout_slice
cut(struct spout_slice *rest, char sep)
{
	const char *at = memchr(rest->data, sep, rest->len);
	struct spout_slice head = *rest;

	if (at == NULL) {
		*rest = spout_slice_of(rest->data + rest->len, 0);
		return trim(head);
	}
	head.len = (size_t)(at - rest->data);
	*rest = spout_slice_of(at + 1, rest->len - head.len - 1);
	return trim(head);
}

static bool
equal_nocase(struct spout_slice s, const char *text)
{
	return s.len == strlen(text) && strncasecmp(s.data, text, s.len) == 0;
}

/* The weight of a media range in thousandths (RFC 9110 12.4.2); 1000 without one. */
static int
weight_of(struct spout_slice parameters)
{
	while (parameters.len > 0) {
		struct spout_slice p = cut(&parameters, ';');
		int q = 0, unit = 1000;
		size_t i;

		if (p.len < 3 || (p.data[0] | 0x20) != 'q' || p.data[1] != '=')
			continue;
		for (i = 2; i < p.len && unit > 0; i++) {
			if (i == 3 && p.data[i] == '.')
				continue;
			if (p.data[i] < '0' || p.data[i] > '9')
				return 0;
			q += (p.data[i] - '0') * unit;
			unit /= 10;
		}
		return q > 1000 ? 1000 : q;
	}
	return 1000;
}

/* The weight of a type: of the most specific range that covers it. */
static int
accept_weight(
    struct spout_slice accept, const char *type, const char *family, bool *named)
{
	int weight = 0, specific = 0;

	while (accept.len > 0) {
		struct spout_slice range = cut(&accept, ',');
		struct spout_slice name = cut(&range, ';');
		int level = equal_nocase(name, "*/*");

		if (equal_nocase(name, family))
			level = 2;
		else if (equal_nocase(name, type))
			level = 3;
		if (level > specific) {
			specific = level;
			weight = weight_of(range);
		}
	}
	*named = specific == 3;
	return weight;
}

bool
spout__accept_prefers_json(struct spout_slice accept)
{
	bool json_named, html_named;
	int json, html;

	if (accept.data == NULL)
		return false;
	json = accept_weight(accept, "application/json", "application/*", &json_named);
	html = accept_weight(accept, "text/html", "text/*", &html_named);
	return json > html || (json == html && json > 0 && json_named && !html_named);
}
