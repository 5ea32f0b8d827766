/* SPDX-License-Identifier: MIT */
/*
 * Which sockets of a SO_REUSEPORT group get the next connections: a classic BPF program,
 * which the kernel asks instead of its hash. Any process that holds a socket of the group
 * may attach one, without privileges; it holds for the whole group until the next one.
 * Members count in the order in which they began to listen.
 */
#ifndef SPOUT_SUPERVISOR_STEER_H
#define SPOUT_SUPERVISOR_STEER_H

#include <spout/types.h>

#define SPOUT__STEER_MAX 256u

/**
 * One of these members, by chance, gets each new connection from now on. Those that wait
 * on a socket already stay there. Returns 0; -EINVAL for no member or more than
 * SPOUT__STEER_MAX; else -errno, and the group is as it was.
 */
int spout__steer(int fd, const uint16_t *members, unsigned n);
/** The same with members 0 to n - 1. */
int spout__steer_first(int fd, unsigned n);

#endif
