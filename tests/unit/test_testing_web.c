/* SPDX-License-Identifier: MIT */
/* The test kit: an application served on the loop of a test, and asked. */
#include "config.h"

#include "unit.h"

#include <errno.h>

#include <spout/spout.h>
#include <spout/testing.h>

/* --- the server ----------------------------------------------------------------- */

static int hooks;

static void
on_start(struct spout_app *app)
{
	(void)app;
	spout_sleep(1);
	hooks += 1;
}

static void
on_stop(struct spout_app *app)
{
	(void)app;
	spout_sleep(1);
	hooks += 10;
}

static void
hello(struct spout_request *req)
{
	spout_add_header(req, "X-Who", spout_header(req, "X-Me"));
	spout_plain(req, "Hello!");
}

static void
echo(struct spout_request *req)
{
	struct spout_slice body = spout_body(req);

	spout_write(req, body.data, body.len);
}

static void
chunks(struct spout_request *req)
{
	int i;

	for (i = 0; i < 3; i++) {
		spout_write_text(req, "piece ");
		spout_flush(req);
		spout_sleep(10);
	}
}

static void
slow(struct spout_request *req)
{
	spout_sleep(3600 * 1000);
	spout_plain(req, "late");
}

static const struct spout_route routes[] = {
	SPOUT_GET("/", hello),
	SPOUT_POST("/echo", echo, .max_body_bytes = 4 << 20),
	SPOUT_GET("/chunks", chunks),
	SPOUT_GET("/slow", slow, .timeout_ms = 5000),
	SPOUT_END,
};

static struct spout_app app = { .name = "test", .routes = routes };

static void
fetches(void *arg)
{
	struct spout_test_server *server = spout_test_serve(&app);
	struct spout_test_response *r;
	size_t len = 1 << 20;
	char *much = spout_alloc(len);

	(void)arg;
	r = spout_test_fetch(server, "GET", "/", .headers = "X-Me: you\r\n");
	CU_ASSERT_EQUAL(r->status, 200);
	CU_ASSERT_STRING_EQUAL(r->body, "Hello!");
	CU_ASSERT_EQUAL(r->body_len, 6);
	CU_ASSERT_STRING_EQUAL(spout_test_header(r, "x-WHO"), "you");
	CU_ASSERT_PTR_NULL(spout_test_header(r, "X-Whom"));

	r = spout_test_fetch(server, "HEAD", "/", .headers = "X-Me: you\r\n");
	CU_ASSERT_EQUAL(r->status, 200);
	CU_ASSERT_STRING_EQUAL(r->body, "");
	r = spout_test_fetch(server, "GET", "/nowhere");
	CU_ASSERT_EQUAL(r->status, 404);

	memset(much, 'm', len);
	r = spout_test_fetch(server, "POST", "/echo", .body = much, .body_len = len);
	CU_ASSERT_EQUAL(r->body_len, len);
	CU_ASSERT_EQUAL(memcmp(r->body, much, len), 0);
	r = spout_test_fetch(server, "POST", "/echo", .body = "text",
	    .headers = "Expect: 100-continue\r\n");
	CU_ASSERT_EQUAL(r->status, 200);
	CU_ASSERT_STRING_EQUAL(r->body, "text");
	r = spout_test_fetch(server, "GET", "/chunks");
	CU_ASSERT_STRING_EQUAL(r->body, "piece piece piece ");
	CU_ASSERT_STRING_EQUAL(spout_test_header(r, "Transfer-Encoding"), "chunked");
}

static void
an_application_is_served_and_fetched_from(void)
{
	SPOUT_TEST_RUN(fetches, NULL, .no_threads = true, .virtual_clock = true);
	SPOUT_TEST_RUN(fetches, NULL);
}

static void
serves_with_hooks(void *arg)
{
	struct spout_test_server *server = spout_test_serve(arg);
	const char *url = spout_test_url(server, "/x");

	CU_ASSERT_EQUAL(hooks, 1);
	CU_ASSERT_STRING_EQUAL(url,
	    spout_sprintf("http://127.0.0.1:%u/x", (unsigned)spout_test_port(server)));
	CU_ASSERT_EQUAL(spout_test_fetch(server, "GET", "/readyz")->status, 200);
}

static void
hooks_run_before_and_after(void)
{
	struct spout_app with_hooks = app;

	with_hooks.on_worker_start = on_start;
	with_hooks.on_worker_stop = on_stop;
	hooks = 0;
	SPOUT_TEST_RUN(serves_with_hooks, &with_hooks);
	CU_ASSERT_EQUAL(hooks, 11);
}

static void
talks_raw(void *arg)
{
	static const char malformed[] = "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
	struct spout_test_server *server = spout_test_serve(&app);
	const char *answer =
	    spout_test_raw(server, malformed, sizeof(malformed) - 1, NULL);

	(void)arg;
	CU_ASSERT_EQUAL(strncmp(answer, "HTTP/1.1 400 ", 13), 0);
}

static void
raw_bytes_get_their_raw_answer(void)
{
	SPOUT_TEST_RUN(talks_raw, NULL);
}

static void
fetches_slow(void *arg)
{
	struct spout_test_server *server = spout_test_serve(&app);

	*(int *)arg = spout_test_fetch(server, "GET", "/slow")->status;
}

static void
deadlines_of_requests_are_virtual_too(void)
{
	int status = 0;

	spout_test_log_begin();
	CU_ASSERT_EQUAL(spout_test_log_expect("GET /slow: 504"), 0);
	SPOUT_TEST_RUN(fetches_slow, &status, .virtual_clock = true);
	SPOUT_TEST_LOG_END();
	CU_ASSERT_EQUAL(status, 504);
}

static const struct spout_route twice[] = {
	SPOUT_GET("/", hello),
	SPOUT_GET("/", hello),
	SPOUT_END,
};

static void
serves_nonsense(void *arg)
{
	struct spout_app nonsense = { .name = "nonsense", .routes = twice };

	(void)arg;
	spout_test_serve(&nonsense);
}

static void
a_wrong_table_of_routes_is_an_error(void)
{
	struct spout_test_result result = spout_test_run(serves_nonsense, NULL);

	CU_ASSERT_EQUAL(result.error, -EEXIST);
	CU_ASSERT_PTR_NOT_NULL(strstr(result.reason, "spout_test_serve: "));
}

static const struct unit_test server_tests[] = {
	UNIT_TEST(an_application_is_served_and_fetched_from),
	UNIT_TEST(hooks_run_before_and_after),
	UNIT_TEST(raw_bytes_get_their_raw_answer),
	UNIT_TEST(deadlines_of_requests_are_virtual_too),
	UNIT_TEST(a_wrong_table_of_routes_is_an_error),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = {
		{ "server", server_tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
