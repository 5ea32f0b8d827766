/* SPDX-License-Identifier: MIT */
/*
 * The demo's tables, made by the demo itself. Each worker looks after its start, in the
 * background, until they are there: the database may come later than the server. An
 * advisory lock lets one worker create them while the others wait.
 */
#include "config.h"

#include "demo.h"

/* Any number that nothing else in this database locks. */
#define LOCK_KEY 732150491
#define UNDEFINED_TABLE "42P01"

static bool present; /* seen by this worker: not looked for again */

static const char create_sql[] =
    "CREATE TABLE IF NOT EXISTS world ("
    " id integer PRIMARY KEY, randomnumber integer NOT NULL DEFAULT 0)";
static const char fill_sql[] =
    "INSERT INTO world SELECT n, 1 + floor(random() * 10000)::int"
    " FROM generate_series(1, $1::int) AS n ON CONFLICT DO NOTHING";
static const char create_fortune_sql[] =
    "CREATE TABLE IF NOT EXISTS fortune (id integer PRIMARY KEY, message text NOT NULL)";

static const char *const fortunes[] = {
	"fortune: No such file or directory",
	"A computer scientist is someone who fixes things that aren't broken.",
	"After enough decimal places, nobody gives a damn.",
	"A bad random number generator: 1, 1, 1, 1, 1, 4.33e+67, 1, 1, 1",
	"A computer program does what you tell it to do, not what you want it to do.",
	"Emacs is a nice operating system, but I prefer UNIX. — Tom Christaensen",
	"Any program that runs right is obsolete.",
	"A list is only as strong as its weakest link. — Donald Knuth",
	"Feature: A bug with seniority.",
	"Computers make very fast, very accurate mistakes.",
	("<script>alert(\"This should not be displayed in a browser alert box.\");"
	 "</script>"),
	"フレームワークのベンチマーク",
};

#define N_FORTUNES (sizeof(fortunes) / sizeof(fortunes[0]))

static const char count_sql[] =
    "SELECT (SELECT count(*) FROM world) AS worlds,"
    " (SELECT count(*) FROM fortune) AS fortunes";

static const char no_database_page[] =
    "<!doctype html><html lang=en><meta charset=utf-8><title>No database</title>"
    "<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;"
    "max-width:38rem;margin:4rem auto;padding:0 1rem}"
    "code{background:#8883;padding:.1em .35em;border-radius:4px}</style>"
    "<h1>No database is configured</h1>"
    "<p>This route needs PostgreSQL: start with <code>--database URL</code>, or with"
    " <code>DATABASE_URL</code> in the environment.</p>\n";

static bool
complete(struct spout_rows *rows)
{
	return spout_row_int(rows, 0, "worlds") >= DEMO_WORLDS &&
	    spout_row_int(rows, 0, "fortunes") >= (int64_t)N_FORTUNES;
}

/* Both tables, filled; in one transaction under the lock. */
static int
create(struct pg_conn *conn, void *arg)
{
	(void)arg;
	if (spout_pg_exec(conn, "SELECT pg_advisory_xact_lock($1::bigint)", LOCK_KEY) ==
		NULL ||
	    spout_pg_exec(conn, "SET LOCAL client_min_messages = warning") == NULL ||
	    spout_pg_exec(conn, create_sql) == NULL ||
	    spout_pg_exec(conn, create_fortune_sql) == NULL ||
	    spout_pg_exec(conn, fill_sql, DEMO_WORLDS) == NULL)
		return spout_pg_exec_error(conn);
	for (size_t i = 0; i < N_FORTUNES; i++) {
		if (spout_pg_exec(conn,
			"INSERT INTO fortune VALUES ($1, $2) ON CONFLICT DO NOTHING",
			i + 1, fortunes[i]) == NULL)
			return spout_pg_exec_error(conn);
	}
	return 0;
}

/* Are they there, or can they be made? Else spout_error() says why not. */
static bool
tables_make(void)
{
	struct spout_rows *rows = spout_try_pg_query(count_sql);

	if (rows == NULL && strcmp(spout_pg_sqlstate(), UNDEFINED_TABLE) != 0)
		return false;
	return (rows && complete(rows)) ||
	    spout_try_pg_transaction(create, NULL, .retries = 2) >= 0;
}

/* One attempt; the first that fails is told in the log. */
static void
tables_check(void)
{
	static bool told;

	present = tables_make();
	if (!present && !told)
		spout_warning("the demo's tables cannot be made yet: %s", spout_error());
	told = !present;
}

static void
tables_task(void *arg)
{
	(void)arg;
	tables_check();
}

void
tables_start(void)
{
	if (spout_has_database() && spout_spawn(tables_task, NULL, 0) != 0)
		spout_debug("the demo's tables are looked for later");
}

void
tables_round(struct spout_app *app)
{
	(void)app;
	if (spout_has_database() && !present)
		tables_check();
}

bool
tables_need(struct spout_request *req)
{
	if (spout_has_database())
		return true;
	spout_set_status(req, 503);
	spout_write_text(req, no_database_page);
	return false;
}
