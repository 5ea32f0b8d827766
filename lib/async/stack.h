/* SPDX-License-Identifier: MIT */
/*
 * Pool of coroutine stacks, one per loop. Stacks are carved from slabs of address space
 * (never backed by huge pages) and reused last-in first-out:
 *
 *     slab:  [guard 64 KiB | stack, grows down <- | header] [guard | stack | header] ...
 *
 * Only touched pages are resident. A guard is a MADV_GUARD_INSTALL region (Linux 6.13),
 * else an mprotect() one while the number of mappings allows it, else a canary that is
 * looked at when the coroutine switches. The top of a stack holds its header and the
 * coroutine's own struct, so that a waiting coroutine touches as few pages as can be.
 */
#ifndef SPOUT_ASYNC_STACK_H
#define SPOUT_ASYNC_STACK_H

#include <spout/types.h>

#include "base/list.h"

struct spout__stack_pool;

struct spout__stack {
	struct spout__list link; /* in the pool's free list */
	char *low;               /* lowest usable address; the header lies at the top */
	unsigned valgrind_id;
	bool canary;             /* guarded by a canary only */
	bool cold;               /* its pages were given back since the last use */
	void *user[];            /* SPOUT__STACK_USER_BYTES for the owner, 16-byte
				  * aligned */
};

#define SPOUT__STACK_DEFAULT_KIB 256u
#ifdef SPOUT_SWITCH_ASM
#define SPOUT__STACK_USER_BYTES 768u
#else
#define SPOUT__STACK_USER_BYTES 2048u /* a ucontext_t is large */
#endif

/** Make a pool of stacks of `kib` KiB each (at least 32). NULL when out of memory. */
struct spout__stack_pool *spout__stack_pool_new(unsigned kib);
/** Unmap everything. All stacks must have been put back. */
void spout__stack_pool_free(struct spout__stack_pool *pool);
/** A stack, or NULL when the address space or memory is used up. */
struct spout__stack *spout__stack_get(struct spout__stack_pool *pool);
void spout__stack_put(struct spout__stack_pool *pool, struct spout__stack *stack);
/** Give back the pages of stacks that were not used since the last call; the number. */
size_t spout__stack_pool_trim(struct spout__stack_pool *pool);
size_t spout__stack_pool_free_count(const struct spout__stack_pool *pool);
/** True while the canary of a stack without a guard is whole. */
bool spout__stack_whole(const struct spout__stack *stack);
/** The stack whose guard contains `address`, or NULL. Async-signal-safe. */
struct spout__stack *spout__stack_of_guard(const void *address);

#endif
