/* SPDX-License-Identifier: MIT */
/*
 * Allocation torture of TLS: contexts, a handshake, words both ways, a refusal, the
 * certificate of the peer. What fails is ours; OpenSSL's own allocations do not. See
 * torture.h.
 */
#include "config.h"

#include "torture.h"

#include <errno.h>
#include <string.h>

#include <spout/testing.h>

#include "net/tls_tickets.h"
#include "tls_talk.h"

static unsigned done; /* steps of the scenario that were taken */

static bool
run_coroutine(spout_fn fn)
{
	done = 0;
	return spout_test_run(fn, NULL, .no_threads = true).error == 0;
}

static void
tell_names(struct spout_stream *stream, void *arg)
{
	(void)arg;
	spout_stream_read_until(stream, "\n", 100);
	spout_stream_write(stream, spout_stream_peer_certificate(stream)->subject, 16);
}

static void
talk(void *arg)
{
	struct spout_tls *server = spout_tls_server_new(.ca_file = tls_file("ca"),
	    .alpn = "a,b", .certificates = CERTIFICATES({ tls_file("localhost"), NULL }));
	struct spout_tls *client;
	struct spout_tcp_server *tcp;
	struct spout_stream *stream;
	struct spout_slice slice;

	(void)arg;
	spout_defer(spout_tls_free, server);
	client = spout_tls_client_new(.ca_file = tls_file("ca"),
	    .server_name = "localhost", .alpn = "b",
	    .certificates = CERTIFICATES({ tls_file("alice"), NULL }));
	spout_defer(spout_tls_free, client);
	tcp = spout_tcp_listen("127.0.0.1:0", tell_names, NULL, .tls = server);
	if (tcp == NULL)
		spout_fail_with(-ENOMEM, "no server");
	spout_defer(tls_free_server, tcp);
	stream =
	    spout_tcp_connect("127.0.0.1", spout_tcp_server_port(tcp), .tls = client);
	spout_stream_set_timeout(stream, 10000);
	spout_stream_write(stream, "who am I\n", 9);
	slice = spout_stream_read_all(stream, 100);
	done += slice.len == 16 && memcmp(slice.data, "O=Spout,CN=alice", 16) == 0;
	done += strcmp(spout_stream_alpn(stream), "b") == 0;
}

static bool
run_talk(void)
{
	return run_coroutine(talk) && done == 2;
}

static void
whatever_allocation_fails_a_talk_ends_well(void)
{
	torture("a talk over TLS", run_talk);
}

static void
be_refused(void *arg)
{
	struct spout_tls *server = tls_server("foreign"), *client = tls_client();
	struct spout_tcp_server *tcp =
	    spout_tcp_listen("127.0.0.1:0", tls_echo, NULL, .tls = server);
	struct spout_stream *stream;

	(void)arg;
	if (tcp == NULL)
		spout_fail_with(-ENOMEM, "no server");
	spout_defer(tls_free_server, tcp);
	done += spout_try_tcp_connect("127.0.0.1", spout_tcp_server_port(tcp), &stream,
		    .tls = client) == -EKEYREJECTED;
}

static bool
run_refusal(void)
{
	return run_coroutine(be_refused) && done == 1;
}

static void
whatever_allocation_fails_a_refusal_ends_well(void)
{
	torture("a refusal by TLS", run_refusal);
}

static const struct unit_test tests[] = {
	UNIT_TEST(whatever_allocation_fails_a_talk_ends_well),
	UNIT_TEST(whatever_allocation_fails_a_refusal_ends_well),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "TLS torture", tests },
		{ NULL, NULL },
	};

	torture_init();
	tls_make_all();
	if (spout__tickets_open() < 0) /* made once and kept */
		return 1;
	return unit_run(argc, argv, suites);
}
