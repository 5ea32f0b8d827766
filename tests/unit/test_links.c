/* SPDX-License-Identifier: MIT */
/* The links of an HTML page (src/examples/links.c): resolving, finding, rubbish. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/links.h"
#include "unit.h"

/* --- resolving ---------------------------------------------------------------------- */

static void
assert_resolves(const char *base, const char *reference, const char *expected)
{
	char url[LINKS_URL_BYTES];
	bool is = links_resolve(base, reference, strlen(reference), url);

	if (is != (expected != NULL) || (is && strcmp(url, expected) != 0))
		fprintf(stderr, "%s: %s\n", reference, is ? url : "refused");
	CU_ASSERT_TRUE(is == (expected != NULL) && (!is || strcmp(url, expected) == 0));
}

static void
references_resolve_as_in_rfc_3986_5_4(void)
{
	static const struct {
		const char *ref, *expected;
	} rows[] = {
		/* 5.4.1, normal; those of other schemes are no links */
		{ "g:h", NULL },
		{ "g", "http://a/b/c/g" },
		{ "./g", "http://a/b/c/g" },
		{ "g/", "http://a/b/c/g/" },
		{ "/g", "http://a/g" },
		{ "//g", "http://g/" },
		{ "?y", "http://a/b/c/d;p?y" },
		{ "g?y", "http://a/b/c/g?y" },
		{ "#s", "http://a/b/c/d;p?q" },
		{ "g#s", "http://a/b/c/g" },
		{ "g?y#s", "http://a/b/c/g?y" },
		{ ";x", "http://a/b/c/;x" },
		{ "g;x", "http://a/b/c/g;x" },
		{ "g;x?y#s", "http://a/b/c/g;x?y" },
		{ "", "http://a/b/c/d;p?q" },
		{ ".", "http://a/b/c/" },
		{ "./", "http://a/b/c/" },
		{ "..", "http://a/b/" },
		{ "../", "http://a/b/" },
		{ "../g", "http://a/b/g" },
		{ "../..", "http://a/" },
		{ "../../", "http://a/" },
		{ "../../g", "http://a/g" },
		/* 5.4.2, abnormal */
		{ "../../../g", "http://a/g" },
		{ "../../../../g", "http://a/g" },
		{ "/./g", "http://a/g" },
		{ "/../g", "http://a/g" },
		{ "g.", "http://a/b/c/g." },
		{ ".g", "http://a/b/c/.g" },
		{ "g..", "http://a/b/c/g.." },
		{ "..g", "http://a/b/c/..g" },
		{ "./../g", "http://a/b/g" },
		{ "./g/.", "http://a/b/c/g/" },
		{ "g/./h", "http://a/b/c/g/h" },
		{ "g/../h", "http://a/b/c/h" },
		{ "g;x=1/./y", "http://a/b/c/g;x=1/y" },
		{ "g;x=1/../y", "http://a/b/c/y" },
		{ "g?y/./x", "http://a/b/c/g?y/./x" },
		{ "g?y/../x", "http://a/b/c/g?y/../x" },
		{ "http:g", NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_resolves("http://a/b/c/d;p?q", rows[i].ref, rows[i].expected);
}

static void
urls_are_normalised(void)
{
	assert_resolves(NULL, "HTTP://Example.COM:80", "http://example.com/");
	assert_resolves(NULL, "https://example.com:443/?a", "https://example.com/?a");
	assert_resolves(NULL, "http://example.com:443", "http://example.com:443/");
	assert_resolves(NULL, "http://a:/x", "http://a/x");
	assert_resolves(NULL, "http://a:008080/x", "http://a:8080/x");
	assert_resolves(NULL, "http://[::1]:8080/x", "http://[::1]:8080/x");
	assert_resolves(NULL, " \n http://a/ \t", "http://a/");
	assert_resolves(NULL, "http://a/ \"<\xc3\xa4>", "http://a/%20%22%3C%C3%A4%3E");
	assert_resolves(NULL, "http://a/%7e%20", "http://a/%7e%20");
}

static void
what_is_no_web_address_is_refused(void)
{
	static const char *const rows[] = { "", "/x", "mailto:a@b", "javascript:x()",
		"http:", "http://", "http:///x", "http://user:secret@a/", "http://a b/",
		"http://a:b/", "http://a:80:80/", "http://a:65536/", "http://[::1/",
		"http://[::1]x/", "ftp://a/", "://a/", "http//a" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_resolves(NULL, rows[i], NULL);
}

static void
a_url_of_2047_bytes_is_the_longest(void)
{
	char text[LINKS_URL_BYTES + 1] = "http://a/";

	memset(text + 9, 'x', LINKS_URL_BYTES - 10);
	assert_resolves(NULL, text, text);
	text[LINKS_URL_BYTES - 1] = 'x';
	assert_resolves(NULL, text, NULL);
	/* Short, and too long only when it is encoded. */
	memset(text + 9, ' ', 700);
	memcpy(text + 709, "x", 2);
	assert_resolves(NULL, text, NULL);
}

static void
the_origin_ends_before_the_path(void)
{
	CU_ASSERT_EQUAL(links_origin_len("http://a/x/y"), 8);
	CU_ASSERT_EQUAL(links_origin_len("https://[::1]:8080/?x"), 18);
}

/* --- finding ------------------------------------------------------------------------ */

static char found[256];

static void
note(const char *url, void *arg)
{
	size_t len = strlen(found);

	CU_ASSERT_STRING_EQUAL(arg, "arg");
	snprintf(found + len, sizeof(found) - len, "%s ", url + strlen("http://a"));
}

static void
assert_finds(const char *html, const char *expected)
{
	size_t len = strlen(html);
	char arg[] = "arg";
	char *copy = malloc(len > 0 ? len : 1); /* nothing behind its end may be read */

	memcpy(copy, html, len);
	found[0] = '\0';
	links_find(copy, len, "http://a/d/p", note, arg);
	free(copy);
	CU_ASSERT_STRING_EQUAL(found, expected);
}

static void
links_are_found_however_they_are_written(void)
{
	assert_finds("<a href=\"/x\">", "/x ");
	assert_finds("<A HREF='/x'>", "/x ");
	assert_finds("<a href=/x>", "/x ");
	assert_finds("<a\nclass=c\n href = x >y</a>", "/d/x ");
	assert_finds("<area href=\"../x\">", "/x ");
	assert_finds("<a href=\"/x?a=1&amp;b=2&c\">", "/x?a=1&b=2&c ");
	assert_finds("<a href=\"/x\ny\">", "/xy ");
	assert_finds("<a title='>' disabled href=/x><a href=/y>", "/x /y ");
	assert_finds("<a href=/x href=/y>", "/x ");
	assert_finds("<a/href=/x>", "/x ");
}

static void
what_is_no_link_is_none(void)
{
	assert_finds("", "");
	assert_finds("<", "");
	assert_finds("text href=/x", "");
	assert_finds("<abbr href=/x><link href=/x><a name=x><a href><a href=><a>", "");
	assert_finds("<!-- <a href=/x> --><a href=/y>", "/y ");
	assert_finds("<!-- <a href=/x>", "");
	assert_finds("<script>'<a href=/x>'</script><a href=/y>", "/y ");
	assert_finds("<style><a href=/x></style><a href=/y>", "/y ");
	assert_finds("<a href=mailto:x@y><a href=javascript:x>", "");
	assert_finds("</a href=/x>", "");
}

static void
rubbish_is_no_trouble(void)
{
	assert_finds("<a href=\"/x\"", "");
	assert_finds("<a href=/x", "");
	assert_finds("<a href=\"/x><a href=\"/y\">", "/x%3E%3Ca%20href= ");
	assert_finds("<a href=", "");
	assert_finds("<a href='", "");
	assert_finds("<a =\"'<>< a href=/x><a href=/y>", "/y ");
	assert_finds("<a ====href=/x>", "/x ");
	assert_finds("<<<a href=/x>>>", "/x ");
}

static void
a_long_reference_is_no_link(void)
{
	static char html[3 * LINKS_URL_BYTES] = "<a href='/";

	memset(html + 10, 'x', 2 * LINKS_URL_BYTES);
	strcat(html, "'><a href=/y>");
	assert_finds(html, "/y ");
}

static const struct unit_test tests[] = {
	UNIT_TEST(references_resolve_as_in_rfc_3986_5_4),
	UNIT_TEST(urls_are_normalised),
	UNIT_TEST(what_is_no_web_address_is_refused),
	UNIT_TEST(a_url_of_2047_bytes_is_the_longest),
	UNIT_TEST(the_origin_ends_before_the_path),
	UNIT_TEST(links_are_found_however_they_are_written),
	UNIT_TEST(what_is_no_link_is_none),
	UNIT_TEST(rubbish_is_no_trouble),
	UNIT_TEST(a_long_reference_is_no_link),
	UNIT_END
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "links", tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
