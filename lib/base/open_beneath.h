/* SPDX-License-Identifier: MIT */
/* Opening files below a folder, whatever a path from outside says. Any thread; blocks. */
#ifndef SPOUT_BASE_OPEN_BENEATH_H
#define SPOUT_BASE_OPEN_BENEATH_H

/**
 * Open a path below a root: no symbolic link and no ".." leads out of it. A descriptor
 * that is closed on exec, or -errno.
 */
int spout__open_beneath(int root, const char *path, int flags);
/** The same without the system call openat2: then no symbolic link is followed at all. */
int spout__open_stepwise(int root, const char *path, int flags);

#endif
