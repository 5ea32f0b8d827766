/* SPDX-License-Identifier: MIT */
/* The HTTP client against hostile servers, and against callers who ask for too much. */
#include "config.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spout/client.h>
#include <spout/testing.h>
#include <spout/tls.h>

#include "tls_help.h"
#include "unit.h"
#include "upstream.h"

/* --- heads ---------------------------------------- */

#define FOLDS 15000

static void
fold_much(struct spout_stream *stream, const char *head)
{
	static const char start[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: a\r\n";

	(void)head;
	spout_stream_write(stream, start, strlen(start));
	for (int i = 0; i < FOLDS; i++)
		spout_stream_write(stream, " b\r\n", 4);
	spout_stream_write(stream, "\r\n", 2);
}

/* What malloc() has given out. */
static size_t
heap_bytes(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* --- streams ---------------------------------------- */

static void
dribble(struct spout_stream *stream, const char *head)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 64000\r\n\r\n";
	char block[8000];

	(void)head;
	memset(block, 'x', sizeof(block));
	spout_stream_write(stream, text, strlen(text));
	for (int i = 0; i < 8; i++) {
		spout_stream_write(stream, block, sizeof(block));
		spout_stream_flush(stream);
		spout_sleep(1);
	}
}

/* Reads on and on, notes it, and answers when it is cut off. */
static void
listen_on(struct spout_stream *stream, const char *head)
{
	struct spout_slice seen;

	(void)head;
	spout_stream_set_timeout(stream, 50);
	if (spout_try_stream_read_bytes(stream, 5, &seen) == 0)
		spout_stream_write(stream, OK("2", "ok"), strlen(OK("2", "ok")));
}

static bool told;

/* Answers, and answers once more without having been asked. */
static void
speak_unasked(struct spout_stream *stream, const char *head)
{
	(void)head;
	spout_stream_write(stream, OK("4", "good"), strlen(OK("4", "good")));
	spout_stream_flush(stream);
	spout_sleep(5);
	spout_stream_write(stream, OK("4", "evil"), strlen(OK("4", "evil")));
	spout_stream_flush(stream);
	told = true;
}

/* Answers, and closes the connection a little later. */
static void
close_later(struct spout_stream *stream, const char *head)
{
	(void)head;
	spout_stream_write(stream, OK("4", "good"), strlen(OK("4", "good")));
	spout_stream_flush(stream);
	spout_sleep(5);
	spout_stream_close(stream);
	told = true;
}

#define TWO_LENGTHS(status, first, second) \
	"HTTP/1.1 " status "\r\nLocation: /ok\r\nContent-Length: " first \
	"\r\nContent-Length: " second "\r\n\r\nok"

static const struct upstream_route routes[] = {
	{ .path = "/same-lengths", .answer = TWO_LENGTHS("200 OK", "2", "2") },
	{ .path = "/two-lengths", .answer = TWO_LENGTHS("200 OK", "1", "2") },
	{ .path = "/two-lengths-there", .answer = TWO_LENGTHS("302 Go", "2", "1") },
	{ .path = "/list-of-lengths", .answer = OK("2, 3", "ok") },
	{ .path = "/length-and-more", .answer = OK("2x", "ok") },
	{ .path = "/no-length", .answer = OK("", "ok") },
	{ .path = "/ok", .answer = OK("2", "ok") },
	{ .path = "/unasked", .serve = speak_unasked },
	{ .path = "/later", .serve = close_later },
	{ .path = "/folds", .serve = fold_much },
	{ .path = "/dribble", .serve = dribble },
	{ .path = "/five", .serve = listen_on },
	{ .path = NULL },
};

static void
co_folds(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	size_t before, after;
	struct spout_response *r;
	const char *value;

	(void)arg;
	(void)spout_fetch(upstream_url(port, "/ok"));
	before = heap_bytes();
	r = spout_fetch(upstream_url(port, "/folds"));
	after = heap_bytes();
	value = spout_response_header(r, "X");
	CU_ASSERT_PTR_NOT_NULL_FATAL(value);
	CU_ASSERT_EQUAL(strlen(value), 1 + 2 * FOLDS);
	CU_ASSERT_EQUAL(strncmp(value, "a b b b", 7), 0);
	CU_ASSERT_TRUE(after < before + (1 << 20));
	if (after >= before + (1 << 20))
		fprintf(stderr, "a head of 64 KB takes %zu\n", after - before);
}

static void
a_head_takes_no_more_than_a_few_times_its_length(void)
{
	SPOUT_TEST_RUN(co_folds, NULL);
}

static void
co_lengths_of_answers(void *arg)
{
	static const char *const bad[] = { "/two-lengths", "/two-lengths-there",
		"/list-of-lengths", "/length-and-more", "/no-length" };
	uint16_t port = upstream_start(routes, NULL);
	struct spout_response *r = spout_fetch(upstream_url(port, "/same-lengths"));

	(void)arg;
	CU_ASSERT_TRUE(spout_slice_equal(spout_response_body(r), "ok"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CU_ASSERT_PTR_NULL(spout_try_fetch(upstream_url(port, bad[i])));
		CU_ASSERT_EQUAL(spout_fetch_failure()->error, -EPROTO);
		/* Nothing of that connection is used again. */
		r = spout_fetch(upstream_url(port, "/ok"));
		CU_ASSERT_FALSE(spout_response_timings(r)->reused);
	}
}

static void
an_answer_has_one_length(void)
{
	SPOUT_TEST_RUN(co_lengths_of_answers, NULL);
}

static void
co_idle(void *arg)
{
	static const char *const paths[] = { "/unasked", "/later" };
	uint16_t port = upstream_start(routes, NULL);
	struct spout_response *r;

	(void)arg;
	for (int i = 0; i < 2; i++) {
		told = false;
		r = spout_fetch(upstream_url(port, paths[i]));
		CU_ASSERT_TRUE(spout_slice_equal(spout_response_body(r), "good"));
		while (!told)
			spout_sleep(1);
		spout_sleep(20);
		/* Not even once more for a request that may be made but once. */
		r = spout_fetch(upstream_url(port, "/ok"), .method = "POST");
		CU_ASSERT_TRUE(spout_slice_equal(spout_response_body(r), "ok"));
		CU_ASSERT_FALSE(spout_response_timings(r)->reused);
		r = spout_fetch(upstream_url(port, "/ok"));
		CU_ASSERT_TRUE(spout_response_timings(r)->reused);
	}
}

static void
what_comes_unasked_is_nobodys_answer(void)
{
	SPOUT_TEST_RUN(co_idle, NULL);
}

static size_t bytes_read;

static void
read_on(void *arg)
{
	struct spout_response *r = *(struct spout_response **)arg;
	struct spout_slice piece = { "", 1 };
	int error = 0;

	while (error == -EBUSY || (error == 0 && piece.len > 0)) {
		error = spout_try_response_read(r, &piece);
		if (error == 0)
			bytes_read += piece.len;
		/* Back before the other one, who is woken by the next piece. */
		spout_yield();
	}
	CU_ASSERT_EQUAL(error, 0);
}

static void
co_two_readers(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	struct spout_response *r = spout_fetch_stream(upstream_url(port, "/dribble"));
	struct spout_group *group = spout_group_new();

	(void)arg;
	spout_group_spawn(group, read_on, &r, sizeof(r));
	spout_group_spawn(group, read_on, &r, sizeof(r));
	bytes_read = 0;
	spout_group_wait(group);
	CU_ASSERT_EQUAL(bytes_read, 64000);
}

static void
two_readers_of_one_body_do_no_harm(void)
{
	SPOUT_TEST_RUN(co_two_readers, NULL);
}

/* --- callers ---------------------------------------- */

static void
co_burst(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	struct spout_future *f[10];
	unsigned refused = 0;

	(void)arg;
	(void)spout_client_configure(.max_clients = 2, .max_queued = 4);
	for (int i = 0; i < 10; i++)
		f[i] = spout_fetch_async(upstream_url(port, "/ok"));
	for (int i = 0; i < 10; i++) {
		if (spout_try_response(f[i]) != NULL)
			continue;
		ASSERT_FAILED(-ENOBUFS, SPOUT_FETCH_QUEUE);
		refused++;
	}
	CU_ASSERT_EQUAL(refused, 4);
	CU_ASSERT_EQUAL(upstream_requests, 6);
}

static void
a_burst_in_one_turn_is_bounded_too(void)
{
	SPOUT_TEST_RUN(co_burst, NULL);
}

static long
give(void *arg, char *to, size_t room)
{
	size_t *left = arg, n = *left < room ? *left : room;

	memset(to, 'u', n);
	*left -= n;
	return (long)n;
}

static void
co_lengths(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	const char *url = upstream_url(port, "/five");
	struct spout_future *put;
	size_t left;

	(void)arg;
	for (left = 3; left <= 7; left += 4) {
		size_t n = left;

		CU_ASSERT_PTR_NULL(spout_try_fetch(url, .body_fn = give, .body_arg = &n,
		    .upload_bytes = 5, .timeout_ms = 2000));
		ASSERT_FAILED(-EINVAL, SPOUT_FETCH_SEND);
		put = spout_fetch_async(
		    url, .upload = true, .upload_bytes = 5, .timeout_ms = 2000);
		(void)!spout_try_fetch_write(put, "uuuuuuu", left);
		spout_fetch_write_end(put);
		CU_ASSERT_PTR_NULL(spout_try_response(put));
		ASSERT_FAILED(-EINVAL, SPOUT_FETCH_SEND);
	}
	left = 5;
	(void)spout_fetch(url, .body_fn = give, .body_arg = &left, .upload_bytes = 5);
	put = spout_fetch_async(url, .upload = true, .upload_bytes = 5);
	(void)!spout_try_fetch_write(put, "uuuuu", 5);
	spout_fetch_write_end(put);
	CU_ASSERT_EQUAL(spout_response_status(spout_response(put)), 200);
}

static void
a_body_has_the_length_that_was_announced(void)
{
	SPOUT_TEST_RUN(co_lengths, NULL);
}

/* --- proxies ---------------------------------------- */

static struct spout_tls *far_tls;

static void
make_certificates(void)
{
	static bool made;

	if (made)
		return;
	made = true;
	tls_make(&(struct tls_wish){ .name = "ca", .authority = true, .to_days = 2 });
	tls_make(&(struct tls_wish){ .name = "far",
	    .signer = "ca",
	    .names = "DNS:far.example,IP:127.0.0.2",
	    .to_days = 2 });
}

/* A proxy for HTTPS, and the server behind it. */
static void
tunnel(struct spout_stream *stream, const char *head)
{
	static const char good[] = "HTTP/1.1 200 Go\r\n\r\n";
	static const char bad[] = "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n";
	struct spout_slice ignored;

	if (strstr(head, "bWU6c2VjcmV0") == NULL) { /* me:secret */
		spout_stream_write(stream, bad, strlen(bad));
		return;
	}
	spout_stream_write(stream, good, strlen(good));
	spout_stream_start_tls(stream, far_tls, NULL);
	while (spout_try_stream_read_until(stream, "\r\n\r\n", 65536, &ignored) == 0)
		spout_stream_write(stream, OK("3", "far"), strlen(OK("3", "far")));
}

static void
co_tunnels(void *arg)
{
	static const struct upstream_route proxied[] = {
		{ .path = "far.example:443", .serve = tunnel }, { .path = NULL }
	};
	const struct spout_tls_certificate own[] = { { tls_file("far"), NULL },
		{ NULL, NULL } };
	const char *url = "https://far.example/";
	struct spout_response *r;
	uint16_t port;
	char *ca, *proxy, *stranger, *nobody;

	(void)arg;
	far_tls = spout_tls_server_new(.certificates = own);
	spout_defer(spout_tls_free, far_tls);
	ca = spout_strdup(tls_file("ca"));
	port = upstream_start(proxied, NULL);
	proxy = spout_sprintf("http://me:secret@127.0.0.1:%u", port);
	stranger = spout_sprintf("http://me:guess@127.0.0.1:%u", port);
	nobody = spout_sprintf("http://127.0.0.1:%u", port);
	for (int i = 0; i < 2; i++) {
		r = spout_fetch(url, .proxy = proxy, .ca_file = ca);
		CU_ASSERT_TRUE(spout_slice_equal(spout_response_body(r), "far"));
	}
	CU_ASSERT_TRUE(spout_response_timings(r)->reused);
	CU_ASSERT_PTR_NULL(spout_try_fetch(url, .proxy = stranger, .ca_file = ca));
	CU_ASSERT_PTR_NULL(spout_try_fetch(url, .proxy = nobody, .ca_file = ca));
}

static void
a_tunnel_is_for_whom_the_proxy_let_in(void)
{
	make_certificates();
	SPOUT_TEST_RUN(co_tunnels, NULL);
}

static void
co_names_of_servers(void *arg)
{
	static const struct upstream_route proxied[] = {
		{ .path = "127.0.0.1:9", .serve = tunnel }, { .path = NULL }
	};
	const struct spout_tls_certificate own[] = { { tls_file("far"), NULL },
		{ NULL, NULL } };
	uint16_t port, proxy;
	char *ca = spout_strdup(tls_file("ca")), *url;

	(void)arg;
	far_tls = spout_tls_server_new(.certificates = own);
	spout_defer(spout_tls_free, far_tls);
	port = upstream_start(routes, far_tls);
	url = spout_sprintf("https://127.0.0.1:%u/ok", port);
	/* Of a numeric name, too: it is no address to connect to. */
	(void)spout_fetch(url, .ca_file = ca, .tls_server_name = "127.0.0.2");
	(void)spout_fetch(url, .ca_file = ca, .tls_server_name = "far.example");
	(void)spout_fetch(url, .ca_file = ca, .tls_server_name = "far.example");
	CU_ASSERT_EQUAL(upstream_connections, 2);
	/* Another host of that name, which is not there: nor is the first one asked. */
	url = spout_sprintf("https://127.0.0.3:%u/ok", port);
	CU_ASSERT_PTR_NULL(
	    spout_try_fetch(url, .ca_file = ca, .tls_server_name = "far.example"));
	ASSERT_FAILED(-ECONNREFUSED, SPOUT_FETCH_CONNECT);
	proxy = upstream_start(proxied, NULL);
	(void)spout_fetch("https://127.0.0.1:9/", .ca_file = ca,
	    .proxy = spout_sprintf("http://me:secret@127.0.0.1:%u", proxy),
	    .tls_server_name = "far.example");
	CU_ASSERT_EQUAL(upstream_saw("CONNECT 127.0.0.1:9 "), 1);
}

static void
the_name_for_tls_is_not_where_to_go(void)
{
	make_certificates();
	SPOUT_TEST_RUN(co_names_of_servers, NULL);
}

static const struct unit_test tests[] = {
	UNIT_TEST(a_head_takes_no_more_than_a_few_times_its_length),
	UNIT_TEST(an_answer_has_one_length),
	UNIT_TEST(what_comes_unasked_is_nobodys_answer),
	UNIT_TEST(two_readers_of_one_body_do_no_harm),
	UNIT_TEST(a_burst_in_one_turn_is_bounded_too),
	UNIT_TEST(a_body_has_the_length_that_was_announced),
	UNIT_TEST(a_tunnel_is_for_whom_the_proxy_let_in),
	UNIT_TEST(the_name_for_tls_is_not_where_to_go), UNIT_END
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "client hostile", tests },
		{ NULL, NULL } };

	return unit_run(argc, argv, suites);
}
