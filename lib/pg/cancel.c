/* SPDX-License-Identifier: MIT */
/*
 * Cancelling what runs on the server, on one thread of the pool.
 *
 * PQcancel() blocks: it opens a connection of its own and waits until the server closes
 * that. A db thread could not do it for another, when all of them wait in queries, and
 * the loop may not. So requests are entries on a list, at most one per connection; the
 * thread sends each at once and again after 50, 100, 200 … ms, for a request that arrives
 * before its statement does is lost, and so is the one between two statements of a
 * function.
 *
 *   WANTED --sent--> SENDING --answered--> WANTED (later) ...
 *      |                |
 *      +-- settled -----+--- settled: waited for, at most SPOUT__PG_CANCEL_GRACE_MS
 *
 * The job's thread settles the request before the connection is used for anything else:
 * the server closes a cancel connection only after it has sent the signal, and a signal
 * that finds a backend without a statement does nothing. A connection whose request did
 * not come back is closed, and the entry left behind to be freed by this thread.
 */
#include "config.h"

#include "pg/pool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include <spout/log.h>

#include "base/clock.h"
#include "base/stats.h"

#define RESEND_MS 50u

struct spout__pg_cancel {
	struct spout__list link; /* in pg->cancels */
	PGcancel *handle;        /* the connection's; ours once abandoned */
	uint64_t at_ms, pause_ms;
	bool sending, failed, abandoned;
	bool over; /* what was to be cancelled: not to be sent again */
};

/* The entry to be sent next, or NULL. With the lock. */
static struct spout__pg_cancel *
earliest(struct spout__pg *pg)
{
	struct spout__pg_cancel *cancel, *best = NULL;
	struct spout__list *it;

	spout__list_for_each(it, &pg->cancels) {
		cancel = spout__container_of(it, struct spout__pg_cancel, link);
		if (!cancel->over && (best == NULL || cancel->at_ms < best->at_ms))
			best = cancel;
	}
	return best;
}

/* With the lock, which it lets go of meanwhile. */
static void
send_cancel(struct spout__pg *pg, struct spout__pg_cancel *cancel)
{
	char why[256];
	bool sent;

	cancel->sending = true;
	pthread_mutex_unlock(&pg->lock);
	sent = PQcancel(cancel->handle, why, sizeof(why));
	spout__count_shared(SPOUT__C_PG_CANCELS, 1);
	if (!sent)
		spout_debug("cancel request: %s", why);
	pthread_mutex_lock(&pg->lock);
	if (cancel->abandoned) {
		PQfreeCancel(cancel->handle);
		free(cancel);
		return;
	}
	cancel->sending = false;
	cancel->failed |= !sent;
	cancel->at_ms = spout__clock_ms() + cancel->pause_ms;
	cancel->pause_ms *= 2;
	pthread_cond_broadcast(&pg->cancel_settled);
}

static struct timespec
timespec_of(uint64_t at_ms)
{
	return (
	    struct timespec){ (time_t)(at_ms / 1000), (long)(at_ms % 1000) * 1000000 };
}

static void *
canceller_main(void *arg)
{
	struct spout__pg *pg = arg;
	struct spout__pg_cancel *next;
	struct timespec until;

	pthread_setname_np(pthread_self(), "spout-pgcancel");
	pthread_mutex_lock(&pg->lock);
	while (!pg->canceller_stops) {
		next = earliest(pg);
		if (next == NULL) {
			pthread_cond_wait(&pg->cancel_wanted, &pg->lock);
		} else if (spout__clock_ms() < next->at_ms) {
			until = timespec_of(next->at_ms);
			pthread_cond_timedwait(&pg->cancel_wanted, &pg->lock, &until);
		} else {
			send_cancel(pg, next);
		}
	}
	pg->canceller_ended = true;
	pthread_cond_broadcast(&pg->cancel_settled);
	pthread_mutex_unlock(&pg->lock);
	return NULL;
}

/* With the lock. */
static bool
start_canceller(struct spout__pg *pg)
{
	sigset_t all, before;
	int error;

	if (pg->canceller_runs || pg->canceller_stops)
		return pg->canceller_runs;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&pg->canceller, NULL, canceller_main, pg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0)
		spout_warning(
		    "PostgreSQL: no thread for cancel requests: %s", strerror(error));
	return pg->canceller_runs = error == 0;
}

void
spout__pg_cancel_locked(struct spout__pg_conn *conn)
{
	struct spout__pg *pg = conn->pg;
	struct spout__pg_cancel *cancel;

	/* Without one, who waits for the statement gives up after its grace. */
	if (conn->cancel != NULL || conn->handle == NULL || !start_canceller(pg))
		return;
	cancel = calloc(1, sizeof(*cancel));
	if (cancel == NULL)
		return;
	cancel->handle = conn->handle;
	cancel->at_ms = spout__clock_ms();
	cancel->pause_ms = RESEND_MS;
	conn->cancel = cancel;
	spout__list_push(&pg->cancels, &cancel->link);
	pthread_cond_signal(&pg->cancel_wanted);
}

bool
spout__pg_cancel_settle(struct spout__pg_conn *conn, bool wait)
{
	struct spout__pg *pg = conn->pg;
	uint64_t until_ms = spout__clock_ms() + (wait ? SPOUT__PG_CANCEL_GRACE_MS : 0);
	struct timespec until = timespec_of(until_ms);
	struct spout__pg_cancel *cancel;
	bool settled = true;

	pthread_mutex_lock(&pg->lock);
	cancel = conn->cancel;
	conn->cancel = NULL;
	if (cancel != NULL) {
		while (cancel->sending &&
		    pthread_cond_timedwait(&pg->cancel_settled, &pg->lock, &until) == 0)
			continue;
		spout__list_remove(&cancel->link);
		settled = !cancel->sending && !cancel->failed;
		cancel->abandoned = cancel->sending;
		if (cancel->abandoned)
			conn->handle = NULL; /* taken over */
		else
			free(cancel);
	}
	pthread_mutex_unlock(&pg->lock);
	return settled;
}

int
spout__pg_cancel_look(struct spout__pg_conn *conn)
{
	struct spout__pg *pg = conn->pg;
	bool sending;

	pthread_mutex_lock(&pg->lock);
	sending = conn->cancel != NULL && conn->cancel->sending;
	if (conn->cancel != NULL)
		conn->cancel->over = true;
	pthread_mutex_unlock(&pg->lock);
	if (sending)
		return -EAGAIN;
	return spout__pg_cancel_settle(conn, false) ? 0 : -EIO;
}

void
spout__pg_cancel_init(struct spout__pg *pg)
{
	pthread_condattr_t attr;

	spout__list_init(&pg->cancels);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&pg->cancel_wanted, &attr);
	pthread_cond_init(&pg->cancel_settled, &attr);
	pthread_condattr_destroy(&attr);
}

int
spout__pg_cancel_stop(struct spout__pg *pg, uint64_t until_ms)
{
	struct timespec until = timespec_of(until_ms);
	bool ended;

	pthread_mutex_lock(&pg->lock);
	pg->canceller_stops = true;
	pthread_cond_signal(&pg->cancel_wanted);
	while (pg->canceller_runs && !pg->canceller_ended &&
	    pthread_cond_timedwait(&pg->cancel_settled, &pg->lock, &until) == 0)
		continue;
	ended = !pg->canceller_runs || pg->canceller_ended;
	pthread_mutex_unlock(&pg->lock);
	if (!ended)
		return -ETIMEDOUT;
	if (pg->canceller_runs)
		pthread_join(pg->canceller, NULL);
	pg->canceller_runs = false;
	return 0;
}
