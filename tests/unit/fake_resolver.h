/* SPDX-License-Identifier: MIT */
/*
 * A getaddrinfo() of the test program, in place of the C library's:
 *
 *   hung.test    hangs until fake_resolver_release()
 *   one.test     127.0.0.1
 *   two.test     127.0.0.2
 *   both.test    ::1 and 127.0.0.1, whatever of them this machine has
 *   none.test    does not exist
 *   others       as usual
 *
 * A name that is looked up on a thread which is not the resolver's is counted.
 */
#ifndef SPOUT_TESTS_FAKE_RESOLVER_H
#define SPOUT_TESTS_FAKE_RESOLVER_H

#include <stdatomic.h>

/* Calls for names, numeric addresses not counted; those that hang; those that were made
 * on another thread than the resolver's. */
extern _Atomic unsigned fake_resolver_calls, fake_resolver_hanging;
extern _Atomic unsigned fake_resolver_elsewhere;

/** Let everybody who hangs in it go, and wait until they have. */
void fake_resolver_release(void);

#endif
