/* SPDX-License-Identifier: MIT */
/*
 * Who asks, and may they: the current user and routes that need one, tokens against
 * forged requests (XSRF), basic and bearer authentication, security headers, CORS. Inside
 * a handler unless something else is said; texts that are returned live as long as the
 * request.
 *
 * What is set in struct spout_app and struct spout_route is checked before the handler
 * and its middleware run, in this order: security headers and CORS, rate limit, XSRF,
 * login; what a mount asks for, its rows do. A program that sets nothing pays nothing.
 */
#ifndef SPOUT_SECURITY_H
#define SPOUT_SECURITY_H

#include <spout/types.h>
#include <spout/web.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- users ---------------------------------------------------------------------- */

/**
 * What `current_user` of struct spout_app made of this request, asked at most once; NULL
 * without one: nobody has logged in.
 *
 * Routes with .login_required answer others GET and HEAD with 302 to `login_url`
 * ["/login"] and "next", the path and query asked for; other methods with 403.
 */
SPOUT_API const void *spout_current_user(struct spout_request *req);
/**
 * Where to go after the login: the argument "next" if that is a path of this very host
 * (spout_path_is_local()), else `otherwise`.
 */
SPOUT_API const char *spout_next_path(struct spout_request *req, const char *otherwise);
/**
 * May this be redirected to without leaving the host? It begins with one slash, is at
 * most 2048 bytes of printable ASCII, and holds no backslash. Pure; any thread.
 */
SPOUT_API bool spout_path_is_local(const char *path);

/* --- forged requests (XSRF, CSRF) ------------------------------------------------- */

/**
 * The token that requests of ours carry, in Tornado's version 2 format: another text for
 * each request, so that compression does not betray it. Sends the cookie "_xsrf" (or
 * `xsrf_cookie_name`) unless the browser has it.
 *
 * With `xsrf_cookies` of struct spout_app, POST, PUT, PATCH and DELETE are refused with
 * 403 unless the token comes back in the form as "_xsrf", or in the field X-XSRFToken or
 * X-CSRFToken; scripts find it in the cookie. Not so routes with .xsrf_exempt. A route
 * with .stream_body takes it from the field only.
 */
SPOUT_API const char *spout_xsrf_token(struct spout_request *req);
/** `<input type="hidden" name="_xsrf" value="…">`, to put into each form. */
SPOUT_API const char *spout_xsrf_form_html(struct spout_request *req);
/** What routes that are exempt may do themselves: leaves with 403 without the token. */
SPOUT_API void spout_check_xsrf(struct spout_request *req);

/* --- how often -------------------------------------------------------------------- */

/**
 * At most so many requests of one key in so many seconds, in each worker; a burst may
 * come at once. `.rate_limit` of a route counts by the client's address (of IPv6, the
 * first 64 bits), before its handler runs. The memory for it is fixed: a flood of keys
 * makes the least busy ones be forgotten.
 *
 *     static const struct spout_rate_limit logins = { "logins", .requests = 10,
 *             .per_s = 60 };
 */
struct spout_rate_limit {
	const char *name;   /* limits of one name count together */
	unsigned requests;
	unsigned per_s;
	unsigned burst;     /* [requests] */
};
/** Count one more; leaves with 429 and Retry-After when it is one too many. */
SPOUT_API void spout_rate_limit(struct spout_request *req,
    const struct spout_rate_limit *limit, const char *key);
/** Returns 0 when it has been counted, else the milliseconds until it could be. */
SPOUT_API SPOUT_MUST_CHECK uint64_t spout_try_rate_limit(struct spout_request *req,
    const struct spout_rate_limit *limit, const char *key);

/* --- authentication by field ------------------------------------------------------ */

/**
 * User and password of "Authorization: Basic" (RFC 7617), UTF-8 without control
 * characters. False, and nothing written, if there are none or they are malformed.
 */
SPOUT_API bool spout_basic_auth(struct spout_request *req, const char **ret_user,
    const char **ret_password);
/** The token of "Authorization: Bearer" (RFC 6750), or NULL. */
SPOUT_API const char *spout_bearer_token(struct spout_request *req);
/**
 * Leave with 401 and WWW-Authenticate: challenge, such as
 * "Basic realm=\"stock\", charset=\"UTF-8\"" or "Bearer".
 */
SPOUT_API SPOUT_NORETURN void spout_fail_unauthorized(struct spout_request *req,
    const char *challenge);
/** The same for a user: leaves with 401 unless there is one; ask who it is yourself. */
SPOUT_API void spout_require_basic_auth(struct spout_request *req, const char *realm,
    const char **ret_user, const char **ret_password);

/* --- headers of every response ---------------------------------------------------- */

/**
 * `security_headers` of struct spout_app: sent with every response, error pages included,
 * and with X-Content-Type-Options: nosniff. What a handler sets itself wins.
 */
struct spout_security_headers {
	const char *frame_options;   /* X-Frame-Options ["DENY"]; "": none */
	const char *referrer_policy; /* ["strict-origin-when-cross-origin"]; "": none */
	/* Strict-Transport-Security over https: seconds, and all that is below [none] */
	uint64_t hsts_s;
	bool hsts_subdomains;
	/* Content-Security-Policy, in which {nonce} stands for 'nonce-…' [none] */
	const char *content_security_policy;
};
/**
 * The nonce of this response for the attribute nonce of <script> and <style>, as the
 * Content-Security-Policy names it.
 */
SPOUT_API const char *spout_csp_nonce(struct spout_request *req);

/**
 * `cors` of struct spout_app: which pages of other origins may use the answers (Fetch
 * standard, CORS protocol). Preflight requests are answered by the library, unless the
 * path has a route for OPTIONS.
 */
struct spout_cors {
	/* "https://app.example.org", ended by NULL; "*": all, without credentials */
	const char *const *origins;
	const char *prefix; /* of the paths that it is for, whole segments ["/"] */
	const char *allow_headers;  /* that requests may have: "Content-Type, X-Token" */
	const char *expose_headers; /* that scripts may see beside the safe ones */
	bool credentials;           /* with cookies and passwords */
	uint64_t max_age_s;         /* how long a preflight is remembered [5] */
};

#ifdef __cplusplus
}
#endif

#endif
