/* SPDX-License-Identifier: MIT */
/* Frames between workers: see wire.h. */
#include "config.h"

#include "topic/wire.h"

#include <errno.h>

#include "base/text.h"

static char *
put_int(char *to, uint64_t n, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		*to++ = (char)(n >> (8 * i));
	return to;
}

static uint64_t
get_int(const char **at, unsigned bytes)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < bytes; i++)
		n |= (uint64_t)(unsigned char)*(*at)++ << (8 * i);
	return n;
}

void
spout__wire_put(char *to, const struct spout__topic_frame *frame)
{
	to = put_int(to, spout__wire_size(frame) - 4, 4);
	to = put_int(to, frame->kind, 1);
	to = put_int(to, frame->flag, 1);
	to = put_int(to, frame->topic.len, 1);
	to = put_int(to, 0, 1);
	to = put_int(to, frame->origin.host, 8);
	to = put_int(to, frame->origin.birth, 4);
	to = put_int(to, frame->origin.slot, 4);
	to = put_int(to, frame->n, 8);
	to = put_int(to, frame->prev, 8);
	if (frame->topic.len > 0)
		to = spout__put(to, frame->topic.data, frame->topic.len);
	if (frame->data.len > 0)
		spout__put(to, frame->data.data, frame->data.len);
}

/* Do topic and data have the sizes that this kind needs? */
static bool
makes_sense(const struct spout__topic_frame *frame)
{
	size_t topic = frame->topic.len, data = frame->data.len;

	if (topic > SPOUT_TOPIC_NAME_MAX ||
	    memchr(frame->topic.data, '\0', topic) != NULL)
		return false;
	switch (frame->kind) {
	case SPOUT__WIRE_MESSAGE:
	case SPOUT__WIRE_KEPT:
		return topic > 0 && data <= SPOUT__TOPIC_DATA_MAX &&
		    frame->n > frame->prev;
	case SPOUT__WIRE_WANT:
		return data == 0;
	case SPOUT__WIRE_FORGET:
	case SPOUT__WIRE_KEPT_END:
		return topic > 0 && data == 0;
	case SPOUT__WIRE_PRESENT:
		return topic > 0 && data > 0 && data <= SPOUT_TOPIC_PERSON_MAX &&
		    memchr(frame->data.data, '\0', data) == NULL;
	case SPOUT__WIRE_RESET:
	case SPOUT__WIRE_GAP:
	case SPOUT__WIRE_RESIGN:
		return topic == 0 && data == 0;
	default:
		return false;
	}
}

long
spout__wire_get(const char *data, size_t len, struct spout__topic_frame *ret_frame)
{
	struct spout__topic_frame frame = { 0 };
	const char *at = data;
	uint64_t rest, topic;

	if (len < 4)
		return 0;
	rest = get_int(&at, 4);
	if (rest < SPOUT__WIRE_HEAD - 4 || rest > SPOUT__WIRE_MAX - 4)
		return -EBADMSG;
	if (len < rest + 4)
		return 0;
	frame.kind = (enum spout__topic_wire)get_int(&at, 1);
	frame.flag = get_int(&at, 1) != 0;
	topic = get_int(&at, 1);
	at++;
	frame.origin.host = get_int(&at, 8);
	frame.origin.birth = (uint32_t)get_int(&at, 4);
	frame.origin.slot = (uint32_t)get_int(&at, 4);
	frame.n = get_int(&at, 8);
	frame.prev = get_int(&at, 8);
	if (topic > rest + 4 - SPOUT__WIRE_HEAD)
		return -EBADMSG;
	frame.topic = spout_slice_of(at, topic);
	frame.data = spout_slice_of(at + topic, rest + 4 - SPOUT__WIRE_HEAD - topic);
	if (!makes_sense(&frame))
		return -EBADMSG;
	*ret_frame = frame;
	return (long)(rest + 4);
}
