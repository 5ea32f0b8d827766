/* SPDX-License-Identifier: MIT */
/*
 * Digests, random bytes, base64, authenticated encryption. OpenSSL does the work. Any
 * thread; one object by one thread at a time.
 */
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

/** HMAC with SHA-256 (RFC 2104). Returns 0, or -ENOMEM. */
SPOUT_API SPOUT_MUST_CHECK int spout_hmac_sha256(const void *key, size_t key_len,
    const void *data, size_t len, unsigned char ret_digest[SPOUT_SHA256_SIZE]);
/** Are the bytes the same? Takes as long whatever they are: for secrets. */
SPOUT_API bool spout_equal_secret(const void *a, const void *b, size_t len);
/** Unpredictable bytes from the kernel. Never fails: aborts if the kernel has none. */
SPOUT_API void spout_random(void *ret_data, size_t len);

/** `len` bytes as lower-case hexadecimal and a NUL: 2 * len + 1 bytes. */
SPOUT_API void spout_hex(const void *data, size_t len, char *ret_text);
/** The bytes of `len` digits, an even number, of either case. Returns 0 or -EBADMSG. */
SPOUT_API SPOUT_MUST_CHECK int spout_hex_decode(const char *text, size_t len,
    unsigned char *ret_data);

/** Characters of the base64 of `len` bytes, without a NUL; room to decode as many. */
#define SPOUT_BASE64_SIZE(len) (((len) + 2) / 3 * 4)
#define SPOUT_BASE64_ROOM(len) ((len) / 4 * 3)
/** Base64 (RFC 4648 4, with padding) and a NUL. Returns its length. */
SPOUT_API size_t spout_base64(const void *data, size_t len, char *ret_text);
/**
 * The bytes of a base64 text, strictly as spout_base64() writes it, into
 * SPOUT_BASE64_ROOM(len) bytes. Returns their number, or -EBADMSG.
 */
SPOUT_API SPOUT_MUST_CHECK long spout_base64_decode(const char *text, size_t len,
    void *ret_data);

/** What spout_seal() adds to the bytes that it encrypts. */
#define SPOUT_SEAL_SIZE 44
#define SPOUT_SEAL_KEY_SIZE 32
/**
 * Encrypt and authenticate with AES-256-GCM. `bound` is authenticated with it and has to
 * be given again to spout_unseal(). Writes len + SPOUT_SEAL_SIZE bytes: a random salt,
 * from which the message's own key is derived, a random nonce, the ciphertext, the tag;
 * so one key is good for any number of messages. Returns 0, or -ENOMEM.
 */
SPOUT_API SPOUT_MUST_CHECK int spout_seal(const unsigned char key[SPOUT_SEAL_KEY_SIZE],
    struct spout_slice bound, const void *data, size_t len, unsigned char *ret_sealed);
/**
 * Decrypt what spout_seal() wrote: len - SPOUT_SEAL_SIZE bytes. Returns 0, -EBADMSG (not
 * made with this key and `bound`, or changed), or -ENOMEM.
 */
SPOUT_API SPOUT_MUST_CHECK int spout_unseal(const unsigned char key[SPOUT_SEAL_KEY_SIZE],
    struct spout_slice bound, const unsigned char *sealed, size_t len, void *ret_data);

#ifdef __cplusplus
}
#endif

#endif
