/* SPDX-License-Identifier: MIT */
/*
 * Forms of type multipart/form-data (RFC 7578): files and fields, in memory or as they
 * come.
 *
 * In a plain route the whole body is there when the handler starts: its fields are found
 * by spout_arg() and spout_form_arg() (spout/web.h), its files by spout_file(). In a
 * route with .stream_body nothing is kept: the handler takes part after part, and each in
 * pieces, or has it written to a file.
 *
 * A form has at most 100 parts, the head of a part at most 10 KiB. A malformed body
 * answers 400. What is returned is borrowed and lives as long as the request. Loop
 * thread, inside a handler.
 */
#ifndef SPOUT_FORM_H
#define SPOUT_FORM_H

#include <spout/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct spout_request;

/* --- a form in memory --------------------------------------------------------------- */

/** A file of a form (Tornado: HTTPFile). Do not trust its name or its type. */
struct spout_file {
	const char *name;         /* of the field */
	const char *filename;     /* without folders; "" if none was chosen */
	const char *content_type; /* as sent, "application/octet-stream" if it was not */
	const char *data;         /* not NUL-terminated */
	size_t len;
};

/** The last file of that field, or NULL. Empty for a route with .stream_body. */
SPOUT_API const struct spout_file *spout_file(struct spout_request *req,
    const char *name);
/** All files of that field, in order; ended by NULL, perhaps empty. (request.files) */
SPOUT_API const struct spout_file *const *spout_files(struct spout_request *req,
    const char *name);

/* --- a form as it comes ---------------------------------------------------------- */

struct spout_multipart;

struct spout_part {
	const char *name;         /* of the field */
	const char *filename;     /* without folders; NULL: a field, no file */
	const char *content_type; /* as sent, or NULL */
};

/** Begin to read the body as a multipart form. Another type of body answers 415. */
SPOUT_API struct spout_multipart *spout_multipart_open(struct spout_request *req);
/**
 * The next part, valid until the next call; NULL behind the last one. What was not read
 * of the part before is skipped. Suspends; leaves as spout_body_read() does, with 400 if
 * the body is malformed or ends too early.
 */
SPOUT_API const struct spout_part *spout_multipart_next(struct spout_multipart *form);
/**
 * The next piece of this part's data, valid until the next call; empty at its end.
 * Suspends and leaves likewise.
 */
SPOUT_API struct spout_slice spout_multipart_read(struct spout_multipart *form);
/**
 * The rest of this part as text, which must be UTF-8 without NUL, else 400; more than
 * `max_bytes` answers 413. Suspends.
 */
SPOUT_API const char *spout_multipart_text(struct spout_multipart *form,
    size_t max_bytes);
/**
 * Write the rest of this part to a new file of mode 0600 and return its size. More than
 * `max_bytes` answers 413; a file that exists already, or cannot be written, leaves with
 * the -errno. Unless the part was written whole, the file is removed. Suspends: opening
 * and writing happen on the "blocking" pool, in pieces of 64 KiB, and a slow disk slows
 * the client. `path` must not come from the client.
 */
SPOUT_API uint64_t spout_multipart_save(struct spout_multipart *form, const char *path,
    uint64_t max_bytes);

#ifdef __cplusplus
}
#endif

#endif
