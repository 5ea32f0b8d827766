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
spout_future_new_in_at(struct spout_scope *scope, const char *where)
{
	struct spout_future *future = spout__future_alloc(scope, sizeof(*future), NULL);

	if (future != NULL)
		future->where = where;
	return future;
}

struct spout_future *
spout_future_new_at(const char *where)
{
	struct spout_future *future =
	    spout_future_new_in_at(spout_scope_current(), where);

	if (future == NULL)
		spout__co_leave(-ENOMEM, 0, "out of memory (future)");
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
	*callback = (struct spout__future_callback){
		.future = future, .fn = fn, .arg = arg
	};
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

static void
log_error(struct spout_future *future, const char *what)
{
	if (!future->quiet)
		spout_warning("%s: %s%s%s", what, spout_future_reason(future),
		    future->where != NULL ? ", made at " : "",
		    future->where != NULL ? future->where : "");
}

void
spout__future_log_unseen(struct spout_future *future)
{
	log_error(future, "a future failed and nobody looked at it");
}

/* An error that comes while the scope ends is of no interest to anyone. */
static void
remember_failure(struct spout_future *future)
{
	if (future->log_late_error)
		log_error(future, "late error of a future that nobody waits for");
	else if (!future->scope->ending)
		spout__list_push(&future->scope->failed, &future->link);
}

void
spout__future_looked(struct spout_future *future)
{
	if (future->done)
		spout__list_remove(&future->link);
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
	if (error != 0 && error != -ECANCELED)
		remember_failure(future);
	while ((node = spout__list_pop(&future->waiters)) != NULL) {
		struct spout__waiter *waiter =
		    spout__container_of(node, struct spout__waiter, link);

		waiter->notify(waiter, future);
	}
	for (callback = future->callbacks; callback != NULL; callback = callback->next)
		spout__loop_ready(scope->loop, &callback->ready);
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

/* --- looking at one --------------------------------------------------------------- */

bool
spout_future_done(const struct spout_future *future)
{
	return future->done;
}

void *
spout_future_result(struct spout_future *future)
{
	spout__future_looked(future);
	return future->done && future->error == 0 ? future->value : NULL;
}

int
spout_future_error(struct spout_future *future)
{
	spout__future_looked(future);
	return future->done ? future->error : -EINPROGRESS;
}

void
spout_future_set_quiet(struct spout_future *future)
{
	future->quiet = true;
}

const char *
spout_future_reason(struct spout_future *future)
{
	if (!future->done || future->error == 0)
		return "";
	return future->reason != NULL ? future->reason : strerror(-future->error);
}

/* --- chaining --------------------------------------------------------------------- */

struct chain {
	struct spout__waiter waiter;
	struct spout_future *to; /* the chain lives in its scope */
};

static void
chain_notify(struct spout__waiter *waiter, struct spout_future *from)
{
	struct spout_future *to = spout__container_of(waiter, struct chain, waiter)->to;

	if (to->done)
		return;
	spout__future_looked(from);
	spout__future_complete(to, from->error, from->value,
	    from->error != 0 ? spout_future_reason(from) : NULL);
}

static void
chain_drop(void *arg)
{
	struct chain *chain = arg;

	spout__list_remove(&chain->waiter.link);
}

int
spout_future_chain(struct spout_future *from, struct spout_future *to)
{
	struct chain *chain = spout_alloc_in(to->scope, sizeof(*chain));

	if (chain == NULL)
		return -ENOMEM;
	chain->waiter.notify = chain_notify;
	chain->to = to;
	spout__list_init(&chain->waiter.link);
	if (from->done) {
		chain_notify(&chain->waiter, from);
		return 0;
	}
	if (spout_defer_in(to->scope, chain_drop, chain) < 0)
		return -ENOMEM;
	spout__list_push(&from->waiters, &chain->waiter.link);
	return 0;
}
