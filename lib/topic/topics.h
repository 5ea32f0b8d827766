/* SPDX-License-Identifier: MIT */
/*
 * Inside of topics, for this folder and for those that subscribe on behalf of others
 * (websocket, web) or carry topics further (app). One struct spout__topics per loop, made
 * when first asked for. Loop thread.
 *
 *      published here --+                        +--> subscribers of this worker
 *      peers (mesh.c) --+--> accept (topics.c) --+--> history
 *      the bridge ------+                        +--> peers that want the topic, the
 *                                                     bridge
 *
 * A topic is *wanted* from its first subscriber on, until it has had none for keep_ms:
 * peers know that and send its messages. A worker that only publishes keeps what it has
 * published as long. Peers are told apart by a bit each.
 *
 * Messages are recognised by origin and number: what has come already is dropped, so two
 * ways for one message do no harm. A number whose predecessor is missing is a gap.
 */
#ifndef SPOUT_TOPIC_TOPICS_H
#define SPOUT_TOPIC_TOPICS_H

#include <spout/topic.h>

#include "async/line.h"
#include "loop/loop.h"
#include "topic/history.h"
#include "topic/wire.h"

#define SPOUT__TOPICS_MAX 65536u
#define SPOUT__TOPIC_PRESENT_MAX 4096u
#define SPOUT__TOPIC_PEERS_MAX 63u
#define SPOUT__TOPIC_JOINING ((uint64_t)1 << 63) /* in place of peers to come */

struct spout__topic_peer;
struct spout__topic_subscriber;

struct spout__topic_subscriber {
	struct spout__list link;
	/* A message or an event. May neither wait nor unsubscribe anybody. */
	void (*take)(struct spout__topic_subscriber *s, struct spout__topic_message *m);
	struct spout__topic *topic; /* NULL: it is not subscribed */
	struct spout__presence *presence;
};

/* Somebody is in a topic, by a subscription somewhere. */
struct spout__presence {
	struct spout__list link; /* in topic->present */
	struct spout__publisher owner;
	unsigned count;      /* subscriptions of this worker */
	uint64_t expires_ms; /* of another host, unless it says so again; 0: never */
	char name[];
};

struct spout__topic {
	struct spout__list link; /* in a bucket */
	struct spout__list idle; /* in topics->idle, when it has no subscribers */
	struct spout__topics *topics;
	struct spout__list subscribers;
	struct spout__list present;
	unsigned n_present;
	struct spout__position seen; /* what has been accepted */
	struct spout__history history;
	struct spout__line waiting; /* for peers to hand over their history */
	uint64_t handing_over;      /* bits of those peers */
	uint64_t interested;        /* bits of the peers that want it */
	uint64_t prev;              /* number of the last message published here */
	uint64_t idle_since_ms;
	unsigned hash;
	bool wanted;
	char name[];
};

/* What carries topics to other hosts; one worker of a host does it, the leader. */
struct spout__topic_bridge {
	/* Begin, or stop, to carry: receive, and send what frame() gets. */
	void (*lead)(struct spout__topic_bridge *bridge, bool leading);
	/* A MESSAGE or PRESENT of this host. Only while leading. */
	void (*frame)(
	    struct spout__topic_bridge *bridge, const struct spout__topic_frame *frame);
};

struct spout__topics {
	struct spout_loop *loop;
	struct spout__publisher self;
	uint64_t n; /* of the last message published here */
	struct spout__list *buckets;
	unsigned n_buckets, n_topics;
	struct spout__list idle; /* topics, the longest idle first */
	struct spout__timer tick;
	size_t history_bytes; /* of all topics */
	unsigned history;     /* messages of a topic */
	size_t max_history_bytes;
	uint64_t keep_ms;
	struct spout__topic_peer *peers[SPOUT__TOPIC_PEERS_MAX];
	uint64_t peer_bits;
	bool joining; /* peers are still to come */
	struct spout__topic_bridge *bridge;
	bool leading, resigned;
};

/* --- topics.c --------------------------------------------------------------------- */

/** Those of a loop; made when there are none. NULL: out of memory. */
struct spout__topics *spout__topics_of(struct spout_loop *loop);
/** The topic of that name; if there is none, with `make` a new one, else NULL. NULL with
 * errno ENOBUFS or ENOMEM. */
struct spout__topic *spout__topic_find(
    struct spout__topics *topics, struct spout_slice name, bool make);
/** Free it if nobody needs it. */
void spout__topic_release(struct spout__topic *topic);
/** It has been used: keep it for a while, if it has no subscribers. */
void spout__topic_touch(struct spout__topic *topic);
/** Ask the peers for it; with `history` for what they keep of it, too. */
void spout__topic_want(struct spout__topic *topic, bool history);
/** A peer has handed over what it keeps, or is gone: go on if it was the last. */
void spout__topic_handed_over(struct spout__topic *topic, uint64_t bits);
/** Is that a name for a topic? */
bool spout__topic_name_valid(struct spout_slice name);

#define SPOUT__TOPICS_EACH(topics, topic, bucket, next) \
	for (unsigned bucket = 0; bucket < (topics)->n_buckets; bucket++) \
		for (struct spout__list *at_##topic = (topics)->buckets[bucket].next, \
					*next = at_##topic->next; \
		     at_##topic != &(topics)->buckets[bucket] && \
		     (topic = spout__container_of( \
			  at_##topic, struct spout__topic, link)); \
		     at_##topic = next, next = at_##topic->next)

/* --- deliver.c -------------------------------------------------------------------- */

/** A message has come: from here, a peer or the bridge. */
void spout__topic_accept(struct spout__topic *topic, struct spout__topic_message *m);
/** The same with the frame of one. */
void spout__topic_take(
    struct spout__topic *topic, const struct spout__topic_frame *frame);
/** Tell the subscribers. */
void spout__topic_tell(
    struct spout__topic *topic, enum spout_topic_kind kind, const char *name);
/** Messages of that origin (host 0: of any) are lost. */
void spout__topics_gap(
    struct spout__topics *topics, const struct spout__publisher *origin);
/**
 * Subscribe, after having waited for the history; hands over what `options` ask for.
 * `s` has its `take` set and lives until spout__topic_detach(). 0, -EINVAL, -ENOBUFS,
 * -ENOMEM. Inside a coroutine.
 */
SPOUT_MUST_CHECK int spout__topic_attach(struct spout__topic_subscriber *s,
    const char *name, const struct spout_topic_options *options);
/** End it; no-op if it is not subscribed. */
void spout__topic_detach(struct spout__topic_subscriber *s);

/* --- presence.c ------------------------------------------------------------------- */

/** Somebody is present by `owner`: NULL with errno. */
struct spout__presence *spout__presence_add(struct spout__topic *topic,
    const struct spout__publisher *owner, struct spout_slice name);
void spout__presence_remove(struct spout__topic *topic, struct spout__presence *presence);
/** What a peer, or the bridge (with the time it is good for), says of it. */
void spout__presence_set(struct spout__topic *topic, const struct spout__publisher *owner,
    struct spout_slice name, bool is, uint64_t expires_ms);
/** That worker is gone, and with it all whom it has spoken for. */
void spout__presence_lost(
    struct spout__topics *topics, const struct spout__publisher *owner);
/** Forget those of other hosts that have not been told of again. */
void spout__presence_expire(struct spout__topics *topics);
/** The names in order, each once: how many, or -ENOMEM. Owned by the caller, and the
 * strings are the topic's. */
long spout__presence_names(const struct spout__topic *topic, const char ***ret_names);

/* --- mesh.c ----------------------------------------------------------------------- */

/** Peers are still to come: who subscribes waits for them. Then they are all here. */
void spout__topics_set_joining(struct spout__topics *topics, bool joining);
/** Who this worker is; before anything is published. */
void spout__topics_set_self(
    struct spout__topics *topics, const struct spout__publisher *self);
/** A stream to another worker. Takes the descriptor, whatever it returns: 0 or -errno. */
int spout__topics_add_peer(
    struct spout__topics *topics, int fd, const struct spout__publisher *origin);
/** Send a frame to the peers of these bits. */
void spout__topics_send(
    struct spout__topics *topics, uint64_t bits, const struct spout__topic_frame *frame);
/** Cut all links. */
void spout__topics_leave_mesh(struct spout__topics *topics);

/* --- bridge.c --------------------------------------------------------------------- */

/** Send what concerns that topic: to who wants it, the leader, the bridge. */
void spout__topic_send(
    struct spout__topic *topic, const struct spout__topic_frame *frame);
/** Carry the topics of this host to others. NULL: no more; lead() is not called. */
void spout__topics_set_bridge(
    struct spout__topics *topics, struct spout__topic_bridge *bridge);
/** The bridge receives from now on: the other workers hand over to it. */
void spout__topics_bridge_up(struct spout__topics *topics);
/** What the bridge has brought: MESSAGE, PRESENT, GAP, or WANT of a host that is new;
 * others are dropped. */
void spout__topics_inject(
    struct spout__topics *topics, const struct spout__topic_frame *frame);
/** Tell the bridge of everybody of this host who is present. */
void spout__topics_tell_bridge(struct spout__topics *topics);
/** This worker will stop: if it leads, it does so until another has taken over. */
void spout__topics_resign(struct spout__topics *topics);

#endif
