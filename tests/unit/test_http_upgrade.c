/* SPDX-License-Identifier: MIT */
/*
 * Connections that another protocol takes over (101 Switching Protocols): what was read
 * ahead, limits, draining, and the ways it does not come to that.
 */
#include "config.h"

#include "unit.h"

#include <string.h>

#include "http_client.h"
#include "net/stream.h"

/* --- a guest that sends back what it gets, until "." ---------------------------- */

static struct guest {
	struct spout__http_guest http;
	struct spout__stream stream;
	char seen[64]; /* which callbacks came */
} guest;

static bool fails, waits, says_more;

static void
guest_close(void)
{
	spout__stream_close(&guest.stream);
	spout__http_guest_gone(&guest.http);
}

static void
guest_use(const char *data, size_t len)
{
	CU_ASSERT_EQUAL(spout__stream_write(&guest.stream, data, len), 0);
	if (memchr(data, '.', len) == NULL)
		return;
	spout__stream_flush(&guest.stream);
	guest_close();
}

static void
guest_on_data(struct spout__stream *stream, const char *data, size_t len)
{
	(void)stream;
	guest_use(data, len);
}

static void
guest_on_end(struct spout__stream *stream)
{
	(void)stream;
	strcat(guest.seen, "end ");
	guest_close();
}

static void
guest_on_error(struct spout__stream *stream, int error)
{
	(void)error;
	guest_on_end(stream);
}

static void
ignore(struct spout__stream *stream)
{
	(void)stream;
}

static const struct spout__stream_ops stream_ops = { guest_on_data, guest_on_end, ignore,
	guest_on_error, ignore };

static void
guest_take(struct spout__http_guest *http, struct spout__stream *stream,
    struct spout_slice ahead)
{
	(void)http;
	strcat(guest.seen, "take ");
	spout__stream_move(&guest.stream, stream, &stream_ops, 65536);
	spout__stream_set_reading(&guest.stream, true);
	if (ahead.len > 0)
		guest_use(ahead.data, ahead.len);
}

static void
guest_lost(struct spout__http_guest *http)
{
	(void)http;
	strcat(guest.seen, "lost ");
}

static void
guest_drain(struct spout__http_guest *http, uint64_t within_ms)
{
	CU_ASSERT_EQUAL(within_ms, 0);
	(void)http;
	strcat(guest.seen, "drain ");
	CU_ASSERT_EQUAL(spout__stream_write(&guest.stream, "bye", 3), 0);
	spout__stream_flush(&guest.stream);
	guest_close();
}

static void
guest_stop(struct spout__http_guest *http)
{
	CU_ASSERT_PTR_NULL(http->server);
	strcat(guest.seen, "stop ");
	guest_close();
}

static const struct spout__http_guest_ops guest_ops = { guest_take, guest_lost,
	guest_drain, guest_stop };

static void
upgrade(struct spout__http_exchange *ex, void *arg)
{
	(void)arg;
	memset(&guest, 0, sizeof(guest));
	guest.stream.fd = -1;
	spout__http_guest_init(&guest.http, &guest_ops);
	CU_ASSERT_EQUAL(
	    spout__http_add_header(ex, spout_slice("X"), spout_slice("y")), 0);
	if (waits)
		spout_sleep(20);
	if (spout__http_upgrade(ex, spout_slice("echo"), &guest.http) < 0)
		spout__co_leave(-ECANCELED, 503, "not now");
	CU_ASSERT_EQUAL(spout__http_status(ex), 101);
	if (says_more)
		write_text(ex, "no body with 101");
	if (fails)
		spout__co_leave(-EINVAL, 500, "changed its mind");
}

static void
late(struct spout__http_exchange *ex, void *arg)
{
	(void)arg;
	write_text(ex, "answered");
	CU_ASSERT_EQUAL(spout__http_flush(ex), 0);
	CU_ASSERT_EQUAL(
	    spout__http_upgrade(ex, spout_slice("echo"), &guest.http), -EALREADY);
}

static const struct http_route routes[] = {
	{ "/upgrade", upgrade, true, false },
	{ "/late", late, true, false },
	{ "/hello", hello, false, false },
	{ NULL, NULL, false, false },
};

#define UPGRADE \
	"GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"

static void
drained(void *arg)
{
	spout_loop_stop(arg);
}

/* --- tests ------------------------------------------------------------------------ */

static void
a_connection_is_handed_over_behind_its_101(void)
{
	begin();
	say_text(UPGRADE);
	run_until(strstr(got, "\r\n\r\n") != NULL);
	STARTS("HTTP/1.1 101 Switching Protocols\r\n");
	HAS("X: y\r\n");
	HAS("Upgrade: echo\r\n");
	HAS("Connection: Upgrade\r\n\r\n");
	HAS_NOT("Content-");
	HAS_NOT("close");
	CU_ASSERT_STRING_EQUAL(events, "finish ");
	CU_ASSERT_EQUAL(spout__http_server_connections(server), 1);
	say_text("hello ");
	run_until(strstr(got, "\r\n\r\nhello ") != NULL);
	say_text("again.");
	await_bytes(0);
	HAS("\r\n\r\nhello again.");
	CU_ASSERT_EQUAL(spout__http_server_connections(server), 0);
	CU_ASSERT_STRING_EQUAL(guest.seen, "take ");
	end();
}

static void
what_came_with_the_request_is_not_lost(void)
{
	for (unsigned i = 0; i < 2; i++) {
		waits = i == 1;
		talk(UPGRADE "ahead.");
		HAS("Connection: Upgrade\r\n\r\nahead.");
	}
	waits = false;
	/* Behind another request on the same connection, too. */
	talk(GET("/hello") UPGRADE "ahead.");
	HAS("hello");
	HAS("Connection: Upgrade\r\n\r\nahead.");
}

static void
a_body_of_the_handler_is_not_sent_with_101(void)
{
	says_more = true;
	talk(UPGRADE ".");
	HAS("Connection: Upgrade\r\n\r\n.");
	HAS_NOT("no body");
	says_more = false;
}

static void
a_handler_that_fails_answers_like_any_other(void)
{
	fails = true;
	talk(UPGRADE "ahead.");
	STARTS("HTTP/1.1 500 ");
	HAS("changed its mind");
	HAS_NOT("Upgrade");
	CU_ASSERT_STRING_EQUAL(guest.seen, "");
	CU_ASSERT(!guest.http.given);
	fails = false;
}

static void
it_is_too_late_after_the_head(void)
{
	talk("GET /late HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	STARTS("HTTP/1.1 200 ");
	HAS("answered");
}

static void
a_client_that_is_gone_is_not_handed_over(void)
{
	waits = true;
	begin();
	say_text(UPGRADE);
	run_until(spout__coroutines_alive(loop) == 1);
	client_vanish();
	run_until(spout__coroutines_alive(loop) == 0);
	CU_ASSERT_STRING_EQUAL(guest.seen, "");
	end();
	waits = false;
}

static void
a_guest_is_told_to_end_when_the_server_drains(void)
{
	begin();
	say_text(UPGRADE);
	run_until(strstr(got, "\r\n\r\n") != NULL);
	spout__http_server_drain(server, drained, loop);
	await_bytes(0);
	HAS("\r\n\r\nbye");
	CU_ASSERT_STRING_EQUAL(guest.seen, "take drain ");
	end();
}

static void
a_server_that_drains_does_not_upgrade(void)
{
	waits = true;
	begin();
	say_text(UPGRADE);
	run_until(spout__coroutines_alive(loop) == 1);
	spout__http_server_drain(server, drained, loop);
	await_bytes(0);
	STARTS("HTTP/1.1 503 ");
	CU_ASSERT_STRING_EQUAL(guest.seen, "");
	end();
	waits = false;
}

static void
freeing_the_server_stops_the_guest(void)
{
	begin();
	say_text(UPGRADE);
	run_until(strstr(got, "\r\n\r\n") != NULL);
	spout__http_server_free(server);
	server = NULL;
	await_bytes(0);
	CU_ASSERT_STRING_EQUAL(guest.seen, "take stop ");
	end();
}

static const struct unit_test tests[] = {
	UNIT_TEST(a_connection_is_handed_over_behind_its_101),
	UNIT_TEST(what_came_with_the_request_is_not_lost),
	UNIT_TEST(a_body_of_the_handler_is_not_sent_with_101),
	UNIT_TEST(a_handler_that_fails_answers_like_any_other),
	UNIT_TEST(it_is_too_late_after_the_head),
	UNIT_TEST(a_client_that_is_gone_is_not_handed_over),
	UNIT_TEST(a_guest_is_told_to_end_when_the_server_drains),
	UNIT_TEST(a_server_that_drains_does_not_upgrade),
	UNIT_TEST(freeing_the_server_stops_the_guest),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "http_upgrade", tests }, { NULL, NULL } };

	spout__http_options_init(&options);
	options.drain_idle_ms = 20;
	http_routes = routes;
	return unit_run(argc, argv, suites);
}
