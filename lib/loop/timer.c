/* SPDX-License-Identifier: MIT */
/* Timers: the intrusive ones of the library, one-shot and periodic ones of the API. */
#include "config.h"

#include <stdlib.h>

#include "base/log.h"
#include "loop/loop_private.h"

void
spout__timer_start_at(struct spout_loop *loop, struct spout__timer *timer, uint64_t at_ms)
{
	spout__list_remove(&timer->link);
	timer->at_ms = at_ms;
	spout__wheel_add(&loop->wheel, timer);
}

void
spout__timer_stop(struct spout__timer *timer)
{
	spout__list_remove(&timer->link);
}

struct spout_timer {
	struct spout__timer timer;
	spout_callback_fn fn;
	void *arg;
};

void
spout__public_timer_free(struct spout__timer *timer)
{
	free(spout__container_of(timer, struct spout_timer, timer));
}

void
spout__public_timer_fire(struct spout__timer *inner)
{
	struct spout_timer *timer = spout__container_of(inner, struct spout_timer, timer);
	struct spout_timer copy = *timer;

	free(timer);
	copy.fn(copy.arg);
}

struct spout_timer *
spout_loop_call_later(struct spout_loop *loop, uint64_t delay_ms, spout_callback_fn fn,
    void *arg)
{
	struct spout_timer *timer;

	spout__loop_check_thread(loop, "spout_loop_call_later");
	timer = malloc(sizeof(*timer));
	if (timer == NULL)
		return NULL;
	timer->fn = fn;
	timer->arg = arg;
	spout__timer_init(&timer->timer, spout__public_timer_fire);
	spout__timer_start_at(loop, &timer->timer, spout__loop_after_ms(loop, delay_ms));
	return timer;
}

void
spout_loop_remove_timeout(struct spout_timer *timer)
{
	if (timer == NULL)
		return;
	spout__timer_stop(&timer->timer);
	free(timer);
}

/* --- periodic --------------------------------------------------------------------- */

struct spout_periodic {
	struct spout_loop *loop;
	struct spout__timer timer;
	struct spout__ready free_later;
	uint64_t interval_ms, next_ms; /* next_ms: on the cadence, before jitter */
	double jitter;
	unsigned seed;
	bool stopped;
	spout_callback_fn fn;
	void *arg;
};

static void
periodic_schedule(struct spout_periodic *periodic)
{
	/* Fresh: the callback may have taken long. */
	uint64_t now = spout__loop_clock_ns(periodic->loop) / 1000000u, at;
	double span;

	periodic->next_ms += periodic->interval_ms;
	if (periodic->next_ms <= now)
		periodic->next_ms += (now - periodic->next_ms) / periodic->interval_ms *
		    periodic->interval_ms + periodic->interval_ms;
	at = periodic->next_ms;
	if (periodic->jitter > 0) {
		span = (double)periodic->interval_ms * periodic->jitter;
		span *= (double)rand_r(&periodic->seed) / RAND_MAX - 0.5;
		at = (uint64_t)((int64_t)at + (int64_t)span);
	}
	spout__timer_start_at(periodic->loop, &periodic->timer, at);
}

static void
periodic_fire(struct spout__timer *timer)
{
	struct spout_periodic *periodic =
	    spout__container_of(timer, struct spout_periodic, timer);

	periodic->fn(periodic->arg);
	if (!periodic->stopped)
		periodic_schedule(periodic);
}

static void
periodic_free(struct spout__ready *ready)
{
	free(spout__container_of(ready, struct spout_periodic, free_later));
}

struct spout_periodic *
spout_periodic_start(struct spout_loop *loop, uint64_t interval_ms, double jitter,
    spout_callback_fn fn, void *arg)
{
	struct spout_periodic *periodic;

	spout__loop_check_thread(loop, "spout_periodic_start");
	if (interval_ms == 0 || !(jitter >= 0 && jitter <= 1))
		return NULL;
	periodic = calloc(1, sizeof(*periodic));
	if (periodic == NULL)
		return NULL;
	periodic->loop = loop;
	periodic->interval_ms = interval_ms;
	periodic->next_ms = spout__loop_after_ms(loop, 0);
	periodic->jitter = jitter;
	periodic->seed = (unsigned)((uintptr_t)periodic >> 4) ^
	    (unsigned)periodic->next_ms;
	periodic->fn = fn;
	periodic->arg = arg;
	spout__timer_init(&periodic->timer, periodic_fire);
	spout__ready_init(&periodic->free_later, periodic_free);
	periodic_schedule(periodic);
	return periodic;
}

void
spout_periodic_stop(struct spout_periodic *periodic)
{
	if (periodic == NULL)
		return;
	periodic->stopped = true;
	spout__timer_stop(&periodic->timer);
	spout__loop_defer_free(periodic->loop, &periodic->free_later);
}
