/* SPDX-License-Identifier: MIT */
/* Addresses to listen on, as text and back. Resolves no names. Any thread. */
#ifndef SPOUT_BASE_ADDRESS_H
#define SPOUT_BASE_ADDRESS_H

#include <spout/types.h>

#include <sys/socket.h>

#define SPOUT__LISTEN_TEXT 160
#define SPOUT__WHY 320 /* room for a reason of failure */

/** Where to listen, parsed. */
struct spout__listen_address {
	struct sockaddr_storage addr;
	socklen_t len;
};

/**
 * Parse `ADDR:PORT`, `[v6]:PORT`, `*:PORT` (all IPv4), `PORT` (on 127.0.0.1),
 * `localhost:PORT` or `unix:PATH`. Addresses are numeric; port 0 lets the kernel choose.
 * Returns 0, or -EINVAL with the reason in `ret_why`.
 */
int spout__listen_parse(const char *text, struct spout__listen_address *ret_address,
    char ret_why[SPOUT__WHY]);
/** The port of an address; 0 for a unix socket. */
unsigned spout__listen_port(const struct spout__listen_address *address);
/** The address as text: `127.0.0.1:80`, `[::1]:80`, `unix:/run/x`. */
void spout__listen_print(const struct sockaddr_storage *addr, socklen_t len,
    char ret_text[SPOUT__LISTEN_TEXT]);

#endif
