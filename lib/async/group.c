/* SPDX-License-Identifier: MIT */
/*
 * Groups of coroutines that live and fail together (spout_group). Loop thread.
 *
 * A group is a future of its owner's scope, so that the end of the scope cancels it, and
 * each child pins that scope until its own is gone. States:
 *
 *   OPEN -- a child failed, cancel, owner's end --> CANCELLED
 *     |                                                 |
 *     +-- waited for, last child gone --> OVER <--------+-- last child gone
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "async/coroutine.h"
#include "async/line.h"

struct spout_group {
	struct spout_future future;  /* complete: OVER */
	struct spout__list children; /* co->task */
	struct spout__units places;  /* how many more may run */
	size_t alive;
	int error; /* not 0: CANCELLED */
	const char *reason;
	bool failed; /* the error is a child's own */
	bool quiet, waited_for;
};

/* --- how it ends ------------------------------------------------------------------ */

static void
finish_if_empty(struct spout_group *group)
{
	if (group->alive > 0 || group->future.done ||
	    (group->error == 0 && !group->waited_for))
		return;
	/* What completes while its scope ends is looked at by nobody. */
	if (group->failed && group->future.scope->ending)
		group->future.log_late_error = true;
	spout__future_complete(&group->future, group->error, NULL, group->reason);
}

static void
group_end(struct spout_group *group, int error, const char *reason)
{
	struct spout__list *node;

	if (group->error != 0 || group->future.done)
		return;
	group->error = error;
	group->reason = reason;
	spout__list_for_each(node, &group->children)
		spout__coroutine_cancel(
		    spout__container_of(node, struct spout_coroutine, task), -ECANCELED,
		    "its group was cancelled");
	spout__line_end(&group->places.line, error);
	finish_if_empty(group);
}

static void
group_on_cancel(struct spout_future *future)
{
	group_end(spout__container_of(future, struct spout_group, future), -ECANCELED,
	    "cancelled");
}

void
spout_group_cancel(struct spout_group *group)
{
	group_end(group, -ECANCELED, "cancelled");
}

static void
child_exit(struct spout_coroutine *co, const struct spout__outcome *outcome)
{
	struct spout_group *group = co->options.on_gone_arg;
	struct spout_scope *owner = group->future.scope;
	const char *reason;

	if (outcome->error == 0 || (outcome->cancelled && group->error != 0))
		return;
	if (group->error == 0 && !owner->ending) {
		reason = spout_strdup_in(owner, outcome->reason);
		group->failed = !outcome->cancelled;
		group_end(
		    group, outcome->error, reason != NULL ? reason : "out of memory");
	} else if (!group->quiet) {
		spout_warning("a further child of a group failed, started at %s: %s",
		    co->options.where, outcome->reason);
	}
}

static void
child_gone(void *arg)
{
	struct spout_group *group = arg;
	struct spout_scope *owner = group->future.scope;

	group->alive--;
	spout__units_give(&group->places);
	finish_if_empty(group);
	spout__scope_unpin(owner);
}

/* --- making ----------------------------------------------------------------------- */

struct spout_group *
spout_group_new_at(const struct spout_group_options *options, const char *where)
{
	struct spout_group *group =
	    spout__future_alloc(spout_scope_current(), sizeof(*group), group_on_cancel);
	struct spout_group_options o = { 0 };

	if (group == NULL)
		spout__co_leave(-ENOMEM, 0, "out of memory (group)");
	memcpy(&o, options, options->size < sizeof(o) ? options->size : sizeof(o));
	spout__list_init(&group->children);
	spout__units_init(&group->places, o.limit > 0 ? o.limit : SIZE_MAX);
	group->quiet = o.quiet;
	group->future.quiet = o.quiet;
	group->future.where = where;
	return group;
}

/* A child with its argument, not yet started; NULL when out of memory. */
static struct spout_coroutine *
child_new(struct spout_group *group, const void *data, size_t len, void **ret_arg)
{
	struct spout_scope *owner = group->future.scope;
	struct spout_coroutine *child = spout__coroutine_new(owner->loop);
	void *arg = NULL;

	if (child == NULL)
		return NULL;
	if (len > 0)
		arg = spout_alloc_in(&child->scope, len);
	if ((len > 0 && arg == NULL) ||
	    spout__locals_inherit(&child->scope, &spout__co->scope, false) < 0) {
		spout__coroutine_drop(child);
		return NULL;
	}
	if (len > 0)
		memcpy(arg, data, len);
	child->scope.local = owner->local;
	*ret_arg = arg;
	return child;
}

static int
refusal(const struct spout_group *group)
{
	return group->error == 0 && group->future.done ? -EALREADY : group->error;
}

int
spout_try_group_spawn_at(struct spout_group *group, spout_fn fn, const void *data,
    size_t len, const char *where)
{
	struct spout_scope *owner = group->future.scope;
	struct spout__coroutine_options options = { .fn = fn,
		.on_exit = child_exit,
		.on_gone = child_gone,
		.on_gone_arg = group,
		.deadline_ms = owner->co->deadline_ms,
		.where = where };
	struct spout_coroutine *child;
	int r = refusal(group);

	if (r == 0)
		r = spout__units_take(&group->places, SPOUT_FOREVER, "spout_group_spawn");
	if (r == 0)
		r = refusal(group);
	if (r < 0) {
		group->future.quiet = true; /* its error is seen */
		return spout__co_error(
		    r, "%s", r == -EALREADY ? "the group was waited for" : group->reason);
	}
	child = child_new(group, data, len, &options.arg);
	if (child == NULL) {
		spout__units_give(&group->places);
		return spout__co_error(-ENOMEM, "out of memory (child of a group)");
	}
	/* Of the owner, which outlives the child, even when another child starts it. */
	options.request_id = owner->request_id;
	group->alive++;
	spout__list_push(&group->children, &child->task);
	spout__scope_pin(owner);
	spout__coroutine_start(child, &options);
	return 0;
}

void
spout_group_spawn_at(struct spout_group *group, spout_fn fn, const void *data, size_t len,
    const char *where)
{
	int r = spout_try_group_spawn_at(group, fn, data, len, where);

	if (r < 0)
		spout__co_leave(r, 0, "%s", spout_error());
}

/* --- waiting for it --------------------------------------------------------------- */

int
spout_try_group_wait(struct spout_group *group, uint64_t ms)
{
	if (spout__co_must("spout_group_wait") != group->future.scope->co) {
		spout_warning("spout_group_wait: only the owner of a group waits for it");
		return spout__co_error(-EINVAL, "not the owner of the group");
	}
	group->waited_for = true;
	finish_if_empty(group);
	return spout__future_await(&group->future, ms, "spout_group_wait");
}

void
spout_group_wait(struct spout_group *group)
{
	int r = spout_try_group_wait(group, SPOUT_FOREVER);

	if (r < 0)
		spout__co_leave(r, 0, "%s", spout_error());
}

size_t
spout_group_count(const struct spout_group *group)
{
	return group->alive;
}
