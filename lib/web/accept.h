/* SPDX-License-Identifier: MIT */
/* Negotiation: what a client would rather have, by its Accept fields. Pure. */
#ifndef SPOUT_WEB_ACCEPT_H
#define SPOUT_WEB_ACCEPT_H

#include <spout/types.h>

/**
 * Does a client with this Accept header (data NULL: none) rather have JSON than HTML
 * (RFC 9110 12.5.1)? HTML wins a tie unless only JSON is named.
 */
bool spout__accept_prefers_json(struct spout_slice accept);

enum { SPOUT__CODING_BR = 1 << 0, SPOUT__CODING_GZIP = 1 << 1 };

/** The content codings that an Accept-Encoding field takes (RFC 9110 12.5.3). */
unsigned spout__accept_codings(struct spout_slice accept);

#endif
