/* SPDX-License-Identifier: MIT */
/* JSON as text: the same as jansson's own. */
#include "config.h"

#include "unit.h"

#include <float.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "web/json_dump.h"

static unsigned dice = 1;

static unsigned
roll(unsigned sides)
{
	dice = dice * 1103515245u + 12345u;
	return dice / 65536u % sides;
}

/* Owned here. Into a buffer of each size there may be. */
static void
expect_same(json_t *value)
{
	char *expected = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY), *text;
	size_t len, size;

	CU_ASSERT_PTR_NOT_NULL_FATAL(expected);
	len = strlen(expected);
	text = malloc(len + 1);
	CU_ASSERT_EQUAL(spout__json_dump(value, text, len), len);
	CU_ASSERT_EQUAL(memcmp(text, expected, len), 0);
	for (size = 0; size < len; size += 1 + len / 16) {
		memset(text, '~', len + 1);
		CU_ASSERT_EQUAL(spout__json_dump(value, text, size), len);
		CU_ASSERT_EQUAL(memcmp(text, expected, size), 0);
		CU_ASSERT_EQUAL(text[size], '~');
	}
	free(text);
	free(expected);
	json_decref(value);
}

static void
values_are_written_as_jansson_does(void)
{
	char all[128];
	int i;

	expect_same(json_null());
	expect_same(json_true());
	expect_same(json_false());
	expect_same(json_array());
	expect_same(json_object());
	expect_same(json_integer(0));
	expect_same(json_integer(INT64_MAX));
	expect_same(json_integer(INT64_MIN));
	expect_same(json_real(0.1));
	expect_same(json_real(-3));
	expect_same(json_real(DBL_MAX));
	expect_same(json_real(-DBL_MIN));
	expect_same(json_real(5e-324));
	expect_same(json_string(""));
	expect_same(json_string("ü € 𝄞 </script> \" \\ / \x7f"));
	for (i = 0; i < 128; i++)
		all[i] = (char)(127 - i);
	/* A NUL in the middle, which strlen() above must not meet. */
	expect_same(json_stringn(all, 127));
	expect_same(json_pack("{s:i,s:[b,n,f],s:{s:s}}", "b", 1, "a", 1, 0.5, "\n\"",
	    "key", "value"));
}

static json_t *
random_value(unsigned depth)
{
	json_t *value;
	char key[8];
	unsigned n = roll(5), i;

	switch (roll(depth > 0 ? 6 : 4)) {
	case 0:
		return json_integer((json_int_t)roll(65536) * (roll(2) ? 1 : -1));
	case 1:
		return json_real((double)roll(1000) / 7);
	case 2:
		return roll(2) ? json_true() : json_null();
	case 3:
		return json_sprintf("%c\"%u\t\xc3\xbc", (int)(1 + roll(126)), roll(99));
	case 4:
		value = json_array();
		for (i = 0; i < n; i++)
			json_array_append_new(value, random_value(depth - 1));
		return value;
	default:
		value = json_object();
		for (i = 0; i < n; i++) {
			snprintf(key, sizeof(key), "k\n%u", roll(100));
			json_object_set_new(value, key, random_value(depth - 1));
		}
		return value;
	}
}

static void
any_tree_is_written_as_jansson_does(void)
{
	unsigned i, n = unit_scaled(500);

	for (i = 0; i < n; i++)
		expect_same(random_value(5));
}

static json_t *
nested(unsigned depth)
{
	json_t *value = json_array(), *outer;

	while (depth-- > 0) {
		outer = json_array();
		json_array_append_new(outer, value);
		value = outer;
	}
	return value;
}

static void
what_has_no_text_is_refused(void)
{
	json_t *a = json_array(), *b = json_object();
	char text[8];

	json_array_append(a, b);
	json_object_set(b, "a", a);
	CU_ASSERT_EQUAL(spout__json_dump(a, text, sizeof(text)), 0);
	json_array_clear(a);
	CU_ASSERT_EQUAL(spout__json_dump(b, text, sizeof(text)), 8);
	json_decref(a);
	json_decref(b);
	a = json_string_nocheck("\xff");
	CU_ASSERT_EQUAL(spout__json_dump(a, text, sizeof(text)), 0);
	json_decref(a);
	a = nested(SPOUT__JSON_DUMP_DEPTH);
	CU_ASSERT_EQUAL(
	    spout__json_dump(a, text, sizeof(text)), 2 * (SPOUT__JSON_DUMP_DEPTH + 1));
	json_decref(a);
	a = nested(SPOUT__JSON_DUMP_DEPTH + 1);
	CU_ASSERT_EQUAL(spout__json_dump(a, text, sizeof(text)), 0);
	json_decref(a);
	CU_ASSERT_EQUAL(spout__json_dump(NULL, text, sizeof(text)), 0);
}

int
main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(values_are_written_as_jansson_does),
		UNIT_TEST(any_tree_is_written_as_jansson_does),
		UNIT_TEST(what_has_no_text_is_refused),
		UNIT_END,
	};
	static const struct unit_suite suites[] = { { "JSON", tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
