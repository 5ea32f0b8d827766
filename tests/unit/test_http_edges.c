/* SPDX-License-Identifier: MIT */
/*
 * HTTP server connections where several things meet: children of a handler, time-outs and
 * output, a body in pieces and a stop, clients that take or send little at a time.
 */
#include "config.h"

#include "unit.h"

#include <errno.h>

#include "http_client.h"

#define BLOCK 1000
#define BLOCKS 1500

/* --- handlers --------------------------------------------------------------------- */

static void
write_big(void *arg)
{
	char block[BLOCK];
	int i;

	memset(block, '#', sizeof(block));
	for (i = 0; i < BLOCKS; i++)
		if (spout__http_write(arg, block, sizeof(block)) < 0)
			return;
}

static void
big_by_child(struct spout__http_exchange *ex, void *arg)
{
	(void)arg;
	spout_scope_run(write_big, ex);
	write_text(ex, "end");
}

static void
write_big_of(void *arg)
{
	write_big(*(struct spout__http_exchange **)arg);
}

static void
big_by_group(struct spout__http_exchange *ex, void *arg)
{
	struct spout_group *group = spout_group_new();

	(void)arg;
	spout_group_spawn(
	    group, write_big_of, &ex, sizeof(struct spout__http_exchange *));
	spout_group_spawn(
	    group, write_big_of, &ex, sizeof(struct spout__http_exchange *));
	spout_group_wait(group);
	write_text(ex, "end");
}

static void
big_shielded(struct spout__http_exchange *ex, void *arg)
{
	(void)arg;
	spout_shield(write_big, ex);
}

static void
write_big_shielded_of(void *arg)
{
	spout_shield(write_big, *(struct spout__http_exchange **)arg);
}

static void
leaves_shielded_child(struct spout__http_exchange *ex, void *arg)
{
	struct spout_group *group = spout_group_new();

	(void)arg;
	spout_group_spawn(
	    group, write_big_shielded_of, &ex, sizeof(struct spout__http_exchange *));
	spout_sleep(10);
}

static void
echo_all(void *arg)
{
	struct spout_slice piece;

	while ((piece = spout__http_body_read(arg)).len > 0)
		if (spout__http_write(arg, piece.data, piece.len) < 0)
			return;
}

static void
echo_by_child(struct spout__http_exchange *ex, void *arg)
{
	(void)arg;
	spout_scope_run(echo_all, ex);
}

static void
echo_late(struct spout__http_exchange *ex, void *arg)
{
	(void)arg;
	spout_sleep(600);
	echo_all(ex);
}

static void
wide(struct spout__http_exchange *ex, void *arg)
{
	static char text[60000];

	(void)arg;
	memset(text, '#', sizeof(text));
	CU_ASSERT_EQUAL(spout__http_write(ex, text, sizeof(text)), 0);
}

static void
promises_less_than_written(struct spout__http_exchange *ex, void *arg)
{
	struct spout_slice name = spout_slice("Content-Length");

	(void)arg;
	write_text(ex, "0123456789");
	CU_ASSERT_EQUAL(spout__http_add_header(ex, name, spout_slice("9")), -EINVAL);
	CU_ASSERT_EQUAL(spout__http_add_header(ex, name, spout_slice("10")), 0);
	CU_ASSERT_EQUAL(spout__http_flush(ex), 0);
}

static void
closes_late(struct spout__http_exchange *ex, void *arg)
{
	(void)arg;
	write_text(ex, "bye");
	CU_ASSERT_EQUAL(spout__http_flush(ex), 0);
	spout__http_close_after(ex);
}

static const struct http_route routes[] = {
	{ "/hello", hello, false, false },
	{ "/length", length, false, false },
	{ "/big-by-child", big_by_child, false, false },
	{ "/big-by-group", big_by_group, false, false },
	{ "/big-shielded", big_shielded, false, false },
	{ "/leaves-shielded-child", leaves_shielded_child, false, false },
	{ "/echo", echo, true, false },
	{ "/echo-by-child", echo_by_child, true, false },
	{ "/echo-late", echo_late, true, false },
	{ "/nap", nap, false, false },
	{ "/wide", wide, false, false },
	{ "/promises", promises_less_than_written, false, false },
	{ "/closes-late", closes_late, false, false },
	{ "/ignores-body", hello, true, false },
	{ NULL, NULL, false, false },
};

#define POST(path, fields) "POST " path " HTTP/1.1\r\nHost: a\r\n" fields "\r\n"

/* --- children of a handler -------------------------------------------------------- */

/* A client that reads nothing at first. */
static void
talk_late(const char *bytes)
{
	begin();
	client_ignore();
	say_text(bytes);
	run_for(30);
	client_listen();
	await_bytes(0);
	end();
}

static void
a_child_of_the_handler_writes_to_a_slow_client(void)
{
	talk_late(GET_CLOSE("/big-by-child"));
	CU_ASSERT_EQUAL(count("#"), BLOCK * BLOCKS);
	HAS("end\r\n0\r\n\r\n");
}

static void
children_at_once_write_to_a_slow_client(void)
{
	talk_late(GET_CLOSE("/big-by-group"));
	CU_ASSERT_TRUE(got_len > BLOCK * BLOCKS);
	HAS("end\r\n0\r\n\r\n");
}

static void
a_child_of_the_handler_reads_the_body(void)
{
	begin();
	say_text(
	    POST("/echo-by-child", "Content-Length: 6\r\nConnection: close\r\n") "abc");
	run_for(5);
	say_text("def");
	await_bytes(0);
	HAS("abcdef");
	end();
}

static void
a_vanished_client_ends_the_waits_of_children_and_of_shielded_code(void)
{
	static const char *const paths[] = { GET("/big-by-child"), GET("/big-by-group"),
		GET("/big-shielded"),
		POST("/echo-by-child", "Content-Length: 6\r\n") "abc" };
	size_t i;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		begin();
		client_ignore();
		say_text(paths[i]);
		run_until(spout__coroutines_alive(loop) > 0);
		run_for(5); /* deep in a wait */
		client_vanish();
		run_until(spout__coroutines_alive(loop) == 0);
		end();
	}
}

static void
the_end_of_a_handler_ends_the_waits_of_its_children(void)
{
	begin();
	client_ignore();
	say_text(GET_CLOSE("/leaves-shielded-child"));
	run_for(40);
	CU_ASSERT_EQUAL(spout__coroutines_alive(loop), 0);
	client_listen();
	await_bytes(0);
	HAS("HTTP/1.1 200 ");
	end();
}

/* --- bodies ----------------------------------------------------------------------- */

static void
expect_100_is_answered_however_the_head_was_split(void)
{
	static const char head[] = POST("/length", "Content-Length: 3\r\n"
						   "Expect: 100-continue\r\n"
						   "Connection: close\r\n");
	size_t i;

	for (i = 1; i < sizeof(head) - 1; i += 7) {
		begin();
		say(head, i);
		run_for(1);
		say_text(head + i);
		await_bytes(25);
		STARTS("HTTP/1.1 100 Continue\r\n\r\n");
		say_text("abc");
		await_bytes(0);
		HAS("\r\n\r\n3");
		end();
	}
}

static void
a_streamed_body_times_out_although_something_was_sent(void)
{
	options.body_timeout_ms = 20;
	talk(POST("/echo", "Content-Length: 9\r\nExpect: 100-continue\r\n"));
	HAS("100 Continue");
	HAS("HTTP/1.1 408 ");
	spout__http_options_init(&options);
}

static void
a_handler_that_reads_late_does_not_make_its_client_slow(void)
{
	options.min_body_grace_ms = 300;
	options.min_body_rate = 1000000;
	begin();
	say_text(POST("/echo-late", "Content-Length: 3\r\nExpect: 100-continue\r\n"
				    "Connection: close\r\n"));
	await_bytes(25);
	STARTS("HTTP/1.1 100 Continue\r\n\r\n");
	say_text("abc");
	await_bytes(0);
	HAS("\r\n\r\nabc");
	end();
	spout__http_options_init(&options);
}

static void
talk_and_half_close(const char *bytes)
{
	begin();
	say_text(bytes);
	shutdown(client, SHUT_WR);
	await_bytes(0);
	end();
}

static void
what_has_come_before_a_half_close_is_answered(void)
{
	/* The handler does not read when the end comes. */
	talk_and_half_close(POST("/echo-late", "Content-Length: 3\r\n") "abc");
	HAS("\r\n\r\nabc");
	talk_and_half_close(POST("/echo-late", "Transfer-Encoding: chunked\r\n")
		"3\r\nabc\r\n0\r\n\r\n" GET("/hello"));
	HAS("\r\n\r\nabc");
	HAS("hello");
	talk_and_half_close(GET("/nap") "\r\n" GET("/hello"));
	HAS("woke");
	HAS("hello");
	/* Half a body: nobody waits for an answer. */
	talk_and_half_close(POST("/echo-late", "Content-Length: 4\r\n") "abc");
	CU_ASSERT_EQUAL(got_len, 0);
}

static void
bodies_that_trickle_are_refused(void)
{
	static const char *const starts[] = {
		POST("/length", "Content-Length: 900\r\n") "a",
		POST("/echo", "Content-Length: 900\r\n") "a",
	};
	int i, k;

	options.min_body_grace_ms = 20;
	options.min_body_rate = 1000;
	for (i = 0; i < 2; i++) {
		begin();
		say_text(starts[i]);
		for (k = 0; k < 50 && got_len == 0; k++) {
			run_for(3);
			say_text("a");
		}
		await_bytes(0);
		STARTS("HTTP/1.1 408 ");
		end();
	}
	spout__http_options_init(&options);
}

static void
an_unread_body_that_trickles_ends_the_connection(void)
{
	int k;

	options.body_timeout_ms = 30;
	begin();
	say_text(POST("/ignores-body", "Content-Length: 900\r\n") "a");
	await_bytes(10);
	for (k = 0; k < 100 && !got_eof; k++) {
		run_for(5);
		if (!got_eof)
			say_text("a");
	}
	CU_ASSERT_TRUE(got_eof);
	CU_ASSERT_TRUE(k < 100);
	CU_ASSERT_FALSE(got_reset);
	end();
	spout__http_options_init(&options);
}

/* --- responses -------------------------------------------------------------------- */

static void
a_promise_below_what_was_written_is_refused(void)
{
	talk(GET_CLOSE("/promises"));
	HAS("Content-Length: 10\r\n");
	HAS("\r\n\r\n0123456789");
}

static void
a_handler_may_close_the_connection_after_the_head(void)
{
	talk(GET("/closes-late"));
	HAS("\r\n0\r\n\r\n");
	CU_ASSERT_FALSE(got_reset);
}

static void
a_client_that_reads_slowly_gets_all_however_short_the_idle_time_is(void)
{
	ssize_t n;
	int k;

	options.idle_timeout_ms = 300;
	begin();
	client_ignore();
	for (k = 0; k < 8; k++)
		say_text(GET("/wide"));
	for (k = 0; k < 40; k++) {
		run_for(10);
		n = recv(client, got + got_len, 10000, 0);
		if (n > 0)
			got_len += (size_t)n;
	}
	client_listen();
	await_bytes(0);
	CU_ASSERT_EQUAL(count("#"), 8 * 60000);
	CU_ASSERT_FALSE(got_reset);
	end();
	spout__http_options_init(&options);
}

static void
a_client_that_reads_nothing_is_cut_off_in_time(void)
{
	int k;

	options.write_timeout_ms = 30;
	begin();
	client_ignore();
	for (k = 0; k < 8; k++)
		say_text(GET("/wide"));
	for (k = 0; k < 100 && spout__http_server_connections(server) > 0; k++)
		run_for(5);
	CU_ASSERT_EQUAL(spout__http_server_connections(server), 0);
	end();
	spout__http_options_init(&options);
}

/* --- heads ------------------------------------------------------------------------ */

static void
empty_lines_before_a_request_are_counted(void)
{
	begin();
	say_text("\r\n");
	run_for(1);
	say_text("\r");
	run_for(1);
	say_text("\n");
	run_for(1);
	say_text(GET("/hello"));
	await_bytes(10);
	STARTS("HTTP/1.1 200");
	say_text("\r\n");
	run_for(1);
	say_text("\r\n");
	run_for(1);
	say_text("\r\n");
	await_bytes(0);
	HAS("HTTP/1.1 400 ");
	end();
}

static void
an_empty_line_in_two_pieces_is_not_the_begin_of_a_head(void)
{
	options.head_timeout_ms = 250;
	begin();
	say_text("\r");
	run_for(1);
	say_text("\n");
	run_for(500);
	CU_ASSERT_EQUAL(got_len, 0);
	CU_ASSERT_FALSE(got_eof);
	end();
	spout__http_options_init(&options);
}

/* --- stopping --------------------------------------------------------------------- */

static void
on_drained(void *arg)
{
	*(bool *)arg = true;
}

static void
a_connection_that_drops_a_body_does_not_hold_up_a_stop(void)
{
	bool drained = false;

	options.drain_idle_ms = 10;
	begin();
	say_text(POST("/ignores-body", "Content-Length: 9\r\n") "1234");
	await_bytes(10);
	spout__http_server_drain(server, on_drained, &drained);
	run_for(30);
	say_text("56789");
	await_bytes(0);
	shutdown(client, SHUT_WR);
	run_until(drained);
	end();
	spout__http_options_init(&options);
}

static const struct unit_test edge_tests[] = {
	UNIT_TEST(a_child_of_the_handler_writes_to_a_slow_client),
	UNIT_TEST(children_at_once_write_to_a_slow_client),
	UNIT_TEST(a_child_of_the_handler_reads_the_body),
	UNIT_TEST(a_vanished_client_ends_the_waits_of_children_and_of_shielded_code),
	UNIT_TEST(the_end_of_a_handler_ends_the_waits_of_its_children),
	UNIT_TEST(expect_100_is_answered_however_the_head_was_split),
	UNIT_TEST(a_streamed_body_times_out_although_something_was_sent),
	UNIT_TEST(a_handler_that_reads_late_does_not_make_its_client_slow),
	UNIT_TEST(what_has_come_before_a_half_close_is_answered),
	UNIT_TEST(bodies_that_trickle_are_refused),
	UNIT_TEST(an_unread_body_that_trickles_ends_the_connection),
	UNIT_TEST(a_promise_below_what_was_written_is_refused),
	UNIT_TEST(a_handler_may_close_the_connection_after_the_head),
	UNIT_TEST(a_client_that_reads_slowly_gets_all_however_short_the_idle_time_is),
	UNIT_TEST(a_client_that_reads_nothing_is_cut_off_in_time),
	UNIT_TEST(empty_lines_before_a_request_are_counted),
	UNIT_TEST(an_empty_line_in_two_pieces_is_not_the_begin_of_a_head),
	UNIT_TEST(a_connection_that_drops_a_body_does_not_hold_up_a_stop),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "http_edges", edge_tests },
		{ NULL, NULL } };

	http_routes = routes;
	spout__http_options_init(&options);
	return unit_run(argc, argv, suites);
}
