/* SPDX-License-Identifier: MIT */
/*
 * Request heads: see head.h. Finding the end is here; a complete head goes through the
 * lexer (lex.c), then the rules (rules.c), which have http-parser judge it (judge.c).
 */
#include "config.h"

#include "http/head.h"

#include "http/chars.h"
#include "http/lex.h"
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

	while (rc == 0) {
		lf = memchr(next, '\n', (size_t)(data + end - next));
		if (lf == NULL)
			break;
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
spout__http_head_find(
    const char *data, size_t len, size_t *from, const struct spout__http_limits *limits)
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

	while (n < SPOUT__HTTP_MAX_EMPTY && len - n >= 2 && data[n] == '\r' &&
	    data[n + 1] == '\n')
		n += 2;
	return n;
}

int
spout__http_head_parse(const char *data, size_t len,
    const struct spout__http_limits *limits, struct spout__http_head *ret_head)
{
	const unsigned max = SPOUT__HTTP_MAX_FIELDS;
	unsigned max_fields = limits->max_fields < max ? limits->max_fields : max;
	int rc = spout__http_lex(data, len, max_fields, ret_head);

	return rc == 0 ? spout__http_rules_apply(ret_head, data) : rc;
}

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
