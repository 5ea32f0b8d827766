/* SPDX-License-Identifier: MIT */
/*
 * Text on its way in and out: percent-encoding (RFC 3986 2.1), UTF-8, escaping for HTML
 * and JSON, composing. Pure, any thread; nothing allocates, the caller brings the room.
 */
#ifndef SPOUT_BASE_TEXT_H
#define SPOUT_BASE_TEXT_H

#include <spout/types.h>

#include "base/buffer.h"

/** Compose where there is room for certain: copies, returns the end of what it wrote. */
static inline char *
spout__put(char *to, const char *data, size_t len)
{
	memcpy(to, data, len);
	return to + len;
}

/** The same for a string literal. */
#define SPOUT__PUT(to, literal) spout__put((to), (literal), sizeof(literal) - 1)

/** The same for a number in decimal: at most 20 bytes. */
static inline char *
spout__put_number(char *to, uint64_t n)
{
	char digits[20];
	unsigned i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	return spout__put(to, digits + i, sizeof(digits) - i);
}

/** True if the bytes are valid UTF-8 (RFC 3629: no surrogates, nothing overlong). */
bool spout__utf8_valid(const char *data, size_t len);
/**
 * For a text that comes in pieces: how many bytes at its front are whole characters, if
 * the rest, at most three bytes, may be the beginning of one; else -EBADMSG.
 */
long spout__utf8_prefix(const char *data, size_t len);

/**
 * Decode percent-encoding once into `to`, which has room for `len` bytes and may be
 * `data` itself. `plus`: "+" is a space, as in forms. Returns the length, or -EBADMSG for
 * a malformed escape, a NUL, or a result that is not UTF-8.
 */
long spout__percent_decode(const char *data, size_t len, bool plus, char *to);
/** Encode all but unreserved characters into `to` (3 * len bytes). Returns the length. */
size_t spout__percent_encode(const char *data, size_t len, char *to);

/** Length of the text with &, <, >, " and ' escaped. */
size_t spout__html_escaped_len(const char *data, size_t len);
/** Escape into `to`, which has room for that many bytes. Returns the length. */
size_t spout__html_escape(const char *data, size_t len, char *to);

/**
 * Append the inside of a JSON string. Bytes that are not UTF-8 are taken for Latin-1.
 * Returns 0, -EMSGSIZE or -ENOMEM.
 */
int spout__json_escape(struct spout__buffer *to, const char *data, size_t len);

/** Deepest nesting of JSON taken from a peer: jansson recurses on a coroutine's stack. */
#define SPOUT__JSON_MAX_DEPTH 100u
/** False if the text opens more brackets at once than that. */
bool spout__json_depth_ok(struct spout_slice text);

#endif
