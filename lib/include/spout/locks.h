/* SPDX-License-Identifier: MIT */
/*
 * Locks between coroutines of one loop: mutex, semaphore, event, condition.
 *
 * Coroutines change places only where they wait, so state that is read and written
 * without a wait in between needs no lock; these are for stretches that wait. Everything
 * here belongs to the loop's thread. Between threads use a job and its future.
 *
 * Life cycle: spout_x_new() makes one in the running coroutine's scope and leaves with
 * -ENOMEM; spout_x_new_in(scope) makes one in a given scope, or, with NULL for a scope,
 * one that lives until spout_x_free(); it returns NULL when out of memory. Whoever still
 * waits when one goes away gets -ECANCELED.
 *
 * Waiting: in line, first come first served; nobody overtakes. Every wait ends with the
 * coroutine's cancellation or deadline. What was granted to a coroutine that leaves
 * instead goes to the next in line. The try forms wait at most `ms` (0: not at all) and
 * return -ETIMEDOUT then; a wait allocates nothing.
 *
 * Holding: a scope owns the mutexes and the units of semaphores that it has taken. They
 * are given back when it ends, after its clean-ups, if that was not done before.
 */
#ifndef SPOUT_LOCKS_H
#define SPOUT_LOCKS_H

#include <spout/async.h>
#include <spout/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct spout_mutex;
struct spout_semaphore;
struct spout_event;
struct spout_condition;

/* --- mutex (Tornado: locks.Lock) --------------------------------------------------- */

SPOUT_API struct spout_mutex *spout_mutex_new(void);
SPOUT_API struct spout_mutex *spout_mutex_new_in(struct spout_scope *scope);
SPOUT_API void spout_mutex_free(struct spout_mutex *mutex);
/** Wait for the mutex and hold it. Leaves with -EDEADLK if this scope holds it
 * already. */
SPOUT_API void spout_lock(struct spout_mutex *mutex);
/** The same: 0, -ETIMEDOUT, -EDEADLK, or -ECANCELED when the mutex went away. */
SPOUT_API SPOUT_MUST_CHECK int spout_try_lock(struct spout_mutex *mutex, uint64_t ms);
/**
 * Hand it to the next. Also in clean-ups. Returns 0, or -EPERM (and a warning) when this
 * scope does not hold it.
 */
SPOUT_API int spout_unlock(struct spout_mutex *mutex);
/** Does the running coroutine's scope hold it? */
SPOUT_API bool spout_mutex_held(const struct spout_mutex *mutex);

/* --- semaphore (Tornado: locks.Semaphore, locks.BoundedSemaphore) ------------------- */

/**
 * A number of units, `units` of them free at first, never more than `max` in all:
 *
 *     spout_semaphore_new(100, 100)          at most 100 at once do something
 *     spout_semaphore_new(0, UINT32_MAX)     one side adds units, the other consumes
 */
SPOUT_API struct spout_semaphore *spout_semaphore_new(uint32_t units, uint32_t max);
SPOUT_API struct spout_semaphore *spout_semaphore_new_in(struct spout_scope *scope,
    uint32_t units, uint32_t max);
SPOUT_API void spout_semaphore_free(struct spout_semaphore *semaphore);
/** Wait for a unit; the scope holds it. A scope may take several. */
SPOUT_API void spout_semaphore_acquire(struct spout_semaphore *semaphore);
/** The same: 0, -ETIMEDOUT, -ENOMEM, or -ECANCELED when the semaphore went away. */
SPOUT_API SPOUT_MUST_CHECK int spout_try_semaphore_acquire(
    struct spout_semaphore *semaphore, uint64_t ms);
/**
 * Give back one unit that this scope holds. Also in clean-ups. Returns 0, or -EPERM (and
 * a warning) when it holds none: see spout_semaphore_add().
 */
SPOUT_API int spout_semaphore_release(struct spout_semaphore *semaphore);
/**
 * A unit that this scope holds is used up: it will not come back by itself. To hand one
 * to another coroutine, consume it here and let the other one spout_semaphore_add() it.
 * Returns 0, or -EPERM (and a warning).
 */
SPOUT_API int spout_semaphore_consume(struct spout_semaphore *semaphore);
/** Make a unit more. Anywhere. Returns 0, or -EINVAL when there are `max`. */
SPOUT_API int spout_semaphore_add(struct spout_semaphore *semaphore);
/** Units that are free now. */
SPOUT_API uint32_t spout_semaphore_free_units(const struct spout_semaphore *semaphore);

/* --- event (Tornado: locks.Event) ------------------------------------------------- */

/** A flag, not set at first. */
SPOUT_API struct spout_event *spout_event_new(void);
SPOUT_API struct spout_event *spout_event_new_in(struct spout_scope *scope);
SPOUT_API void spout_event_free(struct spout_event *flag);
/** Set the flag, wake everyone who waits for it. Anywhere. */
SPOUT_API void spout_event_set(struct spout_event *flag);
SPOUT_API void spout_event_clear(struct spout_event *flag);
SPOUT_API bool spout_event_is_set(const struct spout_event *flag);
/** Wait until the flag is set. A wait that was woken succeeds, even if it is cleared. */
SPOUT_API void spout_event_wait(struct spout_event *flag);
SPOUT_API SPOUT_MUST_CHECK int spout_try_event_wait(
    struct spout_event *flag, uint64_t ms);

/* --- condition (Tornado: locks.Condition) ----------------------------------------- */

SPOUT_API struct spout_condition *spout_condition_new(void);
SPOUT_API struct spout_condition *spout_condition_new_in(struct spout_scope *scope);
SPOUT_API void spout_condition_free(struct spout_condition *condition);
/**
 * Wait to be notified. Test what is waited for in a loop around it: others may have run
 * between the notification and the return. A mutex that is held stays held.
 */
SPOUT_API void spout_condition_wait(struct spout_condition *condition);
SPOUT_API SPOUT_MUST_CHECK int spout_try_condition_wait(struct spout_condition *condition,
    uint64_t ms);
/** Wake the first `n` who wait, or all. Anywhere. Returns how many those were. */
SPOUT_API size_t spout_condition_notify(struct spout_condition *condition, size_t n);
SPOUT_API size_t spout_condition_notify_all(struct spout_condition *condition);

#ifdef __cplusplus
}
#endif

#endif
