/* SPDX-License-Identifier: MIT */
/* A small HTTP server and its raw client: see http_client.h. */
#include "config.h"

#include "http_client.h"

#include "unit.h"

struct spout_loop *loop;
struct spout__http_server *server;
struct spout__http_options options;
static struct spout_fd_handler *client_handler;
int client = -1;
char got[4 << 20];
size_t got_len;
static size_t want_len;
bool got_eof, got_reset;
char events[256];
const struct http_route *http_routes;

static void
saw(const char *what)
{
	size_t n = strlen(events);

	snprintf(events + n, sizeof(events) - n, "%s ", what);
}

void
write_text(struct spout__http_exchange *ex, const char *text)
{
	CU_ASSERT_EQUAL(spout__http_write(ex, text, strlen(text)), 0);
}

void
hello(struct spout__http_exchange *ex, void *arg)
{
	(void)arg;
	write_text(ex, "hello");
}

void
length(struct spout__http_exchange *ex, void *arg)
{
	char text[32];

	(void)arg;
	snprintf(text, sizeof(text), "%zu", spout__http_body_buffered(ex).len);
	write_text(ex, text);
}

void
echo(struct spout__http_exchange *ex, void *arg)
{
	struct spout_slice piece;

	(void)arg;
	while ((piece = spout__http_body_read(ex)).len > 0)
		if (spout__http_write(ex, piece.data, piece.len) < 0)
			return;
}

void
nap(struct spout__http_exchange *ex, void *arg)
{
	(void)arg;
	spout_sleep(20);
	write_text(ex, "woke");
}

/* --- the delegate ----------------------------------------------------------------- */

static void
on_head(void *ctx, struct spout__http_exchange *ex, const struct spout__http_head *head,
    struct spout__http_plan *plan)
{
	const struct http_route *route = http_routes;

	(void)ctx;
	(void)ex;
	while (route->path != NULL && !spout_slice_equal(head->path, route->path))
		route++;
	if (route->path == NULL)
		abort();
	plan->run = route->run;
	plan->stream_body = route->stream;
	plan->half_close = route->half_close;
}

static void
on_exit_ex(void *ctx, struct spout__http_exchange *ex,
    const struct spout__outcome *outcome, bool client_gone)
{
	(void)ctx;
	if (client_gone) {
		saw("gone");
		return;
	}
	if (outcome->error == 0 || spout__http_reset(ex) < 0)
		return;
	CU_ASSERT_EQUAL(spout__http_set_status(ex, outcome->status ? outcome->status :
	    outcome->error == -ETIMEDOUT ? 504 : 500), 0);
	write_text(ex, outcome->reason);
}

static void
on_finish(void *ctx, struct spout__http_exchange *ex)
{
	(void)ctx;
	(void)ex;
	saw("finish");
}

static void
on_fault(void *ctx, enum spout__http_fault fault, const struct sockaddr *peer,
    struct spout__buffer *body)
{
	(void)ctx;
	(void)peer;
	CU_ASSERT_EQUAL(
	    spout__buffer_printf(body, "%s", spout__http_faults[fault].word), 0);
}

/* --- the client ------------------------------------------------------------------- */

static void
on_client(int fd, unsigned what, void *arg)
{
	ssize_t n = read(fd, got + got_len, sizeof(got) - 1 - got_len);

	(void)what;
	(void)arg;
	if (n > 0) {
		got_len += (size_t)n;
		got[got_len] = '\0';
	} else {
		got_eof = true;
		got_reset = n < 0;
		spout_loop_remove_handler(client_handler);
		client_handler = NULL;
	}
	if ((want_len > 0 && got_len >= want_len) || got_eof)
		spout_loop_stop(loop);
}

static void
gave_up(void *arg)
{
	*(bool *)arg = true;
	CU_FAIL("the server did not answer in time");
	spout_loop_stop(loop);
}

static void
stop(void *arg)
{
	(void)arg;
	spout_loop_stop(loop);
}

void
client_ignore(void)
{
	spout_loop_remove_handler(client_handler);
	client_handler = NULL;
}

void
client_vanish(void)
{
	client_ignore();
	if (client >= 0)
		close(client);
	client = -1;
}

void
client_listen(void)
{
	client_handler =
	    spout_loop_add_handler(loop, client, SPOUT_READ, on_client, NULL);
}

void
begin(void)
{
	const struct spout__http_delegate delegate = { .on_head = on_head,
		.on_exit = on_exit_ex,
		.on_finish = on_finish,
		.on_fault = on_fault };
	const struct sockaddr unknown = { .sa_family = AF_UNIX };
	int fds[2];

	loop = spout_loop_new();
	server = spout__http_server_new(loop, &options, &delegate);
	CU_ASSERT_EQUAL_FATAL(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	client = fds[0];
	CU_ASSERT_EQUAL_FATAL(
	    spout__http_server_adopt(server, fds[1], &unknown, sizeof(unknown)), 0);
	client_listen();
	got_len = 0;
	got[0] = '\0';
	got_eof = got_reset = false;
	events[0] = '\0';
}

void
say_text(const char *text)
{
	CU_ASSERT_EQUAL(
	    send(client, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

void
say(const char *bytes, size_t len)
{
	CU_ASSERT_EQUAL(send(client, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

void
await_bytes(size_t n)
{
	bool late = false;
	struct spout_timer *limit =
	    spout_loop_call_later(loop, PATIENCE_MS, gave_up, &late);

	want_len = n;
	if (!got_eof && (n == 0 || got_len < n))
		CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
	if (!late)
		spout_loop_remove_timeout(limit);
}

void
run_for(uint64_t ms)
{
	CU_ASSERT_PTR_NOT_NULL(spout_loop_call_later(loop, ms, stop, NULL));
	want_len = 0;
	CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
}

void
end(void)
{
	client_vanish();
	run_for(5);
	spout__http_server_free(server);
	run_for(5);
	CU_ASSERT_EQUAL(spout__coroutines_alive(loop), 0);
	spout_loop_free(loop);
	spout__buffer_trim();
}

void
talk(const char *bytes)
{
	begin();
	say_text(bytes);
	await_bytes(0);
	end();
}

unsigned
count(const char *needle)
{
	/* Not strstr(): AddressSanitizer's looks at all of the text each time. */
	const char *at, *end = got + got_len;
	size_t len = strlen(needle);
	unsigned n = 0;

	for (at = got; at < end; at++)
		n += *at == needle[0] && strncmp(at, needle, len) == 0;
	return n;
}
