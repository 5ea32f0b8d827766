/* SPDX-License-Identifier: MIT */
/* A loaded file as the answer to a request: conditions, ranges, fields, body. */
#ifndef SPOUT_WEB_SEND_FILE_H
#define SPOUT_WEB_SEND_FILE_H

#include "web/condition.h"
#include "web/file.h"
#include "web/file_cache.h"
#include "web/request.h"

/** Version of a file for its URL: the tag without its quotes. */
struct spout_slice spout__file_version(const struct spout__file *file);
/**
 * Answer with `file` (borrowed until this waits for the first time; referenced then).
 * `type` with data NULL: its own. `cache_control` NULL: none. Suspends; leaves.
 */
void spout__file_answer(struct spout_request *req, struct spout__file *file,
    struct spout_slice type, const char *cache_control);
/** The cache of this worker. Leaves when out of memory. */
struct spout__file_cache *spout__files_of(struct spout_request *req);
/** Answer that a file cannot be had: -errno of spout__file_cache_get(). */
void spout__file_refuse(struct spout_request *req, int error) SPOUT_NORETURN;

#endif
