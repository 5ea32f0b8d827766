/* SPDX-License-Identifier: MIT */
/* The HTTP client: requests, answers, reuse, the queue, futures, the synchronous form. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <spout/client.h>
#include <spout/executor.h>
#include <spout/testing.h>

#include "base/stats.h"
#include "unit.h"
#include "upstream.h"

#define ASSERT_SLICE(slice, text) CU_ASSERT_TRUE(spout_slice_equal((slice), (text)))

static void
nap(struct spout_stream *stream, const char *head)
{
	(void)head;
	spout_sleep(30);
	spout_stream_write(stream, OK("3", "nap"), strlen(OK("3", "nap")));
}

static void
never(struct spout_stream *stream, const char *head)
{
	(void)stream;
	(void)head;
	spout_sleep(SPOUT_FOREVER);
}

static const struct upstream_route routes[] = {
	{ .path = "/hello",
	    .answer =
		"HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nX-Tag: a\r\nX-Tag:  b \r\n"
		"x-empty:\r\n\r\nhello" },
	{ .path = "/chunked",
	    .answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		      "3\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Trailer: 1\r\n\r\n" },
	{ .path = "/interim",
	    .answer = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
		      "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n" },
	{ .path = "/missing",
	    .answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone" },
	{ .path = "/head", .answer = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" },
	{ .path = "/json", .answer = OK("13", "{\"a\":[1,2,3]}") },
	{ .path = "/broken-json", .answer = OK("9", "{\"a\":1,\"a") },
	{ .path = "/close",
	    .answer =
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" },
	{ .path = "/nap", .serve = nap },
	{ .path = "/never", .serve = never },
	{ .path = NULL },
};

/* --- requests and answers ---------------------------------------- */

static void
co_answer(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	struct spout_response *r = spout_fetch(upstream_url(port, "/hello"));

	(void)arg;
	CU_ASSERT_EQUAL(spout_response_status(r), 200);
	CU_ASSERT_STRING_EQUAL(spout_response_reason(r), "Fine");
	CU_ASSERT_STRING_EQUAL(spout_response_header(r, "x-tag"), "a");
	CU_ASSERT_STRING_EQUAL(spout_response_field(r, 2)->name, "X-Tag");
	CU_ASSERT_STRING_EQUAL(spout_response_field(r, 2)->value, "b");
	CU_ASSERT_STRING_EQUAL(spout_response_field(r, 3)->value, "");
	CU_ASSERT_PTR_NULL(spout_response_field(r, 4));
	CU_ASSERT_PTR_NULL(spout_response_header(r, "Content-Type"));
	ASSERT_SLICE(spout_response_body(r), "hello");
	CU_ASSERT_EQUAL(spout_response_body(r).data[5], '\0');
	CU_ASSERT_STRING_EQUAL(spout_response_url(r), upstream_url(port, "/hello"));
	CU_ASSERT_TRUE(spout_response_timings(r)->total_us > 0);
	CU_ASSERT_FALSE(spout_response_timings(r)->reused);
	r = spout_fetch(upstream_url(port, "/chunked"));
	ASSERT_SLICE(spout_response_body(r), "abcdefg");
	CU_ASSERT_PTR_NULL(spout_response_header(r, "X-Trailer"));
	r = spout_fetch(upstream_url(port, "/interim"));
	CU_ASSERT_EQUAL(spout_response_status(r), 201);
	CU_ASSERT_PTR_NULL(spout_response_header(r, "Link"));
	r = spout_fetch(upstream_url(port, "/missing"));
	CU_ASSERT_EQUAL(spout_response_status(r), 404);
	ASSERT_SLICE(spout_response_body(r), "gone");
	r = spout_fetch(upstream_url(port, "/head"), .method = "HEAD");
	CU_ASSERT_STRING_EQUAL(spout_response_header(r, "Content-Length"), "1000");
	ASSERT_SLICE(spout_response_body(r), "");
	CU_ASSERT_EQUAL(upstream_saw("HEAD /head HTTP/1.1\r\n"), 1);
	CU_ASSERT_EQUAL(upstream_requests, 5);
	CU_ASSERT_EQUAL(upstream_connections, 1);
}

static void
answers_are_read_whole(void)
{
	SPOUT_TEST_RUN(co_answer, NULL);
}

static void
co_request(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	const char *url = upstream_url(port, "/hello");
	json_t *json = json_pack("{s:i}", "n", 1);

	(void)arg;
	(void)spout_fetch(url,
	    .headers =
		SPOUT_FIELDS({ "X-One", "1" }, { "X-One", "2" }, { "X-None", "" }));
	CU_ASSERT_EQUAL(upstream_saw("X-One: 1\r\nX-One: 2\r\nX-None:\r\n"), 1);
	CU_ASSERT_EQUAL(upstream_saw("User-Agent: Spout/" PACKAGE_VERSION "\r\n"), 1);
	CU_ASSERT_EQUAL(upstream_saw("Accept-Encoding: gzip, deflate, br\r\n"), 1);
	CU_ASSERT_EQUAL(upstream_saw("Content-Type"), 0);
	upstream_forget();
	(void)spout_fetch(url, .body = spout_slice("text"), .user_agent = "me");
	CU_ASSERT_EQUAL(upstream_saw("POST /hello"), 1);
	CU_ASSERT_EQUAL(upstream_saw("Content-Length: 4\r\n"), 1);
	CU_ASSERT_EQUAL(upstream_saw("\r\n\r\ntext"), 1);
	CU_ASSERT_EQUAL(upstream_saw("Content-Type") + upstream_saw("Expect"), 0);
	CU_ASSERT_EQUAL(upstream_saw("User-Agent: me\r\n"), 1);
	upstream_forget();
	(void)spout_fetch(
	    url, .method = "PUT", .form = SPOUT_FIELDS({ "a b", "1&2" }, { "c", "" }));
	CU_ASSERT_EQUAL(upstream_saw("PUT /hello"), 1);
	CU_ASSERT_EQUAL(
	    upstream_saw("Content-Type: application/x-www-form-urlencoded\r\n"), 1);
	CU_ASSERT_EQUAL(upstream_saw("a%20b=1%262&c="), 1);
	upstream_forget();
	(void)spout_fetch(url, .json = json,
	    .headers = SPOUT_FIELDS({ "Content-Type", "application/x+json" }));
	json_decref(json);
	CU_ASSERT_EQUAL(upstream_saw("{\"n\":1}"), 1);
	CU_ASSERT_EQUAL(upstream_saw("Content-Type: application/x+json\r\n"), 1);
	CU_ASSERT_EQUAL(upstream_saw("Content-Type"), 1);
	upstream_forget();
	(void)spout_fetch(url, .method = "POST");
	CU_ASSERT_EQUAL(upstream_saw("Content-Length: 0\r\n"), 1);
	(void)spout_fetch(url, .method = "DELETE", .keep_encoding = true);
	CU_ASSERT_EQUAL(upstream_saw("DELETE /hello"), 1);
	CU_ASSERT_EQUAL(upstream_saw("Accept-Encoding"), 1);
}

static void
requests_carry_what_they_were_given(void)
{
	SPOUT_TEST_RUN(co_request, NULL);
}

static void
co_credentials(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	const char *url = upstream_url(port, "/hello");
	struct spout_response *r;

	(void)arg;
	(void)spout_fetch(url, .username = "Aladdin", .password = "open sesame");
	CU_ASSERT_EQUAL(
	    upstream_saw("Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"), 1);
	(void)spout_fetch(url, .bearer = "t0ken");
	CU_ASSERT_EQUAL(upstream_saw("Authorization: Bearer t0ken\r\n"), 1);
	r = spout_fetch(
	    spout_sprintf("http://Aladdin:open%%20sesame@127.0.0.1:%u/hello", port));
	CU_ASSERT_EQUAL(
	    upstream_saw("Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"), 2);
	CU_ASSERT_STRING_EQUAL(spout_response_url(r), url);
	(void)spout_fetch(
	    url, .bearer = "t0ken", .headers = SPOUT_FIELDS({ "Authorization", "own" }));
	CU_ASSERT_EQUAL(upstream_saw("Authorization:"), 4);
	CU_ASSERT_EQUAL(upstream_saw("Authorization: own\r\n"), 1);
}

static void
credentials_are_sent_as_basic_or_bearer(void)
{
	SPOUT_TEST_RUN(co_credentials, NULL);
}

static void
co_wrong(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	const char *url = upstream_url(port, "/hello");
	static const char *const urls[] = { "", "/path", "ftp://host/", "http://",
		"http://a b/", "file:///etc/passwd", "http://h\xc3\xb6st/",
		"http://x:99999/", "http://host/\r\nX: y" };

	(void)arg;
	for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
		CU_ASSERT_PTR_NULL(spout_try_fetch(urls[i]));
		ASSERT_FAILED(-EINVAL, SPOUT_FETCH_PREPARE);
	}
	CU_ASSERT_PTR_NULL(spout_try_fetch(url, .method = "GET /x"));
	CU_ASSERT_PTR_NULL(spout_try_fetch(url, .method = "CONNECT"));
	CU_ASSERT_PTR_NULL(
	    spout_try_fetch(url, .method = "HEAD", .body = spout_slice("x")));
	CU_ASSERT_PTR_NULL(
	    spout_try_fetch(url, .headers = SPOUT_FIELDS({ "X", "a\r\nY: b" })));
	CU_ASSERT_PTR_NULL(spout_try_fetch(url, .headers = SPOUT_FIELDS({ "X:", "a" })));
	CU_ASSERT_PTR_NULL(
	    spout_try_fetch(url, .headers = SPOUT_FIELDS({ "Content-Length", "7" })));
	CU_ASSERT_PTR_NULL(spout_try_fetch(
	    url, .body = spout_slice("x"), .form = SPOUT_FIELDS({ "a", "b" })));
	CU_ASSERT_PTR_NULL(spout_try_fetch(url, .proxy = "ftp://127.0.0.1:1"));
	CU_ASSERT_PTR_NULL(spout_try_fetch(url, .proxy = "http://127.0.0.1"));
	CU_ASSERT_PTR_NULL(spout_try_fetch(url, .source = "localhost"));
	CU_ASSERT_PTR_NULL(spout_try_fetch(url, .username = "a:b"));
	CU_ASSERT_PTR_NULL(spout_try_fetch(url, .connect_to = "nowhere"));
	ASSERT_FAILED(-EINVAL, SPOUT_FETCH_PREPARE);
	CU_ASSERT_EQUAL(upstream_requests, 0);
}

static void
wrong_urls_and_options_are_refused(void)
{
	SPOUT_TEST_RUN(co_wrong, NULL);
}

static void
co_json(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	struct spout_response *r = spout_fetch(upstream_url(port, "/json"));
	const json_t *json = spout_response_json(r);

	(void)arg;
	CU_ASSERT_EQUAL(json_array_size(json_object_get(json, "a")), 3);
	CU_ASSERT_PTR_EQUAL(spout_response_json(r), json);
	r = spout_fetch(upstream_url(port, "/broken-json"));
	CU_ASSERT_PTR_NULL(spout_response_json(r));
}

static void
a_body_is_read_as_json(void)
{
	SPOUT_TEST_RUN(co_json, NULL);
}

static void
co_fail_on_status(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);

	(void)arg;
	CU_ASSERT_PTR_NULL(
	    spout_try_fetch(upstream_url(port, "/missing"), .fail_on_status = true));
	ASSERT_FAILED(-EREMOTEIO, SPOUT_FETCH_BODY);
	CU_ASSERT_EQUAL(spout_fetch_failure()->status, 404);
	CU_ASSERT_PTR_NOT_NULL(strstr(spout_error(), "404 Not Found"));
	(void)spout_fetch(upstream_url(port, "/missing"), .fail_on_status = true);
	CU_FAIL("it leaves");
}

static void
a_status_is_a_failure_when_asked_for(void)
{
	SPOUT_TEST_FAILS(-EREMOTEIO, co_fail_on_status, NULL);
}

/* --- connections and the queue ---------------------------------------- */

static uint64_t
counter(enum spout__counter id)
{
	return spout__stats->counters[id];
}

static void
co_reuse(void *arg)
{
	uint64_t fetches = counter(SPOUT__C_FETCHES);
	uint64_t connections = counter(SPOUT__C_FETCH_CONNECTIONS);
	uint16_t port = upstream_start(routes, NULL);
	struct spout_client_stats stats;
	struct spout_response *r;

	(void)arg;
	for (int i = 0; i < 10; i++) {
		r = spout_fetch(upstream_url(port, "/hello"));
		CU_ASSERT_EQUAL(spout_response_timings(r)->reused, i > 0);
		spout_response_free(r);
	}
	CU_ASSERT_EQUAL(upstream_connections, 1);
	(void)spout_fetch(upstream_url(port, "/close"));
	(void)spout_fetch(upstream_url(port, "/hello"));
	CU_ASSERT_EQUAL(upstream_connections, 2);
	spout_client_get_stats(&stats);
	CU_ASSERT_EQUAL(stats.fetches, 12);
	CU_ASSERT_EQUAL(stats.connections, 2);
	CU_ASSERT_EQUAL(stats.running + stats.queued + stats.failures, 0);
	CU_ASSERT_EQUAL(counter(SPOUT__C_FETCHES) - fetches, 12);
	CU_ASSERT_EQUAL(counter(SPOUT__C_FETCH_CONNECTIONS) - connections, 2);
	CU_ASSERT_EQUAL(spout__stats->gauges[SPOUT__G_FETCHES_RUNNING], 0);
	CU_ASSERT_EQUAL(spout__stats->gauges[SPOUT__G_FETCHES_QUEUED], 0);
}

static void
connections_are_used_again(void)
{
	SPOUT_TEST_RUN(co_reuse, NULL);
}

static void
co_idle(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	struct spout_future *f[6];
	struct spout_test_mark mark, now;

	(void)arg;
	(void)spout_client_configure(.max_idle = 2);
	spout_test_mark(&mark);
	for (int i = 0; i < 6; i++)
		f[i] = spout_fetch_async(upstream_url(port, "/nap"));
	CU_ASSERT_EQUAL(spout_try_await_all_of(SPOUT_FOREVER, f, 6), 0);
	CU_ASSERT_EQUAL(upstream_connections, 6);
	/* Both ends are ours; those that the client closed are seen by the server. */
	do {
		spout_sleep(1);
		spout_test_mark(&now);
	} while (now.descriptors > mark.descriptors + 4);
	CU_ASSERT_EQUAL(now.descriptors, mark.descriptors + 4);
}

static void
only_so_many_idle_connections_are_kept(void)
{
	SPOUT_TEST_RUN(co_idle, NULL);
}

static void
note_done(struct spout_future *future, void *arg)
{
	char *trace = arg;

	(void)future;
	trace[strlen(trace)] = (char)('0' + strlen(trace));
}

static void
co_queue(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	struct spout_client_stats stats;
	struct spout_future *f[8];
	char trace[16] = "";

	(void)arg;
	(void)spout_client_configure(.max_clients = 2, .max_queued = 4);
	for (int i = 0; i < 6; i++) {
		f[i] = spout_fetch_async(
		    spout_sprintf("%s?%d", upstream_url(port, "/nap"), i));
		CU_ASSERT_EQUAL(
		    spout_future_add_done_callback(f[i], note_done, trace), 0);
		spout_yield();
	}
	spout_client_get_stats(&stats);
	CU_ASSERT_EQUAL(stats.running, 2);
	CU_ASSERT_EQUAL(stats.queued, 4);
	CU_ASSERT_PTR_NULL(spout_try_fetch(upstream_url(port, "/nap")));
	ASSERT_FAILED(-ENOBUFS, SPOUT_FETCH_QUEUE);
	CU_ASSERT_EQUAL(spout_try_await_all_of(SPOUT_FOREVER, f, 6), 0);
	for (int i = 0; i < 6; i++)
		CU_ASSERT_EQUAL(spout_response_status(spout_response(f[i])), 200);
	CU_ASSERT_EQUAL(upstream_connections, 2);
	/* In the order in which they came. */
	for (int i = 1; i < 6; i++)
		CU_ASSERT_TRUE(strstr(upstream_heads, spout_sprintf("nap?%d", i - 1)) <
		    strstr(upstream_heads, spout_sprintf("nap?%d", i)));
	CU_ASSERT_TRUE(spout_response_timings(spout_response(f[5]))->queue_us >= 30000);
}

static void
more_than_max_clients_wait_in_order(void)
{
	SPOUT_TEST_RUN(co_queue, NULL);
}

static void
co_queue_timeout(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	const char *never_url = upstream_url(port, "/never");
	struct spout_future *first;

	(void)arg;
	(void)spout_client_configure(.max_clients = 1);
	first = spout_fetch_async(never_url);
	CU_ASSERT_PTR_NULL(spout_try_fetch(never_url, .timeout_ms = 20));
	ASSERT_FAILED(-ETIMEDOUT, SPOUT_FETCH_QUEUE);
	CU_ASSERT_PTR_NULL(spout_try_fetch(never_url, .queue_timeout_ms = 20));
	ASSERT_FAILED(-ETIMEDOUT, SPOUT_FETCH_QUEUE);
	CU_ASSERT_EQUAL(upstream_requests, 1);
	/* A place becomes free when the one that runs is cancelled. */
	spout_cancel(first);
	(void)spout_fetch(upstream_url(port, "/hello"));
}

static void
waiting_in_the_queue_counts_towards_the_time_out(void)
{
	SPOUT_TEST_RUN(co_queue_timeout, NULL);
}

/* --- futures, cancelling ---------------------------------------- */

static void
co_futures(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	struct spout_future *nap = spout_fetch_async(upstream_url(port, "/nap"));
	struct spout_future *hello = spout_fetch_async(upstream_url(port, "/hello"));
	struct spout_future *wrong = spout_fetch_async("nonsense");

	(void)arg;
	CU_ASSERT_TRUE(spout_future_done(wrong));
	CU_ASSERT_EQUAL(spout_try_await_any(SPOUT_FOREVER, nap, hello), 1);
	ASSERT_SLICE(spout_response_body(spout_response(hello)), "hello");
	CU_ASSERT_FALSE(spout_future_done(nap));
	ASSERT_SLICE(spout_response_body(spout_response(nap)), "nap");
	CU_ASSERT_PTR_EQUAL(spout_response(nap), spout_future_result(nap));
	CU_ASSERT_PTR_NULL(spout_try_response(wrong));
	ASSERT_FAILED(-EINVAL, SPOUT_FETCH_PREPARE);
	CU_ASSERT_PTR_NULL(spout_try_response(spout_future_new()));
	CU_ASSERT_EQUAL(errno, EINVAL);
}

static void
several_are_fetched_at_once(void)
{
	SPOUT_TEST_RUN(co_futures, NULL);
}

static void
co_cancel(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	struct spout_future *f = spout_fetch_async(upstream_url(port, "/never"));
	struct spout_test_mark mark, now;

	(void)arg;
	while (upstream_requests == 0)
		spout_sleep(1);
	spout_test_mark(&mark);
	spout_cancel(f);
	spout_test_mark(&now);
	CU_ASSERT_EQUAL(now.descriptors, mark.descriptors - 1);
	CU_ASSERT_PTR_NULL(spout_try_response(f));
	CU_ASSERT_EQUAL(spout_fetch_failure()->error, -ECANCELED);
	/* At the end of the scope all that run are, too. */
	for (int i = 0; i < 5; i++)
		(void)spout_fetch_async(upstream_url(port, "/never"));
	spout_sleep(2);
}

static void
cancelling_closes_the_connection_at_once(void)
{
	SPOUT_TEST_RUN(co_cancel, NULL);
}

static void
co_fetch_two(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	struct spout_future *nap = spout_fetch_async(upstream_url(port, "/nap"));

	(void)arg;
	(void)spout_fetch(upstream_url(port, "/hello"));
	(void)spout_response(nap);
}

static void
every_wait_of_a_fetch_can_be_cancelled(void)
{
	spout_test_log_begin();
	SPOUT_TEST_SWEEP(co_fetch_two, NULL);
	(void)spout_test_log_end();
}

/* --- the synchronous form ---------------------------------------- */

struct sync {
	const char *url;
	int status[2];
	bool reused;
	struct spout_fetch_failure failure;
};

static int
fetch_sync(void *arg)
{
	struct sync *sync = arg;

	for (int i = 0; i < 2; i++) {
		struct spout_response *r = spout_fetch_sync(sync->url, &sync->failure);

		if (r == NULL)
			return -errno;
		sync->status[i] = spout_response_status(r);
		sync->reused = spout_response_timings(r)->reused;
		spout_response_free(r);
	}
	if (spout_fetch_sync(sync->url, NULL, .upload = true) != NULL || errno != EINVAL)
		return -EIO;
	if (spout_fetch_sync("http://127.0.0.1:1/", &sync->failure) != NULL)
		return -EIO;
	return 0;
}

static void
co_sync(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	struct sync sync = { .url = upstream_url(port, "/hello") };

	(void)arg;
	CU_ASSERT_EQUAL(spout_run(fetch_sync, &sync), 0);
	CU_ASSERT_EQUAL(sync.status[0], 200);
	CU_ASSERT_EQUAL(sync.status[1], 200);
	CU_ASSERT_TRUE(sync.reused);
	CU_ASSERT_EQUAL(upstream_connections, 1);
	CU_ASSERT_EQUAL(sync.failure.error, -ECONNREFUSED);
	CU_ASSERT_EQUAL(sync.failure.phase, SPOUT_FETCH_CONNECT);
	sync.url = upstream_url(port, "/never");
	CU_ASSERT_PTR_NULL(spout_fetch_sync(sync.url, &sync.failure, .timeout_ms = 20));
	CU_ASSERT_EQUAL(sync.failure.error, -ETIMEDOUT);
	/* The loop is blocked, so that the server has not even accepted. */
	CU_ASSERT_EQUAL(sync.failure.phase, SPOUT_FETCH_FIRST_BYTE);
	spout_fetch_sync_close();
}

static void
the_synchronous_form_works_on_any_thread(void)
{
	SPOUT_TEST_RUN(co_sync, NULL);
}

static const struct unit_test tests[] = { UNIT_TEST(answers_are_read_whole),
	UNIT_TEST(requests_carry_what_they_were_given),
	UNIT_TEST(credentials_are_sent_as_basic_or_bearer),
	UNIT_TEST(wrong_urls_and_options_are_refused), UNIT_TEST(a_body_is_read_as_json),
	UNIT_TEST(a_status_is_a_failure_when_asked_for),
	UNIT_TEST(connections_are_used_again),
	UNIT_TEST(only_so_many_idle_connections_are_kept),
	UNIT_TEST(more_than_max_clients_wait_in_order),
	UNIT_TEST(waiting_in_the_queue_counts_towards_the_time_out),
	UNIT_TEST(several_are_fetched_at_once),
	UNIT_TEST(cancelling_closes_the_connection_at_once),
	UNIT_TEST(every_wait_of_a_fetch_can_be_cancelled),
	UNIT_TEST(the_synchronous_form_works_on_any_thread), UNIT_END };

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "client", tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
