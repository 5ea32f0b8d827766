/* SPDX-License-Identifier: MIT */
/* The runner of the unit tests: see unit.h. */
#include "config.h"

#include "unit.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static unsigned fds_before, threads_before;

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
	return 0;
}

static void
leaves_no_descriptor_or_thread_behind(void)
{
	unsigned fds = count_entries("/proc/self/fd");
	unsigned threads, tries = 0;

	/* The kernel may list a joined thread for a moment longer. */
	while ((threads = count_entries("/proc/self/task")) > threads_before && tries++ < 100)
		poll(NULL, 0, 10);
	if (fds != fds_before || threads != threads_before)
		fprintf(stderr, "descriptors %u -> %u, threads %u -> %u\n",
		    fds_before, fds, threads_before, threads);
	CU_ASSERT_EQUAL(fds, fds_before);
	CU_ASSERT_EQUAL(threads, threads_before);
}

unsigned
unit_scaled(unsigned count)
{
	const char *text = getenv("SPOUT_TEST_SCALE");
	unsigned scale = text != NULL ? (unsigned)atoi(text) : 1;

	return scale <= 1 ? count : count / scale > 0 ? count / scale : 1;
}

int
unit_run(int argc, char **argv, const struct unit_suite *suites)
{
	unsigned failures;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return EXIT_FAILURE;
	for (; suites->name != NULL; suites++) {
		CU_pSuite suite = CU_add_suite(suites->name, remember, NULL);
		const struct unit_test *t;

		for (t = suites->tests; t->name != NULL; t++)
			if (selected(argc, argv, t->name))
				CU_add_test(suite, t->name, t->fn);
		CU_add_test(suite, "leaves_no_descriptor_or_thread_behind",
		    leaves_no_descriptor_or_thread_behind);
	}
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
