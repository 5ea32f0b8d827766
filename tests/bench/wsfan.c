/* SPDX-License-Identifier: MIT */
/*
 * A server for tests/bench/websocket: at /fan every message of a client goes to all
 * clients, as one message that they share; /ws/echo echoes. Neither pings.
 *
 *     wsfan PORT [PROCESSES]
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include <spout/spout.h>

#include "websocket/message.h"

#define MAX 20000u

static struct spout_websocket *sockets[MAX];
static unsigned n_sockets;

static void
on_open(struct spout_websocket *ws)
{
	if (n_sockets == MAX)
		spout_websocket_fail(ws, 503, "too many");
	sockets[n_sockets++] = ws;
}

static void
on_message(struct spout_websocket *ws, const char *data, size_t len)
{
	struct spout__ws_message *message =
	    spout__ws_message_new(SPOUT__WS_TEXT, data, len);
	unsigned i;

	(void)ws;
	for (i = 0; message != NULL && i < n_sockets; i++)
		(void)spout__ws_post(sockets[i], message);
	if (message != NULL)
		spout__ws_message_unref(message);
}

static void
on_close(struct spout_websocket *ws, int code, const char *reason)
{
	unsigned i = 0;

	(void)code;
	(void)reason;
	while (i < n_sockets && sockets[i] != ws)
		i++;
	if (i < n_sockets)
		sockets[i] = sockets[--n_sockets];
}

static const struct spout_websocket_handler fan = { .open = on_open,
	.message = on_message, .close = on_close, .slow = SPOUT_WEBSOCKET_CLOSE,
	.ping_interval_ms = SPOUT_FOREVER };
static void
on_echo(struct spout_websocket *ws, const char *data, size_t len)
{
	spout_websocket_send_text(ws, data, len);
}

static const struct spout_websocket_handler echo = { .message = on_echo,
	.ping_interval_ms = SPOUT_FOREVER };
static const struct spout_route routes[] = { SPOUT_WEBSOCKET("/fan", &fan),
	SPOUT_WEBSOCKET("/ws/echo", &echo), SPOUT_END };

int
main(int argc, char **argv)
{
	char address[64];
	char *args[] = { argv[0], (char *)"--listen", address, (char *)"--processes",
		(char *)"1", (char *)"--log-level", (char *)"error",
		(char *)"--max-connections", (char *)"400000", NULL };

	if (argc < 2)
		return 2;
	if (argc > 2)
		args[4] = argv[2];
	snprintf(address, sizeof(address), "127.0.0.1:%s", argv[1]);
	return spout_main(
	    9, args, &(struct spout_app){ .name = "wsfan", .routes = routes });
}
