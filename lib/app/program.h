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
	int admin_listener; /* index among the worker's listeners; -1: none */
	int access_log_fd;  /* -1: none */
};

/** Told to the supervisor beyond --drain-timeout, for what comes after the last request.
 */
#define SPOUT__STOP_GRACE_MS 3000u

#endif
