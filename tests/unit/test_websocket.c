/* SPDX-License-Identifier: MIT */
/*
 * WebSockets on a real loop: the handshake, callbacks in order, back-pressure and what
 * happens to slow clients, pings, and every way that a socket ends. The client speaks raw
 * frames.
 */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <spout/spout.h>
#include <spout/testing.h>

#include "http/server.h"
#include "websocket/handshake.h"
#include "websocket/socket.h"
#include "ws_help.h"

static char seen[512]; /* what the callbacks saw */
static struct spout_websocket *last;
static unsigned dropped;

static void
saw(const char *what)
{
	strncat(seen, what, sizeof(seen) - 1 - strlen(seen));
}

/* --- the server ------------------------------------------------------------------- */

static void
scope_ended(void *arg)
{
	(void)arg;
	saw("scope ");
}

static void
on_open(struct spout_websocket *ws)
{
	struct spout_request *req = spout_websocket_request(ws);
	const char *mode = spout_arg(req, "mode");

	last = ws;
	if (mode == NULL)
		return;
	if (strcmp(mode, "refuse") == 0)
		spout_websocket_fail(ws, 403, "log in first");
	if (strcmp(mode, "wait") == 0)
		spout_sleep(30);
	if (strcmp(mode, "close") == 0)
		spout_websocket_close(ws, 4000, "full");
	if (strcmp(mode, "send") == 0) {
		spout_set_cookie(req, "a", "b");
		spout_websocket_send_text(ws, "one", 3);
		spout_websocket_send_binary(ws, "two", 3);
	}
	CU_ASSERT_EQUAL(
	    spout_defer_in(spout_websocket_scope(ws), scope_ended, NULL), 0);
	spout_websocket_set_data(ws, spout_strdup_in(spout_websocket_scope(ws), mode));
}

static void
send_many(struct spout_websocket *ws)
{
	static char block[65536];

	for (unsigned i = 0; i < 400; i++) {
		snprintf(block, sizeof(block), "%u", i);
		if (spout_try_websocket_send_binary(ws, block, sizeof(block)) < 0) {
			saw("refused ");
			return;
		}
		CU_ASSERT(spout_websocket_unsent_bytes(ws) <= 2 * 262144 + 65536);
	}
	dropped = spout_websocket_dropped(ws);
	saw("sent ");
}

static void
on_message(struct spout_websocket *ws, const char *data, size_t len)
{
	CU_ASSERT_EQUAL(data[len], '\0');
	CU_ASSERT_PTR_NULL(spout_websocket_request(ws));
	if (strcmp(data, "nap") == 0)
		spout_sleep(50);
	if (strcmp(data, "forever") == 0) {
		saw("waits ");
		spout_await(spout_future_new());
	}
	if (strcmp(data, "fail") == 0)
		spout_fail_with(-EIO, "no luck");
	if (strcmp(data, "code") == 0)
		spout_websocket_fail(ws, 4001, "why");
	if (strcmp(data, "close") == 0) {
		CU_ASSERT_EQUAL(spout_websocket_close(ws, 1005, NULL), -EINVAL);
		CU_ASSERT_EQUAL(spout_websocket_close(ws, 4002, "\xff"), -EINVAL);
		CU_ASSERT_EQUAL(spout_websocket_close(ws, 4002, "bye"), 0);
		CU_ASSERT_EQUAL(spout_websocket_close(ws, 4002, "bye"), -EPIPE);
		CU_ASSERT_EQUAL(spout_try_websocket_send_text(ws, "x", 1), -EPIPE);
		return;
	}
	if (strcmp(data, "many") == 0) {
		send_many(ws);
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
	char text[200];

	CU_ASSERT_EQUAL(spout_try_websocket_send_text(ws, "x", 1), -EPIPE);
	snprintf(text, sizeof(text), "close %d%s%s ", code, reason[0] ? " " : "", reason);
	saw(text);
}

static void
on_control(struct spout_websocket *ws, const char *data, size_t len)
{
	(void)ws;
	CU_ASSERT_EQUAL(data[len], '\0');
	saw(data);
	saw(" ");
}

static const char *const protocols[] = { "v2.chat", "v1.chat", NULL };
static const struct spout_websocket_handler plain = { .open = on_open,
	.message = on_message, .close = on_close, .subprotocols = protocols,
	.max_message_bytes = 100, .ping_interval_ms = SPOUT_FOREVER };
static const struct spout_websocket_handler controls = { .message = on_message,
	.ping = on_control, .pong = on_control };
static const struct spout_websocket_handler pings = { .close = on_close,
	.ping_interval_ms = 1000, .ping_timeout_ms = 400 };
#define SLOW(what) \
	{ .message = on_message, .close = on_close, .slow = (what), \
	    .max_unsent_bytes = 262144 }
static const struct spout_websocket_handler waits = SLOW(SPOUT_WEBSOCKET_WAIT);
static const struct spout_websocket_handler drops = SLOW(SPOUT_WEBSOCKET_DROP_OLDEST);
static const struct spout_websocket_handler closes = SLOW(SPOUT_WEBSOCKET_CLOSE);

static const struct spout_websocket_handler rated = { .open = on_open,
	.message = on_message, .ping = on_control, .close = on_close,
	.max_messages_per_second = 10, .message_burst = 3,
	.ping_interval_ms = SPOUT_FOREVER };

static const struct spout_route routes[] = { SPOUT_WEBSOCKET("/ws", &plain),
	SPOUT_WEBSOCKET("/controls", &controls), SPOUT_WEBSOCKET("/pings", &pings),
	SPOUT_WEBSOCKET("/rated", &rated),
	SPOUT_WEBSOCKET("/waits", &waits), SPOUT_WEBSOCKET("/drops", &drops),
	SPOUT_WEBSOCKET("/closes", &closes), SPOUT_END };
static struct spout_app app = { .name = "sockets", .routes = routes };

/* --- the client ------------------------------------------------------------------- */

static const char *
ask(const char *target, const char *fields, const char *more, size_t more_len)
{
	seen[0] = '\0';
	return ws_ask(&app, target, fields, more, more_len);
}

static void
dial(const char *target)
{
	seen[0] = '\0';
	ws_dial(&app, target);
}

static void
await_seen(const char *text)
{
	while (strstr(seen, text) == NULL)
		spout_sleep(1);
}

/* --- the handshake ---------------------------------------------------------------- */

static struct spout__http_head head;

static const struct spout_websocket_compress packs = { .on = true };

/* 0, or the status that refuses these fields of a request. */
static int
hand(const char *fields, struct spout__ws_handshake *ret)
{
	static char text[2000];
	struct spout__http_limits limits = { 16384, 8192, 100 };
	const char *why;

	snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n%s\r\n", fields);
	CU_ASSERT_EQUAL(spout__http_head_parse(text, strlen(text), &limits, &head), 0);
	return spout__ws_handshake(&head, protocols, &packs, ret, &why);
}

#define HOST "Host: a.example\r\n"
#define UP "Connection: Upgrade\r\nUpgrade: websocket\r\n"
#define V13 "Sec-WebSocket-Version: 13\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static void
a_handshake_is_taken_or_refused_by_the_letter(void)
{
	struct spout__ws_handshake h;

	CU_ASSERT_EQUAL(hand(HOST UP V13 KEY, &h), 0);
	CU_ASSERT_STRING_EQUAL(h.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	CU_ASSERT_PTR_NULL(h.subprotocol);
	CU_ASSERT_EQUAL(hand(WS_FIELDS, &h), 0);
	CU_ASSERT_EQUAL(
	    hand(HOST "Connection: upgrade\r\nUpgrade: a, WEBSOCKET\r\n" V13 KEY, &h), 0);
	CU_ASSERT_EQUAL(hand(HOST V13 KEY, &h), 426);
	CU_ASSERT_EQUAL(hand(HOST "Connection: Upgrade\r\n" V13 KEY, &h), 426);
	CU_ASSERT_EQUAL(hand(HOST "Upgrade: websocket\r\n" V13 KEY, &h), 426);
	CU_ASSERT_EQUAL(
	    hand(HOST "Connection: Upgrade\r\nUpgrade: h2c\r\n" V13 KEY, &h), 426);
	CU_ASSERT_EQUAL(hand(HOST UP KEY, &h), 426);
	CU_ASSERT_EQUAL(hand(HOST UP "Sec-WebSocket-Version: 8\r\n" KEY, &h), 426);
	CU_ASSERT_EQUAL(hand(HOST UP V13 V13 KEY, &h), 426);
	CU_ASSERT_EQUAL(hand(HOST UP V13, &h), 400);
	CU_ASSERT_EQUAL(hand(HOST UP V13 KEY KEY, &h), 400);
	CU_ASSERT_EQUAL(
	    hand(HOST UP V13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n", &h), 400);
	CU_ASSERT_EQUAL(
	    hand(HOST UP V13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=!\r\n", &h), 400);
	CU_ASSERT_EQUAL(hand(HOST UP V13 KEY "Content-Length: 3\r\n", &h), 400);
}

static void
of_the_subprotocols_our_first_is_taken(void)
{
	struct spout__ws_handshake h;

	CU_ASSERT_EQUAL(
	    hand(HOST UP V13 KEY "Sec-WebSocket-Protocol: x, v1.chat\r\n"
				 "Sec-WebSocket-Protocol: v2.chat\r\n", &h), 0);
	CU_ASSERT_STRING_EQUAL(h.subprotocol, "v2.chat");
	CU_ASSERT_EQUAL(
	    hand(HOST UP V13 KEY "Sec-WebSocket-Protocol: V2.chat\r\n", &h), 0);
	CU_ASSERT_PTR_NULL(h.subprotocol);
}

static bool
allowed(const char *origin, const char *const *origins)
{
	struct spout__ws_handshake h;

	CU_ASSERT_EQUAL(hand(WS_FIELDS, &h), 0);
	return spout__ws_origin_allowed(&head, spout_slice(origin), origins);
}

static void
an_origin_is_our_own_host_or_one_of_those_named(void)
{
	static const char *const some[] = { "https://b.example", NULL };
	static const char *const all[] = { "*", NULL };

	CU_ASSERT(allowed("http://a.example", NULL));
	CU_ASSERT(allowed("https://A.example:443", NULL));
	CU_ASSERT(!allowed("https://a.example:8443", NULL));
	CU_ASSERT(!allowed("https://b.example", NULL));
	CU_ASSERT(!allowed("https://a.example.b.example", NULL));
	CU_ASSERT(!allowed("https://b.example/a.example", NULL));
	CU_ASSERT(!allowed("https://a.example@b.example", NULL));
	CU_ASSERT(!allowed("null", NULL));
	CU_ASSERT(!allowed("", NULL));
	CU_ASSERT(!allowed("file://a.example", NULL));
	CU_ASSERT(allowed("https://b.example", some));
	CU_ASSERT(!allowed("http://b.example", some));
	CU_ASSERT(allowed("http://a.example", some));
	CU_ASSERT(allowed("null", all));
}

SPOUT_TEST(a_socket_opens_with_what_open_has_sent_behind_the_101)
{
	const char *text = ask("/ws?mode=send",
	    "Sec-WebSocket-Protocol: v1.chat\r\nOrigin: http://a.example\r\n", "", 0);

	CU_ASSERT_EQUAL(strncmp(text, "HTTP/1.1 101 Switching Protocols\r\n", 34), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\r\nUpgrade: websocket\r\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\r\nConnection: Upgrade\r\n"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\r\nSec-WebSocket-Protocol: v1.chat\r\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\r\nSet-Cookie: a=b"));
	CU_ASSERT_STRING_EQUAL(spout_websocket_subprotocol(last), "v1.chat");
	WS_HEARS("text one");
	WS_HEARS("binary two");
	CU_ASSERT_STRING_EQUAL(spout_websocket_data(last), "send");
	ws_say_bytes(0x88, "\x03\xe8", 2);
	WS_HEARS("close 1000 ");
	WS_HEARS("end");
	spout_stream_close(ws_client);
	await_seen("scope");
	CU_ASSERT_STRING_EQUAL(seen, "close 1000 scope ");
}

SPOUT_TEST(open_may_refuse_with_an_ordinary_answer)
{
	const char *text = ask("/ws?mode=refuse", "", "", 0);

	CU_ASSERT_EQUAL(strncmp(text, "HTTP/1.1 403 ", 13), 0);
	CU_ASSERT_PTR_NULL(strstr(text, "Upgrade"));
	CU_ASSERT_STRING_EQUAL(seen, "");
	spout_stream_close(ws_client);
	text = ask("/ws", "Origin: https://evil.example\r\n", "", 0);
	CU_ASSERT_EQUAL(strncmp(text, "HTTP/1.1 403 ", 13), 0);
	spout_stream_close(ws_client);
}

SPOUT_TEST(frames_that_come_with_the_request_are_not_lost)
{
	char frame[20];
	size_t n = ws_put_frame(frame, 0x81, "early", 5);

	ask("/ws", "", frame, n);
	WS_HEARS("text early");
	spout_stream_close(ws_client);
	ask("/ws?mode=wait", "", frame, n);
	WS_HEARS("text early");
	spout_stream_close(ws_client);
	await_seen("close 1006");
}

SPOUT_TEST(open_may_close)
{
	dial("/ws?mode=close");
	WS_HEARS("close 4000 full");
	ws_say_bytes(0x88, "\x0f\xa0", 2);
	WS_HEARS("end");
	spout_stream_close(ws_client);
	await_seen("close 4000");
}

/* --- callbacks -------------------------------------------------------------------- */

SPOUT_TEST(messages_are_taken_one_at_a_time_in_order)
{
	char number_text[8];

	dial("/ws");
	ws_say("nap");
	ws_say_bytes(0x89, "still here?", 11);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(number_text, sizeof(number_text), "%u", i);
		ws_say(number_text);
	}
	WS_HEARS("pong still here?"); /* while the callback waits */
	WS_HEARS("text nap");
	for (unsigned i = 0; i < 200; i++)
		CU_ASSERT_EQUAL(atoi(ws_hear() + 5), (int)i);
	ws_say_bytes(0x82, "\0\xff", 2);
	CU_ASSERT_EQUAL(memcmp(ws_hear(), "binary \0\xff", 7), 0);
	ws_say_bytes(0x81, "", 0);
	WS_HEARS("text ");
	spout_stream_close(ws_client);
	await_seen("close 1006");
}

SPOUT_TEST(pings_and_pongs_can_be_looked_at)
{
	dial("/controls");
	ws_say("nap");
	ws_say_bytes(0x89, "p1", 2);
	ws_say_bytes(0x8a, "p2", 2);
	ws_say_bytes(0x89, "", 0);
	WS_HEARS("pong p1");
	WS_HEARS("text nap");
	WS_HEARS("pong ");
	CU_ASSERT_STRING_EQUAL(seen, "p1 p2  ");
	spout_stream_close(ws_client);
}

SPOUT_TEST(a_callback_that_fails_closes_with_1011)
{
	spout_test_log_begin();
	spout_test_log_expect("WebSocket callback failed: no luck");
	dial("/ws");
	ws_say("fail");
	WS_HEARS("close 1011 ");
	spout_stream_close(ws_client);
	await_seen("close 1006");
	SPOUT_TEST_LOG_END();
}

SPOUT_TEST(a_callback_may_choose_the_code)
{
	spout_test_log_begin();
	dial("/ws");
	ws_say("code");
	WS_HEARS("close 4001 why");
	ws_say_bytes(0x88, "\x0f\xa1", 2);
	WS_HEARS("end");
	spout_stream_close(ws_client);
	await_seen("close 4001 ");
	dial("/ws");
	ws_say("close");
	ws_say("too late");
	WS_HEARS("close 4002 bye");
	ws_say_bytes(0x88, "\x0f\xa2", 2);
	WS_HEARS("end");
	spout_stream_close(ws_client);
	await_seen("close 4002 ");
	SPOUT_TEST_LOG_END();
}

SPOUT_TEST(a_lost_connection_cancels_the_callback_and_closes_with_1006)
{
	dial("/ws");
	ws_say("forever");
	await_seen("waits");
	spout_stream_close(ws_client);
	await_seen("close");
	CU_ASSERT_STRING_EQUAL(seen, "waits close 1006 ");
}

SPOUT_TEST(an_orderly_close_lets_the_callback_end)
{
	dial("/ws");
	ws_say("nap");
	ws_say_bytes(0x88, "\x0b\xb8x", 3);
	WS_HEARS("close 3000 ");
	WS_HEARS("end");
	spout_stream_close(ws_client);
	await_seen("close");
	CU_ASSERT_STRING_EQUAL(seen, "close 3000 x ");
}

/* --- faults of the client --------------------------------------------------------- */

/* The code that a socket is failed with for these bytes. */
static int
failed_by(const char *bytes, size_t len)
{
	const char *text;

	dial("/ws");
	spout_stream_write(ws_client, bytes, len);
	text = ws_hear();
	CU_ASSERT_STRING_EQUAL(ws_hear(), "end");
	spout_stream_close(ws_client);
	await_seen("close");
	CU_ASSERT_EQUAL(atoi(seen + 6), atoi(text + 6));
	return atoi(text + 6);
}

#define FAILED_BY(literal) failed_by(literal, sizeof(literal) - 1)

SPOUT_TEST(faults_of_the_client_have_their_codes)
{
	char frame[200];

	memset(frame, 'x', sizeof(frame));
	CU_ASSERT_EQUAL(FAILED_BY("\x81\x01x"), 1002);
	CU_ASSERT_EQUAL(FAILED_BY("\xf1\x80\0\0\0\0"), 1002);
	CU_ASSERT_EQUAL(FAILED_BY("\x81\x81\0\0\0\0\xff"), 1007);
	CU_ASSERT_EQUAL(FAILED_BY("\x88\x82\0\0\0\0\x03\xed"), 1002);
	memcpy(frame, "\x81\xe5\0\0\0\0", 6);
	CU_ASSERT_EQUAL(failed_by(frame, 6 + 101), 1009);
	frame[1] = (char)0xe4;
	dial("/ws");
	spout_stream_write(ws_client, frame, 6 + 100);
	CU_ASSERT_EQUAL(strlen(ws_hear()), 5 + 100);
	spout_stream_close(ws_client);
}

/* --- time ------------------------------------------------------------------------- */

SPOUT_TEST(silence_is_answered_by_pings_and_then_by_the_end, .virtual_clock = true)
{
	dial("/pings");
	for (unsigned i = 0; i < 3; i++) {
		WS_HEARS("ping ");
		ws_say_bytes(0x8a, "", 0);
	}
	WS_HEARS("ping ");
	WS_HEARS("end");
	CU_ASSERT_STRING_EQUAL(seen, "close 1006 timed out ");
	spout_stream_close(ws_client);
}

SPOUT_TEST(a_client_that_does_not_close_is_cut_off, .virtual_clock = true)
{
	dial("/ws");
	ws_say("close");
	WS_HEARS("close 4002 bye");
	WS_HEARS("end");
	CU_ASSERT_STRING_EQUAL(seen, "close 1006 timed out ");
	spout_stream_close(ws_client);
}

/* --- too many messages -------------------------------------------------------------- */

SPOUT_TEST(a_client_that_says_too_much_is_closed, .virtual_clock = true)
{
	dial("/rated");
	for (unsigned i = 0; i < 3; i++)
		ws_say("x");
	for (unsigned i = 0; i < 3; i++)
		WS_HEARS("text x");
	spout_sleep(250); /* worth two */
	ws_say("y");
	ws_say_bytes(0x89, "p", 1);
	WS_HEARS("text y");
	WS_HEARS("pong p");
	for (unsigned i = 0; i < 10; i++)
		ws_say("z");
	while (strncmp(ws_hear(), "text", 4) == 0)
		;
	spout_stream_close(ws_client);
	await_seen("close 1008 too many messages");
}

/* --- leaving ------------------------------------------------------------------------ */

SPOUT_TEST(at_a_reload_each_leaves_at_a_time_of_its_own, .virtual_clock = true)
{
	uint64_t before = spout_loop_now_ms(spout_loop_current());

	dial("/ws");
	ws_say("x");
	WS_HEARS("text x");
	last->guest.ops->drain(&last->guest, 60000);
	CU_ASSERT(last->end_by_ms >= before && last->end_by_ms <= before + 61000);
	WS_HEARS("close 1012 the server is replaced");
	spout_stream_close(ws_client);
	dial("/ws");
	ws_say("x");
	WS_HEARS("text x");
	last->guest.ops->drain(&last->guest, 60000);
	last->guest.ops->drain(&last->guest, 0);
	WS_HEARS("close 1001 the server stops");
	spout_stream_close(ws_client);
	await_seen("close");
}

/* --- slow clients ----------------------------------------------------------------- */

SPOUT_TEST(a_sender_waits_for_a_slow_client)
{
	dial("/waits");
	ws_say("many");
	spout_sleep(20);
	CU_ASSERT_STRING_EQUAL(seen, "");
	for (unsigned i = 0; i < 400; i++)
		CU_ASSERT_EQUAL(atoi(ws_hear() + 7), (int)i);
	await_seen("sent");
	spout_stream_close(ws_client);
	await_seen("close 1006");
}

SPOUT_TEST(the_oldest_messages_of_a_slow_client_are_dropped)
{
	int n, before = -1, count = 0;

	dial("/drops");
	ws_say("many");
	await_seen("sent");
	CU_ASSERT(dropped > 0);
	for (n = 0; n != 399; count++) {
		n = atoi(ws_hear() + 7);
		CU_ASSERT(n > before);
		before = n;
	}
	CU_ASSERT_EQUAL((unsigned)count + dropped, 400);
	spout_stream_close(ws_client);
	await_seen("close 1006");
}

SPOUT_TEST(a_slow_client_is_closed)
{
	const char *text;

	dial("/closes");
	ws_say("many");
	await_seen("refused");
	do
		text = ws_hear();
	while (strncmp(text, "binary", 6) == 0);
	CU_ASSERT_STRING_EQUAL(text, "close 1008 too slow");
	ws_say_bytes(0x88, "\x03\xf0", 2);
	WS_HEARS("end");
	spout_stream_close(ws_client);
	await_seen("close 1008");
}

SPOUT_TEST(an_idle_socket_holds_no_buffer_and_no_stack)
{
	struct spout_test_mark before, after;

	dial("/ws");
	ws_say("one");
	WS_HEARS("text one");
	spout_sleep(1);
	CU_ASSERT_PTR_NULL(last->input);
	CU_ASSERT_PTR_NULL(last->co);
	CU_ASSERT_PTR_NULL(last->stream.out.data);
	CU_ASSERT_PTR_NULL(last->scope);
	CU_ASSERT(sizeof(*last) < 560);
	spout_test_mark(&before);
	ws_say("forever");
	await_seen("waits");
	spout_test_mark(&after);
	CU_ASSERT_EQUAL(after.coroutines, before.coroutines + 1);
	spout_stream_close(ws_client);
	await_seen("close 1006");
}

static const struct unit_test tests[] = {
	UNIT_TEST(a_handshake_is_taken_or_refused_by_the_letter),
	UNIT_TEST(of_the_subprotocols_our_first_is_taken),
	UNIT_TEST(an_origin_is_our_own_host_or_one_of_those_named),
	UNIT_TEST(a_socket_opens_with_what_open_has_sent_behind_the_101),
	UNIT_TEST(open_may_refuse_with_an_ordinary_answer),
	UNIT_TEST(frames_that_come_with_the_request_are_not_lost),
	UNIT_TEST(open_may_close),
	UNIT_TEST(messages_are_taken_one_at_a_time_in_order),
	UNIT_TEST(pings_and_pongs_can_be_looked_at),
	UNIT_TEST(a_callback_that_fails_closes_with_1011),
	UNIT_TEST(a_callback_may_choose_the_code),
	UNIT_TEST(a_lost_connection_cancels_the_callback_and_closes_with_1006),
	UNIT_TEST(an_orderly_close_lets_the_callback_end),
	UNIT_TEST(faults_of_the_client_have_their_codes),
	UNIT_TEST(silence_is_answered_by_pings_and_then_by_the_end),
	UNIT_TEST(a_client_that_does_not_close_is_cut_off),
	UNIT_TEST(a_client_that_says_too_much_is_closed),
	UNIT_TEST(at_a_reload_each_leaves_at_a_time_of_its_own),
	UNIT_TEST(a_sender_waits_for_a_slow_client),
	UNIT_TEST(the_oldest_messages_of_a_slow_client_are_dropped),
	UNIT_TEST(a_slow_client_is_closed),
	UNIT_TEST(an_idle_socket_holds_no_buffer_and_no_stack),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "websocket", tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
