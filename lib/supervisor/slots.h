/* SPDX-License-Identifier: MIT */
/*
 * Inside of the supervisor: the state of one worker slot, and what moves it. One slot
 * more, the spare, holds the second process of a worker during a reload: first the new
 * one that boots, then, exchanged, the old one that drains.
 */
#ifndef SPOUT_SUPERVISOR_SLOTS_H
#define SPOUT_SUPERVISOR_SLOTS_H

#include "supervisor/supervisor.h"

#include <signal.h>
#include <sys/types.h>

#define SPOUT__NEVER UINT64_MAX

/* How many workers there are is being changed, by one; the picture is in scale.c. */
enum spout__scaling {
	SPOUT__SCALING_NOT,
	SPOUT__SCALING_GROWS,  /* the new worker boots */
	SPOUT__SCALING_STEERS, /* the last one gets no new connections any more */
	SPOUT__SCALING_LEAVES, /* it drains */
};

/* Why a worker is replaced although it lives. */
enum spout__succession { SPOUT__SUCCESSION_RELOAD, SPOUT__SUCCESSION_RECYCLE };

enum spout__phase { SPOUT__PHASE_STARTING, SPOUT__PHASE_SERVING, SPOUT__PHASE_STOPPING };

struct spout__slot {
	unsigned index; /* of the worker */
	unsigned place; /* of its process's figures on the scoreboard */
	enum spout__worker_state state;
	pid_t pid;            /* 0: no process */
	int control;          /* -1: none */
	uint64_t deadline_ms; /* of this state, or SPOUT__NEVER */
	uint64_t ready_ms;    /* of this process; 0: not yet */
	uint64_t generation;
	uint32_t birth; /* of its process */
	uint64_t started_ms;
	uint64_t epoch; /* of the configuration that its process was born with */
	uint64_t requests_before; /* counted at its place by others */
	uint8_t chance; /* by which its limits for recycling are lower */
	bool proven;      /* some process of this slot has been ready */
	bool accepted;    /* it has said ACCEPTED */
	bool relieved;    /* it died while stopping: another answers its queue */
	bool cause_known; /* we ended it: `cause` says why */
	enum spout__death cause;
	unsigned short_lives; /* in a row */
	char last_words[240];
};

struct spout__supervisor {
	struct spout__supervisor_options o;
	struct spout__slot *slots; /* one per worker that may be, then the spare */
	unsigned n_workers;        /* that have a slot: 0 to n - 1 */
	unsigned n_wanted;         /* scaling goes there */
	enum spout__scaling scaling;
	uint64_t steered_at_ms; /* SCALING_STEERS: when it may leave */
	uint64_t *deaths; /* ring of the times of the last restart_budget short lives */
	uint64_t n_deaths;
	enum spout__phase phase;
	uint64_t now_ms;         /* of this round */
	uint64_t pulse_floor_ms; /* heartbeats count as at least this recent */
	uint64_t stop_due_ms;    /* a stop will begin then; 0: none is asked for */
	uint64_t stop_at_ms;     /* while stopping: when SIGKILL comes */
	int signal_fd, pid_fd;
	sigset_t old_mask; /* of the caller */
	/* An upgrade; roles and picture in upgrade.c. */
	int kin;    /* to the supervisor of the other program; -1: none */
	pid_t heir; /* the new program, in the old one; 0: none */
	bool heir_dead; /* it has ended: its last messages are read */
	uint64_t upgrade_until_ms;
	bool upgrade_wanted, handed_over;
	char upgrade_why[240];
	pid_t pid;
	int status;
	bool shut; /* the listeners are closed */
	uint64_t epoch; /* counts the reloads */
	bool reload_wanted, reloading;
	bool renewed;   /* this reload has brought a new worker to serve */
	bool succeeding; /* the spare holds a new process, not an old one */
	enum spout__succession succession; /* what for */
	uint64_t recycle_at_ms; /* when to look next */
	unsigned recycle_next;  /* the worker to look at first */
	uint32_t noted_signals;
	uint32_t births;
	uint64_t host;
	uint64_t watchdog_ms, watchdog_at_ms; /* systemd's: how often, when next */
};

/** Fork the process of a slot. 0 or -errno. Does not return in the child. */
int spout__spawn(struct spout__supervisor *sup, struct spout__slot *slot);

/* peers.c */

/** Link a process that was just born to all others that live. */
void spout__peers_link(struct spout__supervisor *sup, const struct spout__slot *slot);

/* slots.c */

/** Start a process in a WAITING slot; a fork that fails counts as a death. */
void spout__slot_start(struct spout__supervisor *sup, struct spout__slot *slot);
/** Read what the worker has sent. */
void spout__slot_read(struct spout__supervisor *sup, struct spout__slot *slot);
/** Its process is gone, with this wait status. */
void spout__slot_reaped(
    struct spout__supervisor *sup, struct spout__slot *slot, int status);
/** The deadline of its state has passed. */
void spout__slot_expired(struct spout__supervisor *sup, struct spout__slot *slot);
/** Abort a running worker whose heart has stopped. */
void spout__slot_check_pulse(struct spout__supervisor *sup, struct spout__slot *slot);
/** Tell it to finish (DRAIN or, for a second signal, STOP) before sup->stop_at_ms. */
void spout__slot_stop(struct spout__supervisor *sup, struct spout__slot *slot,
    enum spout__control_kind how);

/** Tell it that a new process has taken its place; SIGKILL after the drain time-out. */
void spout__slot_retire(struct spout__supervisor *sup, struct spout__slot *slot);
/** The spare and the slot of its worker exchange their processes. */
void spout__slot_exchange(struct spout__supervisor *sup);
/** The spare holds no process any more, or none that counts. */
void spout__slot_vacate(struct spout__supervisor *sup);

static inline struct spout__slot *
spout__spare(const struct spout__supervisor *sup)
{
	return &sup->slots[sup->o.max_workers];
}

/* scale.c */

/** Have `n` workers as soon as nothing else is going on. */
void spout__scale_ask(struct spout__supervisor *sup, unsigned n);
/** Once a round: the next step, if it is time for one. */
void spout__scale_round(struct spout__supervisor *sup);
/** When the next round has to be, or SPOUT__NEVER. */
uint64_t spout__scale_wakes_ms(const struct spout__supervisor *sup);
/** The worker that was added could not start, and why: there is none. */
void spout__scale_failed(struct spout__supervisor *sup, const char *why);

/* reload.c */

/** Start the successor of a running worker, in the spare, which must be empty. */
void spout__succeed(struct spout__supervisor *sup, struct spout__slot *slot,
    enum spout__succession why);
/** SIGHUP: begin a reload as soon as none is going on. */
void spout__reload_ask(struct spout__supervisor *sup);
/** One waits for nothing but the next round. */
bool spout__reload_due(const struct spout__supervisor *sup);
/** Once a round: the next step of a reload, if it is time for one. */
void spout__reload_round(struct spout__supervisor *sup);
/** The new worker in the spare is ready. */
void spout__successor_ready(struct spout__supervisor *sup);
/** The process of the spare has ended, or could not be made. */
void spout__successor_gone(struct spout__supervisor *sup, bool clean, const char *why);
/* recycle.c */

/** Once a round: replace a worker that has had its share. */
void spout__recycle_round(struct spout__supervisor *sup);
/** When the next round has to be, or SPOUT__NEVER. */
uint64_t spout__recycle_wakes_ms(const struct spout__supervisor *sup);
/** The successor could not start. */
void spout__recycle_failed(
    struct spout__supervisor *sup, unsigned index, const char *why);
/** Requests counted at the place of its process. */
uint64_t spout__slot_requests(
    const struct spout__supervisor *sup, const struct spout__slot *slot);
/** Serving, and no reload or scaling is going on or waits. */
bool spout__supervisor_is_calm(const struct spout__supervisor *sup);

/* upgrade.c */

/** SIGUSR2: start the program on disk as soon as nothing else is going on. */
void spout__upgrade_ask(struct spout__supervisor *sup);
/** Once a round: the next step, if it is time for one. */
void spout__upgrade_round(struct spout__supervisor *sup);
/** When the next round has to be, or SPOUT__NEVER. */
uint64_t spout__upgrade_wakes_ms(const struct spout__supervisor *sup);
/** Read what the other program says. */
void spout__upgrade_read(struct spout__supervisor *sup);
/** The new program has ended, with this wait status. */
void spout__upgrade_reaped(struct spout__supervisor *sup, int status);
/** The old program stops: so does the new one. */
void spout__upgrade_stop(struct spout__supervisor *sup);
/** In a program that was just started: is it a new one? Before the pid file. */
void spout__upgrade_begin(struct spout__supervisor *sup);
/** All workers serve: tell the old one. */
void spout__upgrade_serving(struct spout__supervisor *sup);

/** SIGUSR1: open the log files anew, here and in the workers. */
void spout__reopen_logs(struct spout__supervisor *sup);

/** All is well: tell systemd, and how many workers there are. */
void spout__supervisor_tell_ready(const struct spout__supervisor *sup);
/** Do what the signal asks for. */
void spout__supervisor_signal(struct spout__supervisor *sup, uint32_t signo);
/** End the program: all slots drain; `status` becomes its exit status if not yet set. */
void spout__supervisor_stop(struct spout__supervisor *sup, int status);
/** True when too many short lives fell into the window (the breaker). Notes one. */
bool spout__supervisor_note_death(struct spout__supervisor *sup);

#endif
