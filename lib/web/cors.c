/* SPDX-License-Identifier: MIT */
/* Answers that pages of other origins may read: CORS, as the Fetch standard has it. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "web/guard.h"

/* Whole segments: "/api" is not the beginning of "/apixyz". */
static bool
begins_with(struct spout_slice path, const char *prefix, size_t len)
{
	if (len == 0)
		return true;
	return path.len >= len && memcmp(path.data, prefix, len) == 0 &&
	    (prefix[len - 1] == '/' || path.len == len || path.data[len] == '/');
}

/* The value of Access-Control-Allow-Origin for this request; data NULL: none. */
static struct spout_slice
allowed_origin(const struct spout_request *req, bool *ret_for_path)
{
	const struct spout_cors *cors = req->web->app->cors;
	struct spout_slice origin = spout__http_head_get(req->head, "Origin");
	size_t i, len = cors->prefix != NULL ? strlen(cors->prefix) : 0;

	*ret_for_path = begins_with(req->head->path, cors->prefix, len);
	for (i = 0; *ret_for_path && cors->origins[i] != NULL; i++) {
		if (strcmp(cors->origins[i], "*") == 0)
			return spout_slice("*");
		if (origin.data != NULL && spout_slice_equal(origin, cors->origins[i]))
			return origin;
	}
	return spout_slice_of(NULL, 0);
}

int
spout__cors_fields(struct spout_request *req)
{
	const struct spout_cors *cors = req->web->app->cors;
	bool for_path;
	struct spout_slice origin = allowed_origin(req, &for_path);
	bool any = origin.len == 1;
	int rc = 0;

	/* Caches must not give one origin's answer to another. */
	if (for_path && !any)
		rc = spout__http_add_header(
		    req->ex, spout_slice("Vary"), spout_slice("Origin"));
	if (rc != 0 || origin.data == NULL)
		return rc;
	rc = spout__http_set_header(
	    req->ex, spout_slice("Access-Control-Allow-Origin"), origin);
	if (rc == 0 && cors->credentials)
		rc = spout__http_set_header(req->ex,
		    spout_slice("Access-Control-Allow-Credentials"), spout_slice("true"));
	if (rc == 0 && cors->expose_headers != NULL)
		rc = spout__http_set_header(req->ex,
		    spout_slice("Access-Control-Expose-Headers"),
		    spout_slice(cors->expose_headers));
	return rc;
}

void
spout__cors_preflight(struct spout_request *req, const char *allow)
{
	const struct spout_cors *cors = req->web->app->cors;
	char seconds[24];
	bool for_path;

	if (spout__http_head_get(req->head, "Access-Control-Request-Method").data ==
		NULL ||
	    allowed_origin(req, &for_path).data == NULL)
		return;
	spout_set_header(req, "Access-Control-Allow-Methods", allow);
	if (cors->allow_headers != NULL)
		spout_set_header(
		    req, "Access-Control-Allow-Headers", cors->allow_headers);
	if (cors->max_age_s > 0) {
		snprintf(seconds, sizeof(seconds), "%" PRIu64, cors->max_age_s);
		spout_set_header(req, "Access-Control-Max-Age", seconds);
	}
}
