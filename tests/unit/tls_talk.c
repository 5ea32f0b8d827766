/* SPDX-License-Identifier: MIT */
/* Servers and clients over TLS for tests: see tls_talk.h. */
#include "config.h"

#include "tls_talk.h"

#include <stdio.h>
#include <string.h>

void
tls_make_all(void)
{
	static const struct tls_wish wishes[] = {
		{ "ca", NULL, NULL, true, -1, 2 },
		{ "other-ca", NULL, NULL, true, -1, 2 },
		{ "localhost", "ca", "DNS:localhost,IP:127.0.0.1,IP:::1", false, -1, 2 },
		{ "foreign", "ca", "DNS:a.example", false, -1, 2 },
		{ "wild", "ca", "DNS:*.c.example", false, -1, 2 },
		{ "deep", "ca", "DNS:b.c.example", false, -1, 2 },
		{ "expired", "ca", "DNS:localhost", false, -9, -2 },
		{ "future", "ca", "DNS:localhost", false, 2, 9 },
		{ "stranger", "other-ca", "DNS:localhost", false, -1, 2 },
		{ "alice", "ca", "email:alice@a.example", false, -1, 2 },
		{ "mallory", "other-ca", NULL, false, -1, 2 },
	};

	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++)
		tls_make(&wishes[i]);
}

struct spout_tls *
tls_server(const char *name)
{
	struct spout_tls *tls =
	    spout_tls_server_new(.certificates = CERTIFICATES({ tls_file(name), NULL }));

	spout_defer(spout_tls_free, tls);
	return tls;
}

struct spout_tls *
tls_client(void)
{
	struct spout_tls *tls = spout_tls_client_new(.ca_file = tls_file("ca"));

	spout_defer(spout_tls_free, tls);
	return tls;
}

void
tls_free_server(void *server)
{
	spout_tcp_server_free(server);
}

uint16_t
tls_serve(struct spout_tls *tls, spout_tcp_handler_fn handler, void *arg)
{
	struct spout_tcp_server *server =
	    spout_tcp_listen("127.0.0.1:0", handler, arg, .tls = tls);

	CU_ASSERT_PTR_NOT_NULL_FATAL(server);
	spout_defer(tls_free_server, server);
	return spout_tcp_server_port(server);
}

void
tls_echo(struct spout_stream *stream, void *arg)
{
	struct spout_slice line;

	(void)arg;
	while (spout_try_stream_read_until(stream, "\n", 1000, &line) == 0)
		spout_stream_write(stream, line.data, line.len);
}

void
tls_say(struct spout_stream *stream, const char *line)
{
	spout_stream_write(stream, line, strlen(line));
	ASSERT_SLICE(spout_stream_read_until(stream, "\n", 1000), line);
}

void
tls_upgrade(struct spout_stream *stream, void *tls)
{
	spout_stream_read_until(stream, "\n", 100);
	spout_stream_write(stream, "OK\n", 3);
	spout_stream_start_tls(stream, tls, NULL);
	tls_echo(stream, NULL);
}

void
tls_run(spout_fn fn)
{
	co_run(fn, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
	if (co_outcome.error != 0)
		fprintf(stderr, "%s\n", co_reason);
}
