/* SPDX-License-Identifier: MIT */
/* The HTTP client: compressed bodies, bombs, streams both ways with back-pressure. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <brotli/encode.h>
#include <zlib.h>

#include <spout/client.h>
#include <spout/testing.h>

#include "client/decode.h"
#include "unit.h"
#include "upstream.h"

#define ASSERT_SLICE(slice, text) CU_ASSERT_TRUE(spout_slice_equal((slice), (text)))

/* --- what is compressed ---------------------------------------- */

static unsigned char packed[65536];
static size_t packed_len;
static const char *packed_coding;

/* window: 15 + 16 gzip, 15 zlib, -15 bare. */
static void
pack(int window, const char *text, size_t len)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)text,
		.avail_in = (uInt)len,
		.next_out = packed + packed_len,
		.avail_out = (uInt)(sizeof(packed) - packed_len) };

	CU_ASSERT_EQUAL(
	    deflateInit2(&z, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
	CU_ASSERT_EQUAL(deflate(&z, Z_FINISH), Z_STREAM_END);
	packed_len = sizeof(packed) - z.avail_out;
	deflateEnd(&z);
}

static void
pack_brotli(const char *text, size_t len)
{
	packed_len = sizeof(packed);
	CU_ASSERT_EQUAL(BrotliEncoderCompress(5, 22, BROTLI_MODE_GENERIC, len,
			    (const uint8_t *)text, &packed_len, packed),
	    BROTLI_TRUE);
}

static void
send_packed(struct spout_stream *stream, const char *head)
{
	char *text = spout_sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\n"
				   "Content-Length: %zu\r\n\r\n",
	    packed_coding, packed_len);

	(void)head;
	spout_stream_write(stream, text, strlen(text));
	spout_stream_write(stream, packed, packed_len);
}

/* The same, byte by byte. */
static void
drip_packed(struct spout_stream *stream, const char *head)
{
	char *text = spout_sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\n"
				   "Content-Length: %zu\r\n\r\n",
	    packed_coding, packed_len);
	size_t n = packed_len; /* the next answer may be packed before this one ends */

	(void)head;
	spout_stream_write(stream, text, strlen(text));
	for (size_t i = 0; i < n; i++) {
		spout_stream_write(stream, packed + i, 1);
		spout_stream_flush(stream);
		spout_yield();
	}
}

/* A gzip file of 10 GB of zeros, made as it is sent. */
static uint64_t bomb_sent;

static void
send_bomb(struct spout_stream *stream, const char *head)
{
	static const char text[] =
	    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n";
	static const unsigned char gzip_head[10] = { 0x1f, 0x8b, 8 };
	static char zeros[1 << 20];
	z_stream z = { .next_in = (Bytef *)zeros,
		.avail_in = sizeof(zeros),
		.next_out = packed,
		.avail_out = sizeof(packed) };

	(void)head;
	CU_ASSERT_EQUAL(
	    deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
	CU_ASSERT_EQUAL(deflate(&z, Z_FULL_FLUSH), Z_OK);
	packed_len = sizeof(packed) - z.avail_out;
	deflateEnd(&z);
	bomb_sent = 0;
	spout_stream_write(stream, text, strlen(text));
	spout_stream_write(stream, gzip_head, sizeof(gzip_head));
	for (int i = 0; i < 10240; i++) {
		spout_stream_write(stream, packed, packed_len);
		bomb_sent += packed_len;
	}
}

/* --- streams ---------------------------------------- */

static uint64_t endless_sent;

static void
endless(struct spout_stream *stream, const char *head)
{
	char block[16384];

	(void)head;
	memset(block, 'x', sizeof(block));
	endless_sent = 0;
	spout_stream_write(stream, "HTTP/1.1 200 OK\r\n\r\n", 19);
	for (;;) {
		spout_stream_write(stream, block, sizeof(block));
		endless_sent += sizeof(block);
	}
}

static void
two_pieces(struct spout_stream *stream, const char *head)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nfour";

	(void)head;
	spout_stream_write(stream, text, strlen(text));
	spout_stream_flush(stream);
	spout_sleep(5);
	spout_stream_write(stream, "more", 4);
}

static void
half(struct spout_stream *stream, const char *head)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nfour";

	(void)head;
	spout_stream_write(stream, text, strlen(text));
	spout_stream_flush(stream);
	spout_stream_close(stream);
}

static bool sink_open;
static uint64_t sunk;

/* Counts the bytes of a chunked body, when it may. */
static void
sink(struct spout_stream *stream, const char *head)
{
	struct spout_slice line;
	uint64_t n;

	(void)head;
	sunk = 0;
	while (!sink_open)
		spout_sleep(1);
	for (;;) {
		line = spout_stream_read_until(stream, "\r\n", 100);
		n = strtoull(spout_strndup(line.data, line.len), NULL, 16);
		if (n == 0)
			break;
		(void)spout_stream_read_bytes(stream, n + 2);
		sunk += n;
	}
	(void)spout_stream_read_bytes(stream, 2);
	spout_stream_write(stream, OK("2", "ok"), strlen(OK("2", "ok")));
}

static const struct upstream_route routes[] = {
	{ .path = "/packed", .serve = send_packed },
	{ .path = "/drip", .serve = drip_packed },
	{ .path = "/bomb", .serve = send_bomb },
	{ .path = "/endless", .serve = endless },
	{ .path = "/two", .serve = two_pieces },
	{ .path = "/half", .serve = half },
	{ .path = "/sink", .serve = sink },
	{ .path = "/echo", .answer = OK("2", "ok") },
	{ .path = "/packed-head",
	    .answer = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
		      "Content-Length: 20\r\n\r\n" },
	{ .path = "/unknown",
	    .answer = "HTTP/1.1 200 OK\r\nContent-Encoding: secret\r\n"
		      "Content-Length: 2\r\n\r\nxy" },
	{ .path = "/missing",
	    .answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone" },
	{ .path = "/413",
	    .answer = "HTTP/1.1 413 Too Large\r\nConnection: close\r\n"
		      "Content-Length: 0\r\n\r\n" },
	{ .path = NULL },
};

/* --- decompression ---------------------------------------- */

static void
unpacks(uint16_t port, const char *coding, const char *text)
{
	struct spout_response *r;

	packed_coding = coding;
	r = spout_fetch(upstream_url(port, "/packed"));
	ASSERT_SLICE(spout_response_body(r), text);
	CU_ASSERT_STRING_EQUAL(spout_response_header(r, "Content-Encoding"), coding);
	r = spout_fetch(upstream_url(port, "/drip"));
	ASSERT_SLICE(spout_response_body(r), text);
	packed_len = 0;
}

static void
co_codings(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	struct spout_response *r;

	(void)arg;
	pack(15 + 16, "zipped", 6);
	unpacks(port, "gzip", "zipped");
	pack(15 + 16, "one ", 4);
	pack(15 + 16, "", 0);
	pack(15 + 16, "two", 3);
	unpacks(port, "X-Gzip", "one two");
	pack(15, "deflated", 8);
	unpacks(port, "deflate", "deflated");
	pack(-15, "deflated bare", 13);
	unpacks(port, "deflate", "deflated bare");
	pack_brotli("brotli", 6);
	unpacks(port, "br", "brotli");
	unpacks(port, "gzip", ""); /* nothing at all */
	pack(15 + 16, "zipped", 6);
	packed_coding = "gzip";
	r = spout_fetch(upstream_url(port, "/packed"), .keep_encoding = true);
	CU_ASSERT_EQUAL(spout_response_body(r).len, packed_len);
	r = spout_fetch(upstream_url(port, "/packed-head"), .method = "HEAD");
	CU_ASSERT_EQUAL(spout_response_body(r).len, 0);
	r = spout_fetch(upstream_url(port, "/unknown"));
	ASSERT_SLICE(spout_response_body(r), "xy");
}

static void
bodies_are_decompressed(void)
{
	packed_len = 0;
	SPOUT_TEST_RUN(co_codings, NULL);
}

static void
damaged(uint16_t port, const char *coding)
{
	packed_coding = coding;
	CU_ASSERT_PTR_NULL(spout_try_fetch(upstream_url(port, "/packed")));
	ASSERT_FAILED(-EPROTO, SPOUT_FETCH_BODY);
	packed_len = 0;
}

static void
co_damaged(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);

	(void)arg;
	pack(15 + 16, "cut off", 7);
	packed_len--;
	damaged(port, "gzip");
	pack(15 + 16, "wrong sum", 9);
	packed[packed_len - 5] ^= 1;
	damaged(port, "gzip");
	pack(15 + 16, "and more", 8);
	packed[packed_len++] = 'x';
	damaged(port, "gzip");
	pack(15, "and more", 8);
	packed[packed_len++] = 'x';
	damaged(port, "deflate");
	pack_brotli("cut off", 7);
	packed_len--;
	damaged(port, "br");
	memset(packed, 0xff, packed_len = 20);
	damaged(port, "br");
	memset(packed, 0xff, packed_len = 20);
	damaged(port, "deflate");
}

static void
damaged_bodies_are_refused(void)
{
	packed_len = 0;
	SPOUT_TEST_RUN(co_damaged, NULL);
}

static void
co_bomb(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	struct spout_response *r;
	struct spout_slice piece;
	uint64_t n = 0;

	(void)arg;
	CU_ASSERT_PTR_NULL(
	    spout_try_fetch(upstream_url(port, "/bomb"), .max_body_bytes = 4 << 20));
	ASSERT_FAILED(-EMSGSIZE, SPOUT_FETCH_BODY);
	/* 4 MB are 4 KiB of it. What lies in the sockets was sent for nothing. */
	CU_ASSERT_TRUE(bomb_sent < 10 << 20);
	/* Streamed, it goes off piece by piece. */
	r = spout_fetch_stream(
	    upstream_url(port, "/bomb"), .max_body_bytes = (uint64_t)1 << 40);
	while (n < (uint64_t)unit_scaled(64) << 20) {
		piece = spout_response_read(r);
		CU_ASSERT_TRUE(piece.len > 0 && piece.len <= 512 << 10);
		n += piece.len;
		if (piece.len == 0)
			break;
	}
	spout_response_free(r);
}

static void
a_gzip_bomb_is_contained(void)
{
	SPOUT_TEST_RUN(co_bomb, NULL, .timeout_ms = 60000);
}

static void
limits_hold_after_inflation_to_the_byte(void)
{
	struct spout__decoder *decoder;
	const char *data = (const char *)packed;
	char out[8];
	size_t len;

	packed_len = 0;
	pack(15 + 16, "0123456789", 10);
	len = packed_len;
	CU_ASSERT_EQUAL(spout__decoder_new("gzip", &decoder), 0);
	CU_ASSERT_TRUE(spout__decoder_complete(decoder));
	CU_ASSERT_EQUAL(spout__decoder_run(decoder, &data, &len, out, 8), 8);
	CU_ASSERT_FALSE(spout__decoder_complete(decoder));
	CU_ASSERT_EQUAL(spout__decoder_run(decoder, &data, &len, out, 8), 2);
	CU_ASSERT_EQUAL(len, 0);
	CU_ASSERT_EQUAL(spout__decoder_run(decoder, &data, &len, out, 8), 0);
	CU_ASSERT_TRUE(spout__decoder_complete(decoder));
	spout__decoder_free(decoder);
	spout__decoder_free(NULL);
}

/* --- reading a stream ---------------------------------------- */

static void
co_stream(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	struct spout_response *r = spout_fetch_stream(upstream_url(port, "/two"));
	struct spout_slice piece;

	(void)arg;
	CU_ASSERT_EQUAL(spout_response_status(r), 200);
	ASSERT_SLICE(spout_response_body(r), "");
	ASSERT_SLICE(spout_response_read(r), "four");
	ASSERT_SLICE(spout_response_read(r), "more");
	ASSERT_SLICE(spout_response_read(r), "");
	ASSERT_SLICE(spout_response_read(r), "");
	r = spout_fetch_stream(upstream_url(port, "/half"));
	ASSERT_SLICE(spout_response_read(r), "four");
	CU_ASSERT_EQUAL(spout_try_response_read(r, &piece), -ECONNRESET);
	CU_ASSERT_EQUAL(spout_fetch_failure()->phase, SPOUT_FETCH_BODY);
	r = spout_fetch_stream(upstream_url(port, "/endless"), .timeout_ms = 30);
	while (spout_try_response_read(r, &piece) == 0)
		spout_sleep(1);
	CU_ASSERT_EQUAL(spout_fetch_failure()->error, -ETIMEDOUT);
	CU_ASSERT_PTR_NULL(spout_try_fetch_stream(
	    upstream_url(port, "/missing"), .fail_on_status = true));
	ASSERT_FAILED(-EREMOTEIO, SPOUT_FETCH_BODY);
	r = spout_fetch(upstream_url(port, "/two"));
	CU_ASSERT_EQUAL(spout_try_response_read(r, &piece), -EINVAL);
}

static void
a_body_is_read_piece_by_piece(void)
{
	SPOUT_TEST_RUN(co_stream, NULL);
}

/* How far ahead the server is when it does not get on any more. */
static uint64_t
settled(const uint64_t *figure)
{
	uint64_t then;

	do {
		then = *figure;
		spout_sleep(20);
	} while (*figure != then);
	return then;
}

static void
co_slow_reader(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	struct spout_response *r = spout_fetch_stream(upstream_url(port, "/endless"),
	    .timeout_ms = SPOUT_NO_TIMEOUT, .max_body_bytes = UINT64_MAX);
	uint64_t stuck = settled(&endless_sent), n = 0;
	struct spout_slice piece;

	(void)arg;
	while (endless_sent == stuck || n < 2 * stuck) {
		piece = spout_response_read(r);
		CU_ASSERT_TRUE(piece.len > 0 && piece.len <= 256 << 10);
		n += piece.len;
	}
	(void)settled(&endless_sent);
	spout_response_free(r);
	CU_ASSERT_PTR_NULL(spout_try_fetch(upstream_url(port, "/endless"), .stream = true,
	    .max_body_bytes = 1000, .retries = 1, .family = 1));
}

static void
a_slow_reader_holds_the_server_back(void)
{
	SPOUT_TEST_RUN(co_slow_reader, NULL, .timeout_ms = 60000);
}

static void
co_read_two(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	struct spout_response *r = spout_fetch_stream(upstream_url(port, "/two"));

	(void)arg;
	while (spout_response_read(r).len > 0)
		continue;
}

static void
every_wait_of_a_stream_can_be_cancelled(void)
{
	spout_test_log_begin();
	SPOUT_TEST_SWEEP(co_read_two, NULL);
	(void)spout_test_log_end();
}

/* --- sending ---------------------------------------- */

static long
give(void *arg, char *to, size_t room)
{
	unsigned *left = arg;
	size_t n = room < *left ? room : *left;

	if (*left > 1000000)
		return -EIO;
	memset(to, 'u', n);
	*left -= (unsigned)n;
	return (long)n;
}

static void
co_body_fn(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	unsigned left = 300000;

	(void)arg;
	sink_open = true;
	(void)spout_fetch(
	    upstream_url(port, "/sink"), .body_fn = give, .body_arg = &left);
	CU_ASSERT_EQUAL(sunk, 300000);
	CU_ASSERT_EQUAL(upstream_saw("POST /sink"), 1);
	CU_ASSERT_EQUAL(upstream_saw("Transfer-Encoding: chunked\r\n"), 1);
	left = 5;
	(void)spout_fetch(upstream_url(port, "/echo"), .body_fn = give, .body_arg = &left,
	    .upload_bytes = 5, .method = "PUT");
	CU_ASSERT_EQUAL(upstream_saw("PUT /echo"), 1);
	CU_ASSERT_EQUAL(upstream_saw("\r\n\r\nuuuuu"), 1);
	left = 2000000;
	CU_ASSERT_PTR_NULL(spout_try_fetch(
	    upstream_url(port, "/sink"), .body_fn = give, .body_arg = &left));
	ASSERT_FAILED(-EIO, SPOUT_FETCH_SEND);
}

static void
a_function_gives_the_body(void)
{
	SPOUT_TEST_RUN(co_body_fn, NULL);
}

static uint64_t written;

static void
write_much(void *future)
{
	char block[16384];

	memset(block, 'w', sizeof(block));
	for (written = 0; written < 32 << 20; written += sizeof(block))
		spout_fetch_write(*(struct spout_future **)future, block, sizeof(block));
	spout_fetch_write_end(*(struct spout_future **)future);
}

static void
co_upload(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	struct spout_future *put;
	struct spout_group *group = spout_group_new();
	uint64_t stuck;

	(void)arg;
	sink_open = false;
	put = spout_fetch_async(upstream_url(port, "/sink"), .method = "PUT",
	    .upload = true, .timeout_ms = SPOUT_NO_TIMEOUT);
	spout_group_spawn(group, write_much, &put, sizeof(put));
	spout_sleep(1);
	stuck = settled(&written);
	CU_ASSERT_TRUE(stuck < 32 << 20);
	sink_open = true;
	spout_group_wait(group);
	CU_ASSERT_EQUAL(spout_response_status(spout_response(put)), 200);
	CU_ASSERT_EQUAL(sunk, 32 << 20);
	CU_ASSERT_EQUAL(spout_try_fetch_write(put, "x", 1), -EPIPE);
}

static void
a_slow_server_holds_the_writer_back(void)
{
	SPOUT_TEST_RUN(co_upload, NULL, .timeout_ms = 60000);
}

static void
co_upload_ends(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	struct spout_future *put;
	int r = 0;

	(void)arg;
	/* The answer comes first. */
	put = spout_fetch_async(
	    upstream_url(port, "/413"), .method = "PUT", .upload = true);
	while (r == 0) {
		r = spout_try_fetch_write(put, "data", 4);
		spout_sleep(1);
	}
	CU_ASSERT_TRUE(r == -EPIPE || r == -ECONNRESET);
	/* The fetch fails. */
	put = spout_fetch_async("http://127.0.0.1:1/", .method = "PUT", .upload = true);
	while ((r = spout_try_fetch_write(put, "data", 4)) == 0)
		spout_sleep(1);
	CU_ASSERT_EQUAL(r, -ECONNREFUSED);
	CU_ASSERT_PTR_NULL(spout_try_response(put));
	/* No body is wanted. */
	put = spout_fetch_async(upstream_url(port, "/echo"));
	CU_ASSERT_EQUAL(spout_try_fetch_write(put, "data", 4), -EINVAL);
	spout_fetch_write_end(put);
	CU_ASSERT_EQUAL(spout_response_status(spout_response(put)), 200);
}

static void
uploads_end_early(void)
{
	SPOUT_TEST_RUN(co_upload_ends, NULL);
}

static const struct unit_test tests[] = { UNIT_TEST(bodies_are_decompressed),
	UNIT_TEST(damaged_bodies_are_refused), UNIT_TEST(a_gzip_bomb_is_contained),
	UNIT_TEST(limits_hold_after_inflation_to_the_byte),
	UNIT_TEST(a_body_is_read_piece_by_piece),
	UNIT_TEST(a_slow_reader_holds_the_server_back),
	UNIT_TEST(every_wait_of_a_stream_can_be_cancelled),
	UNIT_TEST(a_function_gives_the_body),
	UNIT_TEST(a_slow_server_holds_the_writer_back), UNIT_TEST(uploads_end_early),
	UNIT_END };

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "client bodies", tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
