/* SPDX-License-Identifier: MIT */
/* The table of topics, and what is kept of those that nobody listens to. Loop thread. */
#include "config.h"

#include "topic/topics.h"

#include <errno.h>
#include <stdlib.h>

#include <spout/crypto.h>

#include "base/text.h"

#define FIRST_BUCKETS 64u
#define TICK_MS 2000u
#define HISTORY 200u
#define HISTORY_BYTES ((size_t)32 << 20)
#define KEEP_MS 60000u

bool
spout__topic_name_valid(struct spout_slice name)
{
	return name.len > 0 && name.len <= SPOUT_TOPIC_NAME_MAX &&
	    memchr(name.data, '\0', name.len) == NULL &&
	    spout__utf8_valid(name.data, name.len);
}

/* --- one topic -------------------------------------------------------------------- */

static void
topic_free(struct spout__topic *topic)
{
	struct spout__topics *topics = topic->topics;
	struct spout__list *node;

	while ((node = spout__list_pop(&topic->present)) != NULL)
		free(spout__container_of(node, struct spout__presence, link));
	topics->history_bytes -= topic->history.bytes;
	spout__history_clear(&topic->history);
	spout__position_release(&topic->seen);
	spout__line_end(&topic->waiting, -ECANCELED);
	spout__list_remove(&topic->link);
	spout__list_remove(&topic->idle);
	topics->n_topics--;
	free(topic);
}

void
spout__topic_release(struct spout__topic *topic)
{
	if (!topic->wanted && topic->interested == 0 && spout__list_empty(&topic->idle) &&
	    spout__list_empty(&topic->subscribers) &&
	    spout__list_empty(&topic->present) &&
	    spout__list_empty(&topic->waiting.waiting) &&
	    spout__list_empty(&topic->waiting.promised))
		topic_free(topic);
}

void
spout__topic_touch(struct spout__topic *topic)
{
	struct spout__topics *topics = topic->topics;

	spout__list_remove(&topic->idle);
	if (!spout__list_empty(&topic->subscribers))
		return;
	topic->idle_since_ms = spout_loop_now_ms(topics->loop);
	spout__list_push(&topics->idle, &topic->idle);
	if (!spout__timer_pending(&topics->tick))
		spout__timer_start_at(topics->loop, &topics->tick,
		    spout__loop_after_ms(topics->loop, TICK_MS));
}

void
spout__topic_want(struct spout__topic *topic, bool history)
{
	struct spout__topics *topics = topic->topics;

	topic->wanted = true;
	if (history)
		topic->handing_over = topics->peer_bits |
		    (topics->joining ? SPOUT__TOPIC_JOINING : 0);
	spout__topics_send(topics, topics->peer_bits,
	    &(struct spout__topic_frame){ .kind = SPOUT__WIRE_WANT,
		.flag = history,
		.topic = spout_slice(topic->name) });
}

void
spout__topic_handed_over(struct spout__topic *topic, uint64_t bits)
{
	topic->handing_over &= ~bits;
	if (topic->handing_over == 0)
		while (spout__line_grant(&topic->waiting))
			continue;
}

/* Nobody has needed it for long. */
static void
forget(struct spout__topic *topic)
{
	struct spout__topics *topics = topic->topics;

	spout__list_remove(&topic->idle);
	topics->history_bytes -= topic->history.bytes;
	spout__history_clear(&topic->history);
	spout__position_release(&topic->seen);
	topic->prev = 0;
	if (topic->wanted)
		spout__topics_send(topics, topics->peer_bits,
		    &(struct spout__topic_frame){
			.kind = SPOUT__WIRE_FORGET, .topic = spout_slice(topic->name) });
	topic->wanted = false;
	while (!spout__list_empty(&topic->present))
		spout__presence_remove(topic,
		    spout__container_of(
			topic->present.next, struct spout__presence, link));
	spout__topic_release(topic);
}

static void
on_tick(struct spout__timer *timer)
{
	struct spout__topics *topics =
	    spout__container_of(timer, struct spout__topics, tick);
	uint64_t now_ms = spout_loop_now_ms(topics->loop);

	while (!spout__list_empty(&topics->idle)) {
		struct spout__topic *topic =
		    spout__container_of(topics->idle.next, struct spout__topic, idle);

		if (now_ms - topic->idle_since_ms < topics->keep_ms)
			break;
		forget(topic);
	}
	spout__presence_expire(topics);
	if (topics->bridge != NULL || !spout__list_empty(&topics->idle))
		spout__timer_start_at(topics->loop, &topics->tick,
		    spout__loop_after_ms(topics->loop, TICK_MS));
}

/* --- the table -------------------------------------------------------------------- */

static unsigned
hash_of(struct spout_slice name)
{
	unsigned h = 2166136261u;

	for (size_t i = 0; i < name.len; i++)
		h = (h ^ (unsigned char)name.data[i]) * 16777619u;
	return h;
}

static int
set_buckets(struct spout__topics *topics, unsigned n)
{
	struct spout__list *old = topics->buckets, *node;
	struct spout__list *buckets = calloc(n, sizeof(*buckets));

	if (buckets == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		spout__list_init(&buckets[i]);
	for (unsigned i = 0; i < topics->n_buckets; i++)
		while ((node = spout__list_pop(&old[i])) != NULL) {
			unsigned h =
			    spout__container_of(node, struct spout__topic, link)->hash;

			spout__list_push(&buckets[h & (n - 1)], node);
		}
	free(old);
	topics->buckets = buckets;
	topics->n_buckets = n;
	return 0;
}

static struct spout__topic *
topic_new(struct spout__topics *topics, struct spout_slice name, unsigned hash)
{
	struct spout__topic *topic;

	if (topics->n_topics >= SPOUT__TOPICS_MAX) {
		errno = ENOBUFS;
		return NULL;
	}
	topic = calloc(1, sizeof(*topic) + name.len + 1);
	if (topic == NULL)
		return NULL;
	if (topics->n_topics >= 2 * topics->n_buckets)
		(void)set_buckets(topics, 2 * topics->n_buckets); /* or it is slower */
	memcpy(topic->name, name.data, name.len);
	topic->topics = topics;
	topic->hash = hash;
	spout__list_init(&topic->link);
	spout__list_init(&topic->idle);
	spout__list_init(&topic->subscribers);
	spout__list_init(&topic->present);
	spout__line_init(&topic->waiting, NULL);
	spout__history_init(&topic->history, topics->history);
	spout__list_push(&topics->buckets[hash & (topics->n_buckets - 1)], &topic->link);
	topics->n_topics++;
	return topic;
}

struct spout__topic *
spout__topic_find(struct spout__topics *topics, struct spout_slice name, bool make)
{
	unsigned hash = hash_of(name);
	struct spout__list *node,
	    *bucket = &topics->buckets[hash & (topics->n_buckets - 1)];

	spout__list_for_each(node, bucket) {
		struct spout__topic *topic =
		    spout__container_of(node, struct spout__topic, link);

		if (topic->hash == hash && spout_slice_equal(name, topic->name))
			return topic;
	}
	return make ? topic_new(topics, name, hash) : NULL;
}

/* --- all of them ------------------------------------------------------------------ */

static void
topics_free(void *arg)
{
	struct spout__topics *topics = arg;
	struct spout__list *node;

	spout__topics_leave_mesh(topics);
	spout__timer_stop(&topics->tick);
	for (unsigned i = 0; i < topics->n_buckets; i++)
		while ((node = topics->buckets[i].next) != &topics->buckets[i]) {
			struct spout__topic *topic =
			    spout__container_of(node, struct spout__topic, link);

			while ((node = spout__list_pop(&topic->subscribers)) != NULL)
				spout__container_of(
				    node, struct spout__topic_subscriber, link)
				    ->topic = NULL;
			topic_free(topic);
		}
	free(topics->buckets);
	free(topics);
}

struct spout__topics *
spout__topics_of(struct spout_loop *loop)
{
	struct spout__topics *topics = spout__loop_slot(loop, SPOUT__SLOT_TOPIC);

	if (topics != NULL)
		return topics;
	topics = calloc(1, sizeof(*topics));
	if (topics == NULL)
		return NULL;
	topics->loop = loop;
	topics->history = HISTORY;
	topics->max_history_bytes = HISTORY_BYTES;
	topics->keep_ms = KEEP_MS;
	spout__list_init(&topics->idle);
	spout__timer_init(&topics->tick, on_tick);
	spout_random(&topics->self.host, sizeof(topics->self.host));
	if (set_buckets(topics, FIRST_BUCKETS) < 0) {
		free(topics);
		return NULL;
	}
	spout__loop_set_slot(loop, SPOUT__SLOT_TOPIC, topics, topics_free);
	return topics;
}
