/* SPDX-License-Identifier: MIT */
/*
 * PostgreSQL: results and data of any size, in a memory that does not grow with them.
 *
 * Rows one by one:
 *
 *     struct spout_pg_stream *stream = spout_pg_stream("SELECT line FROM log");
 *     struct spout_rows *row;
 *
 *     while ((row = spout_pg_stream_next(stream)) != NULL)
 *         spout_printf(req, "%s\n", spout_row_text(row, 0, "line"));
 *
 * While the coroutine does something else, say waits for a slow client, the loop reads
 * nothing, and so the server stops: one row is in memory, and what came in with it, some
 * 16 KiB.
 *
 * COPY, in its formats text, csv and binary:
 *
 *     struct spout_pg_copy *copy = spout_pg_copy_in("COPY users (id, name) FROM STDIN");
 *
 *     for (i = 0; i < n; i++)
 *         spout_pg_copy_row(copy, users[i].id, users[i].name);
 *     spout_pg_copy_end(copy);
 *
 *     copy = spout_pg_copy_out("COPY users TO STDOUT (FORMAT csv, HEADER)");
 *     while ((part = spout_pg_copy_read(copy)).len > 0)
 *         spout_write(req, part.data, part.len);
 *
 * Each of them has a connection of the pool to itself until it is over, and waits for one
 * as a query does. When the coroutine leaves before that, or closes it, the server's work
 * is cancelled; what a COPY has brought in by then is gone. The deadline of the coroutine
 * bounds it all: give a route that streams a .timeout_ms for its slowest client.
 *
 * Errors are those of spout/pg.h, besides -EMSGSIZE: one row is larger than 64 MiB. After
 * an error a stream is over and says the same again. All functions belong inside a
 * coroutine; streams belong to the scope that made them.
 */
#ifndef SPOUT_PG_STREAM_H
#define SPOUT_PG_STREAM_H

#include <spout/pg.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- rows ------------------------------------------------------------------------- */

struct spout_pg_stream;

/**
 * Start a statement with up to 8 values for $1, $2 … (borrowed until it returns). Waits
 * for a connection, and leaves when there is none. What the server says to the statement
 * comes with the first spout_pg_stream_next().
 */
#define spout_pg_stream(...) spout_pg_stream_with(SPOUT_PG_ARGS(__VA_ARGS__))
/** The same, but NULL with errno when it fails. */
#define spout_try_pg_stream(...) spout_try_pg_stream_with(SPOUT_PG_ARGS(__VA_ARGS__))
SPOUT_API struct spout_pg_stream *spout_pg_stream_with(
    const char *sql, const struct spout_pg_param *params, size_t n_params);
SPOUT_API SPOUT_MUST_CHECK struct spout_pg_stream *spout_try_pg_stream_with(
    const char *sql, const struct spout_pg_param *params, size_t n_params);

/**
 * Wait for the next row: rows with that one, number 0, valid until the next call or the
 * end of the scope. NULL at the end. Rows may have come before an error does.
 */
SPOUT_API struct spout_rows *spout_pg_stream_next(struct spout_pg_stream *stream);
/** The same: 1 with *ret_row, 0 at the end, or -errno. */
SPOUT_API SPOUT_MUST_CHECK int spout_try_pg_stream_next(
    struct spout_pg_stream *stream, struct spout_rows **ret_row);

/** End it before its end, and free its connection for others. Does not wait. */
SPOUT_API void spout_pg_stream_close(struct spout_pg_stream *stream);

/* --- COPY ------------------------------------------------------------------------- */

struct spout_pg_copy;

/**
 * Start COPY … FROM STDIN. The statement takes no parameters. Waits for a connection and
 * for the server, and leaves when that refuses it.
 */
SPOUT_API struct spout_pg_copy *spout_pg_copy_in(const char *sql);
SPOUT_API SPOUT_MUST_CHECK struct spout_pg_copy *spout_try_pg_copy_in(const char *sql);

/**
 * Send data in the format of the statement, cut anywhere. Copies it; suspends while the
 * server is slower. What the server finds wrong in it may be said by any later call, at
 * the latest by spout_pg_copy_end().
 */
SPOUT_API void spout_pg_copy_write(
    struct spout_pg_copy *copy, const void *data, size_t len);
SPOUT_API SPOUT_MUST_CHECK int spout_try_pg_copy_write(
    struct spout_pg_copy *copy, const void *data, size_t len);

/**
 * Send a row of up to 8 C values, for COPY in its text format with the usual delimiter
 * and NULL: spout_pg_copy_row(copy, id, name, NULL). Escapes what has to be. A struct
 * spout_slice is text; bytea columns take text such as \x0102.
 */
#define spout_pg_copy_row(...) spout_pg_copy_row_with(SPOUT_PG_ARGS(__VA_ARGS__))
#define spout_try_pg_copy_row(...) spout_try_pg_copy_row_with(SPOUT_PG_ARGS(__VA_ARGS__))
SPOUT_API void spout_pg_copy_row_with(struct spout_pg_copy *copy,
    const struct spout_pg_param *values, size_t n_values);
SPOUT_API SPOUT_MUST_CHECK int spout_try_pg_copy_row_with(struct spout_pg_copy *copy,
    const struct spout_pg_param *values, size_t n_values);

/** That was all: waits until it is committed. Returns the number of rows. */
SPOUT_API uint64_t spout_pg_copy_end(struct spout_pg_copy *copy);
SPOUT_API SPOUT_MUST_CHECK int spout_try_pg_copy_end(
    struct spout_pg_copy *copy, uint64_t *ret_rows);

/**
 * Start COPY … TO STDOUT, of a table or of a query: COPY (SELECT …) TO STDOUT. As
 * spout_pg_copy_in().
 */
SPOUT_API struct spout_pg_copy *spout_pg_copy_out(const char *sql);
SPOUT_API SPOUT_MUST_CHECK struct spout_pg_copy *spout_try_pg_copy_out(const char *sql);

/**
 * Wait for data: one or several whole rows with their ends, some 64 KiB at most unless
 * one row is larger; empty at the end. Valid until the next call.
 */
SPOUT_API struct spout_slice spout_pg_copy_read(struct spout_pg_copy *copy);
/** The same: the number of bytes, 0 at the end, or -errno. */
SPOUT_API SPOUT_MUST_CHECK int spout_try_pg_copy_read(
    struct spout_pg_copy *copy, struct spout_slice *ret_data);

/** End it before its end: nothing that was sent is kept. Does not wait. */
SPOUT_API void spout_pg_copy_close(struct spout_pg_copy *copy);

#ifdef __cplusplus
}
#endif

#endif
