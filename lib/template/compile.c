/* SPDX-License-Identifier: MIT */
/* The compiler from outside, its memory, its failures, its sources: see compile.h. */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "template/compile.h"

bool
spout__compile_fail(struct spout__compiler *c, const struct spout__source *source,
    uint32_t line, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (c->error != 0)
		return false;
	c->error = -EBADMSG;
	n = source != NULL
	    ? snprintf(c->why, SPOUT_TEMPLATE_WHY_SIZE, "%s:%u: ", source->name, line)
	    : snprintf(c->why, SPOUT_TEMPLATE_WHY_SIZE, "%s: ", c->name);
	if (n < SPOUT_TEMPLATE_WHY_SIZE) {
		va_start(ap, fmt);
		vsnprintf(c->why + n, SPOUT_TEMPLATE_WHY_SIZE - (size_t)n, fmt, ap);
		va_end(ap);
	}
	return false;
}

bool
spout__compile_error(struct spout__compiler *c, int error)
{
	if (c->error == 0 && error != 0) {
		spout__compile_wrong(c, "%s",
		    error == -ENOMEM ? "out of memory" : "the template is too large");
		c->error = error;
	}
	return c->error == 0;
}

void *
spout__compile_alloc(struct spout__compiler *c, size_t size)
{
	void *p = c->error == 0 ? spout__arena_alloc(&c->arena, size) : NULL;

	if (p == NULL)
		spout__compile_error(c, -ENOMEM);
	else
		memset(p, 0, size);
	return p;
}

/* --- sources ---------------------------------------------------------------------- */

/* Put one segment of a path behind the others; ".." takes one away. */
static bool
add_segment(char *path, size_t *len, struct spout_slice segment)
{
	if (segment.len == 0 || spout_slice_equal(segment, "."))
		return true;
	if (spout_slice_equal(segment, "..")) {
		if (*len == 0)
			return false;
		while (*len > 0 && path[--*len] != '/')
			;
		return true;
	}
	if (memchr(segment.data, '\0', segment.len) != NULL ||
	    *len + segment.len + 1 > SPOUT__TEMPLATE_NAME_MAX)
		return false;
	if (*len > 0)
		path[(*len)++] = '/';
	memcpy(path + *len, segment.data, segment.len);
	*len += segment.len;
	return true;
}

static bool
add_path(char *path, size_t *len, struct spout_slice more)
{
	size_t at = 0, end;

	for (; at <= more.len; at = end + 1) {
		for (end = at; end < more.len && more.data[end] != '/'; end++)
			;
		if (!add_segment(path, len, spout_slice_of(more.data + at, end - at)))
			return false;
	}
	return true;
}

bool
spout__template_resolve(
    const char *from, struct spout_slice name, char ret[SPOUT__TEMPLATE_NAME_MAX + 1])
{
	const char *slash = from != NULL ? strrchr(from, '/') : NULL;
	size_t len = 0;

	if (slash != NULL && name.len > 0 && name.data[0] != '/' &&
	    !add_path(ret, &len, spout_slice_of(from, (size_t)(slash - from))))
		return false;
	if (!add_path(ret, &len, name) || len == 0)
		return false;
	ret[len] = '\0';
	return true;
}

/* Room for a source and its name; it is listed as a file of the program. */
static struct spout__source *
source_new(struct spout__compiler *c, const char *name)
{
	struct spout__source *source = spout__compile_alloc(c, sizeof(*source));
	size_t size = strlen(name) + 1;
	char *copy = spout__compile_alloc(c, size);
	uint32_t string;
	int i;

	if (source == NULL || copy == NULL)
		return NULL;
	source->name = memcpy(copy, name, size);
	source->file = c->n_files++;
	if (c->source == NULL)
		c->source = source;
	i = spout__string(c, spout_slice(copy));
	string = (uint32_t)i;
	if (i < 0 ||
	    !spout__compile_error(
		c, spout__buffer_append(&c->files, &string, sizeof(string))))
		return NULL;
	source->next = c->sources;
	c->sources = source;
	return source;
}

static const char *
why_unread(int error)
{
	return error == -ENOENT  ? "there is no such template"
	    : error == -EMSGSIZE ? "the file is too large"
				 : strerror(-error);
}

static struct spout__source *
source_read(struct spout__compiler *c, const char *name)
{
	struct spout__source *source;
	struct spout_slice text;
	int error = c->read(c->arg, name, &c->arena, &text);

	if (error != 0 && c->source == NULL) {
		snprintf(
		    c->why, SPOUT_TEMPLATE_WHY_SIZE, "%s: %s", name, why_unread(error));
		c->error = error;
		return NULL;
	}
	if (error != 0) {
		spout__compile_wrong(c, "\"%s\": %s", name, why_unread(error));
		if (error == -ENOMEM)
			c->error = error;
		return NULL;
	}
	source = source_new(c, name);
	if (source == NULL)
		return NULL;
	source->text = text;
	return spout__template_parse(c, source) ? source : NULL;
}

struct spout__source *
spout__source_get(struct spout__compiler *c, struct spout_slice name)
{
	const char *from = c->source != NULL ? c->source->name : NULL;
	char path[SPOUT__TEMPLATE_NAME_MAX + 1];
	struct spout__source *source;

	if (!spout__template_resolve(from, name, path)) {
		spout__compile_wrong(c, "\"%.*s\" is not a name of a template",
		    name.len > 60 ? 60 : (int)name.len, name.data);
		return NULL;
	}
	for (source = c->sources; source != NULL; source = source->next)
		if (strcmp(source->name, path) == 0)
			return source;
	if (c->n_files == SPOUT__TEMPLATE_FILES_MAX) {
		spout__compile_wrong(c, "more than %d files", SPOUT__TEMPLATE_FILES_MAX);
		return NULL;
	}
	return source_read(c, path);
}

/* --- from outside ----------------------------------------------------------------- */

static bool
compile(struct spout__compiler *c, const char *name, struct spout__program **ret)
{
	struct spout__source *page;
	struct spout__names names = { 0 };
	const char *wrong;

	page = source_read(c, name);
	names.variables =
	    spout__compile_alloc(c, SPOUT__TEMPLATE_SLOTS_MAX * sizeof(*names.variables));
	if (page == NULL || names.variables == NULL)
		return false;
	c->names = &names;
	spout__html_init(&c->html, name);
	if (!spout__generate_page(c, page))
		return false;
	wrong = spout__html_end(&c->html);
	if (wrong != NULL)
		return spout__compile_wrong(c, "%s", wrong);
	return spout__emit(c, SPOUT__OP_END, 0, 0) && spout__assemble(c, name, ret);
}

int
spout__template_compile(const char *name, spout__template_read_fn read, void *arg,
    struct spout__program **ret, char why[SPOUT_TEMPLATE_WHY_SIZE])
{
	struct spout__compiler c = { .name = name,
		.read = read,
		.arg = arg,
		.why = why,
		.marked = UINT32_MAX,
		.loop_number = -1 };
	struct spout__buffer *tables[] = { &c.code, &c.externals, &c.lines, &c.files,
		&c.strings, &c.texts };
	bool ok;
	size_t i;

	spout__arena_init(&c.arena, SPOUT__TEMPLATE_MEMORY_MAX);
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		spout__buffer_init(tables[i], SPOUT__TEMPLATE_TABLE_MAX);
	ok = compile(&c, name, ret);
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		spout__buffer_release(tables[i]);
	spout__arena_release(&c.arena);
	return ok ? 0 : c.error;
}
