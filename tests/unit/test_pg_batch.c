/* SPDX-License-Identifier: MIT */
/* Batches: several statements in one round trip, and what an error means to each. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <spout/spout.h>

#include "async/async.h"
#include "base/clock.h"
#include "pg_help.h"

#define INSERT "INSERT INTO batched VALUES ($1) RETURNING n"

static void
make_table(void)
{
	spout_pg_query("DROP TABLE IF EXISTS batched");
	spout_pg_query("CREATE TABLE batched (n int PRIMARY KEY)");
}

static int
entries(void)
{
	return observe("SELECT count(*) FROM batched");
}

/* Three inserts, the second of which fails: of 1, then 1 again, then 3. */
static struct spout_pg_batch *
failing(bool transaction)
{
	struct spout_pg_batch *batch = spout_pg_batch_new(.transaction = transaction);

	CU_ASSERT_EQUAL(spout_pg_batch_add(batch, INSERT, 1), 0);
	CU_ASSERT_EQUAL(spout_pg_batch_add(batch, INSERT, 1), 1);
	CU_ASSERT_EQUAL(spout_pg_batch_add(batch, INSERT, 3), 2);
	CU_ASSERT_EQUAL(spout_pg_batch_count(batch), 3);
	return batch;
}

static bool
failed_with(struct spout_pg_batch *batch, size_t i, int error, const char *sqlstate)
{
	return spout_try_pg_batch_rows(batch, i) == NULL && errno == error &&
	    strcmp(spout_pg_sqlstate(), sqlstate) == 0;
}

static void
outcomes(void *arg)
{
	struct spout_pg_batch *batch;
	struct spout_pg_tx *tx;

	(void)arg;
	make_table();
	batch = failing(false);
	CU_ASSERT_PTR_NULL(spout_try_pg_batch_rows(batch, 0));
	CU_ASSERT_EQUAL(spout_try_pg_batch_run(batch), -EIO);
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "23505");
	CU_ASSERT_EQUAL(spout_row_int(spout_pg_batch_rows(batch, 0), 0, "n"), 1);
	CU_ASSERT_TRUE(failed_with(batch, 1, EIO, "23505"));
	CU_ASSERT_EQUAL(spout_row_int(spout_pg_batch_rows(batch, 2), 0, "n"), 3);
	CU_ASSERT_TRUE(failed_with(batch, 3, EINVAL, ""));
	CU_ASSERT_EQUAL(spout_try_pg_batch_run(batch), -EINVAL);
	CU_ASSERT_EQUAL(entries(), 2);

	spout_pg_query("TRUNCATE batched");
	batch = failing(true);
	CU_ASSERT_EQUAL(spout_try_pg_batch_run(batch), -EIO);
	CU_ASSERT_TRUE(failed_with(batch, 0, ECANCELED, ""));
	CU_ASSERT_STRING_EQUAL(spout_error(), "undone: a statement behind it failed");
	CU_ASSERT_TRUE(failed_with(batch, 1, EIO, "23505"));
	CU_ASSERT_TRUE(failed_with(batch, 2, ECANCELED, ""));
	CU_ASSERT_EQUAL(entries(), 0);

	tx = spout_pg_begin();
	batch = failing(false);
	CU_ASSERT_EQUAL(spout_try_pg_batch_run_in(batch, spout_pg_nest(tx)), -EIO);
	CU_ASSERT_EQUAL(spout_row_int(spout_pg_batch_rows(batch, 0), 0, "n"), 1);
	CU_ASSERT_TRUE(failed_with(batch, 1, EIO, "23505"));
	CU_ASSERT_TRUE(failed_with(batch, 2, ECANCELED, ""));
	spout_pg_rollback(tx);
	CU_ASSERT_EQUAL(entries(), 0);
	check_whole(2);
}

static void
an_error_means_what_the_batch_is_made_for(void)
{
	with_pool(&(struct setup){ .threads = 2 }, outcomes);
}

static void
add_too_many(void *arg)
{
	int i;

	for (i = 0; i < 10000; i++)
		spout_pg_batch_add(arg, "SELECT $1::int AS n", i);
	spout_pg_batch_run(arg);
	for (i = 0; i < 10000; i += 500)
		CU_ASSERT_EQUAL(spout_row_int(spout_pg_batch_rows(arg, (size_t)i), 0,
				    "n"), i);
}

static void
add_one_more(void *arg)
{
	int i;

	(void)arg;
	arg = spout_pg_batch_new();
	for (i = 0; i < 10001; i++)
		spout_pg_batch_add(arg, "SELECT 1");
}

static void
add_late(void *arg)
{
	spout_pg_batch_add(arg, "SELECT 1");
}

static void
sizes(void *arg)
{
	struct spout_pg_batch *batch = spout_pg_batch_new();

	(void)arg;
	spout_pg_batch_run(batch); /* of nothing */
	CU_ASSERT_EQUAL(spout_try_scope_run(add_late, batch), -EINVAL);
	spout_scope_run(add_too_many, spout_pg_batch_new(.transaction = true));
	CU_ASSERT_EQUAL(spout_try_scope_run(add_one_more, NULL), -ENOBUFS);
	check_whole(2);
}

static void
too_large(void *arg)
{
	struct spout_pg_batch *batch;

	(void)arg;
	batch = spout_pg_batch_new(.transaction = true);
	spout_pg_batch_add(
	    batch, "SELECT repeat('x', 1000) FROM generate_series(1, 1000)");
	spout_pg_batch_add(
	    batch, "SELECT repeat('x', 1000) FROM generate_series(1, 1000)");
	CU_ASSERT_EQUAL(spout_try_pg_batch_run(batch), -EMSGSIZE);
	CU_ASSERT_TRUE(failed_with(batch, 0, EMSGSIZE, ""));
	check_whole(2);
}

static void
a_batch_has_a_largest_size(void)
{
	with_pool(&(struct setup){ .threads = 2 }, sizes);
	with_pool(&(struct setup){ .threads = 2, .options.max_result_bytes = 2000000 },
	    too_large);
}

static void
writes_and_copies(void *arg)
{
	struct spout_pg_batch *batch;
	struct spout_slice bytes = spout_slice("ab");
	char text[8] = "first";

	(void)arg;
	make_table();
	batch = spout_pg_batch_new();
	spout_pg_batch_add(batch, "SELECT $1 AS t, $2::bytea AS b", text, bytes);
	spout_pg_batch_add(batch, "COPY batched TO STDOUT");
	strcpy(text, "second");
	CU_ASSERT_EQUAL(spout_try_pg_batch_run(batch), -EINVAL);
	CU_ASSERT_TRUE(failed_with(batch, 0, EINVAL, ""));
	batch = spout_pg_batch_new();
	spout_pg_batch_add(batch, "SELECT $1 AS t, $2::bytea AS b", text, bytes);
	strcpy(text, "third");
	spout_pg_batch_run(batch);
	CU_ASSERT_STRING_EQUAL(
	    spout_row_text(spout_pg_batch_rows(batch, 0), 0, "t"), "second");
	CU_ASSERT_EQUAL(spout_row_bytes(spout_pg_batch_rows(batch, 0), 0, "b").len, 2);
	batch = spout_pg_batch_new(); /* left open: rolled back */
	spout_pg_batch_add(batch, "BEGIN");
	spout_pg_batch_add(batch, INSERT, 1);
	spout_pg_batch_run(batch);
	wait_until(sessions("idle in%") == 0);
	CU_ASSERT_EQUAL(entries(), 0);
	check_whole(2);
}

static void
values_are_copied_and_copy_is_refused(void)
{
	with_pool(&(struct setup){ .threads = 2 }, writes_and_copies);
}

static void
altered(void *arg)
{
	int round, i;

	(void)arg;
	make_table();
	for (round = 0; round < 12; round++) {
		struct spout_pg_batch *batch =
		    spout_pg_batch_new(.transaction = round % 2 == 0);

		if (round == 5)
			spout_pg_query("ALTER TABLE batched ADD COLUMN m int");
		if (round == 6)
			spout_pg_query("ALTER TABLE batched DROP COLUMN m");
		if (round >= 8)
			spout_pg_query("DEALLOCATE ALL");
		for (i = 0; i < 3; i++)
			spout_pg_batch_add(
			    batch, "INSERT INTO batched VALUES ($1)", round * 3 + i);
		spout_pg_batch_add(batch, "SELECT * FROM batched");
		spout_pg_batch_run(batch);
		CU_ASSERT_EQUAL(
		    spout_rows_columns(spout_pg_batch_rows(batch, 3)), 1 + (round == 5));
	}
	CU_ASSERT_EQUAL(entries(), 36);
	CU_ASSERT_EQUAL(sessions("%"), 1);
}

static void
what_is_out_of_date_is_prepared_again(void)
{
	with_pool(&(struct setup){ .threads = 1 }, altered);
}

/* --- at any moment ---------------------------------------------------------------- */

static void
one_batch(void *arg)
{
	struct spout_pg_batch *batch = spout_pg_batch_new(.transaction = true);
	int n = (int)(intptr_t)arg, i;

	for (i = 0; i < 4; i++)
		spout_pg_batch_add(batch, INSERT, n * 4 + i);
	if (n % 3 == 0)
		spout_pg_batch_add(batch, "SELECT pg_sleep(0.003)");
	if (n % 5 == 0)
		spout_pg_batch_add(batch, "SELECT 1 / 0");
	spout_pg_batch_run(batch);
	for (i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(spout_row_int(spout_pg_batch_rows(batch, (size_t)i), 0,
				    "n"), n * 4 + i);
}

static void
storm(void *arg)
{
	enum { AT_ONCE = 20 };
	int rounds = (int)unit_scaled(20), round, i;
	struct spout_coroutine *co[AT_ONCE];
	struct ending endings[AT_ONCE];

	(void)arg;
	make_table();
	for (round = 0; round < rounds; round++) {
		for (i = 0; i < AT_ONCE; i++)
			co[i] = start(one_batch, (void *)(intptr_t)(round * AT_ONCE + i),
			    (uint64_t)((i + round) % 6 == 0 ? 1 + (round + i) % 9 : 0),
			    &endings[i]);
		for (i = 0; i < round % 9; i++)
			spout_yield();
		for (i = 0; i < AT_ONCE; i++)
			if ((round + i) % 6 == 1 && !endings[i].gone)
				spout__coroutine_cancel(co[i], -ECANCELED, "client gone");
		for (i = 0; i < AT_ONCE; i++)
			wait_until(endings[i].gone);
	}
	wait_until(sessions("active") + sessions("idle in%") == 0);
	/* All of it or nothing. */
	CU_ASSERT_EQUAL(observe("SELECT count(*) FROM (SELECT n / 4 FROM batched "
				"GROUP BY n / 4 HAVING count(*) <> 4) AS parts"),
	    0);
	CU_ASSERT(entries() > 0);
	check_whole(4);
}

static void
there_is_never_half_a_batch(void)
{
	with_pool(&(struct setup){ .threads = 4 }, storm);
}

int
main(int argc, char **argv)
{
	static const struct unit_test batches[] = {
		UNIT_TEST(an_error_means_what_the_batch_is_made_for),
		UNIT_TEST(a_batch_has_a_largest_size),
		UNIT_TEST(values_are_copied_and_copy_is_refused),
		UNIT_TEST(what_is_out_of_date_is_prepared_again),
		UNIT_TEST(there_is_never_half_a_batch),
		UNIT_END,
	};
	static const struct unit_suite suites[] = { { "batches", batches },
		{ NULL, NULL } };
	int status = cluster_start();

	return status != 0 ? status : unit_run(argc, argv, suites);
}
