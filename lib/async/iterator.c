/* SPDX-License-Identifier: MIT */
/*
 * Futures in the order of their completion (spout_wait_iterator). Loop thread.
 *
 * Every future has an interest of the iterator on its list from the start; it moves to
 * the list of complete ones when it is notified, and is free when it has been handed out.
 */
#include "config.h"

#include <errno.h>

#include "async/coroutine.h"
#include "async/line.h"
#include "async/waiter.h"

struct item {
	struct spout__waiter waiter; /* on the future's list, then on `complete` */
	struct spout_wait_iterator *it;
	struct spout_future *future;
};

struct spout_wait_iterator {
	struct spout__list complete; /* not handed out yet, in order */
	struct spout__units units;   /* one for each of them */
	size_t n, handed_out, index;
	struct item items[];
};

static void
item_notify(struct spout__waiter *waiter, struct spout_future *future)
{
	struct spout_wait_iterator *it =
	    spout__container_of(waiter, struct item, waiter)->it;

	(void)future;
	spout__list_push(&it->complete, &waiter->link);
	spout__units_give(&it->units);
}

static void
iterator_drop(void *arg)
{
	struct spout_wait_iterator *it = arg;
	size_t i;

	for (i = 0; i < it->n; i++)
		spout__list_remove(&it->items[i].waiter.link);
}

struct spout_wait_iterator *
spout_wait_iterator_new_of(struct spout_future *const *futures, size_t n)
{
	struct spout_wait_iterator *it =
	    spout_alloc(sizeof(*it) + n * sizeof(it->items[0]));
	size_t i;

	spout__list_init(&it->complete);
	spout__units_init(&it->units, 0);
	it->n = n;
	it->handed_out = it->index = 0;
	for (i = 0; i < n; i++) {
		it->items[i].it = it;
		it->items[i].future = futures[i];
		it->items[i].waiter.notify = item_notify;
		spout__list_init(&it->items[i].waiter.link);
		if (futures[i]->done)
			item_notify(&it->items[i].waiter, futures[i]);
		else
			spout__list_push(&futures[i]->waiters, &it->items[i].waiter.link);
	}
	spout_defer(iterator_drop, it);
	return it;
}

int
spout_try_wait_next(
    struct spout_wait_iterator *it, uint64_t ms, struct spout_future **ret_future)
{
	struct item *item;
	int r;

	if (it->handed_out == it->n)
		return 0;
	r = spout__units_take(&it->units, ms, "spout_wait_next");
	if (r == -ETIMEDOUT)
		return spout__co_error(
		    r, "none complete after %llu ms", (unsigned long long)ms);
	if (r < 0)
		return 0;
	item =
	    spout__container_of(spout__list_pop(&it->complete), struct item, waiter.link);
	if (++it->handed_out == it->n)
		spout__line_end(&it->units.line, -EPIPE); /* others wait for nothing */
	it->index = (size_t)(item - it->items);
	*ret_future = item->future;
	return 1;
}

struct spout_future *
spout_wait_next(struct spout_wait_iterator *it)
{
	struct spout_future *future = NULL;
	int r = spout_try_wait_next(it, SPOUT_FOREVER, &future);

	return r == 1 ? future : NULL;
}

size_t
spout_wait_index(const struct spout_wait_iterator *it)
{
	return it->index;
}
