/* SPDX-License-Identifier: MIT */
/* Digests. OpenSSL does the work. Any thread; one object by one thread at a time. */
#ifndef SPOUT_CRYPTO_H
#define SPOUT_CRYPTO_H

#include <spout/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SPOUT_SHA256_SIZE 32

struct spout_sha256;

/** An empty SHA-256 computation. Returns owned, NULL when out of memory. */
SPOUT_API struct spout_sha256 *spout_sha256_new(void);
/** Add bytes. Returns 0, or -EINVAL after spout_sha256_final(). */
SPOUT_API SPOUT_MUST_CHECK int spout_sha256_update(
    struct spout_sha256 *sha256, const void *data, size_t len);
/** The digest of what was added; ends the computation. Returns 0 or -EINVAL (ended). */
SPOUT_API SPOUT_MUST_CHECK int spout_sha256_final(
    struct spout_sha256 *sha256, unsigned char ret_digest[SPOUT_SHA256_SIZE]);
/** Free; NULL is fine. Takes void * to fit spout_defer(). */
SPOUT_API void spout_sha256_free(void *sha256);

/** `len` bytes as lower-case hexadecimal and a NUL: 2 * len + 1 bytes. */
SPOUT_API void spout_hex(const void *data, size_t len, char *ret_text);

#ifdef __cplusplus
}
#endif

#endif
