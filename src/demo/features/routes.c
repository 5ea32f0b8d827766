/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "features/features.h"

static void
shelf_get(struct spout_request *req)
{
	int64_t shelf = spout_path_int(req, "shelf");
	const char *code = spout_path(req, "code");

	spout_json_pack(req, "{s:I, s:s, s:s}", "shelf", (json_int_t)shelf, "code", code,
	    "next", spout_reverse_url(req, "shelf", spout_sprintf("%lld",
		(long long)shelf % 99 + 1), code));
}

static void
order_get(struct spout_request *req)
{
	spout_json_pack(req, "{s:s}", "order", spout_path(req, "id"));
}

/* What does not fit a schema is another path: 404, and no handler sees it. */
const struct spout_route features_routes[] = {
	SPOUT_GET("/shelves/{shelf:int(1..99)}/{code:[A-Z]{2}-[0-9]+}", shelf_get,
	    .name = "shelf"),
	SPOUT_GET("/orders/{id:uuid}", order_get),
	SPOUT_REDIRECT("/shelf/{shelf}", "/features/shelves/{shelf}/AA-1"),
	SPOUT_END,
};
