/* SPDX-License-Identifier: MIT */
/*
 * The files that were asked for lately, one cache per worker. Loop thread; a file that is
 * not there, or was not looked at for SPOUT__FILE_FRESH_MS, is loaded on the blocking
 * pool, once for all who wait for it. Bounded in files, bytes and descriptors; the one
 * not used for the longest time goes first.
 */
#ifndef SPOUT_WEB_FILE_CACHE_H
#define SPOUT_WEB_FILE_CACHE_H

#include "web/file.h"

struct spout__file_cache;

#define SPOUT__FILE_FRESH_MS 1000u

/** Returns owned, or NULL. */
struct spout__file_cache *spout__file_cache_new(void);
/** When no request uses it any more. NULL is fine. */
void spout__file_cache_free(struct spout__file_cache *cache);

struct spout__file_key {
	const char *root;          /* static; NULL: the path is trusted */
	struct spout_slice path;   /* without NUL; at most SPOUT__FILE_PATH_MAX bytes */
	const char *index;         /* for a path that is empty or ends with a slash */
	bool siblings;
};

/**
 * The file, borrowed until the coroutine waits: hold it with spout__file_ref() for
 * longer. Suspends while it is loaded. Returns NULL with *ret_error, -errno of
 * spout__file_load() or of the pool.
 */
struct spout__file *spout__file_cache_get(struct spout__file_cache *cache,
    const struct spout__file_key *key, int *ret_error);

/** What is held now: for tests. */
struct spout__file_cache_stats {
	unsigned slots, fds;
	size_t bytes;
	uint64_t loads;
};
struct spout__file_cache_stats spout__file_cache_stats(
    const struct spout__file_cache *cache);

#endif
