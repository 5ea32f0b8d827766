/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "features/features.h"

/* The application has .compress = true: brotli or gzip, whatever the client takes. */
static void
compression_get(struct spout_request *req)
{
	spout_set_header(req, "Content-Type", "text/plain; charset=UTF-8");
	for (int i = 1; i <= 1000; i++)
		spout_printf(req, "%4d green bottles hanging on the wall\n", i);
}

const struct spout_route features_compression[] = {
	SPOUT_GET("/compression", compression_get),
	SPOUT_END,
};
