/* SPDX-License-Identifier: MIT */
/* http-parser on the parts of a head that it decides: see judge.h. */
#include "config.h"

#include "http/judge.h"

#include <http_parser.h>

static const char crlf[] = "\r\n";

/* "No body": what follows the head is body.c's. */
static int
on_headers_complete(http_parser *parser)
{
	(void)parser;
	return 1;
}

static const http_parser_settings settings = {
	.on_headers_complete = on_headers_complete,
};

/* Parts are never empty: that would mean the end of input. */
static void
feed(http_parser *parser, const char *from, const char *to)
{
	if (HTTP_PARSER_ERRNO(parser) == HPE_OK)
		http_parser_execute(parser, &settings, from, (size_t)(to - from));
}

/*
 * Without the blanks behind the value: http-parser refuses the tab of
 * "Content-Length: 4<tab>", which RFC 9110 5.5 allows.
 */
static void
feed_field(http_parser *parser, const struct spout__http_field *field)
{
	if (field == NULL)
		return;
	feed(parser, field->name.data, field->value.data + field->value.len);
	feed(parser, crlf, crlf + 2);
}

/* Of what http-parser knows, the methods that are served: not SOURCE, CONNECT … */
static int
method_of(const http_parser *parser, enum spout__http_method *ret_method)
{
	static const unsigned char methods[] = {
		[HTTP_GET] = SPOUT__HTTP_GET + 1,
		[HTTP_HEAD] = SPOUT__HTTP_HEAD + 1,
		[HTTP_POST] = SPOUT__HTTP_POST + 1,
		[HTTP_PUT] = SPOUT__HTTP_PUT + 1,
		[HTTP_PATCH] = SPOUT__HTTP_PATCH + 1,
		[HTTP_DELETE] = SPOUT__HTTP_DELETE + 1,
		[HTTP_OPTIONS] = SPOUT__HTTP_OPTIONS + 1,
	};
	unsigned i = parser->method;

	if (i >= sizeof(methods) || methods[i] == 0)
		return -SPOUT__FAULT_UNKNOWN_METHOD;
	*ret_method = (enum spout__http_method)(methods[i] - 1);
	return 0;
}

static int
parser_fault(const http_parser *parser)
{
	switch (HTTP_PARSER_ERRNO(parser)) {
	case HPE_INVALID_METHOD:
		return -SPOUT__FAULT_UNKNOWN_METHOD;
	case HPE_INVALID_URL:
		return -SPOUT__FAULT_BAD_TARGET;
	default:
		return -SPOUT__FAULT_BAD_FRAMING;
	}
}

static int
judge(struct spout__http_head *head, const char *data,
    const struct spout__http_field *length, const struct spout__http_field *coding)
{
	/* The lexer lets no other versions pass. */
	static const char line_ends[2][15] = { " HTTP/1.0\r\n\r\n", " HTTP/1.1\r\n\r\n" };
	const char *target = head->target.data, *line_end = line_ends[head->minor];
	bool framed = length != NULL || coding != NULL;
	http_parser parser;

	http_parser_init(&parser, HTTP_REQUEST);
	/* Behind its first byte a path may hold all that the lexer has let through. */
	feed(&parser, data, target[0] == '/' ? target + 1 : target + head->target.len);
	feed(&parser, line_end, line_end + (framed ? 11 : 13));
	if (framed) {
		feed_field(&parser, length);
		feed_field(&parser, coding);
		feed(&parser, crlf, crlf + 2);
	}
	if (HTTP_PARSER_ERRNO(&parser) != HPE_OK)
		return parser_fault(&parser);
	head->framing = SPOUT__HTTP_NO_BODY;
	head->content_length = 0;
	if (parser.flags & F_CHUNKED) {
		head->framing = SPOUT__HTTP_CHUNKED;
	} else if (parser.flags & F_CONTENTLENGTH) {
		head->framing = SPOUT__HTTP_LENGTH;
		head->content_length = parser.content_length;
	}
	return method_of(&parser, &head->method);
}

/*
 * What http-parser is given of a request without a body is its method, a space and the
 * slash: the same few bytes again and again. The verdict on the last ones is kept.
 */
struct verdict {
	char bytes[16];
	unsigned char len, minor;
	enum spout__http_method method;
};

int
spout__http_judge(struct spout__http_head *head, const char *data,
    const struct spout__http_field *length, const struct spout__http_field *coding)
{
	static __thread struct verdict last;
	size_t given = (size_t)(head->target.data + 1 - data);
	bool plain = length == NULL && coding == NULL && head->target.data[0] == '/' &&
	    given <= sizeof(last.bytes);
	int r;

	if (plain && given == last.len && head->minor == last.minor &&
	    memcmp(data, last.bytes, given) == 0) {
		head->framing = SPOUT__HTTP_NO_BODY;
		head->content_length = 0;
		head->method = last.method;
		return 0;
	}
	r = judge(head, data, length, coding);
	if (r == 0 && plain) {
		memcpy(last.bytes, data, given);
		last.len = (unsigned char)given;
		last.minor = (unsigned char)head->minor;
		last.method = head->method;
	}
	return r;
}
