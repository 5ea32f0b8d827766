/* SPDX-License-Identifier: MIT */
/* Streams for coroutines: reading. How bytes are lent is told in costream.h. */
#include "config.h"

#include <errno.h>

#include "net/costream.h"

/* Every read begins here: what the one before has lent is dropped. */
static void
begin(struct spout_stream *stream, const char *what)
{
	(void)spout__co_checkpoint(what);
	if (stream->closed)
		return;
	spout__buffer_consume(&stream->in, stream->taken);
	stream->taken = 0;
	if (stream->in.len == 0) {
		struct spout__buffer empty = stream->in;

		stream->in = stream->more;
		stream->more = empty;
	} else if (stream->more.len > 0 &&
	    spout__buffer_append(&stream->in, spout__buffer_at(&stream->more),
		stream->more.len) < 0) {
		stream->error = stream->error ? stream->error : -ENOMEM;
	}
	spout__buffer_release(&stream->more);
	if (stream->in.len == 0)
		spout__buffer_release(&stream->in);
}

/* The next read starts behind these bytes. */
static void
lend(struct spout_stream *stream, size_t n, struct spout_slice *ret)
{
	*ret = spout_slice_of(n > 0 ? spout__buffer_at(&stream->in) : "", n);
	stream->taken = n;
	spout__stream_set_reading(
	    &stream->base, stream->in.len - n < SPOUT__STREAM_READ_AHEAD);
}

/* Wait until `need` bytes are here. Returns 0 (look again), or the error. */
static int
wait_for(struct spout_stream *stream, size_t need, const char *what)
{
	int r;

	if (stream->error != 0)
		return spout__costream_error(stream);
	if (stream->base.eof)
		return spout__co_error(-EPIPE, "%s: the peer has closed after %zu bytes",
		    what, stream->in.len);
	stream->need = need;
	spout__stream_set_reading(&stream->base, true);
	r = spout__costream_wait(stream, &stream->readers, what);
	if (r == 0)
		stream->need = 0;
	return r;
}

/* --- so many bytes ---------------------------------------------------------------- */

int
spout_try_stream_read_bytes(
    struct spout_stream *stream, size_t n, struct spout_slice *ret)
{
	begin(stream, "spout_stream_read_bytes");
	if (n > stream->max_buffer)
		return spout__co_error(-EMSGSIZE,
		    "spout_stream_read_bytes: %zu bytes, the limit is %zu", n,
		    stream->max_buffer);
	while (stream->in.len < n) {
		int r = wait_for(stream, n, "spout_stream_read_bytes");

		if (r < 0)
			return r;
	}
	lend(stream, n, ret);
	return 0;
}

struct spout_slice
spout_stream_read_bytes(struct spout_stream *stream, size_t n)
{
	struct spout_slice slice = { NULL, 0 };

	spout__net_leave_if(spout_try_stream_read_bytes(stream, n, &slice));
	return slice;
}

int
spout_try_stream_read_into(struct spout_stream *stream, void *data, size_t n)
{
	char *to = data;

	begin(stream, "spout_stream_read_into");
	while (n > 0) {
		size_t k = stream->in.len < n ? stream->in.len : n;

		if (k == 0) {
			int r = wait_for(stream, 1, "spout_stream_read_into");

			if (r < 0)
				return r;
			continue;
		}
		memcpy(to, spout__buffer_at(&stream->in), k);
		spout__buffer_consume(&stream->in, k);
		to += k;
		n -= k;
	}
	if (!stream->closed)
		spout__stream_set_reading(
		    &stream->base, stream->in.len < SPOUT__STREAM_READ_AHEAD);
	return 0;
}

void
spout_stream_read_into(struct spout_stream *stream, void *data, size_t n)
{
	spout__net_leave_if(spout_try_stream_read_into(stream, data, n));
}

/* --- up to a delimiter, or to the end --------------------------------------------- */

/* Where the delimiter ends, searching from `from`; 0: not there. */
static size_t
find_end(const struct spout__buffer *in, size_t from, const char *delimiter, size_t len)
{
	const char *at = spout__buffer_at(in);
	const char *hit;

	if (in->len < from + len)
		return 0;
	hit = memmem(at + from, in->len - from, delimiter, len);
	return hit != NULL ? (size_t)(hit - at) + len : 0;
}

int
spout_try_stream_read_until(struct spout_stream *stream, const char *delimiter,
    size_t max, struct spout_slice *ret)
{
	size_t len = strlen(delimiter), from = 0, end;

	begin(stream, "spout_stream_read_until");
	if (len == 0)
		return spout__co_error(-EINVAL, "spout_stream_read_until: no delimiter");
	if (max > stream->max_buffer)
		max = stream->max_buffer;
	while ((end = find_end(&stream->in, from, delimiter, len)) == 0) {
		int r;

		if (stream->in.len >= max)
			break;
		if (stream->in.len >= len)
			from = stream->in.len - len + 1;
		r = wait_for(stream, stream->in.len + 1, "spout_stream_read_until");
		if (r < 0)
			return r;
	}
	if (end == 0 || end > max)
		return spout__co_error(-EMSGSIZE,
		    "spout_stream_read_until: no delimiter within %zu bytes", max);
	lend(stream, end, ret);
	return 0;
}

struct spout_slice
spout_stream_read_until(struct spout_stream *stream, const char *delimiter, size_t max)
{
	struct spout_slice slice = { NULL, 0 };

	spout__net_leave_if(spout_try_stream_read_until(stream, delimiter, max, &slice));
	return slice;
}

/* Is the end of input behind what is in the buffer? */
static bool
at_end(const struct spout_stream *stream)
{
	return stream->error == 0 && stream->base.eof;
}

int
spout_try_stream_read_some(struct spout_stream *stream, struct spout_slice *ret)
{
	begin(stream, "spout_stream_read_some");
	while (stream->in.len == 0 && !at_end(stream)) {
		int r = wait_for(stream, 1, "spout_stream_read_some");

		if (r < 0)
			return r;
	}
	lend(stream, stream->in.len, ret);
	return 0;
}

struct spout_slice
spout_stream_read_some(struct spout_stream *stream)
{
	struct spout_slice slice = { NULL, 0 };

	spout__net_leave_if(spout_try_stream_read_some(stream, &slice));
	return slice;
}

int
spout_try_stream_read_all(
    struct spout_stream *stream, size_t max, struct spout_slice *ret)
{
	begin(stream, "spout_stream_read_all");
	if (max > stream->max_buffer)
		max = stream->max_buffer;
	while (stream->in.len <= max && !at_end(stream)) {
		int r = wait_for(stream, stream->in.len + 1, "spout_stream_read_all");

		if (r < 0)
			return r;
	}
	if (stream->in.len > max)
		return spout__co_error(
		    -EMSGSIZE, "spout_stream_read_all: more than %zu bytes", max);
	lend(stream, stream->in.len, ret);
	return 0;
}

struct spout_slice
spout_stream_read_all(struct spout_stream *stream, size_t max)
{
	struct spout_slice slice = { NULL, 0 };

	spout__net_leave_if(spout_try_stream_read_all(stream, max, &slice));
	return slice;
}
