/* SPDX-License-Identifier: MIT */
/* IP addresses and networks: as text, of sockets, one in the other. Pure, any thread. */
#ifndef SPOUT_BASE_NETWORK_H
#define SPOUT_BASE_NETWORK_H

#include <spout/types.h>

#include <netinet/in.h>
#include <sys/socket.h>

/** An address. IPv4 in IPv6 (::ffff:192.0.2.1) is IPv4. */
struct spout__ip {
	sa_family_t family;      /* AF_INET, AF_INET6; AF_UNIX: the other end is local */
	unsigned char bytes[16]; /* 4 of them for AF_INET */
};

struct spout__network {
	struct spout__ip ip;
	unsigned bits;
};

/** That of a socket. */
struct spout__ip spout__ip_of(const struct sockaddr *addr);
/** Of text: "192.0.2.1", "2001:db8::1". Returns 0 or -EINVAL. */
int spout__ip_parse(struct spout_slice text, struct spout__ip *ret_ip);
/** As a socket's address with port 0. */
void spout__ip_sockaddr(const struct spout__ip *ip, struct sockaddr_storage *ret_addr);

/** "192.0.2.0/24", "2001:db8::/32", one address, or "unix". Returns 0 or -EINVAL. */
int spout__network_parse(const char *text, struct spout__network *ret_network);
bool spout__network_has(const struct spout__network *network, const struct spout__ip *ip);

#endif
