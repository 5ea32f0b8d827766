/* SPDX-License-Identifier: MIT */
/* Pages from templates: see render.h. */
#include "config.h"

#include "web/render.h"

#include <errno.h>
#include <stdio.h>

#include "template/set.h"
#include "web/request.h"

/* One for each module of this folder that has something for every template. */
static const struct spout_template_function *const tables[] = {
	spout__page_functions,
};

/* --- the set ------------------------------------------------------------------------ */

static int
fill(struct spout_templates *set, const struct spout_app *app,
    char why[SPOUT_TEMPLATE_WHY_SIZE])
{
	int error = 0;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && error == 0; i++)
		error = spout_templates_add_functions(set, tables[i]);
	if (error == 0 && app->template_functions != NULL)
		error = spout_templates_add_functions(set, app->template_functions);
	if (error == 0 && app->template_programs != NULL)
		error = spout_templates_add_programs(set, app->template_programs);
	if (error != 0) {
		snprintf(why, SPOUT_TEMPLATE_WHY_SIZE, "out of memory");
		return error;
	}
	return spout_templates_load(set, why);
}

struct spout_templates *
spout__render_open(const struct spout_app *app, char why[SPOUT_TEMPLATE_WHY_SIZE])
{
	const struct spout_templates_options options = { .dir = app->template_path,
		.debug = app->template_reload };
	struct spout_templates *set = spout_templates_new(&options);
	int error;

	if (set == NULL) {
		error = errno;
		snprintf(why, SPOUT_TEMPLATE_WHY_SIZE, "%s: %s",
		    app->template_path != NULL ? app->template_path : "templates",
		    strerror(error));
		errno = error;
		return NULL;
	}
	error = fill(set, app, why);
	if (error == 0)
		return set;
	spout_templates_free(set);
	errno = -error;
	return NULL;
}

/* --- rendering ---------------------------------------------------------------------- */

/* Lives in the scope: a function of a template may leave. */
struct rendering {
	struct spout__vm vm;
	struct spout__buffer out;
	json_t *values;
	bool open;
	char why[SPOUT_TEMPLATE_WHY_SIZE];
};

static void
close_rendering(void *arg)
{
	struct rendering *r = arg;

	if (r->open)
		spout__vm_close(&r->vm);
	r->open = false;
	spout__buffer_release(&r->out);
	json_decref(r->values);
	r->values = NULL;
}

/* NULL with `why`. Only for reloading may this read files. */
static const struct spout_template *
find_template(struct spout_request *req, const char *name, struct rendering *r)
{
	struct spout_templates *set = req->web->templates;
	const struct spout_template *template;

	if (set->debug)
		return spout_templates_get(set, name, r->why);
	template = spout__templates_find(set, name);
	if (template == NULL)
		snprintf(
		    r->why, sizeof(r->why), "%.100s: there is no such template", name);
	return template;
}

/* Takes the reference; leaves when the page cannot be made. */
static struct rendering *
render(struct spout_request *req, const char *name, json_t *values)
{
	struct rendering *r = spout_alloc_in(spout_scope_current(), sizeof(*r));
	const struct spout_template *template;
	int error;

	if (r == NULL) {
		json_decref(values);
		spout__co_leave(-ENOMEM, 0, "spout_render: out of memory");
	}
	r->values = values;
	r->open = false;
	spout__buffer_init(&r->out, req->web->templates->limits.max_output_bytes);
	spout_defer(close_rendering, r);
	template = find_template(req, name, r);
	if (template == NULL)
		spout__co_leave(-EINVAL, 500, "%s", r->why);
	if (values != NULL && !json_is_object(values))
		spout__co_leave(-EINVAL, 500, "%.100s: values are no object", name);
	spout__vm_open(&r->vm, template, values, req, &r->out, r->why);
	r->open = true;
	error = spout__vm_run(&r->vm);
	if (error != 0)
		spout__co_leave(error, error == -ENOMEM ? 0 : 500, "%s", r->why);
	return r;
}

void
spout_render(struct spout_request *req, const char *name, struct json_t *values)
{
	struct rendering *r = render(req, name, values);

	if (r->out.len > 0)
		spout_write(req, spout__buffer_at(&r->out), r->out.len);
	close_rendering(r);
}

char *
spout_render_string(struct spout_request *req, const char *name, struct json_t *values)
{
	struct rendering *r = render(req, name, values);
	char *text = spout_alloc(r->out.len + 1);

	if (r->out.len > 0)
		memcpy(text, spout__buffer_at(&r->out), r->out.len);
	text[r->out.len] = '\0';
	close_rendering(r);
	return text;
}

void
spout_render_pack(struct spout_request *req, const char *name, const char *fmt, ...)
{
	json_error_t error;
	json_t *values;
	va_list ap;

	va_start(ap, fmt);
	values = json_vpack_ex(&error, 0, fmt, ap);
	va_end(ap);
	if (values == NULL)
		spout__co_leave(-EINVAL, 0, "spout_render_pack: %s", error.text);
	spout_render(req, name, values);
}
