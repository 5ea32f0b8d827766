/* SPDX-License-Identifier: MIT */
/*
 * Channels and subscriptions (spout/pg_listen.h). Loop thread.
 *
 * While events of a channel are handed out, callbacks may end any subscription and make
 * new ones. So each is moved from a list of the round to its channel before it is called
 * and not touched afterwards: what has gone is not called, what is new comes next time.
 */
#include "config.h"

#include <spout/pg.h>

#include <errno.h>
#include <stdlib.h>

#include "async/coroutine.h"
#include "async/line.h"
#include "async/object.h"
#include "base/stats.h"
#include "base/text.h"
#include "pg/driver.h"
#include "pg/listen.h"

#define MAX_SUBSCRIPTIONS 65536u
#define MAX_PAYLOAD_BYTES 7999u /* of pg_notify() */
#define MAX_EVENTS 1024u
#define MAX_BYTES (1u << 20)

/* An event in a queue. */
struct entry {
	struct spout__list link;
	struct spout_pg_event event;
	char text[]; /* channel, payload */
};

struct spout_pg_subscription {
	struct spout__object object;
	struct spout__list link;             /* in channel->subscriptions */
	struct spout__list fresh;            /* in listener->fresh */
	struct spout__pg_listener *listener; /* NULL: it is over */
	struct spout__pg_channel *channel;
	bool announced; /* it has heard LISTENING */
	spout_pg_event_fn fn; /* NULL: a queue */
	void *arg;
	/* The queue. */
	size_t max_events, max_bytes, n_events, n_bytes;
	struct spout__list entries;
	struct spout__line line;
	struct entry *current;       /* what the reader looks at */
	struct spout_pg_event spill; /* `lost` not 0: all is dropped until it was told */
	struct spout_pg_event spilled;
	char name[SPOUT__PG_CHANNEL_BYTES];
};

#define subscription_of(node) \
	spout__container_of(node, struct spout_pg_subscription, link)

/* --- channels --------------------------------------------------------------------- */

static struct spout__pg_channel **
bucket_of(struct spout__pg_listener *listener, const char *name)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return &listener->buckets[(hash ^ hash >> 16) % SPOUT__PG_CHANNEL_BUCKETS];
}

static struct spout__pg_channel *
channel_find(struct spout__pg_listener *listener, const char *name)
{
	struct spout__pg_channel *channel = *bucket_of(listener, name);

	while (channel != NULL && strcmp(channel->name, name) != 0)
		channel = channel->next;
	return channel;
}

static struct spout__pg_channel *
channel_of(struct spout__pg_listener *listener, const char *name)
{
	struct spout__pg_channel *channel = channel_find(listener, name), **bucket;

	if (channel != NULL)
		return channel;
	channel = calloc(1, sizeof(*channel));
	if (channel == NULL)
		return NULL;
	strcpy(channel->name, name);
	spout__list_init(&channel->due);
	spout__list_init(&channel->subscriptions);
	spout__list_push(&listener->channels, &channel->link);
	bucket = bucket_of(listener, name);
	channel->next = *bucket;
	*bucket = channel;
	return channel;
}

void
spout__pg_channel_settle(
    struct spout__pg_listener *listener, struct spout__pg_channel *channel)
{
	struct spout__pg_channel **at = bucket_of(listener, channel->name);

	if (channel->calls > 0 || !spout__list_empty(&channel->subscriptions) ||
	    (channel->state != SPOUT__CHANNEL_ABSENT &&
		channel->state != SPOUT__CHANNEL_REFUSED))
		return;
	while (*at != channel)
		at = &(*at)->next;
	*at = channel->next;
	spout__list_remove(&channel->link);
	spout__list_remove(&channel->due);
	free(channel);
}

/* A name that LISTEN takes and pg_notify() does not refuse. */
static bool
valid_name(const char *name)
{
	size_t len = name != NULL ? strlen(name) : 0;

	return len > 0 && len < SPOUT__PG_CHANNEL_BYTES && spout__utf8_valid(name, len);
}

/* --- queues ----------------------------------------------------------------------- */

static struct entry *
entry_new(const struct spout_pg_event *event)
{
	size_t name = strlen(event->channel) + 1;
	struct entry *entry = malloc(sizeof(*entry) + name + event->len + 1);

	if (entry == NULL)
		return NULL;
	entry->event = *event;
	entry->event.channel = entry->text;
	entry->event.payload = entry->text + name;
	memcpy(entry->text, event->channel, name);
	memcpy(entry->text + name, event->payload, event->len + 1);
	return entry;
}

/* Without memory it is as if the queue was full. */
static void
enqueue(struct spout_pg_subscription *s, const struct spout_pg_event *event)
{
	struct entry *entry = NULL;

	if (s->spill.lost == 0 && s->n_events < s->max_events &&
	    event->len <= s->max_bytes - s->n_bytes)
		entry = entry_new(event);
	if (entry != NULL) {
		s->n_events++;
		s->n_bytes += event->len;
		spout__list_push(&s->entries, &entry->link);
	} else {
		s->spill.lost++;
	}
	(void)spout__line_grant(&s->line);
}

static bool
has_news(const struct spout_pg_subscription *s)
{
	return !spout__list_empty(&s->entries) || s->spill.lost > 0;
}

/* The reader that was woken leaves: another one may be there. */
static void
give_back(struct spout__line *line)
{
	if (has_news(spout__container_of(line, struct spout_pg_subscription, line)))
		(void)spout__line_grant(line);
}

static const struct spout_pg_event *
dequeue(struct spout_pg_subscription *s)
{
	struct spout__list *node = spout__list_pop(&s->entries);

	if (node != NULL) {
		s->current = spout__container_of(node, struct entry, link);
		s->n_events--;
		s->n_bytes -= s->current->event.len;
		return &s->current->event;
	}
	s->spilled = s->spill;
	s->spill.lost = 0;
	return &s->spilled;
}

/* --- handing out ------------------------------------------------------------------ */

static void
hand_to(struct spout_pg_subscription *s, const struct spout_pg_event *event)
{
	if (s->fn != NULL)
		s->fn(event, s->arg);
	else
		enqueue(s, event);
}

static struct spout_pg_event
plain_event(enum spout_pg_event_kind kind, const char *channel)
{
	return (struct spout_pg_event){ .kind = kind, .channel = channel, .payload = "" };
}

/* Has the last one gone? */
static void
look_who_is_left(struct spout__pg_listener *listener, struct spout__pg_channel *channel)
{
	if (!spout__list_empty(&channel->subscriptions) || channel->calls > 0)
		return;
	if (channel->state == SPOUT__CHANNEL_HEARD)
		spout__pg_listener_due(listener, channel);
	else
		spout__pg_channel_settle(listener, channel);
}

/* To all that are listening; NULL: LISTENING to who is not, GAP to who was. */
static void
hand_out(struct spout__pg_listener *listener, struct spout__pg_channel *channel,
    const struct spout_pg_event *event)
{
	struct spout_pg_event listening =
	    plain_event(SPOUT_PG_LISTENING, channel->name);
	struct spout_pg_event gap = plain_event(SPOUT_PG_GAP, channel->name);
	struct spout__list round, *node;
	struct spout_pg_subscription *s;
	bool announced;

	spout__list_init(&round);
	spout__list_splice(&round, &channel->subscriptions);
	channel->calls++;
	while ((node = spout__list_pop(&round)) != NULL) {
		s = subscription_of(node);
		spout__list_push(&channel->subscriptions, node);
		announced = s->announced;
		s->announced |= event == NULL;
		if (event == NULL)
			hand_to(s, announced ? &gap : &listening);
		else if (announced)
			hand_to(s, event);
	}
	channel->calls--;
	look_who_is_left(listener, channel);
}

void
spout__pg_channel_announce(
    struct spout__pg_listener *listener, struct spout__pg_channel *channel)
{
	hand_out(listener, channel, NULL);
}

void
spout__pg_listener_announce_fresh(struct spout__pg_listener *listener)
{
	struct spout_pg_subscription *s;
	struct spout_pg_event event;
	struct spout__list *node;

	while ((node = spout__list_pop(&listener->fresh)) != NULL) {
		s = spout__container_of(node, struct spout_pg_subscription, fresh);
		if (s->announced || s->channel->state != SPOUT__CHANNEL_HEARD)
			continue; /* it will be told with the others */
		s->announced = true;
		event = plain_event(SPOUT_PG_LISTENING, s->name);
		hand_to(s, &event);
	}
}

/* A session of this worker's pool, of now or the one before? */
static bool
is_own(struct spout__pg *pg, int pid)
{
	bool own = false;
	unsigned i;

	pthread_mutex_lock(&pg->lock);
	for (i = 0; i < pg->n_conns && !own; i++)
		own = pg->conns[i].backend_pid == pid;
	pthread_mutex_unlock(&pg->lock);
	return own;
}

void
spout__pg_listener_deliver(
    struct spout__pg_listener *listener, const PGnotify *notification)
{
	struct spout__pg_channel *channel = channel_find(listener, notification->relname);
	struct spout_pg_event event = { .kind = SPOUT_PG_NOTIFICATION,
		.payload = notification->extra,
		.len = strlen(notification->extra),
		.pid = notification->be_pid };

	spout__count(SPOUT__C_PG_NOTIFICATIONS, 1);
	/* Before its LISTENING, or behind the last one's end, it is for nobody. */
	if (channel == NULL || channel->state != SPOUT__CHANNEL_HEARD)
		return;
	event.channel = channel->name;
	event.own = is_own(listener->pg, event.pid);
	hand_out(listener, channel, &event);
}

/* --- subscribing ------------------------------------------------------------------ */

/* No event comes any more. */
static void
detach(struct spout_pg_subscription *s)
{
	struct spout__pg_listener *listener = s->listener;

	if (listener == NULL)
		return;
	s->listener = NULL;
	spout__list_remove(&s->link);
	spout__list_remove(&s->fresh);
	listener->n_subscriptions--;
	look_who_is_left(listener, s->channel);
}

static void
release(void *object)
{
	struct spout_pg_subscription *s = object;
	struct spout__list *node;

	detach(s);
	spout__line_end(&s->line, -ECANCELED);
	free(s->current);
	s->current = NULL;
	while ((node = spout__list_pop(&s->entries)) != NULL)
		free(spout__container_of(node, struct entry, link));
}

static void
attach(struct spout__pg_listener *listener, struct spout__pg_channel *channel,
    struct spout_pg_subscription *s)
{
	s->listener = listener;
	s->channel = channel;
	listener->n_subscriptions++;
	spout__list_push(&channel->subscriptions, &s->link);
	if (channel->state == SPOUT__CHANNEL_HEARD)
		spout__list_push(&listener->fresh, &s->fresh);
	else if (channel->state == SPOUT__CHANNEL_REFUSED)
		channel->state = SPOUT__CHANNEL_ABSENT;
	spout__pg_listener_due(listener, channel);
}

/* NULL with errno, and with a reason if a coroutine asks. */
static struct spout_pg_subscription *
subscribe(struct spout_loop *loop, struct spout_scope *scope, const char *channel)
{
	struct spout__pg *pg = loop != NULL ? spout__pg_of(loop) : NULL;
	struct spout__pg_listener *listener;
	struct spout__pg_channel *at = NULL;
	struct spout_pg_subscription *s = NULL;

	if (!valid_name(channel) || pg == NULL || pg->options.pooler) {
		errno = pg == NULL ? EHOSTDOWN : EINVAL;
		return NULL;
	}
	listener = spout__pg_listener_of(pg);
	if (listener == NULL)
		return NULL;
	if (listener->n_subscriptions >= MAX_SUBSCRIPTIONS) {
		errno = ENOBUFS;
		return NULL;
	}
	at = channel_of(listener, channel);
	if (at != NULL)
		s = spout__object_new(scope, sizeof(*s), release);
	if (s == NULL) {
		if (at != NULL)
			spout__pg_channel_settle(listener, at);
		errno = ENOMEM;
		return NULL;
	}
	spout__list_init(&s->fresh);
	spout__list_init(&s->entries);
	spout__line_init(&s->line, give_back);
	strcpy(s->name, channel);
	s->spill = plain_event(SPOUT_PG_OVERFLOW, s->name);
	attach(listener, at, s);
	return s;
}

static const char *
why_invalid(const char *channel)
{
	return valid_name(channel)
	    ? "it needs a session of its own, which --db-pooler=transaction has not"
	    : "not the name of a channel";
}

struct spout_pg_subscription *
spout_try_pg_listen_with(const char *channel, const struct spout_pg_listen_options *given)
{
	struct spout_coroutine *co = spout__co_must("spout_pg_listen");
	struct spout_pg_listen_options options = { 0 };
	struct spout_pg_subscription *s;

	memcpy(&options, given,
	    given->size < sizeof(options) ? given->size : sizeof(options));
	s = subscribe(co->async->loop, spout__coroutine_scope(co), channel);
	if (s == NULL) {
		errno = -spout__co_error(-errno, "spout_pg_listen: %s",
		    errno == EINVAL ? why_invalid(channel) : strerror(errno));
		return NULL;
	}
	s->max_events = options.max_events != 0 ? options.max_events : MAX_EVENTS;
	s->max_bytes = options.max_bytes != 0 ? options.max_bytes : MAX_BYTES;
	return s;
}

struct spout_pg_subscription *
spout_pg_listen_with(const char *channel, const struct spout_pg_listen_options *options)
{
	struct spout_pg_subscription *s = spout_try_pg_listen_with(channel, options);

	if (s == NULL)
		spout__co_leave(-errno, 0, "%s", spout_error());
	return s;
}

struct spout_pg_subscription *
spout_pg_listen_callback(const char *channel, spout_pg_event_fn fn, void *arg)
{
	struct spout_pg_subscription *s =
	    subscribe(spout_loop_current(), NULL, channel);

	if (s == NULL)
		return NULL;
	s->fn = fn;
	s->arg = arg;
	return s;
}

void
spout_pg_unlisten(struct spout_pg_subscription *s)
{
	if (s == NULL)
		return;
	if (s->object.in_scope)
		release(s); /* the scope does it once more, with nothing left to do */
	else
		spout__object_free(s, "spout_pg_unlisten");
}

void
spout__pg_listener_send_off(struct spout__pg_listener *listener)
{
	struct spout__list *it, *next, *node;
	struct spout__pg_channel *channel;
	struct spout_pg_subscription *s;

	spout__list_for_each_safe(it, next, &listener->channels) {
		channel = spout__container_of(it, struct spout__pg_channel, link);
		channel->state = SPOUT__CHANNEL_ABSENT;
		channel->calls++;
		while ((node = spout__list_pop(&channel->subscriptions)) != NULL) {
			s = subscription_of(node);
			detach(s);
			spout__line_send_off(&s->line, -ECANCELED);
		}
		channel->calls--;
		spout__pg_channel_settle(listener, channel);
	}
}

/* --- waiting for events ----------------------------------------------------------- */

const struct spout_pg_event *
spout_try_pg_next_event(struct spout_pg_subscription *s, uint64_t ms)
{
	struct spout_coroutine *co = spout__co_checkpoint("spout_pg_next_event");
	struct spout_loop *loop = co->async->loop;
	uint64_t until_ms = spout__loop_after_ms(loop, ms), now_ms;
	int r = 0;

	free(s->current);
	s->current = NULL;
	while (r == 0 && !has_news(s)) {
		now_ms = spout_loop_now_ms(loop);
		if (s->listener == NULL)
			r = -ECANCELED;
		else if (ms == SPOUT_FOREVER)
			r = spout__line_wait(&s->line, ms, "spout_pg_next_event");
		else
			r = spout__line_wait(&s->line,
			    until_ms > now_ms ? until_ms - now_ms : 0,
			    "spout_pg_next_event");
	}
	if (r == 0)
		return dequeue(s);
	errno = -spout__co_error(r, "spout_pg_next_event: %s",
	    r == -ETIMEDOUT ? "none came in time" : "the subscription is over");
	return NULL;
}

const struct spout_pg_event *
spout_pg_next_event(struct spout_pg_subscription *s)
{
	const struct spout_pg_event *event = spout_try_pg_next_event(s, SPOUT_FOREVER);

	if (event == NULL)
		spout__co_leave(-errno, 0, "%s", spout_error());
	return event;
}

/* --- notifying -------------------------------------------------------------------- */

int
spout_try_pg_notify(const char *channel, const char *payload)
{
	if (!valid_name(channel))
		return spout__co_error(
		    -EINVAL, "spout_pg_notify: not the name of a channel");
	if (payload != NULL && strlen(payload) > MAX_PAYLOAD_BYTES)
		return spout__co_error(-EMSGSIZE,
		    "spout_pg_notify: more than %u bytes", MAX_PAYLOAD_BYTES);
	if (spout_try_pg_query("SELECT pg_notify($1, $2)", channel,
		payload != NULL ? payload : "") == NULL)
		return -errno;
	return 0;
}

void
spout_pg_notify(const char *channel, const char *payload)
{
	spout__object_leave_if(spout_try_pg_notify(channel, payload));
}
