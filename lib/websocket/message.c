/* SPDX-License-Identifier: MIT */
/* A message for many sockets: see message.h. */
#include "config.h"

#include "websocket/message.h"

#include <errno.h>
#include <stdlib.h>

#include "base/text.h"
#include "websocket/deflate.h"
#include "websocket/socket.h"

struct spout__ws_message *
spout__ws_message_new(unsigned opcode, const void *data, size_t len)
{
	struct spout__ws_message *message;

	if (opcode == SPOUT__WS_TEXT && !spout__utf8_valid(data, len)) {
		errno = EINVAL;
		return NULL;
	}
	message = malloc(sizeof(*message) + SPOUT__WS_HEAD_MAX + len);
	if (message == NULL)
		return NULL;
	message->refs = 1;
	message->opcode = (unsigned char)opcode;
	message->len = len;
	message->packed = NULL;
	message->bits = 0;
	message->head_len =
	    (unsigned char)spout__ws_put_head(message->data, opcode, len, NULL);
	if (len > 0)
		memcpy(message->data + message->head_len, data, len);
	return message;
}

struct spout__ws_message *
spout__ws_message_ref(struct spout__ws_message *message)
{
	message->refs++;
	return message;
}

void
spout__ws_message_unref(struct spout__ws_message *message)
{
	if (--message->refs > 0)
		return;
	if (message->packed != NULL)
		spout__ws_message_unref(message->packed);
	free(message);
}

/* Compress it for that window; a packed one of NULL afterwards: it does not pay. */
static void
pack(struct spout__ws_message *message, struct spout_websocket *ws)
{
	struct spout__ws_deflate alone = { .own_bits = ws->deflate.own_bits };
	struct spout_slice packed;

	if (message->packed != NULL)
		spout__ws_message_unref(message->packed);
	message->packed = NULL;
	message->bits = alone.own_bits;
	if (spout__ws_pack(spout__ws_codecs_of(spout__ws_loop(ws)), &alone,
	        &ws->handler->compress, NULL, spout__ws_message_payload(message),
	        &packed) == 1)
		message->packed = spout__ws_message_new(
		    message->opcode | SPOUT__WS_PACKED, packed.data, packed.len);
}

struct spout__ws_message *
spout__ws_message_for(struct spout__ws_message *message, struct spout_websocket *ws)
{
	if (message->len < spout__ws_min_packed(ws))
		return message;
	/* What was compressed for a smaller window is good for a larger one, too. */
	if (message->bits == 0 || message->bits > ws->deflate.own_bits)
		pack(message, ws);
	if (message->packed == NULL)
		return message;
	spout__ws_context_forget(ws->context);
	return message->packed;
}
