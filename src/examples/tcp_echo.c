/* SPDX-License-Identifier: MIT */
/*
 * Every line comes back. Serves until SIGINT or SIGTERM, then lets the clients finish for
 * a second:
 *
 *     src/examples/tcp_echo 127.0.0.1:7777
 */
#include <spout/spout.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>

static struct spout_tcp_server *server;

static void
echo(struct spout_stream *stream, void *arg)
{
	struct spout_slice line;

	(void)arg;
	while (spout_try_stream_read_until(stream, "\n", 65536, &line) == 0)
		spout_stream_write(stream, line.data, line.len);
}

static void
drain(void *arg)
{
	(void)arg;
	if (spout_tcp_server_drain(server, 1000) == -ETIMEDOUT)
		fprintf(stderr, "clients are still there\n");
	spout_loop_stop(spout_loop_current());
}

static void
on_stop(void *arg)
{
	(void)arg;
	if (spout_spawn(drain, NULL, 0) < 0)
		spout_loop_stop(spout_loop_current());
}

int
main(int argc, char **argv)
{
	const char *address = argc > 1 ? argv[1] : "127.0.0.1:7777";
	struct spout_loop *loop = spout_loop_new();
	struct spout_signal *stop[2];
	int r;

	if (loop == NULL || (server = spout_tcp_listen(address, echo, NULL)) == NULL) {
		perror(address);
		return 1;
	}
	stop[0] = spout_loop_add_signal(loop, SIGINT, on_stop, NULL);
	stop[1] = spout_loop_add_signal(loop, SIGTERM, on_stop, NULL);
	fprintf(stderr, "listening on port %u\n", spout_tcp_server_port(server));
	r = spout_loop_run(loop);
	spout_tcp_server_free(server);
	for (int i = 0; i < 2; i++)
		if (stop[i] != NULL)
			spout_loop_remove_signal(stop[i]);
	spout_loop_free(loop);
	return r == 0 ? 0 : 1;
}
