/* SPDX-License-Identifier: MIT */
/*
 * Objects that coroutines share (locks, queues): in a scope, or on their own until they
 * are freed. Loop thread. The object's struct begins with a struct spout__object.
 */
#ifndef SPOUT_ASYNC_OBJECT_H
#define SPOUT_ASYNC_OBJECT_H

#include "async/async.h"

struct spout__object {
	/* Sends off who waits, frees what the object owns but not the object. */
	void (*release)(void *object);
	bool in_scope;
};

/**
 * `size` bytes, cleared, for an object that `release(object)` will be called for when the
 * scope ends; with NULL for a scope, by spout__object_free(). NULL when out of memory.
 */
void *spout__object_new(struct spout_scope *scope, size_t size,
    void (*release)(void *object));
/** Memory that goes with the object: from its scope, or to be freed by `release`. */
void *spout__object_alloc(struct spout_scope *scope, size_t size);
/** Release and free one that is in no scope; NULL is fine. */
void spout__object_free(void *object, const char *what);
/** What spout_x_new() returns: the object, or leave. */
void *spout__object_must(void *object, const char *what);
/** How a wait for an object ended, as spout_try_ calls return it. */
int spout__object_waited(int result, uint64_t ms, const char *what);
/** Leave with what a try form has just returned, if that is an error. */
void spout__object_leave_if(int r);

#endif
