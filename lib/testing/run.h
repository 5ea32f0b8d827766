/* SPDX-License-Identifier: MIT */
/* The run of a test that goes on, for the files of this folder. */
#ifndef SPOUT_TESTING_RUN_H
#define SPOUT_TESTING_RUN_H

#include <spout/loop.h>
#include <spout/testing.h>

#include "testing/seam.h"

struct spout__test_run {
	struct spout_loop *loop;
	uint64_t timeout_ms;
	const char *where;
	struct spout__list servers; /* of spout_test_serve() */
	int timer_fd;               /* real time, whatever the loop's clock says */
	struct spout_fd_handler *timer;
	bool closing;               /* the test has ended, its servers are being closed */
	struct spout_test_result result;
};

/** The table of the library. */
static inline const struct spout__seam *
spout__seam(void)
{
	return spout_testing_seam();
}

/** The run of this thread, NULL if there is none. */
struct spout__test_run *spout__test_run_current(void);
/** Close the servers of the run; their stop hooks run from now on. */
void spout__test_servers_close(struct spout__test_run *run);
/** Free them; no coroutine is alive any more. */
void spout__test_servers_free(struct spout__test_run *run);
/** Make what a test asked for complete: `from` with its size, in `size` bytes at `to`. */
void spout__test_options_copy(void *to, size_t size, const void *from, size_t from_size);

#endif
