/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "features/features.h"

/* Leaves: what was written is dropped, clean-ups run, an error page goes out. */
static void
errors_get(struct spout_request *req)
{
	spout_write_text(req, "nobody sees this");
	if (spout_arg_bool(req, "wait", false)) /* until the time of the route is up */
		spout_sleep(60000);
	spout_fail(req, (int)spout_arg_int(req, "status", .min = 400, .max = 599,
	    .otherwise = 404), "there is no <such> thing");
}

const struct spout_route features_errors[] = {
	SPOUT_GET("/errors", errors_get, .timeout_ms = 700),
	SPOUT_END,
};
