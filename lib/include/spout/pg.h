/* SPDX-License-Identifier: MIT */
/*
 * PostgreSQL: queries, rows, jobs on a connection, transactions.
 *
 * Every worker has a pool of connections (--db-connections). The loop itself sends
 * queries and reads their rows while the coroutine waits; functions and transactions run
 * on threads of the "db" pool. When the coroutine leaves (client gone, deadline), what it
 * started is cancelled on the server too. SQL takes its parameters as typed C values,
 * $1 to $8, and is never put together with printf:
 *
 *     struct spout_rows *rows = spout_pg_query(
 *         "SELECT name, email FROM users WHERE id = $1 AND active = $2", id, true);
 *
 *     if (spout_rows_count(rows) > 0)
 *         spout_debug("%s", spout_row_text(rows, 0, "name"));
 *
 * Each query is a transaction of its own: what belongs together goes through
 * spout_pg_transaction(). A connection never keeps a transaction open between two calls.
 *
 * Statements that come more than once are prepared on the server, by their text: keep the
 * text the same and put what changes into parameters. A statement is read by its words:
 *
 *   plain reads (SELECT, VALUES, TABLE, WITH that neither write nor lock, and call but
 *   well-known functions), once they have proved to be short: those of all requests in
 *   one turn of the loop go out together and share connections
 *   other SELECT, INSERT, UPDATE, DELETE, MERGE, WITH: a connection each while they run
 *   everything else (BEGIN, SET, COPY, VACUUM …): a connection and a thread
 *
 * That makes no difference but in speed: an error, a cancel or a slow neighbour of one is
 * never felt by another.
 *
 * Errors: -EHOSTDOWN (no database configured, database down, connection lost),
 * -ENOBUFS (no connection free in time, queue full, server out of resources),
 * -EAGAIN (conflict with other transactions, lock not available),
 * -ETIMEDOUT (deadline, or the server's statement_timeout), -ECANCELED, -EIO (the server
 * refused the statement: spout_pg_sqlstate() says why), -EMSGSIZE (a result is larger
 * than 64 MiB, measured while it comes in), -EINVAL (misuse), -ENOMEM.
 *
 * Results of any size, and COPY: spout/pg_stream.h. Notifications: spout/pg_listen.h.
 *
 * All functions belong inside a coroutine, but spout_pg_exec(), which belongs inside a
 * job on a connection, and those that look at rows, which are at home in both.
 */
#ifndef SPOUT_PG_H
#define SPOUT_PG_H

#include <spout/async.h>
#include <spout/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A libpq connection: PGconn is a typedef for this struct. */
struct pg_conn;
/** The result of a query: rows and columns, and how many rows it touched. */
struct spout_rows;

/* --- parameters ------------------------------------------------------------------- */

/*
 * C value                                 in SQL
 * integers (not char), bool, float,       a literal of the type that the statement wants
 *   double                                at that place (as if it stood there quoted)
 * char *, const char *                    text of any type; a null pointer is SQL NULL
 * NULL                                    SQL NULL
 * struct spout_slice                      bytes as they are: for bytea, text, varchar and
 *                                         json columns; SQL NULL if .data is NULL
 *
 * Where the statement leaves the type open, say it: SELECT $1::int.
 */
enum spout_pg_kind {
	SPOUT_PG_NULL,
	SPOUT_PG_INT,
	SPOUT_PG_UINT,
	SPOUT_PG_DOUBLE,
	SPOUT_PG_BOOL,
	SPOUT_PG_TEXT,
	SPOUT_PG_BYTES,
	SPOUT_PG_POINTER, /* a void pointer: only NULL has a meaning in SQL */
};

/** One parameter. Made by SPOUT_PG_PARAM() from a C value; borrows text and bytes. */
struct spout_pg_param {
	enum spout_pg_kind kind;
	union {
		int64_t i;
		uint64_t u;
		double d;
		bool b;
		const char *text;
		const void *pointer;
		struct spout_slice bytes;
	} value;
};

static inline struct spout_pg_param
spout_pg_param_int(int64_t value)
{
	struct spout_pg_param param = { SPOUT_PG_INT, { 0 } };

	param.value.i = value;
	return param;
}

static inline struct spout_pg_param
spout_pg_param_uint(uint64_t value)
{
	struct spout_pg_param param = { SPOUT_PG_UINT, { 0 } };

	param.value.u = value;
	return param;
}

static inline struct spout_pg_param
spout_pg_param_double(double value)
{
	struct spout_pg_param param = { SPOUT_PG_DOUBLE, { 0 } };

	param.value.d = value;
	return param;
}

static inline struct spout_pg_param
spout_pg_param_bool(bool value)
{
	struct spout_pg_param param = { SPOUT_PG_BOOL, { 0 } };

	param.value.b = value;
	return param;
}

static inline struct spout_pg_param
spout_pg_param_text(const char *value)
{
	struct spout_pg_param param = { SPOUT_PG_TEXT, { 0 } };

	param.value.text = value;
	return param;
}

static inline struct spout_pg_param
spout_pg_param_bytes(struct spout_slice value)
{
	struct spout_pg_param param = { SPOUT_PG_BYTES, { 0 } };

	param.value.bytes = value;
	return param;
}

static inline struct spout_pg_param
spout_pg_param_pointer(const void *value)
{
	struct spout_pg_param param = { SPOUT_PG_POINTER, { 0 } };

	param.value.pointer = value;
	return param;
}

/** The parameter for a C value, by its type; a type without a meaning does not compile.
 */
#define SPOUT_PG_PARAM(x) \
	_Generic((x), \
	bool: spout_pg_param_bool, \
	signed char: spout_pg_param_int, \
	short: spout_pg_param_int, \
	int: spout_pg_param_int, \
	long: spout_pg_param_int, \
	long long: spout_pg_param_int, \
	unsigned char: spout_pg_param_uint, \
	unsigned short: spout_pg_param_uint, \
	unsigned: spout_pg_param_uint, \
	unsigned long: spout_pg_param_uint, \
	unsigned long long: spout_pg_param_uint, \
	float: spout_pg_param_double, \
	double: spout_pg_param_double, \
	char *: spout_pg_param_text, \
	const char *: spout_pg_param_text, \
	void *: spout_pg_param_pointer, \
	const void *: spout_pg_param_pointer, \
	struct spout_slice: spout_pg_param_bytes)(x)

/* "file.c:12" */
#define SPOUT_PG_HERE __FILE__ ":" SPOUT_PG_TEXT_(__LINE__)
#define SPOUT_PG_TEXT_(x) SPOUT_PG_TEXT__(x)
#define SPOUT_PG_TEXT__(x) #x

/* "sql, v1, v2" becomes "sql, array of 2 parameters, 2"; up to 8 values. */
#define SPOUT_PG_ARGS(...) \
	SPOUT_PG_PICK_(__VA_ARGS__, SPOUT_PG_8_, SPOUT_PG_7_, SPOUT_PG_6_, SPOUT_PG_5_, \
	    SPOUT_PG_4_, SPOUT_PG_3_, SPOUT_PG_2_, SPOUT_PG_1_, SPOUT_PG_0_, ~) \
	(__VA_ARGS__)
#define SPOUT_PG_PICK_(sql, a, b, c, d, e, f, g, h, name, ...) name
#define SPOUT_PG_LIST_(n, ...) (const struct spout_pg_param[]){ __VA_ARGS__ }, n
#define SPOUT_PG_0_(sql) (sql), NULL, 0
#define SPOUT_PG_1_(sql, a) (sql), SPOUT_PG_LIST_(1, SPOUT_PG_PARAM(a))
#define SPOUT_PG_2_(sql, a, b) \
	(sql), SPOUT_PG_LIST_(2, SPOUT_PG_PARAM(a), SPOUT_PG_PARAM(b))
#define SPOUT_PG_3_(sql, a, b, c) \
	(sql), SPOUT_PG_LIST_(3, SPOUT_PG_PARAM(a), SPOUT_PG_PARAM(b), SPOUT_PG_PARAM(c))
#define SPOUT_PG_4_(sql, a, b, c, d) \
	(sql), \
	    SPOUT_PG_LIST_(4, SPOUT_PG_PARAM(a), SPOUT_PG_PARAM(b), SPOUT_PG_PARAM(c), \
		SPOUT_PG_PARAM(d))
#define SPOUT_PG_5_(sql, a, b, c, d, e) \
	(sql), \
	    SPOUT_PG_LIST_(5, SPOUT_PG_PARAM(a), SPOUT_PG_PARAM(b), SPOUT_PG_PARAM(c), \
		SPOUT_PG_PARAM(d), SPOUT_PG_PARAM(e))
#define SPOUT_PG_6_(sql, a, b, c, d, e, f) \
	(sql), \
	    SPOUT_PG_LIST_(6, SPOUT_PG_PARAM(a), SPOUT_PG_PARAM(b), SPOUT_PG_PARAM(c), \
		SPOUT_PG_PARAM(d), SPOUT_PG_PARAM(e), SPOUT_PG_PARAM(f))
#define SPOUT_PG_7_(sql, a, b, c, d, e, f, g) \
	(sql), \
	    SPOUT_PG_LIST_(7, SPOUT_PG_PARAM(a), SPOUT_PG_PARAM(b), SPOUT_PG_PARAM(c), \
		SPOUT_PG_PARAM(d), SPOUT_PG_PARAM(e), SPOUT_PG_PARAM(f), \
		SPOUT_PG_PARAM(g))
#define SPOUT_PG_8_(sql, a, b, c, d, e, f, g, h) \
	(sql), \
	    SPOUT_PG_LIST_(8, SPOUT_PG_PARAM(a), SPOUT_PG_PARAM(b), SPOUT_PG_PARAM(c), \
		SPOUT_PG_PARAM(d), SPOUT_PG_PARAM(e), SPOUT_PG_PARAM(f), \
		SPOUT_PG_PARAM(g), SPOUT_PG_PARAM(h))

/* --- queries ---------------------------------------------------------------------- */

/**
 * Run one statement and wait: spout_pg_query(sql, ...) with up to 8 C values for $1, $2 …
 * (borrowed until it returns). The rows live until the scope ends. Leaves when it fails.
 */
#define spout_pg_query(...) \
	spout_pg_query_at(SPOUT_PG_HERE, SPOUT_PG_ARGS(__VA_ARGS__))
/** The same, but NULL with errno when it fails; see spout_error(), spout_pg_sqlstate().
 */
#define spout_try_pg_query(...) \
	spout_try_pg_query_at(SPOUT_PG_HERE, SPOUT_PG_ARGS(__VA_ARGS__))
/** Start one; statement and values are copied. See spout_future_rows(). */
#define spout_pg_query_async(...) \
	spout_pg_query_async_at(SPOUT_PG_HERE, SPOUT_PG_ARGS(__VA_ARGS__))

/** For any number of parameters (at most 65535). */
SPOUT_API struct spout_rows *spout_pg_query_with(
    const char *sql, const struct spout_pg_param *params, size_t n_params);
SPOUT_API SPOUT_MUST_CHECK struct spout_rows *spout_try_pg_query_with(
    const char *sql, const struct spout_pg_param *params, size_t n_params);
SPOUT_API struct spout_future *spout_pg_query_async_with(
    const char *sql, const struct spout_pg_param *params, size_t n_params);

/** What the macros call; `place` in the source (static text) is for the log. */
SPOUT_API struct spout_rows *spout_pg_query_at(const char *place, const char *sql,
    const struct spout_pg_param *params, size_t n_params);
SPOUT_API SPOUT_MUST_CHECK struct spout_rows *spout_try_pg_query_at(const char *place,
    const char *sql, const struct spout_pg_param *params, size_t n_params);
SPOUT_API struct spout_future *spout_pg_query_async_at(const char *place,
    const char *sql, const struct spout_pg_param *params, size_t n_params);

/** Wait for a query's future: its rows, or leave with its error. */
SPOUT_API struct spout_rows *spout_future_rows(struct spout_future *future);
/** The same, but NULL with errno when it failed. */
SPOUT_API SPOUT_MUST_CHECK struct spout_rows *spout_try_future_rows(
    struct spout_future *future);

/**
 * The SQLSTATE (5 characters) of the last failed call in this coroutine, "" if its
 * failure did not come from the server. Borrowed, until the next call.
 */
SPOUT_API const char *spout_pg_sqlstate(void);
/** The same of a future that is complete. */
SPOUT_API const char *spout_future_sqlstate(struct spout_future *future);

/* --- rows ------------------------------------------------------------------------- */

/*
 * Rows and columns count from 0. Asking for a row or a column that is not there, or for
 * a number where there is none (SQL NULL included), is a bug of the caller and leaves
 * with -EINVAL; inside a job it makes the job fail and returns 0, NULL or false.
 */

SPOUT_API size_t spout_rows_count(const struct spout_rows *rows);
/** How many rows an INSERT, UPDATE, DELETE, MERGE or SELECT touched. */
SPOUT_API uint64_t spout_rows_affected(const struct spout_rows *rows);

/** The text of a value, NULL if it is SQL NULL. Borrowed from the rows. */
SPOUT_API const char *spout_row_text(
    struct spout_rows *rows, size_t row, const char *column);
/** A whole number; fails on SQL NULL. */
SPOUT_API int64_t spout_row_int(struct spout_rows *rows, size_t row, const char *column);
SPOUT_API double spout_row_double(
    struct spout_rows *rows, size_t row, const char *column);
SPOUT_API bool spout_row_bool(struct spout_rows *rows, size_t row, const char *column);
SPOUT_API bool spout_row_is_null(struct spout_rows *rows, size_t row, const char *column);
/** The bytes of a bytea value (decoded), or those of any other value's text. Borrowed. */
SPOUT_API struct spout_slice spout_row_bytes(
    struct spout_rows *rows, size_t row, const char *column);

SPOUT_API size_t spout_rows_columns(const struct spout_rows *rows);
/** The name of a column. Borrowed. */
SPOUT_API const char *spout_rows_name(struct spout_rows *rows, size_t column);
/** The number of the first column with that name, or -ENOENT. */
SPOUT_API int spout_rows_column(const struct spout_rows *rows, const char *name);

/** What a column's values are, by the SQL type. */
enum spout_column_kind {
	SPOUT_COLUMN_TEXT,   /* everything else: text, dates, uuid, arrays … */
	SPOUT_COLUMN_INT,    /* smallint, integer, bigint, oid */
	SPOUT_COLUMN_NUMBER, /* real, double precision, numeric: NaN and Infinity too */
	SPOUT_COLUMN_BOOL,   /* "t" or "f" */
	SPOUT_COLUMN_JSON,   /* json, jsonb: text that is JSON */
	SPOUT_COLUMN_BYTES,  /* bytea, as text in hexadecimal */
};
SPOUT_API enum spout_column_kind spout_rows_kind(struct spout_rows *rows, size_t column);
/** The OID of the column's type in PostgreSQL's pg_type. */
SPOUT_API uint32_t spout_rows_type(struct spout_rows *rows, size_t column);
/** A value's text by the number of its column; .data is NULL for SQL NULL. Borrowed. */
SPOUT_API struct spout_slice spout_rows_value(
    struct spout_rows *rows, size_t row, size_t column);

/* --- jobs on a connection --------------------------------------------------------- */

/**
 * Runs on a thread of the "db" pool with a connection of its own, in blocking mode; uses
 * libpq freely (include <libpq-fe.h>), or spout_pg_exec(). It may not finish or reset the
 * connection, nor wait in Spout's sense. Returns a number >= 0, or -errno.
 */
typedef int (*spout_pg_fn)(struct pg_conn *conn, void *arg);

/**
 * Run fn(connection, arg) on a db thread and wait; `arg` is borrowed. A transaction that
 * it leaves open is rolled back. Settings of the session (SET, LISTEN, temporary tables)
 * outlive it: undo them, or use SET LOCAL in a transaction. When the coroutine leaves
 * first, the statements that it runs are cancelled, and after 2 s its connection is cut.
 * Returns what fn returned; the plain form leaves when that is negative.
 */
#define spout_pg_run(fn, arg) spout_pg_run_at((fn), (arg), #fn " at " SPOUT_PG_HERE)
#define spout_try_pg_run(fn, arg) \
	spout_try_pg_run_at((fn), (arg), #fn " at " SPOUT_PG_HERE)
SPOUT_API int spout_pg_run_at(spout_pg_fn fn, void *arg, const char *name);
SPOUT_API SPOUT_MUST_CHECK int spout_try_pg_run_at(
    spout_pg_fn fn, void *arg, const char *name);

enum spout_pg_isolation {
	SPOUT_PG_DEFAULT_ISOLATION, /* what the server is set to: read committed */
	SPOUT_PG_READ_COMMITTED,
	SPOUT_PG_REPEATABLE_READ,
	SPOUT_PG_SERIALIZABLE,
};

struct spout_pg_transaction_options {
	size_t size; /* sizeof this struct, set by the macro */
	/* How often to run it again after a serialization failure (40001) or a deadlock
	 * (40P01), with a growing pause. `fn` must then bear being run more than once.
	 * [0] */
	unsigned retries;
	enum spout_pg_isolation isolation;
	bool read_only;
	bool deferrable; /* with serializable and read_only: wait for a safe snapshot */
};

/**
 * BEGIN, fn(connection, arg), COMMIT on a db thread. Negative from fn, an error that fn
 * overlooked, or the coroutine's end: ROLLBACK. Returns what fn returned.
 *
 *     spout_pg_transaction(transfer, &order, .isolation = SPOUT_PG_SERIALIZABLE,
 *         .retries = 3);
 */
#define spout_pg_transaction(fn, arg, ...) \
	spout_pg_transaction_with((fn), (arg), #fn " at " SPOUT_PG_HERE, \
	    &(struct spout_pg_transaction_options){ \
		.size = sizeof(struct spout_pg_transaction_options), ##__VA_ARGS__ })
#define spout_try_pg_transaction(fn, arg, ...) \
	spout_try_pg_transaction_with((fn), (arg), #fn " at " SPOUT_PG_HERE, \
	    &(struct spout_pg_transaction_options){ \
		.size = sizeof(struct spout_pg_transaction_options), ##__VA_ARGS__ })
SPOUT_API int spout_pg_transaction_with(spout_pg_fn fn, void *arg, const char *name,
    const struct spout_pg_transaction_options *options);
SPOUT_API SPOUT_MUST_CHECK int spout_try_pg_transaction_with(spout_pg_fn fn, void *arg,
    const char *name, const struct spout_pg_transaction_options *options);

/**
 * Inside such a function: run one statement with typed parameters. The rows live until
 * the function returns. NULL when it fails; then return spout_pg_exec_error(): what the
 * server said becomes the reason of the whole call, and decides about a retry.
 */
#define spout_pg_exec(conn, ...) spout_pg_exec_with((conn), SPOUT_PG_ARGS(__VA_ARGS__))
SPOUT_API SPOUT_MUST_CHECK struct spout_rows *spout_pg_exec_with(struct pg_conn *conn,
    const char *sql, const struct spout_pg_param *params, size_t n_params);
/** -errno of the last statement that failed on this job's connection, -EIO at least. */
SPOUT_API int spout_pg_exec_error(struct pg_conn *conn);

/* --- migrations ------------------------------------------------------------------- */

/**
 * Run the files of a folder that this database has not seen, in the order of the numbers
 * that their names begin with: 0001_users.sql, 0002_posts.sql, or by time,
 * 20261121170000_tags.sql (4 to 18 digits). Each runs once, in a transaction of its own,
 * and is noted with its SHA-256 in the table spout_migrations. For on_worker_start: any
 * number of workers and hosts may call it at once, for an advisory lock lets one of them
 * work while the others wait.
 *
 * Returns how many files it ran. Fails, and rolls the file back, with the place in the
 * reason ("migrations/0002_posts.sql:7: …") when a statement fails; with -EINVAL if a
 * file that has run was changed or is not there any more, if one comes before another
 * that has run, if a name that ends in .sql is not of that form, or if a file ended its
 * transaction; with the -errno of a file that cannot be read (16 MiB at most). What
 * cannot run in a transaction (CREATE INDEX CONCURRENTLY …) does not belong here.
 * Suspends.
 */
SPOUT_API int spout_pg_migrate(const char *dir);
SPOUT_API SPOUT_MUST_CHECK int spout_try_pg_migrate(const char *dir);

#ifdef __cplusplus
}
#endif

#endif
