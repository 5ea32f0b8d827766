/* SPDX-License-Identifier: MIT */
/* First entry into a fresh stack, for each way of switching: see context.h. */
#include "config.h"

#include "async/context.h"

#include <stdint.h>
#include <string.h>

#ifdef SPOUT_SWITCH_ASM

void spout__context_entry(void);

void
spout__context_make(struct spout__context *context, char *low, char *high,
    void (*fn)(void *arg), void *arg)
{
	uintptr_t *sp = (uintptr_t *)((uintptr_t)high & ~(uintptr_t)15);

	(void)low;
#if defined(__x86_64__)
	/* As pushed by the switch: r15 r14 r13 r12 rbx rbp, return address; two words of
	 * padding keep the alignment that the ABI asks for at a call. */
	sp -= 9;
	memset(sp, 0, 9 * sizeof(*sp));
	sp[3] = (uintptr_t)fn;
	sp[4] = (uintptr_t)arg;
	sp[6] = (uintptr_t)spout__context_entry;
#elif defined(__aarch64__)
	/* x19..x30, d8..d15: 20 words. */
	sp -= 20;
	memset(sp, 0, 20 * sizeof(*sp));
	sp[0] = (uintptr_t)fn;                    /* x19 */
	sp[1] = (uintptr_t)arg;                   /* x20 */
	sp[11] = (uintptr_t)spout__context_entry; /* x30 */
#else
#error "no assembly switch for this processor: configure --with-switch=ucontext"
#endif
	context->sp = sp;
}

#else

/* makecontext() passes ints: two halves of a pointer each. */
static void
entry(unsigned fn_high, unsigned fn_low, unsigned arg_high, unsigned arg_low)
{
	uintptr_t fn = (uintptr_t)((uint64_t)fn_high << 32 | fn_low);
	uintptr_t arg = (uintptr_t)((uint64_t)arg_high << 32 | arg_low);

	((void (*)(void *))fn)((void *)arg);
}

void
spout__context_make(struct spout__context *context, char *low, char *high,
    void (*fn)(void *arg), void *arg)
{
	uint64_t f = (uintptr_t)fn, a = (uintptr_t)arg;

	getcontext(&context->uc);
	context->uc.uc_stack.ss_sp = low;
	context->uc.uc_stack.ss_size = (size_t)(high - low);
	context->uc.uc_link = NULL;
	makecontext(&context->uc, (void (*)(void))entry, 4, (unsigned)(f >> 32),
	    (unsigned)f, (unsigned)(a >> 32), (unsigned)a);
}

#endif
