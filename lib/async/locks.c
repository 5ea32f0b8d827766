/* SPDX-License-Identifier: MIT */
/*
 * Mutex and semaphore: what a scope holds (spout/locks.h). Loop thread.
 *
 * A unit is granted straight to the first in line (line.h), never put back for whoever
 * comes first. The hold is made when the coroutine has resumed: one that leaves instead
 * gives the unit back at once, and not only when its scope is gone.
 */
#include "config.h"

#include <spout/locks.h>

#include <errno.h>
#include <stdlib.h>

#include "async/coroutine.h"
#include "async/line.h"
#include "async/object.h"

/* --- mutex ------------------------------------------------------------------------ */

struct spout_mutex {
	struct spout__object object;
	struct spout__units units;
	struct spout__hold hold;
	struct spout_scope *owner; /* NULL: free, or promised to the next */
};

static void
mutex_drop(struct spout_mutex *mutex)
{
	mutex->owner = NULL;
	spout__units_give(&mutex->units);
}

static void
mutex_scope_ends(struct spout__hold *hold)
{
	mutex_drop(spout__container_of(hold, struct spout_mutex, hold));
}

static void
mutex_release(void *object)
{
	struct spout_mutex *mutex = object;

	spout__list_remove(&mutex->hold.link);
	spout__line_end(&mutex->units.line, -ECANCELED);
}

struct spout_mutex *
spout_mutex_new_in(struct spout_scope *scope)
{
	struct spout_mutex *mutex =
	    spout__object_new(scope, sizeof(*mutex), mutex_release);

	if (mutex == NULL)
		return NULL;
	spout__units_init(&mutex->units, 1);
	spout__list_init(&mutex->hold.link);
	mutex->hold.release = mutex_scope_ends;
	return mutex;
}

struct spout_mutex *
spout_mutex_new(void)
{
	return spout__object_must(spout_mutex_new_in(spout_scope_current()), "mutex");
}

void
spout_mutex_free(struct spout_mutex *mutex)
{
	spout__object_free(mutex, "spout_mutex_free");
}

int
spout_try_lock(struct spout_mutex *mutex, uint64_t ms)
{
	struct spout_scope *scope = spout_scope_current();
	int r;

	if (mutex->owner == scope)
		return spout__co_error(
		    -EDEADLK, "spout_lock: this scope holds it already");
	r = spout__units_take(&mutex->units, ms, "spout_lock");
	if (r < 0)
		return spout__object_waited(r, ms, "spout_lock");
	mutex->owner = scope;
	spout__list_push_front(&scope->holds, &mutex->hold.link);
	return 0;
}

void
spout_lock(struct spout_mutex *mutex)
{
	spout__object_leave_if(spout_try_lock(mutex, SPOUT_FOREVER));
}

bool
spout_mutex_held(const struct spout_mutex *mutex)
{
	return mutex->owner == spout_scope_current();
}

int
spout_unlock(struct spout_mutex *mutex)
{
	if (!spout_mutex_held(mutex)) {
		spout_warning("spout_unlock: the running scope does not hold the mutex");
		return -EPERM;
	}
	spout__list_remove(&mutex->hold.link);
	mutex_drop(mutex);
	return 0;
}

/* --- semaphore -------------------------------------------------------------------- */

struct spout_semaphore {
	struct spout__object object;
	struct spout__units units;
	struct spout__list taken; /* struct taken: units that scopes hold */
	uint32_t max, total;      /* units that may be, and are */
};

/* One unit that a scope holds. */
struct taken {
	struct spout__hold hold;
	struct spout__list link; /* in semaphore->taken */
	struct spout_semaphore *semaphore;
};

static void
taken_forget(struct taken *taken)
{
	spout__list_remove(&taken->hold.link);
	spout__list_remove(&taken->link);
	free(taken);
}

static void
semaphore_scope_ends(struct spout__hold *hold)
{
	struct taken *taken = spout__container_of(hold, struct taken, hold);
	struct spout_semaphore *semaphore = taken->semaphore;

	taken_forget(taken);
	spout__units_give(&semaphore->units);
}

static void
semaphore_release(void *object)
{
	struct spout_semaphore *semaphore = object;
	struct spout__list *node;

	while ((node = spout__list_pop(&semaphore->taken)) != NULL)
		taken_forget(spout__container_of(node, struct taken, link));
	spout__line_end(&semaphore->units.line, -ECANCELED);
}

struct spout_semaphore *
spout_semaphore_new_in(struct spout_scope *scope, uint32_t units, uint32_t max)
{
	struct spout_semaphore *semaphore =
	    spout__object_new(scope, sizeof(*semaphore), semaphore_release);

	if (semaphore == NULL)
		return NULL;
	spout__units_init(&semaphore->units, units);
	spout__list_init(&semaphore->taken);
	semaphore->total = units;
	semaphore->max = max > units ? max : units;
	return semaphore;
}

struct spout_semaphore *
spout_semaphore_new(uint32_t units, uint32_t max)
{
	return spout__object_must(
	    spout_semaphore_new_in(spout_scope_current(), units, max), "semaphore");
}

void
spout_semaphore_free(struct spout_semaphore *semaphore)
{
	spout__object_free(semaphore, "spout_semaphore_free");
}

int
spout_try_semaphore_acquire(struct spout_semaphore *semaphore, uint64_t ms)
{
	struct spout_scope *scope = spout_scope_current();
	struct taken *taken;
	int r = spout__units_take(&semaphore->units, ms, "spout_semaphore_acquire");

	if (r < 0)
		return spout__object_waited(r, ms, "spout_semaphore_acquire");
	taken = malloc(sizeof(*taken));
	if (taken == NULL) {
		spout__units_give(&semaphore->units);
		return spout__co_error(-ENOMEM, "out of memory (semaphore)");
	}
	taken->hold.release = semaphore_scope_ends;
	taken->semaphore = semaphore;
	spout__list_push_front(&scope->holds, &taken->hold.link);
	spout__list_push_front(&semaphore->taken, &taken->link);
	return 0;
}

void
spout_semaphore_acquire(struct spout_semaphore *semaphore)
{
	spout__object_leave_if(spout_try_semaphore_acquire(semaphore, SPOUT_FOREVER));
}

/* The newest unit that the running scope holds, or NULL after a warning. */
static struct taken *
find_taken(struct spout_semaphore *semaphore, const char *what)
{
	struct spout_scope *scope = spout_scope_current();
	struct spout__list *node;

	/* What a scope holds is a short list; the semaphore's may be a long one. */
	spout__list_for_each(node, &scope->holds) {
		struct spout__hold *hold =
		    spout__container_of(node, struct spout__hold, link);
		struct taken *taken = spout__container_of(hold, struct taken, hold);

		if (hold->release == semaphore_scope_ends &&
		    taken->semaphore == semaphore)
			return taken;
	}
	spout_warning("%s: the running scope holds no unit of the semaphore", what);
	return NULL;
}

int
spout_semaphore_release(struct spout_semaphore *semaphore)
{
	struct taken *taken = find_taken(semaphore, "spout_semaphore_release");

	if (taken == NULL)
		return -EPERM;
	taken_forget(taken);
	spout__units_give(&semaphore->units);
	return 0;
}

int
spout_semaphore_consume(struct spout_semaphore *semaphore)
{
	struct taken *taken = find_taken(semaphore, "spout_semaphore_consume");

	if (taken == NULL)
		return -EPERM;
	taken_forget(taken);
	semaphore->total--;
	return 0;
}

int
spout_semaphore_add(struct spout_semaphore *semaphore)
{
	if (semaphore->total == semaphore->max)
		return -EINVAL;
	semaphore->total++;
	spout__units_give(&semaphore->units);
	return 0;
}

uint32_t
spout_semaphore_free_units(const struct spout_semaphore *semaphore)
{
	return (uint32_t)semaphore->units.free;
}
