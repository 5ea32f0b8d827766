/* SPDX-License-Identifier: MIT */
/*
 * The compiler, in three steps per template: parse.c makes nodes of each source that
 * takes part (the page, what it extends and includes); generate.c walks them in the order
 * of the output, following the page (html.h), and has expression.c turn each expression
 * into code; assemble.c makes one block of it. All memory but the result is one arena.
 *
 * The first failure is kept with its place; every function returns false from then on.
 */
#ifndef SPOUT_TEMPLATE_COMPILE_H
#define SPOUT_TEMPLATE_COMPILE_H

#include <spout/template.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "template/html.h"
#include "template/program.h"

#define SPOUT__TEMPLATE_SOURCE_MAX (1u << 20)  /* bytes of a file */
#define SPOUT__TEMPLATE_MEMORY_MAX (64u << 20) /* bytes of the compiler */
#define SPOUT__TEMPLATE_TABLE_MAX (4u << 20)   /* bytes of each table of a program */
#define SPOUT__TEMPLATE_FILES_MAX 64           /* sources of one template */
#define SPOUT__TEMPLATE_DEPTH_MAX 64           /* nesting: statements, blocks, includes */
#define SPOUT__TEMPLATE_WORK_MAX 500000        /* nodes, each as often as it is used */
#define SPOUT__TEMPLATE_CHAIN_MAX 16           /* extends of extends */
#define SPOUT__TEMPLATE_EXPRESSION_MAX 64      /* nesting of an expression */
#define SPOUT__TEMPLATE_SLOTS_MAX 256          /* variables */
#define SPOUT__TEMPLATE_LOOPS_MAX 32           /* loops inside of each other */
#define SPOUT__TEMPLATE_STACK_MAX 256          /* values */
#define SPOUT__TEMPLATE_NAME_MAX 200           /* bytes of a template's name */

enum spout__node_kind {
	SPOUT__NODE_TEXT,
	SPOUT__NODE_PRINT,
	SPOUT__NODE_RAW,
	SPOUT__NODE_IF,
	SPOUT__NODE_FOR,
	SPOUT__NODE_WHILE,
	SPOUT__NODE_BREAK,
	SPOUT__NODE_CONTINUE,
	SPOUT__NODE_SET,
	SPOUT__NODE_BLOCK,
	SPOUT__NODE_INCLUDE,
	SPOUT__NODE_APPLY,
	SPOUT__NODE_MODULE,
};

enum spout__whitespace {
	SPOUT__WHITESPACE_ALL,
	SPOUT__WHITESPACE_SINGLE,
	SPOUT__WHITESPACE_ONELINE,
};

struct spout__source;

struct spout__node {
	enum spout__node_kind kind;
	enum spout__whitespace whitespace; /* of a text */
	uint32_t line;
	const struct spout__source *source;
	struct spout_slice text; /* literal, or behind the word */
	struct spout__node *next, *body;
	struct spout__node *otherwise;  /* of if: the next branch */
	bool is_else;                   /* that branch has no condition */
	struct spout__node *next_block; /* in the source */
};

enum spout__autoescape {
	SPOUT__AUTOESCAPE_ON,
	SPOUT__AUTOESCAPE_OFF,
	SPOUT__AUTOESCAPE_FUNCTION,
};

struct spout__source {
	struct spout__source *next;
	const char *name;
	uint32_t file;
	struct spout_slice text;
	struct spout__node *nodes, *blocks;
	struct spout_slice parent; /* what it extends; data NULL: nothing */
	uint32_t parent_line;
	enum spout__autoescape autoescape;
	struct spout_slice escape_function;
};

struct spout__variable {
	struct spout_slice name;
	unsigned slot;
};

/** Names that a stretch of template has set; a module has its own. */
struct spout__names {
	struct spout__variable *variables; /* room for all of them */
	unsigned n;
	bool closed; /* the values of the page are not seen */
};

struct spout__loop_place;

/**
 * Put the source of that name into the arena. 0, or -errno; -ENOENT if there is none.
 */
typedef int (*spout__template_read_fn)(
    void *arg, const char *name, struct spout__arena *arena, struct spout_slice *ret);

struct spout__compiler {
	struct spout__arena arena;
	const char *name; /* of the page */
	spout__template_read_fn read;
	void *arg;
	char *why;
	int error; /* -errno of the first failure */

	struct spout__source *sources;
	unsigned n_files;
	struct spout__source *chain[SPOUT__TEMPLATE_CHAIN_MAX]; /* the page first */
	unsigned n_chain;

	struct spout__buffer code, externals, lines, files, strings, texts;
	const struct spout__source *source; /* what is compiled now */
	uint32_t line;
	uint32_t marked; /* file and line of the newest entry of `lines` */
	size_t text_at;  /* of the newest text instruction, to be made longer */
	bool text_open;
	unsigned stack, max_stack, n_slots, max_captures, captures;
	unsigned n_loops, max_loops, depth, work;
	struct spout__names *names;
	struct spout__loop_place *loop;
	int loop_number; /* of the innermost for; -1: none */
	struct spout__html html;
};

/**
 * Compile the template of that name. Returns 0 with the program, owned, to be given to
 * free(); or -errno with `why`.
 */
int spout__template_compile(const char *name, spout__template_read_fn read, void *arg,
    struct spout__program **ret, char why[SPOUT_TEMPLATE_WHY_SIZE]);

/** Keep the first failure; `source` may be NULL. Returns false. */
bool spout__compile_fail(struct spout__compiler *c, const struct spout__source *source,
    uint32_t line, const char *fmt, ...) SPOUT_PRINTF(4, 5);
/** The same at the place that is compiled now. */
#define spout__compile_wrong(c, ...) \
	spout__compile_fail((c), (c)->source, (c)->line, __VA_ARGS__)
/** -ENOMEM or -EMSGSIZE of a table, put into words. */
bool spout__compile_error(struct spout__compiler *c, int error);
/** Cleared memory; NULL after a failure that was kept. */
void *spout__compile_alloc(struct spout__compiler *c, size_t size);

/* parse.c */
bool spout__template_parse(struct spout__compiler *c, struct spout__source *source);
struct spout_slice spout__trim(struct spout_slice s);
/** Cut off and return the word in front; the rest is trimmed. */
struct spout_slice spout__cut_word(struct spout_slice *rest);
bool spout__is_name(struct spout_slice s);

/**
 * The source of a template that is named at the place that is compiled now (relative to
 * the folder of that source, or with a "/" in front to the root); read and parsed once.
 * NULL after a failure.
 */
struct spout__source *spout__source_get(
    struct spout__compiler *c, struct spout_slice name);
/**
 * Join the name of a template to the folder of `from` (NULL: the root). False if it
 * leaves the root or is too long. compile.c
 */
bool spout__template_resolve(
    const char *from, struct spout_slice name, char ret[SPOUT__TEMPLATE_NAME_MAX + 1]);

/* generate.c */
/** The code of a whole page, with what it extends. */
bool spout__generate_page(struct spout__compiler *c, struct spout__source *page);
/** The code of nodes, one behind the other. */
bool spout__generate(struct spout__compiler *c, const struct spout__node *node);
/* generate_loop.c */
bool spout__generate_loop(struct spout__compiler *c, const struct spout__node *node);
bool spout__generate_leave(struct spout__compiler *c, const struct spout__node *node);

/* expression.c */
/** Code that leaves the value of the whole text on the stack. */
bool spout__expression(struct spout__compiler *c, struct spout_slice text);
/**
 * A call whose name was read already, with `pushed` arguments; more in "(a, b=c)", which
 * may be missing.
 */
bool spout__expression_call(struct spout__compiler *c, struct spout_slice name,
    unsigned pushed, struct spout_slice arguments);
/**
 * "("page.html", a=1, b=2)": each named value is handed to `each` when it is pushed. The
 * name of the template, borrowed.
 */
bool spout__expression_template(struct spout__compiler *c, struct spout_slice arguments,
    bool (*each)(struct spout__compiler *c, struct spout_slice name, void *arg),
    void *arg, struct spout_slice *ret_name);
/** Slot of a variable that is set; made when it is new. -1 after a failure. */
int spout__variable_slot(struct spout__compiler *c, struct spout_slice name);

/* assemble.c */
/** Append an instruction; `effect` is what it does to the height of the stack. */
bool spout__emit(struct spout__compiler *c, enum spout__op op, uint32_t a, int effect);
bool spout__emit_word(struct spout__compiler *c, uint32_t word);
/** A jump forward; returns its place for spout__land(). */
bool spout__emit_jump(
    struct spout__compiler *c, enum spout__op op, uint32_t a, int effect, size_t *ret);
bool spout__emit_jump_back(struct spout__compiler *c, size_t to);
/** The jump at that place leads here. */
bool spout__land(struct spout__compiler *c, size_t jump);
/** Next instruction, in words. A place where code may be entered. */
size_t spout__here(struct spout__compiler *c);
/** Words [a, b) and [b, end) change places. */
bool spout__rotate(struct spout__compiler *c, size_t a, size_t b);
/** Literal text: its bytes are added to those in front of it. */
bool spout__emit_text(struct spout__compiler *c, const char *data, size_t len);
/** Index of a string, or of an external name; -1 after a failure. */
int spout__string(struct spout__compiler *c, struct spout_slice text);
int spout__external(struct spout__compiler *c, struct spout_slice name, bool called);
bool spout__assemble(
    struct spout__compiler *c, const char *name, struct spout__program **ret);

#endif
