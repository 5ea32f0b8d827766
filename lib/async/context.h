/* SPDX-License-Identifier: MIT */
/*
 * Switching stacks. Assembly for x86-64 and aarch64, ucontext elsewhere (configure
 * --with-switch). A switch keeps the registers that the ABI says a call keeps, but not
 * the floating-point control words and the signal mask: coroutines do not change those.
 */
#ifndef SPOUT_ASYNC_CONTEXT_H
#define SPOUT_ASYNC_CONTEXT_H

#include <stddef.h>

#ifdef SPOUT_SWITCH_ASM

struct spout__context {
	void *sp;
};

void spout__context_switch_asm(void **save_sp, void *load_sp);

static inline void
spout__context_switch(struct spout__context *from, struct spout__context *to)
{
	spout__context_switch_asm(&from->sp, to->sp);
}

#else

#include <ucontext.h>

struct spout__context {
	ucontext_t uc;
};

static inline void
spout__context_switch(struct spout__context *from, struct spout__context *to)
{
	swapcontext(&from->uc, &to->uc);
}

#endif

/** Prepare a context that runs fn(arg) on [low, high) when first switched to; `fn` must
 * never return. */
void spout__context_make(struct spout__context *context, char *low, char *high,
    void (*fn)(void *arg), void *arg);

#endif
