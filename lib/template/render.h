/* SPDX-License-Identifier: MIT */
/* A rendering while it runs, and templates with their functions, for the files here. */
#ifndef SPOUT_TEMPLATE_RENDER_H
#define SPOUT_TEMPLATE_RENDER_H

#include <spout/template.h>

#include "template/value.h"

struct spout__template_limits {
	uint64_t max_output_bytes, max_memory_bytes, max_steps;
};

struct spout_template {
	const struct spout__program *program;
	struct spout__program *owned; /* the same, unless it is in the binary */
	const struct spout__template_limits *limits; /* of its set */
	unsigned users;                              /* renderings that run */
	bool forgotten; /* by its set: goes with the last of them */
	/* By the number of the external; NULL: no such function. */
	const struct spout_template_function *functions[];
};

struct spout__loop {
	struct spout__value over;
	size_t i, n;
	void *iter; /* of an object */
};

/* A JSON value that goes with the rendering. */
struct spout__kept {
	struct spout__kept *next;
	json_t *json;
};

struct spout__vm {
	struct spout_template *template;
	const struct spout__program *p;
	json_t *values;
	void *subject;
	struct spout__buffer *out;
	struct spout__arena arena;
	char *why;
	int error;
	const uint32_t *code, *at;        /* at: behind what is executed now */
	struct spout__value *slots, *top; /* top: the next free place of the stack */
	struct spout__loop *loops;
	size_t *captures; /* where in the output they begin */
	struct spout__kept *kept;
};

struct spout_template_call {
	struct spout__vm *vm;
	const struct spout_template_function *function;
	const struct spout__value *args, *named; /* named: name, value, … */
	size_t n, n_named;
	struct spout__value result;
};

/** Keep the first failure, with its place. Returns false. */
bool spout__vm_fail(struct spout__vm *vm, const char *fmt, ...) SPOUT_PRINTF(2, 3);
/** "page.html:12". */
void spout__vm_where(const struct spout__vm *vm, char *to, size_t size);
/** The value of a call; its arguments are the topmost of the stack. call.c */
bool spout__vm_call(
    struct spout__vm *vm, uint32_t external, uint32_t n, uint32_t n_named);
/** Drop the reference at the end of the rendering. False when out of memory. */
bool spout__vm_keep(struct spout__vm *vm, json_t *json);

/** Forget a template (or NULL): it is freed when no rendering runs. */
void spout__template_drop(struct spout_template *template);

/** The functions of the language, ended by a NULL name. functions.c */
extern const struct spout_template_function spout__template_functions[];
/** The one of them that takes what is undefined. */
int spout__template_default(struct spout_template_call *call);

/**
 * A rendering: opened, run once, closed, also when a function left in between. Borrows
 * everything; the text is appended to `out`, of a failure a part of it. Running returns
 * 0, or -errno with `why`, which has SPOUT_TEMPLATE_WHY_SIZE bytes.
 */
void spout__vm_open(struct spout__vm *vm, const struct spout_template *template,
    json_t *values, void *subject, struct spout__buffer *out, char *why);
int spout__vm_run(struct spout__vm *vm);
void spout__vm_close(struct spout__vm *vm);

#endif
