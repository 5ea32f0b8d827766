/* SPDX-License-Identifier: MIT */
/* Objects that coroutines share: see object.h. Loop thread. */
#include "config.h"

#include "async/object.h"

#include <errno.h>
#include <stdlib.h>

static void
release_in_scope(void *arg)
{
	struct spout__object *object = arg;

	object->release(object);
}

void *
spout__object_alloc(struct spout_scope *scope, size_t size)
{
	void *p = scope != NULL ? spout_alloc_in(scope, size) : malloc(size);

	return p != NULL ? memset(p, 0, size) : NULL;
}

void *
spout__object_new(struct spout_scope *scope, size_t size, void (*release)(void *object))
{
	struct spout__object *object = spout__object_alloc(scope, size);

	if (object == NULL)
		return NULL;
	object->release = release;
	object->in_scope = scope != NULL;
	if (scope != NULL && spout_defer_in(scope, release_in_scope, object) < 0)
		return NULL;
	return object;
}

void
spout__object_free(void *object, const char *what)
{
	struct spout__object *self = object;

	if (self == NULL)
		return;
	if (self->in_scope) {
		spout_warning("%s: it goes with its scope", what);
		return;
	}
	self->release(self);
	free(self);
}

void *
spout__object_must(void *object, const char *what)
{
	if (object == NULL)
		spout__co_leave(-ENOMEM, 0, "out of memory (%s)", what);
	return object;
}

int
spout__object_waited(int result, uint64_t ms, const char *what)
{
	if (result == -ETIMEDOUT)
		return spout__co_error(
		    result, "%s: not after %llu ms", what, (unsigned long long)ms);
	if (result < 0)
		return spout__co_error(result, "%s: %s", what,
		    result == -EPIPE ? "it is closed" : "it is gone");
	return 0;
}

void
spout__object_leave_if(int r)
{
	if (r < 0)
		spout__co_leave(r, 0, "%s", spout_error());
}
