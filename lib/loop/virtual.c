/* SPDX-License-Identifier: MIT */
/*
 * A clock for tests: time stands still while the loop works and jumps to the next timer
 * when it would sleep. Loop thread.
 *
 *   would sleep -> look at the descriptors once more, with an event of the lowest
 *   priority behind them -> that event comes, and nothing has become ready: jump
 *
 * What one socket of this process sends to another arrives at once, or, on a busy
 * machine, a moment later: if descriptors are watched the look takes GRACE_US. While jobs
 * are out the loop really sleeps until its next timer, and time moves on by what passed.
 *
 * The virtual time begins a day ahead of the real one: pool threads compare the deadlines
 * of their jobs with the latter, and shall never find one passed that is not.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "loop/loop_private.h"

#define GRACE_US 2000
#define AHEAD_NS (UINT64_C(86400) * 1000000000u)

/* Of the events of a loop with such a clock; event_base_priority_init(). */
enum { PRIORITY_WAKE, PRIORITY_NORMAL, PRIORITY_IDLE, N_PRIORITIES };

struct spout__virtual {
	size_t (*busy)(struct spout_loop *loop);
	struct event idle_event;
	uint64_t busy_since_ns; /* real time up to which a busy stretch counts, or 0 */
	int own_events;         /* watched before anybody added one */
	bool idle;              /* the idle event came, and there was nothing to run */
};

static void
on_idle(evutil_socket_t fd, short events, void *arg)
{
	struct spout_loop *loop = arg;

	(void)fd;
	(void)events;
	loop->virtual_clock->idle = spout__list_empty(&loop->ready) &&
	    spout__list_empty(&loop->turn_end) && atomic_load(&loop->posts) == NULL;
}

int
spout__loop_virtual_clock(struct spout_loop *loop,
    size_t (*busy)(struct spout_loop *loop))
{
	struct spout__virtual *clock = calloc(1, sizeof(*clock));

	if (clock == NULL)
		return -ENOMEM;
	clock->busy = busy;
	clock->own_events = event_base_get_num_events(loop->base, EVENT_BASE_COUNT_ADDED);
	if (event_base_priority_init(loop->base, N_PRIORITIES) < 0 ||
	    evtimer_assign(&clock->idle_event, loop->base, on_idle, loop) < 0 ||
	    event_priority_set(&clock->idle_event, PRIORITY_IDLE) < 0) {
		free(clock);
		return -ENOMEM;
	}
	loop->virtual_clock = clock;
	loop->still_ns = spout__clock_ns() / 1000000u * 1000000u + AHEAD_NS;
	loop->now_ns = loop->still_ns;
	spout__wheel_advance(&loop->wheel, loop->still_ns / 1000000u);
	return 0;
}

void
spout__virtual_free(struct spout_loop *loop)
{
	if (loop->virtual_clock == NULL)
		return;
	event_del(&loop->virtual_clock->idle_event);
	free(loop->virtual_clock);
}

/* Sleep until something happens, at most `us`. */
static bool
sleep_at_most(struct spout__virtual *clock, uint64_t us)
{
	const struct timeval tv = { .tv_sec = (time_t)(us / 1000000u),
		.tv_usec = (suseconds_t)(us % 1000000u) };

	return event_add(&clock->idle_event, &tv) == 0;
}

/* Jobs are out: time passes. */
static bool
wait_busy(struct spout_loop *loop, uint64_t next_ns)
{
	struct spout__virtual *clock = loop->virtual_clock;
	uint64_t now_ns = spout__clock_ns();

	if (clock->busy_since_ns != 0)
		loop->still_ns += now_ns - clock->busy_since_ns;
	clock->busy_since_ns = now_ns;
	clock->idle = false;
	if (loop->still_ns >= next_ns)
		return false;
	return sleep_at_most(clock, (next_ns - loop->still_ns + 999u) / 1000u);
}

bool
spout__virtual_wait(struct spout_loop *loop, uint64_t next_ms)
{
	struct spout__virtual *clock = loop->virtual_clock;
	uint64_t next_ns = next_ms * 1000000u;
	bool watched;

	event_del(&clock->idle_event);
	if (clock->busy(loop) > 0)
		return wait_busy(loop, next_ns);
	if (clock->busy_since_ns == 0 && clock->idle) {
		clock->idle = false;
		if (next_ns > loop->still_ns)
			loop->still_ns = next_ns;
		return false;
	}
	clock->busy_since_ns = 0;
	clock->idle = false;
	watched = event_base_get_num_events(loop->base, EVENT_BASE_COUNT_ADDED) >
	    clock->own_events;
	return sleep_at_most(clock, watched ? GRACE_US : 0);
}
