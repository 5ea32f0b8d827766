/* SPDX-License-Identifier: MIT */
/* Raw TCP: connecting by name and address, serving, draining. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <spout/tcp.h>

#include "black_hole.h"
#include "co_help.h"
#include "executor/resolve.h"
#include "fake_resolver.h"
#include "unit.h"

#define ASSERT_SLICE(slice, text) CU_ASSERT_TRUE(spout_slice_equal((slice), (text)))

static void
echo(struct spout_stream *stream, void *arg)
{
	struct spout_slice line;

	(void)arg;
	while (spout_try_stream_read_until(stream, "\n", 1000, &line) == 0)
		spout_stream_write(stream, line.data, line.len);
}

static void
free_server(void *server)
{
	spout_tcp_server_free(server);
}

static struct spout_tcp_server *
listen_on(const char *address, spout_tcp_handler_fn handler, void *arg)
{
	struct spout_tcp_server *server = spout_tcp_listen(address, handler, arg);

	CU_ASSERT_PTR_NOT_NULL_FATAL(server);
	spout_defer(free_server, server);
	return server;
}

static void
say(struct spout_stream *stream, const char *line)
{
	spout_stream_write(stream, line, strlen(line));
	ASSERT_SLICE(spout_stream_read_until(stream, "\n", 1000), line);
}

static void
co_echo(void *arg)
{
	struct spout_tcp_server *server = listen_on(arg, echo, NULL);
	struct spout_stream *stream[20];
	struct spout_slice slice;

	for (int i = 0; i < 20; i++) {
		stream[i] = spout_tcp_connect(strchr(arg, '[') ? "::1" : "127.0.0.1",
		    spout_tcp_server_port(server));
		say(stream[i], "hello\n");
	}
	CU_ASSERT_EQUAL(spout_tcp_server_connections(server), 20);
	for (int i = 0; i < 20; i++) {
		say(stream[i], "again\n");
		spout_stream_shutdown(stream[i]);
		ASSERT_SLICE(spout_stream_read_some(stream[i]), "");
	}
	CU_ASSERT_EQUAL(spout_try_stream_read_bytes(stream[0], 1, &slice), -EPIPE);
	CU_ASSERT_EQUAL(spout_tcp_server_drain(server, 1000), 0);
	CU_ASSERT_EQUAL(spout_tcp_server_connections(server), 0);
}

static void
a_coroutine_serves_each_connection(void)
{
	co_run(co_echo, "127.0.0.1:0");
	CU_ASSERT_EQUAL(co_outcome.error, 0);
	co_run(co_echo, "[::1]:0");
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
co_unix(void *arg)
{
	char path[64], address[80];
	struct spout_tcp_server *server;
	struct spout_stream *stream;
	struct stat st;

	(void)arg;
	snprintf(path, sizeof(path), "/tmp/spout-tcp-%d.sock", (int)getpid());
	snprintf(address, sizeof(address), "unix:%s", path);
	CU_ASSERT_EQUAL(spout_try_unix_connect(path, &stream), -ENOENT);
	server = spout_tcp_listen(address, echo, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(server);
	CU_ASSERT_EQUAL(spout_tcp_server_port(server), 0);
	CU_ASSERT_PTR_NULL(spout_tcp_listen(address, echo, NULL));
	CU_ASSERT_EQUAL(errno, EADDRINUSE);
	stream = spout_unix_connect(path);
	CU_ASSERT_STRING_EQUAL(spout_stream_peer(stream), address);
	say(stream, "over unix\n");
	spout_tcp_server_free(server);
	CU_ASSERT_EQUAL(stat(path, &st), -1);
}

static void
unix_sockets_are_served_and_removed(void)
{
	co_run(co_unix, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

/* A socket file that its server left behind; then one that is no socket. */
static void
co_stale(void *arg)
{
	char path[64], address[80];
	struct spout_tcp_server *server;
	FILE *file;

	(void)arg;
	snprintf(path, sizeof(path), "/tmp/spout-stale-%d.sock", (int)getpid());
	snprintf(address, sizeof(address), "unix:%s", path);
	CU_ASSERT_PTR_NOT_NULL_FATAL(server = spout_tcp_listen(address, echo, NULL));
	CU_ASSERT_EQUAL(link(path, "/tmp/spout-stale-kept"), 0);
	spout_tcp_server_free(server);
	CU_ASSERT_EQUAL(rename("/tmp/spout-stale-kept", path), 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(server = spout_tcp_listen(address, echo, NULL));
	spout_tcp_server_free(server);
	CU_ASSERT_PTR_NOT_NULL_FATAL(file = fopen(path, "w"));
	fclose(file);
	CU_ASSERT_PTR_NULL(spout_tcp_listen(address, echo, NULL));
	CU_ASSERT_EQUAL(errno, EADDRINUSE);
	CU_ASSERT_EQUAL(unlink(path), 0);
}

static void
a_stale_socket_file_is_replaced_and_no_other(void)
{
	co_run(co_stale, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

/* --- stopping --------------------------------------------------------------------- */

static void
serve_slowly(struct spout_stream *stream, void *arg)
{
	struct spout_slice line = spout_stream_read_until(stream, "\n", 100);

	spout_defer(co_note, "e");
	spout_sleep(*(uint64_t *)arg);
	spout_stream_write(stream, line.data, line.len);
}

static void
co_drains(void *arg)
{
	uint64_t ms = 30;
	struct spout_tcp_server *server = listen_on("127.0.0.1:0", serve_slowly, &ms);
	uint16_t port = spout_tcp_server_port(server);
	struct spout_stream *stream = spout_tcp_connect("127.0.0.1", port), *second;

	(void)arg;
	spout_stream_write(stream, "finish\n", 7);
	spout_stream_flush(stream);
	spout_sleep(5);
	CU_ASSERT_EQUAL(spout_tcp_server_drain(server, 1), -ETIMEDOUT);
	CU_ASSERT_EQUAL(spout_try_tcp_connect("127.0.0.1", port, &second), -ECONNREFUSED);
	CU_ASSERT_PTR_NOT_NULL(strstr(spout_error(), "refused"));
	CU_ASSERT_EQUAL(spout_tcp_server_drain(server, 1000), 0);
	ASSERT_SLICE(spout_stream_read_all(stream, 100), "finish\n");
}

static void
draining_refuses_new_clients_and_waits_for_the_old(void)
{
	co_run(co_drains, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
	CU_ASSERT_STRING_EQUAL(co_trace, "e");
}

static void
co_frees(void *arg)
{
	uint64_t ms = 60000;
	struct spout_tcp_server *server =
	    spout_tcp_listen("127.0.0.1:0", serve_slowly, &ms);
	struct spout_stream *stream =
	    spout_tcp_connect("127.0.0.1", spout_tcp_server_port(server));
	struct spout_slice slice;

	(void)arg;
	spout_stream_write(stream, "never\n", 6);
	spout_stream_flush(stream);
	spout_sleep(5);
	spout_tcp_server_free(server);
	CU_ASSERT_EQUAL(spout_try_stream_read_all(stream, 100, &slice), 0);
	CU_ASSERT_EQUAL(slice.len, 0);
}

static void
freeing_a_server_cancels_its_handlers(void)
{
	co_run(co_frees, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
	CU_ASSERT_STRING_EQUAL(co_trace, "e");
}

static void
co_limited(void *arg)
{
	struct spout_tcp_server *server =
	    spout_tcp_listen("127.0.0.1:0", echo, NULL, .max_connections = 2);
	struct spout_stream *stream[3];
	struct spout_slice slice;

	(void)arg;
	spout_defer(free_server, server);
	for (int i = 0; i < 3; i++)
		stream[i] = spout_tcp_connect("127.0.0.1", spout_tcp_server_port(server));
	say(stream[0], "a\n");
	say(stream[1], "b\n");
	spout_stream_set_timeout(stream[2], 20);
	spout_stream_write(stream[2], "c\n", 2);
	CU_ASSERT_EQUAL(
	    spout_try_stream_read_until(stream[2], "\n", 9, &slice), -ETIMEDOUT);
	CU_ASSERT_EQUAL(spout_tcp_server_connections(server), 2);
	spout_stream_close(stream[0]);
	spout_stream_set_timeout(stream[2], 2000);
	ASSERT_SLICE(spout_stream_read_until(stream[2], "\n", 9), "c\n");
}

static void
connections_above_the_limit_wait(void)
{
	co_run(co_limited, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
fail_with_a_reason(struct spout_stream *stream, void *arg)
{
	(void)arg;
	spout_stream_close(stream);
	spout_fail_with(-EPROTO, "nonsense on the line");
}

static void
co_handler_fails(void *arg)
{
	struct spout_tcp_server *server =
	    listen_on("127.0.0.1:0", fail_with_a_reason, NULL);
	struct spout_stream *stream =
	    spout_tcp_connect("127.0.0.1", spout_tcp_server_port(server));

	(void)arg;
	ASSERT_SLICE(spout_stream_read_some(stream), "");
	CU_ASSERT_EQUAL(spout_tcp_server_drain(server, 1000), 0);
}

static void
a_handler_that_fails_is_logged(void)
{
	spout_test_log_begin();
	CU_ASSERT_EQUAL(spout_test_log_expect("nonsense on the line"), 0);
	co_run(co_handler_fails, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
	SPOUT_TEST_LOG_END();
	CU_ASSERT_EQUAL(spout_test_log_count("nonsense on the line"), 1);
}

/* --- connecting ------------------------------------------------------------------- */

static void
families_are_tried_in_turn(void)
{
	static const int in[] = { AF_INET6, AF_INET6, AF_INET6, AF_INET, AF_INET };
	static const int out[] = { AF_INET6, AF_INET, AF_INET6, AF_INET, AF_INET6 };
	struct spout__addresses addresses = { .n = 5 };

	for (unsigned i = 0; i < 5; i++) {
		addresses.at[i].addr.ss_family = (sa_family_t)in[i];
		addresses.at[i].len = i;
	}
	spout__addresses_interleave(&addresses);
	for (unsigned i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(addresses.at[i].addr.ss_family, out[i]);
	CU_ASSERT_EQUAL(addresses.at[0].len, 0);
	CU_ASSERT_EQUAL(addresses.at[1].len, 3);
	CU_ASSERT_EQUAL(addresses.at[4].len, 2);
}

static void
co_by_name(void *arg)
{
	struct spout_tcp_server *server = listen_on("127.0.0.1:0", echo, NULL);
	uint16_t port = spout_tcp_server_port(server);
	struct spout_stream *stream;
	unsigned calls;

	(void)arg;
	/* Perhaps ::1 comes first and is refused: the next address is tried at once. */
	say(spout_tcp_connect("localhost", port), "by name\n");
	say(spout_tcp_connect("localhost", port, .family = AF_INET), "v4\n");
	calls = fake_resolver_calls;
	say(spout_tcp_connect("localhost", port), "remembered\n");
	CU_ASSERT_EQUAL(fake_resolver_calls, calls);
	CU_ASSERT_EQUAL(spout_try_tcp_connect("none.test", port, &stream), -EHOSTUNREACH);
	CU_ASSERT_PTR_NOT_NULL(strstr(spout_error(), "none.test"));
	CU_ASSERT_EQUAL(spout_try_tcp_connect("none.test", port, &stream), -EHOSTUNREACH);
	CU_ASSERT_EQUAL(fake_resolver_calls, calls + 1);
	CU_ASSERT_EQUAL(fake_resolver_elsewhere, 0);
}

static void
names_are_looked_up_on_threads_of_the_resolver(void)
{
	co_run(co_by_name, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
co_source(void *arg)
{
	struct spout_tcp_server *server = listen_on("127.0.0.1:0", echo, NULL);
	uint16_t port = spout_tcp_server_port(server);
	struct spout_stream *stream =
	    spout_tcp_connect("127.0.0.1", port, .source = "127.0.0.9");
	char text[32];

	(void)arg;
	say(stream, "from nine\n");
	snprintf(text, sizeof(text), "127.0.0.1:%u", port);
	CU_ASSERT_STRING_EQUAL(spout_stream_peer(stream), text);
	CU_ASSERT_EQUAL(spout_try_tcp_connect("127.0.0.1", port, &stream, .source = "x"),
	    -EINVAL);
	CU_ASSERT_EQUAL(
	    spout_try_tcp_connect("127.0.0.1", port, &stream, .source = "::1"),
	    -EAFNOSUPPORT);
}

static void
peer_of_source(struct spout_stream *stream, void *arg)
{
	snprintf(arg, 64, "%s", spout_stream_peer(stream));
}

static void
co_source_is_seen(void *arg)
{
	char peer[64] = "";
	struct spout_tcp_server *server = listen_on("127.0.0.1:0", peer_of_source, peer);
	struct spout_stream *stream = spout_tcp_connect("127.0.0.1",
	    spout_tcp_server_port(server), .source = "127.0.0.9");

	(void)arg;
	ASSERT_SLICE(spout_stream_read_some(stream), "");
	CU_ASSERT_EQUAL(strncmp(peer, "127.0.0.9:", 10), 0);
	CU_ASSERT_EQUAL(spout_tcp_server_drain(server, 1000), 0);
}

static void
the_source_address_can_be_chosen(void)
{
	co_run(co_source, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
	co_run(co_source_is_seen, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
co_black_hole(void *port)
{
	struct spout_stream *stream;
	uint64_t began = spout_loop_now_ms(co_loop);

	CU_ASSERT_EQUAL(spout_try_tcp_connect("127.0.0.1", *(uint16_t *)port, &stream,
			    .timeout_ms = 50), -ETIMEDOUT);
	CU_ASSERT_TRUE(spout_loop_now_ms(co_loop) - began < 10000);
	co_later(10, co_cancel, co_main);
	spout_tcp_connect("127.0.0.1", *(uint16_t *)port);
	CU_FAIL("it was cancelled");
}

static void
a_black_hole_times_out_and_can_be_cancelled(void)
{
	uint16_t port = black_hole_dig();

	co_run(co_black_hole, &port);
	CU_ASSERT_EQUAL(co_outcome.error, -ECANCELED);
	black_hole_fill();
}

static void
co_hung_resolver(void *arg)
{
	struct spout_stream *stream;
	uint64_t began = spout_loop_now_ms(co_loop);

	(void)arg;
	CU_ASSERT_EQUAL(
	    spout_try_tcp_connect("hung.test", 1, &stream, .timeout_ms = 20), -ETIMEDOUT);
	CU_ASSERT_PTR_NOT_NULL(strstr(spout_error(), "looking up hung.test"));
	CU_ASSERT_EQUAL(spout_try_tcp_connect("none.test", 1, &stream), -EHOSTUNREACH);
	CU_ASSERT_TRUE(spout_loop_now_ms(co_loop) - began < 10000);
}

static void
co_wait_for_hung(void *arg)
{
	struct spout_stream *stream;

	(void)arg;
	CU_ASSERT_EQUAL(
	    spout_try_tcp_connect("hung.test", 1, &stream), -EHOSTUNREACH);
}

static void
release(void *arg)
{
	(void)arg;
	if (fake_resolver_hanging == 0)
		co_later(1, release, NULL);
	else
		fake_resolver_release();
}

static void
co_many_ask_a_hung_resolver(void *arg)
{
	struct spout_group *group = spout_group_new();
	unsigned calls = fake_resolver_calls;

	(void)arg;
	for (int i = 0; i < 20; i++)
		spout_group_spawn(group, co_wait_for_hung, NULL, 0);
	co_later(1, release, NULL);
	spout_group_wait(group);
	CU_ASSERT_EQUAL(fake_resolver_calls, calls + 1);
}

static void
a_hung_resolver_holds_nobody(void)
{
	/* The loop of the first one ends while the thread hangs. */
	co_run(co_hung_resolver, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
	CU_ASSERT_EQUAL(fake_resolver_hanging, 1);
	fake_resolver_release();
	co_run(co_many_ask_a_hung_resolver, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
co_dead_resolver(void *arg)
{
	static struct spout__lookup lookups[300];
	int r = 0;
	unsigned i;

	(void)arg;
	for (i = 0; i < 300 && r == 0; i++) {
		char name[32];

		/* Each is a name of its own, and not numeric. */
		snprintf(name, sizeof(name), i < 8 ? "hung.test" : "n%u.test", i);
		r = spout__lookup_start(co_loop, &lookups[i], name, i < 8 ? (int)i : 0);
	}
	CU_ASSERT_EQUAL(r, -ENOBUFS);
	CU_ASSERT_PTR_NOT_NULL(strstr(lookups[i - 1].reason, "too many"));
	/* Cancelled before a thread takes it, a look-up never hangs. */
	while (fake_resolver_hanging < 8)
		spout_sleep(1);
	for (unsigned k = 0; k + 1 < i; k++)
		spout__lookup_cancel(&lookups[k]);
	fake_resolver_release();
}

static void
look_ups_are_refused_when_too_many_wait(void)
{
	co_run(co_dead_resolver, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static const struct unit_test server_tests[] = {
	UNIT_TEST(a_coroutine_serves_each_connection),
	UNIT_TEST(unix_sockets_are_served_and_removed),
	UNIT_TEST(a_stale_socket_file_is_replaced_and_no_other),
	UNIT_TEST(draining_refuses_new_clients_and_waits_for_the_old),
	UNIT_TEST(freeing_a_server_cancels_its_handlers),
	UNIT_TEST(connections_above_the_limit_wait),
	UNIT_TEST(a_handler_that_fails_is_logged),
	UNIT_END
};

static const struct unit_test client_tests[] = {
	UNIT_TEST(families_are_tried_in_turn),
	UNIT_TEST(names_are_looked_up_on_threads_of_the_resolver),
	UNIT_TEST(the_source_address_can_be_chosen),
	UNIT_TEST(a_black_hole_times_out_and_can_be_cancelled),
	UNIT_TEST(a_hung_resolver_holds_nobody),
	UNIT_TEST(look_ups_are_refused_when_too_many_wait),
	UNIT_END
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "tcp server", server_tests },
		{ "tcp client", client_tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
