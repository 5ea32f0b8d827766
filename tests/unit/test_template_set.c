/* SPDX-License-Identifier: MIT */
/* Sets of templates: files, programs, changes, and every limit on both sides. */
#include "config.h"

#include "template_help.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

/* --- a folder ----------------------------------------------------------------------- */

static char folder[] = "/tmp/spout-templates-XXXXXX";
static char why[SPOUT_TEMPLATE_WHY_SIZE];

static const char *
path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void
file_write(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_TRUE(fputs(text, f) >= 0);
	CU_ASSERT_EQUAL(fclose(f), 0);
}

static void
folder_make(void)
{
	memcpy(strrchr(folder, '-'), "-XXXXXX", 8);
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
}

static void
folder_remove(void)
{
	char command[600];

	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	CU_ASSERT_EQUAL(system(command), 0);
}

static struct spout_templates *
folder_set(bool debug)
{
	struct spout_templates *set = spout_templates_new(
	    &(struct spout_templates_options){ .dir = folder, .debug = debug });

	CU_ASSERT_PTR_NOT_NULL_FATAL(set);
	return set;
}

static void
files_are_loaded_and_rendered(void)
{
	struct spout_templates *set;

	folder_make();
	CU_ASSERT_EQUAL(mkdir(path_of("users"), 0700), 0);
	file_write("base.html", "({#x#}{% block a %}{% end %})");
	file_write("users/show.html",
	    "{% extends ../base.html %}{% block a %}"
	    "{% include _part.html %}{% end %}");
	file_write("users/_part.html", "{{ x }}");
	file_write("users/edit.html~", "{{ broken");
	file_write(".hidden.html", "{{ broken");
	set = folder_set(false);
	CU_ASSERT_EQUAL(spout_templates_load(set, why), 0);
	CU_ASSERT_STRING_EQUAL(
	    template_render_in(set, "users/show.html", "{\"x\": \"&\"}"), "(&amp;)");
	spout_templates_free(set);
	folder_remove();
}

static void
a_broken_file_ends_the_loading_with_its_line(void)
{
	struct spout_templates *set;

	folder_make();
	file_write("a.html", "fine");
	file_write("b.html", "\n\n{{ 1 + }}");
	set = folder_set(false);
	CU_ASSERT_EQUAL(spout_templates_load(set, why), -EBADMSG);
	CU_ASSERT_STRING_EQUAL(why, "b.html:3: the expression ends too early");
	CU_ASSERT_PTR_NOT_NULL(spout_templates_get(set, "a.html", why));
	spout_templates_free(set);
	folder_remove();
}

static void
names_that_lead_out_are_refused(void)
{
	static const char *const names[] = { "../secret.html", "/etc/passwd",
		"a/../b.html", "./a.html", "", ".", "..", "a//b.html", "out.html",
		"loop.html", "a.html/", "a.html/x", "sub", "fifo.html",
		"x/../../secret.html" };
	struct spout_templates *set;

	folder_make();
	CU_ASSERT_EQUAL(mkdir(path_of("sub"), 0700), 0);
	file_write("a.html", "a");
	file_write("secret", "{{ 'secret' }}");
	CU_ASSERT_EQUAL(symlink("/etc/hostname", path_of("out.html")), 0);
	CU_ASSERT_EQUAL(symlink("loop.html", path_of("loop.html")), 0);
	CU_ASSERT_EQUAL(mkfifo(path_of("fifo.html"), 0600), 0);
	set = folder_set(false);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		errno = 0;
		CU_ASSERT_PTR_NULL(spout_templates_get(set, names[i], why));
		CU_ASSERT_EQUAL(errno, ENOENT);
	}
	/* From inside of a template, too. */
	CU_ASSERT_EQUAL(
	    spout_templates_add_source(set, "x.html", "{% include out.html %}", 22), 0);
	CU_ASSERT_STRING_EQUAL(template_render_in(set, "x.html", NULL),
	    "! x.html:1: \"out.html\": there is no such template");
	CU_ASSERT_STRING_EQUAL(template_render_in(set, "a.html", NULL), "a");
	spout_templates_free(set);
	folder_remove();
}

static void
a_changed_file_is_compiled_again_in_debug_mode(void)
{
	struct spout_templates *debug, *fixed;
	const struct spout_template *before;

	folder_make();
	file_write("page.html", "1{% include part.html %}");
	file_write("part.html", "a");
	debug = folder_set(true);
	fixed = folder_set(false);
	CU_ASSERT_STRING_EQUAL(template_render_in(debug, "page.html", NULL), "1a");
	CU_ASSERT_STRING_EQUAL(template_render_in(fixed, "page.html", NULL), "1a");
	before = spout_templates_get(debug, "page.html", why);
	CU_ASSERT_PTR_EQUAL(spout_templates_get(debug, "page.html", why), before);
	file_write("part.html", "bc");
	CU_ASSERT_STRING_EQUAL(template_render_in(debug, "page.html", NULL), "1bc");
	CU_ASSERT_STRING_EQUAL(template_render_in(fixed, "page.html", NULL), "1a");
	file_write("part.html", "{{ broken");
	CU_ASSERT_STRING_EQUAL(
	    template_render_in(debug, "page.html", NULL), "! part.html:1: {{ without }}");
	file_write("part.html", "mended");
	CU_ASSERT_STRING_EQUAL(template_render_in(debug, "page.html", NULL), "1mended");
	CU_ASSERT_EQUAL(unlink(path_of("part.html")), 0);
	CU_ASSERT_STRING_EQUAL(template_render_in(debug, "page.html", NULL),
	    "! page.html:1: \"part.html\": there is no such template");
	spout_templates_reset(fixed);
	CU_ASSERT_STRING_EQUAL(template_render_in(fixed, "page.html", NULL),
	    "! page.html:1: \"part.html\": there is no such template");
	spout_templates_free(debug);
	spout_templates_free(fixed);
	folder_remove();
}

static void
a_file_is_text_in_utf8(void)
{
	struct spout_templates *set;

	folder_make();
	file_write("a.html", "\xff");
	set = folder_set(false);
	CU_ASSERT_PTR_NULL(spout_templates_get(set, "a.html", why));
	CU_ASSERT_EQUAL(errno, EILSEQ);
	spout_templates_free(set);
	folder_remove();
	errno = 0;
	CU_ASSERT_PTR_NULL(spout_templates_new(
	    &(struct spout_templates_options){ .dir = "/nonexistent" }));
	CU_ASSERT_EQUAL(errno, ENOENT);
}

/* --- programs ----------------------------------------------------------------------- */

static void
count_one(const struct spout_template *template, void *arg)
{
	CU_ASSERT_STRING_EQUAL(spout_template_name(template), "page.html");
	++*(int *)arg;
}

static void
a_program_is_words_that_run_elsewhere(void)
{
	struct spout_templates *first = spout_templates_new(NULL), *second;
	const struct spout_template *template;
	struct spout_template_program table[2] = { { .name = "page.html" } };
	const char text[] = "{% for x in l %}{{ x|shout }}{% end %}";
	uint32_t copy[1024];
	int n = 0;

	CU_ASSERT_EQUAL(spout_templates_add_functions(first, template_functions), 0);
	CU_ASSERT_EQUAL(
	    spout_templates_add_source(first, "page.html", text, sizeof(text) - 1), 0);
	CU_ASSERT_EQUAL(spout_templates_load(first, why), 0);
	spout_templates_each(first, count_one, &n);
	CU_ASSERT_EQUAL(n, 1);
	template = spout_templates_get(first, "page.html", why);
	table[0].words = spout_template_words(template, &table[0].n_words);
	CU_ASSERT_TRUE_FATAL(table[0].n_words <= 1024);
	memcpy(copy, table[0].words, table[0].n_words * sizeof(*copy));
	table[0].words = copy;
	spout_templates_free(first);

	second = spout_templates_new(NULL);
	CU_ASSERT_EQUAL(spout_templates_add_programs(second, table), 0);
	CU_ASSERT_EQUAL(spout_templates_load(second, why), -EBADMSG);
	CU_ASSERT_STRING_EQUAL(why, "page.html:1: there is no function \"shout\"");
	CU_ASSERT_EQUAL(spout_templates_add_functions(second, template_functions), 0);
	CU_ASSERT_EQUAL(spout_templates_load(second, why), 0);
	CU_ASSERT_STRING_EQUAL(
	    template_render_in(second, "page.html", "{\"l\": [1, 2]}"), "1!2!");
	spout_templates_free(second);

	second = spout_templates_new(NULL);
	copy[0]++;
	CU_ASSERT_EQUAL(spout_templates_add_programs(second, table), 0);
	CU_ASSERT_STRING_EQUAL(template_render_in(second, "page.html", NULL),
	    "! page.html: made by another version of spoutc");
	spout_templates_free(second);
}

static void
an_unknown_function_may_be_an_error_of_the_call(void)
{
	struct spout_templates *set = spout_templates_new(
	    &(struct spout_templates_options){ .any_function = true });
	const char text[] = "a{% if x %}{{ nope(1) }}{% end %}";

	CU_ASSERT_EQUAL(
	    spout_templates_add_source(set, "page.html", text, sizeof(text) - 1), 0);
	CU_ASSERT_STRING_EQUAL(
	    template_render_in(set, "page.html", "{\"x\": false}"), "a");
	CU_ASSERT_STRING_EQUAL(template_render_in(set, "page.html", "{\"x\": true}"),
	    "! page.html:1: there is no function \"nope\"");
	spout_templates_free(set);
}

/* --- limits ----------------------------------------------------------------------- */

static const char *
render_within(
    const struct spout_templates_options *options, const char *text, const char *json)
{
	struct spout_templates *set = spout_templates_new(options);
	const char *got;

	CU_ASSERT_EQUAL(
	    spout_templates_add_source(set, "page.txt", text, strlen(text)), 0);
	got = template_render_in(set, "page.txt", json);
	spout_templates_free(set);
	return got;
}

static void
the_limits_of_a_rendering_hold(void)
{
	const struct spout_templates_options ten = { .max_output_bytes = 10 };
	const struct spout_templates_options steps = { .max_steps = 8 };
	const struct spout_templates_options memory = { .max_memory_bytes = 8192 };
	static const char doubles[] =
	    "{% set s = 'abcdefgh' %}{% for i in range(n) %}{% set s = s + s %}{% end %}"
	    "{{ s|length }}";

	CU_ASSERT_STRING_EQUAL(
	    render_within(&ten, "12345{{ x }}", "{\"x\": \"abcde\"}"), "12345abcde");
	CU_ASSERT_STRING_EQUAL(
	    render_within(&ten, "\n12345{{ x }}", "{\"x\": \"abcde\"}"),
	    "! page.txt:2: the output is too large");
	CU_ASSERT_STRING_EQUAL(render_within(&ten, "{{ x }}12345678901", "{\"x\": \"\"}"),
	    "! page.txt:1: the output is too large");
	/* STRING PRINT … four times. */
	CU_ASSERT_STRING_EQUAL(
	    render_within(&steps, "{{'a'}}{{'a'}}{{'a'}}{{'a'}}", NULL), "aaaa");
	CU_ASSERT_STRING_EQUAL(
	    render_within(&steps, "{{'a'}}{{'a'}}{{'a'}}{{'a'}}\n", NULL),
	    "! page.txt:1: more than 8 steps");
	CU_ASSERT_STRING_EQUAL(render_within(&steps, "{% while true %}{% end %}", NULL),
	    "! page.txt:1: more than 8 steps");
	CU_ASSERT_STRING_EQUAL(render_within(&memory, doubles, "{\"n\": 8}"), "2048");
	CU_ASSERT_STRING_EQUAL(render_within(&memory, doubles, "{\"n\": 10}"),
	    "! page.txt:1: out of memory");
	CU_ASSERT_STRING_EQUAL(render_within(NULL, doubles, "{\"n\": 18}"), "2097152");
	CU_ASSERT_STRING_EQUAL(
	    render_within(NULL, doubles, "{\"n\": 19}"), "! page.txt:1: out of memory");
}

/* `n` times `a`, then `middle`, then `n` times `b`. */
static char *
nest(unsigned n, const char *a, const char *middle, const char *b)
{
	char *text = calloc(1, n * (strlen(a) + strlen(b)) + strlen(middle) + 1),
	     *at = text;
	unsigned i;

	for (i = 0; i < n; i++)
		at = stpcpy(at, a);
	at = stpcpy(at, middle);
	for (i = 0; i < n; i++)
		at = stpcpy(at, b);
	return text;
}

static void
nesting_has_a_limit(void)
{
	static const struct {
		unsigned most;
		const char *a, *middle, *b, *result, *why;
	} rows[] = {
		{ 63, "{% if 1 %}", "x", "{% end %}", "x",
		    "! page.html:1: blocks and templates are nested too deeply" },
		{ 32, "{% for i in [1] %}", "x", "{% end %}", "x",
		    "! page.html:1: more than 32 loops in each other" },
		{ 63, "(", "1", ")", NULL,
		    "! page.html:1: the expression is nested too deeply" },
		{ 63, "[", "1", "]|first", NULL,
		    "! page.html:1: the expression is nested too deeply" },
	};
	char *inner, *text;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (unsigned more = 0; more < 2; more++) {
			bool expression = rows[i].result == NULL;

			inner = nest(
			    rows[i].most + more, rows[i].a, rows[i].middle, rows[i].b);
			text = calloc(1, strlen(inner) + 16);
			sprintf(text, expression ? "{{ %s }}" : "%s", inner);
			template_expect(text, NULL,
			    more             ? rows[i].why
				: expression ? "1"
					     : rows[i].result);
			free(text);
			free(inner);
		}
	text = nest(300, "{% if 1 %}", "x", "{% end %}");
	CU_ASSERT_STRING_EQUAL(template_render(text, NULL),
	    "! page.html:1: statements are nested too deeply");
	free(text);
	text = nest(5000, "{% if 0 %}{% elif 0 %}", "", "{% end %}");
	CU_ASSERT_EQUAL(template_render(text, NULL)[0], '!');
	free(text);
}

static void
many_branches_are_no_nesting(void)
{
	char *inner = nest(5000, "{% elif x == 1 %}a", "{% else %}b{% end %}", "");
	char *text = calloc(1, strlen(inner) + 32);

	sprintf(text, "{%% if x %%}%s", inner);
	template_expect(text, "{\"x\": 0}", "b");
	free(text);
	free(inner);
}

static void
templates_within_templates_have_a_limit(void)
{
	CU_ASSERT_STRING_EQUAL(template_render_all(NULL, "a.html", "{% include b.html %}",
				   "b.html", "{% include a.html %}", NULL),
	    "! a.html:1: blocks and templates are nested too deeply");
	CU_ASSERT_STRING_EQUAL(
	    template_render_all(NULL, "a.html", "{% extends a.html %}", NULL),
	    "! a.html:1: more than 16 templates extend each other");
	CU_ASSERT_STRING_EQUAL(
	    template_render_all(NULL, "a.html",
		"{% extends b.html %}{% block x %}{% block y %}{% end %}{% end %}",
		"b.html", "{% block y %}{% block x %}{% end %}{% end %}", NULL),
	    "");
	CU_ASSERT_STRING_EQUAL(
	    template_render_all(NULL, "a.html", "{% module Template('a.html') %}", NULL),
	    "! a.html:1: blocks and templates are nested too deeply");
	/* Each takes the next twice: 2^30 in all. */
	struct spout_templates *set = spout_templates_new(NULL);
	char name[24], text[80];
	int i;

	for (i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "%d.html", i);
		snprintf(text, sizeof(text),
		    "{%% include %d.html %%}{%% include %d.html %%}", i + 1, i + 1);
		CU_ASSERT_EQUAL(
		    spout_templates_add_source(set, name, text, strlen(text)), 0);
	}
	CU_ASSERT_EQUAL(spout_templates_add_source(set, "30.html", "x", 1), 0);
	CU_ASSERT_STRING_EQUAL(template_render_in(set, "24.html", NULL),
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(template_render_in(set, "0.html", NULL), "the template is too large"));
	spout_templates_free(set);
}

/* `n` templates that include the next; the first is "0.html". */
static const char *
render_files(int n)
{
	struct spout_templates *set = spout_templates_new(NULL);
	char name[16], text[4096] = "", *at = text;
	const char *got;
	int i;

	for (i = 1; i < n; i++) {
		snprintf(name, sizeof(name), "%d.txt", i);
		at += sprintf(at, "{%%include %s%%}", name);
		CU_ASSERT_EQUAL(spout_templates_add_source(set, name, ".", 1), 0);
	}
	CU_ASSERT_EQUAL(spout_templates_add_source(set, "0.txt", text, strlen(text)), 0);
	got = template_render_in(set, "0.txt", NULL);
	spout_templates_free(set);
	return got;
}

static void
the_compiler_has_limits(void)
{
	char *text, *at;
	int i, more;

	CU_ASSERT_EQUAL(strlen(render_files(64)), 63);
	CU_ASSERT_STRING_EQUAL(render_files(65), "! 0.txt:1: more than 64 files");
	for (more = 0; more < 2; more++) {
		text = at = calloc(1, 1 << 16);
		for (i = 0; i < 256 + more; i++)
			at += sprintf(at, "{%% set a%d = 1 %%}", i);
		template_expect(
		    text, NULL, more ? "! page.html:1: more than 256 variables" : "");
		free(text);
	}
	for (more = 0; more < 2; more++) {
		struct spout_templates *set = spout_templates_new(NULL);
		size_t len = (1u << 20) + (size_t)more;

		text = calloc(1, len + 1);
		memset(text, 'a', len);
		CU_ASSERT_EQUAL(
		    spout_templates_add_source(set, "page.html", text, len), 0);
		CU_ASSERT_EQUAL(spout_templates_get(set, "page.html", why) == NULL, more);
		if (more)
			CU_ASSERT_STRING_EQUAL(why, "page.html: the file is too large");
		spout_templates_free(set);
		free(text);
	}
}

static void
deep_values_are_refused_and_not_followed(void)
{
	char *deep = nest(64, "[", "1", "]"), *json = calloc(1, 256);

	sprintf(json, "{\"x\": %s}", deep);
	CU_ASSERT_EQUAL(template_render("<script>{{ x }}</script>", json)[8], '[');
	sprintf(json, "{\"x\": [%s]}", deep);
	template_expect("<script>{{ x }}</script>", json,
	    "! page.html:1: the value is nested too deeply");
	free(deep);
	free(json);
}

static const struct unit_test file_tests[] = {
	UNIT_TEST(files_are_loaded_and_rendered),
	UNIT_TEST(a_broken_file_ends_the_loading_with_its_line),
	UNIT_TEST(names_that_lead_out_are_refused),
	UNIT_TEST(a_changed_file_is_compiled_again_in_debug_mode),
	UNIT_TEST(a_file_is_text_in_utf8),
	UNIT_END,
};

static const struct unit_test program_tests[] = {
	UNIT_TEST(a_program_is_words_that_run_elsewhere),
	UNIT_TEST(an_unknown_function_may_be_an_error_of_the_call),
	UNIT_END,
};

static const struct unit_test limit_tests[] = {
	UNIT_TEST(the_limits_of_a_rendering_hold),
	UNIT_TEST(nesting_has_a_limit),
	UNIT_TEST(many_branches_are_no_nesting),
	UNIT_TEST(templates_within_templates_have_a_limit),
	UNIT_TEST(the_compiler_has_limits),
	UNIT_TEST(deep_values_are_refused_and_not_followed),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "files", file_tests },
		{ "programs", program_tests },
		{ "limits", limit_tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
