/* SPDX-License-Identifier: MIT */
/*
 * Topics: what one publishes, every subscriber gets, in whichever worker of the program
 * it is.
 *
 *     spout_topic_publishf("room:1", "%s entered", name);
 *
 *     struct spout_subscription *room = spout_topic_subscribe("room:1", .history = 20);
 *
 *     for (;;) {
 *         const struct spout_topic_event *event = spout_topic_next(room);
 *
 *         if (event->kind == SPOUT_TOPIC_MESSAGE)
 *             use(event->data, event->len);
 *     }
 *
 * WebSockets subscribe with spout_websocket_subscribe(), streams of events with
 * spout_sse_topic(), and spout_poll_topic() answers a long poll.
 *
 * Each message has an id: who published it (host, worker, generation) and a number. The
 * messages of one publisher in one topic come in their order, each once; those of
 * different publishers in any order, and not the same for all. Nothing waits for a slow
 * subscriber: what does not fit is dropped, and it is told that there is a gap.
 *
 * Every worker that has subscribers of a topic keeps its last messages for those that
 * come again: a position, a text, says what a client has got of each publisher, and a
 * subscription that begins there gets the rest, or SPOUT_TOPIC_GAP if it is not kept any
 * more. A worker that is replaced hands them to its successor; with the last worker that
 * keeps a topic they are gone.
 *
 * A name is 1 to 200 bytes of UTF-8. Loop thread.
 */
#ifndef SPOUT_TOPIC_H
#define SPOUT_TOPIC_H

#include <spout/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SPOUT_TOPIC_NAME_MAX 200u
#define SPOUT_TOPIC_PERSON_MAX 128u

struct spout_subscription;

enum spout_topic_kind {
	SPOUT_TOPIC_MESSAGE,
	/* Messages have been missed here: by a slow subscriber, by one that comes again
	 * too late, or because a worker or a connection was lost. */
	SPOUT_TOPIC_GAP,
	/* Somebody has come to, or has left the topic: `data` is the name. */
	SPOUT_TOPIC_JOIN,
	SPOUT_TOPIC_LEAVE,
};

/** What a subscription gets; valid until the next one is asked for. */
struct spout_topic_event {
	enum spout_topic_kind kind;
	const char *topic;
	const char *id;   /* of a message, "HOST.SLOT.GENERATION-N"; else "" */
	const char *data; /* ends with a NUL that `len` does not count */
	size_t len;
};

struct spout_topic_options {
	size_t size; /* sizeof this struct, set by the macro */
	/* Begin with so many of the last messages, if they are kept. */
	unsigned history;
	/* Begin behind this position instead; NULL or "": none. One that is malformed is
	 * taken for one that is not kept. */
	const char *since;
	/* Who is present in the topic while this subscription lives: 1 to 128 bytes of
	 * UTF-8. NULL: nobody. */
	const char *person;
	/* WebSockets: send JSON of what comes, as spout_topic_json(), instead of the bare
	 * data of messages; see spout_websocket_subscribe(). */
	bool json;
	size_t max_events; /* wait in the queue of a subscription [1024] */
	size_t max_bytes;  /* of their data [1 MiB] */
};
#define SPOUT_TOPIC_OPTIONS_(...) \
	(&(struct spout_topic_options){ \
	    .size = sizeof(struct spout_topic_options), ##__VA_ARGS__ })

/**
 * Publish a message of at most 1 MiB: subscribers of this worker have it queued when this
 * returns, others get it at the end of the turn of the loop. Does not wait; anywhere on
 * the loop's thread. Copies. 0, -EINVAL (the name of the topic), -EMSGSIZE, -ENOBUFS
 * (65536 topics), -ENOMEM.
 */
SPOUT_API int spout_topic_publish(const char *topic, const void *data, size_t len);
/** The same with formatted text. */
SPOUT_API int spout_topic_publishf(const char *topic, const char *fmt, ...)
    SPOUT_PRINTF(2, 3);

/**
 * Subscribe. Belongs to the running scope, which ends it. When this is the first
 * subscriber of this worker, waits for other workers to hand over what they keep of the
 * topic, 1 s at most. The try form returns NULL with errno: EINVAL (name, person),
 * ENOBUFS (65536 topics, 4096 present), ENOMEM.
 */
#define spout_topic_subscribe(topic, ...) \
	spout_topic_subscribe_with((topic), SPOUT_TOPIC_OPTIONS_(__VA_ARGS__))
#define spout_try_topic_subscribe(topic, ...) \
	spout_try_topic_subscribe_with((topic), SPOUT_TOPIC_OPTIONS_(__VA_ARGS__))
SPOUT_API struct spout_subscription *spout_topic_subscribe_with(
    const char *topic, const struct spout_topic_options *options);
SPOUT_API SPOUT_MUST_CHECK struct spout_subscription *spout_try_topic_subscribe_with(
    const char *topic, const struct spout_topic_options *options);
/** End it before its scope ends. A coroutine that waits for it gets -ECANCELED. */
SPOUT_API void spout_topic_unsubscribe(struct spout_subscription *subscription);

/** Wait for the next event. One coroutine at a time. Suspends. */
SPOUT_API const struct spout_topic_event *spout_topic_next(
    struct spout_subscription *subscription);
/** The same, at most `ms`: NULL with errno ETIMEDOUT, or ECANCELED when it has ended. */
SPOUT_API SPOUT_MUST_CHECK const struct spout_topic_event *spout_try_topic_next(
    struct spout_subscription *subscription, uint64_t ms);
/**
 * What this subscription has been given so far: for .since of one that comes after it.
 * At most 4 KiB; valid until the next call.
 */
SPOUT_API const char *spout_topic_position(struct spout_subscription *subscription);
/**
 * The event that was given last as JSON: {"topic": …, "id": …, "data": …}, {"topic": …,
 * "gap": true}, {"topic": …, "join": NAME} or {"topic": …, "leave": NAME}. Valid until
 * the next call. NULL before the first, and when out of memory.
 */
SPOUT_API const char *spout_topic_json(struct spout_subscription *subscription);

/**
 * Who is present in a topic, in all workers: names in order, each once, ended by NULL, in
 * the memory of the running scope. Known of topics that this worker has subscribers of.
 * Leaves with -ENOMEM.
 */
SPOUT_API const char *const *spout_topic_present(const char *topic, size_t *ret_n);

#ifdef __cplusplus
}
#endif

#endif
