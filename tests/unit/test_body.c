/* SPDX-License-Identifier: MIT */
/*
 * The framing of request bodies. Every vector is fed whole, byte by byte and split at
 * every place: the result must be the same.
 */
#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "http/body.h"

#define MAX 1000

/* The bytes that came out of a body, and how it ended. */
struct result {
	int rc; /* 0 or -fault */
	bool done;
	size_t used; /* of the input */
	size_t len;
	char bytes[70000];
};

/* Feed a piece in a block of its exact size. Returns false when nothing can follow. */
static bool
feed(struct spout__http_body *body, const char *data, size_t len, struct result *r)
{
	char *block = malloc(len > 0 ? len : 1);
	size_t pos = 0, used = 0;
	struct spout_slice piece;

	memcpy(block, data, len);
	do {
		r->rc =
		    spout__http_body_feed(body, block + pos, len - pos, &used, &piece);
		if (r->rc != 0)
			break;
		CU_ASSERT(used <= len - pos);
		CU_ASSERT(piece.data >= block + pos &&
			  piece.data + piece.len <= block + pos + used);
		memcpy(r->bytes + r->len, piece.data, piece.len);
		r->len += piece.len;
		pos += used;
	} while (used > 0);
	r->used += pos;
	r->done = spout__http_body_done(body);
	free(block);
	return r->rc == 0 && !r->done;
}

static void
run(enum spout__http_framing framing, uint64_t length, const char *text, size_t len,
    size_t first, size_t step, struct result *r)
{
	static struct spout__http_head head;
	struct spout__http_body body;
	size_t pos = 0, n = first;

	head.framing = framing;
	head.content_length = length;
	memset(r, 0, offsetof(struct result, bytes));
	CU_ASSERT_EQUAL(spout__http_body_begin(&body, &head, MAX), 0);
	while (pos < len) {
		n = n < len - pos ? n : len - pos;
		if (!feed(&body, text + pos, n, r))
			return;
		pos += n;
		n = step;
	}
}

static bool
same(const struct result *a, const struct result *b)
{
	return a->rc == b->rc && a->done == b->done && a->len == b->len &&
	       (a->rc != 0 || a->used == b->used) &&
	       memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* All splits into two, and into single bytes, give what the whole gives. */
static const struct result *
chunked(const char *text, size_t len)
{
	static struct result whole, split;
	size_t i;

	run(SPOUT__HTTP_CHUNKED, 0, text, len, len, len, &whole);
	run(SPOUT__HTTP_CHUNKED, 0, text, len, 1, 1, &split);
	CU_ASSERT(same(&whole, &split));
	for (i = 1; i < len && i < 300; i++) {
		run(SPOUT__HTTP_CHUNKED, 0, text, len, i, len, &split);
		CU_ASSERT(same(&whole, &split));
	}
	return &whole;
}

/* name, RFC section, input, body, bytes that belong to the next request */
#define TAKEN(X) \
	X(chunks_are_joined, "9112 7.1", "4\r\nWiki\r\n5\r\npedia\r\n0\r\n\r\n", \
	    "Wikipedia", 0) \
	X(empty_body_has_one_chunk, "9112 7.1", "0\r\n\r\n", "", 0) \
	X(last_chunk_may_have_zeros, "9112 7.1", "1\r\na\r\n000\r\n\r\n", "a", 0) \
	X(size_may_have_either_case, "9112 7.1", \
	    "a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n", "01234567890123456789a", \
	    0) \
	X(size_may_have_16_digits, "9112 7.1", "0000000000000002\r\nab\r\n0\r\n\r\n", \
	    "ab", 0) \
	X(data_may_hold_line_ends, "9112 7.1", "6\r\n\r\n0\r\n\r\r\n0\r\n\r\n", \
	    "\r\n0\r\n\r", 0) \
	X(extensions_are_dropped, "9112 7.1.1", \
	    "1;a;b=c;d=\"e;\t\\\"\x80\"\r\nx\r\n0;last\r\n\r\n", "x", 0) \
	X(trailers_are_dropped, "9112 7.1.2", \
	    "1\r\nx\r\n0\r\nDigest: abc\r\nX-Y:\r\nHosts: a\r\nHos: b\r\n\r\n", "x", 0) \
	X(next_request_is_left_alone, "9112 9.3.2", "1\r\nx\r\n0\r\n\r\nGET / ", "x", 6)

#define TAKEN_FN(name, section, text, out, rest) \
	static void name(void) \
	{ \
		const struct result *r = chunked(text, sizeof(text) - 1); \
\
		CU_ASSERT_EQUAL(r->rc, 0); \
		CU_ASSERT(r->done); \
		CU_ASSERT_EQUAL(r->used, sizeof(text) - 1 - rest); \
		CU_ASSERT_EQUAL(r->len, sizeof(out) - 1); \
		CU_ASSERT_EQUAL(memcmp(r->bytes, out, r->len), 0); \
	}
TAKEN(TAKEN_FN)

#define ROW(name, ...) UNIT_TEST(name),
static const struct unit_test taken[] = { TAKEN(ROW) UNIT_END };

/* name, RFC section, fault, input */
#define REFUSED(X) \
	X(size_must_not_be_missing, "9112 7.1", BAD_CHUNK, "\r\nabc\r\n0\r\n\r\n") \
	X(size_with_prefix_is_refused, "9112 7.1", BAD_CHUNK, \
	    "0x4\r\nabcd\r\n0\r\n\r\n") \
	X(size_with_sign_is_refused, "9112 7.1", BAD_CHUNK, "+4\r\nabcd\r\n0\r\n\r\n") \
	X(negative_size_is_refused, "9112 7.1", BAD_CHUNK, "-1\r\nabcd\r\n0\r\n\r\n") \
	X(space_before_size_is_refused, "9112 7.1", BAD_CHUNK, \
	    " 4\r\nabcd\r\n0\r\n\r\n") \
	X(space_behind_size_is_refused, "9112 7.1", BAD_CHUNK, \
	    "4 \r\nabcd\r\n0\r\n\r\n") \
	X(space_behind_last_size_is_refused, "9112 7.1", BAD_CHUNK, "0 x\r\n\r\n") \
	X(underscore_in_size_is_refused, "9112 7.1", BAD_CHUNK, "1_0\r\n") \
	X(letter_past_f_is_refused, "9112 7.1", BAD_CHUNK, "g\r\n") \
	X(size_of_17_digits_is_refused, "9112 7.1", BAD_CHUNK, \
	    "00000000000000001\r\nx\r\n") \
	X(size_past_64_bits_is_refused, "9112 7.1", BAD_CHUNK, \
	    "10000000000000001\r\nx\r\n") \
	X(size_that_wraps_is_too_large, "9112 7.1", BODY_TOO_LARGE, \
	    "1\r\na\r\nffffffffffffffff\r\nx\r\n") \
	X(bare_lf_behind_size_is_refused, "9112 2.2", BARE_LF, "4\nabcd\r\n0\r\n\r\n") \
	X(bare_cr_behind_size_is_refused, "9112 2.2", BARE_CR, "4\rabcd\r\n0\r\n\r\n") \
	X(bare_lf_behind_extension_is_refused, "9112 7.1.1", BARE_LF, \
	    "4;a\nabcd\r\n0\r\n\r\n") \
	X(bare_cr_behind_extension_is_refused, "9112 7.1.1", BARE_CR, \
	    "4;a\rb\r\nabcd\r\n") \
	X(nul_in_extension_is_refused, "9112 7.1.1", BAD_CHUNK, "4;a\0b\r\nabcd\r\n") \
	X(del_in_extension_is_refused, "9112 7.1.1", BAD_CHUNK, "4;a\177b\r\nabcd\r\n") \
	X(data_not_ended_by_crlf_is_refused, "9112 7.1", BAD_CHUNK, \
	    "4\r\nabcdXX0\r\n\r\n") \
	X(data_ended_by_bare_lf_is_refused, "9112 7.1", BARE_LF, "4\r\nabcd\n0\r\n\r\n") \
	X(data_ended_by_bare_cr_is_refused, "9112 7.1", BARE_CR, "4\r\nabcd\r0\r\n\r\n") \
	X(data_longer_than_its_size_is_refused, "9112 7.1", BAD_CHUNK, \
	    "3\r\nabcd\r\n0\r\n\r\n") \
	X(bare_lf_at_the_end_is_refused, "9112 7.1", BARE_LF, "0\r\n\n") \
	X(bare_cr_at_the_end_is_refused, "9112 7.1", BARE_CR, "0\r\n\rX") \
	X(trailer_content_length_is_refused, "9110 6.5.1", BAD_TRAILER, \
	    "0\r\ncontent-LENGTH: 4\r\n\r\n") \
	X(trailer_transfer_encoding_is_refused, "9110 6.5.1", BAD_TRAILER, \
	    "0\r\nX: a\r\nTransfer-Encoding: chunked\r\n\r\n") \
	X(trailer_host_is_refused, "9110 6.5.1", BAD_TRAILER, "0\r\nHost: a\r\n\r\n") \
	X(trailer_space_before_colon_is_refused, "9112 5.1", BAD_TRAILER, \
	    "0\r\nX : 5\r\n\r\n") \
	X(trailer_without_name_is_refused, "9112 5", BAD_TRAILER, "0\r\n: 5\r\n\r\n") \
	X(trailer_without_colon_is_refused, "9112 5", BAD_TRAILER, "0\r\nabc\r\n\r\n") \
	X(trailer_fold_is_refused, "9112 5.2", OBS_FOLD, "0\r\nX: a\r\n b\r\n\r\n") \
	X(trailer_nul_is_refused, "9110 5.5", BAD_TRAILER, "0\r\nX: a\0b\r\n\r\n") \
	X(trailer_bare_lf_is_refused, "9112 2.2", BARE_LF, "0\r\nX: a\nY: b\r\n\r\n") \
	X(trailer_bare_cr_is_refused, "9112 2.2", BARE_CR, "0\r\nX: a\rY: b\r\n\r\n") \
	X(request_behind_last_chunk_line_is_refused, "9112 7.1.2", BAD_TRAILER, \
	    "0\r\nGET / HTTP/1.1\r\n\r\n")

#define REFUSED_FN(name, section, fault, text) \
	static void name(void) \
	{ \
		const struct result *r = chunked(text, sizeof(text) - 1); \
\
		CU_ASSERT_EQUAL(r->rc, -SPOUT__FAULT_##fault); \
		CU_ASSERT(!r->done); \
	}
REFUSED(REFUSED_FN)

static const struct unit_test refused[] = { REFUSED(ROW) UNIT_END };

/* --- lengths and budgets ------------------------------------------------------------ */

static void
content_length_is_counted(void)
{
	static struct result r;
	size_t step;

	for (step = 1; step < 20; step++) {
		run(SPOUT__HTTP_LENGTH, 10, "0123456789GET /", 15, step, step, &r);
		CU_ASSERT_EQUAL(r.rc, 0);
		CU_ASSERT(r.done);
		CU_ASSERT_EQUAL(r.used, 10);
		CU_ASSERT_EQUAL(memcmp(r.bytes, "0123456789", 10), 0);
	}
	run(SPOUT__HTTP_LENGTH, 10, "012345678", 9, 9, 9, &r);
	CU_ASSERT(!r.done);
}

static void
nothing_is_taken_of_no_body(void)
{
	static struct spout__http_head head;
	struct spout__http_body body;
	struct spout_slice piece;
	size_t used = 1;

	head.framing = SPOUT__HTTP_NO_BODY;
	CU_ASSERT_EQUAL(spout__http_body_begin(&body, &head, 0), 0);
	CU_ASSERT(spout__http_body_done(&body));
	CU_ASSERT_EQUAL(spout__http_body_feed(&body, "x", 1, &used, &piece), 0);
	CU_ASSERT_EQUAL(used, 0);
	CU_ASSERT_EQUAL(piece.len, 0);
	head.framing = SPOUT__HTTP_LENGTH;
	head.content_length = 0;
	CU_ASSERT_EQUAL(spout__http_body_begin(&body, &head, 0), 0);
	CU_ASSERT(spout__http_body_done(&body));
}

static void
announced_length_over_the_limit_is_refused_at_once(void)
{
	static struct spout__http_head head;
	struct spout__http_body body;

	head.framing = SPOUT__HTTP_LENGTH;
	head.content_length = 1000;
	CU_ASSERT_EQUAL(spout__http_body_begin(&body, &head, 1000), 0);
	head.content_length = 1001;
	CU_ASSERT_EQUAL(
	    spout__http_body_begin(&body, &head, 1000), -SPOUT__FAULT_BODY_TOO_LARGE);
}

/* 1000 bytes are the limit of these tests. */
static int
two_chunks(unsigned a, unsigned b)
{
	char text[2100];
	int n = snprintf(text, sizeof(text), "%x\r\n%0*d\r\n%x\r\n%0*d\r\n0\r\n\r\n", a,
	    (int)a, 0, b, (int)b, 0);
	static struct result r;

	run(SPOUT__HTTP_CHUNKED, 0, text, (size_t)n, (size_t)n, 1, &r);
	CU_ASSERT(r.rc != 0 || r.done);
	CU_ASSERT(r.rc != 0 || r.len == a + b);
	return r.rc;
}

static void
chunks_over_the_limit_are_refused(void)
{
	CU_ASSERT_EQUAL(two_chunks(400, 600), 0);
	CU_ASSERT_EQUAL(two_chunks(400, 601), -SPOUT__FAULT_BODY_TOO_LARGE);
	CU_ASSERT_EQUAL(two_chunks(1001, 1), -SPOUT__FAULT_BODY_TOO_LARGE);
}

/* The size alone is enough: no byte of that chunk is waited for. */
static void
too_large_a_chunk_is_refused_by_its_size(void)
{
	CU_ASSERT_EQUAL(chunked("3e8\r\n", 5)->rc, 0);
	CU_ASSERT_EQUAL(chunked("3e9\r", 4)->rc, -SPOUT__FAULT_BODY_TOO_LARGE);
	CU_ASSERT_EQUAL(chunked("3e9;", 4)->rc, -SPOUT__FAULT_BODY_TOO_LARGE);
}

/* Extensions of many chunks count together: CVE-2024-22019. */
static int
extensions(unsigned chunks, unsigned len)
{
	static char text[70000];
	static struct result whole, split;
	size_t n = 0;

	while (chunks-- > 0)
		n += (size_t)snprintf(
		    text + n, sizeof(text) - n, "1;%0*d\r\nx\r\n", (int)len, 0);
	n += (size_t)snprintf(text + n, sizeof(text) - n, "0\r\n\r\n");
	run(SPOUT__HTTP_CHUNKED, 0, text, n, n, n, &whole);
	run(SPOUT__HTTP_CHUNKED, 0, text, n, 1, 7, &split);
	CU_ASSERT(same(&whole, &split));
	CU_ASSERT(whole.rc != 0 || whole.done);
	return whole.rc;
}

static void
extensions_of_a_body_have_one_budget(void)
{
	CU_ASSERT_EQUAL(extensions(1, 16384), 0);
	CU_ASSERT_EQUAL(extensions(1, 16385), -SPOUT__FAULT_CHUNK_EXT_TOO_LARGE);
	CU_ASSERT_EQUAL(extensions(1, 60000), -SPOUT__FAULT_CHUNK_EXT_TOO_LARGE);
	CU_ASSERT_EQUAL(extensions(512, 32), 0);
	CU_ASSERT_EQUAL(extensions(513, 32), -SPOUT__FAULT_CHUNK_EXT_TOO_LARGE);
}

/* `len` bytes behind the last chunk's line, in `lines` trailers. */
static int
trailers(unsigned lines, unsigned len)
{
	static char text[70000];
	static struct result whole, split;
	unsigned each = (len - 2) / lines, i;
	size_t n = (size_t)snprintf(text, sizeof(text), "0\r\n");

	for (i = 0; i < lines; i++)
		n += (size_t)snprintf(
		    text + n, sizeof(text) - n, "X: %0*d\r\n", (int)each - 5, 0);
	n += (size_t)snprintf(text + n, sizeof(text) - n, "\r\n");
	CU_ASSERT_EQUAL(n - 3, len);
	run(SPOUT__HTTP_CHUNKED, 0, text, n, n, n, &whole);
	run(SPOUT__HTTP_CHUNKED, 0, text, n, 1, 5, &split);
	CU_ASSERT(same(&whole, &split));
	return whole.rc;
}

static void
trailers_of_a_body_have_one_budget(void)
{
	CU_ASSERT_EQUAL(trailers(1, 8192), 0);
	CU_ASSERT_EQUAL(trailers(1, 8193), -SPOUT__FAULT_TRAILER_TOO_LARGE);
	CU_ASSERT_EQUAL(trailers(1, 60000), -SPOUT__FAULT_TRAILER_TOO_LARGE);
	CU_ASSERT_EQUAL(trailers(90, 8192), 0);
	CU_ASSERT_EQUAL(trailers(90, 8282), -SPOUT__FAULT_TRAILER_TOO_LARGE);
}

static const struct unit_test budgets[] = {
	UNIT_TEST(content_length_is_counted),
	UNIT_TEST(nothing_is_taken_of_no_body),
	UNIT_TEST(announced_length_over_the_limit_is_refused_at_once),
	UNIT_TEST(chunks_over_the_limit_are_refused),
	UNIT_TEST(too_large_a_chunk_is_refused_by_its_size),
	UNIT_TEST(extensions_of_a_body_have_one_budget),
	UNIT_TEST(trailers_of_a_body_have_one_budget),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "taken chunked bodies", taken },
		{ "refused chunked bodies", refused },
		{ "lengths and budgets", budgets },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
