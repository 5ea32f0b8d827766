/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "features/features.h"

static const char *const colours[] = { "teal", "amber", "rose", NULL };

/*
 * The application has .xsrf_cookies: a form without the token of this browser is refused
 * with 403 before this runs. In the page: {{ xsrf_form_html() }}.
 */
static void
form_post(struct spout_request *req)
{
	const char *name = spout_require_arg(req, "name");
	int colour = spout_require_arg_enum(req, "colour", colours);

	if (name[0] == '\0')
		spout_fail(req, 400, "name: must not be empty");
	spout_json_pack(req, "{s:s, s:s, s:b}", "name", name, "colour", colours[colour],
	    "news", spout_arg_bool(req, "news", false));
}

const struct spout_route features_form[] = {
	SPOUT_POST("/form", form_post),
	SPOUT_END,
};
