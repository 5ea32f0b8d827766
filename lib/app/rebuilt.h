/* SPDX-License-Identifier: MIT */
/*
 * --debug: the program starts again when it has been built anew.
 *
 *   watcher (a child): file of the program written --quiet--> PROGRAM ... --check
 *                           ^                                   |         |
 *                           +------ refused: a line in the log -+         | fine
 *                                                                         v
 *   supervisor:                       a byte comes, drains, executes the new program
 *
 * The new program has the process id, the arguments and the environment of the old one
 * and opens its addresses itself. The watcher dies with the supervisor. For start-up, on
 * the main thread.
 */
#ifndef SPOUT_APP_REBUILT_H
#define SPOUT_APP_REBUILT_H

#include "app/program.h"

/**
 * Start the watcher: before any socket is open, which it would hold. Returns a descriptor
 * that becomes readable when there is a new program, or -errno.
 */
int spout__rebuilt_watch(const struct spout__program *program);
/** Is there one, or has the watcher only ended? For when the descriptor is readable. */
bool spout__rebuilt_is_there(int fd);
/** Become the new program. Returns only when that fails: -errno. */
int spout__rebuilt_execute(const struct spout__program *program);

#endif
