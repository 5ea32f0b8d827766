/* SPDX-License-Identifier: MIT */
/*
 * The PROXY protocol, versions 1 and 2 (HAProxy's doc/proxy-protocol.txt): what a proxy
 * says about the client before anything else on a connection. The parser is pure; a gate
 * holds connections until theirs has been read, and reads not one byte more. Loop thread.
 */
#ifndef SPOUT_NET_PROXY_H
#define SPOUT_NET_PROXY_H

#include <sys/socket.h>

#include "base/network.h"
#include "loop/loop.h"

/** Longest header: all of version 1, and of version 2 with some 2000 bytes of TLVs. */
#define SPOUT__PROXY_MAX 2048u

/**
 * Parse the header at the start of `data`. Returns its length, 0 if more bytes are
 * needed, or -EBADMSG. `ret_client` is the client's address; its family is AF_UNSPEC when
 * the proxy speaks for itself (LOCAL, UNKNOWN) or for a client without an IP address.
 */
int spout__proxy_parse(
    const char *data, size_t len, struct sockaddr_storage *ret_client);

struct spout__proxy_gate;

struct spout__proxy_gate_options {
	const struct spout__network *networks; /* of the proxies; others are refused */
	unsigned n_networks;
	uint64_t timeout_ms;                   /* to send the header */
	/* It was read: serve the descriptor, which is yours. */
	void (*on_open)(void *ctx, int fd, const struct sockaddr *peer, socklen_t len);
	/* It was not: the descriptor has been closed. */
	void (*on_refused)(void *ctx);
	void *ctx;
};

/** Copies the options, borrows the networks. Returns owned, or NULL. */
struct spout__proxy_gate *spout__proxy_gate_new(struct spout_loop *loop,
    const struct spout__proxy_gate_options *options);
/** Close what waits, without a call; free. NULL is fine. Returns how many waited. */
unsigned spout__proxy_gate_free(struct spout__proxy_gate *gate);
/**
 * Hold a connection; takes the descriptor. Later, never now, one of the two is called.
 * Returns 0, or -EACCES (no proxy of ours), -ENOMEM: the descriptor stays the caller's.
 */
int spout__proxy_gate_enter(struct spout__proxy_gate *gate, int fd,
    const struct sockaddr *peer, socklen_t len);

#endif
