/* SPDX-License-Identifier: MIT */
/* Tokens of expressions: see token.h. */
#include "config.h"

#include "template/token.h"

#define wrong(r, ...) spout__compile_wrong((r)->c, __VA_ARGS__)

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t
number_len(struct spout_slice s, bool *ret_real)
{
	size_t n = 0;

	*ret_real = false;
	while (n < s.len && is_digit(s.data[n]))
		n++;
	if (n + 1 < s.len && s.data[n] == '.' && is_digit(s.data[n + 1])) {
		*ret_real = true;
		for (n++; n < s.len && is_digit(s.data[n]); n++)
			;
	}
	return n;
}

static size_t
string_len(struct spout_slice s)
{
	for (size_t n = 1; n < s.len; n++) {
		if (s.data[n] == '\\')
			n++;
		else if (s.data[n] == s.data[0])
			return n + 1;
	}
	return 0;
}

static size_t
sign_len(struct spout_slice s)
{
	static const char *const two[] = { "==", "!=", "<=", ">=", "//" };

	for (size_t i = 0; i < sizeof(two) / sizeof(two[0]); i++)
		if (s.len >= 2 && memcmp(s.data, two[i], 2) == 0)
			return 2;
	return memchr("<>+-*/%()[],.|:=", s.data[0], 16) != NULL;
}

/* Read the next token. */
bool
spout__token_next(struct spout__reader *r)
{
	struct spout_slice word;
	bool real = false;
	size_t n, i;

	for (i = 0; i < r->left.len &&
	     (r->left.data[i] == ' ' ||
		 (r->left.data[i] >= '\t' && r->left.data[i] <= '\r'));
	     i++)
		r->next_line += r->left.data[i] == '\n';
	r->left = spout_slice_of(r->left.data + i, r->left.len - i);
	r->c->line = r->next_line;
	r->token = SPOUT__TOKEN_END;
	r->text = spout_slice_of(r->left.data, 0);
	if (r->left.len == 0)
		return true;
	word = r->left;
	word = spout__cut_word(&word);
	if (word.len > 0) {
		n = word.len;
		r->token = SPOUT__TOKEN_NAME;
	} else if (is_digit(r->left.data[0])) {
		n = number_len(r->left, &real);
		r->token = real ? SPOUT__TOKEN_REAL : SPOUT__TOKEN_INT;
	} else if (r->left.data[0] == '"' || r->left.data[0] == '\'') {
		n = string_len(r->left);
		r->token = SPOUT__TOKEN_STRING;
	} else {
		n = sign_len(r->left);
		r->token = SPOUT__TOKEN_SIGN;
	}
	if (n == 0)
		return wrong(r,
		    r->token == SPOUT__TOKEN_STRING ? "text without its closing quote"
						    : "\"%.*s\" is not understood",
		    r->left.len > 1 && (r->left.data[0] & 0x80) ? 0 : 1, r->left.data);
	r->text = spout_slice_of(r->left.data, n);
	for (i = 0; i < n; i++)
		r->next_line += r->text.data[i] == '\n';
	r->left = spout_slice_of(r->left.data + n, r->left.len - n);
	return true;
}

bool
spout__token_is_sign(const struct spout__reader *r, const char *sign)
{
	return r->token == SPOUT__TOKEN_SIGN && spout_slice_equal(r->text, sign);
}

bool
spout__token_is_word(const struct spout__reader *r, const char *word)
{
	return r->token == SPOUT__TOKEN_NAME && spout_slice_equal(r->text, word);
}

bool
spout__token_unexpected(struct spout__reader *r)
{
	if (r->token == SPOUT__TOKEN_END)
		return wrong(r, "the expression ends too early");
	return wrong(r, "unexpected \"%.*s\"", r->text.len > 40 ? 40 : (int)r->text.len,
	    r->text.data);
}

bool
spout__token_expect(struct spout__reader *r, const char *sign)
{
	if (!spout__token_is_sign(r, sign))
		return r->token == SPOUT__TOKEN_END ? wrong(r, "\"%s\" is missing", sign)
						    : spout__token_unexpected(r);
	return spout__token_next(r);
}
