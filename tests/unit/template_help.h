/* SPDX-License-Identifier: MIT */
/* Templates from C texts for the tests of lib/template. */
#ifndef SPOUT_TESTS_TEMPLATE_HELP_H
#define SPOUT_TESTS_TEMPLATE_HELP_H

#include <spout/template.h>

/**
 * Render page.html, made of `text` in a set of its own, with the values of a JSON text
 * (NULL: none). Returns what came out, or the error behind "! "; valid until the next
 * call.
 */
const char *template_render(const char *text, const char *json);
/** The same, with other templates: "a.html", "text", …, NULL. The first is rendered. */
const char *template_render_all(const char *json, ...);
/** The same of a set. */
const char *template_render_in(
    struct spout_templates *set, const char *name, const char *json);
/** What template_render() has to return. */
void template_expect(const char *text, const char *json, const char *expected);

/** Functions for tests: shout(text), bold(text), who, echo(…), fail(). */
extern const struct spout_template_function template_functions[];

#endif
