/* SPDX-License-Identifier: MIT */
/*
 * --fault-routes: programming errors on purpose, for tests of the server's toughness.
 * Never enabled by default.
 */
#include "config.h"

#include "demo.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define MAX_LEAK_KIB 1048576

/* Blocks the loop: a handler that computes instead of using the cpu pool. */
void
fault_spin_get(struct spout_request *req)
{
	int64_t ms = spout_arg_int(req, "ms", .max = 600000, .otherwise = 1000);
	struct timespec now, start;
	int64_t past;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
		past = (now.tv_sec - start.tv_sec) * 1000 +
		    (now.tv_nsec - start.tv_nsec) / 1000000;
	} while (past < ms);
	spout_json_pack(req, "{s:I}", "spun_ms", (long long)ms);
}

void
fault_crash_get(struct spout_request *req)
{
	char *page = mmap(NULL, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		spout_fail_with(-ENOMEM, "nothing to crash on");
	*(volatile char *)page = 1;
	spout_fail(req, 500, "still alive");
}

/* Reachable through this list, so that only the growth shows, not a sanitizer. */
struct leak {
	struct leak *next;
};
static struct leak *leaks;
static int64_t leaked_kib;

void
fault_leak_get(struct spout_request *req)
{
	int64_t kib =
	    spout_arg_int(req, "kib", .min = 1, .max = MAX_LEAK_KIB, .otherwise = 64);
	struct leak *leak = malloc((size_t)kib * 1024);

	if (leak == NULL)
		spout_fail_with(-ENOMEM, "nothing left to leak");
	memset(leak, 1, (size_t)kib * 1024);
	leak->next = leaks;
	leaks = leak;
	leaked_kib += kib;
	spout_json_pack(req, "{s:I}", "leaked_kib", (long long)leaked_kib);
}

/* Ends its own session on the server in the middle of a transaction. */
static int
lose_backend(struct pg_conn *conn, void *arg)
{
	(void)arg;
	if (spout_pg_exec(conn, "UPDATE world SET randomnumber = 0 WHERE id = 1") ==
		NULL ||
	    spout_pg_exec(conn, "SELECT pg_terminate_backend(pg_backend_pid())") == NULL)
		return spout_pg_exec_error(conn);
	return 0;
}

/* Writes, then gives up: what it wrote must not be seen. */
static int
give_up(struct pg_conn *conn, void *arg)
{
	(void)arg;
	if (spout_pg_exec(conn, "UPDATE world SET randomnumber = 0 WHERE id = 1") == NULL)
		return spout_pg_exec_error(conn);
	return -EIO;
}

void
fault_abort_db_get(struct spout_request *req)
{
	const char *how = spout_arg(req, "how");

	if (!tables_need(req))
		return;
	if (how == NULL || strcmp(how, "backend") == 0)
		spout_pg_transaction(lose_backend, NULL);
	else if (strcmp(how, "transaction") == 0)
		spout_pg_transaction(give_up, NULL);
	else
		spout_fail(req, 400, "how: neither backend nor transaction");
	spout_plain(req, "nothing was aborted\n");
}
