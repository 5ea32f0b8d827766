/* SPDX-License-Identifier: MIT */
/*
 * Topics between hosts: which worker carries them, and what comes in. The oldest worker
 * leads that is not about to stop; one that stops goes on until another has taken over,
 * for what comes twice is recognised, and what does not come is lost. Loop thread.
 */
#include "config.h"

#include "topic/peer.h"

/* The peer that carries topics to other hosts, or will; 0: none, or it is this worker. */
static uint64_t
leader(const struct spout__topics *topics)
{
	const struct spout__topic_peer *peer, *best = NULL;

	if (topics->bridge == NULL)
		return 0;
	SPOUT__EACH_PEER(topics, peer)
	if (!peer->resigned && (best == NULL || peer->origin.birth < best->origin.birth))
		best = peer;
	if (best == NULL ||
	    (!topics->resigned && topics->self.birth < best->origin.birth))
		return 0;
	return best->bit;
}

void
spout__topics_carry(struct spout__topics *topics, const struct spout__topic_frame *frame)
{
	if (topics->leading && frame->origin.host == topics->self.host)
		topics->bridge->frame(topics->bridge, frame);
}

void
spout__topic_send(struct spout__topic *topic, const struct spout__topic_frame *frame)
{
	struct spout__topics *topics = topic->topics;
	struct spout__topic_peer *peer;
	uint64_t bits = topic->interested | leader(topics);

	SPOUT__EACH_PEER(topics, peer)
	if (peer->all)
		bits |= peer->bit;
	spout__topics_send(topics, bits, frame);
	spout__topics_carry(topics, frame);
}

/* --- leading ---------------------------------------------------------------------- */

static void
set_leading(struct spout__topics *topics, bool leading)
{
	if (topics->leading == leading)
		return;
	topics->leading = leading;
	topics->bridge->lead(topics->bridge, leading);
}

void
spout__topics_elect(struct spout__topics *topics)
{
	if (topics->bridge == NULL || topics->joining)
		return;
	if (leader(topics) == 0)
		set_leading(topics, true);
	else if (!topics->resigned)
		set_leading(topics, false);
}

void
spout__topics_relieved(struct spout__topics *topics)
{
	if (topics->bridge != NULL && topics->resigned)
		set_leading(topics, false);
}

void
spout__topics_set_bridge(struct spout__topics *topics, struct spout__topic_bridge *bridge)
{
	topics->leading = false;
	topics->bridge = bridge;
	spout__topics_elect(topics);
}

void
spout__topics_bridge_up(struct spout__topics *topics)
{
	struct spout__topic_peer *peer;

	SPOUT__EACH_PEER(topics, peer)
	spout__topic_peer_say(peer, SPOUT__WIRE_WANT, NULL);
}

void
spout__topics_resign(struct spout__topics *topics)
{
	struct spout__topic_peer *peer;

	topics->resigned = true;
	SPOUT__EACH_PEER(topics, peer)
	spout__topic_peer_say(peer, SPOUT__WIRE_RESIGN, NULL);
}

/* --- what comes in, and what goes out by itself ----------------------------------- */

/* To the workers of this host that want it. */
static void
relay(struct spout__topic *topic, const struct spout__topic_frame *frame)
{
	spout__topics_send(topic->topics, topic->interested, frame);
}

void
spout__topics_inject(struct spout__topics *topics, const struct spout__topic_frame *frame)
{
	struct spout__topic *topic;
	bool person = frame->kind == SPOUT__WIRE_PRESENT;

	if (frame->kind == SPOUT__WIRE_GAP) {
		spout__topics_gap(topics, &frame->origin);
		spout__topics_send(topics, topics->peer_bits, frame);
		return;
	}
	if (frame->kind == SPOUT__WIRE_WANT && frame->origin.host != topics->self.host) {
		spout__topics_tell_bridge(topics); /* another host has come */
		return;
	}
	if (frame->origin.host == topics->self.host ||
	    (!person && frame->kind != SPOUT__WIRE_MESSAGE))
		return;
	topic = spout__topic_find(topics, frame->topic, person && frame->flag);
	if (topic == NULL)
		return; /* nobody here wants it */
	if (person)
		spout__presence_set(topic, &frame->origin, frame->data, frame->flag,
		    spout__loop_after_ms(topics->loop, SPOUT__TOPIC_AWAY_MS));
	else if (topic->wanted)
		spout__topic_take(topic, frame);
	relay(topic, frame);
}

void
spout__topics_tell_bridge(struct spout__topics *topics)
{
	struct spout__topic *topic;
	struct spout__list *node;

	SPOUT__TOPICS_EACH(topics, topic, i, next)
	spout__list_for_each(node, &topic->present) {
		struct spout__presence *p =
		    spout__container_of(node, struct spout__presence, link);

		spout__topics_carry(topics,
		    &(struct spout__topic_frame){ .kind = SPOUT__WIRE_PRESENT,
			.flag = true,
			.origin = p->owner,
			.topic = spout_slice(topic->name),
			.data = spout_slice(p->name) });
	}
}
