/* SPDX-License-Identifier: MIT */
/*
 * The event loop: turns, the ready list, the clock, life and death. Loop thread only.
 *
 * libevent (event_core, no locks) waits for descriptors and signals; timers lie on our
 * wheel, of which libevent knows only the next time; messages of other threads come
 * through post.c. One turn is one EVLOOP_ONCE.
 */
#include "config.h"

#include "loop/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/stats.h"
#include "loop/loop_private.h"

/* Runs of the ready list in one turn before descriptors are looked at again. */
#define MAX_RUNS_PER_TURN 4096

static __thread struct spout_loop *current_loop;
static unsigned fork_generation;

static void
count_fork(void)
{
	fork_generation++;
	current_loop = NULL;
}

static void
watch_forks(void)
{
	pthread_atfork(NULL, NULL, count_fork);
}

void
spout__loop_check_thread(struct spout_loop *loop, const char *what)
{
	if (loop->fork_generation != fork_generation)
		spout__bug("%s: the loop was made before a fork", what);
	if (!pthread_equal(loop->thread, pthread_self()))
		spout__bug("%s: called on another thread than the loop's", what);
}

static void
on_wheel_event(evutil_socket_t fd, short events, void *arg)
{
	struct spout_loop *loop = arg;

	(void)fd;
	(void)events;
	loop->wheel_armed_ms = SPOUT__WHEEL_NEVER;
}

static void
on_wake(evutil_socket_t fd, short events, void *arg)
{
	/* Edge-triggered and never read: the wake-up itself was the message. */
	(void)fd;
	(void)events;
	(void)arg;
}

static int
make_base(struct spout_loop *loop)
{
	struct event_config *config = event_config_new();

	if (config == NULL)
		return -ENOMEM;
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	loop->base = event_base_new_with_config(config);
	event_config_free(config);
	if (loop->base == NULL)
		return errno ? -errno : -ENOMEM;
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop->wake_fd < 0)
		return -errno;
	if (event_assign(&loop->wake_event, loop->base, loop->wake_fd,
	        EV_READ | EV_ET | EV_PERSIST, on_wake, loop) < 0 ||
	    event_add(&loop->wake_event, NULL) < 0 ||
	    evtimer_assign(&loop->wheel_event, loop->base, on_wheel_event, loop) < 0)
		return -ENOMEM;
	return 0;
}

struct spout_loop *
spout_loop_new(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct spout_loop *loop = calloc(1, sizeof(*loop));
	int r;

	pthread_once(&once, watch_forks);
	if (loop == NULL)
		return NULL;
	loop->thread = pthread_self();
	loop->fork_generation = fork_generation;
	loop->wake_fd = -1;
	loop->wheel_armed_ms = SPOUT__WHEEL_NEVER;
	spout__list_init(&loop->ready);
	spout__list_init(&loop->turn_end);
	spout__list_init(&loop->frees);
	spout__wheel_init(&loop->wheel, spout__clock_ms());
	r = make_base(loop);
	if (r < 0) {
		spout_loop_free(loop);
		errno = -r;
		return NULL;
	}
	current_loop = loop;
	return loop;
}

static unsigned
run_list(struct spout__list *list, unsigned limit)
{
	struct spout__list *node;
	unsigned n = 0;

	while (n < limit && (node = spout__list_pop(list)) != NULL) {
		struct spout__ready *ready =
		    spout__container_of(node, struct spout__ready, link);

		ready->run(ready);
		n++;
	}
	return n;
}

static void
free_layers(struct spout_loop *loop)
{
	int i;

	for (i = SPOUT__N_SLOTS - 1; i >= 0; i--) {
		if (loop->slots[i].object != NULL)
			loop->slots[i].free_fn(loop->slots[i].object);
		loop->slots[i].object = NULL;
		run_list(&loop->frees, UINT32_MAX);
	}
}

static void
free_timers(struct spout_loop *loop)
{
	struct spout__timer *timer;

	while ((timer = spout__wheel_pop_any(&loop->wheel)) != NULL)
		if (timer->fn == spout__public_timer_fire)
			spout__public_timer_free(timer);
}

void
spout_loop_free(struct spout_loop *loop)
{
	if (loop == NULL)
		return;
	spout__assert(!loop->running);
	spout__loop_settle_posts(loop);
	free_layers(loop);
	/* What is ready still runs: callbacks own their memory. */
	run_list(&loop->ready, UINT32_MAX);
	run_list(&loop->turn_end, UINT32_MAX);
	run_list(&loop->frees, UINT32_MAX);
	free_timers(loop);
	if (loop->base != NULL) {
		if (event_initialized(&loop->wake_event))
			event_del(&loop->wake_event);
		if (event_initialized(&loop->wheel_event))
			event_del(&loop->wheel_event);
		spout__virtual_free(loop);
		event_base_free(loop->base);
	}
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	if (current_loop == loop)
		current_loop = NULL;
	free(loop->scratch);
	free(loop);
}

struct spout_loop *
spout_loop_current(void)
{
	return current_loop;
}

struct event_base *
spout_loop_event_base(struct spout_loop *loop)
{
	spout__loop_check_thread(loop, "spout_loop_event_base");
	return loop->base;
}

/* --- one turn ------------------------------------------------------------------ */

static void
run_posts(struct spout_loop *loop)
{
	struct spout__post *post, *next, *in_order = NULL;

	if (atomic_load_explicit(&loop->posts, memory_order_relaxed) == NULL)
		return;
	post = atomic_exchange_explicit(&loop->posts, NULL, memory_order_acquire);
	for (; post != NULL; post = next) {
		next = post->next;
		post->next = in_order;
		in_order = post;
	}
	for (post = in_order; post != NULL; post = next) {
		next = post->next;
		post->run(post);
	}
}

static void
advance_wheel(struct spout_loop *loop)
{
	uint64_t next = spout__wheel_next_ms(&loop->wheel);

	if (next != SPOUT__WHEEL_NEVER && next <= spout_loop_now_ms(loop))
		spout__wheel_advance(&loop->wheel, spout_loop_now_ms(loop));
}

/* Tell libevent when the wheel has to turn next. False if it has to right now. */
static bool
arm_wheel(struct spout_loop *loop)
{
	uint64_t next = spout__wheel_next_ms(&loop->wheel), wait_us;
	struct timeval tv;

	if (next == SPOUT__WHEEL_NEVER || next == loop->wheel_armed_ms)
		return true;
	if (loop->still_ns != 0)
		return spout__virtual_wait(loop, next);
	spout__loop_clock_ns(loop);
	if (next * 1000000u <= loop->now_ns)
		return false;
	wait_us = (next * 1000000u - loop->now_ns + 999u) / 1000u;
	tv.tv_sec = (time_t)(wait_us / 1000000u);
	tv.tv_usec = (suseconds_t)(wait_us % 1000000u);
	if (event_add(&loop->wheel_event, &tv) < 0)
		return false; /* no memory: turn without sleeping rather than oversleep */
	loop->wheel_armed_ms = next;
	return true;
}

uint64_t
spout__loop_turn_began_ns(const struct spout_loop *loop)
{
	return atomic_load_explicit(&loop->turn_began_ns, memory_order_relaxed);
}

pthread_t
spout__loop_thread(const struct spout_loop *loop)
{
	return loop->thread;
}

static void
note_turn(struct spout_loop *loop)
{
	uint64_t us, began_ns = spout__loop_turn_began_ns(loop);

	spout__count(SPOUT__C_LOOP_TURNS, 1);
	if (began_ns == 0)
		return; /* nothing in it asked for the time: nothing of weight ran */
	us = (spout__clock_ns() - began_ns) / 1000u;
	spout__observe_us(SPOUT__H_LOOP_TURN_US, us);
	if (us > loop->max_turn_us)
		loop->max_turn_us = us;
	atomic_store_explicit(&loop->turn_began_ns, 0, memory_order_relaxed);
}

static int
wait_for_events(struct spout_loop *loop, bool may_sleep)
{
	int r;

	if (!may_sleep)
		return event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	/* Sequentially consistent against post(): it pushes, then looks at `sleeping`. */
	atomic_store(&loop->sleeping, 1);
	if (atomic_load(&loop->posts) != NULL) {
		atomic_store_explicit(&loop->sleeping, 0, memory_order_relaxed);
		may_sleep = false;
	}
	r = event_base_loop(loop->base, EVLOOP_ONCE | (may_sleep ? 0 : EVLOOP_NONBLOCK));
	atomic_store_explicit(&loop->sleeping, 0, memory_order_relaxed);
	return r;
}

static int
turn(struct spout_loop *loop)
{
	bool may_sleep;

	run_posts(loop);
	advance_wheel(loop);
	run_list(&loop->ready, MAX_RUNS_PER_TURN);
	run_list(&loop->turn_end, UINT32_MAX);
	run_list(&loop->frees, UINT32_MAX);
	note_turn(loop);
	if (loop->stopping)
		return 0;
	may_sleep = spout__list_empty(&loop->ready) &&
	    spout__list_empty(&loop->turn_end) && arm_wheel(loop);
	loop->now_ns = loop->still_ns;
	return wait_for_events(loop, may_sleep) < 0 ? (errno ? -errno : -EIO) : 0;
}

int
spout_loop_run(struct spout_loop *loop)
{
	int r = 0;

	spout__loop_check_thread(loop, "spout_loop_run");
	spout__assert(!loop->running);
	loop->running = true;
	loop->stopping = false;
	current_loop = loop;
	loop->now_ns = loop->still_ns;
	while (!loop->stopping && r == 0)
		r = turn(loop);
	loop->running = false;
	return r;
}

void
spout_loop_stop(struct spout_loop *loop)
{
	spout__loop_check_thread(loop, "spout_loop_stop");
	loop->stopping = true;
}

/* --- lists ---------------------------------------------------------------------- */

void
spout__loop_ready(struct spout_loop *loop, struct spout__ready *ready)
{
	if (!spout__ready_pending(ready))
		spout__list_push(&loop->ready, &ready->link);
}

void
spout__loop_at_turn_end(struct spout_loop *loop, struct spout__ready *ready)
{
	if (!spout__ready_pending(ready))
		spout__list_push(&loop->turn_end, &ready->link);
}

void
spout__loop_defer_free(struct spout_loop *loop, struct spout__ready *ready)
{
	if (!spout__ready_pending(ready))
		spout__list_push(&loop->frees, &ready->link);
}

/* --- clock ---------------------------------------------------------------------- */

uint64_t
spout__loop_clock_ns(struct spout_loop *loop)
{
	loop->now_ns = loop->still_ns != 0 ? loop->still_ns : spout__clock_ns();
	return loop->now_ns;
}

/* Not inlined: once a turn, while the time is asked for all the time. */
static uint64_t __attribute__((noinline)) read_clock(struct spout_loop *loop)
{
	atomic_store_explicit(&loop->turn_began_ns, spout__loop_clock_ns(loop),
	    memory_order_relaxed);
	return loop->now_ns;
}

uint64_t
spout_loop_now_ms(struct spout_loop *loop)
{
	uint64_t now_ns = loop->now_ns;

	if (now_ns == 0)
		now_ns = read_clock(loop);
	return now_ns / 1000000u;
}

uint64_t
spout__loop_now_us(struct spout_loop *loop)
{
	(void)spout_loop_now_ms(loop);
	return loop->now_ns / 1000u;
}

static uint64_t __attribute__((noinline))
after_ms_of_new_turn(struct spout_loop *loop, uint64_t ms)
{
	read_clock(loop);
	return spout__loop_after_ms(loop, ms);
}

uint64_t
spout__loop_after_ms(struct spout_loop *loop, uint64_t ms)
{
	/* Rounded up: a sleep never ends early. */
	uint64_t now = (loop->now_ns + 999999u) / 1000000u;

	if (now == 0)
		return after_ms_of_new_turn(loop, ms);
	return ms > SPOUT__WHEEL_NEVER - now ? SPOUT__WHEEL_NEVER : now + ms;
}

time_t
spout__loop_unix_time(void)
{
	struct timespec ts;

	/* 5 ns, no system call; its 4 ms grain does not matter for a date. */
	clock_gettime(CLOCK_REALTIME_COARSE, &ts);
	return ts.tv_sec;
}

const char *
spout_loop_http_date(struct spout_loop *loop)
{
	time_t now = spout__loop_unix_time();

	if (now != loop->date_second) {
		loop->date_second = now;
		spout__http_date(now, loop->date);
	}
	return loop->date;
}

uint64_t
spout__loop_take_max_turn_us(struct spout_loop *loop)
{
	uint64_t us = loop->max_turn_us;

	loop->max_turn_us = 0;
	return us;
}

/* --- slots ---------------------------------------------------------------------- */

void *
spout__loop_slot(struct spout_loop *loop, enum spout__loop_slot slot)
{
	return loop->slots[slot].object;
}

void
spout__loop_set_slot(struct spout_loop *loop, enum spout__loop_slot slot, void *object,
    void (*free_fn)(void *object))
{
	loop->slots[slot].object = object;
	loop->slots[slot].free_fn = free_fn;
}

char *
spout__loop_scratch(struct spout_loop *loop)
{
	if (loop->scratch == NULL)
		loop->scratch = malloc(SPOUT__LOOP_SCRATCH);
	return loop->scratch;
}
