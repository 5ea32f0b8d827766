/* SPDX-License-Identifier: MIT */
/* Waiting for futures and for time. Inside a coroutine, on the loop's thread. */
#include "config.h"

#include <errno.h>

#include "async/coroutine.h"
#include "async/waiter.h"

#define INTERESTS_ON_STACK 8u

struct await {
	struct spout__waker waker;
	struct spout__timer timer;
	struct interest *interests;
	size_t n, needed; /* futures waited for; completions still needed */
	bool first_error_ends;
	struct spout_future *failed; /* the first that failed, if that ends the wait */
};

struct interest {
	struct spout__waiter waiter;
	struct await *await;
};

/* One more of the futures is complete. */
static void
await_count(struct await *await, struct spout_future *future)
{
	if (await->needed == 0)
		return;
	await->needed--;
	if (await->first_error_ends && future->error != 0) {
		await->failed = future;
		await->needed = 0;
	}
	if (await->needed == 0)
		spout__waker_wake(&await->waker);
}

static void
await_notify(struct spout__waiter *waiter, struct spout_future *future)
{
	await_count(spout__container_of(waiter, struct interest, waiter)->await, future);
}

static void
await_timed_out(struct spout__timer *timer)
{
	spout__waker_wake(&spout__container_of(timer, struct await, timer)->waker);
}

static void
await_detach(struct spout__waker *waker)
{
	struct await *await = spout__container_of(waker, struct await, waker);
	size_t i;

	spout__timer_stop(&await->timer);
	for (i = 0; i < await->n; i++)
		spout__list_remove(&await->interests[i].waiter.link);
}

static void
await_begin(struct await *await, struct spout_future *const *futures)
{
	size_t i;

	for (i = 0; i < await->n; i++) {
		struct interest *interest = &await->interests[i];

		interest->await = await;
		interest->waiter.notify = await_notify;
		spout__list_init(&interest->waiter.link);
		if (futures[i]->done)
			await_count(await, futures[i]);
		else
			spout__list_push(&futures[i]->waiters, &interest->waiter.link);
	}
}

/* Wait until await->needed of the futures are complete. Returns 0 or -ETIMEDOUT. */
static int
await_run(struct await *await, struct spout_future *const *futures, uint64_t ms,
    const char *what)
{
	struct spout_coroutine *co = spout__co_must(what);
	struct interest on_stack[INTERESTS_ON_STACK];

	await->waker = (struct spout__waker){ .co = co, .detach = await_detach };
	await->waker.woken = await->needed == 0;
	spout__timer_init(&await->timer, await_timed_out);
	await->interests = on_stack;
	if (await->n > INTERESTS_ON_STACK)
		await->interests = spout_alloc(await->n * sizeof(*await->interests));
	await_begin(await, futures);
	if (await->needed > 0 && ms != SPOUT_FOREVER)
		spout__timer_start_at(co->async->loop, &await->timer,
		    spout__loop_after_ms(co->async->loop, ms));
	spout__wait(&await->waker, what);
	return await->needed > 0 ? -ETIMEDOUT : 0;
}

static int
await_futures(struct spout_future *const *futures, size_t n, size_t needed, uint64_t ms,
    const char *what)
{
	struct await await = { .n = n, .needed = needed };

	return await_run(&await, futures, ms, what);
}

/* --- one future ------------------------------------------------------------------- */

int
spout__future_await(struct spout_future *future, uint64_t ms, const char *what)
{
	future->log_late_error = false; /* somebody waits again */
	if (await_futures(&future, 1, 1, ms, what) < 0)
		return spout__co_error(
		    -ETIMEDOUT, "not complete after %llu ms", (unsigned long long)ms);
	spout__future_looked(future);
	if (future->error != 0)
		return spout__co_error(future->error, "%s", spout_future_reason(future));
	return 0;
}

int
spout_try_await(struct spout_future *future)
{
	return spout__future_await(future, SPOUT_FOREVER, "spout_await");
}

void *
spout_await(struct spout_future *future)
{
	if (spout_try_await(future) < 0)
		spout__co_leave_with(future);
	return future->value;
}

int
spout_try_with_timeout(uint64_t ms, struct spout_future *future)
{
	int r = spout__future_await(future, ms, "spout_with_timeout");

	if (!future->done)
		future->log_late_error = true;
	return r;
}

int
spout_try_await_or_cancel(uint64_t ms, struct spout_future *future)
{
	int r = spout__future_await(future, ms, "spout_await_or_cancel");

	if (!future->done)
		spout_cancel(future);
	return r;
}

static void *
result_or_leave(int r, struct spout_future *future)
{
	if (r < 0)
		spout__co_leave(r, 0, "%s", spout_error());
	return future->value;
}

void *
spout_with_timeout(uint64_t ms, struct spout_future *future)
{
	return result_or_leave(spout_try_with_timeout(ms, future), future);
}

void *
spout_await_or_cancel(uint64_t ms, struct spout_future *future)
{
	return result_or_leave(spout_try_await_or_cancel(ms, future), future);
}

/* --- several ---------------------------------------------------------------------- */

int
spout_try_await_all_of(uint64_t ms, struct spout_future *const *futures, size_t n)
{
	if (await_futures(futures, n, n, ms, "spout_await_all") < 0)
		return spout__co_error(
		    -ETIMEDOUT, "not all complete after %llu ms", (unsigned long long)ms);
	return 0;
}

void
spout_await_all_of(uint64_t ms, struct spout_future *const *futures, size_t n)
{
	struct await await = { .n = n, .needed = n, .first_error_ends = true };

	if (await_run(&await, futures, ms, "spout_await_all") < 0)
		spout__co_leave(-ETIMEDOUT, 0, "not all complete after %llu ms",
		    (unsigned long long)ms);
	if (await.failed != NULL)
		spout__co_leave_with(await.failed);
}

int
spout_try_await_any_of(uint64_t ms, struct spout_future *const *futures, size_t n)
{
	size_t i;

	if (await_futures(futures, n, n > 0 ? 1 : 0, ms, "spout_await_any") == 0)
		for (i = 0; i < n; i++)
			if (futures[i]->done)
				return (int)i;
	return spout__co_error(
	    -ETIMEDOUT, "none complete after %llu ms", (unsigned long long)ms);
}

int
spout_await_any_of(uint64_t ms, struct spout_future *const *futures, size_t n)
{
	int i = spout_try_await_any_of(ms, futures, n);

	if (i < 0)
		spout__co_leave(-ETIMEDOUT, 0, "%s", spout_error());
	if (futures[i]->error != 0)
		spout__co_leave_with(futures[i]);
	return i;
}

/* --- time ------------------------------------------------------------------------- */

void
spout_sleep(uint64_t ms)
{
	(void)await_futures(NULL, 0, 1, ms, "spout_sleep");
}

struct yield {
	struct spout__waker waker;
	struct spout__ready ready;
};

static void
yield_run(struct spout__ready *ready)
{
	spout__waker_wake(&spout__container_of(ready, struct yield, ready)->waker);
}

static void
yield_detach(struct spout__waker *waker)
{
	struct yield *yield = spout__container_of(waker, struct yield, waker);

	spout__list_remove(&yield->ready.link);
}

void
spout_yield(void)
{
	struct spout_coroutine *co = spout__co_must("spout_yield");
	struct yield yield = { .waker = { .co = co, .detach = yield_detach } };

	spout__ready_init(&yield.ready, yield_run);
	spout__loop_ready(co->async->loop, &yield.ready);
	spout__wait(&yield.waker, "spout_yield");
}
