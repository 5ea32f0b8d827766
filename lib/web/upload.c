/* SPDX-License-Identifier: MIT */
/* A multipart form read as it comes, part after part: see spout/form.h. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <spout/executor.h>

#include "web/form.h"
#include "web/request.h"

struct spout_multipart {
	struct spout_request *req;
	struct spout__multipart parser;
	struct spout_slice input; /* of the body, not yet looked at */
	struct spout_part part;
	unsigned n_parts;
	bool in_part, ended;
};

struct spout_multipart *
spout_multipart_open(struct spout_request *req)
{
	struct spout_multipart *form = spout_zalloc(1, sizeof(*form));

	if (!spout__multipart_is(spout__http_head_get(req->head, "Content-Type")))
		spout_fail(req, 415, "a form of type multipart/form-data is wanted");
	form->req = req;
	form->input = spout_slice("");
	spout__form_multipart(req, &form->parser);
	return form;
}

/* The next event; more of the body is read as it is needed. */
static enum spout__multipart_event
next_event(struct spout_multipart *form, struct spout_slice *ret_data)
{
	int event;

	while ((event = spout__multipart_next(&form->parser, &form->input, ret_data)) ==
	    SPOUT__MULTIPART_MORE) {
		form->input = spout_body_read(form->req);
		if (form->input.len == 0)
			spout_fail(form->req, 400, "the form ends too early");
	}
	if (event < 0)
		spout__form_refuse(form->req, event);
	form->in_part = event == SPOUT__MULTIPART_PART || event == SPOUT__MULTIPART_DATA;
	form->ended = event == SPOUT__MULTIPART_END;
	return (enum spout__multipart_event)event;
}

const struct spout_part *
spout_multipart_next(struct spout_multipart *form)
{
	struct spout_request *req = form->req;
	struct spout_slice data;
	struct spout__part part;

	do {
		if (form->ended)
			return NULL;
	} while (next_event(form, &data) != SPOUT__MULTIPART_PART);
	if (form->n_parts++ == SPOUT__PARTS_MAX)
		spout_fail(req, 400, "more than %u parts in the form", SPOUT__PARTS_MAX);
	if (spout__multipart_part(&form->parser, &part) != 0)
		spout__form_refuse(req, -EBADMSG);
	form->part = (struct spout_part){
		.name = spout__form_text(req, "the name of a field", part.name),
		.filename = part.filename.data == NULL ? NULL
		    : spout__form_text(req, "the name of a file", part.filename),
		.content_type = part.content_type.data == NULL ? NULL
		    : spout__form_text(req, "the type of a file", part.content_type),
	};
	return &form->part;
}

struct spout_slice
spout_multipart_read(struct spout_multipart *form)
{
	struct spout_slice data = spout_slice("");

	if (form->in_part && next_event(form, &data) != SPOUT__MULTIPART_DATA)
		data = spout_slice("");
	return data;
}

static void
refuse_large(struct spout_multipart *form, uint64_t max_bytes)
{
	spout_fail(form->req, 413, "\"%s\" is larger than %llu bytes", form->part.name,
	    (unsigned long long)max_bytes);
}

const char *
spout_multipart_text(struct spout_multipart *form, size_t max_bytes)
{
	size_t len = 0, room = 0;
	char *text = NULL, *larger;
	struct spout_slice data;

	while ((data = spout_multipart_read(form)).len > 0) {
		if (data.len > max_bytes - len)
			refuse_large(form, max_bytes);
		if (len + data.len > room) {
			room = 2 * (len + data.len);
			larger = spout_alloc(room);
			if (len > 0)
				memcpy(larger, text, len);
			text = larger;
		}
		memcpy(text + len, data.data, data.len);
		len += data.len;
	}
	return spout__form_text(form->req, "a field",
	    len > 0 ? spout_slice_of(text, len) : spout_slice(""));
}

/* --- to a file ---------------------------------------------------------------------- */

#define PIECE 65536u

struct saving {
	int fd;          /* -1: not open */
	size_t len;      /* of what waits in `piece` */
	const char *path;
	char piece[PIECE];
};

/* What is left of one that was not finished: the descriptor, then the path. */
struct leftover {
	int fd;
	char path[];
};

static int
remove_job(void *arg)
{
	struct leftover *left = arg;

	close(left->fd);
	return unlink(left->path) == 0 ? 0 : -errno;
}

static void
remove_task(void *arg)
{
	struct leftover *left = arg;
	int rc = spout_try_run(remove_job, left);

	if (rc != 0)
		spout_warning("%s: not removed: %s", left->path, strerror(-rc));
}

/* Closing and removing may wait for the disk: a task of its own does it. */
static void
abandon(void *arg)
{
	struct saving *saving = arg;
	size_t size = sizeof(struct leftover) + strlen(saving->path) + 1;
	struct leftover *left;

	if (saving->fd < 0)
		return;
	left = spout_alloc_in(spout_scope_current(), size);
	if (left != NULL) {
		left->fd = saving->fd;
		strcpy(left->path, saving->path);
		if (spout_spawn(remove_task, left, size) == 0)
			return;
	}
	close(saving->fd);
	unlink(saving->path);
}

static int
open_job(void *arg)
{
	struct saving *saving = arg;

	saving->fd = open(saving->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return saving->fd >= 0 ? 0 : -errno;
}

static int
write_job(void *arg)
{
	struct saving *saving = arg;
	size_t done = 0;

	while (done < saving->len) {
		ssize_t n = write(saving->fd, saving->piece + done, saving->len - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	saving->len = 0;
	return 0;
}

static int
close_job(void *arg)
{
	struct saving *saving = arg;
	int fd = saving->fd, rc;

	saving->fd = -1;
	rc = close(fd) == 0 ? 0 : -errno;
	if (rc != 0)
		unlink(saving->path);
	return rc;
}

static void
run_for(struct saving *saving, spout_job_fn job, const char *what)
{
	int rc = spout_try_run(job, saving);

	if (rc != 0)
		spout_fail_with(rc, "%s: %s: %s", saving->path, what, strerror(-rc));
}

uint64_t
spout_multipart_save(struct spout_multipart *form, const char *path, uint64_t max_bytes)
{
	struct saving *saving = spout_alloc(sizeof(*saving));
	struct spout_slice data;
	uint64_t size = 0;

	*saving = (struct saving){ .fd = -1, .path = spout_strdup(path) };
	spout_defer(abandon, saving);
	run_for(saving, open_job, "not created");
	while ((data = spout_multipart_read(form)).len > 0) {
		if (data.len > max_bytes - size)
			refuse_large(form, max_bytes);
		size += data.len;
		while (data.len > 0) {
			size_t n = PIECE - saving->len < data.len ? PIECE - saving->len
								 : data.len;

			memcpy(saving->piece + saving->len, data.data, n);
			saving->len += n;
			data = spout_slice_of(data.data + n, data.len - n);
			if (saving->len == PIECE)
				run_for(saving, write_job, "not written");
		}
	}
	run_for(saving, write_job, "not written");
	run_for(saving, close_job, "not written");
	return size;
}
