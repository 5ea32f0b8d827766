/* SPDX-License-Identifier: MIT */
/*
 * Reloads (SIGHUP) and logs opened anew (SIGUSR1) of a supervisor with real processes.
 */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/stats.h"
#include "supervisor_help.h"

/* shared->starts_ms[] and ends_ms[] beyond the workers are ours: what hooks saw. */
#define RELOADS shared->ends_ms[0]
#define KEPT shared->ends_ms[1]
#define PUT_BACK shared->ends_ms[2]
#define SUCCESSOR shared->ends_ms[3]
#define LOGGED shared->ends_ms[4]

static int
on_reload(void *arg)
{
	(void)arg;
	RELOADS++;
	return 0;
}

static int
refuse_reload(void *arg)
{
	(void)arg;
	RELOADS++;
	return -EINVAL;
}

static void
on_reload_end(void *arg, bool taken)
{
	(void)arg;
	if (taken)
		KEPT++;
	else
		PUT_BACK++;
}

static void
start_reloadable(int (*worker)(const struct spout__worker *), unsigned n)
{
	start((struct spout__supervisor_options){ .worker_main = worker,
	    .n_workers = n,
	    .on_reload = on_reload,
	    .on_reload_end = on_reload_end });
	CU_ASSERT_FATAL(eventually(board->serving));
}

static int
note_and_serve(const struct spout__worker *w)
{
	note_start(w);
	spout__count(SPOUT__C_REQUESTS, 1);
	return serve(w);
}

static void
reload_replaces_all_workers_on_the_same_sockets(void)
{
	pid_t old[2];
	int i;

	start_reloadable(note_and_serve, 2);
	for (i = 0; i < 2; i++)
		old[i] = (pid_t)board->slots[i].pid;
	kill(supervisor, SIGHUP);
	CU_ASSERT_FATAL(eventually(says("reload: done")));
	for (i = 0; i < 2; i++) {
		CU_ASSERT(ready((unsigned)i, 2));
		CU_ASSERT_NOT_EQUAL((pid_t)board->slots[i].pid, old[i]);
		CU_ASSERT_EQUAL(
		    shared->socket_inode[i][2], shared->socket_inode[i][1]);
	}
	CU_ASSERT(answer(connect_and_ask()) >= 0);
	CU_ASSERT_EQUAL(KEPT, 1);
	CU_ASSERT_EQUAL(shared->n_starts, 4);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
}

static void
figures_carry_on_and_gauges_of_the_old_are_cleared(void)
{
	uint64_t sum = 0;
	unsigned i, beating = 0;

	start_reloadable(note_and_serve, 2);
	for (i = 1; i <= 3; i++) {
		kill(supervisor, SIGHUP);
		CU_ASSERT_FATAL(eventually(KEPT == i));
	}
	for (i = 0; i < 3; i++) {
		sum += board->slots[i].stats.counters[SPOUT__C_REQUESTS];
		beating += board->slots[i].stats.gauges[SPOUT__G_HEARTBEAT_MS] != 0;
	}
	CU_ASSERT_EQUAL(sum, 8);
	CU_ASSERT_EQUAL(beating, 2);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
}

static void
refused_configuration_changes_nothing(void)
{
	pid_t old;

	start((struct spout__supervisor_options){ .worker_main = serve,
	    .on_reload = refuse_reload,
	    .on_reload_end = on_reload_end });
	CU_ASSERT_FATAL(eventually(board->serving));
	old = (pid_t)board->slots[0].pid;
	kill(supervisor, SIGHUP);
	CU_ASSERT(eventually(RELOADS == 1));
	CU_ASSERT(answer(connect_and_ask()) == 0);
	CU_ASSERT_EQUAL((pid_t)board->slots[0].pid, old);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
	CU_ASSERT_EQUAL(strstr(log_text, "replacing"), NULL);
}

static int
fail_unless_told(const struct spout__worker *w)
{
	if (w->generation > 1 && !shared->go) {
		spout__worker_boot_failed(w, "no database");
		return 1;
	}
	return serve(w);
}

static void
successor_that_fails_leaves_the_old_one_serving(void)
{
	pid_t old;

	start_reloadable(fail_unless_told, 2);
	old = (pid_t)board->slots[0].pid;
	kill(supervisor, SIGHUP);
	CU_ASSERT_FATAL(eventually(says("reload: ended, the old worker 0 goes on: "
					"the new one could not start: no database")));
	CU_ASSERT_EQUAL((pid_t)board->slots[0].pid, old);
	CU_ASSERT(ready(0, 1) && ready(1, 1));
	CU_ASSERT(answer(connect_and_ask()) >= 0);
	CU_ASSERT_EQUAL(PUT_BACK, 1);
	shared->go = 1; /* mended: the next one works */
	kill(supervisor, SIGHUP);
	CU_ASSERT(eventually(KEPT == 1));
	CU_ASSERT_EQUAL(board->slots[0].deaths[SPOUT__DEATH_BOOT_FAILED], 1);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
}

static int
boot_when_told(const struct spout__worker *w)
{
	if (w->generation > 1)
		SUCCESSOR = (uint64_t)getpid();
	while (w->generation > 1 && !shared->go) {
		struct pollfd control = { .fd = w->control, .events = POLLIN };

		if (poll(&control, 1, 5) > 0)
			return 0;
	}
	return serve(w);
}

static void
successor_that_is_not_ready_in_time_leaves_the_old_one_serving(void)
{
	start((struct spout__supervisor_options){ .worker_main = boot_when_told,
	    .boot_timeout_ms = 2000,
	    .on_reload_end = on_reload_end });
	CU_ASSERT_FATAL(eventually(board->serving));
	kill(supervisor, SIGHUP);
	CU_ASSERT(eventually(PUT_BACK == 1));
	CU_ASSERT(answer(connect_and_ask()) == 0);
	CU_ASSERT(ready(0, 1));
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
	CU_ASSERT(logged("goes on: the new one did not become ready in time"));
}

static void
hangups_during_a_reload_begin_one_more(void)
{
	int i;

	start_reloadable(boot_when_told, 1);
	kill(supervisor, SIGHUP);
	CU_ASSERT_FATAL(eventually(SUCCESSOR != 0));
	for (i = 1; i <= 3; i++) {
		kill(supervisor, SIGHUP);
		CU_ASSERT(eventually(says("another one follows")));
	}
	shared->go = 1;
	CU_ASSERT(eventually(KEPT == 2));
	CU_ASSERT(answer(connect_and_ask()) == 0);
	CU_ASSERT_EQUAL(RELOADS, 2);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
}

static void
stop_during_a_reload_wins(void)
{
	start_reloadable(boot_when_told, 2);
	kill(supervisor, SIGHUP);
	CU_ASSERT_FATAL(eventually(SUCCESSOR != 0));
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
	CU_ASSERT_EQUAL(strstr(log_text, "is now pid"), NULL);
}

static void
old_worker_may_die_while_its_successor_boots(void)
{
	pid_t old;

	start_reloadable(boot_when_told, 1);
	old = (pid_t)board->slots[0].pid;
	kill(supervisor, SIGHUP);
	CU_ASSERT_FATAL(eventually(SUCCESSOR != 0));
	kill(old, SIGKILL);
	CU_ASSERT_FATAL(eventually(says("was killed")));
	shared->go = 1;
	CU_ASSERT(eventually(KEPT == 1));
	CU_ASSERT(answer(connect_and_ask()) == 0);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
}

static void
successor_may_die_while_it_boots(void)
{
	start_reloadable(boot_when_told, 1);
	kill(supervisor, SIGHUP);
	CU_ASSERT_FATAL(eventually(SUCCESSOR != 0));
	kill((pid_t)SUCCESSOR, SIGKILL);
	CU_ASSERT(eventually(PUT_BACK == 1));
	CU_ASSERT(answer(connect_and_ask()) == 0);
	CU_ASSERT(ready(0, 1));
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
}

static int
stay_when_retired(const struct spout__worker *w)
{
	if (w->generation > 1)
		return serve(w);
	spout__worker_ready(w);
	prctl(PR_SET_NAME, "stays");
	for (;;)
		pause();
}

static void
old_worker_that_does_not_leave_is_killed(void)
{
	start((struct spout__supervisor_options){ .worker_main = stay_when_retired,
	    .drain_timeout_ms = 100,
	    .hang_timeout_ms = UINT64_MAX,
	    .on_reload_end = on_reload_end });
	CU_ASSERT_FATAL(eventually(board->serving));
	kill(supervisor, SIGHUP);
	CU_ASSERT(eventually(KEPT == 1));
	CU_ASSERT(answer(connect_and_ask()) == 0);
	CU_ASSERT(stop_and_finish() <= 1); /* 100 ms may be short for a clean end */
	CU_ASSERT(logged("is killed: it did not end when told"));
}

/* --- logs ------------------------------------------------------------------------ */

static int log_pipe[2];

static int
on_reopen(void *arg)
{
	(void)arg;
	return log_pipe[1];
}

/* Writes to the descriptor that comes, until it is told to end. */
static int
write_log(const struct spout__worker *w)
{
	struct spout__control_message m;

	close(log_pipe[1]);
	spout__worker_ready(w);
	for (;;) {
		struct pollfd p = { .fd = w->control, .events = POLLIN };

		spout__gauge_set(SPOUT__G_HEARTBEAT_MS, spout__clock_ms());
		if (poll(&p, 1, 20) == 0 || spout__control_receive(w->control, &m) != 1)
			continue;
		if (m.kind != SPOUT__CONTROL_LOG)
			return m.fd == -1 ? 0 : 8;
		if (write(m.fd, "x", 1) == 1)
			LOGGED++;
		close(m.fd);
	}
}

static void
workers_get_the_log_that_was_opened_anew(void)
{
	char bytes[4];

	CU_ASSERT_EQUAL_FATAL(pipe2(log_pipe, O_CLOEXEC), 0);
	start((struct spout__supervisor_options){
	    .worker_main = write_log, .n_workers = 2, .on_reopen = on_reopen });
	CU_ASSERT_FATAL(eventually(board->serving));
	kill(supervisor, SIGUSR1);
	CU_ASSERT(eventually(LOGGED == 2));
	CU_ASSERT_EQUAL(read(log_pipe[0], bytes, sizeof(bytes)), 2);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
	close(log_pipe[0]);
	close(log_pipe[1]);
}

static const struct unit_test reload_tests[] = {
	UNIT_TEST(reload_replaces_all_workers_on_the_same_sockets),
	UNIT_TEST(figures_carry_on_and_gauges_of_the_old_are_cleared),
	UNIT_TEST(refused_configuration_changes_nothing),
	UNIT_TEST(successor_that_fails_leaves_the_old_one_serving),
	UNIT_TEST(successor_that_is_not_ready_in_time_leaves_the_old_one_serving),
	UNIT_TEST(hangups_during_a_reload_begin_one_more),
	UNIT_TEST(stop_during_a_reload_wins),
	UNIT_TEST(old_worker_may_die_while_its_successor_boots),
	UNIT_TEST(successor_may_die_while_it_boots),
	UNIT_TEST(old_worker_that_does_not_leave_is_killed),
	UNIT_TEST(workers_get_the_log_that_was_opened_anew),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "supervisor reload", reload_tests },
		{ NULL, NULL } };

	return unit_run(argc, argv, suites);
}
