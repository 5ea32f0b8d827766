/* SPDX-License-Identifier: MIT */
/*
 * How a worker stops (see the picture in worker.h). Requests come first: queued
 * connections are accepted, what runs is answered, until --drain-timeout; what is left
 * then is cut. Then background tasks, then the stop hook, each within what time is left
 * before SIGKILL.
 */
#include "config.h"

#include "app/worker.h"

#include "base/log.h"
#include "base/stats.h"

#define POLL_MS 5
#define MOVE_MS 5000  /* what idle clients get to come back and be told to move */
#define HURRY_MS 300
#define HAND_OVER_MS 3000 /* until another worker carries topics to other hosts */

static void tasks_begin(struct spout__life *life);

uint64_t
spout__life_left_ms(const struct spout__life *life)
{
	uint64_t now = spout_loop_now_ms(life->loop);

	if (life->kill_at_ms == 0)
		return SPOUT__STOP_GRACE_MS;
	return life->kill_at_ms > now ? life->kill_at_ms - now : 1;
}

static void
deadline_in(struct spout__life *life, uint64_t ms, void (*fn)(struct spout__timer *timer))
{
	spout__timer_stop(&life->deadline);
	life->deadline.fn = fn;
	spout__timer_start_at(
	    life->loop, &life->deadline, spout__loop_after_ms(life->loop, ms));
}

void
spout__life_end(struct spout__life *life)
{
	life->phase = SPOUT__LIFE_ENDING;
	spout_loop_stop(life->loop);
}

/* --- the stop hook ------------------------------------------------------------------ */

static void
on_stopped(struct spout__hook *hook)
{
	struct spout__life *life = spout__container_of(hook, struct spout__life, stop);

	if (hook->error)
		spout_error_log("%s: %s", hook->name, hook->reason);
	spout__life_end(life);
}

static void
stopping_begin(struct spout__life *life)
{
	struct spout_app *app = &life->program->app;

	life->phase = SPOUT__LIFE_STOPPING;
	spout__timer_stop(&life->deadline);
	spout__timer_stop(&life->poll);
	if (app->on_worker_stop == NULL) {
		spout__life_end(life);
		return;
	}
	life->stop = (struct spout__hook){ .app = app,
		.name = "on_worker_stop",
		.fn = app->on_worker_stop,
		.on_end = on_stopped,
		.timeout_ms = spout__life_left_ms(life) / 2 + 1 };
	if (spout__hook_start(&life->stop, life->loop) != 0) {
		spout_error_log("on_worker_stop: out of memory");
		spout__life_end(life);
	}
}

/* --- background tasks --------------------------------------------------------------- */

static void
on_poll(struct spout__timer *timer)
{
	struct spout__life *life = spout__container_of(timer, struct spout__life, poll);

	if (spout__coroutines_alive(life->loop) == 0)
		stopping_begin(life);
	else
		spout__timer_start_at(
		    life->loop, &life->poll, spout__loop_after_ms(life->loop, POLL_MS));
}

/* Cancelled, they still do not end: a job holds them. */
static void
on_tasks_stuck(struct spout__timer *timer)
{
	stopping_begin(spout__container_of(timer, struct spout__life, deadline));
}

static void
tasks_cut(struct spout__life *life)
{
	size_t n = spout__coroutines_alive(life->loop);

	if (n > 0)
		spout_info("cancelling %zu background tasks", n);
	spout__tasks_cancel(life->loop);
	spout__periodic_tasks_cancel(life->periodic);
	deadline_in(life, spout__life_left_ms(life) / 3, on_tasks_stuck);
}

static void
on_tasks_deadline(struct spout__timer *timer)
{
	tasks_cut(spout__container_of(timer, struct spout__life, deadline));
}

static void
tasks_begin(struct spout__life *life)
{
	life->phase = SPOUT__LIFE_TASKS;
	spout__bridge_stop(life->bridge, life->retiring ? HAND_OVER_MS : 0);
	life->deadline.fn = on_tasks_deadline; /* what is left of --drain-timeout */
	life->poll.fn = on_poll;
	on_poll(&life->poll);
}

/* --- requests ----------------------------------------------------------------------- */

static void
on_drained(void *arg)
{
	struct spout__life *life = arg;

	if (--life->to_drain == 0 && life->phase == SPOUT__LIFE_DRAINING)
		tasks_begin(life);
}

/* Time is up: close what is open, cancel what runs. */
static void
requests_cut(struct spout__life *life)
{
	uint64_t running = atomic_load_explicit(
	    &spout__stats->gauges[SPOUT__G_REQUESTS_RUNNING], memory_order_relaxed);

	if (running > 0) {
		spout_warning("out of time: %llu requests are cut off",
		    (unsigned long long)running);
		life->status = 1;
	}
	spout__http_server_free(life->server);
	life->server = NULL;
	tasks_begin(life);
	if (life->phase == SPOUT__LIFE_TASKS)
		tasks_cut(life);
}

static void
on_requests_deadline(struct spout__timer *timer)
{
	requests_cut(spout__container_of(timer, struct spout__life, deadline));
}

/* --- orders ------------------------------------------------------------------------- */

static void
start_aborted(struct spout__life *life)
{
	life->phase = SPOUT__LIFE_ENDING; /* on_started() leaves the loop */
	spout__hook_cancel(&life->start, "the worker stops");
}

static void
on_start_deadline(struct spout__timer *timer)
{
	start_aborted(spout__container_of(timer, struct spout__life, deadline));
}

void
spout__life_turn_away(struct spout__life *life)
{
	spout__web_set_unready(life->web, "stopping");
	if (life->admin)
		spout__web_set_unready(spout__admin_web(life->admin), "stopping");
}

static void
close_idle_in(struct spout__life *life, uint64_t ms)
{
	spout__http_server_set_drain_idle(life->server, ms);
	if (life->admin != NULL)
		spout__admin_set_drain_idle(life->admin, ms);
}

/*
 * Clients move to the new worker with the answer to their next request, those of the
 * admin address too: either server may be the last to drain.
 */
static void
make_way(struct spout__life *life, uint64_t drain_ms)
{
	close_idle_in(life, drain_ms / 2 < MOVE_MS ? drain_ms / 2 : MOVE_MS);
	if (life->agent != NULL)
		spout__agent_stop(life->agent);
	if (life->admin == NULL)
		return;
	life->to_drain++;
	spout__admin_retire(life->admin, on_drained, life);
}

void
spout__life_drain(struct spout__life *life, uint64_t kill_in_ms)
{
	uint64_t drain_ms = life->program->settings.drain_timeout_ms;

	if (life->phase == SPOUT__LIFE_DRAINING && life->retiring)
		close_idle_in(life, HURRY_MS);
	if (life->phase > SPOUT__LIFE_SERVING)
		return;
	life->kill_at_ms = spout__loop_after_ms(life->loop, kill_in_ms);
	drain_ms = drain_ms < kill_in_ms ? drain_ms : kill_in_ms / 2;
	if (life->phase == SPOUT__LIFE_STARTING) { /* it may have clients queued */
		life->drain_when_started = true;
		deadline_in(life, drain_ms, on_start_deadline);
		return;
	}
	life->phase = SPOUT__LIFE_DRAINING;
	life->to_drain = 1;
	if (life->retiring)
		make_way(life, drain_ms);
	else
		spout__life_turn_away(life);
	spout__periodic_tasks_stop(life->periodic);
	deadline_in(life, drain_ms, on_requests_deadline);
	spout__http_server_drain(life->server, on_drained, life);
	spout__worker_accepted(life->worker);
}

void
spout__life_retire(struct spout__life *life, uint64_t kill_in_ms)
{
	life->retiring = true;
	spout__life_drain(life, kill_in_ms);
}

void
spout__life_cut(struct spout__life *life, uint64_t kill_in_ms)
{
	spout__life_drain(life, kill_in_ms);
	life->kill_at_ms = spout__loop_after_ms(life->loop, kill_in_ms);
	if (life->phase == SPOUT__LIFE_STARTING)
		start_aborted(life);
	else if (life->phase == SPOUT__LIFE_DRAINING)
		requests_cut(life);
	else if (life->phase == SPOUT__LIFE_TASKS)
		tasks_cut(life);
	else if (life->phase == SPOUT__LIFE_STOPPING)
		spout__hook_cancel(&life->stop, "the worker stops at once");
}
