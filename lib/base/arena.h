/* SPDX-License-Identifier: MIT */
/*
 * Arena: memory that is freed all at once. One thread at a time.
 *
 * Blocks of SPOUT__ARENA_BLOCK bytes come from a free list of the thread, so that a
 * request in the steady state calls no malloc; bigger pieces are malloc'ed by
 * themselves. The maximum is fixed when the arena is made.
 */
#ifndef SPOUT_BASE_ARENA_H
#define SPOUT_BASE_ARENA_H

#include <spout/types.h>

#define SPOUT__ARENA_BLOCK 4096u

struct spout__arena_block;

struct spout__arena {
	char *at, *end; /* free part of the newest block */
	struct spout__arena_block *blocks;
	size_t used, max; /* bytes handed out, and their limit */
};

/** An empty arena that hands out at most `max` bytes. Allocates nothing yet. */
void spout__arena_init(struct spout__arena *arena, size_t max);
/** Free everything; the arena is empty and usable again. */
void spout__arena_release(struct spout__arena *arena);
/** The slow part of spout__arena_alloc(). */
void *spout__arena_alloc_slow(struct spout__arena *arena, size_t size);
/** Give the thread's free blocks back to malloc (end of a thread, tests). */
void spout__arena_trim(void);

/** 16-byte aligned memory, not cleared; NULL when out of memory or past the maximum. */
static inline void *
spout__arena_alloc(struct spout__arena *arena, size_t size)
{
	size_t need = (size + 15) & ~(size_t)15;
	char *p = arena->at;

	if (need < size || need > (size_t)(arena->end - p) ||
	    need > arena->max - arena->used)
		return spout__arena_alloc_slow(arena, size);
	arena->at = p + need;
	arena->used += need;
	return p;
}

#endif
