/* SPDX-License-Identifier: MIT */
/*
 * The opening handshake of a client (RFC 6455 4.1). One time limit for all of it: when it
 * is over the transport fails, whatever is being waited for. Loop thread, in a coroutine.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <spout/crypto.h>
#include <spout/tcp.h>
#include <spout/tls.h>

#include "http/body.h"
#include "http/chars.h"
#include "net/costream.h"
#include "websocket/client.h"

#define CONNECT_TIMEOUT_MS 10000u
#define HEAD_MAX 16384u
#define ANSWERS_MAX 16u /* 1xx, before the one that counts */
#define REFUSAL_MAX 65536u
#define KEY_BYTES 16

/* In the scope of the caller. */
struct attempt {
	const struct spout_websocket_options *options;
	struct spout__ws_url url;
	struct spout__timer timer;
	struct spout_stream *stream; /* NULL: closed, or not yet connected */
	struct spout__buffer request;
	char accept[SPOUT__WS_ACCEPT_SIZE];
	struct spout__ws_answer answer;
};

/* --- the request ------------------------------------------------------------------ */

static bool
is_ours(struct spout_slice name)
{
	static const char *const ours[] = { "Host", "Upgrade", "Connection",
		"Content-Length", "Transfer-Encoding" };
	unsigned i;

	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (spout__http_same(name, spout_slice(ours[i])))
			return true;
	return name.len >= 14 && spout__http_same(spout_slice_of(name.data, 14),
				     spout_slice("Sec-WebSocket-"));
}

/* May that be sent as a field of its own? */
static bool
is_field(const struct spout_field *field)
{
	return field->value != NULL && *field->name != '\0' &&
	    *spout__http_skip(field->name, SPOUT__CHAR_TOKEN) == '\0' &&
	    *spout__http_skip(field->value, SPOUT__CHAR_VALUE) == '\0' &&
	    !is_ours(spout_slice(field->name));
}

/* Append what the caller wants to say besides. Returns 0, -EINVAL, -EMSGSIZE, -ENOMEM. */
static int
put_fields(const struct spout_websocket_options *options, struct spout__buffer *to)
{
	const struct spout_field *field = options->headers;
	const char *const *protocol = options->subprotocols;
	char offer[SPOUT__WS_EXTENSION_SIZE];
	int r = 0;

	for (; r == 0 && field != NULL && field->name != NULL; field++)
		r = is_field(field) ? spout__buffer_printf(to, "%s: %s\r\n", field->name,
					  field->value) : -EINVAL;
	for (; r == 0 && protocol != NULL && *protocol != NULL; protocol++) {
		if (**protocol == '\0' ||
		    *spout__http_skip(*protocol, SPOUT__CHAR_TOKEN) != '\0')
			return -EINVAL;
		r = spout__buffer_printf(
		    to, "Sec-WebSocket-Protocol: %s\r\n", *protocol);
	}
	if (r == 0 && options->compress.on) {
		spout__ws_offer(&options->compress, offer);
		r = spout__buffer_printf(to, "Sec-WebSocket-Extensions: %s\r\n", offer);
	}
	return r;
}

/* Compose the request; what it is answered with is noted. */
static int
compose(struct attempt *attempt)
{
	struct spout__buffer *to = &attempt->request;
	const struct spout__ws_url *url = &attempt->url;
	unsigned char key[KEY_BYTES];
	char text[SPOUT_BASE64_SIZE(KEY_BYTES) + 1];
	int r;

	spout_random(key, sizeof(key));
	spout_base64(key, sizeof(key), text);
	if (!spout__ws_accept_key(spout_slice(text), attempt->accept))
		return -ENOMEM;
	r = spout__buffer_printf(to,
	    "GET %s%.*s HTTP/1.1\r\nHost: %.*s\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: %s\r\n",
	    url->no_path ? "/" : "", (int)url->target.len, url->target.data,
	    (int)url->authority.len, url->authority.data, text);
	if (r == 0)
		r = put_fields(attempt->options, to);
	return r == 0 ? spout__buffer_append(to, "\r\n", 2) : r;
}

/* --- the connection --------------------------------------------------------------- */

static void
on_timeout(struct spout__timer *timer)
{
	struct attempt *attempt = spout__container_of(timer, struct attempt, timer);

	if (attempt->stream != NULL)
		spout__stream_fail(&attempt->stream->base, -ETIMEDOUT);
}

/* However it ended. The stream is closed already, or by its scope. */
static void
clean_up(void *arg)
{
	struct attempt *attempt = arg;

	spout__timer_stop(&attempt->timer);
	spout__buffer_release(&attempt->request);
}

static int
dial(struct attempt *attempt)
{
	const struct spout_websocket_options *options = attempt->options;
	struct spout_loop *loop = spout_loop_current();
	uint64_t ms = spout__ws_or(options->connect_timeout_ms, CONNECT_TIMEOUT_MS);
	struct spout_tls *tls = NULL;

	if (attempt->url.secure)
		tls = options->tls != NULL ? options->tls : spout_tls_default();
	spout__timer_start_at(loop, &attempt->timer, spout__loop_after_ms(loop, ms));
	return spout_try_tcp_connect(attempt->url.host, attempt->url.port,
	    &attempt->stream, .timeout_ms = ms, .tls = tls,
	    .stream = { .max_buffer_bytes = HEAD_MAX + REFUSAL_MAX });
}

/* Send the request, and read the head of the answer: the first that is not on the way to
 * another. */
static int
ask(struct attempt *attempt)
{
	struct spout__buffer *request = &attempt->request;
	struct spout_slice text = { NULL, 0 };
	unsigned answers = 0;
	char *copy;
	int r = spout_try_stream_write(
	    attempt->stream, spout__buffer_at(request), request->len);

	do {
		if (r == 0)
			r = spout_try_stream_read_until(
			    attempt->stream, "\r\n\r\n", HEAD_MAX, &text);
		if (r < 0)
			return r;
		if (++answers > ANSWERS_MAX)
			return spout__co_error(-EPROTO, "too many answers before one");
		copy = spout_alloc(text.len);
		memcpy(copy, text.data, text.len);
		if (spout__ws_parse_answer(copy, text.len, &attempt->answer) < 0)
			return spout__co_error(-EPROTO, "the answer is malformed");
	} while (attempt->answer.status / 100 == 1 && attempt->answer.status != 101);
	return 0;
}

/* --- a refusal -------------------------------------------------------------------- */

/* Read what there is of its body, up to a limit. */
static struct spout_slice
read_body(struct attempt *attempt)
{
	struct spout__http_head *head = &attempt->answer.head;
	struct spout_slice piece = { "", 0 }, body;
	struct spout__http_body framing;
	char *all = spout_alloc(REFUSAL_MAX);
	size_t len = 0, used;
	bool whole = head->framing == SPOUT__HTTP_NO_BODY;

	if (!whole && spout__http_body_begin(&framing, head, UINT64_MAX / 2) < 0)
		return piece;
	while (len < REFUSAL_MAX && (whole || !spout__http_body_done(&framing)) &&
	    spout_try_stream_read_some(attempt->stream, &piece) == 0 &&
	    piece.len > 0) {
		do {
			used = piece.len;
			body = piece;
			if (!whole && spout__http_body_feed(&framing, piece.data,
				piece.len, &used, &body) < 0)
				return spout_slice_of(all, len);
			if (body.len > REFUSAL_MAX - len)
				body.len = REFUSAL_MAX - len;
			memcpy(all + len, body.data, body.len);
			len += body.len;
			piece.data += used;
			piece.len -= used;
		} while (used > 0 && piece.len > 0);
	}
	return spout_slice_of(all, len);
}

static struct spout_field *
copy_fields(const struct spout__http_head *head)
{
	struct spout_field *fields = spout_zalloc(head->n_fields + 1, sizeof(*fields));
	unsigned i;

	for (i = 0; i < head->n_fields; i++) {
		fields[i].name =
		    spout_strndup(head->fields[i].name.data, head->fields[i].name.len);
		fields[i].value = spout_strndup(
		    head->fields[i].value.data, head->fields[i].value.len);
	}
	return fields;
}

static int
refused(struct attempt *attempt)
{
	struct spout_websocket_refusal *refusal = attempt->options->refusal;
	int status = attempt->answer.status;

	if (refusal != NULL) {
		refusal->status = status;
		refusal->headers = copy_fields(&attempt->answer.head);
		refusal->body = read_body(attempt);
	}
	return spout__co_error(-EREMOTEIO, "the server answers %d", status);
}

/* --- all of it -------------------------------------------------------------------- */

static int
agree(struct attempt *attempt, struct spout_websocket **ret_ws)
{
	struct spout__ws_handshake *handshake = spout_zalloc(1, sizeof(*handshake));
	struct spout_stream *stream = attempt->stream;
	const char *why;

	if (attempt->answer.status != 101)
		return refused(attempt);
	if (spout__ws_check_answer(&attempt->answer, attempt->accept,
		attempt->options->subprotocols, &attempt->options->compress, handshake,
		&why) < 0)
		return spout__co_error(-EPROTO, "%s", why);
	attempt->stream = NULL;
	return spout__ws_adopt(stream, attempt->options, handshake, ret_ws);
}

int
spout_try_websocket_connect_with(const char *url,
    const struct spout_websocket_options *options, struct spout_websocket **ret_ws)
{
	struct attempt *attempt;
	int r;

	(void)spout__co_checkpoint("spout_websocket_connect");
	attempt = spout_zalloc(1, sizeof(*attempt));
	attempt->options = options;
	if (spout__ws_parse_url(url, &attempt->url) < 0)
		return spout__co_error(-EINVAL, "%s: no URL of a WebSocket", url);
	spout__buffer_init(&attempt->request, HEAD_MAX);
	spout__timer_init(&attempt->timer, on_timeout);
	spout_defer(clean_up, attempt);
	r = compose(attempt);
	if (r < 0)
		return spout__co_error(r, "a header or a subprotocol is wrong");
	r = dial(attempt);
	if (r == 0)
		r = ask(attempt);
	if (r == 0)
		r = agree(attempt, ret_ws);
	if (attempt->stream != NULL)
		spout_stream_close(attempt->stream);
	attempt->stream = NULL;
	spout__timer_stop(&attempt->timer);
	spout__buffer_release(&attempt->request);
	return r;
}

struct spout_websocket *
spout_websocket_connect_with(
    const char *url, const struct spout_websocket_options *options)
{
	struct spout_websocket *ws = NULL;

	spout__net_leave_if(spout_try_websocket_connect_with(url, options, &ws));
	return ws;
}
