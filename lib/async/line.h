/* SPDX-License-Identifier: MIT */
/*
 * Coroutines that wait in line, first come first served: what locks, queues, groups and
 * iterators are made of. Loop thread. Places lie on the stacks of those who wait, so a
 * line allocates nothing.
 *
 *   waiting -- grant --> promised -- resumed --> gone (result 0)
 *      |                    +-- leaves instead --> give_back(line): hand it on
 *      +-- time-out, end --> gone (result -errno)
 *
 * Between grant and resumption anything may happen: the coroutine may be cancelled (then
 * what was granted is given back at once), and the line may end (then the result is the
 * error, and the object around the line is not touched any more).
 */
#ifndef SPOUT_ASYNC_LINE_H
#define SPOUT_ASYNC_LINE_H

#include "async/async.h"

struct spout__line {
	struct spout__list waiting, promised;
	/* What was granted to a coroutine that leaves; NULL if that is nothing. */
	void (*give_back)(struct spout__line *line);
};

void spout__line_init(
    struct spout__line *line, void (*give_back)(struct spout__line *line));
/**
 * Wait for a grant, at most `ms`. Returns 0, -ETIMEDOUT (at once if `ms` is 0), or the
 * error that the line ended with. Leaves when cancelled.
 */
int spout__line_wait(struct spout__line *line, uint64_t ms, const char *what);
/** Let the first one go. False if nobody waits. */
bool spout__line_grant(struct spout__line *line);
/** Send everybody off with an error who waits and was granted nothing. */
void spout__line_send_off(struct spout__line *line, int error);
/** Those too that were granted but have not resumed: the object goes away. */
void spout__line_end(struct spout__line *line, int error);

/** Something that there are so many of, and a line for them when they are all taken. */
struct spout__units {
	struct spout__line line;
	size_t free;
};

void spout__units_init(struct spout__units *units, size_t free);
/** Wait for one and take it: as spout__line_wait(). */
int spout__units_take(struct spout__units *units, uint64_t ms, const char *what);
/** Take one if that needs no wait. Anywhere on the loop's thread. */
bool spout__units_take_now(struct spout__units *units);
/** Give one: to the first in line, or for whoever comes. */
void spout__units_give(struct spout__units *units);

#endif
