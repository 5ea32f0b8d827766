/* SPDX-License-Identifier: MIT */
/*
 * The last messages of a topic, in the order that they came to this worker, and
 * positions: of each origin, how far somebody has got. Loop thread.
 */
#ifndef SPOUT_TOPIC_HISTORY_H
#define SPOUT_TOPIC_HISTORY_H

#include "topic/message.h"

/** Origins that a position tells of; of more the oldest are forgotten. */
#define SPOUT__POSITION_MAX 64u
#define SPOUT__POSITION_TEXT (SPOUT__POSITION_MAX * SPOUT__TOPIC_ID_SIZE)

struct spout__position {
	unsigned len, cap;
	struct spout__mark {
		struct spout__publisher origin;
		uint64_t n;
	} * marks; /* the one that moved last is the last; owned */
};

void spout__position_release(struct spout__position *position);
/** How far in that origin; NULL: it is not known. Until the position changes. */
const struct spout__mark *spout__position_find(
    const struct spout__position *position, const struct spout__publisher *origin);
/** It has got to `n`. Returns 0, or -ENOMEM: then the position does not know. */
int spout__position_set(
    struct spout__position *position, const struct spout__publisher *origin, uint64_t n);
/** Ids with commas between them, or "-" for none. 0, -EBADMSG, -ENOMEM; `position` is
 * empty then. */
int spout__position_parse(const char *text, struct spout__position *position);
/** Write the text, with a NUL. */
void spout__position_text(
    const struct spout__position *position, char to[SPOUT__POSITION_TEXT]);

struct spout__history {
	struct spout__topic_message **ring; /* `cap` of them, or NULL */
	unsigned first, len, cap;
	size_t bytes;
};

/** Keep at most `cap`. Allocates nothing yet. */
void spout__history_init(struct spout__history *history, unsigned cap);
void spout__history_clear(struct spout__history *history);
/** The i-th, from the oldest. */
static inline struct spout__topic_message *
spout__history_at(const struct spout__history *history, unsigned i)
{
	return history->ring[(history->first + i) % history->cap];
}
/** Drop the oldest. */
void spout__history_drop(struct spout__history *history);
/** Keep a message, instead of the oldest if need be. Without memory it is not kept. */
void spout__history_push(struct spout__history *history, struct spout__topic_message *m);
/**
 * Put in one that another worker has kept: before the first that came after it from the
 * same origin. False if it is there already, or is older than all in a full ring.
 */
bool spout__history_merge(struct spout__history *history, struct spout__topic_message *m);

#endif
