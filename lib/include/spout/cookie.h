/* SPDX-License-Identifier: MIT */
/*
 * Cookies (RFC 6265, and its successor's prefixes and attributes): plain, signed,
 * encrypted. Inside a handler; texts that are returned live as long as the request.
 *
 * Signed cookies have the version 2 format of Tornado, so that programs of both kinds
 * share a login. They can be read by the user but not made or changed; encrypted ones
 * cannot be read either. Both need secrets (`cookie_secret` of struct spout_app); without
 * one, the calls below that need it end the handler with 500 and say so in the log.
 */
#ifndef SPOUT_COOKIE_H
#define SPOUT_COOKIE_H

#include <spout/types.h>
#include <spout/web.h>

#ifdef __cplusplus
extern "C" {
#endif

enum spout_same_site {
	SPOUT_SAME_SITE_LAX,    /* not with requests that other sites make, but links */
	SPOUT_SAME_SITE_STRICT, /* never from another site */
	SPOUT_SAME_SITE_NONE,   /* always; such a cookie is Secure */
};

/** What 0 means stands in brackets. */
struct spout_cookie_options {
	const char *path;       /* ["/"] */
	const char *domain;     /* and what is below it [only the very host] */
	int64_t max_age_s;      /* seconds to live; below 0: until the browser closes
	                           [the same; signed and encrypted cookies: 30 days] */
	int64_t expires;        /* seconds since 1970, instead of max_age_s [none] */
	enum spout_same_site same_site; /* [lax] */
	bool secure;            /* over https only; always so when the request came that
	                           way, with a prefix "__Secure-" or "__Host-", with
	                           same_site none and with partitioned */
	bool scripts;           /* scripts of the page may read it [HttpOnly] */
	bool partitioned;       /* one jar for each site that embeds this one */
};

/**
 * The value of a cookie of the request, NULL if there is none. Valid UTF-8 without
 * control characters, its quotes undone; a cookie that is malformed counts as not there.
 * Of several of one name the first, which browsers have chosen as the closest to the
 * path. Looks at the first 256 cookies of a request.
 */
SPOUT_API const char *spout_cookie(struct spout_request *req, const char *name);

/**
 * Send a cookie: printable ASCII, quoted as Python does where it needs to be. The second
 * one of a name, path and domain takes the place of the first; the fields Set-Cookie that
 * the handler added by itself go with it then. What browsers would refuse ends the
 * handler with 500: a name that is no token, a name and value longer than 4096 bytes
 * together, an invalid path or domain, "__Host-" with a domain or another path than "/".
 *
 *     spout_set_cookie(req, "theme", "dark", .max_age_s = 86400, .scripts = true);
 */
#define spout_set_cookie(req, name, value, ...) \
	spout_set_cookie_with( \
	    (req), (name), (value), &(struct spout_cookie_options){ __VA_ARGS__ })
SPOUT_API void spout_set_cookie_with(struct spout_request *req, const char *name,
    const char *value, const struct spout_cookie_options *options);
/** Tell the browser to forget a cookie: with the path and domain that it was set with. */
#define spout_clear_cookie(req, name, ...) \
	spout_clear_cookie_with( \
	    (req), (name), &(struct spout_cookie_options){ __VA_ARGS__ })
SPOUT_API void spout_clear_cookie_with(struct spout_request *req, const char *name,
    const struct spout_cookie_options *options);

/** How a signed or encrypted cookie is read. */
struct spout_signed_options {
	int64_t max_age_s; /* one made longer ago counts as not there [31 days] */
};

/**
 * The value of a signed cookie; NULL if there is none, or it was not signed with one of
 * our secrets, or too long ago. Any text without NUL.
 */
#define spout_signed_cookie(req, name, ...) \
	spout_signed_cookie_with( \
	    (req), (name), &(struct spout_signed_options){ __VA_ARGS__ })
SPOUT_API const char *spout_signed_cookie_with(struct spout_request *req,
    const char *name, const struct spout_signed_options *options);
/** Send a signed cookie: any text, which the user can read. */
#define spout_set_signed_cookie(req, name, value, ...) \
	spout_set_signed_cookie_with( \
	    (req), (name), (value), &(struct spout_cookie_options){ __VA_ARGS__ })
SPOUT_API void spout_set_signed_cookie_with(struct spout_request *req, const char *name,
    const char *value, const struct spout_cookie_options *options);
/** The version of the key that signed a cookie, valid or not; -1 if it names none. */
SPOUT_API int64_t spout_signed_cookie_key_version(struct spout_request *req,
    const char *name);

/** The same, encrypted: AES-256-GCM, bound to the name and the time. */
#define spout_encrypted_cookie(req, name, ...) \
	spout_encrypted_cookie_with( \
	    (req), (name), &(struct spout_signed_options){ __VA_ARGS__ })
SPOUT_API const char *spout_encrypted_cookie_with(struct spout_request *req,
    const char *name, const struct spout_signed_options *options);
#define spout_set_encrypted_cookie(req, name, value, ...) \
	spout_set_encrypted_cookie_with( \
	    (req), (name), (value), &(struct spout_cookie_options){ __VA_ARGS__ })
SPOUT_API void spout_set_encrypted_cookie_with(struct spout_request *req,
    const char *name, const char *value, const struct spout_cookie_options *options);

/**
 * A signed text for other places than cookies, such as a link in a mail; any bytes. It is
 * good for this name only. (Tornado: create_signed_value)
 */
SPOUT_API char *spout_sign_value(struct spout_request *req, const char *name,
    struct spout_slice value);
/** The bytes that such a text holds, made at most that long ago; data NULL if invalid. */
SPOUT_API struct spout_slice spout_verify_value(struct spout_request *req,
    const char *name, const char *text, int64_t max_age_s);

#ifdef __cplusplus
}
#endif

#endif
