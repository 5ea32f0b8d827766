/* SPDX-License-Identifier: MIT */
/* The client of the tests of the web layer: see web_client.h. */
#include "config.h"

#include "web_client.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "async/async.h"
#include "base/log.h"

struct spout_loop *loop;
struct spout__web *web;
const struct spout__trust *trust;
int client, log_fd;
char got[1 << 20], logged[65536];
size_t got_len;

static struct spout__http_server *server;
static struct spout_fd_handler *client_handler;

static void
on_client(int fd, unsigned what, void *arg)
{
	ssize_t n = read(fd, got + got_len, sizeof(got) - 1 - got_len);

	(void)what;
	(void)arg;
	if (n > 0) {
		got_len += (size_t)n;
		got[got_len] = '\0';
		return;
	}
	spout_loop_remove_handler(client_handler);
	client_handler = NULL;
	spout_loop_stop(loop);
}

static void
gave_up(void *arg)
{
	(void)arg;
	CU_FAIL("the server did not answer in time");
	spout_loop_stop(loop);
}

static void
stop_when_gone(void *arg)
{
	(void)arg;
	if (spout__http_server_connections(server) == 0)
		spout_loop_stop(loop);
}

static void
read_log(void)
{
	ssize_t n = pread(log_fd, logged, sizeof(logged) - 1, 0);

	logged[n < 0 ? 0 : n] = '\0';
}

void
begin(struct spout_app *app, enum access_log access_log)
{
	struct spout__web_options web_options = {
		.access_log_fd = -1,
		.trust = trust,
		.access_log_json = access_log == ACCESS_LOG_JSON,
	};
	struct spout__http_delegate delegate;
	struct spout__http_options options;

	log_fd = memfd_create("log", MFD_CLOEXEC);
	spout__log_configure(&(struct spout__log_options){ .level = SPOUT_LOG_DEBUG,
	    .format = SPOUT__LOG_TEXT,
	    .fd = log_fd,
	    .process = "test" });
	spout__http_options_init(&options);
	loop = spout_loop_new();
	if (access_log != NO_ACCESS_LOG)
		web_options.access_log_fd = log_fd;
	web = spout__web_new(loop, app, &web_options);
	CU_ASSERT_PTR_NOT_NULL_FATAL(web);
	delegate = spout__web_delegate(web);
	server = spout__http_server_new(loop, &options, &delegate);
}

/* Close our end and run until the connection is gone on theirs. */
static void
hang_up(void)
{
	struct spout_periodic *look;

	spout_loop_remove_handler(client_handler);
	client_handler = NULL;
	close(client);
	look = spout_periodic_start(loop, 1, 0, stop_when_gone, NULL);
	CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
	spout_periodic_stop(look);
}

/* The raw answer to raw bytes; the connection is closed afterwards. */
const char *
say(const char *bytes, size_t len)
{
	const struct sockaddr unknown = { .sa_family = AF_UNIX };
	struct spout_timer *limit = spout_loop_call_later(loop, 10000, gave_up, NULL);
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	client = fds[0];
	CU_ASSERT_EQUAL_FATAL(
	    spout__http_server_adopt(server, fds[1], &unknown, sizeof(unknown)), 0);
	client_handler =
	    spout_loop_add_handler(loop, client, SPOUT_READ, on_client, NULL);
	got_len = 0;
	got[0] = '\0';
	CU_ASSERT_EQUAL(send(client, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
	CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
	hang_up();
	spout_loop_remove_timeout(limit);
	read_log();
	return got;
}

const char *
request(const char *start, const char *fields, const char *body)
{
	char text[4096];
	int n = snprintf(text, sizeof(text),
	    "%s HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n%s", start, fields);

	n += body == NULL ? snprintf(text + n, sizeof(text) - (size_t)n, "\r\n")
			  : snprintf(text + n, sizeof(text) - (size_t)n,
				"Content-Length: %zu\r\n\r\n%s", strlen(body), body);
	return say(text, (size_t)n);
}

const char *
get(const char *target)
{
	char start[2048];

	snprintf(start, sizeof(start), "GET %s", target);
	return request(start, "", NULL);
}

void
end(void)
{
	spout__http_server_free(server);
	CU_ASSERT_EQUAL(spout__coroutines_alive(loop), 0);
	spout__web_free(web);
	spout_loop_free(loop);
	spout__log_configure(&(struct spout__log_options){ .level = SPOUT_LOG_INFO,
	    .format = SPOUT__LOG_TEXT,
	    .fd = 2,
	    .process = "test" });
	close(log_fd);
}

/* Does the last answer have this status, this text? */
bool
status_is(int status)
{
	char line[32];

	snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
	return strncmp(got, line, strlen(line)) == 0;
}

bool
has(const char *text)
{
	bool found = strstr(got, text) != NULL;

	if (!found)
		fprintf(stderr, "no \"%s\" in:\n%s\n", text, got);
	return found;
}

bool
lacks(const char *text)
{
	return strstr(got, text) == NULL;
}

const char *
body(void)
{
	const char *at = strstr(got, "\r\n\r\n");

	return at != NULL ? at + 4 : "";
}
