/* SPDX-License-Identifier: MIT */
/* The loop of the supervisor: signals, messages, deadlines. See supervisor.h. */
#include "config.h"

#include "supervisor/supervisor.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <spout/crypto.h>

#include "base/clock.h"
#include "base/log.h"
#include "supervisor/notify.h"
#include "supervisor/pidfile.h"
#include "supervisor/slots.h"

/* Those of workers that there may be, and the spare. */
static unsigned
n_slots(const struct spout__supervisor *sup)
{
	return sup->o.max_workers + 1;
}

/* --- stopping -------------------------------------------------------------------- */

static void
stop_slots(struct spout__supervisor *sup, enum spout__control_kind how)
{
	unsigned i;

	for (i = 0; i < n_slots(sup); i++)
		spout__slot_stop(sup, &sup->slots[i], how);
}

/* Nobody else listens on the same sockets. */
static bool
is_alone(const struct spout__supervisor *sup)
{
	return sup->o.listeners == NULL || !sup->o.listeners->borrowed;
}

void
spout__supervisor_stop(struct spout__supervisor *sup, int status)
{
	if (sup->status == 0)
		sup->status = status;
	if (sup->phase == SPOUT__PHASE_STOPPING)
		return;
	sup->phase = SPOUT__PHASE_STOPPING;
	sup->stop_at_ms = sup->now_ms + sup->o.drain_timeout_ms + sup->o.kill_grace_ms;
	atomic_store_explicit(&sup->o.board->stopping, 1, memory_order_relaxed);
	spout__notify("STOPPING=1\nSTATUS=Draining");
	spout__upgrade_stop(sup);
	if (sup->o.listeners != NULL)
		spout__listeners_hold_off(sup->o.listeners);
	stop_slots(sup, is_alone(sup) ? SPOUT__CONTROL_DRAIN : SPOUT__CONTROL_RETIRE);
}

static void
stop_quickly(struct spout__supervisor *sup)
{
	uint64_t at = sup->now_ms + sup->o.quick_timeout_ms;

	if (at < sup->stop_at_ms)
		sup->stop_at_ms = at;
	if (sup->stop_at_ms < sup->now_ms)
		sup->stop_at_ms = sup->now_ms;
	stop_slots(sup, SPOUT__CONTROL_STOP);
}

bool
spout__supervisor_is_calm(const struct spout__supervisor *sup)
{
	return sup->phase == SPOUT__PHASE_SERVING && !sup->reload_wanted &&
	    !sup->reloading && sup->scaling == SPOUT__SCALING_NOT && sup->kin < 0 &&
	    sup->stop_due_ms == 0 &&
	    sup->n_wanted == sup->n_workers &&
	    spout__spare(sup)->state == SPOUT__WORKER_STOPPED;
}

void
spout__supervisor_tell_ready(const struct spout__supervisor *sup)
{
	if (sup->phase == SPOUT__PHASE_SERVING)
		spout__notify("READY=1\nSTATUS=%u %s", sup->n_workers,
		    sup->n_workers == 1 ? "worker serves" : "workers serve");
}

bool
spout__supervisor_note_death(struct spout__supervisor *sup)
{
	uint64_t *at = &sup->deaths[sup->n_deaths++ % sup->o.restart_budget];
	uint64_t oldest = *at;

	*at = sup->now_ms;
	return sup->n_deaths > sup->o.restart_budget &&
	    sup->now_ms - oldest < sup->o.restart_window_ms;
}

/* --- signals --------------------------------------------------------------------- */

static struct spout__slot *
slot_of_pid(struct spout__supervisor *sup, pid_t pid)
{
	unsigned i;

	for (i = 0; i < n_slots(sup); i++)
		if (sup->slots[i].pid == pid)
			return &sup->slots[i];
	return NULL;
}

/* Others than workers appear when we are process 1 of a container. */
static void
reap(struct spout__supervisor *sup)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct spout__slot *slot = slot_of_pid(sup, pid);

		if (slot != NULL)
			spout__slot_reaped(sup, slot, status);
		else if (pid == sup->heir)
			spout__upgrade_reaped(sup, status);
	}
}

/* Load balancers get some time to see that we are unready, if we are to give it. */
static void
on_stop_signal(struct spout__supervisor *sup, const char *name)
{
	unsigned i;

	if (sup->phase == SPOUT__PHASE_STARTING || sup->o.drain_delay_ms == 0 ||
	    sup->stop_due_ms != 0) {
		spout_info("%s: stopping, %llu ms for what runs", name,
		    (unsigned long long)sup->o.drain_timeout_ms);
		spout__supervisor_stop(sup, 0);
		return;
	}
	spout_info("%s: stopping in %llu ms, unready until then", name,
	    (unsigned long long)sup->o.drain_delay_ms);
	spout__notify("STOPPING=1\nSTATUS=Unready");
	sup->stop_due_ms = sup->now_ms + sup->o.drain_delay_ms;
	atomic_store_explicit(&sup->o.board->stopping, 1, memory_order_relaxed);
	for (i = 0; i < n_slots(sup); i++)
		if (sup->slots[i].control >= 0)
			spout__control_send(sup->slots[i].control,
			    SPOUT__CONTROL_UNREADY, 0, NULL);
}

void
spout__supervisor_signal(struct spout__supervisor *sup, uint32_t signo)
{
	switch (signo) {
	case SIGCHLD:
		break; /* reaped every round */
	case SIGTERM:
	case SIGINT:
	case SIGQUIT:
		if (sup->phase != SPOUT__PHASE_STOPPING) {
			on_stop_signal(sup, strsignal((int)signo));
		} else {
			spout_warning("%s again: stopping now", strsignal((int)signo));
			stop_quickly(sup);
		}
		break;
	case SIGHUP:
		spout__reload_ask(sup);
		break;
	case SIGUSR1:
		spout__reopen_logs(sup);
		break;
	case SIGTTIN:
		spout__scale_ask(sup, sup->n_wanted + 1);
		break;
	case SIGTTOU:
		spout__scale_ask(sup, sup->n_wanted - 1);
		break;
	case SIGUSR2:
		if (sup->o.argv != NULL) {
			spout__upgrade_ask(sup);
			break;
		}
		/* fallthrough */
	default:
		if (signo >= 32 || (sup->noted_signals & 1u << signo) == 0)
			spout_warning(
			    "signal %u (%s) is ignored", signo, strsignal((int)signo));
		if (signo < 32)
			sup->noted_signals |= 1u << signo;
	}
}

static void
read_signals(struct spout__supervisor *sup)
{
	struct signalfd_siginfo info;

	while (read(sup->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		spout__supervisor_signal(sup, info.ssi_signo);
}

/* --- one round ------------------------------------------------------------------- */

static uint64_t
pulse_interval_ms(const struct spout__supervisor *sup)
{
	uint64_t ms = sup->o.hang_timeout_ms / 4;

	return ms > 1000 ? 1000 : ms < 10 ? 10 : ms;
}

static int
next_wait_ms(const struct spout__supervisor *sup)
{
	uint64_t at = sup->now_ms + pulse_interval_ms(sup);
	uint64_t scale = spout__scale_wakes_ms(sup);
	uint64_t recycle = spout__recycle_wakes_ms(sup);
	uint64_t upgrade = spout__upgrade_wakes_ms(sup);
	unsigned i;

	if (spout__reload_due(sup))
		return 0;
	if (scale < at)
		at = scale;
	if (recycle < at)
		at = recycle;
	if (upgrade < at)
		at = upgrade;
	if (sup->stop_due_ms != 0 && sup->phase != SPOUT__PHASE_STOPPING &&
	    sup->stop_due_ms < at)
		at = sup->stop_due_ms;
	if (sup->watchdog_ms != 0 && sup->watchdog_at_ms < at)
		at = sup->watchdog_at_ms;
	for (i = 0; i < n_slots(sup); i++)
		if (sup->slots[i].deadline_ms < at)
			at = sup->slots[i].deadline_ms;
	return at > sup->now_ms ? (int)(at - sup->now_ms) : 0;
}

/*
 * Woken much later than asked: the whole machine, or our group, was stopped. The workers
 * could not stamp either, so their silence of that time does not count.
 */
static void
notice_pause(struct spout__supervisor *sup, uint64_t slept_ms, int asked_ms)
{
	uint64_t slack = sup->o.hang_timeout_ms / 4;

	if (slept_ms <= (uint64_t)asked_ms + (slack < 250 ? 250 : slack))
		return;
	spout_warning("was stopped for %llu ms: heartbeats start anew",
	    (unsigned long long)slept_ms);
	sup->pulse_floor_ms = sup->now_ms;
}

static void
wait_for_events(struct spout__supervisor *sup, struct pollfd *fds)
{
	uint64_t before = sup->now_ms; /* of the last round: a pause between polls
				        * counts */
	int asked;
	unsigned i;

	sup->now_ms = spout__clock_ms();
	asked = next_wait_ms(sup);
	fds[0] = (struct pollfd){ .fd = sup->signal_fd, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = sup->kin, .events = POLLIN };
	for (i = 0; i < n_slots(sup); i++)
		fds[2 + i] =
		    (struct pollfd){ .fd = sup->slots[i].control, .events = POLLIN };
	fds[2 + i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	if (sup->o.watched_fd > 0)
		fds[2 + i].fd = sup->o.watched_fd;
	if (poll(fds, 3 + n_slots(sup), asked) < 0)
		fds[2 + i].revents = 0; /* EINTR, ENOMEM: the next round tries again */
	sup->now_ms = spout__clock_ms();
	notice_pause(sup, sup->now_ms - before, asked);
}

static void
check_serving(struct spout__supervisor *sup)
{
	unsigned i;

	if (sup->phase != SPOUT__PHASE_STARTING)
		return;
	for (i = 0; i < sup->n_workers; i++)
		if (!sup->slots[i].proven)
			return;
	sup->phase = SPOUT__PHASE_SERVING;
	atomic_store_explicit(&sup->o.board->serving, 1, memory_order_relaxed);
	if (sup->o.listeners != NULL) {
		spout__listeners_steer(sup->o.listeners, sup->n_workers);
		spout__listeners_announce(sup->o.listeners);
	}
	if (sup->kin >= 0) {
		spout__upgrade_serving(sup);
	} else {
		if (sup->o.listeners != NULL)
			spout__notify_store(sup->o.listeners);
		spout__supervisor_tell_ready(sup);
	}
	if (sup->o.on_serving != NULL)
		sup->o.on_serving(sup->o.arg);
}

static bool
all_stopped(const struct spout__supervisor *sup)
{
	unsigned i;

	for (i = 0; i < n_slots(sup); i++)
		if (sup->slots[i].state != SPOUT__WORKER_STOPPED)
			return false;
	return true;
}

/* Stopping, and no worker will accept any more: from now on connections are refused. */
static void
check_shut(struct spout__supervisor *sup)
{
	unsigned i;

	if (sup->phase != SPOUT__PHASE_STOPPING || sup->shut || sup->o.listeners == NULL)
		return;
	for (i = 0; i < n_slots(sup); i++)
		if (sup->slots[i].state == SPOUT__WORKER_DRAINING &&
		    !sup->slots[i].accepted)
			return;
	sup->shut = true;
	spout__listeners_shut(sup->o.listeners);
}

static void
look_at_watched(struct spout__supervisor *sup, const struct pollfd *fd)
{
	if (fd->revents == 0 || sup->phase == SPOUT__PHASE_STOPPING)
		return;
	sup->o.watched_fd = 0;
	if (sup->o.on_watched(sup->o.arg))
		spout__supervisor_stop(sup, 0);
}

static void
feed_watchdog(struct spout__supervisor *sup)
{
	if (sup->watchdog_ms == 0 || sup->now_ms < sup->watchdog_at_ms)
		return;
	sup->watchdog_at_ms = sup->now_ms + sup->watchdog_ms;
	spout__notify("WATCHDOG=1");
}

static void
run_round(struct spout__supervisor *sup, struct pollfd *fds)
{
	unsigned i;

	wait_for_events(sup, fds);
	look_at_watched(sup, &fds[2 + n_slots(sup)]);
	for (i = 0; i < n_slots(sup); i++)
		if (sup->slots[i].control >= 0)
			spout__slot_read(sup, &sup->slots[i]);
	spout__upgrade_read(sup);
	read_signals(sup);
	if (sup->stop_due_ms != 0 && sup->now_ms >= sup->stop_due_ms)
		spout__supervisor_stop(sup, 0);
	spout__scoreboard_follow_log_level(sup->o.board);
	reap(sup);
	check_serving(sup);
	check_shut(sup);
	for (i = 0; i < n_slots(sup); i++) {
		if (sup->slots[i].deadline_ms <= sup->now_ms)
			spout__slot_expired(sup, &sup->slots[i]);
		spout__slot_check_pulse(sup, &sup->slots[i]);
	}
	spout__reload_round(sup);
	spout__scale_round(sup);
	spout__recycle_round(sup);
	spout__upgrade_round(sup);
	feed_watchdog(sup);
}

/* --- life cycle ------------------------------------------------------------------ */

static uint64_t
or_default(uint64_t value, uint64_t otherwise)
{
	return value != 0 ? value : otherwise;
}

static void
set_defaults(struct spout__supervisor_options *o)
{
	o->max_workers = (unsigned)or_default(o->max_workers, o->n_workers);
	o->recycle_look_ms = or_default(o->recycle_look_ms, 1000);
	o->steer_ms = or_default(o->steer_ms, 1500);
	o->drain_timeout_ms = or_default(o->drain_timeout_ms, 30000);
	o->quick_timeout_ms = or_default(o->quick_timeout_ms, 1000);
	o->boot_timeout_ms = or_default(o->boot_timeout_ms, 60000);
	o->hang_timeout_ms = or_default(o->hang_timeout_ms, 10000);
	o->abort_grace_ms = or_default(o->abort_grace_ms, 5000);
	o->healthy_ms = or_default(o->healthy_ms, 10000);
	o->backoff_min_ms = or_default(o->backoff_min_ms, 100);
	o->backoff_max_ms = or_default(o->backoff_max_ms, 5000);
	o->restart_window_ms = or_default(o->restart_window_ms, 60000);
	o->restart_budget =
	    (unsigned)or_default(o->restart_budget, 10 + 5 * o->n_workers);
}

static int
open_signals(sigset_t *ret_old)
{
	static const int wanted[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2,
		SIGTTIN, SIGTTOU, SIGCHLD };
	struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t set;
	size_t i;
	int fd;

	sigemptyset(&set);
	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		sigaddset(&set, wanted[i]);
	sigaction(SIGCHLD, &sa, NULL); /* ignored, it would reap by itself */
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL);
	if (sigprocmask(SIG_BLOCK, &set, ret_old) < 0)
		return -errno;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* A lock that another thread holds at the fork stays locked in the workers for ever. */
static void
warn_of_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned n = 0;

	if (dir == NULL)
		return;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	if (n > 3) /* ".", ".." and us */
		spout_warning(
		    "%u threads run before the fork: workers may hang on their locks",
		    n - 3);
}

static void
supervise(struct spout__supervisor *sup, struct pollfd *fds)
{
	unsigned i;

	sup->now_ms = spout__clock_ms();
	atomic_store_explicit(
	    &sup->o.board->started_ms, sup->now_ms, memory_order_relaxed);
	for (i = 0; i < n_slots(sup); i++) {
		sup->slots[i] = (struct spout__slot){ .index = i,
			.place = i,
			.control = -1,
			.state = i < sup->n_workers ? SPOUT__WORKER_WAITING
						    : SPOUT__WORKER_STOPPED,
			.deadline_ms = SPOUT__NEVER };
	}
	atomic_store(&sup->o.board->n_workers, sup->n_workers);
	for (i = 0; i < sup->n_workers && sup->phase != SPOUT__PHASE_STOPPING; i++)
		spout__slot_start(sup, &sup->slots[i]);
	while (!all_stopped(sup))
		run_round(sup, fds);
}

static int
run_with_memory(struct spout__supervisor *sup, struct pollfd *fds)
{
	char why[SPOUT__WHY];

	spout__upgrade_begin(sup);
	if (sup->o.pid_file != NULL && sup->pid_fd < 0) {
		sup->pid_fd = spout__pidfile_open(sup->o.pid_file, why);
		if (sup->pid_fd < 0) {
			spout_error_log("%s", why);
			return 1;
		}
	}
	sup->signal_fd = open_signals(&sup->old_mask);
	if (sup->signal_fd >= 0) {
		warn_of_threads();
		supervise(sup, fds);
		close(sup->signal_fd);
		sigprocmask(SIG_SETMASK, &sup->old_mask, NULL);
	} else {
		spout_error_log("signalfd: %s", strerror(-sup->signal_fd));
		sup->status = 1;
	}
	if (sup->kin >= 0) { /* never responsible: what there is belongs to the other */
		close(sup->kin);
		if (sup->pid_fd >= 0 && sup->heir == 0)
			close(sup->pid_fd);
	}
	if (sup->pid_fd >= 0 && (sup->kin < 0 || sup->heir != 0))
		spout__pidfile_close(sup->o.pid_file, sup->pid_fd);
	return sup->status;
}

/* The process before had more workers: fill their slots, then empty them. */
static void
set_workers(struct spout__supervisor *sup)
{
	const struct spout__listeners *ls = sup->o.listeners;

	sup->n_wanted = sup->n_workers = sup->o.n_workers;
	if (ls != NULL && ls->n_slots > sup->n_workers &&
	    ls->n_slots <= sup->o.max_workers)
		sup->n_workers = ls->n_slots;
}

int
spout__supervisor_run(const struct spout__supervisor_options *options)
{
	struct spout__supervisor sup = { .o = *options,
		.pid_fd = -1,
		.kin = -1,
		.watchdog_ms = spout__notify_watchdog_ms(),
		.pid = getpid() };
	struct pollfd *fds;
	int status = 1;

	set_defaults(&sup.o);
	if (sup.o.n_workers == 0 || sup.o.n_workers > sup.o.max_workers ||
	    sup.o.max_workers > SPOUT__WORKERS_MAX) {
		spout_error_log("number of workers must be 1 to %u", SPOUT__WORKERS_MAX);
		return 1;
	}
	spout_random(&sup.host, sizeof(sup.host));
	set_workers(&sup);
	sup.slots = calloc(n_slots(&sup), sizeof(*sup.slots));
	sup.deaths = calloc(sup.o.restart_budget, sizeof(*sup.deaths));
	fds = calloc(3 + n_slots(&sup), sizeof(*fds));
	if (sup.slots != NULL && sup.deaths != NULL && fds != NULL)
		status = run_with_memory(&sup, fds);
	else
		spout_error_log("supervisor: out of memory");
	free(sup.slots);
	free(sup.deaths);
	free(fds);
	return status;
}
