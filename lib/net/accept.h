/* SPDX-License-Identifier: MIT */
/*
 * Accepting connections from one listening socket. Loop thread.
 *
 * Out of descriptors or memory (EMFILE, ENFILE, ENOBUFS, ENOMEM): the owner is asked to
 * give something up (on_pressure); if it cannot, accepting pauses for a moment and the
 * clients wait in the kernel's queue. While it pauses one reserve descriptor is free, so
 * that the rest of the process can still open something.
 */
#ifndef SPOUT_NET_ACCEPT_H
#define SPOUT_NET_ACCEPT_H

#include <sys/socket.h>

#include "loop/loop.h"

struct spout__acceptor;

struct spout__acceptor_options {
	unsigned burst;     /* connections accepted per wake; 1 for a socket shared by
			     * workers */
	/* A connection; takes the descriptor. */
	void (*on_accept)(
	    void *ctx, int fd, const struct sockaddr *peer, socklen_t peer_len);
	/* May more be accepted now? Asked before each one; NULL: always. False pauses. */
	bool (*may_accept)(void *ctx);
	/* Out of descriptors or memory: free some; true if that was possible. May be
	 * NULL. */
	bool (*on_pressure)(void *ctx);
	void *ctx;
};

/** Watch the listening, non-blocking socket `fd` (borrowed). Copies options. NULL +
 * errno. */
struct spout__acceptor *spout__acceptor_new(struct spout_loop *loop, int fd,
    const struct spout__acceptor_options *options);
/** Try again now: something was freed since may_accept or on_pressure said no. */
void spout__acceptor_resume(struct spout__acceptor *acceptor);
/** Accept everything that is queued, until EAGAIN, whatever may_accept says; the
 * number. */
unsigned spout__acceptor_take_all(struct spout__acceptor *acceptor);
/** Stop watching. The descriptor stays open. */
void spout__acceptor_stop(struct spout__acceptor *acceptor);
void spout__acceptor_free(struct spout__acceptor *acceptor);

#endif
