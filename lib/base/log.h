/* SPDX-License-Identifier: MIT */
/*
 * Inside of the log (see spout/log.h): who writes, in which form, with which context.
 *
 * spout__log_start() starts the log thread (after the fork); spout__log_stop() writes
 * what is in the ring and joins it. Both on the main thread. Before and after, lines are
 * written directly. The access log uses the same ring.
 */
#ifndef SPOUT_BASE_LOG_H
#define SPOUT_BASE_LOG_H

#include <spout/log.h>

#include <stdatomic.h>

enum spout__log_format { SPOUT__LOG_TEXT, SPOUT__LOG_JSON };

struct spout__log_options {
	enum spout_log_level level;
	enum spout__log_format format;
	int fd;              /* where lines go [2] */
	const char *process; /* "supervisor", "worker 0": borrowed */
};

void spout__log_configure(const struct spout__log_options *options);
/** Log lines of this enum spout_log_level and above; -1: as configured. Any thread. */
void spout__log_set_level(int level);
const struct spout__log_options *spout__log_current(void);
/** Start the writing thread. Returns 0 or -errno. */
int spout__log_start(void);
/** Write out the ring, end the thread. */
void spout__log_stop(void);
/** A line of level info that the level of the log does not hold back. */
void spout__log_notice(const char *fmt, ...) SPOUT_PRINTF(1, 2);
/** A raw line (no prefix, a newline is added) to `fd`: the access log. Never waits. */
void spout__log_raw(int fd, const char *line, size_t len);

/** The request id of the running coroutine, for every line; NULL for none. Borrowed. */
extern __thread const char *spout__log_request_id
    __attribute__((tls_model("initial-exec")));

/**
 * One kind of line that may come in floods: static, all zero. spout__log_admit() is true
 * for the first SPOUT__LOG_BURST of a second; later, before the first that is admitted
 * again, it logs how many were left out. Costs a few instructions. Any thread.
 */
struct spout__log_kind {
	_Atomic uint64_t window; /* the second, and how many lines it has seen */
	_Atomic uint64_t left_out;
};

#define SPOUT__LOG_BURST 20u
bool spout__log_admit(struct spout__log_kind *kind, enum spout_log_level level);

/** Log a line unless the place where it stands logs too many. */
#define spout__log_often(level, ...) \
	do { \
		static struct spout__log_kind kind; \
		if (spout_log_enabled(level) && spout__log_admit(&kind, (level))) \
			spout_log((level), __VA_ARGS__); \
	} while (0)

/** Write a line for a bug with async-signal-safe calls only, then abort(). */
void spout__bug(const char *fmt, ...) SPOUT_PRINTF(1, 2) SPOUT_NORETURN;

/** An assertion that is on in every build: log, abort; the supervisor replaces us. */
#define spout__assert(cond) \
	((cond) ? (void)0 \
		: spout__bug("%s:%d: assertion failed: %s", __FILE__, __LINE__, #cond))

#endif
