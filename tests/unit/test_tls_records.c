/* SPDX-License-Identifier: MIT */
/*
 * TLS against a client that is driven record by record and byte by byte: OpenSSL over
 * its own memory, on a stream in the clear. Tickets, the order of things, every wait
 * cancelled.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/ssl.h>

#include "base/clock.h"
#include "net/costream.h"
#include "net/tls.h"
#include "net/tls_tickets.h"
#include "tls_talk.h"

struct raw {
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *out; /* the ssl's */
	struct spout_stream *stream;
	size_t piece; /* bytes that are sent at a time */
};

static void
raw_free(void *arg)
{
	struct raw *raw = arg;

	SSL_free(raw->ssl);
	SSL_CTX_free(raw->ctx);
}

static struct raw *
raw_new(uint16_t port, int version, size_t piece)
{
	struct raw *raw = spout_alloc(sizeof(*raw));

	raw->ctx = SSL_CTX_new(TLS_client_method());
	raw->ssl = SSL_new(raw->ctx);
	spout_defer(raw_free, raw);
	SSL_set_max_proto_version(raw->ssl, version);
	raw->in = BIO_new(BIO_s_mem());
	raw->out = BIO_new(BIO_s_mem());
	SSL_set_bio(raw->ssl, raw->in, raw->out);
	SSL_set_connect_state(raw->ssl);
	raw->stream = spout_tcp_connect("127.0.0.1", port);
	raw->piece = piece;
	return raw;
}

/* Send what the client has to say, so many bytes at a time. */
static void
raw_send(struct raw *raw)
{
	char bytes[4096];
	int n;

	while (
	    (n = BIO_read(raw->out, bytes,
		 (int)(raw->piece < sizeof(bytes) ? raw->piece : sizeof(bytes)))) > 0) {
		spout_stream_write(raw->stream, bytes, (size_t)n);
		spout_stream_flush(raw->stream);
		spout_yield();
	}
}

/* Take what has come, waiting for it. False at the end. */
static bool
raw_receive(struct raw *raw)
{
	struct spout_slice slice;

	if (spout_try_stream_read_some(raw->stream, &slice) < 0 || slice.len == 0)
		return false;
	return BIO_write(raw->in, slice.data, (int)slice.len) == (int)slice.len;
}

static bool
raw_handshake(struct raw *raw)
{
	int r;

	do {
		r = SSL_do_handshake(raw->ssl);
		raw_send(raw);
	} while (r != 1 && SSL_get_error(raw->ssl, r) == SSL_ERROR_WANT_READ &&
	    raw_receive(raw));
	return r == 1;
}

static bool
raw_say(struct raw *raw, const char *line)
{
	char got[256];
	int r;

	CU_ASSERT_EQUAL(SSL_write(raw->ssl, line, (int)strlen(line)), (int)strlen(line));
	raw_send(raw);
	while ((r = SSL_read(raw->ssl, got, sizeof(got))) <= 0) {
		if (SSL_get_error(raw->ssl, r) != SSL_ERROR_WANT_READ ||
		    !raw_receive(raw))
			return false;
	}
	return (size_t)r == strlen(line) && memcmp(got, line, (size_t)r) == 0;
}

static uint16_t
serve_echo(void)
{
	return tls_serve(tls_server("localhost"), tls_echo, NULL);
}

/* --- pieces ---------------------------------------------------------------------- */

static void
co_pieces(void *arg)
{
	static const size_t pieces[] = { 1, 3, 100, 4096 };
	uint16_t port = serve_echo();

	(void)arg;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct raw *raw = raw_new(port, TLS1_3_VERSION, pieces[i]);

		CU_ASSERT_TRUE(raw_handshake(raw));
		CU_ASSERT_TRUE(raw_say(raw, "in small pieces\n"));
		CU_ASSERT_EQUAL(SSL_shutdown(raw->ssl), 0);
		raw_send(raw);
		while (raw_receive(raw))
			;
		CU_ASSERT_EQUAL(SSL_shutdown(raw->ssl), 1); /* its farewell has come */
	}
}

static void
records_arrive_in_any_pieces(void)
{
	tls_run(co_pieces);
}

static void
co_key_update(void *arg)
{
	struct raw *raw = raw_new(serve_echo(), TLS1_3_VERSION, 4096);

	(void)arg;
	CU_ASSERT_TRUE_FATAL(raw_handshake(raw));
	for (int i = 0; i < 5; i++) {
		CU_ASSERT_EQUAL(SSL_key_update(raw->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		CU_ASSERT_TRUE(raw_say(raw, "with new keys\n"));
	}
}

static void
keys_are_updated_when_the_peer_asks(void)
{
	tls_run(co_key_update);
}

static void
co_renegotiate(void *arg)
{
	struct raw *raw = raw_new(serve_echo(), TLS1_2_VERSION, 4096);

	(void)arg;
	CU_ASSERT_TRUE_FATAL(raw_handshake(raw));
	CU_ASSERT_EQUAL(SSL_renegotiate(raw->ssl), 1);
	CU_ASSERT_FALSE(raw_handshake(raw) && SSL_renegotiate_pending(raw->ssl) == 0);
}

static void
renegotiation_is_refused(void)
{
	tls_run(co_renegotiate);
}

static void
co_garbage(void *arg)
{
	uint16_t port = serve_echo();
	struct raw *raw = raw_new(port, TLS1_3_VERSION, 4096);
	struct spout_slice slice;
	char record[] = "\x17\x03\x03\x00\x20 these 32 bytes decrypt to nothing";

	(void)arg;
	CU_ASSERT_TRUE_FATAL(raw_handshake(raw));
	spout_stream_write(raw->stream, record, 5 + 32);
	do
		slice =
		    spout_stream_read_some(raw->stream); /* tickets, an alert, the end */
	while (slice.len > 0);
	raw = raw_new(port, TLS1_3_VERSION, 4096);
	CU_ASSERT_TRUE(raw_handshake(raw));
}

static void
a_forged_record_ends_the_connection(void)
{
	tls_run(co_garbage);
}

/* --- tickets --------------------------------------------------------------------- */

/* A new connection with a session, or NULL. Returns what it got instead, owned. */
static SSL_SESSION *
come_back(uint16_t port, SSL_SESSION *session, bool expect_resumed)
{
	struct raw *raw = raw_new(port, TLS1_2_VERSION, 4096);

	if (session != NULL)
		SSL_set_session(raw->ssl, session);
	CU_ASSERT_TRUE(raw_handshake(raw));
	CU_ASSERT_EQUAL(SSL_session_reused(raw->ssl), expect_resumed);
	return SSL_get1_session(raw->ssl);
}

static void
pass_period(void)
{
	spout__tickets->began_ms -= SPOUT__TICKETS_PERIOD_MS;
}

static void
co_tickets(void *arg)
{
	uint16_t port = serve_echo();
	SSL_SESSION *first = come_back(port, NULL, false), *at = first, *next;
	unsigned char secret[SPOUT__TICKETS_SECRET];

	(void)arg;
	SSL_SESSION_up_ref(first);
	memcpy(secret, spout__tickets->slots[1].secret, sizeof(secret));
	for (unsigned i = 0; i < 7; i++) {
		next = come_back(port, at, true);
		SSL_SESSION_free(at);
		at = next; /* renewed when its key was an old one */
		SSL_SESSION_free(come_back(port, first, i <= SPOUT__TICKETS_OLD));
		pass_period();
	}
	SSL_SESSION_free(at);
	SSL_SESSION_free(first);
	/* What came of it is told nowhere any more. */
	for (unsigned i = 0; i < SPOUT__TICKETS_SLOTS; i++)
		CU_ASSERT(
		    memcmp(secret, spout__tickets->slots[i].secret, sizeof(secret)));
}

static void
tickets_are_renewed_and_grow_old(void)
{
	tls_run(co_tickets);
}

static void
co_long_silence(void *arg)
{
	uint16_t port = serve_echo();
	SSL_SESSION *session = come_back(port, NULL, false);

	(void)arg;
	for (int i = 0; i < 1000; i++)
		pass_period();
	SSL_SESSION_free(come_back(port, session, false));
	SSL_SESSION_free(session);
	session = come_back(port, NULL, false);
	SSL_SESSION_free(come_back(port, session, true));
	SSL_SESSION_free(session);
}

static void
keys_go_on_after_a_year_without_clients(void)
{
	tls_run(co_long_silence);
}

/* Two contexts of the same certificate, as two workers have them; one of another. */
static void
co_shared_tickets(void *arg)
{
	SSL_SESSION *session = come_back(serve_echo(), NULL, false);
	uint16_t other = tls_serve(tls_server("deep"), tls_echo, NULL);

	(void)arg;
	SSL_SESSION_free(come_back(serve_echo(), session, true));
	SSL_SESSION_free(come_back(other, session, false));
	SSL_SESSION_free(session);
}

static void
tickets_are_good_for_the_same_certificates_only(void)
{
	tls_run(co_shared_tickets);
}

/* What an authority has signed is not let in by a ticket when it is trusted no more. */
static uint16_t
serve_trusting(const char *ca_file)
{
	struct spout_tls *tls = spout_tls_server_new(.ca_file = ca_file,
	    .client_optional = true,
	    .certificates = CERTIFICATES({ tls_file("localhost"), NULL }));

	CU_ASSERT_PTR_NOT_NULL_FATAL(tls);
	spout_defer(spout_tls_free, tls);
	return tls_serve(tls, tls_echo, NULL);
}

static void
copy_file(const char *from, const char *to)
{
	char bytes[16384];
	FILE *file = fopen(from, "r");
	size_t n = fread(bytes, 1, sizeof(bytes), file);

	fclose(file);
	file = fopen(to, "w");
	CU_ASSERT_EQUAL(fwrite(bytes, 1, n, file), n);
	fclose(file);
}

static void
co_other_authorities(void *arg)
{
	char *file = spout_strdup(tls_file("changing"));
	SSL_SESSION *session = come_back(serve_trusting(file), NULL, false);

	(void)arg;
	SSL_SESSION_free(come_back(serve_trusting(file), session, true));
	copy_file(tls_file("ca"), file);
	SSL_SESSION_free(come_back(serve_trusting(file), session, false));
	SSL_SESSION_free(session);
}

static void
tickets_are_good_for_the_same_authorities_only(void)
{
	tls_make(
	    &(struct tls_wish){ .name = "changing", .authority = true, .to_days = 2 });
	tls_run(co_other_authorities);
}

/* --- use ------------------------------------------------------------------------- */

static void
co_roles(void *arg)
{
	struct spout_tls *server = tls_server("localhost");
	struct spout_stream *stream;

	(void)arg;
	CU_ASSERT_EQUAL(
	    spout_try_tcp_connect("127.0.0.1", serve_echo(), &stream, .tls = server),
	    -EINVAL);
	HAS(spout_error(), "that of a server");
	CU_ASSERT_PTR_NULL(
	    spout_tcp_listen("127.0.0.1:0", tls_echo, NULL, .tls = tls_client()));
	CU_ASSERT_EQUAL(errno, EINVAL);
}

static void
a_context_is_good_for_its_side_only(void)
{
	tls_run(co_roles);
}

static void
co_sweep(void *arg)
{
	uint16_t upgrades = tls_serve(NULL, tls_upgrade, tls_server("localhost"));
	struct spout_tls *client = tls_client();
	struct spout_stream *stream =
	    spout_tcp_connect("127.0.0.1", serve_echo(), .tls = client);

	(void)arg;
	tls_say(stream, "over TLS\n");
	spout_stream_shutdown(stream);
	ASSERT_SLICE(spout_stream_read_some(stream), "");
	stream = spout_tcp_connect("127.0.0.1", upgrades);
	spout_stream_write(stream, "please\n", 7);
	ASSERT_SLICE(spout_stream_read_until(stream, "\n", 10), "OK\n");
	spout_stream_start_tls(stream, client, "localhost");
	tls_say(stream, "now, too\n");
}

static void
cancelling_at_each_wait_leaks_nothing(void)
{
	spout_test_log_begin();
	SPOUT_TEST_SWEEP(co_sweep, NULL, .run.no_threads = true);
	(void)co_log_end();
}

static const struct unit_test tests[] = {
	UNIT_TEST(records_arrive_in_any_pieces),
	UNIT_TEST(keys_are_updated_when_the_peer_asks),
	UNIT_TEST(renegotiation_is_refused),
	UNIT_TEST(a_forged_record_ends_the_connection),
	UNIT_TEST(tickets_are_renewed_and_grow_old),
	UNIT_TEST(keys_go_on_after_a_year_without_clients),
	UNIT_TEST(tickets_are_good_for_the_same_certificates_only),
	UNIT_TEST(tickets_are_good_for_the_same_authorities_only),
	UNIT_TEST(a_context_is_good_for_its_side_only),
	UNIT_TEST(cancelling_at_each_wait_leaks_nothing),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "TLS records", tests },
		{ NULL, NULL },
	};

	tls_make_all();
	return unit_run(argc, argv, suites);
}
