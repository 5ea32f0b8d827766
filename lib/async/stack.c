/* SPDX-License-Identifier: MIT */
/* Pool of coroutine stacks: see stack.h. Loop thread, spout__stack_of_guard() any. */
#include "config.h"

#include "async/stack.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "async/sanitizer.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define GUARD_BYTES (64u << 10)
#define SLAB_STACKS 1024u
#define MAX_SLABS 1024u
#define CANARY UINT64_C(0x5350f0705350f070)
#define CANARY_WORDS 8u

struct slab {
	char *base;
	size_t slot_bytes, header_at; /* header_at: offset of the header in a slot */
};

/* For the signal handler: slabs are added, and only taken away with their pool. */
static struct slab slabs[MAX_SLABS];
static _Atomic unsigned n_slabs;

struct spout__stack_pool {
	struct spout__list free;
	size_t n_free, low_water;
	size_t slot_bytes, header_at, page;
	char *fresh, *fresh_end; /* rest of the newest slab */
	size_t mprotect_guards_left;
	bool no_madvise_guard;
	unsigned slabs[MAX_SLABS], n_slabs;
};

_Static_assert(offsetof(struct spout__stack, user) % 16 == 0, "user part is aligned");

static size_t
max_map_count(void)
{
	FILE *f = fopen("/proc/sys/vm/max_map_count", "re");
	unsigned long n = 65530;

	if (f == NULL)
		return n;
	if (fscanf(f, "%lu", &n) != 1)
		n = 65530;
	fclose(f);
	return n;
}

struct spout__stack_pool *
spout__stack_pool_new(unsigned kib)
{
	struct spout__stack_pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		return NULL;
	spout__list_init(&pool->free);
	pool->page = (size_t)sysconf(_SC_PAGESIZE);
	pool->slot_bytes = GUARD_BYTES + (size_t)(kib < 32 ? 32 : kib) * 1024;
	pool->slot_bytes = (pool->slot_bytes + pool->page - 1) & ~(pool->page - 1);
	pool->header_at = pool->slot_bytes - sizeof(struct spout__stack) -
	    SPOUT__STACK_USER_BYTES;
	pool->header_at &= ~(size_t)63;
	pool->mprotect_guards_left = max_map_count() / 4;
	return pool;
}

static int
add_slab(struct spout__stack_pool *pool)
{
	size_t bytes = pool->slot_bytes * SLAB_STACKS;
	unsigned i;
	char *base;

	for (i = 0; i < MAX_SLABS && slabs[i].base != NULL; i++)
		continue;
	if (i == MAX_SLABS)
		return -ENOMEM;
	base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (base == MAP_FAILED)
		return -ENOMEM;
	/* One huge page would make 4 KiB of use 2 MiB of memory. May be refused. */
	(void)madvise(base, bytes, MADV_NOHUGEPAGE);
	slabs[i] = (struct slab){ base, pool->slot_bytes, pool->header_at };
	if (i >= atomic_load(&n_slabs))
		atomic_store(&n_slabs, i + 1);
	pool->slabs[pool->n_slabs++] = i;
	pool->fresh = base;
	pool->fresh_end = base + bytes;
	return 0;
}

/* Under a sanitizer a guard must be visible in the memory map (leak checkers read it). */
static bool
install_guard(struct spout__stack_pool *pool, char *guard)
{
	if (!SPOUT__SANITIZED && !pool->no_madvise_guard) {
		if (madvise(guard, GUARD_BYTES, MADV_GUARD_INSTALL) == 0)
			return true;
		pool->no_madvise_guard = true;
	}
	if (pool->mprotect_guards_left == 0 ||
	    mprotect(guard, GUARD_BYTES, PROT_NONE) < 0)
		return false;
	pool->mprotect_guards_left--;
	return true;
}

static void
set_canary(struct spout__stack *stack)
{
	uint64_t *word = (uint64_t *)(void *)stack->low;
	unsigned i;

	for (i = 0; i < CANARY_WORDS; i++)
		word[i] = CANARY;
}

bool
spout__stack_whole(const struct spout__stack *stack)
{
	const uint64_t *word = (const uint64_t *)(const void *)stack->low;
	unsigned i;

	for (i = 0; stack->canary && i < CANARY_WORDS; i++)
		if (word[i] != CANARY)
			return false;
	return true;
}

static struct spout__stack *
carve(struct spout__stack_pool *pool)
{
	struct spout__stack *stack;
	char *slot;

	if (pool->fresh == pool->fresh_end && add_slab(pool) < 0)
		return NULL;
	slot = pool->fresh;
	pool->fresh += pool->slot_bytes;
	stack = (struct spout__stack *)(void *)(slot + pool->header_at);
	spout__list_init(&stack->link);
	stack->low = slot + GUARD_BYTES;
	stack->canary = !install_guard(pool, slot);
	stack->cold = false;
	if (stack->canary)
		set_canary(stack);
	stack->valgrind_id = spout__valgrind_register(stack->low, (char *)stack);
	return stack;
}

struct spout__stack *
spout__stack_get(struct spout__stack_pool *pool)
{
	struct spout__list *node = pool->free.next;
	struct spout__stack *stack;

	if (node == &pool->free)
		return carve(pool);
	stack = spout__container_of(node, struct spout__stack, link);
	spout__list_remove(node);
	if (--pool->n_free < pool->low_water)
		pool->low_water = pool->n_free;
	if (stack->cold && stack->canary)
		set_canary(stack);
	stack->cold = false;
	/* What the last user of the stack left poisoned is not ours. */
	spout__asan_unpoison(stack->low, (size_t)((char *)stack - stack->low));
	return stack;
}

void
spout__stack_put(struct spout__stack_pool *pool, struct spout__stack *stack)
{
	spout__list_push_front(&pool->free, &stack->link);
	pool->n_free++;
}

size_t
spout__stack_pool_trim(struct spout__stack_pool *pool)
{
	struct spout__list *node = pool->free.prev;
	size_t unused = pool->low_water, done = 0;

	/* The last `low_water` stacks of the list were not touched since the last
	 * call. */
	for (; unused > 0 && node != &pool->free; node = node->prev, unused--) {
		struct spout__stack *stack =
		    spout__container_of(node, struct spout__stack, link);
		uintptr_t top = (uintptr_t)stack & ~(uintptr_t)(pool->page - 1);

		if (stack->cold)
			continue;
		/* The page with the header stays. */
		if (madvise(stack->low, top - (uintptr_t)stack->low, MADV_DONTNEED) == 0)
			done++;
		stack->cold = true;
	}
	pool->low_water = pool->n_free;
	return done;
}

size_t
spout__stack_pool_free_count(const struct spout__stack_pool *pool)
{
	return pool->n_free;
}

void
spout__stack_pool_free(struct spout__stack_pool *pool)
{
	struct spout__list *node;
	unsigned i;

	if (pool == NULL)
		return;
	while ((node = spout__list_pop(&pool->free)) != NULL) {
		struct spout__stack *stack =
		    spout__container_of(node, struct spout__stack, link);

		spout__valgrind_deregister(stack->valgrind_id);
		spout__asan_unpoison(stack->low, (size_t)((char *)stack - stack->low));
	}
	for (i = 0; i < pool->n_slabs; i++) {
		struct slab *slab = &slabs[pool->slabs[i]];

		munmap(slab->base, slab->slot_bytes * SLAB_STACKS);
		slab->base = NULL;
	}
	free(pool);
}

struct spout__stack *
spout__stack_of_guard(const void *address)
{
	unsigned i, n = atomic_load(&n_slabs);

	for (i = 0; i < n; i++) {
		const struct slab *slab = &slabs[i];
		uintptr_t base = (uintptr_t)slab->base, at = (uintptr_t)address;
		size_t offset;

		if (base == 0 || at < base || at - base >= slab->slot_bytes * SLAB_STACKS)
			continue;
		offset = (at - base) % slab->slot_bytes;
		if (offset >= GUARD_BYTES)
			return NULL;
		return (struct spout__stack *)(void *)(slab->base + (at - base - offset) +
		    slab->header_at);
	}
	return NULL;
}
