/* SPDX-License-Identifier: MIT */
/*
 * HTTP server connections, raw bytes on a socket pair: limits, time-outs, and the ways a
 * connection ends. (What is said in between: test_http.c.)
 */
#include "config.h"

#include "unit.h"

#include <string.h>

#include "http_client.h"

/* --- handlers --------------------------------------------------------------------- */

static struct spout_future *gate; /* what a handler waits for, while it does */

static void
wait_at_gate(struct spout__http_exchange *ex, void *arg)
{
	(void)arg;
	gate = spout_future_new();
	spout_await(gate);
	gate = NULL;
	write_text(ex, "opened");
}

static void
forever(struct spout__http_exchange *ex, void *arg)
{
	(void)ex;
	(void)arg;
	spout_await(spout_future_new());
}

static const struct http_route routes[] = {
	{ "/hello", hello, false, false },
	{ "/length", length, false, false },
	{ "/echo", echo, true, false },
	{ "/nap", nap, false, false },
	{ "/nap-half", nap, false, true },
	{ "/gate", wait_at_gate, false, false },
	{ "/forever", forever, false, false },
	{ "/ignores-body", hello, true, false },
	{ NULL, NULL, false, false },
};

/* --- tests ------------------------------------------------------------------------ */

static void
a_body_over_the_limit_is_refused_on_both_sides_of_it(void)
{
	options.max_body_bytes = 10;
	talk("POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n"
	     "Connection: close\r\n\r\n0123456789");
	HAS("\r\n\r\n10");
	talk("POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n0123456789a");
	STARTS("HTTP/1.1 413 ");
	talk("POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	     "8\r\n01234567\r\n3\r\n89a\r\n0\r\n\r\n");
	STARTS("HTTP/1.1 413 ");
	talk("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	     "8\r\n01234567\r\n3\r\n89a\r\n0\r\n\r\n");
	STARTS("HTTP/1.1 413 ");
	spout__http_options_init(&options);
}

static void
expect_100_is_answered_when_the_body_is_wanted(void)
{
	begin();
	say_text("POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
	    "Expect: 100-continue\r\nConnection: close\r\n\r\n");
	await_bytes(25);
	CU_ASSERT_STRING_EQUAL(got, "HTTP/1.1 100 Continue\r\n\r\n");
	say_text("abc");
	await_bytes(0);
	HAS("\r\n\r\n3");
	end();
	begin();
	say_text("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
	    "Expect: 100-continue\r\nConnection: close\r\n\r\n");
	await_bytes(25);
	CU_ASSERT_STRING_EQUAL(got, "HTTP/1.1 100 Continue\r\n\r\n");
	say_text("abc");
	await_bytes(0);
	HAS("\r\n\r\nabc");
	end();
}

static void
an_unread_body_is_dropped_or_ends_the_connection(void)
{
	talk("POST /ignores-body HTTP/1.1\r\nHost: a\r\n"
	     "Content-Length: 9\r\n\r\n123456789" GET_CLOSE("/hello"));
	CU_ASSERT_EQUAL(count("hello"), 2);
	talk("POST /ignores-body HTTP/1.1\r\nHost: a\r\n"
	     "Content-Length: 900000\r\n\r\n12345");
	CU_ASSERT_EQUAL(count("hello"), 1);
	HAS("Connection: close\r\n");
	talk("POST /ignores-body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n"
	     "Expect: 100-continue\r\n\r\n");
	HAS_NOT("100 Continue");
	HAS("Connection: close\r\n");
}

static void
a_vanished_client_cancels_its_request(void)
{
	begin();
	say_text(GET("/forever"));
	run_until(spout__coroutines_alive(loop) == 1);
	client_vanish();
	run_until(spout__coroutines_alive(loop) == 0);
	CU_ASSERT_STRING_EQUAL(events, "gone finish ");
	end();
}

static void
freeing_the_server_cancels_what_runs(void)
{
	begin();
	say_text(GET("/forever"));
	run_until(spout__coroutines_alive(loop) == 1);
	spout__http_server_free(server);
	server = NULL;
	run_until(spout__coroutines_alive(loop) == 0);
	CU_ASSERT_STRING_EQUAL(events, "gone finish ");
	end();
}

static void
a_half_closed_client_is_served_if_the_route_says_so(void)
{
	begin();
	say_text(GET("/nap-half"));
	shutdown(client, SHUT_WR);
	await_bytes(0);
	HAS("woke");
	end();
	begin();
	say_text(GET("/hello") GET("/hello"));
	shutdown(client, SHUT_WR);
	await_bytes(0);
	CU_ASSERT_EQUAL(count("hello"), 2);
	end();
}

static void
what_came_before_a_half_close_is_read(void)
{
	static char body[120000];

	memset(body, '#', sizeof(body));
	begin();
	say_text(GET("/nap") "POST /echo HTTP/1.1\r\nHost: a\r\n"
	    "Content-Length: 120000\r\n\r\n");
	say(body, sizeof(body));
	say_text(GET("/hello"));
	shutdown(client, SHUT_WR);
	await_bytes(0);
	CU_ASSERT_EQUAL(count("HTTP/1.1 200"), 3);
	CU_ASSERT_EQUAL(count("#"), sizeof(body));
	HAS("hello");
	end();
}

static void
a_deadline_is_answered_with_504(void)
{
	options.request_timeout_ms = 20;
	talk(GET_CLOSE("/forever"));
	STARTS("HTTP/1.1 504 Gateway Timeout\r\n");
	spout__http_options_init(&options);
}

static void
slow_heads_and_bodies_are_answered_with_408(void)
{
	options.head_timeout_ms = options.body_timeout_ms = 20;
	talk("GET /hel");
	STARTS("HTTP/1.1 408 ");
	HAS("head-timeout");
	talk("POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1234");
	STARTS("HTTP/1.1 408 ");
	talk("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1234");
	STARTS("HTTP/1.1 408 ");
	spout__http_options_init(&options);
}

static void
an_idle_connection_is_closed_in_time(void)
{
	options.idle_timeout_ms = 250;
	begin();
	say_text(GET("/hello"));
	await_bytes(0);
	CU_ASSERT_EQUAL(count("hello"), 1);
	CU_ASSERT_FALSE(got_reset);
	end();
	spout__http_options_init(&options);
}

static bool drained;

static void
on_drained(void *arg)
{
	(void)arg;
	drained = true;
}

static void
draining_answers_what_runs(void)
{
	drained = false;
	begin();
	say_text(GET("/gate"));
	run_until(gate != NULL);
	spout__http_server_drain(server, on_drained, NULL);
	CU_ASSERT_FALSE(drained);
	spout_future_set_result(gate, NULL);
	await_bytes(0);
	HAS("Connection: close\r\n");
	HAS("opened");
	shutdown(client, SHUT_WR);
	run_until(drained);
	end();
}

static void
draining_answers_a_request_that_is_on_its_way(void)
{
	options.drain_idle_ms = 60000;
	drained = false;
	begin();
	run_for(2);
	spout__http_server_drain(server, on_drained, NULL);
	run_for(2);
	say_text(GET("/hello"));
	await_bytes(0);
	HAS("hello");
	end();
	CU_ASSERT_TRUE(drained);
	spout__http_options_init(&options);
}

static void
draining_closes_what_stays_idle(void)
{
	options.drain_idle_ms = 20;
	drained = false;
	begin();
	run_for(2);
	CU_ASSERT_FALSE(got_eof);
	spout__http_server_drain(server, on_drained, NULL);
	await_bytes(0);
	CU_ASSERT_EQUAL(got_len, 0);
	run_until(drained);
	end();
	spout__http_options_init(&options);
}

static void
drain_in_progress_can_be_hurried(void)
{
	options.drain_idle_ms = 60000;
	drained = false;
	begin();
	run_for(2);
	spout__http_server_drain(server, on_drained, NULL);
	run_for(20);
	CU_ASSERT_FALSE(got_eof);
	spout__http_server_set_drain_idle(server, 5);
	await_bytes(0);
	CU_ASSERT_EQUAL(got_len, 0);
	run_until(drained);
	end();
	spout__http_options_init(&options);
}

static void
drain_over_a_long_time_closes_all_in_the_end(void)
{
	drained = false;
	begin();
	run_for(2);
	spout__http_server_set_drain_idle(server, 1000); /* two ticks of closing */
	spout__http_server_drain(server, on_drained, NULL);
	run_for(50);
	CU_ASSERT_FALSE(got_eof);
	await_bytes(0);
	run_until(drained);
	end();
}

static const struct unit_test http_tests[] = {
	UNIT_TEST(a_body_over_the_limit_is_refused_on_both_sides_of_it),
	UNIT_TEST(expect_100_is_answered_when_the_body_is_wanted),
	UNIT_TEST(an_unread_body_is_dropped_or_ends_the_connection),
	UNIT_TEST(a_vanished_client_cancels_its_request),
	UNIT_TEST(freeing_the_server_cancels_what_runs),
	UNIT_TEST(a_half_closed_client_is_served_if_the_route_says_so),
	UNIT_TEST(what_came_before_a_half_close_is_read),
	UNIT_TEST(a_deadline_is_answered_with_504),
	UNIT_TEST(slow_heads_and_bodies_are_answered_with_408),
	UNIT_TEST(an_idle_connection_is_closed_in_time),
	UNIT_TEST(draining_answers_what_runs),
	UNIT_TEST(draining_answers_a_request_that_is_on_its_way),
	UNIT_TEST(draining_closes_what_stays_idle),
	UNIT_TEST(drain_in_progress_can_be_hurried),
	UNIT_TEST(drain_over_a_long_time_closes_all_in_the_end),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "http ends", http_tests },
		{ NULL, NULL } };

	http_routes = routes;
	spout__http_options_init(&options);
	return unit_run(argc, argv, suites);
}
