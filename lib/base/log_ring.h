/* SPDX-License-Identifier: MIT */
/*
 * The ring between those who log and the one thread that writes.
 *
 * Whole lines of any thread go in without a lock (a producer that is preempted half-way
 * delays the writer, never another producer). A line that finds the ring full is dropped
 * and counted; the writer says later how many were. Lines of one thread leave in order.
 *
 *     tail ->[ len fd text | len fd text | 0 (reserved, being copied) ]<- head
 */
#ifndef SPOUT_BASE_LOG_RING_H
#define SPOUT_BASE_LOG_RING_H

#include <spout/types.h>

#define SPOUT__LOG_RING_BYTES (256u * 1024)
/** Longest line that is taken, newline included; longer ones are cut by the caller. */
#define SPOUT__LOG_LINE_MAX (16u * 1024)

/** Compose the line that tells of `n` dropped lines; returns its length. */
typedef size_t (*spout__log_dropped_fn)(char *to, size_t cap, uint64_t n);

/** Start the writing thread; drops are told through `fd`. Returns 0 or -errno. */
int spout__log_ring_start(int fd, spout__log_dropped_fn compose);
/** Write out what is queued (for two seconds at the very most), end the thread. */
void spout__log_ring_stop(void);
/** Queue a whole line. False when the ring is not running: write it yourself. */
bool spout__log_ring_put(int fd, const char *line, size_t len);
/** Write out what is queued before an abort. Async-signal-safe; waits 200 ms at most. */
void spout__log_ring_rescue(void);
/**
 * Write now, waiting at most `patience_ms` for a reader that does not read. Returns
 * whether everything was written. Async-signal-safe.
 */
bool spout__log_write(int fd, const char *data, size_t len, uint64_t patience_ms);
/** Count `n` lines that were lost. */
void spout__log_count_dropped(uint64_t n);

#endif
