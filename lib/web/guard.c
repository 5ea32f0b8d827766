/* SPDX-License-Identifier: MIT */
/* What is looked at before a handler runs: see guard.h. */
#include "config.h"

#include "web/guard.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include <spout/crypto.h>

#define UNSAFE_METHODS \
	(SPOUT_METHOD_POST | SPOUT_METHOD_PUT | SPOUT_METHOD_PATCH | SPOUT_METHOD_DELETE)

static struct spout__guarded *
try_guarded(struct spout_request *req)
{
	struct spout_scope *scope = spout__http_scope(req->ex);

	if (req->guarded == NULL) {
		req->guarded = spout_alloc_in(scope, sizeof(*req->guarded));
		if (req->guarded != NULL)
			memset(req->guarded, 0, sizeof(*req->guarded));
	}
	return req->guarded;
}

static void SPOUT_NORETURN
leave_without_memory(void)
{
	spout__co_leave(-ENOMEM, 0, "out of memory");
}

struct spout__guarded *
spout__guarded(struct spout_request *req)
{
	struct spout__guarded *guarded = try_guarded(req);

	if (guarded == NULL)
		leave_without_memory();
	return guarded;
}

static bool
checks_xsrf(const struct spout_app *app, const struct spout_route *route)
{
	return app->xsrf_cookies && !route->xsrf_exempt &&
	    (route->methods & UNSAFE_METHODS) != 0;
}

/* May a path of this row begin with the prefix of the rules? Then it pays for them. */
static bool
may_need_cors(const struct spout_cors *cors, const struct spout_route *route)
{
	const char *prefix = cors->prefix != NULL ? cors->prefix : "";
	size_t len = strlen(prefix), fixed = strcspn(route->pattern, "{");

	/* An encoded prefix is compared with paths as they came, not with patterns. */
	return strchr(prefix, '%') != NULL ||
	    strncmp(route->pattern, prefix, len < fixed ? len : fixed) == 0;
}

bool
spout__guard_needed(const struct spout_app *app, const struct spout_route *route)
{
	return app->security_headers != NULL ||
	    (app->cors != NULL && may_need_cors(app->cors, route)) ||
	    route->login_required || route->rate_limit != NULL || checks_xsrf(app, route);
}

static const char *
check_cors(const struct spout_cors *cors)
{
	size_t i;

	for (i = 0; cors->origins != NULL && cors->origins[i] != NULL; i++)
		if (strcmp(cors->origins[i], "*") == 0 && cors->credentials)
			return "cors: \"*\" and credentials do not go together";
	return i == 0 ? "cors: no origins" : NULL;
}

const char *
spout__guard_check(const struct spout_app *app, struct spout__keyring *ret_keys)
{
	const char *why = app->cors != NULL ? check_cors(app->cors) : NULL;

	if (why == NULL && app->cookie_secret != NULL)
		spout__keyring_parse(app->cookie_secret, ret_keys, &why);
	return why;
}

/* --- fields ------------------------------------------------------------------------- */

static int
put_field(
    struct spout_request *req, const char *name, const char *value, const char *otherwise)
{
	if (value == NULL)
		value = otherwise;
	if (value[0] == '\0')
		return 0;
	return spout__http_set_header(req->ex, spout_slice(name), spout_slice(value));
}

/* The nonce of this response; NULL when out of memory. */
static const char *
nonce_of(struct spout_request *req)
{
	struct spout__guarded *guarded = try_guarded(req);
	unsigned char random[18];
	char *text;

	if (guarded == NULL || guarded->nonce != NULL)
		return guarded != NULL ? guarded->nonce : NULL;
	text = spout_alloc_in(
	    spout__http_scope(req->ex), SPOUT_BASE64_SIZE(sizeof(random)) + 1);
	if (text == NULL)
		return NULL;
	spout_random(random, sizeof(random));
	spout_base64(random, sizeof(random), text);
	guarded->nonce = text;
	return text;
}

/* With {nonce} replaced; NULL when out of memory. */
static const char *
policy_with_nonce(struct spout_request *req, const char *policy)
{
	static const char mark[] = "{nonce}";
	struct spout_scope *scope = spout__http_scope(req->ex);
	const char *nonce, *at = policy, *next;
	size_t n = 0;
	char *text, *to;

	if (strstr(policy, mark) == NULL)
		return policy;
	nonce = nonce_of(req);
	if (nonce == NULL)
		return NULL;
	for (next = policy; (next = strstr(next, mark)) != NULL; next++)
		n++;
	text = spout_alloc_in(scope, strlen(policy) + n * (strlen(nonce) + 8) + 1);
	if (text == NULL)
		return NULL;
	for (to = text; (next = strstr(at, mark)) != NULL; at = next + strlen(mark)) {
		to = mempcpy(to, at, (size_t)(next - at));
		to = stpcpy(stpcpy(stpcpy(to, "'nonce-"), nonce), "'");
	}
	strcpy(to, at);
	return text;
}

static int
hsts_field(struct spout_request *req, const struct spout_security_headers *h)
{
	char value[64];

	snprintf(value, sizeof(value), "max-age=%" PRIu64 "%s", h->hsts_s,
	    h->hsts_subdomains ? "; includeSubDomains" : "");
	return put_field(req, "Strict-Transport-Security", value, NULL);
}

static int
security_fields(struct spout_request *req)
{
	const struct spout_security_headers *h = req->web->app->security_headers;
	const char *policy = h->content_security_policy;
	int rc = put_field(req, "X-Content-Type-Options", "nosniff", NULL);

	if (rc == 0)
		rc = put_field(req, "X-Frame-Options", h->frame_options, "DENY");
	if (rc == 0)
		rc = put_field(req, "Referrer-Policy", h->referrer_policy,
		    "strict-origin-when-cross-origin");
	if (rc == 0 && h->hsts_s > 0 && spout_request_secure(req))
		rc = hsts_field(req, h);
	if (rc != 0 || policy == NULL)
		return rc;
	policy = policy_with_nonce(req, policy);
	return policy != NULL ? put_field(req, "Content-Security-Policy", policy, NULL)
			      : -ENOMEM;
}

const char *
spout_csp_nonce(struct spout_request *req)
{
	const char *nonce = nonce_of(req);

	if (nonce == NULL)
		leave_without_memory();
	return nonce;
}

int
spout__guard_fields(struct spout_request *req)
{
	const struct spout_app *app = req->web->app;
	int rc = 0;

	if (app->security_headers != NULL)
		rc = security_fields(req);
	return rc == 0 && app->cors != NULL ? spout__cors_fields(req) : rc;
}

/* --- before the handler ------------------------------------------------------------- */

static void
redirect_to_login(struct spout_request *req)
{
	const char *url = req->web->app->login_url, *target = spout_request_target(req);

	if (url == NULL)
		url = "/login";
	spout_redirect(req,
	    spout_sprintf("%s%cnext=%s", url, strchr(url, '?') != NULL ? '&' : '?',
		spout_url_escape(target)),
	    302);
}

/* False: the request has been answered. */
static bool
let_in(struct spout_request *req)
{
	if (spout_current_user(req) != NULL)
		return true;
	if (req->head->method != SPOUT__HTTP_GET && req->head->method != SPOUT__HTTP_HEAD)
		spout_fail(req, 403, "log in first");
	redirect_to_login(req);
	return false;
}

void
spout__guard_open(struct spout_request *req)
{
	int rc = spout__guard_fields(req);

	if (rc != 0)
		spout__co_leave(rc, 0, "the fields of every response: %s", strerror(-rc));
}

void
spout__guard_run(struct spout_request *req)
{
	const struct spout_route *route = req->route;

	spout__guard_open(req);
	if (route->rate_limit != NULL)
		spout_rate_limit(req, route->rate_limit, spout__rate_key_of_client(req));
	if (checks_xsrf(req->web->app, route) &&
	    (1u << req->head->method & UNSAFE_METHODS) != 0)
		spout_check_xsrf(req);
	if (!route->login_required || let_in(req))
		spout_next(req);
}

/* --- users -------------------------------------------------------------------------- */

const void *
spout_current_user(struct spout_request *req)
{
	struct spout__guarded *guarded = spout__guarded(req);

	if (!guarded->user_known && req->web->app->current_user != NULL)
		guarded->user = req->web->app->current_user(req);
	guarded->user_known = true;
	return guarded->user;
}

bool
spout_path_is_local(const char *path)
{
	size_t i;

	if (path[0] != '/' || path[1] == '/')
		return false;
	for (i = 0; path[i] != '\0'; i++)
		if (path[i] <= 0x20 || path[i] >= 0x7f || path[i] == '\\' || i >= 2048)
			return false;
	return true;
}

const char *
spout_next_path(struct spout_request *req, const char *otherwise)
{
	const char *next = spout_arg(req, "next");

	return next != NULL && spout_path_is_local(next) ? next : otherwise;
}
