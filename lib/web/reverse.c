/* SPDX-License-Identifier: MIT */
/* From a pattern back to a path: URLs of named rows, and redirects to other patterns. */
#include "config.h"

#include "base/text.h"
#include "web/request.h"

#define URL_MAX 8192u

/* A path in the making; leaves when it grows too long. */
struct url {
	struct spout_request *req;
	size_t len;
	char *text;
};

static void
put(struct url *url, const char *data, size_t len)
{
	if (len > URL_MAX - url->len)
		spout_fail(url->req, 500, "a URL of more than %u bytes", URL_MAX);
	memcpy(url->text + url->len, data, len);
	url->len += len;
}

/* Percent-encoded; the slashes of a rest stay, but for one that would make the beginning
 * of the path that of a host ("//example.org"). */
static void
put_encoded(struct url *url, const char *data, size_t len, bool slashes)
{
	char code[3];
	size_t i;

	for (i = 0; i < len; i++)
		if (slashes && data[i] == '/' && !(url->len == 1 && url->text[0] == '/'))
			put(url, "/", 1);
		else
			put(url, code, spout__percent_encode(data + i, 1, code));
}

static void
url_begin(struct url *url, struct spout_request *req)
{
	*url = (struct url){ .req = req, .text = spout_alloc(URL_MAX + 1) };
}

static const char *
url_end(struct url *url)
{
	url->text[url->len] = '\0';
	return spout_strdup(url->text);
}

/* --- of named rows ------------------------------------------------------------------ */

const char *
spout_reverse_url_of(struct spout_request *req, const char *const *name_and_values)
{
	const char *name = name_and_values[0], *const *value = name_and_values + 1;
	const struct spout__endpoint *endpoint =
	    spout__router_named(spout__request_router(req), name);
	const char *at;
	struct url url;
	bool rest;

	if (endpoint == NULL)
		spout_fail(req, 500, "no route has the name \"%s\"", name);
	url_begin(&url, req);
	for (at = endpoint->route->pattern; *at != '\0';) {
		size_t len = strcspn(at, "{");

		put_encoded(&url, at, len, true);
		at += len;
		if (*at == '\0')
			break;
		if (*value == NULL)
			spout_fail(req, 500, "too few parameters for the route \"%s\"",
			    name);
		len = strcspn(at, "/"); /* a parameter is a whole segment */
		rest = at[len - 2] == '.' && memchr(at, ':', len) == NULL;
		put_encoded(&url, *value, strlen(*value), rest);
		value++;
		at += len;
	}
	if (*value != NULL)
		spout_fail(req, 500, "too many parameters for the route \"%s\"", name);
	return url_end(&url);
}

/* --- redirects ---------------------------------------------------------------------- */

/* One segment, unless it is a rest; none that leads elsewhere. */
static void
put_segments(struct url *url, struct spout_slice value, bool rest)
{
	if (spout_slice_equal(value, ".") || spout_slice_equal(value, ".."))
		spout_fail(url->req, 404, "no such page");
	put_encoded(url, value.data, value.len, rest);
}

/* The parameter that `at`, behind a '{', names; false: none, the brace is text. */
static bool
put_parameter(struct url *url, const char *at)
{
	const struct spout__match *match = &url->req->match;
	struct spout_slice name = spout_slice_of(at, strcspn(at, "}"));
	unsigned i;

	for (i = 0; i < match->n_params; i++) {
		const struct spout_slice *known = &match->endpoint->names[i];

		if (known->len != name.len || at[name.len] != '}' ||
		    memcmp(known->data, name.data, name.len) != 0)
			continue;
		put_segments(url, match->params[i],
		    known->data[known->len] == '.'); /* "{name...}" is a rest */
		return true;
	}
	return false;
}

static void
redirect(struct spout_request *req, int status)
{
	struct spout_slice query = req->head->query;
	const char *to = spout_route_data(req), *at;
	struct url url;

	url_begin(&url, req);
	for (at = to; *at != '\0'; at++) {
		if (*at == '{' && put_parameter(&url, at + 1))
			at += strcspn(at, "}");
		else
			put(&url, at, 1);
	}
	if (query.len > 0) {
		put(&url, strchr(to, '?') != NULL ? "&" : "?", 1);
		put(&url, query.data, query.len);
	}
	spout_redirect(req, url_end(&url), status);
}

void
spout_redirect_moved(struct spout_request *req)
{
	redirect(req, 301);
}

void
spout_redirect_found(struct spout_request *req)
{
	redirect(req, 302);
}
