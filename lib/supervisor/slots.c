/* SPDX-License-Identifier: MIT */
/* The state machine of a worker slot: see the picture in supervisor.h. */
#include "config.h"

#include "supervisor/slots.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

/* A worker that floods its control socket gets no more than this of a round. */
#define MESSAGES_PER_ROUND 16

static struct spout__scoreboard_slot *
score_of(struct spout__supervisor *sup, const struct spout__slot *slot)
{
	return &sup->o.board->slots[slot->index];
}

static struct spout__scoreboard_slot *
figures_of(struct spout__supervisor *sup, const struct spout__slot *slot)
{
	return &sup->o.board->slots[slot->place];
}

uint64_t
spout__slot_requests(const struct spout__supervisor *sup, const struct spout__slot *slot)
{
	return atomic_load_explicit(
	    &sup->o.board->slots[slot->place].stats.counters[SPOUT__C_REQUESTS],
	    memory_order_relaxed);
}

static bool
is_spare(const struct spout__supervisor *sup, const struct spout__slot *slot)
{
	return slot == spout__spare(sup);
}

/* What others may know of a slot. Of a reload they see the worker that serves. */
static void
publish(struct spout__supervisor *sup, const struct spout__slot *slot)
{
	struct spout__scoreboard_slot *score = score_of(sup, slot);

	atomic_store_explicit(&figures_of(sup, slot)->serving,
	    slot->state == SPOUT__WORKER_RUNNING, memory_order_relaxed);
	if (is_spare(sup, slot))
		return;
	atomic_store_explicit(&score->place, slot->place, memory_order_relaxed);
	atomic_store_explicit(&score->state, slot->state, memory_order_relaxed);
	atomic_store_explicit(&score->pid, (uint32_t)slot->pid, memory_order_relaxed);
	atomic_store_explicit(&score->generation, slot->generation, memory_order_relaxed);
	atomic_store_explicit(&score->started_ms, slot->started_ms, memory_order_relaxed);
	atomic_store_explicit(
	    &score->ready_ms, slot->pid != 0 ? slot->ready_ms : 0, memory_order_relaxed);
}

/* The only place where a state changes. */
static void
set_state(struct spout__supervisor *sup, struct spout__slot *slot,
    enum spout__worker_state state, uint64_t deadline_ms)
{
	spout_debug("worker %u: %s -> %s", slot->index,
	    spout__worker_state_names[slot->state], spout__worker_state_names[state]);
	slot->state = state;
	slot->deadline_ms = deadline_ms;
	publish(sup, slot);
}

static uint64_t
after(const struct spout__supervisor *sup, uint64_t ms)
{
	return ms > SPOUT__NEVER - sup->now_ms ? SPOUT__NEVER : sup->now_ms + ms;
}

/* --- ending a process ------------------------------------------------------------ */

static void
abort_worker(
    struct spout__supervisor *sup, struct spout__slot *slot, enum spout__death cause)
{
	slot->cause = cause;
	slot->cause_known = true;
	kill(slot->pid, SIGABRT);
	set_state(sup, slot, SPOUT__WORKER_ABORTING, after(sup, sup->o.abort_grace_ms));
}

static void
kill_worker(struct spout__supervisor *sup, struct spout__slot *slot)
{
	spout_error_log("worker %u (pid %d) is killed: it did not end when told",
	    slot->index, (int)slot->pid);
	kill(slot->pid, SIGKILL);
	set_state(sup, slot, SPOUT__WORKER_KILLING, SPOUT__NEVER);
}

void
spout__slot_expired(struct spout__supervisor *sup, struct spout__slot *slot)
{
	switch (slot->state) {
	case SPOUT__WORKER_WAITING:
		spout__slot_start(sup, slot);
		break;
	case SPOUT__WORKER_BOOTING:
		spout_error_log(
		    "worker %u (pid %d) is not ready after %llu ms: aborting it",
		    slot->index, (int)slot->pid,
		    (unsigned long long)sup->o.boot_timeout_ms);
		abort_worker(sup, slot, SPOUT__DEATH_BOOT_TIMEOUT);
		break;
	case SPOUT__WORKER_DRAINING:
	case SPOUT__WORKER_ABORTING:
		kill_worker(sup, slot);
		break;
	default:
		slot->deadline_ms = SPOUT__NEVER;
	}
}

void
spout__slot_check_pulse(struct spout__supervisor *sup, struct spout__slot *slot)
{
	uint64_t last;

	if (slot->state != SPOUT__WORKER_RUNNING)
		return;
	last = atomic_load_explicit(
	    &figures_of(sup, slot)->stats.gauges[SPOUT__G_HEARTBEAT_MS],
	    memory_order_relaxed);
	if (last < slot->ready_ms)
		last = slot->ready_ms;
	if (last < sup->pulse_floor_ms)
		last = sup->pulse_floor_ms;
	if (last >= sup->now_ms || sup->now_ms - last <= sup->o.hang_timeout_ms)
		return;
	spout_error_log("worker %u (pid %d) hangs, its loop has not turned for %llu ms: "
			"aborting it",
	    slot->index, (int)slot->pid, (unsigned long long)(sup->now_ms - last));
	abort_worker(sup, slot, SPOUT__DEATH_HUNG);
}

/* Whether connections wait on the sockets of this slot. */
static bool
has_queue(const struct spout__supervisor *sup, const struct spout__slot *slot)
{
	unsigned i;

	for (i = 0; sup->o.listeners != NULL && i < sup->o.listeners->n; i++) {
		struct pollfd p = { .events = POLLIN,
			.fd = spout__listener_fd(
			    &sup->o.listeners->items[i], slot->index) };

		if (poll(&p, 1, 0) > 0)
			return true;
	}
	return false;
}

void
spout__slot_stop(
    struct spout__supervisor *sup, struct spout__slot *slot, enum spout__control_kind how)
{
	/* In back-off with clients queued: one more worker, to answer them. */
	if (slot->state == SPOUT__WORKER_WAITING && slot->proven && has_queue(sup, slot))
		spout__slot_start(sup, slot);
	switch (slot->state) {
	case SPOUT__WORKER_WAITING:
		set_state(sup, slot, SPOUT__WORKER_STOPPED, SPOUT__NEVER);
		break;
	case SPOUT__WORKER_BOOTING:
	case SPOUT__WORKER_RUNNING:
	case SPOUT__WORKER_DRAINING:
		/* Should the message not get through, the deadline does. */
		if (slot->control >= 0)
			spout__control_send(
			    slot->control, how, sup->stop_at_ms - sup->now_ms, NULL);
		set_state(sup, slot, SPOUT__WORKER_DRAINING, sup->stop_at_ms);
		break;
	case SPOUT__WORKER_ABORTING:
		if (slot->deadline_ms > sup->stop_at_ms)
			slot->deadline_ms = sup->stop_at_ms;
		break;
	default:
		break;
	}
}

void
spout__slot_retire(struct spout__supervisor *sup, struct spout__slot *slot)
{
	uint64_t ms = sup->o.drain_timeout_ms + sup->o.kill_grace_ms;

	switch (slot->state) {
	case SPOUT__WORKER_WAITING:
		spout__slot_vacate(sup);
		break;
	case SPOUT__WORKER_BOOTING:
	case SPOUT__WORKER_RUNNING:
		if (slot->control >= 0)
			spout__control_send(
			    slot->control, SPOUT__CONTROL_RETIRE, ms, NULL);
		set_state(sup, slot, SPOUT__WORKER_DRAINING, after(sup, ms));
		break;
	default:
		break;
	}
}

void
spout__slot_vacate(struct spout__supervisor *sup)
{
	set_state(sup, spout__spare(sup), SPOUT__WORKER_STOPPED, SPOUT__NEVER);
}

void
spout__slot_exchange(struct spout__supervisor *sup)
{
	struct spout__slot *spare = spout__spare(sup), *slot = &sup->slots[spare->index];
	struct spout__slot old = *slot;

	*slot = *spare;
	slot->proven = true;
	*spare = old;
	publish(sup, spare);
	publish(sup, slot);
}

/* --- beginning one --------------------------------------------------------------- */

/* Immediately after a healthy life, then doubled, a quarter of jitter either way. */
static uint64_t
backoff_ms(const struct spout__supervisor *sup, unsigned short_lives)
{
	uint64_t ms = sup->o.backoff_min_ms;
	uint32_t random = 0;

	if (short_lives == 0)
		return 0;
	while (--short_lives > 0 && ms < sup->o.backoff_max_ms)
		ms *= 2;
	if (ms > sup->o.backoff_max_ms)
		ms = sup->o.backoff_max_ms;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (uint32_t)sup->now_ms * 2654435761u;
	return ms - ms / 4 + ms / 2 * random / UINT32_MAX;
}

/* It died while stopping. Those who wait on its sockets get one more worker, once. */
static void
relieve(struct spout__supervisor *sup, struct spout__slot *slot)
{
	if (slot->relieved || slot->accepted || sup->handed_over ||
	    sup->now_ms >= sup->stop_at_ms) {
		set_state(sup, slot, SPOUT__WORKER_STOPPED, SPOUT__NEVER);
		return;
	}
	slot->relieved = true;
	set_state(sup, slot, SPOUT__WORKER_WAITING, SPOUT__NEVER);
	spout__slot_stop(sup, slot, SPOUT__CONTROL_DRAIN);
}

/* The slot lost its process: replace it, or end the program if that leads nowhere. */
static void
replace(struct spout__supervisor *sup, struct spout__slot *slot, const char *why)
{
	uint64_t life = slot->ready_ms != 0 ? sup->now_ms - slot->ready_ms : 0;
	uint64_t delay;

	if (sup->phase == SPOUT__PHASE_STOPPING) {
		sup->status = 1;
		relieve(sup, slot);
		return;
	}
	if (!slot->proven && sup->phase == SPOUT__PHASE_STARTING) {
		spout_error_log(
		    "giving up: the first worker in slot %u %s", slot->index, why);
		set_state(sup, slot, SPOUT__WORKER_STOPPED, SPOUT__NEVER);
		spout__supervisor_stop(sup, 1);
		return;
	}
	if (life >= sup->o.healthy_ms) {
		slot->short_lives = 0;
	} else if (spout__supervisor_note_death(sup)) {
		spout_error_log(
		    "giving up: %u workers died young within %llu ms; the last one, "
		    "worker %u, %s",
		    sup->o.restart_budget, (unsigned long long)sup->o.restart_window_ms,
		    slot->index, why);
		set_state(sup, slot, SPOUT__WORKER_STOPPED, SPOUT__NEVER);
		spout__supervisor_stop(sup, 1);
		return;
	}
	delay = backoff_ms(sup, slot->short_lives++);
	spout_info(
	    "worker %u starts again in %llu ms", slot->index, (unsigned long long)delay);
	set_state(sup, slot, SPOUT__WORKER_WAITING, after(sup, delay));
}

/* The process of a slot is gone, or there is none: what now? */
static void
without_process(
    struct spout__supervisor *sup, struct spout__slot *slot, bool clean, const char *why)
{
	if (is_spare(sup, slot))
		spout__successor_gone(sup, clean, why);
	else if (sup->scaling == SPOUT__SCALING_GROWS && !slot->proven &&
	    sup->phase == SPOUT__PHASE_SERVING) {
		set_state(sup, slot, SPOUT__WORKER_STOPPED, SPOUT__NEVER);
		spout__scale_failed(sup, why);
	} else if (clean ||
	    (slot->accepted && sup->scaling == SPOUT__SCALING_LEAVES &&
		sup->phase == SPOUT__PHASE_SERVING))
		set_state(sup, slot, SPOUT__WORKER_STOPPED, SPOUT__NEVER);
	else
		replace(sup, slot, why);
}

void
spout__slot_start(struct spout__supervisor *sup, struct spout__slot *slot)
{
	int rc;

	slot->ready_ms = 0;
	slot->started_ms = sup->now_ms;
	slot->epoch = sup->epoch;
	slot->requests_before = spout__slot_requests(sup, slot);
	if (getrandom(&slot->chance, sizeof(slot->chance), GRND_NONBLOCK) < 0)
		slot->chance = (uint8_t)sup->now_ms;
	slot->accepted = false;
	slot->cause_known = false;
	slot->last_words[0] = '\0';
	slot->generation++;
	slot->birth = ++sup->births;
	atomic_store_explicit(&figures_of(sup, slot)->used, 1, memory_order_relaxed);
	rc = spout__spawn(sup, slot);
	if (rc < 0) {
		char why[128];

		snprintf(why, sizeof(why), "could not be forked: %s", strerror(-rc));
		spout_error_log("worker %u %s", slot->index, why);
		without_process(sup, slot, false, why);
		return;
	}
	set_state(sup, slot, SPOUT__WORKER_BOOTING, after(sup, sup->o.boot_timeout_ms));
	spout__peers_link(sup, slot);
}

/* --- what it says ---------------------------------------------------------------- */

static void
became_ready(struct spout__supervisor *sup, struct spout__slot *slot)
{
	slot->ready_ms = sup->now_ms;
	slot->proven = true;
	if (slot->state == SPOUT__WORKER_BOOTING) {
		set_state(sup, slot, SPOUT__WORKER_RUNNING, SPOUT__NEVER);
		if (is_spare(sup, slot))
			spout__successor_ready(sup);
	} else {
		publish(sup, slot);
	}
}

static void
close_control(struct spout__slot *slot)
{
	if (slot->control >= 0)
		close(slot->control);
	slot->control = -1;
}

/* `dead`: its process has ended, these are its last messages. A successor that is dead
 * does not take the place of a worker that lives. */
static void
read_messages(struct spout__supervisor *sup, struct spout__slot *slot, bool dead)
{
	struct spout__control_message m;
	int i, rc = -EAGAIN;

	for (i = 0; i < MESSAGES_PER_ROUND && slot->control >= 0; i++) {
		rc = spout__control_receive(slot->control, &m);
		if (rc <= 0)
			break;
		if (m.fd >= 0)
			close(m.fd); /* no message of theirs has one */
		if (m.kind == SPOUT__CONTROL_READY && slot->ready_ms == 0 &&
		    !(dead && is_spare(sup, slot)))
			became_ready(sup, slot);
		else if (m.kind == SPOUT__CONTROL_ACCEPTED)
			slot->accepted = true;
		else if (m.kind == SPOUT__CONTROL_SCALE)
			spout__scale_ask(sup, m.value > UINT_MAX ? 0 : (unsigned)m.value);
		else if (m.kind == SPOUT__CONTROL_SIGNAL)
			spout__supervisor_signal(sup, (uint32_t)m.value);
		else if (m.kind == SPOUT__CONTROL_BOOT_FAILED)
			memcpy(slot->last_words, m.text, sizeof(slot->last_words));
	}
	if (rc == 0) /* it closed its end, or is gone: SIGCHLD will tell */
		close_control(slot);
}

void
spout__slot_read(struct spout__supervisor *sup, struct spout__slot *slot)
{
	read_messages(sup, slot, false);
}

/* --- its end --------------------------------------------------------------------- */

static enum spout__death
cause_of(const struct spout__slot *slot, int status)
{
	if (slot->cause_known)
		return slot->cause;
	if (slot->ready_ms == 0 && (slot->last_words[0] != '\0' || WIFEXITED(status)))
		return SPOUT__DEATH_BOOT_FAILED;
	return WIFSIGNALED(status) ? SPOUT__DEATH_SIGNALLED : SPOUT__DEATH_EXITED;
}

/* "was killed (signal 11: Segmentation fault)", "could not start: no database". */
static void
describe(const struct spout__slot *slot, enum spout__death cause, int status, char *to,
    size_t cap)
{
	if (slot->last_words[0] != '\0')
		snprintf(to, cap, "%s: %s", spout__death_texts[cause], slot->last_words);
	else if (WIFSIGNALED(status))
		snprintf(to, cap, "%s (signal %d: %s)", spout__death_texts[cause],
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(to, cap, "%s (status %d)", spout__death_texts[cause],
		    WEXITSTATUS(status));
}

void
spout__slot_reaped(struct spout__supervisor *sup, struct spout__slot *slot, int status)
{
	struct spout__scoreboard_slot *figures = figures_of(sup, slot);
	bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
	    slot->state == SPOUT__WORKER_DRAINING;
	int pid = (int)slot->pid;
	enum spout__death cause;
	char why[384];

	read_messages(sup, slot, true);
	close_control(slot);
	slot->pid = 0;
	cause = cause_of(slot, status);
	describe(slot, cause, status, why, sizeof(why));
	if (!clean) {
		spout_error_log("worker %u (pid %d) %s", slot->index, pid, why);
		spout__scoreboard_log_requests(
		    sup->o.board, figures, slot->index, sup->now_ms);
		spout__relaxed_add(&score_of(sup, slot)->deaths[cause], 1);
	}
	spout__scoreboard_clear(figures);
	publish(sup, slot);
	without_process(sup, slot, clean, why);
}
