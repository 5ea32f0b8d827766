/* SPDX-License-Identifier: MIT */
/*
 * A stack overflow names itself: a SIGSEGV or SIGBUS inside the guard of a coroutine's
 * stack is reported with what started the coroutine, then handled as before (core dump).
 * Sanitizers and valgrind report it themselves.
 */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "async/coroutine.h"
#include "async/sanitizer.h"

#define ALT_STACK_BYTES 32768u

static struct sigaction old_segv, old_bus;
static char alt_stack[ALT_STACK_BYTES] __attribute__((aligned(16)));

static void
say(const char *text)
{
	if (text != NULL && write(2, text, strlen(text)) < 0) { /* nobody else to tell */
	}
}

static void
on_fault(int signo, siginfo_t *info, void *context)
{
	struct spout__stack *stack = spout__stack_of_guard(info->si_addr);

	(void)context;
	if (stack != NULL) {
		struct spout_coroutine *co = (struct spout_coroutine *)stack->user;

		say("coroutine stack overflow: ");
		say(co->options.where != NULL ? co->options.where : "a coroutine");
		if (co->scope.request_id != NULL) {
			say(", request ");
			say(co->scope.request_id);
		}
		say(" (see --stack-kib)\n");
	}
	/* The instruction runs again and meets the handler that was there before. */
	sigaction(signo, signo == SIGSEGV ? &old_segv : &old_bus, NULL);
}

static void
install(void)
{
	const stack_t ss = { .ss_sp = alt_stack, .ss_size = sizeof(alt_stack) };
	struct sigaction sa = { .sa_flags = SA_SIGINFO | SA_ONSTACK };

	if (SPOUT__SANITIZED)
		return;
	sa.sa_sigaction = on_fault;
	sigemptyset(&sa.sa_mask);
	if (sigaltstack(&ss, NULL) < 0)
		return;
	sigaction(SIGSEGV, &sa, &old_segv);
	sigaction(SIGBUS, &sa, &old_bus);
}

void
spout__overflow_install(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install);
}
