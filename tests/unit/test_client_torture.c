/* SPDX-License-Identifier: MIT */
/*
 * Allocation torture of the HTTP client (not of libcurl): whichever allocation fails, a
 * fetch ends, with an answer or an error, and nothing crashes, hangs or leaks.
 */
#include "config.h"

#include "torture.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>

#include <spout/client.h>
#include <spout/testing.h>

#include "upstream.h"

/* gzip of "packed" */
#define PACKED \
	"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x2b\x48\x4c\xce\x4e\x4d\x01\x00" \
	"\x10\xb4\xf6\x21\x06\x00\x00\x00"

static void
send_packed(struct spout_stream *stream, const char *head)
{
	static const char text[] =
	    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 26\r\n\r\n";

	(void)head;
	spout_stream_write(stream, text, strlen(text));
	spout_stream_write(stream, PACKED, 26);
}

static const struct upstream_route routes[] = {
	{ .path = "/go",
	    .answer = "HTTP/1.1 302 Go\r\nLocation: /json\r\nContent-Length: 0\r\n\r\n" },
	{ .path = "/json", .answer = OK("7", "{\"a\":1}") },
	{ .path = "/packed", .serve = send_packed },
	{ .path = NULL },
};

static unsigned done; /* steps of the scenario that were taken */

static void
fetches(void *arg)
{
	uint16_t port;
	struct spout_response *r;
	struct spout_slice piece;
	struct spout_future *put;

	(void)arg;
	torture_pause();
	port = upstream_start(routes, NULL);
	torture_resume();
	r = spout_fetch(upstream_url(port, "/go"), .timeout_ms = 500, .username = "me",
	    .headers = SPOUT_FIELDS({ "X-Tag", "a" }),
	    .form = SPOUT_FIELDS({ "name", "a value" }));
	done += spout_response_status(r) == 200;
	done += json_object_size(spout_response_json(r)) == 1;
	r = spout_fetch_stream(upstream_url(port, "/packed"), .timeout_ms = 500);
	piece = spout_response_read(r);
	done += spout_slice_equal(piece, "packed");
	put = spout_fetch_async(upstream_url(port, "/json"), .method = "PUT",
	    .upload = true, .upload_bytes = 4, .timeout_ms = 500);
	spout_fetch_write(put, "data", 4);
	spout_fetch_write_end(put);
	done += spout_response_status(spout_response(put)) == 200;
}

static bool
run_fetches(void)
{
	done = 0;
	return spout_test_run(fetches, NULL, .no_threads = true).error == 0 && done == 4;
}

static void
fetches_survive_failing_allocations(void)
{
	torture("fetches", run_fetches);
}

static bool
run_sync(void)
{
	struct spout_fetch_failure failure = { .error = 0 };
	struct spout_response *r = spout_fetch_sync("http://127.0.0.1:1/", &failure);

	CU_ASSERT_PTR_NULL(r);
	CU_ASSERT_TRUE(failure.error < 0);
	spout_fetch_sync_close();
	return failure.error == -ECONNREFUSED;
}

static void
synchronous_fetches_survive_failing_allocations(void)
{
	torture("synchronous fetches", run_sync);
}

static const struct unit_test tests[] = { UNIT_TEST(fetches_survive_failing_allocations),
	UNIT_TEST(synchronous_fetches_survive_failing_allocations), UNIT_END };

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "client torture", tests },
		{ NULL, NULL } };

	torture_init();
	return unit_run(argc, argv, suites);
}
