/* SPDX-License-Identifier: MIT */
/*
 * The pool of connections of a worker: what the files of this folder share.
 *
 * There are as many places for connections as "db" threads. The loop lends them to its
 * driver of queries (driver.h) and to jobs, and hands a job to the executor only when
 * there is a place for it, so that a job which runs always finds one. The way of a place
 * with jobs:
 *
 *          +--------------------- closed (dead, old, idle too long) --+
 *          v                                                          |
 *        EMPTY --job, no idle one--> CONNECTING --logged in--> BUSY --+--whole--> IDLE
 *          ^                             |                      ^                  |
 *          +-----------failed------------+                      +---job, healthy---+
 *
 * EMPTY and IDLE places are on a list and belong to pg->lock. In the other states a place
 * belongs to the thread of the job that has it, or to the driver, but for the fields
 * marked (lock): these are how the loop and the cancel thread reach a job that runs.
 */
#ifndef SPOUT_PG_POOL_H
#define SPOUT_PG_POOL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include <libpq-fe.h>

#include "executor/executor.h"
#include "executor/resolve.h"
#include "pg/pg.h"

/* A cancelled statement gets this long to end before its connection is given up. */
#define SPOUT__PG_CANCEL_GRACE_MS 2000u

/* Of a URL that we go through ourselves. */
#define SPOUT__PG_HOSTS 16u
/* Of a password, with its end. */
#define SPOUT__PG_PASSWORD_SIZE 8192u

/* libpq's buffers never shrink: after a result of this size the connection is closed. */
#define SPOUT__PG_BIG_RESULT_BYTES (8u << 20)

/** Why something failed: the last word of a connection, or of a job. */
struct spout__pg_failure {
	int error;        /* -errno, 0: it did not fail */
	char sqlstate[6]; /* "" if it did not come from the server */
	char text[250];
};

struct spout__pg;
struct spout__pg_driver;
struct spout__pg_job;
struct spout__pg_cancel;
struct spout__pg_listener;

struct spout__pg_conn {
	struct spout__pg *pg;
	struct spout__list link; /* in pg->idle or pg->empty */
	PGconn *pq;              /* NULL: no connection */
	int wake_fd;             /* eventfd: the job that has it shall stop */
	int socket_dup;          /* the socket, in a number that libpq does not close */
	pid_t pid;               /* the process that connected */
	unsigned logins;         /* how often this place was connected */
	uint64_t expires_ms, idle_since_ms;
	unsigned generation; /* pg->generation when it was connected */
	bool reused; /* had a job before this one */
	bool doomed; /* never to be used again */
	bool hooked; /* spout__pg_hook() */
	bool unsent; /* it proved dead before the statement was sent */
	bool told;    /* (lock) that the job has it for long */
	bool outside; /* no place of the pool: the one that listens */
	struct spout__pg_failure failure; /* the last one since a job took it */
	struct spout__pg_failure misuse;  /* of rows, by the function that has it */
	struct spout_rows *rows;   /* of spout_pg_exec(): freed with the job's function */
	struct spout__pg_job *job; /* (lock) who has it */
	const char *borrower;      /* (lock) its name; stays when it is over */
	uint64_t borrowed_ms;      /* (lock) since when */
	bool woken;                /* (lock) wake_fd was written */
	bool logged_in;            /* (lock) counted in pg->open */
	int backend_pid;           /* (lock) of the server; stays when it is closed */
	PGcancel *handle;          /* (lock) set while logged in */
	struct spout__pg_cancel *cancel; /* (lock) being cancelled */
};

/** A server: what libpq's host, hostaddr and port say; each may be NULL or empty. */
struct spout__pg_host {
	const char *name, *addr, *port;
};

/** A URL, and the servers in it. Read-only, but `last`. */
struct spout__pg_hosts {
	PQconninfoOption *options;
	const char *session; /* target_session_attrs; NULL: any */
	char *lists[3];
	unsigned n; /* 0: libpq knows where to go */
	struct spout__pg_host at[SPOUT__PG_HOSTS];
	_Atomic unsigned last; /* the one that answered last */
};

struct spout__pg {
	struct spout_loop *loop;
	struct spout__pg_options options;
	struct spout__pg_hosts hosts;
	char *application_name, *startup_options, *password_file;
	_Atomic unsigned generation; /* connections of an older one are not used again */
	struct spout__pg_driver *driver; /* loop thread */
	struct spout__pg_listener *listener; /* loop thread; NULL: not needed yet */
	struct spout_periodic *maintenance;
	struct spout__job upkeep; /* loop thread, while it is not out */
	bool maintaining;         /* it is out; loop thread */
	bool stopped;             /* loop thread */
	unsigned n_conns;
	struct spout__pg_conn *conns;

	pthread_mutex_t lock;    /* guards all below, and what is marked (lock) above */
	struct spout__list idle; /* the one used last comes first */
	struct spout__list empty;
	unsigned open; /* places with a connection */
	bool stopping;
	bool down;    /* the last attempt to connect failed */
	bool probing; /* and one job tries again */
	unsigned backoff_ms;
	uint64_t next_probe_ms, give_up_again_ms;
	struct spout__pg_failure why_down;
	uint64_t slow_since_ms; /* of slow statements: what was logged since then, */
	unsigned slow_lines, slow_dropped; /* and what was not */

	pthread_t canceller; /* see cancel.c */
	pthread_cond_t cancel_wanted, cancel_settled;
	struct spout__list cancels;
	bool canceller_runs, canceller_stops, canceller_ended;
};

/** Which side of the acquire time-out won. */
enum { SPOUT__PG_WAITING, SPOUT__PG_STARTED, SPOUT__PG_GIVEN_UP };

/** A query, a function or a transaction on its way through the db pool. */
struct spout__pg_job {
	struct spout_future future; /* first: see spout__future_alloc() */
	struct spout__job job;
	struct spout__timer timer; /* of the acquire time-out, then of the cancel grace */
	struct spout__list link;   /* while it waits in line for a connection */
	uint64_t sequence;         /* its place in that line */
	struct spout__pg *pg;
	const char *name;
	uint64_t deadline_ms; /* 0: none */
	uint64_t queued_us;
	_Atomic int phase;
	struct spout__pg_conn *conn; /* (lock) */
	bool cancelled;              /* (lock) */
	/* On the thread, with a connection. Returns >= 0, or -errno with conn->failure.
	 */
	int (*run)(struct spout__pg_job *job, struct spout__pg_conn *conn);
	/* On the loop: the future's value, after success. */
	void *(*value)(struct spout__pg_job *job);
	struct spout__pg_failure failure;
};

/* --- pool.c: places, borrowing, returning; any thread ----------------------------- */

/** NULL if there is none on this loop. Loop thread. */
struct spout__pg *spout__pg_of(struct spout_loop *loop);
/** A connection for a job, or NULL with job->failure. */
struct spout__pg_conn *spout__pg_borrow(struct spout__pg_job *job);
/** Give it back: whole to the idle ones, else closed. */
void spout__pg_return(struct spout__pg_conn *conn);
/** Roll back what is open; false if that does not do. On a thread. */
bool spout__pg_make_clean(struct spout__pg_conn *conn);
/** A place with a connection, or NULL. */
struct spout__pg_conn *spout__pg_take_idle(struct spout__pg *pg);
/** An empty place that may connect, or NULL with a failure if the database is down. */
struct spout__pg_conn *spout__pg_take_empty(
    struct spout__pg *pg, struct spout__pg_failure *ret_failure);
/** That one was not used after all. */
void spout__pg_not_tried(struct spout__pg *pg);
/** Put a place where it belongs. */
void spout__pg_shelve(struct spout__pg_conn *conn);
/** A place with a connection: young, and with nothing on its socket? */
bool spout__pg_fit(struct spout__pg_conn *conn, bool ping);
/** Was it idle for so long that only the server knows? */
bool spout__pg_wants_ping(const struct spout__pg_conn *conn);
/** Connect an empty place, and tell the pool how that went. As spout__pg_connect(). */
int spout__pg_log_in(struct spout__pg_conn *conn, uint64_t deadline_ms);
/** Who connects a place shall stop. */
void spout__pg_wake(struct spout__pg_conn *conn);
void spout__pg_wake_over(struct spout__pg_conn *conn);
/** 0, or -EHOSTDOWN with a reason if a job would surely fail now. Loop thread. */
int spout__pg_admit(struct spout__pg *pg, struct spout__pg_failure *ret_failure);
/** Close what is idle and old or dead. */
void spout__pg_maintain(struct spout__pg *pg);
/** Close what is idle. No thread may use the pool any more. */
void spout__pg_close_all(struct spout__pg *pg);
/** Has a job been cancelled? */
bool spout__pg_cancelled(struct spout__pg_job *job);
/** Cancel a job that may have a connection by now. Loop thread. */
void spout__pg_cancel(struct spout__pg_job *job);
/** Cut the connection of a job that did not stop when it was cancelled. Loop thread. */
void spout__pg_cut(struct spout__pg_job *job);

/* --- connect.c -------------------------------------------------------------------- */

/** Log in. Returns 0, or -errno with conn->failure. */
int spout__pg_connect(struct spout__pg_conn *conn, uint64_t until_ms);
/** Close the connection of a place, if it has one. */
void spout__pg_disconnect(struct spout__pg_conn *conn);
/** From now on each failed result is kept in conn->failure. Returns 0 or -ENOMEM. */
int spout__pg_hook(struct spout__pg_conn *conn);
/** Does the failure mean that trying again soon is of no use (password, no database)? */
bool spout__pg_refused(const struct spout__pg_failure *failure);

/* --- hosts.c, names.c, password.c ------------------------------------------------- */

/** Take a URL apart that has been checked. Returns 0 or -ENOMEM; to be released. */
int spout__pg_hosts_init(struct spout__pg_hosts *hosts, const char *url);
void spout__pg_hosts_release(struct spout__pg_hosts *hosts);
/** Does it have to be looked up? */
bool spout__pg_host_is_name(const struct spout__pg_host *host);
/** Might a password or data go over some network in clear text? */
bool spout__pg_hosts_exposed(const struct spout__pg_hosts *hosts);
/**
 * Was the last failure that the server is a standby, where a primary is needed? Then the
 * connection is doomed, and all that were made before now are stale.
 */
bool spout__pg_demoted(struct spout__pg_conn *conn);
/** Is it too old, or of a server that is none any more? */
bool spout__pg_stale(const struct spout__pg_conn *conn, uint64_t now_ms);
/** The addresses of a host. Returns 0, or -errno with conn->failure. Blocks. */
int spout__pg_look_up(struct spout__pg_conn *conn, const char *host, uint64_t until_ms,
    struct spout__addresses *ret);
/** What --database-password-file or the application says, or "". Blocks. As above. */
int spout__pg_password(struct spout__pg_conn *conn, char ret[SPOUT__PG_PASSWORD_SIZE]);

/* --- exec.c: one statement on a connection, on the job's thread ------------------- */

struct spout__pg_statement {
	const char *sql;
	int n_params; /* -1: the simple protocol, for several statements in one text */
	const char *const *values;
	const int *lengths, *formats;
	const char *place; /* in the source: "file.c:12", or NULL; static text */
};

/**
 * Run it until `until_ms` (0: no limit); never blocks for longer than that and the grace.
 * Returns 0 with *ret_result (owned), or -errno with conn->failure.
 */
int spout__pg_execute(struct spout__pg_conn *conn,
    const struct spout__pg_statement *statement, uint64_t until_ms,
    PGresult **ret_result);
/** The same for a text without parameters and rows. */
int spout__pg_command(struct spout__pg_conn *conn, const char *sql, uint64_t until_ms);
/** Is an idle connection still good? `ping`: ask the server, else look at the socket. */
bool spout__pg_healthy(struct spout__pg_conn *conn, bool ping);
/**
 * Wait for poll(2) events on the socket, or for the job to be cancelled. Returns the
 * events, 0 at `until_ms` (0: no limit), -ECANCELED.
 */
int spout__pg_wait(
    struct spout__pg_conn *conn, short events, uint64_t until_ms, bool wakeable);
/** The same with another descriptor than its socket. */
int spout__pg_wait_fd(struct spout__pg_conn *conn, int fd, short events,
    uint64_t until_ms, bool wakeable);

/* --- figures.c -------------------------------------------------------------------- */

/** A call failed with this error. Loop thread. */
void spout__pg_count_error(int error);
/** A statement took so long: log it if that was long. Any thread. */
void spout__pg_took(struct spout__pg *pg, const struct spout__pg_statement *statement,
    uint64_t us, bool failed);
/** Log who has had a connection for long. Loop thread. */
void spout__pg_watch(struct spout__pg *pg);

/* --- pause.c, start.c; loop thread ------------------------------------------------ */

void spout__pg_set_paused(struct spout__pg *pg, bool paused);
/** Replace every connection as soon as it is free. */
void spout__pg_reconnect(struct spout__pg *pg);
/** Have idle connections looked at now. */
void spout__pg_upkeep(struct spout__pg *pg);

/* --- pooler.c --------------------------------------------------------------------- */

/** 0, or -EINVAL with the failure if it needs a session that a pooler has not. Any
 * thread. */
int spout__pg_check_session(const struct spout__pg *pg, const char *sql,
    struct spout__pg_failure *ret_failure);

/* --- failure.c -------------------------------------------------------------------- */

/** Set a failure; returns `error`. */
int spout__pg_fail(struct spout__pg_failure *failure, int error, const char *fmt, ...)
    SPOUT_PRINTF(3, 4);
/** Keep what the server said in an error result. */
void spout__pg_fail_with_result(
    struct spout__pg_failure *failure, const PGresult *result);
/** Keep why libpq gave up: its message, and the SQLSTATE that may be in it. */
int spout__pg_fail_with_message(
    struct spout__pg_failure *failure, int error, const char *message);
/** A connection broke: what the server or libpq said last, in conn->failure. */
void spout__pg_last_words(struct spout__pg_conn *conn);
/** The text for people, with its SQLSTATE. */
void spout__pg_failure_text(
    const struct spout__pg_failure *failure, char *ret_text, size_t size);

/* --- measure.c -------------------------------------------------------------------- */

/**
 * Read from the socket, and add to *waiting_bytes how much that was: what is read until a
 * result is whole, when the caller sets it to 0. False: the connection is lost.
 */
bool spout__pg_consume(PGconn *pq, uint64_t *waiting_bytes);
/** Is that more than max_result_bytes? Then conn->failure says that `what` is. */
bool spout__pg_too_large(
    struct spout__pg_conn *conn, uint64_t waiting_bytes, const char *what);

/* --- cancel.c: cancel requests, on a thread of their own -------------------------- */

/** Have the statement that runs on `conn` cancelled, now and until it ends. With the
 * lock. */
void spout__pg_cancel_locked(struct spout__pg_conn *conn);
/**
 * No cancel request is on its way any more; for one that is being sent, `wait` up to
 * SPOUT__PG_CANCEL_GRACE_MS. False if one could still be: the connection must be closed.
 */
bool spout__pg_cancel_settle(struct spout__pg_conn *conn, bool wait);
/**
 * The same for the loop, which may not wait: what was to be cancelled is over. Returns 0,
 * -EAGAIN (a request is being sent: look again soon), -EIO (one may still be under way).
 */
int spout__pg_cancel_look(struct spout__pg_conn *conn);
/** End the thread. Returns 0 or -ETIMEDOUT. */
int spout__pg_cancel_stop(struct spout__pg *pg, uint64_t until_ms);
void spout__pg_cancel_init(struct spout__pg *pg);

/* --- job.c: a job's way through the executor; loop thread ------------------------- */

/**
 * Submit a job whose future has been made, and whose `run` and `value` are set. When it
 * cannot be, its future is complete at return.
 */
void spout__pg_submit(struct spout__pg_job *job, const char *name);
/** It has its unit: off to the executor. */
void spout__pg_job_enter(struct spout__pg_job *job);
/** It waits in line no longer, and failed. */
void spout__pg_job_refuse(struct spout__pg_job *job, int error);
/** The on_cancel of its future. */
void spout__pg_job_on_cancel(struct spout_future *future);
/** The pool of the running coroutine's loop, as far as it has a chance; else NULL with
 * the failure. */
struct spout__pg *spout__pg_usable(
    struct spout_loop *loop, struct spout__pg_failure *ret_failure);

/* --- params.c --------------------------------------------------------------------- */

/** Bytes that spout__pg_encode() needs; SIZE_MAX when there are too many parameters. */
size_t spout__pg_encoded_size(
    const char *sql, const struct spout_pg_param *params, size_t n, bool copy);
/**
 * Make what libpq wants in `memory`; text and bytes are borrowed, or copied with the
 * statement. Returns 0, or -EINVAL for a void pointer that is not NULL.
 */
int spout__pg_encode(const char *sql, const struct spout_pg_param *params, size_t n,
    bool copy, void *memory, struct spout__pg_statement *ret_statement);

/* Digits of the longest number: a double with 17 of them, sign, point and exponent. */
#define SPOUT__PG_NUMBER_BYTES 32u
/** One value as text; NULL for SQL NULL. Numbers go into `memory`. */
const char *spout__pg_encode_one(
    const struct spout_pg_param *value, char memory[SPOUT__PG_NUMBER_BYTES]);

/* --- rows.c ----------------------------------------------------------------------- */

struct spout_rows {
	PGresult *result;
	struct spout__pg_bytes *decoded; /* bytea values */
	struct spout__pg_conn *conn;     /* of a job's rows, else NULL */
	struct spout_rows *next;         /* in conn->rows */
};

/** Free the result and what was made of it, not the struct. */
void spout__pg_rows_release(struct spout_rows *rows);

/* --- run.c ------------------------------------------------------------------------ */

/** The statement that begins such a transaction. */
void spout__pg_begin_sql(char *ret_sql, size_t size, enum spout_pg_isolation isolation,
    bool read_only, bool deferrable);
/** The connection of the function that runs on this thread, or NULL. */
extern __thread struct spout__pg_conn *spout__pg_running;

#endif
