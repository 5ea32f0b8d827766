/* SPDX-License-Identifier: MIT */
/* Event and condition: what wakes but is held by nobody (spout/locks.h). Loop thread. */
#include "config.h"

#include <spout/locks.h>

#include <errno.h>

#include "async/coroutine.h"
#include "async/line.h"
#include "async/object.h"

/* --- event ------------------------------------------------------------------------ */

struct spout_event {
	struct spout__object object;
	struct spout__line line;
	bool set;
};

static void
event_release(void *object)
{
	spout__line_end(&((struct spout_event *)object)->line, -ECANCELED);
}

struct spout_event *
spout_event_new_in(struct spout_scope *scope)
{
	struct spout_event *event =
	    spout__object_new(scope, sizeof(*event), event_release);

	if (event != NULL)
		spout__line_init(&event->line, NULL);
	return event;
}

struct spout_event *
spout_event_new(void)
{
	return spout__object_must(spout_event_new_in(spout_scope_current()), "event");
}

void
spout_event_free(struct spout_event *event)
{
	spout__object_free(event, "spout_event_free");
}

void
spout_event_set(struct spout_event *event)
{
	event->set = true;
	while (spout__line_grant(&event->line))
		continue;
}

void
spout_event_clear(struct spout_event *event)
{
	event->set = false;
}

bool
spout_event_is_set(const struct spout_event *event)
{
	return event->set;
}

int
spout_try_event_wait(struct spout_event *event, uint64_t ms)
{
	(void)spout__co_checkpoint("spout_event_wait");
	if (event->set)
		return 0;
	return spout__object_waited(
	    spout__line_wait(&event->line, ms, "spout_event_wait"), ms,
	    "spout_event_wait");
}

void
spout_event_wait(struct spout_event *event)
{
	spout__object_leave_if(spout_try_event_wait(event, SPOUT_FOREVER));
}

/* --- condition -------------------------------------------------------------------- */

struct spout_condition {
	struct spout__object object;
	struct spout__line line;
};

/* A notification for one that leaves is meant for the next. */
static void
condition_give_back(struct spout__line *line)
{
	(void)spout__line_grant(line);
}

static void
condition_release(void *object)
{
	spout__line_end(&((struct spout_condition *)object)->line, -ECANCELED);
}

struct spout_condition *
spout_condition_new_in(struct spout_scope *scope)
{
	struct spout_condition *condition =
	    spout__object_new(scope, sizeof(*condition), condition_release);

	if (condition != NULL)
		spout__line_init(&condition->line, condition_give_back);
	return condition;
}

struct spout_condition *
spout_condition_new(void)
{
	return spout__object_must(
	    spout_condition_new_in(spout_scope_current()), "condition");
}

void
spout_condition_free(struct spout_condition *condition)
{
	spout__object_free(condition, "spout_condition_free");
}

int
spout_try_condition_wait(struct spout_condition *condition, uint64_t ms)
{
	int r = spout__line_wait(&condition->line, ms, "spout_condition_wait");

	return spout__object_waited(r, ms, "spout_condition_wait");
}

void
spout_condition_wait(struct spout_condition *condition)
{
	spout__object_leave_if(spout_try_condition_wait(condition, SPOUT_FOREVER));
}

size_t
spout_condition_notify(struct spout_condition *condition, size_t n)
{
	size_t woken = 0;

	while (woken < n && spout__line_grant(&condition->line))
		woken++;
	return woken;
}

size_t
spout_condition_notify_all(struct spout_condition *condition)
{
	return spout_condition_notify(condition, SIZE_MAX);
}
