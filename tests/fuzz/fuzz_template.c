/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the compiler and the renderer of templates. The input is page.html; behind
 * a line "%%%%" come a.html and b.html, which it may name. What must hold:
 *
 *   - compiling twice gives the same words, rendering twice the same text; a failure says
 *     where ("page.html:12: …"), and a rendering keeps its limits;
 *   - a hostile text in place of a harmless one changes no tag and no attribute of the
 *     page (where nothing is printed raw and no branch could depend on the text);
 *   - nothing is touched beside what is there (AddressSanitizer), nothing leaks.
 */
#include "config.h"

#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include <spout/template.h>

#include "template/html.h"

#define MAX_OUTPUT 65536

static void
must(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "finding: %s\n", what);
		abort();
	}
}

/* --- values ------------------------------------------------------------------------ */

static json_t *
make_values(const char *text)
{
	return json_pack("{s:s, s:i, s:f, s:b, s:n, s:[s,i,[i,i]], s:{s:s,s:{s:s}}, s:o}",
	    "x", text, "n", 7, "f", 1.5, "t", 1, "z", "l", text, 2, 3, 4, "o", "a", text,
	    "b", "c", text, "e", json_array());
}

static int
html(struct spout_template_call *call)
{
	return spout_template_return_html(call, "<b>", 3);
}

static int
fails(struct spout_template_call *call)
{
	return spout_template_fail(call, "no");
}

static const struct spout_template_function functions[] = {
	{ .name = "html", .fn = html },
	{ .name = "fails", .fn = fails },
	{ .name = "v", .fn = html, .value = true },
	{ .name = NULL },
};

/* --- the page ---------------------------------------------------------------------- */

static struct spout_templates *
make_set(const char *text, size_t len)
{
	static const char *const names[] = { "page.html", "a.html", "b.html" };
	struct spout_templates *set = spout_templates_new(
	    &(struct spout_templates_options){ .max_output_bytes = MAX_OUTPUT,
		.max_memory_bytes = 1 << 18,
		.max_steps = 20000 });

	must(set != NULL && spout_templates_add_functions(set, functions) == 0, "no set");
	for (size_t i = 0; i < 3; i++) {
		const char *end = i < 2 ? memmem(text, len, "\n%%%%\n", 6) : NULL;
		size_t n = end != NULL ? (size_t)(end - text) : len;

		must(
		    spout_templates_add_source(set, names[i], text, n) == 0, "no source");
		if (end == NULL)
			break;
		text += n + 6;
		len -= n + 6;
	}
	return set;
}

static void
must_say_where(const char *why)
{
	const char *colon = strstr(why, ".html:");

	must(strlen(why) < SPOUT_TEMPLATE_WHY_SIZE, "a long error");
	must(colon != NULL && colon[6] >= '0' && colon[6] <= '9',
	    "an error without a line");
}

static char *
render(const struct spout_template *template, const char *hostile)
{
	json_t *values = make_values(hostile);
	char why[SPOUT_TEMPLATE_WHY_SIZE] = "";
	size_t len = 0;
	char *text = spout_template_render(template, values, NULL, &len, why);

	if (text == NULL)
		must_say_where(why);
	must(text == NULL || len <= MAX_OUTPUT, "a long text");
	json_decref(values);
	return text;
}

/* --- the same page whatever the text ---------------------------------------------- */

struct shape {
	unsigned tags, attributes, raws;
};

static struct shape
shape_of(const char *text)
{
	struct shape shape = { 0, 0, 0 };
	struct spout__html h;
	uint8_t before;

	spout__html_init(&h, "page.html");
	for (; *text != '\0'; text++) {
		before = h.state;
		if (spout__html_step(&h, *text) != NULL)
			break;
		shape.tags += h.state == SPOUT__HTML_TAG_NAME && before != h.state;
		shape.attributes += h.state == SPOUT__HTML_ATTRIBUTE_NAME &&
		    before != h.state;
		shape.raws += h.state == SPOUT__HTML_RAW && before != h.state;
	}
	return shape;
}

static bool
mentions(const char *text, size_t len, const char *word)
{
	return memmem(text, len, word, strlen(word)) != NULL;
}

/* Nothing in the source that takes a text apart, compares it, or prints it as it is. */
static bool
depends_on_nothing(const char *text, size_t len)
{
	static const char *const words[] = { "if", "while", "for", "raw", "autoescape",
		"apply", "module", "and", "or", "html", "v", "[", "(", "|", "=",
		"<=", ">=", "in", "is" };

	for (size_t at = 0; at + 1 < len; at++) {
		const char *end;

		if (text[at] != '{' || (text[at + 1] != '{' && text[at + 1] != '%'))
			continue;
		end = memmem(text + at, len - at, "}", 1);
		for (size_t i = 0; end != NULL && i < sizeof(words) / sizeof(words[0]);
		     i++)
			if (mentions(text + at, (size_t)(end - text) - at, words[i]))
				return false;
		if (end == NULL)
			return false;
	}
	return true;
}

static void
must_keep_its_shape(const struct spout_template *template)
{
	static const char *const hostile[] = { "\"'><script>alert(1)</script><a b='",
		"--></title></textarea></style><i j=k>", "`${x}`*/ \\ </script " };
	char *tame = render(template, "a"), *other;
	struct shape a, b;

	for (size_t i = 0; tame != NULL && i < 3; i++) {
		other = render(template, hostile[i]);
		if (other == NULL)
			continue;
		a = shape_of(tame);
		b = shape_of(other);
		if (memcmp(&a, &b, sizeof(a)) != 0)
			fprintf(stderr, "%s\nbecame\n%s\n", tame, other);
		must(memcmp(&a, &b, sizeof(a)) == 0, "a text changes the page");
		free(other);
	}
	free(tame);
}

/* --- the target ------------------------------------------------------------------- */

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *text = (const char *)data;
	struct spout_templates *one = make_set(text, len), *two = make_set(text, len);
	char why[SPOUT_TEMPLATE_WHY_SIZE] = "", again[SPOUT_TEMPLATE_WHY_SIZE] = "";
	const struct spout_template *a = spout_templates_get(one, "page.html", why);
	const struct spout_template *b = spout_templates_get(two, "page.html", again);

	must((a == NULL) == (b == NULL) && strcmp(why, again) == 0, "another outcome");
	if (a == NULL) {
		must_say_where(why);
	} else {
		size_t n, m;
		const uint32_t *words = spout_template_words(a, &n);
		char *first, *second;

		must(
		    memcmp(words, spout_template_words(b, &m), n * sizeof(*words)) == 0 &&
			n == m,
		    "other words");
		first = render(a, "a<b");
		second = render(b, "a<b");
		must(first == second ||
			(first != NULL && second != NULL && strcmp(first, second) == 0),
		    "another text");
		free(first);
		free(second);
		if (depends_on_nothing(text, len))
			must_keep_its_shape(a);
	}
	spout_templates_free(one);
	spout_templates_free(two);
	return 0;
}
