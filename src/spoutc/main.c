/* SPDX-License-Identifier: MIT */
/* spoutc: compiles a folder of templates into a C file; see spoutc(1). */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <spout/template.h>

#define EXIT_USAGE 2
#define WORDS_PER_LINE 6

struct job {
	const char *dir, *output, *name;
	FILE *to;
	unsigned n;
};

static const char usage[] =
    "Usage: spoutc [OPTION]... DIR\n"
    "Compile the templates below DIR into a C file.\n"
    "\n"
    "      --output FILE  write there; the default is the standard output\n"
    "      --name NAME    the table in it, a name of C [templates]\n"
    "      --help         print this page\n"
    "      --version      print the version\n";

static int
complain(int status, const char *what, const char *why)
{
	fprintf(stderr, "spoutc: %s%s%s\n", what, why[0] != '\0' ? ": " : "", why);
	return status;
}

/* --- writing ------------------------------------------------------------------------ */

static void
write_text(FILE *to, const char *text)
{
	putc('"', to);
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '?')
			fprintf(to, "\\%03o", c);
		else
			putc(c, to);
	}
	putc('"', to);
}

static void
write_program(const struct spout_template *template, void *arg)
{
	struct job *job = arg;
	const uint32_t *words;
	size_t n, i;

	words = spout_template_words(template, &n);
	fprintf(job->to, "static const uint32_t %s_%u[] = {", job->name, job->n++);
	for (i = 0; i < n; i++)
		fprintf(job->to, "%s0x%08" PRIx32 ",",
		    i % WORDS_PER_LINE == 0 ? "\n\t" : " ", words[i]);
	fprintf(job->to, "\n};\n\n");
}

static void
write_row(const struct spout_template *template, void *arg)
{
	struct job *job = arg;
	size_t n;

	spout_template_words(template, &n);
	fprintf(job->to, "\t{ ");
	write_text(job->to, spout_template_name(template));
	fprintf(job->to, ", %s_%u, %zu },\n", job->name, job->n++, n);
}

static void
write_all(struct job *job, struct spout_templates *set)
{
	fprintf(job->to, "/* Made by spoutc. */\n#include <spout/template.h>\n\n");
	fprintf(
	    job->to, "extern const struct spout_template_program %s[];\n\n", job->name);
	job->n = 0;
	spout_templates_each(set, write_program, job);
	fprintf(job->to, "const struct spout_template_program %s[] = {\n", job->name);
	job->n = 0;
	spout_templates_each(set, write_row, job);
	fprintf(job->to, "\t{ NULL, NULL, 0 },\n};\n");
}

/* Into a new file beside the old one: a reader sees the old or the new, whole. */
static int
write_file(struct job *job, struct spout_templates *set)
{
	char *path = NULL;
	int failed;

	if (job->output == NULL) {
		job->to = stdout;
		write_all(job, set);
		return fflush(stdout) == 0 && !ferror(stdout)
		    ? EXIT_SUCCESS
		    : complain(EXIT_FAILURE, "standard output", strerror(errno));
	}
	if (asprintf(&path, "%s.tmp", job->output) < 0)
		return complain(EXIT_FAILURE, "out of memory", "");
	job->to = fopen(path, "w");
	failed = job->to == NULL;
	if (!failed) {
		write_all(job, set);
		failed = ferror(job->to);
		failed = fclose(job->to) != 0 || failed;
	}
	if (!failed)
		failed = rename(path, job->output) != 0;
	if (failed) {
		complain(EXIT_FAILURE, job->output, strerror(errno));
		unlink(path);
	}
	free(path);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* --- options ------------------------------------------------------------------------ */

static int
compile(struct job *job)
{
	char why[SPOUT_TEMPLATE_WHY_SIZE];
	struct spout_templates *set;
	int status;

	set = spout_templates_new(
	    &(struct spout_templates_options){ .dir = job->dir, .any_function = true });
	if (set == NULL)
		return complain(EXIT_FAILURE, job->dir, strerror(errno));
	if (spout_templates_load(set, why) != 0) {
		/* As compilers do: a path that leads there. */
		fprintf(stderr, "%s/%s\n", job->dir, why);
		status = EXIT_FAILURE;
	} else {
		status = write_file(job, set);
	}
	spout_templates_free(set);
	return status;
}

static bool
is_name(const char *name)
{
	static const char letters[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

	return name[0] != '\0' && (name[0] < '0' || name[0] > '9') &&
	    name[strspn(name, letters)] == '\0';
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "name", required_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	struct job job = { .name = "templates" };
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'o':
			job.output = optarg;
			break;
		case 'n':
			job.name = optarg;
			break;
		case 'h':
			return fputs(usage, stdout) >= 0 ? EXIT_SUCCESS : EXIT_FAILURE;
		case 'v':
			printf("spoutc %s\n", PACKAGE_VERSION);
			return EXIT_SUCCESS;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind != argc - 1)
		return complain(EXIT_USAGE, "one folder is needed", "see --help");
	if (!is_name(job.name))
		return complain(EXIT_USAGE, job.name, "not a name of C");
	job.dir = argv[optind];
	return compile(&job);
}
