/* SPDX-License-Identifier: MIT */
/*
 * The head of an HTTP/1 request: strict lexer, http-parser, and the rules around it,
 * behind one call (RFC 9110, RFC 9112). Debian's http-parser is lenient; what it would
 * let through is refused here before or after it. Pure: no input or output, no loop.
 *
 * All slices of a parsed head point into the bytes given to spout__http_head_parse().
 */
#ifndef SPOUT_HTTP_HEAD_H
#define SPOUT_HTTP_HEAD_H

#include <spout/types.h>

#include "http/fault.h"

#define SPOUT__HTTP_MAX_FIELDS 100

struct spout__http_field {
	struct spout_slice name, value;
};

enum spout__http_method {
	SPOUT__HTTP_GET,
	SPOUT__HTTP_HEAD,
	SPOUT__HTTP_POST,
	SPOUT__HTTP_PUT,
	SPOUT__HTTP_PATCH,
	SPOUT__HTTP_DELETE,
	SPOUT__HTTP_OPTIONS,
	SPOUT__HTTP_N_METHODS,
};

enum spout__http_framing {
	SPOUT__HTTP_NO_BODY,
	SPOUT__HTTP_LENGTH, /* content_length bytes follow (may be 0) */
	SPOUT__HTTP_CHUNKED,
};

struct spout__http_head {
	enum spout__http_method method;
	unsigned minor;            /* HTTP/1.minor: 0 or 1 */
	struct spout_slice target; /* as sent */
	struct spout_slice path;   /* as sent: percent-encoded, begins with '/'; or "*" */
	struct spout_slice query;  /* behind '?', "" if none */
	struct spout_slice host;   /* Host, or that of an absolute target; "" in 1.0 */
	enum spout__http_framing framing;
	uint64_t content_length;
	bool keep_alive; /* what the client wishes, by version and Connection */
	bool expect_continue;
	bool upgrade; /* Connection: upgrade with an Upgrade field */
	unsigned n_fields;
	struct spout__http_field fields[SPOUT__HTTP_MAX_FIELDS];
};

struct spout__http_limits {
	size_t max_head_bytes; /* whole head; above: 431 [16384] */
	size_t max_line_bytes; /* request line; above: 414 [8192] */
	unsigned max_fields;   /* above: 431 [100] */
};

/**
 * Find the end of the head in the first `len` bytes, beginning the search at `*from`,
 * which is moved so that no byte is looked at twice. Up to two empty lines (CRLF) before
 * the request line are skipped by the caller with spout__http_skip_empty(). Returns the
 * length of the head with its empty line, 0 if more bytes are needed, or -fault when it
 * can be refused already (too long, bare LF, NUL …). The answer does not depend on how
 * the bytes were split.
 */
int spout__http_head_find(
    const char *data, size_t len, size_t *from, const struct spout__http_limits *limits);
/**
 * How many bytes of leading CRLF (at most two, RFC 9112 2.2) to skip. Whoever skips them
 * before the rest has come counts them, SPOUT__HTTP_MAX_EMPTY bytes before one request,
 * or a client could send empty lines for ever.
 */
#define SPOUT__HTTP_MAX_EMPTY 4u
size_t spout__http_skip_empty(const char *data, size_t len);
/**
 * Parse a complete head of `len` bytes, as found by spout__http_head_find(): the limits
 * on bytes are checked there, the one on fields here. Returns 0, or -fault; then
 * `*ret_head` is undefined.
 */
int spout__http_head_parse(const char *data, size_t len,
    const struct spout__http_limits *limits, struct spout__http_head *ret_head);
/** The value of the first field with that name (any case); data NULL if there is none. */
struct spout_slice spout__http_head_get(
    const struct spout__http_head *head, const char *name);
/** "GET" … */
const char *spout__http_method_name(enum spout__http_method method);

#endif
