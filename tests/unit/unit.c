/* SPDX-License-Identifier: MIT */
/* The runner of the unit tests: see unit.h. */
#include "config.h"

#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#include <spout/testing.h>

static bool
selected(int argc, char **argv, const char *name)
{
	int i;

	for (i = 1; i < argc; i++)
		if (strstr(name, argv[i]) != NULL)
			return true;
	return argc < 2;
}

#define TASK_PATH 64

static struct spout_test_mark before;

static void *
note_tid(void *arg)
{
	snprintf(arg, TASK_PATH, "/proc/self/task/%d", (int)gettid());
	return NULL;
}

static int
remember(void)
{
	char task[TASK_PATH] = "";
	pthread_t thread;

	/* ThreadSanitizer adds a thread of its own to the first: let it do so now. */
	if (pthread_create(&thread, NULL, note_tid, task) == 0)
		pthread_join(thread, NULL);
	while (access(task, F_OK) == 0) /* the kernel lists it for a moment longer */
		poll(NULL, 0, 1);
	spout_test_mark(&before);
	return 0;
}

/* Children that were killed may take a moment to die. */
static void
reap(void)
{
	struct spout_test_mark now;
	unsigned tries = 0;

	do {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		spout_test_mark(&now);
	} while (now.children > before.children && tries++ < 1000 &&
	    poll(NULL, 0, 10) == 0);
}

static void
leaves_no_descriptor_thread_or_process_behind(void)
{
	const char *left;

	reap();
	left = spout_test_leftovers(&before);
	SPOUT_TEST_CHECK(left == NULL, left != NULL ? left : "nothing");
}

/* How much slower than usual this run is. */
static unsigned
test_scale(void)
{
	const char *text = getenv("SPOUT_TEST_SCALE");
	int scale = text != NULL ? atoi(text) : 1;

	return scale > 1 ? (unsigned)scale : 1;
}

unsigned
unit_scaled(unsigned count)
{
	return count / test_scale() > 0 ? count / test_scale() : 1;
}

pid_t
unit_fork(void)
{
	pid_t pid;

	fflush(NULL); /* what is buffered is written once */
	pid = fork();
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	return pid;
}

int
unit_status_of_child(void (*fn)(void), char *said, size_t size)
{
	const struct rlimit no_core = { 0, 0 };
	int status = 0, fds[2];
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_CLOEXEC), 0);
	pid = unit_fork();
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		fn();
		_exit(0);
	}
	close(fds[1]);
	/* To the end: a child that is still writing must not meet a closed pipe. */
	while (len < size - 1 && (n = read(fds[0], said + len, size - 1 - len)) > 0)
		len += (size_t)n;
	said[len] = '\0';
	close(fds[0]);
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	return status;
}

void
unit_assert_aborts(void (*fn)(void), const char *words)
{
	char said[8192];
	int status = unit_status_of_child(fn, said, sizeof(said));
	bool aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;

	if (!aborted || strstr(said, words) == NULL)
		fprintf(stderr, "status %#x, it said: %s\n", (unsigned)status, said);
	CU_ASSERT(aborted);
	CU_ASSERT_PTR_NOT_NULL(strstr(said, words));
}

/* --- a program that hangs ------------------------------------------------------- */

/* Less than the limits of tests/run, which cannot tell the test. */
#define LIMIT_SECONDS 240
#define LIMIT_SLOW_SECONDS 840

static void
on_alarm(int signo)
{
	static const char text[] = "\nhangs, and is aborted: ";
	const CU_pTest test = CU_get_current_test();

	(void)signo;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) > 0 && test != NULL &&
	    write(STDERR_FILENO, test->pName, strlen(test->pName)) > 0 &&
	    write(STDERR_FILENO, "\n", 1) > 0)
		abort();
	abort();
}

static void
arm_watchdog(void)
{
	struct sigaction action = { .sa_handler = on_alarm };

	sigaction(SIGALRM, &action, NULL);
	alarm(test_scale() > 1 ? LIMIT_SLOW_SECONDS : LIMIT_SECONDS);
}

bool
unit_has_pidfd(void)
{
	int fd = pidfd_open(getpid(), 0);

	if (fd < 0) {
		perror("pidfd_open");
		return false;
	}
	close(fd);
	return true;
}

int
unit_run(int argc, char **argv, const struct unit_suite *suites)
{
	unsigned failures;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return EXIT_FAILURE;
	arm_watchdog();
	for (; suites->name != NULL; suites++) {
		CU_pSuite suite = CU_add_suite(suites->name, remember, NULL);
		const struct unit_test *t;

		for (t = suites->tests; t->name != NULL; t++)
			if (selected(argc, argv, t->name))
				CU_add_test(suite, t->name, t->fn);
		CU_add_test(suite, "leaves_no_descriptor_thread_or_process_behind",
		    leaves_no_descriptor_thread_or_process_behind);
	}
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
