/* SPDX-License-Identifier: MIT */
/* Error pages: the program's own, and those of debug mode. */
#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <sys/socket.h>

#include "web_client.h"

static unsigned failed_line, calls;

/* Kept apart, so that it has a name of its own on the page. */
static void __attribute__((noinline))
look_for_the_page(struct spout_request *req)
{
	failed_line = __LINE__ + 1;
	spout_fail(req, 404, "no <page> here"); /* a line to be found */
}

static void
missing(struct spout_request *req)
{
	spout_write_text(req, "discarded");
	look_for_the_page(req);
}

static void
broken(struct spout_request *req)
{
	(void)req;
	spout_fail_with(-EIO, "the <secret> reason");
}

static void
busy(struct spout_request *req)
{
	spout_fail(req, 503, "full");
}

static void __attribute__((noinline))
needs_an_argument(struct spout_request *req)
{
	failed_line = __LINE__ + 1;
	spout_plain(req, spout_require_arg(req, "name"));
}

static void
fail_in_here(void *arg)
{
	failed_line = __LINE__ + 1;
	spout_fail(arg, 409, "in a child");
}

static void
fails_in_a_child(struct spout_request *req)
{
	spout_scope_run(fail_in_here, req);
}

static void
late(struct spout_request *req)
{
	(void)req;
	spout_await(spout_future_new());
}

static void
client_leaves(struct spout_request *req)
{
	shutdown(client, SHUT_RDWR);
	late(req);
}

static void
streams(struct spout_request *req)
{
	spout_write_text(req, "begun");
	spout_flush(req);
	spout_fail(req, 500, "after the head");
}

static void
own_page(struct spout_request *req, const struct spout_failure *failure)
{
	calls++;
	spout_set_header(req, "X-Own", "1");
	spout_printf(req, "own %d %s|%s|%s|%d", failure->status, failure->reason,
	    failure->message, failure->cause, failure->json);
}

static void
page_of_the_table(struct spout_request *req, const struct spout_failure *failure)
{
	(void)failure;
	calls++;
	spout_yield();
	spout_plain(req, "of the table");
}

static void
no_page(struct spout_request *req, const struct spout_failure *failure)
{
	(void)failure;
	calls++;
	spout_set_status(req, 418);
}

static void
broken_page(struct spout_request *req, const struct spout_failure *failure)
{
	calls++;
	spout_write_text(req, "half of it");
	spout_fail(req, 404, "the page of %d has failed", failure->status);
}

static const struct spout_route table[] = {
	SPOUT_GET("/missing", missing),
	SPOUT_GET("/own", missing, .write_error = own_page),
	SPOUT_END,
};

static const struct spout_route routes[] = {
	SPOUT_GET("/missing", missing),
	SPOUT_GET("/broken", broken),
	SPOUT_GET("/busy", busy),
	SPOUT_GET("/argument", needs_an_argument),
	SPOUT_GET("/child", fails_in_a_child),
	SPOUT_GET("/late", late, .timeout_ms = 20),
	SPOUT_GET("/late-table", late, .timeout_ms = 20,
	    .write_error = page_of_the_table),
	SPOUT_GET("/leaves", client_leaves),
	SPOUT_GET("/streams", streams),
	SPOUT_GET("/no-page", busy, .write_error = no_page),
	SPOUT_GET("/broken-page", busy, .write_error = broken_page),
	SPOUT_MOUNT("/table", table, .write_error = page_of_the_table),
	SPOUT_END,
};

static struct spout_app own_app = { .name = "test",
	.routes = routes,
	.write_error = own_page };
static struct spout_app debug_app = { .name = "test", .routes = routes, .debug = true };
static struct spout_app plain_app = { .name = "test", .routes = routes };

/* --- the program's own ------------------------------------------------------------ */

static void
the_program_writes_its_pages(void)
{
	begin(&own_app, NO_ACCESS_LOG);
	get("/missing");
	CU_ASSERT_TRUE(status_is(404) && has("\r\nX-Own: 1\r\n"));
	CU_ASSERT_STRING_EQUAL(
	    body(), "own 404 Not Found|no <page> here|no <page> here|0");
	CU_ASSERT_TRUE(has("\r\nX-Request-Id: ") && has("\r\nContent-Length: 49\r\n"));
	request("GET /nowhere", "Accept: application/json\r\n", NULL);
	CU_ASSERT_TRUE(status_is(404));
	CU_ASSERT_STRING_EQUAL(
	    body(), "own 404 Not Found|no such page|no such page|1");
	get("/busy");
	CU_ASSERT_TRUE(status_is(503) && has("\r\nRetry-After: 1\r\n"));
	CU_ASSERT_TRUE(has("Try again in a moment.|full|"));
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "GET /busy: 503: full"));
	request("POST /missing", "", "");
	CU_ASSERT_TRUE(status_is(405) && has("\r\nAllow: ") && has("own 405 "));
	get("/late");
	CU_ASSERT_TRUE(status_is(504) && has("own 504 "));
	end();
}

static void
a_row_and_a_table_have_pages_of_their_own(void)
{
	begin(&own_app, NO_ACCESS_LOG);
	get("/table/missing");
	CU_ASSERT_TRUE(status_is(404));
	CU_ASSERT_STRING_EQUAL(body(), "of the table");
	get("/table/own");
	CU_ASSERT_TRUE(has("\r\n\r\nown 404 "));
	get("/table/nowhere");
	CU_ASSERT_TRUE(has("\r\n\r\nown 404 "));
	end();
}

static void
without_a_page_of_the_program_ours_is_sent(void)
{
	begin(&own_app, NO_ACCESS_LOG);
	get("/no-page");
	CU_ASSERT_TRUE(status_is(503) && has("<h1>503: Service Unavailable</h1>"));
	get("/broken-page");
	CU_ASSERT_TRUE(status_is(404) && lacks("half of it"));
	CU_ASSERT_TRUE(has("<p>the page of 503 has failed</p>"));
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "GET /broken-page: 503: full"));
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "404: the page of 503 has failed"));
	/* Past its deadline a page may not wait. */
	get("/late-table");
	CU_ASSERT_TRUE(status_is(504) && has("<h1>504: Gateway Timeout</h1>"));
	end();
}

static void
no_page_is_written_for_nobody(void)
{
	begin(&own_app, NO_ACCESS_LOG);
	calls = 0;
	get("/streams");
	CU_ASSERT_TRUE(status_is(200));
	CU_ASSERT_STRING_EQUAL(body(), "5\r\nbegun\r\n");
	get("/leaves");
	CU_ASSERT_EQUAL(calls, 0);
	get("/missing");
	CU_ASSERT_EQUAL(calls, 1);
	end();
}

/* --- debug mode ------------------------------------------------------------------- */

static bool
has_line(const char *fmt, unsigned line)
{
	char text[128];

	snprintf(text, sizeof(text), fmt, line);
	return has(text);
}

static void
debug_mode_shows_where_it_failed(void)
{
	begin(&debug_app, NO_ACCESS_LOG);
	get("/missing");
	CU_ASSERT_TRUE(status_is(404) && has("<p>no &lt;page&gt; here</p>"));
	CU_ASSERT_TRUE(has_line("test_web_failure.c:%u</code>", failed_line));
	CU_ASSERT_TRUE(has("<b>") && has("/* a line to be found */</b>"));
	CU_ASSERT_TRUE(has("look_for_the_page(struct spout_request *req)\n"));
	CU_ASSERT_TRUE(has("<h2>Functions</h2>") && has("spout_fail_at"));
	get("/broken");
	CU_ASSERT_TRUE(status_is(500) && has("the &lt;secret&gt; reason"));
	get("/child");
	CU_ASSERT_TRUE(status_is(409));
	CU_ASSERT_TRUE(has_line("test_web_failure.c:%u</code>", failed_line));
	get("/nowhere");
	CU_ASSERT_TRUE(status_is(404) && has("<h2>Request</h2>"));
	end();
}

#ifdef HAVE_LIBDW
static void
debug_mode_names_functions_and_lines(void)
{
	begin(&debug_app, NO_ACCESS_LOG);
	get("/missing");
	CU_ASSERT_TRUE(has("<li>look_for_the_page <small>"));
	CU_ASSERT_TRUE(has_line("test_web_failure.c:%u</small>", failed_line));
	CU_ASSERT_TRUE(has("<li class=\"library\">spout_fail_at <small>"));
	CU_ASSERT_TRUE(lacks("<li>spout_fail_at"));
	/* A call that fails by itself: the line of the program, not of the library. */
	get("/argument");
	CU_ASSERT_TRUE(status_is(400));
	CU_ASSERT_TRUE(has_line("test_web_failure.c:%u</code>", failed_line));
	request("GET /argument", "Accept: application/json\r\n", NULL);
	CU_ASSERT_TRUE(has(",\"debug\":{\"reason\":\"") && has("\"needs_an_argument\""));
	CU_ASSERT_TRUE(has_line("\"line\":%u,", failed_line));
	end();
}
#endif

static void
debug_mode_masks_secrets(void)
{
	begin(&debug_app, NO_ACCESS_LOG);
	request("GET /broken?user=me&Password=hidden1&x=a%3Db&pass%77ord=hidden2",
	    "Cookie: sid=hidden3\r\nAUTHORIZATION: Basic hidden4\r\n"
	    "X-Api-Token: hidden5\r\nX-Shown: <shown>\r\n"
	    "Referer: http://localhost/login?token=hidden6&y=1\r\n",
	    NULL);
	CU_ASSERT_TRUE(status_is(500) && lacks("hidden"));
	CU_ASSERT_TRUE(has("/broken?user=me&amp;Password=<i>masked</i>&amp;x=a%3Db"));
	CU_ASSERT_TRUE(has("<th>Cookie</th><td><i>masked</i></td>"));
	CU_ASSERT_TRUE(has("<th>X-Shown</th><td>&lt;shown&gt;</td>"));
	CU_ASSERT_TRUE(has("http://localhost/login?token=<i>masked</i>&amp;y=1"));
	end();
}

static void
without_debug_mode_nothing_of_it_is_shown(void)
{
	static const char *const paths[] = { "/missing", "/broken", "/argument",
		"/child", "/nowhere", "/late" };
	size_t i, json;

	begin(&plain_app, NO_ACCESS_LOG);
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		for (json = 0; json < 2; json++) {
			char start[64];

			snprintf(start, sizeof(start), "GET %s", paths[i]);
			request(start, json ? "Accept: application/json\r\n" : "", NULL);
			CU_ASSERT_TRUE(lacks("test_web_failure") && lacks("debug"));
			CU_ASSERT_TRUE(lacks("Functions") && lacks("look_for_the_page"));
			CU_ASSERT_TRUE(lacks("secret") && lacks("<style>"));
			CU_ASSERT_TRUE(got_len < 700);
		}
	end();
}

static const struct unit_test web_failure_tests[] = {
	UNIT_TEST(the_program_writes_its_pages),
	UNIT_TEST(a_row_and_a_table_have_pages_of_their_own),
	UNIT_TEST(without_a_page_of_the_program_ours_is_sent),
	UNIT_TEST(no_page_is_written_for_nobody),
	UNIT_TEST(debug_mode_shows_where_it_failed),
#ifdef HAVE_LIBDW
	UNIT_TEST(debug_mode_names_functions_and_lines),
#endif
	UNIT_TEST(debug_mode_masks_secrets),
	UNIT_TEST(without_debug_mode_nothing_of_it_is_shown),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "web_failure", web_failure_tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
