/* SPDX-License-Identifier: MIT */
/* Futures: see spout/async.h and async.h. Loop thread only. */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "async/coroutine.h"
#include "async/waiter.h"

void
spout__future_init(struct spout_future *future, struct spout_scope *scope,
    void (*on_cancel)(struct spout_future *future))
{
	memset(future, 0, sizeof(*future));
	future->scope = scope;
	future->on_cancel = on_cancel;
	spout__list_init(&future->waiters);
	spout__list_push(&scope->futures, &future->link);
}

void *
spout__future_alloc(struct spout_scope *scope, size_t size,
    void (*on_cancel)(struct spout_future *future))
{
	struct spout_future *future = spout_alloc_in(scope, size);

	if (future == NULL)
		return NULL;
	memset(future, 0, size);
	spout__future_init(future, scope, on_cancel);
	return future;
}

struct spout_future *
spout_future_new_in(struct spout_scope *scope)
{
	return spout__future_alloc(scope, sizeof(struct spout_future), NULL);
}

struct spout_future *
spout_future_new_at(const char *where)
{
	struct spout_future *future = spout_future_new_in(spout_scope_current());

	if (future == NULL)
		spout__co_leave(-ENOMEM, 0, "out of memory (future)");
	future->where = where;
	return future;
}

/* --- completion --------------------------------------------------------------------- */

struct spout__future_callback {
	struct spout__future_callback *next;
	struct spout__ready ready;
	struct spout_future *future;
	void (*fn)(struct spout_future *future, void *arg);
	void *arg;
};

static void
callback_run(struct spout__ready *ready)
{
	struct spout__future_callback *callback =
	    spout__container_of(ready, struct spout__future_callback, ready);

	callback->fn(callback->future, callback->arg);
}

static void
callback_drop(void *arg)
{
	struct spout__future_callback *callback = arg;

	spout__list_remove(&callback->ready.link);
}

int
spout_future_add_done_callback(struct spout_future *future,
    void (*fn)(struct spout_future *future, void *arg), void *arg)
{
	struct spout__future_callback *callback =
	    spout_alloc_in(future->scope, sizeof(*callback)), **end;

	if (callback == NULL)
		return -ENOMEM;
	*callback = (struct spout__future_callback){ .future = future, .fn = fn, .arg = arg };
	spout__ready_init(&callback->ready, callback_run);
	if (spout_defer_in(future->scope, callback_drop, callback) < 0)
		return -ENOMEM;
	if (future->done) {
		spout__loop_ready(future->scope->loop, &callback->ready);
		return 0;
	}
	for (end = &future->callbacks; *end != NULL; end = &(*end)->next)
		continue;
	*end = callback;
	return 0;
}

void
spout__future_complete(struct spout_future *future, int error, void *value,
    const char *reason)
{
	struct spout_scope *scope = future->scope;
	struct spout__future_callback *callback;
	struct spout__list *node;

	spout__assert(!future->done);
	spout__list_remove(&future->link);
	future->done = true;
	future->error = error;
	future->value = value;
	if (error != 0 && reason != NULL)
		future->reason = spout_strdup_in(scope, reason);
	while ((node = spout__list_pop(&future->waiters)) != NULL)
		spout__waiter_notify(spout__container_of(node, struct spout__waiter, link));
	for (callback = future->callbacks; callback != NULL; callback = callback->next)
		spout__loop_ready(scope->loop, &callback->ready);
	if (future->log_late_error && error != 0 && error != -ECANCELED)
		spout_warning("late error of a future that nobody waits for: %s%s%s",
		    spout_future_reason(future), future->where ? ", made at " : "",
		    future->where ? future->where : "");
}

int
spout_future_set_result(struct spout_future *future, void *value)
{
	if (future->done)
		return -EALREADY;
	spout__future_complete(future, 0, value, NULL);
	return 0;
}

int
spout_future_set_error(struct spout_future *future, int error, const char *fmt, ...)
{
	char reason[256];
	va_list ap;

	if (future->done)
		return -EALREADY;
	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	spout__future_complete(future, error < 0 ? error : -EINVAL, NULL, reason);
	return 0;
}

void
spout_cancel(struct spout_future *future)
{
	if (future->done)
		return;
	if (future->on_cancel != NULL)
		future->on_cancel(future);
	else
		spout__future_complete(future, -ECANCELED, NULL, "cancelled");
}

/* --- looking at one -------------------------------------------------------------------- */

bool
spout_future_done(const struct spout_future *future)
{
	return future->done;
}

void *
spout_future_result(struct spout_future *future)
{
	return future->done && future->error == 0 ? future->value : NULL;
}

int
spout_future_error(struct spout_future *future)
{
	return future->done ? future->error : -EINPROGRESS;
}

const char *
spout_future_reason(struct spout_future *future)
{
	if (!future->done || future->error == 0)
		return "";
	return future->reason != NULL ? future->reason : strerror(-future->error);
}
