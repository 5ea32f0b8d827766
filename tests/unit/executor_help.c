/* SPDX-License-Identifier: MIT */
/* Help for the tests of the executor: see executor_help.h. */
#include "config.h"

#include "executor_help.h"

#include <errno.h>
#include <stdio.h>

#include <CUnit/CUnit.h>

#include "base/stats.h"

#define TIMEOUT_MS 180000 /* the runner of the tests comes after it */

struct spout_loop *loop;
struct spout_pool *shared_pool;

static void
note_exit(struct spout_coroutine *co, const struct spout__outcome *outcome)
{
	struct ending *ending = spout__coroutine_scope(co)->local;

	ending->left = true;
	ending->error = outcome->error;
	snprintf(ending->reason, sizeof(ending->reason), "%s", outcome->reason);
	if (ending->on_left != NULL)
		spout_future_set_result(ending->on_left, ending);
}

static void
note_gone(void *arg)
{
	struct ending *ending = arg;

	ending->gone = true;
	if (ending->on_gone != NULL)
		spout_future_set_result(ending->on_gone, ending);
}

struct spout_coroutine *
start(spout_fn fn, void *arg, uint64_t timeout_ms, struct ending *ending)
{
	struct spout_coroutine *co = spout__coroutine_new(loop);

	spout__coroutine_scope(co)->local = ending;
	spout__coroutine_start(
	    co, &(struct spout__coroutine_options){ .fn = fn,
		    .arg = arg,
		    .on_exit = note_exit,
		    .on_gone = note_gone,
		    .on_gone_arg = ending,
		    .where = "test",
		    .deadline_ms =
			timeout_ms > 0 ? spout__loop_after_ms(loop, timeout_ms) : 0 });
	return co;
}

/* Run in the coroutine of a test. */
static void
call(void *fn)
{
	loop = spout_loop_current();
	(*(spout_fn *)fn)(NULL);
}

struct spout_test_result
run_test(spout_fn fn)
{
	struct spout_test_result result =
	    spout_test_run(call, &fn, TIMEOUT_MS, .no_threads = true);

	CU_ASSERT_FALSE(result.timed_out);
	CU_ASSERT_EQUAL(spout__stats->gauges[SPOUT__G_JOBS_QUEUED], 0);
	CU_ASSERT_EQUAL(spout__stats->gauges[SPOUT__G_JOBS_RUNNING], 0);
	return result;
}

void
run_test_whole(spout_fn fn)
{
	struct spout_test_result result = run_test(fn);

	SPOUT_TEST_CHECK(result.error == 0, result.reason);
}

int
gate_pass(void *arg)
{
	struct gate *gate = arg;
	int n;

	pthread_mutex_lock(&gate->lock);
	gate->entered++;
	pthread_cond_broadcast(&gate->changed);
	while (!gate->open)
		pthread_cond_wait(&gate->changed, &gate->lock);
	n = ++gate->passed;
	pthread_mutex_unlock(&gate->lock);
	return n;
}

void
gate_open(void *arg)
{
	struct gate *gate = arg;

	pthread_mutex_lock(&gate->lock);
	gate->open = true;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

void
gate_wait_entered(struct gate *gate, int n)
{
	pthread_mutex_lock(&gate->lock);
	while (gate->entered < n)
		pthread_cond_wait(&gate->changed, &gate->lock);
	pthread_mutex_unlock(&gate->lock);
}

int
gate_entered(struct gate *gate)
{
	int n;

	pthread_mutex_lock(&gate->lock);
	n = gate->entered;
	pthread_mutex_unlock(&gate->lock);
	return n;
}

struct spout_pool_stats
stats_of(struct spout_pool *pool)
{
	struct spout_pool_stats stats;

	spout_pool_get_stats(pool, &stats);
	return stats;
}

int
answer(void *arg)
{
	(void)arg;
	return 42;
}

int
add_one(void *arg)
{
	return ++*(int *)arg;
}

int
fail_io(void *arg)
{
	(void)arg;
	return -EIO;
}

void
bare_done(struct spout__job *job)
{
	struct bare *bare = spout__container_of(job, struct bare, job);

	bare->result = job->result;
	spout_future_set_result(bare->done, bare);
}
