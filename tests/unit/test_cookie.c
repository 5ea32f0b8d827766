/* SPDX-License-Identifier: MIT */
/* Cookies as text, rings of keys, signed and encrypted values: the pure parts. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "web/cookie.h"
#include "web/keyring.h"
#include "web/signed_value.h"

/* --- reading ------------------------------------------------------------------------ */

/* "name=value|…" of the valid pairs of a field. */
static const char *
pairs_of(const char *field)
{
	static char text[512];
	struct spout_slice rest = spout_slice(field), name, value;
	unsigned left = SPOUT__COOKIES_MAX;
	int n = 0;

	text[0] = '\0';
	while (spout__cookie_next(&rest, &left, &name, &value))
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%.*s=%.*s|",
		    (int)name.len, name.data, (int)value.len, value.data);
	return text;
}

static void
pairs_of_a_cookie_field_are_split_and_trimmed(void)
{
	static const char *const cases[][2] = {
		{ "a=1", "a=1|" },
		{ "a=1; b=2;c=3", "a=1|b=2|c=3|" },
		{ " a = 1 \t;\tb=2 ", "a=1|b=2|" },
		{ "a=", "a=|" },
		{ "a=b=c", "a=b=c|" },
		{ "a=1;;; b=2;", "a=1|b=2|" },
		{ "a=\"x, y\"; b=2", "a=\"x, y\"|b=2|" },
		/* What is no pair, or has no name, counts as not there. */
		{ "", "" },
		{ "a", "" },
		{ "=1; a=2", "a=2|" },
		{ "a b=1; c=2", "c=2|" },
		{ "a\"=1; c=2", "c=2|" },
		{ "a,b=1; c=2", "c=2|" },
		{ "\xc3\xa4=1; c=2", "c=2|" },
		{ "$Version=1; c=2", "$Version=1|c=2|" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CU_ASSERT_STRING_EQUAL(pairs_of(cases[i][0]), cases[i][1]);
}

static void
only_so_many_pairs_are_looked_at(void)
{
	char field[SPOUT__COOKIES_MAX * 4 + 16] = "";
	struct spout_slice rest, name, value;
	unsigned n = 0, left = SPOUT__COOKIES_MAX;

	for (unsigned i = 0; i < SPOUT__COOKIES_MAX; i++)
		memcpy(field + 4 * i, "x=1;", 5);
	strcat(field, "last=1");
	rest = spout_slice(field);
	while (spout__cookie_next(&rest, &left, &name, &value))
		n++;
	CU_ASSERT_EQUAL(n, SPOUT__COOKIES_MAX);
	CU_ASSERT_TRUE(spout_slice_equal(name, "x"));
	left = SPOUT__COOKIES_MAX;
	rest = spout_slice(field + 4);
	while (spout__cookie_next(&rest, &left, &name, &value))
		;
	CU_ASSERT_TRUE(spout_slice_equal(name, "last"));
}

/* What a value means, or "bad". */
static const char *
unquoted(const char *value)
{
	static char text[256];
	long len = spout__cookie_unquote(spout_slice(value), text);

	text[len < 0 ? 0 : len] = '\0';
	return len < 0 ? "bad" : text;
}

static void
quotes_of_values_are_undone_as_python_makes_them(void)
{
	static const char *const cases[][2] = {
		{ "abc", "abc" },
		{ "", "" },
		{ "\"\"", "" },
		{ "\"abc\"", "abc" },
		{ "\"a b\"", "a b" },
		{ "\"a\\054b\\073c\\\"d\\\\e\"", "a,b;c\"d\\e" },
		{ "\"\\351\"", "\xc3\xa9" },
		{ "\"\\377\"", "\xc3\xbf" },
		{ "\"\\8\\x\"", "8x" },
		{ "\"\\05\"", "05" },
		{ "\"\\477\"", "477" },
		/* Not quoted: as it is. */
		{ "\"", "\"" },
		{ "\"a", "\"a" },
		{ "a\"", "a\"" },
		{ "a\\054", "a\\054" },
		{ "\"\\\"", "\\" },
		{ "a b, c", "a b, c" },
		{ "\xe2\x82\xac", "\xe2\x82\xac" },
		/* No text. */
		{ "\xff", "bad" },
		{ "a\tb", "bad" },
		{ "\"\\000\"", "bad" },
		{ "\"\\012\"", "bad" },
		{ "\"\\177\"", "bad" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CU_ASSERT_STRING_EQUAL(unquoted(cases[i][0]), cases[i][1]);
}

/* --- composing ---------------------------------------------------------------------- */

#define composed(name, value, ...) \
	compose((name), (value), &(struct spout_cookie_options){ __VA_ARGS__ })

/* The field, or what is wrong with it. */
static const char *
compose(const char *name, const char *value, const struct spout_cookie_options *options)
{
	static char line[SPOUT__COOKIE_ROOM + 1];
	const char *why;
	int len = spout__cookie_compose(name, value, options, line, &why);

	if (len < 0) {
		CU_ASSERT_EQUAL(len, -EINVAL);
		return why;
	}
	line[len] = '\0';
	return line;
}

static void
cookies_are_safe_unless_something_else_is_said(void)
{
	CU_ASSERT_STRING_EQUAL(
	    composed("a", "b", 0), "a=b; Path=/; HttpOnly; SameSite=Lax");
	CU_ASSERT_STRING_EQUAL(
	    composed("a", "", .path = "/x", .domain = "example.org", .max_age_s = 60,
		.scripts = true, .secure = true, .same_site = SPOUT_SAME_SITE_STRICT),
	    "a=; Max-Age=60; Domain=example.org; Path=/x; Secure; SameSite=Strict");
	CU_ASSERT_STRING_EQUAL(composed("a", "b", .expires = 784111777, .max_age_s = 60),
	    "a=b; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Path=/; HttpOnly; SameSite=Lax");
	CU_ASSERT_STRING_EQUAL(
	    composed("a", "b", .max_age_s = -1), "a=b; Path=/; HttpOnly; SameSite=Lax");
}

static void
what_asks_for_secure_gets_it(void)
{
	CU_ASSERT_STRING_EQUAL(composed("a", "b", .same_site = SPOUT_SAME_SITE_NONE),
	    "a=b; Path=/; Secure; HttpOnly; SameSite=None");
	CU_ASSERT_STRING_EQUAL(composed("a", "b", .partitioned = true),
	    "a=b; Path=/; Secure; HttpOnly; SameSite=Lax; Partitioned");
	CU_ASSERT_STRING_EQUAL(composed("__Host-a", "b", .path = "/"),
	    "__Host-a=b; Path=/; Secure; HttpOnly; SameSite=Lax");
	CU_ASSERT_STRING_EQUAL(composed("__secure-a", "b", .domain = ".example.org"),
	    "__secure-a=b; Domain=.example.org; Path=/; Secure; HttpOnly; SameSite=Lax");
}

static void
what_browsers_would_refuse_is_refused(void)
{
	static const char *const domains[] = { "", ".", "a..b", "a b", "a;b", "a\r\nb",
		"b\xc3\xa4", "a.", "..a", "a_b" };
	static const char *const paths[] = { "", "x", "/a b", "/a;b", "/\n", "/\x7f",
		"/\xc3\xa4" };

	CU_ASSERT_PTR_NOT_NULL(strstr(composed("", "b", 0), "no token"));
	CU_ASSERT_PTR_NOT_NULL(strstr(composed("a=", "b", 0), "no token"));
	CU_ASSERT_PTR_NOT_NULL(strstr(composed("a;", "b", 0), "no token"));
	CU_ASSERT_PTR_NOT_NULL(strstr(composed("a", "b\n", 0), "printable"));
	CU_ASSERT_PTR_NOT_NULL(strstr(composed("a", "b\x7f", 0), "printable"));
	CU_ASSERT_PTR_NOT_NULL(strstr(composed("a", "\xc3\xa4", 0), "printable"));
	for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++)
		CU_ASSERT_PTR_NOT_NULL(
		    strstr(composed("a", "b", .domain = domains[i]), "domain"));
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		CU_ASSERT_PTR_NOT_NULL(
		    strstr(composed("a", "b", .path = paths[i]), "path"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(composed("__Host-a", "b", .domain = "a.b"), "no domain"));
	CU_ASSERT_PTR_NOT_NULL(strstr(composed("__HOST-a", "b", .path = "/x"), "path"));
	CU_ASSERT_PTR_NOT_NULL(strstr(composed("a", "b", .expires = -1), "expire"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(composed("a", "b", .expires = INT64_C(253402300800)), "expire"));
	CU_ASSERT_PTR_NOT_NULL(strstr(
	    composed("a", "b", .same_site = (enum spout_same_site)3), "same_site"));
}

static void
values_that_need_quotes_come_back_the_same(void)
{
	static const char value[] = "a b,c;d\"e\\f=g<h>'(i)";
	const char *line = composed("a", value, 0), *end = strstr(line, "; Path");
	char sent[128];

	CU_ASSERT_PTR_NOT_NULL_FATAL(end);
	snprintf(sent, sizeof(sent), "%.*s", (int)(end - line - 2), line + 2);
	CU_ASSERT_STRING_EQUAL(sent, "\"a b\\054c\\073d\\\"e\\\\f=g<h>'(i)\"");
	CU_ASSERT_STRING_EQUAL(unquoted(sent), value);
}

static void
a_cookie_has_at_most_4096_bytes(void)
{
	char value[SPOUT__COOKIE_MAX_BYTES + 8], path[SPOUT__COOKIE_ATTRIBUTE_MAX + 2];
	char domain[260];

	memset(value, 'x', sizeof(value));
	value[SPOUT__COOKIE_MAX_BYTES - 1] = '\0';
	CU_ASSERT_PTR_NOT_NULL(strstr(composed("n", value, 0), "SameSite=Lax"));
	CU_ASSERT_PTR_NOT_NULL(strstr(composed("nn", value, 0), "longer than 4096"));
	/* Every character of a value may take four. */
	memset(value, ';', sizeof(value));
	value[(SPOUT__COOKIE_MAX_BYTES - 3) / 4] = '\0';
	CU_ASSERT_PTR_NOT_NULL(strstr(composed("n", value, 0), "SameSite=Lax"));
	value[(SPOUT__COOKIE_MAX_BYTES - 3) / 4] = ';';
	value[SPOUT__COOKIE_MAX_BYTES + 4] = '\0';
	CU_ASSERT_PTR_NOT_NULL(strstr(composed("n", value, 0), "longer than 4096"));
	memset(path, '/', sizeof(path));
	path[SPOUT__COOKIE_ATTRIBUTE_MAX] = '\0';
	memset(domain, 'd', sizeof(domain));
	domain[253] = '\0';
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(composed("n", "v", .path = path, .domain = domain), "SameSite=Lax"));
	domain[253] = 'd';
	domain[254] = '\0';
	CU_ASSERT_PTR_NOT_NULL(strstr(composed("n", "v", .domain = domain), "domain"));
	path[SPOUT__COOKIE_ATTRIBUTE_MAX] = '/';
	path[SPOUT__COOKIE_ATTRIBUTE_MAX + 1] = '\0';
	CU_ASSERT_PTR_NOT_NULL(strstr(composed("n", "v", .path = path), "path"));
}

/* --- keys --------------------------------------------------------------------------- */

#define FIRST "the first secret of this test"
#define SEVENTH "the-seventh-secret-of-this-test"

static struct spout__keyring ring;

static const char *
ring_of(const char *text)
{
	const char *why = NULL;
	int rc = spout__keyring_parse(text, &ring, &why);

	CU_ASSERT_EQUAL(rc, why == NULL ? 0 : -EINVAL);
	return why == NULL ? "" : why;
}

static void
one_secret_has_version_0(void)
{
	CU_ASSERT_STRING_EQUAL(ring_of("\n# mine\n  0123456789abcdef \r\n"), "");
	CU_ASSERT_EQUAL(ring.n, 1);
	CU_ASSERT_EQUAL(ring.keys[0].version, 0);
	CU_ASSERT_TRUE(spout_slice_equal(ring.keys[0].secret, "0123456789abcdef"));
}

static void
several_secrets_have_a_version_each(void)
{
	CU_ASSERT_STRING_EQUAL(
	    ring_of("4294967295 0123456789abcdef\n1\tfedcba9876543210"), "");
	CU_ASSERT_EQUAL(ring.n, 2);
	CU_ASSERT_EQUAL(ring.keys[0].version, UINT32_MAX);
	CU_ASSERT_PTR_EQUAL(spout__keyring_find(&ring, 1), &ring.keys[1]);
	CU_ASSERT_PTR_NULL(spout__keyring_find(&ring, 0));
	CU_ASSERT_PTR_NULL(spout__keyring_find(&ring, UINT64_C(4294967297)));
}

static void
rings_that_cannot_be_are_refused(void)
{
	char many[SPOUT__KEYS_MAX * 32 + 64] = "", large[SPOUT__SECRET_MAX + 2];
	size_t n = 0;

	CU_ASSERT_PTR_NOT_NULL(strstr(ring_of(""), "no secret"));
	CU_ASSERT_PTR_NOT_NULL(strstr(ring_of("# nothing\n\n"), "no secret"));
	CU_ASSERT_PTR_NOT_NULL(strstr(ring_of("0123456789abcde"), "shorter"));
	CU_ASSERT_PTR_NOT_NULL(strstr(ring_of("x 0123456789abcdef"), "VERSION SECRET"));
	CU_ASSERT_PTR_NOT_NULL(strstr(ring_of("4294967296 0123456789abcdef"), "large"));
	CU_ASSERT_PTR_NOT_NULL(strstr(ring_of("1 0123456789 abcdef"), "space"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(ring_of("1 0123456789abcdef\n1 fedcba9876543210"), "twice"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(ring_of("0123456789abcdef\nfedcba9876543210"), "needs a version"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(ring_of("1 0123456789abcdef\nfedcba9876543210"), "needs a version"));
	for (unsigned i = 0; i < SPOUT__KEYS_MAX; i++)
		n += (size_t)sprintf(many + n, "%u 0123456789abcdef\n", i);
	CU_ASSERT_STRING_EQUAL(ring_of(many), "");
	sprintf(many + n, "99 0123456789abcdef\n");
	CU_ASSERT_PTR_NOT_NULL(strstr(ring_of(many), "more than 16"));
	memset(large, 'k', sizeof(large));
	large[SPOUT__SECRET_MAX] = '\0';
	CU_ASSERT_STRING_EQUAL(ring_of(large), "");
	large[SPOUT__SECRET_MAX] = 'k';
	large[SPOUT__SECRET_MAX + 1] = '\0';
	CU_ASSERT_PTR_NOT_NULL(strstr(ring_of(large), "longer"));
}

/* --- signed ------------------------------------------------------------------------- */

/* As given to Tornado 6.2, whose secrets may hold spaces. */
static const struct spout__keyring tornado_keys = {
	.n = 2,
	.keys = { { 7, { "the seventh secret of this test", 31 } },
	    { 1, { FIRST, sizeof(FIRST) - 1 } } },
};
static const struct {
	const char *name, *value, *text;
} of_tornado[] = {
	{ "user", "alice",
	    "2|1:1|10:1700000000|4:user|8:YWxpY2U=|"
	    "ba16f09e5de89efeeb4f333e90f8403a1eae5d07733ac128ce4219b634851a9c" },
	{ "user", "",
	    "2|1:7|10:1700000000|4:user|0:|"
	    "2120ff2e80072814108bf4a95c306a8346e820712f066f2f486dea7e2b38ccb1" },
	{ "k|n:1", "a\xc3\xa9|:\xe2\x82\xac",
	    "2|1:7|10:1700000000|5:k|n:1|12:YcOpfDrigqw=|"
	    "b6683b47b83441214bff5ba80e94d4c60a8e2f8e01ddac4903f2c28036be158d" },
};
#define MADE_AT INT64_C(1700000000)
#define DAYS(n) ((n)*INT64_C(86400))

/* The result of reading `text`; the value is in `value`. */
static char value[512];

static long
read_signed(const char *name, const char *text, int64_t now, int64_t max_age_s)
{
	long len = spout__signed_read(
	    &tornado_keys, name, spout_slice(text), now, max_age_s, value);

	value[len < 0 ? 0 : len] = '\0';
	return len;
}

static void
what_tornado_signed_is_read(void)
{
	for (size_t i = 0; i < sizeof(of_tornado) / sizeof(of_tornado[0]); i++) {
		CU_ASSERT_EQUAL(
		    read_signed(of_tornado[i].name, of_tornado[i].text, MADE_AT, 0),
		    (long)strlen(of_tornado[i].value));
		CU_ASSERT_STRING_EQUAL(value, of_tornado[i].value);
	}
}

static void
what_is_signed_is_what_tornado_signs(void)
{
	char text[512];

	for (size_t i = 0; i < sizeof(of_tornado) / sizeof(of_tornado[0]); i++) {
		struct spout__keyring keys = tornado_keys;
		long len;

		keys.keys[0] = tornado_keys.keys[of_tornado[i].text[4] == '1'];
		CU_ASSERT_TRUE(spout__signed_room(of_tornado[i].name,
				   strlen(of_tornado[i].value)) <= sizeof(text));
		len = spout__signed_make(&keys, of_tornado[i].name,
		    spout_slice(of_tornado[i].value), MADE_AT, text);
		CU_ASSERT_EQUAL(len, (long)strlen(of_tornado[i].text));
		CU_ASSERT_EQUAL(memcmp(text, of_tornado[i].text, (size_t)len), 0);
	}
}

static void
a_signed_value_is_good_for_so_long_and_its_name_only(void)
{
	const char *text = of_tornado[0].text;

	CU_ASSERT_EQUAL(read_signed("user", text, MADE_AT + DAYS(31), DAYS(31)), 5);
	CU_ASSERT_EQUAL(
	    read_signed("user", text, MADE_AT + DAYS(31) + 1, DAYS(31)), -ETIMEDOUT);
	CU_ASSERT_EQUAL(read_signed("user", text, INT64_MAX, INT64_MAX - 1), 5);
	/* Signed by a clock that is ahead of ours. */
	CU_ASSERT_EQUAL(read_signed("user", text, MADE_AT - 100, 0), 5);
	CU_ASSERT_EQUAL(read_signed("use", text, MADE_AT, 0), -EBADMSG);
	CU_ASSERT_EQUAL(read_signed("user2", text, MADE_AT, 0), -EBADMSG);
}

static void
a_changed_byte_of_a_signed_value_is_noticed(void)
{
	char text[256];
	size_t len = strlen(of_tornado[0].text);

	for (size_t i = 0; i < len; i++) {
		memcpy(text, of_tornado[0].text, len + 1);
		text[i] = text[i] == '1' ? '7' : '1';
		if (text[i] != of_tornado[0].text[i])
			CU_ASSERT_EQUAL(read_signed("user", text, MADE_AT, 0), -EBADMSG);
		memcpy(text, of_tornado[0].text, len + 1);
		text[i] = '\0';
		CU_ASSERT_EQUAL(read_signed("user", text, MADE_AT, 0), -EBADMSG);
	}
	snprintf(text, sizeof(text), "%s0", of_tornado[0].text);
	CU_ASSERT_EQUAL(read_signed("user", text, MADE_AT, 0), -EBADMSG);
}

static void
other_formats_are_no_signed_values(void)
{
	static const char *const texts[] = {
		"",
		"2",
		"2|",
		/* Version 1 of Tornado. */
		"YWxpY2U=|1700000000|ab2c4e5e0ca3b0c1b6ba0e1e9b2a6bd7b1e3dc10",
		"3|1:1|10:1700000000|4:user|8:YWxpY2U=|"
		"ba16f09e5de89efeeb4f333e90f8403a1eae5d07733ac128ce4219b634851a9c",
		"2|01:1|10:1700000000|4:user|8:YWxpY2U=|"
		"ba16f09e5de89efeeb4f333e90f8403a1eae5d07733ac128ce4219b634851a9c",
		"2|1:1|10:1700000000|9999999999:user|8:YWxpY2U=|ba",
		"2|1:1|10:1700000000|-4:user|8:YWxpY2U=|ba",
		"2|99999999999999999999:1|10:1700000000|4:user|8:YWxpY2U=|ba",
		"2|1:x|10:1700000000|4:user|8:YWxpY2U=|"
		"ba16f09e5de89efeeb4f333e90f8403a1eae5d07733ac128ce4219b634851a9c",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		CU_ASSERT_EQUAL(read_signed("user", texts[i], MADE_AT, 0), -EBADMSG);
		CU_ASSERT_EQUAL(
		    read_signed("user", texts[i], MADE_AT, DAYS(31)), -EBADMSG);
	}
	CU_ASSERT_EQUAL(spout__signed_key_version(spout_slice(of_tornado[1].text)), 7);
	CU_ASSERT_EQUAL(spout__signed_key_version(spout_slice(texts[3])), -EBADMSG);
}

static void
keys_rotate(void)
{
	static const char both[] = "2 0123456789abcdef\n1 fedcba9876543210";
	char old[256], new[256];
	long old_len, new_len;

	ring_of("1 fedcba9876543210");
	old_len = spout__signed_make(&ring, "n", spout_slice("old"), MADE_AT, old);
	ring_of(both);
	new_len = spout__signed_make(&ring, "n", spout_slice("new"), MADE_AT, new);
	CU_ASSERT_EQUAL(
	    spout__signed_key_version(spout_slice_of(new, (size_t)new_len)), 2);
	CU_ASSERT_EQUAL(spout__signed_read(&ring, "n",
			    spout_slice_of(old, (size_t)old_len), MADE_AT, 0, value),
	    3);
	CU_ASSERT_EQUAL(spout__signed_read(&ring, "n",
			    spout_slice_of(new, (size_t)new_len), MADE_AT, 0, value),
	    3);
	ring_of("2 0123456789abcdef");
	CU_ASSERT_EQUAL(spout__signed_read(&ring, "n",
			    spout_slice_of(old, (size_t)old_len), MADE_AT, 0, value),
	    -EBADMSG);
}

static void
names_have_a_bound(void)
{
	char name[SPOUT__SIGNED_NAME_MAX + 2], text[2 * SPOUT__SIGNED_NAME_MAX];
	long len;

	ring_of("0123456789abcdef");
	memset(name, 'n', sizeof(name));
	name[SPOUT__SIGNED_NAME_MAX] = '\0';
	len = spout__signed_make(&ring, name, spout_slice("v"), MADE_AT, text);
	CU_ASSERT_TRUE(len > 0 && (size_t)len < spout__signed_room(name, 1));
	len = spout__sealed_make(&ring, name, spout_slice("v"), MADE_AT, text);
	CU_ASSERT_TRUE(len > 0 && (size_t)len < spout__signed_room(name, 1));
	CU_ASSERT_EQUAL(spout__sealed_read(&ring, name, spout_slice_of(text, (size_t)len),
			    MADE_AT, 0, value),
	    1);
	name[SPOUT__SIGNED_NAME_MAX] = 'n';
	name[SPOUT__SIGNED_NAME_MAX + 1] = '\0';
	CU_ASSERT_EQUAL(
	    spout__signed_make(&ring, name, spout_slice("v"), MADE_AT, text), -EMSGSIZE);
	CU_ASSERT_EQUAL(
	    spout__sealed_make(&ring, name, spout_slice("v"), MADE_AT, text), -EMSGSIZE);
	CU_ASSERT_EQUAL(spout__sealed_read(&ring, name, spout_slice_of(text, (size_t)len),
			    MADE_AT, 0, value),
	    -EBADMSG);
}

/* --- encrypted ---------------------------------------------------------------------- */

static long
read_sealed(const char *name, const char *text, size_t len, int64_t now)
{
	return spout__sealed_read(
	    &ring, name, spout_slice_of(text, len), now, DAYS(31), value);
}

static void
an_encrypted_value_is_bound_to_name_time_and_key(void)
{
	char text[512];
	size_t len;

	ring_of("3 0123456789abcdef\n2 fedcba9876543210");
	len = (size_t)spout__sealed_make(
	    &ring, "user", spout_slice("alice"), MADE_AT, text);
	CU_ASSERT_EQUAL(memcmp(text, "e1|3|1700000000|", 16), 0);
	CU_ASSERT_TRUE(len < spout__signed_room("user", 5));
	CU_ASSERT_EQUAL(read_sealed("user", text, len, MADE_AT + DAYS(31)), 5);
	CU_ASSERT_EQUAL(memcmp(value, "alice", 5), 0);
	CU_ASSERT_EQUAL(
	    read_sealed("user", text, len, MADE_AT + DAYS(31) + 1), -ETIMEDOUT);
	CU_ASSERT_EQUAL(read_sealed("admin", text, len, MADE_AT), -EBADMSG);
	for (size_t i = 0; i < len; i++) {
		char was = text[i];

		text[i] = was == '2' ? '3' : '2';
		CU_ASSERT_TRUE(read_sealed("user", text, len, MADE_AT) < 0);
		text[i] = was;
		CU_ASSERT_TRUE(read_sealed("user", text, i, MADE_AT) < 0);
	}
	ring_of("2 fedcba9876543210");
	CU_ASSERT_EQUAL(read_sealed("user", text, len, MADE_AT), -EBADMSG);
	/* The other key under the same number. */
	ring_of("3 fedcba9876543210");
	CU_ASSERT_EQUAL(read_sealed("user", text, len, MADE_AT), -EBADMSG);
}

static const struct unit_test text_tests[] = {
	UNIT_TEST(pairs_of_a_cookie_field_are_split_and_trimmed),
	UNIT_TEST(only_so_many_pairs_are_looked_at),
	UNIT_TEST(quotes_of_values_are_undone_as_python_makes_them),
	UNIT_TEST(cookies_are_safe_unless_something_else_is_said),
	UNIT_TEST(what_asks_for_secure_gets_it),
	UNIT_TEST(what_browsers_would_refuse_is_refused),
	UNIT_TEST(values_that_need_quotes_come_back_the_same),
	UNIT_TEST(a_cookie_has_at_most_4096_bytes),
	UNIT_END,
};

static const struct unit_test signed_tests[] = {
	UNIT_TEST(one_secret_has_version_0),
	UNIT_TEST(several_secrets_have_a_version_each),
	UNIT_TEST(rings_that_cannot_be_are_refused),
	UNIT_TEST(what_tornado_signed_is_read),
	UNIT_TEST(what_is_signed_is_what_tornado_signs),
	UNIT_TEST(a_signed_value_is_good_for_so_long_and_its_name_only),
	UNIT_TEST(a_changed_byte_of_a_signed_value_is_noticed),
	UNIT_TEST(other_formats_are_no_signed_values),
	UNIT_TEST(keys_rotate),
	UNIT_TEST(names_have_a_bound),
	UNIT_TEST(an_encrypted_value_is_bound_to_name_time_and_key),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "cookies as text", text_tests },
		{ "signed values", signed_tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
