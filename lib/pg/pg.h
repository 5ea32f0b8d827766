/* SPDX-License-Identifier: MIT */
/*
 * Starting and stopping PostgreSQL in a worker; what failures look like to other layers.
 * Loop thread.
 *
 * The errors that calls of spout/pg.h leave with, and the statuses meant by them:
 *
 *   -EHOSTDOWN  503 + Retry-After  no database configured; database down or unreachable;
 *                                  connection lost
 *   -ENOBUFS    503 + Retry-After  no connection free in time; queue full; the server has
 *                                  no resources left (class 53)
 *   -EAGAIN     503 + Retry-After  a conflict with other transactions that outlasted the
 *                                  retries, or a lock that was not to be had
 *   -ETIMEDOUT  504                the request's deadline, or statement_timeout
 *   -ECANCELED  (nobody listens)   client gone, or the worker stops
 *   -EIO        500                the server refused the statement, see its SQLSTATE
 *   -EMSGSIZE   500                the result is larger than max_result_bytes
 *   -EINVAL     500                misuse
 *   -ENOMEM     503
 *
 * Reasons of errors that came from the server begin with "SQLSTATE xxxxx: ".
 */
#ifndef SPOUT_PG_PG_H
#define SPOUT_PG_PG_H

#include <spout/pg.h>

#include "loop/loop.h"

struct spout__pg_options {
	const char *url;      /* postgresql://… or "key=value …"; NULL: no database */
	const char *password_file; /* its first line, for each log-in; NULL: none */
	/* The same from the application: see struct spout_app. NULL: none */
	int (*password_fn)(char *ret_password, size_t size);
	const char *name;     /* the application's, for application_name "name/wK" */
	unsigned slot;        /* K: which worker this is */
	unsigned acquire_ms;  /* longest wait for a connection [2000] */
	unsigned connect_ms;  /* for name look-up, TCP, TLS and log-in together [3000] */
	unsigned lifetime_ms; /* of a connection, give or take 10 % [1800000] */
	unsigned idle_ms;     /* an unused connection is closed [300000] */
	bool pooler; /* what the URL leads to shares sessions between transactions:
	              * nothing that outlives one is sent */
	unsigned min_conns;   /* kept open, also without work [0] */
	unsigned slow_ms;     /* log statements that take this long; 0: none */
	unsigned leak_ms;     /* log who has a connection for this long [60000] */
	unsigned statement_ms, lock_ms; /* the server's time-outs [none, 5000] */
	unsigned idle_transaction_ms;   /* … for a transaction that nobody works in
	                                 * [10000] */
	unsigned
	    fast_us; /* a plain read that takes no longer shares a connection [3000] */
	unsigned listen_check_ms; /* the connection that listens is asked after silence
				   * [30000] */
	uint64_t max_result_bytes; /* of a query; a larger one fails [64 MiB] */
};

/** Is this a usable database URL? Returns 0, or -EINVAL with why (no password in it). */
int spout__pg_check_url(const char *url, char *ret_reason, size_t size);
/**
 * Make the pool of this loop, for as many connections as its "db" pool has threads;
 * copies the options, connects to nothing. Without a URL every call fails and says so.
 * Returns 0, -EINVAL (bad URL, no "db" pool), -ENOMEM, -EMFILE.
 */
int spout__pg_start(struct spout_loop *loop, const struct spout__pg_options *options);
/**
 * Cancel what still runs, close the "db" pool and every connection. Blocks. Before
 * spout__executor_stop(). Returns 0, or -ETIMEDOUT when a thread is stuck: the process
 * must then _exit().
 */
int spout__pg_stop(struct spout_loop *loop, uint64_t deadline_ms);

#endif
