/* SPDX-License-Identifier: MIT */
/* getaddrinfo() under test: see fake_resolver.h. */
#include "config.h"

#include "fake_resolver.h"

#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>

_Atomic unsigned fake_resolver_calls, fake_resolver_hanging, fake_resolver_elsewhere;

static _Atomic unsigned releases;

typedef int (*getaddrinfo_fn)(const char *, const char *, const struct addrinfo *,
    struct addrinfo **);

static void
hang(void)
{
	unsigned now = atomic_load(&releases);

	atomic_fetch_add(&fake_resolver_hanging, 1);
	while (atomic_load(&releases) == now)
		poll(NULL, 0, 1);
	atomic_fetch_sub(&fake_resolver_hanging, 1);
}

void
fake_resolver_release(void)
{
	atomic_fetch_add(&releases, 1);
	while (atomic_load(&fake_resolver_hanging) > 0)
		poll(NULL, 0, 1);
}

static void
note_thread(void)
{
	char name[16] = "";

	pthread_getname_np(pthread_self(), name, sizeof(name));
	if (strcmp(name, "spout-resolve") != 0)
		atomic_fetch_add(&fake_resolver_elsewhere, 1);
}

int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
    struct addrinfo **ret)
{
	getaddrinfo_fn real = (getaddrinfo_fn)dlsym(RTLD_NEXT, "getaddrinfo");

	if (name == NULL || (hints != NULL && (hints->ai_flags & AI_NUMERICHOST) != 0))
		return real(name, service, hints, ret);
	atomic_fetch_add(&fake_resolver_calls, 1);
	note_thread();
	if (strcasecmp(name, "hung.test") == 0)
		hang();
	if (strcasecmp(name, "none.test") == 0 || strcasecmp(name, "hung.test") == 0)
		return EAI_NONAME;
	if (strcasecmp(name, "one.test") == 0)
		name = "127.0.0.1";
	if (strcasecmp(name, "two.test") == 0)
		name = "127.0.0.2";
	if (strcasecmp(name, "both.test") == 0)
		name = "localhost";
	return real(name, service, hints, ret);
}
