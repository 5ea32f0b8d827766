/* SPDX-License-Identifier: MIT */
/* How many processors this process may use. Any thread. */
#ifndef SPOUT_BASE_CPUS_H
#define SPOUT_BASE_CPUS_H

/**
 * Processors of the affinity mask, or fewer if the cgroup (v2, cpu.max of it and all
 * above it) grants less time than that; at least 1. Reads files: for start-up.
 */
unsigned spout__cpu_count(void);

/**
 * The limit that a cpu.max text ("200000 100000", "max 100000") stands for, in whole
 * processors rounded up; 0 for none.
 */
unsigned spout__cpu_max_parse(const char *text);

#endif
