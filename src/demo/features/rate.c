/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "features/features.h"

/* Of each address, in each worker; more answers 429 with Retry-After. */
static const struct spout_rate_limit some = { "demo", .requests = 5, .per_s = 10 };

static void
rate_get(struct spout_request *req)
{
	spout_plain(req, "one of five in ten seconds\n");
}

const struct spout_route features_rate[] = {
	SPOUT_GET("/rate", rate_get, .rate_limit = &some),
	SPOUT_END,
};
