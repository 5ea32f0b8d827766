/* SPDX-License-Identifier: MIT */
/* Workers that are replaced because they have had their share. */
#include "config.h"

#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/stats.h"
#include "supervisor_help.h"

#define LIMIT 100
#define MEMORY (160u << 20)

static void
start_limited(struct spout__supervisor_options o)
{
	o.recycle_look_ms = 10;
	start(o);
	CU_ASSERT_FATAL(eventually(board->serving));
}

/* The first process of each slot counts as many requests as the test says. */
static int
count_and_serve(const struct spout__worker *w)
{
	struct spout__control_message m;
	uint32_t counted = 0;

	if (w->generation > 1)
		return serve(w);
	spout__worker_ready(w);
	while (spout__control_receive(w->control, &m) != 1) {
		spout__gauge_set(SPOUT__G_HEARTBEAT_MS, spout__clock_ms());
		spout__count(SPOUT__C_REQUESTS, shared->go - counted);
		counted = shared->go;
		accept_queued(w);
		poll(NULL, 0, 2);
	}
	accept_queued(w);
	return 0;
}

static void
worker_is_replaced_after_its_requests(void)
{
	uint64_t beats;

	start_limited((struct spout__supervisor_options){
	    .worker_main = count_and_serve, .max_requests = LIMIT });
	shared->go = LIMIT - LIMIT / 10 - 1; /* a tenth less, by chance, is the least */
	CU_ASSERT(eventually(
	    board->slots[0].stats.counters[SPOUT__C_REQUESTS] == shared->go));
	beats = spout__clock_ms() + 100;
	while (spout__clock_ms() < beats)
		CU_ASSERT_EQUAL(answer(connect_and_ask()), 0);
	CU_ASSERT(ready(0, 1) && board->slots[0].generation == 1);
	shared->go = LIMIT;
	while (board->slots[0].generation == 1)
		CU_ASSERT_EQUAL(answer(connect_and_ask()), 0);
	CU_ASSERT(says("recycle: worker 0 (pid "));
	CU_ASSERT(answer(connect_and_ask()) == 0);
	CU_ASSERT_EQUAL(board->slots[0].recycles, 1);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
	CU_ASSERT(logged(" has had "));
}

static unsigned
count_of(const char *text)
{
	unsigned n = 0;
	const char *at;

	for (at = log_text; (at = strstr(at, text)) != NULL; at++)
		n++;
	return n;
}

static void
workers_that_come_due_together_are_replaced_one_by_one(void)
{
	const char *second;

	start_limited((struct spout__supervisor_options){ .worker_main = count_and_serve,
	    .n_workers = 3,
	    .max_requests = LIMIT });
	shared->go = LIMIT;
	while (!ready(0, 2) || !ready(1, 2) || !ready(2, 2))
		CU_ASSERT(answer(connect_and_ask()) >= 0);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
	CU_ASSERT_EQUAL(count_of("replacing it"), 3);
	CU_ASSERT_EQUAL(count_of("drains"), 3);
	second = strstr(strstr(log_text, "replacing it") + 1, "replacing it");
	CU_ASSERT(strstr(log_text, "drains") < second);
}

static void
worker_is_replaced_when_it_is_old(void)
{
	start_limited((struct spout__supervisor_options){
	    .worker_main = serve, .max_age_ms = 50 });
	while (board->slots[0].generation < 3)
		CU_ASSERT_EQUAL(answer(connect_and_ask()), 0);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
	CU_ASSERT(logged(" has served for 0 s"));
}

static int
grow_and_serve(const struct spout__worker *w)
{
	char *memory = w->generation == 1 ? malloc(MEMORY) : NULL;
	int status;

	for (size_t i = 0; memory != NULL && i < MEMORY; i += 4096)
		memory[i] = 1;
	status = serve(w);
	free(memory);
	return status;
}

static void
worker_is_replaced_when_it_has_grown(void)
{
	start_limited((struct spout__supervisor_options){
	    .worker_main = grow_and_serve, .max_memory_bytes = MEMORY });
	while (board->slots[0].generation == 1)
		CU_ASSERT_EQUAL(answer(connect_and_ask()), 0);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
	CU_ASSERT(logged(" KiB of memory: replacing it"));
	CU_ASSERT_EQUAL(count_of("replacing it"), 1);
}

static int
cannot_start_again(const struct spout__worker *w)
{
	if (w->generation > 1) {
		spout__worker_boot_failed(w, "no database");
		return 1;
	}
	return serve(w);
}

static void
worker_without_a_successor_goes_on(void)
{
	start_limited((struct spout__supervisor_options){
	    .worker_main = cannot_start_again, .max_age_ms = 50 });
	CU_ASSERT(eventually(says("recycle: the old worker 0 goes on: the new one could "
				  "not start: no database")));
	CU_ASSERT_EQUAL(answer(connect_and_ask()), 0);
	CU_ASSERT(ready(0, 1) && board->slots[0].generation == 1);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
	CU_ASSERT_EQUAL(count_of("replacing it"), 1); /* not at once again */
}

static const struct unit_test recycle_tests[] = {
	UNIT_TEST(worker_is_replaced_after_its_requests),
	UNIT_TEST(workers_that_come_due_together_are_replaced_one_by_one),
	UNIT_TEST(worker_is_replaced_when_it_is_old),
	UNIT_TEST(worker_is_replaced_when_it_has_grown),
	UNIT_TEST(worker_without_a_successor_goes_on),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "supervisor recycle", recycle_tests },
		{ NULL, NULL } };

	return unit_run(argc, argv, suites);
}
