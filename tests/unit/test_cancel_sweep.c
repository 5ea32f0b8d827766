/* SPDX-License-Identifier: MIT */
/*
 * Every wait of the library cancelled in turn, at three moments: nothing may be left
 * behind, no descriptor, thread, child (nor zombie) and connection, and, as every
 * allocation is counted (torture.h), no block of memory.
 */
#include "config.h"

#include "torture.h"
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <spout/spout.h>
#include <spout/testing.h>

#define HANG_MS 60000 /* how long one round may take on a busy machine */
#define HOST "127.0.0.1"

/* --- sweeping --------------------------------------------------------------------- */

static long
live_blocks(void *arg)
{
	(void)arg;
	return torture_live();
}

/* Sweep fn, which has to have that many waits at least. Checks whatever it can. */
static void
sweep(spout_fn fn, unsigned waits_at_least, struct spout_test_sweep_options options)
{
	struct spout_test_sweep result;

	options.size = sizeof(options);
	options.count = live_blocks;
	options.run.timeout_ms = HANG_MS;
	while (unit_scaled(64) * (options.step + 1) < 64)
		options.step++;
	options.step++;
	spout_test_log_begin(); /* tasks that are cancelled say so */
	result = spout_test_sweep_at(fn, NULL, &options, "sweep");
	(void)spout_test_log_end();
	printf("[%u waits, %u rounds] ", result.waits, result.rounds);
	SPOUT_TEST_CHECK(result.error == 0, result.error ? result.reason : "swept");
	CU_ASSERT_TRUE(result.waits >= waits_at_least);
}

#define SWEEP(fn, waits_at_least, ...) \
	sweep((fn), (waits_at_least), (struct spout_test_sweep_options){ __VA_ARGS__ })

/* --- locks and queues ------------------------------------------------------------- */

/*
 * Producers and consumers that hand malloc'ed items over with locks around. Whoever owns
 * an item frees it: the producer until its put returns, the consumer from the return of
 * its get, the queue in between. So an item lost or handed over twice is a leak or a
 * double free for AddressSanitizer and valgrind, and for the count here.
 */

static struct spout_semaphore *semaphore;
static struct spout_mutex *mutex;
static struct spout_event *event;
static struct spout_condition *condition;
static struct spout_queue *queue;
static int items_alive;
static bool touched; /* a wait of this round may be cancelled */

static void
item_free(void *item)
{
	items_alive--;
	free(item);
}

static void
item_dropped(void *item)
{
	item_free(*(void **)item);
}

struct box {
	void *item;
};

static void
box_empty(void *arg)
{
	struct box *box = arg;

	if (box->item != NULL)
		item_free(box->item);
}

static void
producer(void *arg)
{
	struct box *box = spout_zalloc(1, sizeof(*box));
	int i;

	(void)arg;
	spout_defer(box_empty, box);
	for (i = 0; i < 3; i++) {
		box->item = malloc(16);
		items_alive++;
		spout_semaphore_acquire(semaphore);
		spout_queue_put(queue, &box->item);
		box->item = NULL;
		CU_ASSERT_EQUAL(spout_semaphore_release(semaphore), 0);
	}
	spout_lock(mutex);
	spout_yield();
	(void)spout_condition_notify(condition, 1);
}

static void
consumer(void *arg)
{
	struct box *box = spout_zalloc(1, sizeof(*box));

	(void)arg;
	spout_defer(box_empty, box);
	spout_event_wait(event);
	while (spout_queue_get(queue, &box->item)) {
		spout_lock(mutex);
		spout_yield();
		CU_ASSERT_EQUAL(spout_unlock(mutex), 0);
		CU_ASSERT_EQUAL(spout_queue_task_done(queue), 0);
		box_empty(box);
		box->item = NULL;
	}
}

static void
producers(void *arg)
{
	struct spout_group *group = spout_group_new(.limit = 3);
	int i;

	(void)arg;
	for (i = 0; i < 4; i++)
		spout_group_spawn(group, producer, NULL, 0);
	spout_group_wait(group);
}

/* Whoever still waits for work gets to know that there is none. */
static void
wind_up(void *arg)
{
	(void)arg;
	spout_event_set(event);
	spout_queue_close(queue);
}

static void
hands_items_over(void *arg)
{
	int i, r;

	(void)arg;
	spout_defer(wind_up, NULL);
	for (i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(spout_spawn(consumer, NULL, 0), 0);
	CU_ASSERT_EQUAL(spout_spawn(producers, NULL, 0), 0);
	r = spout_try_condition_wait(condition, 1);
	CU_ASSERT_TRUE(r == 0 || r == -ETIMEDOUT);
	spout_event_set(event);
	/* Who was cancelled leaves work undone. */
	r = spout_try_queue_join(queue, touched ? 1 : SPOUT_FOREVER);
	CU_ASSERT_TRUE(r == 0 || r == -ETIMEDOUT);
}

/* All have left: nobody may hold a thing. */
static void
nobody_holds_a_thing(void *arg)
{
	(void)arg;
	CU_ASSERT_EQUAL(spout_try_lock(mutex, 0), 0);
	CU_ASSERT_EQUAL(spout_semaphore_free_units(semaphore), 2);
	CU_ASSERT_EQUAL(spout_condition_notify_all(condition), 0);
	CU_ASSERT_TRUE(spout_queue_count(queue) <= 2);
}

static void
make_locks(void *arg)
{
	(void)arg;
	items_alive = 0;
	semaphore = spout_semaphore_new_in(NULL, 2, 2);
	mutex = spout_mutex_new_in(NULL);
	event = spout_event_new_in(NULL);
	condition = spout_condition_new_in(NULL);
	queue = spout_queue_new_in(
	    NULL, .capacity = 2, .item_bytes = sizeof(void *), .on_drop = item_dropped);
}

static void
free_locks(void *arg, const struct spout_test_result *result)
{
	(void)arg;
	(void)result;
	SPOUT_TEST_RUN(nobody_holds_a_thing, NULL, .no_threads = true);
	spout_queue_free(queue);
	spout_condition_free(condition);
	spout_event_free(event);
	spout_mutex_free(mutex);
	spout_semaphore_free(semaphore);
	CU_ASSERT_EQUAL(items_alive, 0);
	touched = true; /* the first round is not */
}

static void
no_wait_for_locks_and_queues_loses_anything(void)
{
	touched = false;
	SWEEP(hands_items_over, 30, .run.no_threads = true, .before = make_locks,
	    .after = free_locks);
}

/* --- the executor ----------------------------------------------------------------- */

static int
short_job(void *arg)
{
	(void)arg;
	poll(NULL, 0, 1);
	return 7;
}

static int
until_cancelled(void *arg)
{
	(void)arg;
	while (!spout_job_cancelled())
		poll(NULL, 0, 1);
	return 0;
}

static void
child_runs_a_job(void *arg)
{
	(void)arg;
	CU_ASSERT_EQUAL(spout_run_on(SPOUT_POOL_CPU, short_job, NULL), 7);
}

/* More jobs than threads, so that some are queued when they are given up. */
static void
runs_jobs(void *arg)
{
	struct spout_group *group = spout_group_new();
	struct spout_future *first, *second, *never;
	int i;

	(void)arg;
	CU_ASSERT_EQUAL(spout_run(short_job, NULL), 7);
	never = spout_run_async(until_cancelled, NULL);
	first = spout_run_async(short_job, NULL);
	second = spout_run_async(short_job, NULL);
	for (i = 0; i < 3; i++)
		spout_group_spawn(group, child_runs_a_job, NULL, 0);
	spout_await_all(HANG_MS, first, second);
	CU_ASSERT_EQUAL(spout_try_await_or_cancel(5, never), -ETIMEDOUT);
	spout_group_wait(group);
}

static void
no_wait_for_a_job_leaves_it_behind(void)
{
	SWEEP(runs_jobs, 6, .run.threads = 2);
}

/* --- TCP -------------------------------------------------------------------------- */

static void
answer_lines(struct spout_stream *stream, void *arg)
{
	struct spout_slice line;

	(void)arg;
	for (;;) {
		line = spout_stream_read_until(stream, "\n", 100);
		spout_sleep(1);
		spout_stream_write(stream, line.data, line.len);
	}
}

static void
free_server(void *server)
{
	spout_tcp_server_free(*(struct spout_tcp_server **)server);
}

static void
talks(void *arg)
{
	struct spout_tcp_server **server = spout_zalloc(1, sizeof(*server));
	struct spout_stream *stream;

	(void)arg;
	*server = spout_tcp_listen(HOST ":0", answer_lines, NULL);
	SPOUT_TEST_REQUIRE(*server != NULL);
	spout_defer(free_server, server);
	stream = spout_tcp_connect("localhost", spout_tcp_server_port(*server));
	spout_stream_write(stream, "one\ntwo\n", 8);
	spout_stream_flush(stream);
	CU_ASSERT_TRUE(spout_slice_equal(
	    spout_stream_read_until(stream, "\n", 100), "one\n"));
	CU_ASSERT_TRUE(spout_slice_equal(spout_stream_read_bytes(stream, 4), "two\n"));
	spout_stream_shutdown(stream);
	CU_ASSERT_EQUAL(spout_stream_read_all(stream, 100).len, 0);
}

static void
no_wait_of_a_conversation_leaves_a_connection_behind(void)
{
	SWEEP(talks, 6, .run.threads = 1);
}

/* --- processes -------------------------------------------------------------------- */

static void
runs_programs(void *arg)
{
	struct spout_process *process;

	(void)arg;
	process = spout_process_start(
	    SPOUT_ARGV("cat"), .in = SPOUT_PROCESS_PIPE, .out = SPOUT_PROCESS_PIPE);
	spout_stream_write(spout_process_in(process), "x", 1);
	CU_ASSERT_EQUAL(spout_stream_read_bytes(spout_process_out(process), 1).len, 1);
	spout_stream_shutdown(spout_process_in(process));
	spout_process_wait(process);
	CU_ASSERT_EQUAL(spout_process_run(SPOUT_ARGV("sh", "-c", "cat; echo e >&2"),
	    .input = "y", .input_len = 1)->output.len, 1);
}

/* It ends by SIGKILL only, after its grace; or with the loop. */
static void
gives_a_program_up(void *arg)
{
	struct spout_process *process = spout_process_start(
	    SPOUT_ARGV("sh", "-c",
		"trap '' TERM; echo ready; while :; do sleep 1000; done"),
	    .out = SPOUT_PROCESS_PIPE, .timeout_ms = 20, .grace_ms = 5);
	struct spout_process_exit how;

	(void)arg;
	CU_ASSERT_EQUAL(spout_try_process_wait(process, &how), -ETIMEDOUT);
}

static void
no_wait_for_a_program_leaves_a_child_or_zombie_behind(void)
{
	SWEEP(runs_programs, 8, .run.threads = 1);
	SWEEP(gives_a_program_up, 2, .run.threads = 1);
}

/* --- HTTP ------------------------------------------------------------------------- */

static void
slow_page(struct spout_request *req)
{
	spout_sleep(1);
	spout_run(short_job, NULL);
	spout_write_text(req, "one ");
	spout_flush(req);
	spout_sleep(1);
	spout_write_text(req, "two");
}

static void
upload(struct spout_request *req)
{
	struct spout_slice piece;
	size_t len = 0;

	while ((piece = spout_body_read(req)).len > 0)
		len += piece.len;
	spout_printf(req, "%zu", len);
}

static void
elsewhere(struct spout_request *req)
{
	spout_redirect(req, "/", 302);
}

static const struct spout_route routes[] = {
	SPOUT_GET("/", slow_page),
	SPOUT_GET("/elsewhere", elsewhere),
	SPOUT_POST("/upload", upload, .stream_body = true, .max_body_bytes = 1 << 20),
	SPOUT_END,
};

static struct spout_app app = { .name = "sweep", .routes = routes };

static unsigned whole; /* answers */

/* An error page is fine: the handler was cancelled. Half a page is not. */
static void
expect_answer(const struct spout_test_response *r, const char *body)
{
	if (r->status != 200)
		return;
	whole++;
	CU_ASSERT_STRING_EQUAL(r->body, body);
}

static void
asks(void *arg)
{
	struct spout_test_server *server = spout_test_serve(&app);
	const size_t len = 300000;
	char *much = spout_alloc(len);

	(void)arg;
	memset(much, 'm', len);
	expect_answer(spout_test_fetch(server, "GET", "/"), "one two");
	expect_answer(spout_test_fetch(server, "POST", "/upload", .body = much,
	    .body_len = len), "300000");
}

static void
no_wait_of_a_request_leaves_its_connection_behind(void)
{
	whole = 0;
	SWEEP(asks, 10, .run.threads = 1);
	CU_ASSERT_TRUE(whole >= 2 * (1 + SPOUT_TEST_MOMENTS)); /* the untouched rounds */
}

/* What was fetched, if its handler was not cancelled. */
static void
expect_fetched(const struct spout_response *r, const char *body)
{
	if (spout_response_status(r) != 200)
		return;
	whole++;
	CU_ASSERT_TRUE(spout_slice_equal(spout_response_body(r), body));
}

/* Two at once, one of them redirected; one read and one sent piece by piece. */
static void
fetches(void *arg)
{
	struct spout_test_server *server = spout_test_serve(&app);
	const char *page = spout_test_url(server, "/");
	struct spout_future *first, *second, *sent;
	char much[20000] = "";
	struct spout_response *streamed;
	int i;

	(void)arg;
	CU_ASSERT_EQUAL(spout_client_configure(.max_clients = 1), 0);
	first = spout_fetch_async(page);
	second = spout_fetch_async(spout_test_url(server, "/elsewhere"));
	expect_fetched(spout_response(first), "one two");
	expect_fetched(spout_response(second), "one two");
	streamed = spout_fetch_stream(page);
	while (spout_response_read(streamed).len > 0)
		continue;
	spout_response_free(streamed);
	sent = spout_fetch_async(
	    spout_test_url(server, "/upload"), .method = "POST", .upload = true);
	for (i = 0; i < 20; i++)
		spout_fetch_write(sent, much, sizeof(much));
	spout_fetch_write_end(sent);
	expect_fetched(spout_response(sent), "400000");
}

static void
no_wait_for_a_fetch_leaves_its_connection_behind(void)
{
	whole = 0;
	SWEEP(fetches, 10, .run.threads = 1);
	CU_ASSERT_TRUE(whole >= 3 * (1 + SPOUT_TEST_MOMENTS)); /* the untouched rounds */
}

static const struct unit_test tests[] = {
	UNIT_TEST(no_wait_for_locks_and_queues_loses_anything),
	UNIT_TEST(no_wait_for_a_job_leaves_it_behind),
	UNIT_TEST(no_wait_of_a_conversation_leaves_a_connection_behind),
	UNIT_TEST(no_wait_of_a_request_leaves_its_connection_behind),
	UNIT_TEST(no_wait_for_a_fetch_leaves_its_connection_behind),
	UNIT_END,
};

static const struct unit_test process_tests[] = {
	UNIT_TEST(no_wait_for_a_program_leaves_a_child_or_zombie_behind),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = {
		{ "cancel sweep", tests },
		{ unit_has_pidfd() ? "processes" : NULL, process_tests },
		{ NULL, NULL },
	};

	torture_init();
	return unit_run(argc, argv, suites);
}
