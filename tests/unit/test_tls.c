/* SPDX-License-Identifier: MIT */
/* TLS: who is believed, who is refused and why, and which certificate is shown. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/stats.h"
#include "tls_talk.h"

/* --- two that trust each other --------------------------------------------------- */

static void
co_talk(void *arg)
{
	uint16_t port = tls_serve(tls_server("localhost"), tls_echo, NULL);
	struct spout_stream *stream =
	    spout_tcp_connect("127.0.0.1", port, .tls = tls_client());
	const struct spout_certificate *peer = spout_stream_peer_certificate(stream);

	(void)arg;
	tls_say(stream, "hello\n");
	tls_say(stream, "again\n");
	CU_ASSERT_STRING_EQUAL(spout_stream_tls_version(stream), "TLSv1.3");
	CU_ASSERT_STRING_EQUAL(spout_stream_alpn(stream), "");
	CU_ASSERT_PTR_NOT_NULL_FATAL(peer);
	CU_ASSERT_STRING_EQUAL(peer->subject, "O=Spout,CN=localhost");
	CU_ASSERT_STRING_EQUAL(peer->issuer, "O=Spout,CN=ca");
	HAS(peer->names, "DNS:localhost, IP Address:127.0.0.1");
	CU_ASSERT_TRUE(peer->not_before < time(NULL) && time(NULL) < peer->not_after);
	CU_ASSERT_EQUAL(strlen(peer->sha256), 64);
	CU_ASSERT_STRING_EQUAL(peer->serial, "0FA3");
	/* The farewell: a clean end on both sides. */
	spout_stream_shutdown(stream);
	ASSERT_SLICE(spout_stream_read_some(stream), "");
}

static void
a_client_talks_to_a_server_it_trusts(void)
{
	tls_run(co_talk);
}

static void
co_plain(void *arg)
{
	uint16_t port = tls_serve(NULL, tls_echo, NULL);
	struct spout_stream *stream = spout_tcp_connect("127.0.0.1", port);

	(void)arg;
	tls_say(stream, "in the clear\n");
	CU_ASSERT_PTR_NULL(spout_stream_tls_version(stream));
	CU_ASSERT_PTR_NULL(spout_stream_peer_certificate(stream));
}

static void
a_stream_in_the_clear_says_so(void)
{
	tls_run(co_plain);
}

static void
co_alpn(void *arg)
{
	struct spout_tls *tls = spout_tls_server_new(.certificates = CERTIFICATES(
							 { tls_file("localhost"), NULL }),
	    .alpn = "http/1.1,x", .min_version = SPOUT_TLS_1_3);
	struct spout_tls *good =
	    spout_tls_client_new(.ca_file = tls_file("ca"), .alpn = "h2,x,http/1.1");
	struct spout_tls *bad =
	    spout_tls_client_new(.ca_file = tls_file("ca"), .alpn = "h2");
	uint16_t port;
	struct spout_stream *stream;

	(void)arg;
	spout_defer(spout_tls_free, tls);
	spout_defer(spout_tls_free, good);
	spout_defer(spout_tls_free, bad);
	port = tls_serve(tls, tls_echo, NULL);
	stream = spout_tcp_connect("127.0.0.1", port, .tls = good);
	CU_ASSERT_STRING_EQUAL(spout_stream_alpn(stream), "http/1.1");
	CU_ASSERT_EQUAL(
	    spout_try_tcp_connect("127.0.0.1", port, &stream, .tls = bad), -EPROTO);
	HAS(spout_error(), "no application protocol");
	CU_ASSERT_EQUAL(spout_try_tls_client_new(&bad, .alpn = "a,,b"), -EINVAL);
	HAS(spout_error(), "'a,,b' is no list of protocols");
}

static void
protocols_are_agreed_on_by_the_server(void)
{
	tls_run(co_alpn);
}

/* --- those that are refused ------------------------------------------------------ */

static void
expect_refusal(const char *name, const char *host, int error, const char *text)
{
	uint16_t port = tls_serve(tls_server(name), tls_echo, NULL);
	struct spout_stream *stream;
	struct spout_tls *tls =
	    spout_tls_client_new(.ca_file = tls_file("ca"), .server_name = host);

	spout_defer(spout_tls_free, tls);
	CU_ASSERT_EQUAL(
	    spout_try_tcp_connect("127.0.0.1", port, &stream, .tls = tls), error);
	HAS(spout_error(), text);
	HAS(spout_error(), host);
}

static void
co_refuse(void *arg)
{
	uint64_t failures = spout__stats->counters[SPOUT__C_TLS_FAILURES];

	(void)arg;
	expect_refusal("foreign", "localhost", -EKEYREJECTED, "hostname mismatch");
	expect_refusal("localhost", "127.0.0.2", -EKEYREJECTED, "IP address mismatch");
	expect_refusal("wild", "a.b.c.example", -EKEYREJECTED, "hostname mismatch");
	expect_refusal("expired", "localhost", -EKEYEXPIRED, "certificate has expired");
	expect_refusal("future", "localhost", -EKEYEXPIRED, "not yet valid");
	expect_refusal("stranger", "localhost", -EKEYREJECTED,
	    "unable to get local issuer certificate");
	expect_refusal("ca", "ca", -EKEYREJECTED, "mismatch");
	CU_ASSERT_TRUE(spout__stats->counters[SPOUT__C_TLS_FAILURES] >= failures + 7);
}

static void
a_client_says_which_check_failed(void)
{
	tls_run(co_refuse);
}

static void
co_default(void *arg)
{
	uint16_t port = tls_serve(tls_server("localhost"), tls_echo, NULL);
	struct spout_tls *insecure = spout_tls_client_new(.insecure = true), *nameless;
	struct spout_stream *stream;

	(void)arg;
	spout_defer(spout_tls_free, insecure);
	CU_ASSERT_EQUAL(
	    spout_try_tcp_connect("127.0.0.1", port, &stream, .tls = spout_tls_default()),
	    -EKEYREJECTED);
	CU_ASSERT_PTR_EQUAL(spout_tls_default(), spout_tls_default());
	stream = spout_tcp_connect("127.0.0.1", port, .tls = insecure);
	tls_say(stream, "whoever you are\n");
	/* Over a unix socket there is no host to go by. */
	nameless = tls_client();
	CU_ASSERT_EQUAL(spout_try_stream_start_tls(
			    spout_tcp_connect("127.0.0.1", port), nameless, NULL),
	    -EINVAL);
	HAS(spout_error(), "needs the name");
}

static void
the_default_is_to_trust_nobody_unknown(void)
{
	tls_run(co_default);
}

static void
co_wrong_files(void *arg)
{
	struct spout_tls *tls;

	(void)arg;
	CU_ASSERT_EQUAL(spout_try_tls_server_new(&tls), -EINVAL);
	HAS(spout_error(), "needs a certificate");
	CU_ASSERT_EQUAL(spout_try_tls_server_new(
			    &tls, .certificates = CERTIFICATES({ "/nonexistent", NULL })),
	    -EINVAL);
	HAS(spout_error(), "/nonexistent: No such file");
	CU_ASSERT_EQUAL(
	    spout_try_tls_server_new(&tls,
		.certificates = CERTIFICATES({ tls_file("localhost"), tls_file("ca") })),
	    -EINVAL);
	HAS(spout_error(), "key values mismatch");
	CU_ASSERT_EQUAL(spout_try_tls_server_new(
			    &tls, .certificates = CERTIFICATES({ "/dev/null", NULL })),
	    -EINVAL);
	HAS(spout_error(), "no start line");
	CU_ASSERT_EQUAL(spout_try_tls_client_new(&tls, .ca_file = "/dev/null"), -EINVAL);
	HAS(spout_error(), "authorities /dev/null");
}

static void
files_that_do_not_fit_are_named(void)
{
	tls_run(co_wrong_files);
}

/* --- certificates of clients ----------------------------------------------------- */

static void
tell_subject(struct spout_stream *stream, void *arg)
{
	const struct spout_certificate *peer = spout_stream_peer_certificate(stream);
	const char *subject = peer != NULL ? peer->subject : "nobody";

	(void)arg;
	spout_stream_write(stream, subject, strlen(subject));
}

static int
ask_who_i_am(uint16_t port, const char *name, struct spout_slice *ret)
{
	struct spout_tls *tls;
	struct spout_stream *stream;
	int r;

	if (name != NULL)
		tls = spout_tls_client_new(.ca_file = tls_file("ca"),
		    .certificates = CERTIFICATES({ tls_file(name), NULL }));
	else
		tls = tls_client();
	r = spout_try_tcp_connect("127.0.0.1", port, &stream, .tls = tls);
	if (name != NULL)
		spout_tls_free(tls);
	/* TLS 1.3: the client is done before the server has looked at its certificate. */
	return r < 0 ? r : spout_try_stream_read_all(stream, 1000, ret);
}

static void
co_clients(void *arg)
{
	struct spout_tls *strict = spout_tls_server_new(.ca_file = tls_file("ca"),
	    .certificates = CERTIFICATES({ tls_file("localhost"), NULL }));
	struct spout_tls *optional = spout_tls_server_new(.ca_file = tls_file("ca"),
	    .client_optional = true,
	    .certificates = CERTIFICATES({ tls_file("localhost"), NULL }));
	uint16_t port;
	struct spout_slice who;

	(void)arg;
	spout_defer(spout_tls_free, strict);
	spout_defer(spout_tls_free, optional);
	port = tls_serve(strict, tell_subject, NULL);
	CU_ASSERT_EQUAL_FATAL(ask_who_i_am(port, "alice", &who), 0);
	ASSERT_SLICE(who, "O=Spout,CN=alice");
	CU_ASSERT_EQUAL(ask_who_i_am(port, "mallory", &who), -EPROTO);
	HAS(spout_error(), "unknown ca");
	CU_ASSERT_EQUAL(ask_who_i_am(port, NULL, &who), -EPROTO);
	HAS(spout_error(), "certificate required");
	port = tls_serve(optional, tell_subject, NULL);
	CU_ASSERT_EQUAL_FATAL(ask_who_i_am(port, "alice", &who), 0);
	ASSERT_SLICE(who, "O=Spout,CN=alice");
	CU_ASSERT_EQUAL_FATAL(ask_who_i_am(port, NULL, &who), 0);
	ASSERT_SLICE(who, "nobody");
	CU_ASSERT_EQUAL(ask_who_i_am(port, "mallory", &who), -EPROTO);
}

static void
a_server_asks_clients_for_certificates(void)
{
	tls_run(co_clients);
}

/* A client's certificate whose names are a text of so many bytes. */
static void
make_crowded(const char *name, size_t bytes)
{
	static char names[8192];
	size_t at = 0;

	for (; bytes > 100; bytes -= 50) /* printed with a blank behind the comma */
		at += (size_t)snprintf(names + at, sizeof(names) - at, "DNS:%044d,", 7);
	snprintf(names + at, sizeof(names) - at, "DNS:%0*d", (int)bytes - 4, 7);
	tls_make(&(struct tls_wish){ name, "ca", names, false, -1, 2 });
}

static void
co_crowd(void *arg)
{
	struct spout_tls *tls = spout_tls_server_new(.ca_file = tls_file("ca"),
	    .certificates = CERTIFICATES({ tls_file("localhost"), NULL }));
	struct spout_slice who;
	uint16_t port;

	(void)arg;
	spout_defer(spout_tls_free, tls);
	port = tls_serve(tls, tell_subject, NULL);
	CU_ASSERT_EQUAL_FATAL(ask_who_i_am(port, "crowd", &who), 0);
	ASSERT_SLICE(who, "O=Spout,CN=crowd");
	CU_ASSERT_EQUAL_FATAL(ask_who_i_am(port, "too-large", &who), 0);
	ASSERT_SLICE(who, "nobody");
}

static void
a_text_is_told_whole_or_not_at_all(void)
{
	make_crowded("crowd", 4096);
	make_crowded("too-large", 4097);
	tls_run(co_crowd);
}

static void
co_limits(void *arg)
{
	struct spout_tls_certificate many[SPOUT_TLS_CERTIFICATES_MAX + 2] = { 0 };
	char list[70];
	struct spout_tls *tls;

	(void)arg;
	for (unsigned i = 0; i <= SPOUT_TLS_CERTIFICATES_MAX; i++)
		many[i].cert_file = tls_file("localhost");
	CU_ASSERT_EQUAL(spout_try_tls_server_new(&tls, .certificates = many), -E2BIG);
	HAS(spout_error(), "more than 32 certificates");
	many[SPOUT_TLS_CERTIFICATES_MAX].cert_file = NULL;
	CU_ASSERT_EQUAL_FATAL(spout_try_tls_server_new(&tls, .certificates = many), 0);
	spout_tls_free(tls);
	memset(list, 'x', sizeof(list));
	list[64] = '\0';
	CU_ASSERT_EQUAL(spout_try_tls_client_new(&tls, .alpn = list), -EINVAL);
	list[63] = '\0';
	CU_ASSERT_EQUAL_FATAL(spout_try_tls_client_new(&tls, .alpn = list), 0);
	spout_tls_free(tls);
}

static void
the_limits_of_a_context_hold_on_both_sides(void)
{
	tls_run(co_limits);
}

static void
expect_certificate(uint16_t port, const char *name, const char *subject)
{
	struct spout_tls *tls =
	    spout_tls_client_new(.insecure = true, .server_name = name);
	struct spout_stream *stream = spout_tcp_connect("127.0.0.1", port, .tls = tls);

	spout_tls_free(tls);
	CU_ASSERT_STRING_EQUAL(spout_stream_peer_certificate(stream)->subject, subject);
	spout_stream_close(stream);
}

static void
co_names(void *arg)
{
	struct spout_tls *tls = spout_tls_server_new(.certificates = CERTIFICATES(
							 { tls_file("localhost"), NULL },
							 { tls_file("wild"), NULL },
							 { tls_file("deep"), NULL }));
	uint16_t port;

	(void)arg;
	spout_defer(spout_tls_free, tls);
	port = tls_serve(tls, tls_echo, NULL);
	expect_certificate(port, "localhost", "O=Spout,CN=localhost");
	expect_certificate(port, "x.c.example", "O=Spout,CN=wild");
	expect_certificate(port, "B.C.Example", "O=Spout,CN=deep");
	expect_certificate(port, "unknown.test", "O=Spout,CN=localhost");
	expect_certificate(port, "a.b.c.example", "O=Spout,CN=localhost");
	expect_certificate(port, NULL, "O=Spout,CN=localhost");
}

static void
the_certificate_is_chosen_by_the_name(void)
{
	tls_run(co_names);
}

/* --- runner ---------------------------------------------------------------------- */

static const struct unit_test trust_tests[] = {
	UNIT_TEST(a_client_talks_to_a_server_it_trusts),
	UNIT_TEST(a_stream_in_the_clear_says_so),
	UNIT_TEST(protocols_are_agreed_on_by_the_server),
	UNIT_TEST(a_client_says_which_check_failed),
	UNIT_TEST(the_default_is_to_trust_nobody_unknown),
	UNIT_TEST(files_that_do_not_fit_are_named),
	UNIT_TEST(a_server_asks_clients_for_certificates),
	UNIT_TEST(a_text_is_told_whole_or_not_at_all),
	UNIT_TEST(the_limits_of_a_context_hold_on_both_sides),
	UNIT_TEST(the_certificate_is_chosen_by_the_name),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "TLS", trust_tests },
		{ NULL, NULL },
	};

	tls_make_all();
	return unit_run(argc, argv, suites);
}
