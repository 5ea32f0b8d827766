/* SPDX-License-Identifier: MIT */
/*
 * COPY in and out as streams (spout/pg_stream.h). Loop thread, inside a coroutine.
 *
 * Either way there is one buffer of some 64 KiB between the caller and libpq, so that
 * small rows cost neither a call of libpq nor a write to the client each.
 *
 *   in:   rows --> buffer --full--> libpq --flushed--> the next piece
 *   out:  libpq's rows --> buffer --half full, or no more is there--> the caller
 */
#include "config.h"

#include <spout/pg_stream.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "async/object.h"
#include "pg/talk.h"

#define PIECE_BYTES 65536u

struct spout_pg_copy {
	struct spout__pg_lease lease;
	const char *what;
	bool out;
	bool ended; /* out: there are no more rows */
	bool over;
	char *buffer;
	size_t len, size;
};

static void
release_buffer(void *arg)
{
	struct spout_pg_copy *copy = arg;

	free(copy->buffer);
	copy->buffer = NULL;
	copy->len = copy->size = 0;
}

/* Make room for so many bytes behind those that are there. */
static int
reserve(struct spout_pg_copy *copy, size_t more)
{
	size_t size = copy->len + more;
	char *buffer;

	if (more > INT_MAX || size > INT_MAX) /* PostgreSQL takes less */
		return spout__co_error(-EMSGSIZE, "a row is too large (%s)", copy->what);
	if (size <= copy->size)
		return 0;
	if (size < PIECE_BYTES)
		size = PIECE_BYTES;
	buffer = realloc(copy->buffer, size);
	if (buffer == NULL)
		return spout__co_error(-ENOMEM, "out of memory (%s)", copy->what);
	copy->buffer = buffer;
	copy->size = size;
	return 0;
}

/* --- starting --------------------------------------------------------------------- */

/* Wait for the server to be ready for it. */
static int
start(struct spout_pg_copy *copy, const char *sql)
{
	ExecStatusType wanted = copy->out ? PGRES_COPY_OUT : PGRES_COPY_IN, status;
	struct spout__pg_lease *lease = &copy->lease;
	PGresult *result;
	int r = spout__talk_begin_simple(lease, copy->what, sql);

	if (r == 0)
		r = spout__talk_result(lease, &result);
	if (r < 0)
		return r;
	status = PQresultStatus(result);
	if (status == PGRES_FATAL_ERROR)
		return spout__talk_refused(lease, result);
	PQclear(result);
	if (status == wanted)
		return 0;
	return spout__talk_drop(lease, -EINVAL, "%s: that is no COPY %s", copy->what,
	    copy->out ? "TO STDOUT" : "FROM STDIN");
}

/* NULL with errno. */
static struct spout_pg_copy *
copy_new(const char *sql, bool out)
{
	const char *what = out ? "spout_pg_copy_out" : "spout_pg_copy_in";
	struct spout_scope *scope = spout__coroutine_scope(spout__co_must(what));
	struct spout_pg_copy *copy = spout_alloc_in(scope, sizeof(*copy));
	int r = -ENOMEM;

	if (copy != NULL) {
		memset(copy, 0, sizeof(*copy));
		copy->out = out;
		copy->what = what;
		r = spout_defer_in(scope, release_buffer, copy);
	}
	if (r == 0)
		r = start(copy, sql);
	else
		r = spout__co_error(-ENOMEM, "out of memory (%s)", what);
	errno = -r;
	return r == 0 ? copy : NULL;
}

static struct spout_pg_copy *
copy_or_leave(struct spout_pg_copy *copy)
{
	if (copy == NULL)
		spout__co_leave(-errno, 0, "%s", spout_error());
	return copy;
}

struct spout_pg_copy *
spout_try_pg_copy_in(const char *sql)
{
	return copy_new(sql, false);
}

struct spout_pg_copy *
spout_pg_copy_in(const char *sql)
{
	return copy_or_leave(copy_new(sql, false));
}

struct spout_pg_copy *
spout_try_pg_copy_out(const char *sql)
{
	return copy_new(sql, true);
}

struct spout_pg_copy *
spout_pg_copy_out(const char *sql)
{
	return copy_or_leave(copy_new(sql, true));
}

void
spout_pg_copy_close(struct spout_pg_copy *copy)
{
	copy->over = true;
	release_buffer(copy);
	spout__lease_give(&copy->lease);
}

/* Is it open, and of that direction? */
static int
check(const struct spout_pg_copy *copy, bool out)
{
	int r = spout__lease_check(&copy->lease);

	if (r == 0 && copy->out != out)
		return spout__co_error(-EINVAL, "%s: that goes the other way",
		    copy->what);
	return r;
}

/* --- in --------------------------------------------------------------------------- */

/*
 * Has the server refused what it got? It would read all the rest and forget it, and libpq
 * keeps its word to itself until then: look, before libpq reads, whether an error is what
 * comes next. What comes through TLS cannot be looked at; there it is said at the end.
 */
static bool
was_refused(const struct spout__pg_lease *lease)
{
	PGconn *pq = spout__lease_pq(lease);
	char type = 0;

	return !PQsslInUse(pq) &&
	    recv(PQsocket(pq), &type, 1, MSG_PEEK | MSG_DONTWAIT) == 1 && type == 'E';
}

/* No more data, or with a reason: none of it. */
static int
put_end(struct spout__pg_lease *lease, const char *why)
{
	int r = 0;

	while (r == 0) {
		r = PQputCopyEnd(spout__lease_pq(lease), why);
		if (r < 0)
			return spout__talk_lost(lease);
		if (r > 0)
			return spout__talk_flush(lease);
		r = spout__talk_flush(lease);
	}
	return r;
}

/* What the server had to say comes before the end. */
static int
hear_refusal(struct spout__pg_lease *lease)
{
	int r = put_end(lease, "refused");

	if (r == 0)
		r = spout__talk_end(lease);
	return r < 0 ? r : spout__co_error(-EIO, "COPY was refused");
}

/* As spout__talk_flush(), with an ear for the server. */
static int
flush_data(struct spout__pg_lease *lease)
{
	int left, r;

	for (;;) {
		if (was_refused(lease))
			return hear_refusal(lease);
		left = PQflush(spout__lease_pq(lease));
		if (left <= 0)
			return left == 0 ? 0 : spout__talk_lost(lease);
		r = spout__talk_wait(lease, SPOUT_READ | SPOUT_WRITE);
		if (r < 0)
			return r;
		if ((r & SPOUT_READ) != 0 && !was_refused(lease) &&
		    !PQconsumeInput(spout__lease_pq(lease)))
			return spout__talk_lost(lease);
	}
}

static int
put(struct spout_pg_copy *copy, const char *data, size_t len)
{
	struct spout__pg_lease *lease = &copy->lease;
	int done = 0, r = flush_data(lease);

	while (r == 0 && done == 0) {
		done = PQputCopyData(spout__lease_pq(lease), data, (int)len);
		if (done < 0)
			return spout__talk_lost(lease);
		r = flush_data(lease);
	}
	if (r == 0)
		spout_yield(); /* a fast server is no reason to keep the loop */
	return r;
}

static int
put_buffer(struct spout_pg_copy *copy)
{
	size_t len = copy->len;

	copy->len = 0;
	return len > 0 ? put(copy, copy->buffer, len) : 0;
}

int
spout_try_pg_copy_write(struct spout_pg_copy *copy, const void *data, size_t len)
{
	const char *at = data;
	size_t n;
	int r = check(copy, false);

	if (r == 0 && copy->len + len > PIECE_BYTES)
		r = put_buffer(copy);
	for (; r == 0 && len >= PIECE_BYTES; at += n, len -= n) {
		n = PIECE_BYTES;
		r = put(copy, at, n);
	}
	if (r == 0)
		r = reserve(copy, len);
	if (r == 0 && len > 0) {
		memcpy(copy->buffer + copy->len, at, len);
		copy->len += len;
	}
	return r;
}

void
spout_pg_copy_write(struct spout_pg_copy *copy, const void *data, size_t len)
{
	spout__object_leave_if(spout_try_pg_copy_write(copy, data, len));
}

static int
send_end(struct spout_pg_copy *copy, uint64_t *ret_rows)
{
	struct spout__pg_lease *lease = &copy->lease;
	PGresult *result;
	uint64_t rows;
	int r = put_end(lease, NULL);

	if (r == 0)
		r = spout__talk_result(lease, &result);
	if (r < 0)
		return r;
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		return spout__talk_refused(lease, result);
	rows = strtoull(PQcmdTuples(result), NULL, 10);
	PQclear(result);
	r = spout__talk_end(lease);
	if (r == 0)
		*ret_rows = rows;
	return r;
}

int
spout_try_pg_copy_end(struct spout_pg_copy *copy, uint64_t *ret_rows)
{
	int r = check(copy, false);

	if (r == 0)
		r = put_buffer(copy);
	if (r == 0)
		r = send_end(copy, ret_rows);
	release_buffer(copy);
	return r;
}

uint64_t
spout_pg_copy_end(struct spout_pg_copy *copy)
{
	uint64_t rows = 0;

	spout__object_leave_if(spout_try_pg_copy_end(copy, &rows));
	return rows;
}

/* --- rows in the text format ------------------------------------------------------ */

/* A value as text without its escapes; .data NULL: SQL NULL. */
static struct spout_slice
text_of(const struct spout_pg_param *value, char number[SPOUT__PG_NUMBER_BYTES])
{
	const char *text;

	if (value->kind == SPOUT_PG_BYTES)
		return value->value.bytes;
	text = spout__pg_encode_one(value, number);
	return (struct spout_slice){ text, text != NULL ? strlen(text) : 0 };
}

static char *
append_escaped(char *to, struct spout_slice text)
{
	size_t i;

	for (i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c == '\\' || c == '\n' || c == '\r' || c == '\t') {
			*to++ = '\\';
			c = c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : c;
		}
		*to++ = c;
	}
	return to;
}

/* A value and what ends it. */
static int
put_value(struct spout_pg_copy *copy, const struct spout_pg_param *value, char end)
{
	char number[SPOUT__PG_NUMBER_BYTES], *to;
	struct spout_slice text = text_of(value, number);
	int r;

	if (value->kind == SPOUT_PG_POINTER && value->value.pointer != NULL)
		return spout__co_error(
		    -EINVAL, "a void pointer other than NULL is no SQL value");
	r = reserve(copy, 2 * text.len + 3);
	if (r < 0)
		return r;
	to = copy->buffer + copy->len;
	if (text.data == NULL) {
		*to++ = '\\';
		*to++ = 'N';
	} else {
		to = append_escaped(to, text);
	}
	*to++ = end;
	copy->len = (size_t)(to - copy->buffer);
	return 0;
}

int
spout_try_pg_copy_row_with(
    struct spout_pg_copy *copy, const struct spout_pg_param *values, size_t n_values)
{
	int r = check(copy, false);
	size_t i, begin;

	if (r == 0 && n_values == 0)
		return spout__co_error(-EINVAL, "%s: a row has values", copy->what);
	if (r == 0 && copy->len >= PIECE_BYTES / 2)
		r = put_buffer(copy);
	begin = copy->len;
	for (i = 0; r == 0 && i < n_values; i++)
		r = put_value(copy, &values[i], i + 1 < n_values ? '\t' : '\n');
	if (r < 0)
		copy->len = begin; /* no half row */
	return r;
}

void
spout_pg_copy_row_with(
    struct spout_pg_copy *copy, const struct spout_pg_param *values, size_t n_values)
{
	spout__object_leave_if(spout_try_pg_copy_row_with(copy, values, n_values));
}

/* --- out -------------------------------------------------------------------------- */

/* Take a row of libpq's. Returns its size, 0: none is there, -1: that was all, -errno. */
static int
take_row(struct spout_pg_copy *copy)
{
	struct spout__pg_lease *lease = &copy->lease;
	char *row = NULL;
	int n = PQgetCopyData(spout__lease_pq(lease), &row, 1), r;

	if (n == -2)
		return spout__talk_lost(lease);
	if (n <= 0)
		return n;
	lease->pipe->waiting_bytes = 0;
	if ((size_t)n > SPOUT__PG_BIG_RESULT_BYTES)
		lease->pipe->conn->expires_ms = 0;
	r = reserve(copy, (size_t)n);
	if (r == 0) {
		memcpy(copy->buffer + copy->len, row, (size_t)n);
		copy->len += (size_t)n;
	}
	PQfreemem(row);
	return r < 0 ? spout__talk_drop(lease, r, "out of memory (%s)", copy->what) : n;
}

/* Until there is enough, or nothing without a wait. Returns 0 or -errno. */
static int
fill(struct spout_pg_copy *copy)
{
	int n = 1, r = 0;

	while (r == 0 && !copy->ended && copy->len < PIECE_BYTES / 2) {
		n = take_row(copy);
		if (n == -1)
			copy->ended = true;
		else if (n < 0)
			return n;
		else if (n == 0 && copy->len > 0)
			break;
		else if (n == 0)
			r = spout__talk_read(&copy->lease);
	}
	return r;
}

int
spout_try_pg_copy_read(struct spout_pg_copy *copy, struct spout_slice *ret_data)
{
	int r;

	copy->len = 0;
	*ret_data = (struct spout_slice){ NULL, 0 };
	if (copy->over)
		return 0;
	r = check(copy, true);
	if (r == 0)
		r = fill(copy);
	if (r < 0)
		return r;
	if (copy->len == 0) {
		r = spout__talk_end(&copy->lease);
		copy->over = r == 0;
		release_buffer(copy);
		return r;
	}
	*ret_data = (struct spout_slice){ copy->buffer, copy->len };
	return (int)copy->len;
}

struct spout_slice
spout_pg_copy_read(struct spout_pg_copy *copy)
{
	struct spout_slice data;

	spout__object_leave_if(spout_try_pg_copy_read(copy, &data));
	return data;
}
