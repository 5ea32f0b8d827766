/* SPDX-License-Identifier: MIT */
/* Help for the tests of PostgreSQL: see pg_help.h. */
#include "config.h"

#include "pg_help.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "base/clock.h"
#include "base/stats.h"
#include "executor/executor.h"

char cluster_url[512], cluster_tcp_url[512];
bool through_pooler;
struct spout_loop *loop;

static char cluster_dir[] = "/tmp/spout-test-pg-XXXXXX";
static char pooler_url[512];
static PGconn *observer;

/* --- the cluster ------------------------------------------------------------------ */

/* Run deploy/pg-cluster; its first line goes to `line`. Returns its exit status. */
static int
pg_cluster(const char *arguments, char *line, size_t size)
{
	char command[700];
	FILE *out;
	int status;

	snprintf(command, sizeof(command), "%s/deploy/pg-cluster %s %s/cluster",
	    TOP_SRCDIR, arguments, cluster_dir);
	out = popen(command, "re");
	if (out == NULL)
		return -1;
	if (line != NULL && fgets(line, (int)size, out) != NULL)
		line[strcspn(line, "\n")] = '\0';
	status = pclose(out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The cluster outlives no test program, however that ends: a shell waits for the end of
 * a pipe, and destroys it. */
static FILE *guard;

static int
start_guard(void)
{
	char command[700];

	snprintf(command, sizeof(command),
	    "exec setsid sh -c 'cat >/dev/null; %s/deploy/pg-cluster destroy %s/cluster; "
	    "rmdir %s'",
	    TOP_SRCDIR, cluster_dir, cluster_dir);
	guard = popen(command, "we");
	return guard != NULL ? 0 : EXIT_FAILURE;
}

static bool
use_given(void)
{
	const char *database = getenv("SPOUT_TEST_DATABASE");
	const char *pooler = getenv("SPOUT_TEST_POOLER");

	if (database == NULL || pooler == NULL)
		return false;
	snprintf(cluster_url, sizeof(cluster_url), "%s", database);
	snprintf(pooler_url, sizeof(pooler_url), "%s", pooler);
	return through_pooler = true;
}

int
cluster_start(void)
{
	int status;

	if (use_given())
		return 0;
	/* The server may run as another user, who has to get in. */
	if (mkdtemp(cluster_dir) == NULL || chmod(cluster_dir, 0755) < 0 ||
	    start_guard() != 0)
		return EXIT_FAILURE;
	atexit(cluster_stop);
	status = pg_cluster("start --fast --port 0 --set deadlock_timeout=50ms "
			    "--set max_connections=40",
	    cluster_url, sizeof(cluster_url));
	if (status == 0)
		status =
		    pg_cluster("url --tcp", cluster_tcp_url, sizeof(cluster_tcp_url));
	return status;
}

void
cluster_stop(void)
{
	PQfinish(observer);
	observer = NULL;
	pclose(guard);
}

void
cluster_down(void)
{
	PQfinish(observer);
	observer = NULL;
	CU_ASSERT_EQUAL(pg_cluster("stop", NULL, 0), 0);
}

void
cluster_up(void)
{
	CU_ASSERT_EQUAL(pg_cluster("restart >/dev/null", NULL, 0), 0);
}

/* --- looking at the server -------------------------------------------------------- */

int
observe(const char *sql)
{
	PGresult *result;
	int n;

	if (observer == NULL)
		observer = PQconnectdb(cluster_url);
	result = PQexec(observer, sql);
	if (PQresultStatus(result) != PGRES_TUPLES_OK &&
	    PQresultStatus(result) != PGRES_COMMAND_OK)
		fprintf(stderr, "%s: %s", sql, PQresultErrorMessage(result));
	n = PQntuples(result) > 0 ? atoi(PQgetvalue(result, 0, 0)) : -1;
	PQclear(result);
	return n;
}

void
observe_no_more(void)
{
	PQfinish(observer);
	observer = NULL;
}

int
sessions(const char *state)
{
	char sql[200];

	snprintf(sql, sizeof(sql),
	    "SELECT count(*) FROM pg_stat_activity "
	    "WHERE application_name LIKE 'test/w%%' AND state LIKE '%s'",
	    state);
	return observe(sql);
}

/* --- coroutines and their world --------------------------------------------------- */

static void
note_exit(struct spout_coroutine *co, const struct spout__outcome *outcome)
{
	struct ending *ending = spout__coroutine_scope(co)->local;

	ending->left = true;
	ending->error = outcome->error;
	ending->left_after_ms = spout__clock_ms() - ending->started_ms;
	snprintf(ending->reason, sizeof(ending->reason), "%s", outcome->reason);
}

static void
note_gone(void *arg)
{
	struct ending *ending = arg;

	ending->gone = true;
}

static void
note_gone_and_stop(void *arg)
{
	note_gone(arg);
	spout_loop_stop(loop);
}

static struct spout_coroutine *
start_with(spout_fn fn, void *arg, uint64_t timeout_ms, struct ending *ending,
    void (*on_gone)(void *arg))
{
	struct spout_coroutine *co = spout__coroutine_new(loop);

	memset(ending, 0, sizeof(*ending));
	ending->started_ms = spout_loop_now_ms(loop);
	spout__coroutine_scope(co)->local = ending;
	spout__coroutine_start(co,
	    &(struct spout__coroutine_options){ .fn = fn,
		.arg = arg,
		.on_exit = note_exit,
		.on_gone = on_gone,
		.on_gone_arg = ending,
		.where = "test",
		.deadline_ms = timeout_ms > 0 ? spout__loop_after_ms(loop, timeout_ms)
					      : 0 });
	return co;
}

struct spout_coroutine *
start(spout_fn fn, void *arg, uint64_t timeout_ms, struct ending *ending)
{
	return start_with(fn, arg, timeout_ms, ending, note_gone);
}

void
with_pool(const struct setup *setup, spout_fn fn)
{
	struct spout__executor_options executor = { .blocking_min = 1,
		.blocking_max = 1,
		.db_threads = setup->threads != 0 ? setup->threads : 4 };
	struct spout__pg_options options = setup->options;
	struct ending ending;

	loop = spout_loop_new();
	CU_ASSERT_PTR_NOT_NULL_FATAL(loop);
	CU_ASSERT_EQUAL_FATAL(spout__executor_start(loop, &executor), 0);
	options.url = through_pooler ? pooler_url : cluster_url;
	options.pooler |= through_pooler;
	if (setup->url != NULL)
		options.url = setup->url;
	options.name = "test";
	CU_ASSERT_EQUAL(spout__pg_start(loop, &options), 0);
	start_with(fn, setup->arg, 0, &ending, note_gone_and_stop);
	CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
	if (!setup->unstopped) {
		CU_ASSERT_EQUAL(spout__pg_stop(loop, 5000), 0);
		CU_ASSERT_EQUAL(spout__executor_stop(loop, 5000), 0);
	}
	spout_loop_free(loop);
	CU_ASSERT(ending.gone);
	CU_ASSERT_EQUAL(ending.error, 0);
	if (ending.error != 0)
		fprintf(stderr, "the test left: %s\n", ending.reason);
	CU_ASSERT_EQUAL(spout__stats->gauges[SPOUT__G_PG_CONNECTIONS_OPEN], 0);
	CU_ASSERT_EQUAL(spout__stats->gauges[SPOUT__G_PG_CONNECTIONS_BUSY], 0);
	observe_no_more();
}

/* --- looking at the pool ---------------------------------------------------------- */

uint64_t
counter(enum spout__counter id)
{
	return atomic_load(&spout__stats->counters[id]);
}

void
query(void *sql)
{
	spout_pg_query_with(sql, NULL, 0);
}

void
check_whole(unsigned threads)
{
	struct spout_future *futures[16];
	unsigned i;

	for (i = 0; i < threads; i++)
		futures[i] =
		    spout_pg_query_async("SELECT $1::int AS n, pg_sleep(0.02)", i);
	for (i = 0; i < threads; i++)
		CU_ASSERT_EQUAL(spout_row_int(spout_future_rows(futures[i]), 0, "n"), i);
	CU_ASSERT(sessions("%") <= (int)threads || through_pooler);
	CU_ASSERT_EQUAL(sessions("idle in transaction%"), 0);
	CU_ASSERT_EQUAL(sessions("active"), 0);
}
