/* SPDX-License-Identifier: MIT */
/* Hierarchical timing wheel: see wheel.h. */
#include "config.h"

#include "loop/wheel.h"

void
spout__wheel_init(struct spout__wheel *wheel, uint64_t now_ms)
{
	unsigned level, slot;

	wheel->now_ms = now_ms;
	spout__list_init(&wheel->due);
	for (level = 0; level < SPOUT__WHEEL_LEVELS; level++) {
		wheel->occupied[level] = 0;
		for (slot = 0; slot < SPOUT__WHEEL_SLOTS; slot++)
			spout__list_init(&wheel->slots[level][slot]);
	}
}

void
spout__wheel_add(struct spout__wheel *wheel, struct spout__timer *timer)
{
	uint64_t at = timer->at_ms;
	unsigned level, slot;

	if (at <= wheel->now_ms) {
		spout__list_push(&wheel->due, &timer->link);
		return;
	}
	if (at > SPOUT__WHEEL_NEVER)
		at = SPOUT__WHEEL_NEVER;
	level = (63u - (unsigned)__builtin_clzll((at ^ wheel->now_ms) | 1)) /
	    SPOUT__WHEEL_BITS;
	slot = (unsigned)(at >> (level * SPOUT__WHEEL_BITS)) & (SPOUT__WHEEL_SLOTS - 1);
	wheel->occupied[level] |= UINT64_C(1) << slot;
	spout__list_push(&wheel->slots[level][slot], &timer->link);
}

/* The first occupied slot in order of time: its level, slot number and start. */
static bool
next_slot(struct spout__wheel *wheel, unsigned *ret_level, unsigned *ret_slot,
    uint64_t *ret_start)
{
	unsigned level, shift, slot;

	for (level = 0; level < SPOUT__WHEEL_LEVELS; level++) {
		while (wheel->occupied[level] != 0) {
			slot = (unsigned)__builtin_ctzll(wheel->occupied[level]);
			if (spout__list_empty(&wheel->slots[level][slot])) {
				wheel->occupied[level] &= ~(UINT64_C(1) << slot);
				continue;
			}
			shift = level * SPOUT__WHEEL_BITS;
			*ret_level = level;
			*ret_slot = slot;
			*ret_start = (wheel->now_ms >> (shift + SPOUT__WHEEL_BITS)
			    << (shift + SPOUT__WHEEL_BITS)) | ((uint64_t)slot << shift);
			return true;
		}
	}
	return false;
}

uint64_t
spout__wheel_next_ms(struct spout__wheel *wheel)
{
	unsigned level, slot;
	uint64_t start;

	if (!spout__list_empty(&wheel->due))
		return wheel->now_ms;
	return next_slot(wheel, &level, &slot, &start) ? start : SPOUT__WHEEL_NEVER;
}

static void
fire_all(struct spout__list *list)
{
	struct spout__list *node;

	while ((node = spout__list_pop(list)) != NULL) {
		struct spout__timer *timer =
		    spout__container_of(node, struct spout__timer, link);

		timer->fn(timer);
	}
}

void
spout__wheel_advance(struct spout__wheel *wheel, uint64_t now_ms)
{
	struct spout__list firing, *node;
	unsigned level, slot;
	uint64_t start;

	spout__list_init(&firing);
	spout__list_splice(&firing, &wheel->due);
	while (next_slot(wheel, &level, &slot, &start) && start <= now_ms) {
		struct spout__list moving;

		spout__list_init(&moving);
		spout__list_splice(&moving, &wheel->slots[level][slot]);
		wheel->occupied[level] &= ~(UINT64_C(1) << slot);
		if (start > wheel->now_ms)
			wheel->now_ms = start;
		while ((node = spout__list_pop(&moving)) != NULL) {
			struct spout__timer *timer =
			    spout__container_of(node, struct spout__timer, link);

			if (timer->at_ms <= wheel->now_ms)
				spout__list_push(&firing, node);
			else
				spout__wheel_add(wheel, timer);
		}
	}
	if (now_ms > wheel->now_ms)
		wheel->now_ms = now_ms;
	fire_all(&firing);
}

struct spout__timer *
spout__wheel_pop_any(struct spout__wheel *wheel)
{
	struct spout__list *node = spout__list_pop(&wheel->due);
	unsigned level, slot;
	uint64_t start;

	if (node == NULL && next_slot(wheel, &level, &slot, &start))
		node = spout__list_pop(&wheel->slots[level][slot]);
	return node ? spout__container_of(node, struct spout__timer, link) : NULL;
}
