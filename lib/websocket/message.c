/* SPDX-License-Identifier: MIT */
/* A message for many sockets: see message.h. */
#include "config.h"

#include "websocket/message.h"

#include <errno.h>
#include <stdlib.h>

#include "base/text.h"

struct spout__ws_message *
spout__ws_message_new(enum spout__ws_opcode opcode, const void *data, size_t len)
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
	message->head_len =
	    (unsigned char)spout__ws_put_head(message->data, opcode, len);
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
	if (--message->refs == 0)
		free(message);
}
