/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "features/features.h"

/*
 * The program itself, as a download: opened on the blocking pool, sent by the kernel,
 * with ETag, Last-Modified, 304 and ranges. A directory is one row of the table:
 * SPOUT_STATIC("/docs/", "/srv/docs").
 */
static void
files_get(struct spout_request *req)
{
	spout_send_file(req, "/proc/self/exe", .download_name = "spout-demo",
	    .content_type = "application/octet-stream", .cache_control = "no-cache");
}

const struct spout_route features_files[] = {
	SPOUT_GET("/files/program", files_get),
	SPOUT_END,
};
