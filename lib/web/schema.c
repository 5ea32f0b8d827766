/* SPDX-License-Identifier: MIT */
/* Schemas of the parameters of routes: see schema.h. */
#include "config.h"

#include "web/schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "web/args.h"

/* A path is at most some KiB: what needs more steps than this is an attack. */
#define MATCH_LIMIT 20000u
#define HEAP_LIMIT_KIB 256u
#define INT_TEXT_MAX 21u

enum kind { INT, UUID, PATTERN };

struct spout__schema {
	enum kind kind;
	int64_t min, max;           /* INT */
	pcre2_code *code;           /* PATTERN */
	pcre2_match_context *limits;
	pcre2_match_data *match;    /* loop thread: written by each match */
};

static int
refuse(char *why, const char *what)
{
	snprintf(why, SPOUT__SCHEMA_WHY_SIZE, "%s", what);
	return -EINVAL;
}

/* --- whole numbers ------------------------------------------------------------------ */

static bool
take_int(struct spout_slice text, int64_t *ret)
{
	char copy[INT_TEXT_MAX + 1];

	if (text.len == 0 || text.len > INT_TEXT_MAX)
		return false;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	return strlen(copy) == text.len && spout__parse_int(copy, ret) == 0;
}

/* "int", or "int(1..1000)" where either end may be left out. */
static int
int_init(struct spout__schema *schema, struct spout_slice text, char *why)
{
	static const char bad[] = "a range is written int(1..1000)";
	struct spout_slice low, high;
	const char *dots;

	schema->min = 0;
	schema->max = INT64_MAX;
	if (text.len == 3)
		return 0;
	if (text.len < 5 || text.data[3] != '(' || text.data[text.len - 1] != ')')
		return refuse(why, bad);
	text = spout_slice_of(text.data + 4, text.len - 5);
	dots = memmem(text.data, text.len, "..", 2);
	if (dots == NULL)
		return refuse(why, bad);
	low = spout_slice_of(text.data, (size_t)(dots - text.data));
	high = spout_slice_of(dots + 2, text.len - low.len - 2);
	if ((low.len > 0 && !take_int(low, &schema->min)) ||
	    (high.len > 0 && !take_int(high, &schema->max)) ||
	    schema->min > schema->max)
		return refuse(why, bad);
	return 0;
}

/* RFC 9562 4: 8-4-4-4-12 hexadecimal digits. */
static bool
is_uuid(struct spout_slice value)
{
	size_t i;

	for (i = 0; i < value.len; i++) {
		char c = value.data[i], letter = (char)(c | 0x20);
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		bool digit = (c >= '0' && c <= '9') || (letter >= 'a' && letter <= 'f');

		if (dash ? c != '-' : !digit)
			return false;
	}
	return value.len == 36;
}

/* --- patterns ---------------------------------------------------------------------- */

static int
pattern_init(struct spout__schema *schema, struct spout_slice text, char *why)
{
	PCRE2_UCHAR said[100];
	size_t offset;
	int error;

	schema->code = pcre2_compile((PCRE2_SPTR)text.data, text.len,
	    PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C,
	    &error, &offset, NULL);
	if (schema->code == NULL) {
		pcre2_get_error_message(error, said, sizeof(said));
		snprintf(why, SPOUT__SCHEMA_WHY_SIZE, "%s, at byte %zu of \"%.*s\"",
		    (const char *)said, offset, text.len > 60 ? 60 : (int)text.len,
		    text.data);
		return -EINVAL;
	}
	schema->limits = pcre2_match_context_create(NULL);
	schema->match = pcre2_match_data_create(1, NULL);
	if (schema->limits == NULL || schema->match == NULL)
		return -ENOMEM;
	pcre2_set_match_limit(schema->limits, MATCH_LIMIT);
	pcre2_set_heap_limit(schema->limits, HEAP_LIMIT_KIB);
	return 0;
}

/* --- either ------------------------------------------------------------------------ */

int
spout__schema_new(struct spout_slice text, struct spout__schema **ret_schema,
    char why[SPOUT__SCHEMA_WHY_SIZE])
{
	struct spout__schema *schema = calloc(1, sizeof(*schema));
	int rc = 0;

	if (schema == NULL)
		return -ENOMEM;
	if (text.len == 0)
		rc = refuse(why, "nothing behind the colon");
	else if (spout_slice_equal(text, "uuid"))
		schema->kind = UUID;
	else if (text.len >= 3 && memcmp(text.data, "int", 3) == 0 &&
	    (text.len == 3 || text.data[3] == '('))
		rc = int_init(schema, text, why);
	else
		schema->kind = PATTERN;
	if (rc == 0 && schema->kind == PATTERN)
		rc = pattern_init(schema, text, why);
	if (rc == 0)
		*ret_schema = schema;
	else
		spout__schema_free(schema);
	return rc;
}

void
spout__schema_free(struct spout__schema *schema)
{
	if (schema == NULL)
		return;
	pcre2_match_data_free(schema->match);
	pcre2_match_context_free(schema->limits);
	pcre2_code_free(schema->code);
	free(schema);
}

bool
spout__schema_fits(const struct spout__schema *schema, struct spout_slice value)
{
	int64_t number;

	switch (schema->kind) {
	case INT:
		return take_int(value, &number) && number >= schema->min &&
		    number <= schema->max;
	case UUID:
		return is_uuid(value);
	case PATTERN:
		break;
	}
	/* The value is UTF-8: the router has seen to it. */
	return pcre2_match(schema->code, (PCRE2_SPTR)value.data, value.len, 0, 0,
	    schema->match, schema->limits) >= 0;
}
