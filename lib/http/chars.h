/* SPDX-License-Identifier: MIT */
/*
 * Which bytes may stand where in an HTTP/1 message: one table of classes, and comparing
 * names in any case. Independent of the locale.
 */
#ifndef SPOUT_HTTP_CHARS_H
#define SPOUT_HTTP_CHARS_H

#include <spout/types.h>

#define SPOUT__CHAR_TOKEN 1u  /* tchar (RFC 9110 5.6.2): methods and field names */
#define SPOUT__CHAR_TARGET 2u /* 0x21 to 0x7e without '#': request targets */
#define SPOUT__CHAR_VALUE 4u  /* field values and chunk extensions: no CTL but HTAB */
#define SPOUT__CHAR_HOST 8u   /* unreserved and sub-delims (RFC 3986 3.2.2) */
#define SPOUT__CHAR_DIGIT 16u
#define SPOUT__CHAR_HEX 32u

extern const unsigned char spout__http_chars[256];

static inline bool
spout__http_char_is(char c, unsigned classes)
{
	return (spout__http_chars[(unsigned char)c] & classes) != 0;
}

/** The first byte from `p` on that is not of the class; something there must stop it. */
static inline const char *
spout__http_skip(const char *p, unsigned classes)
{
	while (spout__http_char_is(*p, classes))
		p++;
	return p;
}

static inline bool
spout__http_is_ows(char c)
{
	return c == ' ' || c == '\t';
}

static inline char
spout__http_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/** True if both are the same but for the case of letters. */
static inline bool
spout__http_same(struct spout_slice a, struct spout_slice b)
{
	size_t i;

	if (a.len != b.len)
		return false;
	for (i = 0; i < a.len; i++)
		if (a.data[i] != b.data[i] &&
		    spout__http_lower(a.data[i]) != spout__http_lower(b.data[i]))
			return false;
	return true;
}

#endif
