/* SPDX-License-Identifier: MIT */
/*
 * Arguments: of a query or a form. The parsing of application/x-www-form-urlencoded here
 * is pure; the getters in args.c work on a request.
 */
#ifndef SPOUT_WEB_ARGS_H
#define SPOUT_WEB_ARGS_H

#include <spout/form.h>
#include <spout/types.h>

/** Most arguments in one query or form. */
#define SPOUT__ARGS_MAX 1000u

struct spout__arg {
	const char *name, *value; /* decoded, NUL-terminated */
};

struct spout__args {
	unsigned n, n_files;
	struct spout_file *files; /* of a multipart form */
	struct spout__arg list[];
};

/** How many arguments the text may hold: room to bring. */
size_t spout__args_count(struct spout_slice text);
/**
 * Parse into `args`, which has room for spout__args_count(); `room` has text.len + 1
 * bytes. Returns 0, or -EBADMSG with `*ret_bad` the argument, as sent, that is malformed.
 */
int spout__args_parse(struct spout_slice text, char *room, struct spout__args *args,
    struct spout_slice *ret_bad);
/** The last value of that name, or NULL. */
const char *spout__args_get(const struct spout__args *args, const char *name);

/** Decimal digits, perhaps a '-' before them, nothing else. 0, -EBADMSG or -ERANGE. */
int spout__parse_int(const char *text, int64_t *ret_value);
/** A finite decimal number with '.', whatever the locale. 0 or -EBADMSG. */
int spout__parse_double(const char *text, double *ret_value);
/**
 * A date, or a date and a time with or without an offset (RFC 3339 5.6, HTML's
 * datetime-local), of the years 1 to 9999. 0 or -EBADMSG.
 */
int spout__parse_time(const char *text, int64_t *ret_seconds);
/** 1 true yes on, 0 false no off (any case). 0 or -EBADMSG. */
int spout__parse_bool(const char *text, bool *ret_value);

/** Is this Content-Type (data NULL: there is none) that media type, parameters aside? */
bool spout__media_type_is(struct spout_slice content_type, const char *type);

#endif
