/* SPDX-License-Identifier: MIT */
/*
 * Every line comes back. Serves until SIGINT or SIGTERM:
 *
 *     src/examples/tcp_echo 127.0.0.1:7777
 *
 * Then each client gets the answer to what was read from it, and the end of its
 * connection. Who has not taken that after five seconds is cut off, and the exit status
 * is 1.
 */
#include <spout/spout.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_BYTES 65536
#define LOOK_UP_MS 250 /* how soon somebody who waits for a client sees that we stop */
#define DRAIN_MS 5000

static struct spout_tcp_server *server;
static bool stopping;
static unsigned clients;
static int status;

static void
client_gone(void *arg)
{
	(void)arg;
	clients--;
}

/*
 * Our last words. To close while the client is still sending would reset the connection,
 * and what is on its way to the client would be lost: read on until it has closed, too.
 */
static void
say_goodbye(struct spout_stream *stream)
{
	struct spout_slice rest;

	spout_stream_shutdown(stream);
	while (spout_try_stream_read_some(stream, &rest) == 0 && rest.len > 0)
		;
}

static void
echo(struct spout_stream *stream, void *arg)
{
	(void)arg;
	clients++;
	spout_defer(client_gone, NULL);
	while (!stopping) {
		struct spout_slice line;
		int r;

		spout_stream_set_timeout(stream, LOOK_UP_MS);
		r = spout_try_stream_read_until(stream, "\n", LINE_BYTES, &line);
		spout_stream_set_timeout(stream, SPOUT_FOREVER);
		if (r == 0)
			spout_stream_write(stream, line.data, line.len);
		else if (r != -ETIMEDOUT)
			return; /* it has closed, or its line is too long */
	}
	say_goodbye(stream);
}

static void
stop(void *arg)
{
	(void)arg;
	if (spout_tcp_server_drain(server, DRAIN_MS) == -ETIMEDOUT) {
		fprintf(stderr, "%u clients are cut off\n", clients);
		status = 1;
	}
	spout_tcp_server_free(server); /* cancels those that still run … */
	while (clients > 0)
		spout_yield(); /* … and here they leave */
	spout_loop_stop(spout_loop_current());
}

static void
on_stop(void *arg)
{
	(void)arg;
	if (stopping)
		return;
	stopping = true;
	if (spout_spawn(stop, NULL, 0) < 0)
		_Exit(1);
}

int
main(int argc, char **argv)
{
	const char *address = argc > 1 ? argv[1] : "127.0.0.1:7777";
	struct spout_loop *loop = spout_loop_new();
	struct spout_signal *signals[2];

	if (loop == NULL || (server = spout_tcp_listen(address, echo, NULL)) == NULL) {
		perror(address);
		return 1;
	}
	signals[0] = spout_loop_add_signal(loop, SIGINT, on_stop, NULL);
	signals[1] = spout_loop_add_signal(loop, SIGTERM, on_stop, NULL);
	fprintf(stderr, "listening on port %u\n", spout_tcp_server_port(server));
	if (spout_loop_run(loop) != 0)
		status = 1;
	for (int i = 0; i < 2; i++)
		if (signals[i] != NULL)
			spout_loop_remove_signal(signals[i]);
	spout_loop_free(loop);
	return status;
}
