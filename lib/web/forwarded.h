/* SPDX-License-Identifier: MIT */
/*
 * Who asks, when proxies stand between: what they say is believed of networks that are
 * trusted, from right to left, as far as the chain of them goes. Everything else in those
 * fields may be forged, and counts for nothing. Pure.
 */
#ifndef SPOUT_WEB_FORWARDED_H
#define SPOUT_WEB_FORWARDED_H

#include "base/network.h"
#include "http/head.h"

#define SPOUT__TRUSTED_MAX 32u
/** Proxies in a chain; what is further left is not looked at. */
#define SPOUT__HOPS_MAX 32u

enum spout__forwarded_header {
	SPOUT__X_FORWARDED, /* X-Forwarded-For and X-Forwarded-Proto */
	SPOUT__FORWARDED,   /* Forwarded (RFC 7239) */
};

struct spout__trust {
	unsigned n; /* 0: nobody is trusted */
	struct spout__network networks[SPOUT__TRUSTED_MAX];
	enum spout__forwarded_header header;
};

struct spout__client {
	struct spout__ip ip;
	bool https; /* says the proxy that it came to */
};

/** Who asks, given the other end of the connection and the fields of the request. */
void spout__client_find(const struct spout__trust *trust,
    const struct spout__http_head *head, const struct sockaddr *peer,
    struct spout__client *ret_client);

#endif
