/* SPDX-License-Identifier: MIT */
/*
 * Decompression of a body piece by piece: gzip (RFC 1952, several members), deflate (RFC
 * 1950, or bare RFC 1951 as some servers send it), brotli (RFC 7932). One thread at a
 * time.
 */
#ifndef SPOUT_CLIENT_DECODE_H
#define SPOUT_CLIENT_DECODE_H

#include <stdbool.h>
#include <stddef.h>

struct spout__decoder;

/** What to put into Accept-Encoding. */
#define SPOUT__DECODER_CODINGS "gzip, deflate, br"

/**
 * A decoder for the value of a Content-Encoding field. Returns 0; 0 with NULL for a
 * coding (or a list of them) that is not known, whose body is handed out as it is;
 * -ENOMEM.
 */
int spout__decoder_new(const char *coding, struct spout__decoder **ret_decoder);
void spout__decoder_free(struct spout__decoder *decoder);
/**
 * Decode from `*data`, moving it and `*len`, into `to`. Returns how many bytes were
 * written, 0 if there is nothing more to get from what was given; -EPROTO, -ENOMEM.
 */
long spout__decoder_run(struct spout__decoder *decoder, const char **data, size_t *len,
    char *to, size_t room);
/** May the body end here? */
bool spout__decoder_complete(const struct spout__decoder *decoder);

#endif
