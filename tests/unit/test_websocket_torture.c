/* SPDX-License-Identifier: MIT */
/*
 * Allocation torture of WebSockets: whichever allocation fails, a socket opens or is
 * refused, ends, runs its close callback if open() has returned, and leaks nothing.
 */
#include "config.h"

#include "torture.h"
#include "unit.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <spout/spout.h>

#include "async/async.h"
#include "base/buffer.h"
#include "base/log.h"
#include "web/web.h"

static int opened, closed;

static void
on_open(struct spout_websocket *ws)
{
	char *name = spout_strdup_in(spout_websocket_scope(ws), "a name");

	if (name == NULL)
		spout_websocket_fail(ws, 503, "out of memory");
	spout_websocket_set_data(ws, name);
	spout_websocket_send_text(ws, name, 6);
	opened++;
}

static void
on_message(struct spout_websocket *ws, const char *data, size_t len)
{
	spout_sleep(2); /* the next one has to wait */
	spout_websocket_send_text(ws, data, len);
}

static void
on_control(struct spout_websocket *ws, const char *data, size_t len)
{
	(void)ws;
	(void)data;
	(void)len;
}

static void
on_close(struct spout_websocket *ws, int code, const char *reason)
{
	(void)ws;
	(void)code;
	(void)reason;
	closed++;
}

static const struct spout_websocket_handler handler = { .open = on_open,
	.message = on_message, .ping = on_control, .close = on_close,
	.slow = SPOUT_WEBSOCKET_DROP_OLDEST };
static const struct spout_route routes[] = { SPOUT_WEBSOCKET("/ws", &handler),
	SPOUT_END };
static struct spout_app app = { .name = "torture", .routes = routes };

/* A handshake, then frames masked with zeros: two texts, one in two fragments with a ping
 * between them, and a Close with a reason. */
static const char conversation[] =
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    "\x81\x83\0\0\0\0one" "\x01\x81\0\0\0\0t" "\x89\x81\0\0\0\0p" "\x80\x82\0\0\0\0wo"
    "\x88\x85\0\0\0\0\x03\xe8" "bye";

static struct spout_loop *loop;
static struct spout_fd_handler *client;
static char got[4096];
static size_t got_len;

static void
stop(void *arg)
{
	(void)arg;
	spout_loop_stop(loop);
}

static void
on_client(int fd, unsigned what, void *arg)
{
	ssize_t n = read(fd, got + got_len, sizeof(got) - got_len);

	(void)what;
	(void)arg;
	if (n > 0)
		got_len += (size_t)n;
	else
		spout_loop_stop(loop);
}

/* Run the loop until the server has closed, or for so long. What this takes does not
 * fail. */
static void
run_loop(int fd, uint64_t ms)
{
	struct spout_timer *limit;

	torture_pause();
	limit = spout_loop_call_later(loop, ms, stop, NULL);
	if (fd >= 0)
		client = spout_loop_add_handler(loop, fd, SPOUT_READ, on_client, NULL);
	torture_resume();
	CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
	torture_pause();
	if (fd >= 0) {
		spout_loop_remove_handler(client);
		spout_loop_remove_timeout(limit);
	}
	torture_resume();
}

/* The conversation, all of which the client says at once. */
static void
talk(struct spout__http_server *server)
{
	const struct sockaddr unknown = { .sa_family = AF_UNIX };
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	CU_ASSERT_EQUAL(send(fds[0], conversation, sizeof(conversation) - 1, 0),
	    (ssize_t)sizeof(conversation) - 1);
	if (spout__http_server_adopt(server, fds[1], &unknown, sizeof(unknown)) == 0)
		run_loop(fds[0], 30000);
	else
		close(fds[1]);
	close(fds[0]);
}

static void
serve(void)
{
	const struct spout__web_options options = { .access_log_fd = -1 };
	struct spout__web *web = spout__web_new(loop, &app, &options);
	struct spout__http_delegate delegate;
	struct spout__http_options http;
	struct spout__http_server *server;

	if (web == NULL)
		return;
	delegate = spout__web_delegate(web);
	spout__http_options_init(&http);
	server = spout__http_server_new(loop, &http, &delegate);
	if (server != NULL) {
		talk(server);
		spout__http_server_free(server);
		do
			run_loop(-1, 1);
		while (spout__coroutines_alive(loop) > 0);
	}
	spout__web_free(web);
}

static bool
run_talks(void)
{
	opened = closed = 0;
	got_len = 0;
	loop = spout_loop_new();
	if (loop == NULL)
		return false;
	serve();
	spout_loop_free(loop);
	spout__buffer_trim();
	/* Out of memory may keep the callback from running, never make it run twice. */
	CU_ASSERT_TRUE(closed <= opened);
	return opened == 1 && closed == 1 &&
	    memmem(got, got_len, "\x81\x06" "a name", 8) != NULL &&
	    memmem(got, got_len, "\x8a\x01p", 3) != NULL &&
	    memmem(got, got_len, "\x81\x03one", 5) != NULL &&
	    memmem(got, got_len, "\x88\x02\x03\xe8", 4) != NULL;
}

static void
sockets_survive_failing_allocations(void)
{
	torture("sockets", run_talks);
}

static const struct unit_test tests[] = { UNIT_TEST(sockets_survive_failing_allocations),
	UNIT_END };

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "websocket torture", tests },
		{ NULL, NULL } };

	torture_init();
	spout__log_configure(
	    &(struct spout__log_options){ .level = SPOUT_LOG_ERROR, .fd = 2 });
	return unit_run(argc, argv, suites);
}
