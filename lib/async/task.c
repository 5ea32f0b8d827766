/* SPDX-License-Identifier: MIT */
/* Background tasks (spout_spawn) and child scopes (spout_scope_run). Loop thread. */
#include "config.h"

#include <errno.h>

#include "async/coroutine.h"
#include "base/stats.h"

/* --- background tasks ------------------------------------------------------------- */

static void
task_exit(struct spout_coroutine *co, const struct spout__outcome *outcome)
{
	if (outcome->error == 0 || outcome->cancelled)
		return;
	spout__count(SPOUT__C_TASK_FAILURES, 1);
	spout_error_log(
	    "task failed, started at %s: %s", co->options.where, outcome->reason);
}

static const void *
copy_into(struct spout_scope *scope, const void *data, size_t len)
{
	void *copy = spout_alloc_in(scope, len);

	return copy == NULL ? NULL : memcpy(copy, data, len);
}

int
spout_spawn_at(spout_fn fn, const void *data, size_t len, const char *where)
{
	struct spout_loop *loop = spout_loop_current();
	struct spout__coroutine_options options = { .fn = fn, .on_exit = task_exit,
		.where = where };
	struct spout_coroutine *co;

	if (loop == NULL)
		spout__bug("spout_spawn at %s: no loop runs on this thread", where);
	if (spout__async_of(loop) != NULL && spout__async_of(loop)->stopping)
		return -ECANCELED;
	co = spout__coroutine_new(loop);
	if (co == NULL)
		return -ENOMEM;
	if (len > 0)
		options.arg = (void *)copy_into(&co->scope, data, len);
	if (spout__log_request_id != NULL)
		options.request_id = spout_strdup_in(&co->scope, spout__log_request_id);
	if ((len > 0 && options.arg == NULL) ||
	    (spout__co != NULL &&
		spout__locals_inherit(&co->scope, &spout__co->scope, true) < 0)) {
		spout__coroutine_drop(co);
		return -ENOMEM;
	}
	spout__list_push(&co->async->tasks, &co->task);
	spout__coroutine_start(co, &options);
	return 0;
}

void
spout__tasks_cancel(struct spout_loop *loop)
{
	struct spout__async *async = spout__async_of(loop);
	struct spout__list *node;

	if (async == NULL)
		return;
	async->stopping = true;
	spout__list_for_each(node, &async->tasks)
		spout__coroutine_cancel(
		    spout__container_of(node, struct spout_coroutine, task), -ECANCELED,
		    "the worker stops");
}

/* --- child scopes ----------------------------------------------------------------- */

/* On the parent's stack, which waits until the child is gone. */
struct child {
	struct spout_future future;
	struct spout_coroutine *co;
	struct spout_scope *parent;
	int error;
	const char *reason; /* in the parent's arena */
};

static void
child_cancel(struct spout_future *future)
{
	struct child *child = spout__container_of(future, struct child, future);

	spout__coroutine_cancel(child->co, -ECANCELED, "its parent ended");
}

static void
child_exit(struct spout_coroutine *co, const struct spout__outcome *outcome)
{
	struct child *child = co->options.on_gone_arg;

	child->error = outcome->error;
	if (outcome->error != 0)
		child->reason = spout_strdup_in(child->parent, outcome->reason);
}

static void
child_gone(void *arg)
{
	struct child *child = arg;
	struct spout_scope *parent = child->parent;

	spout__future_complete(&child->future, child->error, NULL, child->reason);
	spout__scope_unpin(parent);
}

int
spout_try_scope_run_at(spout_fn fn, void *arg, const char *where)
{
	struct spout_coroutine *parent = spout__co_must("spout_scope_run");
	struct child child = { .parent = &parent->scope };
	struct spout__coroutine_options options = { .fn = fn, .arg = arg,
		.on_exit = child_exit, .on_gone = child_gone, .on_gone_arg = &child,
		.deadline_ms = parent->deadline_ms,
		.request_id = parent->scope.request_id, .where = where };

	child.co = spout__coroutine_new(parent->async->loop);
	if (child.co == NULL)
		return spout__co_error(-ENOMEM, "out of memory (stack)");
	if (spout__locals_inherit(&child.co->scope, &parent->scope, false) < 0) {
		spout__coroutine_drop(child.co);
		return spout__co_error(-ENOMEM, "out of memory (values)");
	}
	child.co->scope.local = parent->scope.local;
	spout__future_init(&child.future, &parent->scope, child_cancel);
	spout__scope_pin(&parent->scope);
	spout__coroutine_start(child.co, &options);
	return spout_try_await(&child.future);
}

void
spout_scope_run_at(spout_fn fn, void *arg, const char *where)
{
	int r = spout_try_scope_run_at(fn, arg, where);

	if (r < 0)
		spout__co_leave(r, 0, "%s", spout_error());
}
