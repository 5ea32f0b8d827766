/* SPDX-License-Identifier: MIT */
/*
 * Names to addresses. Numeric ones are read at once; names are looked up by getaddrinfo()
 * on the resolver's own threads, never on the loop. Loop thread.
 *
 * Each loop has a resolver: a few threads, started when they are needed and gone after a
 * while without work, and a bounded queue before them. One look-up of a name serves
 * everybody who asks for it meanwhile, and for a short time afterwards. A look-up that
 * hangs holds its thread and nothing else: who waits may go at any time, and the loop may
 * be freed; the thread sees to what is left when getaddrinfo() returns.
 */
#ifndef SPOUT_EXECUTOR_RESOLVE_H
#define SPOUT_EXECUTOR_RESOLVE_H

#include <spout/types.h>

#include <sys/socket.h>

#include "base/list.h"
#include "loop/loop.h"

#define SPOUT__ADDRESSES_MAX 16u
#define SPOUT__HOST_MAX 256u
#define SPOUT__LOOKUP_WHY 192u
#define SPOUT__ADDRESS_TEXT 46u

struct spout__addresses {
	unsigned n;
	struct {
		struct sockaddr_storage addr;
		socklen_t len;
	} at[SPOUT__ADDRESSES_MAX];
};

struct spout__query;

/** One question, embedded in the struct of who asks. */
struct spout__lookup {
	/* The answer is there. Loop's stack, after spout__lookup_start() has returned. */
	void (*on_done)(struct spout__lookup *lookup);
	int error;                  /* 0 or -errno */
	char reason[SPOUT__LOOKUP_WHY];    /* in words */
	struct spout__addresses addresses; /* in the order to try; ports are 0 */

	/* Private. */
	struct spout__list link;    /* with the others that ask the same */
	struct spout__query *query; /* NULL: not pending */
};

/**
 * Look up the TCP addresses of `host` (copied); `family` is AF_UNSPEC, AF_INET or
 * AF_INET6. Returns 0: on_done() will be called; 1: the answer is there, on_done() will
 * not; or -errno with the reason: -ENOBUFS (the queue is full), -EAGAIN (no thread),
 * -ENOMEM. A name without an address is -EHOSTUNREACH.
 */
SPOUT_MUST_CHECK int spout__lookup_start(struct spout_loop *loop,
    struct spout__lookup *lookup, const char *host, int family);
/** Nobody waits any more; on_done() will not be called. No-op if it is not pending. */
void spout__lookup_cancel(struct spout__lookup *lookup);

/**
 * Wait for TCP addresses with a port, in the order to try them: families in turn (RFC
 * 8305 4). Returns 0, or with spout_error(): -ETIMEDOUT after `ms`, and the errors above.
 * Inside a coroutine.
 */
int spout__resolve(const char *host, uint16_t port, int family, uint64_t ms,
    struct spout__addresses *ret);

/** Read a numeric address; false if it is a name. Any thread. */
bool spout__addresses_parse(const char *host, int family, struct spout__addresses *ret);
/** getaddrinfo() on this very thread, which it blocks. 0, or -errno with the reason. */
int spout__addresses_look_up(const char *host, int family, struct spout__addresses *ret,
    char ret_why[SPOUT__LOOKUP_WHY]);
/** The address in numbers, without its port. */
void spout__address_text(
    const struct sockaddr_storage *addr, char ret_text[SPOUT__ADDRESS_TEXT]);
void spout__addresses_set_port(struct spout__addresses *addresses, uint16_t port);
/** Put the addresses of two families in turn, beginning with that of the first. */
void spout__addresses_interleave(struct spout__addresses *addresses);

#endif
