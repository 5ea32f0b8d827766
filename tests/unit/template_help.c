/* SPDX-License-Identifier: MIT */
/* See template_help.h. */
#include "config.h"

#include "template_help.h"
#include "unit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

static char result[1 << 16];

static int
shout(struct spout_template_call *call)
{
	struct spout_slice text = spout_template_arg_text(call, 0);
	char to[256];
	int n = snprintf(to, sizeof(to), "%.*s!", (int)text.len, text.data);

	return spout_template_return_text(call, to, (size_t)n);
}

static int
bold(struct spout_template_call *call)
{
	struct spout_slice text = spout_template_arg_text(call, 0);
	char to[256];
	int n = snprintf(to, sizeof(to), "<b>%.*s</b>", (int)text.len, text.data);

	return spout_template_return_html(call, to, (size_t)n);
}

static int
who(struct spout_template_call *call)
{
	return spout_template_return_json(call, json_pack("{s:s}", "name", "Ann"));
}

/* All arguments as a list, and the one that is named "last". */
static int
echo(struct spout_template_call *call)
{
	json_t *list = json_array(), *last = spout_template_arg_named(call, "last");
	size_t i;

	for (i = 0; i < spout_template_arg_count(call); i++)
		json_array_append(list, spout_template_arg(call, i));
	if (last != NULL)
		json_array_append(list, last);
	return spout_template_return_json(call, list);
}

static int
fails(struct spout_template_call *call)
{
	return spout_template_fail(
	    call, "told to fail at %s", spout_template_where(call));
}

const struct spout_template_function template_functions[] = {
	{ .name = "shout", .fn = shout },
	{ .name = "bold", .fn = bold },
	{ .name = "who", .fn = who, .value = true },
	{ .name = "echo", .fn = echo },
	{ .name = "fails", .fn = fails },
	{ .name = NULL },
};

const char *
template_render_in(struct spout_templates *set, const char *name, const char *json)
{
	json_t *values = json != NULL ? json_loads(json, 0, NULL) : NULL;
	char why[SPOUT_TEMPLATE_WHY_SIZE] = "";
	const struct spout_template *template = spout_templates_get(set, name, why);
	char *text = NULL;
	size_t len;

	CU_ASSERT_TRUE(json == NULL || values != NULL);
	if (template != NULL)
		text = spout_template_render(template, values, NULL, &len, why);
	if (text != NULL)
		snprintf(result, sizeof(result), "%s", text);
	else
		snprintf(result, sizeof(result), "! %s", why);
	free(text);
	json_decref(values);
	return result;
}

static struct spout_templates *
make_set(void)
{
	struct spout_templates *set = spout_templates_new(NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(set);
	CU_ASSERT_EQUAL(spout_templates_add_functions(set, template_functions), 0);
	return set;
}

const char *
template_render(const char *text, const char *json)
{
	return template_render_all(json, "page.html", text, NULL);
}

const char *
template_render_all(const char *json, ...)
{
	struct spout_templates *set = make_set();
	const char *first = NULL, *name;
	va_list ap;

	va_start(ap, json);
	while ((name = va_arg(ap, const char *)) != NULL) {
		const char *text = va_arg(ap, const char *);

		if (first == NULL)
			first = name;
		CU_ASSERT_EQUAL(
		    spout_templates_add_source(set, name, text, strlen(text)), 0);
	}
	va_end(ap);
	template_render_in(set, first, json);
	spout_templates_free(set);
	return result;
}

void
template_expect(const char *text, const char *json, const char *expected)
{
	const char *got = template_render(text, json);

	if (strcmp(got, expected) != 0)
		fprintf(stderr, "%s\n  with %s\n  should: %s\n  is:     %s\n", text,
		    json != NULL ? json : "nothing", expected, got);
	CU_ASSERT_STRING_EQUAL(got, expected);
}
