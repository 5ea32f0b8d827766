/* SPDX-License-Identifier: MIT */
/* The loop's own struct, for the files of this folder. */
#ifndef SPOUT_LOOP_LOOP_PRIVATE_H
#define SPOUT_LOOP_LOOP_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "loop/loop.h"
#include "loop/wheel.h"

struct spout_loop {
	struct event_base *base;
	pthread_t thread;
	unsigned fork_generation;
	bool stopping, running;

	/* The clock of this turn; 0 until first asked for. */
	uint64_t now_ns, max_turn_us;
	_Atomic uint64_t turn_began_ns; /* 0: nothing of weight runs; any thread reads */
	uint64_t still_ns; /* the time of a virtual clock; 0: the real one counts */
	struct spout__virtual *virtual_clock;
	time_t date_second;
	char date[SPOUT__HTTP_DATE_LEN + 1];

	struct spout__list ready, turn_end, frees;

	struct spout__wheel wheel;
	struct event wheel_event;
	uint64_t wheel_armed_ms; /* SPOUT__WHEEL_NEVER: not armed */

	_Atomic(struct spout__post *) posts;
	_Atomic int sleeping;
	_Atomic uint64_t wakeups;
	int wake_fd;
	struct event wake_event;

	struct {
		void *object;
		void (*free_fn)(void *object);
	} slots[SPOUT__N_SLOTS];
	char *scratch;
};

/** The loop ends: callbacks that were posted become ready, other messages are dropped. */
void spout__loop_settle_posts(struct spout_loop *loop);

/**
 * With a virtual clock, about to wait although a timer is set for `next_ms`: may the loop
 * sleep? If not, the time may have been moved to that timer.
 */
bool spout__virtual_wait(struct spout_loop *loop, uint64_t next_ms);
void spout__virtual_free(struct spout_loop *loop);

/* Callback or timer made through the public, allocating calls. */
void spout__public_timer_fire(struct spout__timer *timer);
void spout__public_timer_free(struct spout__timer *timer);

#endif
