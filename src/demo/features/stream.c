/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "features/features.h"

/* Cancelled in its wait when the client goes away; a slow one makes it wait. */
static void
stream_get(struct spout_request *req)
{
	spout_set_header(req, "Content-Type", "text/plain; charset=UTF-8");
	for (int i = 1; i <= 5; i++) {
		spout_printf(req, "line %d of 5\n", i);
		spout_flush(req);
		spout_sleep(300);
	}
}

const struct spout_route features_stream[] = {
	SPOUT_GET("/stream", stream_get),
	SPOUT_END,
};
