/* SPDX-License-Identifier: MIT */
/*
 * Topics between hosts, `--topic-url`: through the database (topic_pg.c) or through Redis
 * (topic_redis.c). Each worker has a bridge, that of the leader works: a task that
 * receives, one that sends as long as there is something, and every PRESENCE_MS the
 * people of this host are told of, for what is not told again is forgotten.
 *
 * What is to be sent gathers in a queue of frames with a bound; what comes together goes
 * out together. Beyond the bound messages are dropped, and the others are told that there
 * is a gap. What could not be sent is tried again: whoever has got it drops it.
 */
#ifndef SPOUT_APP_TOPIC_BRIDGE_H
#define SPOUT_APP_TOPIC_BRIDGE_H

#include <spout/types.h>

#include "topic/topics.h"

struct spout__bridge;

/* One kind of way between hosts. Both run in tasks, may wait, and leave when it fails. */
struct spout__bridge_way {
	/*
	 * Receive, calling spout__bridge_up() when nothing is missed any more, and
	 * spout__bridge_came() for what comes, while spout__bridge_receives(), or until
	 * it fails: then it is called again, after a while.
	 */
	void (*receive)(struct spout__bridge *bridge);
	/* Make receive() return. On the loop's stack. */
	void (*stop)(struct spout__bridge *bridge);
	/* Send whole frames, at most max_bytes or one of them. */
	void (*send)(struct spout__bridge *bridge, const char *frames, size_t len);
	size_t max_bytes;
};

struct spout__bridge {
	struct spout__topic_bridge topic;
	struct spout__topics *topics;
	const struct spout__bridge_way *way;
	const char *url;
	struct spout__buffer out; /* frames */
	struct spout__timer beat; /* tells of people */
	struct spout__timer end;  /* of a worker that is replaced */
	bool leading, receiving, sending, lost, stopping;
	bool again;  /* of the way: it has received before */
	void *state; /* of the way */
};

/** Through the database of the program. */
extern const struct spout__bridge_way spout__bridge_pg;
/** Through Redis: redis://[:PASSWORD@]HOST[:PORT]. */
extern const struct spout__bridge_way spout__bridge_redis;
/** Is that an address of Redis? */
bool spout__bridge_redis_valid(const char *url);

/** Bridge the topics of a worker. `url` lives as long. NULL: out of memory. */
struct spout__bridge *spout__bridge_new(
    struct spout__topics *topics, const struct spout__bridge_way *way, const char *url);
/** Stop, after `ms` at most if another worker is to take over. NULL is fine. */
void spout__bridge_stop(struct spout__bridge *bridge, uint64_t ms);
/** No task of it may be left. NULL is fine. */
void spout__bridge_free(struct spout__bridge *bridge);

static inline bool
spout__bridge_receives(const struct spout__bridge *bridge)
{
	return bridge->leading && !bridge->stopping;
}

/** For receive(): from now on nothing is missed; it may have been before, if `gap`. */
void spout__bridge_up(struct spout__bridge *bridge, bool gap);
/** For receive(): frames that have come. What makes no sense is dropped. */
void spout__bridge_came(struct spout__bridge *bridge, const char *frames, size_t len);

#endif
