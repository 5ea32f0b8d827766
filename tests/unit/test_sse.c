/* SPDX-License-Identifier: MIT */
/* Server-sent events: through the web layer, over a socket. */
#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <spout/sse.h>

#include "web/request.h"
#include "web_client.h"

#define EVENT_STREAM "Content-Type: text/event-stream\r\n"

static unsigned cleaned_up;

/* --- the application -------------------------------------------------------------- */

static void
events(struct spout_request *req)
{
	struct spout_sse *sse = spout_sse_open(req, .retry_ms = 2500);
	const char *last = spout_sse_last_event_id(req);

	spout_sse_send(sse, NULL, last != NULL ? last : "none", NULL);
	spout_sse_send(sse, "named", "a\nb\r\nc\rd\n", "7");
	spout_sse_send(sse, NULL, "", NULL);
	spout_sse_send(sse, NULL, NULL, "8");
}

static void
bad_id(struct spout_request *req)
{
	spout_sse_send(spout_sse_open(req), NULL, "x", "1\ndata: forged");
}

static void
bad_name(struct spout_request *req)
{
	spout_sse_send(spout_sse_open(req), "a\rb", "x", NULL);
}

/* Until two beats have been sent. */
static void
quiet(struct spout_request *req)
{
	spout_sse_open(req, .heartbeat_ms = 10);
	while (spout__http_bytes_sent(req->ex) < 6)
		spout_sleep(5);
}

static void
note_the_end(void *arg)
{
	(void)arg;
	cleaned_up++;
}

static void
hang_up_soon(void *arg)
{
	(void)arg;
	shutdown(client, SHUT_RDWR);
}

static void
for_ever(struct spout_request *req)
{
	struct spout_sse *sse = spout_sse_open(req);

	spout_defer(note_the_end, NULL);
	spout_loop_call_later(loop, 1, hang_up_soon, NULL);
	for (;;) {
		spout_sse_send(sse, NULL, "more", NULL);
		spout_sleep(1);
	}
}

static void
long_one(struct spout_request *req)
{
	char *data = spout_alloc(200001);

	memset(data, 'x', 200000);
	data[200000] = '\0';
	spout_sse_send(spout_sse_open(req, .heartbeat_ms = 1), NULL, data, NULL);
}

static void
late(struct spout_request *req)
{
	struct spout_sse *sse = spout_sse_open(req);

	spout_sleep((uint64_t)spout_arg_int(req, "ms"));
	spout_sse_send(sse, NULL, "late", NULL);
}

static const struct spout_route routes[] = {
	SPOUT_GET("/events", events),
	SPOUT_GET("/bad/id", bad_id),
	SPOUT_GET("/bad/name", bad_name),
	SPOUT_GET("/quiet", quiet),
	SPOUT_GET("/ever", for_ever),
	SPOUT_GET("/long", long_one),
	SPOUT_GET("/late", late),
	SPOUT_GET("/late/limited", late, .timeout_ms = 20),
	SPOUT_END,
};
static struct spout_app app = { .name = "t", .routes = routes, .compress = true,
	.etag = true, .request_timeout_ms = 20 };

/* --- looking ---------------------------------------------------------------------- */

/* What the chunks of the last answer hold. */
static const char *
stream(void)
{
	static char text[sizeof(got)];
	const char *at = body();
	size_t len = 0, n;

	while ((n = strtoul(at, (char **)(uintptr_t)&at, 16)) != 0) {
		memcpy(text + len, at + 2, n);
		len += n;
		at += n + 4;
	}
	text[len] = '\0';
	return text;
}

/* --- the tests -------------------------------------------------------------------- */

static void
events_have_names_ids_and_lines(void)
{
	begin(&app, NO_ACCESS_LOG);
	request("GET /events", "Accept-Encoding: gzip\r\n", NULL);
	CU_ASSERT_TRUE(status_is(200) && has(EVENT_STREAM) && has("chunked"));
	CU_ASSERT_TRUE(has("Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n"));
	CU_ASSERT_TRUE(lacks("Content-Encoding") && lacks("ETag"));
	CU_ASSERT_STRING_EQUAL(stream(),
	    "retry: 2500\n\n"
	    "data: none\n\n"
	    "id: 7\nevent: named\ndata: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"
	    "data: \n\n"
	    "id: 8\n\n");
	end();
}

static void
a_browser_that_comes_again_tells_its_last_id(void)
{
	begin(&app, NO_ACCESS_LOG);
	request("GET /events", "Last-Event-ID: 41\r\n", NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(stream(), "data: 41\n\n"));
	end();
}

static void
a_line_end_in_a_name_or_an_id_ends_the_handler(void)
{
	begin(&app, NO_ACCESS_LOG);
	get("/bad/id");
	CU_ASSERT_TRUE(status_is(200) && lacks("forged"));
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "id of an event has more than one line"));
	get("/bad/name");
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "name of an event has more than one"));
	end();
}

static void
a_silent_stream_has_a_heartbeat(void)
{
	begin(&app, NO_ACCESS_LOG);
	get("/quiet");
	CU_ASSERT_EQUAL(strncmp(stream(), ":\n\n:\n\n", 6), 0);
	end();
}

static void
the_handler_ends_when_the_client_is_gone(void)
{
	cleaned_up = 0;
	begin(&app, NO_ACCESS_LOG);
	get("/ever");
	end();
	CU_ASSERT_EQUAL(cleaned_up, 1);
}

static void
an_event_longer_than_the_buffer_is_not_broken_up_by_beats(void)
{
	begin(&app, NO_ACCESS_LOG);
	get("/long");
	CU_ASSERT_EQUAL(strlen(stream()), 200008);
	CU_ASSERT_PTR_NULL(strchr(strchr(stream(), ':') + 1, ':'));
	end();
}

static void
only_the_time_out_of_the_route_holds(void)
{
	begin(&app, NO_ACCESS_LOG);
	get("/late?ms=100");
	CU_ASSERT_STRING_EQUAL(stream(), "data: late\n\n");
	get("/late/limited?ms=60000");
	CU_ASSERT_TRUE(status_is(200) && lacks("data: late"));
	end();
}

static void
head_gets_the_head(void)
{
	begin(&app, NO_ACCESS_LOG);
	request("HEAD /ever", "", NULL);
	CU_ASSERT_TRUE(status_is(200) && has(EVENT_STREAM));
	CU_ASSERT_STRING_EQUAL(body(), "");
	end();
}

static const struct unit_test sse_tests[] = {
	UNIT_TEST(events_have_names_ids_and_lines),
	UNIT_TEST(a_browser_that_comes_again_tells_its_last_id),
	UNIT_TEST(a_line_end_in_a_name_or_an_id_ends_the_handler),
	UNIT_TEST(a_silent_stream_has_a_heartbeat),
	UNIT_TEST(the_handler_ends_when_the_client_is_gone),
	UNIT_TEST(an_event_longer_than_the_buffer_is_not_broken_up_by_beats),
	UNIT_TEST(only_the_time_out_of_the_route_holds),
	UNIT_TEST(head_gets_the_head),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "sse", sse_tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
