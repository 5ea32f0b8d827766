/* SPDX-License-Identifier: MIT */
/*
 * Lexer of request heads: see lex.h. One pass over the bytes. No class of bytes holds CR,
 * and the block is known to end in CRLF CRLF: every scan stops inside.
 */
#include "config.h"

#include "http/lex.h"

#include "http/chars.h"

#define VERSION_LEN 8 /* "HTTP/1.1" */
#define END_LEN 4     /* CRLF CRLF */

/* What the byte that stopped a scan means; `otherwise` if it is none of the worst. */
static int
stop_fault(const char *p, enum spout__http_fault otherwise)
{
	unsigned char c = (unsigned char)*p;

	if (c == '\r' && p[1] != '\n')
		return -SPOUT__FAULT_BARE_CR;
	if (c == '\n')
		return -SPOUT__FAULT_BARE_LF;
	if ((c < 0x20 && c != '\r' && c != '\t') || c == 0x7f)
		return -SPOUT__FAULT_BAD_BYTE;
	return -(int)otherwise;
}

/* "HTTP/1.1" CRLF, at the end of the request line. */
static int
lex_version(const char *p, size_t left, unsigned *ret_minor)
{
	if (left < VERSION_LEN + END_LEN || memcmp(p, "HTTP/", 5) != 0 ||
	    !spout__http_char_is(p[5], SPOUT__CHAR_DIGIT) || p[6] != '.' ||
	    !spout__http_char_is(p[7], SPOUT__CHAR_DIGIT))
		return -SPOUT__FAULT_BAD_REQUEST_LINE;
	if (p[8] != '\r' || p[9] != '\n')
		return stop_fault(p + 8, SPOUT__FAULT_BAD_REQUEST_LINE);
	if (p[5] != '1' || p[7] > '1')
		return -SPOUT__FAULT_BAD_VERSION;
	*ret_minor = (unsigned)(p[7] - '0');
	return 0;
}

/* method SP target SP version CRLF, each a single space (RFC 9112 3). */
static int
lex_request_line(const char **pos, const char *end, struct spout__http_head *head)
{
	const char *p = spout__http_skip(*pos, SPOUT__CHAR_TOKEN);
	const char *target;
	int rc;

	if (p == *pos || *p != ' ')
		return stop_fault(p, SPOUT__FAULT_BAD_REQUEST_LINE);
	target = p + 1;
	p = spout__http_skip(target, SPOUT__CHAR_TARGET);
	if (*p == '\r' || *p == '\t' || (*p == ' ' && p == target))
		return stop_fault(p, SPOUT__FAULT_BAD_REQUEST_LINE);
	if (*p != ' ')
		return stop_fault(p, SPOUT__FAULT_BAD_TARGET);
	head->target = spout_slice_of(target, (size_t)(p - target));
	p++;
	rc = lex_version(p, (size_t)(end - p), &head->minor);
	*pos = p + VERSION_LEN + 2;
	return rc;
}

#define EVERY_BYTE(c) (UINT64_C(0x0101010101010101) * (c))

/*
 * The end of a field value. Eight bytes at a time while none of them is below 0x20 or is
 * 0x7f (a borrow goes up only from a byte that is found: it hides none), then singly.
 */
static const char *
skip_value(const char *p, const char *end)
{
	uint64_t x, del;

	for (; end - p >= 8; p += 8) {
		memcpy(&x, p, 8);
		del = x ^ EVERY_BYTE(0x7f);
		if ((((x - EVERY_BYTE(0x20)) & ~x) | ((del - EVERY_BYTE(1)) & ~del)) &
		    EVERY_BYTE(0x80))
			break;
	}
	return spout__http_skip(p, SPOUT__CHAR_VALUE);
}

/* token ":" value CRLF (RFC 9112 5). */
static inline int
lex_field(const char **pos, const char *end, struct spout__http_field *ret_field)
{
	const char *name = *pos, *value, *stop;
	const char *p = spout__http_skip(name, SPOUT__CHAR_TOKEN);

	if (p == name && spout__http_is_ows(*p))
		return -SPOUT__FAULT_OBS_FOLD;
	if (p == name || *p != ':')
		return stop_fault(p, SPOUT__FAULT_BAD_FIELD);
	ret_field->name = spout_slice_of(name, (size_t)(p - name));
	for (value = p + 1; spout__http_is_ows(*value); value++)
		;
	stop = skip_value(value, end);
	if (*stop != '\r' || stop[1] != '\n')
		return stop_fault(stop, SPOUT__FAULT_BAD_BYTE);
	*pos = stop + 2;
	while (stop > value && spout__http_is_ows(stop[-1]))
		stop--;
	ret_field->value = spout_slice_of(value, (size_t)(stop - value));
	return 0;
}

int
spout__http_lex(
    const char *data, size_t len, unsigned max_fields, struct spout__http_head *head)
{
	const char *p = data, *end = data + len;
	unsigned n = 0;
	int rc;

	if (len < END_LEN || memcmp(end - END_LEN, "\r\n\r\n", END_LEN) != 0)
		return -SPOUT__FAULT_BAD_REQUEST_LINE;
	rc = lex_request_line(&p, end, head);
	while (rc == 0 && *p != '\r') {
		if (n == max_fields)
			return -SPOUT__FAULT_TOO_MANY_FIELDS;
		rc = lex_field(&p, end, &head->fields[n++]);
	}
	if (rc != 0)
		return rc;
	if (p + 2 != end)
		return stop_fault(p, SPOUT__FAULT_BAD_FIELD);
	head->n_fields = n;
	return 0;
}
