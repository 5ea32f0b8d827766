/* SPDX-License-Identifier: MIT */
/* The event loop: wheel, timers, callbacks, posts, descriptors, signals. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/loop.h"
#include "loop/wheel.h"

/* --- wheel ------------------------------------------------------------------------ */

struct shot {
	struct spout__timer timer;
	uint64_t fired_at;
};

static uint64_t wheel_now;

static void
shot_fire(struct spout__timer *timer)
{
	spout__container_of(timer, struct shot, timer)->fired_at = wheel_now;
}

static void
wheel_fires_each_timer_in_its_step_and_never_early(void)
{
	enum { N = 2000 };
	static struct spout__wheel wheel;
	static struct shot shots[N];
	uint64_t prev, step;
	unsigned seed = 7, left = N;
	int i;

	wheel_now = 123456789;
	spout__wheel_init(&wheel, wheel_now);
	for (i = 0; i < N; i++) {
		spout__timer_init(&shots[i].timer, shot_fire);
		shots[i].fired_at = 0;
		shots[i].timer.at_ms = wheel_now +
		    ((uint64_t)rand_r(&seed) >> ((unsigned)rand_r(&seed) % 31u));
		spout__wheel_add(&wheel, &shots[i].timer);
	}
	while (left > 0) {
		uint64_t next = spout__wheel_next_ms(&wheel);

		CU_ASSERT_NOT_EQUAL_FATAL(next, SPOUT__WHEEL_NEVER);
		prev = wheel_now;
		step = (unsigned)rand_r(&seed) % 3u
		    ? next
		    : next + (unsigned)rand_r(&seed) % 999u;
		wheel_now = step > prev ? step : prev;
		spout__wheel_advance(&wheel, wheel_now);
		for (i = 0, left = 0; i < N; i++) {
			left += shots[i].fired_at == 0;
			if (shots[i].fired_at != wheel_now)
				continue;
			CU_ASSERT_TRUE(shots[i].timer.at_ms <= wheel_now);
			CU_ASSERT_TRUE(shots[i].timer.at_ms > prev || prev == 123456789);
		}
	}
	CU_ASSERT_EQUAL(spout__wheel_next_ms(&wheel), SPOUT__WHEEL_NEVER);
}

static void
wheel_timer_can_be_stopped_and_moved(void)
{
	static struct spout__wheel wheel;
	struct shot a = { .fired_at = 0 }, b = { .fired_at = 0 };

	spout__wheel_init(&wheel, 1000);
	spout__timer_init(&a.timer, shot_fire);
	spout__timer_init(&b.timer, shot_fire);
	a.timer.at_ms = 1500;
	b.timer.at_ms = 1500;
	spout__wheel_add(&wheel, &a.timer);
	spout__wheel_add(&wheel, &b.timer);
	spout__timer_stop(&a.timer);
	spout__timer_stop(&a.timer);
	wheel_now = 2000;
	spout__wheel_advance(&wheel, 2000);
	CU_ASSERT_EQUAL(a.fired_at, 0);
	CU_ASSERT_EQUAL(b.fired_at, 2000);
}

/* --- loop -------------------------------------------------------------------------- */

static struct spout_loop *loop;
static int calls;
static char order[64];

static void
stop(void *arg)
{
	(void)arg;
	spout_loop_stop(loop);
}

static void
note(void *arg)
{
	order[strlen(order)] = *(const char *)arg;
}

static void
callbacks_run_in_order_and_not_inside_each_other(void)
{
	loop = spout_loop_new();
	memset(order, 0, sizeof(order));
	CU_ASSERT_PTR_EQUAL(spout_loop_current(), loop);
	CU_ASSERT_EQUAL(spout_loop_add_callback(loop, note, "a"), 0);
	CU_ASSERT_EQUAL(spout_loop_add_callback(loop, note, "b"), 0);
	CU_ASSERT_EQUAL(spout_loop_add_callback(loop, stop, NULL), 0);
	CU_ASSERT_EQUAL(spout_loop_add_callback(loop, note, "c"), 0);
	CU_ASSERT_STRING_EQUAL(order, "");
	CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
	CU_ASSERT_STRING_EQUAL(order, "abc");
	spout_loop_free(loop);
	CU_ASSERT_PTR_NULL(spout_loop_current());
}

static void
timers_fire_in_order_of_time_not_early(void)
{
	struct spout_timer *removed;
	uint64_t began = spout__clock_ns();

	loop = spout_loop_new();
	memset(order, 0, sizeof(order));
	CU_ASSERT_PTR_NOT_NULL(spout_loop_call_later(loop, 30, note, "c"));
	CU_ASSERT_PTR_NOT_NULL(spout_loop_call_later(loop, 10, note, "a"));
	removed = spout_loop_call_later(loop, 15, note, "x");
	CU_ASSERT_PTR_NOT_NULL(spout_loop_call_later(loop, 20, note, "b"));
	CU_ASSERT_PTR_NOT_NULL(spout_loop_call_later(loop, 40, stop, NULL));
	CU_ASSERT_PTR_NOT_NULL(spout_loop_call_later(loop, 3600000, note, "z"));
	spout_loop_remove_timeout(removed);
	CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
	CU_ASSERT_TRUE(spout__clock_ns() - began >= 40000000u);
	CU_ASSERT_STRING_EQUAL(order, "abc");
	spout_loop_free(loop); /* with a timer left: no leak */
}

static struct spout_periodic *periodic;

static void
tick(void *arg)
{
	struct timespec busy = { 0, 25000000 };

	(void)arg;
	if (++calls == 1)
		nanosleep(&busy, NULL); /* miss two ticks */
	if (calls == 4) {
		spout_periodic_stop(periodic);
		spout_loop_stop(loop);
	}
}

static void
periodic_keeps_its_cadence_and_skips_missed_ticks(void)
{
	uint64_t began, took;

	loop = spout_loop_new();
	calls = 0;
	began = spout__clock_ms();
	periodic = spout_periodic_start(loop, 10, 0, tick, NULL);
	CU_ASSERT_PTR_NULL(spout_periodic_start(loop, 0, 0, tick, NULL));
	CU_ASSERT_PTR_NULL(spout_periodic_start(loop, 10, 1.5, tick, NULL));
	CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
	took = spout__clock_ms() - began;
	/* 10, (20, 30 missed) 40, 50, 60 */
	CU_ASSERT_EQUAL(calls, 4);
	CU_ASSERT_TRUE(took >= 59);
	spout_loop_free(loop);
}

enum { THREADS = 4, POSTS = 20000 };
static int last_of[THREADS], posted;

static void
posted_run(void *arg)
{
	unsigned long v = (unsigned long)(uintptr_t)arg;
	int thread = (int)(v % THREADS), n = (int)(v / THREADS);

	CU_ASSERT_EQUAL(n, last_of[thread] + 1);
	last_of[thread] = n;
	if (++posted == THREADS * POSTS)
		spout_loop_stop(loop);
}

static void *
poster(void *arg)
{
	uintptr_t thread = (uintptr_t)arg, i;

	for (i = 0; i < POSTS; i++)
		if (spout_loop_post(loop, posted_run, (void *)(i * THREADS + thread)) < 0)
			abort();
	return NULL;
}

static void
posts_of_many_threads_all_arrive_in_order(void)
{
	pthread_t threads[THREADS];
	uintptr_t i;

	loop = spout_loop_new();
	posted = 0;
	for (i = 0; i < THREADS; i++) {
		last_of[i] = -1;
		pthread_create(&threads[i], NULL, poster, (void *)i);
	}
	CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CU_ASSERT_EQUAL(posted, THREADS * POSTS);
	CU_ASSERT_TRUE(spout__loop_wakeups(loop) < THREADS * POSTS);
	spout_loop_free(loop);
}

static void *
post_once_after_sleep_began(void *arg)
{
	struct timespec pause = { 0, 2000000 };
	int i;

	(void)arg;
	for (i = 0; i < 20; i++) {
		nanosleep(&pause, NULL);
		if (spout_loop_post(loop, i < 19 ? note : stop, "p") < 0)
			abort();
	}
	return NULL;
}

static void
a_post_wakes_a_sleeping_loop_each_time(void)
{
	pthread_t thread;

	loop = spout_loop_new();
	memset(order, 0, sizeof(order));
	pthread_create(&thread, NULL, post_once_after_sleep_began, NULL);
	CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
	pthread_join(thread, NULL);
	CU_ASSERT_EQUAL(strlen(order), 19);
	spout_loop_free(loop);
}

static struct spout_fd_handler *handler;
static unsigned seen;

static void
on_fd(int fd, unsigned events, void *arg)
{
	char byte;

	(void)arg;
	seen |= events;
	if ((events & SPOUT_READ) && read(fd, &byte, 1) <= 0) {
		spout_loop_remove_handler(handler);
		spout_loop_stop(loop);
	}
}

static void
a_descriptor_is_watched_updated_and_removed(void)
{
	int fds[2];

	loop = spout_loop_new();
	seen = 0;
	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	handler = spout_loop_add_handler(loop, fds[0], SPOUT_WRITE, on_fd, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(handler);
	CU_ASSERT_EQUAL(spout_loop_update_handler(handler, SPOUT_READ | SPOUT_CLOSED), 0);
	CU_ASSERT_EQUAL(write(fds[1], "x", 1), 1);
	close(fds[1]);
	CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
	CU_ASSERT_TRUE(seen & SPOUT_READ);
	CU_ASSERT_FALSE(seen & SPOUT_WRITE);
	close(fds[0]);
	CU_ASSERT_PTR_NULL(spout_loop_add_handler(loop, fds[0], SPOUT_READ, on_fd, NULL));
	spout_loop_free(loop);
}

static void
a_signal_reaches_the_loop(void)
{
	struct spout_signal *sig;

	loop = spout_loop_new();
	sig = spout_loop_add_signal(loop, SIGUSR1, stop, NULL);
	CU_ASSERT_PTR_NOT_NULL(sig);
	raise(SIGUSR1);
	CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
	spout_loop_remove_signal(sig);
	spout_loop_free(loop);
}

static void
use_the_loop(void)
{
	(void)spout_loop_run(loop);
}

static void
a_loop_refuses_use_after_a_fork(void)
{
	loop = spout_loop_new();
	unit_assert_aborts(use_the_loop, "the loop was made before a fork");
	spout_loop_free(loop);
}

static const struct unit_test loop_tests[] = {
	UNIT_TEST(wheel_fires_each_timer_in_its_step_and_never_early),
	UNIT_TEST(wheel_timer_can_be_stopped_and_moved),
	UNIT_TEST(callbacks_run_in_order_and_not_inside_each_other),
	UNIT_TEST(timers_fire_in_order_of_time_not_early),
	UNIT_TEST(periodic_keeps_its_cadence_and_skips_missed_ticks),
	UNIT_TEST(posts_of_many_threads_all_arrive_in_order),
	UNIT_TEST(a_post_wakes_a_sleeping_loop_each_time),
	UNIT_TEST(a_descriptor_is_watched_updated_and_removed),
	UNIT_TEST(a_signal_reaches_the_loop),
	UNIT_TEST(a_loop_refuses_use_after_a_fork),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "loop", loop_tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
