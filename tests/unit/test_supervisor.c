/* SPDX-License-Identifier: MIT */
/*
 * The supervisor with real processes: each test forks a supervisor whose workers are
 * small loops, and watches through the scoreboard and the collected log.
 */
#include "config.h"

#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "supervisor/pidfile.h"
#include "supervisor/supervisor.h"

#define PATIENCE_MS 15000
#define STARTS_MAX 64

/* What workers tell the test; shared memory. */
static struct {
	_Atomic uint32_t port;
	_Atomic uint32_t n_starts;
	_Atomic uint64_t starts_ms[STARTS_MAX];
	_Atomic uint64_t socket_inode[2][4]; /* by slot and generation */
	_Atomic uint32_t go;                 /* the test lets a worker go on */
	_Atomic uint64_t seen[4];
} * shared;

static struct spout__scoreboard *board;
static pid_t supervisor;
static int log_fd;
static char log_text[1 << 16];

/* True as soon as `cond` holds, false after long patience. */
#define eventually(cond) \
	({ \
		uint64_t until_ = spout__clock_ms() + PATIENCE_MS; \
		while (!(cond) && spout__clock_ms() < until_) \
			poll(NULL, 0, 2); \
		(cond) ? true : false; \
	})

/* --- the processes --------------------------------------------------------------- */

static void
run_supervisor(struct spout__supervisor_options *o, int err)
{
	const struct spout__listen_spec spec = { .text = "127.0.0.1:0" };
	const struct rlimit no_core = { 0, 0 };
	struct spout__listeners listeners;
	char why[SPOUT__WHY];
	int status;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* should a test end half-way */
	setrlimit(RLIMIT_CORE, &no_core);
	dup2(err, 2);
	close(log_fd); /* so that nothing but the test reads */
	spout__log_configure(&(struct spout__log_options){
	    .level = SPOUT_LOG_INFO, .fd = 2, .process = "supervisor" });
	if (spout__listeners_open(&listeners, &spec, 1, o->n_workers, why) < 0)
		_exit(3);
	shared->port =
	    ntohs(((struct sockaddr_in *)&listeners.items->address.addr)->sin_port);
	o->listeners = &listeners;
	status = spout__supervisor_run(o);
	spout__listeners_close(&listeners);
	_exit(status);
}

static void
start(struct spout__supervisor_options o)
{
	int fds[2];

	if (o.n_workers == 0)
		o.n_workers = 1;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	board = o.board = spout__scoreboard_new(o.n_workers);
	CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_CLOEXEC), 0);
	log_fd = fds[0];
	fflush(NULL);
	supervisor = fork();
	if (supervisor == 0)
		run_supervisor(&o, fds[1]);
	close(fds[1]);
}

/* Read the log to its end, which comes when the supervisor and all workers are gone. */
static bool
collect_log(void)
{
	uint64_t until = spout__clock_ms() + PATIENCE_MS;
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && len < sizeof(log_text) - 1 && spout__clock_ms() < until) {
		if (poll(&(struct pollfd){ .fd = log_fd, .events = POLLIN }, 1, 100) == 0)
			continue;
		n = read(log_fd, log_text + len, sizeof(log_text) - 1 - len);
		if (n > 0)
			len += (size_t)n;
	}
	log_text[len] = '\0';
	return n == 0;
}

/* Its exit status, or -signal; the log is in log_text; everything is cleaned up. */
static int
finish(void)
{
	int status = 0;
	bool ended = collect_log();

	if (!ended) {
		kill(supervisor, SIGKILL);
		fprintf(stderr, "did not end; the log:\n%s", log_text);
	}
	CU_ASSERT(ended);
	close(log_fd);
	CU_ASSERT_EQUAL(waitpid(supervisor, &status, 0), supervisor);
	munmap(shared, sizeof(*shared));
	spout__scoreboard_free(board);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int
stop_and_finish(void)
{
	kill(supervisor, SIGTERM);
	return finish();
}

static bool
logged(const char *text)
{
	if (strstr(log_text, text) != NULL)
		return true;
	fprintf(stderr, "not logged: %s\nbut:\n%s", text, log_text);
	return false;
}

static bool
ready(unsigned slot, uint64_t generation)
{
	return board->slots[slot].state == SPOUT__WORKER_RUNNING &&
	    board->slots[slot].generation >= generation;
}

/* --- workers --------------------------------------------------------------------- */

static void
note_start(const struct spout__worker *w)
{
	int fd = spout__listener_fd(w->listeners->items, w->slot);
	uint32_t n = shared->n_starts++;
	struct stat st;

	if (n < STARTS_MAX)
		shared->starts_ms[n] = spout__clock_ms();
	if (w->slot < 2 && w->generation < 4 && fstat(fd, &st) == 0)
		shared->socket_inode[w->slot][w->generation] = st.st_ino;
}

/* Answer what is queued: each client gets the slot's digit. */
static void
accept_queued(const struct spout__worker *w)
{
	char digit = (char)('0' + w->slot), byte;
	int fd;

	while ((fd = accept4(spout__listener_fd(w->listeners->items, w->slot), NULL, NULL,
		    SOCK_CLOEXEC)) >= 0) {
		if (read(fd, &byte, 1) == 1 && write(fd, &digit, 1) != 1)
			_exit(9);
		close(fd);
	}
}

/* Serve until told to drain; then what is queued, and leave. */
static int
serve(const struct spout__worker *w)
{
	struct pollfd fds[2] = { { .fd = w->control, .events = POLLIN },
		{ .fd = spout__listener_fd(w->listeners->items, w->slot),
		    .events = POLLIN } };
	struct spout__control_message m;

	spout__worker_ready(w);
	for (;;) {
		spout__gauge_set(SPOUT__G_HEARTBEAT_MS, spout__clock_ms());
		poll(fds, 2, 20);
		if (spout__control_receive(w->control, &m) == 1) {
			shared->seen[m.kind & 3] = m.value;
			accept_queued(w);
			return 0;
		}
		if (fds[1].revents != 0)
			accept_queued(w);
	}
}

/* Beats and accepts nothing, until killed. */
static int
idle(const struct spout__worker *w)
{
	spout__worker_ready(w);
	while (!shared->go) {
		spout__gauge_set(SPOUT__G_HEARTBEAT_MS, spout__clock_ms());
		poll(NULL, 0, 20);
	}
	return 0;
}

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
plain_worker(const struct spout__worker *w)
{
	note_start(w);
	return serve(w);
}

/* --- replacing ------------------------------------------------------------------- */

#define CLIENTS 200

static int
connect_and_ask(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(shared->port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	CU_ASSERT_EQUAL(send(fd, "x", 1, MSG_NOSIGNAL), 1);
	return fd;
}

/* The digit that came back, or -1 for a reset or nothing. */
static int
answer(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char digit;
	int rc = -1;

	if (poll(&p, 1, PATIENCE_MS) == 1 && read(fd, &digit, 1) == 1)
		rc = digit - '0';
	close(fd);
	return rc;
}

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

static int
die_young(const struct spout__worker *w)
{
	note_start(w);
	spout__worker_ready(w);
	return 7;
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

static void
restarts_are_immediate_once_then_doubled_to_a_maximum(void)
{
	static const unsigned least[] = { 0, 0, 30, 60, 90,
		90 }; /* a quarter of jitter */
	int i;

	start((struct spout__supervisor_options){ .worker_main = die_young,
	    .restart_budget = 5,
	    .backoff_min_ms = 40,
	    .backoff_max_ms = 120 });
	CU_ASSERT(eventually(shared->n_starts == 6));
	for (i = 2; i < 6; i++)
		CU_ASSERT(shared->starts_ms[i] - shared->starts_ms[i - 1] >= least[i]);
	CU_ASSERT(shared->starts_ms[1] - shared->starts_ms[0] <
	    shared->starts_ms[5] - shared->starts_ms[4]);
	CU_ASSERT_EQUAL(finish(), 1);
	CU_ASSERT(logged("worker 0 starts again in 0 ms"));
}

static int
live_a_while(const struct spout__worker *w)
{
	note_start(w);
	spout__worker_ready(w);
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

static int
hang_in_first_life(const struct spout__worker *w)
{
	return w->generation == 1 ? hang(w) : serve(w);
}

static void
hung_worker_is_dumped_and_replaced(void)
{
	start((struct spout__supervisor_options){
	    .worker_main = hang_in_first_life, .hang_timeout_ms = 150 });
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
		.hang_timeout_ms = 150,
		.abort_grace_ms = 100 });
	CU_ASSERT(eventually(ready(0, 2)));
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
	CU_ASSERT(logged("hung (signal 9: Killed)"));
}

static void
pause_of_the_whole_machine_kills_nobody(void)
{
	pid_t worker;
	int status;

	start((struct spout__supervisor_options){
	    .worker_main = plain_worker, .hang_timeout_ms = 1000 });
	CU_ASSERT_FATAL(eventually(board->serving));
	worker = (pid_t)board->slots[0].pid;
	kill(supervisor, SIGSTOP);
	CU_ASSERT_EQUAL(waitpid(supervisor, &status, WUNTRACED), supervisor);
	kill(worker, SIGSTOP);
	poll(NULL, 0, 1600); /* longer than the hang time-out: this is the subject */
	kill(supervisor, SIGCONT);
	poll(NULL, 0, 300); /* the supervisor looks, the worker has not beaten yet */
	kill(worker, SIGCONT);
	poll(NULL, 0, 300);
	CU_ASSERT_EQUAL((pid_t)board->slots[0].pid, worker);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
	CU_ASSERT(logged("heartbeats start anew"));
}

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
	char early[4096] = "", want[64];

	start((struct spout__supervisor_options){
	    .worker_main = ready_when_told, .n_workers = 2, .hang_timeout_ms = 200 });
	CU_ASSERT(eventually(ready(0, 1)));
	poll(NULL, 0, 400); /* booting is not hanging, however long */
	fcntl(log_fd, F_SETFL, O_NONBLOCK);
	if (read(log_fd, early, sizeof(early) - 1) < 0)
		CU_ASSERT_EQUAL(errno, EAGAIN);
	fcntl(log_fd, F_SETFL, 0);
	CU_ASSERT_PTR_NULL(strstr(early, "listening on"));
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
	int fds[20], i;

	start((struct spout__supervisor_options){ .worker_main = accept_only_at_the_end,
	    .n_workers = 2,
	    .drain_timeout_ms = 9000,
	    .pid_file = "test-supervisor.pid" });
	CU_ASSERT_FATAL(eventually(board->serving));
	CU_ASSERT_EQUAL(access("test-supervisor.pid", R_OK), 0);
	for (i = 0; i < 20; i++)
		fds[i] = connect_and_ask();
	kill(supervisor, SIGINT);
	for (i = 0; i < 20; i++)
		CU_ASSERT_NOT_EQUAL(answer(fds[i]), -1);
	CU_ASSERT_EQUAL(shared->seen[0], SPOUT__CONTROL_DRAIN);
	CU_ASSERT_EQUAL(shared->seen[1], 9000);
	CU_ASSERT_EQUAL(finish(), 0);
	CU_ASSERT_EQUAL(access("test-supervisor.pid", F_OK), -1);
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
	static const int signals[] = { SIGHUP, SIGUSR1, SIGUSR2 };
	static const int group[] = { SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2 };
	size_t i;
	pid_t worker;
	char *first;

	start((struct spout__supervisor_options){ .worker_main = plain_worker });
	CU_ASSERT_FATAL(eventually(board->serving));
	worker = (pid_t)board->slots[0].pid;
	for (i = 0; i < sizeof(group) / sizeof(group[0]); i++)
		kill(worker, group[i]); /* orders come from the supervisor alone */
	for (i = 0; i < 3; i++)
		kill(supervisor, signals[i]);
	CU_ASSERT(answer(connect_and_ask()) == 0);
	kill(supervisor, SIGHUP);
	CU_ASSERT_EQUAL((pid_t)board->slots[0].pid, worker);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
	first = strstr(log_text, "signal 1 (Hangup) is ignored");
	CU_ASSERT_PTR_NOT_NULL_FATAL(first);
	CU_ASSERT_PTR_NULL(strstr(strchr(first, '\n'), "(Hangup) is ignored"));
	CU_ASSERT(logged("(User defined signal 2) is ignored"));
}

static void
workers_die_with_the_supervisor(void)
{
	pid_t workers[2];
	int i, status = 0;

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* orphans become ours to wait for */
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
	prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
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
	char why[SPOUT__WHY], text[16] = "";
	int fd = spout__pidfile_open("test-pidfile.pid", why), again;

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(spout__pidfile_open("test-pidfile.pid", why), -EEXIST);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "belongs to a process that is running"));
	CU_ASSERT(pread(fd, text, sizeof(text) - 1, 0) > 0);
	CU_ASSERT_EQUAL(atoi(text), getpid());
	close(fd); /* as a crash would: the file stays, its lock does not */
	again = spout__pidfile_open("test-pidfile.pid", why);
	CU_ASSERT(again >= 0);
	spout__pidfile_close("test-pidfile.pid", again);
	CU_ASSERT_EQUAL(spout__pidfile_open("/nonexistent/x.pid", why), -ENOENT);
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
	const struct unit_suite suites[] = { { "replacing", replace_tests },
		{ "life cycle", life_tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
