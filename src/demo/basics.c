/* SPDX-License-Identifier: MIT */
/* The routes that need nothing but the server: text, JSON, waiting, computing. */
#include "config.h"

#include "demo.h"

#include <time.h>

#define MAX_WAIT_MS 60000

void
plaintext_get(struct spout_request *req)
{
	spout_plain(req, "Hello, World!");
}

void
json_get(struct spout_request *req)
{
	spout_json_pack(req, "{s:s}", "message", "Hello, World!");
}

/* Waits as a coroutine: any number of these cost the worker next to nothing. */
void
sleep_get(struct spout_request *req)
{
	int64_t ms = spout_arg_int(req, "ms", .max = MAX_WAIT_MS, .otherwise = 1000);

	spout_sleep((uint64_t)ms);
	spout_json_pack(req, "{s:I}", "slept_ms", (long long)ms);
}

static uint64_t
clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

struct burn {
	uint64_t ms;
	uint64_t rounds;
};

/* A job: keeps one thread of the cpu pool busy for a while, or until it is asked to stop.
 */
static int
burn(void *arg)
{
	struct burn *job = arg;
	uint64_t end = clock_ms() + job->ms, mixed = 88172645463325252u;

	do {
		for (int i = 0; i < 20000; i++) {
			mixed ^= mixed << 13;
			mixed ^= mixed >> 7;
			mixed ^= mixed << 17;
		}
		job->rounds++;
	} while (clock_ms() < end && !spout_job_cancelled());
	return (int)(mixed & 0x7fff);
}

void
cpu_get(struct spout_request *req)
{
	struct burn job = {
		.ms = (uint64_t)spout_arg_int(
		    req, "ms", .max = MAX_WAIT_MS, .otherwise = 100),
	};
	int result = spout_run_on(SPOUT_POOL_CPU, burn, &job);

	spout_json_pack(req, "{s:I,s:I,s:i}", "burnt_ms", (long long)job.ms, "rounds",
	    (long long)job.rounds, "result", result);
}
