/* SPDX-License-Identifier: MIT */
/*
 * What an error page says beside the rest in debug mode, and only there: why it failed
 * and where, with the lines of the source, the functions that ran, and the request. What
 * may be a secret in the fields and in the query of the request is masked by its name.
 *
 * Made on the stack of the handler that fails. Reads files.
 */
#ifndef SPOUT_WEB_DEBUG_PAGE_H
#define SPOUT_WEB_DEBUG_PAGE_H

#include "base/backtrace.h"
#include "web/request.h"

struct spout__debug {
	const struct spout_request *req;
	const char *reason;        /* as the log has it */
	char file[SPOUT__FRAME_FILE_SIZE]; /* that failed, or "" */
	unsigned line;
	unsigned n_frames;
	struct spout__frame frames[SPOUT__FRAMES_MAX];
};

/** Find out where the caller is. Returns owned (free()), or NULL when out of memory. */
struct spout__debug *spout__debug_new(
    const struct spout_request *req, const struct spout__outcome *outcome);
/** Append the inside of a page, or members of a JSON object, each after a comma. Returns
 * 0, -EMSGSIZE or -ENOMEM. */
int spout__debug_html(const struct spout__debug *debug, struct spout__buffer *to);
int spout__debug_json(const struct spout__debug *debug, struct spout__buffer *to);

#endif
