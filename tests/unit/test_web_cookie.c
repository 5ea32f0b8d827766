/* SPDX-License-Identifier: MIT */
/* Cookies as handlers use them, over a connection. */
#include "config.h"

#include "unit.h"
#include "web_client.h"

#include <errno.h>
#include <stdio.h>

#include <spout/cookie.h>

static void
show(struct spout_request *req)
{
	const char *value = spout_cookie(req, spout_require_arg(req, "name"));

	spout_plain(req, value != NULL ? value : "(none)");
}

static void
set_two(struct spout_request *req)
{
	spout_set_cookie(req, "a", "1");
	spout_set_cookie(req, "b", "2", .max_age_s = 60, .secure = true);
	spout_set_cookie(req, "a", "3", .path = "/x");
	spout_set_cookie(req, "a", "4");
	spout_clear_cookie(req, "c", .path = "/y");
}

static void
set_bad(struct spout_request *req)
{
	spout_set_cookie(req, "a", "1", .path = "nowhere");
	spout_plain(req, "not reached");
}

static void
set_signed(struct spout_request *req)
{
	const char *value = spout_require_arg(req, "value");

	spout_set_signed_cookie(req, "user", value);
	spout_set_encrypted_cookie(req, "pin", value, .max_age_s = -1);
}

static void
show_signed(struct spout_request *req)
{
	const char *user = spout_signed_cookie(req, "user");
	const char *pin = spout_encrypted_cookie(req, "pin", .max_age_s = 60);

	spout_printf(req, "user %s, pin %s, key %d", user != NULL ? user : "(none)",
	    pin != NULL ? pin : "(none)",
	    (int)spout_signed_cookie_key_version(req, "user"));
}

static void
sign(struct spout_request *req)
{
	char *text = spout_sign_value(req, "link", spout_slice_of("a\0b", 3));
	struct spout_slice back = spout_verify_value(req, "link", text, 10);

	spout_printf(req, "%zu bytes, %s", back.len,
	    spout_verify_value(req, "other", text, 10).data == NULL ? "refused"
								    : "taken");
}

static const struct spout_route routes[] = {
	SPOUT_GET("/show", show),
	SPOUT_GET("/set", set_two),
	SPOUT_GET("/bad", set_bad),
	SPOUT_GET("/signed/set", set_signed),
	SPOUT_GET("/signed", show_signed),
	SPOUT_GET("/sign", sign),
	SPOUT_END,
};

static struct spout_app app = {
	.name = "cookies",
	.routes = routes,
};

static void
cookies_are_read(void)
{
	app.cookie_secret = NULL;
	begin(&app, NO_ACCESS_LOG);
	request("GET /show?name=b", "Cookie: a=1; b=2; b=3\r\n", NULL);
	CU_ASSERT_STRING_EQUAL(body(), "2");
	request("GET /show?name=c", "Cookie: a=1\r\ncookie: c=\"x y\"\r\n", NULL);
	CU_ASSERT_STRING_EQUAL(body(), "x y");
	request("GET /show?name=B", "Cookie: b=1\r\n", NULL);
	CU_ASSERT_STRING_EQUAL(body(), "(none)");
	request("GET /show?name=b", "Cookie: b=\xff\r\n", NULL);
	CU_ASSERT_STRING_EQUAL(body(), "(none)");
	get("/show?name=b");
	CU_ASSERT_STRING_EQUAL(body(), "(none)");
	end();
}

static void
cookies_are_set_and_the_last_of_a_name_counts(void)
{
	app.cookie_secret = NULL;
	begin(&app, NO_ACCESS_LOG);
	get("/set");
	CU_ASSERT_TRUE(status_is(200));
	CU_ASSERT_TRUE(has("Set-Cookie: a=4; Path=/; HttpOnly; SameSite=Lax\r\n"));
	CU_ASSERT_TRUE(has("Set-Cookie: b=2; Max-Age=60; Path=/; Secure; HttpOnly; "));
	CU_ASSERT_TRUE(has("Set-Cookie: a=3; Path=/x; "));
	CU_ASSERT_TRUE(has("Set-Cookie: c=; Expires=Thu, 01 Jan 1970 00:00:01 GMT; "
			   "Path=/y; "));
	CU_ASSERT_TRUE(lacks("a=1"));
	end();
}

static void
a_cookie_that_cannot_be_ends_the_handler(void)
{
	app.cookie_secret = NULL;
	begin(&app, NO_ACCESS_LOG);
	get("/bad");
	CU_ASSERT_TRUE(status_is(500) && lacks("Set-Cookie") && lacks("not reached"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(logged, "the cookie \"a\" cannot be set: its path is not valid"));
	end();
}

/* The Cookie field that sends back what the last answer set. */
static const char *
cookies_back(void)
{
	static char field[4096];
	int n = snprintf(field, sizeof(field), "Cookie: x=y");
	const char *at = got;

	while ((at = strstr(at, "Set-Cookie: ")) != NULL) {
		at += strlen("Set-Cookie: ");
		n += snprintf(field + n, sizeof(field) - (size_t)n, "; %.*s",
		    (int)strcspn(at, ";"), at);
	}
	snprintf(field + n, sizeof(field) - (size_t)n, "\r\n");
	return field;
}

static void
signed_and_encrypted_cookies_come_back(void)
{
	app.cookie_secret = "2 a-secret-that-signs-cookies\n";
	begin(&app, NO_ACCESS_LOG);
	get("/signed/set?value=al%C3%AFce%20%3B%22");
	CU_ASSERT_TRUE(has("Set-Cookie: user=2|1:2|10:"));
	CU_ASSERT_TRUE(has("; Max-Age=2592000; "));
	CU_ASSERT_TRUE(has("Set-Cookie: pin=e1|2|"));
	request("GET /signed", cookies_back(), NULL);
	CU_ASSERT_STRING_EQUAL(body(),
	    "user al\xc3\xaf"
	    "ce ;\", pin al\xc3\xaf"
	    "ce ;\", key 2");
	get("/signed");
	CU_ASSERT_STRING_EQUAL(body(), "user (none), pin (none), key -1");
	request("GET /signed",
	    "Cookie: user=\"2|1:2|10:1700000000|4:user|4:Ym9i|00\"; pin=e1|2|17|AAAA\r\n",
	    NULL);
	CU_ASSERT_STRING_EQUAL(body(), "user (none), pin (none), key -1");
	get("/sign");
	CU_ASSERT_STRING_EQUAL(body(), "3 bytes, refused");
	end();
}

static void
without_a_secret_the_log_says_what_is_missing(void)
{
	app.cookie_secret = NULL;
	begin(&app, NO_ACCESS_LOG);
	get("/signed");
	CU_ASSERT_TRUE(status_is(500));
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "--cookie-secret-file"));
	get("/signed/set?value=a");
	CU_ASSERT_TRUE(status_is(500) && lacks("Set-Cookie"));
	end();
}

static void
a_bad_secret_is_found_before_anything_starts(void)
{
	const struct spout__web_options options = { .access_log_fd = -1 };
	char why[SPOUT__ROUTER_WHY_SIZE];

	app.cookie_secret = "short";
	CU_ASSERT_EQUAL(spout__web_check(&app, why), -EINVAL);
	CU_ASSERT_STRING_EQUAL(why, "a secret is shorter than 16 characters");
	CU_ASSERT_PTR_NULL(spout__web_new(NULL, &app, &options));
	CU_ASSERT_EQUAL(errno, EINVAL);
	app.cookie_secret = NULL;
	CU_ASSERT_EQUAL(spout__web_check(&app, why), 0);
}

static const struct unit_test tests[] = {
	UNIT_TEST(cookies_are_read),
	UNIT_TEST(cookies_are_set_and_the_last_of_a_name_counts),
	UNIT_TEST(a_cookie_that_cannot_be_ends_the_handler),
	UNIT_TEST(signed_and_encrypted_cookies_come_back),
	UNIT_TEST(without_a_secret_the_log_says_what_is_missing),
	UNIT_TEST(a_bad_secret_is_found_before_anything_starts),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "cookies of requests", tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
