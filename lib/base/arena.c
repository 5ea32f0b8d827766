/* SPDX-License-Identifier: MIT */
/*
 * Arena: see arena.h. Under AddressSanitizer each block is a malloc of its own, so
 * that use after the end of a scope is seen.
 */
#include "config.h"

#include "base/arena.h"

#include <errno.h>
#include <stdlib.h>

struct spout__arena_block {
	struct spout__arena_block *next;
	size_t size; /* of the whole block, header included */
};

#define HEADER 16u
#define FREE_BLOCKS_MAX 256u
/* A piece bigger than this gets a block of its own. */
#define BIG (SPOUT__ARENA_BLOCK / 2)

#if defined(__SANITIZE_ADDRESS__)
#define KEEP_BLOCKS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEP_BLOCKS 0
#endif
#endif
#ifndef KEEP_BLOCKS
#define KEEP_BLOCKS 1
#endif

static __thread struct spout__arena_block *free_blocks;
static __thread unsigned free_count;

_Static_assert(sizeof(struct spout__arena_block) <= HEADER, "block header");

void
spout__arena_init(struct spout__arena *arena, size_t max)
{
	*arena = (struct spout__arena){ .max = max };
}

static struct spout__arena_block *
block_new(size_t size)
{
	struct spout__arena_block *block = free_blocks;

	if (size == SPOUT__ARENA_BLOCK && block != NULL) {
		free_blocks = block->next;
		free_count--;
		return block;
	}
	block = malloc(size);
	if (block != NULL)
		block->size = size;
	return block;
}

static void
block_free(struct spout__arena_block *block)
{
	if (KEEP_BLOCKS && block->size == SPOUT__ARENA_BLOCK &&
	    free_count < FREE_BLOCKS_MAX) {
		block->next = free_blocks;
		free_blocks = block;
		free_count++;
		return;
	}
	free(block);
}

void *
spout__arena_alloc_slow(struct spout__arena *arena, size_t size)
{
	size_t need = (size + 15) & ~(size_t)15;
	struct spout__arena_block *block;

	if (need < size || need > arena->max - arena->used || need > SIZE_MAX - HEADER)
		return NULL;
	block = block_new(need > BIG ? need + HEADER : SPOUT__ARENA_BLOCK);
	if (block == NULL)
		return NULL;
	arena->used += need;
	if (need > BIG && arena->blocks != NULL) {
		/* Behind the newest block, whose free part stays in use. */
		block->next = arena->blocks->next;
		arena->blocks->next = block;
		return (char *)block + HEADER;
	}
	block->next = arena->blocks;
	arena->blocks = block;
	arena->at = (char *)block + HEADER + need;
	arena->end = (char *)block + block->size;
	return (char *)block + HEADER;
}

void
spout__arena_release(struct spout__arena *arena)
{
	struct spout__arena_block *block, *next;

	for (block = arena->blocks; block != NULL; block = next) {
		next = block->next;
		block_free(block);
	}
	spout__arena_init(arena, arena->max);
}

void
spout__arena_trim(void)
{
	while (free_blocks != NULL) {
		struct spout__arena_block *block = free_blocks;

		free_blocks = block->next;
		free(block);
	}
	free_count = 0;
}
