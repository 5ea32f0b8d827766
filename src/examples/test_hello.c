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

/* Runs as a coroutine: it may wait. */
static void
asks_for_the_front_page(void *arg)
{
	struct spout_test_server *server = spout_test_serve(&app);
	struct spout_test_response *r = spout_test_fetch(server, "GET", "/");

	(void)arg;
	CU_ASSERT_EQUAL(r->status, 200);
	CU_ASSERT_STRING_EQUAL(r->body, "Hello, World!\n");
	CU_ASSERT_EQUAL(spout_test_fetch(server, "POST", "/")->status, 405);
}

static void
the_front_page_greets(void)
{
	SPOUT_TEST_RUN(asks_for_the_front_page, NULL);
}

static void
no_wait_leaks_when_it_is_cancelled(void)
{
	SPOUT_TEST_SWEEP(asks_for_the_front_page, NULL);
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
	CU_ADD_TEST(suite, no_wait_leaks_when_it_is_cancelled);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures > 0;
}
