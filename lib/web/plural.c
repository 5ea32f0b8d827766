/* SPDX-License-Identifier: MIT */
/* The plural rule of a catalogue, read and applied: see plural.h. */
#include "config.h"

#include "web/plural.h"

#include <errno.h>

#define MAX_DEPTH 50u
#define MAX_RULE 1024u
#define CHECKED 1000u

/* A recursive descent over the rule; from the first mistake on it only returns. */
struct reader {
	const char *at, *end;
	uint64_t n;
	unsigned depth;
	bool bad;
};

static uint64_t conditional(struct reader *r);

static void
skip_space(struct reader *r)
{
	while (r->at < r->end && (*r->at == ' ' || *r->at == '\t'))
		r->at++;
}

static bool
take(struct reader *r, const char *token)
{
	size_t len = strlen(token);

	skip_space(r);
	if ((size_t)(r->end - r->at) < len || memcmp(r->at, token, len) != 0)
		return false;
	r->at += len;
	return true;
}

static uint64_t
number(struct reader *r)
{
	uint64_t value = 0;
	const char *begin = r->at;

	while (r->at < r->end && *r->at >= '0' && *r->at <= '9' && r->at - begin < 10)
		value = value * 10 + (uint64_t)(*r->at++ - '0');
	r->bad |= r->at == begin;
	return value;
}

static uint64_t
primary(struct reader *r)
{
	uint64_t value;

	if (r->bad || ++r->depth > MAX_DEPTH) {
		r->bad = true;
		return 0;
	}
	if (take(r, "n")) {
		value = r->n;
	} else if (take(r, "(")) {
		value = conditional(r);
		r->bad |= !take(r, ")");
	} else if (take(r, "!")) {
		value = !primary(r);
	} else {
		skip_space(r);
		value = number(r);
	}
	r->depth--;
	return value;
}

/* The binary operators, by how strongly they bind; longer ones first. */
static const char *const operators[][5] = {
	{ "||" },
	{ "&&" },
	{ "==", "!=" },
	{ "<=", ">=", "<", ">" },
	{ "+", "-" },
	{ "*", "/", "%" },
};

#define LEVELS (sizeof(operators) / sizeof(*operators))

static uint64_t
apply(struct reader *r, const char *operator, uint64_t a, uint64_t b)
{
	switch (operator[0]) {
	case '|': return a || b;
	case '&': return a && b;
	case '=': return a == b;
	case '!': return a != b;
	case '<': return operator[1] == '=' ? a <= b : a < b;
	case '>': return operator[1] == '=' ? a >= b : a > b;
	case '+': return a + b;
	case '-': return a - b;
	case '*': return a * b;
	default: break;
	}
	if (b == 0) {
		r->bad = true;
		return 0;
	}
	return operator[0] == '/' ? a / b : a % b;
}

static uint64_t
binary(struct reader *r, size_t level)
{
	uint64_t value;
	unsigned i;

	if (level == LEVELS)
		return primary(r);
	value = binary(r, level + 1);
	for (i = 0; !r->bad && operators[level][i] != NULL; i++) {
		if (!take(r, operators[level][i]))
			continue;
		value = apply(r, operators[level][i], value, binary(r, level + 1));
		i = -1u; /* look for each of them again */
	}
	return value;
}

static uint64_t
conditional(struct reader *r)
{
	uint64_t value, yes, no;

	if (r->bad || ++r->depth > MAX_DEPTH) {
		r->bad = true;
		return 0;
	}
	value = binary(r, 0);
	if (take(r, "?")) {
		yes = conditional(r);
		r->bad |= !take(r, ":");
		no = conditional(r);
		value = value ? yes : no;
	}
	r->depth--;
	return value;
}

/* The value of the rule, or -1 if it is malformed. */
static int64_t
value_of(struct spout_slice rule, uint64_t n)
{
	struct reader r = { rule.data, rule.data + rule.len, n, 0, false };
	uint64_t value = conditional(&r);

	skip_space(&r);
	return r.bad || r.at != r.end || value > INT64_MAX ? -1 : (int64_t)value;
}

int
spout__plural_init(struct spout__plural *plural, struct spout_slice value)
{
	struct reader r = { value.data, value.data + value.len, 0, 0, false };
	struct spout__plural found;
	const char *end;
	unsigned n;

	if (value.len > MAX_RULE || !take(&r, "nplurals") || !take(&r, "="))
		return -EBADMSG;
	skip_space(&r);
	n = (unsigned)number(&r);
	if (r.bad || n == 0 || n > SPOUT__PLURALS_MAX || !take(&r, ";") ||
	    !take(&r, "plural") || !take(&r, "="))
		return -EBADMSG;
	end = memchr(r.at, ';', (size_t)(r.end - r.at));
	found = (struct spout__plural){ n,
		spout_slice_of(r.at, (size_t)((end != NULL ? end : r.end) - r.at)) };
	for (n = 0; n < CHECKED; n++)
		if ((uint64_t)value_of(found.rule, n) >= found.n)
			return -EBADMSG;
	*plural = found;
	return 0;
}

unsigned
spout__plural_form(const struct spout__plural *plural, uint64_t n)
{
	int64_t form;

	if (plural->rule.data == NULL)
		return n != 1;
	form = value_of(plural->rule, n);
	return form >= 0 && form < plural->n ? (unsigned)form : 0;
}
