/* SPDX-License-Identifier: MIT */
/*
 * Who is present in a topic. Each worker speaks for its own subscriptions; what it has
 * said ends with it, that of other hosts when it was not said again in time.
 */
#include "config.h"

#include "topic/topics.h"

#include <errno.h>
#include <stdlib.h>

#include "async/async.h"

static struct spout__presence *
presence_of(struct spout__list *node)
{
	return spout__container_of(node, struct spout__presence, link);
}

static struct spout__presence *
find(const struct spout__topic *topic, const struct spout__publisher *owner,
    struct spout_slice name)
{
	struct spout__list *node;

	spout__list_for_each(node, &topic->present) {
		struct spout__presence *p = presence_of(node);

		if (spout_slice_equal(name, p->name) &&
		    (owner == NULL || spout__publisher_equal(&p->owner, owner)))
			return p;
	}
	return NULL;
}

static bool
is_mine(const struct spout__topic *topic, const struct spout__publisher *owner)
{
	return spout__publisher_equal(owner, &topic->topics->self);
}

static void
announce(struct spout__topic *topic, const struct spout__presence *p, bool is)
{
	spout__topic_send(topic,
	    &(struct spout__topic_frame){ .kind = SPOUT__WIRE_PRESENT,
		.flag = is,
		.origin = p->owner,
		.topic = spout_slice(topic->name),
		.data = spout_slice(p->name) });
}

struct spout__presence *
spout__presence_add(struct spout__topic *topic, const struct spout__publisher *owner,
    struct spout_slice name)
{
	struct spout__presence *p = find(topic, owner, name);
	bool joins;

	if (p != NULL) {
		p->count++;
		return p;
	}
	if (topic->n_present >= SPOUT__TOPIC_PRESENT_MAX) {
		errno = ENOBUFS;
		return NULL;
	}
	p = calloc(1, sizeof(*p) + name.len + 1);
	if (p == NULL)
		return NULL;
	memcpy(p->name, name.data, name.len);
	p->owner = *owner;
	p->count = 1;
	joins = find(topic, NULL, name) == NULL;
	spout__list_init(&p->link);
	spout__list_push(&topic->present, &p->link);
	topic->n_present++;
	if (is_mine(topic, owner))
		announce(topic, p, true);
	if (joins)
		spout__topic_tell(topic, SPOUT_TOPIC_JOIN, p->name);
	return p;
}

void
spout__presence_remove(struct spout__topic *topic, struct spout__presence *p)
{
	if (--p->count > 0)
		return;
	spout__list_remove(&p->link);
	topic->n_present--;
	if (is_mine(topic, &p->owner))
		announce(topic, p, false);
	if (find(topic, NULL, spout_slice(p->name)) == NULL)
		spout__topic_tell(topic, SPOUT_TOPIC_LEAVE, p->name);
	free(p);
}

void
spout__presence_set(struct spout__topic *topic, const struct spout__publisher *owner,
    struct spout_slice name, bool is, uint64_t expires_ms)
{
	struct spout__presence *p = find(topic, owner, name);

	if (p == NULL && is)
		p = spout__presence_add(topic, owner, name);
	else if (p != NULL && !is) {
		spout__presence_remove(topic, p);
		return;
	}
	if (p != NULL)
		p->expires_ms = expires_ms;
}

/* Remove those that it is true of. */
static void
sweep(struct spout__topics *topics,
    bool (*gone)(const struct spout__presence *p, const void *arg), const void *arg)
{
	struct spout__list *node, *following;
	struct spout__topic *topic;

	SPOUT__TOPICS_EACH(topics, topic, i, next)
	spout__list_for_each_safe(node, following, &topic->present)
		if (gone(presence_of(node), arg))
			spout__presence_remove(topic, presence_of(node));
}

static bool
is_of(const struct spout__presence *p, const void *owner)
{
	return spout__publisher_equal(&p->owner, owner);
}

void
spout__presence_lost(struct spout__topics *topics, const struct spout__publisher *owner)
{
	sweep(topics, is_of, owner);
}

static bool
has_expired(const struct spout__presence *p, const void *now_ms)
{
	return p->expires_ms != 0 && p->expires_ms <= *(const uint64_t *)now_ms;
}

void
spout__presence_expire(struct spout__topics *topics)
{
	uint64_t now_ms = spout_loop_now_ms(topics->loop);
	struct spout__topic *topic;

	sweep(topics, has_expired, &now_ms);
	SPOUT__TOPICS_EACH(topics, topic, i, next)
	spout__topic_release(topic);
}

/* --- asking ----------------------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

long
spout__presence_names(const struct spout__topic *topic, const char ***ret_names)
{
	const char **names = calloc(topic->n_present + 1, sizeof(*names));
	struct spout__list *node;
	size_t n = 0, kept = 0;

	if (names == NULL)
		return -ENOMEM;
	spout__list_for_each(node, &topic->present)
		names[n++] = presence_of(node)->name;
	qsort(names, n, sizeof(*names), compare);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || strcmp(names[kept - 1], names[i]) != 0)
			names[kept++] = names[i];
	names[kept] = NULL;
	*ret_names = names;
	return (long)kept;
}

const char *const *
spout_topic_present(const char *name, size_t *ret_n)
{
	struct spout_scope *scope = spout_scope_current();
	struct spout__topics *topics = spout__topics_of(scope->loop);
	struct spout__topic *topic;
	const char **all, **names;
	long n;

	topic = topics != NULL ? spout__topic_find(topics, spout_slice(name), false)
			       : NULL;
	names = spout_zalloc((topic != NULL ? topic->n_present : 0) + 1, sizeof(*names));
	n = topic != NULL ? spout__presence_names(topic, &all) : 0;
	if (n < 0)
		spout__co_leave(-ENOMEM, 0, "out of memory");
	for (long i = 0; i < n; i++)
		names[i] = spout_strdup_in(scope, all[i]);
	if (topic != NULL)
		free(all);
	for (long i = 0; i < n; i++)
		if (names[i] == NULL)
			spout__co_leave(-ENOMEM, 0, "out of memory");
	*ret_n = (size_t)n;
	return names;
}
