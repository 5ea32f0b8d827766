/* SPDX-License-Identifier: MIT */
/*
 * One request and its handler: the coroutine, the request side, the end. Made and run on
 * the loop's stack; what the handler calls runs on the coroutine's. It lives in the
 * memory of the coroutine's scope, which may outlive the connection.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/stats.h"
#include "http/conn.h"
#include "net/tls.h"

/* --- life ------------------------------------------------------------------------- */

static void
ex_main(void *arg)
{
	struct spout__http_exchange *ex = arg;

	ex->plan.run(ex, ex->plan.arg);
}

static void
count_end(struct spout__http_exchange *ex, const struct spout__outcome *outcome)
{
	ex->duration_us = spout__clock_ns() / 1000u - ex->started_us;
	spout__cells_observe(&ex->plan.figures->duration, ex->duration_us);
	spout__gauge_add(SPOUT__G_REQUESTS_RUNNING, -1);
	if (outcome->cancelled && outcome->error == -ETIMEDOUT)
		spout__count(SPOUT__C_REQUESTS_TIMED_OUT, 1);
	else if (outcome->cancelled)
		spout__count(SPOUT__C_REQUESTS_CANCELLED, 1);
}

/* The handler returned, and what it wrote is not what it had promised. */
static const struct spout__outcome *
broken_promise(struct spout__http_exchange *ex, struct spout__outcome *ret)
{
	char *reason = spout_alloc_in(spout__http_scope(ex), 96);

	if (reason != NULL)
		snprintf(reason, 96, "the handler promised %lld bytes and wrote %llu",
		    (long long)ex->promised, (unsigned long long)ex->written);
	*ret = (struct spout__outcome){ .error = -EIO,
		.reason = reason != NULL ? reason : "a promise was broken" };
	return ret;
}

static void
ex_failure(struct spout_coroutine *co, const struct spout__outcome *outcome)
{
	struct spout__http_exchange *ex = spout__coroutine_arg(co);
	const struct spout__http_delegate *delegate = &ex->server->delegate;

	if (delegate->on_failure != NULL && ex->conn != NULL && !ex->head_sent)
		delegate->on_failure(delegate->ctx, ex, outcome);
}

/* On the coroutine's stack, as soon as the outcome is known; may not wait. */
static void
ex_exit(struct spout_coroutine *co, const struct spout__outcome *outcome)
{
	struct spout__http_exchange *ex = spout__coroutine_arg(co);
	const struct spout__http_delegate *delegate = &ex->server->delegate;
	struct spout__outcome broken;
	bool whole = false;

	if (ex->promised >= 0 && outcome->error == 0 && spout__response_is_short(ex))
		outcome = broken_promise(ex, &broken);
	delegate->on_exit(delegate->ctx, ex, outcome, ex->conn == NULL);
	if (ex->conn != NULL)
		whole = spout__response_finish(ex, outcome->error != 0);
	ex->finished = true;
	count_end(ex, outcome);
	delegate->on_finish(delegate->ctx, ex);
	spout__buffer_release(&ex->out);
	if (ex->conn != NULL)
		spout__conn_exchange_done(ex->conn, !whole);
	ex->conn = NULL;
	/* A child that is shielded is not woken by the end of its parent's scope. */
	spout__exchange_wake(&ex->readers);
	spout__exchange_wake(&ex->writers);
	spout__server_exchange_gone(ex->server);
}

static void
release_body(void *arg)
{
	struct spout__http_exchange *ex = arg;

	spout__buffer_release(&ex->body_in);
}

static const struct spout__http_head *
copy_head(struct spout_scope *scope, const struct spout__http_head *head)
{
	size_t size = offsetof(struct spout__http_head, fields) +
	    head->n_fields * sizeof(head->fields[0]);
	void *copy = spout_alloc_in(scope, size);

	return copy == NULL ? NULL : memcpy(copy, head, size);
}

static void
init_plan(struct spout__http_plan *plan, const struct spout__http_options *options)
{
	memset(plan, 0, sizeof(*plan));
	plan->figures = &spout__stats->routes[0];
	plan->max_body_bytes = options->max_body_bytes;
	plan->timeout_ms = options->request_timeout_ms;
	plan->body_timeout_ms = options->body_timeout_ms;
}

/* Memory, the parsed head, the delegate's plan, the framing of the body. */
static int
ex_prepare(struct spout__http_exchange *ex, const struct spout__http_head *head)
{
	const struct spout__http_delegate *delegate = &ex->server->delegate;
	struct spout_scope *scope = spout__coroutine_scope(ex->co);

	ex->head = copy_head(scope, head);
	if (ex->head == NULL)
		return -ENOMEM;
	ex->status = 200;
	ex->promised = -1;
	ex->encoder = NULL;
	ex->content_type = ex->server->options.content_type;
	ex->started_us = spout__loop_now_us(ex->server->loop);
	ex->body_began_ms = spout_loop_now_ms(ex->server->loop);
	ex->peer = ex->conn->peer;
	spout__buffer_init(&ex->out, SPOUT__RESPONSE_BUFFER);
	init_plan(&ex->plan, &ex->server->options);
	delegate->on_head(delegate->ctx, ex, ex->head, &ex->plan);
	spout__buffer_init(&ex->body_in, ex->plan.stream_body ? SPOUT__CONN_BODY_AHEAD :
	                                                        ex->plan.max_body_bytes);
	if (head->framing == SPOUT__HTTP_NO_BODY)
		return 0;
	return spout_defer_in(scope, release_body, ex);
}

struct spout__http_exchange *
spout__exchange_new(struct spout__http_conn *conn, const char *data, size_t len,
    enum spout__http_fault *ret_fault)
{
	struct spout__http_server *server = conn->server;
	struct spout_coroutine *co = spout__coroutine_new(server->loop);
	struct spout__http_exchange *ex;
	int r = -1;
	char *copy;

	*ret_fault = SPOUT__FAULT_NONE;
	if (co == NULL)
		return NULL;
	ex = spout_alloc_in(spout__coroutine_scope(co), sizeof(*ex) + len);
	if (ex == NULL)
		goto out;
	memset(ex, 0, offsetof(struct spout__http_exchange, plan));
	copy = (char *)(ex + 1);
	memcpy(copy, data, len);
	ex->conn = conn;
	ex->server = server;
	ex->co = co;
	spout__list_init(&ex->readers);
	spout__list_init(&ex->writers);
	r = spout__http_head_parse(copy, len, &server->options.limits, &server->head);
	if (r < 0) {
		*ret_fault = (enum spout__http_fault)-r;
		goto out;
	}
	r = ex_prepare(ex, &server->head);
	if (r < 0)
		goto out;
	r = spout__http_body_begin(&ex->body, ex->head, ex->plan.max_body_bytes);
	if (r < 0)
		*ret_fault = (enum spout__http_fault)-r;
out:
	if (r < 0) {
		spout__coroutine_drop(co);
		return NULL;
	}
	server->n_exchanges++;
	spout__count(SPOUT__C_REQUESTS, 1);
	spout__gauge_add(SPOUT__G_REQUESTS_RUNNING, 1);
	return ex;
}

void
spout__exchange_run(struct spout__http_exchange *ex)
{
	struct spout__coroutine_options options = { .fn = ex_main, .arg = ex,
		.on_failure = ex_failure, .on_exit = ex_exit, .where = "a request" };

	options.request_id = spout__coroutine_scope(ex->co)->request_id;
	if (ex->plan.timeout_ms > 0)
		options.deadline_ms = spout__loop_after_ms(ex->server->loop,
		    ex->plan.timeout_ms);
	spout__coroutine_start_now(ex->co, &options);
}

void
spout__exchange_drop(struct spout__http_exchange *ex)
{
	spout__gauge_add(SPOUT__G_REQUESTS_RUNNING, -1);
	spout__server_exchange_gone(ex->server);
	spout__coroutine_drop(ex->co);
}

void
spout__exchange_detach(struct spout__http_exchange *ex)
{
	ex->secure = spout__stream_secure(&ex->conn->stream);
	ex->conn = NULL;
	if (!spout__coroutine_started(ex->co)) {
		spout__exchange_drop(ex);
		return;
	}
	spout__coroutine_cancel(ex->co, -ECANCELED, "the client is gone");
	/* Being cancelled does not wake who is shielded. */
	spout__exchange_wake(&ex->readers);
	spout__exchange_wake(&ex->writers);
}

/* --- waiting for the client ------------------------------------------------------- */

static void
wait_detach(struct spout__waker *waker)
{
	spout__list_remove(
	    &spout__container_of(waker, struct spout__http_wait, waker)->link);
}

void
spout__exchange_wait(struct spout__list *list, const char *what)
{
	/* Whichever runs: the handler may have left reading or writing to a child. */
	struct spout__http_wait wait = { .waker = { .co = spout__co_must(what),
		.detach = wait_detach } };

	spout__list_push(list, &wait.link);
	spout__wait(&wait.waker, what);
}

void
spout__exchange_wake(struct spout__list *list)
{
	struct spout__list *node;

	spout__list_for_each(node, list)
		spout__waker_wake(
		    &spout__container_of(node, struct spout__http_wait, link)->waker);
}

/* --- the request body ------------------------------------------------------------- */

void
spout__exchange_continue(struct spout__http_exchange *ex)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (!ex->head->expect_continue || ex->continue_sent || ex->head_sent ||
	    ex->body.total > 0)
		return;
	ex->continue_sent = true;
	if (spout__stream_write(&ex->conn->stream, text, sizeof(text) - 1) == 0)
		spout__count_response(ex->plan.figures, 100);
}

struct spout_slice
spout__http_body_buffered(const struct spout__http_exchange *ex)
{
	if (ex->plan.stream_body || ex->body_in.len == 0)
		return spout_slice_of("", 0);
	return spout_slice_of(spout__buffer_at(&ex->body_in), ex->body_in.len);
}

/* Suspend until more of the body has arrived, or will not. */
static void
wait_for_body(struct spout__http_exchange *ex)
{
	uint64_t began_ms = spout_loop_now_ms(ex->server->loop);

	if (!spout__list_empty(&ex->readers))
		spout__co_leave(-EINVAL, 0, "two coroutines read the same request body");
	spout__conn_set_deadline(ex->conn, ex->plan.body_timeout_ms);
	spout__exchange_wait(&ex->readers, "the request body");
	ex->body_waited_ms += spout_loop_now_ms(ex->server->loop) - began_ms;
	if (ex->conn != NULL)
		spout__conn_watch_output(ex->conn);
}

/* Decode what has arrived into body_in. Returns 0 or -fault. */
static int
take_arrived(struct spout__http_exchange *ex)
{
	struct spout__buffer *in = &ex->conn->in;
	struct spout_slice piece;
	size_t used;
	int r;

	spout__buffer_clear(&ex->body_in);
	do {
		if (in->len == 0)
			break;
		r = spout__http_body_feed(&ex->body, spout__buffer_at(in),
		    in->len < SPOUT__CONN_BODY_AHEAD - ex->body_in.len ?
			in->len :
			SPOUT__CONN_BODY_AHEAD - ex->body_in.len, &used, &piece);
		if (r < 0)
			return r;
		if (spout__buffer_append(&ex->body_in, piece.data, piece.len) < 0)
			spout__co_leave(-ENOMEM, 0, "out of memory (request body)");
		spout__buffer_consume(in, used);
	} while (used > 0 && ex->body_in.len < SPOUT__CONN_BODY_AHEAD &&
	    !spout__http_body_done(&ex->body));
	if (in->len == 0)
		spout__buffer_release(in);
	spout__conn_update_reading(ex->conn);
	return 0;
}

static void SPOUT_NORETURN
leave_with_fault(struct spout__http_exchange *ex)
{
	const struct spout__http_fault_row *row = &spout__http_faults[ex->fault];

	ex->close_after = true;
	spout__co_leave(-EBADMSG, row->status, "the request body was refused: %s (%s)",
	    row->word, row->section);
}

struct spout_slice
spout__http_body_read(struct spout__http_exchange *ex)
{
	int r;

	if (!ex->plan.stream_body)
		return spout_slice_of("", 0);
	ex->body_read_began = true;
	for (;;) {
		if (ex->conn == NULL)
			spout__co_leave(-ECANCELED, 0, "the client is gone");
		if (ex->fault == SPOUT__FAULT_NONE && !spout__http_body_done(&ex->body)) {
			r = take_arrived(ex);
			if (r < 0)
				ex->fault = (enum spout__http_fault)-r;
			else if (ex->body_in.len > 0)
				return spout_slice_of(spout__buffer_at(&ex->body_in),
				    ex->body_in.len);
			if (ex->conn == NULL)
				continue; /* failed when reading went on */
		}
		if (ex->fault == SPOUT__FAULT_NONE && !spout__http_body_done(&ex->body) &&
		    spout__conn_body_too_slow(ex->conn, ex))
			ex->fault = SPOUT__FAULT_BODY_TIMEOUT;
		if (ex->fault != SPOUT__FAULT_NONE)
			leave_with_fault(ex);
		if (spout__http_body_done(&ex->body))
			return spout_slice_of("", 0);
		if (ex->conn->stream.eof) {
			spout__conn_close(ex->conn); /* half a body: cancels us */
			continue;
		}
		spout__exchange_continue(ex);
		wait_for_body(ex);
	}
}

/* --- looking at it ---------------------------------------------------------------- */

const struct spout__http_head *
spout__http_head_of(const struct spout__http_exchange *ex)
{
	return ex->head;
}

struct spout_scope *
spout__http_scope(struct spout__http_exchange *ex)
{
	return spout__coroutine_scope(ex->co);
}

const struct sockaddr *
spout__http_peer(const struct spout__http_exchange *ex)
{
	return &ex->peer.sa;
}

bool
spout__http_secure(const struct spout__http_exchange *ex)
{
	return ex->conn != NULL ? spout__stream_secure(&ex->conn->stream) : ex->secure;
}

struct spout_certificate *
spout__http_certificate(const struct spout__http_exchange *ex)
{
	return ex->conn != NULL ?
	    spout__tls_peer(&ex->conn->stream, spout__coroutine_scope(ex->co)) :
	    NULL;
}

uint64_t
spout__http_duration_us(const struct spout__http_exchange *ex)
{
	return ex->finished ? ex->duration_us
			    : spout__clock_ns() / 1000u - ex->started_us;
}

uint64_t
spout__http_max_body(const struct spout__http_exchange *ex)
{
	return ex->plan.max_body_bytes;
}

void *
spout__http_data(const struct spout__http_exchange *ex)
{
	return ex->data;
}

void
spout__http_set_data(struct spout__http_exchange *ex, void *data)
{
	ex->data = data;
}
