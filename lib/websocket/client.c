/* SPDX-License-Identifier: MIT */
/* The client's side of a WebSocket, when it is open: see client.h. Loop thread. */
#include "config.h"

#include "websocket/client.h"

#include <errno.h>
#include <stdlib.h>

#include "net/costream.h"

/* --- for the other files ---------------------------------------------------------- */

bool
spout__ws_is_held(const struct spout_websocket *ws)
{
	return ws->client != NULL && !ws->client->released;
}

void
spout__ws_wake_reader(struct spout_websocket *ws)
{
	if (ws->client != NULL)
		(void)spout__line_grant(&ws->client->readers);
}

static bool
has_unread(const struct spout_websocket *ws)
{
	return ws->input != NULL &&
	    (ws->input->pending_opcode != 0 || ws->input->ahead.len > 0);
}

bool
spout__ws_eof_can_wait(struct spout_websocket *ws)
{
	if (!spout__ws_is_held(ws) || ws->state != SPOUT__WS_OPEN || !has_unread(ws))
		return false;
	ws->client->eof = true;
	return true;
}

void
spout__ws_client_free(struct spout__ws_client *client)
{
	if (client == NULL)
		return;
	spout__list_remove(&client->link);
	spout__buffer_release(&client->lent);
	free(client->subprotocol);
	free(client);
}

/* --- those of a loop --------------------------------------------------------------- */

/* Some may still say goodbye when the loop ends. */
static void
free_all(void *object)
{
	struct spout__list *all = object, *node;

	while ((node = spout__list_pop(all)) != NULL) {
		struct spout__ws_client *client =
		    spout__container_of(node, struct spout__ws_client, link);

		if (client->released)
			spout__ws_abandon(client->ws);
	}
	free(all);
}

static struct spout__list *
clients_of(struct spout_loop *loop)
{
	struct spout__list *all = spout__loop_slot(loop, SPOUT__SLOT_WS_CLIENTS);

	if (all != NULL)
		return all;
	all = malloc(sizeof(*all));
	if (all == NULL)
		return NULL;
	spout__list_init(all);
	spout__loop_set_slot(loop, SPOUT__SLOT_WS_CLIENTS, all, free_all);
	return all;
}

/* --- its life --------------------------------------------------------------------- */

/* The scope that holds it ends: say goodbye, in the background. */
static void
release(void *arg)
{
	struct spout_websocket *ws = arg;
	bool eof = ws->client->eof;

	ws->client->released = true;
	spout__line_end(&ws->client->readers, -EPIPE);
	spout__ws_drop_pending(ws);
	spout__buffer_release(&ws->client->lent);
	if (eof)
		spout__ws_lost(ws);
	else
		(void)spout_websocket_close(ws, SPOUT__WS_NORMAL, NULL);
	spout__loop_ready(spout__ws_loop(ws), &ws->ready);
}

static struct spout__ws_client *
client_new(const struct spout_websocket_options *options)
{
	struct spout__ws_client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		return NULL;
	client->handler = (struct spout_websocket_handler){
		.compress = options->compress,
		.max_message_bytes = options->max_message_bytes,
		.max_unsent_bytes = options->max_unsent_bytes,
		.ping_interval_ms = options->ping_interval_ms,
		.ping_timeout_ms = options->ping_timeout_ms,
		.write_timeout_ms = options->write_timeout_ms,
		.close_timeout_ms = options->close_timeout_ms,
	};
	spout__line_init(&client->readers, NULL);
	spout__list_init(&client->link);
	return client;
}

static struct spout_websocket *
socket_new(const struct spout_websocket_options *options,
    const struct spout__ws_handshake *handshake)
{
	struct spout__list *all = clients_of(spout_loop_current());
	struct spout__ws_client *client = all != NULL ? client_new(options) : NULL;
	struct spout_websocket *ws = client != NULL ?
	    spout__ws_new(spout_loop_current(), &client->handler) : NULL;

	if (ws == NULL) {
		free(client);
		return NULL;
	}
	ws->client = client;
	client->ws = ws;
	spout__list_push(all, &client->link);
	ws->reader.client = true;
	ws->opened = ws->taken = true;
	spout__ws_agree(ws, &handshake->deflate);
	spout__buffer_init(&client->lent, ws->reader.max + 1);
	if (handshake->subprotocol != NULL) {
		client->subprotocol = strdup(handshake->subprotocol);
		ws->subprotocol = client->subprotocol;
	}
	return ws;
}

/* It was never open. */
static void
discard(struct spout_websocket *ws)
{
	ws->client->released = true;
	spout__ws_lost(ws);
}

int
spout__ws_adopt(struct spout_stream *stream,
    const struct spout_websocket_options *options,
    const struct spout__ws_handshake *handshake, struct spout_websocket **ret_ws)
{
	struct spout_websocket *ws = socket_new(options, handshake);
	struct spout__ws_input *input = ws != NULL ? spout__ws_input(ws) : NULL;
	int r = input != NULL &&
	        (handshake->subprotocol == NULL || ws->subprotocol != NULL) ?
	    spout_defer_in(spout_scope_current(), release, ws) : -ENOMEM;

	if (r < 0) {
		spout_stream_close(stream);
		if (ws != NULL)
			discard(ws);
		return spout__co_error(r, "out of memory");
	}
	r = spout__costream_give(stream, &ws->stream, &spout__ws_stream_ops,
	    ws->stream.out.max, &input->ahead);
	if (r < 0) {
		spout__ws_lost(ws);
		return spout__co_error(r, "the connection was lost: %s", strerror(-r));
	}
	ws->heard_ms = ws->moved_ms = spout_loop_now_ms(spout__ws_loop(ws));
	spout__ws_receive(ws, "", 0);
	spout__ws_watch(ws);
	*ret_ws = ws;
	return 0;
}

/* --- reading ---------------------------------------------------------------------- */

/* Lend the message that waits. Returns 1, or -ENOMEM. */
static int
lend(struct spout_websocket *ws, struct spout_websocket_message *ret)
{
	struct spout__ws_input *input = ws->input;
	struct spout__buffer *lent = &ws->client->lent;
	size_t max = lent->max;
	char *end;

	ret->binary = input->pending_opcode == SPOUT__WS_BINARY;
	*lent = input->pending;
	lent->max = max;
	spout__buffer_init(&input->pending, input->pending.max);
	input->pending_opcode = 0;
	end = spout__buffer_reserve(lent, 1);
	if (end == NULL)
		return spout__co_error(-ENOMEM, "out of memory");
	*end = '\0';
	ret->data = spout__buffer_at(lent);
	ret->len = lent->len;
	/* The next one may be here already; else read on. */
	spout__ws_receive(ws, "", 0);
	return 1;
}

static bool
is_waiting(const struct spout_websocket *ws)
{
	return ws->input != NULL && ws->input->pending_opcode != 0;
}

int
spout_try_websocket_read(
    struct spout_websocket *ws, uint64_t ms, struct spout_websocket_message *ret)
{
	uint64_t end = ms == SPOUT_FOREVER ? SPOUT_FOREVER :
	    spout__loop_after_ms(spout__ws_loop(ws), ms);
	uint64_t now;
	int r;

	(void)spout__co_checkpoint("spout_websocket_read");
	if (ws->client == NULL)
		return spout__co_error(-EINVAL, "a server reads by its callbacks");
	spout__buffer_release(&ws->client->lent);
	while (!is_waiting(ws)) {
		if (ws->client->eof)
			spout__ws_lost(ws);
		if (ws->state >= SPOUT__WS_ENDING)
			return 0;
		now = spout_loop_now_ms(spout__ws_loop(ws));
		r = spout__line_wait(&ws->client->readers,
		    end == SPOUT_FOREVER ? SPOUT_FOREVER : end > now ? end - now : 0,
		    "spout_websocket_read");
		if (r < 0)
			return spout__co_error(r, "no message came for %llu ms",
			    (unsigned long long)ms);
	}
	return lend(ws, ret);
}

bool
spout_websocket_read(struct spout_websocket *ws, struct spout_websocket_message *ret)
{
	int r = spout_try_websocket_read(ws, SPOUT_FOREVER, ret);

	spout__net_leave_if(r);
	return r > 0;
}

int
spout_websocket_close_code(const struct spout_websocket *ws)
{
	return ws->state >= SPOUT__WS_ENDING ? ws->close_code : 0;
}

const char *
spout_websocket_close_reason(const struct spout_websocket *ws)
{
	return ws->close_reason != NULL ? ws->close_reason : "";
}
