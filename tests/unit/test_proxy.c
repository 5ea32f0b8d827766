/* SPDX-License-Identifier: MIT */
/* Headers of the PROXY protocol, and the gate that waits for them. */
#include "config.h"

#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "net/proxy.h"

/* --- headers ------------------------------------------------------------------------ */

/* "length address:port", "length -" without an address, "more", "bad". */
static const char *
parsed(const char *data, size_t len)
{
	static char text[100];
	struct sockaddr_storage client;
	char address[INET6_ADDRSTRLEN];
	int n = spout__proxy_parse(data, len, &client);

	if (n <= 0)
		return n == 0 ? "more" : n == -EBADMSG ? "bad" : "?";
	if (client.ss_family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)&client;

		inet_ntop(AF_INET, &in->sin_addr, address, sizeof(address));
		snprintf(text, sizeof(text), "%d %s:%d", n, address, ntohs(in->sin_port));
	} else if (client.ss_family == AF_INET6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&client;

		inet_ntop(AF_INET6, &in6->sin6_addr, address, sizeof(address));
		snprintf(
		    text, sizeof(text), "%d %s:%d", n, address, ntohs(in6->sin6_port));
	} else {
		snprintf(text, sizeof(text), "%d -", n);
	}
	return text;
}

#define LINE(text) parsed(text, sizeof(text) - 1)

static void
lines_of_version_1_are_read(void)
{
	CU_ASSERT_STRING_EQUAL(
	    LINE("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nGET /"),
	    "45 192.0.2.1:56324");
	CU_ASSERT_STRING_EQUAL(
	    LINE("PROXY TCP6 2001:db8::1 ::1 0 65535\r\n"), "36 2001:db8::1:0");
	CU_ASSERT_STRING_EQUAL(LINE("PROXY UNKNOWN\r\n"), "15 -");
	CU_ASSERT_STRING_EQUAL(LINE("PROXY UNKNOWN what ever 1 2\r\n"), "29 -");
}

static void
malformed_lines_are_refused(void)
{
	static const char *const bad[] = { "GET / HTTP/1.1\r\n", "PROXX", "PROXY\r\n",
		"PROXY \r\n", "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
		"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
		"PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n", "PROXY TCP4 ::1 ::1 1 2\r\n",
		"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 x\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 -2\r\n",
		"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rx" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_STRING_EQUAL(parsed(bad[i], strlen(bad[i])), "bad");
}

static void
a_line_has_at_most_107_bytes(void)
{
	char line[112] = "PROXY UNKNOWN ";

	memset(line + 14, 'x', sizeof(line) - 14);
	memcpy(line + 105, "\r\n", 2);
	CU_ASSERT_STRING_EQUAL(parsed(line, 107), "107 -");
	CU_ASSERT_STRING_EQUAL(parsed(line, 106), "more");
	CU_ASSERT_STRING_EQUAL(parsed(line, 105), "more");
	memcpy(line + 105, "x\r\n", 3);
	CU_ASSERT_STRING_EQUAL(parsed(line, 108), "bad");
	CU_ASSERT_STRING_EQUAL(parsed(line, 105), "more");
	CU_ASSERT_STRING_EQUAL(parsed(line, 106), "bad");
}

#define V2(rest) "\r\n\r\n\0\r\nQUIT\n" rest
#define V2_TCP4 V2("\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\1\xdc\4\1\xbb")

static void
headers_of_version_2_are_read(void)
{
	char large[SPOUT__PROXY_MAX + 8] = V2("\x21\x11\x07\xf0\xc0\0\2\1");

	CU_ASSERT_STRING_EQUAL(LINE(V2_TCP4 "GET /"), "28 192.0.2.1:56324");
	CU_ASSERT_STRING_EQUAL(LINE(V2("\x20\0\0\0")), "16 -");
	CU_ASSERT_STRING_EQUAL(LINE(V2("\x20\x11\0\4abcd")), "20 -");
	CU_ASSERT_STRING_EQUAL(LINE(V2("\x21\0\0\0")), "16 -");
	CU_ASSERT_STRING_EQUAL(
	    LINE(V2("\x21\x21\0\x27\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
		    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\x50\1\xbb\x04\0\0")),
	    "55 2001:db8::1:80");
	/* With as many bytes of more information as may be. */
	CU_ASSERT_STRING_EQUAL(parsed(large, SPOUT__PROXY_MAX), "2048 192.0.2.1:0");
	CU_ASSERT_STRING_EQUAL(parsed(large, SPOUT__PROXY_MAX - 1), "more");
	large[15]++;
	CU_ASSERT_STRING_EQUAL(parsed(large, sizeof(large)), "bad");
}

static void
malformed_headers_of_version_2_are_refused(void)
{
	CU_ASSERT_STRING_EQUAL(LINE("\r\n\r\n\0\r\nQUIT\r"), "bad");
	CU_ASSERT_STRING_EQUAL(LINE(V2("\x11\x11\0\x0c"
				       "000000000000")),
	    "bad");
	CU_ASSERT_STRING_EQUAL(LINE(V2("\x22\x11\0\x0c"
				       "000000000000")),
	    "bad");
	CU_ASSERT_STRING_EQUAL(LINE(V2("\x21\x11\0\x0b"
				       "00000000000")),
	    "bad");
	CU_ASSERT_STRING_EQUAL(LINE(V2("\x21\x21\0\x0c"
				       "000000000000")),
	    "bad");
	CU_ASSERT_STRING_EQUAL(LINE(V2("\x21\x12\0\x0c"
				       "000000000000")),
	    "bad");
	CU_ASSERT_STRING_EQUAL(LINE(V2("\x21\x31\0\x0c"
				       "000000000000")),
	    "bad");
	CU_ASSERT_STRING_EQUAL(LINE(V2("\x21\x41\0\x0c"
				       "000000000000")),
	    "bad");
}

static void
a_header_may_come_in_pieces(void)
{
	static const char line[] = "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n";

	for (size_t i = 0; i < sizeof(line) - 1; i++)
		CU_ASSERT_STRING_EQUAL(parsed(line, i), "more");
	for (size_t i = 0; i < sizeof(V2_TCP4) - 1; i++)
		CU_ASSERT_STRING_EQUAL(parsed(V2_TCP4, i), "more");
}

/* --- the gate ----------------------------------------------------------------------- */

static struct spout_loop *loop;
static struct spout__proxy_gate *gate;
static int served, refused;
static uint16_t served_port;
static char rest[32];

static void
on_open(void *ctx, int fd, const struct sockaddr *peer, socklen_t len)
{
	ssize_t n = recv(fd, rest, sizeof(rest) - 1, MSG_DONTWAIT);

	(void)ctx;
	(void)len;
	rest[n < 0 ? 0 : n] = '\0';
	served_port = peer->sa_family == AF_INET
	    ? ntohs(((const struct sockaddr_in *)peer)->sin_port)
	    : 0;
	served++;
	close(fd);
	spout_loop_stop(loop);
}

static void
on_refused(void *ctx)
{
	(void)ctx;
	refused++;
	spout_loop_stop(loop);
}

static void
gate_make(uint64_t timeout_ms)
{
	static const struct spout__network local = { .ip = { .family = AF_UNIX } };
	const struct spout__proxy_gate_options options = { .networks = &local,
		.n_networks = 1,
		.timeout_ms = timeout_ms,
		.on_open = on_open,
		.on_refused = on_refused };

	served = refused = 0;
	served_port = 0;
	loop = spout_loop_new();
	CU_ASSERT_PTR_NOT_NULL_FATAL(loop);
	gate = spout__proxy_gate_new(loop, &options);
	CU_ASSERT_PTR_NOT_NULL_FATAL(gate);
}

/* Our end of a connection that has entered. */
static int
enter(void)
{
	const struct sockaddr peer = { .sa_family = AF_UNIX };
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	CU_ASSERT_EQUAL_FATAL(
	    spout__proxy_gate_enter(gate, fds[1], &peer, sizeof(peer)), 0);
	return fds[0];
}

static void
gate_done(int fd)
{
	close(fd);
	CU_ASSERT_EQUAL(spout__proxy_gate_free(gate), 0);
	spout_loop_free(loop);
}

static void
what_follows_a_header_stays_in_the_socket(void)
{
	static const char all[] = V2_TCP4 "GET /";
	int fd;

	gate_make(20000);
	fd = enter();
	CU_ASSERT_EQUAL(write(fd, all, sizeof(all) - 1), (ssize_t)sizeof(all) - 1);
	CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
	CU_ASSERT_EQUAL(served, 1);
	CU_ASSERT_EQUAL(served_port, 56324);
	CU_ASSERT_STRING_EQUAL(rest, "GET /");
	gate_done(fd);
}

static const char *piece;
static int piece_fd;

/* One more byte each time; the loop has looked at the one before. */
static void
send_piece(void *arg)
{
	(void)arg;
	if (*piece != '\0')
		CU_ASSERT_EQUAL(write(piece_fd, piece++, 1), 1);
}

static void
a_header_byte_by_byte_is_read(void)
{
	struct spout_periodic *writer;

	gate_make(20000);
	piece_fd = enter();
	piece = "PROXY TCP4 192.0.2.1 192.0.2.2 7 8\r\n";
	writer = spout_periodic_start(loop, 1, 0, send_piece, NULL);
	CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
	spout_periodic_stop(writer);
	CU_ASSERT_EQUAL(served, 1);
	CU_ASSERT_EQUAL(served_port, 7);
	CU_ASSERT_STRING_EQUAL(rest, "");
	gate_done(piece_fd);
}

static void
nonsense_silence_and_an_early_end_are_refused(void)
{
	int fd;

	gate_make(20000);
	fd = enter();
	CU_ASSERT_EQUAL(write(fd, "GET / HTTP/1.1\r\n", 16), 16);
	CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
	CU_ASSERT_EQUAL(refused, 1);
	close(fd);
	fd = enter();
	CU_ASSERT_EQUAL(write(fd, "PROXY ", 6), 6);
	CU_ASSERT_EQUAL(shutdown(fd, SHUT_WR), 0);
	CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
	CU_ASSERT_EQUAL(refused, 2);
	gate_done(fd);
	gate_make(5);
	fd = enter();
	CU_ASSERT_EQUAL(write(fd, "PROXY ", 6), 6);
	CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
	CU_ASSERT_EQUAL(refused, 1);
	CU_ASSERT_EQUAL(served, 0);
	gate_done(fd);
}

static void
strangers_do_not_enter_and_who_waits_is_closed_with_the_gate(void)
{
	const struct sockaddr_in stranger = { .sin_family = AF_INET };
	char byte;
	int fd;

	gate_make(20000);
	CU_ASSERT_EQUAL(spout__proxy_gate_enter(gate, -1,
			    (const struct sockaddr *)&stranger, sizeof(stranger)),
	    -EACCES);
	fd = enter();
	CU_ASSERT_EQUAL(spout__proxy_gate_free(gate), 1);
	CU_ASSERT_EQUAL(read(fd, &byte, 1), 0);
	close(fd);
	CU_ASSERT_EQUAL(refused, 0);
	spout_loop_free(loop);
}

static const struct unit_test header_tests[] = {
	UNIT_TEST(lines_of_version_1_are_read),
	UNIT_TEST(malformed_lines_are_refused),
	UNIT_TEST(a_line_has_at_most_107_bytes),
	UNIT_TEST(headers_of_version_2_are_read),
	UNIT_TEST(malformed_headers_of_version_2_are_refused),
	UNIT_TEST(a_header_may_come_in_pieces),
	UNIT_END,
};

static const struct unit_test gate_tests[] = {
	UNIT_TEST(what_follows_a_header_stays_in_the_socket),
	UNIT_TEST(a_header_byte_by_byte_is_read),
	UNIT_TEST(nonsense_silence_and_an_early_end_are_refused),
	UNIT_TEST(strangers_do_not_enter_and_who_waits_is_closed_with_the_gate),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "headers", header_tests },
		{ "the gate", gate_tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
