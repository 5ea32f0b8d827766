/* SPDX-License-Identifier: MIT */
/*
 * Allocation torture of templates: whichever allocation fails, nothing crashes or leaks,
 * and the failure is told. See torture.h.
 */
#include "config.h"

#include "torture.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <spout/template.h>

static const char page[] =
    "{% extends base.html %}{% block body %}{% for k, v in values %}"
    "<p title='{{ k }}'>{{ v|upper + '!' }}{{ [v, loop.index]|join(', ')|length }}</p>"
    "{% end %}{% set x = 1 if values else 2 %}"
    "{% apply squeeze %} a {{ twice('b') }} {% end %}"
    "{% module Template(\"part.html\", a=x) %}{% raw json_encode(values) %}{% end %}";
static const char base[] = "<title>{% block title %}t{% end %}</title>"
			   "<script>x = {{ values }}</script>{% block body %}{% end %}";
static const char part[] = "<a href='/{{ a }}'>{{ a }}</a>";

static int
twice(struct spout_template_call *call)
{
	struct json_t *arg = spout_template_arg(call, 0);

	if (arg == NULL)
		return -ENOMEM;
	return spout_template_return_json(
	    call, json_sprintf("%s%s", json_string_value(arg), json_string_value(arg)));
}

static const struct spout_template_function functions[] = {
	{ .name = "twice", .fn = twice },
	{ .name = NULL },
};

static json_t *values;

static bool
render(struct spout_templates *set)
{
	char why[SPOUT_TEMPLATE_WHY_SIZE] = "";
	const struct spout_template *template =
	    spout_templates_get(set, "page.html", why);
	char *text = NULL;
	size_t len = 0;
	bool ok;

	if (template != NULL)
		text = spout_template_render(template, values, NULL, &len, why);
	if (text == NULL)
		CU_ASSERT_TRUE(errno == ENOMEM && why[0] != '\0');
	ok = text != NULL && len == strlen(text) &&
	    strstr(text, "<p title='a'>XYZ!6</p>") != NULL;
	free(text);
	return ok;
}

static bool
run(void)
{
	struct spout_templates *set = spout_templates_new(NULL);
	bool ok = set != NULL && spout_templates_add_functions(set, functions) == 0 &&
	    spout_templates_add_source(set, "page.html", page, sizeof(page) - 1) == 0 &&
	    spout_templates_add_source(set, "base.html", base, sizeof(base) - 1) == 0 &&
	    spout_templates_add_source(set, "part.html", part, sizeof(part) - 1) == 0 &&
	    render(set);

	spout_templates_free(set);
	return ok;
}

static void
templates_survive_every_failed_allocation(void)
{
	values = json_pack("{s:{s:s,s:s}}", "values", "a", "xyz", "b", "");
	torture("templates", run);
	json_decref(values);
}

static const struct unit_test tests[] = {
	UNIT_TEST(templates_survive_every_failed_allocation),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "torture", tests },
		{ NULL, NULL },
	};

	torture_init();
	return unit_run(argc, argv, suites);
}
