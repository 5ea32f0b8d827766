/* SPDX-License-Identifier: MIT */
/* Entity tags and compression of responses: see transform.h. */
#include "config.h"

#include "web/transform.h"

#include <errno.h>
#include <strings.h>

#include <spout/crypto.h>

#include "base/clock.h"
#include "web/accept.h"
#include "web/compress.h"
#include "web/inflate.h"

#define TAG_BYTES 16 /* of the digest of the content */

/* One response that is looked at; in the scope. */
struct transform {
	struct spout_request *req;
	struct spout__deflater deflater;
};

static struct spout_slice
field(struct spout__http_exchange *ex, const char *name)
{
	return spout__http_field(ex, spout_slice(name));
}

/* --- whether ---------------------------------------------------------------------- */

/* Does a list of tokens name this one? */
static bool
names(struct spout_slice list, const char *token)
{
	size_t len = strlen(token), i;

	for (i = 0; i + len <= list.len; i++)
		if (strncasecmp(list.data + i, token, len) == 0)
			return true;
	return false;
}

/* Would this response be compressed for a client that accepts it? */
static bool
compressible(struct spout_request *req)
{
	struct spout__http_exchange *ex = req->ex;
	int status = spout__http_status(ex);

	return req->web->app->compress && !req->route->no_compress && status >= 200 &&
	    status != 204 && status != 205 && status != 206 && status != 304 &&
	    !spout__http_promised(ex) &&
	    spout__type_compressible(spout__http_content_type(ex)) &&
	    field(ex, "Content-Encoding").data == NULL &&
	    field(ex, "Content-Range").data == NULL &&
	    !names(field(ex, "Cache-Control"), "no-transform");
}

/* The coding for this client out of those that can be made, 0: none. */
static unsigned
choose_coding(struct spout_request *req, unsigned can_make)
{
	unsigned codings =
	    spout__accept_codings(spout__http_head_get(req->head, "Accept-Encoding")) &
	    can_make;

	if ((codings & SPOUT__CODING_BR) != 0)
		return SPOUT__CODING_BR;
	return codings;
}

/* --- fields ----------------------------------------------------------------------- */

static int
set_field(struct spout__http_exchange *ex, const char *name, const char *value)
{
	return spout__http_set_header(ex, spout_slice(name), spout_slice(value));
}

/* Caches shall keep the answers to other clients apart. */
static int
add_vary(struct spout__http_exchange *ex)
{
	struct spout_slice vary = field(ex, "Vary");

	if (names(vary, "Accept-Encoding") || names(vary, "*"))
		return 0;
	return spout__http_add_header(
	    ex, spout_slice("Vary"), spout_slice("Accept-Encoding"));
}

/* Encoded bytes are not those that a strong tag is for (RFC 9110 8.8.3.3). */
static int
weaken_tag(struct spout__http_exchange *ex)
{
	struct spout_slice tag = field(ex, "ETag");
	char *weak;

	if (tag.len == 0 || tag.data[0] != '"')
		return 0;
	weak = spout_alloc_in(spout__http_scope(ex), tag.len + 2);
	if (weak == NULL)
		return -ENOMEM;
	memcpy(mempcpy(weak, "W/", 2), tag.data, tag.len);
	return spout__http_set_header(
	    ex, spout_slice("ETag"), spout_slice_of(weak, tag.len + 2));
}

/* --- entity tags ------------------------------------------------------------------ */

static int
digest(const struct spout__buffer *body, unsigned char ret_digest[SPOUT_SHA256_SIZE])
{
	struct spout_sha256 *sha256 = spout_sha256_new();
	int r = sha256 == NULL ? -ENOMEM : 0;

	if (r == 0 && body->len > 0)
		r = spout_sha256_update(sha256, spout__buffer_at(body), body->len);
	if (r == 0)
		r = spout_sha256_final(sha256, ret_digest);
	spout_sha256_free(sha256);
	return r;
}

/* Without memory there is no tag. */
static void
add_tag(struct spout__http_exchange *ex, const struct spout__buffer *body)
{
	unsigned char sum[SPOUT_SHA256_SIZE];
	char text[2 * TAG_BYTES + 3];

	if (field(ex, "ETag").data != NULL || digest(body, sum) != 0)
		return;
	text[0] = '"';
	spout_hex(sum, TAG_BYTES, text + 1);
	strcpy(text + 1 + 2 * TAG_BYTES, "\"");
	(void)set_field(ex, "ETag", text);
}

static bool
reads(const struct spout__http_head *head)
{
	return head->method == SPOUT__HTTP_GET || head->method == SPOUT__HTTP_HEAD;
}

enum spout__verdict
spout__response_judge(struct spout_request *req)
{
	struct spout_slice tag = field(req->ex, "ETag");
	struct spout_slice modified = field(req->ex, "Last-Modified");
	struct spout__validators known = { .modified = -1 };
	struct spout__conditions asked;
	enum spout__verdict verdict;

	known.weak = tag.len > 2 && tag.data[0] == 'W';
	known.etag = known.weak ? spout_slice_of(tag.data + 2, tag.len - 2) : tag;
	if (modified.data != NULL)
		known.modified = spout__http_date_parse(modified.data, modified.len);
	spout__conditions_find(req->head, &asked);
	if (!reads(req->head))
		asked.if_modified_since = spout_slice_of(NULL, 0);
	verdict = spout__conditions_judge(&asked, &known);
	if (verdict == SPOUT__NOT_MODIFIED && !reads(req->head))
		return SPOUT__PRECONDITION_FAILED;
	return verdict;
}

/* True when the client needs no body. */
static bool
tag_and_judge(struct spout_request *req, struct spout__buffer *body, bool weak)
{
	struct spout__http_exchange *ex = req->ex;
	enum spout__verdict verdict;

	if (!req->web->app->etag || spout__http_status(ex) != 200 || !reads(req->head))
		return false;
	add_tag(ex, body);
	if (weak && weaken_tag(ex) != 0)
		return false;
	verdict = spout__response_judge(req);
	if (verdict == SPOUT__SEND)
		return false;
	spout__http_set_status(ex, verdict == SPOUT__NOT_MODIFIED ? 304 : 412);
	spout__buffer_clear(body);
	return true;
}

/* --- compression ------------------------------------------------------------------ */

static void
compress_whole(struct spout_request *req, unsigned coding, struct spout__buffer *body)
{
	struct spout__web *web = req->web;
	struct spout_slice out;

	if (web->compressor == NULL)
		web->compressor = spout__compressor_new();
	if (web->compressor == NULL)
		return;
	out = spout__compress(web->compressor, coding,
	    spout_slice_of(spout__buffer_at(body), body->len));
	if (out.len == 0 || weaken_tag(req->ex) != 0 ||
	    set_field(req->ex, "Content-Encoding", spout__coding_name(coding)) != 0)
		return;
	/* Shorter than what was there: it has room. */
	memcpy(spout__buffer_at(body), out.data, out.len);
	body->len = out.len;
}

static void
on_whole(void *arg, struct spout__http_exchange *ex, struct spout__buffer *body)
{
	struct transform *t = arg;
	unsigned coding = 0;

	if (body->len >= SPOUT__COMPRESS_MIN && compressible(t->req)) {
		if (add_vary(ex) != 0)
			return;
		coding = choose_coding(t->req, spout__compress_codings());
	}
	if (tag_and_judge(t->req, body, coding != 0))
		return;
	if (coding != 0)
		compress_whole(t->req, coding, body);
}

static void
end_deflater(void *arg)
{
	spout__deflater_end(arg);
}

static bool
on_begin(void *arg, struct spout__http_exchange *ex)
{
	struct transform *t = arg;

	if (!compressible(t->req) || add_vary(ex) != 0 ||
	    choose_coding(t->req, SPOUT__CODING_GZIP) == 0 ||
	    spout__deflater_begin(&t->deflater) != 0)
		return false;
	return spout_defer_in(spout__http_scope(ex), end_deflater, &t->deflater) == 0 &&
	    weaken_tag(ex) == 0 && set_field(ex, "Content-Encoding", "gzip") == 0;
}

static int
put_piece(void *arg, const char *data, size_t len)
{
	return spout__http_emit(arg, data, len);
}

static int
on_piece(void *arg, struct spout__http_exchange *ex, struct spout_slice piece,
    enum spout__http_piece how)
{
	static const int flushes[] = { [SPOUT__PIECE_MORE] = Z_NO_FLUSH,
		[SPOUT__PIECE_FLUSH] = Z_SYNC_FLUSH,
		[SPOUT__PIECE_LAST] = Z_FINISH };
	struct transform *t = arg;

	return spout__deflater_run(&t->deflater, piece, flushes[how], put_piece, ex);
}

/* --- as middleware ---------------------------------------------------------------- */

bool
spout__transform_needed(const struct spout_app *app, const struct spout_route *route)
{
	return app->etag || (app->compress && !route->no_compress) ||
	    app->decompress_body || route->decompress_body;
}

void
spout__transform_run(struct spout_request *req)
{
	static const struct spout__http_encoder encoder = { on_whole, on_begin,
		on_piece };
	struct transform *t = spout_alloc(sizeof(*t));

	t->req = req;
	spout__http_set_encoder(req->ex, &encoder, t);
	if (req->web->app->decompress_body || req->route->decompress_body)
		spout__inflate_begin(req);
	spout_next(req);
}
