/* SPDX-License-Identifier: MIT */
/*
 * The response side of an exchange: status, body, framing (RFC 9112 6, 7).
 *
 * Fields gather as text in the scope (response_fields.c), the body in a buffer. A
 * response that ends within SPOUT__RESPONSE_BUFFER bytes gets a Content-Length; a longer
 * or flushed one is sent in chunks, to HTTP/1.0 as it is with the end of the connection
 * as its end. An encoder, if there is one, sees the body on its way: whole in the first
 * case, else piece by piece.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "base/stats.h"
#include "base/text.h"
#include "http/conn.h"
#include "http/reason.h"

/* --- small parts ------------------------------------------------------------------ */

static bool
status_has_no_body(int status)
{
	return status < 200 || status == 204 || status == 205 || status == 304;
}

bool
spout__response_has_body(const struct spout__http_exchange *ex)
{
	return ex->head->method != SPOUT__HTTP_HEAD && !status_has_no_body(ex->status);
}

/* --- status --------------------------------------------------------------------- */

int
spout__http_set_status(struct spout__http_exchange *ex, int status)
{
	if (ex->head_sent)
		return -EALREADY;
	if (status < 200 || status > 599)
		return -EINVAL;
	ex->status = status;
	return 0;
}

int
spout__http_upgrade(struct spout__http_exchange *ex, struct spout_slice protocol,
    struct spout__http_guest *guest)
{
	int r;

	if (ex->head_sent)
		return -EALREADY;
	if (ex->conn == NULL || ex->server->draining)
		return -ECANCELED;
	r = spout__http_add_header(ex, spout_slice("Upgrade"), protocol);
	if (r < 0)
		return r;
	ex->status = 101;
	ex->close_after = true; /* for HTTP it ends here */
	ex->guest = guest;
	return 0;
}

int
spout__http_reset(struct spout__http_exchange *ex)
{
	if (ex->head_sent)
		return -EALREADY;
	ex->status = 200;
	ex->fields_len = 0;
	ex->content_type = ex->server->options.content_type;
	ex->promised = -1;
	ex->written = 0;
	ex->guest = NULL;
	spout__buffer_clear(&ex->out);
	return 0;
}

/* --- the head --------------------------------------------------------------------- */

/* Server and Date, composed once a second. */
static struct spout_slice
common_fields(struct spout__http_server *server)
{
	time_t now = spout__loop_unix_time();

	if (now != server->common_second) {
		server->common_second = now;
		server->common_len = (unsigned)snprintf(server->common,
		    sizeof(server->common), "Server: %.60s\r\nDate: %s\r\n",
		    server->options.server_name, spout_loop_http_date(server->loop));
	}
	return spout_slice_of(server->common, server->common_len);
}

static char *
put_head_start(char *to, struct spout__http_server *server, int status)
{
	struct spout_slice line = spout__http_status_line(status);
	struct spout_slice common = common_fields(server);

	to = spout__put(to, line.data, line.len);
	return spout__put(to, common.data, common.len);
}

static char *
put_framing(struct spout__http_exchange *ex, char *to, int64_t length)
{
	/* No content, yet framed like any other: RFC 9110 15.3.6. */
	if (ex->status == 205)
		return SPOUT__PUT(to, "Content-Length: 0\r\n");
	if (status_has_no_body(ex->status))
		return to;
	if (length >= 0) {
		to = SPOUT__PUT(to, "Content-Length: ");
		to = spout__put_number(to, (uint64_t)length);
		return SPOUT__PUT(to, "\r\n");
	}
	if (ex->head->minor == 1) {
		ex->chunked = true;
		return SPOUT__PUT(to, "Transfer-Encoding: chunked\r\n");
	}
	ex->close_after = true; /* its end is the end of the connection */
	return to;
}

static char *
put_connection(struct spout__http_exchange *ex, char *to)
{
	if (!spout__conn_may_keep(ex->conn)) {
		ex->conn->close_after = true;
		return ex->guest != NULL ? SPOUT__PUT(to, "Connection: Upgrade\r\n") :
		                           SPOUT__PUT(to, "Connection: close\r\n");
	}
	return ex->head->minor == 0 ? SPOUT__PUT(to, "Connection: keep-alive\r\n") : to;
}

/*
 * Put the head into the stream's queue, with the whole body behind it if there is one.
 * `length` -1: not known. Returns 0 or -errno.
 */
static int
send_head(struct spout__http_exchange *ex, int64_t length, struct spout_slice body)
{
	struct spout__stream *stream = &ex->conn->stream;
	char *begin = spout__stream_reserve(stream,
	    384 + ex->content_type.len + ex->fields_len + body.len), *to;

	if (begin == NULL)
		return -errno;
	to = put_head_start(begin, ex->server, ex->status);
	if (ex->content_type.len > 0 && !status_has_no_body(ex->status)) {
		to = SPOUT__PUT(to, "Content-Type: ");
		to = spout__put(to, ex->content_type.data, ex->content_type.len);
		to = SPOUT__PUT(to, "\r\n");
	}
	if (ex->fields_len > 0)
		to = spout__put(to, ex->fields, ex->fields_len);
	to = put_framing(ex, to, length);
	to = put_connection(ex, to);
	to = SPOUT__PUT(to, "\r\n");
	if (body.len > 0)
		to = spout__put(to, body.data, body.len);
	spout__stream_commit(stream, (size_t)(to - begin));
	ex->sent_body += body.len;
	ex->head_sent = true;
	spout__count_response(ex->plan.figures, ex->status);
	return 0;
}

/* --- the body --------------------------------------------------------------------- */

/* Suspend while the client takes less than we send. Returns 0 or -EPIPE. */
static int
wait_writable(struct spout__http_exchange *ex)
{
	if (ex->conn != NULL &&
	    spout__stream_unsent(&ex->conn->stream) > SPOUT__CONN_UNSENT_HIGH)
		spout__stream_flush(&ex->conn->stream);
	while (ex->conn != NULL &&
	    spout__stream_unsent(&ex->conn->stream) > SPOUT__CONN_UNSENT_HIGH) {
		spout__conn_watch_output(ex->conn);
		spout__exchange_wait(&ex->writers, "a slow client");
	}
	return ex->conn != NULL ? 0 : -EPIPE;
}

/* Put bytes of the body into the stream, as one chunk if the response is chunked. */
int
spout__http_emit(struct spout__http_exchange *ex, const char *data, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	struct spout__stream *stream = &ex->conn->stream;
	char *begin, *to;
	int shift;

	if (len == 0)
		return 0;
	begin = to = spout__stream_reserve(stream, len + 16);
	if (begin == NULL)
		return -errno;
	if (ex->chunked) {
		for (shift = 16; shift > 0 && len >> shift == 0; shift -= 4)
			continue;
		for (; shift >= 0; shift -= 4)
			*to++ = hex[len >> shift & 15];
		to = SPOUT__PUT(to, "\r\n");
	}
	to = spout__put(to, data, len);
	if (ex->chunked)
		to = SPOUT__PUT(to, "\r\n");
	spout__stream_commit(stream, (size_t)(to - begin));
	ex->sent_body += len;
	return 0;
}

/* Move what is buffered to the stream. */
static int
push_body(struct spout__http_exchange *ex, enum spout__http_piece how)
{
	struct spout_slice piece = { "", 0 };
	int r = 0;

	if (ex->out.len > 0)
		piece = spout_slice_of(spout__buffer_at(&ex->out), ex->out.len);
	if (!spout__response_has_body(ex))
		r = 0;
	else if (ex->encoded)
		r = ex->encoder->piece(ex->encoder_arg, ex, piece, how);
	else
		r = spout__http_emit(ex, piece.data, piece.len);
	if (r == 0)
		spout__buffer_clear(&ex->out);
	return r;
}

int
spout__response_push(struct spout__http_exchange *ex, enum spout__http_piece how)
{
	int r = 0;

	if (ex->conn == NULL)
		return -EPIPE;
	if (!ex->head_sent) {
		if (ex->encoder != NULL && ex->promised < 0)
			ex->encoded = ex->encoder->begin(ex->encoder_arg, ex);
		r = send_head(ex, ex->promised, spout_slice_of("", 0));
	}
	return r < 0 ? r : push_body(ex, how);
}

static int
stream_out(struct spout__http_exchange *ex, enum spout__http_piece how)
{
	int r = spout__response_push(ex, how);

	return r < 0 ? r : wait_writable(ex);
}

int
spout__http_write(struct spout__http_exchange *ex, const void *data, size_t len)
{
	const char *from = data;
	size_t n;
	int r;

	if (ex->finished)
		return -EINVAL;
	if (ex->promised >= 0 && len > (uint64_t)ex->promised - ex->written)
		return -EMSGSIZE;
	while (len > 0) {
		n = SPOUT__RESPONSE_BUFFER - ex->out.len;
		n = len < n ? len : n;
		r = spout__buffer_append(&ex->out, from, n);
		if (r < 0)
			return r;
		ex->written += n;
		from += n;
		len -= n;
		if (len > 0 || (ex->head_sent && ex->out.len == SPOUT__RESPONSE_BUFFER)) {
			r = stream_out(ex, SPOUT__PIECE_MORE);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

int
spout__http_answer(struct spout__http_exchange *ex, const void *data, size_t len)
{
	struct spout_slice body = { data, spout__response_has_body(ex) ? len : 0 };

	if (ex->finished || ex->head_sent || ex->written > 0 || ex->promised >= 0)
		return -EALREADY;
	if (ex->conn == NULL)
		return -EPIPE;
	ex->promised = (int64_t)len;
	ex->written = len;
	return send_head(ex, ex->promised, body);
}

int
spout__http_flush(struct spout__http_exchange *ex)
{
	if (ex->finished)
		return -EINVAL;
	return stream_out(ex, SPOUT__PIECE_FLUSH);
}

/* --- the end ---------------------------------------------------------------------- */

static bool
finish_buffered(struct spout__http_exchange *ex)
{
	struct spout_slice body = { "", 0 };
	int64_t length = (int64_t)ex->out.len;

	if (ex->promised >= 0 && ex->promised != length &&
	    !spout__response_has_body(ex)) {
		length = ex->promised; /* HEAD, 304: what GET would have sent */
	} else if (ex->promised >= 0 && ex->promised != length) {
		/* Nor has the delegate put an error page in its place. */
		spout__http_reset(ex);
		ex->status = 500;
		length = 0;
	}
	if (ex->encoder != NULL && length == (int64_t)ex->out.len) {
		ex->encoder->whole(ex->encoder_arg, ex, &ex->out);
		length = (int64_t)ex->out.len;
	}
	if (ex->out.len > 0 && spout__response_has_body(ex))
		body = spout_slice_of(spout__buffer_at(&ex->out), ex->out.len);
	return send_head(ex, length, body) == 0;
}

bool
spout__response_is_short(const struct spout__http_exchange *ex)
{
	return ex->promised >= 0 && ex->written != (uint64_t)ex->promised &&
	    spout__response_has_body(ex);
}

bool
spout__response_finish(struct spout__http_exchange *ex, bool failed)
{
	if (!ex->head_sent)
		return finish_buffered(ex);
	if (failed || push_body(ex, SPOUT__PIECE_LAST) < 0)
		return false;
	if (ex->chunked && spout__response_has_body(ex))
		return spout__stream_write(&ex->conn->stream, "0\r\n\r\n", 5) == 0;
	return true;
}

void
spout__response_fault(struct spout__http_conn *conn, enum spout__http_fault fault)
{
	const struct spout__http_delegate *delegate = &conn->server->delegate;
	int status = spout__http_faults[fault].status;
	struct spout__buffer body;
	char *begin, *to;

	spout__buffer_init(&body, 16384);
	delegate->on_fault(delegate->ctx, fault, &conn->peer.sa, &body);
	begin = spout__stream_reserve(&conn->stream, 256 + body.len);
	if (begin != NULL) {
		to = put_head_start(begin, conn->server, status);
		to = SPOUT__PUT(to, "Content-Type: text/html; charset=UTF-8\r\n"
			     "Content-Length: ");
		to = spout__put_number(to, body.len);
		to = SPOUT__PUT(to, "\r\nConnection: close\r\n\r\n");
		if (body.len > 0)
			to = spout__put(to, spout__buffer_at(&body), body.len);
		spout__stream_commit(&conn->stream, (size_t)(to - begin));
		spout__count_response(&spout__stats->routes[0], status);
	}
	spout__buffer_release(&body);
}

/* --- looking at it ---------------------------------------------------------------- */

int
spout__http_status(const struct spout__http_exchange *ex)
{
	return ex->status;
}

bool
spout__http_head_sent(const struct spout__http_exchange *ex)
{
	return ex->head_sent;
}

uint64_t
spout__http_bytes_sent(const struct spout__http_exchange *ex)
{
	return ex->sent_body;
}

uint64_t
spout__http_written(const struct spout__http_exchange *ex)
{
	return ex->written;
}

struct spout_slice
spout__http_content_type(const struct spout__http_exchange *ex)
{
	return ex->content_type;
}

bool
spout__http_promised(const struct spout__http_exchange *ex)
{
	return ex->promised >= 0;
}

void
spout__http_set_encoder(struct spout__http_exchange *ex,
    const struct spout__http_encoder *encoder, void *arg)
{
	ex->encoder = encoder;
	ex->encoder_arg = arg;
}

void
spout__http_close_after(struct spout__http_exchange *ex)
{
	ex->close_after = true;
}
