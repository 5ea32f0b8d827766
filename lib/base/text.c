/* SPDX-License-Identifier: MIT */
/* Percent-encoding, UTF-8, escaping: see text.h. */
#include "config.h"

#include "base/text.h"

#include <errno.h>

/* --- UTF-8 ------------------------------------------------------------------------ */

/*
 * Length of the sequence that begins here; more than `left` if its end is missing, 0 if
 * it is malformed (RFC 3629 4).
 */
static size_t
utf8_sequence(const unsigned char *p, size_t left)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t n, i;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if ((p[0] & 0xf0) == 0xe0)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0; /* overlong */
	else if (p[0] == 0xed)
		high = 0x9f; /* surrogates */
	else if (p[0] == 0xf0)
		low = 0x90; /* overlong */
	else if (p[0] == 0xf4)
		high = 0x8f; /* above U+10FFFF */
	if (left > 1 && (p[1] < low || p[1] > high))
		return 0;
	for (i = 2; i < n && i < left; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* How many bytes at the front are ASCII, in steps of eight. */
static size_t
ascii_words(const unsigned char *p, size_t len)
{
	uint64_t word;
	size_t i;

	for (i = 0; len - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, p + i, sizeof(word));
		if ((word & 0x8080808080808080u) != 0)
			break;
	}
	return i;
}

long
spout__utf8_prefix(const char *data, size_t len)
{
	const unsigned char *p = (const unsigned char *)data;
	size_t done = ascii_words(p, len), n;

	while (done < len) {
		n = utf8_sequence(p + done, len - done);
		if (n == 0)
			return -EBADMSG;
		if (n > len - done)
			break;
		done += n;
		if (n == 1)
			done += ascii_words(p + done, len - done);
	}
	return (long)done;
}

bool
spout__utf8_valid(const char *data, size_t len)
{
	return spout__utf8_prefix(data, len) == (long)len;
}

/* --- percent-encoding ----------------------------------------------------------- */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

long
spout__percent_decode(const char *data, size_t len, bool plus, char *to)
{
	size_t i, n = 0;
	bool ascii = true;

	for (i = 0; i < len; i++) {
		char c = data[i];

		if (c == '%') {
			int high = i + 2 < len ? hex_digit(data[i + 1]) : -1;
			int low = i + 2 < len ? hex_digit(data[i + 2]) : -1;

			if (high < 0 || low < 0)
				return -EBADMSG;
			c = (char)(high << 4 | low);
			i += 2;
		} else if (plus && c == '+') {
			c = ' ';
		}
		if (c == '\0')
			return -EBADMSG;
		ascii = ascii && (c & 0x80) == 0;
		to[n++] = c;
	}
	return ascii || spout__utf8_valid(to, n) ? (long)n : -EBADMSG;
}

size_t
spout__percent_encode(const char *data, size_t len, char *to)
{
	static const char digits[] = "0123456789ABCDEF";
	static const char unreserved[] = "-._~";
	char *at = to;
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)data[i], letter = c | 0x20;

		if ((c >= '0' && c <= '9') || (letter >= 'a' && letter <= 'z') ||
		    (c != '\0' && strchr(unreserved, c) != NULL)) {
			*at++ = (char)c;
			continue;
		}
		*at++ = '%';
		*at++ = digits[c >> 4];
		*at++ = digits[c & 15];
	}
	return (size_t)(at - to);
}

/* --- HTML ----------------------------------------------------------------------- */

static struct spout_slice
html_entity(char c)
{
	switch (c) {
	case '&':
		return spout_slice("&amp;");
	case '<':
		return spout_slice("&lt;");
	case '>':
		return spout_slice("&gt;");
	case '"':
		return spout_slice("&quot;");
	case '\'':
		return spout_slice("&#39;");
	default:
		return spout_slice(NULL);
	}
}

size_t
spout__html_escaped_len(const char *data, size_t len)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++) {
		struct spout_slice entity = html_entity(data[i]);

		n += entity.data != NULL ? entity.len : 1;
	}
	return n;
}

size_t
spout__html_escape(const char *data, size_t len, char *to)
{
	char *at = to;
	size_t i;

	for (i = 0; i < len; i++) {
		struct spout_slice entity = html_entity(data[i]);

		if (entity.data == NULL) {
			*at++ = data[i];
			continue;
		}
		memcpy(at, entity.data, entity.len);
		at += entity.len;
	}
	return (size_t)(at - to);
}

/* --- JSON ----------------------------------------------------------------------- */

int
spout__json_escape(struct spout__buffer *to, const char *data, size_t len)
{
	bool utf8 = spout__utf8_valid(data, len);
	size_t i, from = 0;
	int rc = 0;

	for (i = 0; i < len && rc == 0; i++) {
		unsigned char c = (unsigned char)data[i];

		if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f && (c < 0x80 || utf8))
			continue;
		rc = spout__buffer_append(to, data + from, i - from);
		if (rc == 0)
			rc = spout__buffer_printf(to, "\\u%04x", c);
		from = i + 1;
	}
	return rc != 0 ? rc : spout__buffer_append(to, data + from, len - from);
}

bool
spout__json_depth_ok(struct spout_slice text)
{
	unsigned depth = 0;
	bool quoted = false;
	size_t i;

	for (i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '[' || c == '{') &&
		    ++depth > SPOUT__JSON_MAX_DEPTH)
			return false;
		else if (!quoted && (c == ']' || c == '}') && depth > 0)
			depth--;
	}
	return true;
}
