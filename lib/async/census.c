/* SPDX-License-Identifier: MIT */
/* All coroutines of a loop: who is alive, what they wait for, ending them. */
#include "config.h"

#include <stdio.h>

#include "async/coroutine.h"

/* The list of a loop, or NULL when it never had a coroutine. */
static struct spout__list *
all_of(struct spout_loop *loop)
{
	struct spout__async *async = spout__loop_slot(loop, SPOUT__SLOT_ASYNC);

	return async != NULL ? &async->all : NULL;
}

bool
spout__coroutine_is_alive(struct spout_loop *loop, const struct spout_coroutine *co)
{
	struct spout__list *all = all_of(loop), *it;

	if (all == NULL)
		return false;
	spout__list_for_each(it, all)
		if (spout__container_of(it, struct spout_coroutine, all) == co)
			return true;
	return false;
}

bool
spout__coroutine_is_woken(const struct spout_coroutine *co)
{
	return co->state != SPOUT__CO_WAITING || co->waker == NULL || co->waker->woken;
}

void
spout__coroutines_cancel(struct spout_loop *loop, int error, const char *reason)
{
	struct spout__list *all = all_of(loop), *it;

	if (all == NULL)
		return;
	spout__list_for_each(it, all)
		spout__coroutine_cancel(
		    spout__container_of(it, struct spout_coroutine, all), error, reason);
}

void
spout__coroutines_describe(struct spout_loop *loop, char *text, size_t size)
{
	struct spout__list *all = all_of(loop);
	const struct spout_coroutine *co;

	text[0] = '\0';
	if (all == NULL || spout__list_empty(all))
		return;
	co = spout__container_of(all->next, struct spout_coroutine, all);
	snprintf(text, size, "%s in %s", co->options.where ? co->options.where : "one",
	    co->waits_for ? co->waits_for : "no wait");
}
