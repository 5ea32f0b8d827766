/* SPDX-License-Identifier: MIT */
/* Scopes: memory, clean-ups, pins, and how they end. Loop thread; see async.h. */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "async/coroutine.h"

void
spout__scope_init(struct spout_scope *scope, struct spout_loop *loop, size_t max_bytes)
{
	*scope = (struct spout_scope){ .loop = loop };
	spout__arena_init(&scope->arena, max_bytes);
	spout__list_init(&scope->futures);
	spout__list_init(&scope->failed);
	spout__list_init(&scope->holds);
}

void
spout__scope_cancel_futures(struct spout_scope *scope)
{
	struct spout__list asked, *node;

	spout__list_init(&asked);
	while ((node = spout__list_pop(&scope->futures)) != NULL) {
		struct spout_future *future =
		    spout__container_of(node, struct spout_future, link);

		/* Still linked, so that completing it unlinks it. */
		spout__list_push(&asked, node);
		spout_cancel(future);
	}
	spout__list_splice(&scope->futures, &asked);
}

/* Their waiters in other scopes must not be left on the lists of freed memory. */
static void
drop_pending(struct spout_scope *scope)
{
	while (!spout__list_empty(&scope->futures))
		spout__future_complete(
		    spout__container_of(scope->futures.next, struct spout_future, link),
		    -ECANCELED, NULL, "its scope ended");
}

static void
log_failed(struct spout_scope *scope)
{
	struct spout__list *node;

	while ((node = spout__list_pop(&scope->failed)) != NULL)
		spout__future_log_unseen(
		    spout__container_of(node, struct spout_future, link));
}

void
spout__scope_clean_up(struct spout_scope *scope)
{
	struct spout__defer *defer;
	struct spout__list *node;

	drop_pending(scope);
	log_failed(scope);
	while ((defer = scope->defers) != NULL) {
		scope->defers = defer->next;
		defer->fn(defer->arg);
	}
	while ((node = spout__list_pop(&scope->holds)) != NULL) {
		struct spout__hold *hold =
		    spout__container_of(node, struct spout__hold, link);

		hold->release(hold);
	}
}

void
spout__scope_release(struct spout_scope *scope)
{
	spout__arena_release(&scope->arena);
}

static void
finish_explicit(struct spout_scope *scope)
{
	void (*done)(struct spout_scope *) = scope->on_unpinned;

	spout__scope_clean_up(scope);
	spout__scope_release(scope);
	if (done != NULL)
		done(scope);
}

void
spout__scope_end(struct spout_scope *scope, void (*done)(struct spout_scope *scope))
{
	spout__assert(scope->co == NULL && !scope->ending);
	scope->on_unpinned = done;
	scope->pins++; /* so that a cancelled job that unpins does not finish it midway */
	scope->ending = true;
	spout__scope_cancel_futures(scope);
	spout__scope_unpin(scope);
}

void
spout__scope_pin(struct spout_scope *scope)
{
	scope->pins++;
}

void
spout__scope_unpin(struct spout_scope *scope)
{
	spout__assert(scope->pins > 0);
	if (--scope->pins > 0 || !scope->ending)
		return;
	if (scope->co == NULL)
		finish_explicit(scope);
	else if (scope->co != spout__co)
		spout__loop_ready(scope->loop, &scope->co->ready);
}

struct spout_scope *
spout_scope_current(void)
{
	return &spout__co_must("spout_scope_current")->scope;
}

/* --- memory ----------------------------------------------------------------------- */

void *
spout_alloc_in(struct spout_scope *scope, size_t size)
{
	return spout__arena_alloc(&scope->arena, size);
}

char *
spout_strdup_in(struct spout_scope *scope, const char *text)
{
	size_t len = strlen(text);
	char *copy = spout_alloc_in(scope, len + 1);

	if (copy != NULL)
		memcpy(copy, text, len + 1);
	return copy;
}

void *
spout_alloc(size_t size)
{
	void *p = spout__arena_alloc(&spout_scope_current()->arena, size);

	if (p == NULL)
		spout__co_leave(-ENOMEM, 0, "out of memory (%zu bytes asked for)", size);
	return p;
}

void *
spout_zalloc(size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		spout__co_leave(
		    -ENOMEM, 0, "out of memory (%zu times %zu bytes)", n, size);
	return memset(spout_alloc(bytes), 0, bytes);
}

char *
spout_strndup(const char *text, size_t len)
{
	char *copy = spout_alloc(len + 1);

	if (len > 0)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

char *
spout_strdup(const char *text)
{
	return spout_strndup(text, strlen(text));
}

char *
spout_vsprintf(const char *fmt, va_list ap)
{
	va_list copy;
	char *text;
	int n;

	va_copy(copy, ap);
	n = vsnprintf(NULL, 0, fmt, copy);
	va_end(copy);
	if (n < 0)
		spout__co_leave(-EINVAL, 0, "bad format: %s", fmt);
	text = spout_alloc((size_t)n + 1);
	vsnprintf(text, (size_t)n + 1, fmt, ap);
	return text;
}

char *
spout_sprintf(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = spout_vsprintf(fmt, ap);
	va_end(ap);
	return text;
}

int
spout_defer_in(struct spout_scope *scope, spout_fn fn, void *arg)
{
	struct spout__defer *defer = spout_alloc_in(scope, sizeof(*defer));

	if (defer == NULL)
		return -ENOMEM;
	*defer = (struct spout__defer){ scope->defers, fn, arg };
	scope->defers = defer;
	return 0;
}

void
spout_defer(spout_fn fn, void *arg)
{
	if (spout_defer_in(spout_scope_current(), fn, arg) == 0)
		return;
	fn(arg);
	spout__co_leave(-ENOMEM, 0, "out of memory (clean-up)");
}
