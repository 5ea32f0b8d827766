/* SPDX-License-Identifier: MIT */
/* A client of WebSockets that speaks raw frames: see ws_help.h. */
#include "config.h"

#include "ws_help.h"

#include <CUnit/CUnit.h>
#include <string.h>

#include <spout/testing.h>

struct spout_stream *ws_client;

const char *
ws_ask(struct spout_app *app, const char *target, const char *fields, const char *more,
    size_t more_len)
{
	struct spout_test_server *server = spout_test_serve(app);
	const char *text = spout_sprintf("GET %s HTTP/1.1\r\n" WS_FIELDS "%s\r\n", target,
	    fields);
	size_t len = strlen(text);
	char *all = spout_alloc(len + more_len);
	struct spout_slice head;

	memcpy(all, text, len);
	if (more_len > 0)
		memcpy(all + len, more, more_len);
	ws_client = spout_tcp_connect("127.0.0.1", spout_test_port(server));
	spout_stream_write(ws_client, all, len + more_len);
	head = spout_stream_read_until(ws_client, "\r\n\r\n", 4096);
	return spout_strndup(head.data, head.len);
}

void
ws_dial(struct spout_app *app, const char *target)
{
	CU_ASSERT_EQUAL(
	    strncmp(ws_ask(app, target, "", "", 0), "HTTP/1.1 101 ", 13), 0);
}

size_t
ws_put_frame(char *to, unsigned first, const char *payload, size_t len)
{
	to[0] = (char)first;
	to[1] = (char)(0x80 | len);
	memset(to + 2, 0, 4);
	memcpy(to + 6, payload, len);
	return 6 + len;
}

void
ws_say_bytes(unsigned first, const char *payload, size_t len)
{
	char frame[200];

	spout_stream_write(ws_client, frame, ws_put_frame(frame, first, payload, len));
}

void
ws_say(const char *text)
{
	ws_say_bytes(0x81, text, strlen(text));
}

static size_t
number(size_t n)
{
	struct spout_slice s = spout_stream_read_bytes(ws_client, n);
	size_t value = 0;

	while (n-- > 0)
		value = value << 8 | (unsigned char)*s.data++;
	return value;
}

const char *
ws_hear_bytes(struct spout_slice *ret_payload)
{
	static const char *const names[16] = { [1] = "text", [2] = "binary",
		[8] = "close", [9] = "ping", [10] = "pong" };
	struct spout_slice s;
	unsigned first;
	size_t len;

	*ret_payload = spout_slice_of("", 0);
	if (spout_try_stream_read_bytes(ws_client, 1, &s) < 0)
		return "end";
	first = (unsigned char)s.data[0];
	CU_ASSERT_EQUAL(first & 0x30, 0);
	len = number(1);
	len = len == 126 ? number(2) : len == 127 ? number(8) : len;
	s = spout_stream_read_bytes(ws_client, len);
	*ret_payload = spout_slice_of(spout_strndup(s.data, s.len), s.len);
	return spout_sprintf("%s%s", first & 0x40 ? "packed " : "", names[first & 15]);
}

const char *
ws_hear(void)
{
	struct spout_slice s;
	const char *what = ws_hear_bytes(&s);

	if (strcmp(what, "end") == 0)
		return what;
	if (strcmp(what, "close") == 0 && s.len >= 2)
		return spout_sprintf("close %u %s",
		    (unsigned)(unsigned char)s.data[0] << 8 |
		        (unsigned)(unsigned char)s.data[1], s.data + 2);
	return spout_sprintf("%s %.*s", what, (int)s.len, s.data);
}
