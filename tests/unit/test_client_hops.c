/* SPDX-License-Identifier: MIT */
/* The HTTP client: redirects (RFC 9110 15.4), proxies, TLS. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spout/client.h>
#include <spout/crypto.h>
#include <spout/testing.h>
#include <spout/tls.h>

#include "tls_help.h"
#include "unit.h"
#include "upstream.h"

#define ASSERT_SLICE(slice, text) CU_ASSERT_TRUE(spout_slice_equal((slice), (text)))

#define GO(status, where) \
	"HTTP/1.1 " status " Go\r\nLocation: " where "\r\nContent-Length: 3\r\n\r\nold"

static uint16_t other_port; /* of another origin */

static void
go_elsewhere(struct spout_stream *stream, const char *head)
{
	char *answer =
	    spout_sprintf("HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:%u/end"
			  "\r\nContent-Length: 0\r\n\r\n",
		other_port);

	if (strncmp(head, "POST", 4) == 0)
		(void)spout_stream_read_bytes(stream, 4);
	spout_stream_write(stream, answer, strlen(answer));
}

/* A redirect with a body that has no end. */
static void
go_endless(struct spout_stream *stream, const char *head)
{
	static const char text[] = "HTTP/1.1 302 Go\r\nLocation: /end\r\n\r\n";
	char block[4096];

	(void)head;
	memset(block, 'x', sizeof(block));
	spout_stream_write(stream, text, strlen(text));
	for (;;)
		spout_stream_write(stream, block, sizeof(block));
}

/* --- Digest authentication ---------------------------------------- */

static void
hex_sha256(const char *text, char *hex)
{
	struct spout_sha256 *sha256 = spout_sha256_new();
	unsigned char digest[SPOUT_SHA256_SIZE];

	CU_ASSERT_EQUAL(spout_sha256_update(sha256, text, strlen(text)), 0);
	CU_ASSERT_EQUAL(spout_sha256_final(sha256, digest), 0);
	spout_sha256_free(sha256);
	spout_hex(digest, sizeof(digest), hex);
}

/* The value of a parameter of the Authorization, without quotes; "": not there. */
static const char *
parameter(const char *head, const char *name)
{
	const char *line = strstr(head, "\r\nAuthorization: Digest ");
	const char *at = line != NULL ? strstr(line, name) : NULL;

	if (at == NULL)
		return "";
	at += strlen(name);
	at += *at == '"';
	return spout_strndup(at, strcspn(at, "\",\r"));
}

/* RFC 7616 3.4.1, for the user "me" with the password "secret". */
static bool
proves(const char *head, const char *method, const char *path)
{
	char ha1[65], ha2[65], wanted[65];

	hex_sha256("me:here:secret", ha1);
	hex_sha256(spout_sprintf("%s:%s", method, path), ha2);
	hex_sha256(spout_sprintf("%s:n1:%s:%s:auth:%s", ha1, parameter(head, " nc="),
		       parameter(head, "cnonce="), ha2), wanted);
	return strcmp(wanted, parameter(head, "response=")) == 0;
}

static void
challenge(struct spout_stream *stream, const char *extra)
{
	const char *answer = spout_sprintf(
	    "HTTP/1.1 401 Who\r\nWWW-Authenticate: Digest realm=\"here\", nonce=\"n1\", "
	    "algorithm=SHA-256, qop=\"auth\"%s\r\nContent-Length: 2\r\n\r\nno", extra);

	spout_stream_write(stream, answer, strlen(answer));
}

static void
ask_for_proof(struct spout_stream *stream, const char *head)
{
	bool post = strncmp(head, "POST", 4) == 0;

	CU_ASSERT_PTR_NULL(strstr(head, "secret"));
	if (strstr(head, "Content-Length: 4") != NULL)
		ASSERT_SLICE(spout_stream_read_bytes(stream, 4), "data");
	if (proves(head, post ? "POST" : "GET", "/digest"))
		spout_stream_write(stream, OK("3", "yes"), strlen(OK("3", "yes")));
	else
		challenge(stream, "");
}

static void
never_satisfied(struct spout_stream *stream, const char *head)
{
	(void)head;
	challenge(stream, ", stale=true");
}

static void
unknown_algorithm(struct spout_stream *stream, const char *head)
{
	static const char answer[] = "HTTP/1.1 401 Who\r\nWWW-Authenticate: Digest "
	    "realm=\"here\", nonce=\"n1\", algorithm=ROT13\r\n"
	    "Content-Length: 2\r\n\r\nno";

	(void)head;
	spout_stream_write(stream, answer, strlen(answer));
}

static const struct upstream_route routes[] = {
	{ .path = "/end", .answer = OK("3", "end") },
	{ .path = "/dir/end", .answer = OK("3", "dir") },
	{ .path = "/301", .answer = GO("301", "/end") },
	{ .path = "/302", .answer = GO("302", "/end?a=b#part") },
	{ .path = "/303", .answer = GO("303", "/end") },
	{ .path = "/307", .answer = GO("307", "/end") },
	{ .path = "/308", .answer = GO("308", "/end") },
	{ .path = "/304", .answer = "HTTP/1.1 304 Same\r\nLocation: /end\r\n\r\n" },
	{ .path = "/dir/relative", .answer = GO("302", "end") },
	{ .path = "/dir/up", .answer = GO("302", "../end") },
	{ .path = "/twice", .answer = GO("302", "/301") },
	{ .path = "/loop", .answer = GO("302", "/loop") },
	{ .path = "/file", .answer = GO("302", "file:///etc/passwd") },
	{ .path = "/ftp", .answer = GO("302", "ftp://127.0.0.1/") },
	{ .path = "/nonsense", .answer = GO("302", "http://a b/") },
	{ .path = "/user", .answer = GO("302", "http://user:secret@127.0.0.1:1/") },
	{ .path = "/elsewhere", .serve = go_elsewhere },
	{ .path = "/endless", .serve = go_endless },
	{ .path = "/digest", .serve = ask_for_proof },
	{ .path = "/stale", .serve = never_satisfied },
	{ .path = "/rot13", .serve = unknown_algorithm },
	{ .path = "/todigest", .answer = GO("302", "/digest") },
	{ .path = NULL },
};

/* --- Digest authentication, asked for ---------------------------------------- */

#define AS_ME .username = "me", .password = "secret", .digest = true

static void
co_digest(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	const char *url = upstream_url(port, "/digest");
	struct spout_response *r = spout_fetch(url, AS_ME);

	(void)arg;
	CU_ASSERT_EQUAL(spout_response_status(r), 200);
	ASSERT_SLICE(spout_response_body(r), "yes");
	CU_ASSERT_EQUAL(upstream_requests, 2);
	r = spout_fetch(url, AS_ME, .body = spout_slice("data"));
	CU_ASSERT_EQUAL(spout_response_status(r), 200);
	CU_ASSERT_EQUAL(upstream_saw("Content-Length: 4"), 1);
	r = spout_fetch(upstream_url(port, "/todigest"), AS_ME);
	CU_ASSERT_EQUAL(spout_response_status(r), 200);
	r = spout_fetch(url, .username = "me", .password = "other", .digest = true);
	CU_ASSERT_EQUAL(spout_response_status(r), 401);
	ASSERT_SLICE(spout_response_body(r), "no");
	r = spout_fetch(upstream_url(port, "/rot13"), AS_ME);
	CU_ASSERT_EQUAL(spout_response_status(r), 401);
	r = spout_fetch(upstream_url(port, "/end"), AS_ME);
	CU_ASSERT_EQUAL(spout_response_status(r), 200);
	CU_ASSERT_EQUAL(upstream_saw("Authorization: Basic"), 0);
	CU_ASSERT_EQUAL(upstream_saw("secret"), 0);
}

static void
passwords_are_proved_without_sending_them(void)
{
	SPOUT_TEST_RUN(co_digest, NULL);
}

static void
co_digest_refused(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	struct spout_response *r;

	(void)arg;
	other_port = upstream_start(routes, NULL);
	CU_ASSERT_PTR_NULL(spout_try_fetch(upstream_url(port, "/stale"), AS_ME));
	ASSERT_FAILED(-EPROTO, SPOUT_FETCH_BODY);
	CU_ASSERT_PTR_NULL(spout_try_fetch(upstream_url(port, "/end"), .digest = true));
	ASSERT_FAILED(-EINVAL, SPOUT_FETCH_PREPARE);
	CU_ASSERT_PTR_NULL(
	    spout_try_fetch(upstream_url(port, "/end"), AS_ME, .bearer = "x"));
	ASSERT_FAILED(-EINVAL, SPOUT_FETCH_PREPARE);
	/* Another origin gets no proof. */
	upstream_forget();
	r = spout_fetch(upstream_url(port, "/elsewhere"), AS_ME);
	CU_ASSERT_EQUAL(spout_response_status(r), 200);
	CU_ASSERT_EQUAL(upstream_saw("Authorization"), 0);
}

static void
challenges_have_an_end(void)
{
	SPOUT_TEST_RUN(co_digest_refused, NULL);
}

/* --- redirects ---------------------------------------- */

static void
follows(uint16_t port, const char *method, const char *path, const char *then)
{
	struct spout_response *r;

	upstream_forget();
	r = spout_fetch(upstream_url(port, path), .method = method,
	    .body = strcmp(method, "POST") == 0 ? spout_slice("data")
						: spout_slice_of(NULL, 0));
	CU_ASSERT_EQUAL(spout_response_status(r), 200);
	CU_ASSERT_EQUAL(spout_response_timings(r)->redirects, 1);
	CU_ASSERT_EQUAL(upstream_saw(then), 1);
	CU_ASSERT_EQUAL(upstream_saw("\r\n\r\ndata"), strncmp(then, "POST", 4) ? 1 : 2);
	if (strcmp(method, "POST") != 0)
		CU_ASSERT_EQUAL(upstream_saw("Content-Length"), 0);
}

static void
co_methods(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);

	(void)arg;
	follows(port, "POST", "/301", "GET /end HTTP");
	follows(port, "POST", "/302", "GET /end?a=b HTTP");
	follows(port, "POST", "/303", "GET /end HTTP");
	follows(port, "POST", "/307", "POST /end HTTP");
	follows(port, "POST", "/308", "POST /end HTTP");
}

static void
methods_change_as_the_rules_say(void)
{
	SPOUT_TEST_RUN(co_methods, NULL);
}

static void
co_redirects(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);
	struct spout_response *r = spout_fetch(upstream_url(port, "/302"));

	(void)arg;
	CU_ASSERT_STRING_EQUAL(spout_response_url(r), upstream_url(port, "/end?a=b"));
	ASSERT_SLICE(spout_response_body(r), "end");
	r = spout_fetch(upstream_url(port, "/303"), .method = "HEAD");
	CU_ASSERT_EQUAL(upstream_saw("HEAD /end HTTP"), 1);
	r = spout_fetch(upstream_url(port, "/302"), .method = "PUT");
	CU_ASSERT_EQUAL(upstream_saw("PUT /end?a=b HTTP"), 1);
	r = spout_fetch(upstream_url(port, "/dir/relative"));
	ASSERT_SLICE(spout_response_body(r), "dir");
	r = spout_fetch(upstream_url(port, "/dir/up"));
	ASSERT_SLICE(spout_response_body(r), "end");
	r = spout_fetch(upstream_url(port, "/twice"));
	CU_ASSERT_EQUAL(spout_response_timings(r)->redirects, 2);
	r = spout_fetch(upstream_url(port, "/304"));
	CU_ASSERT_EQUAL(spout_response_status(r), 304);
	r = spout_fetch(upstream_url(port, "/302"), .max_redirects = -1);
	CU_ASSERT_EQUAL(spout_response_status(r), 302);
	ASSERT_SLICE(spout_response_body(r), "old");
	CU_ASSERT_EQUAL(upstream_connections, 1);
	r = spout_fetch(upstream_url(port, "/endless"));
	ASSERT_SLICE(spout_response_body(r), "end");
	r = spout_fetch_stream(upstream_url(port, "/302"));
	ASSERT_SLICE(spout_response_read(r), "end");
	ASSERT_SLICE(spout_response_read(r), "");
}

static void
redirects_are_followed_or_not(void)
{
	SPOUT_TEST_RUN(co_redirects, NULL);
}

static void
co_bad_redirects(void *arg)
{
	uint16_t port = upstream_start(routes, NULL);

	(void)arg;
	CU_ASSERT_PTR_NULL(spout_try_fetch(upstream_url(port, "/loop")));
	ASSERT_FAILED(-ELOOP, SPOUT_FETCH_REDIRECT);
	CU_ASSERT_EQUAL(upstream_requests, 6);
	upstream_forget();
	CU_ASSERT_PTR_NULL(
	    spout_try_fetch(upstream_url(port, "/twice"), .max_redirects = 1));
	ASSERT_FAILED(-ELOOP, SPOUT_FETCH_REDIRECT);
	(void)spout_fetch(upstream_url(port, "/twice"), .max_redirects = 2);
	CU_ASSERT_PTR_NULL(spout_try_fetch(upstream_url(port, "/file")));
	ASSERT_FAILED(-EPROTO, SPOUT_FETCH_REDIRECT);
	CU_ASSERT_PTR_NULL(spout_try_fetch(upstream_url(port, "/ftp")));
	ASSERT_FAILED(-EPROTO, SPOUT_FETCH_REDIRECT);
	CU_ASSERT_PTR_NULL(spout_try_fetch(upstream_url(port, "/nonsense")));
	ASSERT_FAILED(-EPROTO, SPOUT_FETCH_REDIRECT);
	CU_ASSERT_PTR_NULL(spout_try_fetch(upstream_url(port, "/user")));
	ASSERT_FAILED(-ECONNREFUSED, SPOUT_FETCH_CONNECT);
	CU_ASSERT_PTR_NULL(strstr(spout_error(), "secret"));
}

static void
redirects_end(void)
{
	SPOUT_TEST_RUN(co_bad_redirects, NULL);
}

static bool
only_the_first(const char *address, uint16_t port, void *arg)
{
	(void)address;
	(void)arg;
	return port != other_port;
}

static void
co_origins(void *arg)
{
	uint16_t port;
	const char *url;

	(void)arg;
	other_port = upstream_start(routes, NULL);
	port = upstream_start(routes, NULL);
	url = upstream_url(port, "/elsewhere");
	(void)spout_fetch(url, .username = "u", .password = "p",
	    .body = spout_slice("data"),
	    .headers =
		SPOUT_FIELDS({ "Cookie", "c=1" }, { "Host", "own" }, { "X-Tag", "t" }));
	CU_ASSERT_EQUAL(upstream_requests, 2);
	CU_ASSERT_EQUAL(upstream_saw("Authorization: Basic"), 1);
	CU_ASSERT_EQUAL(upstream_saw("Cookie:"), 1);
	CU_ASSERT_EQUAL(upstream_saw("Host: own"), 1);
	CU_ASSERT_EQUAL(upstream_saw("X-Tag: t"), 2);
	CU_ASSERT_EQUAL(upstream_saw("POST /end"), 1);
	upstream_forget();
	(void)spout_fetch(url, .bearer = "t0ken");
	(void)spout_fetch(url, .headers = SPOUT_FIELDS({ "authorization", "x" }));
	CU_ASSERT_EQUAL(upstream_saw("Authorization:"), 2);
	upstream_forget();
	/* To the same origin they go on. */
	(void)spout_fetch(upstream_url(port, "/302"), .bearer = "t0ken");
	CU_ASSERT_EQUAL(upstream_saw("Authorization: Bearer t0ken"), 2);
	upstream_forget();
	CU_ASSERT_PTR_NULL(spout_try_fetch(url, .allow = only_the_first));
	ASSERT_FAILED(-EACCES, SPOUT_FETCH_CONNECT);
	CU_ASSERT_EQUAL(upstream_requests, 1);
}

static void
credentials_stay_with_their_origin(void)
{
	SPOUT_TEST_RUN(co_origins, NULL);
}

/* --- proxies ---------------------------------------- */

static void
co_proxy(void *arg)
{
	static const struct upstream_route proxied[] = {
		{ .path = "http://far.example/page", .answer = OK("4", "page") },
		{ .path = "far.example:443",
		    .answer = "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n" },
		{ .path = NULL }
	};
	uint16_t port = upstream_start(proxied, NULL);
	char *proxy = spout_sprintf("http://me:secret@127.0.0.1:%u", port);
	struct spout_response *r;

	(void)arg;
	r = spout_fetch("http://far.example/page", .proxy = proxy);
	ASSERT_SLICE(spout_response_body(r), "page");
	CU_ASSERT_EQUAL(upstream_saw("Host: far.example\r\n"), 1);
	CU_ASSERT_EQUAL(upstream_saw("Proxy-Authorization: Basic bWU6c2VjcmV0\r\n"), 1);
	CU_ASSERT_PTR_NULL(spout_try_fetch("https://far.example/", .proxy = proxy));
	CU_ASSERT_TRUE(spout_fetch_failure()->error < 0);
	CU_ASSERT_EQUAL(upstream_saw("CONNECT far.example:443 HTTP/1.1\r\n"), 1);
	CU_ASSERT_PTR_NULL(
	    spout_try_fetch("http://far.example/", .proxy = "http://127.0.0.1:1"));
	ASSERT_FAILED(-ECONNREFUSED, SPOUT_FETCH_CONNECT);
}

static void
proxies_are_asked_when_given(void)
{
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	SPOUT_TEST_RUN(co_proxy, NULL);
	SPOUT_TEST_RUN(co_redirects, NULL); /* the environment is not asked */
	unsetenv("http_proxy");
}

/* --- TLS ---------------------------------------- */

static void
make_certificates(void)
{
	static bool made;

	if (made)
		return;
	made = true;
	tls_make(&(struct tls_wish){ .name = "ca", .authority = true, .to_days = 2 });
	tls_make(
	    &(struct tls_wish){ .name = "stranger", .authority = true, .to_days = 2 });
	tls_make(&(struct tls_wish){ .name = "site",
	    .signer = "ca",
	    .names = "DNS:site.example,IP:127.0.0.1",
	    .to_days = 2 });
	tls_make(&(struct tls_wish){
	    .name = "else", .signer = "ca", .names = "DNS:else.example", .to_days = 2 });
	tls_make(&(struct tls_wish){ .name = "client", .signer = "ca", .to_days = 2 });
}

static struct spout_tls *
tls_of(const char *name, const char *client_ca)
{
	const struct spout_tls_certificate own[] = { { tls_file(name), NULL },
		{ NULL, NULL } };
	struct spout_tls *tls = spout_tls_server_new(.certificates = own,
	    .ca_file = client_ca != NULL ? tls_file(client_ca) : NULL);

	spout_defer(spout_tls_free, tls);
	return tls;
}

static void
co_tls(void *arg)
{
	uint16_t port = upstream_start(routes, tls_of("site", NULL));
	char *url = spout_sprintf("https://127.0.0.1:%u/end", port);
	const char *ca = strdup(tls_file("ca"));
	struct spout_response *r = spout_fetch(url, .ca_file = ca);

	(void)arg;
	ASSERT_SLICE(spout_response_body(r), "end");
	CU_ASSERT_TRUE(spout_response_timings(r)->tls_us > 0);
	r = spout_fetch(url, .ca_file = ca);
	CU_ASSERT_TRUE(spout_response_timings(r)->reused);
	CU_ASSERT_EQUAL(spout_response_timings(r)->tls_us, 0);
	CU_ASSERT_PTR_NULL(spout_try_fetch(url));
	ASSERT_FAILED(-EKEYREJECTED, SPOUT_FETCH_TLS);
	CU_ASSERT_PTR_NULL(spout_try_fetch(url, .ca_file = tls_file("stranger")));
	ASSERT_FAILED(-EKEYREJECTED, SPOUT_FETCH_TLS);
	r = spout_fetch(url, .insecure = true);
	r = spout_fetch(url, .ca_file = ca, .tls_server_name = "site.example");
	CU_ASSERT_EQUAL(upstream_saw(spout_sprintf("Host: 127.0.0.1:%u\r\n", port)), 4);
	CU_ASSERT_EQUAL(upstream_saw("Host: site.example"), 0);
	CU_ASSERT_PTR_NULL(
	    spout_try_fetch(url, .ca_file = ca, .tls_server_name = "no.example"));
	ASSERT_FAILED(-EKEYREJECTED, SPOUT_FETCH_TLS);
	r = spout_fetch("https://site.example/302", .ca_file = ca,
	    .connect_to = spout_sprintf("127.0.0.1:%u", port));
	CU_ASSERT_STRING_EQUAL(spout_response_url(r), "https://site.example/end?a=b");
	CU_ASSERT_PTR_NULL(spout_try_fetch(url, .ca_file = "/does/not/exist"));
	ASSERT_FAILED(-EINVAL, SPOUT_FETCH_TLS);
	free((void *)(uintptr_t)ca);
}

static void
servers_are_verified(void)
{
	make_certificates();
	SPOUT_TEST_RUN(co_tls, NULL);
}

static void
co_other_host(void *arg)
{
	uint16_t port = upstream_start(routes, tls_of("else", NULL));
	char *url = spout_sprintf("https://127.0.0.1:%u/end", port);

	(void)arg;
	CU_ASSERT_PTR_NULL(spout_try_fetch(url, .ca_file = tls_file("ca")));
	ASSERT_FAILED(-EKEYREJECTED, SPOUT_FETCH_TLS);
	CU_ASSERT_EQUAL(upstream_requests, 0);
}

static void
a_certificate_of_another_host_is_refused(void)
{
	make_certificates();
	SPOUT_TEST_RUN(co_other_host, NULL);
}

static void
co_client_certificate(void *arg)
{
	uint16_t port = upstream_start(routes, tls_of("site", "ca"));
	char *url = spout_sprintf("https://127.0.0.1:%u/end", port);
	char *ca = strdup(tls_file("ca"));
	struct spout_response *r;

	(void)arg;
	CU_ASSERT_PTR_NULL(spout_try_fetch(url, .ca_file = ca));
	CU_ASSERT_TRUE(spout_fetch_failure()->error < 0);
	r = spout_fetch(url, .ca_file = ca, .client_cert = tls_file("client"));
	CU_ASSERT_EQUAL(spout_response_status(r), 200);
	free(ca);
}

static void
a_client_shows_its_certificate(void)
{
	make_certificates();
	SPOUT_TEST_RUN(co_client_certificate, NULL);
}

static const struct unit_test tests[] = {
	UNIT_TEST(passwords_are_proved_without_sending_them),
	UNIT_TEST(challenges_have_an_end),
	UNIT_TEST(methods_change_as_the_rules_say),
	UNIT_TEST(redirects_are_followed_or_not), UNIT_TEST(redirects_end),
	UNIT_TEST(credentials_stay_with_their_origin),
	UNIT_TEST(proxies_are_asked_when_given), UNIT_TEST(servers_are_verified),
	UNIT_TEST(a_certificate_of_another_host_is_refused),
	UNIT_TEST(a_client_shows_its_certificate), UNIT_END };

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "client hops", tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
