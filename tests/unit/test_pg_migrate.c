/* SPDX-License-Identifier: MIT */
/* Migrations: order, once only, two runners at once, and everything that is refused. */
#include "config.h"

#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <spout/spout.h>

#include "pg_help.h"

static char folder[] = "/tmp/spout-test-migrate-XXXXXX";

static void
path_of(const char *name, char ret_path[400])
{
	snprintf(ret_path, 400, "%s/%s", folder, name);
}

static void
put_bytes(const char *name, const char *bytes, size_t len)
{
	char path[400];
	FILE *file;

	path_of(name, path);
	file = fopen(path, "we");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_EQUAL(fwrite(bytes, 1, len, file), len);
	CU_ASSERT_EQUAL(fclose(file), 0);
}

static void
put(const char *name, const char *text)
{
	put_bytes(name, text, strlen(text));
}

static void
drop(const char *name)
{
	char path[400];

	path_of(name, path);
	CU_ASSERT_EQUAL(remove(path), 0);
}

/* An empty folder and a database without tables. */
static void
afresh(void)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
	while ((entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			drop(entry->d_name);
	closedir(dir);
	spout_pg_query("DROP SCHEMA public CASCADE");
	spout_pg_query("CREATE SCHEMA public");
}

static int64_t
number(const char *sql)
{
	return spout_row_int(spout_pg_query_with(sql, NULL, 0), 0, "n");
}

#define NOTED "SELECT count(*) AS n FROM spout_migrations"

/* It must fail with that error, and say where and why. */
static void
refused(int error, const char *words)
{
	CU_ASSERT_EQUAL(spout_try_pg_migrate(folder), error);
	CU_ASSERT_PTR_NOT_NULL(strstr(spout_error(), words));
	if (strstr(spout_error(), words) == NULL)
		fprintf(stderr, "said \"%s\" instead of \"%s\"\n", spout_error(), words);
}

#define MIGRATE_TEST(name, body) \
	static void name(void) \
	{ \
		with_pool(&(const struct setup){ .threads = 4 }, body); \
	}

/* --- what runs -------------------------------------------------------------------- */

static void
order(void *arg)
{
	(void)arg;
	afresh();
	put("0010_c.sql", "INSERT INTO t VALUES (3); INSERT INTO t VALUES (4);");
	put("0002_b.sql", "-- more\nINSERT INTO t VALUES (2);\n");
	put("0001_a.sql", "CREATE TABLE t (n int, at serial);INSERT INTO t VALUES (1)");
	put("20261121170000_d.sql", "INSERT INTO t VALUES (5);");
	put("README", "not SQL");
	put("0003_e.sql~", "what an editor left");
	put(".0004_f.sql", "hidden");
	CU_ASSERT_EQUAL(spout_pg_migrate(folder), 4);
	CU_ASSERT_EQUAL(number("SELECT count(*) AS n FROM t WHERE n = at"), 5);
	CU_ASSERT_EQUAL(number(NOTED), 4);
	CU_ASSERT_EQUAL(number("SELECT number AS n FROM spout_migrations "
			       "WHERE name = '20261121170000_d.sql'"),
	    20261121170000);
	/* The same again does nothing; one more file runs alone. */
	CU_ASSERT_EQUAL(spout_pg_migrate(folder), 0);
	put("20261121170001_g.sql", "INSERT INTO t VALUES (6)");
	CU_ASSERT_EQUAL(spout_pg_migrate(folder), 1);
	CU_ASSERT_EQUAL(number("SELECT count(*) AS n FROM t"), 6);
	check_whole(4);
}
MIGRATE_TEST(files_run_once_in_the_order_of_their_numbers, order)

static void
edges(void *arg)
{
	(void)arg;
	afresh();
	CU_ASSERT_EQUAL(spout_pg_migrate(folder), 0);
	put("0001_bom.sql", "\xef\xbb\xbf" "CREATE TABLE t (n int)");
	put("0002_empty.sql", "");
	put("0003_only_bom.sql", "\xef\xbb\xbf");
	put("0004_comment.sql", "-- nothing yet\n");
	put("0005_body.sql",
	    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC; SELECT 1; SELECT 2; END;\n"
	    "CREATE FUNCTION g() RETURNS int LANGUAGE sql AS $$ SELECT 3; $$;");
	CU_ASSERT_EQUAL(spout_pg_migrate(folder), 5);
	CU_ASSERT_EQUAL(number("SELECT f() + g() AS n"), 5);
	CU_ASSERT_EQUAL(spout_pg_migrate(folder), 0);
}
MIGRATE_TEST(empty_files_and_byte_order_marks_are_harmless, edges)

static void
settings(void *arg)
{
	(void)arg;
	afresh();
	put("0001_a.sql", "SET search_path = ''; SET statement_timeout = 1;");
	if (through_pooler) {
		refused(-EINVAL, "/0001_a.sql: it changes the session");
		return;
	}
	put("0002_b.sql", "CREATE TABLE t (n int); SELECT pg_sleep(0.05);");
	CU_ASSERT_EQUAL(spout_pg_migrate(folder), 2);
	CU_ASSERT_EQUAL(number("SELECT count(*) AS n FROM public.t"), 0);
	check_whole(4);
	CU_ASSERT_EQUAL(number(NOTED), 2);
}
MIGRATE_TEST(settings_of_a_file_end_with_it, settings)

/* --- several at once -------------------------------------------------------------- */

static int total; /* files that were run by all runners */

static void
run_all(void *arg)
{
	(void)arg;
	total += spout_pg_migrate(folder);
}

static void
runners(void *arg)
{
	struct ending endings[4];
	char name[40];
	int i;

	(void)arg;
	afresh();
	put("0001_t.sql", "CREATE TABLE t (n int PRIMARY KEY); SELECT pg_sleep(0.05)");
	for (i = 2; i <= 9; i++) {
		snprintf(name, sizeof(name), "%04d_more.sql", i);
		put(name, "INSERT INTO t SELECT count(*) FROM t");
	}
	total = 0;
	for (i = 0; i < 4; i++)
		start(run_all, NULL, 0, &endings[i]);
	for (i = 0; i < 4; i++) {
		wait_until(endings[i].gone);
		CU_ASSERT_EQUAL(endings[i].error, 0);
	}
	CU_ASSERT_EQUAL(total, 9);
	CU_ASSERT_EQUAL(number("SELECT count(*) AS n FROM t"), 8);
	CU_ASSERT_EQUAL(number(NOTED), 9);
}
MIGRATE_TEST(any_number_of_runners_may_start_at_once, runners)

static void
waiting(void *arg)
{
	struct ending first, second;

	(void)arg;
	afresh();
	put("0001_slow.sql", "CREATE TABLE t (n int); SELECT pg_sleep(30)");
	start(run_all, NULL, 0, &first);
	wait_until(observe("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' "
			   "AND query LIKE '%pg_sleep(30)' "
			   "AND pid <> pg_backend_pid()") == 1);
	start(run_all, NULL, 100, &second); /* waits for the lock */
	wait_until(second.gone);
	CU_ASSERT_EQUAL(second.error, -ETIMEDOUT);
	CU_ASSERT_FALSE(first.left);
	observe("SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
		"WHERE query LIKE '%pg_sleep(30)' AND pid <> pg_backend_pid()");
	wait_until(first.gone);
	CU_ASSERT_EQUAL(first.error, -ETIMEDOUT);
	CU_ASSERT_PTR_NOT_NULL(strstr(first.reason, "0001_slow.sql, statement 2: "));
	put("0001_slow.sql", "CREATE TABLE t (n int)");
	CU_ASSERT_EQUAL(spout_pg_migrate(folder), 1);
	check_whole(4);
}
MIGRATE_TEST(deadlines_and_cancels_leave_nothing_behind, waiting)

/* --- what fails ------------------------------------------------------------------- */

static void
errors(void *arg)
{
	(void)arg;
	afresh();
	put("0001_a.sql", "CREATE TABLE t (n int PRIMARY KEY)");
	put("0002_b.sql",
	    "INSERT INTO t VALUES (1);\n-- Grüße\nINSERT INTO t VALUES (2);\n"
	    "SELECT 'ü', nothing FROM t;\nINSERT INTO t VALUES (3);");
	put("0003_c.sql", "INSERT INTO t VALUES (4)");
	refused(-EIO, "/0002_b.sql:4: column \"nothing\" does not exist");
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "42703");
	CU_ASSERT_EQUAL(number("SELECT count(*) AS n FROM t"), 0);
	CU_ASSERT_EQUAL(number(NOTED), 1);
	put("0002_b.sql", "INSERT INTO t VALUES (1);\nINSERT INTO t VALUES (1);");
	refused(-EIO, "/0002_b.sql, statement 2: duplicate key");
	put("0002_b.sql", "COPY t FROM STDIN;");
	refused(-EINVAL, "/0002_b.sql, statement 1: COPY needs a file");
	put("0002_b.sql", "VACUUM;");
	refused(-EIO, "/0002_b.sql, statement 1: VACUUM cannot");
	put("0002_b.sql", "INSERT INTO t VALUES (1); ROLLBACK;");
	refused(-EINVAL, "/0002_b.sql: it ended the transaction");
	CU_ASSERT_EQUAL(number("SELECT count(*) AS n FROM t"), 0);
	put("0002_b.sql", "INSERT INTO t VALUES (1);");
	CU_ASSERT_EQUAL(spout_pg_migrate(folder), 2);
	check_whole(4);
}
MIGRATE_TEST(a_file_that_fails_is_rolled_back_and_named, errors)

static void
changes(void *arg)
{
	(void)arg;
	afresh();
	put("0001_a.sql", "CREATE TABLE t (n int)");
	put("0003_c.sql", "INSERT INTO t VALUES (3)");
	CU_ASSERT_EQUAL(spout_pg_migrate(folder), 2);
	put("0001_a.sql", "CREATE TABLE t (n bigint)");
	refused(-EINVAL, "/0001_a.sql has changed since it ran");
	put("0001_a.sql", "CREATE TABLE t (n int)");
	put("0002_b.sql", "INSERT INTO t VALUES (2)");
	refused(-EINVAL, "/0002_b.sql has not run, but 0003_c.sql, which comes after");
	drop("0002_b.sql");
	put("0004_d.sql", "INSERT INTO t VALUES (4)");
	drop("0003_c.sql");
	refused(-EINVAL, "0003_c.sql has run on this database, but is not in /tmp/");
	drop("0004_d.sql");
	refused(-EINVAL, "0003_c.sql has run on this database, but is not in /tmp/");
	/* Another name with the same number and text is the same migration. */
	put("0003_better.sql", "INSERT INTO t VALUES (3)");
	CU_ASSERT_EQUAL(spout_pg_migrate(folder), 0);
	CU_ASSERT_EQUAL(number("SELECT count(*) AS n FROM t"), 1);
}
MIGRATE_TEST(what_has_run_may_not_change_or_go, changes)

static void
names(void *arg)
{
	static const char *const wrong[] = { "001_a.sql", "0001.sql", "0001_.sql",
		"a_0001.sql", "0001-a.sql", "1234567890123456789_a.sql", "a.sql" };
	char path[400];

	(void)arg;
	afresh();
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		put(wrong[i], "CREATE TABLE t (n int)");
		refused(-EINVAL, "not named like 0001_name.sql");
		drop(wrong[i]);
	}
	put("0001_a.sql", "CREATE TABLE t (n int)");
	put("00001_b.sql", "CREATE TABLE t (n int)");
	refused(-EINVAL, "have the same number");
	drop("00001_b.sql");
	path_of("0002_b.sql", path);
	CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
	refused(-EISDIR, "/0002_b.sql: ");
	drop("0002_b.sql");
	put_bytes("0002_b.sql", "SELECT 1;\0DROP TABLE t", 22);
	refused(-EINVAL, "/0002_b.sql: there is a NUL byte in it");
	CU_ASSERT_EQUAL(number("SELECT count(to_regclass('spout_migrations')) AS n"), 0);
	CU_ASSERT_EQUAL(spout_try_pg_migrate("/tmp/spout-no-such-folder"), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(spout_error(), "/tmp/spout-no-such-folder: "));
}
MIGRATE_TEST(names_and_files_that_are_wrong_are_refused, names)

static void
sizes(void *arg)
{
	const size_t most = 16u << 20;
	char *text = malloc(most + 1);

	(void)arg;
	afresh();
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	memset(text, ' ', most + 1);
	put_bytes("0001_a.sql", text, most);
	CU_ASSERT_EQUAL(spout_pg_migrate(folder), 1);
	put_bytes("0002_b.sql", text, most + 1);
	refused(-EFBIG, "/0002_b.sql: ");
	free(text);
}
MIGRATE_TEST(a_file_may_have_16_mib_and_no_more, sizes)

int
main(int argc, char **argv)
{
	static const struct unit_test running[] = {
		UNIT_TEST(files_run_once_in_the_order_of_their_numbers),
		UNIT_TEST(empty_files_and_byte_order_marks_are_harmless),
		UNIT_TEST(settings_of_a_file_end_with_it),
		UNIT_END,
	};
	static const struct unit_test together[] = {
		UNIT_TEST(any_number_of_runners_may_start_at_once),
		UNIT_TEST(deadlines_and_cancels_leave_nothing_behind),
		UNIT_END,
	};
	static const struct unit_test failing[] = {
		UNIT_TEST(a_file_that_fails_is_rolled_back_and_named),
		UNIT_TEST(what_has_run_may_not_change_or_go),
		UNIT_TEST(names_and_files_that_are_wrong_are_refused),
		UNIT_TEST(a_file_may_have_16_mib_and_no_more),
		UNIT_END,
	};
	static const struct unit_suite suites[] = {
		{ "running", running },
		{ "together", together },
		{ "failing", failing },
		{ NULL, NULL },
	};
	char command[500];
	int status = cluster_start();

	if (status != 0)
		return status;
	if (mkdtemp(folder) == NULL)
		return EXIT_FAILURE;
	status = unit_run(argc, argv, suites);
	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	return system(command) == 0 ? status : EXIT_FAILURE;
}
