/* SPDX-License-Identifier: MIT */
/* Pools: bounds of the queue, growing and retiring, their threads, closing; many jobs. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef HAVE_VALGRIND_VALGRIND_H
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#include "async/sanitizer.h"
#include "base/clock.h"
#include "executor_help.h"

/* --- bounds ----------------------------------------------------------------- */

static void
full_queue(void *arg)
{
	struct gate gate = GATE_CLOSED;
	struct spout_pool *pool = spout_pool_new("small", .max_queued = 2);
	struct spout_future *running, *queued[2];

	(void)arg;
	running = spout_run_on_async(pool, gate_pass, &gate);
	gate_wait_entered(&gate, 1);
	queued[0] = spout_run_on_async(pool, gate_pass, &gate);
	queued[1] = spout_run_on_async(pool, gate_pass, &gate);
	CU_ASSERT(!spout_future_done(queued[1]));
	CU_ASSERT_EQUAL(stats_of(pool).queued, 2);
	CU_ASSERT_EQUAL(stats_of(pool).running, 1);
	CU_ASSERT_EQUAL(spout_try_run_on(pool, gate_pass, &gate), -ENOBUFS);
	CU_ASSERT_STRING_EQUAL(
	    spout_error(), "job gate_pass: the queue of the pool is full");
	CU_ASSERT_EQUAL(
	    spout_try_await(spout_run_on_async(pool, gate_pass, &gate)), -ENOBUFS);
	CU_ASSERT_EQUAL(stats_of(pool).refused, 2);
	gate_open(&gate);
	CU_ASSERT_EQUAL(
	    spout_try_await_all(SPOUT_FOREVER, running, queued[0], queued[1]), 0);
	CU_ASSERT_EQUAL(spout_try_run_on(pool, gate_pass, &gate), 4);
	CU_ASSERT_EQUAL(gate.entered, 4);
	spout_pool_close(pool, 1000);
}

static void
full_queue_refuses_until_there_is_room_again(void)
{
	run_test_whole(full_queue);
}

static void
old_queue(void *arg)
{
	struct gate gate = GATE_CLOSED;
	struct spout_pool *pool = spout_pool_new("late", .max_wait_ms = 20);
	struct spout_future *running, *queued;

	(void)arg;
	running = spout_run_on_async(pool, gate_pass, &gate);
	gate_wait_entered(&gate, 1);
	spout_sleep(25);
	/* Nobody waits, however long the running one takes. */
	queued = spout_run_on_async(pool, gate_pass, &gate);
	CU_ASSERT(!spout_future_done(queued));
	spout_sleep(25);
	CU_ASSERT(stats_of(pool).oldest_wait_us >= 20000);
	CU_ASSERT_EQUAL(spout_try_run_on(pool, gate_pass, &gate), -ENOBUFS);
	gate_open(&gate);
	CU_ASSERT_EQUAL(spout_try_await_all(SPOUT_FOREVER, running, queued), 0);
	CU_ASSERT_EQUAL(spout_try_run_on(pool, gate_pass, &gate), 3);
	CU_ASSERT_EQUAL(stats_of(pool).refused, 1);
	spout_pool_close(pool, 1000);
}

static void
queue_whose_oldest_job_waits_too_long_refuses(void)
{
	run_test_whole(old_queue);
}

/* --- threads ---------------------------------------------------------------- */

static void
growing(void *arg)
{
	struct gate gate = GATE_CLOSED;
	struct spout_pool *pool = spout_pool_new("grows", .min_threads = 1,
	    .max_threads = 3, .grow_after_ms = 2, .retire_after_ms = 20);
	struct spout_future *futures[4];
	int i;

	(void)arg;
	for (i = 0; i < 4; i++)
		futures[i] = spout_run_on_async(pool, gate_pass, &gate);
	while (gate_entered(&gate) < 3)
		spout_sleep(1);
	spout_sleep(10);
	CU_ASSERT_EQUAL(stats_of(pool).threads, 3);
	CU_ASSERT_EQUAL(stats_of(pool).grown, 2);
	CU_ASSERT_EQUAL(stats_of(pool).running, 3);
	CU_ASSERT_EQUAL(stats_of(pool).queued, 1);
	gate_open(&gate);
	spout_await_all_of(SPOUT_FOREVER, futures, 4);
	while (stats_of(pool).threads > 1)
		spout_sleep(1);
	spout_sleep(30);
	CU_ASSERT_EQUAL(stats_of(pool).threads, 1);
	CU_ASSERT_EQUAL(stats_of(pool).retired, 2);
	CU_ASSERT_EQUAL(spout_try_run_on(pool, answer, NULL), 42);
	spout_pool_close(pool, 1000);
}

static void
pool_grows_by_queue_age_to_its_maximum_and_retires(void)
{
	run_test_whole(growing);
}

static void
growing_often(void *arg)
{
	struct spout_pool *pool = spout_pool_new("breathes", .min_threads = 1,
	    .max_threads = 2, .grow_after_ms = 1, .retire_after_ms = 1);
	int i;

	(void)arg;
	for (i = 0; i < 20; i++) {
		struct gate gate = GATE_CLOSED;
		struct spout_future *a = spout_run_on_async(pool, gate_pass, &gate);
		struct spout_future *b = spout_run_on_async(pool, gate_pass, &gate);

		while (gate_entered(&gate) < 2)
			spout_sleep(1);
		gate_open(&gate);
		spout_await_all(SPOUT_FOREVER, a, b);
		while (stats_of(pool).threads > 1)
			spout_sleep(1);
	}
	CU_ASSERT_EQUAL(stats_of(pool).grown, 20);
	CU_ASSERT_EQUAL(stats_of(pool).retired, 20);
	spout_pool_close(pool, 1000);
}

static void
places_of_retired_threads_are_used_again(void)
{
	run_test_whole(growing_often);
}

struct thread_facts {
	int niceness;
	char name[16];
	bool term_blocked, segv_blocked;
	size_t stack_bytes;
};

static int
look_at_thread(void *arg)
{
	struct thread_facts *facts = arg;
	pthread_attr_t attr;
	sigset_t set;

	facts->niceness = getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid));
	pthread_getname_np(pthread_self(), facts->name, sizeof(facts->name));
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	facts->term_blocked = sigismember(&set, SIGTERM) == 1;
	facts->segv_blocked = sigismember(&set, SIGSEGV) == 1;
	if (pthread_getattr_np(pthread_self(), &attr) == 0) {
		pthread_attr_getstacksize(&attr, &facts->stack_bytes);
		pthread_attr_destroy(&attr);
	}
	return 0;
}

static void
defaults(void *arg)
{
	const struct spout__executor_options options = {
		.cpu_threads = 1, .blocking_min = 1, .blocking_max = 12, .db_threads = 2
	};
	int niceness = getpriority(PRIO_PROCESS, 0); /* of whoever runs the tests */
	struct thread_facts facts;
	sigset_t set;

	(void)arg;
	CU_ASSERT_EQUAL(spout__executor_start(loop, &options), 0);
	CU_ASSERT_EQUAL(spout_try_run_on(SPOUT_POOL_CPU, look_at_thread, &facts), 0);
	CU_ASSERT_EQUAL(facts.niceness, 19);
	CU_ASSERT_STRING_EQUAL(facts.name, "spout-cpu-0");
	CU_ASSERT(facts.term_blocked);
	CU_ASSERT(!facts.segv_blocked);
	CU_ASSERT(facts.stack_bytes >= 256u << 10);
	CU_ASSERT(facts.stack_bytes <= 4u << 20);
	CU_ASSERT_EQUAL(spout_try_run(look_at_thread, &facts), 0);
	CU_ASSERT_EQUAL(facts.niceness, niceness);
	CU_ASSERT_STRING_EQUAL(facts.name, "spout-blockin-0");
	CU_ASSERT_EQUAL(spout_try_run_on(SPOUT_POOL_DB, look_at_thread, &facts), 0);
	CU_ASSERT_NSTRING_EQUAL(facts.name, "spout-db-", 9);
	CU_ASSERT_EQUAL(stats_of(SPOUT_POOL_DB).threads, 2);
	/* Nothing of this has rubbed off on the loop. */
	CU_ASSERT_EQUAL(getpriority(PRIO_PROCESS, 0), niceness);
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	CU_ASSERT_EQUAL(sigismember(&set, SIGTERM), 0);
	CU_ASSERT_EQUAL(spout__executor_stop(loop, 1000), 0);
	CU_ASSERT_PTR_NULL(SPOUT_POOL_CPU);
}

static void
default_pools_have_their_niceness_names_and_signal_masks(void)
{
	run_test_whole(defaults);
}

static void
making(void *arg)
{
	struct spout_pool *pool = spout_pool_new("reports");

	(void)arg;
	CU_ASSERT_PTR_NOT_NULL_FATAL(pool);
	CU_ASSERT_PTR_EQUAL(spout_pool_get("reports"), pool);
	errno = 0;
	CU_ASSERT_PTR_NULL(spout_pool_new("reports"));
	CU_ASSERT_EQUAL(errno, EEXIST);
	errno = 0;
	CU_ASSERT_PTR_NULL(spout_pool_new("wrong", .min_threads = 3, .max_threads = 2));
	CU_ASSERT_EQUAL(errno, EINVAL);
	CU_ASSERT_PTR_NULL(spout_pool_new("wrong", .nice = 20));
	CU_ASSERT_PTR_NULL(spout_pool_new(""));
	CU_ASSERT_EQUAL(spout_pool_close(NULL, 0), -EINVAL);
	CU_ASSERT_EQUAL(spout_pool_close(pool, 1000), 0);
	CU_ASSERT_PTR_NULL(spout_pool_get("reports"));
	/* Left open: the loop closes it. */
	CU_ASSERT_PTR_NOT_NULL(spout_pool_new("reports", .min_threads = 3));
}

static void
pools_are_made_found_and_refused_by_name(void)
{
	run_test_whole(making);
}

#define TOO_MANY 1000
#define ROOM_BYTES (32u << 20)

static uint64_t
address_space_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%lu", &pages) != 1)
		pages = 0;
	fclose(file);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void
no_threads(void *arg)
{
	struct rlimit before, tight;

	(void)arg;
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_AS, &before), 0);
	tight = before;
	tight.rlim_cur = address_space_bytes() + ROOM_BYTES;
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_AS, &tight), 0);
	errno = 0;
	CU_ASSERT_PTR_NULL(spout_pool_new("huge", .min_threads = TOO_MANY));
	CU_ASSERT_EQUAL(errno, EAGAIN);
	CU_ASSERT_PTR_NULL(spout_pool_get("huge"));
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_AS, &before), 0);
	CU_ASSERT_PTR_NOT_NULL(spout_pool_new("huge", .min_threads = 2));
}

static void
pool_whose_threads_cannot_be_started_is_undone(void)
{
	/* Their shadow memory does not go with such a limit. */
	if (!SPOUT__SANITIZED && !RUNNING_ON_VALGRIND)
		run_test_whole(no_threads);
}

/* --- closing ---------------------------------------------------------------- */

static void
close_stuck(void *arg)
{
	struct gate gate = GATE_CLOSED;
	struct spout_pool *pool = spout_pool_new("stuck");
	struct spout_future *future = spout_run_on_async(pool, gate_pass, &gate);
	uint64_t begun = spout__clock_ms(), took;

	(void)arg;
	gate_wait_entered(&gate, 1);
	CU_ASSERT_EQUAL(spout_pool_close(pool, 30), -ETIMEDOUT);
	took = spout__clock_ms() - begun;
	CU_ASSERT(took >= 29);
	CU_ASSERT(took < 10000);
	CU_ASSERT_EQUAL(spout_try_run_on(pool, answer, NULL), -ECANCELED);
	CU_ASSERT_STRING_EQUAL(spout_error(), "job answer: the pool is closed");
	CU_ASSERT_EQUAL(spout__executor_stop(loop, 0), -ETIMEDOUT);
	CU_ASSERT(!spout_future_done(future));
	gate_open(&gate);
	CU_ASSERT_EQUAL(spout_try_await(future), 0);
	CU_ASSERT_EQUAL(spout__executor_stop(loop, 1000), 0);
}

static void
close_with_a_stuck_job_gives_up_in_time(void)
{
	run_test_whole(close_stuck);
}

static void
close_queued(void *arg)
{
	struct gate gate = GATE_CLOSED;
	struct spout_pool *pool = spout_pool_new("closing");
	struct bare running = { .job = { .fn = gate_pass,
				    .arg = &gate,
				    .name = "running",
				    .on_done = bare_done,
				    .on_cancel = gate_open },
		.done = spout_future_new() };
	struct spout_future *queued[3];
	int i;

	(void)arg;
	CU_ASSERT_EQUAL(spout__job_submit(pool, &running.job), 0);
	gate_wait_entered(&gate, 1);
	for (i = 0; i < 3; i++)
		queued[i] = spout_run_on_async(pool, gate_pass, &gate);
	/* The running one is asked to stop, does, and its result arrives after the join.
	 */
	CU_ASSERT_EQUAL(spout_pool_close(pool, 10000), 0);
	CU_ASSERT_PTR_NULL(spout_pool_get("closing"));
	for (i = 0; i < 3; i++) {
		CU_ASSERT(spout_future_done(queued[i]));
		CU_ASSERT_EQUAL(spout_future_error(queued[i]), -ECANCELED);
	}
	CU_ASSERT(!spout_future_done(running.done));
	CU_ASSERT_EQUAL(spout_try_await(running.done), 0);
	CU_ASSERT_EQUAL(running.result, 1);
	CU_ASSERT_EQUAL(gate.entered, 1);
}

static void
close_drops_queued_jobs_and_joins_the_running_one(void)
{
	run_test_whole(close_queued);
}

/* --- many ------------------------------------------------------------------- */

#define STRESS_COROUTINES 100
#define STRESS_JOBS 100

static _Atomic unsigned stress_sum;

static int
stress_job(void *arg)
{
	atomic_fetch_add(&stress_sum, *(unsigned *)arg);
	return (int)*(unsigned *)arg;
}

static void
stress_one(void *arg)
{
	unsigned i;

	(void)arg;
	for (i = 0; i < STRESS_JOBS; i++) {
		struct spout_future *future;

		if (spout_run_on(shared_pool, stress_job, &i) != (int)i)
			spout_fail_with(-EPROTO, "wrong result");
		if (i % 10 != 0)
			continue;
		/* May be dropped while queued, or run: both are seen by the pool. */
		future = spout_run_on_async(shared_pool, stress_job, &i);
		spout_cancel(future);
		if (spout_try_await(future) < 0 &&
		    spout_future_error(future) != -ECANCELED)
			spout_fail_with(-EPROTO, "wrong error");
	}
}

static void
stress(void *arg)
{
	static struct ending endings[STRESS_COROUTINES];
	struct spout_pool_stats stats;
	uint64_t waits = 0, runs = 0;
	int i;

	(void)arg;
	memset(endings, 0, sizeof(endings));
	shared_pool = spout_pool_new("many", .min_threads = 2, .max_threads = 8,
	    .grow_after_ms = 1, .retire_after_ms = 2);
	for (i = 0; i < STRESS_COROUTINES; i++)
		start(stress_one, NULL, 0, &endings[i]);
	for (i = 0; i < STRESS_COROUTINES; i++) {
		while (!endings[i].gone)
			spout_sleep(1);
		CU_ASSERT_EQUAL(endings[i].error, 0);
	}
	stats = stats_of(shared_pool);
	CU_ASSERT_EQUAL(
	    stats.submitted, STRESS_COROUTINES * (STRESS_JOBS + STRESS_JOBS / 10));
	CU_ASSERT_EQUAL(stats.completed + stats.cancelled_unrun, stats.submitted);
	for (i = 0; i < 24; i++) {
		waits += stats.wait_us[i];
		runs += stats.run_us[i];
	}
	CU_ASSERT_EQUAL(waits, stats.completed);
	CU_ASSERT_EQUAL(runs, stats.completed);
	spout_pool_close(shared_pool, 10000);
}

static void
many_jobs_on_many_threads_are_all_accounted_for(void)
{
	run_test_whole(stress);
}

static const struct unit_test pool_tests[] = {
	UNIT_TEST(full_queue_refuses_until_there_is_room_again),
	UNIT_TEST(queue_whose_oldest_job_waits_too_long_refuses),
	UNIT_TEST(pool_grows_by_queue_age_to_its_maximum_and_retires),
	UNIT_TEST(places_of_retired_threads_are_used_again),
	UNIT_TEST(default_pools_have_their_niceness_names_and_signal_masks),
	UNIT_TEST(pools_are_made_found_and_refused_by_name),
	UNIT_TEST(pool_whose_threads_cannot_be_started_is_undone),
	UNIT_TEST(close_with_a_stuck_job_gives_up_in_time),
	UNIT_TEST(close_drops_queued_jobs_and_joins_the_running_one),
	UNIT_TEST(many_jobs_on_many_threads_are_all_accounted_for),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "pool", pool_tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
