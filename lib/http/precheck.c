/* SPDX-License-Identifier: MIT */
/*
 * The strict check of a complete head: see precheck.h. One pass over the bytes. No class
 * of bytes holds CR, and the block is known to end in CRLF CRLF: every scan stops inside.
 */
#include "config.h"

#include "http/precheck.h"

#include "http/chars.h"
#include "http/fault.h"

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
check_version(const char *p, size_t left)
{
	if (left < VERSION_LEN + END_LEN || memcmp(p, "HTTP/", 5) != 0 ||
	    !spout__http_char_is(p[5], SPOUT__CHAR_DIGIT) || p[6] != '.' ||
	    !spout__http_char_is(p[7], SPOUT__CHAR_DIGIT))
		return -SPOUT__FAULT_BAD_REQUEST_LINE;
	if (p[8] != '\r' || p[9] != '\n')
		return stop_fault(p + 8, SPOUT__FAULT_BAD_REQUEST_LINE);
	if (p[5] != '1' || p[7] > '1')
		return -SPOUT__FAULT_BAD_VERSION;
	return 0;
}

/* method SP target SP version CRLF, each a single space (RFC 9112 3). */
static int
check_request_line(const char **pos, const char *end)
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
	p++;
	rc = check_version(p, (size_t)(end - p));
	*pos = p + VERSION_LEN + 2;
	return rc;
}

/* token ":" value CRLF (RFC 9112 5). */
static inline int
check_field_line(const char **pos, bool *blank_ends)
{
	const char *p = spout__http_skip(*pos, SPOUT__CHAR_TOKEN);

	if (p == *pos && spout__http_is_ows(*p))
		return -SPOUT__FAULT_OBS_FOLD;
	if (p == *pos || *p != ':')
		return stop_fault(p, SPOUT__FAULT_BAD_FIELD);
	p = spout__http_skip(p + 1, SPOUT__CHAR_VALUE);
	if (*p != '\r' || p[1] != '\n')
		return stop_fault(p, SPOUT__FAULT_BAD_BYTE);
	*blank_ends |= spout__http_is_ows(p[-1]);
	*pos = p + 2;
	return 0;
}

int
spout__http_precheck(const char *data, size_t len, unsigned max_fields, bool *ret_blank_ends)
{
	const char *p = data, *end = data + len;
	bool blank_ends = false;
	unsigned n = 0;
	int rc;

	if (len < END_LEN || memcmp(end - END_LEN, "\r\n\r\n", END_LEN) != 0)
		return -SPOUT__FAULT_BAD_REQUEST_LINE;
	rc = check_request_line(&p, end);
	while (rc == 0 && *p != '\r') {
		if (++n > max_fields)
			return -SPOUT__FAULT_TOO_MANY_FIELDS;
		rc = check_field_line(&p, &blank_ends);
	}
	if (rc != 0)
		return rc;
	if (p + 2 != end)
		return stop_fault(p, SPOUT__FAULT_BAD_FIELD);
	*ret_blank_ends = blank_ends;
	return 0;
}
