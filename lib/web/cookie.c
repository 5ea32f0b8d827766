/* SPDX-License-Identifier: MIT */
/* Cookies of a request and its response. The text work is in cookie_text.c. */
#include "config.h"

#include "web/cookie.h"

#include <errno.h>

#include "http/chars.h"
#include "web/request.h"
#include "web/signed_value.h"

#define DAY_S 86400
#define MADE_FOR_S (30 * DAY_S) /* Tornado's defaults */
#define READ_FOR_S (31 * DAY_S)

/* --- the request's ------------------------------------------------------------------ */

/* The first cookie of that name, as sent; data NULL if there is none. No allocation. */
static struct spout_slice
find(const struct spout__http_head *head, const char *wanted)
{
	unsigned i, left = SPOUT__COOKIES_MAX;
	struct spout_slice name, value;

	for (i = 0; i < head->n_fields; i++) {
		struct spout_slice rest = head->fields[i].value;

		if (!spout__http_same(head->fields[i].name, SPOUT__LITERAL("cookie")))
			continue;
		while (spout__cookie_next(&rest, &left, &name, &value))
			if (spout_slice_equal(name, wanted))
				return value;
	}
	return spout_slice_of(NULL, 0);
}

/* The same, without its quotes, NUL-terminated, in the scope. */
static struct spout_slice
take(struct spout_request *req, const char *name)
{
	struct spout_slice value = find(req->head, name);
	char *text;
	long len;

	if (value.data == NULL)
		return value;
	text = spout_alloc(2 * value.len + 1);
	len = spout__cookie_unquote(value, text);
	if (len < 0)
		return spout_slice_of(NULL, 0);
	text[len] = '\0';
	return spout_slice_of(text, (size_t)len);
}

const char *
spout_cookie(struct spout_request *req, const char *name)
{
	return take(req, name).data;
}

/* --- the response's ----------------------------------------------------------------- */

struct spout__sent_cookie {
	struct spout__sent_cookie *next; /* sent before it */
	const char *name, *domain, *path, *line;
};

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
same_cookie(const struct spout__sent_cookie *a, const struct spout__sent_cookie *b)
{
	return strcmp(a->name, b->name) == 0 && same_text(a->domain, b->domain) &&
	    strcmp(a->path, b->path) == 0;
}

/* Oldest first. */
static void
send_again(struct spout_request *req, const struct spout__sent_cookie *sent)
{
	if (sent->next == NULL) {
		spout_set_header(req, "Set-Cookie", sent->line);
		return;
	}
	send_again(req, sent->next);
	spout_add_header(req, "Set-Cookie", sent->line);
}

static void
put_line(struct spout_request *req, const struct spout__sent_cookie *cookie)
{
	struct spout__sent_cookie *at;

	for (at = req->sent_cookies; at != NULL && !same_cookie(at, cookie);
	     at = at->next)
		;
	if (at != NULL) {
		at->line = cookie->line;
		send_again(req, req->sent_cookies);
		return;
	}
	if (spout_add_header(req, "Set-Cookie", cookie->line) != 0)
		return;
	at = spout_alloc(sizeof(*at));
	*at = *cookie;
	at->next = req->sent_cookies;
	at->name = spout_strdup(cookie->name);
	at->domain = cookie->domain != NULL ? spout_strdup(cookie->domain) : NULL;
	at->path = spout_strdup(cookie->path);
	req->sent_cookies = at;
}

void
spout_set_cookie_with(struct spout_request *req, const char *name, const char *value,
    const struct spout_cookie_options *options)
{
	struct spout_cookie_options all = *options;
	char line[SPOUT__COOKIE_ROOM];
	const char *why;
	int len;

	all.secure = all.secure || spout_request_secure(req);
	len = spout__cookie_compose(name, value, &all, line, &why);
	if (len < 0)
		spout__co_leave(
		    -EINVAL, 0, "the cookie \"%.100s\" cannot be set: %s", name, why);
	put_line(req,
	    &(struct spout__sent_cookie){ .name = name,
		.domain = options->domain,
		.path = options->path != NULL ? options->path : "/",
		.line = spout_strndup(line, (size_t)len) });
}

void
spout_clear_cookie_with(struct spout_request *req, const char *name,
    const struct spout_cookie_options *options)
{
	struct spout_cookie_options past = *options;

	past.expires = 1;
	spout_set_cookie_with(req, name, "", &past);
}

/* --- signed and encrypted ----------------------------------------------------------- */

static const struct spout__keyring *
need_keys(struct spout_request *req)
{
	if (req->web->keys.n == 0)
		spout__co_leave(-EINVAL, 0,
		    "there is no secret to sign with: give one with "
		    "--cookie-secret-file or SPOUT_COOKIE_SECRET");
	return &req->web->keys;
}

typedef long (*make_fn)(const struct spout__keyring *keys, const char *name,
    struct spout_slice value, int64_t now, char *to);
typedef long (*read_fn)(const struct spout__keyring *keys, const char *name,
    struct spout_slice text, int64_t now, int64_t max_age_s, char *to);

static char *
make(struct spout_request *req, const char *name, struct spout_slice value, make_fn fn)
{
	char *text = spout_alloc(spout__signed_room(name, value.len));
	long len = fn(need_keys(req), name, value, spout_now(), text);

	if (len < 0)
		spout__co_leave(
		    (int)len, 0, "cannot sign \"%.100s\": %s", name, strerror((int)-len));
	text[len] = '\0';
	return text;
}

/* The value, NUL-terminated; data NULL unless it is genuine and fresh. */
static struct spout_slice
read_value(struct spout_request *req, const char *name, struct spout_slice text,
    int64_t max_age_s, read_fn fn)
{
	const struct spout__keyring *keys = need_keys(req);
	char *value = spout_alloc(text.len + 1);
	long len = fn(keys, name, text, spout_now(), max_age_s, value);

	if (len == -ENOMEM)
		spout__co_leave(-ENOMEM, 0, "out of memory (signed value)");
	if (len < 0)
		return spout_slice_of(NULL, 0);
	value[len] = '\0';
	return spout_slice_of(value, (size_t)len);
}

static const char *
read_cookie(struct spout_request *req, const char *name,
    const struct spout_signed_options *options, read_fn fn)
{
	int64_t max_age_s = options->max_age_s != 0 ? options->max_age_s : READ_FOR_S;
	struct spout_slice text = take(req, name), value;

	need_keys(req);
	if (text.data == NULL)
		return NULL;
	value = read_value(req, name, text, max_age_s, fn);
	return value.data != NULL && strlen(value.data) == value.len ? value.data : NULL;
}

static void
set_cookie(struct spout_request *req, const char *name, const char *value,
    const struct spout_cookie_options *options, make_fn fn)
{
	struct spout_cookie_options lasting = *options;

	if (options->max_age_s == 0 && options->expires == 0)
		lasting.max_age_s = MADE_FOR_S;
	spout_set_cookie_with(
	    req, name, make(req, name, spout_slice(value), fn), &lasting);
}

const char *
spout_signed_cookie_with(struct spout_request *req, const char *name,
    const struct spout_signed_options *options)
{
	return read_cookie(req, name, options, spout__signed_read);
}

void
spout_set_signed_cookie_with(struct spout_request *req, const char *name,
    const char *value, const struct spout_cookie_options *options)
{
	set_cookie(req, name, value, options, spout__signed_make);
}

int64_t
spout_signed_cookie_key_version(struct spout_request *req, const char *name)
{
	struct spout_slice text = take(req, name);
	int64_t version = text.data != NULL ? spout__signed_key_version(text) : -1;

	return version < 0 ? -1 : version;
}

const char *
spout_encrypted_cookie_with(struct spout_request *req, const char *name,
    const struct spout_signed_options *options)
{
	return read_cookie(req, name, options, spout__sealed_read);
}

void
spout_set_encrypted_cookie_with(struct spout_request *req, const char *name,
    const char *value, const struct spout_cookie_options *options)
{
	set_cookie(req, name, value, options, spout__sealed_make);
}

char *
spout_sign_value(struct spout_request *req, const char *name, struct spout_slice value)
{
	return make(req, name, value, spout__signed_make);
}

struct spout_slice
spout_verify_value(
    struct spout_request *req, const char *name, const char *text, int64_t max_age_s)
{
	return read_value(req, name, spout_slice(text), max_age_s, spout__signed_read);
}
