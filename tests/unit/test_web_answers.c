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

static const struct spout_route routes[] = {
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
