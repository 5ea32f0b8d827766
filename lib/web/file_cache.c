/* SPDX-License-Identifier: MIT */
/* The cache of files: see file_cache.h. */
#include "config.h"

#include "web/file_cache.h"

#include <errno.h>
#include <stdlib.h>

#include <spout/async.h>
#include <spout/executor.h>
#include <spout/locks.h>

#include "async/async.h"
#include "base/list.h"

#define BUCKETS 1024u
#define MAX_SLOTS 4096u
#define MAX_BYTES ((size_t)64 << 20)
#define MAX_FDS 128u
/* A file known before is served while somebody else looks whether it has changed. */
#define STALE_MS 10000u
/* How long one waits for another's load before doing it alone. */
#define PATIENCE_MS 30000u

struct slot {
	struct slot *next;        /* of the same bucket */
	struct spout__list used;  /* in cache->used, the latest at the end */
	struct spout__file *file; /* NULL: not loaded yet, or it cannot be */
	int error;                /* -errno of the last load; 0: none */
	struct spout_event *loading; /* not NULL: somebody loads; ends with an event */
	uint64_t checked_ms;
	uint32_t hash;
	const char *root, *index;
	bool siblings;
	size_t len;
	char path[]; /* and a NUL */
};

struct spout__file_cache {
	struct slot *buckets[BUCKETS];
	struct spout__list used;
	struct spout__file_cache_stats stats;
};

struct spout__file_cache *
spout__file_cache_new(void)
{
	struct spout__file_cache *cache = calloc(1, sizeof(*cache));

	if (cache != NULL)
		spout__list_init(&cache->used);
	return cache;
}

/* --- slots ------------------------------------------------------------------------ */

static uint32_t
hash_of(const struct spout__file_key *key)
{
	uint32_t hash = 2166136261u;
	size_t i;

	for (i = 0; i < key->path.len; i++)
		hash = (hash ^ (unsigned char)key->path.data[i]) * 16777619u;
	return hash;
}

static bool
slot_is(const struct slot *slot, uint32_t hash, const struct spout__file_key *key)
{
	return slot->hash == hash && slot->len == key->path.len &&
	    slot->root == key->root && slot->index == key->index &&
	    slot->siblings == key->siblings &&
	    memcmp(slot->path, key->path.data, key->path.len) == 0;
}

/* What a path is, rather than what we lack at the moment: worth remembering. */
static bool
is_lasting(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -EISDIR ||
	    error == -EACCES || error == -EXDEV || error == -ELOOP ||
	    error == -ENAMETOOLONG;
}

static struct slot *
slot_find(
    struct spout__file_cache *cache, uint32_t hash, const struct spout__file_key *key)
{
	struct slot *slot = cache->buckets[hash % BUCKETS];

	while (slot != NULL && !slot_is(slot, hash, key))
		slot = slot->next;
	return slot;
}

static struct slot *
slot_new(
    struct spout__file_cache *cache, uint32_t hash, const struct spout__file_key *key)
{
	struct slot *slot = calloc(1, sizeof(*slot) + key->path.len + 1);

	if (slot == NULL)
		return NULL;
	slot->hash = hash;
	slot->root = key->root;
	slot->index = key->index;
	slot->siblings = key->siblings;
	slot->len = key->path.len;
	memcpy(slot->path, key->path.data, key->path.len);
	slot->next = cache->buckets[hash % BUCKETS];
	cache->buckets[hash % BUCKETS] = slot;
	spout__list_init(&slot->used);
	spout__list_push(&cache->used, &slot->used);
	cache->stats.slots++;
	return slot;
}

/* Put a file (or NULL) into a slot, in place of what it holds. Takes the reference. */
static void
slot_put(struct spout__file_cache *cache, struct slot *slot, struct spout__file *file)
{
	struct spout__file *old = slot->file;

	if (old != NULL) {
		cache->stats.bytes -= old->bytes;
		cache->stats.fds -= old->n_fds;
	}
	if (file != NULL) {
		cache->stats.bytes += file->bytes;
		cache->stats.fds += file->n_fds;
	}
	slot->file = file;
	spout__file_unref(old);
}

static void
slot_free(struct spout__file_cache *cache, struct slot *slot)
{
	struct slot **at = &cache->buckets[slot->hash % BUCKETS];

	while (*at != slot)
		at = &(*at)->next;
	*at = slot->next;
	spout__list_remove(&slot->used);
	slot_put(cache, slot, NULL);
	cache->stats.slots--;
	free(slot);
}

void
spout__file_cache_free(struct spout__file_cache *cache)
{
	if (cache == NULL)
		return;
	while (!spout__list_empty(&cache->used))
		slot_free(
		    cache, spout__container_of(cache->used.next, struct slot, used));
	free(cache);
}

/* Let go of what was not used for the longest time, down to these bounds. */
static void
evict(struct spout__file_cache *cache, unsigned max_fds)
{
	struct spout__list *node, *next;

	spout__list_for_each_safe(node, next, &cache->used)
	{
		struct slot *slot = spout__container_of(node, struct slot, used);
		bool fds = cache->stats.fds > max_fds;

		bool much = cache->stats.slots > MAX_SLOTS ||
		    cache->stats.bytes > MAX_BYTES;

		if (!much && !fds)
			return;
		/* Over in descriptors only: a file in memory would not help. */
		if (slot->loading == NULL &&
		    (much || (slot->file != NULL && slot->file->n_fds > 0)))
			slot_free(cache, slot);
	}
}

/* --- loading ---------------------------------------------------------------------- */

struct load {
	struct spout__file_cache *cache;
	struct slot *slot; /* NULL: over */
	struct spout__file_place place;
	struct spout__file *old; /* a reference */
	struct spout__file *loaded;
	int result;
};

static int
load_job(void *arg)
{
	struct load *load = arg;

	load->result = spout__file_load(&load->place, load->old, &load->loaded);
	return 0;
}

/* However the load ended: what it brought is kept, who waited goes on. */
static void
load_end(void *arg)
{
	struct load *load = arg;
	struct spout__file_cache *cache = load->cache;
	struct slot *slot = load->slot;
	struct spout_event *event;

	if (slot == NULL)
		return;
	load->slot = NULL;
	event = slot->loading;
	slot->loading = NULL;
	if (load->result == 0 || is_lasting(load->result)) {
		if (load->loaded != NULL || load->result != 0)
			slot_put(cache, slot, load->loaded);
		slot->error = load->result;
		slot->checked_ms = spout_loop_now_ms(spout_loop_current());
	} else if (slot->file == NULL) {
		slot_free(cache, slot);
	}
	spout__file_unref(load->old);
	spout_event_free(event);
}

static const char *
path_of(const struct slot *slot)
{
	bool directory = slot->len == 0 || slot->path[slot->len - 1] == '/';

	return directory ? spout_sprintf("%s%s", slot->path, slot->index) : slot->path;
}

/* Load into a slot that nobody loads. Returns 0 or -errno. */
static int
load_slot(struct spout__file_cache *cache, struct slot *slot)
{
	struct load *load = spout_alloc(sizeof(*load));
	int rc;

	*load = (struct load){ .cache = cache,
		.place = { slot->root, spout_strdup(path_of(slot)), slot->siblings },
		.result = -EINPROGRESS };
	slot->loading = spout_event_new_in(NULL);
	if (slot->loading == NULL)
		return -ENOMEM;
	load->slot = slot;
	if (slot->file != NULL)
		load->old = spout__file_ref(slot->file);
	spout_defer(load_end, load);
	cache->stats.loads++;
	rc = spout_try_run(load_job, load);
	if (rc == 0 && load->result == -EMFILE && cache->stats.fds > 0) {
		/* Those that we keep open for later may be the ones that are missing. */
		evict(cache, 0);
		rc = spout_try_run(load_job, load);
	}
	if (rc == 0)
		rc = load->result;
	load_end(load);
	return rc;
}

/* Somebody else loads it. */
static void
wait_for(struct slot *slot)
{
	if (spout_try_event_wait(slot->loading, PATIENCE_MS) == -ETIMEDOUT)
		spout__co_leave(-ETIMEDOUT, 503, "a file is not loaded in time");
}

/* May the slot be used as it is? */
static bool
is_good(const struct slot *slot, uint64_t now_ms)
{
	uint64_t age = now_ms - slot->checked_ms;

	if (slot->file == NULL)
		return slot->error != 0 && age < SPOUT__FILE_FRESH_MS;
	if (slot->file->outdated)
		return false;
	return age < SPOUT__FILE_FRESH_MS || (slot->loading != NULL && age < STALE_MS);
}

struct spout__file *
spout__file_cache_get(struct spout__file_cache *cache, const struct spout__file_key *key,
    int *ret_error)
{
	uint32_t hash = hash_of(key);

	for (;;) {
		uint64_t now = spout_loop_now_ms(spout_loop_current());
		struct slot *slot = slot_find(cache, hash, key);
		int rc;

		if (slot != NULL && is_good(slot, now)) {
			spout__list_remove(&slot->used);
			spout__list_push(&cache->used, &slot->used);
			*ret_error = slot->error;
			return slot->file;
		}
		if (slot == NULL)
			slot = slot_new(cache, hash, key);
		if (slot == NULL) {
			*ret_error = -ENOMEM;
			return NULL;
		}
		if (slot->loading != NULL) {
			wait_for(slot);
			continue;
		}
		rc = load_slot(cache, slot);
		evict(cache, MAX_FDS);
		slot = slot_find(cache, hash, key);
		*ret_error = rc;
		/* Nothing better than what it was, if now it could not be looked at. */
		if (slot != NULL && slot->file != NULL)
			return slot->file;
		if (rc != 0)
			return NULL;
	}
}

struct spout__file_cache_stats
spout__file_cache_stats(const struct spout__file_cache *cache)
{
	return cache->stats;
}
