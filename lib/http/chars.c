/* SPDX-License-Identifier: MIT */
/* The table of byte classes: see chars.h. */
#include "config.h"

#include "http/chars.h"

#define T SPOUT__CHAR_TOKEN
#define U SPOUT__CHAR_TARGET
#define V SPOUT__CHAR_VALUE
#define H SPOUT__CHAR_HOST
#define D SPOUT__CHAR_DIGIT
#define X SPOUT__CHAR_HEX

const unsigned char spout__http_chars[256] = {
	['\t'] = V,
	[' '] = V,
	['!'] = T | U | V | H,
	['"'] = U | V,
	['#'] = T | V,
	['$'] = T | U | V | H,
	['%'] = T | U | V,
	['&'] = T | U | V | H,
	['\''] = T | U | V | H,
	['(' ... ')'] = U | V | H,
	['*' ... '+'] = T | U | V | H,
	[','] = U | V | H,
	['-' ... '.'] = T | U | V | H,
	['/'] = U | V,
	['0' ... '9'] = T | U | V | H | D | X,
	[':'] = U | V,
	[';'] = U | V | H,
	['<'] = U | V,
	['='] = U | V | H,
	['>' ... '@'] = U | V,
	['A' ... 'F'] = T | U | V | H | X,
	['G' ... 'Z'] = T | U | V | H,
	['[' ... ']'] = U | V,
	['^'] = T | U | V,
	['_'] = T | U | V | H,
	['`'] = T | U | V,
	['a' ... 'f'] = T | U | V | H | X,
	['g' ... 'z'] = T | U | V | H,
	['{'] = U | V,
	['|'] = T | U | V,
	['}'] = U | V,
	['~'] = T | U | V | H,
	[0x80 ... 0xff] = V, /* obs-text */
};
