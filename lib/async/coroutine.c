/* SPDX-License-Identifier: MIT */
/*
 * Coroutines: making, switching, waiting, leaving. Loop thread only; see async.h for the
 * rules and coroutine.h for the states.
 */
#include "config.h"

#include "async/coroutine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "async/sanitizer.h"
#include "base/stats.h"

#define TRIM_INTERVAL_MS 2000u

__thread struct spout_coroutine *spout__co __attribute__((tls_model("initial-exec")));
__thread const char *spout__job_name __attribute__((tls_model("initial-exec")));

void (*spout__on_wait)(struct spout_coroutine *co, const char *what);

static unsigned stack_kib = SPOUT__STACK_DEFAULT_KIB;

void
spout__async_set_stack_kib(unsigned kib)
{
	stack_kib = kib;
}

/* --- the scheduler of a loop ------------------------------------------------------- */

static void
on_trim(struct spout__timer *timer)
{
	struct spout__async *async =
	    spout__container_of(timer, struct spout__async, trim);

	spout__stack_pool_trim(async->stacks);
	if (spout__stack_pool_free_count(async->stacks) > 0)
		spout__timer_start_at(async->loop, timer,
		    spout__loop_after_ms(async->loop, TRIM_INTERVAL_MS));
}

static void
async_free(void *object)
{
	struct spout__async *async = object;

	spout__assert(async->alive == 0);
	spout__timer_stop(&async->trim);
	spout__stack_pool_free(async->stacks);
	spout__arena_trim();
	free(async);
}

struct spout__async *
spout__async_of(struct spout_loop *loop)
{
	struct spout__async *async = spout__loop_slot(loop, SPOUT__SLOT_ASYNC);

	if (async != NULL)
		return async;
	async = calloc(1, sizeof(*async));
	if (async == NULL)
		return NULL;
	async->loop = loop;
	async->stacks = spout__stack_pool_new(stack_kib);
	if (async->stacks == NULL) {
		free(async);
		return NULL;
	}
	spout__list_init(&async->all);
	spout__list_init(&async->tasks);
	spout__timer_init(&async->trim, on_trim);
	async->main_fiber = spout__tsan_current();
	spout__loop_set_slot(loop, SPOUT__SLOT_ASYNC, async, async_free);
	spout__overflow_install();
	return async;
}

size_t
spout__coroutines_alive(struct spout_loop *loop)
{
	struct spout__async *async = spout__loop_slot(loop, SPOUT__SLOT_ASYNC);

	return async == NULL ? 0 : async->alive;
}

/* --- switching ---------------------------------------------------------------------- */

/* From a coroutine to the loop's stack; the last time, it never comes back. */
static void
switch_to_loop(struct spout_coroutine *co)
{
	struct spout__async *async = co->async;
	void *fake_stack = NULL;

	(void)fake_stack;
	spout__asan_start_switch(co->state == SPOUT__CO_DEAD ? NULL : &fake_stack,
	    async->main_low, async->main_size);
	spout__tsan_switch(async->main_fiber);
	spout__context_switch(&co->context, &async->main);
	spout__asan_finish_switch(fake_stack, &async->main_low, &async->main_size);
}

/* The stack with what lies above it: where the leak checker looks for pointers. */
static inline size_t
stack_whole_bytes(const struct spout__stack *stack)
{
	return (size_t)((const char *)stack->user + SPOUT__STACK_USER_BYTES - stack->low);
}

static void
co_free(struct spout_coroutine *co)
{
	struct spout__async *async = co->async;
	void (*on_gone)(void *arg) = co->options.on_gone;
	void *on_gone_arg = co->options.on_gone_arg;
	struct spout__stack *stack = co->stack;

	spout__list_remove(&co->all);
	spout__list_remove(&co->task);
	spout__list_remove(&co->ready.link);
	spout__timer_stop(&co->deadline_timer);
	spout__scope_release(&co->scope);
	free(co->error);
	spout__tsan_destroy(co->fiber);
	spout__lsan_unroot(stack->low, stack_whole_bytes(stack));
	async->alive--;
	spout__gauge_add(SPOUT__G_COROUTINES_ALIVE, -1);
	spout__stack_put(async->stacks, stack);
	if (!spout__timer_pending(&async->trim))
		spout__timer_start_at(async->loop, &async->trim,
		    spout__loop_after_ms(async->loop, TRIM_INTERVAL_MS));
	if (on_gone != NULL)
		on_gone(on_gone_arg);
}

/* From the loop's stack into a coroutine, until it waits or ends. */
static void
resume(struct spout_coroutine *co)
{
	struct spout__async *async = co->async;
	void *fake_stack = NULL;
	int saved_errno = errno;

	(void)fake_stack;
	spout__assert(spout__co == NULL);
	if (co->state != SPOUT__CO_LEAVING)
		co->state = SPOUT__CO_RUNNING;
	spout__co = co;
	spout__log_request_id = co->scope.request_id;
	spout__asan_start_switch(
	    &fake_stack, co->stack->low, (size_t)((char *)co->stack - co->stack->low));
	spout__tsan_switch(co->fiber);
	spout__context_switch(&async->main, &co->context);
	spout__asan_finish_switch(fake_stack, NULL, NULL);
	spout__co = NULL;
	spout__log_request_id = NULL;
	errno = saved_errno;
	if (co->stack->canary && !spout__stack_whole(co->stack))
		spout__bug("coroutine stack overflow in %s",
		    co->options.where ? co->options.where : "a coroutine");
	if (co->state == SPOUT__CO_DEAD)
		co_free(co);
}

static void
on_ready(struct spout__ready *ready)
{
	resume(spout__container_of(ready, struct spout_coroutine, ready));
}

/* --- leaving ---------------------------------------------------------------------- */

/* Never inlined: leave_below() wants its frame below the gap. */
static void __attribute__((noinline)) SPOUT_NORETURN
leave(struct spout_coroutine *co, const struct spout__outcome *outcome)
{
	if (co->state == SPOUT__CO_LEAVING)
		spout__bug("a clean-up failed or waited: %s", outcome->reason);
	co->state = SPOUT__CO_LEAVING;
	spout__timer_stop(&co->deadline_timer);
	if (co->options.on_exit != NULL)
		co->options.on_exit(co, outcome);
	co->scope.ending = true;
	spout__scope_cancel_futures(&co->scope);
	while (co->scope.pins > 0)
		switch_to_loop(co);
	spout__scope_clean_up(&co->scope);
	co->state = SPOUT__CO_DEAD;
	switch_to_loop(co);
	abort(); /* not reached: nobody resumes a dead coroutine */
}

static void SPOUT_NORETURN
fail(struct spout_coroutine *co, const struct spout__outcome *outcome)
{
	if (outcome->error != 0 && co->options.on_failure != NULL && !co->failing &&
	    co->state != SPOUT__CO_LEAVING) {
		co->failing = true;
		co->options.on_failure(co, outcome);
	}
	leave(co, outcome);
}

static void SPOUT_NORETURN
leave_cancelled(struct spout_coroutine *co)
{
	const struct spout__outcome outcome = { .error = co->cancel_error,
		.reason = co->cancel_reason, .cancelled = true };

	fail(co, &outcome);
}

/*
 * The function has returned while jobs still run: one of them may be writing into what
 * was its frame. Leave from below it. (Under AddressSanitizer such a program crashes: its
 * book-keeping for calls that do not return happens in the written frame.)
 */
static void __attribute__((noinline)) SPOUT_NORETURN
leave_below(struct spout_coroutine *co, const struct spout__outcome *outcome)
{
	size_t room = (size_t)((char *)co->stack - co->stack->low) / 4;
	char *frame_of_the_function = __builtin_alloca(room < 65536 ? room : 65536);

	__asm__ volatile("" : : "r"(frame_of_the_function) : "memory");
	leave(co, outcome);
}

static void
co_main(void *arg)
{
	struct spout_coroutine *co = arg;
	const struct spout__outcome returned = { .reason = "" };

	spout__asan_finish_switch(NULL, &co->async->main_low, &co->async->main_size);
	if (co->cancel_error != 0)
		leave_cancelled(co); /* before it ever ran */
	co->options.fn(co->options.arg);
	if (co->scope.pins > 0)
		leave_below(co, &returned);
	leave(co, &returned);
}

void
spout__co_leave(int error, int status, const char *fmt, ...)
{
	struct spout_coroutine *co = spout__co_must("leaving");
	struct spout__outcome outcome = { .error = error, .status = status };
	char text[512];
	char *reason;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	reason = spout_strdup_in(&co->scope, text);
	outcome.reason = reason != NULL ? reason : "out of memory";
	fail(co, &outcome);
}

void
spout__co_leave_with(struct spout_future *future)
{
	spout__future_looked(future);
	spout__co_leave(future->error, 0, "%s", spout_future_reason(future));
}

void
spout_fail_with(int error, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	spout__co_leave(error < 0 ? error : -EINVAL, 0, "%s", text);
}

/* --- making ----------------------------------------------------------------------- */

static void
on_deadline(struct spout__timer *timer)
{
	struct spout_coroutine *co =
	    spout__container_of(timer, struct spout_coroutine, deadline_timer);

	if (co->deadline_ms == 0)
		return;
	if (spout_loop_now_ms(co->async->loop) < co->deadline_ms)
		spout__timer_start_at(co->async->loop, timer, co->deadline_ms);
	else
		spout__coroutine_cancel(co, -ETIMEDOUT, "the deadline passed");
}

struct spout_coroutine *
spout__coroutine_new(struct spout_loop *loop)
{
	struct spout__async *async = spout__async_of(loop);
	struct spout__stack *stack;
	struct spout_coroutine *co;

	if (async == NULL)
		return NULL;
	stack = spout__stack_get(async->stacks);
	if (stack == NULL)
		return NULL;
	co = (struct spout_coroutine *)stack->user;
	memset(&co->waker, 0, sizeof(*co) - offsetof(struct spout_coroutine, waker));
	co->options = (struct spout__coroutine_options){ .fn = NULL };
	co->async = async;
	co->stack = stack;
	spout__scope_init(&co->scope, loop, SPOUT__SCOPE_MAX_BYTES);
	co->scope.co = co;
	spout__ready_init(&co->ready, on_ready);
	spout__timer_init(&co->deadline_timer, on_deadline);
	spout__list_init(&co->task);
	spout__list_push(&async->all, &co->all);
	co->fiber = spout__tsan_create();
	spout__lsan_root(stack->low, stack_whole_bytes(stack));
	async->alive++;
	spout__count(SPOUT__C_COROUTINES, 1);
	spout__gauge_add(SPOUT__G_COROUTINES_ALIVE, 1);
	return co;
}

struct spout_scope *
spout__coroutine_scope(struct spout_coroutine *co)
{
	return &co->scope;
}

void *
spout__coroutine_arg(const struct spout_coroutine *co)
{
	return co->options.arg;
}

static void
prepare(struct spout_coroutine *co, const struct spout__coroutine_options *options)
{
	spout__assert(co->state == SPOUT__CO_NEW);
	co->options = *options;
	co->scope.request_id = options->request_id;
	co->deadline_ms = options->deadline_ms;
	co->state = SPOUT__CO_RUNNABLE;
	spout__context_make(&co->context, co->stack->low, (char *)co->stack, co_main, co);
}

void
spout__coroutine_start(struct spout_coroutine *co,
    const struct spout__coroutine_options *options)
{
	prepare(co, options);
	spout__loop_ready(co->async->loop, &co->ready);
}

void
spout__coroutine_start_now(struct spout_coroutine *co,
    const struct spout__coroutine_options *options)
{
	prepare(co, options);
	resume(co);
}

void
spout__coroutine_drop(struct spout_coroutine *co)
{
	spout__assert(co->state == SPOUT__CO_NEW);
	spout__scope_clean_up(&co->scope);
	co_free(co);
}

/* --- deadline, cancellation, shield ----------------------------------------------- */

void
spout__coroutine_cancel(struct spout_coroutine *co, int error, const char *reason)
{
	if (co->cancel_error != 0 || co->state == SPOUT__CO_LEAVING ||
	    co->state == SPOUT__CO_DEAD)
		return;
	co->cancel_error = error;
	co->cancel_reason = reason;
	if (co->state == SPOUT__CO_WAITING && co->shield == 0)
		spout__loop_ready(co->async->loop, &co->ready);
}

bool
spout__coroutine_started(const struct spout_coroutine *co)
{
	return co->state != SPOUT__CO_NEW;
}

bool
spout__coroutine_cancelled(const struct spout_coroutine *co)
{
	return co->cancel_error != 0 || co->state >= SPOUT__CO_LEAVING;
}

void
spout__coroutine_set_deadline(struct spout_coroutine *co, uint64_t deadline_ms)
{
	struct spout__timer *timer = &co->deadline_timer;
	/* Else its next wait starts the timer, or the timer finds the later deadline. */
	bool start = spout__timer_pending(timer) ? deadline_ms < timer->at_ms
	                                         : co->state == SPOUT__CO_WAITING;

	co->deadline_ms = deadline_ms;
	if (deadline_ms != 0 && start)
		spout__timer_start_at(co->async->loop, timer, deadline_ms);
}

uint64_t
spout__coroutine_deadline(const struct spout_coroutine *co)
{
	return co->shield > 0 ? 0 : co->deadline_ms;
}

uint64_t
spout_time_left_ms(void)
{
	struct spout_coroutine *co = spout__co_must("spout_time_left_ms");
	uint64_t now;

	if (co->deadline_ms == 0)
		return SPOUT_FOREVER;
	now = spout_loop_now_ms(co->async->loop);
	return co->deadline_ms > now ? co->deadline_ms - now : 0;
}

void
spout_set_deadline_ms(uint64_t ms)
{
	struct spout_coroutine *co = spout__co_must("spout_set_deadline_ms");
	uint64_t at = spout__loop_after_ms(co->async->loop, ms);

	if (co->deadline_ms == 0 || at < co->deadline_ms)
		spout__coroutine_set_deadline(co, at);
}

void
spout_shield(spout_fn fn, void *arg)
{
	struct spout_coroutine *co = spout__co_must("spout_shield");

	co->shield++;
	fn(arg);
	co->shield--;
}

/* --- waiting ---------------------------------------------------------------------- */

struct spout_coroutine *
spout__co_must(const char *what)
{
	if (spout__co != NULL)
		return spout__co;
	if (spout__job_name != NULL)
		spout__bug(
		    "%s was called in the job %s: a job may not touch a request or a "
		    "scope and may not wait",
		    what, spout__job_name);
	spout__bug("%s was called outside a coroutine", what);
}

static bool
must_leave(struct spout_coroutine *co)
{
	if (co->shield > 0)
		return false;
	if (co->cancel_error == 0 && co->deadline_ms != 0 &&
	    spout_loop_now_ms(co->async->loop) >= co->deadline_ms) {
		co->cancel_error = -ETIMEDOUT;
		co->cancel_reason = "the deadline passed";
	}
	return co->cancel_error != 0;
}

bool
spout__co_leaves(const struct spout_coroutine *co)
{
	return co->cancel_error != 0 && co->shield == 0;
}

struct spout_coroutine *
spout__co_checkpoint(const char *what)
{
	struct spout_coroutine *co = spout__co_must(what);

	if (co->state == SPOUT__CO_LEAVING)
		spout__bug("a clean-up may not wait (%s)", what);
	if (must_leave(co))
		leave_cancelled(co);
	return co;
}

void
spout__wait(struct spout__waker *waker, const char *what)
{
	struct spout_coroutine *co = waker->co;
	bool leaves;

	if (co->state == SPOUT__CO_LEAVING)
		spout__bug("a clean-up may not wait (%s)", what);
	if (spout__on_wait != NULL)
		spout__on_wait(co, what);
	co->waits_for = what;
	if (co->deadline_ms != 0 && !spout__timer_pending(&co->deadline_timer))
		spout__timer_start_at(
		    co->async->loop, &co->deadline_timer, co->deadline_ms);
	co->waker = waker;
	while (!waker->woken && !must_leave(co)) {
		co->state = SPOUT__CO_WAITING;
		switch_to_loop(co);
	}
	co->waker = NULL;
	leaves = must_leave(co);
	if (waker->detach != NULL)
		waker->detach(waker);
	if (leaves)
		leave_cancelled(co);
}

void
spout__waker_wake(struct spout__waker *waker)
{
	if (waker->woken)
		return;
	waker->woken = true;
	if (waker->co->state == SPOUT__CO_WAITING)
		spout__loop_ready(waker->co->async->loop, &waker->co->ready);
}

int
spout__co_error(int error, const char *fmt, ...)
{
	struct spout_coroutine *co = spout__co_must("spout_error");
	va_list ap;

	if (co->error == NULL) {
		co->error_size = 256;
		co->error = malloc(co->error_size);
	}
	if (co->error != NULL) {
		va_start(ap, fmt);
		vsnprintf(co->error, co->error_size, fmt, ap);
		va_end(ap);
	}
	return error;
}

const char *
spout_error(void)
{
	struct spout_coroutine *co = spout__co_must("spout_error");

	return co->error != NULL ? co->error : "";
}
