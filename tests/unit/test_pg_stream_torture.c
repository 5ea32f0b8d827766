/* SPDX-License-Identifier: MIT */
/*
 * Allocation torture of rows one by one and of COPY: whichever allocation of ours fails,
 * they end with an error, and the pool comes down whole. See torture.h.
 */
#include "config.h"

#include "pg_help.h"
#include "torture.h"
#include "unit.h"

#include <spout/spout.h>

#include "executor/executor.h"

static unsigned done; /* steps that were taken */

static void
stream_and_copy(void *arg)
{
	static const char row[] = "COPY (SELECT repeat('x', 100000)) TO STDOUT";
	struct spout_pg_stream *stream;
	struct spout_pg_copy *copy;
	struct spout_slice part;
	size_t bytes = 0, rows = 0;
	char *text;

	(void)arg;
	spout_pg_query("CREATE UNLOGGED TABLE IF NOT EXISTS torture (t text)");
	stream = spout_pg_stream("SELECT generate_series(1, 50)");
	while (spout_pg_stream_next(stream) != NULL)
		rows++;
	done += rows == 50;
	copy = spout_pg_copy_out(row);
	while ((part = spout_pg_copy_read(copy)).len > 0)
		bytes += part.len;
	done += bytes == 100001;
	text = spout_alloc(50001);
	memset(text, 'x', 50000);
	text[50000] = '\0';
	copy = spout_pg_copy_in("COPY torture FROM STDIN");
	spout_pg_copy_row(copy, text);
	spout_pg_copy_write(copy, "y\n", 2);
	done += spout_pg_copy_end(copy) == 2;
}

static void
gone(void *arg)
{
	(void)arg;
	spout_loop_stop(loop);
}

static bool
in_coroutine(spout_fn fn)
{
	struct spout_coroutine *co = spout__coroutine_new(loop);

	if (co == NULL)
		return false;
	spout__coroutine_start(co, &(struct spout__coroutine_options){ .fn = fn,
	    .on_gone = gone, .where = "torture",
	    .deadline_ms = spout__loop_after_ms(loop, 20000) });
	CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
	return true;
}

static bool
run_streams(void)
{
	const struct spout__executor_options executor = { .db_threads = 2 };
	const struct spout__pg_options options = { .url = cluster_url,
		.name = "torture" };
	bool whole = false;

	done = 0;
	loop = spout_loop_new();
	if (loop == NULL)
		return false;
	if (spout__executor_start(loop, &executor) == 0) {
		if (spout__pg_start(loop, &options) == 0)
			whole = in_coroutine(stream_and_copy) && done == 3;
		CU_ASSERT_EQUAL(spout__pg_stop(loop, SPOUT_FOREVER), 0);
		CU_ASSERT_EQUAL(spout__executor_stop(loop, SPOUT_FOREVER), 0);
	}
	spout_loop_free(loop);
	return whole;
}

static void
streams_survive_every_failed_allocation(void)
{
	torture("streams", run_streams);
}

static const struct unit_test torture_tests[] = {
	UNIT_TEST(streams_survive_every_failed_allocation),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "torture", torture_tests },
		{ NULL, NULL } };
	int status = cluster_start();

	if (status != 0)
		return status;
	spout__log_configure(
	    &(struct spout__log_options){ .level = SPOUT_LOG_ERROR, .fd = 2 });
	torture_init();
	return unit_run(argc, argv, suites);
}
