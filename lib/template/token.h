/* SPDX-License-Identifier: MIT */
/* Tokens of expressions, for expression.c. */
#ifndef SPOUT_TEMPLATE_TOKEN_H
#define SPOUT_TEMPLATE_TOKEN_H

#include "template/compile.h"

enum spout__token {
	SPOUT__TOKEN_END,
	SPOUT__TOKEN_NAME,
	SPOUT__TOKEN_INT,
	SPOUT__TOKEN_REAL,
	SPOUT__TOKEN_STRING,
	SPOUT__TOKEN_SIGN,
};

struct spout__reader {
	struct spout__compiler *c;
	struct spout_slice left; /* behind the token */
	enum spout__token token;
	struct spout_slice text; /* the token; a string with its quotes */
	uint32_t next_line;      /* behind the token */
	unsigned depth;
};

/** Read the next token; the place that is compiled becomes that of the token. */
bool spout__token_next(struct spout__reader *r);
bool spout__token_is_sign(const struct spout__reader *r, const char *sign);
bool spout__token_is_word(const struct spout__reader *r, const char *word);
/** The token has no place here. Returns false. */
bool spout__token_unexpected(struct spout__reader *r);
/** Read over that sign, which has to be there. */
bool spout__token_expect(struct spout__reader *r, const char *sign);

#endif
