/* SPDX-License-Identifier: MIT */
/*
 * The pool of a loop: made after the fork, before there is work, and ended with its
 * threads. Loop thread. It hangs on the loop, where every call finds it.
 */
#include "config.h"

#include "pg/driver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <spout/log.h>

#include "base/clock.h"
#include "pg/listen.h"

/* Longer than a cancelled job takes. */
#define FREE_MS (2 * SPOUT__PG_CANCEL_GRACE_MS + 1000)
#define MAINTENANCE_MAX_MS 10000u
#define LONGEST_STOP_MS (24u * 60 * 60 * 1000)
#define MAX_RESULT_BYTES (UINT64_C(64) << 20)

/*
 * Sent with every log-in, in milliseconds; the options of the URL come behind them.
 *  - A statement whose client is gone ends within a second.
 *  - Nobody forgets a transaction for long.
 *  - Waiting for a lock ends, but later than the server looks for deadlocks (1 s), which
 *    are worth a retry.
 *  - Nor does a statement take longer, if that is wanted. 0: no limit.
 */
#define STARTUP_OPTIONS \
	"-c client_connection_check_interval=1000" \
	" -c idle_in_transaction_session_timeout=%u -c lock_timeout=%u" \
	" -c statement_timeout=%u %s"

/* --- the URL ---------------------------------------------------------------------- */

/* The startup options that a URL, else the environment, asks for, or NULL. Borrowed. */
static const char *
own_options(const PQconninfoOption *options)
{
	const char *own = NULL;

	for (; options->keyword != NULL && own == NULL; options++)
		if (strcmp(options->keyword, "options") == 0)
			own = options->val;
	return own != NULL ? own : getenv("PGOPTIONS");
}

int
spout__pg_check_url(const char *url, char *ret_reason, size_t size)
{
	char *why = NULL;
	PQconninfoOption *options = PQconninfoParse(url, &why);

	if (options != NULL) {
		PQconninfoFree(options);
		return 0;
	}
	snprintf(ret_reason, size, "%.*s", why == NULL ? 13 : (int)strcspn(why, "\n"),
	    why == NULL ? "out of memory" : why);
	PQfreemem(why);
	return -EINVAL;
}

static int
copy_options(struct spout__pg *pg)
{
	struct spout__pg_options *options = &pg->options;
	const char *own, *name = options->name != NULL ? options->name : "spout";

	if (spout__pg_hosts_init(&pg->hosts, options->url) < 0)
		return -ENOMEM;
	own = own_options(pg->hosts.options);
	own = own != NULL ? own : "";
	if (options->pooler)
		pg->startup_options = strdup(own);
	else if (asprintf(&pg->startup_options, STARTUP_OPTIONS,
		     options->idle_transaction_ms, options->lock_ms,
		     options->statement_ms, own) < 0)
		pg->startup_options = NULL;
	if (asprintf(&pg->application_name, "%s/w%u", name, options->slot) < 0)
		pg->application_name = NULL;
	if (options->password_file != NULL)
		pg->password_file = strdup(options->password_file);
	if (pg->startup_options == NULL || pg->application_name == NULL ||
	    (options->password_file != NULL && pg->password_file == NULL))
		return -ENOMEM;
	options->url = options->name = options->password_file = NULL;
	if (options->slot == 0 && spout__pg_hosts_exposed(&pg->hosts))
		spout_warning("the database may be talked to in clear text: its URL has "
			      "no sslmode");
	return 0;
}

/* --- making it -------------------------------------------------------------------- */

struct spout__pg *
spout__pg_of(struct spout_loop *loop)
{
	return spout__loop_slot(loop, SPOUT__SLOT_PG);
}

static void
release(struct spout__pg *pg)
{
	unsigned i;

	for (i = 0; i < pg->n_conns; i++)
		if (pg->conns[i].wake_fd >= 0)
			close(pg->conns[i].wake_fd);
	pthread_cond_destroy(&pg->cancel_wanted);
	pthread_cond_destroy(&pg->cancel_settled);
	pthread_mutex_destroy(&pg->lock);
	spout__driver_free(pg->driver);
	spout__pg_listener_free(pg->listener);
	free(pg->conns);
	spout__pg_hosts_release(&pg->hosts);
	free(pg->application_name);
	free(pg->startup_options);
	free(pg->password_file);
	free(pg);
}

static int
make_places(struct spout__pg *pg, unsigned n)
{
	struct spout__pg_conn *conn;
	int error = 0;

	pg->conns = calloc(n, sizeof(*pg->conns));
	if (pg->conns == NULL)
		return -ENOMEM;
	for (; pg->n_conns < n; pg->n_conns++) {
		conn = &pg->conns[pg->n_conns];
		conn->pg = pg;
		conn->socket_dup = -1;
		conn->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (conn->wake_fd < 0)
			error = -errno;
		spout__list_push(&pg->empty, &conn->link);
	}
	return error;
}

static unsigned
or_default(unsigned value, unsigned otherwise)
{
	return value != 0 ? value : otherwise;
}

static struct spout__pg *
pool_new(struct spout_loop *loop, const struct spout__pg_options *options)
{
	struct spout__pg *pg = calloc(1, sizeof(*pg));

	if (pg == NULL)
		return NULL;
	pg->loop = loop;
	pg->options = *options;
	pg->options.acquire_ms = or_default(options->acquire_ms, 2000);
	pg->options.connect_ms = or_default(options->connect_ms, 3000);
	pg->options.lifetime_ms = or_default(options->lifetime_ms, 30 * 60 * 1000);
	pg->options.idle_ms = or_default(options->idle_ms, 5 * 60 * 1000);
	pg->options.listen_check_ms = or_default(options->listen_check_ms, 30000);
	pg->options.leak_ms = or_default(options->leak_ms, 60000);
	pg->options.lock_ms = or_default(options->lock_ms, 5000);
	pg->options.idle_transaction_ms =
	    or_default(options->idle_transaction_ms, 10000);
	pg->options.fast_us = or_default(options->fast_us, 3000);
	if (options->max_result_bytes == 0)
		pg->options.max_result_bytes = MAX_RESULT_BYTES;
	pthread_mutex_init(&pg->lock, NULL);
	spout__list_init(&pg->idle);
	spout__list_init(&pg->empty);
	spout__pg_cancel_init(pg);
	return pg;
}

/* --- maintenance ------------------------------------------------------------------ */

static int
upkeep_main(void *arg)
{
	spout__pg_maintain(arg);
	return 0;
}

/* Does not come when the loop is freed first. */
static void
upkeep_over(struct spout__job *job)
{
	spout__container_of(job, struct spout__pg, upkeep)->maintaining = false;
}

/* Closing a connection may take a moment: on a db thread, if there is anything to close.
 */
void
spout__pg_upkeep(struct spout__pg *pg)
{
	bool idle;

	pthread_mutex_lock(&pg->lock);
	idle = !spout__list_empty(&pg->idle);
	pthread_mutex_unlock(&pg->lock);
	if (pg->maintaining || !idle)
		return;
	pg->upkeep = (struct spout__job){ .fn = upkeep_main,
		.arg = pg,
		.name = "PostgreSQL maintenance",
		.on_done = upkeep_over };
	pg->maintaining = spout__job_submit(spout_pool_get("db"), &pg->upkeep) == 0;
}

static void
on_maintenance(void *arg)
{
	struct spout__pg *pg = arg;

	spout__pg_watch(pg);
	spout__hold_warm(pg->driver);
	spout__pg_upkeep(pg);
}

/* Often enough for the time-outs that it looks after. */
static int
start_maintenance(struct spout__pg *pg)
{
	unsigned idle_ms = pg->options.idle_ms, leak_ms = pg->options.leak_ms;
	uint64_t interval_ms = (idle_ms < leak_ms ? idle_ms : leak_ms) / 4 + 1;

	if (interval_ms > MAINTENANCE_MAX_MS)
		interval_ms = MAINTENANCE_MAX_MS;
	pg->maintenance =
	    spout_periodic_start(pg->loop, interval_ms, 0.2, on_maintenance, pg);
	return pg->maintenance == NULL ? -ENOMEM : 0;
}

/* --- start and stop --------------------------------------------------------------- */

/* With the loop, which nobody stopped before. Threads that are stuck in it keep it. */
static void
pg_free(void *object)
{
	struct spout__pg *pg = object;

	if (!pg->stopped && spout__pg_stop(pg->loop, FREE_MS) < 0)
		return;
	release(pg);
}

int
spout__pg_start(struct spout_loop *loop, const struct spout__pg_options *options)
{
	struct spout_pool *pool = spout_pool_get("db");
	struct spout_pool_stats stats;
	struct spout__pg *pg;
	char reason[200];
	int error;

	if (options->url == NULL || options->url[0] == '\0')
		return 0;
	if (spout__pg_check_url(options->url, reason, sizeof(reason)) < 0) {
		spout_warning("the database URL is unusable: %s", reason);
		return -EINVAL;
	}
	if (pool == NULL || spout__pg_of(loop) != NULL)
		return -EINVAL;
	spout_pool_get_stats(pool, &stats);
	pg = pool_new(loop, options);
	if (pg == NULL)
		return -ENOMEM;
	error = copy_options(pg);
	if (error == 0)
		error = make_places(pg, stats.threads);
	if (error == 0 && (pg->driver = spout__driver_new(pg)) == NULL)
		error = -ENOMEM;
	if (error == 0)
		error = start_maintenance(pg);
	if (error != 0) {
		release(pg);
		return error;
	}
	spout__loop_set_slot(loop, SPOUT__SLOT_PG, pg, pg_free);
	spout__hold_warm(pg->driver);
	return 0;
}

/* Ask every job that runs to stop, and let none begin. */
static void
cancel_all(struct spout__pg *pg)
{
	struct spout__pg_job *job;
	unsigned i;

	pthread_mutex_lock(&pg->lock);
	pg->stopping = true;
	pthread_mutex_unlock(&pg->lock);
	for (i = 0; i < pg->n_conns; i++) {
		pthread_mutex_lock(&pg->lock);
		job = pg->conns[i].job;
		pthread_mutex_unlock(&pg->lock);
		/* It may have ended meanwhile, but it is freed on this thread only. */
		if (job != NULL)
			spout__job_cancel(&job->job);
	}
}

int
spout__pg_stop(struct spout_loop *loop, uint64_t deadline_ms)
{
	struct spout__pg *pg = spout__pg_of(loop);
	struct spout_pool *pool = spout_pool_get("db");
	uint64_t until_ms;

	if (deadline_ms > LONGEST_STOP_MS) /* SPOUT_FOREVER: the sum would overflow */
		deadline_ms = LONGEST_STOP_MS;
	until_ms = spout__clock_ms() + deadline_ms;
	if (pg == NULL || pg->stopped)
		return 0;
	if (pg->maintenance != NULL)
		spout_periodic_stop(pg->maintenance);
	pg->maintenance = NULL;
	cancel_all(pg);
	if (spout__pg_listener_stop(pg->listener, until_ms) < 0)
		return -ETIMEDOUT;
	spout__driver_stop(pg->driver, until_ms);
	if (pool != NULL && spout_pool_close(pool, deadline_ms) < 0)
		return -ETIMEDOUT;
	if (spout__pg_cancel_stop(pg, until_ms + 100) < 0)
		return -ETIMEDOUT;
	spout__driver_close(pg->driver);
	spout__pg_close_all(pg);
	pg->stopped = true;
	return 0;
}
