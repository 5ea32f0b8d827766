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
	int agent_listener;    /* the same */
	int access_log_fd;     /* -1: none; the number stays when the file is another */
	struct spout_tls *tls; /* of the listeners in `over_tls`; NULL: none */
	uint64_t over_tls;     /* bit i: the worker's listener i */
	uint64_t proxied;      /* the same for those with the PROXY protocol */
	int watched_fd;        /* --debug: of the watcher (rebuilt.h); 0: none */
	bool rebuilt;          /* become the new program when this one has ended */
	/* For a reload: the command line, and what the application itself asked for. */
	int argc;
	char **argv;
	struct {
		uint64_t request_timeout_ms, max_body_bytes;
		const char *cookie_secret;
	} asked;
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

/** Was an option given, by whatever source? */
bool spout__option_given(const struct spout__options *options, const char *name);
/** The application's own limits stand where nobody gave a value. */
void spout__program_apply_asked(const struct spout__program *program,
    struct spout__settings *s, const struct spout__options *options);
/** The secret of the cookies: of the settings, else the application's own. */
void spout__program_apply_secret(struct spout__program *program);
/** Have the log of this process as the settings say. */
void spout__program_configure_log(const struct spout__program *program);
/** Open the file of the access log. Returns a descriptor, or -errno. */
int spout__program_open_access_log(const struct spout__program *program);

/** Before the program on disk is started in an upgrade: what the environment lacks. */
void spout__program_before_exec(void *arg);

/* reload.c: what the supervisor calls, `arg` is the program. */

/** Read the configuration again; 0, or -EINVAL after having logged what is wrong. */
int spout__program_reload(void *arg);
/** Keep what was read, or put back what was before. */
void spout__program_reload_end(void *arg, bool taken);
/** Open the access log anew; its descriptor, or -1. */
int spout__program_reopen(void *arg);
/** Free what reloads have left. */
void spout__program_reload_release(void);

/** Told to the supervisor beyond --drain-timeout, for what comes after the last request.
 */
#define SPOUT__STOP_GRACE_MS 3000u

#endif
