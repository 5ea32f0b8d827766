/* SPDX-License-Identifier: MIT */
/*
 * Frames of the WebSocket protocol: masks at every length and alignment, heads that are
 * written, texts cut everywhere, limits on both sides. What RFC 6455 says of each kind of
 * frame is in tests/conformance/websocket.
 */
#include "config.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "websocket/frame.h"

/* --- masks ------------------------------------------------------------------------- */

static void
a_mask_is_applied_at_every_length_and_alignment(void)
{
	static const unsigned char mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
	size_t len, from, to, i;
	char in[80], out[80];

	for (i = 0; i < sizeof(in); i++)
		in[i] = (char)(i * 7);
	for (len = 0; len <= 40; len++)
		for (from = 0; from < 8; from++)
			for (to = 0; to < 8; to++) {
				memset(out, 0x55, sizeof(out));
				spout__ws_unmask(out + to, in + from, len, mask);
				for (i = 0; i < len; i++)
					if (out[to + i] !=
					    (char)(in[from + i] ^ (char)mask[i & 3]))
						CU_FAIL("masked wrong");
				CU_ASSERT(to == 0 || out[to - 1] == 0x55);
				CU_ASSERT(out[to + len] == 0x55);
			}
}

/* --- heads -------------------------------------------------------------------------- */

static size_t
head_of(uint64_t len, const char *expected, size_t n)
{
	char head[SPOUT__WS_HEAD_MAX];
	size_t size = spout__ws_put_head(head, SPOUT__WS_BINARY, len, NULL);

	CU_ASSERT_EQUAL(size, n);
	CU_ASSERT_EQUAL(memcmp(head, expected, n), 0);
	return size;
}

static void
a_head_takes_as_few_bytes_as_it_can(void)
{
	head_of(0, "\x82\0", 2);
	head_of(125, "\x82\x7d", 2);
	head_of(126, "\x82\x7e\0\x7e", 4);
	head_of(65535, "\x82\x7e\xff\xff", 4);
	head_of(65536, "\x82\x7f\0\0\0\0\0\x01\0\0", 10);
	head_of(0x123456789aULL, "\x82\x7f\0\0\0\x12\x34\x56\x78\x9a", 10);
}

static void
codes_of_a_close_frame_are_those_of_the_registry(void)
{
	int code, valid = 0;

	for (code = -1; code <= 70000; code++)
		valid += spout__ws_code_valid(code);
	CU_ASSERT_EQUAL(valid, 4 + 8 + 2000);
	CU_ASSERT(spout__ws_code_valid(1003) && !spout__ws_code_valid(1004));
	CU_ASSERT(!spout__ws_code_valid(1006) && spout__ws_code_valid(1007));
	CU_ASSERT(spout__ws_code_valid(1014) && !spout__ws_code_valid(1015));
	CU_ASSERT(!spout__ws_code_valid(2999) && spout__ws_code_valid(3000));
	CU_ASSERT(spout__ws_code_valid(4999) && !spout__ws_code_valid(5000));
}

/* --- messages ----------------------------------------------------------------------- */

static struct spout__ws_reader reader;
static struct spout__buffer message;
static struct spout__ws_item item;

/* A masked frame, at `to`; returns its length. */
static size_t
put_frame(char *to, unsigned first, const char *payload, size_t len)
{
	static const unsigned char mask[4] = { 1, 2, 3, 4 };
	size_t n = spout__ws_put_head(to, SPOUT__WS_TEXT, len, NULL);

	to[0] = (char)first;
	to[1] = (char)(to[1] | (char)0x80);
	memcpy(to + n, mask, 4);
	spout__ws_unmask(to + n + 4, payload, len, mask);
	return n + 4 + len;
}

static void
begin(size_t max)
{
	spout__ws_reader_init(&reader, max);
	spout__buffer_release(&message);
	spout__buffer_init(&message, max);
}

/* Give bytes of which every one is used. */
static int
feed(const char *data, size_t len)
{
	size_t used;
	int r = spout__ws_read(&reader, data, len, &message, &used, &item);

	if (r == 0)
		CU_ASSERT_EQUAL(used, len);
	return r;
}

static void
a_text_may_be_cut_between_any_two_bytes(void)
{
	static const char text[] = "a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80 and ASCII";
	size_t len = sizeof(text) - 1, i, k, n;
	char frame[200];

	for (i = 0; i <= len; i++)
		for (k = i; k <= len; k++) {
			begin(100);
			n = put_frame(frame, 0x01, text, i);
			n += put_frame(frame + n, 0x00, text + i, k - i);
			n += put_frame(frame + n, 0x80, text + k, len - k);
			CU_ASSERT_EQUAL(feed(frame, n), 0);
			CU_ASSERT_EQUAL(item.opcode, SPOUT__WS_TEXT);
			CU_ASSERT_EQUAL(message.len, len);
			CU_ASSERT_EQUAL(memcmp(spout__buffer_at(&message), text, len), 0);
		}
	spout__buffer_release(&message);
}

static void
a_prefix_of_utf8_says_what_is_whole(void)
{
	CU_ASSERT_EQUAL(spout__utf8_prefix("", 0), 0);
	CU_ASSERT_EQUAL(spout__utf8_prefix("abcdefghijk\xe2\x82", 13), 11);
	CU_ASSERT_EQUAL(spout__utf8_prefix("abcdefgh\xe2\x82\xac", 11), 11);
	CU_ASSERT_EQUAL(spout__utf8_prefix("\xf0\x9f\x98", 3), 0);
	CU_ASSERT(spout__utf8_prefix("\xf0\x80", 2) < 0);
	CU_ASSERT(spout__utf8_prefix("\xed\xa0", 2) < 0);
	CU_ASSERT(spout__utf8_prefix("abcdefgh\x80", 9) < 0);
	CU_ASSERT(!spout__utf8_valid("abc\xe2\x82", 5));
	CU_ASSERT(spout__utf8_valid("abc\xe2\x82\xac", 6));
}

static void
a_message_is_limited_on_both_sides_of_its_maximum(void)
{
	char frame[64];
	size_t n;

	begin(10);
	CU_ASSERT_EQUAL(feed(frame, put_frame(frame, 0x82, "0123456789", 10)), 0);
	CU_ASSERT_EQUAL(item.opcode, SPOUT__WS_BINARY);
	begin(10);
	CU_ASSERT_EQUAL(feed(frame, put_frame(frame, 0x82, "0123456789a", 11)), 1009);
	begin(10);
	n = put_frame(frame, 0x02, "01234", 5);
	n += put_frame(frame + n, 0x80, "56789a", 6);
	CU_ASSERT_EQUAL(feed(frame, n), 1009);
	/* Known from the head alone: no byte of it is waited for, or stored. */
	begin(10);
	CU_ASSERT_EQUAL(feed("\x82\xff\0\0\0\0\x7f\xff\xff\xff\0\0\0\0", 14), 1009);
	CU_ASSERT_PTR_NULL(message.data);
}

static void
what_a_client_announces_takes_no_memory(void)
{
	begin(1 << 20);
	CU_ASSERT_EQUAL(feed("\x82\xff\0\0\0\0\0\x10\0\0\0\0\0\0", 14), 0);
	CU_ASSERT_EQUAL(item.opcode, SPOUT__WS_MORE);
	CU_ASSERT_PTR_NULL(message.data);
	CU_ASSERT_EQUAL(feed("x", 1), 0);
	CU_ASSERT_EQUAL(message.cap, SPOUT__BUFFER_SMALL);
	spout__buffer_release(&message);
}

static void
a_control_frame_that_is_not_whole_is_left_to_the_caller(void)
{
	size_t used, n;
	char frame[200];

	begin(10);
	n = put_frame(frame, 0x89, "0123456789", 10);
	CU_ASSERT_EQUAL(
	    spout__ws_read(&reader, frame, n - 1, &message, &used, &item), 0);
	CU_ASSERT_EQUAL(used, 0);
	CU_ASSERT_EQUAL(item.opcode, SPOUT__WS_MORE);
	CU_ASSERT_EQUAL(spout__ws_read(&reader, frame, n, &message, &used, &item), 0);
	CU_ASSERT_EQUAL(used, n);
	CU_ASSERT_EQUAL(item.opcode, SPOUT__WS_PING);
	CU_ASSERT_EQUAL(item.len, 10);
}

static void
a_message_ends_the_call_and_the_next_one_goes_on(void)
{
	char frames[64];
	size_t used, n = put_frame(frames, 0x81, "one", 3);

	begin(10);
	n += put_frame(frames + n, 0x82, "two", 3);
	CU_ASSERT_EQUAL(spout__ws_read(&reader, frames, n, &message, &used, &item), 0);
	CU_ASSERT_EQUAL(used, n / 2);
	CU_ASSERT_EQUAL(item.opcode, SPOUT__WS_TEXT);
	spout__buffer_clear(&message);
	CU_ASSERT_EQUAL(feed(frames + used, n - used), 0);
	CU_ASSERT_EQUAL(item.opcode, SPOUT__WS_BINARY);
	CU_ASSERT_EQUAL(memcmp(spout__buffer_at(&message), "two", 3), 0);
	spout__buffer_release(&message);
}

static const struct unit_test tests[] = {
	UNIT_TEST(a_mask_is_applied_at_every_length_and_alignment),
	UNIT_TEST(a_head_takes_as_few_bytes_as_it_can),
	UNIT_TEST(codes_of_a_close_frame_are_those_of_the_registry),
	UNIT_TEST(a_text_may_be_cut_between_any_two_bytes),
	UNIT_TEST(a_prefix_of_utf8_says_what_is_whole),
	UNIT_TEST(a_message_is_limited_on_both_sides_of_its_maximum),
	UNIT_TEST(what_a_client_announces_takes_no_memory),
	UNIT_TEST(a_control_frame_that_is_not_whole_is_left_to_the_caller),
	UNIT_TEST(a_message_ends_the_call_and_the_next_one_goes_on),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "ws_frame", tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
