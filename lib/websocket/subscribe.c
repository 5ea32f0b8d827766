/* SPDX-License-Identifier: MIT */
/*
 * WebSockets that subscribe to topics. A message is framed once for all sockets of this
 * worker, and posted to each; nothing waits for a slow client. Subscriptions hang on the
 * socket and end with it. Loop thread.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "async/async.h"
#include "base/stats.h"
#include "base/text.h"
#include "topic/topics.h"
#include "websocket/message.h"
#include "websocket/socket.h"

struct spout__ws_topic {
	struct spout__topic_subscriber subscriber;
	struct spout__ws_topic *next; /* of the same socket */
	struct spout_websocket *ws;
	bool json;
};

/* --- messages --------------------------------------------------------------------- */

static void
free_frame(void *made)
{
	spout__ws_message_unref(made);
}

/* Data that is no UTF-8 goes out as a binary message. NULL: out of memory. */
static struct spout__ws_message *
frame_of(struct spout__topic_message *m, bool json)
{
	enum spout__topic_form form =
	    json ? SPOUT__TOPIC_JSON_FRAME : SPOUT__TOPIC_FRAME;
	const char *data = json ? spout__topic_message_json(m) : m->data;
	struct spout__ws_message *frame = m->forms[form].made;

	if (frame != NULL || data == NULL)
		return frame;
	frame = spout__ws_message_new(SPOUT__WS_TEXT, data, json ? strlen(data) : m->len);
	if (frame == NULL && errno == EINVAL)
		frame = spout__ws_message_new(SPOUT__WS_BINARY, data, m->len);
	m->forms[form].made = frame;
	m->forms[form].free_fn = free_frame;
	return frame;
}

static void
post(struct spout_websocket *ws, struct spout__ws_message *frame)
{
	int r = frame != NULL ? spout__ws_post(ws, frame) : -ENOMEM;

	if (r == 0 || r == -EPIPE)
		return;
	spout__count(SPOUT__C_TOPIC_DROPPED, 1);
	if (r == -ENOMEM)
		spout_websocket_close(ws, SPOUT__WS_INTERNAL_ERROR, "out of memory");
	else
		spout_websocket_close(ws, SPOUT__WS_POLICY, "too slow");
}

static void
take(struct spout__topic_subscriber *s, struct spout__topic_message *m)
{
	struct spout__ws_topic *t =
	    spout__container_of(s, struct spout__ws_topic, subscriber);

	if (t->json || m->kind == SPOUT_TOPIC_MESSAGE)
		post(t->ws, frame_of(m, t->json));
}

/* --- the first words -------------------------------------------------------------- */

static int
put_names(struct spout__buffer *to, const struct spout__topic *topic)
{
	const char **names, *between = "[\"";
	long n = spout__presence_names(topic, &names);
	int r = n < 0 ? (int)n : 0;

	for (long i = 0; i < n && r == 0; i++) {
		r = spout__buffer_printf(to, "%s", between);
		if (r == 0)
			r = spout__json_escape(to, names[i], strlen(names[i]));
		between = "\",\"";
	}
	if (n >= 0)
		free(names);
	return r == 0 ? spout__buffer_printf(to, n > 0 ? "\"]}" : "[]}") : r;
}

static int
put_hello(struct spout__buffer *to, const struct spout__topic *topic)
{
	char position[SPOUT__POSITION_TEXT];
	int r = spout__buffer_append(to, "{", 1);

	if (r == 0)
		r = spout__topic_put_string(
		    to, "topic", topic->name, strlen(topic->name));
	spout__position_text(&topic->seen, position);
	if (r == 0)
		r = spout__buffer_printf(
		    to, ",\"position\":\"%s\",\"present\":", position);
	return r == 0 ? put_names(to, topic) : r;
}

/* Where the socket begins, and who is there. */
static void
say_hello(struct spout__ws_topic *t)
{
	struct spout__ws_message *frame = NULL;
	struct spout__buffer text;

	spout__buffer_init(&text, SIZE_MAX / 2);
	if (put_hello(&text, t->subscriber.topic) == 0)
		frame = spout__ws_message_new(
		    SPOUT__WS_TEXT, spout__buffer_at(&text), text.len);
	post(t->ws, frame);
	if (frame != NULL)
		spout__ws_message_unref(frame);
	spout__buffer_release(&text);
}

/* --- subscribing ------------------------------------------------------------------ */

static struct spout__ws_topic **
find(struct spout_websocket *ws, const char *topic)
{
	struct spout__ws_topic **at = &ws->topics;

	while (*at != NULL && ((*at)->subscriber.topic == NULL ||
		strcmp((*at)->subscriber.topic->name, topic) != 0))
		at = &(*at)->next;
	return at;
}

/* It could not be attached. */
static void
forget(struct spout_websocket *ws, struct spout__ws_topic *t)
{
	struct spout__ws_topic **at = &ws->topics;

	while (*at != NULL && *at != t)
		at = &(*at)->next;
	if (*at == NULL || t->subscriber.topic != NULL)
		return;
	*at = t->next;
	free(t);
}

/* It hangs on the socket before it waits: whatever ends the wait, nothing is lost. */
int
spout_try_websocket_subscribe_with(struct spout_websocket *ws, const char *topic,
    const struct spout_topic_options *options)
{
	struct spout_topic_options known = { 0 };
	struct spout__ws_topic *t;
	int r;

	memcpy(&known, options,
	    options->size < sizeof(known) ? options->size : sizeof(known));
	if (ws->state != SPOUT__WS_OPEN)
		return -EPIPE;
	if (*find(ws, topic) != NULL)
		return -EALREADY;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return -ENOMEM;
	t->ws = ws;
	t->json = known.json;
	t->subscriber.take = take;
	spout__list_init(&t->subscriber.link);
	t->next = ws->topics;
	ws->topics = t;
	r = spout__topic_attach(&t->subscriber, topic, &known);
	if (r < 0) {
		forget(ws, t);
		return spout__co_error(r, "topic %s: %s", topic, strerror(-r));
	}
	if (known.json)
		say_hello(t);
	if (ws->state != SPOUT__WS_OPEN) {
		spout__topic_detach(&t->subscriber);
		return spout__co_error(-EPIPE, "the client is gone");
	}
	return 0;
}

void
spout_websocket_subscribe_with(struct spout_websocket *ws, const char *topic,
    const struct spout_topic_options *options)
{
	int r = spout_try_websocket_subscribe_with(ws, topic, options);

	if (r < 0)
		spout__co_leave(r, 0, "%s", spout_error());
}

void
spout_websocket_unsubscribe(struct spout_websocket *ws, const char *topic)
{
	struct spout__ws_topic **at = find(ws, topic), *t = *at;

	if (t == NULL)
		return;
	*at = t->next;
	spout__topic_detach(&t->subscriber);
	free(t);
}

void
spout__ws_unsubscribe(struct spout_websocket *ws)
{
	for (struct spout__ws_topic *t = ws->topics; t != NULL; t = t->next)
		spout__topic_detach(&t->subscriber);
}

void
spout__ws_free_topics(struct spout_websocket *ws)
{
	struct spout__ws_topic *t;

	spout__ws_unsubscribe(ws);
	while ((t = ws->topics) != NULL) {
		ws->topics = t->next;
		free(t);
	}
}
