/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "features/features.h"

static void
cors_put(struct spout_request *req)
{
	const char *origin = spout_header(req, "Origin");

	spout_json_pack(req, "{s:s, s:s?}", "method", spout_request_method(req), "origin",
	    origin);
}

/* Browsers ask before they send a PUT to another origin; the library answers that. */
const struct spout_cors features_cors_rules = {
	.prefix = "/features/cors",
	.origins = (const char *const[]){ "*", NULL },
	.allow_headers = "Content-Type",
	.max_age_s = 60,
};

const struct spout_route features_cors[] = {
	SPOUT_PUT("/cors", cors_put, .xsrf_exempt = true),
	SPOUT_END,
};
