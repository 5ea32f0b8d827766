/* SPDX-License-Identifier: MIT */
/* Loops. A body that changes its place in the page is compiled again from there. */
#include "config.h"

#include "template/compile.h"

struct jump {
	struct jump *next;
	size_t place;
};

struct spout__loop_place {
	struct spout__loop_place *outer;
	size_t top; /* where the next round begins */
	struct jump *breaks;
	struct spout__html at_break, at_continue; /* joined over all of them */
};

static bool
join(struct spout__compiler *c, struct spout__html *h, const struct spout__html *other)
{
	const char *wrong = spout__html_join(h, other);

	return wrong == NULL || spout__compile_wrong(c, "loop: %s", wrong);
}

bool
spout__generate_leave(struct spout__compiler *c, const struct spout__node *node)
{
	struct spout__loop_place *loop = c->loop;
	struct jump *jump;
	bool ok;

	if (node->kind == SPOUT__NODE_CONTINUE) {
		ok = join(c, &loop->at_continue, &c->html) &&
		    spout__emit_jump_back(c, loop->top);
	} else {
		jump = spout__compile_alloc(c, sizeof(*jump));
		ok = jump != NULL && join(c, &loop->at_break, &c->html) &&
		    spout__emit_jump(c, SPOUT__OP_JUMP, 0, 0, &jump->place);
		if (ok) {
			jump->next = loop->breaks;
			loop->breaks = jump;
		}
	}
	c->html.dead = true;
	return ok;
}

/* "a in …" or "a, b in …": what is in front of "in"; the rest stays. */
static bool
variables(struct spout__compiler *c, struct spout_slice *rest, struct spout_slice *names,
    unsigned *n)
{
	struct spout_slice word;

	*n = 0;
	do {
		if (*n > 0)
			*rest = spout_slice_of(rest->data + 1, rest->len - 1);
		names[*n] = spout__cut_word(rest);
		if (names[(*n)++].len == 0)
			break;
	} while (*n < 2 && rest->len > 0 && rest->data[0] == ',');
	word = spout__cut_word(rest);
	return spout_slice_equal(word, "in") ||
	    spout__compile_wrong(c,
		"{%% for %%} needs \"name in list\" or "
		"\"key, value in object\"");
}

/* The head of a round: leaves the loop by the jump that is returned. */
static bool
round_begins(struct spout__compiler *c, const struct spout__node *node,
    const struct spout_slice *names, unsigned n, size_t *ret_end)
{
	unsigned i;

	c->line = node->line;
	if (node->kind == SPOUT__NODE_WHILE)
		return spout__expression(c, node->text) &&
		    spout__emit_jump(c, SPOUT__OP_IF_NOT, 0, -1, ret_end);
	if (!spout__emit_jump(
		c, SPOUT__OP_NEXT, (c->n_loops - 1) | n << 16, (int)n, ret_end))
		return false;
	for (i = n; i > 0; i--) {
		int slot = spout__variable_slot(c, names[i - 1]);

		if (slot < 0 || !spout__emit(c, SPOUT__OP_STORE, (uint32_t)slot, -1))
			return false;
	}
	return true;
}

/* One compilation of the loop; where in the page the next round would begin. */
static bool
attempt(struct spout__compiler *c, const struct spout__node *node,
    const struct spout_slice *names, unsigned n, struct spout__html *ret_again)
{
	struct spout__loop_place *loop = c->loop;
	struct spout__html entry = c->html;
	size_t end;

	loop->breaks = NULL;
	loop->at_break = (struct spout__html){ .dead = true };
	loop->at_continue = (struct spout__html){ .dead = true };
	loop->top = spout__here(c);
	if (!round_begins(c, node, names, n, &end) || !spout__generate(c, node->body))
		return false;
	c->source = node->source;
	c->line = node->line;
	*ret_again = entry;
	if (!spout__emit_jump_back(c, loop->top) || !spout__land(c, end) ||
	    !join(c, ret_again, &c->html) || !join(c, ret_again, &loop->at_continue))
		return false;
	for (; loop->breaks != NULL; loop->breaks = loop->breaks->next)
		if (!spout__land(c, loop->breaks->place))
			return false;
	c->html = entry;
	return join(c, &c->html, &loop->at_break);
}

static bool
rounds(struct spout__compiler *c, const struct spout__node *node,
    const struct spout_slice *names, unsigned n)
{
	size_t code = c->code.len, lines = c->lines.len;
	struct spout__html entry = c->html, again;
	uint32_t marked = c->marked;
	unsigned i;

	for (i = 0; i < 3; i++) {
		if (!attempt(c, node, names, n, &again))
			return false;
		if (memcmp(&again, &entry, sizeof(entry)) == 0)
			return true;
		c->html = entry = again;
		c->code.len = code;
		c->lines.len = lines;
		c->marked = marked;
		c->text_open = false;
	}
	return spout__compile_wrong(c, "loop: each round ends in another place");
}

bool
spout__generate_loop(struct spout__compiler *c, const struct spout__node *node)
{
	struct spout__loop_place loop = { .outer = c->loop };
	struct spout_slice rest = node->text, names[2];
	int outer_number = c->loop_number;
	unsigned n = 0;
	bool ok;

	if (c->n_loops == SPOUT__TEMPLATE_LOOPS_MAX)
		return spout__compile_wrong(
		    c, "more than %d loops in each other", SPOUT__TEMPLATE_LOOPS_MAX);
	if (node->kind == SPOUT__NODE_FOR) {
		if (!variables(c, &rest, names, &n) || !spout__expression(c, rest) ||
		    !spout__emit(c, SPOUT__OP_LOOP, c->n_loops, -1))
			return false;
		c->loop_number = (int)c->n_loops;
		if (++c->n_loops > c->max_loops)
			c->max_loops = c->n_loops;
	}
	c->loop = &loop;
	ok = rounds(c, node, names, n);
	c->loop = loop.outer;
	c->loop_number = outer_number;
	c->n_loops -= node->kind == SPOUT__NODE_FOR;
	return ok;
}
