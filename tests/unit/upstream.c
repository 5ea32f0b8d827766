/* SPDX-License-Identifier: MIT */
/* A server for the tests of the HTTP client: see upstream.h. */
#include "config.h"

#include "upstream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "unit.h"

unsigned upstream_connections, upstream_requests;
char upstream_heads[65536];

static void
note(const char *data, size_t len)
{
	size_t at = strlen(upstream_heads);

	if (len > sizeof(upstream_heads) - 1 - at)
		len = sizeof(upstream_heads) - 1 - at;
	memcpy(upstream_heads + at, data, len);
	upstream_heads[at + len] = '\0';
}

void
upstream_forget(void)
{
	upstream_connections = upstream_requests = 0;
	upstream_heads[0] = '\0';
}

unsigned
upstream_saw(const char *text)
{
	const char *at = upstream_heads;
	unsigned n = 0;

	for (; (at = strcasestr(at, text)) != NULL; at++)
		n++;
	return n;
}

/* The request's body, if its length is known. */
static void
read_body(struct spout_stream *stream, const char *head)
{
	const char *length = strcasestr(head, "\r\nContent-Length:");
	struct spout_slice body;
	size_t n = length != NULL ? (size_t)atoi(length + 17) : 0;

	if (n == 0)
		return;
	body = spout_stream_read_bytes(stream, n);
	note(body.data, body.len);
}

static bool
is_path(const char *head, const char *path)
{
	const char *at = strchr(head, ' ');
	size_t n = strlen(path);

	return at != NULL && strncmp(at + 1, path, n) == 0 &&
	    (at[1 + n] == ' ' || at[1 + n] == '?');
}

static bool
answer(struct spout_stream *stream, const struct upstream_route *route, const char *head)
{
	while (route->path != NULL && !is_path(head, route->path))
		route++;
	if (route->path == NULL)
		return false;
	if (route->serve != NULL) {
		route->serve(stream, head);
		return true;
	}
	read_body(stream, head);
	spout_stream_write(stream, route->answer, strlen(route->answer));
	return true;
}

static void
serve(struct spout_stream *stream, void *arg)
{
	struct spout_slice head;
	char *text;

	upstream_connections++;
	while (spout_try_stream_read_until(stream, "\r\n\r\n", 65536, &head) == 0) {
		upstream_requests++;
		note(head.data, head.len);
		text = spout_strndup(head.data, head.len);
		if (!answer(stream, arg, text))
			return;
	}
}

static void
stop(void *server)
{
	spout_tcp_server_free(server);
}

uint16_t
upstream_start(const struct upstream_route *routes, struct spout_tls *tls)
{
	struct spout_tcp_server *server =
	    spout_tcp_listen("127.0.0.1:0", serve, (void *)(uintptr_t)routes, .tls = tls);

	CU_ASSERT_PTR_NOT_NULL(server);
	if (server == NULL)
		spout_fail_with(-errno, "upstream");
	spout_defer(stop, server);
	upstream_forget();
	return spout_tcp_server_port(server);
}

const char *
upstream_url(uint16_t port, const char *path)
{
	return spout_sprintf("http://127.0.0.1:%u%s", port, path);
}
