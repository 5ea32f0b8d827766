/* SPDX-License-Identifier: MIT */
/* Streams over TLS: how they end, and that they carry what others carry. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "net/costream.h"
#include "tls_talk.h"

/* --- ends ------------------------------------------------------------------------ */

struct end {
	int result;
	size_t got;
	char reason[200];
	bool seen;
};

static void
read_to_the_end(struct spout_stream *stream, void *arg)
{
	struct end *end = arg;
	struct spout_slice slice;

	do {
		end->result = spout_try_stream_read_some(stream, &slice);
		end->got += end->result == 0 ? slice.len : 0;
	} while (end->result == 0 && slice.len > 0);
	if (end->result != 0)
		snprintf(end->reason, sizeof(end->reason), "%s", spout_error());
	end->seen = true;
}

static void
co_truncate(void *arg)
{
	struct end end = { 0 };
	uint16_t port = tls_serve(tls_server("localhost"), read_to_the_end, &end);
	struct spout_stream *stream =
	    spout_tcp_connect("127.0.0.1", port, .tls = tls_client());

	(void)arg;
	spout_stream_write(stream, "cut here", 8);
	spout_stream_flush(stream);
	CU_ASSERT_EQUAL(
	    shutdown(stream->base.fd, SHUT_WR), 0); /* as anybody could forge */
	while (!end.seen)
		spout_sleep(1);
	CU_ASSERT_EQUAL(end.result, -ECONNRESET);
	CU_ASSERT_EQUAL(end.got, 8);
	HAS(end.reason, "without close_notify");

	end = (struct end){ 0 };
	stream = spout_tcp_connect("127.0.0.1", port, .tls = tls_client());
	spout_stream_write(stream, "whole", 5);
	spout_stream_close(stream);
	while (!end.seen)
		spout_sleep(1);
	CU_ASSERT_EQUAL(end.result, 0);
	CU_ASSERT_EQUAL(end.got, 5);
}

static void
an_end_without_farewell_is_no_end(void)
{
	tls_run(co_truncate);
}

static void
co_silence(void *arg)
{
	struct spout_tls *impatient = spout_tls_server_new(.handshake_timeout_ms = 20,
	    .certificates = CERTIFICATES({ tls_file("localhost"), NULL }));
	struct spout_tls *hasty =
	    spout_tls_client_new(.ca_file = tls_file("ca"), .handshake_timeout_ms = 20);
	struct spout_stream *stream;
	struct spout_slice slice;
	struct end end = { 0 };
	uint16_t port;

	(void)arg;
	spout_defer(spout_tls_free, impatient);
	spout_defer(spout_tls_free, hasty);
	port = tls_serve(impatient, tls_echo, NULL);
	stream = spout_tcp_connect("127.0.0.1", port); /* and says nothing */
	CU_ASSERT_EQUAL(spout_try_stream_read_all(stream, 100, &slice), 0);
	CU_ASSERT_EQUAL(slice.len, 0);
	port = tls_serve(NULL, read_to_the_end, &end); /* answers nothing */
	CU_ASSERT_EQUAL(
	    spout_try_tcp_connect("127.0.0.1", port, &stream, .tls = hasty), -ETIMEDOUT);
	HAS(spout_error(), "handshake was not done within 20 ms");
	CU_ASSERT_EQUAL(spout_try_tcp_connect("127.0.0.1", port, &stream,
			    .tls = tls_client(), .timeout_ms = 20),
	    -ETIMEDOUT);
	HAS(spout_error(), "TLS handshake");
}

static void
a_handshake_has_its_time(void)
{
	tls_run(co_silence);
}

static void
co_nonsense(void *arg)
{
	uint16_t port = tls_serve(tls_server("localhost"), tls_echo, NULL);
	struct spout_stream *stream = spout_tcp_connect("127.0.0.1", port);
	uint16_t plain = tls_serve(NULL, tls_echo, NULL);
	struct spout_slice slice;

	(void)arg;
	spout_stream_write(stream, "GET / HTTP/1.1\r\n\r\n", 18);
	CU_ASSERT_EQUAL(spout_try_stream_read_all(stream, 100, &slice), 0);
	CU_ASSERT_TRUE(slice.len <= 7); /* an alert at most */
	/* An echo of our own hello is no answer to it. */
	CU_ASSERT_EQUAL(spout_try_tcp_connect("127.0.0.1", plain, &stream,
			    .tls = tls_client(), .timeout_ms = 200) < 0,
	    1);
	stream = spout_tcp_connect("127.0.0.1", port, .tls = tls_client());
	tls_say(stream, "still here\n");
}

static void
peers_without_tls_are_sent_off(void)
{
	tls_run(co_nonsense);
}

static void
connect_in_vain(void *arg)
{
	spout_tcp_connect("127.0.0.1", *(uint16_t *)arg, .tls = tls_client());
	CU_FAIL("nobody answered");
}

static void
co_cancel_handshake(void *arg)
{
	struct end end = { 0 };
	uint16_t port = tls_serve(NULL, read_to_the_end, &end);

	(void)arg;
	co_later(20, co_cancel, co_main);
	connect_in_vain(&port);
}

static void
a_handshake_can_be_cancelled(void)
{
	co_run(co_cancel_handshake, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, -ECANCELED);
}

/* --- volumes --------------------------------------------------------------------- */

static void
co_tiny(void *arg)
{
	struct end end = { 0 };
	uint16_t port = tls_serve(tls_server("localhost"), read_to_the_end, &end);
	struct spout_stream *stream =
	    spout_tcp_connect("127.0.0.1", port, .tls = tls_client());
	unsigned n = unit_scaled(500);

	(void)arg;
	for (unsigned i = 0; i < n; i++) {
		spout_stream_write(stream, "x", 1);
		spout_stream_flush(stream);
	}
	spout_stream_close(stream);
	while (!end.seen)
		spout_sleep(1);
	CU_ASSERT_EQUAL(end.result, 0);
	CU_ASSERT_EQUAL(end.got, n);
}

static void
records_of_one_byte_arrive(void)
{
	tls_run(co_tiny);
}

#define HUGE_BYTES (12u << 20)
#define UNSENT_BYTES 100000u

static unsigned char
byte_at(size_t i)
{
	return (unsigned char)(i * 7 + i / 65536);
}

struct flood {
	struct spout_stream *stream;
	size_t most;
	bool done;
};

static void
pour(void *arg)
{
	struct flood *flood = *(struct flood **)arg;
	unsigned char piece[30000];

	for (size_t at = 0, n; at < HUGE_BYTES; at += n) {
		n = HUGE_BYTES - at < sizeof(piece) ? HUGE_BYTES - at : sizeof(piece);
		for (size_t i = 0; i < n; i++)
			piece[i] = byte_at(at + i);
		spout_stream_write(flood->stream, piece, n);
		if (spout_stream_unsent(flood->stream) > flood->most)
			flood->most = spout_stream_unsent(flood->stream);
	}
	spout_stream_shutdown(flood->stream);
	flood->done = true;
}

static void
pour_slowly(struct spout_stream *stream, void *arg)
{
	struct flood *flood = arg;

	flood->stream = stream;
	pour(&flood);
}

static void
co_huge(void *arg)
{
	struct flood flood = { 0 };
	struct spout_tls *tls = tls_server("localhost");
	struct spout_tcp_server *server = spout_tcp_listen("127.0.0.1:0", pour_slowly,
	    &flood, .tls = tls, .stream = { .max_unsent_bytes = UNSENT_BYTES });
	struct spout_stream *stream;
	struct spout_slice slice;
	size_t got = 0, wrong = 0;

	(void)arg;
	spout_defer(tls_free_server, server);
	stream = spout_tcp_connect(
	    "127.0.0.1", spout_tcp_server_port(server), .tls = tls_client());
	spout_sleep(30);
	CU_ASSERT_FALSE(flood.done); /* it waits for the reader */
	do {
		slice = spout_stream_read_some(stream);
		for (size_t i = 0; i < slice.len; i++)
			wrong += (unsigned char)slice.data[i] != byte_at(got + i);
		got += slice.len;
	} while (slice.len > 0);
	CU_ASSERT_EQUAL(got, HUGE_BYTES);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_TRUE(flood.done);
	CU_ASSERT_TRUE(flood.most <= UNSENT_BYTES);
}

static void
a_slow_reader_suspends_the_writer(void)
{
	tls_run(co_huge);
}

/* --- STARTTLS -------------------------------------------------------------------- */

static void
co_start_tls(void *arg)
{
	uint16_t port = tls_serve(NULL, tls_upgrade, tls_server("localhost"));
	struct spout_tls *tls = tls_client();
	struct spout_stream *stream = spout_tcp_connect("127.0.0.1", port);

	(void)arg;
	spout_stream_write(stream, "STARTTLS\n", 9);
	ASSERT_SLICE(spout_stream_read_until(stream, "\n", 10), "OK\n");
	spout_stream_start_tls(stream, tls, "localhost");
	tls_say(stream, "now in private\n");
	CU_ASSERT_EQUAL(spout_try_stream_start_tls(stream, tls, "localhost"), -EALREADY);
	CU_ASSERT_STRING_EQUAL(spout_stream_tls_version(stream), "TLSv1.3");
}

static void
a_conversation_can_go_on_over_tls(void)
{
	tls_run(co_start_tls);
}

static void
answer_too_much(struct spout_stream *stream, void *arg)
{
	(void)arg;
	spout_stream_read_until(stream, "STARTTLS\n", 100);
	spout_stream_write(stream, "OK\nINJECTED\n", 12);
	spout_stream_flush(stream);
	spout_stream_read_some(stream);
}

static void
co_inject(void *arg)
{
	uint16_t port = tls_serve(NULL, answer_too_much, NULL);
	struct spout_stream *stream = spout_tcp_connect("127.0.0.1", port);

	(void)arg;
	spout_stream_write(stream, "STARTTLS\n", 9);
	ASSERT_SLICE(spout_stream_read_until(stream, "\n", 10), "OK\n");
	while (spout_stream_buffered(stream) < 9)
		spout_sleep(1);
	CU_ASSERT_EQUAL(
	    spout_try_stream_start_tls(stream, tls_client(), "localhost"), -EBADMSG);
	HAS(spout_error(), "9 bytes came ahead");
}

static void
what_was_slipped_in_before_tls_is_refused(void)
{
	tls_run(co_inject);
}

/* --- runner ---------------------------------------------------------------------- */

static const struct unit_test stream_tests[] = {
	UNIT_TEST(an_end_without_farewell_is_no_end),
	UNIT_TEST(a_handshake_has_its_time),
	UNIT_TEST(peers_without_tls_are_sent_off),
	UNIT_TEST(a_handshake_can_be_cancelled),
	UNIT_TEST(records_of_one_byte_arrive),
	UNIT_TEST(a_slow_reader_suspends_the_writer),
	UNIT_TEST(a_conversation_can_go_on_over_tls),
	UNIT_TEST(what_was_slipped_in_before_tls_is_refused),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "TLS streams", stream_tests },
		{ NULL, NULL },
	};

	tls_make_all();
	return unit_run(argc, argv, suites);
}
