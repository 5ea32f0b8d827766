/* SPDX-License-Identifier: MIT */
/* Coroutines that wait in line: see line.h. Loop thread. */
#include "config.h"

#include "async/line.h"

#include <errno.h>

#include "async/coroutine.h"

/* One who waits, on its own stack. */
struct place {
	struct spout__waker waker;
	struct spout__timer timer;
	struct spout__list link; /* in line->waiting or line->promised */
	struct spout__line *line;
	int result; /* -EINPROGRESS while waiting */
};

void
spout__line_init(struct spout__line *line, void (*give_back)(struct spout__line *line))
{
	spout__list_init(&line->waiting);
	spout__list_init(&line->promised);
	line->give_back = give_back;
}

/* The end of a wait; the first reason counts. */
static void
place_settle(struct place *place, int result)
{
	place->result = result;
	spout__list_remove(&place->link);
	if (result == 0)
		spout__list_push(&place->line->promised, &place->link);
	spout__waker_wake(&place->waker);
}

static void
place_timed_out(struct spout__timer *timer)
{
	struct place *place = spout__container_of(timer, struct place, timer);

	if (place->result == -EINPROGRESS)
		place_settle(place, -ETIMEDOUT);
}

static void
place_detach(struct spout__waker *waker)
{
	struct place *place = spout__container_of(waker, struct place, waker);

	spout__timer_stop(&place->timer);
	spout__list_remove(&place->link);
	if (place->result == 0 && spout__co_leaves(waker->co) &&
	    place->line->give_back != NULL)
		place->line->give_back(place->line);
}

int
spout__line_wait(struct spout__line *line, uint64_t ms, const char *what)
{
	struct spout_coroutine *co = spout__co_checkpoint(what);
	struct place place = { .waker = { .co = co, .detach = place_detach },
		.line = line,
		.result = -EINPROGRESS };

	if (ms == 0)
		return -ETIMEDOUT;
	spout__timer_init(&place.timer, place_timed_out);
	spout__list_push(&line->waiting, &place.link);
	if (ms != SPOUT_FOREVER)
		spout__timer_start_at(co->async->loop, &place.timer,
		    spout__loop_after_ms(co->async->loop, ms));
	spout__wait(&place.waker, what);
	return place.result;
}

bool
spout__line_grant(struct spout__line *line)
{
	if (spout__list_empty(&line->waiting))
		return false;
	place_settle(spout__container_of(line->waiting.next, struct place, link), 0);
	return true;
}

static void
send_off(struct spout__list *places, int error)
{
	while (!spout__list_empty(places))
		place_settle(
		    spout__container_of(places->next, struct place, link), error);
}

void
spout__line_send_off(struct spout__line *line, int error)
{
	send_off(&line->waiting, error);
}

void
spout__line_end(struct spout__line *line, int error)
{
	send_off(&line->waiting, error);
	send_off(&line->promised, error);
}

/* --- units ------------------------------------------------------------------------ */

static void
units_give_back(struct spout__line *line)
{
	spout__units_give(spout__container_of(line, struct spout__units, line));
}

void
spout__units_init(struct spout__units *units, size_t free)
{
	spout__line_init(&units->line, units_give_back);
	units->free = free;
}

bool
spout__units_take_now(struct spout__units *units)
{
	/* While somebody waits none is free: nobody is overtaken. */
	if (units->free == 0)
		return false;
	units->free--;
	return true;
}

int
spout__units_take(struct spout__units *units, uint64_t ms, const char *what)
{
	(void)spout__co_checkpoint(what);
	if (spout__units_take_now(units))
		return 0;
	return spout__line_wait(&units->line, ms, what);
}

void
spout__units_give(struct spout__units *units)
{
	if (!spout__line_grant(&units->line))
		units->free++;
}
