/* SPDX-License-Identifier: MIT */
/*
 * Templates in Tornado's syntax, compiled to a compact program, rendered from jansson
 * values with escaping that knows where in the page an expression stands. The language is
 * described in spout-template(7); this is its C side. Handlers use spout_render() of
 * spout/web.h.
 *
 * A set (struct spout_templates) holds functions and templates: files below a folder,
 * texts from memory, programs that spoutc(1) put into the binary. A set and what it holds
 * belong to one thread at a time. Rendering reads no file, never waits, and is bounded in
 * output, memory and steps; compiling is bounded in size and nesting. Files are read by
 * spout_templates_load(), and by spout_templates_get() for a name that is not loaded yet
 * or, in debug mode, has changed: these may block on the disk.
 *
 * A call that fails puts one line into `why`: "page.html:12: no value named \"user\"".
 */
#ifndef SPOUT_TEMPLATE_H
#define SPOUT_TEMPLATE_H

#include <spout/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct json_t;
struct spout_template;
struct spout_template_call;
struct spout_templates;

/** Room for the text that says what is wrong. */
#define SPOUT_TEMPLATE_WHY_SIZE 512

/* --- functions ----------------------------------------------------------------- */

/**
 * A function that templates call, as `name(a, b=c)`, as a filter `a|name`, or as
 * `{% module name(a) %}`. Returns 0, or what spout_template_fail() returned. May not
 * wait; in a page of spout_render() it may wait and leave, as any call of a handler.
 */
typedef int (*spout_template_fn)(struct spout_template_call *call);

struct spout_template_function {
	const char *name; /* NULL ends a table */
	spout_template_fn fn;
	/* A name instead, `{{ name }}`: called without arguments where the values that
	 * are rendered have no member of that name. */
	bool value;
	void *data; /* spout_template_data(call) */
};

/** Number of arguments without a name. */
SPOUT_API size_t spout_template_arg_count(const struct spout_template_call *call);
/**
 * The i-th argument, or the one of that name; NULL if it was not given, or out of memory.
 * Borrowed: lives as long as the call.
 */
SPOUT_API struct json_t *spout_template_arg(struct spout_template_call *call, size_t i);
SPOUT_API struct json_t *spout_template_arg_named(
    struct spout_template_call *call, const char *name);
/** The i-th argument as it would be printed, unescaped; borrowed. Empty if not given. */
SPOUT_API struct spout_slice spout_template_arg_text(
    struct spout_template_call *call, size_t i);
/** What was registered with the function; what was given to the rendering. */
SPOUT_API void *spout_template_data(const struct spout_template_call *call);
SPOUT_API void *spout_template_subject(const struct spout_template_call *call);
/** Where the call stands: "page.html:12". Borrowed, lives as long as the call. */
SPOUT_API const char *spout_template_where(struct spout_template_call *call);

/**
 * The result [none]. Text is copied and escaped where it is shown; html is taken as safe
 * inside of text and escaped as any other text in attributes and scripts. The JSON form
 * takes the reference. Each returns 0, or -ENOMEM, which the function hands on.
 */
SPOUT_API SPOUT_MUST_CHECK int spout_template_return_text(
    struct spout_template_call *call, const char *text, size_t len);
SPOUT_API SPOUT_MUST_CHECK int spout_template_return_html(
    struct spout_template_call *call, const char *html, size_t len);
SPOUT_API SPOUT_MUST_CHECK int spout_template_return_json(
    struct spout_template_call *call, struct json_t *value);
/** End the rendering with "page.html:12: TEXT". Returns -EINVAL, to be handed on. */
SPOUT_API int spout_template_fail(
    struct spout_template_call *call, const char *fmt, ...) SPOUT_PRINTF(2, 3);

/* --- sets ---------------------------------------------------------------------- */

/** A program in the binary, as spoutc(1) writes it. */
struct spout_template_program {
	const char *name; /* "page.html"; NULL ends a table */
	const uint32_t *words;
	size_t n_words;
};

struct spout_templates_options {
	const char *dir;     /* folder of the files, copied; NULL: none */
	bool debug;          /* look for changes at each spout_templates_get() */
	bool any_function;   /* an unknown function is an error of the call, not before */
	/* Limits; 0: the default. */
	uint64_t max_output_bytes; /* of one rendering [8 MiB] */
	uint64_t max_memory_bytes; /* of the texts made by one rendering [8 MiB] */
	uint64_t max_steps;        /* of one rendering [5,000,000] */
};

/**
 * A set; options may be NULL. The folder is opened at once. NULL with errno (that of the
 * folder, ENOMEM). spout_templates_free(NULL) does nothing.
 */
SPOUT_API struct spout_templates *spout_templates_new(
    const struct spout_templates_options *options);
SPOUT_API void spout_templates_free(struct spout_templates *set);

/**
 * Add a table of functions, borrowed for the life of the set; a later one wins over an
 * earlier one of the same name, and over those of the language. Before the first template
 * is compiled. 0 or -ENOMEM.
 */
SPOUT_API SPOUT_MUST_CHECK int spout_templates_add_functions(
    struct spout_templates *set, const struct spout_template_function *table);
/** Add a table of programs, borrowed. They win over files. 0 or -ENOMEM. */
SPOUT_API SPOUT_MUST_CHECK int spout_templates_add_programs(
    struct spout_templates *set, const struct spout_template_program *table);
/** Add or replace the source of a template; copied. Wins over files. 0 or -ENOMEM. */
SPOUT_API SPOUT_MUST_CHECK int spout_templates_add_source(
    struct spout_templates *set, const char *name, const char *text, size_t len);

/**
 * Compile everything: programs, sources, and the files of the folder and those below it.
 * Files and folders whose name begins with "." or ends with "~" are no templates; those
 * that begin with "_" are compiled as part of others only. 0, or -errno with `why`.
 */
SPOUT_API SPOUT_MUST_CHECK int spout_templates_load(
    struct spout_templates *set, char why[SPOUT_TEMPLATE_WHY_SIZE]);
/**
 * The template of that name ("users/show.html"), compiled now if it is not yet. A name
 * stays below the folder: symbolic links out of it, ".." and "" are refused. In debug
 * mode it is compiled again when a file that it was made of has changed. Valid until the
 * next call with that name in debug mode, else as long as the set. NULL with errno:
 * ENOENT, EBADMSG (does not compile), EMSGSIZE (too large), ENOMEM, that of the file.
 */
SPOUT_API const struct spout_template *spout_templates_get(
    struct spout_templates *set, const char *name, char why[SPOUT_TEMPLATE_WHY_SIZE]);
/** Forget what was compiled from files: Tornado's Loader.reset(). */
SPOUT_API void spout_templates_reset(struct spout_templates *set);
/** Call `each` with the name of every compiled template, in the order of compiling. */
SPOUT_API void spout_templates_each(struct spout_templates *set,
    void (*each)(const struct spout_template *page, void *arg), void *arg);

/** Its name, and its program (borrowed): what spoutc(1) writes. */
SPOUT_API const char *spout_template_name(const struct spout_template *page);
SPOUT_API const uint32_t *spout_template_words(
    const struct spout_template *page, size_t *ret_n);

/**
 * Render. `values` is a JSON object (borrowed), its members are names in the template, or
 * NULL; `subject` is for functions. Returns the text, owned, to be given to free(), its
 * length in `ret_len`. NULL with errno and `why`: EINVAL for an error at run time,
 * EMSGSIZE past a limit, ENOMEM.
 */
SPOUT_API SPOUT_MUST_CHECK char *spout_template_render(
    const struct spout_template *page, struct json_t *values, void *subject,
    size_t *ret_len, char why[SPOUT_TEMPLATE_WHY_SIZE]);

#ifdef __cplusplus
}
#endif

#endif
