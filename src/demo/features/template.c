/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "features/features.h"

/* spoutc(1) has compiled greeting.html into the program. */
static void
template_get(struct spout_request *req)
{
	const char *text = spout_arg(req, "text");

	spout_render_pack(req, "greeting.html", "{s:s, s:[s,s,s]}", "text",
	    text != NULL ? text : "", "days", "Monday", "Tuesday", "Wednesday");
}

const struct spout_route features_template[] = {
	SPOUT_GET("/template", template_get),
	SPOUT_END,
};
