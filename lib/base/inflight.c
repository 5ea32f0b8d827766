/* SPDX-License-Identifier: MIT */
/* The table of requests in flight: see inflight.h. */
#include "config.h"

#include "base/inflight.h"

#include <errno.h>

static struct spout__inflight *table;
static uint16_t free_records[SPOUT__INFLIGHT_MAX];
static uint32_t n_free;

void
spout__inflight_use(struct spout__inflight use[SPOUT__INFLIGHT_MAX])
{
	uint32_t i;

	table = use;
	n_free = 0;
	if (use == NULL)
		return;
	/* The lowest first: a quiet worker touches one page. */
	for (i = SPOUT__INFLIGHT_MAX; i > 0; i--)
		free_records[n_free++] = (uint16_t)(i - 1);
}

static void
write_begin(struct spout__inflight *r)
{
	atomic_store_explicit(&r->seq,
	    atomic_load_explicit(&r->seq, memory_order_relaxed) + 1,
	    memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

static void
write_end(struct spout__inflight *r)
{
	atomic_store_explicit(&r->seq,
	    atomic_load_explicit(&r->seq, memory_order_relaxed) + 1,
	    memory_order_release);
}

static void
copy_text(char *to, size_t cap, struct spout_slice text)
{
	size_t n = text.len < cap ? text.len : cap - 1;

	memcpy(to, text.data, n);
	to[n] = '\0';
}

uint32_t
spout__inflight_claim(struct spout_slice id, struct spout_slice what, uint64_t started_ms)
{
	struct spout__inflight *r;
	uint32_t record;

	if (n_free == 0)
		return SPOUT__INFLIGHT_NONE;
	record = free_records[--n_free];
	r = &table[record];
	write_begin(r);
	r->busy = SPOUT__INFLIGHT_BUSY;
	r->started_ms = started_ms;
	r->key = id.data;
	copy_text(r->id, sizeof(r->id), id);
	copy_text(r->what, sizeof(r->what), what);
	write_end(r);
	return record;
}

void
spout__inflight_release(uint32_t record)
{
	if (record == SPOUT__INFLIGHT_NONE)
		return;
	write_begin(&table[record]);
	table[record].busy = SPOUT__INFLIGHT_FREE;
	write_end(&table[record]);
	free_records[n_free++] = (uint16_t)record;
}

static struct spout__inflight *
find(const char *id)
{
	for (uint32_t i = 0; id != NULL && table != NULL && i < SPOUT__INFLIGHT_MAX; i++)
		if (table[i].busy != SPOUT__INFLIGHT_FREE && table[i].key == id)
			return &table[i];
	return NULL;
}

void
spout__inflight_blame(const char *id)
{
	struct spout__inflight *r = find(id);

	if (r != NULL)
		r->busy = SPOUT__INFLIGHT_BLAMED;
}

const char *
spout__inflight_what(const char *id)
{
	const struct spout__inflight *r = find(id);

	return r != NULL ? r->what : NULL;
}

int
spout__inflight_read(const struct spout__inflight *record, struct spout__inflight *ret)
{
	uint32_t seq = atomic_load_explicit(&record->seq, memory_order_acquire);

	if (seq & 1)
		return -EAGAIN;
	ret->busy = record->busy;
	ret->started_ms = record->started_ms;
	memcpy(ret->id, record->id, sizeof(ret->id));
	memcpy(ret->what, record->what, sizeof(ret->what));
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&record->seq, memory_order_relaxed) != seq)
		return -EAGAIN;
	ret->id[sizeof(ret->id) - 1] = ret->what[sizeof(ret->what) - 1] = '\0';
	return ret->busy != SPOUT__INFLIGHT_FREE;
}
