/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <time.h>

#include "features/features.h"

static uint64_t
clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* Around whatever it stands before in a table: spout_next() is the rest. */
static void
timed(struct spout_request *req)
{
	uint64_t began = clock_us();

	spout_set_header(req, "X-Request-Id", spout_request_id(req));
	spout_next(req);
	spout_server_timing(req, "handler", clock_us() - began, "the handler");
}

static void
middleware_get(struct spout_request *req)
{
	spout_sleep(20);
	spout_plain(req, "It took what Server-Timing says.\n");
}

const struct spout_route features_middleware[] = {
	SPOUT_GET("/middleware", middleware_get,
	    .middleware = (const spout_handler_fn[]){ timed, NULL }),
	SPOUT_END,
};
