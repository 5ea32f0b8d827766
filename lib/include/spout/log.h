/* SPDX-License-Identifier: MIT */
/*
 * Logging. A line goes to a bounded ring of the process and is written to stderr by
 * one thread, so that logging never blocks the loop; when the ring is full the line
 * is dropped and counted. Before spout__log_start() lines are written directly.
 * Any thread may log. Lines logged inside a request carry its request id.
 */
#ifndef SPOUT_LOG_H
#define SPOUT_LOG_H

#include <spout/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum spout_log_level {
	SPOUT_LOG_DEBUG,
	SPOUT_LOG_INFO,
	SPOUT_LOG_WARNING,
	SPOUT_LOG_ERROR,
};

/** Log one line (no newline at its end). Copies. Never waits. Any thread. */
SPOUT_API void spout_log(enum spout_log_level level, const char *fmt, ...)
    SPOUT_PRINTF(2, 3);
SPOUT_API void spout_vlog(enum spout_log_level level, const char *fmt, va_list ap);

/** True if a line of this level would be logged. */
SPOUT_API bool spout_log_enabled(enum spout_log_level level);

#define spout_debug(...) \
	(spout_log_enabled(SPOUT_LOG_DEBUG) ? \
	    spout_log(SPOUT_LOG_DEBUG, __VA_ARGS__) : (void)0)
#define spout_info(...) spout_log(SPOUT_LOG_INFO, __VA_ARGS__)
#define spout_warning(...) spout_log(SPOUT_LOG_WARNING, __VA_ARGS__)
#define spout_error_log(...) spout_log(SPOUT_LOG_ERROR, __VA_ARGS__)

#ifdef __cplusplus
}
#endif

#endif
