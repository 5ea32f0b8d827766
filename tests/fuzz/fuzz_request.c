/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the strict layer, http-parser and the framing of bodies as one, over a
 * stream of pipelined requests. What must hold for every stream:
 *
 *   - the result is the same whole, byte by byte and in pieces, with large and with small
 *     limits;
 *   - all that comes out lies in what went in (stream.c), nothing is touched beside it
 *     (AddressSanitizer), no more body comes out than announced or allowed (stream.c);
 *   - http-parser itself, given the whole message of each accepted request, accepts it
 *     too: same method, version, target, fields and body, ended at the same byte.
 */
#include "config.h"

#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include <http_parser.h>

#include "stream.h"

#include "http/chars.h"

static void
finding(const char *what)
{
	fprintf(stderr, "finding: %s\n", what);
	abort();
}

static void
must(bool holds, const char *what)
{
	if (!holds)
		finding(what);
}

/* --- what http-parser makes of an accepted request ------------------------------- */

struct witness {
	const struct spout__http_head *head;
	const char *body;
	size_t body_len;
	size_t body_seen;
	unsigned n_names, n_values;
	bool head_complete, complete;
};

static bool
same_bytes(struct spout_slice s, const char *at, size_t len)
{
	return s.len == len && memcmp(s.data, at, len) == 0;
}

static int
on_url(http_parser *parser, const char *at, size_t len)
{
	const struct witness *w = parser->data;

	must(same_bytes(w->head->target, at, len), "another target");
	return 0;
}

/* Trailers come here too, behind the head. */
static int
on_header_field(http_parser *parser, const char *at, size_t len)
{
	struct witness *w = parser->data;

	if (!w->head_complete) {
		must(w->n_names < w->head->n_fields, "a field more");
		must(same_bytes(w->head->fields[w->n_names++].name, at, len),
		    "another name");
	}
	return 0;
}

static int
on_header_value(http_parser *parser, const char *at, size_t len)
{
	struct witness *w = parser->data;

	if (!w->head_complete) {
		struct spout_slice value = w->head->fields[w->n_values++].value;

		must(len >= value.len, "a longer value");
		/* The blanks at its end were not cut off; tabs in it became spaces. */
		while (len > value.len) {
			must(at[--len] == ' ', "more of a value");
		}
	}
	return 0;
}

static int
on_headers_complete(http_parser *parser)
{
	struct witness *w = parser->data;

	w->head_complete = true;
	must(w->n_names == w->head->n_fields, "a field less");
	must(w->n_values == w->head->n_fields, "a value less");
	return 0;
}

static int
on_body(http_parser *parser, const char *at, size_t len)
{
	struct witness *w = parser->data;

	must(len <= w->body_len - w->body_seen, "a longer body");
	must(memcmp(w->body + w->body_seen, at, len) == 0, "another body");
	w->body_seen += len;
	return 0;
}

static int
on_message_complete(http_parser *parser)
{
	struct witness *w = parser->data;

	must(!w->complete, "two messages");
	w->complete = true;
	return 0;
}

static const http_parser_settings settings = {
	.on_url = on_url,
	.on_header_field = on_header_field,
	.on_header_value = on_header_value,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

/* http-parser refuses a tab behind a framing field's value, which is legal. */
static void
tabs_to_spaces(char *head)
{
	for (; memcmp(head, "\r\n\r\n", 4) != 0; head++)
		if (*head == '\t')
			*head = ' ';
}

/*
 * A name that goes on behind "Transfer-Encoding" is another name; http-parser counts it
 * as a coding all the same and refuses the request.
 */
static bool
misread_by_http_parser(const struct spout__http_head *head)
{
	static const char coding[] = "transfer-encoding";
	const size_t len = sizeof(coding) - 1;
	unsigned i;

	for (i = 0; i < head->n_fields; i++)
		if (head->fields[i].name.len > len &&
		    spout__http_same(spout_slice_of(head->fields[i].name.data, len),
			spout_slice_of(coding, len)))
			return true;
	return false;
}

static void
compare_with_http_parser(const char *data, size_t len,
    const struct spout__http_head *head, const char *body, size_t body_len)
{
	struct witness w = { .head = head, .body = body, .body_len = body_len };
	http_parser parser;
	size_t parsed;
	char *copy;

	if (misread_by_http_parser(head))
		return;
	copy = malloc(len);
	memcpy(copy, data, len);
	tabs_to_spaces(copy);
	http_parser_init(&parser, HTTP_REQUEST);
	parser.data = &w;
	parsed = http_parser_execute(&parser, &settings, copy, len);
	must(HTTP_PARSER_ERRNO(&parser) == HPE_OK, "http-parser refuses it");
	must(parsed == len, "http-parser stops before its end");
	must(w.complete, "http-parser waits for more");
	must(w.body_seen == body_len, "a shorter body");
	must(parser.http_major == 1 && parser.http_minor == head->minor,
	    "another version");
	must(strcmp(http_method_str(parser.method),
		 spout__http_method_name(head->method)) == 0,
	    "another method");
	free(copy);
}

/* --- the target ------------------------------------------------------------------ */

/* Something that depends on every byte, to draw the pieces from. */
static unsigned
hash(const uint8_t *data, size_t len)
{
	unsigned h = 2166136261u;

	while (len-- > 0)
		h = (h ^ *data++) * 16777619u;
	return h | 2;
}

static void
must_read_the_same(
    const char *data, size_t len, struct stream_options *options, unsigned split)
{
	char *whole, *pieces;

	options->split = STREAM_WHOLE;
	whole = stream_read(data, len, options);
	options->split = split;
	options->on_request = NULL;
	pieces = stream_read(data, len, options);
	if (strcmp(whole, pieces) != 0) {
		fprintf(stderr, "whole:\n%spieces (%u):\n%s", whole, split, pieces);
		finding("the result depends on how the bytes arrive");
	}
	free(whole);
	free(pieces);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *text = (const char *)data;
	unsigned seed = hash(data, len);
	struct stream_options options;

	stream_options_init(&options);
	options.on_request = compare_with_http_parser;
	must_read_the_same(text, len, &options, seed);
	if (len <= 512)
		must_read_the_same(text, len, &options, STREAM_BYTES);
	options.limits = (struct spout__http_limits){
		.max_head_bytes = 160, .max_line_bytes = 48, .max_fields = 4
	};
	options.max_body = 24;
	must_read_the_same(text, len, &options, seed + 1);
	return 0;
}
