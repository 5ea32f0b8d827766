/* SPDX-License-Identifier: MIT */
/* Periodic tasks: see periodic.h. */
#include "config.h"

#include "app/periodic.h"

#include <errno.h>
#include <stdlib.h>

#include "app/hook.h"
#include "base/stats.h"

struct task {
	struct spout__hook hook;
	struct spout_loop *loop;
	struct spout_periodic *timer;
};

struct spout__periodic_tasks {
	unsigned n;
	struct task tasks[];
};

static void
round_end(struct spout__hook *hook)
{
	if (hook->error == 0 || hook->cancelled)
		return;
	spout__count(SPOUT__C_TASK_FAILURES, 1);
	spout_error_log("periodic task %s failed: %s", hook->name, hook->reason);
}

static void
round_begin(void *arg)
{
	struct task *task = arg;

	if (task->hook.co)
		return;
	if (spout__hook_start(&task->hook, task->loop) != 0)
		spout_warning(
		    "periodic task %s: no memory for this round", task->hook.name);
}

struct spout__periodic_tasks *
spout__periodic_tasks_start(struct spout_loop *loop, struct spout_app *app)
{
	const struct spout_periodic_task *row = app->periodic_tasks;
	struct spout__periodic_tasks *tasks;
	unsigned n = 0;

	while (row && row[n].name)
		n++;
	tasks = calloc(1, sizeof(*tasks) + n * sizeof(tasks->tasks[0]));
	if (tasks == NULL)
		return NULL;
	for (; tasks->n < n; tasks->n++, row++) {
		struct task *task = &tasks->tasks[tasks->n];

		task->loop = loop;
		task->hook = (struct spout__hook){ .app = app,
			.fn = row->run,
			.name = row->name,
			.timeout_ms = row->timeout_ms,
			.on_end = round_end };
		task->timer = spout_periodic_start(
		    loop, row->every_ms, row->jitter, round_begin, task);
		if (task->timer == NULL) {
			int error = errno;

			spout__periodic_tasks_stop(tasks);
			free(tasks);
			errno = error;
			return NULL;
		}
	}
	return tasks;
}

void
spout__periodic_tasks_stop(struct spout__periodic_tasks *tasks)
{
	for (unsigned i = 0; tasks && i < tasks->n; i++) {
		if (tasks->tasks[i].timer)
			spout_periodic_stop(tasks->tasks[i].timer);
		tasks->tasks[i].timer = NULL;
	}
}

void
spout__periodic_tasks_cancel(struct spout__periodic_tasks *tasks)
{
	for (unsigned i = 0; tasks && i < tasks->n; i++)
		spout__hook_cancel(&tasks->tasks[i].hook, "the worker stops");
}

void
spout__periodic_tasks_free(struct spout__periodic_tasks *tasks)
{
	spout__periodic_tasks_stop(tasks);
	free(tasks);
}
