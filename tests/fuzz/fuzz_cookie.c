/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: a Cookie field, and its whole text as a signed value, an encrypted value
 * and a ring of keys. What must hold for every text:
 *
 *   - names and values lie in it, one behind the other; a name is a token;
 *   - an unquoted value fits its room and has no control character;
 *   - a value that can be set again comes back the same;
 *   - nothing that was not signed by a key of the ring is taken.
 */
#include "config.h"

#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "http/chars.h"
#include "web/cookie.h"
#include "web/signed_value.h"

static void
must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "finding: %s\n", what);
	abort();
}

/* Set the value as a cookie, and read what a browser would send back. */
static void
round_trip(const char *value)
{
	char line[SPOUT__COOKIE_ROOM], back[2 * SPOUT__COOKIE_ROOM];
	const struct spout_cookie_options options = { 0 };
	struct spout_slice rest, name, sent;
	unsigned left = 1;
	const char *why;
	int len = spout__cookie_compose("name", value, &options, line, &why);
	long n;

	if (len < 0)
		return;
	rest = spout_slice_of(line, (size_t)len);
	must(spout__cookie_next(&rest, &left, &name, &sent), "a set cookie is not read");
	n = spout__cookie_unquote(sent, back);
	must(n >= 0 && (size_t)n == strlen(value) && memcmp(back, value, (size_t)n) == 0,
	    "a set value comes back as another");
}

static void
check_pair(struct spout_slice name, struct spout_slice value)
{
	char *text = malloc(2 * value.len + 1);
	long n;

	for (size_t i = 0; i < name.len; i++)
		must(spout__http_char_is(name.data[i], SPOUT__CHAR_TOKEN), "bad name");
	n = spout__cookie_unquote(value, text);
	must(n <= (long)(2 * value.len), "an unquoted value is too long");
	for (long i = 0; i < n; i++)
		must((unsigned char)text[i] >= 0x20 && text[i] != 0x7f, "control");
	if (n >= 0) {
		text[n] = '\0';
		round_trip(text);
	}
	free(text);
}

static void
check_values(struct spout_slice field)
{
	static const struct spout__keyring keys = { .n = 1,
		.keys = { { 1, { "0123456789abcdef", 16 } } } };
	char *value = malloc(field.len + 1);
	struct spout__keyring ring;
	const char *why;

	must(spout__signed_read(&keys, "user", field, 0, INT64_MAX, value) < 0,
	    "a signed value out of nothing");
	must(spout__sealed_read(&keys, "user", field, 0, INT64_MAX, value) < 0,
	    "an encrypted value out of nothing");
	memcpy(value, field.data, field.len);
	value[field.len] = '\0';
	if (spout__keyring_parse(value, &ring, &why) == 0)
		must(ring.n > 0 && ring.n <= SPOUT__KEYS_MAX, "a ring without keys");
	free(value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct spout_slice field = spout_slice_of(data, len), rest = field, name, value;
	const char *at = field.data;
	unsigned left = SPOUT__COOKIES_MAX;

	while (spout__cookie_next(&rest, &left, &name, &value)) {
		must(name.data >= at && name.len > 0 &&
			value.data > name.data + name.len - 1 &&
			value.data + value.len <= field.data + len,
		    "a pair beside the field");
		at = value.data + value.len;
		check_pair(name, value);
	}
	check_values(field);
	return 0;
}
