/* SPDX-License-Identifier: MIT */
/*
 * A file as a part of a response body: the queue of the connection is sent first, then
 * the kernel copies from the file. Coroutine's stack; suspends while the client is slow.
 */
#include "config.h"

#include <errno.h>

#include "http/conn.h"

/* Wait until the client has taken something. Returns 0 or -EPIPE. */
static int
wait_for_client(struct spout__http_exchange *ex)
{
	spout__conn_set_deadline(ex->conn, ex->server->options.write_timeout_ms);
	spout__exchange_wait(&ex->writers, "a slow client");
	return ex->conn != NULL ? 0 : -EPIPE;
}

/* Send all that is queued: what comes from the file goes behind it. */
static int
drain_queue(struct spout__http_exchange *ex)
{
	int r = spout__response_push(ex, SPOUT__PIECE_MORE);

	if (r == 0)
		spout__stream_expect_file(&ex->conn->stream);
	while (r == 0 && spout__stream_unsent(&ex->conn->stream) > 0) {
		spout__stream_flush(&ex->conn->stream);
		if (ex->conn == NULL)
			r = -EPIPE;
		else if (spout__stream_unsent(&ex->conn->stream) > 0)
			r = wait_for_client(ex);
	}
	return r;
}

static int
copy_out(struct spout__http_exchange *ex, int fd, uint64_t offset, size_t len)
{
	int r = 0;

	while (len > 0 && r == 0) {
		ssize_t n = spout__stream_send_file(&ex->conn->stream, fd, offset, len);

		if (ex->conn == NULL)
			return -EPIPE;
		if (n == -EAGAIN) {
			r = wait_for_client(ex);
			continue;
		}
		if (n <= 0)
			return n < 0 ? (int)n : -ESTALE;
		offset += (uint64_t)n;
		len -= (size_t)n;
		ex->written += (uint64_t)n;
		ex->sent_body += (uint64_t)n;
	}
	return r;
}

int
spout__http_send_file(
    struct spout__http_exchange *ex, int fd, uint64_t offset, size_t len)
{
	int r;

	if (ex->finished || ex->promised < 0)
		return -EINVAL;
	if (len > (uint64_t)ex->promised - ex->written)
		return -EMSGSIZE;
	if (ex->conn == NULL)
		return -EPIPE;
	if (!spout__stream_can_send_file(&ex->conn->stream))
		return -EOPNOTSUPP;
	r = drain_queue(ex);
	if (r == 0 && spout__response_has_body(ex))
		r = copy_out(ex, fd, offset, len);
	if (ex->conn != NULL)
		spout__conn_watch_output(ex->conn);
	return r;
}
