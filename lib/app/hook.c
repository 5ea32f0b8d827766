/* SPDX-License-Identifier: MIT */
/* Functions of the application as coroutines: see hook.h. */
#include "config.h"

#include "app/hook.h"

#include <errno.h>
#include <stdio.h>

static void
hook_run(void *arg)
{
	struct spout__hook *hook = arg;

	hook->fn(hook->app);
}

static void
hook_exit(struct spout_coroutine *co, const struct spout__outcome *outcome)
{
	struct spout__hook *hook = spout__coroutine_scope(co)->local;

	hook->error = outcome->error;
	hook->cancelled = outcome->cancelled;
	snprintf(hook->reason, sizeof(hook->reason), "%s", outcome->reason);
}

static void
hook_gone(void *arg)
{
	struct spout__hook *hook = arg;

	hook->co = NULL;
	hook->on_end(hook);
}

int
spout__hook_start(struct spout__hook *hook, struct spout_loop *loop)
{
	struct spout__coroutine_options options = {
		.fn = hook_run,
		.arg = hook,
		.on_exit = hook_exit,
		.on_gone = hook_gone,
		.on_gone_arg = hook,
		.where = hook->name,
	};

	hook->co = spout__coroutine_new(loop);
	if (hook->co == NULL)
		return -ENOMEM;
	if (hook->timeout_ms > 0)
		options.deadline_ms = spout__loop_after_ms(loop, hook->timeout_ms);
	spout__coroutine_scope(hook->co)->local = hook;
	spout__coroutine_start(hook->co, &options);
	return 0;
}

void
spout__hook_cancel(struct spout__hook *hook, const char *reason)
{
	if (hook->co)
		spout__coroutine_cancel(hook->co, -ECANCELED, reason);
}
