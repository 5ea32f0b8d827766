/* SPDX-License-Identifier: MIT */
/*
 * Values that a coroutine carries with it (spout_local), and its id in the log. Loop
 * thread. A handful per coroutine at most: a list in the scope's arena. A value is
 * written in place when it fits, so that setting it again and again takes no memory.
 */
#include "config.h"

#include <errno.h>
#include <stdalign.h>

#include "async/coroutine.h"

struct spout__local {
	struct spout__local *next;
	const struct spout_local *key;
	size_t len, room;
	alignas(16) unsigned char bytes[];
};

static struct spout__local *
find(const struct spout_scope *scope, const struct spout_local *key)
{
	struct spout__local *local = scope->locals;

	while (local != NULL && local->key != key)
		local = local->next;
	return local;
}

static struct spout__local *
add(struct spout_scope *scope, const struct spout_local *key, size_t room)
{
	struct spout__local *local, **link = &scope->locals;
	size_t bytes;

	if (__builtin_add_overflow(sizeof(*local), room, &bytes))
		return NULL;
	local = spout_alloc_in(scope, bytes);
	if (local == NULL)
		return NULL;
	while (*link != NULL && (*link)->key != key)
		link = &(*link)->next;
	local->next = *link != NULL ? (*link)->next : NULL;
	local->key = key;
	local->room = room;
	*link = local;
	return local;
}

static int
set(struct spout_scope *scope, const struct spout_local *key, const void *data,
    size_t len)
{
	struct spout__local *local = find(scope, key);

	if (local == NULL || local->room < len)
		local = add(scope, key, len);
	if (local == NULL)
		return -ENOMEM;
	if (len > 0)
		memmove(local->bytes, data, len);
	local->len = len;
	return 0;
}

void
spout_local_set(const struct spout_local *key, const void *data, size_t len)
{
	if (set(&spout__co_must("spout_local_set")->scope, key, data, len) < 0)
		spout__co_leave(-ENOMEM, 0, "out of memory (value of %s)",
		    key->name != NULL ? key->name : "a coroutine");
}

void *
spout_local_get(const struct spout_local *key)
{
	struct spout__local *local = spout__co != NULL ? find(&spout__co->scope, key)
						       : NULL;

	return local != NULL ? local->bytes : NULL;
}

int
spout__locals_inherit(
    struct spout_scope *scope, const struct spout_scope *from, bool outlives)
{
	const struct spout__local *local;

	for (local = from->locals; local != NULL; local = local->next) {
		if (outlives && local->key->children_only)
			continue;
		if (set(scope, local->key, local->bytes, local->len) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* --- the id in the log -------------------------------------------------------------- */

void
spout_set_request_id(const char *id)
{
	struct spout_coroutine *co = spout__co_must("spout_set_request_id");

	co->scope.request_id = spout_strdup(id);
	spout__log_request_id = co->scope.request_id;
}

const char *
spout_request_id_current(void)
{
	return spout__log_request_id;
}
