/* SPDX-License-Identifier: MIT */
/* The runner of the unit tests: see unit.h. */
#include "config.h"

#include "unit.h"

#include <dirent.h>
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

/* Entries of a directory of /proc/self: open descriptors, threads. */
static unsigned
count_entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned n = 0;

	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

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

static unsigned fds_before, threads_before, children_before;

/* Our child processes that have not ended. */
static unsigned
count_children(void)
{
	char path[TASK_PATH];
	unsigned n = 0;
	FILE *file;
	int pid;

	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	while (fscanf(file, "%d", &pid) == 1)
		n++;
	fclose(file);
	return n;
}

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
	fds_before = count_entries("/proc/self/fd");
	threads_before = count_entries("/proc/self/task");
	children_before = count_children();
	return 0;
}

/* What each open descriptor is, for the log. */
static void
print_descriptors(void)
{
	char path[64], what[256];
	ssize_t n;
	int fd;

	for (fd = 0; fd < 1024; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, what, sizeof(what));
		if (n > 0)
			fprintf(stderr, "%d is %.*s\n", fd, (int)n, what);
	}
}

static void
leaves_no_descriptor_thread_or_process_behind(void)
{
	unsigned fds = count_entries("/proc/self/fd");
	unsigned threads, children, tries = 0;

	/* What was joined or killed may be listed for a moment longer. */
	for (;;) {
		threads = count_entries("/proc/self/task");
		children = count_children();
		if ((threads <= threads_before && children <= children_before) ||
		    tries++ == 1000)
			break;
		poll(NULL, 0, 10);
	}
	if (fds != fds_before || threads != threads_before || children > children_before)
		fprintf(stderr,
		    "descriptors %u -> %u, threads %u -> %u, processes %u -> %u\n",
		    fds_before, fds, threads_before, threads, children_before, children);
	if (fds != fds_before)
		print_descriptors();
	CU_ASSERT_EQUAL(fds, fds_before);
	CU_ASSERT_EQUAL(threads, threads_before);
	CU_ASSERT(children <= children_before);
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

/* --- a program that hangs ---------------------------------------------------------- */

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
