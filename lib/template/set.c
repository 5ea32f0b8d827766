/* SPDX-License-Identifier: MIT */
/* Sets of templates: functions, sources, programs, what is compiled: see template.h. */
#include "config.h"

#include "template/set.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "template/compile.h"

#define ENTRY(node) spout__container_of((node), struct spout__template_entry, link)

static uint64_t
or_default(uint64_t value, uint64_t otherwise)
{
	return value != 0 ? value : otherwise;
}

struct spout_templates *
spout_templates_new(const struct spout_templates_options *options)
{
	static const struct spout_templates_options none = { .dir = NULL };
	struct spout_templates *set = calloc(1, sizeof(*set));

	if (set == NULL)
		return NULL;
	if (options == NULL)
		options = &none;
	set->debug = options->debug;
	set->any_function = options->any_function;
	set->limits.max_output_bytes = or_default(options->max_output_bytes, 8u << 20);
	set->limits.max_memory_bytes = or_default(options->max_memory_bytes, 8u << 20);
	set->limits.max_steps = or_default(options->max_steps, 5000000);
	spout__list_init(&set->entries);
	set->dir = -1;
	if (options->dir != NULL) {
		set->dir = open(options->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (set->dir < 0) {
			int error = errno;

			free(set);
			errno = error;
			return NULL;
		}
	}
	if (spout_templates_add_functions(set, spout__template_functions) != 0) {
		spout_templates_free(set);
		errno = ENOMEM;
		return NULL;
	}
	return set;
}

static void
forget(struct spout__template_entry *entry)
{
	spout__template_drop(entry->template);
	entry->template = NULL;
}

static void
entry_free(struct spout__template_entry *entry)
{
	spout__list_remove(&entry->link);
	forget(entry);
	free(entry->source);
	free(entry);
}

void
spout_templates_free(struct spout_templates *set)
{
	if (set == NULL)
		return;
	while (!spout__list_empty(&set->entries))
		entry_free(ENTRY(set->entries.next));
	if (set->dir >= 0)
		close(set->dir);
	free(set->tables);
	free(set);
}

int
spout_templates_add_functions(
    struct spout_templates *set, const struct spout_template_function *table)
{
	const struct spout_template_function **tables =
	    realloc(set->tables, (set->n_tables + 1) * sizeof(*tables));

	if (tables == NULL)
		return -ENOMEM;
	set->tables = tables;
	set->tables[set->n_tables++] = table;
	return 0;
}

static const struct spout_template_function *
function_named(const struct spout_templates *set, struct spout_slice name)
{
	for (size_t i = set->n_tables; i > 0; i--) {
		const struct spout_template_function *row = set->tables[i - 1];

		for (; row->name != NULL; row++)
			if (spout_slice_equal(name, row->name))
				return row;
	}
	return NULL;
}

/* --- entries ---------------------------------------------------------------------- */

static struct spout__template_entry *
entry_find(const struct spout_templates *set, const char *name)
{
	struct spout__list *node;

	spout__list_for_each(node, &set->entries)
		if (strcmp(ENTRY(node)->name, name) == 0)
			return ENTRY(node);
	return NULL;
}

static struct spout__template_entry *
entry_get(struct spout_templates *set, const char *name)
{
	struct spout__template_entry *entry = entry_find(set, name);
	size_t size = strlen(name) + 1;

	if (entry != NULL)
		return entry;
	entry = calloc(1, sizeof(*entry) + size);
	if (entry == NULL)
		return NULL;
	memcpy(entry->name, name, size);
	spout__list_push(&set->entries, &entry->link);
	return entry;
}

int
spout_templates_add_programs(
    struct spout_templates *set, const struct spout_template_program *table)
{
	for (; table->name != NULL; table++) {
		struct spout__template_entry *entry = entry_get(set, table->name);

		if (entry == NULL)
			return -ENOMEM;
		forget(entry);
		entry->embedded = table;
	}
	return 0;
}

int
spout_templates_add_source(
    struct spout_templates *set, const char *name, const char *text, size_t len)
{
	struct spout__template_entry *entry = entry_get(set, name);
	char *copy = malloc(len + 1);

	if (entry == NULL || copy == NULL) {
		free(copy);
		return -ENOMEM;
	}
	if (len > 0)
		memcpy(copy, text, len);
	copy[len] = '\0';
	free(entry->source);
	entry->source = copy;
	entry->source_len = len;
	/* What was made of it by others, too. */
	spout_templates_reset(set);
	return 0;
}

void
spout_templates_reset(struct spout_templates *set)
{
	struct spout__list *node;

	spout__list_for_each(node, &set->entries)
		if (ENTRY(node)->embedded == NULL)
			forget(ENTRY(node));
}

void
spout_templates_each(struct spout_templates *set,
    void (*each)(const struct spout_template *template, void *arg), void *arg)
{
	struct spout__list *node;

	spout__list_for_each(node, &set->entries)
		if (ENTRY(node)->template != NULL)
			each(ENTRY(node)->template, arg);
}

/* --- compiling -------------------------------------------------------------------- */

/* Where the compiler reads: sources first, then files. */
static int
read_source(
    void *arg, const char *name, struct spout__arena *arena, struct spout_slice *ret)
{
	struct spout_templates *set = arg;
	const struct spout__template_entry *entry = entry_find(set, name);
	int error;

	if (entry != NULL && entry->source != NULL) {
		*ret = spout_slice_of(entry->source, entry->source_len);
		error = ret->len > SPOUT__TEMPLATE_SOURCE_MAX ? -EMSGSIZE : 0;
	} else {
		error =
		    spout__template_file_read(set->dir, name, arena, ret, &set->reading);
	}
	return error;
}

static bool
program_valid(const struct spout__program *p, size_t n_words)
{
	return n_words * sizeof(uint32_t) >= sizeof(*p) &&
	    p->magic == SPOUT__PROGRAM_MAGIC && p->n_words == n_words;
}

/*
 * A template of a program: finds its functions. Takes `owned`, which may be NULL. NULL
 * with errno and `why`.
 */
static struct spout_template *
bind_program(const struct spout_templates *set, const struct spout__program *p,
    struct spout__program *owned, char why[SPOUT_TEMPLATE_WHY_SIZE])
{
	const struct spout__program_external *all =
	    (const void *)spout__program_words(p, p->externals);
	struct spout_template *template =
	    calloc(1, sizeof(*template) + p->n_externals * sizeof(void *));
	uint32_t i;

	if (template == NULL) {
		free(owned);
		snprintf(why, SPOUT_TEMPLATE_WHY_SIZE, "out of memory");
		errno = ENOMEM;
		return NULL;
	}
	template->owned = owned;
	template->program = p;
	template->limits = &set->limits;
	for (i = 0; i < p->n_externals; i++) {
		struct spout_slice name = spout__program_string(p, all[i].string);
		uint32_t file = spout__program_words(p, p->files)[all[i].line >> 24];

		template->functions[i] = function_named(set, name);
		if (template->functions[i] != NULL || !all[i].called || set->any_function)
			continue;
		snprintf(why, SPOUT_TEMPLATE_WHY_SIZE,
		    "%s:%u: there is no function \"%.100s\"",
		    spout__program_string(p, file).data, all[i].line & 0xffffff,
		    name.data);
		spout__template_drop(template);
		errno = EBADMSG;
		return NULL;
	}
	return template;
}

static struct spout_template *
bind_embedded(struct spout_templates *set, struct spout__template_entry *entry,
    char why[SPOUT_TEMPLATE_WHY_SIZE])
{
	const struct spout__program *p = (const void *)entry->embedded->words;

	if (program_valid(p, entry->embedded->n_words))
		return bind_program(set, p, NULL, why);
	snprintf(why, SPOUT_TEMPLATE_WHY_SIZE, "%s: made by another version of spoutc",
	    entry->name);
	errno = EBADMSG;
	return NULL;
}

static struct spout_template *
compile_entry(struct spout_templates *set, struct spout__template_entry *entry,
    char why[SPOUT_TEMPLATE_WHY_SIZE])
{
	struct spout__program *p;
	int error;

	set->reading = 0;
	error = spout__template_compile(entry->name, read_source, set, &p, why);
	entry->seen = set->reading;
	if (error == 0)
		return bind_program(set, p, p, why);
	errno = -error;
	return NULL;
}

static bool
changed(const struct spout_templates *set, const struct spout__template_entry *entry)
{
	const struct spout__program *p = entry->template->owned;
	uint64_t seen = 0;
	uint32_t i;

	if (p == NULL)
		return false;
	for (i = 0; i < p->n_files; i++) {
		uint32_t string = spout__program_words(p, p->files)[i];
		const char *name = spout__program_string(p, string).data;
		const struct spout__template_entry *other = entry_find(set, name);

		if (other == NULL || other->source == NULL)
			spout__template_file_seen(set->dir, name, &seen);
	}
	return seen != entry->seen;
}

static const struct spout_template *
entry_template(struct spout_templates *set, struct spout__template_entry *entry,
    char why[SPOUT_TEMPLATE_WHY_SIZE])
{
	if (entry->template != NULL && set->debug && changed(set, entry))
		forget(entry);
	if (entry->template == NULL)
		entry->template = entry->embedded != NULL
		    ? bind_embedded(set, entry, why)
		    : compile_entry(set, entry, why);
	return entry->template;
}

const struct spout_template *
spout_templates_get(
    struct spout_templates *set, const char *name, char why[SPOUT_TEMPLATE_WHY_SIZE])
{
	struct spout__template_entry *entry = entry_find(set, name);
	char path[SPOUT__TEMPLATE_NAME_MAX + 1];
	const struct spout_template *template;

	if (entry != NULL)
		return entry_template(set, entry, why);
	if (!spout__template_resolve(NULL, spout_slice(name), path) ||
	    strcmp(path, name) != 0) {
		snprintf(why, SPOUT_TEMPLATE_WHY_SIZE, "%.100s: not a name of a template",
		    name);
		errno = ENOENT;
		return NULL;
	}
	entry = entry_get(set, name);
	if (entry == NULL) {
		snprintf(why, SPOUT_TEMPLATE_WHY_SIZE, "out of memory");
		return NULL;
	}
	template = entry_template(set, entry, why);
	if (template == NULL) {
		int error = errno;

		/* Names that strangers make up are not kept. */
		entry_free(entry);
		errno = error;
	}
	return template;
}

const struct spout_template *
spout__templates_find(const struct spout_templates *set, const char *name)
{
	const struct spout__template_entry *entry = entry_find(set, name);

	return entry != NULL ? entry->template : NULL;
}

static int
load_one(void *arg, const char *name, char why[SPOUT_TEMPLATE_WHY_SIZE])
{
	return spout_templates_get(arg, name, why) != NULL ? 0 : -errno;
}

int
spout_templates_load(struct spout_templates *set, char why[SPOUT_TEMPLATE_WHY_SIZE])
{
	struct spout__list *node;
	int error = 0;

	spout__list_for_each(node, &set->entries)
		if (error == 0 && entry_template(set, ENTRY(node), why) == NULL)
			error = -errno;
	if (error == 0 && set->dir >= 0)
		error = spout__template_files(set->dir, load_one, set, why);
	return error;
}

const char *
spout_template_name(const struct spout_template *template)
{
	return spout__program_string(template->program, template->program->name).data;
}

const uint32_t *
spout_template_words(const struct spout_template *template, size_t *ret_n)
{
	*ret_n = template->program->n_words;
	return (const uint32_t *)template->program;
}
