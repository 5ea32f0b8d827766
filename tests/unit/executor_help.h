/* SPDX-License-Identifier: MIT */
/*
 * Help for the tests of the executor. Each test runs in a coroutine on a loop of its own.
 * What a job does is held by gates, so that "queued" and "running" are facts, not guesses
 * about time.
 */
#ifndef SPOUT_TESTS_EXECUTOR_HELP_H
#define SPOUT_TESTS_EXECUTOR_HELP_H

#include <pthread.h>

#include <spout/spout.h>
#include <spout/testing.h>

#include "executor/executor.h"

/* How a coroutine that was watched ended. */
struct ending {
	bool left, gone;
	int error;
	char reason[200];
	struct spout_future *on_left, *on_gone; /* completed then, if set */
};

/* The loop of the running test, and a pool for coroutines that it starts. */
extern struct spout_loop *loop;
extern struct spout_pool *shared_pool;

struct spout_coroutine *start(spout_fn fn, void *arg, uint64_t timeout_ms,
    struct ending *ending);
/* Run fn as the coroutine of a test, on a loop that ends with it. */
struct spout_test_result run_test(spout_fn fn);
/* The same; it must end as a function returns. */
void run_test_whole(spout_fn fn);

/* Where jobs stop until they are let through. */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int entered, passed;
	bool open;
};

#define GATE_CLOSED \
	{ .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER }

/* A job: stop at the gate; the number of jobs that have passed it. */
int gate_pass(void *gate);
void gate_open(void *gate);
/* Block this thread until `n` jobs stand at the gate. */
void gate_wait_entered(struct gate *gate, int n);
int gate_entered(struct gate *gate);

/* A job without a coroutine of its own; `done` completes when it is over. */
struct bare {
	struct spout__job job;
	struct spout_future *done;
	int result;
};

void bare_done(struct spout__job *job);

struct spout_pool_stats stats_of(struct spout_pool *pool);

/* Jobs. */
int answer(void *arg);  /* 42 */
int add_one(void *arg); /* to an int; the new number */
int fail_io(void *arg); /* -EIO */

#endif
