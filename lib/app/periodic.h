/* SPDX-License-Identifier: MIT */
/*
 * The periodic tasks of an application in one worker (struct spout_periodic_task): each
 * has a fixed cadence, and at most one round running. Loop thread.
 */
#ifndef SPOUT_APP_PERIODIC_H
#define SPOUT_APP_PERIODIC_H

#include <spout/loop.h>
#include <spout/web.h>

struct spout__periodic_tasks;

/** Start all of app->periodic_tasks. Returns owned, or NULL with errno (ENOMEM, EINVAL).
 */
struct spout__periodic_tasks *spout__periodic_tasks_start(
    struct spout_loop *loop, struct spout_app *app);
/** Begin no more rounds; those that run go on. NULL is fine. */
void spout__periodic_tasks_stop(struct spout__periodic_tasks *tasks);
/** Cancel the rounds that run. */
void spout__periodic_tasks_cancel(struct spout__periodic_tasks *tasks);
/** Free after the last round has ended. NULL is fine. */
void spout__periodic_tasks_free(struct spout__periodic_tasks *tasks);

#endif
