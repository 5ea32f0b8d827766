/* SPDX-License-Identifier: MIT */
/* Request bodies read piece by piece: never more of one in memory than a piece. */
#include "config.h"

#include "demo.h"

#include <errno.h>

/* Back to the sender as it comes in, with its own content type. */
void
echo_post(struct spout_request *req)
{
	const char *type = spout_header(req, "Content-Type");
	struct spout_slice piece;

	spout_set_header(req, "Content-Type", type ? type : "application/octet-stream");
	while ((piece = spout_body_read(req)).len > 0)
		spout_write(req, piece.data, piece.len);
}

void
upload_post(struct spout_request *req)
{
	struct spout_sha256 *sha256 = spout_sha256_new();
	unsigned char digest[SPOUT_SHA256_SIZE];
	char hex[2 * SPOUT_SHA256_SIZE + 1];
	struct spout_slice piece;
	uint64_t size = 0;

	if (sha256 == NULL)
		spout_fail_with(-ENOMEM, "no memory for a digest");
	spout_defer(spout_sha256_free, sha256);
	while ((piece = spout_body_read(req)).len > 0) {
		if (spout_sha256_update(sha256, piece.data, piece.len) != 0)
			spout_fail(req, 500, "the digest cannot be computed");
		size += piece.len;
	}
	if (spout_sha256_final(sha256, digest) != 0)
		spout_fail(req, 500, "the digest cannot be computed");
	spout_hex(digest, sizeof(digest), hex);
	spout_json_pack(req, "{s:I,s:s}", "size", (long long)size, "sha256", hex);
}
