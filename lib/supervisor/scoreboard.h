/* SPDX-License-Identifier: MIT */
/*
 * The scoreboard: memory shared by the supervisor and its workers, one slot per worker
 * that there may ever be, and one more for the process that comes or goes in a reload.
 *
 * No lock. Every word has one writer at a time: the supervisor writes what it knows of a
 * slot (pid, state, restarts), the worker its figures and its requests in flight. After a
 * death the supervisor clears gauges and requests; counters and histograms carry on.
 *
 * What the supervisor knows of worker k is always in slots[k]. The figures of its process
 * are in slots[place], and the place changes with a reload, when two processes of one
 * worker live at once: the new one takes the place that is free.
 */
#ifndef SPOUT_SUPERVISOR_SCOREBOARD_H
#define SPOUT_SUPERVISOR_SCOREBOARD_H

#include <spout/types.h>

#include "base/inflight.h"
#include "base/quarantine.h"
#include "base/stats.h"

/* Why a worker ended; id, label in /metrics, text in the log. */
#define SPOUT__DEATHS(X) \
	X(EXITED, "exit", "exited unasked") \
	X(SIGNALLED, "signal", "was killed") \
	X(HUNG, "hung", "hung") \
	X(BOOT_FAILED, "boot_failed", "could not start") \
	X(BOOT_TIMEOUT, "boot_timeout", "did not become ready in time")

#define SPOUT__ID(id, label, text) SPOUT__DEATH_##id,
enum spout__death { SPOUT__DEATHS(SPOUT__ID) SPOUT__N_DEATHS };
#undef SPOUT__ID

/** States of a worker slot; the picture is in supervisor.h. */
enum spout__worker_state {
	SPOUT__WORKER_WAITING, /* no process; one is started at a set time */
	SPOUT__WORKER_BOOTING, /* forked, has not said READY */
	SPOUT__WORKER_RUNNING,
	SPOUT__WORKER_DRAINING, /* told to finish and leave */
	SPOUT__WORKER_ABORTING, /* hung: SIGABRT sent */
	SPOUT__WORKER_KILLING,  /* SIGKILL sent */
	SPOUT__WORKER_STOPPED,  /* no process, and none will come */
};

struct spout__scoreboard_slot {
	_Atomic uint32_t pid;        /* 0: none */
	_Atomic uint32_t state;      /* enum spout__worker_state */
	_Atomic uint32_t place;      /* where its figures are */
	_Atomic uint64_t generation; /* counts the processes of this slot, from 1 */
	_Atomic uint64_t started_ms; /* monotonic, of this process */
	_Atomic uint64_t ready_ms;   /* 0: not yet */
	_Atomic uint64_t deaths[SPOUT__N_DEATHS];
	_Atomic uint64_t recycles; /* processes that had had their share */
	_Atomic uint32_t used;    /* figures: some process has had this place */
	_Atomic uint32_t serving; /* figures: the process at this place accepts */
	struct spout__stats stats;
	struct spout__inflight requests[SPOUT__INFLIGHT_MAX];
} __attribute__((aligned(4096)));

struct spout__scoreboard {
	unsigned n_slots; /* workers at most; there is one place more */
	_Atomic uint32_t n_workers; /* those that get new connections: 0 to n - 1 */
	_Atomic uint64_t spread; /* bit k: worker k gets new connections; workers */
	_Atomic uint32_t serving; /* the first generation is ready */
	_Atomic uint32_t stopping;
	_Atomic uint64_t started_ms; /* monotonic, of the supervisor */
	_Atomic uint32_t database_paused;   /* workers shall send it nothing */
	_Atomic uint32_t database_renewals; /* how often they were to connect anew */
	_Atomic uint64_t reloads, failed_reloads; /* that have ended */
	/* Written by whichever worker the operator has asked: */
	_Atomic uint32_t set_aside; /* not ready, by order; everything goes on */
	_Atomic uint32_t log_level; /* 0: as configured, else enum spout_log_level + 1 */
	struct spout__quarantine quarantine;
	struct spout__scoreboard_slot slots[];
};

/** Names of the states and deaths, for people and /metrics. */
extern const char *const spout__worker_state_names[];
extern const char *const spout__death_labels[SPOUT__N_DEATHS];
extern const char *const spout__death_texts[SPOUT__N_DEATHS];

/** Shared memory for `n_slots` workers, before the fork. Owned, or NULL with errno. */
struct spout__scoreboard *spout__scoreboard_new(unsigned n_slots);
void spout__scoreboard_free(struct spout__scoreboard *board);
/** Log at the level that the operator asked for, if he did. Every process, now and then.
 */
void spout__scoreboard_follow_log_level(const struct spout__scoreboard *board);
/** Clear the figures that a dead worker left: gauges and claims. Supervisor. */
void spout__scoreboard_clear(struct spout__scoreboard_slot *slot);
/** Log the requests that a dead worker had in flight, and blame the one that ran when a
 * fault ended it. Supervisor. */
void spout__scoreboard_log_requests(struct spout__scoreboard *board,
    const struct spout__scoreboard_slot *slot, unsigned index, uint64_t now_ms);

#endif
