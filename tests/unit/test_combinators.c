/* SPDX-License-Identifier: MIT */
/* Several futures at once; what is logged of errors; values of a coroutine. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "co_help.h"

static struct spout_future *f1, *f2, *f3;

static void
make_three(void)
{
	f1 = spout_future_new();
	f2 = spout_future_new();
	f3 = spout_future_new();
}

static void
complete(void *future)
{
	CU_ASSERT_EQUAL(spout_future_set_result(future, "value"), 0);
}

static void
fail(void *future)
{
	CU_ASSERT_EQUAL(
	    spout_future_set_error(future, -EIO, "disk %c", future == f1 ? '1' : '2'), 0);
}

static void
fail_2_then_1(void *arg)
{
	(void)arg;
	fail(f2);
	fail(f1);
}

/* --- all -------------------------------------------------------------------------- */

static void
all_with_two_errors(void *quiet)
{
	make_three();
	if (quiet != NULL)
		spout_future_set_quiet(f1);
	co_later(2, fail_2_then_1, NULL);
	spout_await_all(SPOUT_FOREVER, f1, f2, f3);
	co_note("x");
}

static void
all_leaves_with_the_error_that_came_first_and_logs_the_others(void)
{
	const char *lines;

	co_log_begin();
	co_run(all_with_two_errors, NULL);
	lines = co_log_end();
	CU_ASSERT_EQUAL(co_outcome.error, -EIO);
	CU_ASSERT_STRING_EQUAL(co_reason, "disk 2");
	CU_ASSERT_STRING_EQUAL(co_trace, "");
	CU_ASSERT_EQUAL(co_count(lines, "nobody looked at it: disk 1"), 1);
	CU_ASSERT_EQUAL(co_count(lines, "test_combinators.c:"), 1);
	CU_ASSERT_EQUAL(co_count(lines, "\n"), 1);
}

static void
a_quiet_future_is_not_logged(void)
{
	spout_test_log_begin();
	co_run(all_with_two_errors, "quiet");
	SPOUT_TEST_LOG_END();
	CU_ASSERT_STRING_EQUAL(co_reason, "disk 2");
}

static void
all_with_an_early_error(void *arg)
{
	(void)arg;
	make_three();
	fail(f2);
	co_note("a");
	spout_await_all(SPOUT_FOREVER, f1, f2, f3);
}

static void
all_leaves_at_once_with_an_error_that_is_there(void)
{
	co_run(all_with_an_early_error, NULL);
	CU_ASSERT_STRING_EQUAL(co_reason, "disk 2");
}

static void
tries_all(void *arg)
{
	(void)arg;
	make_three();
	co_later(2, fail_2_then_1, NULL);
	CU_ASSERT_EQUAL(spout_try_await_all(10, f1, f2, f3), -ETIMEDOUT);
	co_later(2, complete, f3);
	CU_ASSERT_EQUAL(spout_try_await_all(SPOUT_FOREVER, f1, f2, f3), 0);
	CU_ASSERT_EQUAL(spout_future_error(f2), -EIO);
	CU_ASSERT_STRING_EQUAL((char *)spout_future_result(f3), "value");
	spout_await_all(SPOUT_FOREVER, f3);
	co_note("k");
}

static void
trying_all_waits_for_every_one(void)
{
	const char *lines;

	co_log_begin();
	co_run(tries_all, NULL);
	lines = co_log_end();
	CU_ASSERT_STRING_EQUAL(co_trace, "k");
	CU_ASSERT_EQUAL(co_count(lines, "disk 1"), 1);
	CU_ASSERT_EQUAL(co_count(lines, "disk 2"), 0);
}

/* --- errors that nobody sees ------------------------------------------------------ */

static void
looks_at_some(void *arg)
{
	(void)arg;
	make_three();
	fail(f1);
	fail(f2);
	CU_ASSERT_EQUAL(spout_try_await(f1), -EIO);
	spout_cancel(f3);
}

static void
a_failed_future_that_nobody_looked_at_is_logged(void)
{
	const char *lines;

	co_log_begin();
	co_run(looks_at_some, NULL);
	lines = co_log_end();
	CU_ASSERT_EQUAL(co_count(lines,
			    "a future failed and nobody looked at it: disk 2, "
			    "made at "),
	    1);
	CU_ASSERT_EQUAL(co_count(lines, "\n"), 1);
}

static void
times_out(void *seen)
{
	f1 = spout_future_new();
	f2 = spout_future_new();
	CU_ASSERT_EQUAL(spout_try_with_timeout(1, f1), -ETIMEDOUT);
	co_later(2, fail, f1);
	co_later(4, complete, f2);
	if (seen != NULL)
		CU_ASSERT_EQUAL(spout_try_await(f1), -EIO);
	(void)spout_await(f2);
}

static void
a_late_error_is_logged_unless_somebody_waits_again(void)
{
	const char *lines;

	co_log_begin();
	co_run(times_out, NULL);
	lines = co_log_end();
	CU_ASSERT_EQUAL(co_count(lines,
			    "late error of a future that nobody waits for: "
			    "disk 1, made at "),
	    1);
	CU_ASSERT_EQUAL(co_count(lines, "\n"), 1);
	spout_test_log_begin();
	co_run(times_out, "seen");
	SPOUT_TEST_LOG_END();
}

static void
fails(void *arg)
{
	spout_fail_with(-EBADMSG, "no %s", (const char *)arg);
}

static void
spawns_a_failing_task(void *arg)
{
	(void)arg;
	CU_ASSERT_EQUAL(spout_spawn(fails, "luck", 5), 0);
}

static void
a_failing_task_is_logged_with_the_place_that_started_it(void)
{
	const char *lines;

	co_log_begin();
	co_run(spawns_a_failing_task, NULL);
	lines = co_log_end();
	CU_ASSERT_PTR_NOT_NULL(strstr(lines, "task failed, started at "));
	CU_ASSERT_PTR_NOT_NULL(strstr(lines, "test_combinators.c:"));
	CU_ASSERT_PTR_NOT_NULL(strstr(lines, ": no luck"));
	CU_ASSERT_EQUAL(co_count(lines, "\n"), 1);
}

/* --- in order of completion ------------------------------------------------------- */

static void
iterates(void *arg)
{
	struct spout_wait_iterator *it;
	struct spout_future *future = NULL;

	(void)arg;
	make_three();
	complete(f3);
	it = spout_wait_iterator_new(f1, f2, f3);
	CU_ASSERT_PTR_EQUAL(spout_wait_next(it), f3);
	CU_ASSERT_EQUAL(spout_wait_index(it), 2);
	CU_ASSERT_EQUAL(spout_try_wait_next(it, 0, &future), -ETIMEDOUT);
	CU_ASSERT_EQUAL(spout_try_wait_next(it, 1, &future), -ETIMEDOUT);
	co_later(1, fail_2_then_1, NULL);
	CU_ASSERT_EQUAL(spout_try_wait_next(it, SPOUT_FOREVER, &future), 1);
	CU_ASSERT_PTR_EQUAL(future, f2);
	CU_ASSERT_EQUAL(spout_try_await(future), -EIO);
	CU_ASSERT_PTR_EQUAL(spout_wait_next(it), f1);
	CU_ASSERT_EQUAL(spout_wait_index(it), 0);
	CU_ASSERT_PTR_NULL(spout_wait_next(it));
	CU_ASSERT_EQUAL(spout_try_wait_next(it, 1, &future), 0);
	CU_ASSERT_EQUAL(spout_try_await(f1), -EIO);
	co_note("k");
}

static void
an_iterator_gives_futures_as_they_complete(void)
{
	co_run(iterates, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "k");
}

struct shared_iterator {
	struct spout_wait_iterator *it;
	char letter;
};

static void
takes_from_iterator(void *arg)
{
	struct shared_iterator *shared = arg;

	while (spout_wait_next(shared->it) != NULL)
		co_note(&shared->letter);
	co_note(".");
}

static void
shares_an_iterator(void *arg)
{
	struct shared_iterator shared = { .letter = 'a' };
	struct spout_group *group = spout_group_new();

	(void)arg;
	make_three();
	shared.it = spout_wait_iterator_new(f1, f2, f3);
	for (; shared.letter <= 'c'; shared.letter++)
		spout_group_spawn(group, takes_from_iterator, &shared, sizeof(shared));
	co_later(1, complete, f1);
	co_later(2, complete, f2);
	co_later(3, complete, f3);
	spout_group_wait(group);
}

static void
several_may_take_from_one_iterator(void)
{
	co_run(shares_an_iterator, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
	CU_ASSERT_EQUAL(strlen(co_trace), 6);
	CU_ASSERT_EQUAL(co_count(co_trace, "."), 3);
}

static void
leaves_an_iterator(void *arg)
{
	(void)spout_wait_iterator_new_of(arg, 3);
}

static void
outlives_an_iterator(void *arg)
{
	struct spout_future *futures[3];

	(void)arg;
	make_three();
	futures[0] = f1;
	futures[1] = f2;
	futures[2] = f3;
	spout_scope_run(leaves_an_iterator, futures);
	complete(f1); /* would tell the iterator */
	co_note("k");
}

static void
a_future_may_outlive_its_iterator(void)
{
	co_run(outlives_an_iterator, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "k");
}

/* --- chains ----------------------------------------------------------------------- */

static void
chains(void *arg)
{
	struct spout_future *to = spout_future_new(), *late;

	(void)arg;
	make_three();
	CU_ASSERT_EQUAL(spout_future_chain(f1, to), 0);
	co_later(1, fail, f1);
	CU_ASSERT_EQUAL(spout_try_await(to), -EIO);
	CU_ASSERT_STRING_EQUAL(spout_error(), "disk 1");

	complete(f2);
	late = spout_future_new();
	CU_ASSERT_EQUAL(spout_future_chain(f2, late), 0);
	CU_ASSERT_STRING_EQUAL((char *)spout_await(late), "value");

	to = spout_future_new();
	CU_ASSERT_EQUAL(spout_future_chain(f3, to), 0);
	spout_cancel(to);
	CU_ASSERT_FALSE(spout_future_done(f3));
	complete(f3);
	CU_ASSERT_EQUAL(spout_future_error(to), -ECANCELED);
	co_note("k");
}

static void
a_chained_future_ends_as_the_first_one(void)
{
	spout_test_log_begin();
	co_run(chains, NULL);
	SPOUT_TEST_LOG_END();
	CU_ASSERT_STRING_EQUAL(co_trace, "k");
}

static void
chains_from_outside(void *from)
{
	CU_ASSERT_EQUAL(spout_future_chain(from, spout_future_new()), 0);
}

static void
chains_to_outside(void *to)
{
	CU_ASSERT_EQUAL(spout_future_chain(spout_future_new(), to), 0);
}

static void
chains_between_scopes(void *arg)
{
	(void)arg;
	make_three();
	spout_scope_run(chains_from_outside, f1);
	complete(f1); /* its chain is gone with the child */
	spout_scope_run(chains_to_outside, f2);
	CU_ASSERT_EQUAL(spout_try_await(f2), -ECANCELED);
	co_note("k");
}

static void
either_end_of_a_chain_may_go_first(void)
{
	co_run(chains_between_scopes, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "k");
}

static void
ignores_cancel(struct spout_future *future)
{
	(void)future;
}

static void
abandons_a_future(void *to)
{
	struct spout_future *from =
	    spout__future_alloc(spout_scope_current(), sizeof(*from), ignores_cancel);

	CU_ASSERT_PTR_NOT_NULL_FATAL(from);
	CU_ASSERT_EQUAL(spout_future_chain(from, to), 0);
}

static void
waits_for_an_abandoned_one(void *arg)
{
	struct spout_future *to = spout_future_new();

	(void)arg;
	spout_scope_run(abandons_a_future, to);
	CU_ASSERT_EQUAL(spout_future_error(to), -ECANCELED);
	co_note("k");
}

static void
a_future_that_is_dropped_with_its_scope_tells_who_waits(void)
{
	co_run(waits_for_an_abandoned_one, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "k");
}

/* --- values ----------------------------------------------------------------------- */

static const struct spout_local tenant = { .name = "tenant" };
static const struct spout_local borrowed = { .name = "borrowed", .children_only = true };

static void
note_tenant(void)
{
	const char *value = spout_local_get(&tenant);

	co_note(value != NULL ? (void *)(uintptr_t)value : "-");
	co_note(spout_local_get(&borrowed) != NULL ? "b" : "-");
}

static void
child_with_values(void *arg)
{
	(void)arg;
	spout_yield(); /* the parent changes its value */
	note_tenant();
	spout_local_set(&tenant, "C", 2);
	note_tenant();
}

static void
carries_values(void *arg)
{
	struct spout_group *group = spout_group_new();

	(void)arg;
	note_tenant();
	spout_local_set(&tenant, "1", 2);
	spout_local_set(&borrowed, &group, sizeof(group));
	CU_ASSERT_PTR_EQUAL(*(struct spout_group **)spout_local_get(&borrowed), group);
	spout_group_spawn(group, child_with_values, NULL, 0);
	spout_local_set(&tenant, "2", 2);
	spout_group_wait(group);
	CU_ASSERT_EQUAL(spout_spawn(child_with_values, NULL, 0), 0);
	spout_scope_run(child_with_values, NULL);
	spout_local_set(&tenant, "3, and longer than before", 26);
	note_tenant();
}

static void
values_go_along_to_what_is_started(void)
{
	co_run(carries_values, NULL);
	/* before; group; spawned; child; after */
	CU_ASSERT_STRING_EQUAL(co_trace,
	    "--"
	    "1bCb"
	    "2-C-"
	    "2bCb"
	    "3b");
	CU_ASSERT_PTR_NULL(spout_local_get(&tenant));
}

static void
sets_often(void *arg)
{
	struct spout__arena *arena = &spout_scope_current()->arena;
	size_t used;
	int i;

	(void)arg;
	spout_local_set(&tenant, &arg, sizeof(arg));
	used = arena->used;
	for (i = 0; i < 1000; i++)
		spout_local_set(&tenant, &i, sizeof(i));
	CU_ASSERT_EQUAL(arena->used, used);
	CU_ASSERT_EQUAL(*(int *)spout_local_get(&tenant), 999);
}

static void
setting_a_value_again_takes_no_memory(void)
{
	co_run(sets_often, NULL);
}

static void
logs(void *text)
{
	spout_info("%s", (char *)text);
	spout_yield();
	spout_info("%s", (char *)text);
}

static void
logs_with_an_id(void *arg)
{
	struct spout_group *group = spout_group_new();

	(void)arg;
	CU_ASSERT_PTR_NULL(spout_request_id_current());
	spout_set_request_id("id-42");
	CU_ASSERT_STRING_EQUAL(spout_request_id_current(), "id-42");
	logs("main");
	spout_group_spawn(group, logs, "group", 6);
	CU_ASSERT_EQUAL(spout_spawn(logs, "task", 5), 0);
	spout_scope_run(logs, "child");
	spout_group_wait(group);
	spout_set_request_id("other");
	CU_ASSERT_EQUAL(spout_spawn(fails, "luck", 5), 0);
}

static void
the_request_id_is_in_every_line(void)
{
	const char *lines;

	co_log_begin();
	co_run(logs_with_an_id, NULL);
	lines = co_log_end();
	CU_ASSERT_EQUAL(co_count(lines, "\n"), 9);
	CU_ASSERT_EQUAL(co_count(lines, "id-42"), 8);
	CU_ASSERT_EQUAL(co_count(lines, "other"), 1);
}

static const struct unit_test tests[] = {
	UNIT_TEST(all_leaves_with_the_error_that_came_first_and_logs_the_others),
	UNIT_TEST(a_quiet_future_is_not_logged),
	UNIT_TEST(all_leaves_at_once_with_an_error_that_is_there),
	UNIT_TEST(trying_all_waits_for_every_one),
	UNIT_TEST(a_failed_future_that_nobody_looked_at_is_logged),
	UNIT_TEST(a_late_error_is_logged_unless_somebody_waits_again),
	UNIT_TEST(a_failing_task_is_logged_with_the_place_that_started_it),
	UNIT_TEST(an_iterator_gives_futures_as_they_complete),
	UNIT_TEST(several_may_take_from_one_iterator),
	UNIT_TEST(a_future_may_outlive_its_iterator),
	UNIT_TEST(a_chained_future_ends_as_the_first_one),
	UNIT_TEST(either_end_of_a_chain_may_go_first),
	UNIT_TEST(a_future_that_is_dropped_with_its_scope_tells_who_waits),
	UNIT_TEST(values_go_along_to_what_is_started),
	UNIT_TEST(setting_a_value_again_takes_no_memory),
	UNIT_TEST(the_request_id_is_in_every_line),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "combinators", tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
