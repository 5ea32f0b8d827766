/* SPDX-License-Identifier: MIT */
/* One hop in libcurl's hands: its options, its callbacks, how it ends. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/stats.h"
#include "client/client.h"

/* A body of this size leaves with the head, or soon after it. */
#define SMALL_BODY (64u << 10)
#define EYEBALLS_MS 250L

/* --- callbacks: inside of libcurl, which may not be called ---------------------- */

#define MAX_CHALLENGES 3u

/*
 * A connection is ready, new or kept. libcurl takes another when a kept one turns out to
 * be closed; a request which may not be made twice is not made again even so.
 */
static int
on_connected(void *arg, char *address, char *local, int port, int local_port)
{
	struct spout__fetch *fetch = arg;
	const struct spout_fetch_options *o = &fetch->options;

	(void)local;
	fetch->local_port = local_port;
	if (fetch->connects++ > 0 && fetch->challenges == 0 &&
	    !spout__request_idempotent(fetch)) {
		spout__failure_note(fetch, SPOUT_FETCH_SEND, -ECONNRESET,
		    "the connection was closed before an answer came");
		return CURL_PREREQFUNC_ABORT;
	}
	if (o->allow != NULL && !o->allow(address, (uint16_t)port, o->allow_arg)) {
		spout__failure_note(fetch, SPOUT_FETCH_CONNECT, -EACCES,
		    "%s is not an address to fetch from", address);
		return CURL_PREREQFUNC_ABORT;
	}
	fetch->ready_ms = spout__client_now_us(fetch->client) / 1000;
	if (!spout__request_streams(fetch) && fetch->body.len <= SMALL_BODY)
		fetch->sent_ms = fetch->ready_ms;
	return CURL_PREREQFUNC_OK;
}

/* libcurl is about to look up a name, which it must never have to. */
static int
on_resolve(void *state, void *reserved, void *arg)
{
	const struct spout__fetch *fetch = arg;

	(void)state;
	(void)reserved;
	return fetch->numeric ? 0 : 1;
}

static bool
head_is_final(const struct spout__fetch *fetch)
{
	return fetch->response->status >= 200 || fetch->response->status == 101;
}

/* A 401 to which libcurl will answer, and then hand out another head. */
static bool
is_challenge(const struct spout__fetch *fetch)
{
	const struct spout_response *response = fetch->response;
	const char *value;

	if (!spout__request_digests(fetch) || response->status != 401)
		return false;
	value = spout_response_header(response, "WWW-Authenticate");
	if (value == NULL || strncasecmp(value, "Digest", 6) != 0)
		return false;
	/* A second one is a refusal, unless only its nonce was too old. */
	return fetch->challenges == 0 || strcasestr(value, "stale=true") != NULL;
}

int
spout__transfer_head(struct spout__fetch *fetch)
{
	const struct spout_response *response = fetch->response;

	if (!spout__response_length_ok(response))
		return spout__failure_note(fetch, SPOUT_FETCH_BODY, -EPROTO,
		    "more than one Content-Length, or one that is none");
	fetch->head_done = true;
	fetch->follow = spout__url_redirects(fetch);
	if (fetch->follow)
		return 0;
	if (fetch->options.stream && fetch->options.fail_on_status &&
	    response->status >= 400)
		return spout__failure_note(fetch, SPOUT_FETCH_BODY, -EREMOTEIO,
		    "%d %.60s", response->status, response->reason);
	if (spout__body_begin(fetch) < 0)
		return fetch->failure.error;
	if (fetch->options.stream)
		fetch->notify(fetch, SPOUT__FETCH_HEAD);
	return 0;
}

/* The head is complete: what to do with the body. Returns 0, or an error. */
static int
on_head(struct spout__fetch *fetch)
{
	if (!head_is_final(fetch))
		return 0;
	if (is_challenge(fetch)) {
		if (++fetch->challenges <= MAX_CHALLENGES)
			return 0;
		return spout__failure_note(fetch, SPOUT_FETCH_BODY, -EPROTO,
		    "challenged again and again");
	}
	return spout__transfer_head(fetch);
}

static size_t
on_header(char *data, size_t size, size_t n, void *arg)
{
	struct spout__fetch *fetch = arg;
	int r;

	n *= size;
	fetch->header_bytes += n;
	if (fetch->header_bytes > fetch->options.max_header_bytes) {
		spout__failure_note(fetch, SPOUT_FETCH_BODY, -EMSGSIZE,
		    "a head of more than %zu bytes", fetch->options.max_header_bytes);
		return 0;
	}
	if (fetch->head_done) /* a trailer */
		return n;
	fetch->head_begun = true;
	r = spout__response_line(fetch->response, data, n);
	if (r < 0)
		spout__failure_note(fetch, SPOUT_FETCH_BODY, r, "%s",
		    r == -ENOMEM ? "out of memory" : "a malformed head");
	else if (r == 1)
		r = on_head(fetch);
	return r < 0 ? 0 : n;
}

/* --- options ---------------------------------------- */

#define SET(option, value) \
	do { \
		if (code == CURLE_OK) \
			code = curl_easy_setopt(curl, (option), (value)); \
	} while (0)

static CURLcode
set_basics(struct spout__fetch *fetch, CURL *curl)
{
	const struct spout_fetch_options *o = &fetch->options;
	uint64_t connect_ms = o->connect_timeout_ms;
	CURLcode code = CURLE_OK;

	fetch->error_text[0] = '\0';
	SET(CURLOPT_PRIVATE, fetch);
	SET(CURLOPT_ERRORBUFFER, fetch->error_text);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_NOPROGRESS, 1L);
	SET(CURLOPT_CURLU, fetch->renamed_url != NULL ? fetch->renamed_url : fetch->url);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, fetch);
	SET(CURLOPT_WRITEFUNCTION, spout__body_take);
	SET(CURLOPT_WRITEDATA, fetch);
	SET(CURLOPT_PREREQFUNCTION, on_connected);
	SET(CURLOPT_PREREQDATA, fetch);
	SET(CURLOPT_CLOSESOCKETFUNCTION, spout__client_close_socket);
	SET(CURLOPT_CLOSESOCKETDATA, fetch->client);
	SET(CURLOPT_RESOLVER_START_FUNCTION, on_resolve);
	SET(CURLOPT_RESOLVER_START_DATA, fetch);
	SET(CURLOPT_HTTPHEADER, fetch->headers);
	SET(CURLOPT_USERAGENT, o->user_agent);
	SET(CURLOPT_HAPPY_EYEBALLS_TIMEOUT_MS, EYEBALLS_MS);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	/* Ours is exact; by this one libcurl divides the time among addresses. */
	if (connect_ms < UINT64_MAX - o->tls_timeout_ms)
		connect_ms += o->tls_timeout_ms;
	SET(CURLOPT_CONNECTTIMEOUT_MS,
	    connect_ms > 1000000000 ? 1000000000L : (long)connect_ms);
	return code;
}

static CURLcode
set_login(struct spout__fetch *fetch, CURL *curl)
{
	const struct spout_fetch_options *o = &fetch->options;
	CURLcode code = CURLE_OK;

	if (!spout__request_digests(fetch))
		return CURLE_OK;
	SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_DIGEST);
	SET(CURLOPT_USERNAME, o->username);
	SET(CURLOPT_PASSWORD, o->password != NULL ? o->password : "");
	return code;
}

static CURLcode
set_body(struct spout__fetch *fetch, CURL *curl)
{
	const char *method = fetch->method;
	bool empty = !fetch->has_body &&
	    (strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
		strcmp(method, "PATCH") == 0);
	CURLcode code = CURLE_OK;

	if (strcmp(method, "HEAD") == 0) {
		SET(CURLOPT_NOBODY, 1L);
	} else if (fetch->has_body && spout__request_streams(fetch)) {
		SET(CURLOPT_UPLOAD, 1L);
		SET(CURLOPT_READFUNCTION, spout__body_give);
		SET(CURLOPT_READDATA, fetch);
		SET(CURLOPT_INFILESIZE_LARGE,
		    fetch->options.upload_bytes > 0
			? (curl_off_t)fetch->options.upload_bytes
			: (curl_off_t)-1);
	} else if (fetch->has_body || empty) {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDS, fetch->body.len > 0 ? fetch->body.data : "");
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)fetch->body.len);
	} else {
		SET(CURLOPT_HTTPGET, 1L);
	}
	if (strcmp(method, "HEAD") != 0)
		SET(CURLOPT_CUSTOMREQUEST, method);
	return code;
}

static CURLcode
set_tls(struct spout__fetch *fetch, CURL *curl)
{
	const struct spout_fetch_options *o = &fetch->options;
	CURLcode code = CURLE_OK;

	SET(CURLOPT_SSL_VERIFYPEER, o->insecure ? 0L : 1L);
	SET(CURLOPT_SSL_VERIFYHOST, o->insecure ? 0L : 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (o->ca_file != NULL) {
		/* Read once: libcurl keeps it for later connections. */
		SET(CURLOPT_CAINFO, o->ca_file);
		SET(CURLOPT_CAPATH, NULL);
	} else if (spout__client_ca_path() != NULL) {
		SET(CURLOPT_CAINFO, NULL);
		SET(CURLOPT_CAPATH, spout__client_ca_path());
	}
	if (o->client_cert != NULL && !fetch->foreign) {
		SET(CURLOPT_SSLCERT, o->client_cert);
		SET(CURLOPT_SSLKEY,
		    o->client_key != NULL ? o->client_key : o->client_cert);
		SET(CURLOPT_KEYPASSWD, o->client_key_password);
	}
	return code;
}

static CURLcode
set_where(struct spout__fetch *fetch, CURL *curl)
{
	const struct spout_fetch_options *o = &fetch->options;
	long resolve = CURL_IPRESOLVE_WHATEVER;
	CURLcode code = CURLE_OK;

	if (o->family != 0)
		resolve = o->family == AF_INET6 ? CURL_IPRESOLVE_V6 : CURL_IPRESOLVE_V4;
	SET(CURLOPT_IPRESOLVE, resolve);
	SET(CURLOPT_PROXY, o->proxy != NULL ? o->proxy : "");
	SET(CURLOPT_NOPROXY, "");
	SET(CURLOPT_RESOLVE, fetch->addresses);
	if (fetch->connect_to != NULL)
		SET(CURLOPT_CONNECT_TO, fetch->connect_to);
	if (o->source != NULL)
		SET(CURLOPT_INTERFACE, o->source);
	return code;
}

/* --- addresses ---------------------------------------- */

static int
append(struct curl_slist **list, const char *text)
{
	struct curl_slist *longer = curl_slist_append(*list, text);

	if (longer == NULL)
		return -ENOMEM;
	*list = longer;
	return 0;
}

/* "host:port:address,address" for libcurl's cache of names. */
static int
add_addresses(struct spout__fetch *fetch, const char *key, struct spout__buffer *text)
{
	const struct spout__addresses *all = &fetch->lookup.addresses;
	char address[SPOUT__ADDRESS_TEXT];
	int r = spout__buffer_append(text, key, strlen(key));

	for (unsigned i = 0; r == 0 && i < all->n; i++) {
		bool six = all->at[i].addr.ss_family == AF_INET6;

		spout__address_text(&all->at[i].addr, address);
		r = spout__buffer_printf(
		    text, six ? "%c[%s]" : "%c%s", i == 0 ? ':' : ',', address);
	}
	if (r == 0)
		r = spout__buffer_append(text, "", 1);
	return r == 0 ? append(&fetch->addresses, spout__buffer_at(text)) : r;
}

/* Tell libcurl the addresses, under the name for which it will ask. */
static int
name_addresses(struct spout__fetch *fetch, const char *host)
{
	struct spout__easy *easy = fetch->easy;
	struct spout__buffer text;
	char *key = NULL, *old = NULL;
	int r = 0;

	fetch->numeric = inet_pton(AF_INET, host, &(struct in_addr){ 0 }) == 1 ||
	    strchr(host, ':') != NULL;
	if (easy->named != NULL && asprintf(&old, "-%s", easy->named) < 0)
		return -ENOMEM;
	if (old != NULL)
		r = append(&fetch->addresses, old);
	free(old);
	free(easy->named);
	easy->named = NULL;
	if (fetch->numeric || r < 0)
		return r;
	if (asprintf(&key, "%s:%s", host, fetch->peer_port) < 0)
		return -ENOMEM;
	spout__buffer_init(&text, 4096);
	r = add_addresses(fetch, key, &text);
	spout__buffer_release(&text);
	easy->named = key;
	return r;
}

/* The handshake is made with the host of the URL, so libcurl gets one with another. */
static int
rename_host(struct spout__fetch *fetch)
{
	CURLUcode code = CURLUE_OUT_OF_MEMORY;

	fetch->renamed_url = curl_url_dup(fetch->url);
	if (fetch->renamed_url != NULL)
		code = curl_url_set(fetch->renamed_url, CURLUPART_HOST,
		    fetch->options.tls_server_name, 0);
	if (code == CURLUE_OUT_OF_MEMORY)
		return -ENOMEM;
	if (code != CURLUE_OK)
		return spout__failure_note(fetch, SPOUT_FETCH_PREPARE, -EINVAL,
		    "tls_server_name: %s", curl_url_strerror(code));
	return 0;
}

/* To this host, whatever the URL says. */
static int
connect_to(struct spout__fetch *fetch, const char *host, const char *port)
{
	bool six = strchr(host, ':') != NULL;
	char *rule = NULL;
	int r;

	if (asprintf(&rule, six ? "::[%s]:%s" : "::%s:%s", host, port) < 0)
		return -ENOMEM;
	r = append(&fetch->connect_to, rule);
	free(rule);
	return r;
}

/*
 * The name for the handshake says nothing about where to connect to: that is told, so
 * that a kept connection to another host of the same name is not taken, either.
 */
static int
set_addresses(struct spout__fetch *fetch)
{
	const struct spout_fetch_options *o = &fetch->options;
	bool renamed = spout__request_renamed(fetch);
	int r = renamed ? rename_host(fetch) : 0;

	if (r == 0)
		r = name_addresses(fetch, fetch->peer_host);
	if (r < 0)
		return r;
	if (o->proxy != NULL)
		return renamed ? connect_to(fetch, fetch->host, fetch->port) : 0;
	if (renamed || (o->connect_to != NULL && !fetch->foreign))
		return connect_to(fetch, fetch->peer_host, fetch->peer_port);
	return 0;
}

/* --- begin and end ---------------------------------------- */

static int
set_options(struct spout__fetch *fetch)
{
	CURL *curl = fetch->easy->curl;
	CURLcode code;
	int r = spout__request_headers(fetch);

	if (r == 0)
		r = set_addresses(fetch);
	if (r < 0)
		return r;
	code = set_basics(fetch, curl);
	if (code == CURLE_OK)
		code = set_login(fetch, curl);
	if (code == CURLE_OK)
		code = set_body(fetch, curl);
	if (code == CURLE_OK)
		code = set_tls(fetch, curl);
	if (code == CURLE_OK)
		code = set_where(fetch, curl);
	if (code == CURLE_OK)
		return 0;
	return code == CURLE_OUT_OF_MEMORY
	    ? -ENOMEM
	    : spout__failure_note(
		  fetch, SPOUT_FETCH_PREPARE, -EINVAL, "%s", curl_easy_strerror(code));
}

int
spout__transfer_start(struct spout__fetch *fetch)
{
	int r = -ENOMEM;

	fetch->easy = spout__easy_get(fetch->client);
	if (fetch->easy != NULL)
		r = set_options(fetch);
	if (r == 0 &&
	    curl_multi_add_handle(fetch->client->multi, fetch->easy->curl) != CURLM_OK)
		r = -ENOMEM;
	if (r == 0)
		return 0;
	if (fetch->easy != NULL)
		spout__easy_put(fetch->client, fetch->easy);
	fetch->easy = NULL;
	return spout__failure_note(fetch, SPOUT_FETCH_PREPARE, r, "out of memory");
}

/* Before there is a connection, only the handshake has anything to read. */
void
spout__transfer_watched(struct spout__fetch *fetch, unsigned events)
{
	if ((events & SPOUT_READ) != 0 && fetch->connects == 0 && fetch->tls_ms == 0 &&
	    strcasecmp(fetch->scheme, "https") == 0)
		fetch->tls_ms = spout__client_now_us(fetch->client) / 1000;
}

enum spout_fetch_phase
spout__transfer_phase(const struct spout__fetch *fetch)
{
	if (fetch->head_begun || fetch->easy == NULL)
		return SPOUT_FETCH_BODY;
	if (fetch->connects > 0 && (fetch->sent || fetch->sent_ms != 0))
		return SPOUT_FETCH_FIRST_BYTE;
	if (fetch->connects > 0) {
		curl_off_t sent = 0;

		curl_easy_getinfo(fetch->easy->curl, CURLINFO_SIZE_UPLOAD_T, &sent);
		return spout__request_streams(fetch) || (uint64_t)sent < fetch->body.len
		    ? SPOUT_FETCH_SEND
		    : SPOUT_FETCH_FIRST_BYTE;
	}
	return fetch->tls_ms != 0 ? SPOUT_FETCH_TLS : SPOUT_FETCH_CONNECT;
}

static uint64_t
between(CURL *curl, CURLINFO from, CURLINFO to)
{
	curl_off_t a = 0, b = 0;

	curl_easy_getinfo(curl, from, &a);
	curl_easy_getinfo(curl, to, &b);
	return b > a ? (uint64_t)(b - a) : 0;
}

static void
take_timings(struct spout__fetch *fetch, CURL *curl)
{
	struct spout_fetch_timings *timings = &fetch->response->timings;
	long connects = 0;

	curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &connects);
	fetch->client->stats.connections += (uint64_t)connects;
	spout__count_shared(SPOUT__C_FETCH_CONNECTIONS, (uint64_t)connects);
	timings->reused = fetch->connects > 0 && connects == 0;
	timings->connect_us = timings->tls_us = 0;
	if (!timings->reused) {
		timings->connect_us =
		    between(curl, CURLINFO_NAMELOOKUP_TIME_T, CURLINFO_CONNECT_TIME_T);
		timings->tls_us =
		    between(curl, CURLINFO_CONNECT_TIME_T, CURLINFO_APPCONNECT_TIME_T);
	}
	timings->first_byte_us =
	    between(curl, CURLINFO_PRETRANSFER_TIME_T, CURLINFO_STARTTRANSFER_TIME_T);
}

void
spout__transfer_stop(struct spout__fetch *fetch)
{
	if (fetch->easy != NULL) {
		take_timings(fetch, fetch->easy->curl);
		curl_multi_remove_handle(fetch->client->multi, fetch->easy->curl);
		spout__easy_put(fetch->client, fetch->easy);
		fetch->easy = NULL;
	}
	curl_slist_free_all(fetch->headers);
	curl_slist_free_all(fetch->addresses);
	curl_slist_free_all(fetch->connect_to);
	fetch->headers = fetch->addresses = fetch->connect_to = NULL;
	curl_url_cleanup(fetch->renamed_url);
	fetch->renamed_url = NULL;
}

void
spout__transfer_done(struct spout__fetch *fetch, CURLcode code)
{
	/* A challenge without a body, which libcurl could not answer, is the answer. */
	if (code == CURLE_OK && fetch->challenges > 0 && !fetch->head_done &&
	    spout__transfer_head(fetch) < 0)
		code = CURLE_WRITE_ERROR;
	/* A redirect's body may have been cut short: it was not wanted. */
	if (code != CURLE_OK && !(fetch->head_done && fetch->follow))
		spout__failure_of_code(fetch, code);
	spout__transfer_stop(fetch);
	if (fetch->failure.error == 0 && fetch->decoder != NULL && !fetch->follow) {
		fetch->state = SPOUT__FETCH_DRAINING;
		spout__fetch_resumed(fetch);
	} else {
		spout__fetch_hop_over(fetch);
	}
}

void
spout__transfer_unpause(struct spout__fetch *fetch, bool receive, bool send)
{
	int still;

	fetch->receive_paused = fetch->receive_paused && !receive;
	fetch->send_paused = fetch->send_paused && !send;
	still = (fetch->receive_paused ? CURLPAUSE_RECV : 0) |
	    (fetch->send_paused ? CURLPAUSE_SEND : 0);
	/* May call our callbacks, which may pause it again. */
	if (curl_easy_pause(fetch->easy->curl, still) == CURLE_OUT_OF_MEMORY)
		spout__failure_note(fetch, SPOUT_FETCH_BODY, -ENOMEM, "out of memory");
}
