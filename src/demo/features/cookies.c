/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "features/features.h"

static void
cookies_post(struct spout_request *req)
{
	const char *text = spout_require_arg(req, "text");

	spout_set_cookie(req, "plain", spout_url_escape(text), .max_age_s = 3600);
	spout_set_signed_cookie(req, "signed", text, .max_age_s = 3600);
	spout_set_encrypted_cookie(req, "encrypted", text, .max_age_s = 3600,
	    .same_site = SPOUT_SAME_SITE_STRICT);
	spout_redirect(req, "/features/cookies", 303);
}

/* What the browser sent, and what it means here: NULL if anybody has changed it. */
static void
cookies_get(struct spout_request *req)
{
	spout_json_pack(req, "{s:{s:s?, s:s?, s:s?}, s:{s:s?, s:s?, s:s?}}",
	    "sent",
	    "plain", spout_cookie(req, "plain"),
	    "signed", spout_cookie(req, "signed"),
	    "encrypted", spout_cookie(req, "encrypted"),
	    "read",
	    "plain", spout_cookie(req, "plain"),
	    "signed", spout_signed_cookie(req, "signed"),
	    "encrypted", spout_encrypted_cookie(req, "encrypted"));
}

const struct spout_route features_cookies[] = {
	SPOUT_POST("/cookies", cookies_post),
	SPOUT_GET("/cookies", cookies_get),
	SPOUT_END,
};
