/* SPDX-License-Identifier: MIT */
/*
 * The head of a request: finding its end, the strict pre-check, the rules above the
 * parser. Most tests are a row: a sentence, its RFC section, the input, and what becomes
 * of it.
 */
#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "http/head.h"

static const struct spout__http_limits usual = { 16384, 8192, 100 };

/* Find and parse in a block of exactly that size, so that a sanitizer sees a step
 * outside. */
static int
parse_within(const char *text, size_t len, const struct spout__http_limits *limits,
    struct spout__http_head *head, char **ret_block)
{
	char *block = malloc(len);
	size_t from = 0;
	int rc;

	memcpy(block, text, len);
	rc = spout__http_head_find(block, len, &from, limits);
	if (rc == 0)
		CU_FAIL("no end of head");
	if (rc > 0) {
		CU_ASSERT_EQUAL((size_t)rc, len);
		rc = spout__http_head_parse(block, (size_t)rc, limits, head);
	}
	*ret_block = block;
	return rc;
}

static void
expect_fault(const char *text, size_t len, enum spout__http_fault fault)
{
	struct spout__http_head head;
	char *block;
	int rc = parse_within(text, len, &usual, &head, &block);

	if (rc != -(int)fault)
		fprintf(stderr, "%s: got %s, not %s\n", text,
		    spout__http_faults[rc < 0 ? -rc : 0].word,
		    spout__http_faults[fault].word);
	CU_ASSERT_EQUAL(rc, -(int)fault);
	free(block);
}

#define END "\r\n\r\n"
#define HOST "Host: example.org"
#define GET "GET / HTTP/1.1\r\n" HOST "\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST "\r\n"

/* name, RFC section, fault, input */
#define REFUSED(X) \
	X(bare_lf_line_ends_are_refused, "9112 2.2", BARE_LF, \
	    "GET / HTTP/1.1\nHost: a\n\n") \
	X(lf_hiding_a_field_is_refused, "9112 2.2", BARE_LF, GET "X: a\nY: b" END) \
	X(empty_line_by_bare_lf_is_refused, "9112 2.2", BARE_LF, GET "\n\r\n") \
	X(bare_cr_in_a_value_is_refused, "9112 2.2", BARE_CR, GET "X: a\rb" END) \
	X(bare_cr_in_a_name_is_refused, "9112 2.2", BARE_CR, GET "X\rY: a" END) \
	X(bare_cr_before_a_line_is_refused, "9112 2.2", BARE_CR, GET "\rX: a" END) \
	X(crlf_cr_other_is_refused, "9112 2.2", BARE_CR, GET "X: a\r\n\rX" END) \
	X(bare_cr_behind_the_version_is_refused, "9112 2.2", BARE_CR, \
	    "GET / HTTP/1.1\rX: a\r\n" HOST END) \
	X(nul_in_a_value_is_refused, "9110 5.5", BAD_BYTE, GET "X: a\0b" END) \
	X(nul_in_a_name_is_refused, "9110 5.5", BAD_BYTE, GET "X\0: a" END) \
	X(nul_in_the_target_is_refused, "9110 5.5", BAD_BYTE, \
	    "GET /\0 HTTP/1.1\r\n" HOST END) \
	X(vertical_tab_in_a_value_is_refused, "9110 5.5", BAD_BYTE, GET "X: a\vb" END) \
	X(del_in_a_value_is_refused, "9110 5.5", BAD_BYTE, GET "X: a\177" END) \
	X(fold_is_refused, "9112 5.2", OBS_FOLD, GET "X: a\r\n b" END) \
	X(fold_by_tab_is_refused, "9112 5.2", OBS_FOLD, GET "X: a\r\n\tb" END) \
	X(fold_in_content_length_is_refused, "9112 5.2", OBS_FOLD, \
	    POST "Content-Length: 1\r\n 2" END) \
	X(folded_transfer_encoding_is_refused, "9112 5.2", OBS_FOLD, \
	    POST "Transfer-Encoding:\r\n chunked" END) \
	X(fold_before_the_first_field_is_refused, "9112 2.2", OBS_FOLD, \
	    "GET / HTTP/1.1\r\n " HOST END) \
	X(blank_line_with_a_space_is_refused, "9112 5.2", OBS_FOLD, GET " \r\n\r\n") \
	X(space_before_colon_is_refused, "9112 5.1", BAD_FIELD, \
	    POST "Content-Length : 4" END) \
	X(tab_before_colon_is_refused, "9112 5.1", BAD_FIELD, GET "X\t: 4" END) \
	X(space_inside_a_name_is_refused, "9110 5.1", BAD_FIELD, GET "X Y: a" END) \
	X(empty_name_is_refused, "9110 5.1", BAD_FIELD, GET ": a" END) \
	X(line_without_colon_is_refused, "9112 5", BAD_FIELD, GET "Host" END) \
	X(name_with_parenthesis_is_refused, "9110 5.6.2", BAD_FIELD, GET "X(a): b" END) \
	X(name_with_high_byte_is_refused, "9110 5.6.2", BAD_FIELD, GET "X\xe4: b" END) \
	X(http_0_9_is_refused, "9112 3", BAD_REQUEST_LINE, "GET /" END) \
	X(http_2_0_is_refused, "9110 15.6.6", BAD_VERSION, \
	    "GET / HTTP/2.0\r\n" HOST END) \
	X(http_1_2_is_refused, "9110 15.6.6", BAD_VERSION, \
	    "GET / HTTP/1.2\r\n" HOST END) \
	X(http_9_9_is_refused, "9110 15.6.6", BAD_VERSION, \
	    "GET / HTTP/9.9\r\n" HOST END) \
	X(http_0_9_spelled_out_is_refused, "9110 15.6.6", BAD_VERSION, \
	    "GET / HTTP/0.9\r\n" HOST END) \
	X(preface_of_http2_is_refused, "9113 3.4", BAD_VERSION, "PRI * HTTP/2.0" END) \
	X(two_digit_version_is_refused, "9112 2.3", BAD_REQUEST_LINE, \
	    "GET / HTTP/1.10\r\n" HOST END) \
	X(lower_case_version_is_refused, "9112 2.3", BAD_REQUEST_LINE, \
	    "GET / http/1.1\r\n" HOST END) \
	X(icecast_version_is_refused, "9112 2.3", BAD_REQUEST_LINE, \
	    "SOURCE / ICE/1.0\r\n" HOST END) \
	X(two_spaces_before_target_are_refused, "9112 3", BAD_REQUEST_LINE, \
	    "GET  / HTTP/1.1\r\n" HOST END) \
	X(two_spaces_before_version_are_refused, "9112 3", BAD_REQUEST_LINE, \
	    "GET /  HTTP/1.1\r\n" HOST END) \
	X(tab_as_separator_is_refused, "9112 3", BAD_REQUEST_LINE, \
	    "GET\t/ HTTP/1.1\r\n" HOST END) \
	X(space_behind_version_is_refused, "9112 3", BAD_REQUEST_LINE, \
	    "GET / HTTP/1.1 \r\n" HOST END) \
	X(leading_space_is_refused, "9112 3", BAD_REQUEST_LINE, \
	    " GET / HTTP/1.1\r\n" HOST END) \
	X(third_empty_line_is_refused, "9112 2.2", BAD_REQUEST_LINE, "\r\n" GET "\r\n") \
	X(tls_client_hello_is_refused, "9112 3", BAD_REQUEST_LINE, "\x16\x03\x01\x02") \
	X(tab_in_the_target_is_refused, "9112 3.2", BAD_REQUEST_LINE, \
	    "GET /a\tb HTTP/1.1\r\n" HOST END) \
	X(high_byte_in_the_target_is_refused, "9112 3.2", BAD_TARGET, \
	    "GET /\xc3\xa4 HTTP/1.1\r\n" HOST END) \
	X(fragment_in_the_target_is_refused, "9112 3.2", BAD_TARGET, \
	    "GET /a#b HTTP/1.1\r\n" HOST END) \
	X(asterisk_but_for_options_is_refused, "9112 3.2.4", BAD_TARGET, \
	    "GET * HTTP/1.1\r\n" HOST END) \
	X(asterisk_with_more_behind_is_refused, "9112 3.2.4", BAD_TARGET, \
	    "OPTIONS *a HTTP/1.1\r\n" HOST END) \
	X(relative_target_is_refused, "9112 3.2", BAD_TARGET, \
	    "GET a/b HTTP/1.1\r\n" HOST END) \
	X(other_scheme_is_refused, "9110 4.2", BAD_TARGET, \
	    "GET ftp://example.org/ HTTP/1.1\r\n" HOST END) \
	X(user_information_is_refused, "9110 4.2.4", BAD_TARGET, \
	    "GET http://u:p@example.org/ HTTP/1.1\r\n" HOST END) \
	X(absolute_target_without_host_is_refused, "9110 4.2.1", BAD_TARGET, \
	    "GET http:///a HTTP/1.1\r\n" HOST END) \
	X(absolute_target_of_other_host_is_refused, "9112 3.2.2", BAD_HOST, \
	    "GET http://example.com/a HTTP/1.1\r\n" HOST END) \
	X(absolute_target_needs_the_host_field, "9112 3.2", BAD_HOST, \
	    "GET http://example.com/a HTTP/1.1\r\nX: y" END) \
	X(missing_host_is_refused, "9112 3.2", BAD_HOST, "GET / HTTP/1.1" END) \
	X(two_hosts_are_refused, "9112 3.2", BAD_HOST, GET HOST END) \
	X(two_hosts_are_refused_in_1_0_too, "9112 3.2", BAD_HOST, \
	    "GET / HTTP/1.0\r\n" HOST "\r\n" HOST END) \
	X(garbage_host_is_refused, "9112 3.2", BAD_HOST, \
	    "GET / HTTP/1.1\r\nHost: a,b@c d" END) \
	X(garbage_host_is_refused_in_1_0_too, "9112 3.2", BAD_HOST, \
	    "GET / HTTP/1.0\r\nHost: a b<>" END) \
	X(empty_host_is_refused, "9110 4.2.1", BAD_HOST, "GET / HTTP/1.1\r\nHost: " END) \
	X(host_with_path_is_refused, "9112 3.2", BAD_HOST, \
	    "GET / HTTP/1.1\r\nHost: a/b" END) \
	X(host_with_bad_port_is_refused, "9112 3.2", BAD_HOST, \
	    "GET / HTTP/1.1\r\nHost: a:8x" END) \
	X(host_with_port_65536_is_refused, "9112 3.2", BAD_HOST, \
	    "GET / HTTP/1.1\r\nHost: a:65536" END) \
	X(host_that_is_only_a_port_is_refused, "9112 3.2", BAD_HOST, \
	    "GET / HTTP/1.1\r\nHost: :80" END) \
	X(host_with_open_bracket_is_refused, "3986 3.2.2", BAD_HOST, \
	    "GET / HTTP/1.1\r\nHost: [::1" END) \
	X(host_with_bad_address_is_refused, "3986 3.2.2", BAD_HOST, \
	    "GET / HTTP/1.1\r\nHost: [::1::2]" END) \
	X(host_with_half_an_escape_is_refused, "3986 2.1", BAD_HOST, \
	    "GET / HTTP/1.1\r\nHost: a%4" END) \
	X(length_and_coding_are_refused, "9112 6.3", BAD_FRAMING, \
	    POST "Content-Length: 4\r\nTransfer-Encoding: chunked" END) \
	X(coding_and_length_are_refused, "9112 6.3", BAD_FRAMING, \
	    POST "Transfer-Encoding: chunked\r\nContent-Length: 4" END) \
	X(coding_in_1_0_is_refused, "9112 6.1", BAD_FRAMING, \
	    "POST / HTTP/1.0\r\nTransfer-Encoding: chunked" END) \
	X(two_codings_are_refused, "9112 6.1", BAD_FRAMING, \
	    POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked" END) \
	X(chunked_twice_is_refused, "9112 6.1", BAD_FRAMING, \
	    POST "Transfer-Encoding: chunked, chunked" END) \
	X(chunked_before_the_end_is_refused, "9112 6.3", BAD_FRAMING, \
	    POST "Transfer-Encoding: chunked, identity" END) \
	X(xchunked_is_refused, "9112 6.3", BAD_FRAMING, \
	    POST "Transfer-Encoding: xchunked" END) \
	X(empty_coding_is_refused, "9112 6.1", BAD_FRAMING, \
	    POST "Transfer-Encoding: " END) \
	X(chunked_in_quotes_is_refused, "9112 6.1", BAD_FRAMING, \
	    POST "Transfer-Encoding: \"chunked\"" END) \
	X(vertical_tab_before_chunked_is_refused, "9110 5.5", BAD_BYTE, \
	    POST "Transfer-Encoding: \vchunked" END) \
	X(other_coding_before_chunked_is_unknown, "9112 6.1", UNKNOWN_CODING, \
	    POST "Transfer-Encoding: gzip, chunked" END) \
	X(empty_element_before_chunked_is_unknown, "9112 6.1", UNKNOWN_CODING, \
	    POST "Transfer-Encoding: , chunked" END) \
	X(two_equal_lengths_are_refused, "9110 8.6", BAD_LENGTH, \
	    POST "Content-Length: 4\r\nContent-Length: 4" END) \
	X(two_lengths_are_refused, "9110 8.6", BAD_LENGTH, \
	    POST "Content-Length: 4\r\nContent-Length: 5" END) \
	X(list_of_lengths_is_refused, "9110 8.6", BAD_LENGTH, \
	    POST "Content-Length: 4, 4" END) \
	X(signed_length_is_refused, "9110 8.6", BAD_LENGTH, \
	    POST "Content-Length: +4" END) \
	X(negative_length_is_refused, "9110 8.6", BAD_LENGTH, \
	    POST "Content-Length: -1" END) \
	X(hexadecimal_length_is_refused, "9110 8.6", BAD_LENGTH, \
	    POST "Content-Length: 0x4" END) \
	X(empty_length_is_refused, "9110 8.6", BAD_LENGTH, POST "Content-Length: " END) \
	X(length_with_space_inside_is_refused, "9110 8.6", BAD_LENGTH, \
	    POST "Content-Length: 4 2" END) \
	X(length_of_20_digits_is_refused, "9110 8.6", BAD_LENGTH, \
	    POST "Content-Length: 00000000000000000004" END) \
	X(length_past_64_bits_is_refused, "9110 8.6", BAD_LENGTH, \
	    POST "Content-Length: 18446744073709551620" END) \
	X(other_expectation_is_refused, "9110 10.1.1", BAD_EXPECT, \
	    POST "Expect: 200-ok\r\nContent-Length: 1" END) \
	X(empty_expectation_is_refused, "9110 10.1.1", BAD_EXPECT, POST "Expect:" END) \
	X(unknown_method_is_not_implemented, "9110 9.1", UNKNOWN_METHOD, \
	    "BREW / HTTP/1.1\r\n" HOST END) \
	X(lower_case_method_is_not_implemented, "9110 9.1", UNKNOWN_METHOD, \
	    "get / HTTP/1.1\r\n" HOST END) \
	X(method_with_more_behind_is_not_implemented, "9110 9.1", UNKNOWN_METHOD, \
	    "GETS / HTTP/1.1\r\n" HOST END) \
	X(connect_is_not_implemented, "9110 9.3.6", UNKNOWN_METHOD, \
	    "CONNECT example.org:443 HTTP/1.1\r\n" HOST END) \
	X(trace_is_not_implemented, "9110 9.3.8", UNKNOWN_METHOD, \
	    "TRACE / HTTP/1.1\r\n" HOST END) \
	X(source_is_not_implemented, "9110 9.1", UNKNOWN_METHOD, \
	    "SOURCE / HTTP/1.1\r\n" HOST END) \
	X(method_that_is_no_token_is_refused, "9110 9.1", BAD_REQUEST_LINE, \
	    "G(T / HTTP/1.1\r\n" HOST END)

#define REFUSED_FN(name, section, fault, text) \
	static void name(void) \
	{ \
		expect_fault(text, sizeof(text) - 1, SPOUT__FAULT_##fault); \
	}
REFUSED(REFUSED_FN)

#define ROW(name, ...) UNIT_TEST(name),
static const struct unit_test refused[] = { REFUSED(ROW) UNIT_END };

/* --- what must be taken ------------------------------------------------------------ */

static char *block;

static const struct spout__http_head *
accepted(const char *text)
{
	static struct spout__http_head head;
	int rc;

	free(block);
	memset(&head, 0xa5, sizeof(head));
	rc = parse_within(text, strlen(text), &usual, &head, &block);
	if (rc != 0)
		fprintf(
		    stderr, "%s: %s\n", text, spout__http_faults[rc < 0 ? -rc : 0].word);
	CU_ASSERT_EQUAL_FATAL(rc, 0);
	return &head;
}

static void
done(void)
{
	free(block);
	block = NULL;
}

static void
a_request_is_taken_apart(void)
{
	const struct spout__http_head *h = accepted(
	    "PATCH /a/b?c=d?e HTTP/1.1\r\n"
	    "Host: Example.org:8080\r\nX-Empty:\r\nCookie: a=b; c=d\r\n\r\n");

	CU_ASSERT_EQUAL(h->method, SPOUT__HTTP_PATCH);
	CU_ASSERT_EQUAL(h->minor, 1);
	CU_ASSERT(spout_slice_equal(h->target, "/a/b?c=d?e"));
	CU_ASSERT(spout_slice_equal(h->path, "/a/b"));
	CU_ASSERT(spout_slice_equal(h->query, "c=d?e"));
	CU_ASSERT(spout_slice_equal(h->host, "Example.org:8080"));
	CU_ASSERT_EQUAL(h->framing, SPOUT__HTTP_NO_BODY);
	CU_ASSERT_EQUAL(h->content_length, 0);
	CU_ASSERT(h->keep_alive && !h->expect_continue && !h->upgrade);
	CU_ASSERT_EQUAL_FATAL(h->n_fields, 3);
	CU_ASSERT(spout_slice_equal(h->fields[2].name, "Cookie"));
	CU_ASSERT(spout_slice_equal(h->fields[2].value, "a=b; c=d"));
	CU_ASSERT(spout_slice_equal(spout__http_head_get(h, "cOOKIE"), "a=b; c=d"));
	CU_ASSERT(spout_slice_equal(spout__http_head_get(h, "x-empty"), ""));
	CU_ASSERT_PTR_NOT_NULL(spout__http_head_get(h, "x-empty").data);
	CU_ASSERT_PTR_NULL(spout__http_head_get(h, "x-none").data);
	done();
}

static void
slices_point_into_the_input(void)
{
	const struct spout__http_head *h =
	    accepted("GET http://a?b HTTP/1.0\r\nX:\r\n\r\n");
	const struct spout_slice all[] = { h->target, h->path, h->query, h->host,
		h->fields[0].name, h->fields[0].value };
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		CU_ASSERT(all[i].data >= block && all[i].data + all[i].len <= block + 33);
	done();
}

static void
every_method_has_its_name(void)
{
	char text[64];
	int i;

	for (i = 0; i < SPOUT__HTTP_N_METHODS; i++) {
		snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: a\r\n\r\n",
		    spout__http_method_name((enum spout__http_method)i));
		CU_ASSERT_EQUAL(accepted(text)->method, (enum spout__http_method)i);
	}
	CU_ASSERT_STRING_EQUAL(spout__http_method_name(SPOUT__HTTP_OPTIONS), "OPTIONS");
	done();
}

/* RFC 9110 5.5: http-parser itself refuses the two with a tab. */
static void
blanks_around_values_are_trimmed(void)
{
	const struct spout__http_head *h = accepted(
	    POST "Content-Length:\t 4 \t\r\nX: \t a b\t \r\nY:  \t \r\nZ:z\r\n\r\n");

	CU_ASSERT_EQUAL(h->content_length, 4);
	CU_ASSERT(spout_slice_equal(spout__http_head_get(h, "X"), "a b"));
	CU_ASSERT(spout_slice_equal(spout__http_head_get(h, "Y"), ""));
	CU_ASSERT(spout_slice_equal(spout__http_head_get(h, "Z"), "z"));
	h = accepted(POST "Transfer-Encoding: chunked\t\r\n\r\n");
	CU_ASSERT_EQUAL(h->framing, SPOUT__HTTP_CHUNKED);
	CU_ASSERT(spout_slice_equal(h->fields[1].value, "chunked"));
	h = accepted(POST "Transfer-Encoding: chunked \r\n\r\n");
	CU_ASSERT_EQUAL(h->framing, SPOUT__HTTP_CHUNKED);
	h = accepted("GET / HTTP/1.1\r\nHost: a \t\r\n\r\n");
	CU_ASSERT(spout_slice_equal(h->host, "a"));
	done();
}

static void
high_bytes_in_values_are_taken(void)
{
	const struct spout__http_head *h = accepted(GET "X: \xc3\xa4\xff\r\n\r\n");

	CU_ASSERT(spout_slice_equal(h->fields[1].value, "\xc3\xa4\xff"));
	done();
}

static void
framing_follows_the_fields(void)
{
	const struct spout__http_head *h = accepted(POST "content-LENGTH: 0\r\n\r\n");

	CU_ASSERT_EQUAL(h->framing, SPOUT__HTTP_LENGTH);
	CU_ASSERT_EQUAL(h->content_length, 0);
	h = accepted(POST "Content-Length: 9999999999999999999\r\n\r\n");
	CU_ASSERT_EQUAL(h->content_length, 9999999999999999999u);
	h = accepted(POST "Content-Length: 0000000000000000012\r\n\r\n");
	CU_ASSERT_EQUAL(h->content_length, 12);
	h = accepted(POST "TRANSFER-encoding: CHUNKED\r\n\r\n");
	CU_ASSERT_EQUAL(h->framing, SPOUT__HTTP_CHUNKED);
	h = accepted("GET / HTTP/1.0\r\nContent-Length: 7\r\n\r\n");
	CU_ASSERT_EQUAL(h->framing, SPOUT__HTTP_LENGTH);
	CU_ASSERT_EQUAL(h->minor, 0);
	done();
}

static void
keep_alive_follows_version_and_connection(void)
{
	CU_ASSERT(accepted(GET "\r\n")->keep_alive);
	CU_ASSERT(!accepted(GET "Connection: close\r\n\r\n")->keep_alive);
	CU_ASSERT(!accepted(GET "Connection: x,, CLOSE ,y\r\n\r\n")->keep_alive);
	CU_ASSERT(!accepted(GET "Connection: keep-alive, close\r\n\r\n")->keep_alive);
	CU_ASSERT(
	    !accepted(GET "Connection: a\r\nconnection: close\r\n\r\n")->keep_alive);
	CU_ASSERT(accepted(GET "Connection: closed, close-not\r\n\r\n")->keep_alive);
	CU_ASSERT(accepted(GET "Connection:\r\n\r\n")->keep_alive);
	CU_ASSERT(!accepted("GET / HTTP/1.0\r\n\r\n")->keep_alive);
	CU_ASSERT(
	    accepted("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")->keep_alive);
	done();
}

static void
upgrade_needs_option_field_and_version(void)
{
	CU_ASSERT(
	    accepted(GET "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")->upgrade);
	CU_ASSERT(!accepted(GET "Upgrade: websocket\r\n\r\n")->upgrade);
	CU_ASSERT(!accepted(GET "Connection: Upgrade\r\n\r\n")->upgrade);
	CU_ASSERT(!accepted("GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		       ->upgrade);
	done();
}

/* curl --http2 and Java send it; it is served as HTTP/1.1. */
static void
upgrade_to_h2c_is_an_ordinary_request(void)
{
	const struct spout__http_head *h = accepted(
	    POST "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
		 "HTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 3\r\n\r\n");

	CU_ASSERT_EQUAL(h->framing, SPOUT__HTTP_LENGTH);
	CU_ASSERT_EQUAL(h->content_length, 3);
	CU_ASSERT(h->keep_alive);
	CU_ASSERT_EQUAL(h->n_fields, 5);
	done();
}

static void
expectation_counts_with_a_body_in_1_1(void)
{
	CU_ASSERT(accepted(POST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n")
		      ->expect_continue);
	CU_ASSERT(
	    accepted(POST "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n")
		->expect_continue);
	CU_ASSERT(!accepted(POST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n")
		       ->expect_continue);
	CU_ASSERT(!accepted(GET "Expect: 100-continue\r\n\r\n")->expect_continue);
	CU_ASSERT(!accepted("POST / HTTP/1.0\r\nExpect: 100-continue\r\n"
			    "Content-Length: 1\r\n\r\n")
		       ->expect_continue);
	done();
}

static void
targets_are_taken_in_three_forms(void)
{
	const struct spout__http_head *h =
	    accepted("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");

	CU_ASSERT(spout_slice_equal(h->path, "*"));
	h = accepted("GET http://a/b?c HTTP/1.1\r\nHost: A\r\n\r\n");
	CU_ASSERT(spout_slice_equal(h->path, "/b"));
	CU_ASSERT(spout_slice_equal(h->query, "c"));
	CU_ASSERT(spout_slice_equal(h->host, "a"));
	h = accepted("GET HTTPS://a:8443?c HTTP/1.1\r\nHost: a:8443\r\n\r\n");
	CU_ASSERT(spout_slice_equal(h->path, "/"));
	CU_ASSERT(spout_slice_equal(h->query, "c"));
	h = accepted("GET http://a:80 HTTP/1.1\r\nHost: a\r\n\r\n");
	CU_ASSERT(spout_slice_equal(h->path, "/"));
	CU_ASSERT(spout_slice_equal(h->host, "a:80"));
	h = accepted("GET //a HTTP/1.1\r\nHost: a\r\n\r\n");
	CU_ASSERT(spout_slice_equal(h->path, "//a"));
	CU_ASSERT(spout_slice_equal(h->query, ""));
	done();
}

static void
hosts_of_every_form_are_taken(void)
{
	static const char *const hosts[] = { "a", "a.b.", "127.0.0.1:8888", "[::1]",
		"[::1]:80", "[2001:db8::192.0.2.1]:65535", "under_score", "a:", "%41b",
		"xn--bcher-kva.ch", "1234", "a!$&'()*+,;=~" };
	char text[128];
	size_t i;

	for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		snprintf(
		    text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", hosts[i]);
		CU_ASSERT(spout_slice_equal(accepted(text)->host, hosts[i]));
	}
	CU_ASSERT(spout_slice_equal(accepted("GET / HTTP/1.0\r\n\r\n")->host, ""));
	done();
}

static const struct unit_test taken[] = {
	UNIT_TEST(a_request_is_taken_apart),
	UNIT_TEST(slices_point_into_the_input),
	UNIT_TEST(every_method_has_its_name),
	UNIT_TEST(blanks_around_values_are_trimmed),
	UNIT_TEST(high_bytes_in_values_are_taken),
	UNIT_TEST(framing_follows_the_fields),
	UNIT_TEST(keep_alive_follows_version_and_connection),
	UNIT_TEST(upgrade_needs_option_field_and_version),
	UNIT_TEST(upgrade_to_h2c_is_an_ordinary_request),
	UNIT_TEST(expectation_counts_with_a_body_in_1_1),
	UNIT_TEST(targets_are_taken_in_three_forms),
	UNIT_TEST(hosts_of_every_form_are_taken),
	UNIT_END,
};

/* --- limits and misuse ------------------------------------------------------------- */

static int
parse_fields(unsigned n)
{
	static struct spout__http_head head;
	char text[2048] = "GET / HTTP/1.1\r\nHost: a\r\n", *copy;
	unsigned i;
	int rc;

	for (i = 1; i < n; i++)
		strcat(text, "X: a\r\n");
	strcat(text, "\r\n");
	rc = parse_within(text, strlen(text), &usual, &head, &copy);
	if (rc == 0)
		CU_ASSERT_EQUAL(head.n_fields, n);
	free(copy);
	return rc;
}

static void
number_of_fields_has_a_limit(void)
{
	CU_ASSERT_EQUAL(parse_fields(100), 0);
	CU_ASSERT_EQUAL(parse_fields(101), -SPOUT__FAULT_TOO_MANY_FIELDS);
}

static void
incomplete_block_is_refused(void)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
	static struct spout__http_head head;
	size_t len;

	for (len = 0; len < sizeof(text) - 1; len++)
		CU_ASSERT(spout__http_head_parse(text, len, &usual, &head) < 0);
	CU_ASSERT_EQUAL(spout__http_head_parse(text, len, &usual, &head), 0);
	CU_ASSERT_EQUAL(
	    spout__http_head_parse(GET "\r\n\r\n", sizeof(GET) + 3, &usual, &head),
	    -SPOUT__FAULT_BAD_FIELD);
	/* What the search for the end would have found. */
	CU_ASSERT_EQUAL(
	    spout__http_head_parse("GET / HTTP/1.1\n\r\n\r\n", 19, &usual, &head),
	    -SPOUT__FAULT_BARE_LF);
}

static void
every_fault_has_status_word_and_section(void)
{
	int i;

	for (i = 1; i < SPOUT__N_FAULTS; i++) {
		CU_ASSERT(spout__http_faults[i].status >= 400 &&
		    spout__http_faults[i].status <= 505);
		CU_ASSERT(spout__http_faults[i].word[0] != '\0');
		CU_ASSERT_EQUAL(strncmp(spout__http_faults[i].section, "RFC ", 4), 0);
	}
}

static const struct unit_test limits[] = {
	UNIT_TEST(number_of_fields_has_a_limit),
	UNIT_TEST(incomplete_block_is_refused),
	UNIT_TEST(every_fault_has_status_word_and_section),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "refused heads", refused },
		{ "taken heads", taken },
		{ "limits and misuse", limits },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
