/* SPDX-License-Identifier: MIT */
/*
 * Help for the tests of the supervisor: each forks a supervisor whose workers are small
 * loops, and watches it through the scoreboard and its log. start() begins such a life,
 * finish() waits for its end.
 */
#ifndef SPOUT_TESTS_SUPERVISOR_HELP_H
#define SPOUT_TESTS_SUPERVISOR_HELP_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "supervisor/supervisor.h"

#define PATIENCE_MS 60000
#define STARTS_MAX 64

/* What workers tell the test; shared memory. */
struct shared {
	_Atomic uint32_t port;
	_Atomic uint32_t n_starts;
	_Atomic uint64_t starts_ms[STARTS_MAX], ends_ms[STARTS_MAX];
	_Atomic uint64_t socket_inode[2][4]; /* by slot and generation */
	_Atomic uint32_t go;                 /* the test lets a worker go on */
	_Atomic uint64_t seen[4];
};

extern struct shared *shared;
extern struct spout__scoreboard *board;
extern pid_t supervisor;
extern char log_text[1 << 16]; /* what was read of the log so far */

/* True as soon as `cond` holds, false after long patience. */
#define eventually(cond) \
	({ \
		uint64_t until_ = spout__clock_ms() + PATIENCE_MS; \
		while (!(cond) && spout__clock_ms() < until_) \
			poll(NULL, 0, 2); \
		(cond) ? true : false; \
	})

/* Fork a supervisor that listens on port shared->port; one worker unless told. */
void start(struct spout__supervisor_options options);
/* Wait for the end of all its processes; its exit status, or -signal. */
int finish(void);
int stop_and_finish(void);

/* Read what has come of the log; whether it says `text` by now. */
bool says(const char *text);
/* Whether log_text holds `text`; prints it if not. For after the end. */
bool logged(const char *text);

/* The worker of a slot serves, in this generation or a later one. */
bool ready(unsigned slot, uint64_t generation);

/* --- workers --------------------------------------------------------------------- */

/* Write down when this worker began, and with which socket; its number. */
uint32_t note_start(const struct spout__worker *w);
/* Answer what is queued: each client gets the slot's digit. */
void accept_queued(const struct spout__worker *w);
/* Serve until told to drain; then what is queued, and leave. */
int serve(const struct spout__worker *w);
/* Beat and accept nothing, until killed. */
int idle(const struct spout__worker *w);
/* Be ready, and end at once with status 7. */
int die_young(const struct spout__worker *w);

/* --- clients --------------------------------------------------------------------- */

/* Connect and send a byte. */
int connect_and_ask(void);
/* The digit that came back, or -1 for a reset or nothing; closes. */
int answer(int fd);

#endif
