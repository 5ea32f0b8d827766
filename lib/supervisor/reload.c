/* SPDX-License-Identifier: MIT */
/*
 * SIGHUP and SIGUSR1. A reload replaces the workers one by one:
 *
 *     the spare is empty --> boots the new process --ready--> exchanged with the old one,
 *          ^                          |                       which drains and leaves
 *          |                          | not ready                        |
 *          |                          v                                  |
 *          |                   the reload ends,                          |
 *          |                   the old one goes on                       |
 *          +-------------------------------------------------------------+
 *
 * At most one process more than workers lives. A worker that dies meanwhile is replaced
 * as ever, by a process with the new configuration, and needs no other. The configuration
 * stays as soon as one new worker has been ready with it.
 */
#include "config.h"

#include "supervisor/slots.h"

#include "base/log.h"
#include "supervisor/notify.h"

static void
count(struct spout__supervisor *sup, bool whole)
{
	struct spout__scoreboard *board = sup->o.board;

	spout__relaxed_add(whole ? &board->reloads : &board->failed_reloads, 1);
}

/* `whole`: every worker has been replaced. */
static void
end(struct spout__supervisor *sup, bool whole)
{
	sup->reloading = false;
	count(sup, whole);
	spout__supervisor_tell_ready(sup);
	if (sup->o.on_reload_end != NULL)
		sup->o.on_reload_end(sup->o.arg, sup->renewed);
}

static void
begin(struct spout__supervisor *sup)
{
	sup->reload_wanted = false;
	spout__notify_reloading();
	if (sup->o.on_reload != NULL && sup->o.on_reload(sup->o.arg) < 0) {
		spout__supervisor_tell_ready(sup);
		count(sup, false);
		return;
	}
	spout_info("reload: replacing %u workers", sup->n_workers);
	sup->epoch++;
	sup->reloading = true;
	sup->renewed = false;
}

/* On the same sockets. */
void
spout__succeed(struct spout__supervisor *sup, struct spout__slot *slot,
    enum spout__succession why)
{
	struct spout__slot *spare = spout__spare(sup);

	*spare = (struct spout__slot){ .index = slot->index,
		.place = spare->place,
		.control = -1,
		.state = SPOUT__WORKER_WAITING,
		.deadline_ms = SPOUT__NEVER,
		.generation = slot->generation };
	sup->succession = why;
	sup->succeeding = true;
	spout__slot_start(sup, spare);
}

void
spout__reload_ask(struct spout__supervisor *sup)
{
	if (sup->phase == SPOUT__PHASE_STOPPING)
		return;
	if (sup->reloading)
		spout_info("reload: another one follows this one");
	sup->reload_wanted = true;
}

bool
spout__reload_due(const struct spout__supervisor *sup)
{
	return sup->phase == SPOUT__PHASE_SERVING && sup->reload_wanted &&
	    !sup->reloading && sup->scaling == SPOUT__SCALING_NOT && sup->kin < 0 &&
	    sup->stop_due_ms == 0;
}

void
spout__reload_round(struct spout__supervisor *sup)
{
	bool done = true;
	unsigned i;

	if (spout__reload_due(sup))
		begin(sup);
	if (sup->phase != SPOUT__PHASE_SERVING || !sup->reloading ||
	    spout__spare(sup)->state != SPOUT__WORKER_STOPPED)
		return;
	for (i = 0; i < sup->n_workers; i++) {
		struct spout__slot *slot = &sup->slots[i];

		if (slot->epoch != sup->epoch && slot->state == SPOUT__WORKER_RUNNING) {
			spout__succeed(sup, slot, SPOUT__SUCCESSION_RELOAD);
			return;
		}
		/* One that died waits for its replacement, which counts as renewed. */
		done = done &&
		    (slot->epoch == sup->epoch && slot->state == SPOUT__WORKER_RUNNING);
	}
	if (!done)
		return;
	sup->renewed = true;
	spout_info("reload: done");
	end(sup, true);
}

void
spout__successor_ready(struct spout__supervisor *sup)
{
	struct spout__slot *spare = spout__spare(sup);
	bool reload = sup->succession == SPOUT__SUCCESSION_RELOAD;

	if (reload)
		sup->renewed = true;
	else
		spout__relaxed_add(&sup->o.board->slots[spare->index].recycles, 1);
	sup->succeeding = false;
	spout__slot_exchange(sup);
	spout_info("%s: worker %u is now pid %d, pid %d drains",
	    reload ? "reload" : "recycle", spare->index,
	    (int)sup->slots[spare->index].pid, (int)spare->pid);
	spout__slot_retire(sup, spare);
}

void
spout__successor_gone(struct spout__supervisor *sup, bool clean, const char *why)
{
	const struct spout__slot *spare = spout__spare(sup);
	bool was_new = sup->succeeding;

	sup->succeeding = false;
	spout__slot_vacate(sup);
	if (!was_new) {
		if (!clean && sup->phase == SPOUT__PHASE_STOPPING)
			sup->status = 1;
		return;
	}
	if (sup->phase == SPOUT__PHASE_STOPPING)
		return;
	if (sup->succession == SPOUT__SUCCESSION_RECYCLE) {
		spout__recycle_failed(sup, spare->index, why);
		return;
	}
	spout_error_log("reload: ended, the old worker %u goes on: the new one %s",
	    spare->index, why);
	end(sup, false);
}

void
spout__reopen_logs(struct spout__supervisor *sup)
{
	int fd = sup->o.on_reopen != NULL ? sup->o.on_reopen(sup->o.arg) : -1;
	unsigned i;

	if (fd < 0)
		return;
	for (i = 0; i <= sup->o.max_workers; i++)
		if (sup->slots[i].control >= 0 &&
		    spout__control_send_fd(
			sup->slots[i].control, SPOUT__CONTROL_LOG, 0, fd) < 0)
			spout_warning("worker %u keeps its old log file", i);
}
