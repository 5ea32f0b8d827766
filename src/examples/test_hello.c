/* SPDX-License-Identifier: MIT */
/*
 * How to test a program: its routes are served inside the test, and asked.
 *
 *     cc -o test_hello test_hello.c $(pkg-config --cflags --libs spout-testing cunit)
 */
#include <CUnit/Basic.h>
#include <spout/testing.h>

/* The program itself, but for its main(). */
#define main hello_main
int main(int argc, char **argv);
#include "hello.c"
#undef main

static struct spout_app app = { .name = "hello", .routes = routes };

/* These run as coroutines: they may wait. */

SPOUT_TEST(the_front_page_greets)
{
	struct spout_test_server *server = spout_test_serve(&app);
	struct spout_test_response *r = spout_test_fetch(server, "GET", "/");

	CU_ASSERT_EQUAL(r->status, 200);
	CU_ASSERT_STRING_EQUAL(r->body, "Hello, World!\n");
	CU_ASSERT_EQUAL(spout_test_fetch(server, "POST", "/")->status, 405);
}

static void
fetches(void *arg)
{
	(void)arg;
	spout_test_fetch(spout_test_serve(&app), "GET", "/");
}

/* Each of its waits is cancelled in turn. */
static void
cancelling_leaves_nothing_behind(void)
{
	SPOUT_TEST_SWEEP(fetches, NULL);
}

int
main(void)
{
	unsigned failures;
	CU_pSuite suite;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	suite = CU_add_suite("hello", NULL, NULL);
	CU_ADD_TEST(suite, the_front_page_greets);
	CU_ADD_TEST(suite, cancelling_leaves_nothing_behind);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures > 0;
}
