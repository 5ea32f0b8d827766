/* SPDX-License-Identifier: MIT */
/* The language of templates: each construct, each error with its line. */
#include "config.h"

#include "template_help.h"
#include "unit.h"

#include <string.h>

/* --- expressions ------------------------------------------------------------------ */

static void
literals_are_printed(void)
{
	template_expect("{{ 1 }} {{ 1.5 }} {{ 2.0 }} {{ -7 }}", NULL, "1 1.5 2.0 -7");
	template_expect("{{ 'a' }}{{ \"b\" }}{{ 'c\\'d\\n' }}", NULL, "abc&#39;d\n");
	template_expect("{{ true }} {{ False }} {{ none }}|", NULL, "true false |");
	template_expect("{{ 9223372036854775807 }}", NULL, "9223372036854775807");
	template_expect("{{ \"}}\" }}{{ '%}' }}", NULL, "}}%}");
}

static void
names_members_and_indexes_are_looked_up(void)
{
	const char *json = "{\"a\": {\"b\": [1, {\"c\": \"x\"}]}, \"i\": 1, \"k\": \"b\","
			   " \"t\": \"h\xc3\xa9llo\"}";

	template_expect("{{ a.b[0] }}{{ a.b[i].c }}{{ a['b'][-1]['c'] }}", json, "1xx");
	template_expect("{{ a[k][0] }}{{ a\n.b\n[0] }}", json, "11");
	template_expect("{{ t[1] }}{{ t[-1] }} {{ t[1:3] }} {{ t[:2] }} {{ t[-2:] }}",
	    json, "\xc3\xa9o \xc3\xa9l h\xc3\xa9 lo");
	template_expect("{% for x in [1,2,3,4][1:3] %}{{ x }}{% end %}", json, "23");
	template_expect("{{ range(10)[2:5]|join }}", json, "234");
}

static void
arithmetic_is_that_of_python(void)
{
	template_expect("{{ 1 + 2 * 3 - 4 }} {{ (1 + 2) * 3 }}", NULL, "3 9");
	template_expect("{{ 7 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }}", NULL, "3.5 3 -4");
	template_expect("{{ 7 % 3 }} {{ -7 % 3 }} {{ 7.5 // 2 }}", NULL, "1 2 3.0");
	template_expect("{{ 'a' + 'b' }} {{ 1 - -1 }} {{ - - 3 }}", NULL, "ab 2 3");
	template_expect(
	    "{{ 0.1 + 0.2 }} {{ 1e }}", NULL, "! page.html:1: unexpected \"e\"");
	template_expect("{{ 0.1 + 0.2 }}", NULL, "0.30000000000000004");
}

static void
comparisons_and_logic_are_those_of_python(void)
{
	template_expect("{{ 1 < 2 }} {{ 'a' >= 'b' }} {{ 1 == 1.0 }} {{ 1 != '1' }}",
	    NULL, "true false true true");
	template_expect("{{ 2 in [1, 2] }} {{ 'b' not in 'abc' }} {{ 'x' in o }}",
	    "{\"o\": {\"x\": 0}}", "true false true");
	template_expect("{{ 3 in range(3) }} {{ 2 in range(3) }}", NULL, "false true");
	template_expect("{{ 0 or 'b' }} {{ '' and x }} {{ 1 and 2 }}", NULL, "b  2");
	template_expect(
	    "{{ not 0 }} {{ not not [] }} {{ not 1 == 2 }}", NULL, "true false true");
	template_expect("{{ 'a' if 1 > 2 else 'b' if 0 else 'c' }}", NULL, "c");
	template_expect("{{ ('x' if true else 'y') + 'z' }}", NULL, "xz");
	template_expect("{{ x is defined }} {{ x is not defined }} {{ none is none }}",
	    NULL, "false true true");
	template_expect("{{ [1, [2]] == l }} {{ (1, 2) == [1, 2] }}", "{\"l\": [1, [2]]}",
	    "true true");
}

static void
functions_and_filters_are_called(void)
{
	template_expect(
	    "{{ shout('a') }}{{ 'b'|shout }}{{ 'c'|shout|upper }}", NULL, "a!b!C!");
	template_expect("{{ echo(1, 2, last=3)|join('-') }}", NULL, "1-2-3");
	template_expect("{{ who.name }} {{ 'x'|default('y') }} {{ z|default('y') }}",
	    NULL, "Ann x y");
	template_expect("{{ who }}", "{\"who\": \"me\"}", "me");
	template_expect("{{ bold('a') }} <p title='{{ bold('a') }}'>", NULL,
	    "<b>a</b> <p title='&lt;b&gt;a&lt;/b&gt;'>");
	template_expect("{{ 1 + 'a'|length }}", NULL, "2");
}

static void
the_languages_own_functions_work(void)
{
	template_expect(
	    "{{ 'Ab'|upper }}{{ 'Ab'|lower }}{{ 'aB'|capitalize }}", NULL, "ABabAb");
	template_expect(
	    "[{{ ' a  b '|trim }}] [{{ ' a \n b '|squeeze }}]", NULL, "[a  b] [a b]");
	template_expect(
	    "{{ 'a-b-c'|replace('-', '+') }}{{ ''|replace('a', 'b') }}", NULL, "a+b+c");
	template_expect("{{ 'h\xc3\xa9llo'|truncate(3) }} {{ 'abc'|truncate(3) }}", NULL,
	    "h\xc3\xa9… abc");
	template_expect("{{ 'h\xc3\xa9'|length }}{{ [1,2]|len }}", NULL, "22");
	template_expect("{{ [1,2]|first }}{{ [1,2]|last }}{{ []|first }}", NULL, "12");
	template_expect(
	    "{{ 2.567|round(2) }} {{ 2.5|round }} {{ int('7') + 1 }}", NULL, "2.57 3 8");
	template_expect("{{ abs(-3) }}{{ float(1) }}{{ int(2.9) }}{{ str(1) + 'a' }}",
	    NULL, "31.021a");
	template_expect("{{ [1, 'a', true]|join(', ') }}", NULL, "1, a, true");
	template_expect(
	    "{{ 'a b/c'|url_escape }} {{ '<'|escape }}", NULL, "a%20b%2Fc &lt;");
	template_expect(
	    "{% raw json_encode({1}) %}", NULL, "! page.html:1: \"{\" is not understood");
	template_expect("{% raw json_encode(v) %}", "{\"v\": {\"a\": [1, \"</b>\"]}}",
	    "{\"a\":[1,\"\\u003c\\u002fb\\u003e\"]}");
}

/* --- statements ------------------------------------------------------------------- */

static void
branches_are_taken(void)
{
	const char *text = "{% if n == 1 %}one{% elif n == 2 %}two{% elif n == 3 %}three"
			   "{% else %}many{% end %}.";

	template_expect(text, "{\"n\": 1}", "one.");
	template_expect(text, "{\"n\": 2}", "two.");
	template_expect(text, "{\"n\": 3}", "three.");
	template_expect(text, "{\"n\": 4}", "many.");
	template_expect("{% if n %}yes{% end %}.", "{\"n\": []}", ".");
}

static void
loops_go_over_lists_objects_and_ranges(void)
{
	const char *json = "{\"l\": [1, 2, 3], \"o\": {\"a\": 1, \"b\": 2},"
			   " \"p\": [[\"x\", 1], [\"y\", 2]]}";

	template_expect("{% for x in l %}{{ x }},{% end %}", json, "1,2,3,");
	template_expect("{% for k in o %}{{ k }}{% end %}", json, "ab");
	template_expect("{% for k, v in o %}{{ k }}{{ v }}{% end %}", json, "a1b2");
	template_expect("{% for k, v in p %}{{ k }}{{ v }}{% end %}", json, "x1y2");
	template_expect("{% for i in range(1, 4) %}{{ i }}{% end %}", json, "123");
	template_expect("{% for x in [] %}{{ x }}{% end %}.", json, ".");
	template_expect("{% for x in l %}{% for y in l %}{{ x * y }} {% end %}{% end %}",
	    json, "1 2 3 2 4 6 3 6 9 ");
}

static void
loops_are_left_and_go_on(void)
{
	const char *json = "{\"l\": [1, 2, 3, 4]}";

	template_expect("{% for x in l %}{% if x == 3 %}{% break %}{% end %}{{ x }}"
			"{% end %}.",
	    json, "12.");
	template_expect("{% for x in l %}{% if x == 3 %}{% continue %}{% end %}{{ x }}"
			"{% end %}",
	    json, "124");
	template_expect("{% set i = 0 %}{% while i < 3 %}{{ i }}{% set i = i + 1 %}"
			"{% end %}",
	    json, "012");
	template_expect("{% set i = 0 %}{% while true %}{% set i = i + 1 %}"
			"{% if i > 3 %}{% break %}{% end %}{{ i }}{% end %}",
	    json, "123");
	template_expect(
	    "{% for x in l %}{% break %}never {{ x.y.z }}{% end %}.", json, ".");
}

static void
loops_know_their_rounds(void)
{
	template_expect("{% for x in 'ab,cd'|echo %}{{ loop.index }}{{ loop.index0 }}"
			"{{ loop.first }}{{ loop.last }}{{ loop.length }}{% end %}",
	    NULL, "10truetrue1");
	template_expect("{% for x in [1,2] %}{% for y in [1,2,3] %}{{ loop.index }}"
			"{% end %}{{ loop.index }};{% end %}",
	    NULL, "1231;1232;");
	template_expect("{{ loop }}", "{\"loop\": 5}", "5");
	template_expect("{% for x in [1] %}{{ loop.round }}{% end %}", NULL,
	    "! page.html:1: a loop has index, index0, first, last and length");
}

static void
variables_are_set(void)
{
	template_expect("{% set a = 1 %}{{ a }}{% set a = a + 1 %}{{ a }}", NULL, "12");
	template_expect("{{ a }}{% set a = 2 %}{{ a }}", "{\"a\": 1}", "12");
	template_expect("{% if no %}{% set a = 2 %}{% end %}{{ a }}",
	    "{\"a\": 1, \"no\": false}", "1");
	template_expect("{% for x in [1, 2] %}{% end %}{{ x }}", NULL, "2");
}

static void
comments_and_escaped_openings(void)
{
	template_expect("a{# b {{ c }} #}d{% comment it's a comment %}e", NULL, "ade");
	template_expect("{{! x }} {%! y %} {#! z #}", NULL, "{{ x }} {% y %} {# z #}");
	template_expect("{ { {x} {{{ 1 }}}", NULL, "{ { {x} {1}");
	template_expect("{", NULL, "{");
	template_expect("", NULL, "");
}

static void
functions_are_applied(void)
{
	template_expect("{% apply upper %}a{{ '<' }}b{% end %}", NULL, "A&LT;B");
	template_expect("{% apply replace('a', 'b') %}banana{% end %}", NULL, "bbnbnb");
	template_expect("{% apply squeeze %}  a\n  b {% end %}.", NULL, "a b.");
	template_expect(
	    "{% apply upper %}x{% apply shout %}y{% end %}{% end %}", NULL, "XY!");
}

static void
white_space_is_kept_or_not(void)
{
	template_expect("a  b\n\n  c\t d", NULL, "a b\nc d");
	template_expect("{% whitespace all %}a  b\n\n c", NULL, "a  b\n\n c");
	template_expect("{% whitespace oneline %}a  b\n\n c", NULL, "a b c");
	template_expect("<pre>a  b</pre>  <p  class='a  b'>  c", NULL,
	    "<pre>a  b</pre> <p class='a  b'> c");
	template_expect("<textarea>a  b</textarea>  <script>a  =  1</script>", NULL,
	    "<textarea>a  b</textarea> <script>a  =  1</script>");
	CU_ASSERT_STRING_EQUAL(
	    template_render_all(NULL, "mail.txt", "a  {{ '<' }}\n\nb", NULL),
	    "a  <\n\nb");
}

/* --- several templates ------------------------------------------------------------ */

static void
blocks_are_replaced(void)
{
	const char *base = "<{% block a %}A{% block c %}C{% end %}{% end %}|"
			   "{% block b %}B{% end %}>";

	/* The text of the page outside of blocks goes nowhere. */
	CU_ASSERT_STRING_EQUAL(
	    template_render_all("{\"x\": 5}", "page.txt",
		"{% extends \"base.txt\" %}lost{% block b %}b{{ x }}{% end %}",
		"base.txt", base, NULL),
	    "<AC|b5>");
	CU_ASSERT_STRING_EQUAL(
	    template_render_all(NULL, "page.txt",
		"{% extends middle.txt %}{% block c %}c{% end %}", "middle.txt",
		"{% extends 'base.txt' %}{% block b %}m{% end %}{% block c %}x{% end %}",
		"base.txt", base, NULL),
	    "<Ac|m>");
	CU_ASSERT_STRING_EQUAL(
	    template_render_all(NULL, "base.txt", base, NULL), "<AC|B>");
}

static void
templates_are_included(void)
{
	CU_ASSERT_STRING_EQUAL(
	    template_render_all("{\"x\": \"<\"}", "a/page.html",
		"{% set y = 1 %}[{% include \"b/part.html\" %}]"
		"[{% include ../top.html %}][{% include /top.html %}]",
		"a/b/part.html", "{{ x }}{{ y }}", "top.html", "top", NULL),
	    "[&lt;1][top][top]");
	CU_ASSERT_STRING_EQUAL(
	    template_render_all("{\"l\": [{\"n\": 1}, {\"n\": 2}]}", "page.html",
		"{% for i in l %}{% include row.html %}{% end %}", "row.html",
		"<p>{{ i.n }}{{ loop.index }}</p>", NULL),
	    "<p>11</p><p>22</p>");
}

static void
modules_have_names_of_their_own(void)
{
	const char *row = "{% set b = b + 1 %}{{ a }}{{ b }}{{ x|default('-') }}"
			  "{{ who.name }}";

	CU_ASSERT_STRING_EQUAL(
	    template_render_all("{\"x\": 1}", "page.html",
		"{% set b = 7 %}{% for i in [1, 2] %}"
		"{% module Template(\"row.html\", a=i, b=x) %};{% end %}{{ b }}",
		"row.html", row, NULL),
	    "12-Ann;22-Ann;7");
	CU_ASSERT_STRING_EQUAL(template_render_all(NULL, "page.html",
				   "{% module Template('row.html', a=1) %}", "row.html",
				   "{% extends base.html %}{% block x %}{{ a }}{% end %}",
				   "base.html", "({% block x %}{% end %}", NULL),
	    "(1");
	template_expect("{% module bold('x') %}", NULL, "<b>x</b>");
}

static void
autoescape_is_set_per_file(void)
{
	template_expect("{% autoescape None %}{{ '<' }}", NULL, "<");
	template_expect("{% autoescape shout %}{{ '<' }}", NULL, "<!");
	template_expect("{% autoescape xhtml_escape %}{{ '<' }}", NULL, "&lt;");
	template_expect("{% raw '<' %}{{ '<' }}", NULL, "<&lt;");
	CU_ASSERT_STRING_EQUAL(
	    template_render_all(NULL, "page.html", "{{ '<' }}{% include raw.html %}",
		"raw.html", "{% autoescape none %}{{ '<' }}", NULL),
	    "&lt;<");
}

/* --- errors ----------------------------------------------------------------------- */

static void
mistakes_are_told_with_their_line(void)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "\n{% if a %}\n", "2: {% if %} without {% end %}" },
		{ "{% for x in y %}", "1: {% for %} without {% end %}" },
		{ "\n\n{{ a ", "3: {{ without }}" },
		{ "{% if a", "1: {% without %}" },
		{ "{# a", "1: {# without #}" },
		{ "a\n{{ }}", "2: an expression is missing" },
		{ "{% end %}", "1: nothing is open for end" },
		{ "{% else %}", "1: nothing is open for else" },
		{ "{% for x in y %}{% else %}{% end %}",
		    "1: {% else %} outside of {% if %}" },
		{ "{% if a %}{% else %}{% elif b %}{% end %}",
		    "1: a branch behind {% else %}" },
		{ "{% if a %}{% else if b %}{% end %}",
		    "1: {% else %} has no condition: if b" },
		{ "{% if a %}{% elif %}{% end %}", "1: {% elif %} needs a condition" },
		{ "{% if %}{% end %}", "1: something has to stand behind if" },
		{ "{% try %}", "1: not a word of templates: try" },
		{ "\n{% break %}", "2: outside of a loop: break" },
		{ "{% for x in y %}{% break 2 %}{% end %}",
		    "1: nothing may stand behind this word: 2" },
		{ "{% for x in y %}{% apply upper %}{% break %}{% end %}{% end %}",
		    "1: outside of a loop: break" },
		{ "{% for x of y %}{% end %}",
		    "1: {% for %} needs \"name in list\" or \"key, value in object\"" },
		{ "{% set a %}", "1: {% set %} needs \"name = expression\"" },
		{ "{% set a == 1 %}", "1: {% set %} needs \"name = expression\"" },
		{ "{% set true = 1 %}", "1: \"true\" is no name for a variable" },
		{ "{% block 1 %}{% end %}", "1: not a name of a block: 1" },
		{ "{% block a %}{% end %}\n{% block a %}{% end %}",
		    "2: a second block a" },
		{ "{% extends %}", "1: {% extends %} needs a name" },
		{ "{% whitespace some %}",
		    "1: white space is all, single or oneline, not some" },
		{ "{% autoescape 1 %}", "1: not a function to escape with: 1" },
		{ "{% include no.html %}", "1: \"no.html\": there is no such template" },
		{ "{% include ../no.html %}",
		    "1: \"../no.html\" is not a name of a template" },
		{ "\n{{ nope(1) }}", "2: there is no function \"nope\"" },
		{ "{{ a.b(1) }}", "1: only functions can be called, by their name" },
		{ "{{ a b }}", "1: unexpected \"b\"" },
		{ "{{ 1 + }}", "1: the expression ends too early" },
		{ "{{ (1 }}", "1: \")\" is missing" },
		{ "{{ 'a }}", "1: {{ without }}" },
		{ "{{ a\n + \n ? }}", "3: \"?\" is not understood" },
		{ "{{ a < b < c }}",
		    "1: comparisons do not follow each other; join them with and" },
		{ "{{ 1 if 2 }}", "1: if without else in an expression" },
		{ "{{ 99999999999999999999 }}", "1: number too large" },
		{ "{{ '\\q' }}",
		    "1: \"\\q\" in a text; known are \\n \\r \\t \\\\ \\' \\\"" },
		{ "{{ echo(a=1, 2) }}",
		    "1: an argument without a name behind one with a name" },
		{ "{% module %}", "1: something has to stand behind module" },
		{ "{% module Template(a) %}", "1: the name of a template is missing" },
		{ "{% module Template('page.html', 1) %}",
		    "1: an argument without a name" },
	};
	char expected[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(expected, sizeof(expected), "! page.html:%s", rows[i].why);
		template_expect(rows[i].text, NULL, expected);
	}
}

static void
mistakes_at_run_time_are_told_with_their_line(void)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "\n{{ nobody }}", "2: no value named \"nobody\"" },
		{ "{{ o.nobody }}", "1: no value named \"nobody\"" },
		{ "{{ nobody.x }}", "1: no value named \"nobody\"" },
		{ "{{ t.x }}", "1: text has no member \"x\"" },
		{ "{{ l[9] }}", "1: index out of range" },
		{ "{{ l['a'] }}", "1: a list is indexed with a number" },
		{ "{{ o[1] }}", "1: an object is indexed with text" },
		{ "{{ 1[0] }}", "1: only lists, objects and text can be indexed" },
		{ "{{ 1 + 'a' }}", "1: only two numbers or two texts can be added" },
		{ "{{ 1 - 'a' }}", "1: arithmetic needs numbers" },
		{ "{{ 1 // 0 }}", "1: division by zero" },
		{ "{{ 9223372036854775807 + 1 }}", "1: number too large" },
		{ "{{ 1 < 'a' }}", "1: only two numbers or two texts have an order" },
		{ "{{ 1 in 2 }}",
		    "1: only lists, objects and text have something in them" },
		{ "{% for x in t %}{% end %}", "1: no loop goes over text" },
		{ "{% for x in none %}{% end %}", "1: no loop goes over none" },
		{ "{% for x, y in l %}{% end %}",
		    "1: two names for an item that is no list of two" },
		{ "{{ l }}",
		    "1: a list or an object cannot be printed; name what is in "
		    "it, or use json_encode()" },
		{ "{{ 1|upper }}", "1: upper() needs text, not a number" },
		{ "{{ upper() }}", "1: upper() is called with other arguments" },
		{ "\n{{ fails() }}", "2: told to fail at page.html:2" },
		{ "{% if nobody %}{% end %}", "1: no value named \"nobody\"" },
		{ "{{ upper(nobody) }}", "1: no value named \"nobody\"" },
	};
	char expected[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(expected, sizeof(expected), "! page.html:%s", rows[i].why);
		template_expect(rows[i].text,
		    "{\"t\": \"text\", \"l\": [1, 2], \"o\": {\"a\": 1}}", expected);
	}
}

static void
mistakes_in_other_files_are_told_with_their_name(void)
{
	CU_ASSERT_STRING_EQUAL(
	    template_render_all(NULL, "page.html", "\n{% include part.html %}",
		"part.html", "\n\n{{ x }}", NULL),
	    "! part.html:3: no value named \"x\"");
	CU_ASSERT_STRING_EQUAL(
	    template_render_all(NULL, "page.html",
		"{% extends base.html %}{% block a %}\n{{ x + }}{% end %}", "base.html",
		"\n\n\n{% block a %}{% end %}", NULL),
	    "! page.html:2: the expression ends too early");
	CU_ASSERT_STRING_EQUAL(
	    template_render_all(NULL, "page.html", "{% include part.html %}", "part.html",
		"{% extends base.html %}", NULL),
	    "! page.html:1: \"part.html\" extends another; "
	    "{% module Template() %} may do so");
}

static const struct unit_test language_tests[] = {
	UNIT_TEST(literals_are_printed),
	UNIT_TEST(names_members_and_indexes_are_looked_up),
	UNIT_TEST(arithmetic_is_that_of_python),
	UNIT_TEST(comparisons_and_logic_are_those_of_python),
	UNIT_TEST(functions_and_filters_are_called),
	UNIT_TEST(the_languages_own_functions_work),
	UNIT_TEST(branches_are_taken),
	UNIT_TEST(loops_go_over_lists_objects_and_ranges),
	UNIT_TEST(loops_are_left_and_go_on),
	UNIT_TEST(loops_know_their_rounds),
	UNIT_TEST(variables_are_set),
	UNIT_TEST(comments_and_escaped_openings),
	UNIT_TEST(functions_are_applied),
	UNIT_TEST(white_space_is_kept_or_not),
	UNIT_END,
};

static const struct unit_test file_tests[] = {
	UNIT_TEST(blocks_are_replaced),
	UNIT_TEST(templates_are_included),
	UNIT_TEST(modules_have_names_of_their_own),
	UNIT_TEST(autoescape_is_set_per_file),
	UNIT_END,
};

static const struct unit_test error_tests[] = {
	UNIT_TEST(mistakes_are_told_with_their_line),
	UNIT_TEST(mistakes_at_run_time_are_told_with_their_line),
	UNIT_TEST(mistakes_in_other_files_are_told_with_their_name),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "language", language_tests },
		{ "several templates", file_tests },
		{ "mistakes", error_tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
