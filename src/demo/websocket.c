/* SPDX-License-Identifier: MIT */
/* WS /ws/echo: every message comes back as it was. */
#include "config.h"

#include "demo.h"

static void
echo_message(struct spout_websocket *ws, const char *data, size_t len)
{
	if (spout_websocket_is_binary(ws))
		spout_websocket_send_binary(ws, data, len);
	else
		spout_websocket_send_text(ws, data, len);
}

const struct spout_websocket_handler websocket_echo = { .message = echo_message,
	.compress = { .on = true } };
