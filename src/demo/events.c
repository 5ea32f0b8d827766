/* SPDX-License-Identifier: MIT */
/* GET /events: `n` server-sent events, `ms` apart; who comes again goes on counting. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "demo.h"

void
events_get(struct spout_request *req)
{
	int64_t n = spout_arg_int(req, "n", .min = 1, .max = 1000, .otherwise = 10);
	int64_t ms = spout_arg_int(req, "ms", .min = 1, .max = 60000, .otherwise = 1000);
	const char *last = spout_sse_last_event_id(req);
	unsigned id = last != NULL ? (unsigned)strtoul(last, NULL, 10) : 0;
	struct spout_sse *sse = spout_sse_open(req, .retry_ms = 2000);
	char data[32], number[16];

	for (;;) {
		snprintf(number, sizeof(number), "%u", ++id);
		snprintf(data, sizeof(data), "{\"time\": %lld}", (long long)spout_now());
		spout_sse_send(sse, "tick", data, number);
		if (--n == 0)
			return;
		spout_sleep((uint64_t)ms);
	}
}
