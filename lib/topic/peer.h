/* SPDX-License-Identifier: MIT */
/* A link to another worker, for mesh.c and bridge.c. Loop thread. */
#ifndef SPOUT_TOPIC_PEER_H
#define SPOUT_TOPIC_PEER_H

#include "net/stream.h"
#include "topic/topics.h"

/* What another host says of its people is good for so long. */
#define SPOUT__TOPIC_AWAY_MS 15000u

struct spout__topic_peer {
	struct spout__stream stream;
	struct spout__buffer in;   /* the beginning of a frame */
	struct spout__ready ready; /* deferred free */
	struct spout__topics *topics;
	struct spout__publisher origin;
	uint64_t bit;
	bool all;      /* it wants every topic */
	bool resigned; /* it stops soon */
	bool lossy;    /* messages have been dropped, and are until there is room */
	bool stale;    /* it has to be told everything again */
};

#define SPOUT__EACH_PEER(topics, peer) \
	for (unsigned at_##peer = 0; at_##peer < SPOUT__TOPIC_PEERS_MAX; at_##peer++) \
		if ((peer = (topics)->peers[at_##peer]) != NULL)

/** Say what takes no more than a topic, or NULL. */
void spout__topic_peer_say(
    struct spout__topic_peer *peer, enum spout__topic_wire kind, const char *topic);
/** Whom this worker speaks for in that topic. */
void spout__topic_send_present(
    struct spout__topic_peer *peer, const struct spout__topic *topic);

/* --- bridge.c --------------------------------------------------------------------- */

/** Peers have come, gone or resigned: who leads now? */
void spout__topics_elect(struct spout__topics *topics);
/** Another worker carries topics from now on. */
void spout__topics_relieved(struct spout__topics *topics);
/** Give it to the bridge, if this worker leads and it is of this host. */
void spout__topics_carry(
    struct spout__topics *topics, const struct spout__topic_frame *frame);

#endif
