/* SPDX-License-Identifier: MIT */
/* The pid file: locked as long as its process lives. */
#ifndef SPOUT_SUPERVISOR_PIDFILE_H
#define SPOUT_SUPERVISOR_PIDFILE_H

#include <sys/types.h>

#include "supervisor/listeners.h"

/**
 * Write our pid to `path` and keep a lock on it. Returns the descriptor (close-on-exec; a
 * forked child closes it), or -errno with one line in `ret_why` (-EEXIST: it belongs to a
 * process that lives).
 */
int spout__pidfile_open(const char *path, char ret_why[SPOUT__WHY]);
/** Write another pid, of a process that has inherited the descriptor. Logs a failure. */
void spout__pidfile_write(int fd, pid_t pid);
/** Remove the file, release the lock. */
void spout__pidfile_close(const char *path, int fd);

#endif
