/* SPDX-License-Identifier: MIT */
/* The callbacks of a WebSocket, but for open(): each a coroutine with a scope. */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "async/async.h"
#include "base/log.h"
#include "websocket/socket.h"

#define CLOSE_CALLBACK_MS 30000u

/* In the scope of its coroutine. */
struct call {
	struct spout_websocket *ws;
	enum spout__ws_opcode opcode;
	struct spout__buffer data;
};

static void
release_data(void *arg)
{
	struct call *call = arg;

	spout__buffer_release(&call->data);
}

static void
call_main(void *arg)
{
	struct call *call = arg;
	struct spout_websocket *ws = call->ws;
	const struct spout_websocket_handler *handler = ws->handler;
	const char *data = call->data.len > 0 ? spout__buffer_at(&call->data) : "";
	size_t len = call->data.len;

	switch (call->opcode) {
	case SPOUT__WS_PING:
		handler->ping(ws, data, len);
		break;
	case SPOUT__WS_PONG:
		handler->pong(ws, data, len);
		break;
	case SPOUT__WS_CLOSE:
		handler->close(ws, ws->close_code,
		    ws->close_reason != NULL ? ws->close_reason : "");
		break;
	default:
		ws->binary = call->opcode == SPOUT__WS_BINARY;
		handler->message(ws, data, len);
	}
}

static void
log_failure(const char *reason)
{
	static struct spout__log_kind kind;

	if (spout_log_enabled(SPOUT_LOG_WARNING) &&
	    spout__log_admit(&kind, SPOUT_LOG_WARNING))
		spout_warning("a WebSocket callback failed: %s", reason);
}

/* On the coroutine's stack; may not wait. */
static void
call_exit(struct spout_coroutine *co, const struct spout__outcome *outcome)
{
	struct call *call = spout__coroutine_arg(co);
	struct spout_websocket *ws = call->ws;
	bool chosen = outcome->status >= 1000; /* by spout_websocket_fail() */

	if (outcome->error == 0 || (outcome->cancelled && outcome->error == -ECANCELED))
		return;
	if (!chosen && outcome->error != -EPIPE)
		log_failure(outcome->reason);
	if (ws->state == SPOUT__WS_OPEN)
		spout_websocket_close(ws,
		    chosen ? outcome->status : SPOUT__WS_INTERNAL_ERROR,
		    chosen ? outcome->reason : NULL);
}

static void
call_gone(void *arg)
{
	struct spout_websocket *ws = arg;

	ws->co = NULL;
	if (!ws->using)
		spout__loop_ready(spout__ws_loop(ws), &ws->ready);
}

static uint64_t
deadline_of(const struct spout_websocket *ws, enum spout__ws_opcode opcode)
{
	uint64_t ms = ws->handler->callback_timeout_ms;

	if (ms == 0 && opcode == SPOUT__WS_CLOSE)
		ms = CLOSE_CALLBACK_MS;
	return ms == 0 || ms == SPOUT_FOREVER ? 0 :
	    spout__loop_after_ms(spout__ws_loop(ws), ms);
}

/* Takes the bytes of `data`. Returns its coroutine, or NULL when out of memory. */
static struct spout_coroutine *
call_new(struct spout_websocket *ws, enum spout__ws_opcode opcode,
    struct spout__buffer *data, struct call **ret_call)
{
	struct spout_coroutine *co = spout__coroutine_new(spout__ws_loop(ws));
	struct spout_scope *scope;
	struct call *call;
	char *end;

	if (co == NULL)
		return NULL;
	scope = spout__coroutine_scope(co);
	call = spout_alloc_in(scope, sizeof(*call));
	if (call == NULL || spout_defer_in(scope, release_data, call) < 0)
		goto failed;
	*call = (struct call){ .ws = ws, .opcode = opcode };
	if (data != NULL && data->len > 0) {
		end = spout__buffer_reserve(data, 1);
		if (end == NULL)
			goto failed;
		*end = '\0';
		call->data = *data;
		spout__buffer_init(data, data->max);
	} else if (data != NULL) {
		spout__buffer_release(data);
	}
	*ret_call = call;
	return co;
failed:
	spout__coroutine_drop(co);
	return NULL;
}

void
spout__ws_run(
    struct spout_websocket *ws, enum spout__ws_opcode opcode, struct spout__buffer *data)
{
	struct spout__coroutine_options options = { .fn = call_main,
		.on_exit = call_exit,
		.on_gone = call_gone,
		.on_gone_arg = ws,
		.deadline_ms = deadline_of(ws, opcode),
		.where = "a WebSocket callback" };
	struct spout_coroutine *co;
	struct call *call;

	co = call_new(ws, opcode, data, &call);
	if (co == NULL) {
		if (data != NULL)
			spout__buffer_release(data);
		spout__ws_fail(ws, SPOUT__WS_INTERNAL_ERROR, "out of memory");
		return;
	}
	options.arg = call;
	ws->co = co;
	spout__coroutine_start_now(co, &options);
}

void
spout_websocket_fail(struct spout_websocket *ws, int code, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (ws->request != NULL)
		spout_fail(ws->request, code, "%s", text);
	if (!spout__ws_code_valid(code))
		code = SPOUT__WS_INTERNAL_ERROR;
	spout__co_leave(-ECONNABORTED, code, "%s", text);
}
