/* SPDX-License-Identifier: MIT */
/*
 * Requests that end the worker which runs them, again and again: after the third such
 * death in a minute they are answered 503 for a while, so that the rest is served. The
 * first of them after that time is let through; should it end a worker too, they are held
 * off twice as long, up to SPOUT__QUARANTINE_MAX_MS.
 *
 * The table is memory that the supervisor shares with its workers. It alone writes; they
 * look, which costs two instructions as long as nobody is held off.
 */
#ifndef SPOUT_BASE_QUARANTINE_H
#define SPOUT_BASE_QUARANTINE_H

#include <spout/types.h>

#include <stdatomic.h>

#include "base/inflight.h"

#define SPOUT__QUARANTINE_ROUTES 32u
#define SPOUT__QUARANTINE_DEATHS 3u
#define SPOUT__QUARANTINE_WINDOW_MS 60000u
#define SPOUT__QUARANTINE_MS 30000u
#define SPOUT__QUARANTINE_MAX_MS 600000u

struct spout__quarantine_row {
	char what[SPOUT__INFLIGHT_WHAT]; /* as in the table of requests in flight */
	_Atomic uint32_t deaths;         /* in a row; 0: the row is free */
	_Atomic uint64_t last_ms, until_ms; /* monotonic */
};

struct spout__quarantine {
	_Atomic uint64_t until_ms; /* the latest of all rows */
	struct spout__quarantine_row rows[SPOUT__QUARANTINE_ROUTES];
};

/** That of this process; empty memory of its own unless it has been set. Never NULL. */
extern struct spout__quarantine *spout__quarantine;

/**
 * Supervisor: a worker was ended by this request. Returns for how many milliseconds such
 * requests are held off from now on; 0: they are not.
 */
uint64_t spout__quarantine_blame(
    struct spout__quarantine *q, const char *what, uint64_t now_ms);
/** Milliseconds that requests like this one are still held off; 0: they are not. */
uint64_t spout__quarantine_left_ms(struct spout_slice what, uint64_t now_ms);

/** Is there any that is? */
static inline bool
spout__quarantine_any(uint64_t now_ms)
{
	return atomic_load_explicit(&spout__quarantine->until_ms, memory_order_relaxed) >
	    now_ms;
}

#endif
