/* SPDX-License-Identifier: MIT */
/*
 * Sending files: see send_file.h and spout/file.h. What is in memory leaves together with
 * its head; what is not is sent piece by piece by the kernel. A piece whose pages are not
 * in memory is read on the blocking pool first, so that the loop waits for no disk.
 */
#include "config.h"

#include "web/send_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <spout/executor.h>
#include <spout/file.h>

#include "base/text.h"
#include "web/accept.h"
#include "web/media_type.h"

#define PIECE ((size_t)1 << 20)
/* Read at a time, where reading is needed. */
#define READ_AT_ONCE ((size_t)64 << 10)
/* While the pool is full a cold piece is tried again this often, so many times. */
#define BUSY_PAUSE_MS 20u
#define BUSY_TRIES 500u

/* --- pieces of an open file ------------------------------------------------------- */

struct piece {
	int fd;
	uint64_t offset;
	size_t len;
	char *to; /* room for `len` bytes; NULL: only to have it in memory */
	char *scratch;
};

/* Job: read a piece. How much of it there is, or -errno. */
static int
read_piece(void *arg)
{
	struct piece *piece = arg;
	size_t done = 0;

	while (done < piece->len) {
		char *to = piece->to != NULL ? piece->to + done : piece->scratch;
		size_t want = piece->len - done;
		ssize_t n;

		if (want > READ_AT_ONCE)
			want = READ_AT_ONCE;
		n = pread(piece->fd, to, want, (off_t)(piece->offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (int)done;
}

/* On the pool; a full one is waited for, since the head may be out already. */
static size_t
have_read(struct piece *piece)
{
	unsigned tries = 0;
	int rc;

	while ((rc = spout_try_run(read_piece, piece)) == -ENOBUFS &&
	    tries++ < BUSY_TRIES)
		spout_sleep(BUSY_PAUSE_MS);
	if (rc < 0)
		spout__co_leave(rc, 0, "reading a file: %s", strerror(-rc));
	return (size_t)rc;
}

/* Can a byte be read at once? What cannot tell counts as no. */
static bool
is_in_memory(int fd, uint64_t offset)
{
	char byte;
	struct iovec iov = { &byte, 1 };

	return preadv2(fd, &iov, 1, (off_t)offset, RWF_NOWAIT) >= 0;
}

/* Looks at the two ends: pages come and go in larger lots than a piece. */
static void
warm_up(int fd, uint64_t offset, size_t len)
{
	struct piece piece = { .fd = fd, .offset = offset, .len = len };

	if (is_in_memory(fd, offset) && is_in_memory(fd, offset + len - 1))
		return;
	piece.scratch = spout_alloc(READ_AT_ONCE);
	(void)have_read(&piece);
}

static void SPOUT_NORETURN
leave_sending(int error)
{
	if (error == -EPIPE)
		spout__co_leave(-ECANCELED, 0, "the client is gone");
	spout__co_leave(error, 0, "sending a file: %s", strerror(-error));
}

/* For connections and files that sendfile() does not know. 0 or -ESTALE. */
static int
send_by_reading(struct spout_request *req, int fd, uint64_t offset, uint64_t len)
{
	struct piece piece = { .fd = fd, .to = spout_alloc(READ_AT_ONCE) };
	int rc;

	while (len > 0) {
		piece.offset = offset;
		piece.len = len < READ_AT_ONCE ? (size_t)len : READ_AT_ONCE;
		if (have_read(&piece) != piece.len)
			return -ESTALE;
		rc = spout__http_write(req->ex, piece.to, piece.len);
		if (rc < 0)
			leave_sending(rc);
		offset += piece.len;
		len -= piece.len;
	}
	return 0;
}

/* Returns 0, or -ESTALE when the file has become shorter. */
static int
send_open_file(struct spout_request *req, int fd, uint64_t offset, uint64_t len)
{
	while (len > 0) {
		size_t n = len < PIECE ? (size_t)len : PIECE;
		int rc;

		warm_up(fd, offset, n);
		rc = spout__http_send_file(req->ex, fd, offset, n);
		if (rc == -EOPNOTSUPP)
			return send_by_reading(req, fd, offset, len);
		if (rc == -ESTALE)
			return rc;
		if (rc < 0)
			leave_sending(rc);
		offset += n;
		len -= n;
	}
	return 0;
}

/* --- the answer ------------------------------------------------------------------- */

static void
add_lines(struct spout_request *req, const char *lines, size_t len)
{
	int rc = spout__http_add_fields(req->ex, lines, len);

	if (rc == -EALREADY)
		spout__co_leave(-EINVAL, 0, "a file after the head was sent");
	if (rc < 0)
		spout__co_leave(rc, 0, "out of memory");
}

static struct spout__file_body *
choose(struct spout__file *file, const struct spout__conditions *c)
{
	struct spout__file_body *br = &file->bodies[SPOUT__FILE_BR];
	struct spout__file_body *gzip = &file->bodies[SPOUT__FILE_GZIP];
	unsigned codings;

	if (c->accept_encoding.len == 0 || (!br->there && !gzip->there))
		return &file->bodies[SPOUT__FILE_PLAIN];
	codings = spout__accept_codings(c->accept_encoding);
	if (br->there && (codings & SPOUT__CODING_BR))
		return br;
	if (gzip->there && (codings & SPOUT__CODING_GZIP))
		return gzip;
	return &file->bodies[SPOUT__FILE_PLAIN];
}

static void
unref(void *file)
{
	spout__file_unref(file);
}

static void
send_body(struct spout_request *req, struct spout__file *file,
    const struct spout__file_body *body, uint64_t offset, uint64_t len)
{
	int rc;

	if (body->data != NULL) {
		rc = spout__http_answer(req->ex, body->data + offset, (size_t)len);
		if (rc < 0)
			leave_sending(rc);
		return;
	}
	rc = spout__http_promise(req->ex, len);
	if (rc < 0)
		leave_sending(rc);
	if (req->head->method == SPOUT__HTTP_HEAD)
		return;
	spout__file_ref(file);
	spout_defer(unref, file);
	if (send_open_file(req, body->fd, offset, len) == 0)
		return;
	file->outdated = true;
	spout__co_leave(-ESTALE, 0, "sending a file: it became shorter meanwhile");
}

/* What there is, for a client that asked for a part that is not: 416 without a body. */
static void
answer_no_range(struct spout_request *req, uint64_t size)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "Content-Range: bytes */%llu\r\n",
	    (unsigned long long)size);

	spout__http_set_status(req->ex, 416);
	spout__response_type(req, spout_slice_of("", 0));
	add_lines(req, line, (size_t)n);
}

static void
answer_part(struct spout_request *req, const struct spout__range *range, uint64_t size)
{
	char line[96];
	int n = snprintf(line, sizeof(line), "Content-Range: bytes %llu-%llu/%llu\r\n",
	    (unsigned long long)range->first,
	    (unsigned long long)(range->first + range->len - 1),
	    (unsigned long long)size);

	spout__http_set_status(req->ex, 206);
	add_lines(req, line, (size_t)n);
}

void
spout__file_answer(struct spout_request *req, struct spout__file *file,
    struct spout_slice type, const char *cache_control)
{
	struct spout__conditions conditions;
	struct spout__validators validators;
	struct spout__file_body *body;
	struct spout__range range;

	spout__conditions_find(req->head, &conditions);
	body = choose(file, &conditions);
	validators = (struct spout__validators){
		.etag = { body->etag, body->etag_len }, .modified = file->modified };
	add_lines(req, body->fields, body->fields_len);
	if (cache_control != NULL)
		spout_set_header(req, "Cache-Control", cache_control);
	switch (spout__conditions_judge(&conditions, &validators)) {
	case SPOUT__NOT_MODIFIED:
		spout__http_set_status(req->ex, 304);
		return;
	case SPOUT__PRECONDITION_FAILED:
		spout_fail(req, 412, "the file is another one by now");
	case SPOUT__SEND:
		break;
	}
	range = spout__conditions_range(&conditions, &validators, body->size);
	if (range.kind == SPOUT__RANGE_NONE) {
		answer_no_range(req, body->size);
		return;
	}
	spout__response_type(req, type.data != NULL ? type : file->type);
	if (range.kind == SPOUT__RANGE_PART)
		answer_part(req, &range, body->size);
	send_body(req, file, body, range.first, range.len);
}

struct spout_slice
spout__file_version(const struct spout__file *file)
{
	const struct spout__file_body *body = &file->bodies[SPOUT__FILE_PLAIN];

	return spout_slice_of(body->etag + 1, body->etag_len - 2);
}

struct spout__file_cache *
spout__files_of(struct spout_request *req)
{
	if (req->web->files == NULL)
		req->web->files = spout__file_cache_new();
	if (req->web->files == NULL)
		spout__co_leave(-ENOMEM, 0, "out of memory");
	return req->web->files;
}

void
spout__file_refuse(struct spout_request *req, int error)
{
	switch (error) {
	case -ENOENT:
	case -ENOTDIR:
	case -EISDIR:
	case -ENAMETOOLONG:
		spout_fail(req, 404, "no such file");
	case -EACCES:
	case -EPERM:
	case -EXDEV:
	case -ELOOP:
	case -ENXIO: /* a socket */
		spout_fail(req, 403, "this file is not served");
	default:
		spout__co_leave(error, 0, "loading a file: %s", strerror(-error));
	}
}

/* --- for handlers ----------------------------------------------------------------- */

static struct spout_file_options
known_options(const struct spout_file_options *options)
{
	struct spout_file_options known = { 0 };

	memcpy(&known, options,
	    options->size < sizeof(known) ? options->size : sizeof(known));
	return known;
}

/* RFC 6266, RFC 8187: a plain name for old clients, the whole one for all others. */
static void
offer_as(struct spout_request *req, const char *name)
{
	char *plain = spout_strdup(name), *at;

	for (at = plain; *at != '\0'; at++)
		if (*at < 0x20 || *at > 0x7e || *at == '"' || *at == '\\' || *at == '%' ||
		    *at == '/')
			*at = '_';
	spout_set_header(req, "Content-Disposition",
	    spout_sprintf("attachment; filename=\"%s\"; filename*=UTF-8''%s", plain,
		spout_url_escape(name)));
}

static void
answer_with_options(struct spout_request *req, struct spout__file *file,
    const struct spout_file_options *options)
{
	struct spout_slice type = { NULL, 0 };

	if (options->download_name != NULL)
		offer_as(req, options->download_name);
	if (options->content_type != NULL)
		type = spout_slice(spout_strdup(options->content_type));
	spout__file_answer(req, file, type, options->cache_control);
}

void
spout_send_file_with(struct spout_request *req, const char *path,
    const struct spout_file_options *options)
{
	struct spout_file_options o = known_options(options);
	struct spout__file_key key = { .root = o.root, .path = spout_slice(path),
		.index = "" };
	struct spout__file *file;
	int error;

	if (key.path.len > SPOUT__FILE_PATH_MAX)
		spout__file_refuse(req, -ENAMETOOLONG);
	file = spout__file_cache_get(spout__files_of(req), &key, &error);
	if (file == NULL)
		spout__file_refuse(req, error);
	answer_with_options(req, file, &o);
}

void
spout_send_fd_with(
    struct spout_request *req, int fd, const struct spout_file_options *options)
{
	struct spout_file_options o = known_options(options);
	struct spout__file *file = spout_alloc(sizeof(*file));
	int rc = spout__file_of_fd(file, fd);

	if (rc < 0)
		spout__file_refuse(req, rc);
	if (o.download_name != NULL)
		file->type = spout__media_type(o.download_name);
	answer_with_options(req, file, &o);
}
