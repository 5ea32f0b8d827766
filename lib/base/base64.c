/* SPDX-License-Identifier: MIT */
/* Base64 with padding (RFC 4648 4), strict: one text for each sequence of bytes. */
#include "config.h"

#include <spout/crypto.h>

#include <errno.h>

size_t
spout_base64(const void *data, size_t len, char *ret_text)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *in = data;
	char *to = ret_text;

	for (; len > 0; in += 3) {
		size_t n = len < 3 ? len : 3;
		uint32_t bits = (uint32_t)in[0] << 16 |
		    (n > 1 ? (uint32_t)in[1] << 8 : 0) | (n > 2 ? in[2] : 0);

		*to++ = digits[bits >> 18];
		*to++ = digits[bits >> 12 & 63];
		*to++ = n > 1 ? digits[bits >> 6 & 63] : '=';
		*to++ = n > 2 ? digits[bits & 63] : '=';
		len -= n;
	}
	*to = '\0';
	return (size_t)(to - ret_text);
}

static int
digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* The 24 bits of `n` digits; -1 if one is none, or bits are set that mean nothing. */
static long
group_bits(const char *text, size_t n)
{
	long bits = 0;
	size_t i;

	for (i = 0; i < 4; i++) {
		int value = i < n ? digit_value(text[i]) : 0;

		if (value < 0)
			return -1;
		bits = bits << 6 | value;
	}
	if ((n == 2 && (bits & 0xffff) != 0) || (n == 3 && (bits & 0xff) != 0))
		return -1;
	return bits;
}

long
spout_base64_decode(const char *text, size_t len, void *ret_data)
{
	unsigned char *to = ret_data;
	size_t at, n;

	if (len % 4 != 0)
		return -EBADMSG;
	for (at = 0; at < len; at += 4) {
		bool last = at + 4 == len;
		long bits;

		n = last && text[at + 3] == '=' ? (text[at + 2] == '=' ? 2 : 3) : 4;
		bits = group_bits(text + at, n);
		if (bits < 0)
			return -EBADMSG;
		*to++ = (unsigned char)(bits >> 16);
		if (n > 2)
			*to++ = (unsigned char)(bits >> 8);
		if (n > 3)
			*to++ = (unsigned char)bits;
	}
	return (long)(to - (unsigned char *)ret_data);
}
