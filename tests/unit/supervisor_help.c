/* SPDX-License-Identifier: MIT */
/* Help for the tests of the supervisor: see supervisor_help.h. */
#include "config.h"

#include "supervisor_help.h"

#include "unit.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

struct shared *shared;
struct spout__scoreboard *board;
pid_t supervisor;
char log_text[1 << 16];

static size_t log_len;
static int log_fd;

/* --- the processes --------------------------------------------------------------- */

static void
run_supervisor(struct spout__supervisor_options *o, int err)
{
	const struct spout__listen_spec spec = { .text = "127.0.0.1:0" };
	const struct rlimit no_core = { 0, 0 };
	struct spout__listeners listeners;
	char why[SPOUT__WHY];
	int status;

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

void
start(struct spout__supervisor_options o)
{
	int fds[2];

	if (o.n_workers == 0)
		o.n_workers = 1;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (o.max_workers == 0)
		o.max_workers = o.n_workers;
	board = o.board = spout__scoreboard_new(o.max_workers);
	CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_CLOEXEC), 0);
	log_fd = fds[0];
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* orphans become ours to wait for */
	log_len = 0;
	log_text[0] = '\0';
	supervisor = unit_fork();
	if (supervisor == 0)
		run_supervisor(&o, fds[1]);
	close(fds[1]);
}

/* Read what comes of the log within some time; false at its end. */
static bool
read_log(int timeout_ms)
{
	struct pollfd p = { .fd = log_fd, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, timeout_ms) <= 0)
		return true;
	n = read(log_fd, log_text + log_len, sizeof(log_text) - 1 - log_len);
	if (n <= 0)
		return false;
	log_len += (size_t)n;
	log_text[log_len] = '\0';
	return true;
}

bool
says(const char *text)
{
	read_log(0);
	return strstr(log_text, text) != NULL;
}

/* The log ends when the supervisor and all workers are gone. */
static bool
read_log_to_its_end(void)
{
	uint64_t until = spout__clock_ms() + PATIENCE_MS;

	while (spout__clock_ms() < until)
		if (!read_log(100))
			return true;
	return false;
}

int
finish(void)
{
	int status = 0;
	bool ended = read_log_to_its_end();

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

int
stop_and_finish(void)
{
	kill(supervisor, SIGTERM);
	return finish();
}

bool
logged(const char *text)
{
	if (strstr(log_text, text) != NULL)
		return true;
	fprintf(stderr, "not logged: %s\nbut:\n%s", text, log_text);
	return false;
}

bool
ready(unsigned slot, uint64_t generation)
{
	return board->slots[slot].state == SPOUT__WORKER_RUNNING &&
	    board->slots[slot].generation >= generation;
}

/* --- workers --------------------------------------------------------------------- */

uint32_t
note_start(const struct spout__worker *w)
{
	int fd = spout__listener_fd(w->listeners->items, w->slot);
	uint32_t n = shared->n_starts++;
	struct stat st;

	if (n < STARTS_MAX)
		shared->starts_ms[n] = spout__clock_ms();
	if (w->slot < 2 && w->generation < 4 && fstat(fd, &st) == 0)
		shared->socket_inode[w->slot][w->generation] = st.st_ino;
	return n;
}

void
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

int
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

int
idle(const struct spout__worker *w)
{
	spout__worker_ready(w);
	while (!shared->go) {
		spout__gauge_set(SPOUT__G_HEARTBEAT_MS, spout__clock_ms());
		poll(NULL, 0, 20);
	}
	return 0;
}

int
die_young(const struct spout__worker *w)
{
	uint32_t n = note_start(w);

	spout__worker_ready(w);
	if (n < STARTS_MAX)
		shared->ends_ms[n] = spout__clock_ms();
	return 7;
}

/* --- clients --------------------------------------------------------------------- */

int
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

int
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
