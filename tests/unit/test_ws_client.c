/* SPDX-License-Identifier: MIT */
/*
 * The client's side of WebSockets: URLs, the handshake with servers that accept, refuse,
 * stall or say nonsense, reading and sending, and every way that a socket ends.
 */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <spout/spout.h>
#include <spout/testing.h>

#include "websocket/answer.h"
#include "websocket/socket.h"

/* --- URLs --------------------------------------------------------------------------- */

static void
urls_are_taken_apart(void)
{
	static const struct {
		const char *url, *host, *authority, *target;
		unsigned port;
		bool secure;
	} good[] = {
		{ "ws://a.example", "a.example", "a.example", "", 80, false },
		{ "WSS://a.example/", "a.example", "a.example", "/", 443, true },
		{ "ws://a:8080/x/y?z=1", "a", "a:8080", "/x/y?z=1", 8080, false },
		{ "wss://[::1]:9/?q", "::1", "[::1]:9", "/?q", 9, true },
		{ "ws://[::1]", "::1", "[::1]", "", 80, false },
		{ "ws://127.0.0.1?q", "127.0.0.1", "127.0.0.1", "?q", 80, false },
	};
	static const char *const bad[] = { "", "http://a/", "ws:/a", "ws://", "ws:///x",
		"ws://a b/", "ws://a/ b", "ws://a/#f", "ws://u@a/", "ws://a:0/",
		"ws://a:99999/", "ws://a:x/", "ws://[::1/", "ws://a/\r\nX: y", "wss:a" };
	struct spout__ws_url url;

	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CU_ASSERT_EQUAL(spout__ws_parse_url(good[i].url, &url), 0);
		CU_ASSERT_STRING_EQUAL(url.host, good[i].host);
		CU_ASSERT(spout_slice_equal(url.authority, good[i].authority));
		CU_ASSERT(spout_slice_equal(url.target, good[i].target));
		CU_ASSERT_EQUAL(url.port, good[i].port);
		CU_ASSERT_EQUAL(url.secure, good[i].secure);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(spout__ws_parse_url(bad[i], &url), -EINVAL);
}

/* --- answers ------------------------------------------------------------------------ */

#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define UP "Upgrade: WebSocket\r\nConnection: keep-alive, upgrade\r\n"
#define OK "HTTP/1.1 101 x\r\n" UP "Sec-WebSocket-Accept: " ACCEPT "\r\n"

/* 0, or what is wrong with that answer. */
static const char *
check(const char *text)
{
	static const char *const protocols[] = { "v2", "v1", NULL };
	static const struct spout_websocket_compress on = { .on = true };
	static struct spout__ws_answer answer;
	struct spout__ws_handshake handshake;
	const char *why = "";

	if (spout__ws_parse_answer(text, strlen(text), &answer) < 0)
		return "malformed";
	if (answer.status != 101)
		return "status";
	return spout__ws_check_answer(
	    &answer, ACCEPT, protocols, &on, &handshake, &why) == 0 ? "" : why;
}

static void
an_answer_is_taken_by_the_letter(void)
{
	static const char *const malformed[] = { "", "HTTP/1.1 101\r\n", "\r\n\r\n",
		"HTTP/2 101 x\r\n\r\n", "HTTP/1.1 1x1 x\r\n\r\n",
		"HTTP/1.1 001 x\r\n\r\n",
		"HTTP/1.1 1011 x\r\n\r\n", "HTTP/1.1 101 x\r\nA B: c\r\n\r\n",
		"HTTP/1.1 101 x\r\n: c\r\n\r\n", "HTTP/1.1 101 x\r\nA: \x01\r\n\r\n",
		"HTTP/1.1 101 x\r\nno colon\r\n\r\n",
		"HTTP/1.1 101 x\r\n folded\r\n\r\n" };

	for (unsigned i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
		CU_ASSERT_STRING_EQUAL(check(malformed[i]), "malformed");
	CU_ASSERT_STRING_EQUAL(check(OK "\r\n"), "");
	CU_ASSERT_STRING_EQUAL(check("HTTP/1.1 101\r\n" UP "Sec-WebSocket-Accept:" ACCEPT
				     "\r\nSec-WebSocket-Protocol: v1\r\n\r\n"), "");
	CU_ASSERT_STRING_EQUAL(check("HTTP/1.1 200 OK\r\n\r\n"), "status");
	CU_ASSERT(check("HTTP/1.1 101 x\r\n\r\n")[0] == 't');
	CU_ASSERT(check("HTTP/1.1 101 x\r\n" UP "\r\n")[0] == 'S');
	CU_ASSERT(check("HTTP/1.1 101 x\r\n" UP "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzz"
			"hZRbK+xOo=\r\n\r\n")[0] == 'S');
	CU_ASSERT_STRING_EQUAL(check(OK "Sec-WebSocket-Protocol: v3\r\n\r\n"),
	    "a subprotocol that was not offered");
	CU_ASSERT_STRING_EQUAL(check(OK "Sec-WebSocket-Protocol: v1, v2\r\n\r\n"),
	    "a subprotocol that was not offered");
	CU_ASSERT_STRING_EQUAL(check(OK "Sec-WebSocket-Extensions: foo\r\n\r\n"),
	    "an extension that was not offered");
	CU_ASSERT_STRING_EQUAL(
	    check(OK "Sec-WebSocket-Extensions: permessage-deflate; "
		     "server_no_context_takeover\r\n\r\n"), "");
}

/* --- our own server ----------------------------------------------------------------- */

static unsigned n_open, n_closed;
static int closed_with;

static void
on_open(struct spout_websocket *ws)
{
	struct spout_request *req = spout_websocket_request(ws);

	if (spout_arg(req, "refuse") != NULL)
		spout_websocket_fail(ws, 403, "log in first");
	n_open++;
}

static void
on_message(struct spout_websocket *ws, const char *data, size_t len)
{
	if (strcmp(data, "close") == 0) {
		spout_websocket_close(ws, 4001, "as you wish");
		return;
	}
	if (strcmp(data, "ten") == 0) {
		for (unsigned i = 0; i < 10; i++)
			spout_websocket_send_binary(ws, &"0123456789"[i], 1);
		spout_websocket_close(ws, 1000, NULL);
		return;
	}
	if (spout_websocket_is_binary(ws))
		spout_websocket_send_binary(ws, data, len);
	else
		spout_websocket_send_text(ws, data, len);
}

static void
on_close(struct spout_websocket *ws, int code, const char *reason)
{
	(void)ws;
	(void)reason;
	closed_with = code;
	n_closed++;
}

static const char *const protocols[] = { "v1.chat", "v2.chat", NULL };
static const struct spout_websocket_handler echo = { .open = on_open,
	.message = on_message, .close = on_close, .subprotocols = protocols,
	.compress = { .on = true, .keep_context = true } };
static const struct spout_route routes[] = { SPOUT_WEBSOCKET("/echo", &echo), SPOUT_END };
static struct spout_app app = { .name = "echo", .routes = routes };

static const char *
url_of(const char *target)
{
	return spout_sprintf(
	    "ws://127.0.0.1:%u%s", spout_test_port(spout_test_serve(&app)), target);
}

static void
await_closed(unsigned n)
{
	while (n_closed < n)
		spout_sleep(1);
}

static void
check_echoes(struct spout_websocket *ws, size_t max)
{
	static const size_t sizes[] = { 0, 1, 125, 126, 127, 128, 2000, 65535, 65536 };
	struct spout_websocket_message got;
	static char data[65536];

	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (char)('a' + i * 7 % 26);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (sizes[i] > max)
			return;
		spout_websocket_send_text(ws, data, sizes[i]);
		spout_websocket_send_binary(ws, data, sizes[i]);
		for (unsigned k = 0; k < 2; k++) {
			CU_ASSERT_FATAL(spout_websocket_read(ws, &got));
			CU_ASSERT_EQUAL(got.binary, k == 1);
			CU_ASSERT_EQUAL_FATAL(got.len, sizes[i]);
			CU_ASSERT_EQUAL(memcmp(got.data, data, got.len), 0);
			CU_ASSERT_EQUAL(got.data[got.len], '\0');
		}
	}
}

SPOUT_TEST(a_client_sends_and_reads_messages)
{
	struct spout_websocket *ws = spout_websocket_connect(url_of("/echo?a=b"),
	    .headers = SPOUT_FIELDS({ "Cookie", "a=b" }));
	struct spout_websocket_message got;

	CU_ASSERT(spout_websocket_is_open(ws));
	CU_ASSERT_PTR_NULL(spout_websocket_subprotocol(ws));
	CU_ASSERT_EQUAL(spout_websocket_close_code(ws), 0);
	check_echoes(ws, SIZE_MAX);
	CU_ASSERT_EQUAL(spout_try_websocket_read(ws, 5, &got), -ETIMEDOUT);
	n_closed = 0;
	CU_ASSERT_EQUAL(spout_websocket_close(ws, 3001, "bye"), 0);
	CU_ASSERT(!spout_websocket_read(ws, &got));
	CU_ASSERT_EQUAL(spout_websocket_close_code(ws), 3001);
	CU_ASSERT_EQUAL(spout_try_websocket_send_text(ws, "x", 1), -EPIPE);
	await_closed(1);
	CU_ASSERT_EQUAL(closed_with, 3001);
}

SPOUT_TEST(compression_and_subprotocols_are_agreed_on)
{
	static const struct spout_websocket_compress all[] = { { .on = true },
		{ .on = true, .keep_context = true, .level = 9, .min_bytes = 1 },
		{ .on = true, .keep_context = true, .window_bits = 9,
		    .peer_window_bits = 9, .memory_level = 1 } };
	static const char *const offered[] = { "v9", "v2.chat", NULL };

	for (unsigned i = 0; i < 3; i++) {
		struct spout_websocket *ws = spout_websocket_connect(
		    url_of("/echo"), .compress = all[i], .subprotocols = offered);

		CU_ASSERT_STRING_EQUAL(spout_websocket_subprotocol(ws), "v2.chat");
		CU_ASSERT_EQUAL(ws->deflate.own_bits, i < 2 ? 15 : 9);
		CU_ASSERT_EQUAL(ws->deflate.peer_bits, i < 2 ? 15 : 9);
		CU_ASSERT_EQUAL(ws->deflate.own_keeps, i > 0);
		check_echoes(ws, 2000);
		check_echoes(ws, 2000);
	}
}

SPOUT_TEST(many_messages_in_flight_come_in_order)
{
	struct spout_websocket *ws = spout_websocket_connect(url_of("/echo"));
	struct spout_websocket_message got;
	char text[16];

	for (unsigned i = 0; i < 3000; i++) {
		snprintf(text, sizeof(text), "%u", i);
		spout_websocket_send_text(ws, text, strlen(text));
	}
	for (unsigned i = 0; i < 3000; i++) {
		CU_ASSERT_FATAL(spout_websocket_read(ws, &got));
		CU_ASSERT_EQUAL(atoi(got.data), (int)i);
	}
}

SPOUT_TEST(what_came_before_the_end_is_read)
{
	struct spout_websocket *ws = spout_websocket_connect(url_of("/echo"));
	struct spout_websocket_message got;

	n_closed = 0;
	spout_websocket_send_text(ws, "ten", 3);
	spout_sleep(20);
	for (unsigned i = 0; i < 10; i++) {
		CU_ASSERT_FATAL(spout_websocket_read(ws, &got));
		CU_ASSERT_EQUAL(got.data[0], (char)('0' + i));
	}
	CU_ASSERT(!spout_websocket_read(ws, &got));
	CU_ASSERT_EQUAL(spout_websocket_close_code(ws), 1000);
	CU_ASSERT(!spout_websocket_read(ws, &got));
	await_closed(1);
	ws = spout_websocket_connect(url_of("/echo"));
	spout_websocket_send_text(ws, "close", 5);
	CU_ASSERT(!spout_websocket_read(ws, &got));
	CU_ASSERT_EQUAL(spout_websocket_close_code(ws), 4001);
	CU_ASSERT_STRING_EQUAL(spout_websocket_close_reason(ws), "as you wish");
}

static void
open_and_leave(void *arg)
{
	struct spout_websocket *ws = spout_websocket_connect(arg);

	spout_websocket_send_text(ws, "unread", 6);
	spout_websocket_send_text(ws, "unread", 6);
}

SPOUT_TEST(a_socket_ends_with_its_scope)
{
	n_closed = 0;
	spout_scope_run(open_and_leave, (void *)url_of("/echo"));
	await_closed(1);
	CU_ASSERT_EQUAL(closed_with, 1000);
}

SPOUT_TEST(a_refusal_is_an_answer)
{
	struct spout_websocket_refusal refusal = { 0 };
	struct spout_websocket *ws = NULL;

	CU_ASSERT_EQUAL(spout_try_websocket_connect(url_of("/echo?refuse=1"), &ws,
	    .refusal = &refusal), -EREMOTEIO);
	CU_ASSERT_PTR_NULL(ws);
	CU_ASSERT_EQUAL(refusal.status, 403);
	CU_ASSERT_PTR_NOT_NULL(
	    memmem(refusal.body.data, refusal.body.len, "log in first", 12));
	CU_ASSERT_PTR_NOT_NULL(refusal.headers[0].name);
	CU_ASSERT_PTR_NOT_NULL(strstr(spout_error(), "403"));
	CU_ASSERT_EQUAL(
	    spout_try_websocket_connect(url_of("/nothing"), &ws), -EREMOTEIO);
	CU_ASSERT_EQUAL(spout_try_websocket_connect("ws://127.0.0.1:1/", &ws),
	    -ECONNREFUSED);
	CU_ASSERT_EQUAL(spout_try_websocket_connect("http://127.0.0.1/", &ws), -EINVAL);
	CU_ASSERT_EQUAL(spout_try_websocket_connect(url_of("/echo"), &ws,
	    .headers = SPOUT_FIELDS({ "Upgrade", "x" })), -EINVAL);
	CU_ASSERT_EQUAL(spout_try_websocket_connect(url_of("/echo"), &ws,
	    .headers = SPOUT_FIELDS({ "X", "a\r\nb" })), -EINVAL);
	CU_ASSERT_EQUAL(spout_try_websocket_connect(url_of("/echo"), &ws,
	    .headers = SPOUT_FIELDS({ "sec-websocket-key", "x" })), -EINVAL);
}

/* --- servers that say what they are told to ----------------------------------------- */

static const char *says;     /* behind the head: a 101, if it begins with a frame */
static size_t says_len;
static bool accepts;
static char heard[512];
static size_t heard_len;

static void
serve_raw(struct spout_stream *stream, void *arg)
{
	struct spout_slice in = spout_stream_read_until(stream, "\r\n\r\n", 4096);
	char accept[SPOUT__WS_ACCEPT_SIZE];
	const char *key;

	(void)arg;
	key = (const char *)memmem(in.data, in.len, "Sec-WebSocket-Key: ", 19) + 19;
	if (accepts && spout__ws_accept_key(spout_slice_of(key, 24), accept)) {
		const char *head = spout_sprintf("HTTP/1.1 100 Continue\r\n\r\n"
		    "HTTP/1.1 101 x\r\n" UP "Sec-WebSocket-Accept: %s\r\n\r\n", accept);

		spout_stream_write(stream, head, strlen(head));
	}
	spout_stream_write(stream, says, says_len);
	heard_len = 0;
	while (heard_len < sizeof(heard) &&
	    spout_try_stream_read_some(stream, &in) == 0 && in.len > 0) {
		memcpy(heard + heard_len, in.data, in.len);
		heard_len += in.len;
		if (heard_len >= 8 && (heard[0] & 15) == 8)
			break;
	}
}

#define SAYS(literal) (says = (literal), says_len = sizeof(literal) - 1)

static struct spout_tcp_server *
raw_server(bool accepting)
{
	accepts = accepting;
	return spout_tcp_listen("127.0.0.1:0", serve_raw, NULL);
}

static int
dial_raw(struct spout_tcp_server *server, struct spout_websocket **ret_ws,
    struct spout_websocket_refusal *refusal)
{
	return spout_try_websocket_connect(
	    spout_sprintf("ws://127.0.0.1:%u/", spout_tcp_server_port(server)), ret_ws,
	    .refusal = refusal, .connect_timeout_ms = 300);
}

SPOUT_TEST(an_answer_that_is_none_is_told_from_a_refusal)
{
	struct spout_tcp_server *server = raw_server(false);
	struct spout_websocket_refusal refusal = { 0 };
	struct spout_websocket *ws;

	SAYS("HTTP/1.1 101 x\r\n" UP "Sec-WebSocket-Accept: x\r\n\r\n");
	CU_ASSERT_EQUAL(dial_raw(server, &ws, NULL), -EPROTO);
	SAYS("SSH-2.0-OpenSSH\r\n\r\n");
	CU_ASSERT_EQUAL(dial_raw(server, &ws, NULL), -EPROTO);
	SAYS("HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n"
	     "3\r\nnot\r\n5\r\n here\r\n0\r\n\r\n");
	CU_ASSERT_EQUAL(dial_raw(server, &ws, &refusal), -EREMOTEIO);
	CU_ASSERT(spout_slice_equal(refusal.body, "not here"));
	CU_ASSERT_STRING_EQUAL(refusal.headers[1].value, "y");
	CU_ASSERT_PTR_NULL(refusal.headers[2].name);
	SAYS("HTTP/1.1 302 Found\r\nContent-Length: 2\r\n\r\nhi and more");
	CU_ASSERT_EQUAL(dial_raw(server, &ws, &refusal), -EREMOTEIO);
	CU_ASSERT_EQUAL(refusal.status, 302);
	CU_ASSERT(spout_slice_equal(refusal.body, "hi"));
	spout_tcp_server_free(server);
}

SPOUT_TEST(a_server_that_stalls_is_given_up, .virtual_clock = true)
{
	struct spout_tcp_server *server = raw_server(false);
	struct spout_websocket *ws;

	SAYS("HTTP/1.1 101 x\r\nUpgra");
	CU_ASSERT_EQUAL(dial_raw(server, &ws, NULL), -ETIMEDOUT);
	spout_tcp_server_free(server);
}

/* The code that a socket is closed with after these frames. */
static int
code_after(struct spout_tcp_server *server, const char *frames, size_t len)
{
	struct spout_websocket_message got;
	struct spout_websocket *ws;

	says = frames;
	says_len = len;
	CU_ASSERT_EQUAL_FATAL(dial_raw(server, &ws, NULL), 0);
	while (spout_websocket_read(ws, &got))
		CU_ASSERT_STRING_EQUAL(got.data, "hi");
	return spout_websocket_close_code(ws);
}

#define CODE_AFTER(literal) code_after(server, literal, sizeof(literal) - 1)

SPOUT_TEST(faults_of_the_server_have_their_codes)
{
	struct spout_tcp_server *server = raw_server(true);

	CU_ASSERT_EQUAL(CODE_AFTER("\x81\x02hi\x88\x02\x03\xe9"), 1001);
	CU_ASSERT_EQUAL(CODE_AFTER("\x81\x02hi\x88\0"), 1005);
	CU_ASSERT_EQUAL(CODE_AFTER("\x81\x82\0\0\0\0hi"), 1002); /* masked */
	CU_ASSERT_EQUAL(CODE_AFTER("\x81\x02hi\xc1\x02hi"), 1002); /* not agreed on */
	CU_ASSERT_EQUAL(CODE_AFTER("\x81\x01\xff"), 1007);
	CU_ASSERT_EQUAL(CODE_AFTER("\x81\x7f\0\0\0\0\0\x10\0\x01"), 1009);
	spout_tcp_server_free(server);
}

SPOUT_TEST(what_a_client_sends_is_masked)
{
	struct spout_tcp_server *server = raw_server(true);
	struct spout_websocket *ws;
	struct spout_websocket_message got;
	char mask[4], text[6] = "";

	SAYS("");
	CU_ASSERT_EQUAL_FATAL(dial_raw(server, &ws, NULL), 0);
	CU_ASSERT_EQUAL(spout_websocket_close(ws, 1000, "over"), 0);
	while (spout_websocket_read(ws, &got))
		;
	CU_ASSERT_EQUAL(heard_len, 6 + 2 + 4);
	CU_ASSERT_EQUAL(memcmp(heard, "\x88\x86", 2), 0);
	memcpy(mask, heard + 2, 4);
	spout__ws_unmask(text, heard + 6, 6, (const unsigned char *)mask);
	CU_ASSERT_EQUAL(memcmp(text, "\x03\xe8over", 6), 0);
	spout_tcp_server_free(server);
}

static const struct unit_test tests[] = {
	UNIT_TEST(urls_are_taken_apart),
	UNIT_TEST(an_answer_is_taken_by_the_letter),
	UNIT_TEST(a_client_sends_and_reads_messages),
	UNIT_TEST(compression_and_subprotocols_are_agreed_on),
	UNIT_TEST(many_messages_in_flight_come_in_order),
	UNIT_TEST(what_came_before_the_end_is_read),
	UNIT_TEST(a_socket_ends_with_its_scope),
	UNIT_TEST(a_refusal_is_an_answer),
	UNIT_TEST(an_answer_that_is_none_is_told_from_a_refusal),
	UNIT_TEST(a_server_that_stalls_is_given_up),
	UNIT_TEST(faults_of_the_server_have_their_codes),
	UNIT_TEST(what_a_client_sends_is_masked),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "websocket client", tests },
		{ NULL, NULL } };

	return unit_run(argc, argv, suites);
}
