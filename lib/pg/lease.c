/* SPDX-License-Identifier: MIT */
/* A connection for one coroutine: see lease.h. Loop thread. */
#include "config.h"

#include "pg/lease.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/stats.h"

/* A coroutine that waits for the socket; on its stack. */
struct spout__lease_wait {
	struct spout__waker waker;
	struct spout__timer timer;
	struct spout__pg_lease *lease;
	unsigned events; /* that came */
};

/* --- the driver's side ------------------------------------------------------------ */

void
spout__lease_grant(struct spout__pg_lease *lease, struct spout__pg_pipe *pipe)
{
	spout__driver_move(pipe, SPOUT__PIPE_LEASED);
	spout__gauge_add_shared(SPOUT__G_PG_CONNECTIONS_BUSY, 1);
	pipe->busy = true;
	pipe->lease = lease;
	pipe->leased_ms = spout__clock_ms();
	pipe->told = false;
	spout__driver_acquired(pipe->driver, lease->request.queued_us);
	pipe->syncs = 0;
	pipe->waiting_bytes = 0;
	pipe->conn->failure.error = 0;
	lease->pipe = pipe;
	spout__driver_over(&lease->request, NULL);
}

/* The pipe is the driver's again. */
static struct spout__pg_pipe *
detach(struct spout__pg_lease *lease)
{
	struct spout__pg_pipe *pipe = lease->pipe;

	lease->pipe = NULL;
	pipe->lease = NULL;
	return pipe;
}

/* Nothing under way, no transaction, nothing that the next one would find? */
static bool
clean(const struct spout__pg_lease *lease)
{
	struct spout__pg_conn *conn = lease->pipe->conn;

	return !lease->busy && !lease->spoilt && !lease->pipe->broken && !conn->doomed &&
	    PQstatus(conn->pq) == CONNECTION_OK &&
	    !spout__pg_stale(conn, spout__clock_ms()) &&
	    PQtransactionStatus(conn->pq) == PQTRANS_IDLE &&
	    (PQpipelineStatus(conn->pq) != PQ_PIPELINE_OFF ||
		spout__pipe_mode(conn->pq)) &&
	    spout_loop_update_handler(lease->pipe->handler, SPOUT_READ) == 0;
}

static void
rest(struct spout__pg_pipe *pipe)
{
	spout__gauge_add_shared(SPOUT__G_PG_CONNECTIONS_BUSY, -1);
	pipe->busy = false;
	pipe->used_ms = spout__clock_ms();
	spout__driver_move(pipe, SPOUT__PIPE_RESTING);
	spout__driver_kick(pipe->driver);
}

static void
give_back(struct spout__pg_lease *lease)
{
	bool as_it_is = clean(lease);
	bool hopeless = (lease->spoilt && !lease->busy) || lease->pipe->broken ||
	    PQstatus(spout__lease_pq(lease)) != CONNECTION_OK ||
	    lease->pipe->driver->stopping;
	struct spout__pg_pipe *pipe = detach(lease);

	/* Closed in the middle of a statement, the server would only notice later. */
	pipe->conn->doomed |= lease->spoilt;
	if (as_it_is)
		rest(pipe);
	else if (hopeless)
		spout__pipe_lose(pipe);
	else
		spout__cleanse(pipe);
}

void
spout__lease_ready(struct spout__pg_pipe *pipe, unsigned events)
{
	struct spout__lease_wait *wait = pipe->lease->waiting;

	if (wait != NULL) {
		wait->events = events;
		spout__waker_wake(&wait->waker);
	} else if (spout_loop_update_handler(pipe->handler, 0) < 0) {
		/* News between two statements: looked at when the next one begins. */
		pipe->broken = true;
	}
}

void
spout__lease_cut_all(struct spout__pg_driver *driver)
{
	struct spout__pg_pipe *pipe;
	struct spout__list *it;

	spout__list_for_each(it, &driver->leased) {
		pipe = spout__container_of(it, struct spout__pg_pipe, link);
		(void)shutdown(pipe->conn->socket_dup, SHUT_RDWR);
	}
}

void
spout__lease_forget(struct spout__pg_pipe *pipe)
{
	struct spout__pg_lease *lease = pipe->lease;

	if (lease == NULL)
		return;
	spout__pg_fail(&lease->lost, -ECANCELED, "cancelled");
	(void)detach(lease);
	if (lease->waiting != NULL)
		spout__waker_wake(&lease->waiting->waker);
}

/* --- the coroutine's side --------------------------------------------------------- */

static void
scope_ends(struct spout__hold *hold)
{
	struct spout__pg_lease *lease =
	    spout__container_of(hold, struct spout__pg_lease, hold);

	if (lease->pipe != NULL)
		give_back(lease);
}

int
spout__lease_take(struct spout__pg_lease *lease, const char *what)
{
	struct spout_scope *scope = spout__coroutine_scope(spout__co_must(what));
	struct spout__pg_failure failure;
	struct spout__pg *pg = spout__pg_usable(scope->loop, &failure);
	char reason[sizeof(failure.text) + 32];
	int error;

	memset(lease, 0, sizeof(*lease));
	spout__list_init(&lease->hold.link);
	lease->what = what;
	if (pg == NULL) {
		spout__pg_count_error(failure.error);
		spout__pg_failure_text(&failure, reason, sizeof(reason));
		return spout__co_error(failure.error, "%s", reason);
	}
	spout__pg_fail(&lease->lost, -EINVAL, "%s: it was given back", what);
	spout__list_init(&lease->request.link);
	spout__future_init(&lease->request.future, scope, spout__driver_on_cancel);
	lease->request.driver = pg->driver;
	lease->request.lease = lease;
	lease->hold.release = scope_ends;
	spout__list_push_front(&scope->holds, &lease->hold.link);
	spout__driver_submit(&lease->request);
	error = spout_try_await(&lease->request.future);
	if (error < 0)
		spout__list_remove(&lease->hold.link);
	return error;
}

void
spout__lease_give(struct spout__pg_lease *lease)
{
	spout__list_remove(&lease->hold.link);
	if (lease->pipe != NULL)
		give_back(lease);
}

void
spout__lease_revoke(struct spout__pg_lease *lease, const struct spout__pg_failure *why)
{
	if (lease->pipe == NULL)
		return;
	lease->lost = *why;
	spout__lease_give(lease);
}

int
spout__lease_check(const struct spout__pg_lease *lease)
{
	char reason[sizeof(lease->lost.text) + 32];

	if (lease->pipe != NULL)
		return 0;
	spout__pg_failure_text(&lease->lost, reason, sizeof(reason));
	return spout__co_error(lease->lost.error, "%s", reason);
}

int
spout__lease_plain(struct spout__pg_lease *lease)
{
	int r = spout__lease_check(lease);

	if (r < 0 || PQexitPipelineMode(spout__lease_pq(lease)))
		return r;
	lease->pipe->broken = true;
	return spout__co_error(
	    -EHOSTDOWN, "%s", PQerrorMessage(spout__lease_pq(lease)));
}

/* --- waiting ---------------------------------------------------------------------- */

static void
wait_over(struct spout__waker *waker)
{
	struct spout__lease_wait *wait =
	    spout__container_of(waker, struct spout__lease_wait, waker);

	spout__timer_stop(&wait->timer);
	wait->lease->waiting = NULL;
}

static void
wait_timed_out(struct spout__timer *timer)
{
	spout__waker_wake(
	    &spout__container_of(timer, struct spout__lease_wait, timer)->waker);
}

int
spout__lease_wait(struct spout__pg_lease *lease, unsigned events, uint64_t ms)
{
	struct spout_coroutine *co = spout__co_must(lease->what);
	struct spout__lease_wait wait = { .waker = { .co = co, .detach = wait_over },
		.lease = lease };
	struct spout_loop *loop = spout__coroutine_scope(co)->loop;

	if (lease->waiting != NULL)
		spout__bug("%s: two coroutines use one connection", lease->what);
	if (lease->pipe == NULL || lease->pipe->broken ||
	    spout_loop_update_handler(lease->pipe->handler, events) < 0)
		return -EHOSTDOWN;
	spout__timer_init(&wait.timer, wait_timed_out);
	if (ms != SPOUT_FOREVER)
		spout__timer_start_at(loop, &wait.timer, spout__loop_after_ms(loop, ms));
	lease->waiting = &wait;
	spout__wait(&wait.waker, lease->what);
	if (lease->pipe == NULL)
		return -EHOSTDOWN;
	return wait.events != 0 ? (int)wait.events : -ETIMEDOUT;
}
