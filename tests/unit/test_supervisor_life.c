/* SPDX-License-Identifier: MIT */
/*
 * The life of a supervisor with real processes: booting, stopping, signals, the identity
 * of its workers, the pid file. (Workers that die: test_supervisor.c.)
 */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/pidfile.h"
#include "supervisor_help.h"

/* --- booting --------------------------------------------------------------------- */

static int
fail_to_boot(const struct spout__worker *w)
{
	if (w->slot == 0)
		return serve(w);
	spout__worker_boot_failed(w, "no database at %s", "/nowhere");
	return 1;
}

static void
boot_failure_ends_the_program_with_its_last_words(void)
{
	start((struct spout__supervisor_options){
	    .worker_main = fail_to_boot, .n_workers = 2 });
	CU_ASSERT_EQUAL(finish(), 1);
	CU_ASSERT(logged("giving up: the first worker in slot 1 could not start: "
			 "no database at /nowhere"));
	CU_ASSERT_PTR_NULL(strstr(log_text, "listening on"));
}

static int
never_ready(const struct spout__worker *w)
{
	(void)w;
	while (!shared->go)
		pause();
	return 0;
}

static void
boot_time_out_ends_the_program(void)
{
	start((struct spout__supervisor_options){
	    .worker_main = never_ready, .boot_timeout_ms = 100 });
	CU_ASSERT_EQUAL(finish(), 1);
	CU_ASSERT(logged("did not become ready in time"));
}

static int
fail_second_boot(const struct spout__worker *w)
{
	if (w->generation == 2) {
		spout__worker_boot_failed(w, "not now");
		return 1;
	}
	return serve(w);
}

static void
later_boot_failure_is_retried(void)
{
	start((struct spout__supervisor_options){ .worker_main = fail_second_boot });
	CU_ASSERT_FATAL(eventually(board->serving));
	kill((pid_t)board->slots[0].pid, SIGKILL);
	CU_ASSERT(eventually(ready(0, 3)));
	CU_ASSERT_EQUAL(board->slots[0].deaths[SPOUT__DEATH_BOOT_FAILED], 1);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
	CU_ASSERT(logged("could not start: not now"));
}

static int
ready_when_told(const struct spout__worker *w)
{
	while (w->slot == 1 && !shared->go)
		poll(NULL, 0, 5);
	return serve(w);
}

static void
listening_is_told_when_all_are_ready(void)
{
	char want[64];

	start((struct spout__supervisor_options){
	    .worker_main = ready_when_told, .n_workers = 2, .hang_timeout_ms = 1000 });
	CU_ASSERT(eventually(ready(0, 1)));
	poll(NULL, 0, 1500); /* booting is not hanging, however long */
	CU_ASSERT_FALSE(says("listening on"));
	CU_ASSERT_EQUAL(board->serving, 0);
	CU_ASSERT_EQUAL(board->slots[1].state, SPOUT__WORKER_BOOTING);
	shared->go = 1;
	CU_ASSERT(eventually(board->serving));
	snprintf(want, sizeof(want), "listening on http://127.0.0.1:%u\n", shared->port);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
	CU_ASSERT(logged(want));
}

/* --- stopping -------------------------------------------------------------------- */

static int
accept_only_at_the_end(const struct spout__worker *w)
{
	struct spout__control_message m;

	spout__worker_ready(w);
	while (spout__control_receive(w->control, &m) != 1) {
		spout__gauge_set(SPOUT__G_HEARTBEAT_MS, spout__clock_ms());
		poll(&(struct pollfd){ .fd = w->control, .events = POLLIN }, 1, 20);
	}
	shared->seen[0] = m.kind;
	shared->seen[1] = m.value;
	accept_queued(w);
	return 0;
}

static void
graceful_stop_answers_what_is_queued(void)
{
	char pid_file[64];
	int fds[20], i;

	snprintf(pid_file, sizeof(pid_file), "test-supervisor-%d.pid", (int)getpid());
	start((struct spout__supervisor_options){ .worker_main = accept_only_at_the_end,
	    .n_workers = 2,
	    .drain_timeout_ms = 9000,
	    .pid_file = pid_file });
	CU_ASSERT_FATAL(eventually(board->serving));
	CU_ASSERT_EQUAL(access(pid_file, R_OK), 0);
	for (i = 0; i < 20; i++)
		fds[i] = connect_and_ask();
	kill(supervisor, SIGINT);
	for (i = 0; i < 20; i++)
		CU_ASSERT_NOT_EQUAL(answer(fds[i]), -1);
	CU_ASSERT_EQUAL(shared->seen[0], SPOUT__CONTROL_DRAIN);
	CU_ASSERT_EQUAL(shared->seen[1], 9000);
	CU_ASSERT_EQUAL(finish(), 0);
	CU_ASSERT_EQUAL(access(pid_file, F_OK), -1);
}

static int
die_twice_then_serve(const struct spout__worker *w)
{
	return w->generation < 3 ? die_young(w) : accept_only_at_the_end(w);
}

static void
stop_during_back_off_answers_what_is_queued(void)
{
	int fds[20], i;

	start((struct spout__supervisor_options){ .worker_main = die_twice_then_serve,
	    .backoff_min_ms = 600000,
	    .backoff_max_ms = 600000,
	    .drain_timeout_ms = 9000 });
	CU_ASSERT_FATAL(eventually(board->slots[0].deaths[SPOUT__DEATH_EXITED] == 2));
	CU_ASSERT_FATAL(eventually(board->slots[0].state == SPOUT__WORKER_WAITING));
	for (i = 0; i < 20; i++)
		fds[i] = connect_and_ask();
	kill(supervisor, SIGTERM);
	for (i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(answer(fds[i]), 0);
	CU_ASSERT_EQUAL(finish(), 0);
}

static void
drain_past_the_deadline_is_killed_and_told(void)
{
	uint64_t began;

	start((struct spout__supervisor_options){
	    .worker_main = idle, .drain_timeout_ms = 150 });
	CU_ASSERT_FATAL(eventually(board->serving));
	began = spout__clock_ms();
	CU_ASSERT_EQUAL(stop_and_finish(), 1);
	CU_ASSERT(spout__clock_ms() - began >= 150);
	CU_ASSERT(logged("is killed: it did not end when told"));
}

static void
second_signal_is_quick(void)
{
	start((struct spout__supervisor_options){
	    .worker_main = idle, .drain_timeout_ms = 600000, .quick_timeout_ms = 50 });
	CU_ASSERT_FATAL(eventually(board->serving));
	kill(supervisor, SIGTERM);
	CU_ASSERT(eventually(board->stopping));
	kill(supervisor, SIGTERM);
	CU_ASSERT_EQUAL(finish(), 1);
	CU_ASSERT(logged("again: stopping now"));
}

static void
stop_while_booting_is_clean(void)
{
	start((struct spout__supervisor_options){
	    .worker_main = ready_when_told, .n_workers = 2 });
	CU_ASSERT(eventually(ready(0, 1)));
	kill(supervisor, SIGQUIT);
	CU_ASSERT(eventually(board->slots[1].state == SPOUT__WORKER_DRAINING));
	shared->go = 1;
	CU_ASSERT_EQUAL(finish(), 0);
}

static int
fail_in_drain(const struct spout__worker *w)
{
	serve(w);
	return 4;
}

static void
status_tells_of_a_worker_that_failed_in_the_drain(void)
{
	start((struct spout__supervisor_options){ .worker_main = fail_in_drain });
	CU_ASSERT_FATAL(eventually(board->serving));
	CU_ASSERT_EQUAL(stop_and_finish(), 1);
	CU_ASSERT(logged("exited unasked (status 4)"));
}

static void
other_signals_are_ignored_and_noted_once(void)
{
	static const int group[] = { SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2 };
	size_t i;
	pid_t worker;
	char *first;

	start((struct spout__supervisor_options){ .worker_main = serve });
	CU_ASSERT_FATAL(eventually(board->serving));
	worker = (pid_t)board->slots[0].pid;
	for (i = 0; i < sizeof(group) / sizeof(group[0]); i++)
		kill(worker, group[i]); /* orders come from the supervisor alone */
	kill(supervisor, SIGUSR2);
	CU_ASSERT(answer(connect_and_ask()) == 0);
	kill(supervisor, SIGUSR2);
	CU_ASSERT_EQUAL((pid_t)board->slots[0].pid, worker);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
	first = strstr(log_text, "(User defined signal 2) is ignored");
	CU_ASSERT_PTR_NOT_NULL_FATAL(first);
	CU_ASSERT_PTR_NULL(strstr(strchr(first, '\n'), "signal 2) is ignored"));
}

static void
workers_die_with_the_supervisor(void)
{
	pid_t workers[2];
	int i, status = 0;

	start((struct spout__supervisor_options){ .worker_main = idle, .n_workers = 2 });
	CU_ASSERT_FATAL(eventually(board->serving));
	for (i = 0; i < 2; i++)
		workers[i] = (pid_t)board->slots[i].pid;
	kill(supervisor, SIGKILL);
	CU_ASSERT_EQUAL(finish(), -SIGKILL);
	for (i = 0; i < 2; i++) {
		bool gone = eventually(waitpid(workers[i], &status, WNOHANG) != 0);

		CU_ASSERT(gone && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		if (!gone)
			kill(workers[i], SIGKILL);
	}
}

/* --- identity, pid file ---------------------------------------------------------- */

static int
report_identity(const struct spout__worker *w)
{
	int signo = 0;

	prctl(PR_GET_PDEATHSIG, &signo, 0, 0, 0);
	shared->seen[0] = geteuid();
	shared->seen[1] = (uint64_t)prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	shared->seen[2] = (uint64_t)signo;
	shared->seen[3] = getegid();
	return serve(w);
}

static void
workers_run_as_another_user_and_still_die_with_us(void)
{
	struct spout__identity id;
	char why[SPOUT__WHY], text[32];
	unsigned uid = geteuid() == 0 ? 65534 : geteuid();

	snprintf(text, sizeof(text), "%u:%u", uid, geteuid() == 0 ? 65533 : getegid());
	CU_ASSERT_EQUAL_FATAL(spout__identity_lookup(text, &id, why), 0);
	start((struct spout__supervisor_options){
	    .worker_main = report_identity, .run_as = &id });
	CU_ASSERT(eventually(board->serving));
	CU_ASSERT_EQUAL(shared->seen[0], uid);
	CU_ASSERT_EQUAL(shared->seen[1], 1);
	CU_ASSERT_EQUAL(shared->seen[2], SIGKILL);
	CU_ASSERT_EQUAL(shared->seen[3], id.gid);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
}

static void
unknown_users_and_groups_are_refused(void)
{
	struct spout__identity id;
	char why[SPOUT__WHY];

	CU_ASSERT_EQUAL(spout__identity_lookup("root", &id, why), 0);
	CU_ASSERT_EQUAL(id.uid, 0);
	CU_ASSERT_EQUAL(spout__identity_lookup("nosuchuser", &id, why), -ENOENT);
	CU_ASSERT_STRING_EQUAL(why, "no such user: 'nosuchuser'");
	CU_ASSERT_EQUAL(spout__identity_lookup("root:nosuchgroup", &id, why), -ENOENT);
	CU_ASSERT_STRING_EQUAL(why, "no such group: 'nosuchgroup'");
	CU_ASSERT_EQUAL(spout__identity_lookup("4294967295", &id, why), -ENOENT);
	CU_ASSERT_EQUAL(spout__identity_lookup("", &id, why), -ENOENT);
}

static void
pid_file_of_a_living_process_is_refused(void)
{
	char why[SPOUT__WHY], text[16] = "", path[64];
	int fd, again;

	snprintf(path, sizeof(path), "test-pidfile-%d.pid", (int)getpid());
	fd = spout__pidfile_open(path, why);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(spout__pidfile_open(path, why), -EEXIST);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "belongs to a process that is running"));
	CU_ASSERT(pread(fd, text, sizeof(text) - 1, 0) > 0);
	CU_ASSERT_EQUAL(atoi(text), getpid());
	close(fd); /* as a crash would: the file stays, its lock does not */
	again = spout__pidfile_open(path, why);
	CU_ASSERT(again >= 0);
	spout__pidfile_close(path, again);
	CU_ASSERT_EQUAL(spout__pidfile_open("/nonexistent/x.pid", why), -ENOENT);
}

static const struct unit_test life_tests[] = {
	UNIT_TEST(boot_failure_ends_the_program_with_its_last_words),
	UNIT_TEST(boot_time_out_ends_the_program),
	UNIT_TEST(later_boot_failure_is_retried),
	UNIT_TEST(listening_is_told_when_all_are_ready),
	UNIT_TEST(graceful_stop_answers_what_is_queued),
	UNIT_TEST(stop_during_back_off_answers_what_is_queued),
	UNIT_TEST(drain_past_the_deadline_is_killed_and_told),
	UNIT_TEST(second_signal_is_quick),
	UNIT_TEST(stop_while_booting_is_clean),
	UNIT_TEST(status_tells_of_a_worker_that_failed_in_the_drain),
	UNIT_TEST(other_signals_are_ignored_and_noted_once),
	UNIT_TEST(workers_die_with_the_supervisor),
	UNIT_TEST(workers_run_as_another_user_and_still_die_with_us),
	UNIT_TEST(unknown_users_and_groups_are_refused),
	UNIT_TEST(pid_file_of_a_living_process_is_refused),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "supervisor life", life_tests },
		{ NULL, NULL } };

	return unit_run(argc, argv, suites);
}
