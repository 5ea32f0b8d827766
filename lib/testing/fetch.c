/* SPDX-License-Identifier: MIT */
/*
 * Asking a server of the test: bytes out, everything in until the connection ends. Plain
 * sockets, so that nothing is kept for later requests and a virtual clock fits.
 */
#include "config.h"

#include <errno.h>
#include <http_parser.h>
#include <stdlib.h>
#include <strings.h>

#include <spout/tcp.h>

#include "testing/server.h"

#define MAX_BYTES (16u << 20)

/* --- raw bytes ------------------------------------------------------------------ */

struct sending {
	struct spout_stream *stream;
	const void *data;
	size_t len;
	bool over;
};

/* Cancelled: what was not sent cannot be answered. */
static void
give_up(void *arg)
{
	struct sending *sending = arg;

	if (!sending->over)
		spout_stream_close(sending->stream);
}

/* A server may answer and close before it has read everything. */
static void
send_all(void *arg)
{
	struct sending *sending = arg;

	spout_defer(give_up, sending);
	if (spout_try_stream_write(sending->stream, sending->data, sending->len) == 0)
		(void)!spout_try_stream_flush(sending->stream);
	sending->over = true;
}

const char *
spout_test_raw(const struct spout_test_server *server, const void *data, size_t len,
    size_t *ret_len)
{
	struct sending sending = { .data = data, .len = len };
	struct spout_group *group = spout_group_new();
	struct spout_slice got;
	char *copy;

	sending.stream = spout_tcp_connect(
	    "127.0.0.1", server->port, .stream.max_buffer_bytes = MAX_BYTES);
	/* Beside the reading: who answers while it reads must not wait for us. */
	spout_group_spawn(group, send_all, &sending, sizeof(sending));
	got = spout_stream_read_all(sending.stream, MAX_BYTES);
	copy = spout_alloc(got.len + 1);
	if (got.len > 0)
		memcpy(copy, got.data, got.len);
	copy[got.len] = '\0';
	spout_stream_close(sending.stream);
	spout_group_wait(group);
	if (ret_len != NULL)
		*ret_len = got.len;
	return copy;
}

/* --- the request ---------------------------------------------------------------- */

/* The value of the field of that name, up to the end of its line, or NULL. */
static const char *
find_field(const char *lines, const char *name)
{
	size_t len = strlen(name);

	while (lines != NULL && *lines != '\0') {
		if (strncasecmp(lines, name, len) == 0 && lines[len] == ':')
			return lines + len + 1 + strspn(lines + len + 1, " \t");
		lines = strchr(lines, '\n');
		lines = lines != NULL ? lines + 1 : NULL;
	}
	return NULL;
}

static bool
wants_length(const struct spout_test_request *request, const char *method)
{
	if (find_field(request->headers, "Content-Length") != NULL ||
	    find_field(request->headers, "Transfer-Encoding") != NULL)
		return false;
	return request->body != NULL || strcmp(method, "POST") == 0 ||
	    strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
}

/* Head and body of a request, in the running scope. */
static char *
compose(const struct spout_test_server *server, const char *method, const char *target,
    const struct spout_test_request *request, size_t *ret_len)
{
	const char *fields = request->headers != NULL ? request->headers : "";
	size_t body_len = request->body == NULL ? 0
	    : request->body_len > 0             ? request->body_len
	                                        : strlen(request->body);
	const char *host = "", *connection = "", *length = "";
	char *head, *whole;

	if (find_field(fields, "Host") == NULL)
		host = spout_sprintf("Host: 127.0.0.1:%u\r\n", server->port);
	if (find_field(fields, "Connection") == NULL)
		connection = "Connection: close\r\n";
	if (wants_length(request, method))
		length = spout_sprintf("Content-Length: %zu\r\n", body_len);
	head = spout_sprintf("%s %s HTTP/1.1\r\n%s%s%s%s\r\n", method, target, host,
	    connection, length, fields);
	*ret_len = strlen(head) + body_len;
	whole = spout_alloc(*ret_len);
	memcpy(whole, head, strlen(head));
	if (body_len > 0)
		memcpy(whole + strlen(head), request->body, body_len);
	return whole;
}

/* --- the response --------------------------------------------------------------- */

struct reading {
	char *body;
	size_t len;
	bool no_body, whole;
};

static int
on_head(http_parser *parser)
{
	return ((struct reading *)parser->data)->no_body ? 1 : 0;
}

static int
on_body(http_parser *parser, const char *at, size_t len)
{
	struct reading *reading = parser->data;

	memcpy(reading->body + reading->len, at, len);
	reading->len += len;
	return 0;
}

static int
on_whole(http_parser *parser)
{
	((struct reading *)parser->data)->whole = true;
	http_parser_pause(parser, 1);
	return 0;
}

/* Take the body out of its framing. */
static void
read_body(struct reading *reading, const char *data, size_t len)
{
	http_parser_settings settings;
	http_parser parser;

	http_parser_settings_init(&settings);
	settings.on_headers_complete = on_head;
	settings.on_body = on_body;
	settings.on_message_complete = on_whole;
	http_parser_init(&parser, HTTP_RESPONSE);
	parser.data = reading;
	reading->body = spout_alloc(len + 1);
	if (http_parser_execute(&parser, &settings, data, len) == len && !reading->whole)
		http_parser_execute(&parser, &settings, NULL, 0); /* that was all */
	if (!reading->whole)
		spout_fail_with(-EBADMSG, "the response is not whole: %s",
		    http_errno_description(HTTP_PARSER_ERRNO(&parser)));
	reading->body[reading->len] = '\0';
}

static struct spout_test_response *
parse(const char *data, size_t len, bool no_body)
{
	struct spout_test_response *response = spout_zalloc(1, sizeof(*response));
	struct reading reading = { .no_body = no_body };
	const char *end;

	/* An interim response (100 Continue) stands before the one that counts. */
	while ((end = strstr(data, "\r\n\r\n")) != NULL &&
	    strncmp(data, "HTTP/1.1 1", 10) == 0 && strncmp(data + 9, "101", 3) != 0) {
		len -= (size_t)(end + 4 - data);
		data = end + 4;
	}
	if (end == NULL || strncmp(data, "HTTP/1.", 7) != 0)
		spout_fail_with(-EBADMSG, "no response: %.200s", data);
	response->status = atoi(data + 9);
	response->head = spout_strndup(data, (size_t)(end + 2 - data));
	read_body(&reading, data, len);
	response->body = reading.body;
	response->body_len = reading.len;
	return response;
}

struct spout_test_response *
spout_test_fetch_with(const struct spout_test_server *server, const char *method,
    const char *target, const struct spout_test_request *given)
{
	struct spout_test_request request;
	const char *answer;
	size_t len;
	char *bytes;

	spout__test_options_copy(&request, sizeof(request), given, given->size);
	bytes = compose(server, method, target, &request, &len);
	answer = spout_test_raw(server, bytes, len, &len);
	return parse(answer, len, strcmp(method, "HEAD") == 0);
}

const char *
spout_test_header(const struct spout_test_response *response, const char *name)
{
	const char *value = find_field(response->head, name);

	return value != NULL ? spout_strndup(value, strcspn(value, "\r\n")) : NULL;
}
