/* SPDX-License-Identifier: MIT */
/*
 * Hierarchical timing wheel: 7 levels of 64 slots, 1 ms ticks, so 2^42 ms ahead. A timer
 * lies on the level of the highest bit in which its time differs from the wheel's; when
 * the wheel reaches a slot of a higher level its timers move down. Adding and removing
 * are list operations; finding the next slot looks at one bitmap per level.
 */
#ifndef SPOUT_LOOP_WHEEL_H
#define SPOUT_LOOP_WHEEL_H

#include "loop/loop.h"

#define SPOUT__WHEEL_BITS 6
#define SPOUT__WHEEL_SLOTS 64
#define SPOUT__WHEEL_LEVELS 7
#define SPOUT__WHEEL_NEVER \
	((UINT64_C(1) << (SPOUT__WHEEL_BITS * SPOUT__WHEEL_LEVELS)) - 1)

struct spout__wheel {
	uint64_t now_ms; /* every timer up to here has fired */
	uint64_t occupied[SPOUT__WHEEL_LEVELS]; /* a set bit may belong to an
						 * emptied slot */
	struct spout__list slots[SPOUT__WHEEL_LEVELS][SPOUT__WHEEL_SLOTS];
	struct spout__list due; /* added for a time that has passed */
};

void spout__wheel_init(struct spout__wheel *wheel, uint64_t now_ms);
void spout__wheel_add(struct spout__wheel *wheel, struct spout__timer *timer);
/** When the wheel has to be advanced next, at the latest; SPOUT__WHEEL_NEVER if empty. */
uint64_t spout__wheel_next_ms(struct spout__wheel *wheel);
/** Fire everything up to `now_ms`. */
void spout__wheel_advance(struct spout__wheel *wheel, uint64_t now_ms);
/** Take any timer off, or NULL: for the end of the loop. */
struct spout__timer *spout__wheel_pop_any(struct spout__wheel *wheel);

#endif
