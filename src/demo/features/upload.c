/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "features/features.h"

static void
drop(void *parts)
{
	json_decref(parts);
}

/* Part after part, piece by piece: a form of any size in a few KiB of memory. */
static void
upload_post(struct spout_request *req)
{
	struct spout_multipart *form = spout_multipart_open(req);
	json_t *parts = json_array();
	const struct spout_part *part;

	spout_defer(drop, parts); /* whatever becomes of this */
	while ((part = spout_multipart_next(form)) != NULL) {
		json_t *row = json_pack("{s:s, s:s?}", "field", part->name, "file",
		    part->filename);
		struct spout_slice piece;
		json_int_t size = 0;

		json_array_append_new(parts, row);
		while ((piece = spout_multipart_read(form)).len > 0)
			size += (json_int_t)piece.len;
		json_object_set_new(row, "bytes", json_integer(size));
	}
	spout_json(req, json_incref(parts));
}

const struct spout_route features_upload[] = {
	SPOUT_POST("/upload", upload_post, .stream_body = true,
	    .max_body_bytes = (uint64_t)1 << 30, .timeout_ms = 600000),
	SPOUT_END,
};
