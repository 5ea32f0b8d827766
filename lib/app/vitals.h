/* SPDX-License-Identifier: MIT */
/*
 * Vital signs of a worker: figures that nobody counts as they happen, but that are looked
 * up from time to time. How busy the loop is, CPU time, memory, the queue of connections
 * that wait to be accepted.
 */
#ifndef SPOUT_APP_VITALS_H
#define SPOUT_APP_VITALS_H

#include "supervisor/supervisor.h"

/** What was seen last. A cleared one is ready. */
struct spout__vitals {
	uint64_t at_us, busy_us, cpu_us;
};

/**
 * Look again and set the gauges; `lag_us` is the longest turn of the loop since then.
 * Loop thread. Reads a file of /proc.
 */
void spout__vitals_take(
    struct spout__vitals *vitals, const struct spout__worker *worker, uint64_t lag_us);

#endif
