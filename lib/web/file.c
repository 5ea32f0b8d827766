/* SPDX-License-Identifier: MIT */
/* Loading files: see file.h. On pool threads. */
#include "config.h"

#include "web/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <spout/crypto.h>

#include "base/open_beneath.h"
#include "base/text.h"
#include "web/media_type.h"

#define READ_AT_ONCE 65536u
#define ETAG_DIGEST_BYTES 10 /* of SHA-256: 80 bits tell the states of one path apart */

/* --- life ------------------------------------------------------------------------- */

struct spout__file *
spout__file_ref(struct spout__file *file)
{
	file->refs++;
	return file;
}

static void
file_free(struct spout__file *file)
{
	unsigned i;

	for (i = 0; i < SPOUT__FILE_FORMS; i++) {
		free(file->bodies[i].data);
		if (file->bodies[i].fd >= 0)
			close(file->bodies[i].fd);
	}
	free(file);
}

void
spout__file_unref(struct spout__file *file)
{
	if (file != NULL && --file->refs == 0)
		file_free(file);
}

/* --- one body --------------------------------------------------------------------- */

/* Open it; -errno. Without waiting for the other end of a FIFO. */
static int
open_place(const struct spout__file_place *place, int root, const char *path)
{
	const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	int fd;

	if (place->root != NULL)
		return spout__open_beneath(root, path, flags);
	fd = open(path, flags);
	return fd < 0 ? -errno : fd;
}

static int
identify(int fd, struct spout__file_identity *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EACCES;
	*ret = (struct spout__file_identity){ .dev = st.st_dev,
		.ino = st.st_ino,
		.size = (uint64_t)st.st_size,
		.modified = st.st_mtim };
	return 0;
}

static bool
same_identity(const struct spout__file_body *a, const struct spout__file_body *b)
{
	const struct spout__file_identity *x = &a->identity, *y = &b->identity;

	if (!a->there || !b->there)
		return a->there == b->there;
	return x->dev == y->dev && x->ino == y->ino && x->size == y->size &&
	    x->modified.tv_sec == y->modified.tv_sec &&
	    x->modified.tv_nsec == y->modified.tv_nsec;
}

/* All of `len` bytes from `offset`. Returns 0 or -errno; -ESTALE if it ends before. */
static int
read_all(int fd, char *to, size_t len, uint64_t offset)
{
	while (len > 0) {
		ssize_t n = pread(fd, to, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ESTALE;
		to += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/* Keep a small file whole. Its descriptor is of no more use then. */
static int
keep_content(struct spout__file_body *body)
{
	int rc;

	body->data = malloc(body->size + 1);
	if (body->data == NULL)
		return -ENOMEM;
	rc = read_all(body->fd, body->data, body->size, 0);
	close(body->fd);
	body->fd = -1;
	return rc;
}

static int
digest_content(const struct spout__file_body *body, struct spout_sha256 *sha256)
{
	uint64_t at;
	char *piece;
	int rc = 0;

	if (body->data != NULL)
		return spout_sha256_update(sha256, body->data, body->size);
	piece = malloc(READ_AT_ONCE);
	if (piece == NULL)
		return -ENOMEM;
	for (at = 0; at < body->size && rc == 0; at += READ_AT_ONCE) {
		size_t n = body->size - at < READ_AT_ONCE ? body->size - at
							       : READ_AT_ONCE;

		rc = read_all(body->fd, piece, n, at);
		if (rc == 0)
			rc = spout_sha256_update(sha256, piece, n);
	}
	free(piece);
	return rc;
}

static int
tag_content(struct spout__file_body *body)
{
	struct spout_sha256 *sha256 = spout_sha256_new();
	unsigned char digest[SPOUT_SHA256_SIZE];
	char text[2 * ETAG_DIGEST_BYTES + 1];
	int rc = sha256 == NULL ? -ENOMEM : digest_content(body, sha256);

	if (rc == 0)
		rc = spout_sha256_final(sha256, digest);
	spout_sha256_free(sha256);
	if (rc != 0)
		return rc;
	spout_hex(digest, ETAG_DIGEST_BYTES, text);
	body->etag_len =
	    (size_t)snprintf(body->etag, sizeof(body->etag), "\"%s\"", text);
	return 0;
}

static void
tag_state(struct spout__file_body *body)
{
	const struct spout__file_identity *id = &body->identity;

	body->etag_len = (size_t)snprintf(body->etag, sizeof(body->etag),
	    "\"%llx.%lx-%llx\"", (unsigned long long)id->modified.tv_sec,
	    (unsigned long)id->modified.tv_nsec, (unsigned long long)id->size);
}

/* Content and tag of a body whose descriptor is open and identified. */
static int
load_body(struct spout__file_body *body)
{
	int rc = 0;

	body->size = body->identity.size;
	if (body->size <= SPOUT__FILE_SMALL)
		rc = keep_content(body);
	if (rc == 0 && body->size <= SPOUT__FILE_HASHED)
		return tag_content(body);
	tag_state(body);
	return rc;
}

/* --- the fields of the head ------------------------------------------------------- */

static void
put_fields(struct spout__file *file, enum spout__file_form form, bool varies)
{
	static const char *const codings[] = { NULL, "br", "gzip" };
	struct spout__file_body *body = &file->bodies[form];
	char date[SPOUT__HTTP_DATE_LEN + 1], *to = body->fields;

	to = SPOUT__PUT(to, "Accept-Ranges: bytes\r\nX-Content-Type-Options: nosniff\r\n"
			    "ETag: ");
	to = spout__put(to, body->etag, body->etag_len);
	to = SPOUT__PUT(to, "\r\n");
	if (file->modified >= 0) {
		spout__http_date(file->modified, date);
		to = SPOUT__PUT(to, "Last-Modified: ");
		to = spout__put(to, date, SPOUT__HTTP_DATE_LEN);
		to = SPOUT__PUT(to, "\r\n");
	}
	if (codings[form] != NULL) {
		to = SPOUT__PUT(to, "Content-Encoding: ");
		to = spout__put(to, codings[form], strlen(codings[form]));
		to = SPOUT__PUT(to, "\r\n");
	}
	if (varies)
		to = SPOUT__PUT(to, "Vary: Accept-Encoding\r\n");
	body->fields_len = (size_t)(to - body->fields);
}

/* What all bodies of a file have in common, when they are there. */
static void
finish(struct spout__file *file, const char *path)
{
	int64_t modified = file->bodies[SPOUT__FILE_PLAIN].identity.modified.tv_sec;
	bool varies =
	    file->bodies[SPOUT__FILE_BR].there || file->bodies[SPOUT__FILE_GZIP].there;
	int form;

	/* A server does not say a time that is still to come (RFC 9110 8.8.2.1). */
	file->modified = modified >= 0 && modified <= time(NULL) ? modified : -1;
	file->type = spout__media_type(path);
	file->bytes = sizeof(*file);
	for (form = 0; form < SPOUT__FILE_FORMS; form++) {
		struct spout__file_body *body = &file->bodies[form];

		if (!body->there)
			continue;
		put_fields(file, (enum spout__file_form)form, varies);
		file->bytes += body->data != NULL ? body->size : 0;
		file->n_fds += body->fd >= 0;
	}
}

int
spout__file_of_fd(struct spout__file *ret, int fd)
{
	struct spout__file_body *body = &ret->bodies[SPOUT__FILE_PLAIN];
	int rc;

	memset(ret, 0, sizeof(*ret));
	ret->refs = 1; /* of its own: the last one is never given back */
	rc = identify(fd, &body->identity);
	if (rc != 0)
		return rc;
	body->there = true;
	body->fd = fd;
	body->size = body->identity.size;
	tag_state(body);
	finish(ret, "");
	return 0;
}

/* --- a file with its siblings ----------------------------------------------------- */

static int
open_body(const struct spout__file_place *place, int root, const char *path,
    struct spout__file_body *body)
{
	int rc;

	body->fd = open_place(place, root, path);
	if (body->fd < 0) {
		rc = body->fd;
		body->fd = -1;
		return rc;
	}
	rc = identify(body->fd, &body->identity);
	body->there = rc == 0;
	return rc;
}

static bool
older(const struct spout__file_body *a, const struct spout__file_body *b)
{
	const struct timespec *x = &a->identity.modified, *y = &b->identity.modified;

	return x->tv_sec < y->tv_sec ||
	    (x->tv_sec == y->tv_sec && x->tv_nsec < y->tv_nsec);
}

static void
drop_body(struct spout__file_body *body)
{
	if (body->fd >= 0)
		close(body->fd);
	*body = (struct spout__file_body){ .fd = -1 };
}

/* A sibling that is missing, unreadable or older than the file itself is none. */
static void
open_siblings(
    const struct spout__file_place *place, int root, struct spout__file *file)
{
	static const char *const ends[] = { "", ".br", ".gz" };
	char path[SPOUT__FILE_PATH_MAX + 8];
	int form;

	for (form = SPOUT__FILE_BR; form < SPOUT__FILE_FORMS; form++) {
		struct spout__file_body *body = &file->bodies[form];
		int n = snprintf(path, sizeof(path), "%s%s", place->path, ends[form]);

		if (n < 0 || (size_t)n >= sizeof(path) ||
		    open_body(place, root, path, body) != 0 ||
		    older(body, &file->bodies[SPOUT__FILE_PLAIN]))
			drop_body(body);
	}
}

static bool
unchanged(const struct spout__file *file, const struct spout__file *old)
{
	int form;

	for (form = 0; form < SPOUT__FILE_FORMS; form++)
		if (!same_identity(&file->bodies[form], &old->bodies[form]))
			return false;
	return true;
}

static int
fill(struct spout__file *file, const struct spout__file_place *place, int root,
    const struct spout__file *old)
{
	int form,
	    rc = open_body(place, root, place->path, &file->bodies[SPOUT__FILE_PLAIN]);

	if (rc != 0)
		return rc;
	if (place->siblings)
		open_siblings(place, root, file);
	if (old != NULL && unchanged(file, old))
		return 1;
	for (form = 0; form < SPOUT__FILE_FORMS && rc == 0; form++)
		if (file->bodies[form].there)
			rc = load_body(&file->bodies[form]);
	if (rc == 0)
		finish(file, place->path);
	return rc;
}

int
spout__file_load(const struct spout__file_place *place, const struct spout__file *old,
    struct spout__file **ret)
{
	struct spout__file *file = calloc(1, sizeof(*file));
	int root = -1, rc = 0, form;

	*ret = NULL;
	if (file == NULL)
		return -ENOMEM;
	file->refs = 1;
	for (form = 0; form < SPOUT__FILE_FORMS; form++)
		file->bodies[form].fd = -1;
	/* By name each time: a deployment may have put another directory in its place. */
	if (place->root != NULL) {
		root = open(place->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
		rc = root < 0 ? -errno : 0;
	}
	if (rc == 0)
		rc = fill(file, place, root, old);
	if (root >= 0)
		close(root);
	if (rc == 0)
		*ret = file;
	else
		file_free(file);
	return rc < 0 ? rc : 0;
}
