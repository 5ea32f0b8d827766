/* SPDX-License-Identifier: MIT */
/*
 * The connection that listens: made on a thread of its own, looked after on the loop.
 * See listen.h for its states.
 *
 * It hears by itself when the server closes it. When the machine at the other end has
 * gone, or the way to it, only asking shows that: after listen_check_ms without a word
 * the server gets an empty query, and has a third of that time to answer.
 */
#include "config.h"

#include "pg/listen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <spout/log.h>

#include "base/clock.h"
#include "base/stats.h"

#define BACKOFF_MIN_MS 100u
#define BACKOFF_MAX_MS 5000u
#define BACKOFF_REFUSED_MS 10000u
#define ANSWER_MIN_MS 1000u
/* Of one thread, which logs in; found by its name, for others may close it first. */
#define POOL "pg-listen"
/* Channels in one query. */
#define BATCH 32u
/* UNLISTEN "…"; with every byte of the name doubled. */
#define COMMAND_BYTES (2 * SPOUT__PG_CHANNEL_BYTES + 16)

static void
start_timer(struct spout__pg_listener *listener, uint64_t ms)
{
	struct spout_loop *loop = listener->pg->loop;

	spout__timer_start_at(loop, &listener->timer, spout__loop_after_ms(loop, ms));
}

/* A loss is logged once, until it works again. */
static void
note_loss(struct spout__pg_listener *listener, const struct spout__pg_failure *failure)
{
	char text[sizeof(failure->text) + 32];

	if (listener->was_lost)
		return;
	listener->was_lost = true;
	spout__pg_failure_text(failure, text, sizeof(text));
	spout_warning("PostgreSQL: not listening to notifications: %s", text);
}

static void
note_success(struct spout__pg_listener *listener)
{
	listener->backoff_ms = 0;
	if (listener->was_lost)
		spout_info("PostgreSQL: listening to notifications again");
	listener->was_lost = false;
}

/* --- losing it -------------------------------------------------------------------- */

/* Nothing is heard any more: everything has to be told anew. */
static void
forget_channels(struct spout__pg_listener *listener)
{
	struct spout__list *it, *next;
	struct spout__pg_channel *channel;

	spout__list_for_each_safe(it, next, &listener->channels) {
		channel = spout__container_of(it, struct spout__pg_channel, link);
		channel->state = SPOUT__CHANNEL_ABSENT;
		spout__list_remove(&channel->due);
		spout__list_push(&listener->due, &channel->due);
		spout__pg_channel_settle(listener, channel);
	}
}

static void
disconnect(struct spout__pg_listener *listener)
{
	if (listener->handler != NULL)
		spout_loop_remove_handler(listener->handler);
	listener->handler = NULL;
	spout__timer_stop(&listener->timer);
	spout__pg_disconnect(&listener->conn);
	listener->running = listener->lost = listener->one_by_one = false;
}

/* Out of step with other workers. */
static uint64_t
next_backoff(struct spout__pg_listener *listener)
{
	unsigned ms = listener->backoff_ms * 2;

	if (spout__pg_refused(&listener->conn.failure))
		ms = BACKOFF_REFUSED_MS;
	else if (ms < BACKOFF_MIN_MS)
		ms = BACKOFF_MIN_MS;
	else if (ms > BACKOFF_MAX_MS)
		ms = BACKOFF_MAX_MS;
	listener->backoff_ms = ms;
	return ms / 2 + spout__clock_ns() / 1000 % (ms / 2);
}

/* It cannot be used, for the reason in conn.failure: try another one, later. */
static void
lose(struct spout__pg_listener *listener)
{
	if (listener->state == SPOUT__LISTENER_READY)
		spout__count(SPOUT__C_PG_LISTEN_LOSSES, 1);
	note_loss(listener, &listener->conn.failure);
	disconnect(listener);
	forget_channels(listener);
	if (spout__list_empty(&listener->channels)) {
		listener->state = SPOUT__LISTENER_OFF;
		return;
	}
	listener->state = SPOUT__LISTENER_PAUSING;
	start_timer(listener, next_backoff(listener));
}

static void
lose_with(struct spout__pg_listener *listener, const char *why)
{
	spout__pg_fail(&listener->conn.failure, -EHOSTDOWN, "%s", why);
	lose(listener);
}

/* --- telling the server ----------------------------------------------------------- */

/* Append `LISTEN "name";` */
static size_t
append_command(char *to, const char *verb, const char *name)
{
	size_t n = (size_t)sprintf(to, "%s \"", verb);

	for (; *name != '\0'; name++) {
		if (*name == '"')
			to[n++] = '"';
		to[n++] = *name;
	}
	memcpy(to + n, "\";", 3);
	return n + 2;
}

/* What is due, as SQL; the channels in it are asked from now on. */
static size_t
take_batch(struct spout__pg_listener *listener, char *sql)
{
	unsigned most = listener->one_by_one ? 1 : BATCH, n = 0;
	struct spout__pg_channel *channel;
	struct spout__list *node;
	size_t len = 0;

	while (n < most && (node = spout__list_pop(&listener->due)) != NULL) {
		channel = spout__container_of(node, struct spout__pg_channel, due);
		if (channel->state == SPOUT__CHANNEL_ABSENT &&
		    !spout__list_empty(&channel->subscriptions)) {
			channel->state = SPOUT__CHANNEL_ASKED;
			len += append_command(sql + len, "LISTEN", channel->name);
		} else if (channel->state == SPOUT__CHANNEL_HEARD &&
		    spout__list_empty(&channel->subscriptions)) {
			channel->state = SPOUT__CHANNEL_LEAVING;
			len += append_command(sql + len, "UNLISTEN", channel->name);
		} else {
			spout__pg_channel_settle(listener, channel);
			continue;
		}
		spout__list_push(&listener->asked, &channel->due);
		n++;
	}
	return len;
}

static void
send_query(struct spout__pg_listener *listener, const char *sql)
{
	unsigned limit_ms = listener->pg->options.listen_check_ms / 3;

	listener->running = true;
	if (!PQsendQuery(listener->conn.pq, sql))
		listener->lost = true;
	start_timer(listener, limit_ms > ANSWER_MIN_MS ? limit_ms : ANSWER_MIN_MS);
}

static void
flush(struct spout__pg_listener *listener)
{
	int left = listener->lost ? -1 : PQflush(listener->conn.pq);

	if (left < 0 ||
	    spout_loop_update_handler(
		listener->handler, SPOUT_READ | (left > 0 ? SPOUT_WRITE : 0)) < 0)
		listener->lost = true;
}

/* Tell what is due, if the server is not busy with something else. */
static void
tell(struct spout__pg_listener *listener)
{
	char sql[BATCH * COMMAND_BYTES];

	if (listener->running || listener->lost)
		return;
	if (take_batch(listener, sql) > 0)
		send_query(listener, sql);
	flush(listener);
}

/* Something was heard: tell what is due, and ask when nothing was heard for long. */
static void
go_on(struct spout__pg_listener *listener)
{
	if (!listener->running)
		start_timer(listener, listener->pg->options.listen_check_ms);
	if (listener->running)
		flush(listener);
	else
		tell(listener);
}

/* --- what it answers -------------------------------------------------------------- */

static void
asked_is_done(struct spout__pg_listener *listener)
{
	struct spout__pg_channel *channel;
	struct spout__list *node;

	while ((node = spout__list_pop(&listener->asked)) != NULL) {
		channel = spout__container_of(node, struct spout__pg_channel, due);
		/* Whatever has changed meanwhile is due. */
		spout__list_push(&listener->due, &channel->due);
		if (channel->state == SPOUT__CHANNEL_ASKED) {
			channel->state = SPOUT__CHANNEL_HEARD;
			spout__pg_channel_announce(listener, channel);
		} else {
			channel->state = SPOUT__CHANNEL_ABSENT;
		}
	}
	if (spout__list_empty(&listener->due))
		listener->one_by_one = false;
}

/* Nothing of it was done: each alone, until it is known which one was refused. */
static void
asked_is_refused(struct spout__pg_listener *listener)
{
	const struct spout__pg_failure *failure = &listener->conn.failure;
	struct spout__pg_channel *channel;
	struct spout__list *node;

	/* A standby: not the server to listen at. */
	if (strcmp(failure->sqlstate, "25006") == 0)
		listener->lost = true;
	while ((node = spout__list_pop(&listener->asked)) != NULL) {
		channel = spout__container_of(node, struct spout__pg_channel, due);
		if (channel->state == SPOUT__CHANNEL_LEAVING)
			channel->state = SPOUT__CHANNEL_HEARD;
		else if (listener->one_by_one)
			channel->state = SPOUT__CHANNEL_REFUSED;
		else
			channel->state = SPOUT__CHANNEL_ABSENT;
		if (channel->state == SPOUT__CHANNEL_REFUSED)
			spout_warning("PostgreSQL: channel %s: %s", channel->name,
			    failure->text);
		else
			spout__list_push(&listener->due, &channel->due);
	}
	listener->one_by_one = true;
}

static void
query_over(struct spout__pg_listener *listener)
{
	struct spout__pg_failure *failure = &listener->conn.failure;

	listener->running = false;
	if (failure->error == 0) {
		note_success(listener);
		asked_is_done(listener);
	} else if (spout__list_empty(&listener->asked)) {
		listener->lost = true;
	} else {
		asked_is_refused(listener);
	}
	if (!listener->lost)
		failure->error = 0;
}

static void
take_results(struct spout__pg_listener *listener)
{
	PGconn *pq = listener->conn.pq;
	PGresult *result;

	while (listener->running && !listener->lost && !PQisBusy(pq)) {
		result = PQgetResult(pq);
		if (result == NULL) {
			query_over(listener);
			continue;
		}
		if (PQresultStatus(result) == PGRES_FATAL_ERROR)
			spout__pg_fail_with_result(&listener->conn.failure, result);
		PQclear(result);
	}
}

static void
take_notifications(struct spout__pg_listener *listener)
{
	PGnotify *notification;

	while (!listener->stopped &&
	    (notification = PQnotifies(listener->conn.pq)) != NULL) {
		spout__pg_listener_deliver(listener, notification);
		PQfreemem(notification);
	}
}

static void
lose_if_lost(struct spout__pg_listener *listener)
{
	if (!listener->lost)
		return;
	spout__pg_last_words(&listener->conn);
	lose(listener);
}

static void
on_socket(int fd, unsigned events, void *arg)
{
	struct spout__pg_listener *listener = arg;
	struct spout__pg_conn *conn = &listener->conn;

	(void)fd;
	if ((events & SPOUT_READ) != 0) {
		if (!PQconsumeInput(conn->pq) || conn->doomed)
			listener->lost = true;
		take_notifications(listener);
		take_results(listener);
		/* What came behind the end of the query. */
		take_notifications(listener);
	}
	go_on(listener);
	lose_if_lost(listener);
}

/* --- making it -------------------------------------------------------------------- */

/* On the thread. */
static int
log_in_main(void *arg)
{
	struct spout__pg_listener *listener = arg;

	return spout__pg_connect(&listener->conn,
	    spout__clock_ms() + listener->pg->options.connect_ms);
}

static void
on_logged_in(struct spout__job *job)
{
	struct spout__pg_listener *listener =
	    spout__container_of(job, struct spout__pg_listener, job);
	struct spout__pg_conn *conn = &listener->conn;

	if (listener->stopped)
		return;
	if (job->result < 0) {
		if (conn->failure.error == 0)
			spout__pg_fail(&conn->failure, job->result, "not connected");
		lose(listener);
		return;
	}
	listener->handler = spout_loop_add_handler(
	    listener->pg->loop, PQsocket(conn->pq), SPOUT_READ, on_socket, listener);
	if (listener->handler == NULL) {
		lose_with(listener, "out of memory");
		return;
	}
	listener->state = SPOUT__LISTENER_READY;
	conn->failure.error = 0;
	go_on(listener);
	lose_if_lost(listener);
}

static void
log_in(struct spout__pg_listener *listener)
{
	struct spout_pool *pool = spout_pool_get(POOL);
	int error = -ENOMEM;

	listener->conn.failure.error = 0;
	listener->state = SPOUT__LISTENER_CONNECTING;
	if (pool == NULL)
		pool = spout_pool_new(POOL);
	listener->job = (struct spout__job){ .fn = log_in_main,
		.arg = listener,
		.name = "PostgreSQL listener",
		.on_done = on_logged_in };
	if (pool != NULL)
		error = spout__job_submit(pool, &listener->job);
	if (error != 0)
		lose_with(listener, "no thread to connect on");
}

/* --- looking after it ------------------------------------------------------------- */

static void
retry_refused(struct spout__pg_listener *listener)
{
	struct spout__pg_channel *channel;
	struct spout__list *it;

	spout__list_for_each(it, &listener->channels) {
		channel = spout__container_of(it, struct spout__pg_channel, link);
		if (channel->state != SPOUT__CHANNEL_REFUSED)
			continue;
		channel->state = SPOUT__CHANNEL_ABSENT;
		spout__list_push(&listener->due, &channel->due);
	}
}

static void
look_after(struct spout__pg_listener *listener)
{
	if (listener->running) {
		lose_with(listener, "the server does not answer");
		return;
	}
	if (spout__list_empty(&listener->channels)) {
		disconnect(listener);
		listener->state = SPOUT__LISTENER_OFF;
		return;
	}
	retry_refused(listener);
	if (spout__list_empty(&listener->due))
		send_query(listener, "");
	go_on(listener);
	lose_if_lost(listener);
}

static void
on_timer(struct spout__timer *timer)
{
	struct spout__pg_listener *listener =
	    spout__container_of(timer, struct spout__pg_listener, timer);

	if (listener->state == SPOUT__LISTENER_READY)
		look_after(listener);
	else if (spout__list_empty(&listener->channels))
		listener->state = SPOUT__LISTENER_OFF;
	else
		log_in(listener);
}

static void
work(struct spout__ready *ready)
{
	struct spout__pg_listener *listener =
	    spout__container_of(ready, struct spout__pg_listener, work);

	if (listener->stopped)
		return;
	spout__pg_listener_announce_fresh(listener);
	if (listener->state == SPOUT__LISTENER_OFF &&
	    !spout__list_empty(&listener->channels))
		log_in(listener);
	else if (listener->state == SPOUT__LISTENER_READY)
		tell(listener);
	lose_if_lost(listener);
}

void
spout__pg_listener_kick(struct spout__pg_listener *listener)
{
	spout__loop_at_turn_end(listener->pg->loop, &listener->work);
}

void
spout__pg_listener_due(
    struct spout__pg_listener *listener, struct spout__pg_channel *channel)
{
	/* What is asked, or refused, is looked at again when that is over. */
	if (spout__list_empty(&channel->due) && channel->state != SPOUT__CHANNEL_REFUSED)
		spout__list_push(&listener->due, &channel->due);
	spout__pg_listener_kick(listener);
}

/* --- its life --------------------------------------------------------------------- */

static struct spout__pg_listener *
listener_new(struct spout__pg *pg)
{
	struct spout__pg_listener *listener = calloc(1, sizeof(*listener));

	if (listener == NULL)
		return NULL;
	listener->pg = pg;
	listener->conn.pg = pg;
	listener->conn.outside = true;
	listener->conn.socket_dup = -1;
	listener->conn.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (listener->conn.wake_fd < 0) {
		free(listener);
		return NULL;
	}
	spout__timer_init(&listener->timer, on_timer);
	spout__ready_init(&listener->work, work);
	spout__list_init(&listener->channels);
	spout__list_init(&listener->due);
	spout__list_init(&listener->asked);
	spout__list_init(&listener->fresh);
	return listener;
}

struct spout__pg_listener *
spout__pg_listener_of(struct spout__pg *pg)
{
	if (pg->listener == NULL)
		pg->listener = listener_new(pg);
	if (pg->listener == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	if (pg->listener->stopped) {
		errno = ECANCELED;
		return NULL;
	}
	return pg->listener;
}

int
spout__pg_listener_stop(struct spout__pg_listener *listener, uint64_t until_ms)
{
	uint64_t now_ms = spout__clock_ms();
	struct spout_pool *pool;

	if (listener == NULL)
		return 0;
	listener->stopped = true;
	spout__list_remove(&listener->work.link);
	spout__pg_listener_send_off(listener);
	if (listener->state == SPOUT__LISTENER_CONNECTING)
		spout__pg_wake(&listener->conn);
	pool = spout_pool_get(POOL);
	if (pool != NULL &&
	    spout_pool_close(pool, until_ms > now_ms ? until_ms - now_ms : 0) < 0)
		return -ETIMEDOUT;
	disconnect(listener);
	listener->state = SPOUT__LISTENER_OFF;
	return 0;
}

void
spout__pg_listener_free(struct spout__pg_listener *listener)
{
	if (listener == NULL)
		return;
	close(listener->conn.wake_fd);
	free(listener);
}
