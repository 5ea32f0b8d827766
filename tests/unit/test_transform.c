/* SPDX-License-Identifier: MIT */
/* Compressed responses, entity tags, 304: through the web layer, over a socket. */
#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "client/decode.h"
#include "web/accept.h"
#include "web/compress.h"
#include "web/request.h"
#include "web_client.h"

#define GZIP "Accept-Encoding: gzip\r\n"
#define COMPRESSED "Content-Encoding: gzip\r\n"
#define VARY "Vary: Accept-Encoding\r\n"

/* --- the application -------------------------------------------------------------- */

/* Text of `n` bytes that compresses well, or bytes that do not. */
static void
fill(char *to, size_t n, bool random)
{
	uint32_t state = 1;
	size_t i;

	for (i = 0; i < n; i++) {
		state = state * 1664525u + 1013904223u;
		to[i] = (char)(random ? state >> 24 : 'a' + i / 3 % 17);
	}
}

static void
write_n(struct spout_request *req, size_t n)
{
	char *text = spout_alloc(n + 1);

	fill(text, n, spout_arg_bool(req, "random", false));
	spout_write(req, text, n);
}

static void
text(struct spout_request *req)
{
	const char *type = spout_arg(req, "type"), *name = spout_arg(req, "name");

	if (type != NULL)
		spout_set_header(req, "Content-Type", type);
	if (name != NULL)
		spout_set_header(req, name, spout_require_arg(req, "value"));
	if (spout_arg_int(req, "status") != 0)
		spout_set_status(req, (int)spout_arg_int(req, "status"));
	write_n(req, (size_t)spout_arg_int(req, "n", .otherwise = 2000));
}

static void
pieces(struct spout_request *req)
{
	spout_set_etag(req, "v1");
	spout_write_text(req, "first ");
	spout_flush(req);
	spout_flush(req);
	write_n(req, 100000);
	spout_write_text(req, " last");
}

static void
versioned(struct spout_request *req)
{
	spout_set_etag(req, spout_require_arg(req, "tag"));
	if (spout_not_modified(req, spout_arg_int(req, "time", .min = -1)))
		return;
	spout_write_text(req, "made");
}

static void
timed(struct spout_request *req)
{
	spout_server_timing(req, "db", 1234567, "a \"quoted\" \\ text");
	spout_server_timing(req, "cpu", 5, NULL);
	spout_server_timing(req, spout_require_arg(req, "name"), 5, NULL);
}

static const struct spout_route mounted[] = {
	SPOUT_GET("/text", text),
	SPOUT_END,
};

static const struct spout_route routes[] = {
	SPOUT_ROUTE(SPOUT_METHOD_GET | SPOUT_METHOD_POST, "/text", text),
	SPOUT_GET("/never", text, .no_compress = true),
	SPOUT_MOUNT("/mounted", mounted, .no_compress = true),
	SPOUT_GET("/pieces", pieces),
	SPOUT_ROUTE(SPOUT_METHOD_GET | SPOUT_METHOD_PUT, "/versioned", versioned),
	SPOUT_GET("/timed", timed),
	SPOUT_END,
};

static struct spout_app compressing = { .name = "t", .routes = routes, .compress = true };
static struct spout_app tagging = { .name = "t", .routes = routes, .etag = true };
static struct spout_app both = { .name = "t",
	.routes = routes,
	.compress = true,
	.etag = true };
static struct spout_app neither = { .name = "t", .routes = routes };

/* --- looking at answers ----------------------------------------------------------- */

static char plain[300000];
static size_t plain_len;

static size_t
body_len(void)
{
	return got_len - (size_t)(body() - got);
}

/* Take the chunks of the last answer apart, in place. Returns their length. */
static size_t
unchunk(char *at)
{
	char *to = at;
	size_t n;

	while ((n = strtoul(at, &at, 16)) != 0) {
		memmove(to, at + 2, n);
		to += n;
		at += n + 4;
	}
	return (size_t)(to - body());
}

static bool
decode(const char *coding, const char *data, size_t len)
{
	struct spout__decoder *decoder;
	bool complete;
	long n;

	plain_len = 0;
	CU_ASSERT_EQUAL_FATAL(spout__decoder_new(coding, &decoder), 0);
	while ((n = spout__decoder_run(decoder, &data, &len, plain + plain_len,
	            sizeof(plain) - plain_len)) > 0)
		plain_len += (size_t)n;
	complete = n == 0 && spout__decoder_complete(decoder);
	spout__decoder_free(decoder);
	return complete;
}

static bool
plain_is_text(const char *from, size_t n)
{
	static char expected[200000];

	fill(expected, n, false);
	return memcmp(from, expected, n) == 0;
}

static bool
decodes_to_text(const char *coding, size_t n)
{
	return decode(coding, body(), body_len()) && plain_len == n &&
	    plain_is_text(plain, n);
}

static const char *
fetch(const char *method_and_target, const char *fields)
{
	return request(method_and_target, fields, NULL);
}

/* The value of a field of the last answer. */
static const char *
value_of(const char *name)
{
	static char value[128];
	const char *at = strcasestr(got, name);

	value[0] = '\0';
	if (at != NULL)
		sscanf(at + strlen(name), ": %100[^\r]", value);
	return value;
}

/* --- compression ------------------------------------------------------------------ */

static void
text_from_1024_bytes_on_is_compressed(void)
{
	begin(&compressing, NO_ACCESS_LOG);
	fetch("GET /text?n=1024", GZIP);
	CU_ASSERT_TRUE(status_is(200) && has(COMPRESSED) && has(VARY));
	CU_ASSERT_EQUAL((size_t)atoi(value_of("Content-Length")), body_len());
	CU_ASSERT_TRUE(body_len() < 200 && decodes_to_text("gzip", 1024));
	fetch("GET /text?n=1023", GZIP);
	CU_ASSERT_TRUE(lacks("Content-Encoding") && lacks("Vary"));
	CU_ASSERT_EQUAL(body_len(), 1023);
	fetch("GET /text?n=65536", GZIP); /* the compressor of the worker, again */
	CU_ASSERT_TRUE(has("Content-Length") && decodes_to_text("gzip", 65536));
	fetch("GET /text?n=65537", GZIP);
	CU_ASSERT_TRUE(has("chunked") && has(COMPRESSED) && has(VARY));
	end();
}

static void
the_client_decides_by_accept_encoding(void)
{
	static const struct {
		const char *fields, *coding;
	} rows[] = {
		{ "", NULL },
		{ "Accept-Encoding: identity\r\n", NULL },
		{ "Accept-Encoding: gzip;q=0\r\n", NULL },
		{ "Accept-Encoding: *;q=0\r\n", NULL },
		{ "Accept-Encoding: deflate, x-gzip;q=0.1\r\n", "gzip" },
		{ "Accept-Encoding: *, br;q=0\r\n", "gzip" },
#ifdef HAVE_BROTLIENC
		{ "Accept-Encoding: gzip, br\r\n", "br" },
		{ "Accept-Encoding: *\r\n", "br" },
#endif
	};
	size_t i;

	begin(&compressing, NO_ACCESS_LOG);
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		fetch("GET /text", rows[i].fields);
		CU_ASSERT_TRUE(has(VARY));
		if (rows[i].coding == NULL) {
			CU_ASSERT_TRUE(lacks("Content-Encoding"));
			CU_ASSERT_EQUAL(body_len(), 2000);
			continue;
		}
		CU_ASSERT_STRING_EQUAL(value_of("Content-Encoding"), rows[i].coding);
		CU_ASSERT_TRUE(decodes_to_text(rows[i].coding, 2000));
	}
	end();
}

static void
what_shall_not_be_compressed_is_left_alone(void)
{
	static const char *const targets[] = { "GET /never", "GET /mounted/text",
		"GET /text?type=image/png", "GET /text?type=text/event-stream",
		"GET /text?name=Content-Encoding&value=br",
		"GET /text?name=Cache-Control&value=no-store,no-transform",
		"GET /text?name=Content-Length&value=2000", "GET /text?status=206",
		"GET /text?name=Content-Range&value=bytes+0-1/2" };
	size_t i;

	begin(&compressing, NO_ACCESS_LOG);
	for (i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
		fetch(targets[i], GZIP);
		CU_ASSERT_TRUE(lacks(COMPRESSED) && lacks("Vary"));
		CU_ASSERT_EQUAL(body_len(), 2000);
	}
	fetch("GET /text?random=1", GZIP); /* would not be shorter */
	CU_ASSERT_TRUE(lacks(COMPRESSED) && has(VARY));
	CU_ASSERT_EQUAL(body_len(), 2000);
	end();
	begin(&neither, NO_ACCESS_LOG);
	fetch("GET /text", GZIP);
	CU_ASSERT_TRUE(lacks(COMPRESSED) && lacks("Vary") && lacks("ETag"));
	end();
}

static void
fields_of_the_handler_are_kept(void)
{
	begin(&compressing, NO_ACCESS_LOG);
	fetch("GET /text?name=Vary&value=Origin", GZIP);
	CU_ASSERT_TRUE(has("Vary: Origin\r\n") && has(VARY) && has(COMPRESSED));
	fetch("GET /text?name=Vary&value=Origin,accept-encoding", GZIP);
	CU_ASSERT_TRUE(has(COMPRESSED) && lacks(VARY));
	fetch("GET /text?name=ETag&value=%22v1%22", GZIP);
	CU_ASSERT_TRUE(has(COMPRESSED) && has("ETag: W/\"v1\"\r\n"));
	fetch("GET /text?name=ETag&value=%22v1%22", "");
	CU_ASSERT_TRUE(lacks(COMPRESSED) && has("ETag: \"v1\"\r\n"));
	fetch("GET /text?status=404", GZIP);
	CU_ASSERT_TRUE(status_is(404) && decodes_to_text("gzip", 2000));
	end();
}

/* All but the identifier and the date, up to the empty line. */
static void
head_is_the_same_for(const char *target, const char *fields)
{
	char start[64], of_get[1024];

	snprintf(start, sizeof(start), "GET %s", target);
	fetch(start, fields);
	snprintf(of_get, sizeof(of_get), "%.*s", (int)(body() - got), got);
	snprintf(start, sizeof(start), "HEAD %s", target);
	fetch(start, fields);
	CU_ASSERT_EQUAL(body_len(), 0);
	CU_ASSERT_STRING_EQUAL(strstr(got, "Content-Type"), strstr(of_get, "Content-Ty"));
}

static void
head_answers_with_the_fields_of_get(void)
{
	begin(&both, NO_ACCESS_LOG);
	head_is_the_same_for("/text", GZIP);
	head_is_the_same_for("/text", "");
	head_is_the_same_for("/text?n=100", GZIP);
	head_is_the_same_for("/text?n=70000", GZIP);
	head_is_the_same_for("/pieces", GZIP);
	end();
}

static void
a_streamed_response_is_compressed_as_it_comes(void)
{
	size_t n;

	begin(&compressing, NO_ACCESS_LOG);
	fetch("GET /pieces", GZIP);
	CU_ASSERT_TRUE(has("chunked") && has(COMPRESSED) && has(VARY));
	CU_ASSERT_TRUE(has("ETag: W/\"v1\"\r\n"));
	n = strtoul(body(), NULL, 16);
	/* The first chunk alone gives what was written before the flush. */
	CU_ASSERT_FALSE(decode("gzip", strstr(body(), "\r\n") + 2, n));
	CU_ASSERT_EQUAL(plain_len, 6);
	CU_ASSERT_EQUAL(memcmp(plain, "first ", 6), 0);
	n = unchunk((char *)(uintptr_t)body());
	CU_ASSERT_TRUE(n < 5000 && decode("gzip", body(), n));
	CU_ASSERT_EQUAL(plain_len, 100011);
	CU_ASSERT_TRUE(plain_is_text(plain + 6, 100000));
	CU_ASSERT_EQUAL(memcmp(plain + 100006, " last", 5), 0);
	fetch("GET /pieces", "Accept-Encoding: br\r\n"); /* not made for streams */
	CU_ASSERT_TRUE(lacks("Content-Encoding") && has(VARY) && has("ETag: \"v1\"\r\n"));
	CU_ASSERT_EQUAL(unchunk((char *)(uintptr_t)body()), 100011);
	end();
}

static void
to_http_1_0_a_compressed_stream_ends_with_the_connection(void)
{
	static const char bytes[] = "GET /pieces HTTP/1.0\r\n" GZIP "\r\n";

	begin(&compressing, NO_ACCESS_LOG);
	say(bytes, sizeof(bytes) - 1);
	CU_ASSERT_TRUE(has(COMPRESSED) && lacks("chunked"));
	CU_ASSERT_TRUE(decode("gzip", body(), body_len()) && plain_len == 100011);
	end();
}

static void
types_are_told_apart(void)
{
	static const char *const yes[] = { "text/html; charset=UTF-8", "TEXT/CSS",
		"application/json", "image/svg+xml;x=y", "application/problem+json" };
	static const char *const no[] = { "", "text/", "image/png", "text/event-stream",
		"application/jsonp", "video/mp4", "+xml", "application/octet-stream" };
	size_t i;

	for (i = 0; i < sizeof(yes) / sizeof(*yes); i++)
		CU_ASSERT_TRUE(spout__type_compressible(spout_slice(yes[i])));
	for (i = 0; i < sizeof(no) / sizeof(*no); i++)
		CU_ASSERT_FALSE(spout__type_compressible(spout_slice(no[i])));
}

static void
the_compressor_has_limits(void)
{
	static char big[SPOUT__COMPRESS_MAX + 1];
	struct spout__compressor *compressor = spout__compressor_new();
	unsigned coding;

	CU_ASSERT_PTR_NOT_NULL_FATAL(compressor);
	fill(big, sizeof(big), false);
	for (coding = 1; coding <= SPOUT__CODING_GZIP; coding <<= 1) {
		if ((coding & spout__compress_codings()) == 0)
			continue;
		CU_ASSERT_TRUE(spout__compress(compressor, coding,
		    spout_slice_of(big, SPOUT__COMPRESS_MAX)).len > 0);
		CU_ASSERT_EQUAL(spout__compress(compressor, coding,
		    spout_slice_of(big, SPOUT__COMPRESS_MAX + 1)).len, 0);
		CU_ASSERT_EQUAL(spout__compress(compressor, coding,
		    spout_slice_of(big, 1)).len, 0);
		CU_ASSERT_EQUAL(spout__compress(compressor, coding,
		    spout_slice_of(big, 0)).len, 0);
		CU_ASSERT_EQUAL(spout__compress(compressor, coding,
		    spout_slice_of("abcdefgh", 8)).len, 0);
	}
	spout__compressor_free(compressor);
	spout__compressor_free(NULL);
}

/* --- entity tags ------------------------------------------------------------------ */

static void
answers_get_tags_by_their_content(void)
{
	char first[128], fields[256];

	begin(&tagging, NO_ACCESS_LOG);
	fetch("GET /text?n=100", "");
	snprintf(first, sizeof(first), "%s", value_of("ETag"));
	CU_ASSERT_EQUAL(strlen(first), 34);
	fetch("GET /text?n=101", "");
	CU_ASSERT_STRING_NOT_EQUAL(value_of("ETag"), first);
	snprintf(fields, sizeof(fields), "If-None-Match: \"x\", W/%s\r\n", first);
	fetch("GET /text?n=100", fields);
	CU_ASSERT_TRUE(status_is(304) && has("ETag") && lacks("Content-Length"));
	CU_ASSERT_EQUAL(body_len(), 0);
	fetch("HEAD /text?n=100", fields);
	CU_ASSERT_TRUE(status_is(304));
	fetch("GET /text?n=101", fields);
	CU_ASSERT_TRUE(status_is(200));
	fetch("GET /text?n=100", "If-Match: \"x\"\r\n");
	CU_ASSERT_TRUE(status_is(412) && has("Content-Length: 0\r\n"));
	fetch("GET /text?n=0", "If-None-Match: *\r\n");
	CU_ASSERT_TRUE(status_is(304));
	end();
}

static void
only_whole_answers_of_200_to_readers_get_tags(void)
{
	begin(&tagging, NO_ACCESS_LOG);
	fetch("POST /text", "Content-Length: 0\r\n");
	CU_ASSERT_TRUE(status_is(200) && lacks("ETag"));
	fetch("GET /text?status=404", "");
	CU_ASSERT_TRUE(status_is(404) && lacks("ETag"));
	fetch("GET /text?n=65537", "");
	CU_ASSERT_TRUE(status_is(200) && lacks("ETag"));
	fetch("GET /text?n=65536", "");
	CU_ASSERT_TRUE(status_is(200) && has("ETag"));
	fetch("GET /text?n=100&name=ETag&value=%22own%22", "If-None-Match: \"own\"\r\n");
	CU_ASSERT_TRUE(status_is(304) && has("ETag: \"own\"\r\n"));
	fetch("GET /text?name=Last-Modified&value=Sun,+06+Nov+1994+08:49:37+GMT",
	    "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
	CU_ASSERT_TRUE(status_is(304));
	end();
}

static void
compressed_answers_have_weak_tags(void)
{
	char fields[256];

	begin(&both, NO_ACCESS_LOG);
	fetch("GET /text", GZIP);
	CU_ASSERT_TRUE(has(COMPRESSED) && strncmp(value_of("ETag"), "W/\"", 3) == 0);
	snprintf(fields, sizeof(fields), GZIP "If-None-Match: %s\r\n", value_of("ETag"));
	fetch("GET /text", fields);
	CU_ASSERT_TRUE(status_is(304) && has("ETag: W/\"") && has(VARY));
	CU_ASSERT_TRUE(lacks("Content-Encoding") && body_len() == 0);
	fetch("GET /text", strchr(fields, '\n') + 1);
	CU_ASSERT_TRUE(status_is(304) && has("ETag: \"") && has(VARY));
	end();
}

static void
a_handler_answers_304_before_its_work(void)
{
	begin(&neither, NO_ACCESS_LOG);
	fetch("GET /versioned?tag=v7&time=784111777", "");
	CU_ASSERT_TRUE(status_is(200) && has("ETag: \"v7\"\r\n") && has("made"));
	CU_ASSERT_TRUE(has("Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"));
	fetch("GET /versioned?tag=v7&time=-1", "If-None-Match: \"v7\"\r\n");
	CU_ASSERT_TRUE(status_is(304) && has("ETag: \"v7\"\r\n") && lacks("made"));
	CU_ASSERT_TRUE(lacks("Last-Modified"));
	fetch("GET /versioned?tag=W/v7", "If-None-Match: \"v7\"\r\n");
	CU_ASSERT_TRUE(status_is(304) && has("ETag: W/\"v7\"\r\n"));
	/* The tag decides where there is one (RFC 9110 13.2.2). */
	fetch("GET /versioned?tag=v7&time=784111777",
	    "If-None-Match: \"v6\"\r\n"
	    "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
	CU_ASSERT_TRUE(status_is(200) && has("made"));
	fetch("GET /versioned?tag=v7&time=784111777",
	    "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
	CU_ASSERT_TRUE(status_is(304));
	fetch("GET /versioned?tag=v7&time=784111778",
	    "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
	CU_ASSERT_TRUE(status_is(200));
	end();
}

static void
a_condition_that_does_not_hold_is_412(void)
{
	static const char no_body[] = "Content-Length: 0\r\n";
	char fields[128];

	begin(&neither, NO_ACCESS_LOG);
	fetch("GET /versioned?tag=v7", "If-Match: \"v6\"\r\n");
	CU_ASSERT_TRUE(status_is(412) && lacks("made"));
	fetch("GET /versioned?tag=W/v7", "If-Match: \"v7\"\r\n"); /* weak: never */
	CU_ASSERT_TRUE(status_is(412));
	snprintf(fields, sizeof(fields), "If-Match: \"v7\"\r\n%s", no_body);
	fetch("PUT /versioned?tag=v7", fields);
	CU_ASSERT_TRUE(status_is(200));
	snprintf(fields, sizeof(fields), "If-None-Match: *\r\n%s", no_body);
	fetch("PUT /versioned?tag=v7", fields);
	CU_ASSERT_TRUE(status_is(412));
	snprintf(fields, sizeof(fields),
	    "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n%s", no_body);
	fetch("PUT /versioned?tag=v7&time=1", fields); /* for readers only */
	CU_ASSERT_TRUE(status_is(200));
	end();
}

static void
a_text_that_cannot_be_a_tag_is_refused(void)
{
	static const char *const bad[] = { "", "a%20b", "a%22b", "W/", "%C3%A9",
		"a%0Db" };
	char start[64];
	size_t i;

	begin(&neither, NO_ACCESS_LOG);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(start, sizeof(start), "GET /versioned?tag=%s", bad[i]);
		fetch(start, "");
		CU_ASSERT_TRUE(status_is(500));
	}
	end();
}

static void
timings_are_sent_as_fields(void)
{
	begin(&neither, NO_ACCESS_LOG);
	get("/timed?name=x");
	CU_ASSERT_TRUE(has("Server-Timing: db;dur=1234.567;"
			   "desc=\"a \\\"quoted\\\" \\\\ text\"\r\n"));
	CU_ASSERT_TRUE(has("Server-Timing: cpu;dur=0.005\r\n"));
	get("/timed?name=a+b");
	CU_ASSERT_TRUE(status_is(500));
	get("/timed?name=");
	CU_ASSERT_TRUE(status_is(500));
	end();
}

static const struct unit_test transform_tests[] = {
	UNIT_TEST(text_from_1024_bytes_on_is_compressed),
	UNIT_TEST(the_client_decides_by_accept_encoding),
	UNIT_TEST(what_shall_not_be_compressed_is_left_alone),
	UNIT_TEST(fields_of_the_handler_are_kept),
	UNIT_TEST(head_answers_with_the_fields_of_get),
	UNIT_TEST(a_streamed_response_is_compressed_as_it_comes),
	UNIT_TEST(to_http_1_0_a_compressed_stream_ends_with_the_connection),
	UNIT_TEST(types_are_told_apart),
	UNIT_TEST(the_compressor_has_limits),
	UNIT_TEST(answers_get_tags_by_their_content),
	UNIT_TEST(only_whole_answers_of_200_to_readers_get_tags),
	UNIT_TEST(compressed_answers_have_weak_tags),
	UNIT_TEST(a_handler_answers_304_before_its_work),
	UNIT_TEST(a_condition_that_does_not_hold_is_412),
	UNIT_TEST(a_text_that_cannot_be_a_tag_is_refused),
	UNIT_TEST(timings_are_sent_as_fields),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "transform", transform_tests },
		{ NULL, NULL } };

	return unit_run(argc, argv, suites);
}
