/* SPDX-License-Identifier: MIT */
/* Groups: children that live and fail together. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

#include <spout/locks.h>

#include "co_help.h"

static struct spout_group *group;
static struct spout_event *gate; /* if not NULL, children begin with waiting for it */

struct child {
	char letter;
	unsigned ms;
	int error; /* what it fails with after that, or 0 */
};

static void
child(void *arg)
{
	struct child *c = arg;

	spout_defer(co_note, &c->letter);
	if (gate != NULL)
		spout_event_wait(gate);
	spout_sleep(c->ms);
	if (c->error != 0)
		spout_fail_with(c->error, "child %c", c->letter);
}

static void
spawn(char letter, unsigned ms, int error)
{
	struct child c = { letter, ms, error };

	spout_group_spawn(group, child, &c, sizeof(c));
}

/* --- ending well ------------------------------------------------------------------ */

static void
waits_for_three(void *arg)
{
	(void)arg;
	group = spout_group_new();
	gate = spout_event_new();
	spawn('a', 6, 0);
	spawn('b', 2, 0);
	spawn('c', 4, 0);
	CU_ASSERT_EQUAL(spout_group_count(group), 3);
	CU_ASSERT_EQUAL(spout_try_group_wait(group, 0), -ETIMEDOUT);
	CU_ASSERT_EQUAL(spout_try_group_wait(group, 1), -ETIMEDOUT);
	spout_event_set(gate);
	spout_group_wait(group);
	gate = NULL;
	CU_ASSERT_EQUAL(spout_group_count(group), 0);
	co_note("w");
	CU_ASSERT_EQUAL(spout_try_group_wait(group, 0), 0);
	CU_ASSERT_EQUAL(spout_try_group_spawn(group, child, NULL, 0), -EALREADY);
}

static void
children_run_side_by_side_and_are_waited_for(void)
{
	co_run(waits_for_three, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "bcaw");
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
waits_for_nobody(void *arg)
{
	(void)arg;
	spout_group_wait(spout_group_new(.limit = 3));
	spout_group_new(.quiet = true);
	co_note("w");
}

static void
an_empty_group_is_over_at_once(void)
{
	co_run(waits_for_nobody, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "w");
}

static unsigned running, most;

static void
counted(void *arg)
{
	(void)arg;
	CU_ASSERT_PTR_NULL(arg);
	running++;
	most = running > most ? running : most;
	spout_sleep(1);
	running--;
}

static void
spawns_with_limit(void *arg)
{
	int i;

	(void)arg;
	group = spout_group_new(.limit = 3);
	for (i = 0; i < 20; i++) {
		spout_group_spawn(group, counted, NULL, 0);
		CU_ASSERT_TRUE(spout_group_count(group) <= 3);
	}
	spout_group_wait(group);
	CU_ASSERT_EQUAL(running, 0);
}

static void
no_more_children_than_the_limit_run_at_once(void)
{
	most = running = 0;
	co_run(spawns_with_limit, NULL);
	CU_ASSERT_EQUAL(most, 3);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
spawns_more(void *arg)
{
	int depth = *(int *)arg - 1;

	co_note("n");
	if (depth > 0) {
		spout_group_spawn(group, spawns_more, &depth, sizeof(depth));
		spout_yield();
		spout_group_spawn(group, spawns_more, &depth, sizeof(depth));
	}
}

static void
spawns_a_tree(void *arg)
{
	int depth = 4;

	(void)arg;
	group = spout_group_new();
	spout_group_spawn(group, spawns_more, &depth, sizeof(depth));
	spout_group_wait(group);
	co_note("w");
}

static void
children_may_start_more_while_the_owner_waits(void)
{
	co_run(spawns_a_tree, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "nnnnnnnnnnnnnnnw");
}

/* --- failing ---------------------------------------------------------------------- */

static void
one_fails(void *arg)
{
	(void)arg;
	spout_defer(co_note, "o");
	group = spout_group_new();
	spawn('a', 10000, 0);
	spawn('b', 2, -EIO);
	spawn('c', 10000, 0);
	spout_group_wait(group);
	co_note("x");
}

static void
the_first_error_cancels_the_others_and_is_the_owners(void)
{
	spout_test_log_begin();
	co_run(one_fails, NULL);
	SPOUT_TEST_LOG_END();
	CU_ASSERT_EQUAL(strlen(co_trace), 4);
	CU_ASSERT_EQUAL(co_trace[0], 'b');
	CU_ASSERT_EQUAL(co_trace[3], 'o');
	CU_ASSERT_EQUAL(co_outcome.error, -EIO);
	CU_ASSERT_STRING_EQUAL(co_reason, "child b");
}

static void
fails_on_the_way_out(void *arg)
{
	struct child c = { 'z', 1, -EBADMSG };

	spout_shield(child, &c);
	(void)arg;
}

static void
two_fail(void *quiet)
{
	group = quiet != NULL ? spout_group_new(.quiet = true) : spout_group_new();
	spawn('a', 0, -EIO);
	spout_group_spawn(group, fails_on_the_way_out, NULL, 0);
	CU_ASSERT_EQUAL(spout_try_group_wait(group, SPOUT_FOREVER), -EIO);
	CU_ASSERT_STRING_EQUAL(spout_error(), "child a");
	CU_ASSERT_EQUAL(spout_try_group_spawn(group, child, NULL, 0), -EIO);
	CU_ASSERT_STRING_EQUAL(spout_error(), "child a");
}

static void
further_errors_are_logged_unless_quiet(void)
{
	const char *lines;

	co_log_begin();
	co_run(two_fail, NULL);
	lines = co_log_end();
	CU_ASSERT_EQUAL(
	    co_count(lines, "a further child of a group failed, started at "), 1);
	CU_ASSERT_EQUAL(co_count(lines, ": child z"), 1);
	CU_ASSERT_EQUAL(co_count(lines, "test_group.c:"), 1);
	CU_ASSERT_EQUAL(co_count(lines, "\n"), 1);
	spout_test_log_begin();
	co_run(two_fail, "quiet");
	SPOUT_TEST_LOG_END();
}

static void
spawns_at_limit_until_failure(void *arg)
{
	(void)arg;
	group = spout_group_new(.limit = 1);
	spawn('a', 2, -EIO);
	spawn('b', 0, 0);
	co_note("x");
}

static void
a_spawn_that_waits_leaves_when_the_group_fails(void)
{
	spout_test_log_begin();
	co_run(spawns_at_limit_until_failure, NULL);
	SPOUT_TEST_LOG_END();
	CU_ASSERT_STRING_EQUAL(co_trace, "a");
	CU_ASSERT_STRING_EQUAL(co_reason, "child a");
}

static void
wait_for(void *event)
{
	spout_event_wait(event);
}

static void
lingers(void *arg)
{
	spout_shield(wait_for, *(struct spout_event **)arg);
}

static void
cancel_group(void *arg)
{
	(void)arg;
	spout_group_cancel(group);
}

static void
spawns_while_one_lingers(void *arg)
{
	struct spout_event *event = spout_event_new();

	(void)arg;
	group = spout_group_new(.limit = 1);
	spout_group_spawn(group, lingers, &event, sizeof(event));
	co_later(1, cancel_group, NULL);
	CU_ASSERT_EQUAL(spout_try_group_spawn(group, child, NULL, 0), -ECANCELED);
	/* No place was free for it: it did not wait until the last was gone. */
	CU_ASSERT_EQUAL(spout_group_count(group), 1);
	spout_event_set(event);
	CU_ASSERT_EQUAL(spout_try_group_wait(group, SPOUT_FOREVER), -ECANCELED);
	CU_ASSERT_EQUAL(spout_group_count(group), 0);
}

static void
a_cancelled_group_lets_go_of_who_waits_for_a_place(void)
{
	co_run(spawns_while_one_lingers, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
does_not_wait(void *stays)
{
	group = spout_group_new();
	spawn('a', 1, -EIO);
	spawn('b', 10000, 0);
	spout_yield();
	while (*(bool *)stays && spout_group_count(group) > 0)
		spout_sleep(1);
}

static void
an_error_that_nobody_waited_for_is_logged(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		bool stays = i == 1;
		const char *lines;

		co_log_begin();
		co_run(does_not_wait, &stays);
		lines = co_log_end();
		CU_ASSERT_EQUAL(strlen(co_trace), 2);
		CU_ASSERT_EQUAL(co_outcome.error, 0);
		/* When it leaves first, both are cancelled and there is no error. */
		CU_ASSERT_EQUAL(co_count(lines, "child a"), stays);
		CU_ASSERT_EQUAL(co_count(lines, "test_group.c:"), stays);
	}
}

/* --- the owner leaves ------------------------------------------------------------- */

static void
owner_fails(void *arg)
{
	char letters[] = "pq";

	(void)arg;
	spout_defer(co_note, &letters[0]);
	group = spout_group_new();
	spout_defer(co_note, &letters[1]);
	spawn('a', 10000, 0);
	spawn('b', 10000, 0);
	spout_sleep(1);
	spout_fail_with(-EBADMSG, "owner");
}

static void
children_are_gone_before_the_clean_ups_of_the_owner(void)
{
	co_run(owner_fails, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "abqp");
	CU_ASSERT_STRING_EQUAL(co_reason, "owner");
}

static void
waits_for_long(void *arg)
{
	(void)arg;
	spout_defer(co_note, "o");
	group = spout_group_new(.limit = 2);
	spawn('a', 10000, 0);
	spawn('b', 10000, 0);
	spawn('c', 10000, 0); /* waits for its place */
}

static void
a_deadline_of_the_owner_ends_the_children(void)
{
	spout_test_log_begin();
	co_run_until(waits_for_long, NULL, 5);
	SPOUT_TEST_LOG_END();
	CU_ASSERT_STRING_EQUAL(co_trace, "abo");
	CU_ASSERT_EQUAL(co_outcome.error, -ETIMEDOUT);
}

static void
cancels_itself(void *arg)
{
	co_later(2, co_cancel, co_main);
	waits_for_long(arg);
}

static void
cancelling_the_owner_cancels_the_children(void)
{
	co_run(cancels_itself, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "abo");
	CU_ASSERT_EQUAL(co_outcome.error, -ECANCELED);
}

static void
cancels_group(void *arg)
{
	(void)arg;
	group = spout_group_new();
	spawn('a', 10000, 0);
	spout_yield();
	spout_group_cancel(group);
	CU_ASSERT_EQUAL(spout_try_group_spawn(group, child, NULL, 0), -ECANCELED);
	CU_ASSERT_EQUAL(spout_try_group_wait(group, SPOUT_FOREVER), -ECANCELED);
	spout_group_cancel(group);
	co_note("k");
}

static void
a_group_can_be_cancelled(void)
{
	co_run(cancels_group, NULL);
	CU_ASSERT_STRING_EQUAL(co_trace, "ak");
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
waits_for_own_group(void *arg)
{
	(void)arg;
	CU_ASSERT_EQUAL(spout_try_group_wait(group, SPOUT_FOREVER), -EINVAL);
	co_note("i");
}

static void
lets_child_wait(void *arg)
{
	(void)arg;
	group = spout_group_new();
	spout_group_spawn(group, waits_for_own_group, NULL, 0);
	spout_group_wait(group);
}

static void
only_the_owner_waits_for_a_group(void)
{
	spout_test_log_begin();
	CU_ASSERT_EQUAL(spout_test_log_expect("only the owner"), 0);
	co_run(lets_child_wait, NULL);
	SPOUT_TEST_LOG_END();
	CU_ASSERT_EQUAL(spout_test_log_count("only the owner"), 1);
	CU_ASSERT_STRING_EQUAL(co_trace, "i");
}

static const struct unit_test tests[] = {
	UNIT_TEST(children_run_side_by_side_and_are_waited_for),
	UNIT_TEST(an_empty_group_is_over_at_once),
	UNIT_TEST(no_more_children_than_the_limit_run_at_once),
	UNIT_TEST(children_may_start_more_while_the_owner_waits),
	UNIT_TEST(the_first_error_cancels_the_others_and_is_the_owners),
	UNIT_TEST(further_errors_are_logged_unless_quiet),
	UNIT_TEST(a_spawn_that_waits_leaves_when_the_group_fails),
	UNIT_TEST(a_cancelled_group_lets_go_of_who_waits_for_a_place),
	UNIT_TEST(an_error_that_nobody_waited_for_is_logged),
	UNIT_TEST(children_are_gone_before_the_clean_ups_of_the_owner),
	UNIT_TEST(a_deadline_of_the_owner_ends_the_children),
	UNIT_TEST(cancelling_the_owner_cancels_the_children),
	UNIT_TEST(a_group_can_be_cancelled),
	UNIT_TEST(only_the_owner_waits_for_a_group),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "group", tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
