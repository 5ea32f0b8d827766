/* SPDX-License-Identifier: MIT */
/*
 * A subscription with a queue, read by a coroutine (spout/topic.h). The queue has a bound
 * of events and of bytes; beyond, the oldest are dropped, and a gap is told in their
 * place. Loop thread.
 */
#include "config.h"

#include "topic/topics.h"

#include <errno.h>
#include <stdlib.h>

#include "async/async.h"
#include "async/line.h"
#include "base/stats.h"

#define MAX_EVENTS 1024u
#define MAX_BYTES ((size_t)1 << 20)

struct entry {
	struct spout__list link;
	struct spout__topic_message *message;
};

struct spout_subscription {
	struct spout__topic_subscriber subscriber;
	struct spout__list queue;
	struct spout__line readers;
	size_t n, bytes, max_events, max_bytes;
	bool gap; /* to be told before what waits */
	bool ended;
	struct entry *current; /* given last */
	struct spout_topic_event event;
	struct spout__position position;
	char id[SPOUT__TOPIC_ID_SIZE];
	char text[SPOUT__POSITION_TEXT];
	char topic[SPOUT_TOPIC_NAME_MAX + 1];
};

/* --- the queue -------------------------------------------------------------------- */

static void
entry_free(struct entry *entry)
{
	if (entry == NULL)
		return;
	spout__topic_message_unref(entry->message);
	free(entry);
}

static struct entry *
take_first(struct spout_subscription *sub)
{
	struct entry *entry =
	    spout__container_of(spout__list_pop(&sub->queue), struct entry, link);

	sub->n--;
	sub->bytes -= entry->message->len;
	return entry;
}

static bool
is_full(const struct spout_subscription *sub)
{
	return sub->n > sub->max_events || (sub->bytes > sub->max_bytes && sub->n > 1);
}

static void
take(struct spout__topic_subscriber *s, struct spout__topic_message *m)
{
	struct spout_subscription *sub =
	    spout__container_of(s, struct spout_subscription, subscriber);
	struct entry *entry = malloc(sizeof(*entry));

	(void)spout__line_grant(&sub->readers);
	if (entry == NULL) {
		sub->gap = true;
		return;
	}
	entry->message = spout__topic_message_ref(m);
	spout__list_init(&entry->link);
	spout__list_push(&sub->queue, &entry->link);
	sub->n++;
	sub->bytes += m->len;
	while (is_full(sub)) {
		spout__count(SPOUT__C_TOPIC_DROPPED, 1);
		entry_free(take_first(sub));
		sub->gap = true;
	}
}

/* --- subscribing ------------------------------------------------------------------ */

static void
end(struct spout_subscription *sub, int error)
{
	if (sub->ended)
		return;
	sub->ended = true;
	spout__topic_detach(&sub->subscriber);
	while (sub->n > 0)
		entry_free(take_first(sub));
	spout__line_send_off(&sub->readers, error);
}

static void
release(void *arg)
{
	struct spout_subscription *sub = arg;

	end(sub, -ECANCELED);
	spout__line_end(&sub->readers, -ECANCELED);
	entry_free(sub->current);
	spout__position_release(&sub->position);
	free(sub);
}

/* What was before it. NULL, with errno, when out of memory. */
static struct spout_subscription *
subscription_new(const char *topic, const struct spout_topic_options *options)
{
	struct spout_subscription *sub = calloc(1, sizeof(*sub));

	if (sub == NULL)
		return NULL;
	sub->subscriber.take = take;
	spout__list_init(&sub->subscriber.link);
	spout__list_init(&sub->queue);
	spout__line_init(&sub->readers, NULL);
	sub->max_events = options->max_events != 0 ? options->max_events : MAX_EVENTS;
	sub->max_bytes = options->max_bytes != 0 ? options->max_bytes : MAX_BYTES;
	strncpy(sub->topic, topic, sizeof(sub->topic) - 1);
	if (spout_defer_in(spout_scope_current(), release, sub) == 0)
		return sub;
	free(sub);
	errno = ENOMEM;
	return NULL;
}

/*
 * Where it begins: what this worker has seen, but for what waits in the queue.
 */
static int
set_start(struct spout_subscription *sub)
{
	const struct spout__topic *topic = sub->subscriber.topic;
	const struct spout__list *node;
	int r = 0;

	for (unsigned i = 0; i < topic->seen.len && r == 0; i++)
		r = spout__position_set(
		    &sub->position, &topic->seen.marks[i].origin, topic->seen.marks[i].n);
	for (node = sub->queue.prev; node != &sub->queue && r == 0; node = node->prev) {
		const struct entry *entry = spout__container_of(node, struct entry, link);

		if (entry->message->kind == SPOUT_TOPIC_MESSAGE)
			r = spout__position_set(&sub->position, &entry->message->origin,
			    entry->message->prev);
	}
	return r;
}

struct spout_subscription *
spout_try_topic_subscribe_with(
    const char *topic, const struct spout_topic_options *options)
{
	struct spout_topic_options known = { 0 };
	struct spout_subscription *sub;
	int r;

	memcpy(&known, options,
	    options->size < sizeof(known) ? options->size : sizeof(known));
	sub = subscription_new(topic, &known);
	r = sub == NULL ? -errno : spout__topic_attach(&sub->subscriber, topic, &known);
	if (r == 0)
		r = set_start(sub);
	if (r == 0)
		return sub;
	if (sub != NULL)
		end(sub, r);
	spout__co_error(r, "topic %s: %s", topic, strerror(-r));
	errno = -r;
	return NULL;
}

struct spout_subscription *
spout_topic_subscribe_with(const char *topic, const struct spout_topic_options *options)
{
	struct spout_subscription *sub = spout_try_topic_subscribe_with(topic, options);

	if (sub == NULL)
		spout__co_leave(-errno, 0, "%s", spout_error());
	return sub;
}

void
spout_topic_unsubscribe(struct spout_subscription *sub)
{
	end(sub, -ECANCELED);
}

/* --- reading ---------------------------------------------------------------------- */

static const struct spout_topic_event *
give(struct spout_subscription *sub, struct entry *entry)
{
	const struct spout__topic_message *m = entry->message;

	entry_free(sub->current);
	sub->current = entry;
	sub->id[0] = '\0';
	if (m->kind == SPOUT_TOPIC_MESSAGE) {
		spout__topic_id_put(sub->id, &m->origin, m->n);
		(void)spout__position_set(&sub->position, &m->origin, m->n);
	}
	sub->event = (struct spout_topic_event){ .kind = m->kind,
		.topic = m->topic,
		.id = sub->id,
		.data = m->data,
		.len = m->len };
	return &sub->event;
}

/* In place of what was dropped. NULL when out of memory: it stays to be told. */
static struct entry *
gap_entry(struct spout_subscription *sub)
{
	struct entry *entry = malloc(sizeof(*entry));

	if (entry == NULL)
		return NULL;
	entry->message = spout__topic_event_new(sub->topic, SPOUT_TOPIC_GAP, "");
	if (entry->message != NULL) {
		sub->gap = false;
		return entry;
	}
	free(entry);
	return NULL;
}

const struct spout_topic_event *
spout_try_topic_next(struct spout_subscription *sub, uint64_t ms)
{
	struct entry *entry = NULL;
	int r = 0;

	(void)spout__co_checkpoint("spout_topic_next");
	if (!sub->ended && sub->n == 0 && !sub->gap)
		r = spout__line_wait(&sub->readers, ms, "spout_topic_next");
	if (r == 0 && sub->ended)
		r = -ECANCELED;
	if (r == 0) {
		entry = sub->gap ? gap_entry(sub) : take_first(sub);
		r = entry == NULL ? -ENOMEM : 0;
	}
	if (r < 0) {
		spout__co_error(r, "spout_topic_next: %s", strerror(-r));
		errno = -r;
		return NULL;
	}
	return give(sub, entry);
}

const struct spout_topic_event *
spout_topic_next(struct spout_subscription *sub)
{
	const struct spout_topic_event *event = spout_try_topic_next(sub, SPOUT_FOREVER);

	if (event == NULL)
		spout__co_leave(-errno, 0, "%s", spout_error());
	return event;
}

const char *
spout_topic_position(struct spout_subscription *sub)
{
	spout__position_text(&sub->position, sub->text);
	return sub->text;
}

const char *
spout_topic_json(struct spout_subscription *sub)
{
	return sub->current != NULL ? spout__topic_message_json(sub->current->message)
				    : NULL;
}
