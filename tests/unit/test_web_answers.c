/* SPDX-License-Identifier: MIT */
/* The web layer: what a handler answers, how it fails, and who is told. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <spout/executor.h>

#include "web_client.h"

static bool client_leaves_early;
static unsigned cleanups;

static void
hello(struct spout_request *req)
{
	spout_plain(req, "Hello, World!");
}

static void
redirect(struct spout_request *req)
{
	spout_redirect(
	    req, spout_require_arg(req, "to"), (int)spout_arg_int(req, "status"));
}

static void
count_cleanup(void *arg)
{
	(void)arg;
	cleanups++;
}

static void
write_afterwards(void *arg)
{
	CU_ASSERT_EQUAL(spout_try_write(arg, "late", 4), -EINVAL);
	CU_ASSERT_EQUAL(spout_set_status(arg, 404), -EINVAL);
}

static void
fail(struct spout_request *req)
{
	int status = (int)spout_require_arg_int(req, "status");

	spout_set_header(req, "X-Discarded", "1");
	spout_write_text(req, "discarded");
	spout_defer(write_afterwards, req);
	spout_defer(count_cleanup, NULL);
	spout_fail(req, status, "because <of> %s", "this");
}

static void
fail_with(struct spout_request *req)
{
	spout_fail_with(-(int)spout_require_arg_int(req, "error"), "the secret\nreason");
}

static void
fail_inside(void *arg)
{
	spout_fail(arg, 418, "inside");
}

static void
fail_in_child(struct spout_request *req)
{
	spout_scope_run(fail_inside, req);
}

static void
stream(struct spout_request *req)
{
	spout_write_text(req, "one");
	spout_flush(req);
	CU_ASSERT_EQUAL(spout_set_status(req, 404), -EINVAL);
	CU_ASSERT_EQUAL(spout_set_header(req, "X-Late", "1"), -EINVAL);
	if (spout_arg_bool(req, "fail", false))
		spout_fail(req, 500, "after the head");
	spout_write_text(req, "two");
}

static void
big(struct spout_request *req)
{
	char block[1000];
	int i;

	memset(block, 'b', sizeof(block));
	for (i = 0; i < 100; i++)
		spout_write(req, block, sizeof(block));
	spout_printf(req, "%0600d", 1);
}

static void
headers(struct spout_request *req)
{
	spout_add_header(req, "X-A", "1");
	spout_add_header(req, "X-A", "2");
	spout_set_header(req, "X-B", "1");
	spout_set_header(req, "x-b", "2");
	spout_set_header(req, "content-type", "text/csv");
	CU_ASSERT_EQUAL(spout_set_status(req, 99), -EINVAL);
	CU_ASSERT_EQUAL(spout_set_status(req, 201), 0);
	spout_write_text(req, spout_url_escape("a b"));
	spout_write_text(req, spout_html_escape("<b>"));
}

static void
bad_header(struct spout_request *req)
{
	spout_set_header(req, "X-A", spout_require_arg(req, "value"));
}

static void
own_header(struct spout_request *req)
{
	spout_set_header(req, spout_require_arg(req, "name"), "close");
}

static int
job_that_writes(void *arg)
{
	spout_write_text(arg, "from a job");
	return 0;
}

static void
write_in_job(struct spout_request *req)
{
	spout_run_on(spout_pool_new("test", .min_threads = 1), job_that_writes, req);
}

static void
wait_forever(struct spout_request *req)
{
	spout_defer(count_cleanup, req);
	client_leaves_early = true;
	spout_await(spout_future_new());
}

static void
takes_back(struct spout_request *req)
{
	spout_set_status(req, 201);
	CU_ASSERT_EQUAL(spout_status(req), 201);
	spout_set_header(req, "X-A", "1");
	spout_write_text(req, "wrong");
	CU_ASSERT_EQUAL(spout_clear(req), 0);
	CU_ASSERT_EQUAL(spout_status(req), 200);
	spout_add_header(req, "X-B", "1");
	spout_add_header(req, "x-b", "2");
	spout_set_header(req, "X-C", "1");
	CU_ASSERT_EQUAL(spout_clear_header(req, "X-B"), 0);
	spout_plain(req, "right");
	if (spout_query_arg(req, "flush") == NULL)
		return;
	spout_flush(req);
	CU_ASSERT_EQUAL(spout_clear(req), -EINVAL);
	CU_ASSERT_EQUAL(spout_clear_header(req, "X-C"), -EINVAL);
}

static void __attribute__((noinline))
say_and_leave(struct spout_request *req)
{
	spout_plain(req, "said");
	spout_leave(req);
}

static void
leave_it(struct spout_request *req)
{
	spout_defer(count_cleanup, NULL);
	say_and_leave(req);
	CU_FAIL("it went on");
}

static void
leave_in_here(void *arg)
{
	spout_plain(arg, "child");
	spout_leave(arg);
}

static void
leave_in_child(struct spout_request *req)
{
	spout_scope_run(leave_in_here, req);
	spout_write_text(req, " and parent");
}

static void
describe(struct spout_request *req)
{
	uint64_t before = spout_request_time_us(req);

	spout_sleep(2);
	CU_ASSERT_TRUE(spout_request_time_us(req) >= before + 1000);
	spout_printf(req, "%s|%s|%s", spout_request_url(req),
	    spout_request_host_name(req), spout_request_version(req));
}

static void
change_texts(struct spout_request *req)
{
	static const char *const rows[][2] = {
		{ "&lt;b&gt; &amp;amp; &quot;&apos;", "<b> &amp; \"'" },
		{ "&#65;&#x42;&#X63;&#8364;&#x1F600;&nbsp;",
		    "ABc\xe2\x82\xac\xf0\x9f\x98\x80\xc2\xa0" },
		{ "& &; &#; &#x; &#0; &#xd800; &#x110000; &#99999999999; &no; &amp",
		    "& &; &#; &#x; &#0; &#xd800; &#x110000; &#99999999999; &no; &amp" },
		{ "a&lt&gt;&#6a;", "a&lt>&#6a;" },
	};
	char *escaped = spout_html_escape("<&>\"'");
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CU_ASSERT_STRING_EQUAL(spout_html_unescape(rows[i][0]), rows[i][1]);
	CU_ASSERT_STRING_EQUAL(spout_html_unescape(escaped), "<&>\"'");
	CU_ASSERT_STRING_EQUAL(spout_url_unescape("a+b%20%C3%A4"), "a b \xc3\xa4");
	CU_ASSERT_PTR_NULL(spout_url_unescape("%zz"));
	CU_ASSERT_PTR_NULL(spout_url_unescape("%ff"));
	CU_ASSERT_STRING_EQUAL(spout_url_concat("/a", "b", "1"), "/a?b=1");
	CU_ASSERT_STRING_EQUAL(spout_url_concat("/a?b=1#end", "c", "x y", "d", "&"),
	    "/a?b=1&c=x%20y&d=%26#end");
	CU_ASSERT_STRING_EQUAL(spout_url_concat("/a?", "b", ""), "/a?b=");
	CU_ASSERT_STRING_EQUAL(spout_url_concat("/a?b=1&", "c", "2"), "/a?b=1&c=2");
	CU_ASSERT_STRING_EQUAL(
	    spout_http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
	spout_plain(req, spout_url_concat("/a", "no value"));
}

static const struct spout_route routes[] = {
	SPOUT_GET("/takes-back", takes_back),
	SPOUT_GET("/leave", leave_it),
	SPOUT_GET("/leave-in-child", leave_in_child),
	SPOUT_GET("/describe", describe),
	SPOUT_GET("/texts", change_texts),
	SPOUT_GET("/hello", hello),
	SPOUT_GET("/redirect", redirect),
	SPOUT_GET("/fail", fail),
	SPOUT_GET("/fail-with", fail_with),
	SPOUT_GET("/fail-in-child", fail_in_child),
	SPOUT_GET("/stream", stream),
	SPOUT_GET("/big", big),
	SPOUT_GET("/headers", headers),
	SPOUT_GET("/bad-header", bad_header),
	SPOUT_GET("/own-header", own_header),
	SPOUT_GET("/write-in-job", write_in_job),
	SPOUT_GET("/wait", wait_forever, .timeout_ms = 20),
	SPOUT_GET("/wait-long", wait_forever),
	SPOUT_END,
};

static void
healthy_check(struct spout_app *app)
{
	CU_ASSERT_STRING_EQUAL(app->name, "test");
	spout_yield();
}

static bool sick;

static void
sick_check(struct spout_app *app)
{
	(void)app;
	if (sick)
		spout_fail_with(-ENOTCONN, "not \"well\"");
}

static struct spout_app app = {
	.name = "test",
	.routes = routes,
	.readiness = (const struct spout_readiness[]){ { "well", healthy_check },
	    { "sick", sick_check }, { NULL, NULL } },
};

static void
redirects_are_checked(void)
{
	begin(&app, NO_ACCESS_LOG);
	get("/redirect?to=/a?b=c");
	CU_ASSERT_TRUE(status_is(302) && has("\r\nLocation: /a?b=c\r\n"));
	get("/redirect?to=http://example.org/&status=308");
	CU_ASSERT_TRUE(status_is(308) && has("\r\nLocation: http://example.org/\r\n"));
	get("/redirect?to=/a%0d%0aX-Evil:1");
	CU_ASSERT_TRUE(status_is(500) && lacks("X-Evil"));
	get("/redirect?to=");
	CU_ASSERT_TRUE(status_is(500));
	get("/redirect?to=/a%20b");
	CU_ASSERT_TRUE(status_is(500) && lacks("Location"));
	get("/redirect?to=/a&status=200");
	CU_ASSERT_TRUE(status_is(500) && lacks("Location"));
	end();
}

static void
failing_discards_what_was_buffered(void)
{
	begin(&app, NO_ACCESS_LOG);
	cleanups = 0;
	get("/fail?status=404");
	CU_ASSERT_TRUE(status_is(404) && lacks("discarded") && lacks("X-Discarded"));
	CU_ASSERT_TRUE(has("<p>because &lt;of&gt; this</p>"));
	CU_ASSERT_TRUE(has("\r\nX-Request-Id: ") && has("Request id: "));
	CU_ASSERT_TRUE(has("\r\nContent-Type: text/html; charset=UTF-8\r\n"));
	CU_ASSERT_TRUE(has("\r\nServer: Spout/"));
	CU_ASSERT_EQUAL(cleanups, 1);
	get("/fail?status=200");
	CU_ASSERT_TRUE(status_is(500));
	get("/fail-in-child");
	CU_ASSERT_TRUE(status_is(418) && has("<p>inside</p>"));
	end();
}

static void
reasons_of_5xx_stay_in_the_log(void)
{
	begin(&app, NO_ACCESS_LOG);
	get("/fail?status=503");
	CU_ASSERT_TRUE(
	    status_is(503) && lacks("because") && has("\r\nRetry-After: 1\r\n"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(logged, "GET /fail?status=503: 503: because <of> this"));
	get("/fail-with?error=105"); /* ENOBUFS */
	CU_ASSERT_TRUE(status_is(503) && has("\r\nRetry-After: 1\r\n"));
	get("/fail-with?error=5"); /* EIO */
	CU_ASSERT_TRUE(status_is(500) && lacks("secret") && lacks("Retry-After"));
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "500: the secret\\nreason"));
	get("/fail-with?error=121"); /* EREMOTEIO */
	CU_ASSERT_TRUE(status_is(502));
	end();
}

static void
errors_come_as_json_to_who_wants_it(void)
{
	begin(&app, NO_ACCESS_LOG);
	request("GET /nowhere", "Accept: application/json\r\nX-Request-Id: x1\r\n", NULL);
	CU_ASSERT_TRUE(status_is(404));
	CU_ASSERT_TRUE(has("\r\nContent-Type: application/json; charset=UTF-8\r\n"));
	CU_ASSERT_STRING_EQUAL(body(),
	    "{\"error\":{\"status\":404,\"reason\":\"Not Found\","
	    "\"message\":\"no such page\",\"request_id\":\"x1\"}}\n");
	CU_ASSERT_PTR_EQUAL(
	    strstr(strstr(got, "X-Request-Id") + 1, "X-Request-Id"), NULL);
	end();
}

static void
deadlines_are_504(void)
{
	begin(&app, NO_ACCESS_LOG);
	cleanups = 0;
	get("/wait");
	CU_ASSERT_TRUE(status_is(504));
	CU_ASSERT_EQUAL(cleanups, 1);
	end();
}

static void
a_flushed_response_is_chunked(void)
{
	begin(&app, NO_ACCESS_LOG);
	get("/stream");
	CU_ASSERT_TRUE(status_is(200) && has("\r\nTransfer-Encoding: chunked\r\n"));
	CU_ASSERT_TRUE(has("\r\nServer: Spout/") && has("\r\nContent-Type: text/html"));
	CU_ASSERT_STRING_EQUAL(body(), "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
	get("/big");
	CU_ASSERT_TRUE(status_is(200) && has("\r\nTransfer-Encoding: chunked\r\n"));
	CU_ASSERT_TRUE(has("\r\nServer: Spout/") && has("\r\nContent-Type: text/html"));
	CU_ASSERT_TRUE(got_len > 100600);
	end();
}

static void
a_failure_after_the_head_cuts_the_connection(void)
{
	begin(&app, NO_ACCESS_LOG);
	get("/stream?fail=1");
	CU_ASSERT_TRUE(status_is(200));
	CU_ASSERT_STRING_EQUAL(body(), "3\r\none\r\n");
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "500, connection cut: after the head"));
	end();
}

static void
header_fields_are_set_and_checked(void)
{
	begin(&app, NO_ACCESS_LOG);
	get("/headers");
	CU_ASSERT_TRUE(status_is(201) && has("\r\nX-A: 1\r\nX-A: 2\r\n"));
	CU_ASSERT_TRUE(has("\r\nx-b: 2\r\n") && lacks("X-B"));
	CU_ASSERT_TRUE(has("\r\nContent-Type: text/csv\r\n") && lacks("text/html"));
	CU_ASSERT_STRING_EQUAL(body(), "a%20b&lt;b&gt;");
	get("/bad-header?value=a%0d%0aX-Evil:1");
	CU_ASSERT_TRUE(status_is(500) && lacks("X-Evil"));
	get("/own-header?name=server");
	CU_ASSERT_TRUE(status_is(500));
	get("/own-header?name=Connection");
	CU_ASSERT_TRUE(status_is(500));
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "the field \"Connection\" or its value"));
	end();
}

static void
a_handler_takes_back_what_it_has_set(void)
{
	begin(&app, NO_ACCESS_LOG);
	get("/takes-back");
	CU_ASSERT_TRUE(status_is(200) && lacks("X-A:") && lacks("X-B:") && lacks("x-b:"));
	CU_ASSERT_TRUE(has("\r\nX-C: 1\r\n"));
	CU_ASSERT_STRING_EQUAL(body(), "right");
	get("/takes-back?flush=1");
	CU_ASSERT_TRUE(status_is(200) && has("\r\nX-C: 1\r\n"));
	end();
}

static void
a_handler_may_leave_in_the_middle(void)
{
	begin(&app, NO_ACCESS_LOG);
	cleanups = 0;
	get("/leave");
	CU_ASSERT_TRUE(status_is(200));
	CU_ASSERT_STRING_EQUAL(body(), "said");
	CU_ASSERT_EQUAL(cleanups, 1);
	get("/leave-in-child");
	CU_ASSERT_STRING_EQUAL(body(), "child and parent");
	end();
	CU_ASSERT_PTR_NULL(strstr(logged, "left"));
}

static void
a_request_says_how_it_came(void)
{
	begin(&app, NO_ACCESS_LOG);
	request("GET /describe?a=%20b", "", NULL);
	CU_ASSERT_STRING_EQUAL(
	    body(), "http://example.org/describe?a=%20b|example.org|HTTP/1.1");
	say("GET /describe HTTP/1.0\r\nHost: [::1]:8080\r\n\r\n", 44);
	CU_ASSERT_STRING_EQUAL(body(), "http://[::1]:8080/describe|[::1]|HTTP/1.0");
	end();
}

static void
texts_are_escaped_and_back(void)
{
	begin(&app, NO_ACCESS_LOG);
	get("/texts");
	CU_ASSERT_TRUE(status_is(500));
	end();
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "\"no value\" has no value"));
}

static void
write_in_a_job(void)
{
	begin(&app, NO_ACCESS_LOG);
	dup2(STDERR_FILENO, log_fd);
	get("/write-in-job");
}

static void
writing_in_a_job_aborts_with_its_name(void)
{
	unit_assert_aborts(
	    write_in_a_job, "spout_write was called in the job job_that_writes");
}

static void
own_check(void *arg)
{
	if (*(bool *)arg)
		spout_fail_with(-EIO, "own check");
}

static void
health_is_answered_by_the_library(void)
{
	static bool failing;

	begin(&app, NO_ACCESS_LOG);
	failing = false;
	CU_ASSERT_EQUAL(spout__web_add_check(web, "own", own_check, &failing), 0);
	get("/healthz");
	CU_ASSERT_TRUE(status_is(200) && has("\r\nCache-Control: no-store\r\n"));
	CU_ASSERT_STRING_EQUAL(body(), "ok\n");
	get("/readyz");
	CU_ASSERT_TRUE(status_is(503) && has("\r\nRetry-After: 1\r\n"));
	CU_ASSERT_STRING_EQUAL(
	    body(), "{\"ready\":false,\"reasons\":{\"worker\":\"starting\"}}");
	spout__web_set_unready(web, NULL);
	get("/readyz");
	CU_ASSERT_TRUE(status_is(200));
	CU_ASSERT_STRING_EQUAL(body(), "{\"ready\":true}");
	sick = failing = true;
	get("/readyz");
	sick = false;
	CU_ASSERT_TRUE(status_is(503));
	CU_ASSERT_STRING_EQUAL(body(),
	    "{\"ready\":false,\"reasons\":{\"own\":\"own check\","
	    "\"sick\":\"not \\\"well\\\"\"}}");
	end();
}

static void
wait_in_check(void *arg)
{
	(void)arg;
	spout_await(spout_future_new());
}

static void
a_check_that_hangs_is_given_up(void)
{
	begin(&app, NO_ACCESS_LOG);
	spout__web_set_unready(web, NULL);
	CU_ASSERT_EQUAL(spout__web_add_check(web, "slow", wait_in_check, NULL), 0);
	get("/readyz");
	CU_ASSERT_TRUE(status_is(503) && has("{\"slow\":\"the deadline passed\"}"));
	end();
}

static void
the_access_log_has_a_line_per_response(void)
{
	begin(&app, ACCESS_LOG_TEXT);
	request(
	    "GET /headers?a=b", "User-Agent: \"me\\\"\r\nX-Request-Id: id1\r\n", NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(
	    logged, "\"GET /headers?a=b HTTP/1.1\" 201 14 \"-\" \"\\x22me\\x5c\\x22\" "));
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, " id1\n"));
	get("/stream?fail=1");
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(logged, "/stream?fail=1 HTTP/1.1\" 200 3 \"-\" \"-\" "));
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, " cut\n"));
	say("GET / HTTP/1.1\r\n\r\n", 18);
	CU_ASSERT_TRUE(status_is(400) && has("bad-host"));
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "] \"-\" 400 "));
	end();
	begin(&app, ACCESS_LOG_JSON);
	get("/nowhere");
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "\"status\":404"));
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "\"target\":\"/nowhere\""));
	end();
}

static void
drop_client(void *arg)
{
	(void)arg;
	if (!client_leaves_early)
		return;
	shutdown(client, SHUT_RDWR);
}

static void
a_client_that_leaves_ends_the_handler(void)
{
	struct spout_periodic *look;

	begin(&app, ACCESS_LOG_TEXT);
	cleanups = 0;
	client_leaves_early = false;
	look = spout_periodic_start(loop, 1, 0, drop_client, NULL);
	get("/wait-long");
	spout_periodic_stop(look);
	CU_ASSERT_EQUAL(cleanups, 1);
	CU_ASSERT_STRING_EQUAL(got, "");
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "\"GET /wait-long HTTP/1.1\" 499 0 "));
	end();
}

static const struct unit_test web_answers_tests[] = {
	UNIT_TEST(redirects_are_checked),
	UNIT_TEST(failing_discards_what_was_buffered),
	UNIT_TEST(reasons_of_5xx_stay_in_the_log),
	UNIT_TEST(errors_come_as_json_to_who_wants_it),
	UNIT_TEST(deadlines_are_504),
	UNIT_TEST(a_flushed_response_is_chunked),
	UNIT_TEST(a_failure_after_the_head_cuts_the_connection),
	UNIT_TEST(header_fields_are_set_and_checked),
	UNIT_TEST(a_handler_takes_back_what_it_has_set),
	UNIT_TEST(a_handler_may_leave_in_the_middle),
	UNIT_TEST(a_request_says_how_it_came),
	UNIT_TEST(texts_are_escaped_and_back),
	UNIT_TEST(writing_in_a_job_aborts_with_its_name),
	UNIT_TEST(health_is_answered_by_the_library),
	UNIT_TEST(a_check_that_hangs_is_given_up),
	UNIT_TEST(the_access_log_has_a_line_per_response),
	UNIT_TEST(a_client_that_leaves_ends_the_handler),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "web_answers", web_answers_tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
