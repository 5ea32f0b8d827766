/* SPDX-License-Identifier: MIT */
/*
 * Files as responses: a file with its precompressed siblings, as it was when it was
 * loaded. Loading blocks and belongs on a pool thread; what was loaded is read-only but
 * for what the loop's thread keeps: references, and whether it is outdated.
 *
 * What is at most SPOUT__FILE_SMALL long is kept in memory, else the descriptor is. The
 * entity tag is made of the content up to SPOUT__FILE_HASHED, above of time and size.
 */
#ifndef SPOUT_WEB_FILE_H
#define SPOUT_WEB_FILE_H

#include <spout/types.h>

#include <time.h>

#include "base/clock.h"

#define SPOUT__FILE_SMALL 8192u
#define SPOUT__FILE_HASHED (1u << 20)
#define SPOUT__ETAG_SIZE 64
/* Most bytes of a path below its root. */
#define SPOUT__FILE_PATH_MAX 1024u

enum spout__file_form {
	SPOUT__FILE_PLAIN,
	SPOUT__FILE_BR,
	SPOUT__FILE_GZIP,
	SPOUT__FILE_FORMS,
};

/* What tells one state of a file from another. */
struct spout__file_identity {
	uint64_t dev, ino, size;
	struct timespec modified;
};

struct spout__file_body {
	bool there;
	int fd;     /* -1: it is in memory */
	char *data; /* NULL: it is not */
	uint64_t size;
	struct spout__file_identity identity;
	size_t etag_len, fields_len;
	char etag[SPOUT__ETAG_SIZE]; /* in its quotes */
	char fields[320];            /* of the head, each ended by CRLF */
};

struct spout__file {
	unsigned refs;
	bool outdated;           /* it is known to have changed */
	int64_t modified;        /* as Last-Modified says; -1: not said */
	struct spout_slice type; /* static */
	size_t bytes;            /* of memory, content included */
	unsigned n_fds;
	struct spout__file_body bodies[SPOUT__FILE_FORMS];
};

struct spout__file_place {
	const char *root; /* nothing outside of it is opened; NULL: the path is trusted */
	const char *path; /* below it */
	bool siblings;    /* look for path.br and path.gz */
};

/**
 * Load a file. Blocks. `*ret` is owned with one reference, or NULL when the file is as in
 * `old` (or NULL) still. Returns 0, or -errno: -EISDIR, -EXDEV (it leads out of the
 * root), -EACCES (no regular file, too), -ENOENT ….
 */
int spout__file_load(const struct spout__file_place *place, const struct spout__file *old,
    struct spout__file **ret);
/**
 * Describe an open file in `ret`, which has no reference to give back: `fd` is borrowed.
 * Returns 0, or -EISDIR, -EACCES (no regular file), -EBADF ….
 */
int spout__file_of_fd(struct spout__file *ret, int fd);
/** Take a reference; give it back. The last one frees. */
struct spout__file *spout__file_ref(struct spout__file *file);
void spout__file_unref(struct spout__file *file);

#endif
