/* SPDX-License-Identifier: MIT */
/*
 * Topics between hosts by PUBLISH and SUBSCRIBE of Redis, on streams of our own: hiredis
 * writes the commands and reads the answers. One connection receives; what has come
 * together is sent on a connection of its own.
 *
 *     redis://[:PASSWORD@]HOST[:PORT]
 *
 * Redis keeps nothing for those who do not listen: after a loss of the connection there
 * is a gap.
 */
#include "config.h"

#include "app/topic_bridge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <hiredis.h>

#include <spout/stream.h>
#include <spout/tcp.h>

#include "async/async.h"
#include "base/text.h"

#define CHANNEL "spout_topics"
#define PORT 6379u
#define TIMEOUT_MS 5000u
#define PING_MS 10000u /* of silence; then an answer has to come within as long */
#define MAX_FRAMES (64u << 10)

struct address {
	char host[256], password[256];
	uint16_t port;
};

/* --- where it is ------------------------------------------------------------------ */

static bool
read_port(const char *text, uint16_t *ret_port)
{
	char *end;
	long port = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || (*end != '\0' && strcmp(end, "/") != 0) ||
	    port < 1 || port > 65535)
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

static bool
read_password(const char *text, size_t len, char to[256])
{
	long n;

	if (len > 0 && *text == ':') {
		text++;
		len--;
	}
	n = len < 256 ? spout__percent_decode(text, len, false, to) : -1;
	if (n >= 0)
		to[n] = '\0';
	return n >= 0;
}

static bool
read_url(const char *url, struct address *ret)
{
	static const char scheme[] = "redis://";
	const char *at, *host, *end;

	*ret = (struct address){ .port = PORT };
	if (strncmp(url, scheme, sizeof(scheme) - 1) != 0)
		return false;
	host = url + sizeof(scheme) - 1;
	at = strrchr(host, '@');
	if (at != NULL && !read_password(host, (size_t)(at - host), ret->password))
		return false;
	host = at != NULL ? at + 1 : host;
	end = *host == '[' ? strchr(host, ']') : host + strcspn(host, ":/");
	if (*host == '[')
		host++;
	if (end == NULL || end == host || (size_t)(end - host) >= sizeof(ret->host))
		return false;
	memcpy(ret->host, host, (size_t)(end - host));
	end += *end == ']';
	if (*end == ':')
		return read_port(end + 1, &ret->port);
	return *end == '\0' || strcmp(end, "/") == 0;
}

bool
spout__bridge_redis_valid(const char *url)
{
	struct address address;

	return read_url(url, &address);
}

/* --- a connection ----------------------------------------------------------------- */

/* In the scope of whoever uses it. */
struct link {
	struct spout_stream *stream;
	redisReader *reader;
	redisReply *reply; /* the last one */
};

static void
release_link(void *arg)
{
	struct link *link = arg;

	freeReplyObject(link->reply);
	redisReaderFree(link->reader);
}

static void
write_command(struct link *link, int argc, const char **argv, const size_t *lens)
{
	char *text;
	long long len = redisFormatCommandArgv(&text, argc, argv, lens);
	int r;

	if (len < 0)
		spout_fail_with(-ENOMEM, "out of memory");
	r = spout_try_stream_write(link->stream, text, (size_t)len);
	redisFreeCommand(text);
	if (r < 0)
		spout_fail_with(r, "Redis: %s", spout_error());
}

/* A reply that has come already; false: there is none. */
static bool
has_reply(struct link *link)
{
	void *reply = NULL;

	if (redisReaderGetReply(link->reader, &reply) != REDIS_OK)
		spout_fail_with(-EBADMSG, "Redis: %s", link->reader->errstr);
	if (reply == NULL)
		return false;
	freeReplyObject(link->reply);
	link->reply = reply;
	if (link->reply->type == REDIS_REPLY_ERROR)
		spout_fail_with(-EPROTO, "Redis: %s", link->reply->str);
	return true;
}

/* Wait for bytes; a time-out is no failure. Returns 0 or -ETIMEDOUT. */
static int
feed(struct link *link)
{
	struct spout_slice some;
	int r = spout_try_stream_read_some(link->stream, &some);

	if (r == -ETIMEDOUT)
		return r;
	if (r < 0)
		spout_fail_with(r, "Redis: %s", spout_error());
	if (some.len == 0)
		spout_fail_with(-EPIPE, "Redis has closed the connection");
	if (redisReaderFeed(link->reader, some.data, some.len) != REDIS_OK)
		spout_fail_with(-ENOMEM, "out of memory");
	return 0;
}

static void
await_reply(struct link *link)
{
	while (!has_reply(link))
		if (feed(link) < 0)
			spout_fail_with(-ETIMEDOUT, "Redis does not answer");
}

static struct link *
connect_to(const char *url)
{
	struct link *link = spout_zalloc(1, sizeof(*link));
	struct address *address = spout_alloc(sizeof(*address));

	if (!read_url(url, address))
		spout_fail_with(-EINVAL, "no address of Redis");
	link->reader = redisReaderCreate();
	if (link->reader == NULL)
		spout_fail_with(-ENOMEM, "out of memory");
	spout_defer(release_link, link);
	link->stream =
	    spout_tcp_connect(address->host, address->port, .timeout_ms = TIMEOUT_MS);
	spout_stream_set_timeout(link->stream, TIMEOUT_MS);
	if (address->password[0] != '\0') {
		const char *argv[] = { "AUTH", address->password };

		write_command(link, 2, argv, NULL);
		await_reply(link);
	}
	return link;
}

/* --- sending ---------------------------------------------------------------------- */

static void
send_frames(struct spout__bridge *bridge, const char *frames, size_t len)
{
	struct link *link = connect_to(bridge->url);
	const char *argv[] = { "PUBLISH", CHANNEL, frames };
	const size_t lens[] = { 7, sizeof(CHANNEL) - 1, len };

	write_command(link, 3, argv, lens);
	await_reply(link);
}

/* --- receiving -------------------------------------------------------------------- */

/* ["message", channel, payload], ["subscribe", channel, 1] or ["pong", ""] */
static void
take(struct spout__bridge *bridge, const redisReply *reply, bool *again)
{
	const redisReply *const *part = (const redisReply *const *)reply->element;

	if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2 ||
	    part[0]->type != REDIS_REPLY_STRING)
		return;
	if (strcmp(part[0]->str, "subscribe") == 0) {
		spout__bridge_up(bridge, *again);
		*again = true;
	} else if (strcmp(part[0]->str, "message") == 0 && reply->elements == 3 &&
	    part[2]->type == REDIS_REPLY_STRING) {
		spout__bridge_came(bridge, part[2]->str, part[2]->len);
	}
}

static void
forget_stream(void *arg)
{
	struct spout__bridge *bridge = arg;

	bridge->state = NULL;
}

static void
receive(struct spout__bridge *bridge)
{
	static const char *ping[] = { "PING" };
	const char *argv[] = { "SUBSCRIBE", CHANNEL };
	struct link *link = connect_to(bridge->url);
	bool silent = false;

	bridge->state = link->stream;
	spout_defer(forget_stream, bridge);
	spout_stream_set_timeout(link->stream, PING_MS);
	write_command(link, 2, argv, NULL);
	while (spout__bridge_receives(bridge)) {
		if (has_reply(link)) {
			take(bridge, link->reply, &bridge->again);
		} else if (feed(link) == 0) {
			silent = false;
		} else if (silent) {
			spout_fail_with(-ETIMEDOUT, "Redis is silent");
		} else {
			silent = true;
			write_command(link, 1, ping, NULL);
		}
	}
}

static void
stop(struct spout__bridge *bridge)
{
	if (bridge->state != NULL)
		spout_stream_close(bridge->state);
	bridge->state = NULL;
}

const struct spout__bridge_way spout__bridge_redis = {
	.receive = receive, .stop = stop, .send = send_frames, .max_bytes = MAX_FRAMES
};
