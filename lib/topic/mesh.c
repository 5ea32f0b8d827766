/* SPDX-License-Identifier: MIT */
/*
 * The links between the workers of one supervisor: a stream to each, which the supervisor
 * has made. What a turn of the loop has to say leaves in one write per peer at its end.
 *
 * Nothing waits for a peer. Messages that it does not take in time are dropped, and it is
 * told that there is a gap; when it does not even take what workers must know of each
 * other, it hears all of that again when it reads again. A peer that is gone takes along
 * what it has said: whom it spoke for, what it wanted.
 */
#include "config.h"

#include "topic/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/stats.h"

#define MESSAGES_MAX ((size_t)4 << 20) /* unsent bytes that messages may reach */
#define UNSENT_MAX ((size_t)8 << 20)   /* and the rest */
#define PUSH_MAX ((size_t)2 << 20)     /* what is handed over to a new worker unasked */

static void send_state(struct spout__topic_peer *peer);

/* --- sending ---------------------------------------------------------------------- */

static bool
is_message(const struct spout__topic_frame *frame)
{
	return frame->kind == SPOUT__WIRE_MESSAGE || frame->kind == SPOUT__WIRE_KEPT;
}

static void
peer_send(struct spout__topic_peer *peer, const struct spout__topic_frame *frame)
{
	size_t size = spout__wire_size(frame);
	bool message = is_message(frame);
	char *to;

	if (peer->stale)
		return;
	if (message &&
	    (peer->lossy || spout__stream_unsent(&peer->stream) + size > MESSAGES_MAX)) {
		spout__count(SPOUT__C_TOPIC_DROPPED, 1);
		peer->lossy = true;
		return;
	}
	to = spout__stream_reserve(&peer->stream, size);
	if (to == NULL) {
		peer->lossy = peer->lossy || message;
		peer->stale = !message;
		return;
	}
	spout__wire_put(to, frame);
	spout__stream_commit(&peer->stream, size);
}

void
spout__topic_peer_say(
    struct spout__topic_peer *peer, enum spout__topic_wire kind, const char *topic)
{
	peer_send(peer,
	    &(struct spout__topic_frame){ .kind = kind, .topic = spout_slice(topic) });
}

/* It reads again: say what it has missed. */
static void
on_sent(struct spout__stream *stream)
{
	struct spout__topic_peer *peer =
	    spout__container_of(stream, struct spout__topic_peer, stream);

	if (peer->stale && spout__stream_unsent(stream) == 0) {
		peer->stale = false;
		spout__topic_peer_say(peer, SPOUT__WIRE_RESET, NULL);
		send_state(peer);
	}
	if (peer->lossy && spout__stream_unsent(stream) < MESSAGES_MAX / 2) {
		peer->lossy = false;
		spout__topic_peer_say(peer, SPOUT__WIRE_GAP, NULL);
	}
}

void
spout__topics_send(
    struct spout__topics *topics, uint64_t bits, const struct spout__topic_frame *frame)
{
	for (; bits != 0; bits &= bits - 1)
		peer_send(topics->peers[__builtin_ctzll(bits)], frame);
}

/* --- what a peer is told ---------------------------------------------------------- */

void
spout__topic_send_present(
    struct spout__topic_peer *peer, const struct spout__topic *topic)
{
	const struct spout__topics *topics = peer->topics;
	struct spout__list *node;

	spout__list_for_each(node, &topic->present) {
		struct spout__presence *p =
		    spout__container_of(node, struct spout__presence, link);

		if (spout__publisher_equal(&p->owner, &topics->self) ||
		    (topics->leading && p->owner.host != topics->self.host))
			peer_send(peer,
			    &(struct spout__topic_frame){ .kind = SPOUT__WIRE_PRESENT,
				.flag = true,
				.origin = p->owner,
				.topic = spout_slice(topic->name),
				.data = spout_slice(p->name) });
	}
}

static void
send_kept(struct spout__topic_peer *peer, const struct spout__topic *topic, bool unasked)
{
	for (unsigned i = 0; i < topic->history.len; i++) {
		const struct spout__topic_message *m =
		    spout__history_at(&topic->history, i);

		peer_send(peer,
		    &(struct spout__topic_frame){ .kind = SPOUT__WIRE_KEPT,
			.flag = unasked,
			.origin = m->origin,
			.n = m->n,
			.prev = m->prev,
			.topic = spout_slice(topic->name),
			.data = spout_slice_of(m->data, m->len) });
	}
}

/* A new worker gets what we keep, and keeps it, too: perhaps it takes our place. */
static void
hand_over(struct spout__topic_peer *peer)
{
	struct spout__topics *topics = peer->topics;
	struct spout__topic *topic;

	SPOUT__TOPICS_EACH(topics, topic, i, next)
	{
		if (topic->history.len == 0 ||
		    spout__stream_unsent(&peer->stream) + topic->history.bytes > PUSH_MAX)
			continue;
		topic->interested |= peer->bit;
		send_kept(peer, topic, true);
		spout__topic_send_present(peer, topic);
	}
}

/* What it has to know of us. */
static void
send_state(struct spout__topic_peer *peer)
{
	struct spout__topics *topics = peer->topics;
	struct spout__topic *topic;

	if (topics->leading)
		spout__topic_peer_say(peer, SPOUT__WIRE_WANT, NULL);
	if (topics->resigned)
		spout__topic_peer_say(peer, SPOUT__WIRE_RESIGN, NULL);
	SPOUT__TOPICS_EACH(topics, topic, i, next)
	{
		if (topic->wanted)
			spout__topic_peer_say(peer, SPOUT__WIRE_WANT, topic->name);
		if (peer->all || (topic->interested & peer->bit))
			spout__topic_send_present(peer, topic);
	}
}

/* --- what a peer says ------------------------------------------------------------- */

static void
on_message(struct spout__topics *topics, const struct spout__topic_frame *frame)
{
	struct spout__topic *topic = spout__topic_find(topics, frame->topic, false);

	if (topic != NULL && topic->wanted)
		spout__topic_take(topic, frame);
}

static void
on_kept(struct spout__topic_peer *peer, const struct spout__topic_frame *frame)
{
	struct spout__topics *topics = peer->topics;
	struct spout__topic *topic = spout__topic_find(topics, frame->topic, frame->flag);

	if (topic != NULL && !topic->wanted && frame->flag) {
		spout__topic_touch(topic);
		spout__topic_want(topic, false);
	}
	on_message(topics, frame);
}

static void
on_want(struct spout__topic_peer *peer, const struct spout__topic_frame *frame)
{
	struct spout__topics *topics = peer->topics;
	struct spout__topic *topic;

	if (frame->topic.len == 0) {
		peer->all = true;
		spout__topics_relieved(topics);
		SPOUT__TOPICS_EACH(topics, topic, i, next)
		spout__topic_send_present(peer, topic);
		return;
	}
	topic = spout__topic_find(topics, frame->topic, true);
	if (topic == NULL) {
		peer->all = true; /* more than it has asked for, but nothing less */
	} else {
		topic->interested |= peer->bit;
		spout__topic_send_present(peer, topic);
		if (frame->flag)
			send_kept(peer, topic, false);
	}
	if (frame->flag)
		peer_send(peer,
		    &(struct spout__topic_frame){
			.kind = SPOUT__WIRE_KEPT_END, .topic = frame->topic });
}

/* The leader knows everybody, whether it has subscribers of the topic or not. */
static void
on_present(struct spout__topics *topics, const struct spout__topic_frame *frame)
{
	struct spout__topic *topic =
	    spout__topic_find(topics, frame->topic, topics->leading && frame->flag);

	spout__topics_carry(topics, frame);
	if (topic == NULL || !(topic->wanted || topics->leading) ||
	    spout__publisher_equal(&frame->origin, &topics->self))
		return;
	spout__presence_set(topic, &frame->origin, frame->data, frame->flag,
	    frame->origin.host == topics->self.host
		? 0
		: spout__loop_after_ms(topics->loop, SPOUT__TOPIC_AWAY_MS));
	spout__topic_release(topic);
}

static void
forget_peer(struct spout__topic_peer *peer)
{
	struct spout__topics *topics = peer->topics;
	struct spout__topic *topic;

	peer->all = false;
	spout__presence_lost(topics, &peer->origin);
	SPOUT__TOPICS_EACH(topics, topic, i, next)
	{
		topic->interested &= ~peer->bit;
		spout__topic_release(topic);
	}
}

static void
obey(struct spout__topic_peer *peer, const struct spout__topic_frame *frame)
{
	struct spout__topics *topics = peer->topics;
	struct spout__topic *topic =
	    frame->topic.len > 0 ? spout__topic_find(topics, frame->topic, false) : NULL;

	switch (frame->kind) {
	case SPOUT__WIRE_MESSAGE:
		on_message(topics, frame);
		spout__topics_carry(topics, frame);
		break;
	case SPOUT__WIRE_KEPT:
		on_kept(peer, frame);
		break;
	case SPOUT__WIRE_WANT:
		on_want(peer, frame);
		break;
	case SPOUT__WIRE_FORGET:
		if (topic != NULL) {
			topic->interested &= ~peer->bit;
			spout__topic_release(topic);
		}
		break;
	case SPOUT__WIRE_KEPT_END:
		if (topic != NULL)
			spout__topic_handed_over(topic, peer->bit);
		break;
	case SPOUT__WIRE_PRESENT:
		on_present(topics, frame);
		break;
	case SPOUT__WIRE_RESET:
		forget_peer(peer);
		break;
	case SPOUT__WIRE_GAP:
		spout__topics_gap(topics, &frame->origin);
		break;
	default: /* RESIGN */
		peer->resigned = true;
		spout__topics_elect(topics);
	}
}

/* --- a link ----------------------------------------------------------------------- */

static void
peer_free(struct spout__ready *ready)
{
	free(spout__container_of(ready, struct spout__topic_peer, ready));
}

static void
peer_close(struct spout__topic_peer *peer)
{
	struct spout__topics *topics = peer->topics;

	topics->peers[__builtin_ctzll(peer->bit)] = NULL;
	topics->peer_bits &= ~peer->bit;
	spout__gauge_add(SPOUT__G_TOPIC_PEERS, -1);
	spout__stream_close(&peer->stream);
	spout__buffer_release(&peer->in);
}

static void
peer_lost(struct spout__topic_peer *peer)
{
	struct spout__topics *topics = peer->topics;
	struct spout__topic *topic;

	peer_close(peer);
	SPOUT__TOPICS_EACH(topics, topic, i, next)
	spout__topic_handed_over(topic, peer->bit);
	forget_peer(peer);
	spout__topics_elect(topics);
	spout__ready_init(&peer->ready, peer_free);
	spout__loop_defer_free(topics->loop, &peer->ready);
}

static void
on_eof(struct spout__stream *stream)
{
	peer_lost(spout__container_of(stream, struct spout__topic_peer, stream));
}

static void
on_error(struct spout__stream *stream, int error)
{
	(void)error;
	on_eof(stream);
}

static void
on_closing(struct spout__stream *stream)
{
	(void)stream; /* with reading off only */
}

/* Obey whole frames; returns how many bytes they were, or -EBADMSG. */
static long
obey_all(struct spout__topic_peer *peer, const char *data, size_t len)
{
	struct spout__topic_frame frame;
	size_t used = 0;
	long n;

	while ((n = spout__wire_get(data + used, len - used, &frame)) > 0) {
		used += (size_t)n;
		obey(peer, &frame);
	}
	return n < 0 ? n : (long)used;
}

static void
on_data(struct spout__stream *stream, const char *data, size_t len)
{
	struct spout__topic_peer *peer =
	    spout__container_of(stream, struct spout__topic_peer, stream);
	long used = 0;
	int r = 0;

	if (peer->in.len == 0)
		used = obey_all(peer, data, len);
	if (used >= 0 && (size_t)used < len)
		r = spout__buffer_append(&peer->in, data + used, len - (size_t)used);
	if (used >= 0 && r == 0 && peer->in.len > len - (size_t)used) {
		used = obey_all(peer, spout__buffer_at(&peer->in), peer->in.len);
		if (used > 0)
			spout__buffer_consume(&peer->in, (size_t)used);
	}
	if (peer->in.len == 0)
		spout__buffer_release(&peer->in);
	if (used >= 0 && r == 0)
		return;
	spout_error_log("topics: the link to worker %u is cut: %s", peer->origin.slot,
	    r < 0 ? "out of memory" : "it makes no sense");
	peer_lost(peer);
}

static const struct spout__stream_ops stream_ops = { on_data, on_eof, on_closing,
	on_error, on_sent };

int
spout__topics_add_peer(
    struct spout__topics *topics, int fd, const struct spout__publisher *origin)
{
	unsigned i = (unsigned)__builtin_ctzll(~topics->peer_bits);
	struct spout__topic_peer *peer;
	int r;

	if (i >= SPOUT__TOPIC_PEERS_MAX) {
		close(fd);
		return -ENOBUFS;
	}
	peer = calloc(1, sizeof(*peer));
	r = peer == NULL ? -ENOMEM
			 : spout__stream_init(
			       &peer->stream, topics->loop, fd, &stream_ops, UNSENT_MAX);
	if (r < 0) {
		free(peer);
		close(fd);
		return r;
	}
	spout__buffer_init(&peer->in, SPOUT__WIRE_MAX + SPOUT__LOOP_SCRATCH);
	peer->topics = topics;
	peer->origin = *origin;
	peer->origin.host = topics->self.host;
	peer->bit = (uint64_t)1 << i;
	topics->peers[i] = peer;
	topics->peer_bits |= peer->bit;
	spout__gauge_add(SPOUT__G_TOPIC_PEERS, 1);
	send_state(peer);
	if (origin->birth > topics->self.birth)
		hand_over(peer);
	spout__topics_elect(topics);
	return 0;
}

void
spout__topics_leave_mesh(struct spout__topics *topics)
{
	struct spout__topic_peer *peer;

	SPOUT__EACH_PEER(topics, peer)
	{
		peer_close(peer);
		free(peer);
	}
}

void
spout__topics_set_self(struct spout__topics *topics, const struct spout__publisher *self)
{
	topics->self = *self;
}

void
spout__topics_set_joining(struct spout__topics *topics, bool joining)
{
	struct spout__topic *topic;

	topics->joining = joining;
	if (joining)
		return;
	SPOUT__TOPICS_EACH(topics, topic, i, next)
	spout__topic_handed_over(topic, SPOUT__TOPIC_JOINING);
	spout__topics_elect(topics);
}
