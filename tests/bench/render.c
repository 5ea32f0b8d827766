/* SPDX-License-Identifier: MIT */
/*
 * Renders a template with the values of a JSON file again and again, for
 * tests/bench/template:
 *
 *     tests/bench/render FOLDER NAME VALUES SECONDS
 *
 * Prints the page once, then on the standard error output the CPU time of one rendering
 * in microseconds.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <spout/template.h>

#include "bench.h"

#define AT_ONCE 1000

int
main(int argc, char **argv)
{
	char why[SPOUT_TEMPLATE_WHY_SIZE] = "usage: render FOLDER NAME VALUES SECONDS";
	const struct spout_template *template = NULL;
	struct spout_templates *set = NULL;
	json_t *values = NULL;
	uint64_t start, spent, n = 0;
	size_t len;
	char *text;

	if (argc == 5) {
		set = spout_templates_new(
		    &(struct spout_templates_options){ .dir = argv[1] });
		values = json_load_file(argv[3], 0, NULL);
	}
	if (set != NULL && values != NULL)
		template = spout_templates_get(set, argv[2], why);
	text = template != NULL ? spout_template_render(template, values, NULL, &len, why)
				: NULL;
	if (text == NULL) {
		fprintf(stderr, "%s\n", why);
		return 2;
	}
	fwrite(text, 1, len, stdout);
	free(text);
	start = bench_cpu_ns();
	do {
		for (unsigned i = 0; i < AT_ONCE; i++)
			free(spout_template_render(template, values, NULL, &len, why));
		n += AT_ONCE;
		spent = bench_cpu_ns() - start;
	} while ((double)spent < atof(argv[4]) * 1e9);
	fprintf(stderr, "%.4f\n", (double)spent / 1e3 / (double)n);
	spout_templates_free(set);
	json_decref(values);
	return 0;
}
