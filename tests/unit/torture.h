/* SPDX-License-Identifier: MIT */
/*
 * Allocation torture: a scenario is run again and again while its n-th allocation fails,
 * n = 1, 2, … until it passes untouched; then once more from the start with every
 * allocation from the n-th on failing. It must neither crash, nor hang, nor leave a block
 * or a descriptor behind.
 *
 * What can fail: malloc, calloc, realloc, strdup, asprintf, mmap, eventfd and
 * pthread_create as the library calls them (the linker's --wrap, see module.mk), and
 * every allocation inside libevent and jansson. One thread arms; all threads are hit.
 */
#ifndef SPOUT_TESTS_TORTURE_H
#define SPOUT_TESTS_TORTURE_H

#include <stdbool.h>

/* Before anything else in main(): libevent and jansson allocate through us. */
void torture_init(void);

/* Runs the scenario until it passes untouched. `run` says whether it did all of its work;
 * it has to when nothing failed, and frees all that it made whatever failed. */
void torture(const char *name, bool (*run)(void));

/* Around what belongs to the test and not to what is tested. Nest. */
void torture_pause(void);
void torture_resume(void);

/* Blocks of memory that those calls have given and not got back. */
long torture_live(void);

#endif
