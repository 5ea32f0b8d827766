/* SPDX-License-Identifier: MIT */
/*
 * Messages from other threads: a lock-free stack that the loop empties at the start of a
 * turn, and an eventfd that is written only when the loop sleeps. Any thread.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "loop/loop_private.h"

void
spout__loop_post(struct spout_loop *loop, struct spout__post *post)
{
	struct spout__post *head =
	    atomic_load_explicit(&loop->posts, memory_order_relaxed);
	const uint64_t one = 1;

	do {
		post->next = head;
	} while (!atomic_compare_exchange_weak(&loop->posts, &head, post));
	/* From here on `post` belongs to the loop. */
	if (atomic_load(&loop->sleeping) && atomic_exchange(&loop->sleeping, 0)) {
		atomic_fetch_add_explicit(&loop->wakeups, 1, memory_order_relaxed);
		/* A counter that is full (it never is) would wake the loop just
		 * as well. */
		while (write(loop->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
			continue;
	}
}

uint64_t
spout__loop_wakeups(struct spout_loop *loop)
{
	return atomic_load_explicit(&loop->wakeups, memory_order_relaxed);
}

struct callback {
	union {
		struct spout__post post;
		struct spout__ready ready;
	};
	spout_callback_fn fn;
	void *arg;
};

static void
callback_run(struct callback *callback)
{
	struct callback copy = *callback;

	free(callback);
	copy.fn(copy.arg);
}

static void
on_post(struct spout__post *post)
{
	callback_run(spout__container_of(post, struct callback, post));
}

static void
on_ready(struct spout__ready *ready)
{
	callback_run(spout__container_of(ready, struct callback, ready));
}

void
spout__loop_settle_posts(struct spout_loop *loop)
{
	struct spout__post *post = atomic_exchange(&loop->posts, NULL), *next;
	struct spout__list newest_first, *node;

	spout__list_init(&newest_first);
	for (; post != NULL; post = next) {
		struct callback *callback =
		    spout__container_of(post, struct callback, post);

		next = post->next;
		if (post->run != on_post)
			continue; /* its owner knows that it may not come */
		spout__ready_init(&callback->ready, on_ready);
		spout__list_push_front(&newest_first, &callback->ready.link);
	}
	while ((node = spout__list_pop(&newest_first)) != NULL)
		spout__list_push(&loop->ready, node);
}

int
spout_loop_post(struct spout_loop *loop, spout_callback_fn fn, void *arg)
{
	struct callback *callback = malloc(sizeof(*callback));

	if (callback == NULL)
		return -ENOMEM;
	callback->fn = fn;
	callback->arg = arg;
	callback->post.run = on_post;
	spout__loop_post(loop, &callback->post);
	return 0;
}

int
spout_loop_add_callback(struct spout_loop *loop, spout_callback_fn fn, void *arg)
{
	struct callback *callback;

	spout__loop_check_thread(loop, "spout_loop_add_callback");
	callback = malloc(sizeof(*callback));
	if (callback == NULL)
		return -ENOMEM;
	callback->fn = fn;
	callback->arg = arg;
	spout__ready_init(&callback->ready, on_ready);
	spout__loop_ready(loop, &callback->ready);
	return 0;
}
