/* SPDX-License-Identifier: MIT */
/*
 * A message of a topic, shared by all that hold it: subscribers, the history. What one
 * kind of receiver makes of it (its JSON, a frame of WebSockets) hangs on it, so that it
 * is made once. Loop thread.
 */
#ifndef SPOUT_TOPIC_MESSAGE_H
#define SPOUT_TOPIC_MESSAGE_H

#include <spout/topic.h>

#include "base/buffer.h"

#define SPOUT__TOPIC_DATA_MAX (1u << 20)

/** Who publishes: one process. No two processes of a host have the same `birth`. */
struct spout__publisher {
	uint64_t host; /* a supervisor with its workers */
	uint32_t birth, slot;
};

/** What is made of a message. */
enum spout__topic_form {
	SPOUT__TOPIC_JSON,
	SPOUT__TOPIC_FRAME,      /* of WebSockets: the data */
	SPOUT__TOPIC_JSON_FRAME, /* its JSON */
	SPOUT__N_TOPIC_FORMS,
};

struct spout__topic_message {
	unsigned refs;
	enum spout_topic_kind kind; /* no MESSAGE: an event, whose data is a name */
	struct spout__publisher origin;
	uint64_t n;    /* grows with each message of the origin, in whichever topic */
	uint64_t prev; /* that of the one before in this topic; 0: not known */
	struct {
		void *made;
		void (*free_fn)(void *made);
	} forms[SPOUT__N_TOPIC_FORMS];
	size_t len;
	const char *data;
	char topic[]; /* NUL, then the data, NUL */
};

static inline bool
spout__publisher_equal(const struct spout__publisher *a, const struct spout__publisher *b)
{
	return a->birth == b->birth && a->host == b->host && a->slot == b->slot;
}

/** Copies. One reference, or NULL: out of memory. */
struct spout__topic_message *spout__topic_message_new(struct spout_slice topic,
    const struct spout__publisher *origin, uint64_t n, uint64_t prev,
    struct spout_slice data);
struct spout__topic_message *spout__topic_message_ref(struct spout__topic_message *m);
void spout__topic_message_unref(struct spout__topic_message *m);
/** An event: the same, without an origin. */
struct spout__topic_message *spout__topic_event_new(
    const char *topic, enum spout_topic_kind kind, const char *name);
/** Its JSON: owned by the message; NULL when out of memory. */
const char *spout__topic_message_json(struct spout__topic_message *m);

/** Append "name":"value". 0 or -errno. */
int spout__topic_put_string(
    struct spout__buffer *to, const char *name, const char *value, size_t len);

/** Longest text of an id, with its NUL. */
#define SPOUT__TOPIC_ID_SIZE 56u
/** "HOST.SLOT.BIRTH-N"; returns its length. */
size_t spout__topic_id_put(
    char to[SPOUT__TOPIC_ID_SIZE], const struct spout__publisher *origin, uint64_t n);
/** Read one; returns where it ends, or NULL. */
const char *spout__topic_id_parse(
    const char *text, struct spout__publisher *ret_origin, uint64_t *ret_n);

#endif
