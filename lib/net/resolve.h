/* SPDX-License-Identifier: MIT */
/*
 * Names to addresses. Numeric ones are read at once; names are looked up by getaddrinfo()
 * on the blocking pool, never on the loop. Inside a coroutine.
 *
 * A look-up that hangs holds a thread of the pool and nothing else: who waited goes on
 * when its time is up, and what comes later is thrown away.
 */
#ifndef SPOUT_NET_RESOLVE_H
#define SPOUT_NET_RESOLVE_H

#include <spout/types.h>

#include <sys/socket.h>

#define SPOUT__ADDRESSES_MAX 16u

struct spout__addresses {
	unsigned n;
	struct {
		struct sockaddr_storage addr;
		socklen_t len;
	} at[SPOUT__ADDRESSES_MAX];
};

/**
 * TCP addresses of `host`, in the order to try them: families in turn (RFC 8305 4).
 * `family` is AF_UNSPEC, AF_INET or AF_INET6. Returns 0, or with spout_error():
 * -ETIMEDOUT after `ms`, -EHOSTUNREACH for a name that has none, -ENOBUFS (the pool), ….
 */
int spout__resolve(const char *host, uint16_t port, int family, uint64_t ms,
    struct spout__addresses *ret);
/** Put the addresses of two families in turn, beginning with that of the first. */
void spout__addresses_interleave(struct spout__addresses *addresses);

#endif
