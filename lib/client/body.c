/* SPDX-License-Identifier: MIT */
/*
 * Bodies: what libcurl hands out is decompressed, counted and kept, or waits for its
 * reader; what it asks for comes from a function or from a coroutine's writes.
 *
 * A piece of 16 KiB may inflate to 16 MiB, so at most BUDGET bytes are made of it in one
 * turn of the loop; the rest waits in `pending` with the transfer paused.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "client/client.h"

#define BUDGET (256u << 10)
#define STEP (16u << 10)
/* So much of a redirect's body is read to keep the connection; then that is given up. */
#define DISCARD_MAX (256u << 10)

bool
spout__body_full(const struct spout__fetch *fetch)
{
	return fetch->options.stream && fetch->response->body.len >= SPOUT__STREAM_BYTES;
}

static int
too_large(struct spout__fetch *fetch)
{
	return spout__failure_note(fetch, SPOUT_FETCH_BODY, -EMSGSIZE,
	    "a body of more than %llu bytes",
	    (unsigned long long)fetch->options.max_body_bytes);
}

static int
no_memory(struct spout__fetch *fetch)
{
	return spout__failure_note(fetch, SPOUT_FETCH_BODY, -ENOMEM, "out of memory");
}

/* Count `n` bytes of the body as it is meant. */
static int
count(struct spout__fetch *fetch, size_t n)
{
	fetch->body_bytes += n;
	return fetch->body_bytes > fetch->options.max_body_bytes ? too_large(fetch) : 0;
}

static int
keep(struct spout__fetch *fetch, const char *data, size_t len)
{
	if (count(fetch, len) < 0)
		return fetch->failure.error;
	if (spout__buffer_append(&fetch->response->body, data, len) < 0)
		return no_memory(fetch);
	return 0;
}

/*
 * Decompress some. Returns how much of `data` is used, *ret_more if there is more in it.
 */
static long
inflate_some(struct spout__fetch *fetch, const char *data, size_t len, bool *ret_more)
{
	struct spout__buffer *body = &fetch->response->body;
	size_t left = len, made = 0;
	char *to;
	long n;

	*ret_more = true;
	while (made < BUDGET && !spout__body_full(fetch)) {
		to = spout__buffer_reserve(body, STEP);
		if (to == NULL)
			return no_memory(fetch);
		n = spout__decoder_run(fetch->decoder, &data, &left, to, STEP);
		if (n == -ENOMEM)
			return no_memory(fetch);
		if (n < 0)
			return spout__failure_note(fetch, SPOUT_FETCH_BODY, -EPROTO,
			    "the compressed body is damaged");
		if (n == 0) {
			*ret_more = false;
			break;
		}
		if (count(fetch, (size_t)n) < 0)
			return fetch->failure.error;
		spout__buffer_commit(body, (size_t)n);
		made += (size_t)n;
	}
	return (long)(len - left);
}

static void
tell_reader(struct spout__fetch *fetch)
{
	if (fetch->options.stream && fetch->response->body.len > 0)
		fetch->notify(fetch, SPOUT__FETCH_DATA);
}

int
spout__body_drain(struct spout__fetch *fetch)
{
	bool more;
	long n;

	if (fetch->decoder == NULL)
		return 0;
	n = inflate_some(
	    fetch, spout__buffer_at(&fetch->pending), fetch->pending.len, &more);
	if (n < 0)
		return (int)n;
	spout__buffer_consume(&fetch->pending, (size_t)n);
	if (fetch->pending.len == 0)
		spout__buffer_release(&fetch->pending);
	fetch->more = more;
	tell_reader(fetch);
	if (more && !spout__body_full(fetch))
		spout__fetch_resume_next_turn(fetch);
	return 0;
}

/* Take a compressed piece: what is too much for now goes to `pending`. */
static int
take_compressed(struct spout__fetch *fetch, const char *data, size_t len)
{
	bool more;
	long n = inflate_some(fetch, data, len, &more);

	if (n < 0)
		return (int)n;
	if ((size_t)n < len &&
	    spout__buffer_append(&fetch->pending, data + n, len - (size_t)n) < 0)
		return no_memory(fetch);
	fetch->more = more;
	if (more && !spout__body_full(fetch))
		spout__fetch_resume_next_turn(fetch);
	return 0;
}

size_t
spout__body_take(char *data, size_t size, size_t n, void *arg)
{
	struct spout__fetch *fetch = arg;
	int r;

	n *= size;
	if (!fetch->head_done && spout__transfer_head(fetch) < 0)
		return 0;
	if (fetch->follow) {
		fetch->body_bytes += n;
		return fetch->body_bytes > DISCARD_MAX ? 0 : n;
	}
	if (fetch->more || spout__body_full(fetch)) {
		fetch->receive_paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	fetch->received_bytes += n;
	r = fetch->decoder != NULL ? take_compressed(fetch, data, n)
				   : keep(fetch, data, n);
	if (r < 0)
		return 0;
	tell_reader(fetch);
	return n;
}

/*
 * Count `n` bytes that are given, 0: the end. libcurl would send what is more than was
 * announced, which the server takes for the begin of another request. False if they fail.
 */
static bool
count_given(struct spout__fetch *fetch, size_t n)
{
	uint64_t announced = fetch->options.upload_bytes;

	fetch->given_bytes += n;
	if (announced == 0 || fetch->given_bytes == announced ||
	    (n > 0 && fetch->given_bytes < announced))
		return true;
	spout__failure_note(fetch, SPOUT_FETCH_SEND, -EINVAL,
	    "a body of %s than %llu bytes", n > 0 ? "more" : "less",
	    (unsigned long long)announced);
	return false;
}

static size_t
give_from_function(struct spout__fetch *fetch, char *to, size_t room)
{
	long given = fetch->options.body_fn(fetch->options.body_arg, to, room);

	if (given < 0) {
		spout__failure_note(fetch, SPOUT_FETCH_SEND, (int)given,
		    "the function that gives the body failed");
		return CURL_READFUNC_ABORT;
	}
	fetch->sent = given == 0;
	return count_given(fetch, (size_t)given) ? (size_t)given : CURL_READFUNC_ABORT;
}

size_t
spout__body_give(char *to, size_t size, size_t room, void *arg)
{
	struct spout__fetch *fetch = arg;
	size_t n = fetch->upload.len;

	room *= size;
	if (fetch->options.body_fn != NULL)
		return give_from_function(fetch, to, room);
	if (n == 0 && !fetch->upload_ended) {
		fetch->send_paused = true;
		return CURL_READFUNC_PAUSE;
	}
	n = n < room ? n : room;
	if (!count_given(fetch, n))
		return CURL_READFUNC_ABORT;
	memcpy(to, n > 0 ? spout__buffer_at(&fetch->upload) : "", n);
	spout__buffer_consume(&fetch->upload, n);
	fetch->sent = n == 0;
	fetch->notify(fetch, SPOUT__FETCH_ROOM);
	return n;
}

int
spout__body_begin(struct spout__fetch *fetch)
{
	const struct spout_response *response = fetch->response;
	const char *coding = spout_response_header(response, "Content-Encoding");
	const char *length = spout_response_header(response, "Content-Length");
	bool none = strcmp(fetch->method, "HEAD") == 0 || response->status == 204 ||
	    response->status == 304;

	if (none)
		return 0;
	if (coding != NULL && !fetch->options.keep_encoding &&
	    spout__decoder_new(coding, &fetch->decoder) < 0)
		return no_memory(fetch);
	/* Of a compressed one it says nothing. libcurl has read it, and refused
	 * nonsense. */
	if (fetch->decoder == NULL && length != NULL &&
	    strtoull(length, NULL, 10) > fetch->options.max_body_bytes)
		return too_large(fetch);
	return 0;
}

int
spout__body_end(struct spout__fetch *fetch)
{
	struct spout__buffer *body = &fetch->response->body;

	if (fetch->decoder != NULL && !spout__decoder_complete(fetch->decoder))
		return spout__failure_note(fetch, SPOUT_FETCH_BODY, -EPROTO,
		    "the compressed body ends too early");
	/* A NUL behind it that does not count. */
	if (!fetch->options.stream) {
		char *end = spout__buffer_reserve(body, 1);

		if (end == NULL)
			return no_memory(fetch);
		*end = '\0';
	}
	return 0;
}
