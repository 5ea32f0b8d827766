/* SPDX-License-Identifier: MIT */
/*
 * Sessions: see spout/session.h. What is kept is a JSON object: "b" when it began, "s"
 * when it was last seen, "v" the values.
 */
#include "config.h"

#include "web/session.h"

#include <errno.h>
#include <stdlib.h>

#include <jansson.h>

#include <spout/cookie.h>
#include <spout/crypto.h>

#include "web/guard.h"

#define DAY_S 86400
#define ID_SIZE 32u

struct spout__session {
	const struct spout__session_store *store; /* NULL: in the cookie */
	const char *name;                         /* of the cookie */
	int64_t idle_s, lifetime_s;
	bool changed;
	const char *id, *old_id; /* in a store; NULL: none yet */
	int64_t began, seen;
	json_t *values;
};

static void
release(void *arg)
{
	json_decref(arg);
}

static void SPOUT_NORETURN
leave_without_memory(void)
{
	spout__co_leave(-ENOMEM, 0, "out of memory (session)");
}

/* No values, from now on. */
static void
begin(struct spout__session *s)
{
	s->values = json_object();
	if (s->values == NULL)
		leave_without_memory();
	spout_defer(release, s->values);
	s->began = s->seen = spout_now();
}

/* Take over what was kept; false if it is nothing, or too old. */
static bool
take(struct spout__session *s, const char *text)
{
	int64_t now = spout_now();
	json_int_t began, seen;
	json_t *all = json_loads(text, 0, NULL), *values;

	if (all == NULL)
		return false;
	spout_defer(release, all);
	if (json_unpack(all, "{s:I,s:I,s:o}", "b", &began, "s", &seen, "v", &values) !=
		0 ||
	    !json_is_object(values) || now - began >= s->lifetime_s ||
	    now - seen >= s->idle_s)
		return false;
	s->values = values;
	s->began = began;
	s->seen = seen;
	return true;
}

static const char *
key_of(const char *id)
{
	struct spout_sha256 *sha256 = spout_sha256_new();
	unsigned char digest[SPOUT_SHA256_SIZE];
	char *key = spout_alloc(SPOUT__SESSION_KEY_LEN + 1);

	if (sha256 == NULL)
		leave_without_memory();
	if (spout_sha256_update(sha256, id, strlen(id)) != 0 ||
	    spout_sha256_final(sha256, digest) != 0)
		abort();
	spout_sha256_free(sha256);
	spout_hex(digest, sizeof(digest), key);
	return key;
}

static bool
id_valid(const char *id)
{
	return strspn(id, "0123456789abcdef") == 2 * ID_SIZE && id[2 * ID_SIZE] == '\0';
}

/* An id that nobody can guess, and the cookie that holds it. */
static void
new_id(struct spout_request *req, struct spout__session *s)
{
	unsigned char random[ID_SIZE];
	char *id = spout_alloc(2 * ID_SIZE + 1);

	spout_random(random, sizeof(random));
	spout_hex(random, sizeof(random), id);
	s->id = id;
	s->changed = true;
	spout_set_cookie(req, s->name, id, .max_age_s = s->lifetime_s);
}

static void
load(struct spout_request *req, struct spout__session *s)
{
	const char *text, *id;

	if (s->store == NULL) {
		text = spout_encrypted_cookie(req, s->name, .max_age_s = s->lifetime_s);
	} else {
		id = spout_cookie(req, s->name);
		if (id == NULL || !id_valid(id))
			return;
		text = s->store->load(key_of(id));
		s->id = text != NULL ? id : NULL;
	}
	if (text != NULL && !take(s, text))
		s->id = NULL;
}

static const struct spout__session_store *
store_of(const struct spout_request *req, enum spout_session_place place)
{
	const struct spout__session_store *store = req->web->session_store;

	if (place == SPOUT_SESSIONS_IN_COOKIE)
		return NULL;
	if (place == SPOUT_SESSIONS_IN_DATABASE && store == NULL)
		spout__co_leave(-EHOSTDOWN, 0, "sessions need a database (--database)");
	return store;
}

/* The session of a request, loaded when first asked for. */
static struct spout__session *
session_of(struct spout_request *req)
{
	const struct spout_sessions *o = req->web->app->sessions;
	struct spout__guarded *guarded = spout__guarded(req);
	struct spout__session *s;

	if (guarded->session != NULL)
		return guarded->session;
	if (o == NULL)
		spout__co_leave(-EINVAL, 0, "the application has no .sessions");
	s = spout_zalloc(1, sizeof(*s));
	s->store = store_of(req, o->place);
	s->name = o->cookie_name != NULL ? o->cookie_name : "session";
	s->idle_s = o->idle_s > 0 ? o->idle_s : DAY_S;
	s->lifetime_s = o->lifetime_s > 0 ? o->lifetime_s : 7 * DAY_S;
	load(req, s);
	if (s->values == NULL)
		begin(s);
	guarded->session = s;
	return s;
}

/* --- what handlers call ---------------------------------------------------------- */

const char *
spout_session_get(struct spout_request *req, const char *name)
{
	const char *value =
	    json_string_value(json_object_get(session_of(req)->values, name));

	return value != NULL ? spout_strdup(value) : NULL;
}

void
spout_session_set(struct spout_request *req, const char *name, const char *value)
{
	struct spout__session *s = session_of(req);
	json_t *text = value != NULL ? json_string(value) : NULL;

	if (value == NULL) {
		s->changed = json_object_del(s->values, name) == 0 || s->changed;
		return;
	}
	if (text == NULL || json_object_set_new(s->values, name, text) != 0)
		spout__co_leave(-EINVAL, 0,
		    "the session's \"%.100s\" is not UTF-8, or memory is short", name);
	s->changed = true;
	if (s->store != NULL && s->id == NULL)
		new_id(req, s);
}

void
spout_session_rotate(struct spout_request *req)
{
	struct spout__session *s = session_of(req);

	s->began = spout_now();
	s->changed = true;
	if (s->store == NULL)
		return;
	if (s->old_id == NULL)
		s->old_id = s->id;
	new_id(req, s);
}

void
spout_session_destroy(struct spout_request *req)
{
	struct spout__session *s = session_of(req);

	if (s->store != NULL && s->id != NULL)
		s->store->remove(key_of(s->id));
	if (s->store != NULL && s->old_id != NULL)
		s->store->remove(key_of(s->old_id));
	s->id = s->old_id = NULL;
	begin(s);
	s->changed = false;
	spout_clear_cookie(req, s->name);
}

/* --- after the handler ----------------------------------------------------------- */

static void
release_text(void *arg)
{
	free(arg);
}

static char *
text_of(const struct spout__session *s)
{
	json_t *all = json_pack("{s:I,s:I,s:O}", "b", (json_int_t)s->began, "s",
	    (json_int_t)s->seen, "v", s->values);
	char *text = all != NULL ? json_dumps(all, JSON_COMPACT) : NULL;

	json_decref(all);
	if (text == NULL)
		leave_without_memory();
	spout_defer(release_text, text);
	if (strlen(text) > SPOUT_SESSION_MAX_BYTES)
		spout__co_leave(-EMSGSIZE, 500, "the session is larger than %d bytes",
		    SPOUT_SESSION_MAX_BYTES);
	return text;
}

static void
save(struct spout_request *req, struct spout__session *s)
{
	int64_t left = s->began + s->lifetime_s - s->seen;

	if (s->store == NULL) {
		spout_set_encrypted_cookie(req, s->name, text_of(s), .max_age_s = left);
		return;
	}
	s->store->save(key_of(s->id), text_of(s), left < s->idle_s ? left : s->idle_s);
	if (s->old_id != NULL)
		s->store->remove(key_of(s->old_id));
}

void
spout__session_finish(struct spout_request *req)
{
	struct spout__session *s = req->guarded->session;
	int64_t now = spout_now();
	bool kept;

	if (s == NULL)
		return;
	kept = s->store != NULL ? s->id != NULL : json_object_size(s->values) > 0;
	/* That it was seen is worth a write only now and then. */
	if (!s->changed && (!kept || now - s->seen < s->idle_s / 8))
		return;
	s->seen = now;
	if (kept || s->store == NULL)
		save(req, s);
}
