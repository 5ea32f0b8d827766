/* SPDX-License-Identifier: MIT */
/*
 * The supervisor with real processes: workers that die or hang are replaced, sockets and
 * counters live on, a crash loop ends the program. (Start and stop:
 * test_supervisor_life.c.)
 */
#include "config.h"

#include "unit.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor_help.h"

/* --- replacing ------------------------------------------------------------------- */

#define CLIENTS 200

static int
serve_from_second_life(const struct spout__worker *w)
{
	note_start(w);
	return w->generation == 1 ? idle(w) : serve(w);
}

static void
queued_connections_survive_kill_9(void)
{
	int fds[CLIENTS], got[3] = { 0 }, i;
	uint64_t killed;

	start((struct spout__supervisor_options){
	    .worker_main = serve_from_second_life, .n_workers = 2 });
	CU_ASSERT_FATAL(eventually(board->serving));
	for (i = 0; i < CLIENTS; i++)
		fds[i] = connect_and_ask();
	killed = spout__clock_ms();
	kill((pid_t)board->slots[0].pid, SIGKILL);
	CU_ASSERT(eventually(ready(0, 2)));
	fprintf(stderr, "replaced after %d ms ", (int)(spout__clock_ms() - killed));
	kill((pid_t)board->slots[1].pid, SIGKILL);
	for (i = 0; i < CLIENTS; i++)
		got[answer(fds[i]) + 1]++;
	CU_ASSERT_EQUAL(got[0], 0); /* none reset */
	CU_ASSERT(got[1] > 0 && got[2] > 0);
	CU_ASSERT_EQUAL(got[1] + got[2], CLIENTS);
	for (i = 0; i < 2; i++) {
		CU_ASSERT(shared->socket_inode[i][1] != 0);
		CU_ASSERT_EQUAL(shared->socket_inode[i][1], shared->socket_inode[i][2]);
		CU_ASSERT_EQUAL(board->slots[i].deaths[SPOUT__DEATH_SIGNALLED], 1);
	}
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
	CU_ASSERT(logged("was killed (signal 9: Killed)"));
}

/* The sockets that listen among our descriptors. */
static int
count_listening(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	int n = 0;

	while ((e = readdir(d)) != NULL) {
		int listening = 0;
		socklen_t len = sizeof(listening);

		if (getsockopt(atoi(e->d_name), SOL_SOCKET, SO_ACCEPTCONN, &listening,
			&len) == 0)
			n += listening;
	}
	closedir(d);
	return n;
}

static int
count_then_serve(const struct spout__worker *w)
{
	shared->seen[0] = (uint64_t)count_listening();
	return serve(w);
}

static void
worker_holds_no_socket_of_its_siblings(void)
{
	start((struct spout__supervisor_options){
	    .worker_main = count_then_serve, .n_workers = 3 });
	CU_ASSERT(eventually(board->serving));
	CU_ASSERT_EQUAL(shared->seen[0], 1);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
}

static void
crash_loop_ends_the_program_with_its_reason(void)
{
	start((struct spout__supervisor_options){ .worker_main = die_young,
	    .restart_budget = 5,
	    .backoff_min_ms = 1,
	    .backoff_max_ms = 4 });
	CU_ASSERT_EQUAL(finish(), 1);
	CU_ASSERT(logged("giving up: 5 workers died young within 60000 ms; the last one, "
			 "worker 0, exited unasked (status 7)"));
}

/* The delay that the log tells for the n-th restart, or -1. */
static int
logged_delay(int n)
{
	static const char text[] = "worker 0 starts again in ";
	const char *at = log_text;

	while ((at = strstr(at, text)) != NULL) {
		at += strlen(text);
		if (--n == 0)
			return atoi(at);
	}
	return -1;
}

static void
restarts_are_immediate_once_then_doubled_to_a_maximum(void)
{
	/* a quarter of jitter either way */
	static const int least[] = { 0, 0, 30, 60, 90, 90 };
	static const int most[] = { 0, 0, 50, 100, 150, 150 };
	int i, delay;

	start((struct spout__supervisor_options){ .worker_main = die_young,
	    .restart_budget = 5,
	    .backoff_min_ms = 40,
	    .backoff_max_ms = 120 });
	CU_ASSERT_FATAL(eventually(shared->n_starts == 6));
	for (i = 1; i < 6; i++) {
		delay = (int)(shared->starts_ms[i] - shared->ends_ms[i - 1]);
		CU_ASSERT(eventually(says("starts again") && logged_delay(i) >= 0));
		CU_ASSERT(logged_delay(i) >= least[i] && logged_delay(i) <= most[i]);
		CU_ASSERT(delay + 1 >= logged_delay(i)); /* clocks of full milliseconds */
	}
	CU_ASSERT_EQUAL(finish(), 1);
	CU_ASSERT_EQUAL(logged_delay(6), -1);
}

/* Lives on after the supervisor has seen that it is ready, or wants it to end. */
static int
live_a_while(const struct spout__worker *w)
{
	const struct spout__scoreboard_slot *score = &board->slots[w->slot];

	note_start(w);
	spout__worker_ready(w);
	while (score->pid != (uint32_t)getpid() ||
	    (score->state != SPOUT__WORKER_RUNNING &&
		score->state != SPOUT__WORKER_DRAINING))
		poll(NULL, 0, 1);
	poll(NULL, 0, 30);
	return 0;
}

static void
deaths_after_healthy_lives_do_not_count(void)
{
	start((struct spout__supervisor_options){ .worker_main = live_a_while,
	    .restart_budget = 1,
	    .healthy_ms = 10,
	    .backoff_min_ms = 10000 });
	CU_ASSERT(eventually(shared->n_starts >= 5)); /* at once each time */
	kill(supervisor, SIGTERM);
	finish(); /* the status depends on where the signal found the worker */
	CU_ASSERT_PTR_NULL(strstr(log_text, "giving up"));
}

static int
crash_with_a_request(const struct spout__worker *w)
{
	if (w->generation == 1) {
		spout__worker_ready(w);
		spout__count(SPOUT__C_REQUESTS, 3);
		spout__gauge_set(SPOUT__G_REQUESTS_RUNNING, 1);
		spout__inflight_claim(spout_slice("id-1"), spout_slice("GET /done"), 0);
		spout__inflight_release(0);
		spout__inflight_claim(spout_slice("id-2"), spout_slice("GET /crash"), 0);
		abort();
	}
	return serve(w);
}

static void
crash_tells_the_requests_and_keeps_the_counters(void)
{
	start((struct spout__supervisor_options){ .worker_main = crash_with_a_request });
	CU_ASSERT(eventually(ready(0, 2)));
	CU_ASSERT_EQUAL(board->slots[0].stats.counters[SPOUT__C_REQUESTS], 3);
	CU_ASSERT_EQUAL(board->slots[0].stats.gauges[SPOUT__G_REQUESTS_RUNNING], 0);
	CU_ASSERT_EQUAL(board->slots[0].requests[0].busy, 0);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
	CU_ASSERT(logged("worker 0 was at: GET /crash (request id-2"));
	CU_ASSERT_PTR_NULL(strstr(log_text, "/done"));
	CU_ASSERT(logged("aborted; stack of the running thread:\n"));
}

/* --- hanging --------------------------------------------------------------------- */

/* On a busy machine a worker that does not hang is silent for a while, too. */
#define HANG_MS 1500

static int
hang(const struct spout__worker *w)
{
	spout__gauge_set(SPOUT__G_HEARTBEAT_MS, spout__clock_ms());
	spout__worker_ready(w);
	while (!shared->go)
		pause();
	return 0;
}

static int
hang_in_first_life(const struct spout__worker *w)
{
	return w->generation == 1 ? hang(w) : serve(w);
}

static void
hung_worker_is_dumped_and_replaced(void)
{
	start((struct spout__supervisor_options){
	    .worker_main = hang_in_first_life, .hang_timeout_ms = HANG_MS });
	CU_ASSERT(eventually(ready(0, 2)));
	CU_ASSERT_EQUAL(board->slots[0].deaths[SPOUT__DEATH_HUNG], 1);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
	CU_ASSERT(logged("hangs, its loop has not turned for"));
	CU_ASSERT(logged("aborted; stack"));
	CU_ASSERT(logged("hung (signal 6: Aborted)"));
}

static int
stop_itself_in_first_life(const struct spout__worker *w)
{
	if (w->generation == 1) {
		spout__worker_ready(w);
		raise(SIGSTOP); /* SIGABRT stays pending */
	}
	return serve(w);
}

static void
hung_worker_that_cannot_abort_is_killed(void)
{
	start(
	    (struct spout__supervisor_options){ .worker_main = stop_itself_in_first_life,
		.hang_timeout_ms = HANG_MS,
		.abort_grace_ms = 100 });
	CU_ASSERT(eventually(ready(0, 2)));
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
	CU_ASSERT(logged("hung (signal 9: Killed)"));
}

static void
pause_of_the_whole_machine_kills_nobody(void)
{
	_Atomic uint64_t *beat;
	uint64_t resumed;
	pid_t worker;
	int status;

	start((struct spout__supervisor_options){
	    .worker_main = serve, .hang_timeout_ms = HANG_MS });
	CU_ASSERT_FATAL(eventually(board->serving));
	beat = &board->slots[0].stats.gauges[SPOUT__G_HEARTBEAT_MS];
	worker = (pid_t)board->slots[0].pid;
	kill(supervisor, SIGSTOP);
	CU_ASSERT_EQUAL(waitpid(supervisor, &status, WUNTRACED), supervisor);
	kill(worker, SIGSTOP);
	poll(NULL, 0, HANG_MS + 500); /* longer than the time-out: this is the subject */
	kill(supervisor, SIGCONT);
	CU_ASSERT(eventually(says("heartbeats start anew")));
	resumed = spout__clock_ms();
	kill(worker, SIGCONT); /* in time, as the supervisor counts anew */
	CU_ASSERT(eventually(*beat >= resumed));
	CU_ASSERT_EQUAL((pid_t)board->slots[0].pid, worker);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
}

static const struct unit_test replace_tests[] = {
	UNIT_TEST(queued_connections_survive_kill_9),
	UNIT_TEST(worker_holds_no_socket_of_its_siblings),
	UNIT_TEST(crash_loop_ends_the_program_with_its_reason),
	UNIT_TEST(restarts_are_immediate_once_then_doubled_to_a_maximum),
	UNIT_TEST(deaths_after_healthy_lives_do_not_count),
	UNIT_TEST(crash_tells_the_requests_and_keeps_the_counters),
	UNIT_TEST(hung_worker_is_dumped_and_replaced),
	UNIT_TEST(hung_worker_that_cannot_abort_is_killed),
	UNIT_TEST(pause_of_the_whole_machine_kills_nobody),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "supervisor", replace_tests },
		{ NULL, NULL } };

	return unit_run(argc, argv, suites);
}
