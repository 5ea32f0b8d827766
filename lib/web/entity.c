/* SPDX-License-Identifier: MIT */
/* What a handler says of its answer: entity tag, last modification, timings. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>

#include "base/clock.h"
#include "http/chars.h"
#include "web/transform.h"

int
spout_set_etag(struct spout_request *req, const char *tag)
{
	const char *mark = strncmp(tag, "W/", 2) == 0 ? "W/" : "", *at;

	tag += strlen(mark);
	for (at = tag; *at > 0x20 && *at < 0x7f && *at != '"'; at++)
		continue;
	if (*at != '\0' || at == tag)
		spout__co_leave(
		    -EINVAL, 0, "spout_set_etag: \"%.100s\" cannot be a tag", tag);
	return spout_set_header(req, "ETag", spout_sprintf("%s\"%s\"", mark, tag));
}

bool
spout_not_modified(struct spout_request *req, int64_t last_modified)
{
	char date[SPOUT__HTTP_DATE_LEN + 1];

	if (last_modified >= 0) {
		spout__http_date(last_modified, date);
		spout_set_header(req, "Last-Modified", date);
	}
	switch (spout__response_judge(req)) {
	case SPOUT__NOT_MODIFIED:
		return spout_set_status(req, 304) == 0;
	case SPOUT__PRECONDITION_FAILED:
		spout_fail(req, 412, "it is another one by now");
	case SPOUT__SEND:
		break;
	}
	return false;
}

/* --- Server-Timing (W3C) ---------------------------------------------------------- */

/* As a quoted string (RFC 9110 5.6.4). */
static char *
quoted(const char *text)
{
	char *copy = spout_alloc(2 * strlen(text) + 1), *to = copy;

	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			*to++ = '\\';
		*to++ = *text;
	}
	*to = '\0';
	return copy;
}

static bool
is_token(const char *text)
{
	const char *at = text;

	while (*at != '\0' && spout__http_char_is(*at, SPOUT__CHAR_TOKEN))
		at++;
	return *at == '\0' && at != text;
}

int
spout_server_timing(struct spout_request *req, const char *name, uint64_t duration_us,
    const char *description)
{
	const char *value;

	if (!is_token(name))
		spout__co_leave(
		    -EINVAL, 0, "spout_server_timing: \"%.100s\" is no token", name);
	value = spout_sprintf("%s;dur=%" PRIu64 ".%03u", name, duration_us / 1000,
	    (unsigned)(duration_us % 1000));
	if (description != NULL)
		value = spout_sprintf("%s;desc=\"%s\"", value, quoted(description));
	return spout_add_header(req, "Server-Timing", value);
}
