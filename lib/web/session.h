/* SPDX-License-Identifier: MIT */
/*
 * Sessions, as the guard and the layer above see them. Where they are kept in a database
 * is for that layer: this one may not know it.
 */
#ifndef SPOUT_WEB_SESSION_H
#define SPOUT_WEB_SESSION_H

#include <spout/session.h>

/** A place for sessions. Each may wait, and leaves when it cannot do its work. */
struct spout__session_store {
	/* The text that was saved under a key, in the scope; NULL: none, or expired. */
	const char *(*load)(const char *key);
	/* Keep it for that long. */
	void (*save)(const char *key, const char *text, int64_t seconds);
	void (*remove)(const char *key);
};

/** Digits of a key: SHA-256 of the id. */
#define SPOUT__SESSION_KEY_LEN 64u

/** Keep what the handler has changed, after it has returned; `req` has been guarded. */
void spout__session_finish(struct spout_request *req);

#endif
