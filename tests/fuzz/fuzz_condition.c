/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the fields of conditional requests. The lines of an input are If-Match,
 * If-None-Match, If-Modified-Since, If-Unmodified-Since, Range, If-Range and
 * Accept-Encoding; a line that is missing is a field that was not sent. What must hold: a
 * part lies within the file, and a date that was read is one that can be written.
 */
#include "config.h"

#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "web/accept.h"
#include "web/condition.h"

static void
must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "finding: %s\n", what);
	abort();
}

/* The next line, in memory of its own, so that reading past it is seen. */
static struct spout_slice
next_line(const char **at, const char *end)
{
	const char *line = *at, *stop;
	size_t len;
	char *copy;

	if (line == NULL)
		return spout_slice_of(NULL, 0);
	stop = memchr(line, '\n', (size_t)(end - line));
	len = (size_t)((stop != NULL ? stop : end) - line);
	*at = stop != NULL ? stop + 1 : NULL;
	copy = malloc(len + (len == 0));
	if (copy == NULL)
		abort();
	memcpy(copy, line, len);
	return spout_slice_of(copy, len);
}

static void
check_date(struct spout_slice value)
{
	char text[SPOUT__HTTP_DATE_LEN + 1];
	int64_t when;

	if (value.data == NULL)
		return;
	when = spout__http_date_parse(value.data, value.len);
	must(when >= -1 && when < INT64_C(253402300801), "a date after the year 9999");
	if (when < 0 || when % 60 == 0)
		return; /* a leap second is the next minute */
	spout__http_date(when, text);
	must(spout__http_date_parse(text, strlen(text)) == when, "a date changes");
}

static void
check_range(const struct spout__conditions *c, const struct spout__validators *v,
    uint64_t size)
{
	struct spout__range range = spout__conditions_range(c, v, size);

	switch (range.kind) {
	case SPOUT__RANGE_WHOLE:
		must(range.first == 0 && range.len == size, "a whole that is none");
		break;
	case SPOUT__RANGE_PART:
		must(range.len > 0 && range.first < size &&
		        range.len <= size - range.first && range.len < size,
		    "a part that is none");
		break;
	case SPOUT__RANGE_NONE:
		must(c->range.data != NULL, "no range, yet nothing is left of it");
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
	static const uint64_t sizes[] = { 0, 1, 10, 1 << 20, UINT64_MAX };
	const struct spout__validators v = { .etag = { "\"abc\"", 5 },
		.modified = 784111777 };
	const char *at = (const char *)input, *end = at + len;
	struct spout__conditions c;
	struct spout_slice *const lines[] = { &c.if_match, &c.if_none_match,
		&c.if_modified_since, &c.if_unmodified_since, &c.range, &c.if_range,
		&c.accept_encoding };
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		*lines[i] = next_line(&at, end);
	must(spout__conditions_judge(&c, &v) <= SPOUT__PRECONDITION_FAILED, "a verdict");
	check_date(c.if_modified_since);
	check_date(c.if_unmodified_since);
	check_date(c.if_range);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		check_range(&c, &v, sizes[i]);
	if (c.accept_encoding.data != NULL)
		must(spout__accept_codings(c.accept_encoding) <=
		        (SPOUT__CODING_BR | SPOUT__CODING_GZIP),
		    "an unknown coding");
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		free((char *)(uintptr_t)lines[i]->data);
	return 0;
}
