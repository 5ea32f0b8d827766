/* SPDX-License-Identifier: MIT */
/*
 * Sessions: named texts that the server keeps for one browser, from request to request.
 *
 *     static const struct spout_sessions sessions = { .idle_s = 3600 };
 *     …
 *     spout_main(argc, argv, &(struct spout_app){ .routes = routes,
 *         .sessions = &sessions });
 *
 *     spout_session_rotate(req);                      // at the login
 *     spout_session_set(req, "user", name);
 *     …
 *     const char *user = spout_session_get(req, "user");
 *
 * A request that asks for nothing of its session costs nothing. Changes are kept when the
 * handler returns; one that fails changes nothing. In the database a session is a row of
 * the table spout_sessions, which is made when it is missing, and whose key is a digest
 * of the random id that the browser has. Without a database it is in the browser's cookie
 * itself, encrypted: at most some 2800 bytes, not after the head has been sent, and a
 * copy that somebody has kept stays good until it is too old.
 */
#ifndef SPOUT_SESSION_H
#define SPOUT_SESSION_H

#include <spout/types.h>
#include <spout/web.h>

#ifdef __cplusplus
extern "C" {
#endif

enum spout_session_place {
	SPOUT_SESSIONS_AUTO,        /* in the database if there is one, or the cookie */
	SPOUT_SESSIONS_IN_COOKIE,   /* needs a cookie secret */
	SPOUT_SESSIONS_IN_DATABASE,
};

/** `sessions` of struct spout_app. */
struct spout_sessions {
	enum spout_session_place place;
	const char *cookie_name; /* ["session"]; "__Host-session" where all is https */
	int64_t idle_s;          /* ends when it was not asked for that long [1 day] */
	int64_t lifetime_s;      /* ends that long after it began, or rotated [7 days] */
};

/** Bytes of all names and values of one session in the database. */
#define SPOUT_SESSION_MAX_BYTES 65536

/*
 * All of these may suspend, and leave: with 503 when the database is down, with 500 when
 * the application has no sessions or no secret.
 */

/** A value; NULL if there is none. Lives as long as the request. */
SPOUT_API const char *spout_session_get(struct spout_request *req, const char *name);
/** Set a value, or remove it (NULL). The first one begins a session. UTF-8. */
SPOUT_API void spout_session_set(struct spout_request *req, const char *name,
    const char *value);
/**
 * Give the session a new id and a new life, and make the old id worthless: at each login
 * and whenever somebody's rights change, or who knew the id before would have them too.
 */
SPOUT_API void spout_session_rotate(struct spout_request *req);
/** End the session: at the logout. Now, whatever becomes of the handler. */
SPOUT_API void spout_session_destroy(struct spout_request *req);

#ifdef __cplusplus
}
#endif

#endif
