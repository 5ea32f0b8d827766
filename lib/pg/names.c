/* SPDX-License-Identifier: MIT */
/*
 * The addresses of a name, for a log-in: on the db thread of that, which waits no longer
 * than it may. getaddrinfo() cannot be told to stop, so it runs on a thread of its own;
 * one that hangs is left behind with all that it needs, and ends by itself. There are
 * MAX_LOOKUPS of them in a process at most.
 */
#include "config.h"

#include "pg/pool.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "executor/pool.h"

#define MAX_LOOKUPS 16u

struct lookup {
	_Atomic unsigned refs;
	int answered;      /* eventfd */
	_Atomic bool done; /* all below is the answer */
	int error;
	char reason[SPOUT__LOOKUP_WHY];
	struct spout__addresses addresses;
	char host[SPOUT__HOST_MAX];
};

static _Atomic unsigned running;

static void
unref(struct lookup *lookup)
{
	if (atomic_fetch_sub(&lookup->refs, 1) != 1)
		return;
	close(lookup->answered);
	free(lookup);
}

static void *
lookup_main(void *arg)
{
	struct lookup *lookup = arg;

	pthread_setname_np(pthread_self(), "spout-resolve");
	lookup->error = spout__addresses_look_up(
	    lookup->host, AF_UNSPEC, &lookup->addresses, lookup->reason);
	atomic_store(&lookup->done, true);
	(void)eventfd_write(lookup->answered, 1);
	unref(lookup);
	atomic_fetch_sub(&running, 1);
	return NULL;
}

static struct lookup *
lookup_new(const char *host)
{
	struct lookup *lookup = calloc(1, sizeof(*lookup));

	if (lookup == NULL)
		return NULL;
	atomic_store(&lookup->refs, 1);
	snprintf(lookup->host, sizeof(lookup->host), "%s", host);
	lookup->answered = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (lookup->answered >= 0)
		return lookup;
	free(lookup);
	return NULL;
}

/* Returns 0 or -errno. */
static int
start(struct lookup *lookup)
{
	pthread_t id;
	int r = -EAGAIN;

	if (atomic_fetch_add(&running, 1) < MAX_LOOKUPS) {
		atomic_fetch_add(&lookup->refs, 1);
		r = spout__thread_create(&id, true, lookup_main, lookup);
		if (r < 0)
			atomic_fetch_sub(&lookup->refs, 1);
	}
	if (r < 0)
		atomic_fetch_sub(&running, 1);
	return r;
}

/* Returns 0 or -errno with the failure. */
static int
await(struct spout__pg_conn *conn, struct lookup *lookup, uint64_t until_ms,
    struct spout__addresses *ret)
{
	int r = spout__pg_wait_fd(conn, lookup->answered, POLLIN, until_ms, true);

	if (r == 0 || (r > 0 && !atomic_load(&lookup->done)))
		return spout__pg_fail(&conn->failure, -EHOSTDOWN,
		    "looking up %.100s took too long", lookup->host);
	if (r < 0)
		return spout__pg_fail(&conn->failure, r, "cancelled while connecting");
	if (lookup->error < 0)
		return spout__pg_fail(&conn->failure, -EHOSTDOWN, "%s", lookup->reason);
	*ret = lookup->addresses;
	return 0;
}

int
spout__pg_look_up(struct spout__pg_conn *conn, const char *host, uint64_t until_ms,
    struct spout__addresses *ret)
{
	struct lookup *lookup;
	int r;

	if (strlen(host) >= SPOUT__HOST_MAX)
		return spout__pg_fail(
		    &conn->failure, -EHOSTDOWN, "the name of a host is too long");
	if (spout__addresses_parse(host, AF_UNSPEC, ret))
		return 0;
	lookup = lookup_new(host);
	if (lookup == NULL)
		return spout__pg_fail(
		    &conn->failure, -ENOMEM, "out of memory or descriptors (look-up)");
	r = start(lookup);
	if (r < 0)
		spout__pg_fail(&conn->failure, r = -EHOSTDOWN,
		    "looking up %.100s: too many look-ups hang", host);
	else
		r = await(conn, lookup, until_ms, ret);
	unref(lookup);
	return r;
}
