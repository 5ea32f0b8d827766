/* SPDX-License-Identifier: MIT */
/* Instructions and tables while they grow, and the block that they become. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "template/compile.h"

static uint32_t *
code_words(const struct spout__compiler *c)
{
	return (uint32_t *)(void *)c->code.data;
}

static bool
append(struct spout__compiler *c, struct spout__buffer *table, const void *data, size_t n)
{
	return spout__compile_error(c, spout__buffer_append(table, data, n));
}

static size_t
code_at(const struct spout__compiler *c)
{
	return c->code.len / sizeof(uint32_t);
}

size_t
spout__here(struct spout__compiler *c)
{
	c->text_open = false;
	return code_at(c);
}

/* Errors of the code from here on belong to the line that is compiled now. */
static bool
mark(struct spout__compiler *c)
{
	struct spout__program_line entry = { (uint32_t)code_at(c),
		c->source->file << 24 | (c->line & 0xffffff) };

	if (entry.line == c->marked)
		return true;
	c->marked = entry.line;
	return append(c, &c->lines, &entry, sizeof(entry));
}

bool
spout__emit_word(struct spout__compiler *c, uint32_t word)
{
	return append(c, &c->code, &word, sizeof(word));
}

bool
spout__emit(struct spout__compiler *c, enum spout__op op, uint32_t a, int effect)
{
	if (a >= 1u << 24)
		return spout__compile_wrong(c, "the template is too large");
	c->text_open = false;
	c->stack += (unsigned)effect;
	if (c->stack > c->max_stack)
		c->max_stack = c->stack;
	if (c->max_stack > SPOUT__TEMPLATE_STACK_MAX)
		return spout__compile_wrong(c, "the expression is too long");
	return mark(c) && spout__emit_word(c, (uint32_t)op | a << 8);
}

bool
spout__emit_jump(
    struct spout__compiler *c, enum spout__op op, uint32_t a, int effect, size_t *ret)
{
	if (!spout__emit(c, op, a, effect))
		return false;
	*ret = code_at(c);
	return spout__emit_word(c, 0);
}

bool
spout__emit_jump_back(struct spout__compiler *c, size_t to)
{
	if (!spout__emit(c, SPOUT__OP_JUMP, 0, 0))
		return false;
	return spout__emit_word(c, (uint32_t)(to - code_at(c) - 1));
}

bool
spout__land(struct spout__compiler *c, size_t jump)
{
	if (c->error != 0)
		return false;
	code_words(c)[jump] = (uint32_t)(spout__here(c) - jump - 1);
	return true;
}

bool
spout__rotate(struct spout__compiler *c, size_t a, size_t b)
{
	size_t n = b - a, rest = code_at(c) - b;
	uint32_t *words = code_words(c), *copy;

	copy = spout__compile_alloc(c, n * sizeof(*copy));
	if (copy == NULL)
		return false;
	memcpy(copy, words + a, n * sizeof(*copy));
	memmove(words + a, words + b, rest * sizeof(*copy));
	memcpy(words + a + rest, copy, n * sizeof(*copy));
	return true;
}

bool
spout__emit_text(struct spout__compiler *c, const char *data, size_t len)
{
	uint32_t *word, offset = (uint32_t)c->texts.len;

	if (len == 0)
		return true;
	if (c->text_open) {
		word = code_words(c) + c->text_at;
		if (word[1] + (word[0] >> 8) == offset &&
		    (word[0] >> 8) + len < 1u << 24) {
			word[0] += (uint32_t)len << 8;
			return append(c, &c->texts, data, len);
		}
	}
	if (!append(c, &c->texts, data, len) ||
	    !spout__emit(c, SPOUT__OP_TEXT, (uint32_t)len, 0))
		return false;
	c->text_at = code_at(c) - 1;
	c->text_open = true;
	return spout__emit_word(c, offset);
}

/* --- tables ----------------------------------------------------------------------- */

static struct spout_slice
string_at(const struct spout__compiler *c, uint32_t i)
{
	const struct spout__program_string *all = (const void *)c->strings.data;

	return spout_slice_of(c->texts.data + all[i].offset, all[i].len);
}

int
spout__string(struct spout__compiler *c, struct spout_slice text)
{
	size_t n = c->strings.len / sizeof(struct spout__program_string), i;
	struct spout__program_string entry = { (uint32_t)c->texts.len,
		(uint32_t)text.len };

	for (i = 0; i < n; i++) {
		struct spout_slice known = string_at(c, (uint32_t)i);

		if (known.len == text.len &&
		    (text.len == 0 || memcmp(known.data, text.data, text.len) == 0))
			return (int)i;
	}
	if (n == 1u << 12) {
		spout__compile_wrong(c, "more than %u names and texts", 1u << 12);
		return -1;
	}
	if ((text.len > 0 && !append(c, &c->texts, text.data, text.len)) ||
	    !append(c, &c->texts, "", 1) ||
	    !append(c, &c->strings, &entry, sizeof(entry)))
		return -1;
	return (int)n;
}

int
spout__external(struct spout__compiler *c, struct spout_slice name, bool called)
{
	struct spout__program_external *all,
	    entry = {
		    .line = c->source->file << 24 | (c->line & 0xffffff),
		    .called = called,
	    };
	size_t n = c->externals.len / sizeof(entry), i;
	int string = spout__string(c, name);

	if (string < 0)
		return -1;
	all = (void *)c->externals.data;
	for (i = 0; i < n; i++)
		if (all[i].string == (uint32_t)string && all[i].called == called)
			return (int)i;
	entry.string = (uint32_t)string;
	return append(c, &c->externals, &entry, sizeof(entry)) ? (int)n : -1;
}

/* --- the block -------------------------------------------------------------------- */

/* Put a table behind what is there; its place and size in words. */
static uint32_t
place(uint32_t *words, uint32_t *at, const struct spout__buffer *table)
{
	uint32_t where = *at;

	if (table->len > 0)
		memcpy(words + where, table->data, table->len);
	*at += (uint32_t)((table->len + 3) / 4);
	return where;
}

bool
spout__assemble(struct spout__compiler *c, const char *name, struct spout__program **ret)
{
	const struct spout__buffer *tables[] = { &c->code, &c->externals, &c->lines,
		&c->files, &c->strings, &c->texts };
	uint32_t at = sizeof(struct spout__program) / sizeof(uint32_t);
	int name_string = spout__string(c, spout_slice(name));
	struct spout__program *p;
	size_t n = sizeof(*p);

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		n += (tables[i]->len + 3) / 4 * 4;
	p = name_string >= 0 ? calloc(1, n) : NULL;
	if (p == NULL)
		return spout__compile_error(c, -ENOMEM);
	p->magic = SPOUT__PROGRAM_MAGIC;
	p->n_words = (uint32_t)(n / sizeof(uint32_t));
	p->name = (uint32_t)name_string;
	p->n_code = (uint32_t)(c->code.len / sizeof(uint32_t));
	p->n_externals =
	    (uint32_t)(c->externals.len / sizeof(struct spout__program_external));
	p->n_lines = (uint32_t)(c->lines.len / sizeof(struct spout__program_line));
	p->n_files = (uint32_t)(c->files.len / sizeof(uint32_t));
	p->n_strings = (uint32_t)(c->strings.len / sizeof(struct spout__program_string));
	p->texts_len = (uint32_t)c->texts.len;
	p->code = place((uint32_t *)p, &at, &c->code);
	p->externals = place((uint32_t *)p, &at, &c->externals);
	p->lines = place((uint32_t *)p, &at, &c->lines);
	p->files = place((uint32_t *)p, &at, &c->files);
	p->strings = place((uint32_t *)p, &at, &c->strings);
	p->texts = place((uint32_t *)p, &at, &c->texts);
	p->n_slots = c->n_slots;
	p->n_loops = c->max_loops;
	p->max_stack = c->max_stack;
	p->max_captures = c->max_captures;
	*ret = p;
	return true;
}
