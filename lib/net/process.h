/* SPDX-License-Identifier: MIT */
/*
 * Inside of struct spout_process (spout/process.h). Loop thread, but for
 * spout__process_spawn().
 *
 *   NEW --spawned--> RUNNING --time-out, close, end of its scope--> STOPPING (SIGTERM)
 *                       |                                             | grace_ms
 *                       |                                          KILLED (SIGKILL)
 *                       +-------------- pidfd readable --> EXITED <---+
 *
 * From RUNNING to EXITED it is on the list of its loop; if its owner, the scope, has
 * ended by then, it is freed.
 */
#ifndef SPOUT_NET_PROCESS_H
#define SPOUT_NET_PROCESS_H

#include <event2/event_struct.h>

#include <spout/process.h>

#include "async/async.h"
#include "async/line.h"
#include "loop/loop.h"

enum spout__process_state {
	SPOUT__PROCESS_NEW,
	SPOUT__PROCESS_RUNNING,
	SPOUT__PROCESS_STOPPING,
	SPOUT__PROCESS_KILLED,
	SPOUT__PROCESS_EXITED,
};

struct spout_process {
	struct spout_loop *loop;
	struct spout__hold hold;      /* by the scope that owns it */
	struct spout__list link;      /* on the list of the loop */
	struct event event;           /* of the pidfd */
	struct spout__timer timer;    /* time-out, then grace */
	uint64_t timeout_ms, grace_ms;
	enum spout__process_state state;
	struct spout_process_exit exit;
	bool timed_out;               /* why it is being stopped */
	struct spout__line waiters;
	struct spout__list futures;   /* of spout_process_wait_async() */
	struct spout_stream *streams[3];
	int ours[3];                  /* ends of pipes until they are streams, or -1 */
	int childs[3];                /* what the child gets, until it has it, or -1 */
	int pid, pidfd;               /* 0 and -1: none */
	bool owned, watched;
	struct spout__ready free_later;
	char name[48];                /* of the program, for messages */
};

/** What the spawning thread needs: everything borrowed. */
struct spout__process_spawn {
	struct spout_process *process;
	const char *const *argv;
	const struct spout_process_options *options;
};

/** Make the pipes and copies of descriptors that the options ask for. 0 or -errno. */
int spout__process_open(struct spout_process *process,
    const struct spout_process_options *options);
/**
 * Job: run the program, filling in pid and pidfd. Any thread; blocks until the kernel has
 * run the program. Returns 0 or -errno, with nothing running.
 */
int spout__process_spawn(void *spawn);
/** Close what is open in `fds`. */
void spout__process_close_fds(int fds[3]);

/**
 * Stop every process of the loop and reap it: SIGTERM, after at most `grace_ms` SIGKILL.
 * Blocks: for the end of a worker.
 */
void spout__processes_stop(struct spout_loop *loop, uint64_t grace_ms);

#endif
