/* SPDX-License-Identifier: MIT */
/*
 * Escaping by place: what each place prints, which places are refused, and a corpus of
 * hostile texts in every place, none of which may leave it.
 */
#include "config.h"

#include "template_help.h"
#include "unit.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

/* --- places ------------------------------------------------------------------------ */

static void
text_and_attributes_become_references(void)
{
	const char *json = "{\"x\": \"<a href=\\\"x\\\">'&\"}";

	template_expect("{{ x }}", json, "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
	template_expect("<p title=\"{{ x }}\">", json,
	    "<p title=\"&lt;a href=&quot;x&quot;&gt;&#39;&amp;\">");
	template_expect("<p title='a {{ x }}'>", json,
	    "<p title='a &lt;a href=&quot;x&quot;&gt;&#39;&amp;'>");
	template_expect("<title>{{ x }}</title><textarea>{{ x }}</textarea>", json,
	    "<title>&lt;a href=&quot;x&quot;&gt;&#39;&amp;</title>"
	    "<textarea>&lt;a href=&quot;x&quot;&gt;&#39;&amp;</textarea>");
	template_expect("<!-- {{ x }} --><!DOCTYPE html>{{ 1 }}", json,
	    "<!-- &lt;a href=&quot;x&quot;&gt;&#39;&amp; --><!DOCTYPE html>1");
	template_expect("<br/>{{ x }}</p >{{ 1 }}", json,
	    "<br/>&lt;a href=&quot;x&quot;&gt;&#39;&amp;</p >1");
}

static void
urls_are_checked_and_encoded(void)
{
	template_expect("<a href=\"{{ x }}\">", "{\"x\": \"/a b?c=d&e='%41%zz\"}",
	    "<a href=\"/a%20b?c=d&amp;e=%27%41%25zz\">");
	template_expect(
	    "<a href='{{ x }}'>", "{\"x\": \"HTTPS://a/\"}", "<a href='HTTPS://a/'>");
	template_expect("<a href='{{ x }}'>", "{\"x\": \"javascript:alert(1)\"}",
	    "<a href='about:invalid#spout'>");
	template_expect("<img src='{{ x }}'>", "{\"x\": \"data:text/html,x\"}",
	    "<img src='about:invalid#spout'>");
	template_expect(
	    "<a href='/x/{{ x }}'>", "{\"x\": \"a/b?c#d\"}", "<a href='/x/a/b%3Fc%23d'>");
	template_expect("<a href='/x?q={{ x }}&amp;y={{ x }}#{{ x }}'>",
	    "{\"x\": \"a/b?c&d\"}",
	    "<a href='/x?q=a%2Fb%3Fc%26d&amp;y=a%2Fb%3Fc%26d#a%2Fb%3Fc%26d'>");
	template_expect("<a href='/x?q={{ x }}&y={{ x }}'>", "{\"x\": \"&\"}",
	    "<a href='/x?q=%26&y=%26'>");
	template_expect("<a href='{{ b }}/u/{{ x }}'>",
	    "{\"b\": \"http://h\", \"x\": \"/\"}", "<a href='http://h/u/%2F'>");
	template_expect("<a href='java{{ x }}'>", "{\"x\": \"script:alert(1)\"}",
	    "<a href='javascript%3Aalert%281%29'>");
	template_expect("<a href='{{ a }}{{ x }}'>",
	    "{\"a\": \"java\", \"x\": \"script:alert(1)\"}",
	    "<a href='javascript%3Aalert%281%29'>");
	template_expect("<img srcset='{{ a }} 1x, {{ a }} 2x'>",
	    "{\"a\": \"javascript:x\"}",
	    "<img srcset='about:invalid#spout 1x, about:invalid#spout 2x'>");
	template_expect("<form action='{{ a }}'><svg><a xlink:href='{{ a }}'>"
			"<b data-url='{{ a }}' data-x='{{ a }}'>",
	    "{\"a\": \"javascript:x\"}",
	    "<form action='about:invalid#spout'><svg><a xlink:href='about:invalid#spout'>"
	    "<b data-url='about:invalid#spout' data-x='javascript:x'>");
	template_expect("<a href='{% if b %}/x?{% end %}{{ x }}'>",
	    "{\"b\": true, \"x\": \"a:b\"}", "<a href='/x?a%3Ab'>");
	template_expect("<a href='{% for p in l %}/{{ p }}{% end %}'>",
	    "{\"l\": [\"a\", \"b/\"]}", "<a href='/a/b%2F'>");
}

static void
scripts_get_json(void)
{
	const char *json = "{\"x\": \"</script>\\\"'\\u2028\\n\", \"o\": "
			   "{\"a<\": [1, true, null, -2.5]},"
			   " \"n\": -1}";

	template_expect("<script>var x = {{ x }};</script>", json,
	    "<script>var x = "
	    "\"\\u003c\\u002fscript\\u003e\\u0022\\u0027\\u2028\\u000a\";</script>");
	template_expect("<script>x={{ o }}-{{ n }}</script>", json,
	    "<script>x={\"a\\u003c\":[1,true,null,-2.5]}- -1</script>");
	template_expect("<script>x='{{ x }}'</script>{{ x }}", json,
	    "<script>x='\\u003c\\u002fscript\\u003e\\u0022\\u0027\\u2028\\u000a'</script>"
	    "&lt;/script&gt;&quot;&#39;\xe2\x80\xa8\n");
	template_expect("<script>x=`a${ {a:'}'} }{{ n }}`; y={{ n }}</script>", json,
	    "<script>x=`a${ {a:'}'} }-1`; y= -1</script>");
	template_expect("<script>// it's\nvar a = b / c; x = {{ n }} / 2; "
			"r = /['\"/]/; y = '{{ n }}'; return /'/.x({{ n }})</script>",
	    json,
	    "<script>// it's\nvar a = b / c; x =  -1 / 2; r = /['\"/]/; y = '-1'; "
	    "return /'/.x( -1)</script>");
	template_expect("<a onclick=\"f({{ x }}, '{{ n }}')\">", json,
	    "<a onclick=\"f(&quot;\\u003c\\u002fscript\\u003e\\u0022\\u0027\\u2028\\u000a"
	    "&quot;, '-1')\">");
	template_expect("<a onclick=\"f(&quot;{{ x }}&quot;)\" @click='g({{ n }})'>",
	    "{\"x\": \");alert(1)//\", \"n\": 1}",
	    "<a onclick=\"f(&quot;\\u0029\\u003balert\\u00281\\u0029\\u002f\\u002f"
	    "&quot;)\" @click='g(1)'>");
	CU_ASSERT_STRING_EQUAL(
	    template_render_all(json, "a.js", "f({{ n }})", NULL), "f( -1)");
}

static void
styles_get_words(void)
{
	template_expect("<p style='color: {{ x }}'>", "{\"x\": \"#ff0080\"}",
	    "<p style='color: #ff0080'>");
	template_expect(
	    "<p style='width: {{ x }}%'>", "{\"x\": 12.5}", "<p style='width: 12.5%'>");
	template_expect("<style>p { color: {{ x }} }</style>",
	    "{\"x\": \"red; background: url(x)\"}", "<style>p { color: unsafe }</style>");
	template_expect("<style>p:after { content: '{{ x }}' }</style>",
	    "{\"x\": \"'</style>\"}",
	    "<style>p:after { content: '\\27 \\3c \\2f style\\3e ' }</style>");
	template_expect("<p style='background: url({{ x }})'>",
	    "{\"x\": \"javascript:alert(1)\"}",
	    "<p style='background: url(about:invalid#spout)'>");
	template_expect("<p style='background: url(\"/i/{{ x }}\")'>",
	    "{\"x\": \"a)'b\"}", "<p style='background: url(\"/i/a%29%27b\")'>");
}

static void
a_path_does_not_become_that_of_another_host(void)
{
	template_expect("<script src='/{{ x }}'></script>", "{\"x\": \"/evil.com/x.js\"}",
	    "<script src='/%2Fevil.com/x.js'></script>");
	template_expect("<form action=\"/{{ x }}\">", "{\"x\": \"\\\\evil.com\"}",
	    "<form action=\"/%5Cevil.com\">");
	template_expect("<a href='/{{ y }}{{ x }}'>",
	    "{\"x\": \"/evil.com\", \"y\": \"\"}", "<a href='/%2Fevil.com'>");
	template_expect("<a href='/a/{{ x }}'>", "{\"x\": \"/b\"}", "<a href='/a//b'>");
	template_expect("<a href='/{{ x }}'>", "{\"x\": \"a/b\"}", "<a href='/a/b'>");
}

static void
branches_meet_in_a_known_place(void)
{
	template_expect("<option {% if s %}selected{% end %}>{{ s }}</option>",
	    "{\"s\": true}", "<option selected>true</option>");
	template_expect("<a {% if s %}href{% else %}title{% end %}='x'>", "{\"s\": true}",
	    "<a href='x'>");
	template_expect("<a {% if s %}href{% else %}title{% end %}='{{ s }}'>", NULL,
	    "! page.html:1: an expression in an attribute that cannot be made safe");
	template_expect("<a {% if s %}on{% end %}click='{{ s }}'>", NULL,
	    "! page.html:1: an expression in an attribute that cannot be made safe");
	template_expect("<a {% if s %}checked {% end %}='{{ s }}'>", NULL,
	    "! page.html:1: an expression in an attribute that cannot be made safe");
	template_expect("<a {% if s %}checked {% end %}title='{{ s }}'>",
	    "{\"s\": \"'\"}", "<a checked title='&#39;'>");
	template_expect("<a {% if s %}href='x' {% end %}title='{{ s }}'>",
	    "{\"s\": \"'\"}", "<a href='x' title='&#39;'>");
	template_expect("<a {% if s %}href='{% else %}title='{% end %}x'>", NULL,
	    "! page.html:1: branches end in different places: text, tag, attribute or "
	    "script");
	template_expect("{% if s %}<script>{% end %}", NULL,
	    "! page.html:1: branches end in different places: text, tag, attribute or "
	    "script");
	template_expect("{% for x in s %}<p title='{% end %}", NULL,
	    "! page.html:1: loop: branches end in different places: text, tag, attribute "
	    "or script");
	template_expect("{% for x in s %}{% if x %}<p title='{% break %}{% end %}'>"
			"{% end %}",
	    NULL,
	    "! page.html:1: loop: branches end in different places: text, tag, attribute "
	    "or script");
}

static void
branches_may_hold_the_attributes_of_a_tag(void)
{
	template_expect("<li{% if s %} class='{{ s }}'{% end %}>{{ s }}</li>",
	    "{\"s\": \"<'\"}", "<li class='&lt;&#39;'>&lt;&#39;</li>");
	template_expect(
	    "<li{% if s %} class='a'{% else %} hidden{% end %} title='{{ s }}'>",
	    "{\"s\": \"\"}", "<li hidden title=''>");
	template_expect("<p{% for x in s %} a{{ '' }}='{{ x }}'{% end %}>", NULL,
	    "! page.html:1: an expression in the name of an attribute");
	template_expect("<p{% for x in s %} title='{{ x }}'{% end %}/>",
	    "{\"s\": [1, 2]}", "<p title='1' title='2'/>");
	template_expect("<script{% if s %} async{% end %}>{{ s }}</script>",
	    "{\"s\": \"<\"}", "<script async>\"\\u003c\"</script>");
	template_expect("<li{% if s %} a{% end %}b>", NULL,
	    "! page.html:1: a name goes on behind a branch; put a blank before it");
	template_expect("<{% if s %}script{% else %}b x{% end %}>", NULL,
	    "! page.html:1: branches end in different places: text, tag, attribute or "
	    "script");
	template_expect("<li{% if s %} a='{% end %}>", NULL,
	    "! page.html:1: branches end in different places: text, tag, attribute or "
	    "script");
}

static void
unsafe_places_are_refused(void)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "<{{ x }}>",
		    "1: an expression behind \"<\"; write &lt; for the character" },
		{ "</{{ x }}>",
		    "1: an expression behind \"<\"; write &lt; for the character" },
		{ "<a{{ x }}>", "1: an expression in the name of a tag" },
		{ "<a\n {{ x }}>", "2: an expression in the name of an attribute" },
		{ "<a b{{ x }}>", "1: an expression in the name of an attribute" },
		{ "<a b {{ x }}>", "1: an expression in the name of an attribute" },
		{ "<a b={{ x }}>", "1: an expression in an attribute without quotes" },
		{ "<a href=/b/{{ x }}>",
		    "1: an expression in an attribute without quotes" },
		{ "<iframe srcdoc='{{ x }}'>",
		    "1: an expression in an attribute that cannot be made safe" },
		{ "<svg><animate attributeName=href values='{{ x }}'>",
		    "1: an expression in an attribute that cannot be made safe" },
		{ "<meta http-equiv=refresh content='0;url={{ x }}'>",
		    "1: an expression in <meta http-equiv content>" },
		{ "<a href='javascript:f({{ x }})'>",
		    "1: an expression in a URL whose scheme runs code, or could: write "
		    "the scheme into the template" },
		{ "<a href=' JavaScript&#58;{{ x }}'>",
		    "1: an expression in a URL whose scheme runs code, or could: write "
		    "the scheme into the template" },
		{ "<a href='java\nscript:{{ x }}'>",
		    "2: an expression in a URL whose scheme runs code, or could: write "
		    "the scheme into the template" },
		{ "<a href='{{ x }}:{{ x }}'>",
		    "1: an expression in a URL whose scheme runs code, or could: write "
		    "the scheme into the template" },
		{ "<script>/* {{ x }} */</script>",
		    "1: an expression in a comment of a script; write {# #} around it" },
		{ "<script>\n// {{ x }}\n</script>",
		    "2: an expression in a comment of a script; write {# #} around it" },
		{ "<script>a = /{{ x }}/</script>",
		    "1: an expression in a regular expression of a script" },
		{ "<script>a = /[{{ x }}]/</script>",
		    "1: an expression in a regular expression of a script" },
		{ "<script>var a{{ x }}</script>",
		    "1: an expression inside of a word of a script" },
		{ "<script>a = '\\{{ x }}'</script>",
		    "1: an expression behind a backslash in a script" },
		{ "<script>a = '</{{ x }}'</script>", "1: an expression in an end tag" },
		{ "<script><!-- {{ x }}</script>", "1: \"<!--\" inside of <script>" },
		{ "<a onclick='f(&lpar;{{ x }})'>",
		    "1: an expression in a script that cannot be followed up to here" },
		{ "<a onclick='f(&{{ x }})'>",
		    "1: an expression behind \"&\" in an attribute" },
		{ "<style>/* {{ x }} */</style>",
		    "1: an expression in a comment of a style; write {# #} around it" },
		{ "<style>\\{{ x }}</style>",
		    "1: an expression in a style that cannot be followed up to here" },
		{ "<p title='", "1: the template ends inside of a tag" },
		{ "<script>", "1: the template ends inside of a script or style" },
		{ "<!-- ", "1: the template ends inside of a comment" },
		{ "<p title='{% module bold('x') %}'>",
		    "1: {% module %} stands in the text of a page only" },
		{ "<p title='{% apply upper %}x{% end %}'>",
		    "1: {% apply %} stands in the text of a page only" },
	};
	char expected[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(expected, sizeof(expected), "! page.html:%s", rows[i].why);
		template_expect(rows[i].text, "{\"x\": \"\"}", expected);
	}
}

/* --- the corpus --------------------------------------------------------------------- */

/* Texts that were used against pages, from tests/conformance/xss.json. */
static json_t *corpus;

static const char *
hostile_text(size_t i)
{
	return json_string_value(json_array_get(corpus, i));
}

static void
corpus_load(void)
{
	corpus = json_load_file(TOP_SRCDIR "/tests/conformance/xss.json", 0, NULL);
	CU_ASSERT_TRUE_FATAL(json_array_size(corpus) > 50);
}

/* What `template` prints for a hostile text, between its two "|". */
static char *
between(const char *template, const char *hostile)
{
	json_t *values = json_pack("{s:s}", "x", hostile);
	char *json = json_dumps(values, 0), *copy;
	const char *got = template_render(template, json), *from, *to;

	CU_ASSERT_NOT_EQUAL_FATAL(got[0], '!');
	from = strchr(got, '|');
	to = strrchr(got, '|');
	CU_ASSERT_TRUE_FATAL(from != NULL && to > from);
	copy = strndup(from + 1, (size_t)(to - from - 1));
	free(json);
	json_decref(values);
	return copy;
}

static bool
has_none_of(const char *text, const char *bytes, const char *hostile)
{
	if (strpbrk(text, bytes) == NULL)
		return true;
	fprintf(stderr, "\n  %s\n  became: %s\n", hostile, text);
	return false;
}

/* Undo character references, as a browser does in a value. */
static void
unreference(char *text)
{
	static const char *const names[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&#39;" };
	static const char bytes[] = "&<>\"'";
	char *to = text, *at = text;

	while (*at != '\0') {
		size_t i;

		for (i = 0; i < 5 && strncmp(at, names[i], strlen(names[i])) != 0; i++)
			;
		if (i < 5) {
			*to++ = bytes[i];
			at += strlen(names[i]);
		} else {
			*to++ = *at++;
		}
	}
	*to = '\0';
}

static void
nothing_leaves_text_or_an_attribute(void)
{
	static const char *const templates[] = { "<p>|{{ x }}|</p>",
		"<p title=\"|{{ x }}|\">", "<p title='|{{ x }}|'>",
		"<title>|{{ x }}|</title>", "<textarea>|{{ x }}|</textarea>",
		"<!-- |{{ x }}| -->", "<input value=\"|{{ x }}|\" checked>" };

	corpus_load();
	for (size_t t = 0; t < sizeof(templates) / sizeof(templates[0]); t++)
		for (size_t i = 0; i < json_array_size(corpus); i++) {
			char *got = between(templates[t], hostile_text(i));

			CU_ASSERT_TRUE(has_none_of(got, "<>\"'", hostile_text(i)));
			unreference(got);
			CU_ASSERT_STRING_EQUAL(got, hostile_text(i));
			free(got);
		}
	json_decref(corpus);
}

/* What a browser takes for the scheme: blanks and controls around and inside go. */
static void
scheme_of(const char *url, char scheme[32])
{
	size_t n = 0;

	while ((unsigned char)*url <= ' ' && *url != '\0')
		url++;
	for (; *url != '\0' && n < 31; url++) {
		if (*url == '\t' || *url == '\n' || *url == '\r')
			continue;
		if (!isalnum((unsigned char)*url) && strchr("+-.", *url) == NULL)
			break;
		scheme[n++] = (char)tolower((unsigned char)*url);
	}
	scheme[*url == ':' ? n : 0] = '\0';
}

static void
no_url_gets_a_scheme_that_runs(void)
{
	static const char *const templates[] = {
		"<i title='|'><a href=\"{{ x }}\" title='|'>",
		"<i title='|'><img src='{{ x }}' title='|'>",
		"<i title='|'><form action=\"{{ x }}\" title='|'>",
		"<i title='|'><a href=\"java{{ x }}\" title='|'>",
		"<i title='|'><a href=\"{{ 'java' }}{{ x }}\" title='|'>",
		"<i title='|'><a href=\"{{ x }}{{ x }}\" title='|'>",
		"<i title='|'><p style='background: url({{ x }})' title='|'>"
	};

	corpus_load();
	for (size_t t = 0; t < sizeof(templates) / sizeof(templates[0]); t++)
		for (size_t i = 0; i < json_array_size(corpus); i++) {
			char *got = between(templates[t], hostile_text(i)), scheme[32];
			char quote = strchr(got, '=')[1];
			char *url = strchr(got, '=') + 2, *end = strchr(url, quote);

			CU_ASSERT_PTR_NOT_NULL_FATAL(end);
			/* The value ends where the template ends it. */
			CU_ASSERT_STRING_EQUAL(end + 1, " title='");
			*end = '\0';
			if (strncmp(url, "background: url(", 16) == 0) {
				end = strchr(url += 16, ')');
				CU_ASSERT_PTR_NOT_NULL_FATAL(end);
				CU_ASSERT_EQUAL(end[1], '\0');
				*end = '\0';
			}
			CU_ASSERT_TRUE(
			    has_none_of(url, "<>\"' \n\t()\\", hostile_text(i)));
			unreference(url);
			scheme_of(url, scheme);
			if (scheme[0] != '\0' && strcmp(scheme, "about") != 0)
				fprintf(stderr, "\n  %s\n  became: %s\n", hostile_text(i),
				    url);
			CU_ASSERT_TRUE(scheme[0] == '\0' || strcmp(scheme, "about") == 0);
			free(got);
		}
	json_decref(corpus);
}

static void
nothing_leaves_a_script(void)
{
	static const char *const templates[] = { "<script>'|', {{ x }}, '|'</script>",
		"<script>`|`, '{{ x }}', '|'</script>",
		"<script>'|', \"{{ x }}\", '|'</script>",
		"<script>'|', `{{ x }}`, '|'</script>",
		"<p onclick=\"'|', {{ x }}, '|'\">",
		"<p onclick='`|`, \"{{ x }}\", `|`'>" };

	corpus_load();
	for (size_t t = 0; t < sizeof(templates) / sizeof(templates[0]); t++)
		for (size_t i = 0; i < json_array_size(corpus); i++) {
			char *got = between(templates[t], hostile_text(i)), *text;
			size_t n;
			json_t *value;

			unreference(got);
			/* Behind the quote that ends the first mark: ", TEXT, ". */
			text = got + 3;
			n = strlen(text);
			CU_ASSERT_TRUE_FATAL(n >= 5);
			text[n - 3] = '\0';
			text[0] = text[n - 4] = '"';
			/* Between its quotes nothing but letters, digits, ,-._\u… */
			text[n - 4] = '\0';
			CU_ASSERT_TRUE(has_none_of(
			    text + 1, "<>\"'`&\n\r$(){};/:*=+", hostile_text(i)));
			CU_ASSERT_PTR_NULL(strstr(text, "\xe2\x80\xa8"));
			CU_ASSERT_PTR_NULL(strstr(text, "\xe2\x80\xa9"));
			text[n - 4] = '"';
			value = json_loads(text, JSON_DECODE_ANY, NULL);
			CU_ASSERT_PTR_NOT_NULL_FATAL(value);
			CU_ASSERT_STRING_EQUAL(json_string_value(value), hostile_text(i));
			json_decref(value);
			free(got);
		}
	json_decref(corpus);
}

static void
nothing_leaves_a_style(void)
{
	static const char *const templates[] = { "<style>|{{ x }}|</style>",
		"<style>|{ content: '{{ x }}' }|</style>", "<p style='|{{ x }}|'>",
		"<p style=\"|a:'{{ x }}'|\">" };

	corpus_load();
	for (size_t t = 0; t < sizeof(templates) / sizeof(templates[0]); t++)
		for (size_t i = 0; i < json_array_size(corpus); i++) {
			char *got = between(templates[t], hostile_text(i));
			char *text = strchr(got, '\''), *end = strrchr(got, '\'');

			if (text != NULL) {
				CU_ASSERT_TRUE_FATAL(end > text);
				*end = '\0';
				text++;
			} else {
				text = got;
				CU_ASSERT_TRUE(has_none_of(text, "\\", hostile_text(i)));
			}
			CU_ASSERT_TRUE(
			    has_none_of(text, "<>\"'&;:{}()@/*\n\r", hostile_text(i)));
			free(got);
		}
	json_decref(corpus);
}

static const struct unit_test place_tests[] = {
	UNIT_TEST(text_and_attributes_become_references),
	UNIT_TEST(urls_are_checked_and_encoded),
	UNIT_TEST(scripts_get_json),
	UNIT_TEST(styles_get_words),
	UNIT_TEST(a_path_does_not_become_that_of_another_host),
	UNIT_TEST(branches_meet_in_a_known_place),
	UNIT_TEST(branches_may_hold_the_attributes_of_a_tag),
	UNIT_TEST(unsafe_places_are_refused),
	UNIT_END,
};

static const struct unit_test corpus_tests[] = {
	UNIT_TEST(nothing_leaves_text_or_an_attribute),
	UNIT_TEST(no_url_gets_a_scheme_that_runs),
	UNIT_TEST(nothing_leaves_a_script),
	UNIT_TEST(nothing_leaves_a_style),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "places", place_tests },
		{ "hostile texts", corpus_tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
