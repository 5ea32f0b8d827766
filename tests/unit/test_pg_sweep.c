/* SPDX-License-Identifier: MIT */
/*
 * Every wait of streams, COPY and listening cancelled in turn, at three moments: nothing
 * may be left behind, and nothing hangs.
 */
#include "config.h"

#include "unit.h"

#include <stdlib.h>

#include <spout/spout.h>
#include <spout/testing.h>

#include "pg_help.h"

#define LONG_MS 60000 /* a hang guard */

#define SERIES "SELECT i, 'row ' || i AS t FROM generate_series(1, $1::int) i"
/* So much that it fits into no buffer on the way; made while it is sent. */
#define ENDLESS \
	"SELECT t FROM (SELECT repeat('x', 100) AS t, generate_series(1, 100000000)) s"

static void
swept_rows(void *arg)
{
	struct spout_pg_stream *stream = spout_pg_stream(SERIES, 1500);

	(void)arg;
	while (spout_pg_stream_next(stream) != NULL)
		continue;
	stream = spout_pg_stream(ENDLESS);
	(void)spout_pg_stream_next(stream);
	spout_pg_stream_close(stream);
}

static void
swept_copies(void *arg)
{
	struct spout_pg_copy *out =
	    spout_pg_copy_out("COPY (SELECT repeat('x', 30000)) TO STDOUT");
	struct spout_pg_copy *in;
	struct spout_slice part;

	(void)arg;
	in = spout_pg_copy_in("COPY swept FROM STDIN");
	while ((part = spout_pg_copy_read(out)).len > 0)
		spout_pg_copy_write(in, part.data, part.len);
	spout_pg_copy_end(in);
}

static void
swept_events(void *arg)
{
	struct spout_pg_subscription *s = spout_pg_listen("swept");

	(void)arg;
	spout_pg_next_event(s);
	spout_pg_notify("swept", "x");
	spout_pg_next_event(s);
}

static void
stop_pool(void *arg)
{
	(void)arg;
	CU_ASSERT_EQUAL(spout__pg_stop(spout_loop_current(), LONG_MS), 0);
}

/* With a pool of its own in each round. */
static void
with_swept_pool(void *arg)
{
	const struct spout__pg_options options = { .url = cluster_url, .name = "test",
		.acquire_ms = 30000, .connect_ms = 30000 };

	CU_ASSERT_PTR_NOT_NULL(spout_pool_new("db", .min_threads = 2));
	CU_ASSERT_EQUAL(spout__pg_start(spout_loop_current(), &options), 0);
	spout_defer(stop_pool, NULL);
	spout_scope_run(*(spout_fn *)arg, NULL);
}

static void
sweep(spout_fn fn)
{
	spout_test_log_begin(); /* cancelled tasks say so */
	SPOUT_TEST_SWEEP(with_swept_pool, &fn, .run.no_threads = true,
	    .run.timeout_ms = LONG_MS, .step = 64 / unit_scaled(64));
	(void)spout_test_log_end();
}

static void
every_wait_of_a_stream_can_be_cancelled(void)
{
	sweep(swept_rows);
}

static void
every_wait_of_a_copy_can_be_cancelled(void)
{
	(void)observe("CREATE UNLOGGED TABLE swept (t text)");
	sweep(swept_copies);
	CU_ASSERT(observe("SELECT count(*) FROM swept") > 0);
	(void)observe("DROP TABLE swept");
	observe_no_more();
}

static void
every_wait_for_events_can_be_cancelled(void)
{
	sweep(swept_events);
}

static const struct unit_test sweep_tests[] = {
	UNIT_TEST(every_wait_of_a_stream_can_be_cancelled),
	UNIT_TEST(every_wait_of_a_copy_can_be_cancelled),
	UNIT_TEST(every_wait_for_events_can_be_cancelled),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "sweep", sweep_tests }, { NULL, NULL } };
	int status = cluster_start();

	return status != 0 ? status : unit_run(argc, argv, suites);
}
