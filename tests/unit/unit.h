/* SPDX-License-Identifier: MIT */
/*
 * The runner of the unit tests. A test program lists its suites and calls unit_run();
 * a suite that leaves a descriptor or a thread behind fails. Test names are sentences.
 * With arguments only the tests whose name contains one of them are run.
 */
#ifndef SPOUT_TESTS_UNIT_H
#define SPOUT_TESTS_UNIT_H

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

/** Run the suites (ended by a NULL name); returns the exit status for main(). */
int unit_run(int argc, char **argv, const struct unit_suite *suites);

#endif
