/* SPDX-License-Identifier: MIT */
/* uri-host [ ":" port ] of a Host field or an absolute target (RFC 3986 3.2). */
#ifndef SPOUT_HTTP_AUTHORITY_H
#define SPOUT_HTTP_AUTHORITY_H

#include <spout/types.h>

/**
 * True for a registered name, IPv4 or [IPv6] address, perhaps with a port up to 65535.
 * Not empty, no user information, no IPvFuture, no zone.
 */
bool spout__http_authority_valid(struct spout_slice authority);
/** True if two valid ones mean the same, case and a port that is `default_port` aside. */
bool spout__http_authority_same(
    struct spout_slice a, struct spout_slice b, const char *default_port);

#endif
