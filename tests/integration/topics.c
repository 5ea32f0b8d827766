/* SPDX-License-Identifier: MIT */
/* For the tests of topics: publishes, tells what comes, says who is there. */
#include <spout/spout.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static void
publish(struct spout_request *req)
{
	const char *topic = spout_require_arg(req, "topic");
	const char *text = spout_require_arg(req, "text");
	int64_t n = spout_arg_int(req, "n", .min = 1, .max = 100000, .otherwise = 1);
	int r = 0;

	for (int64_t i = spout_arg_int(req, "doubled", .max = 12); i > 0; i--)
		text = spout_sprintf("%s%s", text, text);
	if (n == 1)
		r = spout_topic_publish(topic, text, strlen(text));
	for (int64_t i = 0; n > 1 && i < n && r == 0; i++) {
		r = spout_topic_publishf(topic, "%s %lld", text, (long long)i);
		if (i % 10 == 9)
			spout_yield();
	}
	if (r < 0)
		spout_fail_with(r, "not published");
	spout_printf(req, "%u\n", spout_worker_number());
}

static void
events(struct spout_request *req)
{
	spout_sse_topic(req, spout_require_arg(req, "topic"), .history = 50,
	    .person = spout_arg(req, "person"), .since = spout_arg(req, "since"));
}

static void
poll(struct spout_request *req)
{
	spout_poll_topic(req, spout_require_arg(req, "topic"), 20000, .history = 50);
}

static void
present(struct spout_request *req)
{
	const char *const *names;
	size_t n;

	names = spout_topic_present(spout_require_arg(req, "topic"), &n);
	spout_printf(req, "%u:", spout_worker_number());
	for (size_t i = 0; i < n; i++)
		spout_printf(req, " %s", names[i]);
}

static void
open_socket(struct spout_websocket *ws)
{
	struct spout_request *req = spout_websocket_request(ws);

	spout_websocket_subscribe(ws, spout_require_arg(req, "topic"),
	    .json = !spout_arg_bool(req, "bare", false),
	    .person = spout_arg(req, "person"),
	    .since = spout_arg(req, "since"));
}

static const struct spout_websocket_handler socket_handler = {
	.open = open_socket, .slow = SPOUT_WEBSOCKET_CLOSE, .max_unsent_bytes = 65536
};

static void
pid(struct spout_request *req)
{
	spout_printf(req, "%d", (int)getpid());
}

static const struct spout_route routes[] = {
	SPOUT_GET("/publish", publish, .timeout_ms = 60000),
	SPOUT_GET("/events", events),
	SPOUT_GET("/poll", poll),
	SPOUT_GET("/present", present),
	SPOUT_GET("/pid", pid),
	SPOUT_WEBSOCKET("/socket", &socket_handler),
	SPOUT_END
};

int
main(int argc, char **argv)
{
	return spout_main(
	    argc, argv, &(struct spout_app){ .name = "topics", .routes = routes });
}
