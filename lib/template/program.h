/* SPDX-License-Identifier: MIT */
/*
 * What a template is compiled to: one block of 32-bit words without a pointer in it, so
 * that it can be put into a binary as it is.
 *
 *     head | code | externals | lines | files | strings | bytes of all texts
 *
 * An instruction is a word, operation in the low 8 bits and operand `a` in the upper 24,
 * followed by the words that its row below names. Jumps are relative to the word behind
 * the instruction, so that pieces of code can be moved.
 */
#ifndef SPOUT_TEMPLATE_PROGRAM_H
#define SPOUT_TEMPLATE_PROGRAM_H

#include <spout/types.h>

#define SPOUT__PROGRAM_MAGIC 0x54505331u /* "1SPT" */

enum spout__op {
	SPOUT__OP_END,
	SPOUT__OP_TEXT,  /* a: bytes, word: offset; print as it is */
	SPOUT__OP_PRINT, /* a: enum spout__escape; pops */
	SPOUT__OP_NONE,
	SPOUT__OP_BOOL,     /* a: value */
	SPOUT__OP_INT,      /* two words, low first */
	SPOUT__OP_REAL,     /* two words, low first */
	SPOUT__OP_STRING,   /* a: string */
	SPOUT__OP_NAME,     /* a: external */
	SPOUT__OP_VARIABLE, /* a: slot, word: external, for when it was not set */
	SPOUT__OP_GLOBAL,   /* a: external; not from the values */
	SPOUT__OP_STORE,    /* a: slot; pops */
	SPOUT__OP_FORGET,   /* a: slot; not set any more */
	SPOUT__OP_MEMBER,   /* a: string */
	SPOUT__OP_INDEX,
	SPOUT__OP_SLICE, /* list, from, to */
	SPOUT__OP_LIST,  /* a: number of items */
	SPOUT__OP_NEGATE,
	SPOUT__OP_NOT,
	SPOUT__OP_DEFINED,
	SPOUT__OP_ADD,
	SPOUT__OP_SUBTRACT,
	SPOUT__OP_MULTIPLY,
	SPOUT__OP_DIVIDE,
	SPOUT__OP_FLOOR_DIVIDE,
	SPOUT__OP_MODULO,
	SPOUT__OP_EQUAL,
	SPOUT__OP_NOT_EQUAL,
	SPOUT__OP_LESS,
	SPOUT__OP_LESS_EQUAL,
	SPOUT__OP_GREATER,
	SPOUT__OP_GREATER_EQUAL,
	SPOUT__OP_IN,
	SPOUT__OP_JUMP,      /* word: distance */
	SPOUT__OP_IF_NOT,    /* word: distance; pops */
	SPOUT__OP_AND,       /* word: distance if false, keeping it; else pops */
	SPOUT__OP_OR,        /* word: distance if true, keeping it; else pops */
	SPOUT__OP_LOOP,      /* a: loop; pops what it goes over */
	SPOUT__OP_NEXT,      /* a: loop | variables << 16, word: distance at the end */
	SPOUT__OP_LOOP_INFO, /* a: loop | enum spout__loop_info << 16 */
	SPOUT__OP_CALL,      /* a: external, word: arguments | named << 16 */
	SPOUT__OP_CAPTURE,   /* keep what is printed from here on */
	SPOUT__OP_CAPTURED,  /* pushes it */
};

enum spout__loop_info {
	SPOUT__LOOP_INDEX,
	SPOUT__LOOP_INDEX0,
	SPOUT__LOOP_FIRST,
	SPOUT__LOOP_LAST,
	SPOUT__LOOP_LENGTH,
};

/** How an expression is printed, by where in the page it stands. */
enum spout__escape {
	SPOUT__ESCAPE_NONE,
	SPOUT__ESCAPE_HTML,      /* text: html from a function stays */
	SPOUT__ESCAPE_ATTRIBUTE, /* text of a quoted attribute */
	SPOUT__ESCAPE_URL,       /* begins a URL: harmless schemes only */
	SPOUT__ESCAPE_URL_PATH,  /* goes on with one */
	SPOUT__ESCAPE_URL_PART,  /* a value in a query, or where a scheme could begin */
	SPOUT__ESCAPE_JS,        /* a JSON value */
	SPOUT__ESCAPE_JS_STRING,
	SPOUT__ESCAPE_CSS, /* a word, a number, a colour */
	SPOUT__ESCAPE_CSS_STRING,
	SPOUT__ESCAPE_IN_ATTRIBUTE = 0x40, /* or'ed to the last four: and for HTML */
};

struct spout__program_external {
	uint32_t string; /* its name */
	uint32_t line;   /* file << 24 | line of the first use */
	uint32_t called; /* 1: a function that must exist */
};

struct spout__program_line {
	uint32_t pc;   /* from here on */
	uint32_t line; /* file << 24 | line */
};

struct spout__program_string {
	uint32_t offset, len; /* in the texts; a NUL follows */
};

/** The head; offsets are in words. */
struct spout__program {
	uint32_t magic, n_words;
	uint32_t name; /* string */
	uint32_t code, n_code;
	uint32_t externals, n_externals;
	uint32_t lines, n_lines;
	uint32_t files, n_files; /* each a string */
	uint32_t strings, n_strings;
	uint32_t texts, texts_len; /* bytes */
	uint32_t n_slots, n_loops, max_stack, max_captures;
};

static inline const uint32_t *
spout__program_words(const struct spout__program *p, uint32_t offset)
{
	return (const uint32_t *)p + offset;
}

static inline struct spout_slice
spout__program_string(const struct spout__program *p, uint32_t i)
{
	const struct spout__program_string *s =
	    (const void *)spout__program_words(p, p->strings);

	return spout_slice_of(
	    (const char *)spout__program_words(p, p->texts) + s[i].offset, s[i].len);
}

#endif
