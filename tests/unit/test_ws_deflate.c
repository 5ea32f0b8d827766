/* SPDX-License-Identifier: MIT */
/*
 * permessage-deflate (RFC 7692): what is agreed on for every parameter, and compressed
 * messages on real sockets, with and without context. What may come compressed, and what
 * may not, is in tests/conformance/websocket.
 */
#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include <spout/spout.h>
#include <spout/testing.h>

#include "websocket/deflate.h"
#include "websocket/message.h"
#include "websocket/socket.h"
#include "ws_help.h"

/* --- a server: offers and answers -------------------------------------------------- */

static struct spout__http_head head;
static struct spout__ws_deflate agreed;
static char answer[SPOUT__WS_EXTENSION_SIZE];

/* The answer to these fields, "" for none, "malformed". */
static const char *
offer_fields(const char *fields, const struct spout_websocket_compress *options)
{
	static char text[2000];
	struct spout__http_limits limits = { 16384, 8192, 100 };

	snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
	CU_ASSERT_EQUAL(spout__http_head_parse(text, strlen(text), &limits, &head), 0);
	answer[0] = '\0';
	if (spout__ws_accept_offer(&head, options, &agreed, answer) < 0)
		return "malformed";
	return answer;
}

static const char *
offer(const char *value, const struct spout_websocket_compress *options)
{
	char field[500];

	snprintf(field, sizeof(field), "Sec-WebSocket-Extensions: %s\r\n", value);
	return offer_fields(field, options);
}

#define PD "permessage-deflate"
#define BOTH "; server_no_context_takeover; client_no_context_takeover"
#define ANSWERS(value, options, text) CU_ASSERT_STRING_EQUAL(offer(value, options), text)

static const struct spout_websocket_compress off, on = { .on = true },
    keeps = { .on = true, .keep_context = true },
    small = { .on = true, .keep_context = true, .window_bits = 10,
	    .peer_window_bits = 11 };

static void
an_offer_is_answered_with_what_is_agreed_on(void)
{
	ANSWERS(PD, &off, "");
	CU_ASSERT_EQUAL(agreed.own_bits, 0);
	ANSWERS("", &on, "");
	ANSWERS("x-webkit-deflate-frame", &on, "");
	ANSWERS(PD, &on, PD BOTH);
	CU_ASSERT_EQUAL(agreed.own_bits, 15);
	CU_ASSERT_EQUAL(agreed.peer_bits, 15);
	CU_ASSERT(!agreed.own_keeps && !agreed.peer_keeps);
	ANSWERS(PD, &keeps, PD);
	CU_ASSERT(agreed.own_keeps && agreed.peer_keeps);
	ANSWERS(PD "; server_no_context_takeover", &keeps,
	    PD "; server_no_context_takeover");
	CU_ASSERT(!agreed.own_keeps && agreed.peer_keeps);
	ANSWERS(PD "; client_no_context_takeover", &keeps,
	    PD "; client_no_context_takeover");
	CU_ASSERT(agreed.own_keeps && !agreed.peer_keeps);
	ANSWERS(PD BOTH, &keeps, PD BOTH);
}

static void
windows_are_as_small_as_either_side_wants(void)
{
	char value[100], text[100];

	for (int bits = 9; bits <= 15; bits++) {
		snprintf(value, sizeof(value), PD "; server_max_window_bits=%d", bits);
		CU_ASSERT_STRING_EQUAL(offer(value, &keeps), value);
		CU_ASSERT_EQUAL(agreed.own_bits, bits);
		snprintf(value, sizeof(value), PD "; client_max_window_bits=%d", bits);
		snprintf(text, sizeof(text), PD "%s",
		    bits == 15 ? "" : value + strlen(PD));
		CU_ASSERT_STRING_EQUAL(offer(value, &keeps), text);
		CU_ASSERT_EQUAL(agreed.peer_bits, bits);
	}
	ANSWERS(PD "; client_max_window_bits", &keeps, PD);
	ANSWERS(PD "; client_max_window_bits=8", &keeps, PD "; client_max_window_bits=8");
	CU_ASSERT_EQUAL(agreed.peer_bits, 8);
	/* zlib cannot: declined, the next may do. */
	ANSWERS(PD "; server_max_window_bits=8", &keeps, "");
	ANSWERS(PD "; server_max_window_bits=8, " PD, &keeps, PD);
	ANSWERS(PD, &small, PD "; server_max_window_bits=10");
	CU_ASSERT_EQUAL(agreed.peer_bits, 15); /* it does not let itself be told */
	ANSWERS(PD "; client_max_window_bits; server_max_window_bits=12", &small,
	    PD "; server_max_window_bits=10; client_max_window_bits=11");
	ANSWERS(PD "; client_max_window_bits=9; server_max_window_bits=9", &small,
	    PD "; server_max_window_bits=9; client_max_window_bits=9");
}

static void
offers_that_may_not_be_are_declined(void)
{
	static const char *const bad[] = { "unknown", "server_no_context_takeover=1",
		"client_no_context_takeover=x", "server_max_window_bits",
		"server_max_window_bits=7", "server_max_window_bits=16",
		"server_max_window_bits=09", "server_max_window_bits=1",
		"server_max_window_bits=100", "client_max_window_bits=0",
		"client_max_window_bits=\"16\"", "client_max_window_bits=+9",
		"server_no_context_takeover; server_no_context_takeover",
		"client_max_window_bits; client_max_window_bits=10" };
	char value[200];

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(value, sizeof(value), PD "; %s", bad[i]);
		ANSWERS(value, &keeps, "");
		snprintf(value, sizeof(value), PD "; %s, " PD, bad[i]);
		ANSWERS(value, &keeps, PD);
	}
}

static void
the_first_offer_that_can_be_is_taken(void)
{
	ANSWERS("foo; bar=1, " PD "; server_max_window_bits=10, " PD, &keeps,
	    PD "; server_max_window_bits=10");
	ANSWERS(" , " PD " ;  server_max_window_bits = \"11\" ,", &keeps,
	    PD "; server_max_window_bits=11");
	CU_ASSERT_STRING_EQUAL(
	    offer_fields("Sec-WebSocket-Extensions: foo\r\n"
			 "sec-websocket-extensions: " PD "\r\n", &keeps), PD);
	CU_ASSERT_STRING_EQUAL(offer_fields("", &keeps), "");
}

static void
a_malformed_field_is_refused(void)
{
	static const char *const bad[] = { ";", "a b", "a;", "a;;b", "a; b=", "a; =1",
		"a; b=\"", "a; b=\"x", "a; b=\"\"", "a; b=\"x y\"", "a; b=\"x\"y", "a/b",
		PD "; server_max_window_bits=10 11", "=", "\"a\"" };

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ANSWERS(bad[i], &keeps, "malformed");
		ANSWERS(bad[i], &off, "malformed");
	}
}

/* --- a client: what it offers, and what it may be answered -------------------------- */

static int
takes(const char *text, const struct spout_websocket_compress *options)
{
	return spout__ws_take_answer(spout_slice(text), options, &agreed);
}

static void
a_client_offers_what_it_wants(void)
{
	spout__ws_offer(&on, answer);
	CU_ASSERT_STRING_EQUAL(answer, PD BOTH "; client_max_window_bits");
	spout__ws_offer(&keeps, answer);
	CU_ASSERT_STRING_EQUAL(answer, PD "; client_max_window_bits");
	spout__ws_offer(&small, answer);
	CU_ASSERT_STRING_EQUAL(
	    answer, PD "; server_max_window_bits=11; client_max_window_bits=10");
}

static void
a_client_takes_no_more_than_it_offered(void)
{
	CU_ASSERT_EQUAL(takes("", &off), 0);
	CU_ASSERT_EQUAL(agreed.own_bits, 0);
	CU_ASSERT(takes(PD, &off) < 0);
	CU_ASSERT_EQUAL(takes("", &on), 0);
	CU_ASSERT_EQUAL(agreed.own_bits, 0);
	CU_ASSERT_EQUAL(takes(PD BOTH, &on), 0);
	CU_ASSERT_EQUAL(agreed.own_bits, 15);
	CU_ASSERT(!agreed.own_keeps && !agreed.peer_keeps);
	CU_ASSERT(takes(PD, &on) < 0); /* it was told to keep nothing */
	CU_ASSERT_EQUAL(takes(PD "; server_no_context_takeover", &on), 0);
	CU_ASSERT_EQUAL(takes(PD, &keeps), 0);
	CU_ASSERT(agreed.own_keeps && agreed.peer_keeps);
	CU_ASSERT_EQUAL(takes(PD "; client_max_window_bits=9", &keeps), 0);
	CU_ASSERT_EQUAL(agreed.own_bits, 9);
	CU_ASSERT_EQUAL(takes(PD "; client_max_window_bits=8", &keeps), 0);
	CU_ASSERT_EQUAL(agreed.own_bits, 8); /* we cannot, and send as it is */
	CU_ASSERT(takes(PD "; client_max_window_bits", &keeps) < 0);
	CU_ASSERT(takes(PD, &small) < 0);
	CU_ASSERT(takes(PD "; server_max_window_bits=12", &small) < 0);
	CU_ASSERT_EQUAL(takes(PD "; server_max_window_bits=9", &small), 0);
	CU_ASSERT_EQUAL(agreed.peer_bits, 9);
	CU_ASSERT_EQUAL(agreed.own_bits, 10);
	CU_ASSERT(takes(PD "; unknown", &keeps) < 0);
	CU_ASSERT(takes(PD ", " PD, &keeps) < 0);
	CU_ASSERT(takes("foo", &keeps) < 0);
	CU_ASSERT(takes(PD ";", &keeps) < 0);
}

/* --- windows ------------------------------------------------------------------------ */

static void
what_is_compressed_stays_within_its_window(void)
{
	struct spout__ws_codecs *codecs = spout__ws_codecs_new();
	struct spout__ws_context *ours, *theirs;
	struct spout__buffer message;
	struct spout_slice packed;
	static char data[20000];
	unsigned i;

	/* Noise that repeats behind 10000 bytes, which only large windows can see. */
	srand(1);
	for (i = 0; i < sizeof(data); i++)
		data[i] = i < 10000 ? (char)rand() : data[i - 10000];
	for (unsigned bits = 9; bits <= 15; bits++) {
		agreed = (struct spout__ws_deflate){ .own_bits = (unsigned char)bits,
			.peer_bits = (unsigned char)bits, .own_keeps = true,
			.peer_keeps = true };
		ours = theirs = NULL;
		spout__buffer_init(&message, spout__ws_packed_max(sizeof(data)));
		for (i = 0; i < 3; i++) {
			CU_ASSERT_EQUAL(spout__ws_pack(codecs, &agreed, &keeps, &ours,
			    spout_slice_of(data, sizeof(data)), &packed), 1);
			CU_ASSERT((packed.len < 12000) == (bits >= 14));
			CU_ASSERT_EQUAL(spout__ws_unpack(codecs, &agreed, &theirs, packed,
			    sizeof(data), &message), 0);
			CU_ASSERT_EQUAL(message.len, sizeof(data));
			CU_ASSERT_EQUAL(
			    memcmp(spout__buffer_at(&message), data, message.len), 0);
			spout__buffer_clear(&message);
		}
		spout__buffer_release(&message);
		spout__ws_context_free(ours);
		spout__ws_context_free(theirs);
	}
	spout__ws_codecs_free(codecs);
}

/* --- sockets ------------------------------------------------------------------------ */

static struct spout_websocket *last;

static void
on_open(struct spout_websocket *ws)
{
	last = ws;
}

static void
on_message(struct spout_websocket *ws, const char *data, size_t len)
{
	spout_websocket_send_text(ws, data, len);
}

#define HANDLER(...) \
	{ .open = on_open, .message = on_message, .compress = { __VA_ARGS__ } }
static const struct spout_websocket_handler shared = HANDLER(.on = true),
    own = HANDLER(.on = true, .keep_context = true, .min_bytes = 1, .level = 9),
    plain = HANDLER(.on = false);
static const struct spout_websocket_handler drops = { .open = on_open,
	.message = on_message, .slow = SPOUT_WEBSOCKET_DROP_OLDEST,
	.compress = { .on = true, .keep_context = true } };
static const struct spout_route routes[] = { SPOUT_WEBSOCKET("/shared", &shared),
	SPOUT_WEBSOCKET("/own", &own), SPOUT_WEBSOCKET("/plain", &plain),
	SPOUT_WEBSOCKET("/drops", &drops), SPOUT_END };
static struct spout_app app = { .name = "deflate", .routes = routes };

static const char *
dial(const char *target)
{
	return ws_ask(&app, target,
	    "Sec-WebSocket-Extensions: " PD "; client_max_window_bits\r\n", "", 0);
}

static char *
long_text(void)
{
	char *text = spout_alloc(1001);

	memset(text, 'a', 1000);
	text[1000] = '\0';
	return text;
}

/* Say a text compressed, hear it, and the length of what came. */
static size_t
echo_packed(struct spout__ws_codecs *codecs, const struct spout__ws_deflate *with,
    struct spout__ws_context *contexts[2], const char *text)
{
	size_t len = strlen(text), came;
	struct spout__buffer message;
	struct spout_slice packed;
	const char *heard;

	CU_ASSERT_EQUAL(spout__ws_pack(codecs, with, &own.compress, &contexts[0],
	    spout_slice_of(text, len), &packed), 1);
	ws_say_bytes(0xc1, packed.data, packed.len);
	heard = ws_hear_bytes(&packed);
	CU_ASSERT_STRING_EQUAL(heard, "packed text");
	came = packed.len;
	spout__buffer_init(&message, 2000);
	CU_ASSERT_EQUAL(spout__ws_unpack(
	    codecs, with, &contexts[1], packed, 1001, &message), 0);
	CU_ASSERT_EQUAL(message.len, len);
	CU_ASSERT_EQUAL(memcmp(spout__buffer_at(&message), text, len), 0);
	spout__buffer_release(&message);
	return came;
}

SPOUT_TEST(an_idle_socket_without_context_owns_nothing)
{
	struct spout__ws_codecs *codecs = spout__ws_codecs_new();
	const struct spout__ws_deflate with = { .own_bits = 15, .peer_bits = 15 };
	struct spout__ws_context *none[2] = { NULL, NULL };
	const char *text = dial("/shared");
	size_t n;

	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, "\r\nSec-WebSocket-Extensions: " PD BOTH "\r\n"));
	n = echo_packed(codecs, &with, none, long_text());
	CU_ASSERT(n < 30);
	CU_ASSERT_EQUAL(echo_packed(codecs, &with, none, long_text()), n);
	CU_ASSERT_PTR_NULL(last->context);
	CU_ASSERT_PTR_NULL(last->input);
	ws_say("short");
	WS_HEARS("text short");
	spout_stream_close(ws_client);
	spout__ws_codecs_free(codecs);
}

SPOUT_TEST(with_context_a_message_knows_those_before_it)
{
	struct spout__ws_codecs *codecs = spout__ws_codecs_new();
	const struct spout__ws_deflate with = { .own_bits = 15, .peer_bits = 15,
		.own_keeps = true, .peer_keeps = true };
	struct spout__ws_context *contexts[2] = { NULL, NULL };
	static const char said[] =
	    "The quick brown fox jumps over the lazy dog, 0123456789";
	const char *text = dial("/own");
	size_t first, second;

	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\r\nSec-WebSocket-Extensions: " PD "\r\n"));
	first = echo_packed(codecs, &with, contexts, said);
	second = echo_packed(codecs, &with, contexts, said);
	CU_ASSERT(first > 40 && second < 12);
	CU_ASSERT_PTR_NOT_NULL(last->context);
	spout_stream_close(ws_client);
	spout__ws_context_free(contexts[0]);
	spout__ws_context_free(contexts[1]);
	spout__ws_codecs_free(codecs);
}

/* What is shared was compressed without the context of the socket, and the window of its
 * client has moved on. */
SPOUT_TEST(shared_messages_stand_between_those_with_context)
{
	struct spout__ws_codecs *codecs = spout__ws_codecs_new();
	const struct spout__ws_deflate with = { .own_bits = 15, .peer_bits = 15,
		.own_keeps = true, .peer_keeps = true };
	struct spout__ws_context *contexts[2] = { NULL, NULL };
	char *text = long_text();
	struct spout__ws_message *message;
	struct spout__buffer out;
	struct spout_slice packed;

	message = spout__ws_message_new(SPOUT__WS_TEXT, text, 1000);
	dial("/own");
	spout__buffer_init(&out, 2000);
	for (unsigned i = 0; i < 5; i++) {
		text[i] = 'b';
		echo_packed(codecs, &with, contexts, text);
		CU_ASSERT_EQUAL(spout__ws_post(last, message), 0);
		CU_ASSERT_STRING_EQUAL(ws_hear_bytes(&packed), "packed text");
		CU_ASSERT(packed.len < 30);
		CU_ASSERT_EQUAL(spout__ws_unpack(
		    codecs, &with, &contexts[1], packed, 1000, &out), 0);
		CU_ASSERT_EQUAL(out.len, 1000);
		spout__buffer_clear(&out);
	}
	spout__buffer_release(&out);
	CU_ASSERT_EQUAL(message->refs, 1);
	CU_ASSERT_EQUAL(message->packed->refs, 1);
	spout__ws_message_unref(message);
	spout_stream_close(ws_client);
	spout__ws_context_free(contexts[0]);
	spout__ws_context_free(contexts[1]);
	spout__ws_codecs_free(codecs);
}

SPOUT_TEST(a_message_is_compressed_once_for_all_that_agreed)
{
	struct spout__ws_message *message =
	    spout__ws_message_new(SPOUT__WS_TEXT, long_text(), 1000);
	struct spout__ws_message *packed;
	struct spout_stream *first;
	struct spout_slice got;

	dial("/shared");
	first = ws_client;
	CU_ASSERT_EQUAL(spout__ws_post(last, message), 0);
	packed = message->packed;
	CU_ASSERT_PTR_NOT_NULL(packed);
	CU_ASSERT_STRING_EQUAL(ws_hear_bytes(&got), "packed text");
	dial("/shared");
	CU_ASSERT_EQUAL(spout__ws_post(last, message), 0);
	CU_ASSERT_PTR_EQUAL(message->packed, packed);
	CU_ASSERT_STRING_EQUAL(ws_hear_bytes(&got), "packed text");
	spout_stream_close(ws_client);
	/* A smaller window needs its own; who did not agree gets it plain. */
	ws_ask(&app, "/shared",
	    "Sec-WebSocket-Extensions: " PD "; server_max_window_bits=9\r\n", "", 0);
	CU_ASSERT_EQUAL(spout__ws_post(last, message), 0);
	CU_ASSERT_EQUAL(message->bits, 9);
	CU_ASSERT_STRING_EQUAL(ws_hear_bytes(&got), "packed text");
	spout_stream_close(ws_client);
	dial("/plain");
	CU_ASSERT_EQUAL(spout__ws_post(last, message), 0);
	CU_ASSERT_STRING_EQUAL(ws_hear_bytes(&got), "text");
	CU_ASSERT_EQUAL(got.len, 1000);
	spout_stream_close(ws_client);
	spout_stream_close(first);
	spout__ws_message_unref(message);
}

SPOUT_TEST(what_does_not_become_shorter_is_sent_as_it_is)
{
	char *noise = spout_alloc(501);

	srand(2);
	for (unsigned i = 0; i < 500; i++)
		noise[i] = (char)(33 + rand() % 90);
	noise[500] = '\0';
	dial("/shared");
	for (unsigned i = 0; i < 500; i += 100)
		ws_say_bytes(i == 0 ? 0x01 : i == 400 ? 0x80 : 0x00, noise + i, 100);
	ws_say("next");
	for (unsigned i = 0; i < 2; i++) {
		struct spout_slice got;
		const char *kind = ws_hear_bytes(&got);

		CU_ASSERT(i == 0 || strcmp(kind, "text") == 0);
		CU_ASSERT(i == 0 ? got.len <= 500 : got.len == 4);
	}
	spout_stream_close(ws_client);
}

SPOUT_TEST(where_messages_may_be_dropped_there_is_no_context)
{
	const char *text = dial("/drops");

	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, "\r\nSec-WebSocket-Extensions: " PD BOTH "\r\n"));
	spout_stream_close(ws_client);
	text = dial("/plain");
	CU_ASSERT_PTR_NULL(strstr(text, "Sec-WebSocket-Extensions"));
	ws_say_bytes(0xc1, "\xf2\x48\xcd\xc9\xc9\x07\0", 7);
	CU_ASSERT_STRING_EQUAL(ws_hear(), "close 1002 ");
	spout_stream_close(ws_client);
	text = ws_ask(&app, "/shared", "Sec-WebSocket-Extensions: a b\r\n", "", 0);
	CU_ASSERT_EQUAL(strncmp(text, "HTTP/1.1 400 ", 13), 0);
	spout_stream_close(ws_client);
}

SPOUT_TEST(a_bomb_is_refused_by_its_size)
{
	static char zeros[2u << 20];
	struct spout__ws_codecs *codecs = spout__ws_codecs_new();
	const struct spout__ws_deflate with = { .own_bits = 15, .peer_bits = 15 };
	struct spout_slice packed;
	unsigned char frame_head[SPOUT__WS_HEAD_MAX];
	static const unsigned char mask[4];
	size_t n;

	CU_ASSERT_EQUAL(spout__ws_pack(codecs, &with, &own.compress, NULL,
	    spout_slice_of(zeros, sizeof(zeros)), &packed), 1);
	CU_ASSERT(packed.len < 20000);
	dial("/shared");
	n = spout__ws_put_head((char *)frame_head, SPOUT__WS_BINARY | SPOUT__WS_PACKED,
	    packed.len, mask);
	spout_stream_write(ws_client, frame_head, n);
	spout_stream_write(ws_client, packed.data, packed.len);
	CU_ASSERT_STRING_EQUAL(ws_hear(), "close 1009 ");
	spout_stream_close(ws_client);
	spout__ws_codecs_free(codecs);
}

static const struct unit_test tests[] = {
	UNIT_TEST(an_offer_is_answered_with_what_is_agreed_on),
	UNIT_TEST(windows_are_as_small_as_either_side_wants),
	UNIT_TEST(offers_that_may_not_be_are_declined),
	UNIT_TEST(the_first_offer_that_can_be_is_taken),
	UNIT_TEST(a_malformed_field_is_refused),
	UNIT_TEST(a_client_offers_what_it_wants),
	UNIT_TEST(a_client_takes_no_more_than_it_offered),
	UNIT_TEST(what_is_compressed_stays_within_its_window),
	UNIT_TEST(an_idle_socket_without_context_owns_nothing),
	UNIT_TEST(with_context_a_message_knows_those_before_it),
	UNIT_TEST(shared_messages_stand_between_those_with_context),
	UNIT_TEST(a_message_is_compressed_once_for_all_that_agreed),
	UNIT_TEST(what_does_not_become_shorter_is_sent_as_it_is),
	UNIT_TEST(where_messages_may_be_dropped_there_is_no_context),
	UNIT_TEST(a_bomb_is_refused_by_its_size),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "websocket deflate", tests },
		{ NULL, NULL } };

	return unit_run(argc, argv, suites);
}
