/* SPDX-License-Identifier: MIT */
/* From the text of one source to its nodes: see compile.h, spout-template(7). */
#include "config.h"

#include <errno.h>

#include "template/compile.h"

enum word {
	WORD_APPLY,
	WORD_AUTOESCAPE,
	WORD_BLOCK,
	WORD_BREAK,
	WORD_COMMENT,
	WORD_CONTINUE,
	WORD_ELIF,
	WORD_ELSE,
	WORD_END,
	WORD_EXTENDS,
	WORD_FOR,
	WORD_IF,
	WORD_INCLUDE,
	WORD_MODULE,
	WORD_RAW,
	WORD_SET,
	WORD_WHILE,
	WORD_WHITESPACE,
	N_WORDS,
	WORD_NONE, /* the end of the source */
};

static const char *const words[N_WORDS] = { "apply", "autoescape", "block", "break",
	"comment", "continue", "elif", "else", "end", "extends", "for", "if", "include",
	"module", "raw", "set", "while", "whitespace" };

struct parser {
	struct spout__compiler *c;
	struct spout__source *source;
	struct spout_slice left; /* not read yet */
	uint32_t line;
	enum spout__whitespace whitespace;
	unsigned depth, loops;
	/* The directive that ended a body. */
	enum word word;
	struct spout_slice rest;
	uint32_t word_line;
};

/* --- pieces of text --------------------------------------------------------------- */

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct spout_slice
spout__trim(struct spout_slice s)
{
	while (s.len > 0 && is_blank(s.data[0]))
		s = spout_slice_of(s.data + 1, s.len - 1);
	while (s.len > 0 && is_blank(s.data[s.len - 1]))
		s.len--;
	return s;
}

static bool
name_char(char c, bool first)
{
	char letter = (char)(c | 0x20);

	return (letter >= 'a' && letter <= 'z') || c == '_' ||
	    (!first && c >= '0' && c <= '9');
}

struct spout_slice
spout__cut_word(struct spout_slice *rest)
{
	struct spout_slice all = spout__trim(*rest), word = { all.data, 0 };

	while (word.len < all.len && name_char(all.data[word.len], word.len == 0))
		word.len++;
	*rest = spout__trim(spout_slice_of(all.data + word.len, all.len - word.len));
	return word;
}

bool
spout__is_name(struct spout_slice s)
{
	return s.len > 0 && spout__cut_word(&s).len > 0 && s.len == 0;
}

/* Take `n` bytes; counts their lines. */
static struct spout_slice
take(struct parser *p, size_t n)
{
	struct spout_slice taken = { p->left.data, n };

	for (size_t i = 0; i < n; i++)
		p->line += taken.data[i] == '\n';
	p->left = spout_slice_of(p->left.data + n, p->left.len - n);
	return taken;
}

/* --- nodes ------------------------------------------------------------------------ */

struct list {
	struct spout__node *first, **end;
};

static struct spout__node *
add(struct parser *p, struct list *list, enum spout__node_kind kind,
    struct spout_slice text, uint32_t line)
{
	struct spout__node *node = spout__compile_alloc(p->c, sizeof(*node));

	if (node == NULL)
		return NULL;
	node->kind = kind;
	node->whitespace = p->whitespace;
	node->line = line;
	node->source = p->source;
	node->text = text;
	*list->end = node;
	list->end = &node->next;
	return node;
}

static bool
wrong(struct parser *p, const char *what, struct spout_slice text)
{
	return spout__compile_fail(p->c, p->source, p->word_line, "%s%.*s%s", what,
	    text.len > 60 ? 60 : (int)text.len, text.data, text.len > 60 ? "…" : "");
}

/* --- directives -------------------------------------------------------------------- */

static bool nodes(struct parser *p, struct list *list);

/* What stands up to {% end %}, or for `branches` up to {% elif %} or {% else %}. */
static bool
body(struct parser *p, struct spout__node *node, const char *what, bool branches)
{
	struct list list = { NULL, &list.first };
	uint32_t line = node->line;
	bool ok;

	if (++p->depth > SPOUT__TEMPLATE_DEPTH_MAX)
		return spout__compile_fail(
		    p->c, p->source, line, "statements are nested too deeply");
	ok = nodes(p, &list);
	p->depth--;
	node->body = list.first;
	if (!ok)
		return false;
	if (p->word == WORD_NONE)
		return spout__compile_fail(
		    p->c, p->source, line, "{%% %s %%} without {%% end %%}", what);
	if (p->word != WORD_END && !branches)
		return wrong(p,
		    p->word == WORD_ELSE ? "{% else %} outside of {% if %}"
					 : "{% elif %} outside of {% if %}",
		    spout_slice(""));
	return true;
}

static bool
parse_if(struct parser *p, struct spout__node *node)
{
	if (!body(p, node, "if", true))
		return false;
	while (p->word != WORD_END) {
		struct spout__node *branch = spout__compile_alloc(p->c, sizeof(*branch));

		if (branch == NULL)
			return false;
		if (node->is_else)
			return wrong(p, "a branch behind {% else %}", spout_slice(""));
		*branch = (struct spout__node){ .kind = SPOUT__NODE_IF,
			.line = p->word_line,
			.source = p->source,
			.text = p->rest,
			.is_else = p->word == WORD_ELSE };
		if (branch->is_else ? p->rest.len > 0 : p->rest.len == 0)
			return wrong(p,
			    branch->is_else ? "{% else %} has no condition: "
					    : "{% elif %} needs a condition",
			    p->rest);
		node->otherwise = branch;
		node = branch;
		if (!body(p, node, "if", true))
			return false;
	}
	return true;
}

static bool
parse_block(struct parser *p, struct spout__node *node)
{
	struct spout__node *other;

	if (!spout__is_name(node->text))
		return wrong(p, "not a name of a block: ", node->text);
	for (other = p->source->blocks; other != NULL; other = other->next_block)
		if (other->text.len == node->text.len &&
		    memcmp(other->text.data, node->text.data, node->text.len) == 0)
			return wrong(p, "a second block ", node->text);
	node->next_block = p->source->blocks;
	p->source->blocks = node;
	return body(p, node, "block", false);
}

static struct spout_slice
unquote(struct spout_slice s)
{
	if (s.len >= 2 && (s.data[0] == '"' || s.data[0] == '\'') &&
	    s.data[s.len - 1] == s.data[0])
		return spout_slice_of(s.data + 1, s.len - 2);
	return s;
}

/* Words that change the source and make no node. */
static bool
setting(struct parser *p, enum word word)
{
	struct spout__source *source = p->source;
	struct spout_slice rest = p->rest;

	if (word == WORD_EXTENDS) {
		if (source->parent.data != NULL)
			return wrong(p, "a second {% extends %}", spout_slice(""));
		source->parent = unquote(rest);
		source->parent_line = p->word_line;
		return source->parent.len > 0 ||
		    wrong(p, "{% extends %} needs a name", spout_slice(""));
	}
	if (word == WORD_WHITESPACE) {
		if (spout_slice_equal(rest, "all"))
			p->whitespace = SPOUT__WHITESPACE_ALL;
		else if (spout_slice_equal(rest, "single"))
			p->whitespace = SPOUT__WHITESPACE_SINGLE;
		else if (spout_slice_equal(rest, "oneline"))
			p->whitespace = SPOUT__WHITESPACE_ONELINE;
		else
			return wrong(
			    p, "white space is all, single or oneline, not ", rest);
		return true;
	}
	if (spout_slice_equal(rest, "None") || spout_slice_equal(rest, "none")) {
		source->autoescape = SPOUT__AUTOESCAPE_OFF;
	} else if (spout_slice_equal(rest, "xhtml_escape") ||
	    spout_slice_equal(rest, "escape")) {
		source->autoescape = SPOUT__AUTOESCAPE_ON;
	} else if (spout__is_name(rest)) {
		source->autoescape = SPOUT__AUTOESCAPE_FUNCTION;
		source->escape_function = rest;
	} else {
		return wrong(p, "not a function to escape with: ", rest);
	}
	return true;
}

static bool
statement(struct parser *p, struct list *list, enum word word)
{
	static const struct {
		enum spout__node_kind kind;
		bool bare; /* nothing behind the word */
	} kinds[N_WORDS] = {
		[WORD_APPLY] = { SPOUT__NODE_APPLY, false },
		[WORD_BLOCK] = { SPOUT__NODE_BLOCK, false },
		[WORD_BREAK] = { SPOUT__NODE_BREAK, true },
		[WORD_CONTINUE] = { SPOUT__NODE_CONTINUE, true },
		[WORD_FOR] = { SPOUT__NODE_FOR, false },
		[WORD_IF] = { SPOUT__NODE_IF, false },
		[WORD_INCLUDE] = { SPOUT__NODE_INCLUDE, false },
		[WORD_MODULE] = { SPOUT__NODE_MODULE, false },
		[WORD_RAW] = { SPOUT__NODE_RAW, false },
		[WORD_SET] = { SPOUT__NODE_SET, false },
		[WORD_WHILE] = { SPOUT__NODE_WHILE, false },
	};
	struct spout__node *node;
	unsigned loops = p->loops;
	bool ok;

	if (kinds[word].bare != (p->rest.len == 0))
		return wrong(p,
		    kinds[word].bare ? "nothing may stand behind this word: "
				     : "something has to stand behind ",
		    kinds[word].bare ? p->rest : spout_slice(words[word]));
	node = add(p, list, kinds[word].kind, p->rest, p->word_line);
	if (node == NULL)
		return false;
	switch (word) {
	case WORD_IF:
		return parse_if(p, node);
	case WORD_FOR:
	case WORD_WHILE:
		p->loops++;
		ok = body(p, node, words[word], false);
		p->loops = loops;
		return ok;
	case WORD_BLOCK:
	case WORD_APPLY:
		p->loops = 0; /* no break leads out of it */
		ok = word == WORD_BLOCK ? parse_block(p, node)
					: body(p, node, words[word], false);
		p->loops = loops;
		return ok;
	case WORD_INCLUDE:
		node->text = unquote(node->text);
		return true;
	case WORD_BREAK:
	case WORD_CONTINUE:
		return p->loops > 0 ||
		    wrong(p, "outside of a loop: ", spout_slice(words[word]));
	default:
		return true;
	}
}

/* --- the text ----------------------------------------------------------------------- */

/* Where the next of {{ {% {# begins; the end if there is none. */
static size_t
find_opening(struct spout_slice left)
{
	size_t i;

	for (i = 0; i + 1 < left.len; i++) {
		const char *at = memchr(left.data + i, '{', left.len - 1 - i);

		if (at == NULL)
			return left.len;
		i = (size_t)(at - left.data);
		if (left.data[i + 1] != '{' && left.data[i + 1] != '%' &&
		    left.data[i + 1] != '#')
			continue;
		/* Of three braces the last two count. */
		if (left.data[i + 1] == '{' && i + 2 < left.len &&
		    left.data[i + 2] == '{')
			continue;
		return i;
	}
	return left.len;
}

/* Where `a` and `b` follow each other; outside of quotes when `quotes`. */
static bool
find_closing(struct spout_slice s, char a, char b, bool quotes, size_t *ret)
{
	char quote = 0;

	for (size_t i = 0; i + 1 < s.len; i++) {
		char c = s.data[i];

		if (quote != 0 && c == '\\')
			i++;
		else if (quote != 0)
			quote = c == quote ? 0 : quote;
		else if (quotes && (c == '"' || c == '\''))
			quote = c;
		else if (c == a && s.data[i + 1] == b) {
			*ret = i;
			return true;
		}
	}
	return false;
}

static enum word
word_of(struct spout_slice text, struct spout_slice *ret_rest)
{
	struct spout_slice word = spout__cut_word(&text);
	int i;

	*ret_rest = text;
	for (i = 0; i < N_WORDS; i++)
		if (spout_slice_equal(word, words[i]))
			return (enum word)i;
	return WORD_NONE;
}

/* What is inside of the brackets that begin here. */
static bool
inside(struct parser *p, char kind, struct spout_slice *ret)
{
	static const char *const missing[] = { "{{ without }}", "{% without %}",
		"{# without #}" };
	bool comment = kind == '#';
	struct spout_slice body, rest;
	size_t n;

	p->word_line = p->line;
	take(p, 2);
	if (kind == '%')
		comment = word_of(p->left, &rest) == WORD_COMMENT;
	if (!find_closing(p->left, kind == '{' ? '}' : kind, '}', !comment, &n))
		return wrong(p,
		    missing[kind == '{'   ? 0
			    : kind == '%' ? 1
					  : 2],
		    spout_slice(""));
	body = take(p, n);
	take(p, 2);
	*ret = spout__trim(body);
	return true;
}

/* One bracket. False also when it ends a body: then p->word says so. */
static bool
bracket(struct parser *p, struct list *list, bool *ret_ends)
{
	char kind = p->left.data[1];
	struct spout_slice text;
	enum word word;

	if (!inside(p, kind, &text))
		return false;
	if (kind == '#')
		return true;
	if (kind == '{')
		return text.len > 0
		    ? add(p, list, SPOUT__NODE_PRINT, text, p->word_line) != NULL
		    : wrong(p, "an expression is missing", spout_slice(""));
	word = word_of(text, &p->rest);
	if (word == WORD_NONE)
		return wrong(p, "not a word of templates: ", text);
	if (word == WORD_COMMENT)
		return true;
	if (word == WORD_EXTENDS || word == WORD_WHITESPACE || word == WORD_AUTOESCAPE)
		return setting(p, word);
	if (word == WORD_END || word == WORD_ELIF || word == WORD_ELSE) {
		p->word = word;
		*ret_ends = true;
		return true;
	}
	return statement(p, list, word);
}

static bool
nodes(struct parser *p, struct list *list)
{
	bool ends = false;

	while (p->left.len > 0 && !ends) {
		size_t n = find_opening(p->left);
		uint32_t line = p->line;

		if (n > 0 && add(p, list, SPOUT__NODE_TEXT, take(p, n), line) == NULL)
			return false;
		if (p->left.len == 0)
			break;
		if (p->left.len > 2 && p->left.data[2] == '!') {
			line = p->line;
			if (add(p, list, SPOUT__NODE_TEXT, take(p, 2), line) == NULL)
				return false;
			take(p, 1);
		} else if (!bracket(p, list, &ends)) {
			return false;
		}
	}
	if (!ends)
		p->word = WORD_NONE;
	return true;
}

static enum spout__whitespace
whitespace_of(const char *name)
{
	const char *dot = strrchr(name, '.');
	bool collapses = dot != NULL &&
	    (strcmp(dot, ".html") == 0 || strcmp(dot, ".js") == 0);

	return collapses ? SPOUT__WHITESPACE_SINGLE : SPOUT__WHITESPACE_ALL;
}

bool
spout__template_parse(struct spout__compiler *c, struct spout__source *source)
{
	struct parser p = { .c = c,
		.source = source,
		.left = source->text,
		.line = 1,
		.whitespace = whitespace_of(source->name) };
	struct list list = { NULL, &list.first };
	bool ok = nodes(&p, &list);

	source->nodes = list.first;
	if (ok && p.word != WORD_NONE)
		return wrong(&p, "nothing is open for ", spout_slice(words[p.word]));
	return ok;
}
