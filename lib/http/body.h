/* SPDX-License-Identifier: MIT */
/*
 * Framing of a request body (RFC 9112 6, 7): counts Content-Length, decodes chunks. Pure:
 * fed with whatever bytes have arrived, in any split; it says which of them are body.
 *
 *     LENGTH -> DONE
 *     SIZE -> EXT -> SIZE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE ... -> TRAILER -> DONE
 *
 * Trailers are checked as strictly as header fields, and dropped. Budgets: extension
 * bytes per body and trailer bytes per body.
 */
#ifndef SPOUT_HTTP_BODY_H
#define SPOUT_HTTP_BODY_H

#include "http/head.h"

struct spout__http_body {
	unsigned char state; /* private to body.c */
	unsigned char flags;
	uint64_t left;  /* of the content length, or of this chunk */
	uint64_t total; /* body bytes delivered so far */
	uint64_t max;   /* more than this: BODY_TOO_LARGE */
	uint32_t ext_bytes, trailer_bytes, line_bytes;
};

#define SPOUT__HTTP_MAX_CHUNK_EXT 16384u
#define SPOUT__HTTP_MAX_TRAILER 8192u

/**
 * Begin the body of `head`. Returns 0, or -SPOUT__FAULT_BODY_TOO_LARGE when the announced
 * length is over `max` already.
 */
int spout__http_body_begin(
    struct spout__http_body *body, const struct spout__http_head *head, uint64_t max);
/** True when the whole body has been taken. */
bool spout__http_body_done(const struct spout__http_body *body);
/**
 * Take bytes from `data`. Returns 0 or -fault. `*ret_used` is how many were consumed,
 * `*ret_piece` the body bytes among them (a slice of `data`, perhaps empty). Call again
 * with the rest until nothing is consumed or the body is done: one call yields at most
 * one piece.
 */
int spout__http_body_feed(struct spout__http_body *body, const char *data, size_t len,
    size_t *ret_used, struct spout_slice *ret_piece);

#endif
