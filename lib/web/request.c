/* SPDX-License-Identifier: MIT */
/* The request: made (see request.h), its id, and what a handler may ask it. */
#include "config.h"

#include "web/request.h"

#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "base/inflight.h"
#include "web/inflate.h"

struct spout_request *
spout__request_new(struct spout__web *web, struct spout__http_exchange *ex,
    const struct spout__http_head *head)
{
	struct spout_request *req = spout_alloc_in(spout__http_scope(ex), sizeof(*req));

	if (req == NULL)
		return NULL;
	/* All but the match and what follows, which are filled in when they are used. */
	memset(req, 0, offsetof(struct spout_request, match));
	req->web = web;
	req->ex = ex;
	req->head = head;
	req->inflight = SPOUT__INFLIGHT_NONE;
	return req;
}

/* --- its id --------------------------------------------------------------------- */

#define ID_DIGITS 10
#define ID_LEN (12 + 1 + ID_DIGITS) /* of the series, a dash, the number */

void
spout__request_ids_init(struct spout__web *web)
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		random = (uint64_t)time(NULL) << 20 ^ (uint64_t)(uintptr_t)web;
	snprintf(web->next_id, sizeof(web->next_id), "%012llx-%0*d",
	    (unsigned long long)random & 0xffffffffffffu, ID_DIGITS, 1);
}

/* Count in decimal, in the text itself: no division, no formatting per request. */
static void
take_next_id(struct spout_request *req)
{
	char *text = req->web->next_id, *digit = text + ID_LEN - 1;

	req->id_len = ID_LEN;
	memcpy(req->id, text, ID_LEN + 1);
	while (*digit == '9')
		*digit-- = '0';
	if (*digit != '-')
		++*digit;
}

static bool
sane_id(struct spout_slice id)
{
	size_t i;

	for (i = 0; i < id.len; i++) {
		unsigned char c = (unsigned char)id.data[i], letter = c | 0x20;

		if (!(c >= '0' && c <= '9') && !(letter >= 'a' && letter <= 'z') &&
		    c != '.' && c != '_' && c != '-')
			return false;
	}
	return id.len > 0 && id.len <= SPOUT__REQUEST_ID_MAX;
}

void
spout__request_set_id(struct spout_request *req)
{
	struct spout_slice id = spout__http_head_get(req->head, "X-Request-Id");

	if (!sane_id(id)) {
		take_next_id(req);
		return;
	}
	memcpy(req->id, id.data, id.len);
	req->id[id.len] = '\0';
	req->id_len = id.len;
	/* Left out for want of memory: a response without it is a response. */
	if (spout__http_add_header(req->ex, spout_slice("X-Request-Id"), id) != 0)
		spout_debug("no room for the header X-Request-Id");
}

/* --- what a handler may ask ----------------------------------------------------- */

struct spout_app *
spout_request_app(const struct spout_request *req)
{
	return req->web->app;
}

void *
spout_app_data(const struct spout_request *req)
{
	return req->web->app->data;
}

const void *
spout_route_data(const struct spout_request *req)
{
	return req->route->data;
}

const char *
spout_request_method(const struct spout_request *req)
{
	return spout__http_method_name(req->head->method);
}

static const char *
text_of(struct spout_slice s)
{
	return spout_strndup(s.data, s.len);
}

const char *
spout_request_target(struct spout_request *req)
{
	return text_of(req->head->target);
}

const char *
spout_request_path(struct spout_request *req)
{
	return text_of(req->head->path);
}

const char *
spout_request_query(struct spout_request *req)
{
	return text_of(req->head->query);
}

const char *
spout_request_host(struct spout_request *req)
{
	return text_of(req->head->host);
}

/* Without the port; the brackets of an IPv6 address stay. */
const char *
spout_request_host_name(struct spout_request *req)
{
	struct spout_slice host = req->head->host;
	size_t len = host.len;

	while (len > 0 && host.data[len - 1] >= '0' && host.data[len - 1] <= '9')
		len--;
	if (len > 0 && host.data[len - 1] == ':')
		host.len = len - 1;
	return text_of(host);
}

const char *
spout_request_url(struct spout_request *req)
{
	const struct spout__http_head *head = req->head;

	return spout_sprintf("%s://%.*s%.*s%s%.*s",
	    spout_request_secure(req) ? "https" : "http", (int)head->host.len,
	    head->host.data, (int)head->path.len, head->path.data,
	    head->query.len > 0 ? "?" : "", (int)head->query.len, head->query.data);
}

const char *
spout_request_version(const struct spout_request *req)
{
	return req->head->minor == 0 ? "HTTP/1.0" : "HTTP/1.1";
}

uint64_t
spout_request_time_us(const struct spout_request *req)
{
	return spout__http_duration_us(req->ex);
}

const char *
spout_request_id(const struct spout_request *req)
{
	return req->id;
}

void
spout__request_client(const struct spout_request *req, struct spout__client *ret_client)
{
	spout__client_find(
	    &req->web->trust, req->head, spout__http_peer(req->ex), ret_client);
	ret_client->https = ret_client->https || spout__http_secure(req->ex);
}

const char *
spout_remote_addr(struct spout_request *req)
{
	char *text = spout_alloc(SPOUT__PEER_SIZE);
	struct sockaddr_storage addr;
	struct spout__client client;

	spout__request_client(req, &client);
	spout__ip_sockaddr(&client.ip, &addr);
	spout__peer_text((const struct sockaddr *)&addr, text);
	return text;
}

bool
spout_request_secure(const struct spout_request *req)
{
	struct spout__client client;

	spout__request_client(req, &client);
	return client.https;
}

const struct spout_certificate *
spout_request_certificate(const struct spout_request *req)
{
	return spout__http_certificate(req->ex);
}

const char *
spout_header(struct spout_request *req, const char *name)
{
	struct spout_slice value = spout__http_head_get(req->head, name);

	return value.data != NULL ? text_of(value) : NULL;
}

bool
spout_header_at(const struct spout_request *req, unsigned i, struct spout_slice *ret_name,
    struct spout_slice *ret_value)
{
	if (i >= req->head->n_fields)
		return false;
	*ret_name = req->head->fields[i].name;
	*ret_value = req->head->fields[i].value;
	return true;
}

int64_t
spout_now(void)
{
	return (int64_t)time(NULL);
}

struct spout_slice
spout_body(const struct spout_request *req)
{
	if (req->route->stream_body)
		return spout_slice_of("", 0);
	if (req->inflater != NULL)
		return spout__inflated(req->inflater);
	return spout__http_body_buffered(req->ex);
}

struct spout_slice
spout_body_read(struct spout_request *req)
{
	struct spout_slice none = spout_slice_of("", 0);

	if (req->route->stream_body && req->inflater != NULL)
		return spout__inflate_read(req);
	if (req->route->stream_body)
		return spout__http_body_read(req->ex);
	/* A body that is there already is one piece. */
	if (req->body_read)
		return none;
	req->body_read = true;
	return spout_body(req);
}
