/* SPDX-License-Identifier: MIT */
/* The request of a fetch: options copied and checked, bodies composed, header lines. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "base/text.h"
#include "client/client.h"

#define MAX_HEADER_BYTES (64u << 10)
#define MAX_BODY_BYTES (UINT64_C(16) << 20)
#define MAX_REDIRECTS 5
#define TIMEOUT_MS 20000u

/* --- copying ---------------------------------------- */

static int
no_memory(struct spout__fetch *fetch)
{
	return spout__failure_note(fetch, SPOUT_FETCH_PREPARE, -ENOMEM, "out of memory");
}

static int
refuse(struct spout__fetch *fetch, const char *what, const char *why)
{
	return spout__failure_note(
	    fetch, SPOUT_FETCH_PREPARE, -EINVAL, "%.80s: %s", what, why);
}

static int
copy_text(struct spout__fetch *fetch, const char **text)
{
	size_t len;
	char *copy;

	if (*text == NULL)
		return 0;
	len = strlen(*text) + 1;
	copy = spout__arena_alloc(&fetch->arena, len);
	if (copy == NULL)
		return no_memory(fetch);
	*text = memcpy(copy, *text, len);
	return 0;
}

static int
copy_fields(struct spout__fetch *fetch, const struct spout_field **fields)
{
	struct spout_field *copy;
	size_t n = 0;

	if (*fields == NULL)
		return 0;
	while ((*fields)[n].name != NULL)
		n++;
	copy = spout__arena_alloc(&fetch->arena, (n + 1) * sizeof(*copy));
	if (copy == NULL)
		return no_memory(fetch);
	memcpy(copy, *fields, (n + 1) * sizeof(*copy));
	for (size_t i = 0; i < n; i++)
		if (copy_text(fetch, &copy[i].name) < 0 ||
		    copy_text(fetch, &copy[i].value) < 0)
			return fetch->failure.error;
	*fields = copy;
	return 0;
}

static int
copy_texts(struct spout__fetch *fetch)
{
	struct spout_fetch_options *o = &fetch->options;
	const char **texts[] = { &o->method, &o->user_agent, &o->username, &o->password,
		&o->bearer, &o->proxy, &o->connect_to, &o->source, &o->ca_file,
		&o->client_cert, &o->client_key, &o->client_key_password,
		&o->tls_server_name };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (copy_text(fetch, texts[i]) < 0)
			return fetch->failure.error;
	return copy_fields(fetch, &o->headers);
}

/* --- checks ---------------------------------------- */

/* RFC 9110 5.6.2. */
static bool
is_token(const char *text)
{
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text, letter = c | 0x20;

		if (!(c >= '0' && c <= '9') && !(letter >= 'a' && letter <= 'z') &&
		    strchr("!#$%&'*+-.^_`|~", c) == NULL)
			return false;
	}
	return true;
}

/* RFC 9110 5.5: no control characters but the tab. */
static bool
is_value(const char *text)
{
	for (; *text != '\0'; text++)
		if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
			return false;
	return true;
}

static bool
is_named(const char *name, const char *const *names)
{
	while (*names != NULL && strcasecmp(name, *names) != 0)
		names++;
	return *names != NULL;
}

static int
check_fields(struct spout__fetch *fetch)
{
	static const char *const ours[] = { "Content-Length", "Transfer-Encoding",
		"Connection", "Expect", "Upgrade", "TE", "Trailer", NULL };
	const struct spout_field *f = fetch->options.headers;

	for (; f != NULL && f->name != NULL; f++) {
		if (!is_token(f->name))
			return refuse(fetch, f->name, "not a name of a header field");
		if (f->value == NULL || !is_value(f->value))
			return refuse(fetch, f->name, "not a value of a header field");
		if (is_named(f->name, ours))
			return refuse(
			    fetch, f->name, "the client sets this field itself");
	}
	return 0;
}

static int
check_proxy(struct spout__fetch *fetch)
{
	static const char *const schemes[] = { "http://", "https://", "socks5h://" };
	const char *proxy = fetch->options.proxy;

	if (proxy == NULL)
		return 0;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		if (strncasecmp(proxy, schemes[i], strlen(schemes[i])) == 0)
			return 0;
	return refuse(fetch, "proxy", "not http, https or socks5h");
}

static int
check_texts(struct spout__fetch *fetch)
{
	const struct spout_fetch_options *o = &fetch->options;
	struct in6_addr address;

	if (o->method != NULL &&
	    (!is_token(o->method) || strcmp(o->method, "CONNECT") == 0))
		return refuse(fetch, o->method, "not a method to fetch with");
	if ((o->user_agent != NULL && !is_value(o->user_agent)) ||
	    (o->bearer != NULL && !is_value(o->bearer)))
		return refuse(fetch, "user_agent or bearer", "control characters");
	if (o->username != NULL && strchr(o->username, ':') != NULL)
		return refuse(fetch, "username", "a colon in it");
	if (o->digest &&
	    (o->username == NULL || o->bearer != NULL || spout__request_streams(fetch)))
		return refuse(fetch, "digest", "without username, or with bearer or a "
		    "streamed body");
	if (o->source != NULL && inet_pton(AF_INET, o->source, &address) != 1 &&
	    inet_pton(AF_INET6, o->source, &address) != 1)
		return refuse(fetch, "source", "not a numeric address");
	if (o->client_key != NULL && o->client_cert == NULL)
		return refuse(fetch, "client_key", "without client_cert");
	return check_proxy(fetch);
}

static void
fill_defaults(struct spout__fetch *fetch)
{
	struct spout_fetch_options *o = &fetch->options;
	uint64_t *const none[] = { &o->queue_timeout_ms, &o->resolve_timeout_ms,
		&o->first_byte_timeout_ms, &o->low_speed_ms };
	uint64_t *const twenty[] = { &o->timeout_ms, &o->connect_timeout_ms,
		&o->tls_timeout_ms };

	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		if (*none[i] == 0)
			*none[i] = SPOUT_NO_TIMEOUT;
	for (size_t i = 0; i < sizeof(twenty) / sizeof(*twenty); i++)
		if (*twenty[i] == 0)
			*twenty[i] = TIMEOUT_MS;
	if (o->low_speed_bytes == 0)
		o->low_speed_bytes = 1;
	if (o->max_header_bytes == 0)
		o->max_header_bytes = MAX_HEADER_BYTES;
	if (o->max_body_bytes == 0)
		o->max_body_bytes = MAX_BODY_BYTES;
	if (o->max_redirects == 0)
		o->max_redirects = MAX_REDIRECTS;
	if (o->user_agent == NULL)
		o->user_agent = "Spout/" PACKAGE_VERSION;
}

/* --- bodies ---------------------------------------- */

static char *
encode_pair(char *to, const struct spout_field *field)
{
	to += spout__percent_encode(field->name, strlen(field->name), to);
	*to++ = '=';
	return to + spout__percent_encode(field->value, strlen(field->value), to);
}

static int
take_form(struct spout__fetch *fetch, const struct spout_field *form)
{
	const struct spout_field *f;
	size_t room = 1;
	char *text, *at;

	for (f = form; f->name != NULL; f++) {
		if (f->value == NULL)
			return refuse(
			    fetch, f->name, "a field of a form without a value");
		room += 3 * (strlen(f->name) + strlen(f->value)) + 2;
	}
	text = at = spout__arena_alloc(&fetch->arena, room);
	if (text == NULL)
		return no_memory(fetch);
	for (f = form; f->name != NULL; f++) {
		if (f != form)
			*at++ = '&';
		at = encode_pair(at, f);
	}
	fetch->body = spout_slice_of(text, (size_t)(at - text));
	fetch->content_type = "application/x-www-form-urlencoded";
	return 0;
}

static int
take_json(struct spout__fetch *fetch, const struct json_t *value)
{
	const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
	size_t len = json_dumpb(value, NULL, 0, flags);
	char *text = spout__arena_alloc(&fetch->arena, len + 1);

	if (text == NULL)
		return no_memory(fetch);
	if (len == 0 || json_dumpb(value, text, len, flags) != len)
		return refuse(fetch, "json", "a value that cannot be encoded");
	fetch->body = spout_slice_of(text, len);
	fetch->content_type = "application/json";
	return 0;
}

static int
take_body(struct spout__fetch *fetch, const struct spout_fetch_options *from)
{
	int given = (from->body.data != NULL) + (from->form != NULL) +
	    (from->json != NULL) + (from->body_fn != NULL) + from->upload;
	char *copy;

	if (given > 1)
		return refuse(fetch, "options", "more than one body");
	fetch->has_body = given == 1;
	if (from->form != NULL)
		return take_form(fetch, from->form);
	if (from->json != NULL)
		return take_json(fetch, from->json);
	if (from->body.data == NULL)
		return 0;
	copy = spout__arena_alloc(&fetch->arena, from->body.len + 1);
	if (copy == NULL)
		return no_memory(fetch);
	memcpy(copy, from->body.data, from->body.len);
	fetch->body = spout_slice_of(copy, from->body.len);
	return 0;
}

bool
spout__request_streams(const struct spout__fetch *fetch)
{
	return fetch->options.upload || fetch->options.body_fn != NULL;
}

bool
spout__request_digests(const struct spout__fetch *fetch)
{
	return fetch->options.digest && !fetch->foreign;
}

bool
spout__request_renamed(const struct spout__fetch *fetch)
{
	return fetch->options.tls_server_name != NULL && !fetch->foreign &&
	    strcasecmp(fetch->scheme, "https") == 0;
}

bool
spout__request_idempotent(const struct spout__fetch *fetch)
{
	static const char *const methods[] = { "GET", "HEAD", "OPTIONS", "TRACE", "PUT",
		"DELETE" };

	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
		if (strcmp(fetch->method, methods[i]) == 0)
			return true;
	return false;
}

int
spout__request_init(struct spout__fetch *fetch, const char *url,
    const struct spout_fetch_options *options)
{
	size_t size = options->size < sizeof(*options) ? options->size : sizeof(*options);

	memcpy(&fetch->options, options, size);
	if (copy_texts(fetch) < 0 || check_texts(fetch) < 0 || check_fields(fetch) < 0 ||
	    take_body(fetch, options) < 0)
		return fetch->failure.error;
	fill_defaults(fetch);
	fetch->method = fetch->options.method;
	if (fetch->method == NULL)
		fetch->method = fetch->has_body ? "POST" : "GET";
	if (fetch->has_body && strcmp(fetch->method, "HEAD") == 0)
		return refuse(fetch, "HEAD", "with a body");
	return spout__url_take(fetch, url);
}

/* --- header lines ---------------------------------------- */

/* curl_slist_append() of "name: value"; libcurl wants "name;" for an empty value. */
static int
add_line(struct spout__fetch *fetch, const char *name, const char *value)
{
	size_t len = strlen(name) + strlen(value) + 3;
	char *line = spout__arena_alloc(&fetch->arena, len);
	struct curl_slist *list;

	if (line == NULL)
		return -ENOMEM;
	strcpy(line, name);
	strcat(line, value[0] == '\0' ? ";" : ": ");
	strcat(line, value);
	list = curl_slist_append(fetch->headers, line);
	if (list == NULL)
		return -ENOMEM;
	fetch->headers = list;
	return 0;
}

/* Take out what libcurl would send by itself. */
static int
add_none(struct spout__fetch *fetch, const char *name_and_colon)
{
	struct curl_slist *list = curl_slist_append(fetch->headers, name_and_colon);

	if (list == NULL)
		return -ENOMEM;
	fetch->headers = list;
	return 0;
}

static bool
has_field(const struct spout__fetch *fetch, const char *name)
{
	const struct spout_field *f = fetch->options.headers;

	for (; f != NULL && f->name != NULL; f++)
		if (strcasecmp(f->name, name) == 0)
			return true;
	return false;
}

/* May this field of the caller go with this hop? */
static bool
field_goes(const struct spout__fetch *fetch, const char *name)
{
	static const char *const of_the_origin[] = { "Authorization", "Cookie", "Host",
		"Proxy-Authorization", NULL };
	static const char *const of_the_body[] = { "Content-Type", "Content-Encoding",
		"Content-Language", "Content-Location", "Digest", "Last-Modified", NULL };

	if (fetch->foreign && is_named(name, of_the_origin))
		return false;
	return fetch->has_body || fetch->response->timings.redirects == 0 ||
	    !is_named(name, of_the_body);
}

static int
add_basic(struct spout__fetch *fetch)
{
	const struct spout_fetch_options *o = &fetch->options;
	const char *password = o->password != NULL ? o->password : "";
	size_t len = strlen(o->username) + 1 + strlen(password);
	char *plain = spout__arena_alloc(&fetch->arena, len + 1);
	char *value = spout__arena_alloc(&fetch->arena, 6 + 4 * ((len + 2) / 3) + 1);

	if (plain == NULL || value == NULL)
		return -ENOMEM;
	strcpy(plain, o->username);
	strcat(plain, ":");
	strcat(plain, password);
	strcpy(value, "Basic ");
	EVP_EncodeBlock(
	    (unsigned char *)value + 6, (const unsigned char *)plain, (int)len);
	return add_line(fetch, "Authorization", value);
}

static int
add_credentials(struct spout__fetch *fetch)
{
	const char *bearer = fetch->options.bearer;
	char *value;

	if (fetch->foreign || fetch->options.digest ||
	    has_field(fetch, "Authorization"))
		return 0;
	if (bearer == NULL)
		return fetch->options.username != NULL ? add_basic(fetch) : 0;
	value = spout__arena_alloc(&fetch->arena, strlen(bearer) + 8);
	if (value == NULL)
		return -ENOMEM;
	strcpy(value, "Bearer ");
	strcat(value, bearer);
	return add_line(fetch, "Authorization", value);
}

/*
 * With another name in the URL, for TLS, the field still says the one that was asked
 * for.
 */
static int
add_host(struct spout__fetch *fetch)
{
	bool six = strchr(fetch->host, ':') != NULL;
	char *value;

	if (!spout__request_renamed(fetch) || has_field(fetch, "Host"))
		return 0;
	value = spout__arena_alloc(
	    &fetch->arena, strlen(fetch->host) + strlen(fetch->port) + 4);
	if (value == NULL)
		return -ENOMEM;
	strcpy(value, six ? "[" : "");
	strcat(value, fetch->host);
	strcat(value, six ? "]:" : ":");
	strcat(value, fetch->port);
	return add_line(fetch, "Host", value);
}

int
spout__request_headers(struct spout__fetch *fetch)
{
	const struct spout_field *f = fetch->options.headers;
	bool typed = fetch->has_body && has_field(fetch, "Content-Type");
	int r = add_none(fetch, "Expect:");

	for (; r == 0 && f != NULL && f->name != NULL; f++)
		if (field_goes(fetch, f->name))
			r = add_line(fetch, f->name, f->value);
	if (r == 0 && !fetch->options.keep_encoding &&
	    !has_field(fetch, "Accept-Encoding"))
		r = add_line(fetch, "Accept-Encoding", SPOUT__DECODER_CODINGS);
	if (r == 0 && !typed)
		r = fetch->content_type != NULL && fetch->has_body
		    ? add_line(fetch, "Content-Type", fetch->content_type)
		    : add_none(fetch, "Content-Type:");
	if (r == 0)
		r = add_credentials(fetch);
	if (r == 0)
		r = add_host(fetch);
	return r;
}
