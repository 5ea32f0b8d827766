/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "features/features.h"

/* A page that changes every ten seconds. Who has it gets 304; no work is done then. */
static void
unchanged_get(struct spout_request *req)
{
	int64_t version = spout_now() / 10;

	spout_set_header(req, "Cache-Control", "no-cache");
	spout_set_etag(req, spout_sprintf("v%lld", (long long)version));
	if (spout_not_modified(req, version * 10))
		return;
	spout_sleep(200); /* the work */
	spout_json_pack(req, "{s:I}", "version", (json_int_t)version);
}

const struct spout_route features_unchanged[] = {
	SPOUT_GET("/unchanged", unchanged_get),
	SPOUT_END,
};
