/* SPDX-License-Identifier: MIT */
/*
 * Passwords, hashed with yescrypt by the system's libcrypt, as Debian keeps its own: it
 * costs an attacker memory as well as time, and a hash says by itself how it was made.
 * Hashes of other programs that libcrypt knows (bcrypt, scrypt, SHA-512 …) are verified,
 * too, so that users come along from an older system.
 *
 * Hashing takes about 50 ms of a CPU and 16 MiB: plain calls run on the "cpu" pool and
 * suspend, and leave with 503 when its queue is full.
 */
#ifndef SPOUT_PASSWORD_H
#define SPOUT_PASSWORD_H

#include <spout/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Room for a hash and its NUL. */
#define SPOUT_PASSWORD_HASH_SIZE 384
/** Longest password; longer ones leave with 400, or match no hash. */
#define SPOUT_PASSWORD_MAX 511

/** A hash to keep, in the running scope: "$y$j9T$…". */
SPOUT_API char *spout_password_hash(const char *password);
/**
 * Is this the password of that hash? Compares in constant time. Without a hash (NULL: no
 * such user) it takes as long, and the answer is no.
 *
 *     if (!spout_password_verify(password, user != NULL ? user->hash : NULL))
 *             spout_fail(req, 403, "wrong name or password");
 *     if (spout_password_needs_rehash(user->hash))
 *             save(user, spout_password_hash(password));
 */
SPOUT_API bool spout_password_verify(const char *password, const char *hash);
/** Was it made in another way, or at less cost, than a hash is made now? */
SPOUT_API bool spout_password_needs_rehash(const char *hash);

/**
 * The same where blocking is fine: in a job, in preload, in a tool. Any thread.
 * spout_password_make() returns 0, -EMSGSIZE (longer than SPOUT_PASSWORD_MAX) or -ENOMEM,
 * spout_password_matches() 1 or 0, or -ENOMEM.
 */
SPOUT_API SPOUT_MUST_CHECK int spout_password_make(const char *password,
    char ret_hash[SPOUT_PASSWORD_HASH_SIZE]);
SPOUT_API SPOUT_MUST_CHECK int spout_password_matches(const char *password,
    const char *hash);

#ifdef __cplusplus
}
#endif

#endif
