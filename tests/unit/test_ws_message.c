/* SPDX-License-Identifier: MIT */
/*
 * A message for many WebSockets: framed once and shared, in order with what is sent
 * otherwise, and what becomes of it when a client is slow or gone.
 */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <spout/spout.h>
#include <spout/testing.h>

#include "websocket/message.h"
#include "websocket/socket.h"
#include "ws_help.h"

#define MAX 262144u
#define BLOCK 65536u
#define MANY 400u

static struct spout_websocket *sockets[8];
static unsigned n_sockets, n_closed;

static void
on_open(struct spout_websocket *ws)
{
	sockets[n_sockets++] = ws;
}

static void
on_close(struct spout_websocket *ws, int code, const char *reason)
{
	(void)ws;
	(void)code;
	(void)reason;
	n_closed++;
}

#define HANDLER(what) \
	{ .open = on_open, .close = on_close, .slow = (what), .max_unsent_bytes = MAX }
static const struct spout_websocket_handler waits = HANDLER(SPOUT_WEBSOCKET_WAIT);
static const struct spout_websocket_handler drops = HANDLER(SPOUT_WEBSOCKET_DROP_OLDEST);
static const struct spout_websocket_handler closes = HANDLER(SPOUT_WEBSOCKET_CLOSE);
static const struct spout_route routes[] = { SPOUT_WEBSOCKET("/waits", &waits),
	SPOUT_WEBSOCKET("/drops", &drops), SPOUT_WEBSOCKET("/closes", &closes),
	SPOUT_END };
static struct spout_app app = { .name = "messages", .routes = routes };

static void
begin(void)
{
	n_sockets = n_closed = 0;
}

static struct spout_stream *
dial(const char *target)
{
	unsigned before = n_sockets;

	ws_dial(&app, target);
	while (n_sockets == before || sockets[before]->opening)
		spout_sleep(1);
	return ws_client;
}

static void
hang_up(struct spout_stream *client)
{
	unsigned before = n_closed;

	spout_stream_close(client);
	while (n_closed == before)
		spout_sleep(1);
}

static struct spout__ws_message *
text(const char *what)
{
	return spout__ws_message_new(SPOUT__WS_TEXT, what, strlen(what));
}

/* Post a text to that socket and let go of it. */
static int
post(struct spout_websocket *ws, const char *what)
{
	struct spout__ws_message *message = text(what);
	int r = spout__ws_post(ws, message);

	spout__ws_message_unref(message);
	return r;
}

/* A large message that begins with its number. */
static struct spout__ws_message *
block(unsigned number)
{
	static char data[BLOCK];

	snprintf(data, sizeof(data), "%u", number);
	return spout__ws_message_new(SPOUT__WS_BINARY, data, sizeof(data));
}

static int
post_block(struct spout_websocket *ws, unsigned number)
{
	struct spout__ws_message *message = block(number);
	int r = spout__ws_post(ws, message);

	spout__ws_message_unref(message);
	return r;
}

/* --- messages --------------------------------------------------------------------- */

static void
a_message_is_a_whole_frame(void)
{
	struct spout__ws_message *message = text("hello");
	struct spout_slice frame = spout__ws_message_frame(message);
	struct spout_slice payload = spout__ws_message_payload(message);

	CU_ASSERT_EQUAL(frame.len, 7);
	CU_ASSERT_EQUAL(memcmp(frame.data, "\x81\x05hello", 7), 0);
	CU_ASSERT(spout_slice_equal(payload, "hello"));
	CU_ASSERT_PTR_EQUAL(spout__ws_message_ref(message), message);
	spout__ws_message_unref(message);
	spout__ws_message_unref(message);
	message = spout__ws_message_new(SPOUT__WS_BINARY, NULL, 0);
	CU_ASSERT_EQUAL(spout__ws_message_frame(message).len, 2);
	spout__ws_message_unref(message);
	errno = 0;
	CU_ASSERT_PTR_NULL(spout__ws_message_new(SPOUT__WS_TEXT, "\xff", 1));
	CU_ASSERT_EQUAL(errno, EINVAL);
}

SPOUT_TEST(one_message_is_shared_by_all_its_receivers)
{
	struct spout__ws_message *message = text("to all");
	struct spout_stream *clients[5];
	unsigned i;

	begin();
	for (i = 0; i < 5; i++)
		clients[i] = dial("/waits");
	for (i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(spout__ws_post(sockets[i], message), 0);
	CU_ASSERT_EQUAL(message->refs, 6);
	for (i = 0; i < 5; i++) {
		ws_client = clients[i];
		WS_HEARS("text to all");
		CU_ASSERT_PTR_NULL(sockets[i]->output); /* idle again */
		CU_ASSERT_EQUAL(spout_websocket_unsent_bytes(sockets[i]), 0);
	}
	CU_ASSERT_EQUAL(message->refs, 1);
	spout__ws_message_unref(message);
	for (i = 0; i < 5; i++)
		hang_up(clients[i]);
}

SPOUT_TEST(messages_leave_in_order_with_what_is_sent_otherwise)
{
	struct spout_websocket *ws;
	char expected[16];

	begin();
	dial("/waits");
	ws = sockets[0];
	for (unsigned i = 0; i < 300; i += 3) {
		snprintf(expected, sizeof(expected), "%u", i);
		CU_ASSERT_EQUAL(post(ws, expected), 0);
		snprintf(expected, sizeof(expected), "%u", i + 1);
		spout_websocket_send_text(ws, expected, strlen(expected));
		snprintf(expected, sizeof(expected), "%u", i + 2);
		CU_ASSERT_EQUAL(post(ws, expected), 0);
		if (i % 5 == 0)
			spout_yield();
	}
	for (unsigned i = 0; i < 300; i++)
		CU_ASSERT_EQUAL(atoi(ws_hear() + 5), (int)i);
	CU_ASSERT_EQUAL(post(ws, "last"), 0);
	CU_ASSERT_EQUAL(spout_websocket_close(ws, 4000, "bye"), 0);
	CU_ASSERT_EQUAL(post(ws, "late"), -EPIPE);
	WS_HEARS("text last");
	WS_HEARS("close 4000 bye");
	hang_up(ws_client);
}

/* --- slow clients ----------------------------------------------------------------- */

SPOUT_TEST(where_nobody_can_wait_a_full_queue_refuses)
{
	unsigned taken = 0, n = 0;

	begin();
	dial("/waits");
	while (taken < MANY && post_block(sockets[0], taken) == 0)
		if (++taken % 3 == 0)
			spout_yield(); /* some of it leaves */
	CU_ASSERT(taken < MANY);
	CU_ASSERT_EQUAL(post_block(sockets[0], taken), -ENOBUFS);
	CU_ASSERT(spout_websocket_unsent_bytes(sockets[0]) <= MAX + 4 * 10);
	CU_ASSERT(spout_websocket_is_open(sockets[0]));
	for (; n < taken; n++)
		CU_ASSERT_EQUAL(atoi(ws_hear() + 7), (int)n);
	CU_ASSERT_EQUAL(post(sockets[0], "again"), 0);
	WS_HEARS("text again");
	hang_up(ws_client);
}

static void
send_blocks(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < MANY; i++) {
		struct spout__ws_message *message = block(i);

		CU_ASSERT_EQUAL(spout__ws_send(sockets[0], message), 0);
		spout__ws_message_unref(message);
	}
}

SPOUT_TEST(a_coroutine_waits_for_room)
{
	struct spout_group *group = spout_group_new();

	begin();
	dial("/waits");
	spout_group_spawn(group, send_blocks, NULL, 0);
	for (unsigned i = 0; i < MANY; i++)
		CU_ASSERT_EQUAL(atoi(ws_hear() + 7), (int)i);
	spout_group_wait(group);
	hang_up(ws_client);
}

SPOUT_TEST(the_oldest_messages_that_wait_are_dropped)
{
	int n = -1, before;
	unsigned count = 0;

	begin();
	dial("/drops");
	for (unsigned i = 0; i < MANY; i++) {
		CU_ASSERT_EQUAL(post_block(sockets[0], i), 0);
		CU_ASSERT(spout_websocket_unsent_bytes(sockets[0]) <=
		    MAX + BLOCK + SPOUT__WS_STREAM_AHEAD + 100);
		if (i % 3 == 0)
			spout_yield();
	}
	for (; n != (int)MANY - 1; count++) {
		before = n;
		n = atoi(ws_hear() + 7);
		CU_ASSERT(n > before);
	}
	CU_ASSERT(spout_websocket_dropped(sockets[0]) > 0);
	CU_ASSERT_EQUAL(count + spout_websocket_dropped(sockets[0]), MANY);
	hang_up(ws_client);
}

SPOUT_TEST(a_slow_client_is_closed_and_delays_nobody)
{
	struct spout_stream *slow, *quick;
	struct spout__ws_message *message;
	unsigned i, n = 0;
	const char *heard;
	int r = 0;

	begin();
	slow = dial("/closes");
	quick = dial("/closes");
	ws_client = quick;
	for (i = 0; i < MANY && r == 0; i++) {
		message = block(i);
		CU_ASSERT_EQUAL(spout__ws_post(sockets[1], message), 0);
		r = spout__ws_post(sockets[0], message);
		spout__ws_message_unref(message);
		CU_ASSERT_EQUAL(atoi(ws_hear() + 7), (int)i);
	}
	CU_ASSERT_EQUAL(r, -EPIPE);
	ws_client = slow;
	while (strncmp(heard = ws_hear(), "binary", 6) == 0)
		CU_ASSERT_EQUAL(atoi(heard + 7), (int)n++);
	CU_ASSERT_STRING_EQUAL(heard, "close 1008 too slow");
	hang_up(slow);
	hang_up(quick);
}

SPOUT_TEST(messages_for_a_client_that_is_gone_are_let_go)
{
	struct spout__ws_message *message = block(1);

	begin();
	dial("/drops");
	for (unsigned i = 0; i < MANY; i++) {
		CU_ASSERT_EQUAL(spout__ws_post(sockets[0], message), 0);
		if (i % 50 == 0)
			spout_yield();
	}
	CU_ASSERT(message->refs > 1);
	hang_up(ws_client);
	while (message->refs > 1)
		spout_sleep(1);
	spout__ws_message_unref(message);
}

static const struct unit_test tests[] = {
	UNIT_TEST(a_message_is_a_whole_frame),
	UNIT_TEST(one_message_is_shared_by_all_its_receivers),
	UNIT_TEST(messages_leave_in_order_with_what_is_sent_otherwise),
	UNIT_TEST(where_nobody_can_wait_a_full_queue_refuses),
	UNIT_TEST(a_coroutine_waits_for_room),
	UNIT_TEST(the_oldest_messages_that_wait_are_dropped),
	UNIT_TEST(a_slow_client_is_closed_and_delays_nobody),
	UNIT_TEST(messages_for_a_client_that_is_gone_are_let_go),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "websocket messages", tests },
		{ NULL, NULL } };

	return unit_run(argc, argv, suites);
}
