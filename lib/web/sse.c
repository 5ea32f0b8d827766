/* SPDX-License-Identifier: MIT */
/*
 * Server-sent events: see spout/sse.h. What is sent goes straight into the response, for
 * memory of the scope would add up in a stream that does not end.
 */
#include "config.h"

#include <spout/sse.h>

#include <errno.h>

#include "web/request.h"

#define HEARTBEAT_MS 15000u

struct spout_sse {
	struct spout_request *req;
	uint64_t heartbeat_ms, last_ms; /* when something was sent */
	bool sending;                   /* it may be waiting in the middle of an event */
};

/* --- the heartbeat ------------------------------------------------------------------ */

static void
beat(void *arg)
{
	struct spout_sse *sse = *(struct spout_sse **)arg;
	struct spout_loop *loop = sse->req->web->loop;

	for (;;) {
		uint64_t due_ms = sse->last_ms + sse->heartbeat_ms;
		uint64_t now_ms = spout_loop_now_ms(loop);

		if (due_ms > now_ms) {
			spout_sleep(due_ms - now_ms);
			continue;
		}
		sse->last_ms = now_ms;
		if (sse->sending)
			continue;
		spout_write_text(sse->req, ":\n\n");
		spout_flush(sse->req);
	}
}

/* --- events ------------------------------------------------------------------------- */

static void
write_line(struct spout_sse *sse, const char *name, const char *text, size_t len)
{
	spout_write_text(sse->req, name);
	spout_write(sse->req, text, len);
	spout_write(sse->req, "\n", 1);
}

/* Each of CR LF, LF and CR ends a line. */
static void
write_data(struct spout_sse *sse, const char *data)
{
	for (;;) {
		size_t len = strcspn(data, "\r\n");

		write_line(sse, "data: ", data, len);
		data += len;
		if (*data == '\0')
			return;
		data += data[0] == '\r' && data[1] == '\n' ? 2 : 1;
	}
}

static void
check_line(const char *what, const char *text)
{
	if (text != NULL && strpbrk(text, "\r\n") != NULL)
		spout__co_leave(
		    -EINVAL, 0, "spout_sse_send: %s has more than one line", what);
}

void
spout_sse_send(
    struct spout_sse *sse, const char *name, const char *data, const char *id)
{
	check_line("the name of an event", name);
	check_line("the id of an event", id);
	sse->sending = true;
	if (id != NULL)
		write_line(sse, "id: ", id, strlen(id));
	if (name != NULL)
		write_line(sse, "event: ", name, strlen(name));
	if (data != NULL)
		write_data(sse, data);
	spout_write(sse->req, "\n", 1);
	sse->last_ms = spout_loop_now_ms(sse->req->web->loop);
	spout_flush(sse->req);
	sse->sending = false;
}

/* --- the stream --------------------------------------------------------------------- */

static void
send_head(struct spout_request *req)
{
	spout__response_type(req, SPOUT__LITERAL("text/event-stream"));
	spout_set_header(req, "Cache-Control", "no-cache");
	spout_set_header(req, "X-Accel-Buffering", "no");
	spout_flush(req);
	if (req->head->method == SPOUT__HTTP_HEAD)
		spout__co_leave(-ECANCELED, 0, "HEAD gets no events");
}

struct spout_sse *
spout_sse_open_with(struct spout_request *req, const struct spout_sse_options *options)
{
	struct spout_sse_options known = { 0 };
	struct spout_sse *sse = spout_alloc(sizeof(*sse));

	memcpy(&known, options,
	    options->size < sizeof(known) ? options->size : sizeof(known));
	if (req->route->timeout_ms == 0)
		spout__coroutine_set_deadline(spout__co_must("spout_sse_open"), 0);
	sse->req = req;
	sse->heartbeat_ms =
	    known.heartbeat_ms != 0 ? known.heartbeat_ms : HEARTBEAT_MS;
	sse->last_ms = spout_loop_now_ms(req->web->loop);
	sse->sending = false;
	send_head(req);
	if (known.retry_ms != 0) {
		spout_printf(req, "retry: %llu\n\n", (unsigned long long)known.retry_ms);
		spout_flush(req);
	}
	spout_group_spawn(spout_group_new(.quiet = true), beat, &sse, sizeof(sse));
	return sse;
}

const char *
spout_sse_last_event_id(struct spout_request *req)
{
	return spout_header(req, "Last-Event-ID");
}
