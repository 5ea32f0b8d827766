/* SPDX-License-Identifier: MIT */
/*
 * The HTTP client against servers, names and networks that fail: each time-out, each end,
 * what it is told of; and the loop goes on meanwhile.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <spout/client.h>
#include <spout/loop.h>
#include <spout/testing.h>

#include "black_hole.h"
#include "fake_resolver.h"
#include "loop/loop.h"
#include "unit.h"
#include "upstream.h"

/* The longest turn of the loop that a fault may cause; the sanitizers make all slower. */
#define STALL_US 5000u

static void
never(struct spout_stream *stream, const char *head)
{
	(void)stream;
	(void)head;
	spout_sleep(SPOUT_FOREVER);
}

static void
drip(struct spout_stream *stream, const char *head)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";

	(void)head;
	spout_stream_write(stream, text, strlen(text));
	for (;;) {
		spout_stream_write(stream, "x", 1);
		spout_sleep(20);
	}
}

static void
cut(struct spout_stream *stream, const char *head)
{
	(void)head;
	spout_stream_close(stream);
}

static void
hold_after_head(struct spout_stream *stream, const char *head)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab";

	(void)head;
	spout_stream_write(stream, text, strlen(text));
	spout_sleep(SPOUT_FOREVER);
}

static void
endless_head(struct spout_stream *stream, const char *head)
{
	(void)head;
	spout_stream_write(stream, "HTTP/1.1 200 OK\r\n", 17);
	for (;;)
		spout_stream_write(stream, "X-Long: 0123456789\r\n", 20);
}

static void
endless_body(struct spout_stream *stream, const char *head)
{
	char block[4096];

	(void)head;
	memset(block, 'x', sizeof(block));
	spout_stream_write(stream, "HTTP/1.1 200 OK\r\n\r\n", 19);
	for (;;)
		spout_stream_write(stream, block, sizeof(block));
}

static void
short_body(struct spout_stream *stream, const char *head)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive!";

	(void)head;
	spout_stream_write(stream, text, strlen(text));
	spout_stream_flush(stream);
	spout_stream_close(stream);
}

static void
short_chunk(struct spout_stream *stream, const char *head)
{
	static const char text[] =
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab";

	(void)head;
	spout_stream_write(stream, text, strlen(text));
	spout_stream_flush(stream);
	spout_stream_close(stream);
}

static const struct upstream_route routes[] = {
	{ .path = "/ok", .answer = OK("2", "ok") },
	{ .path = "/never", .serve = never },
	{ .path = "/drip", .serve = drip },
	{ .path = "/cut", .serve = cut },
	{ .path = "/hold", .serve = hold_after_head },
	{ .path = "/endless-head", .serve = endless_head },
	{ .path = "/endless-body", .serve = endless_body },
	{ .path = "/short", .serve = short_body },
	{ .path = "/short-chunk", .serve = short_chunk },
	{ .path = "/nonsense", .answer = "SSH-2.0-OpenSSH_9.2\r\n\r\n" },
	{ .path = "/bad-line", .answer = "HTTP/1.1 200 OK\r\nno colon\r\n\r\n" },
	{ .path = "/bad-length",
	    .answer = "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n" },
	{ .path = "/bad-chunk",
	    .answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" },
	{ .path = NULL },
};

/* --- that the loop goes on ---------------------------------------- */

static void
stalls_begin(void)
{
	spout_yield();
	(void)spout__loop_take_max_turn_us(spout_loop_current());
}

static void
stalls_end(const char *what)
{
	uint64_t us, limit = STALL_US;

	spout_yield();
	us = spout__loop_take_max_turn_us(spout_loop_current());
	/* A machine that runs other things takes a turn's time away now and then. */
	if (unit_scaled(100) < 100 || getenv("SPOUT_TEST_STRICT") == NULL)
		limit *= 40;
	if (us > limit)
		fprintf(stderr, "%s: a turn of %llu us\n", what, (unsigned long long)us);
	CU_ASSERT_TRUE(us <= limit);
}

/* Fetch, which has to fail like this. */
static void
fails_with(const char *url, const struct spout_fetch_options *options, int error,
    enum spout_fetch_phase phase)
{
	int errno_then;

	stalls_begin();
	CU_ASSERT_PTR_NULL(spout_try_fetch_with(url, options));
	errno_then = errno;
	stalls_end(url);
	errno = errno_then;
	ASSERT_FAILED(error, phase);
	CU_ASSERT_PTR_NOT_NULL(strstr(spout_error(), spout_fetch_phase_name(phase)));
}

#define FAILS(url, error, phase, ...) \
	fails_with((url), \
	    &(struct spout_fetch_options){ \
		.size = sizeof(struct spout_fetch_options), __VA_ARGS__ }, \
	    (error), (phase))

/* --- names and addresses ---------------------------------------- */

static void
co_names(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	unsigned calls = fake_resolver_calls;
	struct spout_response *r;

	(void)arg;
	for (int i = 0; i < 3; i++) {
		r = spout_fetch(spout_sprintf("http://one.test:%u/ok", port));
		CU_ASSERT_EQUAL(spout_response_timings(r)->reused, i > 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(spout_response_url(r), "one.test"));
	}
	r = spout_fetch(spout_sprintf("http://ONE.test:%u/ok", port));
	r = spout_fetch(spout_sprintf("http://both.test:%u/ok", port));
	CU_ASSERT_EQUAL(spout_response_status(r), 200);
	r = spout_fetch(spout_sprintf("http://other.example/ok"),
	    .connect_to = spout_sprintf("one.test:%u", port));
	CU_ASSERT_EQUAL(upstream_saw("Host: other.example\r\n"), 1);
	r = spout_fetch(spout_sprintf("http://localhost:%u/ok", port), .family = AF_INET);
	CU_ASSERT_EQUAL(spout_response_status(r), 200);
	CU_ASSERT_TRUE(fake_resolver_calls <= calls + 5);
	FAILS("http://none.test/", -EHOSTUNREACH, SPOUT_FETCH_RESOLVE);
	FAILS("http://two.test:1/", -ECONNREFUSED, SPOUT_FETCH_CONNECT);
	CU_ASSERT_EQUAL(fake_resolver_elsewhere, 0);
}

static void
names_are_looked_up_off_the_loop(void)
{
	SPOUT_TEST_RUN(co_names, NULL);
}

static void
co_hung_resolver(void *arg)
{
	struct spout_future *future;

	(void)arg;
	FAILS("http://hung.test/", -ETIMEDOUT, SPOUT_FETCH_RESOLVE, .timeout_ms = 20);
	FAILS("http://hung.test/", -ETIMEDOUT, SPOUT_FETCH_RESOLVE,
	    .resolve_timeout_ms = 20);
	stalls_begin();
	future = spout_fetch_async("http://hung.test/");
	spout_sleep(5);
	spout_cancel(future);
	stalls_end("cancel");
	CU_ASSERT_EQUAL(spout_future_error(future), -ECANCELED);
	CU_ASSERT_EQUAL(fake_resolver_hanging, 1);
}

static void
a_hung_resolver_holds_nothing_up(void)
{
	SPOUT_TEST_RUN(co_hung_resolver, NULL);
	fake_resolver_release();
	CU_ASSERT_EQUAL(fake_resolver_elsewhere, 0);
}

static bool
refuse_two(const char *address, uint16_t port, void *arg)
{
	(void)port;
	++*(unsigned *)arg;
	return strcmp(address, "127.0.0.2") != 0;
}

static void
co_allow(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	const char *url = upstream_url(port, "/ok");
	unsigned asked = 0;

	(void)arg;
	(void)spout_fetch(url, .allow = refuse_two, .allow_arg = &asked);
	CU_ASSERT_EQUAL(asked, 2); /* before the connection, and on it */
	FAILS(spout_sprintf("http://two.test:%u/ok", port), -EACCES, SPOUT_FETCH_CONNECT,
	    .allow = refuse_two, .allow_arg = &asked);
	(void)spout_fetch(url, .allow = spout_fetch_allow_loopback);
	FAILS(url, -EACCES, SPOUT_FETCH_CONNECT, .allow = spout_fetch_allow_public);
	FAILS("http://192.0.2.1/", -EACCES, SPOUT_FETCH_CONNECT,
	    .allow = spout_fetch_allow_loopback);
	/* However the address is written. */
	FAILS(spout_sprintf("http://0x7f.1:%u/ok", port), -EACCES, SPOUT_FETCH_CONNECT,
	    .allow = spout_fetch_allow_public);
	CU_ASSERT_EQUAL(upstream_requests, 2);
}

static void
addresses_can_be_refused(void)
{
	SPOUT_TEST_RUN(co_allow, NULL);
}

static void
ranges_of_addresses_are_known(void)
{
	static const char *const public[] = { "8.8.8.8", "1.1.1.1", "172.15.255.255",
		"172.32.0.0", "100.63.255.255", "2606:4700::1", "::ffff:8.8.8.8" };
	static const char *const private[] = { "127.0.0.1", "10.1.2.3", "172.16.0.1",
		"172.31.255.255", "192.168.0.1", "169.254.169.254", "100.64.0.1",
		"0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1",
		"fc00::1", "ff02::1", "::ffff:10.0.0.1", "2001:db8::1",
		"2002:7f00:1::", "64:ff9b::7f00:1", "nonsense" };

	for (size_t i = 0; i < sizeof(public) / sizeof(*public); i++) {
		CU_ASSERT_TRUE(spout_fetch_allow_public(public[i], 80, NULL));
		CU_ASSERT_FALSE(spout_fetch_allow_loopback(public[i], 80, NULL));
	}
	for (size_t i = 0; i < sizeof(private) / sizeof(*private); i++)
		CU_ASSERT_FALSE(spout_fetch_allow_public(private[i], 80, NULL));
	CU_ASSERT_TRUE(spout_fetch_allow_loopback("127.1.2.3", 80, NULL));
	CU_ASSERT_TRUE(spout_fetch_allow_loopback("::1", 80, NULL));
	CU_ASSERT_TRUE(spout_fetch_allow_loopback("::ffff:127.0.0.1", 80, NULL));
	CU_ASSERT_FALSE(spout_fetch_allow_loopback("::2", 80, NULL));
	CU_ASSERT_FALSE(spout_fetch_allow_loopback("128.0.0.1", 80, NULL));
}

/* --- time-outs, phase by phase ---------------------------------------- */

static void
co_black_hole(void *arg)
{
	const char *url = spout_sprintf("http://127.0.0.1:%u/", *(uint16_t *)arg);
	struct spout_future *future;
	struct spout_test_mark before, after;

	FAILS(url, -ETIMEDOUT, SPOUT_FETCH_CONNECT, .timeout_ms = 20);
	FAILS(url, -ETIMEDOUT, SPOUT_FETCH_CONNECT, .connect_timeout_ms = 20);
	spout_test_mark(&before);
	future = spout_fetch_async(url);
	spout_sleep(5);
	spout_cancel(future);
	spout_test_mark(&after);
	CU_ASSERT_EQUAL(before.descriptors, after.descriptors);
}

static void
a_black_hole_is_a_time_out_of_connecting(void)
{
	uint16_t port = black_hole_dig();

	SPOUT_TEST_RUN(co_black_hole, &port);
	black_hole_fill();
}

static void
co_timeouts(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);

	(void)arg;
	FAILS(upstream_url(port, "/never"), -ETIMEDOUT, SPOUT_FETCH_FIRST_BYTE,
	    .timeout_ms = 20);
	FAILS(upstream_url(port, "/never"), -ETIMEDOUT, SPOUT_FETCH_FIRST_BYTE,
	    .first_byte_timeout_ms = 20);
	FAILS(
	    upstream_url(port, "/hold"), -ETIMEDOUT, SPOUT_FETCH_BODY, .timeout_ms = 20);
	FAILS(upstream_url(port, "/drip"), -ETIMEDOUT, SPOUT_FETCH_BODY,
	    .timeout_ms = 100, .first_byte_timeout_ms = 90);
	FAILS(upstream_url(port, "/drip"), -ETIMEDOUT, SPOUT_FETCH_BODY,
	    .low_speed_ms = 60, .low_speed_bytes = 10000);
	CU_ASSERT_PTR_NOT_NULL(strstr(spout_error(), "too slow"));
	/* The server never speaks TLS. */
	FAILS(spout_sprintf("https://127.0.0.1:%u/", port), -ETIMEDOUT, SPOUT_FETCH_TLS,
	    .timeout_ms = 20);
	FAILS(spout_sprintf("https://127.0.0.1:%u/", port), -ETIMEDOUT, SPOUT_FETCH_TLS,
	    .tls_timeout_ms = 20);
	(void)spout_fetch(upstream_url(port, "/ok"), .connect_timeout_ms = 5000,
	    .low_speed_ms = 10, .low_speed_bytes = 1 << 30);
}

static void
time_outs_name_their_phase(void)
{
	SPOUT_TEST_RUN(co_timeouts, NULL);
}

static void
co_deadline(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);

	(void)arg;
	CU_ASSERT_PTR_NULL(spout_try_fetch(upstream_url(port, "/never")));
	CU_FAIL("it leaves");
}

static void
the_deadline_of_the_coroutine_bounds_a_fetch(void)
{
	SPOUT_TEST_FAILS(-ETIMEDOUT, co_deadline, NULL, .deadline_ms = 30);
}

/* --- answers that are none ---------------------------------------- */

static void
co_broken(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);

	(void)arg;
	FAILS("http://127.0.0.1:1/", -ECONNREFUSED, SPOUT_FETCH_CONNECT);
	FAILS(upstream_url(port, "/cut"), -ECONNRESET, SPOUT_FETCH_FIRST_BYTE);
	FAILS(upstream_url(port, "/short"), -ECONNRESET, SPOUT_FETCH_BODY);
	FAILS(upstream_url(port, "/short-chunk"), -ECONNRESET, SPOUT_FETCH_BODY);
	CU_ASSERT_PTR_NULL(spout_try_fetch(upstream_url(port, "/nonsense")));
	CU_ASSERT_EQUAL(spout_fetch_failure()->error, -EPROTO);
	FAILS(upstream_url(port, "/bad-line"), -EPROTO, SPOUT_FETCH_BODY);
	CU_ASSERT_PTR_NULL(spout_try_fetch(upstream_url(port, "/bad-length")));
	CU_ASSERT_EQUAL(spout_fetch_failure()->error, -EPROTO);
	CU_ASSERT_PTR_NULL(spout_try_fetch(upstream_url(port, "/bad-chunk")));
	CU_ASSERT_TRUE(spout_fetch_failure()->error < 0);
	/* All of them closed their connections. */
	(void)spout_fetch(upstream_url(port, "/ok"));
}

static void
broken_answers_are_typed_errors(void)
{
	SPOUT_TEST_RUN(co_broken, NULL);
}

static void
co_limits(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);

	(void)arg;
	FAILS(upstream_url(port, "/endless-head"), -EMSGSIZE, SPOUT_FETCH_BODY);
	FAILS(upstream_url(port, "/endless-body"), -EMSGSIZE, SPOUT_FETCH_BODY,
	    .max_body_bytes = 100000);
	FAILS(
	    upstream_url(port, "/ok"), -EMSGSIZE, SPOUT_FETCH_BODY, .max_body_bytes = 1);
	(void)spout_fetch(upstream_url(port, "/ok"), .max_body_bytes = 2);
	/* Of 38 bytes. */
	FAILS(upstream_url(port, "/ok"), -EMSGSIZE, SPOUT_FETCH_BODY,
	    .max_header_bytes = 37);
	(void)spout_fetch(upstream_url(port, "/ok"), .max_header_bytes = 38);
}

static void
heads_and_bodies_have_limits(void)
{
	SPOUT_TEST_RUN(co_limits, NULL);
}

/* --- tries ---------------------------------------- */

static void
co_retries(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	const char *url = upstream_url(port, "/cut");

	(void)arg;
	FAILS(url, -ECONNRESET, SPOUT_FETCH_FIRST_BYTE);
	CU_ASSERT_EQUAL(upstream_requests, 1);
	upstream_forget();
	FAILS(url, -ECONNRESET, SPOUT_FETCH_FIRST_BYTE, .retries = 2);
	CU_ASSERT_EQUAL(upstream_requests, 3);
	upstream_forget();
	FAILS(url, -ECONNRESET, SPOUT_FETCH_FIRST_BYTE, .method = "POST", .retries = 2);
	CU_ASSERT_EQUAL(upstream_requests, 1);
	FAILS(url, -ETIMEDOUT, SPOUT_FETCH_BODY, .retries = 100, .timeout_ms = 30);
}

static void
only_what_may_be_is_tried_again(void)
{
	SPOUT_TEST_RUN(co_retries, NULL);
}

/* Answers once per connection, then closes it when the next request has come. */
static void
answer_once(struct spout_stream *stream, const char *head)
{
	struct spout_slice ignored;

	(void)head;
	spout_stream_write(stream, OK("2", "ok"), strlen(OK("2", "ok")));
	if (spout_try_stream_read_until(stream, "\r\n\r\n", 65536, &ignored) == 0)
		upstream_requests++;
	spout_stream_close(stream);
}

static void
co_stale(void *arg)
{
	static const struct upstream_route stale[] = {
		{ .path = "/", .serve = answer_once }, { .path = NULL }
	};
	uint16_t port = upstream_start(stale, NULL);
	const char *url = upstream_url(port, "/");

	(void)arg;
	(void)spout_fetch(url);
	/* The kept connection fails it; a new one does it, for it is a GET. */
	(void)spout_fetch(url);
	CU_ASSERT_EQUAL(upstream_connections, 2);
	CU_ASSERT_EQUAL(upstream_requests, 3);
	FAILS(url, -ECONNRESET, SPOUT_FETCH_SEND, .method = "POST");
	CU_ASSERT_EQUAL(upstream_requests, 4);
}

static void
a_post_is_not_repeated_on_a_stale_connection(void)
{
	SPOUT_TEST_RUN(co_stale, NULL);
}

static const struct unit_test tests[] = { UNIT_TEST(names_are_looked_up_off_the_loop),
	UNIT_TEST(a_hung_resolver_holds_nothing_up), UNIT_TEST(addresses_can_be_refused),
	UNIT_TEST(ranges_of_addresses_are_known),
	UNIT_TEST(a_black_hole_is_a_time_out_of_connecting),
	UNIT_TEST(time_outs_name_their_phase),
	UNIT_TEST(the_deadline_of_the_coroutine_bounds_a_fetch),
	UNIT_TEST(broken_answers_are_typed_errors),
	UNIT_TEST(heads_and_bodies_have_limits),
	UNIT_TEST(only_what_may_be_is_tried_again),
	UNIT_TEST(a_post_is_not_repeated_on_a_stale_connection), UNIT_END };

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "client faults", tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
