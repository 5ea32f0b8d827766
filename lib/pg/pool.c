/* SPDX-License-Identifier: MIT */
/*
 * Places of the pool: borrowing a connection for a job, giving it back, and what happens
 * while the database is down. On the threads of the jobs, and for the driver on the loop.
 *
 * Down is what one failed attempt to connect says. From then on one job at a time tries
 * again, not sooner than 100 ms later, then 200 and so on up to 1 s (10 s when the server
 * refuses us: a wrong password does not get better); all others fail at once. Nothing is
 * tried while nobody asks. The first success ends it. Going down, another reason and
 * coming back are logged, the attempts are not.
 */
#include "config.h"

#include "pg/pool.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <spout/log.h>

#include "base/clock.h"
#include "base/stats.h"

#define BACKOFF_MIN_MS 100u
#define BACKOFF_MAX_MS 1000u
#define BACKOFF_REFUSED_MS 10000u
#define PING_AFTER_MS 30000u
#define ROLLBACK_MS 1000u
/* An attempt that its own job cut short says "down" only if it took this long. */
#define TELLING_MS 1000u

/* --- down and up ------------------------------------------------------------------ */

/* May the job try to connect? With the lock. */
static bool
may_connect(struct spout__pg *pg, struct spout__pg_failure *ret_failure)
{
	if (pg->down && (pg->probing || spout__clock_ms() < pg->next_probe_ms)) {
		*ret_failure = pg->why_down;
		return false;
	}
	pg->probing = pg->down;
	return true;
}

static void
note_up(struct spout__pg *pg)
{
	bool was_down;

	pthread_mutex_lock(&pg->lock);
	was_down = pg->down;
	pg->down = pg->probing = false;
	pg->backoff_ms = 0;
	pthread_mutex_unlock(&pg->lock);
	if (was_down)
		spout_info("the database is back");
}

static uint64_t
next_backoff(struct spout__pg *pg, const struct spout__pg_failure *failure)
{
	if (spout__pg_refused(failure))
		return pg->backoff_ms = BACKOFF_REFUSED_MS;
	/* The pools of other workers start with us: keep out of step. */
	pg->backoff_ms = pg->backoff_ms == 0 ? BACKOFF_MIN_MS : pg->backoff_ms * 2;
	if (pg->backoff_ms > BACKOFF_MAX_MS)
		pg->backoff_ms = BACKOFF_MAX_MS;
	return pg->backoff_ms - spout__clock_ns() / 1000 % (pg->backoff_ms / 4);
}

static void
note_failure(struct spout__pg *pg, const struct spout__pg_failure *failure, bool telling)
{
	char text[sizeof(failure->text) + 32];
	uint64_t now_ms = spout__clock_ms();
	bool news = false;

	pthread_mutex_lock(&pg->lock);
	pg->probing = false;
	/* Of attempts made at the same time the first to fail speaks for all. */
	if (telling && (!pg->down || now_ms >= pg->next_probe_ms)) {
		news = !pg->down || strcmp(pg->why_down.text, failure->text) != 0;
		pg->down = true;
		pg->why_down = *failure;
		pg->next_probe_ms = now_ms + next_backoff(pg, failure);
	}
	pthread_mutex_unlock(&pg->lock);
	if (!news)
		return;
	spout__pg_failure_text(failure, text, sizeof(text));
	spout_warning("the database is down: %s", text);
}

void
spout__pg_not_tried(struct spout__pg *pg)
{
	pthread_mutex_lock(&pg->lock);
	pg->probing = false;
	pthread_mutex_unlock(&pg->lock);
}

int
spout__pg_admit(struct spout__pg *pg, struct spout__pg_failure *ret_failure)
{
	bool hopeless;

	pthread_mutex_lock(&pg->lock);
	/* While another connection works, it may become free. */
	hopeless = pg->down && pg->open == 0 &&
	    (pg->probing || spout__clock_ms() < pg->next_probe_ms);
	if (hopeless)
		*ret_failure = pg->why_down;
	pthread_mutex_unlock(&pg->lock);
	return hopeless ? ret_failure->error : 0;
}

/* --- who has which ---------------------------------------------------------------- */

/* With the lock. */
static void
bind_job(struct spout__pg_conn *conn, struct spout__pg_job *job)
{
	conn->job = job;
	conn->borrower = job->name;
	conn->borrowed_ms = spout__clock_ms();
	conn->told = false;
	job->conn = conn;
	conn->failure.error = 0;
	conn->unsent = false;
}

/* With the lock. */
static void
wake(struct spout__pg_conn *conn)
{
	if (!conn->woken)
		(void)eventfd_write(conn->wake_fd, 1);
	conn->woken = true;
}

void
spout__pg_wake(struct spout__pg_conn *conn)
{
	pthread_mutex_lock(&conn->pg->lock);
	wake(conn);
	pthread_mutex_unlock(&conn->pg->lock);
}

void
spout__pg_wake_over(struct spout__pg_conn *conn)
{
	eventfd_t ignored;
	bool woken;

	pthread_mutex_lock(&conn->pg->lock);
	woken = conn->woken;
	conn->woken = false;
	pthread_mutex_unlock(&conn->pg->lock);
	if (woken)
		(void)eventfd_read(conn->wake_fd, &ignored);
}

/* From here on nobody reaches the job through the connection, nor the other way. */
static void
unbind_job(struct spout__pg_conn *conn)
{
	struct spout__pg *pg = conn->pg;

	pthread_mutex_lock(&pg->lock);
	conn->job->conn = NULL;
	conn->job = NULL;
	pthread_mutex_unlock(&pg->lock);
	spout__pg_wake_over(conn);
}

bool
spout__pg_cancelled(struct spout__pg_job *job)
{
	bool cancelled;

	pthread_mutex_lock(&job->pg->lock);
	cancelled = job->cancelled;
	pthread_mutex_unlock(&job->pg->lock);
	return cancelled;
}

void
spout__pg_cancel(struct spout__pg_job *job)
{
	struct spout__pg *pg = job->pg;

	pthread_mutex_lock(&pg->lock);
	job->cancelled = true;
	if (job->conn != NULL && !job->conn->woken) {
		wake(job->conn);
		spout__pg_cancel_locked(job->conn);
	}
	pthread_mutex_unlock(&pg->lock);
}

void
spout__pg_cut(struct spout__pg_job *job)
{
	struct spout__pg *pg = job->pg;

	pthread_mutex_lock(&pg->lock);
	if (job->conn != NULL && job->conn->logged_in)
		(void)shutdown(job->conn->socket_dup, SHUT_RDWR);
	pthread_mutex_unlock(&pg->lock);
}

/* --- borrowing -------------------------------------------------------------------- */

void
spout__pg_shelve(struct spout__pg_conn *conn)
{
	struct spout__pg *pg = conn->pg;

	pthread_mutex_lock(&pg->lock);
	spout__list_push_front(conn->pq != NULL ? &pg->idle : &pg->empty, &conn->link);
	pthread_mutex_unlock(&pg->lock);
}

struct spout__pg_conn *
spout__pg_take_idle(struct spout__pg *pg)
{
	struct spout__list *node;

	pthread_mutex_lock(&pg->lock);
	node = spout__list_pop(&pg->idle);
	pthread_mutex_unlock(&pg->lock);
	return node == NULL ? NULL
			    : spout__container_of(node, struct spout__pg_conn, link);
}

struct spout__pg_conn *
spout__pg_take_empty(struct spout__pg *pg, struct spout__pg_failure *ret_failure)
{
	struct spout__list *node = NULL;

	ret_failure->error = 0;
	pthread_mutex_lock(&pg->lock);
	if (!spout__list_empty(&pg->empty) && may_connect(pg, ret_failure))
		node = spout__list_pop(&pg->empty);
	pthread_mutex_unlock(&pg->lock);
	return node == NULL ? NULL
			    : spout__container_of(node, struct spout__pg_conn, link);
}

/* An idle place, an empty one that may connect, or NULL with job->failure. */
static struct spout__pg_conn *
take_place(struct spout__pg_job *job)
{
	struct spout__pg *pg = job->pg;
	struct spout__list *node = NULL;

	pthread_mutex_lock(&pg->lock);
	if (job->cancelled || pg->stopping)
		spout__pg_fail(&job->failure, -ECANCELED, "cancelled");
	else if ((node = spout__list_pop(&pg->idle)) == NULL &&
	    may_connect(pg, &job->failure) &&
	    (node = spout__list_pop(&pg->empty)) == NULL)
		spout__pg_fail(&job->failure, -ENOBUFS, "no database connection is free");
	if (node != NULL)
		bind_job(spout__container_of(node, struct spout__pg_conn, link), job);
	pthread_mutex_unlock(&pg->lock);
	return node == NULL ? NULL
			    : spout__container_of(node, struct spout__pg_conn, link);
}

bool
spout__pg_fit(struct spout__pg_conn *conn, bool ping)
{
	return conn->pid == getpid() && !spout__pg_stale(conn, spout__clock_ms()) &&
	    spout__pg_healthy(conn, ping);
}

bool
spout__pg_wants_ping(const struct spout__pg_conn *conn)
{
	return spout__clock_ms() - conn->idle_since_ms > PING_AFTER_MS;
}

int
spout__pg_log_in(struct spout__pg_conn *conn, uint64_t deadline_ms)
{
	struct spout__pg *pg = conn->pg;
	uint64_t start_ms = spout__clock_ms(),
		 until_ms = start_ms + pg->options.connect_ms;
	bool own_limit = deadline_ms != 0 && deadline_ms < until_ms;
	int r = spout__pg_connect(conn, own_limit ? deadline_ms : until_ms);
	bool cut_short;

	if (r == 0) {
		note_up(pg);
		return 0;
	}
	cut_short = r == -ECANCELED || (own_limit && spout__clock_ms() >= deadline_ms);
	note_failure(pg, &conn->failure,
	    r == -EHOSTDOWN &&
		(!cut_short || spout__clock_ms() - start_ms >= TELLING_MS));
	if (cut_short && r == -EHOSTDOWN)
		r = conn->failure.error = -ETIMEDOUT;
	return r;
}

struct spout__pg_conn *
spout__pg_borrow(struct spout__pg_job *job)
{
	struct spout__pg_conn *conn;
	bool connected;

	while ((conn = take_place(job)) != NULL) {
		if (conn->pq != NULL && spout__pg_fit(conn, spout__pg_wants_ping(conn))) {
			conn->reused = true;
			break;
		}
		/* A dead one is no reason to fail: the next one, or a new one, will do.
		 */
		if (conn->pq == NULL && spout__pg_log_in(conn, job->deadline_ms) == 0)
			break;
		connected = conn->pq != NULL;
		job->failure = conn->failure;
		unbind_job(conn);
		spout__pg_disconnect(conn);
		spout__pg_shelve(conn);
		if (!connected)
			return NULL;
	}
	if (conn != NULL)
		spout__gauge_add_shared(SPOUT__G_PG_CONNECTIONS_BUSY, 1);
	return conn;
}

/* --- returning -------------------------------------------------------------------- */

/* Out of any transaction, nothing half done? Rolls back what the job left open. */
bool
spout__pg_make_clean(struct spout__pg_conn *conn)
{
	if (PQpipelineStatus(conn->pq) != PQ_PIPELINE_OFF ||
	    PQsetnonblocking(conn->pq, 1) != 0)
		return false;
	switch (PQtransactionStatus(conn->pq)) {
	case PQTRANS_IDLE:
		return true;
	case PQTRANS_INTRANS:
	case PQTRANS_INERROR:
		return spout__pg_command(
			   conn, "ROLLBACK", spout__clock_ms() + ROLLBACK_MS) == 0 &&
		    PQtransactionStatus(conn->pq) == PQTRANS_IDLE;
	default:
		return false;
	}
}

void
spout__pg_return(struct spout__pg_conn *conn)
{
	bool settled;

	unbind_job(conn);
	settled = spout__pg_cancel_settle(conn, !conn->doomed);
	conn->idle_since_ms = spout__clock_ms();
	if (!settled || conn->doomed || PQstatus(conn->pq) != CONNECTION_OK ||
	    spout__pg_stale(conn, conn->idle_since_ms) || !spout__pg_make_clean(conn) ||
	    conn->doomed)
		spout__pg_disconnect(conn);
	spout__gauge_add_shared(SPOUT__G_PG_CONNECTIONS_BUSY, -1);
	spout__pg_shelve(conn);
}

/* --- maintenance ------------------------------------------------------------------ */

/* Too old, unused for too long, or something is to be read from it? */
static bool
wants_a_look(const struct spout__pg_conn *conn, uint64_t now_ms)
{
	struct pollfd fd = { .fd = PQsocket(conn->pq), .events = POLLIN };

	return spout__pg_stale(conn, now_ms) ||
	    now_ms - conn->idle_since_ms >= conn->pg->options.idle_ms ||
	    poll(&fd, 1, 0) != 0;
}

/* Without it fewer would be open than there should be. */
static bool
is_needed(struct spout__pg *pg)
{
	bool needed;

	pthread_mutex_lock(&pg->lock);
	needed = pg->open <= pg->options.min_conns;
	pthread_mutex_unlock(&pg->lock);
	return needed;
}

static bool
worth_keeping(struct spout__pg_conn *conn, uint64_t now_ms)
{
	return !spout__pg_stale(conn, now_ms) &&
	    (now_ms - conn->idle_since_ms < conn->pg->options.idle_ms ||
		is_needed(conn->pg)) &&
	    spout__pg_healthy(conn, false);
}

void
spout__pg_maintain(struct spout__pg *pg)
{
	struct spout__pg_conn *conn;
	struct spout__list looked_at, *it, *next;
	uint64_t now_ms = spout__clock_ms();

	spout__list_init(&looked_at);
	pthread_mutex_lock(&pg->lock);
	spout__list_for_each_safe(it, next, &pg->idle) {
		if (!wants_a_look(
			spout__container_of(it, struct spout__pg_conn, link), now_ms))
			continue;
		spout__list_remove(it);
		spout__list_push(&looked_at, it);
	}
	pthread_mutex_unlock(&pg->lock);
	while ((it = spout__list_pop(&looked_at)) != NULL) {
		conn = spout__container_of(it, struct spout__pg_conn, link);
		if (!worth_keeping(conn, now_ms))
			spout__pg_disconnect(conn);
		spout__pg_shelve(conn);
	}
}

void
spout__pg_close_all(struct spout__pg *pg)
{
	struct spout__list *it;

	spout__list_for_each(it, &pg->idle)
		spout__pg_disconnect(
		    spout__container_of(it, struct spout__pg_conn, link));
	spout__list_splice(&pg->empty, &pg->idle);
}
