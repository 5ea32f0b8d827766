/* SPDX-License-Identifier: MIT */
/*
 * Queues between coroutines (spout/queue.h). Loop thread.
 *
 * Two kinds of units with a line each: free space, which a put takes and a get gives, and
 * items, the other way round. A coroutine that was granted space or an item copies when
 * it has resumed; if it leaves instead, the unit goes to the next in line. So the number
 * of items stored is that of item units, free or promised, and never beyond the capacity.
 *
 * The slots are a ring, a stack or a binary heap. The heap breaks ties by the number of
 * the put, so that equals leave in the order they came.
 */
#include "config.h"

#include <spout/queue.h>

#include <errno.h>
#include <stdlib.h>

#include "async/coroutine.h"
#include "async/line.h"
#include "async/object.h"

struct spout_queue {
	struct spout__object object;
	struct spout_queue_options options;
	struct spout__units space, items;
	struct spout__line joins; /* who waits for `unfinished` to be 0 */
	uint64_t unfinished;      /* items put in and not yet reported done */
	uint64_t puts;
	size_t count;  /* stored */
	size_t first;  /* FIFO: the slot of the oldest */
	size_t stride; /* bytes of a slot */
	bool closed;
	uint64_t *numbers; /* PRIORITY: which put each slot is of */
	char *slots;       /* `capacity` of them */
};

/* --- slots ------------------------------------------------------------------------ */

static char *
slot(const struct spout_queue *queue, size_t i)
{
	return queue->slots + i * queue->stride;
}

static bool
comes_before(const struct spout_queue *queue, const void *a, uint64_t a_number, size_t b)
{
	int order = queue->options.compare(a, slot(queue, b));

	return order != 0 ? order < 0 : a_number < queue->numbers[b];
}

static void
heap_move(struct spout_queue *queue, size_t to, size_t from)
{
	memcpy(slot(queue, to), slot(queue, from), queue->options.item_bytes);
	queue->numbers[to] = queue->numbers[from];
}

static void
heap_set(struct spout_queue *queue, size_t i, const void *item, uint64_t number)
{
	memmove(slot(queue, i), item, queue->options.item_bytes);
	queue->numbers[i] = number;
}

static void
heap_push(struct spout_queue *queue, const void *item)
{
	size_t hole = queue->count, up;

	for (; hole > 0; hole = up) {
		up = (hole - 1) / 2;
		if (!comes_before(queue, item, queue->puts, up))
			break;
		heap_move(queue, hole, up);
	}
	heap_set(queue, hole, item, queue->puts);
}

/* Take the top; the last one (at `count`, no longer counted) sinks from there. */
static void
heap_pop(struct spout_queue *queue)
{
	const char *last = slot(queue, queue->count);
	uint64_t number = queue->numbers[queue->count];
	size_t hole = 0, down;

	while ((down = 2 * hole + 1) < queue->count) {
		if (down + 1 < queue->count &&
		    comes_before(
			queue, slot(queue, down + 1), queue->numbers[down + 1], down))
			down++;
		if (!comes_before(
			queue, slot(queue, down), queue->numbers[down], queue->count))
			break;
		heap_move(queue, hole, down);
		hole = down;
	}
	heap_set(queue, hole, last, number);
}

static void
store(struct spout_queue *queue, const void *item)
{
	size_t capacity = queue->options.capacity, bytes = queue->options.item_bytes;

	switch (queue->options.order) {
	case SPOUT_QUEUE_FIFO:
		memcpy(
		    slot(queue, (queue->first + queue->count) % capacity), item, bytes);
		break;
	case SPOUT_QUEUE_LIFO:
		memcpy(slot(queue, queue->count), item, bytes);
		break;
	case SPOUT_QUEUE_PRIORITY:
		heap_push(queue, item);
		break;
	}
	queue->count++;
	queue->puts++;
	queue->unfinished++;
	spout__units_give(&queue->items);
}

static void
fetch(struct spout_queue *queue, void *ret_item)
{
	size_t bytes = queue->options.item_bytes;

	queue->count--;
	switch (queue->options.order) {
	case SPOUT_QUEUE_FIFO:
		memcpy(ret_item, slot(queue, queue->first), bytes);
		queue->first = (queue->first + 1) % queue->options.capacity;
		break;
	case SPOUT_QUEUE_LIFO:
		memcpy(ret_item, slot(queue, queue->count), bytes);
		break;
	case SPOUT_QUEUE_PRIORITY:
		memcpy(ret_item, slot(queue, 0), bytes);
		heap_pop(queue);
		break;
	}
}

static void
take_out(struct spout_queue *queue, void *ret_item)
{
	fetch(queue, ret_item);
	spout__units_give(&queue->space);
}

/* --- making ----------------------------------------------------------------------- */

static void
drop_items(struct spout_queue *queue)
{
	/* The order does not matter any more: read the slots as they lie. */
	size_t i, capacity = queue->options.capacity;

	for (i = 0; queue->options.on_drop != NULL && i < queue->count; i++)
		queue->options.on_drop(slot(queue, (queue->first + i) % capacity));
}

static void
queue_release(void *object)
{
	struct spout_queue *queue = object;

	spout__line_end(&queue->space.line, -ECANCELED);
	spout__line_end(&queue->items.line, -ECANCELED);
	spout__line_end(&queue->joins, -ECANCELED);
	drop_items(queue);
	if (!queue->object.in_scope) {
		free(queue->slots);
		free(queue->numbers);
	}
}

/* Slots are aligned for the items: compare() reads them in place. */
static bool
allocate_slots(struct spout_queue *queue, struct spout_scope *scope)
{
	const struct spout_queue_options *o = &queue->options;
	size_t align = o->item_bytes >= 16 ? 16 : 8, bytes;

	if (__builtin_add_overflow(o->item_bytes, align - 1, &queue->stride))
		return false;
	queue->stride &= ~(align - 1);
	if (__builtin_mul_overflow(o->capacity, queue->stride, &bytes))
		return false;
	queue->slots = spout__object_alloc(scope, bytes);
	if (queue->slots != NULL && o->order == SPOUT_QUEUE_PRIORITY)
		queue->numbers =
		    spout__object_alloc(scope, o->capacity * sizeof(*queue->numbers));
	return queue->slots != NULL &&
	    (queue->numbers != NULL || o->order != SPOUT_QUEUE_PRIORITY);
}

static bool
options_valid(const struct spout_queue_options *o)
{
	return o->capacity > 0 && o->item_bytes > 0 && o->order <= SPOUT_QUEUE_PRIORITY &&
	    (o->order != SPOUT_QUEUE_PRIORITY || o->compare != NULL);
}

struct spout_queue *
spout_queue_new_in_with(
    struct spout_scope *scope, const struct spout_queue_options *options)
{
	struct spout_queue_options o = { 0 };
	struct spout_queue *queue;

	memcpy(&o, options, options->size < sizeof(o) ? options->size : sizeof(o));
	if (!options_valid(&o)) {
		spout_warning(
		    "spout_queue_new: a queue needs a capacity, a size of items "
		    "and, if by priority, a compare function");
		return NULL;
	}
	queue = spout__object_new(scope, sizeof(*queue), queue_release);
	if (queue == NULL)
		return NULL;
	queue->options = o;
	spout__units_init(&queue->space, o.capacity);
	spout__units_init(&queue->items, 0);
	spout__line_init(&queue->joins, NULL);
	if (allocate_slots(queue, scope))
		return queue;
	if (scope == NULL)
		spout_queue_free(queue);
	return NULL;
}

struct spout_queue *
spout_queue_new_with(const struct spout_queue_options *options)
{
	if (!options_valid(options))
		spout__co_leave(
		    -EINVAL, 0, "spout_queue_new: options that make no queue");
	return spout__object_must(
	    spout_queue_new_in_with(spout_scope_current(), options), "queue");
}

void
spout_queue_free(struct spout_queue *queue)
{
	spout__object_free(queue, "spout_queue_free");
}

/* --- putting ---------------------------------------------------------------------- */

int
spout_queue_put_now(struct spout_queue *queue, const void *item)
{
	if (queue->closed)
		return -EPIPE;
	if (!spout__units_take_now(&queue->space))
		return -ENOBUFS;
	store(queue, item);
	return 0;
}

int
spout_try_queue_put(struct spout_queue *queue, const void *item, uint64_t ms)
{
	int r = -EPIPE;

	if (!queue->closed)
		r = spout__units_take(&queue->space, ms, "spout_queue_put");
	if (r == 0 && queue->closed) {
		/* Closed between the grant and now. */
		spout__units_give(&queue->space);
		r = -EPIPE;
	}
	if (r == 0)
		store(queue, item);
	return spout__object_waited(r, ms, "spout_queue_put");
}

void
spout_queue_put(struct spout_queue *queue, const void *item)
{
	spout__object_leave_if(spout_try_queue_put(queue, item, SPOUT_FOREVER));
}

/* --- getting ---------------------------------------------------------------------- */

int
spout_queue_get_now(struct spout_queue *queue, void *ret_item)
{
	if (!spout__units_take_now(&queue->items))
		return queue->closed ? -EPIPE : -EAGAIN;
	take_out(queue, ret_item);
	return 0;
}

int
spout_try_queue_get(struct spout_queue *queue, void *ret_item, uint64_t ms)
{
	int r;

	(void)spout__co_checkpoint("spout_queue_get");
	if (spout__units_take_now(&queue->items))
		r = 0;
	else if (queue->closed)
		r = -EPIPE;
	else
		r = spout__line_wait(&queue->items.line, ms, "spout_queue_get");
	if (r == 0)
		take_out(queue, ret_item);
	return spout__object_waited(r, ms, "spout_queue_get");
}

bool
spout_queue_get(struct spout_queue *queue, void *ret_item)
{
	int r = spout_try_queue_get(queue, ret_item, SPOUT_FOREVER);

	if (r != -EPIPE)
		spout__object_leave_if(r);
	return r == 0;
}

/* --- closing, joining ------------------------------------------------------------- */

void
spout_queue_close(struct spout_queue *queue)
{
	queue->closed = true;
	spout__line_send_off(&queue->space.line, -EPIPE);
	spout__line_send_off(&queue->items.line, -EPIPE);
}

bool
spout_queue_is_closed(const struct spout_queue *queue)
{
	return queue->closed;
}

size_t
spout_queue_count(const struct spout_queue *queue)
{
	return queue->count;
}

size_t
spout_queue_capacity(const struct spout_queue *queue)
{
	return queue->options.capacity;
}

int
spout_queue_task_done(struct spout_queue *queue)
{
	if (queue->unfinished == 0) {
		spout_warning(
		    "spout_queue_task_done: called more often than items were put");
		return -EINVAL;
	}
	if (--queue->unfinished == 0)
		while (spout__line_grant(&queue->joins))
			continue;
	return 0;
}

int
spout_try_queue_join(struct spout_queue *queue, uint64_t ms)
{
	int r = 0;

	(void)spout__co_checkpoint("spout_queue_join");
	if (queue->unfinished > 0)
		r = spout__line_wait(&queue->joins, ms, "spout_queue_join");
	return spout__object_waited(r, ms, "spout_queue_join");
}

void
spout_queue_join(struct spout_queue *queue)
{
	spout__object_leave_if(spout_try_queue_join(queue, SPOUT_FOREVER));
}
