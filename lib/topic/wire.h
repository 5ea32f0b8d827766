/* SPDX-License-Identifier: MIT */
/*
 * What workers tell each other about topics: frames of one shape, numbers with the least
 * significant byte first.
 *
 *     length of the rest 4 | kind 1 | flag 1 | length of the topic 1 | 0 |
 *     host 8 | birth 4 | slot 4 | n 8 | prev 8 | topic | data
 *
 * The bridges carry the same frames to other hosts. Pure, any thread.
 */
#ifndef SPOUT_TOPIC_WIRE_H
#define SPOUT_TOPIC_WIRE_H

#include "topic/message.h"

enum spout__topic_wire {
	SPOUT__WIRE_MESSAGE = 1, /* origin, n, prev, topic, data */
	SPOUT__WIRE_KEPT,   /* the same, out of the history; flag: the topic is new to
			      * you, keep it, too */
	SPOUT__WIRE_WANT,   /* send me that topic; without one, all of them. Flag: and
			      * what you keep of it, then KEPT_END */
	SPOUT__WIRE_FORGET, /* send me nothing more of that topic */
	SPOUT__WIRE_KEPT_END,
	SPOUT__WIRE_PRESENT, /* origin, topic, name; flag: is, else is no more */
	SPOUT__WIRE_RESET,   /* what I have told you is void: I say it again */
	SPOUT__WIRE_GAP, /* messages are lost: of the origin; of any if its host is 0 */
	SPOUT__WIRE_RESIGN, /* I stop soon: another shall lead */
	SPOUT__N_WIRE,
};

struct spout__topic_frame {
	enum spout__topic_wire kind;
	bool flag;
	struct spout__publisher origin;
	uint64_t n, prev;
	struct spout_slice topic, data; /* borrowed */
};

#define SPOUT__WIRE_HEAD 40u
#define SPOUT__WIRE_MAX (SPOUT__WIRE_HEAD + SPOUT_TOPIC_NAME_MAX + SPOUT__TOPIC_DATA_MAX)

/** Bytes of a frame. */
static inline size_t
spout__wire_size(const struct spout__topic_frame *frame)
{
	return SPOUT__WIRE_HEAD + frame->topic.len + frame->data.len;
}

/** Write it where there is room for that many bytes. */
void spout__wire_put(char *to, const struct spout__topic_frame *frame);
/**
 * Read the frame at the front. Returns its length, 0 when it has not come whole, or
 * -EBADMSG for what is no frame. The slices point into `data`.
 */
long spout__wire_get(const char *data, size_t len, struct spout__topic_frame *ret_frame);

#endif
