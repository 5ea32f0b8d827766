/* SPDX-License-Identifier: MIT */
/* Fields and files of a form that lies in memory: see form.h. */
#include "config.h"

#include "web/form.h"

#include <errno.h>

#include "base/text.h"
#include "web/request.h"

void
spout__form_refuse(struct spout_request *req, int error)
{
	if (error == -EMSGSIZE)
		spout_fail(req, 400, "the head of a part has more than %u bytes",
		    SPOUT__PART_HEAD_MAX);
	spout_fail(req, 400, "malformed multipart form");
}

void
spout__form_multipart(struct spout_request *req, struct spout__multipart *parser)
{
	struct spout_slice type = spout__http_head_get(req->head, "Content-Type");

	if (spout__multipart_init(parser, type, spout_alloc(SPOUT__PART_HEAD_MAX),
	        SPOUT__PART_HEAD_MAX) != 0)
		spout_fail(req, 400, "multipart form without a proper boundary");
}

const char *
spout__form_text(struct spout_request *req, const char *what, struct spout_slice text)
{
	if (memchr(text.data, '\0', text.len) != NULL ||
	    !spout__utf8_valid(text.data, text.len))
		spout_fail(req, 400, "%s in the form is not UTF-8 text", what);
	return spout_strndup(text.data, text.len);
}

/* --- multipart -------------------------------------------------------------------- */

static void
add_file(struct spout_request *req, struct spout__args *form,
    const struct spout__part *part, const char *name, struct spout_slice data)
{
	struct spout_slice type = part->content_type;

	if (form->files == NULL)
		form->files = spout_alloc(SPOUT__PARTS_MAX * sizeof(form->files[0]));
	form->files[form->n_files++] = (struct spout_file){
		.name = name,
		.filename = spout__form_text(req, "the name of a file", part->filename),
		.content_type = type.data == NULL ? "application/octet-stream"
		    : spout__form_text(req, "the type of a file", type),
		.data = data.data,
		.len = data.len,
	};
}

static void
add_part(struct spout_request *req, struct spout__args *form,
    const struct spout__part *part, struct spout_slice data)
{
	const char *name = spout__form_text(req, "the name of a field", part->name);

	if (part->filename.data != NULL)
		add_file(req, form, part, name, data);
	else
		form->list[form->n++] = (struct spout__arg){ name,
			spout__form_text(req, "a field", data) };
}

/* The body is one piece, so the data of a part lies between its head and what ends it. */
static struct spout__args *
parse_multipart(struct spout_request *req, struct spout_slice body)
{
	struct spout__args *form = spout_zalloc(1,
	    sizeof(*form) + SPOUT__PARTS_MAX * sizeof(form->list[0]));
	struct spout__multipart parser;
	struct spout__part part;
	struct spout_slice data;
	const char *begin = NULL;
	int event;

	spout__form_multipart(req, &parser);
	while ((event = spout__multipart_next(&parser, &body, &data)) !=
	    SPOUT__MULTIPART_END) {
		if (event == SPOUT__MULTIPART_PART) {
			if (form->n + form->n_files == SPOUT__PARTS_MAX)
				spout_fail(req, 400, "more than %u parts in the form",
				    SPOUT__PARTS_MAX);
			begin = body.data;
			event = spout__multipart_part(&parser, &part);
		} else if (event == SPOUT__MULTIPART_PART_END) {
			add_part(req, form, &part, spout_slice_of(begin,
			    (size_t)(body.data - begin) - parser.delimiter_len));
		} else if (event == SPOUT__MULTIPART_MORE) {
			event = -EBADMSG; /* nothing more will come */
		}
		if (event < 0)
			spout__form_refuse(req, event);
	}
	return form;
}

/* --- what a handler may ask ----------------------------------------------------- */

const struct spout__args *
spout__form_args(struct spout_request *req)
{
	struct spout_slice type;

	if (req->form != NULL)
		return req->form;
	type = spout__http_head_get(req->head, "Content-Type");
	if (spout__multipart_is(type) && !req->route->stream_body)
		req->form = parse_multipart(req, spout_body(req));
	else if (spout__media_type_is(type, "application/x-www-form-urlencoded") &&
	    !req->route->stream_body)
		req->form = spout__args_of(req, "form", spout_body(req));
	else
		req->form = spout__args_of(req, "form", spout_slice(""));
	return req->form;
}

const struct spout_file *
spout_file(struct spout_request *req, const char *name)
{
	const struct spout__args *form = spout__form_args(req);
	unsigned i;

	for (i = form->n_files; i-- > 0;)
		if (strcmp(form->files[i].name, name) == 0)
			return &form->files[i];
	return NULL;
}

const struct spout_file *const *
spout_files(struct spout_request *req, const char *name)
{
	const struct spout__args *form = spout__form_args(req);
	const struct spout_file **files =
	    spout_alloc((form->n_files + 1) * sizeof(*files));
	unsigned i, n = 0;

	for (i = 0; i < form->n_files; i++)
		if (strcmp(form->files[i].name, name) == 0)
			files[n++] = &form->files[i];
	files[n] = NULL;
	return files;
}
