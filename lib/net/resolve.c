/* SPDX-License-Identifier: MIT */
/* Names to addresses: see resolve.h. */
#include "config.h"

#include "net/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "executor/executor.h"

#define HOST_MAX 256

/* One look-up. Belongs to whoever waits for it, or to its job once nobody does. */
struct lookup {
	struct spout__job job;
	struct wait *wait; /* NULL: nobody waits any more */
	struct addrinfo hints, *list;
	int error;         /* of getaddrinfo() */
	int system_error;  /* errno, for EAI_SYSTEM */
	char host[HOST_MAX], service[8];
};

struct wait {
	struct spout__waker waker;
	struct spout__timer timer;
	struct lookup *lookup;
	bool done;
};

static void
lookup_free(struct lookup *lookup)
{
	if (lookup->list != NULL)
		freeaddrinfo(lookup->list);
	free(lookup);
}

/* On a thread of the pool. */
static int
lookup_run(void *arg)
{
	struct lookup *lookup = arg;

	lookup->error = getaddrinfo(
	    lookup->host, lookup->service, &lookup->hints, &lookup->list);
	lookup->system_error = errno;
	return 0;
}

static void
lookup_done(struct spout__job *job)
{
	struct lookup *lookup = spout__container_of(job, struct lookup, job);

	if (lookup->wait == NULL) {
		lookup_free(lookup);
		return;
	}
	lookup->wait->done = true;
	spout__waker_wake(&lookup->wait->waker);
}

static void
wait_timed_out(struct spout__timer *timer)
{
	spout__waker_wake(&spout__container_of(timer, struct wait, timer)->waker);
}

static void
wait_detach(struct spout__waker *waker)
{
	struct wait *wait = spout__container_of(waker, struct wait, waker);

	spout__timer_stop(&wait->timer);
	if (!wait->done) {
		wait->lookup->wait = NULL;
		spout__job_cancel(&wait->lookup->job); /* perhaps frees it now */
	} else if (spout__co_leaves(waker->co)) {
		lookup_free(wait->lookup);
	}
}

/* --- the answer --------------------------------------------------------------------- */

void
spout__addresses_interleave(struct spout__addresses *addresses)
{
	struct spout__addresses from = *addresses;
	bool taken[SPOUT__ADDRESSES_MAX] = { false };
	int last = AF_UNSPEC;

	for (unsigned n = 0; n < from.n; n++) {
		unsigned pick = from.n;

		/* The first one left of the other family, else the first one left. */
		for (unsigned i = from.n; i-- > 0;)
			if (!taken[i] && from.at[i].addr.ss_family != last)
				pick = i;
		for (unsigned i = 0; pick == from.n && i < from.n; i++)
			if (!taken[i])
				pick = i;
		taken[pick] = true;
		last = from.at[pick].addr.ss_family;
		addresses->at[n] = from.at[pick];
	}
}

static void
take_list(const struct addrinfo *list, struct spout__addresses *ret)
{
	ret->n = 0;
	for (; list != NULL && ret->n < SPOUT__ADDRESSES_MAX; list = list->ai_next) {
		memset(&ret->at[ret->n].addr, 0, sizeof(ret->at[ret->n].addr));
		memcpy(&ret->at[ret->n].addr, list->ai_addr, list->ai_addrlen);
		ret->at[ret->n++].len = list->ai_addrlen;
	}
	spout__addresses_interleave(ret);
}

static int
refuse(const char *host, int error, int system_error)
{
	int errno_of = -EHOSTUNREACH;

	if (error == EAI_MEMORY)
		errno_of = -ENOMEM;
	if (error == EAI_SYSTEM)
		return spout__co_error(system_error ? -system_error : errno_of,
		    "looking up %s: %s", host, strerror(system_error));
	return spout__co_error(errno_of, "looking up %s: %s", host, gai_strerror(error));
}

static int
lookup_wait(struct lookup *lookup, uint64_t ms, struct spout__addresses *ret)
{
	struct spout_coroutine *co = spout__co_must("spout_tcp_connect");
	struct wait wait = { .waker = { .co = co, .detach = wait_detach },
		.lookup = lookup };
	struct spout_loop *loop = spout_loop_current();
	char host[HOST_MAX];
	int r = 0;

	snprintf(host, sizeof(host), "%s", lookup->host);
	lookup->wait = &wait;
	spout__timer_init(&wait.timer, wait_timed_out);
	spout__timer_start_at(loop, &wait.timer, spout__loop_after_ms(loop, ms));
	spout__wait(&wait.waker, "spout_tcp_connect");
	if (!wait.done)
		return spout__co_error(-ETIMEDOUT, "looking up %s: no answer in %llu ms",
		    host, (unsigned long long)ms);
	if (lookup->job.result < 0)
		r = refuse(host, EAI_SYSTEM, -lookup->job.result);
	else if (lookup->error != 0)
		r = refuse(host, lookup->error, lookup->system_error);
	else
		take_list(lookup->list, ret);
	lookup_free(lookup);
	return r;
}

static int
look_up(const char *host, const char *service, const struct addrinfo *hints, uint64_t ms,
    struct spout__addresses *ret)
{
	struct lookup *lookup;
	int r;

	if (strlen(host) >= HOST_MAX)
		return refuse(host, EAI_NONAME, 0);
	lookup = calloc(1, sizeof(*lookup));
	if (lookup == NULL)
		return refuse(host, EAI_MEMORY, 0);
	snprintf(lookup->host, sizeof(lookup->host), "%s", host);
	snprintf(lookup->service, sizeof(lookup->service), "%s", service);
	lookup->hints = *hints;
	lookup->job = (struct spout__job){ .fn = lookup_run, .arg = lookup,
		.name = "getaddrinfo", .on_done = lookup_done };
	r = spout__job_submit(SPOUT_POOL_BLOCKING, &lookup->job);
	if (r == 0)
		return lookup_wait(lookup, ms, ret);
	free(lookup);
	return spout__co_error(r, "looking up %s: %s", host, spout__job_refusal(r));
}

int
spout__resolve(const char *host, uint16_t port, int family, uint64_t ms,
    struct spout__addresses *ret)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_family = family, .ai_socktype = SOCK_STREAM }, *list;
	char service[8];

	snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(host, service, &hints, &list) == 0) {
		take_list(list, ret);
		freeaddrinfo(list);
		return 0;
	}
	hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
	return look_up(host, service, &hints, ms, ret);
}
