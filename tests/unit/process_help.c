/* SPDX-License-Identifier: MIT */
/* Other programs under test: see process_help.h. */
#include "config.h"

#include "process_help.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>

#include <CUnit/CUnit.h>

bool
process_none_left(void)
{
	siginfo_t info;
	int r = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);

	return r < 0 && errno == ECHILD;
}

void
process_wait_none_left(void)
{
	for (int i = 0; i < HANG_GUARD_MS && !process_none_left(); i++)
		spout_sleep(1);
	CU_ASSERT_TRUE(process_none_left());
}

bool
process_is_alive(int pid)
{
	char path[64], state = 'Z';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	if (fscanf(file, "%*d %*s %c", &state) != 1)
		state = 'Z';
	fclose(file);
	return state != 'Z' && state != 'X';
}

void
process_run(spout_fn fn)
{
	co_run(fn, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
	CU_ASSERT_STRING_EQUAL(co_reason, "");
	CU_ASSERT_TRUE(process_none_left());
}

static void
close_pool(void *pool)
{
	CU_ASSERT_EQUAL(spout_pool_close(pool, HANG_GUARD_MS), 0);
}

struct spout_pool *
process_pool(void)
{
	struct spout_pool *pool = spout_pool_new("blocking");

	CU_ASSERT_PTR_NOT_NULL_FATAL(pool);
	spout_defer(close_pool, pool);
	return pool;
}
