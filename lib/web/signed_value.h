/* SPDX-License-Identifier: MIT */
/*
 * Signed values in Tornado's version 2 format, and encrypted ones in our own:
 *
 *     2|1:KEY|10:TIME|LEN:NAME|LEN:BASE64|HMAC-SHA256 of what is before it, in hex
 *     e1|KEY|TIME|BASE64 of what spout_seal() makes, bound to "e1|KEY|TIME|NAME"
 *
 * Each field of a signed value has its length before it, so that nothing can move from
 * one to the next. Pure, any thread.
 */
#ifndef SPOUT_WEB_SIGNED_VALUE_H
#define SPOUT_WEB_SIGNED_VALUE_H

#include "web/keyring.h"

/** Longest name; values are bounded by who stores them. */
#define SPOUT__SIGNED_NAME_MAX 1024u
/** Most that signing or encrypting adds to the name and the base64 of a value. */
#define SPOUT__SIGNED_EXTRA 192u

/** Room for a signed or encrypted value of `len` bytes, with its NUL. */
size_t spout__signed_room(const char *name, size_t len);

/**
 * Sign, with the first key of the ring (which is not empty), into spout__signed_room()
 * bytes. Returns the length, or -ENOMEM, -EMSGSIZE (a name that is too long).
 */
long spout__signed_make(const struct spout__keyring *keys, const char *name,
    struct spout_slice value, int64_t now, char *to);
/**
 * Check a signed text and decode its value into `to`, text.len bytes of room. Returns the
 * length, -EBADMSG (not ours, or for another name), -ETIMEDOUT (made more than max_age_s
 * before now), -ENOMEM.
 */
long spout__signed_read(const struct spout__keyring *keys, const char *name,
    struct spout_slice text, int64_t now, int64_t max_age_s, char *to);
/** The version of the key that a signed text names, or -EBADMSG. */
int64_t spout__signed_key_version(struct spout_slice text);

/** The same for encrypted values; the text has up to SPOUT__SIGNED_EXTRA more bytes. */
long spout__sealed_make(const struct spout__keyring *keys, const char *name,
    struct spout_slice value, int64_t now, char *to);
long spout__sealed_read(const struct spout__keyring *keys, const char *name,
    struct spout_slice text, int64_t now, int64_t max_age_s, char *to);

#endif
