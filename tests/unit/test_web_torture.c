/* SPDX-License-Identifier: MIT */
/*
 * Allocation torture of the web layer: a conversation that goes through routing,
 * arguments, JSON both ways, tags and compression, error pages and the checks of
 * /readyz, while the n-th allocation fails. See torture.h.
 */
#include "config.h"

#include "torture.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#include <spout/sse.h>

#include <spout/cookie.h>
#include <spout/security.h>
#include <spout/session.h>

#include "async/async.h"
#include "base/log.h"
#include "web/web.h"

static struct spout_loop *loop;
static struct spout_fd_handler *client_handler;
static char got[200000];
static size_t got_len;

/* --- the application ------------------------------------------------------------- */

static void
show(struct spout_request *req)
{
	spout_add_header(req, "X-Torture", "yes");
	spout_printf(req, "%s %s %s", spout_path(req, "id"), spout_require_arg(req, "q"),
	    spout_header(req, "Host"));
	spout_write_escaped(req, spout_remote_addr(req));
}

static void
add(struct spout_request *req)
{
	json_t *value = spout_body_json(req);

	spout_sleep(1);
	spout_json_pack(req, "{s:O}", "got", value);
}

static void
list(struct spout_request *req)
{
	json_t *numbers = json_array();
	int i;

	for (i = 0; i < 500; i++)
		json_array_append_new(numbers, json_integer(i));
	spout_json(req, numbers);
}

static void
stream(struct spout_request *req)
{
	spout_set_etag(req, "streamed");
	if (spout_not_modified(req, 1))
		return;
	spout_write_text(req, "in pieces");
	spout_flush(req);
}

static void
events(struct spout_request *req)
{
	spout_sse_send(spout_sse_open(req), "torture", "an event", "1");
}

static void
check(struct spout_app *app)
{
	(void)app;
	spout_fail_with(-EIO, "not ready");
}

/* What keeps state between requests: cookies, a session, tokens, a rate limit. */
static void
secure(struct spout_request *req)
{
	static const struct spout_rate_limit limit = { "torture", 1000000, 1, 0 };
	const char *user = spout_signed_cookie(req, "user");

	spout_rate_limit(req, &limit, spout_require_arg(req, "q"));
	spout_set_cookie(req, "a", "1");
	spout_set_cookie(req, "a", "2");
	spout_set_signed_cookie(req, "user", "ann");
	spout_set_encrypted_cookie(req, "pin", "1234");
	spout_session_set(req, "n", "1");
	spout_session_rotate(req);
	spout_write_text(req, spout_xsrf_form_html(req));
	spout_printf(req, "user %s, cookie %s, session %s", user != NULL ? user : "none",
	    spout_cookie(req, "b"), spout_session_get(req, "n"));
}

static const struct spout_security_headers headers = {
	.content_security_policy = "script-src {nonce}",
};
static const struct spout_cors cors = {
	.origins = (const char *const[]){ "https://a.example", NULL },
	.expose_headers = "X-Torture",
};
static const struct spout_sessions sessions = { .idle_s = 60 };

static const struct spout_route routes[] = {
	SPOUT_GET("/secure", secure),
	SPOUT_ROUTE(SPOUT_METHOD_GET | SPOUT_METHOD_POST, "/show/{id}", show),
	SPOUT_POST("/json", add),
	SPOUT_GET("/list", list),
	SPOUT_GET("/stream", stream),
	SPOUT_GET("/events", events),
	SPOUT_END,
};

static struct spout_app app = {
	.name = "torture",
	.routes = routes,
	.cookie_secret = "a-secret-for-torture",
	.security_headers = &headers,
	.cors = &cors,
	.sessions = &sessions,
	.compress = true,
	.decompress_body = true,
	.etag = true,
	.readiness =
	    (const struct spout_readiness[]){ { "check", check }, { NULL, NULL } },
};

/* The last one is malformed, so that the connection ends with its answer. */
static const char conversation[] =
    "GET /show/%41?q=%42 HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\n\r\n"
    "POST /show/7 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\n\r\nq=1"
    "POST /json HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n{\"a\":1}"
    "GET /list HTTP/1.1\r\nHost: a\r\n\r\n"
    "GET /secure?q=1 HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example\r\n"
    "Cookie: b=\"x y\"; user=2|1:0|10:1700000000|4:user|4:Ym9i|00\r\n\r\n"
    "GET /list HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"
    "GET /stream HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"
    "GET /stream HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"streamed\"\r\n\r\n"
    "POST /json HTTP/1.1\r\nHost: a\r\nContent-Length: 27\r\n"
    "Content-Encoding: gzip\r\n\r\n"
    "\037\213\010\000\000\000\000\000\002\003\253\126\112"
    "\124\262\062\252\005\000\154\377\066\175\007\000\000\000"
    "GET /events HTTP/1.1\r\nHost: a\r\n\r\n"
    "GET /nowhere HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n"
    "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"
    "GET / HTTP/1.1\r\n\r\n";

static const char *const answers[] = { "A B aunix", "7 1 aunix", "{\"got\":{\"a\":1}}",
	",498,499]", "user none, cookie x y, session 1",
	"Content-Encoding: gzip\r\nContent-Length", "ETag: W/\"streamed\"",
	"HTTP/1.1 304 ", "{\"got\":{\"a\":2}}", "data: an event\n\n",
	"\"message\":\"no such page\"", "\"check\":\"not ready\"",
	"HTTP/1.1 400 " };

/* --- the client ------------------------------------------------------------------ */

static void
on_client(int fd, unsigned events, void *arg)
{
	ssize_t n = read(fd, got + got_len, sizeof(got) - 1 - got_len);

	(void)events;
	(void)arg;
	if (n > 0)
		got_len += (size_t)n;
	else
		spout_loop_stop(loop);
}

static void
gave_up(void *arg)
{
	(void)arg;
	CU_FAIL("the connection neither answered nor closed");
	spout_loop_stop(loop);
}

static void
look_for_the_end(void *arg)
{
	(void)arg;
	if (spout__coroutines_alive(loop) == 0)
		spout_loop_stop(loop);
}

static bool
answered(void)
{
	const char *at = got;
	size_t i;

	got[got_len] = '\0';
	for (i = 0; i < got_len; i++)
		if (got[i] == '\0')
			got[i] = '0'; /* compressed */
	for (i = 0; i < sizeof(answers) / sizeof(*answers) && at != NULL; i++)
		at = strstr(at, answers[i]);
	return at != NULL;
}

/* What the client needs of the loop is not what is tortured. */
static void
talk(int fd)
{
	struct spout_timer *limit;

	got_len = 0;
	CU_ASSERT_EQUAL(send(fd, conversation, sizeof(conversation) - 1, MSG_NOSIGNAL),
	    (ssize_t)sizeof(conversation) - 1);
	torture_pause();
	client_handler = spout_loop_add_handler(loop, fd, SPOUT_READ, on_client, NULL);
	limit = spout_loop_call_later(loop, 20000, gave_up, NULL);
	torture_resume();
	CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
	spout_loop_remove_timeout(limit);
	spout_loop_remove_handler(client_handler);
}

static void
wait_for_handlers(void)
{
	struct spout_periodic *look;

	torture_pause();
	look = spout_periodic_start(loop, 1, 0, look_for_the_end, NULL);
	torture_resume();
	CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
	spout_periodic_stop(look);
}

static bool
serve(struct spout__web *web, int fds[2])
{
	struct spout__http_delegate delegate = spout__web_delegate(web);
	const struct sockaddr unknown = { .sa_family = AF_UNIX };
	struct spout__http_options options;
	struct spout__http_server *server;
	bool whole = false;

	spout__http_options_init(&options);
	server = spout__http_server_new(loop, &options, &delegate);
	if (server == NULL ||
	    spout__http_server_adopt(server, fds[1], &unknown, sizeof(unknown)) < 0) {
		close(fds[1]);
	} else {
		talk(fds[0]);
		whole = answered();
	}
	close(fds[0]);
	spout__http_server_free(server);
	wait_for_handlers();
	return whole;
}

static bool
run_web(void)
{
	const struct spout__web_options options = { .access_log_fd = -1 };
	struct spout__web *web;
	bool whole = false;
	int fds[2];

	loop = spout_loop_new();
	if (loop == NULL)
		return false;
	web = spout__web_new(loop, &app, &options);
	if (web != NULL) {
		spout__web_set_unready(web, NULL);
		if (socketpair(
			AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
			abort();
		whole = serve(web, fds);
		spout__web_free(web);
	}
	spout_loop_free(loop);
	return whole;
}

static bool
run_check(void)
{
	char why[SPOUT__ROUTER_WHY_SIZE];
	int rc = spout__web_check(&app, why);

	if (rc != 0)
		CU_ASSERT_STRING_EQUAL(why, "out of memory");
	return rc == 0;
}

/* --- the tests ------------------------------------------------------------------- */

static void
requests_survive_every_failed_allocation(void)
{
	torture("requests", run_web);
}

static void
tables_survive_every_failed_allocation(void)
{
	torture("a table of routes", run_check);
}

static const struct unit_test torture_tests[] = {
	UNIT_TEST(tables_survive_every_failed_allocation),
	UNIT_TEST(requests_survive_every_failed_allocation),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "web", torture_tests }, { NULL, NULL } };
	struct spout__log_options quiet = { .level = SPOUT_LOG_ERROR + 1, .fd = 2 };

	spout__log_configure(&quiet);
	torture_init();
	return unit_run(argc, argv, suites);
}
