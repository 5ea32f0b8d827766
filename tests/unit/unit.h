/* SPDX-License-Identifier: MIT */
/*
 * The runner of the unit tests. A test program lists its suites and calls unit_run();
 * a suite that leaves a descriptor, a thread or a process behind fails, and a program
 * that hangs is aborted with the name of its test. Test names are sentences. With
 * arguments only the tests whose name contains one of them are run.
 */
#ifndef SPOUT_TESTS_UNIT_H
#define SPOUT_TESTS_UNIT_H

#include <stdbool.h>
#include <sys/types.h>

#include <CUnit/CUnit.h>

struct unit_test {
	const char *name;
	void (*fn)(void);
};

#define UNIT_TEST(fn) { #fn, fn }
#define UNIT_END { NULL, NULL }

struct unit_suite {
	const char *name;
	const struct unit_test *tests; /* ended by UNIT_END */
};

/**
 * How often a test repeats what it repeats `count` times: fewer times when the run is
 * slow (valgrind, TSan), as SPOUT_TEST_SCALE in the environment divides it. At least 1.
 */
unsigned unit_scaled(unsigned count);

/** fork(), with a child that does not outlive this program, however that ends. */
pid_t unit_fork(void);

/**
 * Run fn in a child: what it writes to stderr is put into `said`, a string. Returns its
 * status as of waitpid(); no core file is left.
 */
int unit_status_of_child(void (*fn)(void), char *said, size_t size);
/** fn must abort the (child) process, saying `words`. */
void unit_assert_aborts(void (*fn)(void), const char *words);

/** What main() returns when its tests cannot be run here; the reason is in its output. */
#define UNIT_SKIP 77

/** Is there pidfd_open()? The valgrind of Debian 12 does not know it; if not, say so. */
bool unit_has_pidfd(void);

/** Run the suites (ended by a NULL name); returns the exit status for main(). */
int unit_run(int argc, char **argv, const struct unit_suite *suites);

#endif
