/* SPDX-License-Identifier: MIT */
/* Addresses to listen on: text to sockaddr and back. Pure; no names are looked up. */
#ifndef SPOUT_APP_ADDRESS_H
#define SPOUT_APP_ADDRESS_H

#include <stddef.h>
#include <sys/socket.h>

/** Longest text of an address: "unix:" and a path. */
#define SPOUT__ADDRESS_TEXT 128

struct spout__address {
	struct sockaddr_storage sa;
	socklen_t len;
	char text[SPOUT__ADDRESS_TEXT]; /* as given */
};

/**
 * "127.0.0.1:8888", "[::1]:8888", "localhost:80", "*:80" and ":80" (every IPv4 address),
 * "unix:/run/app.sock". Returns 0, or -EINVAL with what is wrong, to follow the quoted text.
 */
int spout__address_parse(const char *text, struct spout__address *ret, char *why,
    size_t why_size);

#endif
