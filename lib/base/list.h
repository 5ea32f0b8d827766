/* SPDX-License-Identifier: MIT */
/*
 * Intrusive doubly linked list. A list head is a node that points to itself when
 * empty; a node that is on no list points to itself too, so removing twice is safe.
 */
#ifndef SPOUT_BASE_LIST_H
#define SPOUT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct spout__list {
	struct spout__list *prev, *next;
};

#define spout__container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#define spout__list_for_each(it, head) \
	for ((it) = (head)->next; (it) != (head); (it) = (it)->next)
#define spout__list_for_each_safe(it, tmp, head) \
	for ((it) = (head)->next, (tmp) = (it)->next; (it) != (head); \
	     (it) = (tmp), (tmp) = (it)->next)

static inline void
spout__list_init(struct spout__list *node)
{
	node->prev = node->next = node;
}

static inline bool
spout__list_empty(const struct spout__list *head)
{
	return head->next == head;
}

static inline void
spout__list_insert_before(struct spout__list *at, struct spout__list *node)
{
	node->prev = at->prev;
	node->next = at;
	at->prev->next = node;
	at->prev = node;
}

/** Add at the end. */
static inline void
spout__list_push(struct spout__list *head, struct spout__list *node)
{
	spout__list_insert_before(head, node);
}

/** Add at the front. */
static inline void
spout__list_push_front(struct spout__list *head, struct spout__list *node)
{
	spout__list_insert_before(head->next, node);
}

static inline void
spout__list_remove(struct spout__list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	spout__list_init(node);
}

/** The first node, taken off, or NULL. */
static inline struct spout__list *
spout__list_pop(struct spout__list *head)
{
	struct spout__list *node = head->next;

	if (node == head)
		return NULL;
	spout__list_remove(node);
	return node;
}

/** Move everything to the end of `to`; `from` is empty afterwards. */
static inline void
spout__list_splice(struct spout__list *to, struct spout__list *from)
{
	if (spout__list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	spout__list_init(from);
}

#endif
