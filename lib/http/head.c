/* SPDX-License-Identifier: MIT */
/*
 * Finding the end of a request head, and feeding it to http-parser between the strict
 * pre-check (precheck.c) and the rules above the parser (rules.c): see head.h.
 */
#include "config.h"

#include "http/head.h"

#include <http_parser.h>

#include "http/chars.h"
#include "http/precheck.h"
#include "http/rules.h"

/*
 * Look at the lines of data[pos, end). Returns the length of the head if its empty line
 * is there, 0 if not, or -fault. The first offending byte decides, so that the answer
 * does not depend on how the bytes were split.
 */
static int
scan_lines(const char *data, size_t pos, size_t end)
{
	const char *lf, *next = data + pos;
	int rc = 0;

	while (rc == 0 && (lf = memchr(next, '\n', (size_t)(data + end - next))) != NULL) {
		if (lf[-1] != '\r')
			rc = -SPOUT__FAULT_BARE_LF;
		else if (lf[-2] == '\n')
			rc = (int)(lf + 1 - data);
		next = lf + 1;
	}
	if (rc != 0)
		end = (size_t)(next - data);
	if (memchr(data + pos, '\0', end - pos) != NULL)
		return -SPOUT__FAULT_BAD_BYTE;
	return rc;
}

/* A first byte that no method has: a TLS handshake, say, or an empty line too many. */
static int
first_byte_fault(const char *data)
{
	if (data[0] == '\n')
		return -SPOUT__FAULT_BARE_LF;
	if (data[0] == '\r' && data[1] != '\n')
		return -SPOUT__FAULT_BARE_CR;
	return -SPOUT__FAULT_BAD_REQUEST_LINE;
}

int
spout__http_head_find(const char *data, size_t len, size_t *from,
    const struct spout__http_limits *limits)
{
	size_t end = len < limits->max_head_bytes ? len : limits->max_head_bytes;
	/* The request line and its CRLF end before this. */
	size_t line_end = limits->max_head_bytes, pos = *from;
	int rc;

	if (len == 0 || (len == 1 && data[0] == '\r'))
		return 0;
	if (pos == 0 && !spout__http_char_is(data[0], SPOUT__CHAR_TOKEN))
		return first_byte_fault(data);
	if (limits->max_line_bytes < line_end - 2)
		line_end = limits->max_line_bytes + 2;
	if (pos < line_end) {
		rc = scan_lines(data, pos, end < line_end ? end : line_end);
		if (rc != 0)
			return rc;
		if (end >= line_end && memchr(data, '\n', line_end) == NULL)
			return -SPOUT__FAULT_TARGET_TOO_LONG;
		pos = line_end;
	}
	if (pos < end) {
		rc = scan_lines(data, pos, end);
		if (rc != 0)
			return rc;
	}
	if (len >= limits->max_head_bytes)
		return -SPOUT__FAULT_HEAD_TOO_LARGE;
	*from = end;
	return 0;
}

size_t
spout__http_skip_empty(const char *data, size_t len)
{
	size_t n = 0;

	while (n < 4 && len - n >= 2 && data[n] == '\r' && data[n + 1] == '\n')
		n += 2;
	return n;
}

/* --- http-parser ------------------------------------------------------------------ */

static int
on_url(http_parser *parser, const char *at, size_t len)
{
	struct spout__http_head *head = parser->data;

	head->target = spout_slice_of(at, len);
	return 0;
}

/* Names come whole, and not more of them than the pre-check has counted. */
static int
on_header_field(http_parser *parser, const char *at, size_t len)
{
	struct spout__http_head *head = parser->data;
	struct spout__http_field *field = &head->fields[head->n_fields++];

	field->name = spout_slice_of(at, len);
	field->value = spout_slice_of(at + len, 0);
	return 0;
}

/* A value comes in one part, or with an empty one behind it: see execute_trimmed(). */
static int
on_header_value(http_parser *parser, const char *at, size_t len)
{
	struct spout__http_head *head = parser->data;

	if (len > 0)
		head->fields[head->n_fields - 1].value = spout_slice_of(at, len);
	return 0;
}

/* "No body": what follows the head is body.c's. */
static int
on_headers_complete(http_parser *parser)
{
	(void)parser;
	return 1;
}

static const http_parser_settings settings = {
	.on_url = on_url,
	.on_header_field = on_header_field,
	.on_header_value = on_header_value,
	.on_headers_complete = on_headers_complete,
};

/*
 * Feed the head without the blanks at the ends of lines: http-parser refuses the tab of
 * "Content-Length: 4<tab>", which RFC 9110 5.5 allows, and would leave them in values.
 */
static size_t
execute_trimmed(http_parser *parser, const char *data, size_t len)
{
	const char *start = data, *end = data + len, *cr = data, *stop;
	size_t fed = 0;

	while ((cr = memchr(cr, '\r', (size_t)(end - cr))) != NULL) {
		for (stop = cr; spout__http_is_ows(stop[-1]); stop--)
			;
		if (stop < cr) {
			fed += http_parser_execute(parser, &settings, start,
			    (size_t)(stop - start));
			fed += (size_t)(cr - stop);
			start = cr;
		}
		cr++;
	}
	return fed + http_parser_execute(parser, &settings, start, (size_t)(end - start));
}

/* What http-parser has found that the pre-check lets through. */
static int
parser_fault(const http_parser *parser)
{
	switch (HTTP_PARSER_ERRNO(parser)) {
	case HPE_INVALID_METHOD:
		return -SPOUT__FAULT_UNKNOWN_METHOD;
	case HPE_INVALID_URL:
		return -SPOUT__FAULT_BAD_TARGET;
	case HPE_INVALID_CONTENT_LENGTH:
		return -SPOUT__FAULT_BAD_LENGTH;
	case HPE_UNEXPECTED_CONTENT_LENGTH:
		return parser->uses_transfer_encoding ? -SPOUT__FAULT_BAD_FRAMING
						      : -SPOUT__FAULT_BAD_LENGTH;
	case HPE_INVALID_TRANSFER_ENCODING:
		return -SPOUT__FAULT_BAD_FRAMING;
	case HPE_HEADER_OVERFLOW: /* its own limit is 80 KiB */
		return -SPOUT__FAULT_HEAD_TOO_LARGE;
	default:
		return -SPOUT__FAULT_BAD_FIELD;
	}
}

/* Of what http-parser knows, the methods that are served: not SOURCE, CONNECT … */
static int
method_from_parser(unsigned method, enum spout__http_method *ret_method)
{
	switch (method) {
	case HTTP_GET:
		*ret_method = SPOUT__HTTP_GET;
		return 0;
	case HTTP_HEAD:
		*ret_method = SPOUT__HTTP_HEAD;
		return 0;
	case HTTP_POST:
		*ret_method = SPOUT__HTTP_POST;
		return 0;
	case HTTP_PUT:
		*ret_method = SPOUT__HTTP_PUT;
		return 0;
	case HTTP_PATCH:
		*ret_method = SPOUT__HTTP_PATCH;
		return 0;
	case HTTP_DELETE:
		*ret_method = SPOUT__HTTP_DELETE;
		return 0;
	case HTTP_OPTIONS:
		*ret_method = SPOUT__HTTP_OPTIONS;
		return 0;
	default:
		return -SPOUT__FAULT_UNKNOWN_METHOD;
	}
}

int
spout__http_head_parse(const char *data, size_t len, const struct spout__http_limits *limits,
    struct spout__http_head *ret_head)
{
	unsigned max_fields = limits->max_fields < SPOUT__HTTP_MAX_FIELDS
	    ? limits->max_fields : SPOUT__HTTP_MAX_FIELDS;
	http_parser parser;
	bool blank_ends;
	size_t fed;
	int rc;

	rc = spout__http_precheck(data, len, max_fields, &blank_ends);
	if (rc != 0)
		return rc;
	http_parser_init(&parser, HTTP_REQUEST);
	parser.data = ret_head;
	ret_head->n_fields = 0;
	fed = blank_ends ? execute_trimmed(&parser, data, len)
			 : http_parser_execute(&parser, &settings, data, len);
	if (HTTP_PARSER_ERRNO(&parser) != HPE_OK || fed != len)
		return parser_fault(&parser);
	rc = method_from_parser(parser.method, &ret_head->method);
	if (rc != 0)
		return rc;
	ret_head->minor = parser.http_minor;
	return spout__http_rules_apply(ret_head);
}

/* --- what was parsed -------------------------------------------------------------- */

struct spout_slice
spout__http_head_get(const struct spout__http_head *head, const char *name)
{
	struct spout_slice wanted = spout_slice(name);
	unsigned i;

	for (i = 0; i < head->n_fields; i++)
		if (spout__http_same(head->fields[i].name, wanted))
			return head->fields[i].value;
	return (struct spout_slice){ NULL, 0 };
}

const char *
spout__http_method_name(enum spout__http_method method)
{
	static const char *const names[SPOUT__HTTP_N_METHODS] = {
		[SPOUT__HTTP_GET] = "GET",
		[SPOUT__HTTP_HEAD] = "HEAD",
		[SPOUT__HTTP_POST] = "POST",
		[SPOUT__HTTP_PUT] = "PUT",
		[SPOUT__HTTP_PATCH] = "PATCH",
		[SPOUT__HTTP_DELETE] = "DELETE",
		[SPOUT__HTTP_OPTIONS] = "OPTIONS",
	};

	return names[method];
}
