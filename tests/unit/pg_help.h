/* SPDX-License-Identifier: MIT */
/*
 * Help for the tests of PostgreSQL: a private cluster for the whole program, and a loop
 * with executor and pool for each test.
 */
#ifndef SPOUT_TESTS_PG_HELP_H
#define SPOUT_TESTS_PG_HELP_H

#include <stdatomic.h>

#include <libpq-fe.h>

#include "base/stats.h"
#include "pg/pg.h"

/**
 * Start the cluster, or use that of SPOUT_TEST_DATABASE (a URL), and for pools the pooler
 * of SPOUT_TEST_POOLER before it, in transaction mode; 77 (skip) when there is no
 * PostgreSQL to be had, or 0. Ended with the program.
 */
int cluster_start(void);
void cluster_stop(void);
/** Stop and start the server, its data stay. */
void cluster_down(void);
void cluster_up(void);
/** The pools of tests go through a pooler in transaction mode. */
extern bool through_pooler;
/** Its URL through the socket, and through TCP with the password. */
extern char cluster_url[512], cluster_tcp_url[512];

/** What the pool of a test is like. */
struct setup {
	unsigned threads; /* [4] */
	const char *url;  /* [cluster_url]; "" for none */
	bool unstopped;   /* leave all to spout_loop_free() */
	void *arg;        /* for the test's function */
	struct spout__pg_options options;
};

extern struct spout_loop *loop;

/** Run fn(arg) in a coroutine on a loop with a pool, and take everything down again. */
void with_pool(const struct setup *setup, spout_fn fn);

/** How another coroutine of the test ended. */
struct ending {
	bool left, gone;
	int error;
	char reason[300];
	uint64_t left_after_ms; /* since it was started */
	uint64_t started_ms;
};
struct spout_coroutine *start(
    spout_fn fn, void *arg, uint64_t timeout_ms, struct ending *ending);
/** Wait inside a coroutine until it is true once, at most 10 s. */
#define wait_until(condition) \
	do { \
		uint64_t give_up_ms_ = spout_loop_now_ms(loop) + 10000; \
		bool held_; \
		while (!(held_ = (condition)) && \
		    spout_loop_now_ms(loop) < give_up_ms_) \
			spout_sleep(2); \
		CU_ASSERT(held_); \
	} while (0)

/** Of this process. */
uint64_t counter(enum spout__counter id);
/** For start(): run an SQL text. */
void query(void *sql);
/** Every connection of the pool works, and at the same time as the others. */
void check_whole(unsigned threads);

/** Ask the server by a connection of the test's own. Blocks. */
int observe(const char *sql);
/** Close that connection; with_pool() does it at its end. */
void observe_no_more(void);
/** Sessions of the pool in this state, e.g. "active", or all of them for "%". */
int sessions(const char *state);

#endif
