/* SPDX-License-Identifier: MIT */
/* Messages on their way to subscribers: accepting, publishing, subscribing. */
#include "config.h"

#include "topic/topics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "async/async.h"
#include "base/stats.h"
#include "base/text.h"

#define HAND_OVER_MS 1000u

/* --- accepting -------------------------------------------------------------------- */

static struct spout__topic_subscriber *
subscriber_of(struct spout__list *node)
{
	return spout__container_of(node, struct spout__topic_subscriber, link);
}

static void
deliver(struct spout__topic *topic, struct spout__topic_message *m)
{
	struct spout__list *node, *next;

	spout__list_for_each_safe(node, next, &topic->subscribers) {
		spout__count(SPOUT__C_TOPIC_DELIVERIES, 1);
		subscriber_of(node)->take(subscriber_of(node), m);
	}
}

void
spout__topic_tell(
    struct spout__topic *topic, enum spout_topic_kind kind, const char *name)
{
	struct spout__topic_message *m;

	if (spout__list_empty(&topic->subscribers))
		return;
	m = spout__topic_event_new(topic->name, kind, name != NULL ? name : "");
	if (m == NULL)
		return;
	deliver(topic, m);
	spout__topic_message_unref(m);
}

/* What all topics keep together has a bound: the one that grows gives way. */
static void
keep(struct spout__topic *topic, struct spout__topic_message *m, bool in_order)
{
	struct spout__topics *topics = topic->topics;
	size_t before = topic->history.bytes;

	if (in_order)
		spout__history_push(&topic->history, m);
	else
		spout__history_merge(&topic->history, m);
	topics->history_bytes += topic->history.bytes - before;
	while (
	    topics->history_bytes > topics->max_history_bytes && topic->history.len > 0) {
		before = topic->history.bytes;
		spout__history_drop(&topic->history);
		topics->history_bytes -= before - topic->history.bytes;
	}
}

/*
 * Who listens gets messages in order. While nobody does, what other workers have kept may
 * come behind what is newer.
 */
void
spout__topic_accept(struct spout__topic *topic, struct spout__topic_message *m)
{
	const struct spout__mark *mark = spout__position_find(&topic->seen, &m->origin);
	uint64_t seen = mark != NULL ? mark->n : 0;

	if (spout__list_empty(&topic->subscribers)) {
		keep(topic, m, false);
		if (m->n > seen)
			(void)spout__position_set(&topic->seen, &m->origin, m->n);
		return;
	}
	if (m->n <= seen)
		return;
	if (mark != NULL && m->prev > seen)
		spout__topic_tell(topic, SPOUT_TOPIC_GAP, NULL);
	(void)spout__position_set(&topic->seen, &m->origin, m->n);
	keep(topic, m, true);
	deliver(topic, m);
}

void
spout__topic_take(struct spout__topic *topic, const struct spout__topic_frame *frame)
{
	struct spout__topic_message *m = spout__topic_message_new(
	    frame->topic, &frame->origin, frame->n, frame->prev, frame->data);

	if (m == NULL)
		return; /* the next one shows the gap */
	spout__topic_accept(topic, m);
	spout__topic_message_unref(m);
}

void
spout__topics_gap(struct spout__topics *topics, const struct spout__publisher *origin)
{
	struct spout__topic *topic;

	SPOUT__TOPICS_EACH(topics, topic, i, next)
	if (origin->host == 0 || spout__position_find(&topic->seen, origin) != NULL)
		spout__topic_tell(topic, SPOUT_TOPIC_GAP, NULL);
}

/* --- publishing ------------------------------------------------------------------- */

static int
publish(struct spout__topics *topics, struct spout_slice name, struct spout_slice data)
{
	struct spout__topic *topic = spout__topic_find(topics, name, true);
	struct spout__topic_message *m;

	if (topic == NULL)
		return -errno;
	m = spout__topic_message_new(
	    name, &topics->self, topics->n + 1, topic->prev, data);
	if (m == NULL) {
		spout__topic_release(topic);
		return -ENOMEM;
	}
	topic->prev = ++topics->n;
	spout__count(SPOUT__C_TOPIC_MESSAGES, 1);
	spout__topic_touch(topic);
	spout__topic_accept(topic, m);
	spout__topic_send(topic,
	    &(struct spout__topic_frame){ .kind = SPOUT__WIRE_MESSAGE,
		.origin = m->origin,
		.n = m->n,
		.prev = m->prev,
		.topic = name,
		.data = data });
	spout__topic_message_unref(m);
	return 0;
}

int
spout_topic_publish(const char *topic, const void *data, size_t len)
{
	struct spout_loop *loop = spout_loop_current();
	struct spout__topics *topics;

	if (loop == NULL || !spout__topic_name_valid(spout_slice(topic)))
		return -EINVAL;
	if (len > SPOUT__TOPIC_DATA_MAX)
		return -EMSGSIZE;
	topics = spout__topics_of(loop);
	return topics == NULL
	    ? -ENOMEM
	    : publish(topics, spout_slice(topic), spout_slice_of(data, len));
}

int
spout_topic_publishf(const char *topic, const char *fmt, ...)
{
	struct spout__buffer text;
	va_list ap;
	int r;

	spout__buffer_init(&text, SPOUT__TOPIC_DATA_MAX + 1);
	va_start(ap, fmt);
	r = spout__buffer_vprintf(&text, fmt, ap);
	va_end(ap);
	if (r == 0)
		r = spout_topic_publish(
		    topic, text.len > 0 ? spout__buffer_at(&text) : "", text.len);
	spout__buffer_release(&text);
	return r;
}

/* --- subscribing ------------------------------------------------------------------ */

/* Of an origin that the client knows: is there a hole behind what it has got? */
static bool
has_hole(const struct spout__topic *topic, const struct spout__mark *since)
{
	const struct spout__mark *seen =
	    spout__position_find(&topic->seen, &since->origin);

	if (seen == NULL)
		return true;
	for (unsigned i = 0; i < topic->history.len; i++) {
		const struct spout__topic_message *m =
		    spout__history_at(&topic->history, i);

		if (spout__publisher_equal(&m->origin, &since->origin) && m->n > since->n)
			return m->prev > since->n;
	}
	return seen->n > since->n;
}

/* Of the others: is there one whose messages are not kept from the first? */
static bool
lacks_others(const struct spout__topic *topic, const struct spout__position *since)
{
	struct spout__position met = { 0 };
	bool lacks = false;

	for (unsigned i = 0; i < topic->history.len && !lacks; i++) {
		const struct spout__topic_message *m =
		    spout__history_at(&topic->history, i);

		if (spout__position_find(since, &m->origin) != NULL ||
		    spout__position_find(&met, &m->origin) != NULL)
			continue;
		lacks = m->prev != 0 || spout__position_set(&met, &m->origin, m->n) < 0;
	}
	spout__position_release(&met);
	return lacks;
}

static void
tell_gap(struct spout__topic_subscriber *s, const struct spout__topic *topic)
{
	struct spout__topic_message *m =
	    spout__topic_event_new(topic->name, SPOUT_TOPIC_GAP, "");

	if (m != NULL)
		s->take(s, m);
	spout__topic_message_unref(m);
}

/* What a client lacks that has got that far. */
static void
hand_since(
    struct spout__topic_subscriber *s, const struct spout__topic *topic, const char *text)
{
	struct spout__position since = { 0 };
	bool hole = spout__position_parse(text, &since) < 0 ||
	    lacks_others(topic, &since);

	for (unsigned i = 0; i < since.len && !hole; i++)
		hole = has_hole(topic, &since.marks[i]);
	if (hole)
		tell_gap(s, topic);
	for (unsigned i = 0; i < topic->history.len; i++) {
		struct spout__topic_message *m = spout__history_at(&topic->history, i);
		const struct spout__mark *mark = spout__position_find(&since, &m->origin);

		if (mark == NULL || m->n > mark->n)
			s->take(s, m);
	}
	spout__position_release(&since);
}

static void
hand_history(struct spout__topic_subscriber *s, const struct spout__topic *topic,
    const struct spout_topic_options *options)
{
	unsigned len = topic->history.len;

	if (options->since != NULL && *options->since != '\0') {
		hand_since(s, topic, options->since);
		return;
	}
	for (unsigned i = len > options->history ? len - options->history : 0; i < len;
	     i++)
		s->take(s, spout__history_at(&topic->history, i));
}

/* Have a topic, with what other workers keep of it. NULL with errno. */
static struct spout__topic *
ready_topic(struct spout__topics *topics, struct spout_slice name)
{
	struct spout__topic *topic = spout__topic_find(topics, name, true);

	if (topic == NULL)
		return NULL;
	spout__topic_touch(topic);
	if (!topic->wanted)
		spout__topic_want(topic, true);
	if (topic->handing_over == 0)
		return topic;
	if (spout__line_wait(
		&topic->waiting, HAND_OVER_MS, "other workers to hand over a topic") < 0)
		spout__count(SPOUT__C_TOPIC_LATE, 1);
	topic = spout__topic_find(topics, name, true);
	if (topic == NULL)
		return NULL;
	spout__topic_handed_over(topic, ~(uint64_t)0);
	if (!topic->wanted)
		spout__topic_want(topic, false);
	return topic;
}

int
spout__topic_attach(struct spout__topic_subscriber *s, const char *name,
    const struct spout_topic_options *options)
{
	struct spout_scope *scope = spout_scope_current();
	struct spout__topics *topics = spout__topics_of(scope->loop);
	struct spout_slice person = spout_slice(options->person);
	struct spout__topic *topic;

	if (!spout__topic_name_valid(spout_slice(name)) ||
	    (options->person != NULL &&
		(person.len == 0 || person.len > SPOUT_TOPIC_PERSON_MAX ||
		    !spout__utf8_valid(person.data, person.len))))
		return -EINVAL;
	topic = topics != NULL ? ready_topic(topics, spout_slice(name)) : NULL;
	if (topic == NULL)
		return topics == NULL ? -ENOMEM : -errno;
	if (options->person != NULL) {
		s->presence = spout__presence_add(topic, &topics->self, person);
		if (s->presence == NULL)
			return -errno;
	}
	hand_history(s, topic, options);
	s->topic = topic;
	spout__list_remove(&topic->idle);
	spout__list_push(&topic->subscribers, &s->link);
	spout__gauge_add(SPOUT__G_TOPIC_SUBSCRIBERS, 1);
	return 0;
}

void
spout__topic_detach(struct spout__topic_subscriber *s)
{
	struct spout__topic *topic = s->topic;

	if (topic == NULL)
		return;
	s->topic = NULL;
	spout__list_remove(&s->link);
	spout__gauge_add(SPOUT__G_TOPIC_SUBSCRIBERS, -1);
	if (s->presence != NULL)
		spout__presence_remove(topic, s->presence);
	s->presence = NULL;
	if (spout__list_empty(&topic->subscribers))
		spout__topic_touch(topic);
}
