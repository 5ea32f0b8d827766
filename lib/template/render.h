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
	const struct spout__template_limits *limits; /* of its set */
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
	const struct spout_template *template;
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

/** The functions of the language, ended by a NULL name. functions.c */
extern const struct spout_template_function spout__template_functions[];
/** The one of them that takes what is undefined. */
int spout__template_default(struct spout_template_call *call);

/**
 * Append the text to `out`. 0, or -errno with `why`; then `out` holds a part of it.
 */
int spout__template_render(const struct spout_template *template, json_t *values,
    void *subject, struct spout__buffer *out, char why[SPOUT_TEMPLATE_WHY_SIZE]);

#endif
