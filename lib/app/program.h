/* SPDX-License-Identifier: MIT */
/*
 * A program as its workers see it: made by spout_main() before the fork, then read-only
 * but for what the application itself changes in struct spout_app.
 */
#ifndef SPOUT_APP_PROGRAM_H
#define SPOUT_APP_PROGRAM_H

#include <spout/app.h>

#include "app/options.h"
#include "app/settings.h"

struct spout__program {
	struct spout_app app; /* a copy, as large as this library knows it */
	struct spout__settings settings;
	struct spout__options options;
	int admin_listener;    /* index among the worker's listeners; -1: none */
	int access_log_fd;     /* -1: none */
	struct spout_tls *tls; /* of the listeners in `over_tls`; NULL: none */
	uint64_t over_tls;     /* bit i: the worker's listener i */
	uint64_t proxied;      /* the same for those with the PROXY protocol */
};

_Static_assert(SPOUT__LISTENS_MAX < 64, "over_tls has a bit for each listener");

/** The context of the worker's listener `i`; NULL: it serves in the clear. */
static inline struct spout_tls *
spout__program_tls(const struct spout__program *program, unsigned i)
{
	return i < 64 && (program->over_tls >> i & 1) ? program->tls : NULL;
}

/** Does the worker's listener `i` expect the PROXY protocol? */
static inline bool
spout__program_proxied(const struct spout__program *program, unsigned i)
{
	return i < 64 && (program->proxied >> i & 1);
}

/** Told to the supervisor beyond --drain-timeout, for what comes after the last request.
 */
#define SPOUT__STOP_GRACE_MS 3000u

#endif
