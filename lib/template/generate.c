/* SPDX-License-Identifier: MIT */
/* From nodes to code, in the order of the output: see compile.h. */
#include "config.h"

#include "template/compile.h"

static bool
html_ok(struct spout__compiler *c, const char *wrong)
{
	return wrong == NULL || spout__compile_wrong(c, "%s", wrong);
}

/* --- text ------------------------------------------------------------------------- */

struct chunk {
	struct spout__compiler *c;
	size_t len;
	char data[512];
};

static bool
put(struct chunk *chunk, char c)
{
	if (chunk->len == sizeof(chunk->data)) {
		chunk->len = 0;
		if (!spout__emit_text(chunk->c, chunk->data, sizeof(chunk->data)))
			return false;
	}
	chunk->data[chunk->len++] = c;
	return true;
}

static bool
generate_text(struct spout__compiler *c, const struct spout__node *node)
{
	struct chunk chunk = { .c = c };
	char run = 0; /* what stands for the white space just read */

	for (size_t i = 0; i < node->text.len; i++) {
		char byte = node->text.data[i];
		bool blank = byte == ' ' || (byte >= '\t' && byte <= '\r');

		if (blank && node->whitespace != SPOUT__WHITESPACE_ALL &&
		    spout__html_collapsible(&c->html)) {
			run = run == '\n' ||
				(byte == '\n' &&
				    node->whitespace == SPOUT__WHITESPACE_SINGLE)
			    ? '\n'
			    : ' ';
		} else {
			if ((run != 0 && !put(&chunk, run)) || !put(&chunk, byte))
				return false;
			run = 0;
		}
		if (!html_ok(c, spout__html_step(&c->html, byte)))
			return false;
		c->line += byte == '\n';
	}
	if (run != 0 && !put(&chunk, run))
		return false;
	c->line = node->line;
	return spout__emit_text(c, chunk.data, chunk.len);
}

/* --- expressions ------------------------------------------------------------------ */

static bool
print(struct spout__compiler *c, enum spout__escape escape)
{
	return spout__emit(c, SPOUT__OP_PRINT, escape, -1);
}

static bool
generate_raw(struct spout__compiler *c, const struct spout__node *node)
{
	spout__html_unescaped(&c->html);
	return spout__expression(c, node->text) && print(c, SPOUT__ESCAPE_NONE);
}

static bool
generate_print(struct spout__compiler *c, const struct spout__node *node)
{
	const struct spout__source *source = node->source;
	enum spout__escape escape = SPOUT__ESCAPE_NONE;

	if (source->autoescape == SPOUT__AUTOESCAPE_OFF)
		return generate_raw(c, node);
	if (source->autoescape == SPOUT__AUTOESCAPE_FUNCTION) {
		spout__html_unescaped(&c->html);
		return spout__expression(c, node->text) &&
		    spout__expression_call(
			c, source->escape_function, 1, spout_slice("")) &&
		    print(c, escape);
	}
	return html_ok(c, spout__html_expression(&c->html, &escape)) &&
	    spout__expression(c, node->text) && print(c, escape);
}

static bool
generate_set(struct spout__compiler *c, const struct spout__node *node)
{
	struct spout_slice rest = node->text, name = spout__cut_word(&rest);
	int slot;

	if (name.len == 0 || rest.len < 2 || rest.data[0] != '=' || rest.data[1] == '=')
		return spout__compile_wrong(c, "{%% set %%} needs \"name = expression\"");
	if (!spout__expression(c, spout_slice_of(rest.data + 1, rest.len - 1)))
		return false;
	slot = spout__variable_slot(c, name);
	return slot >= 0 && spout__emit(c, SPOUT__OP_STORE, (uint32_t)slot, -1);
}

/* --- branches --------------------------------------------------------------------- */

static unsigned
count_branches(const struct spout__node *node)
{
	unsigned n = 0;

	for (; node != NULL; node = node->otherwise)
		n++;
	return n;
}

/* One branch, and the jump behind all of them. */
static bool
generate_branch(
    struct spout__compiler *c, const struct spout__node *branch, size_t *ret_jump)
{
	size_t no = 0;

	c->line = branch->line;
	if (!branch->is_else &&
	    (!spout__expression(c, branch->text) ||
		!spout__emit_jump(c, SPOUT__OP_IF_NOT, 0, -1, &no)))
		return false;
	if (!spout__generate(c, branch->body))
		return false;
	c->line = branch->line;
	if (branch->otherwise != NULL &&
	    !spout__emit_jump(c, SPOUT__OP_JUMP, 0, 0, ret_jump))
		return false;
	return branch->is_else || spout__land(c, no);
}

static bool
generate_if(struct spout__compiler *c, const struct spout__node *node)
{
	struct spout__html start = c->html, joined = { .dead = true };
	unsigned n = count_branches(node), i = 0;
	size_t *jumps = spout__compile_alloc(c, n * sizeof(*jumps));
	const struct spout__node *branch;
	bool has_else = false;

	if (jumps == NULL)
		return false;
	for (branch = node; branch != NULL; branch = branch->otherwise) {
		c->html = start;
		has_else = branch->is_else;
		if (!generate_branch(c, branch, &jumps[i++]) ||
		    !html_ok(c, spout__html_join(&joined, &c->html)))
			return false;
	}
	if (!has_else && !html_ok(c, spout__html_join(&joined, &start)))
		return false;
	c->html = joined;
	for (i = 0; i + 1 < n; i++)
		if (!spout__land(c, jumps[i]))
			return false;
	return true;
}

/* --- other templates -------------------------------------------------------------- */

/* The block of that name in the page, or in what it extends, nearest first. */
static const struct spout__node *
find_block(const struct spout__compiler *c, const struct spout__node *block)
{
	for (unsigned i = 0; i < c->n_chain; i++) {
		const struct spout__node *other = c->chain[i]->blocks;

		for (; other != NULL; other = other->next_block)
			if (other->text.len == block->text.len &&
			    memcmp(other->text.data, block->text.data, block->text.len) ==
				0)
				return other;
	}
	return block;
}

static bool
generate_include(struct spout__compiler *c, const struct spout__node *node)
{
	const struct spout__source *source = spout__source_get(c, node->text);

	if (source == NULL)
		return false;
	if (source->parent.data != NULL)
		return spout__compile_wrong(c,
		    "\"%s\" extends another; {%% module Template() %%} may do so",
		    source->name);
	return spout__generate(c, source->nodes);
}

bool
spout__generate_page(struct spout__compiler *c, struct spout__source *page)
{
	c->n_chain = 0;
	for (;;) {
		c->chain[c->n_chain++] = page;
		if (page->parent.data == NULL)
			return spout__generate(c, page->nodes);
		c->source = page;
		c->line = page->parent_line;
		if (c->n_chain == SPOUT__TEMPLATE_CHAIN_MAX)
			return spout__compile_wrong(c,
			    "more than %d templates extend each other",
			    SPOUT__TEMPLATE_CHAIN_MAX);
		page = spout__source_get(c, page->parent);
		if (page == NULL)
			return false;
	}
}

/* An argument of Template() becomes a variable of that template. */
static bool
store_argument(struct spout__compiler *c, struct spout_slice name, void *arg)
{
	struct spout__names *outer = c->names;
	int slot;

	c->names = arg;
	slot = spout__variable_slot(c, name);
	c->names = outer;
	return slot >= 0 && spout__emit(c, SPOUT__OP_STORE, (uint32_t)slot, -1);
}

static bool
forget(struct spout__compiler *c, const struct spout__names *names)
{
	for (unsigned i = 0; i < names->n; i++)
		if (!spout__emit(c, SPOUT__OP_FORGET, names->variables[i].slot, 0))
			return false;
	return true;
}

/* {% module Template("x.html", a=b) %}: a template with names of its own. */
static bool
generate_template(struct spout__compiler *c, struct spout_slice arguments)
{
	struct spout__names own = { .closed = true }, *outer = c->names;
	struct spout__loop_place *loop = c->loop;
	int loop_number = c->loop_number;
	struct spout__source *chain[SPOUT__TEMPLATE_CHAIN_MAX], *page;
	unsigned n_chain = c->n_chain;
	struct spout_slice name;
	bool ok;

	own.variables =
	    spout__compile_alloc(c, SPOUT__TEMPLATE_SLOTS_MAX * sizeof(*own.variables));
	if (own.variables == NULL ||
	    !spout__expression_template(c, arguments, store_argument, &own, &name))
		return false;
	page = spout__source_get(c, name);
	if (page == NULL)
		return false;
	memcpy(chain, c->chain, sizeof(chain));
	c->names = &own;
	c->loop = NULL;
	c->loop_number = -1;
	ok = spout__generate_page(c, page);
	memcpy(c->chain, chain, sizeof(chain));
	c->n_chain = n_chain;
	c->names = outer;
	c->loop = loop;
	c->loop_number = loop_number;
	return ok && forget(c, &own);
}

static bool
must_be_text(struct spout__compiler *c, const char *what)
{
	return c->html.state == SPOUT__HTML_TEXT || c->html.state == SPOUT__HTML_PLAIN ||
	    spout__compile_wrong(c, "{%% %s %%} stands in the text of a page only", what);
}

static bool
generate_module(struct spout__compiler *c, const struct spout__node *node)
{
	struct spout_slice rest = node->text, name = spout__cut_word(&rest);

	if (name.len == 0)
		return spout__compile_wrong(c, "the name of a module is missing");
	if (spout_slice_equal(name, "Template"))
		return generate_template(c, rest);
	return must_be_text(c, "module") && spout__expression_call(c, name, 0, rest) &&
	    print(c, SPOUT__ESCAPE_NONE);
}

static bool
generate_apply(struct spout__compiler *c, const struct spout__node *node)
{
	struct spout_slice rest = node->text, name = spout__cut_word(&rest);

	if (name.len == 0)
		return spout__compile_wrong(c, "the name of a function is missing");
	if (!must_be_text(c, "apply") || !spout__emit(c, SPOUT__OP_CAPTURE, 0, 0))
		return false;
	if (++c->captures > c->max_captures)
		c->max_captures = c->captures;
	if (!spout__generate(c, node->body))
		return false;
	c->captures--;
	c->source = node->source;
	c->line = node->line;
	return must_be_text(c, "end") && spout__emit(c, SPOUT__OP_CAPTURED, 0, 1) &&
	    spout__expression_call(c, name, 1, rest) && print(c, SPOUT__ESCAPE_NONE);
}

/* --- nodes ------------------------------------------------------------------------ */

static bool
generate_node(struct spout__compiler *c, const struct spout__node *node)
{
	switch (node->kind) {
	case SPOUT__NODE_TEXT:
		return generate_text(c, node);
	case SPOUT__NODE_PRINT:
		return generate_print(c, node);
	case SPOUT__NODE_RAW:
		return generate_raw(c, node);
	case SPOUT__NODE_IF:
		return generate_if(c, node);
	case SPOUT__NODE_FOR:
	case SPOUT__NODE_WHILE:
		return spout__generate_loop(c, node);
	case SPOUT__NODE_BREAK:
	case SPOUT__NODE_CONTINUE:
		return spout__generate_leave(c, node);
	case SPOUT__NODE_SET:
		return generate_set(c, node);
	case SPOUT__NODE_BLOCK:
		return spout__generate(c, find_block(c, node)->body);
	case SPOUT__NODE_INCLUDE:
		return generate_include(c, node);
	case SPOUT__NODE_APPLY:
		return generate_apply(c, node);
	case SPOUT__NODE_MODULE:
		return generate_module(c, node);
	}
	return false;
}

bool
spout__generate(struct spout__compiler *c, const struct spout__node *node)
{
	if (node != NULL && ++c->depth > SPOUT__TEMPLATE_DEPTH_MAX)
		return spout__compile_fail(c, node->source, node->line,
		    "blocks and templates are nested too deeply");
	if (node == NULL)
		return true;
	/* What stands behind a break is never reached. */
	for (; node != NULL && !c->html.dead; node = node->next) {
		c->source = node->source;
		c->line = node->line;
		if (++c->work > SPOUT__TEMPLATE_WORK_MAX)
			return spout__compile_wrong(c, "the template is too large");
		if (!generate_node(c, node))
			return false;
	}
	c->depth--;
	return true;
}
