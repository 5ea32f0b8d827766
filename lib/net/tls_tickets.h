/* SPDX-License-Identifier: MIT */
/*
 * Keys of session tickets (RFC 5077, RFC 8446 4.6.1), the same in all workers and in
 * their replacements: they live in memory shared by the processes, made before the
 * fork.
 *
 * A new key every period; tickets of the two keys before are still taken, and renewed.
 * Each secret is a digest of the one before, so that any process can go on without
 * asking the others, and all come to the same; the secrets behind are overwritten, so
 * that what leaks now does not open what was recorded then.
 *
 * No lock: whoever writes a slot writes the same bytes into it. Any process, its loop's
 * thread.
 */
#ifndef SPOUT_NET_TLS_TICKETS_H
#define SPOUT_NET_TLS_TICKETS_H

#include <stdatomic.h>

#include <openssl/ssl.h>

#include <spout/types.h>

#define SPOUT__TICKETS_SECRET 32
#define SPOUT__TICKETS_PERIOD_MS (8u * 3600u * 1000u)
/** How many keys before the present one are good. */
#define SPOUT__TICKETS_OLD 2u
#define SPOUT__TICKETS_SLOTS 4u

struct spout__tickets {
	uint64_t began_ms; /* spout__clock_ms() */
	struct {
		_Atomic uint64_t number; /* of the period, from 1; 0: empty */
		unsigned char secret[SPOUT__TICKETS_SECRET];
	} slots[SPOUT__TICKETS_SLOTS];
};

/** Those of this process and its children; NULL before spout__tickets_open(). */
extern struct spout__tickets *spout__tickets;

/** Make them, if there are none. Returns 0 or -ENOMEM. */
int spout__tickets_open(void);
/** Let a server's context use them. */
void spout__tickets_use(SSL_CTX *ctx);

#endif
