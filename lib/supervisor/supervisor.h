/* SPDX-License-Identifier: MIT */
/*
 * The supervisor: forks the workers, watches and replaces them, owns the listening
 * sockets. A plain signalfd and poll loop on the main thread: no event library, no
 * thread, and it never reads a byte from a client, so that it has little to crash on.
 *
 *                start               READY
 *     WAITING ---------> BOOTING -------------> RUNNING
 *        |                |   |                  |   |
 *        |  boot time-out |   +-------+----------+   | no heartbeat
 *        | stop           |           | stop         |
 *        |                v           |              |
 *        |             ABORTING <-----|--------------+
 *        |             SIGABRT        v
 *        |                |        DRAINING
 *        |          grace |           | drain time-out
 *        |                +-----+-----+
 *        v                      v
 *     STOPPED                KILLING
 *                            SIGKILL
 *
 * A process that is gone takes its slot, from any state, to WAITING (for the back-off
 * time) or, when the program stops, to STOPPED.
 *
 * - A worker that dies after a healthy life is replaced at once, then after 0.1 s,
 *   doubled up to 5 s, with jitter. Its sockets stay open here; the replacement gets
 *   the very same ones.
 * - A restart budget per time window breaks a crash loop: the program ends, and says why.
 * - A first generation that cannot boot ends the program with the worker's last words.
 * - SIGTERM, SIGINT, SIGQUIT: graceful stop, SIGKILL after drain_timeout_ms. A second
 *   one leaves quick_timeout_ms. With drain_delay_ms workers first serve on for that
 *   time, unready; another signal ends it.
 * - SIGTTIN, SIGTTOU: one worker more, one less (at least one stays). A new one gets
 *   connections when it is ready. For one that leaves, connections are steered to the
 *   others first; then it drains, and its sockets close: see scale.c.
 * - SIGHUP: reload. The configuration is read again; if it is right, the workers are
 *   replaced one by one: a second process boots on the sockets of the first, and only
 *   when it is ready the first one drains and leaves. If it does not become ready the
 *   reload ends there and the old worker goes on. A SIGHUP during a reload begins
 *   another after it; a stop ends it.
 * - A worker that has had its share of requests, time or memory is replaced in the same
 *   way, one at a time: see recycle.c.
 * - SIGUSR1: the log files are opened anew.
 * - Workers talk to each other over streams that are made here, when one of them is born,
 *   and passed to both; none of them stays open here.
 * - SIGUSR2: the program on disk takes over, when it is ready: see upgrade.c.
 * - Workers die with the supervisor (PR_SET_PDEATHSIG).
 */
#ifndef SPOUT_SUPERVISOR_SUPERVISOR_H
#define SPOUT_SUPERVISOR_SUPERVISOR_H

#include <spout/types.h>

#include "supervisor/control.h"
#include "supervisor/identity.h"
#include "supervisor/listeners.h"
#include "supervisor/scoreboard.h"

#define SPOUT__WORKERS_MAX 1024u
#define SPOUT__PEERED_MAX 62u

/** What a worker is given; valid until its main function returns. */
struct spout__worker {
	unsigned slot;
	unsigned place;      /* of its figures: board->slots[place] */
	uint64_t generation; /* of this slot, from 1 */
	uint32_t birth; /* counts the processes of all slots, from 1 */
	uint64_t host;  /* a number for this supervisor and its workers, by chance */
	int control;         /* to the supervisor: send READY, obey DRAIN and STOP */
	struct spout__listeners *listeners; /* spout__listener_fd(l, slot) */
	struct spout__scoreboard *board;
	void *arg;
};

struct spout__supervisor_options {
	/* 1 to SPOUT__WORKERS_MAX; if the listeners have more slots, those are filled
	 * at first, and then emptied one by one. */
	unsigned n_workers;
	unsigned max_workers; /* that there may ever be [n_workers] */
	struct spout__listeners *listeners;
	struct spout__scoreboard *board; /* with max_workers slots */
	/*
	 * The worker: runs in the forked child as its only thread, with its own log
	 * thread, figures (spout__stats) and identity in place; signals are at their
	 * defaults, but those that the supervisor obeys and SIGPIPE are ignored: orders
	 * come over the control socket. It calls
	 * spout__worker_ready() when it serves, stamps SPOUT__G_HEARTBEAT_MS
	 * (spout__clock_ms()) at least once a second from its loop, and returns the exit
	 * status: 0 after a clean drain.
	 */
	int (*worker_main)(const struct spout__worker *worker);
	void *arg;
	void (*on_serving)(void *arg);        /* all workers are ready; may be NULL */
	/*
	 * SIGHUP: read the configuration again, so that workers forked from now on have
	 * it. Returns 0, or -errno after having logged why nothing has changed. NULL:
	 * there is none, workers are replaced only.
	 */
	int (*on_reload)(void *arg);
	/* The reload has ended. `taken`: a worker serves with the new configuration;
	 * else put back the old one. May be NULL. */
	void (*on_reload_end)(void *arg, bool taken);
	/* SIGUSR1: open the logs anew; the descriptor that workers shall write to,
	 * which stays yours, or -1 for none. May be NULL. */
	int (*on_reopen)(void *arg);
	/* Each worker gets a stream to each other one: PEER messages on its control
	 * socket, then PEERED. Those beyond SPOUT__PEERED_MAX get none. */
	bool peers;
	/* SIGUSR2: what to start; NULL: the signal is ignored. In the child, before:
	 * on_exec, which may set what the environment lacks. May be NULL. */
	char **argv;
	void (*on_exec)(void *arg);
	const struct spout__identity *run_as; /* NULL: stay who we are */
	const char *pid_file;                 /* NULL: none */
	uint64_t drain_delay_ms; /* from the signal to the stop: serving, unready [0] */
	uint64_t drain_timeout_ms; /* what a graceful stop may take [30000] */
	uint64_t kill_grace_ms;    /* from then to SIGKILL [0] */
	uint64_t quick_timeout_ms; /* from the second signal to SIGKILL [1000] */
	/* A worker past one of these is replaced, one at a time; 0: no limit. */
	uint64_t max_requests, max_age_ms, max_memory_bytes;
	uint64_t recycle_look_ms; /* how often that is looked at [1000] */
	uint64_t steer_ms; /* from steering connections away from a worker to its drain:
	                    * handshakes that have begun end in that time [1500] */
	uint64_t boot_timeout_ms;  /* from the fork to READY [60000] */
	uint64_t hang_timeout_ms;  /* without a heartbeat [10000]; UINT64_MAX: no check */
	uint64_t abort_grace_ms;   /* from SIGABRT to SIGKILL [5000] */
	uint64_t healthy_ms;       /* a life of this length clears the back-off [10000] */
	uint64_t backoff_min_ms, backoff_max_ms; /* [100, 5000] */
	uint64_t restart_window_ms;              /* [60000] */
	unsigned restart_budget; /* of shorter lives, per window [10 + 5 a worker] */
	/* A descriptor of yours, or 0: when it is readable on_watched() is called, once;
	 * true begins a graceful stop. */
	int watched_fd;
	bool (*on_watched)(void *arg);
};

/**
 * Fork the workers and watch them until a signal, or a failure, ends the program. Members
 * that are 0 get the default. The listeners are left open for the caller to close.
 * Returns the exit status: 0 after a clean stop; 1 when a worker could not start, kept
 * crashing or had to be killed (the log says which).
 */
int spout__supervisor_run(const struct spout__supervisor_options *options);

/** In the worker: it serves. Returns 0 or -errno. */
int spout__worker_ready(const struct spout__worker *worker);
/**
 * In the worker, told to drain: it has accepted what was queued. Closes its sockets; when
 * every worker has said so, the supervisor does, and connections are refused.
 */
void spout__worker_accepted(const struct spout__worker *worker);
/**
 * In the worker, for whoever operates the program: have `n` workers from now on. The
 * supervisor logs what becomes of it. Returns 0 or -errno.
 */
int spout__worker_ask_scale(const struct spout__worker *worker, unsigned n);
/** The same with what a signal to the supervisor would do: SIGHUP, SIGUSR1, SIGTERM … */
int spout__worker_ask_signal(const struct spout__worker *worker, int signo);
/** In the worker: it cannot start, and why; return non-zero from worker_main after it. */
void spout__worker_boot_failed(const struct spout__worker *worker, const char *fmt, ...)
    SPOUT_PRINTF(2, 3);

#endif
