/* SPDX-License-Identifier: MIT */
/*
 * A WebSocket client for the tests of other servers: connects to the URL, says messages
 * of many sizes to what must echo them, closes with 3001, and prints what was agreed on.
 *
 *     ws_client URL [off|shared|own] [SUBPROTOCOL]
 */
#include <spout/spout.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wish {
	const char *url, *protocols[2];
	struct spout_websocket_compress compress;
};

static bool done;

static void
check_echo(struct spout_websocket *ws, const char *data, size_t len, bool binary)
{
	struct spout_websocket_message got;

	if (binary)
		spout_websocket_send_binary(ws, data, len);
	else
		spout_websocket_send_text(ws, data, len);
	if (!spout_websocket_read(ws, &got) || got.binary != binary || got.len != len ||
	    memcmp(got.data, data, len) != 0)
		spout_fail_with(-EBADMSG, "%zu bytes came back as something else", len);
}

static void
talk(void *arg)
{
	static const size_t sizes[] = { 0, 1, 125, 126, 127, 1000, 65535, 65536, 300000 };
	const struct wish *wish = arg;
	struct spout_websocket_message got;
	struct spout_websocket *ws = spout_websocket_connect(
	    wish->url, .subprotocols = wish->protocols, .compress = wish->compress);
	const char *protocol = spout_websocket_subprotocol(ws);
	static char data[300000];
	unsigned i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = (char)('a' + (i * i >> 7) % 26);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		check_echo(ws, data, sizes[i], false);
		check_echo(ws, data, sizes[i], true);
	}
	check_echo(ws, "\xe2\x82\xac", 3, false);
	(void)spout_websocket_ping(ws, "p", 1);
	(void)spout_websocket_close(ws, 3001, "enough");
	while (spout_websocket_read(ws, &got))
		;
	printf("%s %d\n", protocol != NULL ? protocol : "-",
	    spout_websocket_close_code(ws));
}

static void
stop(void *arg)
{
	(void)arg;
	spout_loop_stop(spout_loop_current());
}

static void
run(void *arg)
{
	spout_defer(stop, NULL);
	talk(arg);
	done = true;
}

int
main(int argc, char **argv)
{
	const char *how = argc > 2 ? argv[2] : "off";
	struct spout_loop *loop = spout_loop_new();
	struct wish wish = { .url = argv[1], .protocols = { argc > 3 ? argv[3] : NULL },
		.compress = { .on = strcmp(how, "off") != 0,
		    .keep_context = strcmp(how, "own") == 0 } };

	if (loop == NULL || argc < 2)
		return 2;
	if (spout_spawn(run, &wish, sizeof(wish)) < 0 || spout_loop_run(loop) < 0)
		return 2;
	spout_loop_free(loop);
	return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
