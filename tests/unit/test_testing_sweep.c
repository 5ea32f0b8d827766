/* SPDX-License-Identifier: MIT */
/* The test kit: cancelling every wait, and what is left behind. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <spout/spout.h>
#include <spout/testing.h>

/* --- the sweep ------------------------------------------------------------------ */

struct counted {
	int rounds, cancelled, children;
	long live;
};

static void
child(void *arg)
{
	++(*(struct counted **)arg)->children;
	spout_sleep(1);
}

static void
scenario(void *arg)
{
	struct spout_group *group = spout_group_new();

	spout_group_spawn(group, child, &arg, sizeof(arg));
	spout_group_spawn(group, child, &arg, sizeof(arg));
	spout_yield();
	spout_group_wait(group);
}

static void
count_round(void *arg, const struct spout_test_result *result)
{
	struct counted *counted = arg;

	counted->rounds++;
	counted->cancelled += result->error == -ECANCELED;
}

static void
a_sweep_cancels_every_wait_at_every_moment(void)
{
	struct counted counted = { 0 };
	struct spout_test_sweep sweep =
	    spout_test_sweep(scenario, &counted, .after = count_round);

	CU_ASSERT_EQUAL(sweep.error, 0);
	CU_ASSERT_EQUAL(sweep.waits, 4);
	/* Each wait at each moment, and each moment once untouched. */
	CU_ASSERT_EQUAL(sweep.rounds, 1 + SPOUT_TEST_MOMENTS * (4 + 1));
	CU_ASSERT_EQUAL(counted.rounds, (int)sweep.rounds);
	CU_ASSERT_TRUE(counted.cancelled >= SPOUT_TEST_MOMENTS * 2);
	SPOUT_TEST_SWEEP(scenario, &counted, .run.virtual_clock = true, .step = 2);
}

static int opened = -1;

static void
leaks_when_cancelled(void *arg)
{
	(void)arg;
	opened = open("/dev/null", O_RDONLY | O_CLOEXEC);
	spout_sleep(1);
	close(opened);
	opened = -1;
}

static void
a_sweep_finds_a_descriptor_that_is_left_behind(void)
{
	struct spout_test_sweep sweep = spout_test_sweep(leaks_when_cancelled, NULL);

	CU_ASSERT_EQUAL(sweep.error, -ENOTEMPTY);
	CU_ASSERT_PTR_NOT_NULL(strstr(sweep.reason, "wait 1 cancelled (before it)"));
	CU_ASSERT_PTR_NOT_NULL(strstr(sweep.reason, "descriptors"));
	CU_ASSERT_PTR_NOT_NULL(strstr(sweep.reason, "is /dev/null"));
	CU_ASSERT_EQUAL(sweep.rounds, 2);
	CU_ASSERT_EQUAL(close(opened), 0);
}

/* Present in programs that have a leak checker, which ours have under ASan. */
extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static uintptr_t hidden; /* where a block is, in a form that the checker does not know */

static void
leaks_a_block(void *arg)
{
	(void)arg;
	if (hidden == 0)
		hidden = ~(uintptr_t)malloc(100);
	spout_sleep(1);
}

static void
a_sweep_finds_lost_memory_where_there_is_a_leak_checker(void)
{
	struct spout_test_sweep sweep = spout_test_sweep(leaks_a_block, NULL);

	if (__lsan_do_recoverable_leak_check != NULL) {
		CU_ASSERT_EQUAL(sweep.error, -ENOTEMPTY);
		CU_ASSERT_PTR_NOT_NULL(strstr(sweep.reason, "memory was leaked"));
	} else {
		CU_ASSERT_EQUAL(sweep.error, 0);
	}
	free((void *)~hidden);
}

static void
counts_when_cancelled(void *arg)
{
	struct counted *counted = arg;

	counted->live++;
	spout_sleep(1);
	counted->live--;
}

static long
live_of(void *arg)
{
	return ((struct counted *)arg)->live;
}

static void
a_sweep_compares_a_count_of_the_caller(void)
{
	struct counted counted = { 0 };
	struct spout_test_sweep sweep =
	    spout_test_sweep(counts_when_cancelled, &counted, .count = live_of);

	CU_ASSERT_EQUAL(sweep.error, -ENOTEMPTY);
	CU_ASSERT_PTR_NOT_NULL(strstr(sweep.reason, "left behind: count 0 -> 1"));
}

static struct spout_event *event;

static void
make_event(void *arg)
{
	(void)arg;
	event = spout_event_new_in(NULL);
}

static void
free_event(void *arg, const struct spout_test_result *result)
{
	(void)arg;
	(void)result;
	spout_event_free(event);
}

static void
sets_event(void *arg)
{
	(void)arg;
	spout_sleep(1);
	spout_event_set(event);
}

/* Whoever waits for a task that does not come waits for ever. */
static void
hangs_when_its_task_is_cancelled(void *arg)
{
	CU_ASSERT_EQUAL(spout_spawn(sets_event, arg, 0), 0);
	spout_event_wait(event);
}

static void
a_round_that_hangs_is_an_error(void)
{
	struct spout_test_sweep sweep =
	    spout_test_sweep(hangs_when_its_task_is_cancelled, NULL,
		.before = make_event, .after = free_event, .run.timeout_ms = 1000);

	CU_ASSERT_EQUAL(sweep.error, -ETIMEDOUT);
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(sweep.reason, "wait 2 cancelled (before it): not over"));
	CU_ASSERT_PTR_NOT_NULL(strstr(sweep.reason, "in spout_event_wait"));
}

static void
fails(void *arg)
{
	(void)arg;
	spout_fail_with(-EBADMSG, "no luck");
}

static void
a_scenario_that_fails_untouched_is_an_error(void)
{
	struct spout_test_sweep sweep = spout_test_sweep(fails, NULL);

	CU_ASSERT_EQUAL(sweep.error, -EBADMSG);
	CU_ASSERT_STRING_EQUAL(sweep.reason, "no luck");
	CU_ASSERT_EQUAL(sweep.rounds, 1);
}

static void
yields(void *arg)
{
	int i;

	for (i = 0; i < *(int *)arg; i++)
		spout_yield();
}

static void
a_sweep_has_a_limit(void)
{
	int n = 5;
	struct spout_test_sweep sweep = spout_test_sweep(yields, &n, .max_rounds = 5);

	CU_ASSERT_EQUAL(sweep.error, -E2BIG);
	n = 4;
	SPOUT_TEST_SWEEP(yields, &n, .max_rounds = 5);
}

/* --- what is left behind -------------------------------------------------------- */

static void
a_zombie_is_left_behind(void)
{
	struct spout_test_mark mark;
	const char *left;
	siginfo_t info;
	pid_t pid;

	spout_test_mark(&mark);
	CU_ASSERT_PTR_NULL(spout_test_leftovers(&mark));
	pid = unit_fork();
	if (pid == 0)
		_exit(0);
	CU_ASSERT_EQUAL(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	left = spout_test_leftovers(&mark);
	CU_ASSERT_PTR_NOT_NULL_FATAL(left);
	CU_ASSERT_PTR_NOT_NULL(strstr(left, "children 0 -> 1"));
	CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
	CU_ASSERT_PTR_NULL(spout_test_leftovers(&mark));
}

static const struct unit_test sweep_tests[] = {
	UNIT_TEST(a_sweep_cancels_every_wait_at_every_moment),
	UNIT_TEST(a_sweep_finds_a_descriptor_that_is_left_behind),
	UNIT_TEST(a_sweep_finds_lost_memory_where_there_is_a_leak_checker),
	UNIT_TEST(a_sweep_compares_a_count_of_the_caller),
	UNIT_TEST(a_scenario_that_fails_untouched_is_an_error),
	UNIT_TEST(a_round_that_hangs_is_an_error),
	UNIT_TEST(a_sweep_has_a_limit),
	UNIT_TEST(a_zombie_is_left_behind),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = {
		{ "sweep", sweep_tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
