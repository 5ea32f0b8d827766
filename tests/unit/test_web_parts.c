/* SPDX-License-Identifier: MIT */
/* The pure parts of the web layer: text, arguments, statuses, error pages, access log. */
#include "config.h"

#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>

#include "base/text.h"
#include "web/access_log.h"
#include "web/args.h"
#include "web/accept.h"
#include "web/page.h"
#include "web/status.h"

/* --- text --------------------------------------------------------------------------- */

static bool
utf8(const char *text)
{
	return spout__utf8_valid(text, strlen(text));
}

static void
utf8_is_told_from_other_bytes(void)
{
	CU_ASSERT_TRUE(
	    utf8("") && utf8("abc") && utf8("\xc3\xa9") && utf8("\xe2\x82\xac"));
	CU_ASSERT_TRUE(
	    utf8("\xf0\x9f\x8c\xaa") && utf8("\xed\x9f\xbf") && utf8("\xf4\x8f\xbf\xbf"));
	CU_ASSERT_FALSE(
	    utf8("\x80") || utf8("\xc3") || utf8("\xc3(") || utf8("\xe2\x82"));
	CU_ASSERT_FALSE(utf8("\xc0\xaf") || utf8("\xc1\xbf") || utf8("\xe0\x9f\xbf"));
	CU_ASSERT_FALSE(
	    utf8("\xf0\x8f\xbf\xbf") || utf8("\xed\xa0\x80") || utf8("\xf4\x90\x80\x80"));
	CU_ASSERT_FALSE(
	    utf8("\xf5\x80\x80\x80") || utf8("\xff") || utf8("\xf0\x9f\x8c("));
}

/* "bad", or what the text decodes to. */
static const char *
decoded(const char *text, bool plus)
{
	static char room[256];
	long len = spout__percent_decode(text, strlen(text), plus, room);

	room[len < 0 ? 0 : len] = '\0';
	return len < 0 ? "bad" : room;
}

static void
percent_encoding_is_decoded_once(void)
{
	CU_ASSERT_STRING_EQUAL(decoded("a%20b+c", false), "a b+c");
	CU_ASSERT_STRING_EQUAL(decoded("a%20b+c", true), "a b c");
	CU_ASSERT_STRING_EQUAL(decoded("%2525", true), "%25");
	CU_ASSERT_STRING_EQUAL(decoded("%e2%82%AC", true), "\xe2\x82\xac");
	CU_ASSERT_STRING_EQUAL(decoded("%", true), "bad");
	CU_ASSERT_STRING_EQUAL(decoded("a%4", true), "bad");
	CU_ASSERT_STRING_EQUAL(decoded("%+1", true), "bad");
	CU_ASSERT_STRING_EQUAL(decoded("%00", true), "bad");
	CU_ASSERT_STRING_EQUAL(decoded("%ff", true), "bad");
}

static void
percent_encoding_round_trips(void)
{
	const char *text = "a b&c=d/e?f%g\xc3\xa9~-._";
	char encoded[128];

	encoded[spout__percent_encode(text, strlen(text), encoded)] = '\0';
	CU_ASSERT_STRING_EQUAL(encoded, "a%20b%26c%3Dd%2Fe%3Ff%25g%C3%A9~-._");
	CU_ASSERT_STRING_EQUAL(decoded(encoded, true), text);
}

static void
html_is_escaped(void)
{
	const char *text = "<a href=\"x\" id='y'>&amp;</a>";
	char escaped[128];
	size_t len = spout__html_escape(text, strlen(text), escaped);

	escaped[len] = '\0';
	CU_ASSERT_EQUAL(len, spout__html_escaped_len(text, strlen(text)));
	CU_ASSERT_STRING_EQUAL(
	    escaped, "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;&lt;/a&gt;");
}

/* --- arguments ------------------------------------------------------------------ */

static struct spout__args *args;
static char *args_room;
static struct spout_slice args_bad;

static int
args_of(const char *text)
{
	size_t len = strlen(text);

	free(args);
	free(args_room);
	args = malloc(
	    sizeof(*args) + spout__args_count(spout_slice(text)) * sizeof(args->list[0]));
	args_room = malloc(len + 1);
	return spout__args_parse(spout_slice_of(text, len), args_room, args, &args_bad);
}

static void
args_done(void)
{
	free(args);
	free(args_room);
	args = NULL;
	args_room = NULL;
}

static void
arguments_are_split_and_decoded(void)
{
	CU_ASSERT_EQUAL(args_of("a=1&b=x+y%26z&c&=d&e=&&a=2"), 0);
	CU_ASSERT_EQUAL(args->n, 6);
	CU_ASSERT_STRING_EQUAL(spout__args_get(args, "a"), "2");
	CU_ASSERT_STRING_EQUAL(spout__args_get(args, "b"), "x y&z");
	CU_ASSERT_STRING_EQUAL(spout__args_get(args, "c"), "");
	CU_ASSERT_STRING_EQUAL(spout__args_get(args, ""), "d");
	CU_ASSERT_STRING_EQUAL(spout__args_get(args, "e"), "");
	CU_ASSERT_PTR_NULL(spout__args_get(args, "f"));
	CU_ASSERT_EQUAL(args_of(""), 0);
	CU_ASSERT_EQUAL(args->n, 0);
	CU_ASSERT_EQUAL(args_of("&&&"), 0);
	CU_ASSERT_EQUAL(args->n, 0);
	CU_ASSERT_EQUAL(args_of("a==b=c"), 0);
	CU_ASSERT_STRING_EQUAL(spout__args_get(args, "a"), "=b=c");
	args_done();
}

static void
a_malformed_argument_is_named(void)
{
	CU_ASSERT_EQUAL(args_of("a=1&b=%zz&c=3"), -EBADMSG);
	CU_ASSERT_TRUE(spout_slice_equal(args_bad, "b=%zz"));
	CU_ASSERT_EQUAL(args_of("%00=1"), -EBADMSG);
	CU_ASSERT_TRUE(spout_slice_equal(args_bad, "%00=1"));
	args_done();
}

static void
whole_numbers_are_read_strictly(void)
{
	static const char *const bad[] = { "", "-", "+1", " 1", "1 ", "1.0", "0x1", "1e3",
		"--1", "9223372036854775808", "-9223372036854775809",
		"99999999999999999999" };
	int64_t n = 7;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CU_ASSERT_TRUE(spout__parse_int(bad[i], &n) < 0);
	CU_ASSERT_EQUAL(n, 7);
	CU_ASSERT_TRUE(spout__parse_int("0", &n) == 0 && n == 0);
	CU_ASSERT_TRUE(spout__parse_int("-0012", &n) == 0 && n == -12);
	CU_ASSERT_TRUE(
	    spout__parse_int("9223372036854775807", &n) == 0 && n == INT64_MAX);
	CU_ASSERT_TRUE(
	    spout__parse_int("-9223372036854775808", &n) == 0 && n == INT64_MIN);
}

static void
numbers_are_read_strictly_in_any_locale(void)
{
	static const char *const bad[] = { "", "nan", "inf", "0x1p3", " 1", "1,5", "1.5x",
		"1e999", ".", "-", "1e", "--1" };
	double x = 7;
	size_t i;

	setlocale(LC_NUMERIC, "de_DE.UTF-8");
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CU_ASSERT_EQUAL(spout__parse_double(bad[i], &x), -EBADMSG);
	CU_ASSERT_TRUE(spout__parse_double("-1.5e2", &x) == 0 && x == -150);
	CU_ASSERT_TRUE(spout__parse_double(".25", &x) == 0 && x == 0.25);
	setlocale(LC_NUMERIC, "C");
}

static void
truth_values_are_read(void)
{
	bool b = false;

	CU_ASSERT_TRUE(spout__parse_bool("TRUE", &b) == 0 && b);
	CU_ASSERT_TRUE(spout__parse_bool("off", &b) == 0 && !b);
	CU_ASSERT_TRUE(spout__parse_bool("1", &b) == 0 && b);
	CU_ASSERT_TRUE(spout__parse_bool("No", &b) == 0 && !b);
	CU_ASSERT_EQUAL(spout__parse_bool("2", &b), -EBADMSG);
	CU_ASSERT_EQUAL(spout__parse_bool("", &b), -EBADMSG);
}

/* `n` brackets, closed again. */
static bool
depth_ok(unsigned n)
{
	char text[512];

	memset(text, '[', n);
	memset(text + n, ']', n);
	return spout__json_depth_ok(spout_slice_of(text, 2 * n));
}

static void
json_may_nest_to_a_bound(void)
{
	CU_ASSERT_TRUE(depth_ok(SPOUT__JSON_MAX_DEPTH));
	CU_ASSERT_FALSE(depth_ok(SPOUT__JSON_MAX_DEPTH + 1));
	CU_ASSERT_TRUE(spout__json_depth_ok(spout_slice("[\"[[\\\"[[\", [], [], {}]")));
	CU_ASSERT_TRUE(spout__json_depth_ok(spout_slice("\"\\")));
}

/* --- statuses and pages --------------------------------------------------------- */

static void
errors_have_one_status_each(void)
{
	CU_ASSERT_EQUAL(spout__status_of_error(-ENOBUFS), 503);
	CU_ASSERT_EQUAL(spout__status_of_error(-ENOTCONN), 503);
	CU_ASSERT_EQUAL(spout__status_of_error(-ENOMEM), 503);
	CU_ASSERT_EQUAL(spout__status_of_error(-ETIMEDOUT), 504);
	CU_ASSERT_EQUAL(spout__status_of_error(-EREMOTEIO), 502);
	CU_ASSERT_EQUAL(spout__status_of_error(-EINVAL), 500);
	CU_ASSERT_EQUAL(spout__status_of_error(-EPIPE), 500);
	CU_ASSERT_EQUAL(spout__status_of_error(INT_MIN + 1), 500);
	CU_ASSERT_EQUAL(spout__status_of_error(SPOUT__ERROR_OF_STATUS(404)), 404);
	CU_ASSERT_EQUAL(spout__status_of_error(SPOUT__ERROR_OF_STATUS(200)), 500);
	CU_ASSERT_STRING_EQUAL(spout__status_reason(404), "Not Found");
	CU_ASSERT_STRING_EQUAL(spout__status_reason(599), "Error");
}

static const char *
page_text(struct spout__page page)
{
	static struct spout__buffer text = { .max = SPOUT__PAGE_MAX_BYTES };
	static char copy[SPOUT__PAGE_MAX_BYTES + 1];

	CU_ASSERT_EQUAL(spout__page_write(&page, &text), 0);
	memcpy(copy, spout__buffer_at(&text), text.len);
	copy[text.len] = '\0';
	spout__buffer_release(&text);
	return copy;
}

static void
error_pages_escape_what_they_show(void)
{
	const char *html = page_text((struct spout__page){ .status = 404,
	    .message = "no <script>alert('x')</script>",
	    .request_id = "id-1" });

	CU_ASSERT_PTR_NOT_NULL(strstr(html, "<title>404: Not Found</title>"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(html, "<p>no &lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;</p>"));
	CU_ASSERT_PTR_NOT_NULL(strstr(html, "Request id: id-1"));
	CU_ASSERT_PTR_NULL(strstr(html, "<script>"));
	CU_ASSERT_PTR_NULL(
	    strstr(page_text((struct spout__page){ .status = 500 }), "<p>"));
}

static void
error_pages_come_as_json(void)
{
	CU_ASSERT_STRING_EQUAL(page_text((struct spout__page){ .status = 400,
				   .message = "a \"b\"\\\n\xff",
				   .request_id = "id-1",
				   .json = true }),
	    "{\"error\":{\"status\":400,\"reason\":\"Bad Request\","
	    "\"message\":\"a \\u0022b\\u0022\\u005c\\u000a\\u00ff\","
	    "\"request_id\":\"id-1\"}}\n");
	CU_ASSERT_STRING_EQUAL(
	    page_text((struct spout__page){ .status = 503, .json = true }),
	    "{\"error\":{\"status\":503,\"reason\":\"Service Unavailable\"}}\n");
	CU_ASSERT_STRING_EQUAL(
	    page_text((struct spout__page){
		.status = 404, .message = "caf\xc3\xa9", .json = true }),
	    "{\"error\":{\"status\":404,\"reason\":\"Not Found\","
	    "\"message\":\"caf\xc3\xa9\"}}\n");
}

static void
accept_chooses_the_form_of_a_page(void)
{
	static const struct {
		const char *accept;
		bool json;
	} cases[] = {
		{ NULL, false },
		{ "", false },
		{ "*/*", false },
		{ "application/json", true },
		{ "APPLICATION/JSON", true },
		{ "application/*", true },
		{ "text/html,application/xhtml+xml,*/*;q=0.8", false },
		{ "application/json, text/plain, */*", true },
		{ "application/json, text/html", false },
		{ "text/html;q=0.5, application/json", true },
		{ "text/html, application/json;q=0.9", false },
		{ "application/json;q=0, */*", false },
		{ "application/json ; v=1 ; q=0.4 , text/html;q=0.3", true },
		{ "application/json;q=junk", false },
		{ "*/*;q=0.1, application/json;q=0.2", true },
		{ "text/plain", false },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		bool json = spout__accept_prefers_json(spout_slice(cases[i].accept));

		if (json != cases[i].json)
			fprintf(stderr, "Accept: %s\n", cases[i].accept);
		CU_ASSERT_EQUAL(json, cases[i].json);
	}
}

/* --- access log ----------------------------------------------------------------- */

static const char *
access_line(const struct spout__access_entry *entry, bool json)
{
	static struct spout__access_log log;

	spout__access_log_init(&log, -1, json);
	spout__access_log_format(&log, entry, 784111777);
	log.line[log.len] = '\0';
	return log.line;
}

static struct sockaddr_in
peer_v4(void)
{
	struct sockaddr_in peer = { .sin_family = AF_INET };

	peer.sin_addr.s_addr = htonl(0xc0000201);
	return peer;
}

static void
access_log_has_the_combined_format(void)
{
	struct sockaddr_in peer = peer_v4();
	struct spout__access_entry e = { .peer = (struct sockaddr *)&peer,
		.method = "GET",
		.target = spout_slice("/a?b=\"c\""),
		.minor = 1,
		.status = 200,
		.bytes = 13,
		.duration_us = 85,
		.request_id = "id-1",
		.user_agent = spout_slice("curl\\7\t") };

	CU_ASSERT_STRING_EQUAL(access_line(&e, false),
	    "192.0.2.1 - - [06/Nov/1994:08:49:37 +0000] "
	    "\"GET /a?b=\\x22c\\x22 HTTP/1.1\" 200 13 \"-\" \"curl\\x5c7\\x09\" 85 id-1");
	CU_ASSERT_STRING_EQUAL(
	    access_line(&(struct spout__access_entry){ .peer = (struct sockaddr *)&peer,
			    .status = 400,
			    .bytes = 5,
			    .cut = true },
		false),
	    "192.0.2.1 - - [06/Nov/1994:08:49:37 +0000] \"-\" 400 5 \"-\" \"-\" 0 - cut");
}

static void
access_log_has_a_json_form(void)
{
	struct sockaddr_in peer = peer_v4();
	struct spout__access_entry e = { .peer = (struct sockaddr *)&peer,
		.method = "GET",
		.target = spout_slice("/a\"b"),
		.minor = 0,
		.status = 404,
		.bytes = 13,
		.duration_us = 85,
		.request_id = "id-1",
		.referer = spout_slice("caf\xe9"),
		.user_agent = spout_slice("\xff\n"),
		.cut = true };

	CU_ASSERT_STRING_EQUAL(access_line(&e, true),
	    "{\"time\":\"1994-11-06T08:49:37Z\",\"peer\":\"192.0.2.1\",\"status\":404,"
	    "\"bytes\":13,\"duration_us\":85,\"method\":\"GET\",\"version\":\"1.0\","
	    "\"target\":\"/a\\u0022b\",\"referer\":\"caf\\u00e9\","
	    "\"user_agent\":\"\\u00ff\\u000a\",\"request_id\":\"id-1\",\"cut\":true}");
}

static void
access_log_cuts_what_is_long(void)
{
	struct sockaddr_in peer = peer_v4();
	static char target[8000];
	struct spout__access_entry e = { .peer = (struct sockaddr *)&peer,
		.method = "GET",
		.target = spout_slice_of(target, sizeof(target)),
		.minor = 1,
		.status = 200,
		.user_agent = spout_slice_of(target, sizeof(target)) };

	memset(target, '"', sizeof(target));
	CU_ASSERT_TRUE(strlen(access_line(&e, false)) < 12000);
	CU_ASSERT_PTR_NOT_NULL(strstr(access_line(&e, false), "\\x22... HTTP/1.1"));
	CU_ASSERT_PTR_NOT_NULL(strstr(access_line(&e, true), "\\u0022...\""));
}

static void
peers_are_written_as_addresses(void)
{
	char text[SPOUT__PEER_SIZE];
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr local = { .sa_family = AF_UNIX };

	inet_pton(AF_INET6, "2001:db8::1", &v6.sin6_addr);
	spout__peer_text((struct sockaddr *)&v6, text);
	CU_ASSERT_STRING_EQUAL(text, "2001:db8::1");
	inet_pton(AF_INET6, "::ffff:192.0.2.1", &v6.sin6_addr);
	spout__peer_text((struct sockaddr *)&v6, text);
	CU_ASSERT_STRING_EQUAL(text, "192.0.2.1");
	spout__peer_text(&local, text);
	CU_ASSERT_STRING_EQUAL(text, "unix");
}

static const struct unit_test text_tests[] = {
	UNIT_TEST(utf8_is_told_from_other_bytes),
	UNIT_TEST(percent_encoding_is_decoded_once),
	UNIT_TEST(percent_encoding_round_trips),
	UNIT_TEST(html_is_escaped),
	UNIT_END,
};

static const struct unit_test args_tests[] = {
	UNIT_TEST(arguments_are_split_and_decoded),
	UNIT_TEST(a_malformed_argument_is_named),
	UNIT_TEST(whole_numbers_are_read_strictly),
	UNIT_TEST(numbers_are_read_strictly_in_any_locale),
	UNIT_TEST(truth_values_are_read),
	UNIT_TEST(json_may_nest_to_a_bound),
	UNIT_END,
};

static const struct unit_test answer_tests[] = {
	UNIT_TEST(errors_have_one_status_each),
	UNIT_TEST(error_pages_escape_what_they_show),
	UNIT_TEST(error_pages_come_as_json),
	UNIT_TEST(accept_chooses_the_form_of_a_page),
	UNIT_TEST(access_log_has_the_combined_format),
	UNIT_TEST(access_log_has_a_json_form),
	UNIT_TEST(access_log_cuts_what_is_long),
	UNIT_TEST(peers_are_written_as_addresses),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "text", text_tests },
		{ "args", args_tests },
		{ "answers", answer_tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
