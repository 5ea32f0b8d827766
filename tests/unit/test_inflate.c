/* SPDX-License-Identifier: MIT */
/* Request bodies that came compressed: through the web layer, over a socket. */
#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include <zlib.h>

#include "web/web.h"
#include "web_client.h"

#define LIMIT 5000
#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"

/* --- the application -------------------------------------------------------------- */

static void
whole(struct spout_request *req)
{
	struct spout_slice all = spout_body(req);

	spout_printf(req, "%zu:%.*s", all.len, all.len < 100 ? (int)all.len : 100,
	    all.data);
}

static void
in_pieces(struct spout_request *req)
{
	struct spout_slice piece;
	size_t n = 0;

	while ((piece = spout_body_read(req)).len > 0)
		n += piece.len;
	CU_ASSERT_EQUAL(spout_body_read(req).len, 0);
	spout_printf(req, "%zu", n);
}

static void
form(struct spout_request *req)
{
	spout_write_text(req, spout_require_arg(req, "name"));
}

static const struct spout_route routes[] = {
	SPOUT_POST("/whole", whole, .decompress_body = true),
	SPOUT_POST("/pieces", in_pieces, .decompress_body = true, .stream_body = true),
	SPOUT_POST("/large", in_pieces, .decompress_body = true, .stream_body = true,
	    .max_body_bytes = 3000000),
	SPOUT_POST("/large/whole", whole, .decompress_body = true,
	    .max_body_bytes = 3000000),
	SPOUT_POST("/form", form, .decompress_body = true),
	SPOUT_POST("/raw", whole),
	SPOUT_END,
};
static struct spout_app app = { .name = "t", .routes = routes, .max_body_bytes = LIMIT };

/* --- sending ---------------------------------------------------------------------- */

static unsigned char packed[100000];
static size_t packed_len;

/* `bits`: 31 gzip, 15 zlib, -15 deflate as it is. */
static void
pack(const char *data, size_t len, int bits)
{
	z_stream zlib = { .next_in = (Bytef *)(uintptr_t)data,
		.avail_in = (uInt)len,
		.next_out = packed,
		.avail_out = sizeof(packed) };

	CU_ASSERT_EQUAL_FATAL(deflateInit2(&zlib, 9, Z_DEFLATED, bits, 8, 0), Z_OK);
	CU_ASSERT_EQUAL_FATAL(deflate(&zlib, Z_FINISH), Z_STREAM_END);
	packed_len = sizeof(packed) - zlib.avail_out;
	deflateEnd(&zlib);
}

static void
pack_zeros(size_t n)
{
	char *zeros = calloc(1, n + 1);

	pack(zeros, n, 31);
	free(zeros);
}

/* Post what is packed. */
static const char *
post(const char *target, const char *fields)
{
	static char bytes[sizeof(packed) + 1024];
	int n = snprintf(bytes, 1024,
	    "POST %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s"
	    "Content-Length: %zu\r\n\r\n", target, fields, packed_len);

	memcpy(bytes + n, packed, packed_len);
	return say(bytes, (size_t)n + packed_len);
}

static const char *
post_gzip(const char *target)
{
	return post(target, "Content-Encoding: gzip\r\n");
}

/* --- the tests -------------------------------------------------------------------- */

static void
a_compressed_body_is_as_if_it_were_not(void)
{
	begin(&app, NO_ACCESS_LOG);
	pack("name=value", 10, 31);
	post_gzip("/whole");
	CU_ASSERT_STRING_EQUAL(body(), "10:name=value");
	post("/whole", "Content-Encoding: X-GZip\r\n");
	CU_ASSERT_STRING_EQUAL(body(), "10:name=value");
	post_gzip("/pieces");
	CU_ASSERT_STRING_EQUAL(body(), "10");
	post("/form", "Content-Encoding: gzip\r\n" FORM);
	CU_ASSERT_STRING_EQUAL(body(), "value");
	pack("name=value", 10, 15);
	post("/whole", "Content-Encoding: deflate\r\n");
	CU_ASSERT_STRING_EQUAL(body(), "10:name=value");
	pack("name=value", 10, -15);
	post("/whole", "Content-Encoding: deflate\r\n");
	CU_ASSERT_STRING_EQUAL(body(), "10:name=value");
	end();
}

static void
what_is_not_compressed_is_left_alone(void)
{
	packed_len = (size_t)sprintf((char *)packed, "plain");
	begin(&app, NO_ACCESS_LOG);
	post("/whole", "");
	CU_ASSERT_STRING_EQUAL(body(), "5:plain");
	post("/whole", "Content-Encoding: identity\r\n");
	CU_ASSERT_STRING_EQUAL(body(), "5:plain");
	post_gzip("/raw"); /* a route that did not ask for it */
	CU_ASSERT_STRING_EQUAL(body(), "5:plain");
	packed_len = 0;
	post_gzip("/whole");
	CU_ASSERT_STRING_EQUAL(body(), "0:");
	post_gzip("/pieces");
	CU_ASSERT_STRING_EQUAL(body(), "0");
	end();
}

static void
an_application_asks_for_all_of_its_routes(void)
{
	struct spout_app all = app;

	all.decompress_body = true;
	begin(&all, NO_ACCESS_LOG);
	pack("name=value", 10, 31);
	post_gzip("/raw");
	CU_ASSERT_STRING_EQUAL(body(), "10:name=value");
	end();
}

static void
the_limit_is_that_of_the_decompressed_body(void)
{
	static const char *const targets[] = { "/whole", "/pieces" };
	size_t i;

	begin(&app, NO_ACCESS_LOG);
	for (i = 0; i < 2; i++) {
		pack_zeros(LIMIT);
		CU_ASSERT_TRUE(packed_len < 100);
		post_gzip(targets[i]);
		CU_ASSERT_TRUE(status_is(200) && has("5000"));
		pack_zeros(LIMIT + 1);
		post_gzip(targets[i]);
		CU_ASSERT_TRUE(status_is(413) && has("5000 bytes when decompressed"));
		pack_zeros(50000000); /* a bomb, of 50 kB */
		packed_len = 4000;
		post_gzip(targets[i]);
		CU_ASSERT_TRUE(status_is(413));
	}
	pack_zeros(3000000);
	post_gzip("/large");
	CU_ASSERT_STRING_EQUAL(body(), "3000000");
	post_gzip("/large/whole");
	CU_ASSERT_EQUAL(strncmp(body(), "3000000:", 8), 0);
	end();
}

static void
a_malformed_body_is_400(void)
{
	static const char *const targets[] = { "/whole", "/pieces" };
	size_t i;

	begin(&app, NO_ACCESS_LOG);
	for (i = 0; i < 2; i++) {
		pack("name=value", 10, 31);
		packed_len--; /* it ends early */
		post_gzip(targets[i]);
		CU_ASSERT_TRUE(status_is(400) && has("ends early"));
		pack("name=value", 10, 31);
		packed[packed_len - 6] ^= 1; /* its check sum */
		post_gzip(targets[i]);
		CU_ASSERT_TRUE(status_is(400) && has("malformed"));
		packed_len = (size_t)sprintf((char *)packed, "no gzip at all");
		post_gzip(targets[i]);
		CU_ASSERT_TRUE(status_is(400));
	}
	end();
}

static void
an_unknown_coding_is_415_and_told_what_is_known(void)
{
	static const char *const codings[] = { "zstd", "gzip, gzip", "gzipp", "" };
	char fields[64];
	size_t i;

	begin(&app, NO_ACCESS_LOG);
	pack("name=value", 10, 31);
	for (i = 0; i < sizeof(codings) / sizeof(*codings); i++) {
		snprintf(fields, sizeof(fields), "Content-Encoding: %s\r\n", codings[i]);
		post(i % 2 == 0 ? "/whole" : "/pieces", fields);
		CU_ASSERT_TRUE(status_is(415));
		CU_ASSERT_TRUE(has("Accept-Encoding: gzip, deflate, br\r\n"));
	}
	end();
}

static const struct unit_test inflate_tests[] = {
	UNIT_TEST(a_compressed_body_is_as_if_it_were_not),
	UNIT_TEST(what_is_not_compressed_is_left_alone),
	UNIT_TEST(an_application_asks_for_all_of_its_routes),
	UNIT_TEST(the_limit_is_that_of_the_decompressed_body),
	UNIT_TEST(a_malformed_body_is_400),
	UNIT_TEST(an_unknown_coding_is_415_and_told_what_is_known),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "inflate", inflate_tests },
		{ NULL, NULL } };

	return unit_run(argc, argv, suites);
}
