/* SPDX-License-Identifier: MIT */
/*
 * HTTP server connections, raw bytes on a socket pair: framing, pipelining, keep-alive,
 * what goes out, what is refused. (Limits and ends: test_http_ends.c.)
 */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

#include "http_client.h"

/* --- handlers --------------------------------------------------------------------- */

static void
big(struct spout__http_exchange *ex, void *arg)
{
	char block[1000];
	int i;

	(void)arg;
	memset(block, 'b', sizeof(block));
	for (i = 0; i < 3000; i++)
		if (spout__http_write(ex, block, sizeof(block)) < 0)
			return;
}

static void
parts(struct spout__http_exchange *ex, void *arg)
{
	(void)arg;
	write_text(ex, "one");
	CU_ASSERT_EQUAL(spout__http_flush(ex), 0);
	CU_ASSERT_EQUAL(spout__http_set_status(ex, 404), -EALREADY);
	write_text(ex, "three");
}

static void
fails_late(struct spout__http_exchange *ex, void *arg)
{
	(void)arg;
	write_text(ex, "part");
	CU_ASSERT_EQUAL(spout__http_flush(ex), 0);
	spout_fail_with(-EIO, "broken");
}

static void
fails_early(struct spout__http_exchange *ex, void *arg)
{
	(void)arg;
	write_text(ex, "discarded");
	spout_fail_with(-EIO, "broken");
}

static void
promises_too_much(struct spout__http_exchange *ex, void *arg)
{
	(void)arg;
	CU_ASSERT_EQUAL(spout__http_add_header(ex, spout_slice("Content-Length"),
			    spout_slice("9")), 0);
	write_text(ex, "short");
}

static void
sends_too_little(struct spout__http_exchange *ex, void *arg)
{
	promises_too_much(ex, arg);
	CU_ASSERT_EQUAL(spout__http_flush(ex), 0);
}

static void
promises(struct spout__http_exchange *ex, void *arg)
{
	struct spout_slice name = spout_slice("Content-Length");

	(void)arg;
	CU_ASSERT_EQUAL(spout__http_add_header(ex, name, spout_slice("5")), 0);
	CU_ASSERT_EQUAL(spout__http_write(ex, "123456", 6), -EMSGSIZE);
	write_text(ex, "12345");
}

static void
resets_content(struct spout__http_exchange *ex, void *arg)
{
	(void)arg;
	CU_ASSERT_EQUAL(spout__http_set_status(ex, 205), 0);
	write_text(ex, "dropped");
}

static void
fields(struct spout__http_exchange *ex, void *arg)
{
	(void)arg;
	CU_ASSERT_EQUAL(spout__http_set_status(ex, 201), 0);
	CU_ASSERT_EQUAL(spout__http_set_status(ex, 99), -EINVAL);
	CU_ASSERT_EQUAL(
	    spout__http_add_header(ex, spout_slice("X-A"), spout_slice("1")), 0);
	CU_ASSERT_EQUAL(
	    spout__http_add_header(ex, spout_slice("X-B"), spout_slice("2")), 0);
	CU_ASSERT_EQUAL(
	    spout__http_set_header(ex, spout_slice("x-a"), spout_slice("3")), 0);
	CU_ASSERT_EQUAL(spout__http_add_header(ex, spout_slice("X-C"),
	    spout_slice("a\r\nX-Evil: 1")), -EINVAL);
	CU_ASSERT_EQUAL(
	    spout__http_add_header(ex, spout_slice("X D"), spout_slice("1")), -EINVAL);
	CU_ASSERT_EQUAL(
	    spout__http_add_header(ex, spout_slice("Date"), spout_slice("1")), -EINVAL);
}

static const struct http_route routes[] = {
	{ "/hello", hello, false, false },
	{ "/length", length, false, false },
	{ "/echo", echo, true, false },
	{ "/nap", nap, false, false },
	{ "/big", big, false, false },
	{ "/parts", parts, false, false },
	{ "/fails-late", fails_late, false, false },
	{ "/fails-early", fails_early, false, false },
	{ "/promises", promises, false, false },
	{ "/promises-too-much", promises_too_much, false, false },
	{ "/sends-too-little", sends_too_little, false, false },
	{ "/resets", resets_content, false, false },
	{ "/fields", fields, false, false },
	{ NULL, NULL, false, false },
};

/* --- tests ------------------------------------------------------------------------ */

static void
a_request_is_answered_and_the_connection_kept(void)
{
	begin();
	say_text(GET("/hello"));
	await_bytes(10);
	STARTS("HTTP/1.1 200 OK\r\nServer: Spout/");
	HAS("\r\nDate: ");
	HAS("\r\nContent-Type: text/html; charset=UTF-8\r\n");
	HAS("Content-Length: 5\r\n");
	HAS_NOT("Connection:");
	HAS("\r\n\r\nhello");
	say_text(GET_CLOSE("/hello"));
	await_bytes(0);
	CU_ASSERT_EQUAL(count("hello"), 2);
	CU_ASSERT_EQUAL(count("Connection: close\r\n"), 1);
	CU_ASSERT_FALSE(got_reset);
	end();
}

static void
http_1_0_closes_unless_asked_to_keep(void)
{
	talk("GET /hello HTTP/1.0\r\n\r\n");
	HAS("Connection: close\r\n");
	begin();
	say_text("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	await_bytes(10);
	HAS("Connection: keep-alive\r\n");
	CU_ASSERT_FALSE(got_eof);
	end();
}

static void
a_server_without_keep_alive_closes_each_connection(void)
{
	options.no_keep_alive = true;
	begin();
	options.no_keep_alive = false;
	say_text(GET("/hello") GET("/hello"));
	await_bytes(0);
	CU_ASSERT_EQUAL(count("\r\n\r\nhello"), 1);
	CU_ASSERT_EQUAL(count("Connection: close\r\n"), 1);
	CU_ASSERT_TRUE(got_eof);
	end();
}

static void
pipelined_requests_are_answered_in_order(void)
{
	talk(GET("/nap") GET("/hello") "\r\n" GET("/parts") GET_CLOSE("/hello"));
	CU_ASSERT_EQUAL(count("HTTP/1.1 200"), 4);
	CU_ASSERT_TRUE(strstr(got, "woke") < strstr(got, "hello"));
	HAS("3\r\none\r\n5\r\nthree\r\n0\r\n\r\nHTTP/1.1");
	CU_ASSERT_STRING_EQUAL(events, "finish finish finish finish ");
}

static void
hundreds_of_pipelined_requests_are_all_answered(void)
{
	static char many[300 * 64];
	int i;

	many[0] = '\0';
	for (i = 0; i < 299; i++)
		strcat(many, GET("/hello"));
	strcat(many, GET_CLOSE("/hello"));
	talk(many);
	CU_ASSERT_EQUAL(count("hello"), 300);
}

static void
every_split_of_a_request_gives_the_same_answer(void)
{
	static const char text[] =
	    "POST /length HTTP/1.1\r\nHost: a\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n"
	    "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: r\r\n\r\n" GET_CLOSE("/hello");
	size_t i;

	for (i = 1; i < sizeof(text) - 1; i += 3) {
		begin();
		say(text, i);
		run_for(1);
		say(text + i, sizeof(text) - 1 - i);
		await_bytes(0);
		HAS("\r\n\r\n5HTTP/1.1 200");
		HAS("\r\n\r\nhello");
		end();
	}
}

static void
a_streamed_body_is_echoed(void)
{
	static char text[300000];
	int n = snprintf(text, 200,
	    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
	size_t sent = 0, total = (size_t)n + 200000, i;

	for (i = 0; i < 200000; i++)
		text[(size_t)n + i] = (char)('a' + i % 26);
	begin();
	while (sent < total) {
		ssize_t r = send(client, text + sent, total - sent, MSG_NOSIGNAL);

		if (r > 0)
			sent += (size_t)r;
		run_for(1);
	}
	say_text(GET_CLOSE("/hello"));
	await_bytes(0);
	HAS("Transfer-Encoding: chunked\r\n");
	HAS("\r\n0\r\n\r\nHTTP/1.1 200");
	HAS("hello");
	CU_ASSERT_TRUE(got_len > 200000);
	end();
}

static void
a_slow_reader_suspends_the_writer(void)
{
	begin();
	client_ignore();
	say_text(GET_CLOSE("/big"));
	run_for(30); /* it does not end by itself */
	CU_ASSERT_EQUAL(spout__coroutines_alive(loop), 1);
	client_listen();
	await_bytes(0);
	CU_ASSERT_TRUE(got_len > 3000000);
	CU_ASSERT_STRING_EQUAL(got + got_len - 7, "\r\n0\r\n\r\n");
	end();
}

static void
head_has_the_length_and_no_body(void)
{
	talk("HEAD /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	HAS("Content-Length: 5\r\n");
	CU_ASSERT_STRING_EQUAL(got + got_len - 4, "\r\n\r\n");
}

/* RFC 9110 15.3.6: no content, and the client is told where it ends. */
static void
reset_content_is_empty(void)
{
	talk(GET_CLOSE("/resets"));
	STARTS("HTTP/1.1 205 Reset Content\r\n");
	HAS("Content-Length: 0\r\n");
	HAS_NOT("dropped");
	CU_ASSERT_STRING_EQUAL(got + got_len - 4, "\r\n\r\n");
}

static void
fields_are_checked_and_replaced(void)
{
	talk(GET_CLOSE("/fields"));
	STARTS("HTTP/1.1 201 Created\r\n");
	HAS("x-a: 3\r\n");
	HAS("X-B: 2\r\n");
	HAS_NOT("X-A: 1");
	HAS_NOT("Evil");
	HAS("Content-Length: 0\r\n");
}

static void
a_promised_length_is_kept(void)
{
	talk(GET_CLOSE("/promises"));
	HAS("Content-Length: 5\r\n");
	HAS("\r\n\r\n12345");
}

static void
a_broken_promise_is_an_error_page_or_a_cut(void)
{
	talk(GET_CLOSE("/promises-too-much"));
	STARTS("HTTP/1.1 500 Internal Server Error\r\n");
	HAS("the handler promised 9 bytes and wrote 5");
	talk("HEAD /promises-too-much HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	STARTS("HTTP/1.1 200 OK\r\n");
	HAS("Content-Length: 9\r\n");
	talk(GET("/sends-too-little"));
	HAS("Content-Length: 9\r\n");
	HAS("\r\n\r\nshort");
	CU_ASSERT_TRUE(got_eof);
}

static void
a_failure_before_the_head_is_an_error_page(void)
{
	talk(GET_CLOSE("/fails-early"));
	STARTS("HTTP/1.1 500 Internal Server Error\r\n");
	HAS("broken");
	HAS_NOT("discarded");
}

static void
a_failure_after_the_head_cuts_the_connection(void)
{
	talk(GET("/fails-late"));
	HAS("4\r\npart\r\n");
	HAS_NOT("0\r\n\r\n");
	CU_ASSERT_TRUE(got_eof);
}

static void
a_malformed_request_is_refused_and_closed(void)
{
	talk("GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n" GET("/hello"));
	STARTS("HTTP/1.1 400 Bad Request\r\n");
	HAS("Connection: close\r\n");
	HAS("bad-field");
	HAS_NOT("hello");
	talk("GET / HTTP/1.1\nHost: a\n\n");
	HAS("bare-lf");
	talk("BREW / HTTP/1.1\r\nHost: a\r\n\r\n");
	STARTS("HTTP/1.1 501 ");
	talk("GET / HTTP/2.0\r\nHost: a\r\n\r\n");
	STARTS("HTTP/1.1 505 ");
	talk("GET /hello HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n");
	STARTS("HTTP/1.1 417 ");
}

static void
answers_before_a_malformed_request_are_kept(void)
{
	talk(GET("/hello") "BAD\r\n\r\n");
	CU_ASSERT_EQUAL(count("hello"), 1);
	CU_ASSERT_EQUAL(count("400 Bad Request"), 1);
}

static const struct unit_test http_tests[] = {
	UNIT_TEST(a_request_is_answered_and_the_connection_kept),
	UNIT_TEST(http_1_0_closes_unless_asked_to_keep),
	UNIT_TEST(a_server_without_keep_alive_closes_each_connection),
	UNIT_TEST(pipelined_requests_are_answered_in_order),
	UNIT_TEST(hundreds_of_pipelined_requests_are_all_answered),
	UNIT_TEST(every_split_of_a_request_gives_the_same_answer),
	UNIT_TEST(a_streamed_body_is_echoed),
	UNIT_TEST(a_slow_reader_suspends_the_writer),
	UNIT_TEST(head_has_the_length_and_no_body),
	UNIT_TEST(fields_are_checked_and_replaced),
	UNIT_TEST(reset_content_is_empty),
	UNIT_TEST(a_promised_length_is_kept),
	UNIT_TEST(a_broken_promise_is_an_error_page_or_a_cut),
	UNIT_TEST(a_failure_before_the_head_is_an_error_page),
	UNIT_TEST(a_failure_after_the_head_cuts_the_connection),
	UNIT_TEST(a_malformed_request_is_refused_and_closed),
	UNIT_TEST(answers_before_a_malformed_request_are_kept),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "http", http_tests }, { NULL, NULL } };

	http_routes = routes;
	spout__http_options_init(&options);
	return unit_run(argc, argv, suites);
}
