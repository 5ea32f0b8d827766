/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "features/features.h"

/* A job: it runs on a thread of the cpu pool, while the loop goes on. */
static int
count_primes(void *arg)
{
	int below = *(int *)arg, n = 0;

	for (int i = 2; i < below && !spout_job_cancelled(); i++) {
		int d = 2;

		while (d * d <= i && i % d != 0)
			d++;
		n += d * d > i;
	}
	return n;
}

/* Two jobs at once; the handler waits for both, half a minute at most. */
static void
together_get(struct spout_request *req)
{
	int below[] = { 100000, 300000 };
	struct spout_future *few = spout_run_on_async(SPOUT_POOL_CPU, count_primes,
				&below[0]),
			    *many = spout_run_on_async(SPOUT_POOL_CPU, count_primes,
				&below[1]);

	spout_await_all(30000, few, many);
	spout_json_pack(req, "{s:i, s:i}", "below 100000", spout_future_int(few),
	    "below 300000", spout_future_int(many));
}

const struct spout_route features_together[] = {
	SPOUT_GET("/together", together_get),
	SPOUT_END,
};
