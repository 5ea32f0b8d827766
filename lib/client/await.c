/* SPDX-License-Identifier: MIT */
/*
 * What a coroutine sees of the client: futures of fetches, waiting for them, reading and
 * writing streamed bodies. The answer belongs to the scope of its future, which frees it,
 * and cancels what still runs, by a clean-up that is registered before anything starts.
 */
#include "config.h"

#include <errno.h>

#include "async/async.h"
#include "client/client.h"

static const char fetch_type[] = "fetch";
static const struct spout_local failure_key = { .name = "spout_fetch_failure" };

struct spout__fetch_future {
	struct spout_future future;      /* first: see spout__future_alloc() */
	struct spout__fetch *fetch;      /* while it runs */
	struct spout_response *response; /* until it is freed */
	struct spout__waker *reader, *writer;
};

/* --- its end ---------------------------------------- */

static void
wake(struct spout__waker *waker)
{
	if (waker != NULL)
		spout__waker_wake(waker);
}

/* From the client; perhaps inside of libcurl. */
static void
on_event(struct spout__fetch *fetch, enum spout__fetch_event event)
{
	struct spout__fetch_future *self = fetch->owner;
	const struct spout_fetch_failure *failure = &self->response->failure;

	if (event == SPOUT__FETCH_OVER)
		self->fetch = NULL;
	if (event == SPOUT__FETCH_DATA || event == SPOUT__FETCH_OVER)
		wake(self->reader);
	if (event == SPOUT__FETCH_ROOM || event == SPOUT__FETCH_OVER)
		wake(self->writer);
	if (self->future.done ||
	    (event != SPOUT__FETCH_HEAD && event != SPOUT__FETCH_OVER))
		return;
	spout__future_complete(&self->future,
	    event == SPOUT__FETCH_OVER ? failure->error : 0, self->response,
	    failure->reason);
}

static void
drop_fetch(struct spout__fetch_future *self)
{
	if (self->fetch != NULL)
		spout__fetch_drop(self->fetch);
	self->fetch = NULL;
	wake(self->reader);
	wake(self->writer);
}

static void
on_cancel(struct spout_future *future)
{
	struct spout__fetch_future *self =
	    spout__container_of(future, struct spout__fetch_future, future);

	drop_fetch(self);
	if (self->response != NULL)
		self->response->failure = (struct spout_fetch_failure){
			.error = -ECANCELED, .reason = "cancelled"
		};
	spout__future_complete(future, -ECANCELED, NULL, "cancelled");
}

static void
release(void *arg)
{
	struct spout__fetch_future *self = arg;

	drop_fetch(self);
	spout__response_release(self->response);
	self->response = NULL;
}

void
spout_response_free(void *arg)
{
	struct spout_response *response = arg;

	if (response == NULL)
		return;
	if (response->future != NULL)
		release(response->future);
	else
		spout__response_release(response);
}

/* --- its begin ---------------------------------------- */

static int
start(struct spout__fetch_future *self, const char *url,
    const struct spout_fetch_options *options)
{
	struct spout__client *client = spout__client_of(self->future.scope->loop);
	struct spout__fetch *fetch;
	int r;

	if (client == NULL)
		return -ENOMEM;
	fetch = spout__fetch_new(client, url, options, self->response);
	if (fetch == NULL)
		return self->response->failure.error ? self->response->failure.error
						     : -ENOMEM;
	fetch->owner = self;
	fetch->notify = on_event;
	r = spout__fetch_start(fetch);
	if (r == 0) {
		self->fetch = fetch;
		return 0;
	}
	self->response->failure = fetch->failure;
	spout__fetch_drop(fetch);
	return r;
}

struct spout_future *
spout_fetch_async_at(
    const char *url, const struct spout_fetch_options *options, const char *where)
{
	struct spout_coroutine *co = spout__co_checkpoint("spout_fetch");
	struct spout_scope *scope = spout__coroutine_scope(co);
	struct spout__fetch_future *self =
	    spout__future_alloc(scope, sizeof(*self), NULL);
	int r;

	if (self == NULL || spout_defer_in(scope, release, self) < 0)
		spout__co_leave(-ENOMEM, 0, "spout_fetch: out of memory");
	self->future.type = fetch_type;
	self->future.where = where;
	self->response = spout__response_new();
	if (self->response == NULL)
		spout__co_leave(-ENOMEM, 0, "spout_fetch: out of memory");
	self->response->future = self;
	self->response->streamed = options->stream;
	self->future.on_cancel = on_cancel;
	r = start(self, url, options);
	if (r < 0)
		spout__future_complete(&self->future, r, NULL,
		    self->response->failure.error != 0 ? self->response->failure.reason
						       : NULL);
	return &self->future;
}

/* --- waiting for it ---------------------------------------- */

const struct spout_fetch_failure *
spout_fetch_failure(void)
{
	static const struct spout_fetch_failure none;
	const struct spout_fetch_failure *failure = spout_local_get(&failure_key);

	return failure != NULL ? failure : &none;
}

static struct spout__fetch_future *
future_of(struct spout_future *future)
{
	return future->type == fetch_type
	    ? spout__container_of(future, struct spout__fetch_future, future)
	    : NULL;
}

struct spout_response *
spout_try_response(struct spout_future *future)
{
	struct spout__fetch_future *self = future_of(future);
	struct spout_fetch_failure failure;
	int r;

	if (self == NULL) {
		errno = EINVAL;
		(void)spout__co_error(-EINVAL, "spout_response: not a future of a fetch");
		return NULL;
	}
	r = spout__future_await(future, SPOUT_FOREVER, "spout_fetch");
	if (r == 0)
		return self->response;
	failure = (struct spout_fetch_failure){ .error = r };
	if (self->response != NULL && self->response->failure.error != 0)
		failure = self->response->failure;
	else
		snprintf(failure.reason, sizeof(failure.reason), "%s", spout_error());
	spout_local_set(&failure_key, &failure, sizeof(failure));
	errno = -r;
	return NULL;
}

struct spout_response *
spout_response(struct spout_future *future)
{
	struct spout_response *response = spout_try_response(future);

	if (response == NULL)
		spout__co_leave(-errno, 0, "%s", spout_error());
	return response;
}

struct spout_response *
spout_try_fetch_with(const char *url, const struct spout_fetch_options *options)
{
	return spout_try_response(spout_fetch_async_at(url, options, NULL));
}

struct spout_response *
spout_fetch_with(const char *url, const struct spout_fetch_options *options)
{
	return spout_response(spout_fetch_async_at(url, options, NULL));
}

/* --- streams ---------------------------------------- */

struct wait {
	struct spout__waker waker;
	struct spout__waker **place; /* in the future */
};

static void
wait_detach(struct spout__waker *waker)
{
	*spout__container_of(waker, struct wait, waker)->place = NULL;
}

/* Until the next event; returns 0, or -EBUSY if somebody else waits for the same. */
static int
wait_at(struct spout__waker **place, const char *what)
{
	struct wait wait = { .waker = { .co = spout__co_must(what),
				 .detach = wait_detach },
		.place = place };

	if (*place != NULL)
		return spout__co_error(-EBUSY, "%s: another coroutine does", what);
	*place = &wait.waker;
	spout__wait(&wait.waker, what);
	return 0;
}

static int
failed(const struct spout_response *response)
{
	spout_local_set(&failure_key, &response->failure, sizeof(response->failure));
	return spout__co_error(response->failure.error, "%s", response->failure.reason);
}

int
spout_try_response_read(struct spout_response *response, struct spout_slice *ret)
{
	struct spout__fetch_future *self = response->future;
	struct spout__buffer piece;
	int r;

	(void)spout__co_checkpoint("spout_response_read");
	if (self == NULL || !response->streamed)
		return spout__co_error(
		    -EINVAL, "spout_response_read: it is not streamed");
	while (
	    response->body.len == 0 && !response->over && response->failure.error == 0) {
		r = wait_at(&self->reader, "spout_response_read");
		if (r < 0)
			return r;
	}
	if (response->body.len == 0 && response->failure.error != 0)
		return failed(response);
	piece = response->piece;
	spout__buffer_clear(&piece);
	response->piece = response->body;
	response->body = piece;
	/* In the next turn, or a quick reader of a bomb has the loop for himself. */
	if (self->fetch != NULL && (self->fetch->receive_paused || self->fetch->more))
		spout__fetch_resume_next_turn(self->fetch);
	*ret = spout_slice_of(
	    response->piece.len > 0 ? spout__buffer_at(&response->piece) : "",
	    response->piece.len);
	return 0;
}

struct spout_slice
spout_response_read(struct spout_response *response)
{
	struct spout_slice piece = { NULL, 0 };
	int r = spout_try_response_read(response, &piece);

	if (r < 0)
		spout__co_leave(r, 0, "%s", spout_error());
	return piece;
}

/* The fetch that still takes a body, or NULL with the error. */
static struct spout__fetch *
uploading(struct spout__fetch_future *self, int *ret_error)
{
	if (self == NULL || self->response == NULL) {
		*ret_error = spout__co_error(
		    -EINVAL, "spout_fetch_write: not a future of a fetch that goes on");
		return NULL;
	}
	if (self->fetch == NULL) {
		*ret_error = self->response->failure.error != 0
		    ? failed(self->response)
		    : spout__co_error(-EPIPE, "spout_fetch_write: the answer came first");
		return NULL;
	}
	if (self->fetch->options.upload && !self->fetch->upload_ended)
		return self->fetch;
	*ret_error = spout__co_error(-EINVAL, "spout_fetch_write: no body is wanted");
	return NULL;
}

int
spout_try_fetch_write(struct spout_future *future, const void *data, size_t len)
{
	struct spout__fetch_future *self = future_of(future);
	struct spout__fetch *fetch;
	int r = 0;

	(void)spout__co_checkpoint("spout_fetch_write");
	for (;;) {
		fetch = uploading(self, &r);
		if (fetch == NULL)
			return r;
		if (fetch->upload.len < SPOUT__UPLOAD_BYTES)
			break;
		r = wait_at(&self->writer, "spout_fetch_write");
		if (r < 0)
			return r;
	}
	if (spout__buffer_append(&fetch->upload, data, len) < 0)
		return spout__co_error(-ENOMEM, "spout_fetch_write: out of memory");
	if (fetch->send_paused)
		spout__fetch_resume_next_turn(fetch);
	return 0;
}

void
spout_fetch_write(struct spout_future *future, const void *data, size_t len)
{
	int r = spout_try_fetch_write(future, data, len);

	if (r < 0)
		spout__co_leave(r, 0, "%s", spout_error());
}

void
spout_fetch_write_end(struct spout_future *future)
{
	struct spout__fetch_future *self = future_of(future);
	int r;
	struct spout__fetch *fetch = uploading(self, &r);

	if (fetch == NULL)
		return;
	fetch->upload_ended = true;
	if (fetch->send_paused)
		spout__fetch_resume(fetch);
}
