/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "features/features.h"

static const char *const sizes[] = { "small", "medium", "large", NULL };

/* What is missing where it must not be, malformed or out of range answers 400. */
static void
arguments_get(struct spout_request *req)
{
	int64_t count = spout_arg_int(req, "count", .min = 1, .max = 20, .otherwise = 1);
	double price = spout_require_arg_double(req, "price", .max = 1000);
	int size = spout_arg_enum(req, "size", sizes, 0);
	bool gift = spout_arg_bool(req, "gift", false);
	int64_t day = spout_arg_time(req, "day", spout_now());

	spout_json_pack(req, "{s:I, s:f, s:s, s:b, s:I}", "count", (json_int_t)count,
	    "total", price * (double)count, "size", sizes[size], "gift", gift,
	    "seconds_since_1970", (json_int_t)day);
}

const struct spout_route features_arguments[] = {
	SPOUT_GET("/arguments", arguments_get),
	SPOUT_END,
};
