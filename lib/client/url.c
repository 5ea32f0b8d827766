/* SPDX-License-Identifier: MIT */
/*
 * URLs: that of a hop, whom to connect to for it, where a redirect leads. libcurl's
 * parser (RFC 3986) reads them, so that ours and that of the transfer are the same.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "client/client.h"

/* A part of a URL in the fetch's arena, NULL if it has none; -ENOMEM in *r. */
static const char *
part(struct spout__fetch *fetch, CURLU *url, CURLUPart what, unsigned flags, int *r)
{
	char *text = NULL, *copy = NULL;
	CURLUcode code = curl_url_get(url, what, &text, flags);
	size_t len;

	if (code == CURLUE_OUT_OF_MEMORY) {
		*r = -ENOMEM;
	} else if (code == CURLUE_OK && text != NULL) {
		len = strlen(text);
		copy = spout__arena_alloc(&fetch->arena, len + 1);
		if (copy == NULL)
			*r = -ENOMEM;
		else
			memcpy(copy, text, len + 1);
	}
	curl_free(text);
	return copy;
}

/* "[::1]" as "::1". */
static const char *
without_brackets(const char *host)
{
	char *end = host != NULL && host[0] == '[' ? strchr(host, ']') : NULL;

	if (end == NULL)
		return host;
	*end = '\0';
	return host + 1;
}

static int
refuse(struct spout__fetch *fetch, const char *why)
{
	return spout__failure_note(fetch, SPOUT_FETCH_PREPARE, -EINVAL, "%s", why);
}

static int
no_memory(struct spout__fetch *fetch)
{
	return spout__failure_note(fetch, SPOUT_FETCH_PREPARE, -ENOMEM, "out of memory");
}

static bool
is_ascii(const char *text)
{
	for (; *text != '\0'; text++)
		if ((*text & 0x80) != 0 || *text <= ' ')
			return false;
	return true;
}

/* Who goes by user:password@ in the URL: taken out of it, but not at a redirect. */
static int
take_credentials(struct spout__fetch *fetch)
{
	const char *user, *password;
	int r = 0;

	user = part(fetch, fetch->url, CURLUPART_USER, CURLU_URLDECODE, &r);
	password = part(fetch, fetch->url, CURLUPART_PASSWORD, CURLU_URLDECODE, &r);
	if (r < 0)
		return no_memory(fetch);
	if (user != NULL && fetch->options.username == NULL &&
	    fetch->response->timings.redirects == 0) {
		fetch->options.username = user;
		fetch->options.password = password != NULL ? password : "";
	}
	if (curl_url_set(fetch->url, CURLUPART_USER, NULL, 0) != CURLUE_OK ||
	    curl_url_set(fetch->url, CURLUPART_PASSWORD, NULL, 0) != CURLUE_OK ||
	    curl_url_set(fetch->url, CURLUPART_FRAGMENT, NULL, 0) != CURLUE_OK)
		return no_memory(fetch);
	return 0;
}

/* Its text, for the answer. */
static int
keep_url(struct spout__fetch *fetch)
{
	char *text = NULL;

	free(fetch->response->url);
	fetch->response->url = NULL;
	if (curl_url_get(fetch->url, CURLUPART_URL, &text, 0) == CURLUE_OK)
		fetch->response->url = strdup(text);
	curl_free(text);
	return fetch->response->url != NULL ? 0 : no_memory(fetch);
}

int
spout__url_take(struct spout__fetch *fetch, const char *url)
{
	CURLUcode code = curl_url_set(fetch->url, CURLUPART_URL, url, 0);
	int r = 0;

	if (code == CURLUE_OUT_OF_MEMORY)
		return no_memory(fetch);
	if (code != CURLUE_OK)
		return refuse(fetch, curl_url_strerror(code));
	fetch->scheme = part(fetch, fetch->url, CURLUPART_SCHEME, 0, &r);
	fetch->host = without_brackets(part(fetch, fetch->url, CURLUPART_HOST, 0, &r));
	fetch->port = part(fetch, fetch->url, CURLUPART_PORT, CURLU_DEFAULT_PORT, &r);
	if (r < 0)
		return no_memory(fetch);
	if (fetch->scheme == NULL ||
	    (strcasecmp(fetch->scheme, "http") != 0 &&
		strcasecmp(fetch->scheme, "https") != 0))
		return refuse(fetch, "the URL is neither http nor https");
	if (fetch->host == NULL || fetch->host[0] == '\0' || !is_ascii(fetch->host))
		return refuse(fetch, "the URL has no host, or not one in ASCII");
	if (take_credentials(fetch) < 0)
		return fetch->failure.error;
	return keep_url(fetch);
}

/* --- whom to connect to ---------------------------------------- */

/* Host and port of a proxy's URL, or of "host:port" behind `prefix`. */
static int
peer_of(struct spout__fetch *fetch, const char *prefix, const char *text)
{
	CURLU *url = curl_url();
	size_t len = strlen(prefix) + strlen(text) + 1;
	char *whole = spout__arena_alloc(&fetch->arena, len);
	CURLUcode code;
	int r = 0;

	if (url == NULL || whole == NULL) {
		curl_url_cleanup(url);
		return no_memory(fetch);
	}
	memcpy(whole, prefix, strlen(prefix));
	memcpy(whole + strlen(prefix), text, strlen(text) + 1);
	code = curl_url_set(url, CURLUPART_URL, whole, CURLU_NON_SUPPORT_SCHEME);
	fetch->peer_host = without_brackets(part(fetch, url, CURLUPART_HOST, 0, &r));
	fetch->peer_port = part(fetch, url, CURLUPART_PORT, 0, &r);
	curl_url_cleanup(url);
	if (r < 0)
		return no_memory(fetch);
	if (code != CURLUE_OK || fetch->peer_host == NULL || fetch->peer_port == NULL)
		return refuse(fetch,
		    prefix[0] == '\0' ? "the proxy is no URL with a port"
				      : "connect_to is no host:port");
	return 0;
}

int
spout__url_peer(struct spout__fetch *fetch)
{
	const struct spout_fetch_options *o = &fetch->options;

	if (o->proxy != NULL)
		return peer_of(fetch, "", o->proxy);
	if (o->connect_to != NULL && !fetch->foreign)
		return peer_of(fetch, "http://", o->connect_to);
	fetch->peer_host = fetch->host;
	fetch->peer_port = fetch->port;
	return 0;
}

/* --- redirects ---------------------------------------- */

bool
spout__url_redirects(const struct spout__fetch *fetch)
{
	int status = fetch->response->status;

	return fetch->options.max_redirects > 0 &&
	    (status == 301 || status == 302 || status == 303 || status == 307 ||
		status == 308) &&
	    spout_response_header(fetch->response, "Location") != NULL;
}

/* RFC 9110 15.4: POST becomes GET after 301 and 302, everything but HEAD after 303. */
static void
change_method(struct spout__fetch *fetch)
{
	int status = fetch->response->status;
	bool post = strcmp(fetch->method, "POST") == 0;

	if (!((status == 301 || status == 302) && post) &&
	    !(status == 303 && strcmp(fetch->method, "HEAD") != 0))
		return;
	fetch->method = "GET";
	fetch->has_body = false;
	fetch->body = spout_slice_of(NULL, 0);
}

static int
failed(struct spout__fetch *fetch, int error, const char *why)
{
	return spout__failure_note(fetch, SPOUT_FETCH_REDIRECT, error, "%s", why);
}

int
spout__url_redirect(struct spout__fetch *fetch)
{
	const char *scheme = fetch->scheme, *host = fetch->host, *port = fetch->port;
	const char *location = spout_response_header(fetch->response, "Location");
	int r;

	if (fetch->response->timings.redirects >= (unsigned)fetch->options.max_redirects)
		return failed(fetch, -ELOOP, "too many redirects");
	change_method(fetch);
	if (fetch->has_body && spout__request_streams(fetch))
		return failed(fetch, -EPROTO, "a streamed body cannot be sent twice");
	fetch->response->timings.redirects++;
	r = spout__url_take(fetch, location);
	if (r == -EINVAL) { /* not the caller's mistake */
		fetch->failure.error = 0;
		return failed(fetch, -EPROTO, "to what is no URL of http or https");
	}
	if (r == 0 &&
	    (strcasecmp(scheme, fetch->scheme) != 0 ||
		strcasecmp(host, fetch->host) != 0 || strcmp(port, fetch->port) != 0))
		fetch->foreign = true;
	return r;
}
