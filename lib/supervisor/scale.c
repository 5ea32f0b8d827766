/* SPDX-License-Identifier: MIT */
/*
 * More workers or fewer (SIGTTIN, SIGTTOU), one at a time, always the last one:
 *
 *              its sockets open             READY
 *        NOT ----------------------> GROWS ------> connections go to it, too --> NOT
 *         |                            |
 *         |                            +--cannot start--> its sockets close ---> NOT
 *         |
 *         |  connections go            steer_ms             it has left, nobody
 *         |  to the others             later: RETIRE        waits on its sockets
 *         +-------------------> STEERS ------------> LEAVES ------------------> NOT
 *
 * A handshake that had begun when connections were steered away still ends on the socket
 * of the worker that leaves: so it serves on for steer_ms. Should one come later than
 * that, another process is started to answer it. Sockets leave the group from its end,
 * or the kernel would number the others anew.
 */
#include "config.h"

#include "supervisor/slots.h"

#include "base/log.h"
#include "supervisor/notify.h"

static struct spout__slot *
last_slot(struct spout__supervisor *sup)
{
	return &sup->slots[sup->n_workers - 1];
}

/* New connections go to the first n workers. */
static void
steer(struct spout__supervisor *sup, unsigned n)
{
	atomic_store(&sup->o.board->n_workers, n); /* before: workers steer, too */
	if (sup->o.listeners != NULL)
		spout__listeners_steer(sup->o.listeners, n);
	atomic_store(&sup->o.board->spread, 0); /* they shall look anew */
}

static void
end(struct spout__supervisor *sup)
{
	sup->scaling = SPOUT__SCALING_NOT;
	spout_info("scale: %u workers now", sup->n_workers);
	spout__supervisor_tell_ready(sup);
}

/* --- one more -------------------------------------------------------------------- */

static void
grow(struct spout__supervisor *sup)
{
	char why[SPOUT__WHY];
	struct spout__slot *slot;

	if (sup->o.listeners != NULL &&
	    spout__listeners_grow(sup->o.listeners, why) < 0) {
		spout_error_log("scale: %u workers go on: %s", sup->n_workers, why);
		sup->n_wanted = sup->n_workers;
		return;
	}
	slot = &sup->slots[sup->n_workers++];
	slot->proven = false;
	slot->relieved = false;
	slot->short_lives = 0;
	sup->scaling = SPOUT__SCALING_GROWS;
	spout_info("scale: worker %u is added", slot->index);
	spout__slot_start(sup, slot);
}

void
spout__scale_failed(struct spout__supervisor *sup, const char *why)
{
	sup->n_workers--;
	sup->n_wanted = sup->n_workers;
	sup->scaling = SPOUT__SCALING_NOT;
	if (sup->o.listeners != NULL)
		spout__listeners_shrink(sup->o.listeners);
	spout_error_log(
	    "scale: %u workers go on: the new one %s", sup->n_workers, why);
}

/* --- one less -------------------------------------------------------------------- */

static void
shrink(struct spout__supervisor *sup)
{
	spout_info("scale: worker %u leaves", last_slot(sup)->index);
	sup->scaling = SPOUT__SCALING_STEERS;
	sup->steered_at_ms = sup->now_ms + sup->o.steer_ms;
	steer(sup, sup->n_workers - 1);
}

static void
let_go(struct spout__supervisor *sup)
{
	steer(sup, sup->n_workers - 1); /* whatever workers did meanwhile */
	sup->scaling = SPOUT__SCALING_LEAVES;
	spout__slot_retire(sup, last_slot(sup));
}

static void
close_last(struct spout__supervisor *sup)
{
	if (sup->o.listeners != NULL) {
		if (spout__listeners_last_has_queue(sup->o.listeners)) {
			spout__slot_start(sup, last_slot(sup));
			return;
		}
		spout__notify_unstore_last(sup->o.listeners);
		spout__listeners_shrink(sup->o.listeners);
	}
	sup->n_workers--;
	end(sup);
}

/* --- steps ----------------------------------------------------------------------- */

void
spout__scale_ask(struct spout__supervisor *sup, unsigned n)
{
	if (sup->phase == SPOUT__PHASE_STOPPING)
		return;
	if (n == 0 || n > sup->o.max_workers)
		spout_warning("scale: %u workers are not possible, but 1 to %u", n,
		    sup->o.max_workers);
	else
		sup->n_wanted = n;
}

/* Whether the next change could begin. */
static bool
is_due(const struct spout__supervisor *sup)
{
	return sup->phase == SPOUT__PHASE_SERVING && sup->n_wanted != sup->n_workers &&
	    sup->scaling == SPOUT__SCALING_NOT && !sup->reloading && sup->kin < 0 &&
	    sup->stop_due_ms == 0 &&
	    spout__spare(sup)->state == SPOUT__WORKER_STOPPED;
}

uint64_t
spout__scale_wakes_ms(const struct spout__supervisor *sup)
{
	if (is_due(sup))
		return sup->now_ms;
	if (sup->scaling == SPOUT__SCALING_STEERS && sup->steered_at_ms > sup->now_ms)
		return sup->steered_at_ms;
	return SPOUT__NEVER;
}

void
spout__scale_round(struct spout__supervisor *sup)
{
	enum spout__worker_state state = last_slot(sup)->state;

	if (sup->phase != SPOUT__PHASE_SERVING)
		return;
	if (is_due(sup)) {
		if (sup->n_wanted > sup->n_workers)
			grow(sup);
		else
			shrink(sup);
	} else if (sup->scaling == SPOUT__SCALING_GROWS &&
	    state == SPOUT__WORKER_RUNNING) {
		steer(sup, sup->n_workers);
		if (sup->o.listeners != NULL)
			spout__notify_store(sup->o.listeners);
		end(sup);
	} else if (sup->scaling == SPOUT__SCALING_STEERS &&
	    state == SPOUT__WORKER_RUNNING && sup->now_ms >= sup->steered_at_ms) {
		let_go(sup);
	} else if (sup->scaling == SPOUT__SCALING_LEAVES) {
		if (state == SPOUT__WORKER_RUNNING)
			spout__slot_retire(sup, last_slot(sup));
		else if (state == SPOUT__WORKER_STOPPED)
			close_last(sup);
	}
}
