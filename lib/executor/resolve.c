/* SPDX-License-Identifier: MIT */
/*
 * The resolver of a loop: see resolve.h.
 *
 *   query:  QUEUED -> RUNNING on a thread -> DONE (in the cache, until it expires)
 *              \ nobody waits any more: freed
 *
 * `lock` guards the queue, the list of results and the count of threads. The threads are
 * detached, and each holds a reference: the last to leave frees the resolver.
 */
#include "config.h"

#include "executor/resolve.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "async/async.h"
#include "base/clock.h"
#include "executor/pool.h"

#define RESOLVER_THREADS 8u
#define QUEUE_MAX 256u
#define CACHE_MAX 256u
#define CACHE_MS 10000u       /* how long an answer is given again */
#define CACHE_FAILURE_MS 1000u /* … that there is none */
#define IDLE_MS 10000u

enum query_state { QUEUED, RUNNING, DONE };

struct spout__query {
	struct spout__list link;  /* in resolver->queue or ->results; guarded */
	enum query_state state;   /* guarded */
	int error;                /* the answer: the thread's until DONE */
	char reason[SPOUT__LOOKUP_WHY];
	struct spout__addresses addresses;
	/* Loop thread. */
	struct spout__list own;     /* in resolver->asked or ->cache */
	struct spout__list waiters; /* struct spout__lookup */
	uint64_t expires_ms;
	struct resolver *resolver;
	int family;
	char host[SPOUT__HOST_MAX];
};

struct resolver {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct spout__list queue, results;
	struct spout__post post;  /* pending while `posted`: there are results */
	unsigned refs, threads, idle, queued;
	bool posted, closed;      /* closed: the loop is gone */
	/* Loop thread. */
	struct spout_loop *loop;
	struct spout__list asked, cache; /* queries; the cache newest first */
	unsigned cached;
};

/* --- on the threads ---------------------------------------------------- */

static void
resolver_free(struct resolver *resolver)
{
	pthread_cond_destroy(&resolver->work);
	pthread_mutex_destroy(&resolver->lock);
	free(resolver);
}

/* With the lock, which it gives back. */
static void
resolver_unref(struct resolver *resolver)
{
	bool last = --resolver->refs == 0;

	pthread_mutex_unlock(&resolver->lock);
	if (last)
		resolver_free(resolver);
}

/* The next query; NULL: end, for want of work or of a loop. With the lock. */
static struct spout__query *
take(struct resolver *resolver)
{
	struct timespec until = spout__pool_timespec(
	    spout__clock_ns() + IDLE_MS * UINT64_C(1000000));
	struct spout__list *node;
	int r = 0;

	resolver->idle++;
	while (!resolver->closed && spout__list_empty(&resolver->queue) && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&resolver->work, &resolver->lock, &until);
	resolver->idle--;
	if (resolver->closed || (node = spout__list_pop(&resolver->queue)) == NULL)
		return NULL;
	resolver->queued--;
	return spout__container_of(node, struct spout__query, link);
}

/* With the lock. */
static void
hand_over(struct resolver *resolver, struct spout__query *query)
{
	if (resolver->closed) {
		free(query);
		return;
	}
	query->state = DONE;
	spout__list_push(&resolver->results, &query->link);
	if (!resolver->posted)
		spout__loop_post(resolver->loop, &resolver->post);
	resolver->posted = true;
}

static void *
thread_main(void *arg)
{
	struct resolver *resolver = arg;
	struct spout__query *query;

	pthread_setname_np(pthread_self(), "spout-resolve");
	pthread_mutex_lock(&resolver->lock);
	while ((query = take(resolver)) != NULL) {
		query->state = RUNNING;
		pthread_mutex_unlock(&resolver->lock);
		query->error = spout__addresses_look_up(
		    query->host, query->family, &query->addresses, query->reason);
		pthread_mutex_lock(&resolver->lock);
		hand_over(resolver, query);
	}
	resolver->threads--;
	resolver_unref(resolver);
	return NULL;
}

/* --- on the loop ---------------------------------------------------- */

static void
answer(struct spout__lookup *lookup, const struct spout__query *query)
{
	lookup->query = NULL;
	lookup->error = query->error;
	lookup->addresses = query->addresses;
	snprintf(lookup->reason, sizeof(lookup->reason), "%s", query->reason);
}

/* The cache keeps CACHE_MAX queries, those nobody waits for any more. */
static void
cache_trim(struct resolver *resolver)
{
	struct spout__query *oldest;

	if (resolver->cached <= CACHE_MAX)
		return;
	oldest = spout__container_of(resolver->cache.prev, struct spout__query, own);
	spout__list_remove(&oldest->own);
	resolver->cached--;
	free(oldest);
}

static void
settle(struct resolver *resolver, struct spout__query *query)
{
	struct spout__list *node;

	spout__list_remove(&query->own);
	spout__list_push_front(&resolver->cache, &query->own);
	resolver->cached++;
	query->expires_ms = spout__loop_after_ms(
	    resolver->loop, query->error == 0 ? CACHE_MS : CACHE_FAILURE_MS);
	while ((node = spout__list_pop(&query->waiters)) != NULL) {
		struct spout__lookup *lookup =
		    spout__container_of(node, struct spout__lookup, link);

		answer(lookup, query);
		lookup->on_done(lookup);
	}
	cache_trim(resolver);
}

static void
on_results(struct spout__post *post)
{
	struct resolver *resolver = spout__container_of(post, struct resolver, post);
	struct spout__list results, *node;

	spout__list_init(&results);
	pthread_mutex_lock(&resolver->lock);
	spout__list_splice(&results, &resolver->results);
	resolver->posted = false;
	pthread_mutex_unlock(&resolver->lock);
	while ((node = spout__list_pop(&results)) != NULL)
		settle(resolver, spout__container_of(node, struct spout__query, link));
}

static void
drop_queries(struct spout__list *list)
{
	struct spout__list *node, *waiting;

	while ((node = spout__list_pop(list)) != NULL) {
		struct spout__query *query =
		    spout__container_of(node, struct spout__query, own);

		while ((waiting = spout__list_pop(&query->waiters)) != NULL)
			spout__container_of(waiting, struct spout__lookup, link)->query =
			    NULL;
		spout__list_remove(&query->link);
		if (query->state != RUNNING) /* else its thread frees it */
			free(query);
	}
}

/* The loop goes. Threads that hang in a look-up are not waited for. */
static void
resolver_close(void *object)
{
	struct resolver *resolver = object;

	pthread_mutex_lock(&resolver->lock);
	drop_queries(&resolver->asked);
	drop_queries(&resolver->cache);
	resolver->closed = true;
	pthread_cond_broadcast(&resolver->work);
	resolver_unref(resolver);
}

static struct resolver *
resolver_of(struct spout_loop *loop)
{
	struct resolver *resolver = spout__loop_slot(loop, SPOUT__SLOT_RESOLVE);

	if (resolver != NULL)
		return resolver;
	resolver = calloc(1, sizeof(*resolver));
	if (resolver == NULL)
		return NULL;
	pthread_mutex_init(&resolver->lock, NULL);
	spout__pool_cond_init(&resolver->work);
	spout__list_init(&resolver->queue);
	spout__list_init(&resolver->results);
	spout__list_init(&resolver->asked);
	spout__list_init(&resolver->cache);
	resolver->post.run = on_results;
	resolver->refs = 1;
	resolver->loop = loop;
	spout__loop_set_slot(loop, SPOUT__SLOT_RESOLVE, resolver, resolver_close);
	return resolver;
}

static struct spout__query *
find(struct spout__list *list, const char *host, int family)
{
	struct spout__list *node;

	spout__list_for_each(node, list) {
		struct spout__query *query =
		    spout__container_of(node, struct spout__query, own);

		if (query->family == family && strcasecmp(query->host, host) == 0)
			return query;
	}
	return NULL;
}

/* A cached answer that still holds, or NULL. */
static struct spout__query *
find_cached(struct resolver *resolver, const char *host, int family)
{
	struct spout__query *query = find(&resolver->cache, host, family);

	if (query == NULL || query->expires_ms > spout_loop_now_ms(resolver->loop))
		return query;
	spout__list_remove(&query->own);
	resolver->cached--;
	free(query);
	return NULL;
}

/* A thread that will see what is queued next. Returns 0 or -errno. With the lock. */
static int
ensure_thread(struct resolver *resolver)
{
	pthread_t id;
	int r;

	if (resolver->idle > resolver->queued || resolver->threads == RESOLVER_THREADS)
		return 0;
	r = spout__thread_create(&id, true, thread_main, resolver);
	if (r == 0) {
		resolver->threads++;
		resolver->refs++;
	}
	return resolver->threads > 0 ? 0 : r;
}

static int
ask(struct resolver *resolver, struct spout__query *query)
{
	int r = -ENOBUFS;

	pthread_mutex_lock(&resolver->lock);
	if (resolver->queued < QUEUE_MAX)
		r = ensure_thread(resolver);
	if (r == 0) {
		spout__list_push(&resolver->queue, &query->link);
		resolver->queued++;
		pthread_cond_signal(&resolver->work);
	}
	pthread_mutex_unlock(&resolver->lock);
	return r;
}

static struct spout__query *
query_new(struct resolver *resolver, const char *host, int family)
{
	struct spout__query *query = calloc(1, sizeof(*query));

	if (query == NULL)
		return NULL;
	spout__list_init(&query->link);
	spout__list_init(&query->own);
	spout__list_init(&query->waiters);
	query->resolver = resolver;
	query->family = family;
	snprintf(query->host, sizeof(query->host), "%s", host);
	return query;
}

static int
refuse(struct spout__lookup *lookup, const char *host, int error, const char *why)
{
	lookup->error = error;
	snprintf(lookup->reason, sizeof(lookup->reason), "looking up %.100s: %s", host,
	    why);
	return error;
}

static int
ask_anew(struct resolver *resolver, struct spout__lookup *lookup, const char *host,
    int family)
{
	struct spout__query *query = query_new(resolver, host, family);
	int r;

	if (query == NULL)
		return refuse(lookup, host, -ENOMEM, "out of memory");
	r = ask(resolver, query);
	if (r < 0) {
		free(query);
		return refuse(lookup, host, r,
		    r == -ENOBUFS ? "too many look-ups are waiting" : strerror(-r));
	}
	spout__list_push(&resolver->asked, &query->own);
	spout__list_push(&query->waiters, &lookup->link);
	lookup->query = query;
	return 0;
}

int
spout__lookup_start(struct spout_loop *loop, struct spout__lookup *lookup,
    const char *host, int family)
{
	struct resolver *resolver;
	struct spout__query *query;

	lookup->query = NULL;
	lookup->error = 0;
	spout__list_init(&lookup->link);
	if (spout__addresses_parse(host, family, &lookup->addresses))
		return 1;
	if (strlen(host) >= SPOUT__HOST_MAX)
		return refuse(lookup, host, -EHOSTUNREACH, "the name is too long");
	resolver = resolver_of(loop);
	if (resolver == NULL)
		return refuse(lookup, host, -ENOMEM, "out of memory");
	query = find_cached(resolver, host, family);
	if (query != NULL) {
		answer(lookup, query);
		return 1;
	}
	query = find(&resolver->asked, host, family);
	if (query == NULL)
		return ask_anew(resolver, lookup, host, family);
	spout__list_push(&query->waiters, &lookup->link);
	lookup->query = query;
	return 0;
}

void
spout__lookup_cancel(struct spout__lookup *lookup)
{
	struct spout__query *query = lookup->query;
	struct resolver *resolver;
	bool unasked;

	if (query == NULL)
		return;
	resolver = query->resolver;
	spout__list_remove(&lookup->link);
	lookup->query = NULL;
	if (!spout__list_empty(&query->waiters))
		return;
	pthread_mutex_lock(&resolver->lock);
	unasked = query->state == QUEUED;
	if (unasked) {
		spout__list_remove(&query->link);
		resolver->queued--;
	}
	pthread_mutex_unlock(&resolver->lock);
	if (!unasked)
		return;
	spout__list_remove(&query->own);
	free(query);
}

/* --- waiting for it ---------------------------------------------------- */

struct wait {
	struct spout__waker waker;
	struct spout__timer timer;
	struct spout__lookup lookup;
};

static void
wait_done(struct spout__lookup *lookup)
{
	spout__waker_wake(&spout__container_of(lookup, struct wait, lookup)->waker);
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
	if (wait->lookup.query != NULL)
		wait->lookup.error = -ETIMEDOUT;
	spout__lookup_cancel(&wait->lookup);
}

int
spout__resolve(const char *host, uint16_t port, int family, uint64_t ms,
    struct spout__addresses *ret)
{
	struct spout_coroutine *co = spout__co_must("spout_tcp_connect");
	struct spout_loop *loop = spout_loop_current();
	struct wait wait = { .waker = { .co = co, .detach = wait_detach },
		.lookup.on_done = wait_done };
	int r = spout__lookup_start(loop, &wait.lookup, host, family);

	if (r == 0) {
		spout__timer_init(&wait.timer, wait_timed_out);
		spout__timer_start_at(loop, &wait.timer, spout__loop_after_ms(loop, ms));
		spout__wait(&wait.waker, "spout_tcp_connect");
	}
	if (wait.lookup.error == -ETIMEDOUT && wait.lookup.reason[0] == '\0')
		return spout__co_error(-ETIMEDOUT,
		    "looking up %.100s: no answer in %llu ms", host,
		    (unsigned long long)ms);
	if (wait.lookup.error != 0)
		return spout__co_error(wait.lookup.error, "%s", wait.lookup.reason);
	*ret = wait.lookup.addresses;
	spout__addresses_set_port(ret, port);
	return 0;
}
