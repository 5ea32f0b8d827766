/* SPDX-License-Identifier: MIT */
/*
 * What is checked before a handler runs: users, tokens against forged requests, security
 * headers, CORS; and the field Authorization.
 */
#include "config.h"

#include "unit.h"
#include "web_client.h"

#include <errno.h>
#include <stdio.h>

#include <spout/cookie.h>
#include <spout/security.h>

#include "web/forwarded.h"
#include "web/guard.h"

/* --- the application ------------------------------------------------------------- */

static unsigned asked, ran;

static const void *
current_user(struct spout_request *req)
{
	asked++;
	return spout_cookie(req, "user");
}

static void private(struct spout_request *req)
{
	ran++;
	spout_printf(req, "hello %s, %s", (const char *)spout_current_user(req),
	    (const char *)spout_current_user(req));
}

static void
form(struct spout_request *req)
{
	spout_write_text(req, spout_xsrf_form_html(req));
	spout_write_text(req, spout_xsrf_form_html(req));
}

static void
post(struct spout_request *req)
{
	ran++;
	spout_plain(req, "done");
}

static void
after_login(struct spout_request *req)
{
	spout_redirect(req, spout_next_path(req, "/home"), 303);
}

static void
nonce(struct spout_request *req)
{
	spout_set_header(req, "X-Frame-Options", "SAMEORIGIN");
	spout_plain(req, spout_csp_nonce(req));
}

static void
basic(struct spout_request *req)
{
	const char *user, *password;

	spout_require_basic_auth(req, "stock", &user, &password);
	spout_printf(req, "%s/%s", user, password);
}

static void
bearer(struct spout_request *req)
{
	const char *token = spout_bearer_token(req);

	if (token == NULL)
		spout_fail_unauthorized(req, "Bearer");
	spout_plain(req, token);
}

static const struct spout_rate_limit two_a_minute = { "two", 2, 60, 0 };

static void
after_limit(struct spout_request *req)
{
	ran++;
	spout_plain(req, "done");
}

static void
limit_by_key(struct spout_request *req)
{
	static const struct spout_rate_limit limit = { "one", 1, 60, 0 };

	spout_printf(req, "%llu",
	    (unsigned long long)spout_try_rate_limit(
		req, &limit, spout_require_arg(req, "key")));
}

static void
show_client(struct spout_request *req)
{
	spout_set_cookie(req, "a", "b");
	spout_printf(req, "%s %s", spout_remote_addr(req),
	    spout_request_secure(req) ? "https" : "http");
}

static const struct spout_route deeper[] = {
	SPOUT_GET("/page", post),
	SPOUT_END,
};
static const struct spout_route inner[] = {
	SPOUT_GET("/page", post),
	SPOUT_MOUNT("/deeper", deeper),
	SPOUT_END,
};

static const struct spout_route routes[] = {
	SPOUT_ROUTE(SPOUT_METHOD_GET | SPOUT_METHOD_POST, "/private", private,
	    .login_required = true, .xsrf_exempt = true),
	SPOUT_GET("/form", form),
	SPOUT_POST("/post", post),
	SPOUT_POST("/stream", post, .stream_body = true),
	SPOUT_POST("/hook", post, .xsrf_exempt = true),
	SPOUT_GET("/after", after_login),
	SPOUT_GET("/nonce", nonce),
	SPOUT_GET("/basic", basic),
	SPOUT_GET("/bearer", bearer),
	SPOUT_GET("/api/x", basic),
	SPOUT_GET("/limited", after_limit, .rate_limit = &two_a_minute),
	SPOUT_GET("/limited/by", limit_by_key),
	SPOUT_GET("/client", show_client),
	SPOUT_MOUNT("/inner", inner, .login_required = true),
	SPOUT_ROUTE(SPOUT_METHOD_OPTIONS, "/own-options", post),
	SPOUT_END,
};

static struct spout_app app;

static void
begin_with(const struct spout_app *settings)
{
	app = *settings;
	app.name = "security";
	app.routes = routes;
	asked = ran = 0;
	begin(&app, ACCESS_LOG_TEXT);
}

/* --- users ----------------------------------------------------------------------- */

static void
a_route_for_users_sends_others_to_the_login(void)
{
	begin_with(&(struct spout_app){ .current_user = current_user });
	get("/private?a=1&b=%2F");
	CU_ASSERT_TRUE(status_is(302));
	CU_ASSERT_TRUE(has("Location: /login?next=%2Fprivate%3Fa%3D1%26b%3D%252F\r\n"));
	request("HEAD /private", "", NULL);
	CU_ASSERT_TRUE(status_is(302));
	request("POST /private", "", "");
	CU_ASSERT_TRUE(status_is(403));
	CU_ASSERT_EQUAL(ran, 0);
	CU_ASSERT_EQUAL(asked, 3);
	request("GET /private", "Cookie: user=ann\r\n", NULL);
	CU_ASSERT_STRING_EQUAL(body(), "hello ann, ann");
	request("POST /private", "Cookie: user=ann\r\n", "");
	CU_ASSERT_TRUE(status_is(200));
	CU_ASSERT_EQUAL(asked, 5);
	end();
}

static void
without_a_hook_nobody_is_a_user(void)
{
	begin_with(&(struct spout_app){ .login_url = "/in?x=1" });
	request("GET /private", "Cookie: user=ann\r\n", NULL);
	CU_ASSERT_TRUE(has("Location: /in?x=1&next=%2Fprivate\r\n"));
	CU_ASSERT_EQUAL(ran, 0);
	end();
}

static void
only_paths_of_this_host_are_gone_to(void)
{
	static const char *const good[] = { "/", "/a", "/a/b?c=d&e=%2F%2F", "/a//b",
		"/@x:y", "/a?u=http://x/" };
	static const char *const bad[] = { "", "a", "//x", "///x", "/\\x", "/a\\b",
		"\\\\x", "http://x/", "javascript:alert(1)", "/\t/x", "/ x", "/\n", " /",
		"/\x7f", "/\xc3\xa9" };
	char text[2051];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		CU_ASSERT_TRUE(spout_path_is_local(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_FALSE(spout_path_is_local(bad[i]));
	memset(text, 'a', sizeof(text));
	text[0] = '/';
	text[2048] = '\0';
	CU_ASSERT_TRUE(spout_path_is_local(text));
	text[2048] = 'a';
	text[2049] = '\0';
	CU_ASSERT_FALSE(spout_path_is_local(text));
	begin_with(&(struct spout_app){ 0 });
	get("/after?next=%2Fprivate%3Fa%3D1");
	CU_ASSERT_TRUE(has("Location: /private?a=1\r\n"));
	get("/after?next=%2F%2Fevil.example");
	CU_ASSERT_TRUE(has("Location: /home\r\n"));
	get("/after?next=/%0d%0aX:y");
	CU_ASSERT_TRUE(has("Location: /home\r\n"));
	get("/after");
	CU_ASSERT_TRUE(has("Location: /home\r\n"));
	end();
}

static void
a_mount_asks_for_all_of_its_rows(void)
{
	begin_with(&(struct spout_app){ .current_user = current_user });
	get("/inner/page");
	CU_ASSERT_TRUE(status_is(302));
	CU_ASSERT_TRUE(has("Location: /login?next=%2Finner%2Fpage\r\n"));
	get("/inner/deeper/page");
	CU_ASSERT_TRUE(status_is(302));
	CU_ASSERT_EQUAL(ran, 0);
	request("GET /inner/deeper/page", "Cookie: user=ann\r\n", NULL);
	CU_ASSERT_STRING_EQUAL(body(), "done");
	get("/inner/other");
	CU_ASSERT_TRUE(status_is(404));
	end();
}

/* --- tokens ---------------------------------------------------------------------- */

static const unsigned char token[SPOUT__XSRF_TOKEN_SIZE] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
	10, 11, 12, 13, 14, 15 };
/* As Tornado 6.2 writes it with this mask. */
#define OF_TORNADO "2|deadbeef|deacbcecdaa8b8e8d6a4b4e4d2a0b0e0|1700000000"

static void
tokens_are_those_of_tornado(void)
{
	unsigned char back[SPOUT__XSRF_TOKEN_SIZE];
	char text[SPOUT__XSRF_TEXT_ROOM];

	spout__xsrf_compose(
	    token, (const unsigned char *)"\xde\xad\xbe\xef", 1700000000, text);
	CU_ASSERT_STRING_EQUAL(text, OF_TORNADO);
	CU_ASSERT_EQUAL(spout__xsrf_parse(spout_slice(OF_TORNADO), back), 0);
	CU_ASSERT_EQUAL(memcmp(back, token, sizeof(token)), 0);
}

static void
other_texts_are_no_tokens(void)
{
	static const char *const bad[] = { "", "2", "2|", "1|deadbeef|00|1",
		"deacbcecdaa8b8e8d6a4b4e4d2a0b0e0",
		"3|deadbeef|deacbcecdaa8b8e8d6a4b4e4d2a0b0e0|1700000000",
		"2|deadbeeg|deacbcecdaa8b8e8d6a4b4e4d2a0b0e0|1700000000",
		"2|deadbeef|deacbcecdaa8b8e8d6a4b4e4d2a0b0eg|1700000000",
		"2|deadbee|fdeacbcecdaa8b8e8d6a4b4e4d2a0b0e0|1700000000",
		"2|deadbeef|deacbcecdaa8b8e8d6a4b4e4d2a0b0e0|",
		"2|deadbeef|deacbcecdaa8b8e8d6a4b4e4d2a0b0e0",
		"2|deadbeef|deacbcecdaa8b8e8d6a4b4e4d2a0b0e000|1700000000",
		OF_TORNADO "0000000000000000000000000000000000000000" };
	unsigned char back[SPOUT__XSRF_TOKEN_SIZE];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(spout__xsrf_parse(spout_slice(bad[i]), back), -EBADMSG);
}

/* Another mask over the same token. */
#define MASKED "2|00000000|000102030405060708090a0b0c0d0e0f|17"
#define OTHER "2|00000000|000102030405060708090a0b0c0d0e00|17"
#define XSRF_COOKIE "Cookie: _xsrf=" OF_TORNADO "\r\n"
#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"

static void
a_form_brings_the_token_of_its_cookie(void)
{
	char field[256], first[80], second[80];
	const char *at;

	begin_with(&(struct spout_app){ .xsrf_cookies = true });
	get("/form");
	CU_ASSERT_TRUE(has("Set-Cookie: _xsrf=2|"));
	CU_ASSERT_TRUE(has("; Path=/; SameSite=Lax\r\n"));
	at = strstr(body(), "value=\"");
	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	snprintf(first, sizeof(first), "%.*s", (int)strcspn(at + 7, "\""), at + 7);
	at = strstr(at + 7, "value=\"");
	snprintf(second, sizeof(second), "%.*s", (int)strcspn(at + 7, "\""), at + 7);
	/* The same token, but not the same text. */
	CU_ASSERT_STRING_NOT_EQUAL(first, second);
	snprintf(field, sizeof(field), "Cookie: _xsrf=%s\r\nX-XSRFToken: %s\r\n", first,
	    second);
	request("POST /post", field, "");
	CU_ASSERT_STRING_EQUAL(body(), "done");
	/* Who has a cookie gets no other. */
	request("GET /form", XSRF_COOKIE, NULL);
	CU_ASSERT_TRUE(status_is(200) && lacks("Set-Cookie"));
	end();
}

static void
what_brings_no_token_is_refused(void)
{
	begin_with(&(struct spout_app){ .xsrf_cookies = true });
	request("POST /post", XSRF_COOKIE FORM, "_xsrf=" MASKED);
	CU_ASSERT_TRUE(status_is(200));
	request("POST /post", XSRF_COOKIE "X-XSRFToken: " MASKED "\r\n", "");
	CU_ASSERT_TRUE(status_is(200));
	request("POST /post", XSRF_COOKIE "X-CSRFToken: " MASKED "\r\n", "");
	CU_ASSERT_TRUE(status_is(200));
	request("POST /stream", XSRF_COOKIE "X-XSRFToken: " MASKED "\r\n", "x");
	CU_ASSERT_TRUE(status_is(200));
	request("POST /hook", "", "");
	CU_ASSERT_TRUE(status_is(200));
	CU_ASSERT_EQUAL(ran, 5);
	request("POST /post", XSRF_COOKIE, "");
	CU_ASSERT_TRUE(status_is(403) && has("has no"));
	request("POST /post", "X-XSRFToken: " MASKED "\r\n", "");
	CU_ASSERT_TRUE(status_is(403) && has("do not go together"));
	request("POST /post", XSRF_COOKIE "X-XSRFToken: " OTHER "\r\n", "");
	CU_ASSERT_TRUE(status_is(403));
	request("POST /post", XSRF_COOKIE "X-XSRFToken: x\r\n", "");
	CU_ASSERT_TRUE(status_is(403));
	request("POST /post?_xsrf=" MASKED, XSRF_COOKIE, "");
	CU_ASSERT_TRUE(status_is(403));
	request("POST /stream", XSRF_COOKIE FORM, "_xsrf=" MASKED);
	CU_ASSERT_TRUE(status_is(403));
	CU_ASSERT_EQUAL(ran, 5);
	end();
	begin_with(&(struct spout_app){ 0 });
	request("POST /post", "", "");
	CU_ASSERT_TRUE(status_is(200));
	end();
}

static void
the_cookie_of_tokens_has_the_name_and_life_it_is_given(void)
{
	begin_with(&(struct spout_app){ .xsrf_cookies = true,
	    .current_user = current_user,
	    .xsrf_cookie_name = "__Host-_xsrf" });
	request("GET /form", "Cookie: user=ann\r\n", NULL);
	CU_ASSERT_TRUE(has("Set-Cookie: __Host-_xsrf=2|"));
	CU_ASSERT_TRUE(has("; Max-Age=2592000; Path=/; Secure; SameSite=Lax\r\n"));
	request("POST /post",
	    "Cookie: __Host-_xsrf=" OF_TORNADO "\r\nX-XSRFToken: " MASKED "\r\n", "");
	CU_ASSERT_TRUE(status_is(200));
	end();
}

/* --- security headers ------------------------------------------------------------ */

static void
security_headers_are_on_every_response(void)
{
	static const struct spout_security_headers headers = { 0 };
	static const char *const targets[] = { "GET /form", "GET /nowhere", "GET /basic",
		"OPTIONS /form", "DELETE /form" };

	begin_with(&(struct spout_app){ .security_headers = &headers });
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		request(targets[i], "", NULL);
		CU_ASSERT_TRUE(has("X-Content-Type-Options: nosniff\r\n"));
		CU_ASSERT_TRUE(has("X-Frame-Options: DENY\r\n"));
		CU_ASSERT_TRUE(
		    has("Referrer-Policy: strict-origin-when-cross-origin\r\n"));
		CU_ASSERT_TRUE(lacks("Content-Security-Policy"));
	}
	end();
	begin_with(&(struct spout_app){ 0 });
	get("/form");
	CU_ASSERT_TRUE(lacks("X-Content-Type-Options"));
	end();
}

static void
a_policy_names_the_nonce_of_its_response(void)
{
	static const struct spout_security_headers headers = { .frame_options = "",
		.referrer_policy = "no-referrer",
		.content_security_policy =
		    "script-src {nonce}; style-src {nonce} 'self'" };
	char policy[256];

	begin_with(&(struct spout_app){ .security_headers = &headers });
	get("/nonce");
	CU_ASSERT_EQUAL(strlen(body()), 24);
	snprintf(policy, sizeof(policy),
	    "Content-Security-Policy: script-src 'nonce-%s'; "
	    "style-src 'nonce-%s' 'self'\r\n",
	    body(), body());
	CU_ASSERT_TRUE(has(policy));
	CU_ASSERT_TRUE(has("Referrer-Policy: no-referrer\r\n"));
	CU_ASSERT_TRUE(has("X-Frame-Options: SAMEORIGIN\r\n") && lacks("DENY"));
	get("/nowhere");
	CU_ASSERT_TRUE(has("script-src 'nonce-") && lacks("X-Frame-Options"));
	end();
}

/* --- how often ---------------------------------------------------------------------- */

static void
a_route_with_a_limit_says_when_to_come_again(void)
{
	begin_with(&(struct spout_app){ 0 });
	get("/limited");
	CU_ASSERT_TRUE(status_is(200));
	get("/limited");
	CU_ASSERT_TRUE(status_is(200));
	get("/limited");
	CU_ASSERT_TRUE(status_is(429));
	CU_ASSERT_TRUE(has("Retry-After: ") && has("too many requests"));
	CU_ASSERT_EQUAL(ran, 2);
	get("/limited/by?key=a");
	CU_ASSERT_STRING_EQUAL(body(), "0");
	get("/limited/by?key=a");
	CU_ASSERT_STRING_NOT_EQUAL(body(), "0");
	get("/limited/by?key=b");
	CU_ASSERT_STRING_EQUAL(body(), "0");
	end();
}

/* --- behind a proxy ----------------------------------------------------------------- */

static void
what_a_trusted_proxy_says_counts(void)
{
	static const struct spout_security_headers headers = { .hsts_s = 600,
		.hsts_subdomains = true };
	static const char forwarded[] =
	    "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n";

	begin_with(&(struct spout_app){ .security_headers = &headers });
	request("GET /client", forwarded, NULL);
	CU_ASSERT_STRING_EQUAL(body(), "unix http");
	CU_ASSERT_TRUE(lacks("Strict-Transport-Security") && lacks("; Secure"));
	end();
	trust = &(struct spout__trust){ .n = 1,
		.networks = { { .ip = { .family = AF_UNIX } } } };
	begin_with(&(struct spout_app){ .security_headers = &headers });
	trust = NULL;
	request("GET /client", forwarded, NULL);
	CU_ASSERT_STRING_EQUAL(body(), "192.0.2.1 https");
	CU_ASSERT_TRUE(
	    has("Set-Cookie: a=b; Path=/; Secure; HttpOnly; SameSite=Lax\r\n"));
	CU_ASSERT_TRUE(
	    has("Strict-Transport-Security: max-age=600; includeSubDomains\r\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "192.0.2.1 - - ["));
	get("/client");
	CU_ASSERT_STRING_EQUAL(body(), "unix http");
	end();
}

/* --- CORS ------------------------------------------------------------------------ */

static const char *const any_origin[] = { "*", NULL };
static const struct spout_cors for_two = {
	.origins =
	    (const char *const[]){ "https://a.example", "https://b.example:8443", NULL },
	.allow_headers = "Content-Type",
	.expose_headers = "X-Total",
	.credentials = true,
	.max_age_s = 600,
};

static void
answers_go_to_the_origins_of_the_list(void)
{
	begin_with(&(struct spout_app){ .cors = &for_two });
	request("GET /form", "Origin: https://b.example:8443\r\n", NULL);
	CU_ASSERT_TRUE(has("Access-Control-Allow-Origin: https://b.example:8443\r\n"));
	CU_ASSERT_TRUE(has("Access-Control-Allow-Credentials: true\r\n"));
	CU_ASSERT_TRUE(has("Access-Control-Expose-Headers: X-Total\r\n"));
	CU_ASSERT_TRUE(has("Vary: Origin\r\n"));
	request("GET /nowhere", "Origin: https://a.example\r\n", NULL);
	CU_ASSERT_TRUE(status_is(404));
	CU_ASSERT_TRUE(has("Access-Control-Allow-Origin: https://a.example\r\n"));
	request("GET /form", "Origin: https://a.example.evil\r\n", NULL);
	CU_ASSERT_TRUE(lacks("Access-Control") && has("Vary: Origin\r\n"));
	request("GET /form", "Origin: null\r\n", NULL);
	CU_ASSERT_TRUE(lacks("Access-Control"));
	get("/form");
	CU_ASSERT_TRUE(lacks("Access-Control") && has("Vary: Origin\r\n"));
	end();
}

static void
preflights_are_answered(void)
{
	begin_with(&(struct spout_app){ .cors = &for_two });
	request("OPTIONS /post",
	    "Origin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n", NULL);
	CU_ASSERT_TRUE(status_is(204));
	CU_ASSERT_TRUE(has("Access-Control-Allow-Origin: https://a.example\r\n"));
	CU_ASSERT_TRUE(has("Access-Control-Allow-Methods: POST, OPTIONS\r\n"));
	CU_ASSERT_TRUE(has("Access-Control-Allow-Headers: Content-Type\r\n"));
	CU_ASSERT_TRUE(has("Access-Control-Max-Age: 600\r\n"));
	request("OPTIONS /post",
	    "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n",
	    NULL);
	CU_ASSERT_TRUE(status_is(204) && lacks("Access-Control"));
	request("OPTIONS /post", "Origin: https://a.example\r\n", NULL);
	CU_ASSERT_TRUE(lacks("Access-Control-Allow-Methods"));
	request("OPTIONS /own-options",
	    "Origin: https://a.example\r\nAccess-Control-Request-Method: GET\r\n", NULL);
	CU_ASSERT_STRING_EQUAL(body(), "done");
	end();
}

static void
an_open_api_is_open_below_its_prefix_only(void)
{
	static const struct spout_cors open = {
		.origins = any_origin,
		.prefix = "/api/",
	};

	begin_with(&(struct spout_app){ .cors = &open });
	request("GET /api/x", "Origin: https://a.example\r\n", NULL);
	CU_ASSERT_TRUE(has("Access-Control-Allow-Origin: *\r\n") && lacks("Vary"));
	request("GET /form", "Origin: https://a.example\r\n", NULL);
	CU_ASSERT_TRUE(lacks("Access-Control") && lacks("Vary"));
	request("OPTIONS /api/x",
	    "Origin: https://a.example\r\nAccess-Control-Request-Method: GET\r\n", NULL);
	CU_ASSERT_TRUE(has("Access-Control-Allow-Methods: GET, HEAD, OPTIONS\r\n"));
	CU_ASSERT_TRUE(lacks("Allow-Headers") && lacks("Max-Age"));
	end();
}

static void
a_prefix_is_of_whole_segments(void)
{
	static const struct spout_cors open = { .origins = any_origin, .prefix = "/ap" };
	static const struct spout_cors whole = { .origins = any_origin,
		.prefix = "/api" };

	begin_with(&(struct spout_app){ .cors = &open });
	request("GET /api/x", "Origin: https://a.example\r\n", NULL);
	CU_ASSERT_TRUE(lacks("Access-Control") && lacks("Vary"));
	end();
	begin_with(&(struct spout_app){ .cors = &whole });
	request("GET /api/x", "Origin: https://a.example\r\n", NULL);
	CU_ASSERT_TRUE(has("Access-Control-Allow-Origin: *\r\n"));
	end();
}

static void
rules_that_cannot_be_are_found_at_the_start(void)
{
	static const struct spout_cors all = { .credentials = true,
		.origins = any_origin };
	static const struct spout_cors none = { .origins = NULL };
	char why[SPOUT__ROUTER_WHY_SIZE];

	app = (struct spout_app){ .routes = routes, .cors = &all };
	CU_ASSERT_EQUAL(spout__web_check(&app, why), -EINVAL);
	CU_ASSERT_STRING_EQUAL(why, "cors: \"*\" and credentials do not go together");
	app.cors = &none;
	CU_ASSERT_EQUAL(spout__web_check(&app, why), -EINVAL);
	CU_ASSERT_STRING_EQUAL(why, "cors: no origins");
	app.cors = &for_two;
	CU_ASSERT_EQUAL(spout__web_check(&app, why), 0);
}

/* --- authentication -------------------------------------------------------------- */

/* What /basic says to this field. */
static const char *
basic_of(const char *value)
{
	char field[256];

	snprintf(field, sizeof(field), "Authorization: %s\r\n", value);
	request("GET /basic", field, NULL);
	return status_is(401) ? "401" : body();
}

static void
user_and_password_are_read(void)
{
	begin_with(&(struct spout_app){ 0 });
	CU_ASSERT_STRING_EQUAL(
	    basic_of("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), "Aladdin/open sesame");
	CU_ASSERT_STRING_EQUAL(basic_of("bAsIc  YTpiOmM="), "a/b:c");
	CU_ASSERT_STRING_EQUAL(basic_of("Basic dGVzdDoxMjPCow=="), "test/123\xc2\xa3");
	CU_ASSERT_STRING_EQUAL(basic_of("Basic Og=="), "/");
	CU_ASSERT_STRING_EQUAL(basic_of("Basic"), "401");
	CU_ASSERT_STRING_EQUAL(basic_of("Basic "), "401");
	CU_ASSERT_STRING_EQUAL(basic_of("Basic YQ=="), "401"); /* no colon */
	CU_ASSERT_STRING_EQUAL(basic_of("Basic YTpi!"), "401");
	CU_ASSERT_STRING_EQUAL(basic_of("Basic YToK"), "401"); /* a line feed */
	CU_ASSERT_STRING_EQUAL(basic_of("Basic YTr/"), "401"); /* no UTF-8 */
	CU_ASSERT_STRING_EQUAL(basic_of("Basic YToA"), "401"); /* NUL */
	CU_ASSERT_STRING_EQUAL(basic_of("Bearer YTpi"), "401");
	CU_ASSERT_STRING_EQUAL(basic_of("Basicx YTpi"), "401");
	CU_ASSERT_TRUE(
	    has("WWW-Authenticate: Basic realm=\"stock\", charset=\"UTF-8\"\r\n"));
	end();
}

static void
bearer_tokens_are_read(void)
{
	begin_with(&(struct spout_app){ 0 });
	request("GET /bearer", "Authorization: Bearer ab-._~+/9==\r\n", NULL);
	CU_ASSERT_STRING_EQUAL(body(), "ab-._~+/9==");
	request("GET /bearer", "Authorization: Bearer a=b\r\n", NULL);
	CU_ASSERT_TRUE(status_is(401) && has("WWW-Authenticate: Bearer\r\n"));
	request("GET /bearer", "Authorization: Bearer =\r\n", NULL);
	CU_ASSERT_TRUE(status_is(401));
	request("GET /bearer", "Authorization: Bearer a b\r\n", NULL);
	CU_ASSERT_TRUE(status_is(401));
	get("/bearer");
	CU_ASSERT_TRUE(status_is(401));
	end();
}

static const struct unit_test user_tests[] = {
	UNIT_TEST(a_route_for_users_sends_others_to_the_login),
	UNIT_TEST(without_a_hook_nobody_is_a_user),
	UNIT_TEST(a_mount_asks_for_all_of_its_rows),
	UNIT_TEST(only_paths_of_this_host_are_gone_to),
	UNIT_TEST(user_and_password_are_read),
	UNIT_TEST(bearer_tokens_are_read),
	UNIT_END,
};

static const struct unit_test xsrf_tests[] = {
	UNIT_TEST(tokens_are_those_of_tornado),
	UNIT_TEST(other_texts_are_no_tokens),
	UNIT_TEST(a_form_brings_the_token_of_its_cookie),
	UNIT_TEST(what_brings_no_token_is_refused),
	UNIT_TEST(the_cookie_of_tokens_has_the_name_and_life_it_is_given),
	UNIT_END,
};

static const struct unit_test limit_tests[] = {
	UNIT_TEST(a_route_with_a_limit_says_when_to_come_again),
	UNIT_TEST(what_a_trusted_proxy_says_counts),
	UNIT_END,
};

static const struct unit_test header_tests[] = {
	UNIT_TEST(security_headers_are_on_every_response),
	UNIT_TEST(a_policy_names_the_nonce_of_its_response),
	UNIT_TEST(answers_go_to_the_origins_of_the_list),
	UNIT_TEST(preflights_are_answered),
	UNIT_TEST(an_open_api_is_open_below_its_prefix_only),
	UNIT_TEST(a_prefix_is_of_whole_segments),
	UNIT_TEST(rules_that_cannot_be_are_found_at_the_start),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "users", user_tests },
		{ "forged requests", xsrf_tests },
		{ "limits and proxies", limit_tests },
		{ "headers", header_tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
