/* SPDX-License-Identifier: MIT */
/* Request bodies that came compressed: see inflate.h. */
#include "config.h"

#include "web/inflate.h"

#include <errno.h>
#include <strings.h>

#include "client/decode.h"

#define PIECE 16384u
/* Everybody else gets a turn after so many bytes. */
#define TURN (256u << 10)

/* Of one request, in its scope. */
struct spout__inflater {
	struct spout__decoder *decoder;
	struct spout_slice in;     /* not yet decoded */
	uint64_t total, limit;     /* bytes decoded */
	struct spout__buffer body; /* all of them, unless they are streamed */
	char out[PIECE];
};

static void
release(void *arg)
{
	struct spout__inflater *inflater = arg;

	spout__decoder_free(inflater->decoder);
	spout__buffer_release(&inflater->body);
}

static void SPOUT_NORETURN
leave_without_memory(void)
{
	spout__co_leave(-ENOMEM, 0, "out of memory (decompressing the request body)");
}

/* Decode some of what is there; empty when more is needed. */
static struct spout_slice
decode(struct spout_request *req)
{
	struct spout__inflater *inflater = req->inflater;
	uint64_t before = inflater->total;
	long n = spout__decoder_run(inflater->decoder, &inflater->in.data,
	    &inflater->in.len, inflater->out, PIECE);

	if (n == -ENOMEM)
		leave_without_memory();
	if (n < 0)
		spout_fail(req, 400, "the request body is malformed: its coding");
	inflater->total += (uint64_t)n;
	if (inflater->total > inflater->limit)
		spout_fail(req, 413,
		    "the request body is larger than %llu bytes when decompressed",
		    (unsigned long long)inflater->limit);
	if (before / TURN != inflater->total / TURN)
		spout_yield();
	return spout_slice_of(inflater->out, (size_t)n);
}

static void
check_complete(struct spout_request *req)
{
	if (!spout__decoder_complete(req->inflater->decoder))
		spout_fail(req, 400, "the request body is malformed: it ends early");
}

static void
inflate_whole(struct spout_request *req)
{
	struct spout__inflater *inflater = req->inflater;
	struct spout_slice piece;

	inflater->in = spout__http_body_buffered(req->ex);
	while ((piece = decode(req)).len > 0)
		if (spout__buffer_append(&inflater->body, piece.data, piece.len) != 0)
			leave_without_memory();
	check_complete(req);
}

void
spout__inflate_begin(struct spout_request *req)
{
	const char *coding = spout_header(req, "Content-Encoding");
	struct spout__inflater *inflater;

	if (coding == NULL || strcasecmp(coding, "identity") == 0)
		return;
	inflater = spout_alloc(sizeof(*inflater));
	memset(inflater, 0, offsetof(struct spout__inflater, out));
	inflater->limit = spout__http_max_body(req->ex);
	spout__buffer_init(&inflater->body, inflater->limit);
	spout_defer(release, inflater);
	req->inflater = inflater;
	if (spout__decoder_new(coding, &inflater->decoder) != 0)
		leave_without_memory();
	if (inflater->decoder == NULL)
		spout_fail(req, 415, "the request body has an unknown coding");
	if (!req->route->stream_body)
		inflate_whole(req);
}

struct spout_slice
spout__inflated(const struct spout__inflater *inflater)
{
	if (inflater->body.len == 0)
		return spout_slice_of("", 0);
	return spout_slice_of(spout__buffer_at(&inflater->body), inflater->body.len);
}

struct spout_slice
spout__inflate_read(struct spout_request *req)
{
	struct spout_slice piece;

	while ((piece = decode(req)).len == 0) {
		req->inflater->in = spout__http_body_read(req->ex);
		if (req->inflater->in.len == 0) {
			check_complete(req);
			break;
		}
	}
	return piece;
}
