/* SPDX-License-Identifier: MIT */
/*
 * Requests in flight of a worker, in memory that others may read while it runs and after
 * it died: what was a crashed or hung worker doing?
 *
 * Only the loop's thread writes. A record carries a sequence number that is odd while it
 * is being written: odd with a dead owner is torn. Texts are copied, no pointers.
 * Claiming is a list pop and two short copies; a request that finds all records taken
 * goes untracked.
 */
#ifndef SPOUT_BASE_INFLIGHT_H
#define SPOUT_BASE_INFLIGHT_H

#include <spout/types.h>

#include <stdatomic.h>

#define SPOUT__INFLIGHT_MAX 1024u
#define SPOUT__INFLIGHT_NONE UINT32_MAX
#define SPOUT__INFLIGHT_WHAT 88

enum spout__inflight_state {
	SPOUT__INFLIGHT_FREE,
	SPOUT__INFLIGHT_BUSY,
	SPOUT__INFLIGHT_BLAMED, /* it ran when a fault ended its process */
};

struct spout__inflight {
	_Atomic uint32_t seq;
	uint32_t busy; /* enum spout__inflight_state */
	const char *key;       /* the text that `id` was copied from, in its process */
	uint64_t started_ms;   /* monotonic */
	char id[24], what[SPOUT__INFLIGHT_WHAT]; /* request id, "GET /users/{id}" */
};

/** Track into this zeroed table from now on; NULL: track nothing. Before any claim. */
void spout__inflight_use(struct spout__inflight table[SPOUT__INFLIGHT_MAX]);
/** Note a request (texts are cut to fit); it is found again by the address of `id`, which
 * clients choose and may give twice. Returns a record number, or _NONE. */
uint32_t spout__inflight_claim(
    struct spout_slice id, struct spout_slice what, uint64_t started_ms);
/** It has ended. `record` may be _NONE. */
void spout__inflight_release(uint32_t record);

/** The request with this id (NULL: none) is running in a process that a fault now ends.
 * Async-signal-safe. */
void spout__inflight_blame(const char *id);

/** What the request with this id is, in this process; NULL: not known. Valid until it has
 * ended. Loop thread, also in a signal handler. */
const char *spout__inflight_what(const char *id);

/**
 * Copy a record of any process. Returns 1 (a request in flight), 0 (free), or -EAGAIN
 * (being written; torn, if its owner is dead).
 */
int spout__inflight_read(
    const struct spout__inflight *record, struct spout__inflight *ret);

#endif
