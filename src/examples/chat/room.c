/* SPDX-License-Identifier: MIT */
/*
 * Each room is a topic: whoever is in it gets what is said, in whichever worker, on
 * whichever host. What is published is JSON. A client gives each message a key of its
 * own; when it is not sure that one has arrived it sends it again, and who has seen the
 * key already passes over it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "examples/chat/room.h"

#define KEPT 50 /* messages that a client is shown at first */
#define MAX_TEXT 4000
#define MAX_KEY 40
#define POLL_MS 25000

static const char *const rooms[] = { "lobby", "weather", "library", NULL };

static bool
is_room(const char *name)
{
	for (size_t i = 0; rooms[i] != NULL; i++)
		if (strcmp(rooms[i], name) == 0)
			return true;
	return false;
}

static const char *
room_of(struct spout_request *req)
{
	const char *name = spout_query_arg(req, "room");

	if (name != NULL && !is_room(name))
		spout_fail(req, 404, "no such room");
	return name != NULL ? name : rooms[0];
}

static const char *
topic_of(const char *room)
{
	return spout_sprintf("chat:%s", room);
}

/* --- saying something --------------------------------------------------------------- */

/* False: it was kept before. Without a database nobody remembers. */
static bool
keep(const char *room, const char *author, const char *key, const char *text)
{
	struct spout_rows *rows;

	if (!spout_has_database())
		return true;
	rows = spout_pg_query(
	    "INSERT INTO chat_messages (room, author, key, text) VALUES ($1, $2, $3, $4)"
	    " ON CONFLICT DO NOTHING RETURNING 1",
	    room, author, key, text);
	return spout_rows_count(rows) > 0;
}

static void
free_text(void *text)
{
	free(text);
}

static void
say(const char *room, const char *author, const char *key, const char *text)
{
	struct timespec now;
	json_t *message;
	char *data;

	if (*text == '\0' || strlen(text) > MAX_TEXT || *key == '\0' ||
	    strlen(key) > MAX_KEY || !keep(room, author, key, text))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	message = json_pack("{s:s, s:s, s:s, s:I}", "author", author, "key", key, "text",
	    text, "at", (json_int_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
	data = message != NULL ? json_dumps(message, JSON_COMPACT) : NULL;
	json_decref(message);
	if (data == NULL)
		spout_fail_with(-ENOMEM, "out of memory");
	spout_defer(free_text, data);
	spout_topic_publish(topic_of(room), data, strlen(data));
}

/* --- by WebSocket ------------------------------------------------------------------- */

struct member {
	const char *room, *name;
};

static void
opened(struct spout_websocket *ws)
{
	struct spout_request *req = spout_websocket_request(ws);
	struct spout_scope *scope = spout_websocket_scope(ws);
	const char *user = spout_current_user(req), *room = room_of(req);
	struct member *member = spout_alloc_in(scope, sizeof(*member));

	if (user == NULL)
		spout_websocket_fail(ws, 403, "log in first");
	if (member == NULL)
		spout_fail_with(-ENOMEM, "out of memory");
	*member =
	    (struct member){ spout_strdup_in(scope, room), spout_strdup_in(scope, user) };
	if (member->room == NULL || member->name == NULL)
		spout_fail_with(-ENOMEM, "out of memory");
	spout_websocket_set_data(ws, member);
	spout_websocket_subscribe(ws, topic_of(room), .json = true, .person = user,
	    .history = KEPT, .since = spout_query_arg(req, "since"));
}

static void
forget_json(void *message)
{
	json_decref(message);
}

/* {"key": …, "text": …} */
static void
received(struct spout_websocket *ws, const char *data, size_t len)
{
	const struct member *member = spout_websocket_data(ws);
	json_t *message = json_loadb(data, len, 0, NULL);
	const char *key, *text;

	spout_defer(forget_json, message);
	if (json_unpack(message, "{s:s, s:s}", "key", &key, "text", &text) != 0)
		spout_websocket_fail(ws, 1008, "no message");
	say(member->room, member->name, key, text);
}

const struct spout_websocket_handler room_socket = {
	.open = opened,
	.message = received,
	.max_message_bytes = 4 * MAX_TEXT,
	.max_unsent_bytes = 256 << 10,
	.slow = SPOUT_WEBSOCKET_CLOSE,
	.compress = { .on = true },
};

/* --- by long polls ------------------------------------------------------------------ */

void
room_poll(struct spout_request *req)
{
	bool now = spout_arg_bool(req, "now", false);

	spout_poll_topic(req, topic_of(room_of(req)), now ? 0 : POLL_MS, .history = KEPT,
	    .person = spout_current_user(req));
}

void
room_say(struct spout_request *req)
{
	say(room_of(req), spout_current_user(req), spout_require_arg(req, "key"),
	    spout_require_arg(req, "text"));
	spout_set_status(req, 204);
}

/* --- pages -------------------------------------------------------------------------- */

void
room_page(struct spout_request *req)
{
	const char *user = spout_current_user(req), *room = room_of(req);
	json_t *names = json_array();

	for (size_t i = 0; rooms[i] != NULL; i++)
		json_array_append_new(names, json_string(rooms[i]));
	spout_set_header(req, "Cache-Control", "no-store");
	spout_render_pack(req, "room.html", "{s:s, s:s, s:o}", "user", user, "room", room,
	    "rooms", names);
}

static json_t *
row_message(struct spout_rows *rows, size_t row)
{
	return json_pack("{s:s, s:s, s:s, s:s}", "author",
	    spout_row_text(rows, row, "author"), "key", spout_row_text(rows, row, "key"),
	    "text", spout_row_text(rows, row, "text"), "at",
	    spout_row_text(rows, row, "at"));
}

/* The last messages, the oldest first; an empty list without a database. */
void
room_history(struct spout_request *req)
{
	const char *room = room_of(req);
	struct spout_rows *rows = NULL;
	json_t *list;

	if (spout_has_database())
		rows = spout_pg_query(
		    "SELECT author, key, text, "
		    "(extract(epoch FROM at) * 1000)::bigint::text AS at "
		    "FROM chat_messages WHERE room = $1 ORDER BY id DESC LIMIT $2",
		    room, KEPT);
	list = json_array();
	for (size_t i = rows != NULL ? spout_rows_count(rows) : 0; i-- > 0;)
		json_array_append_new(list, row_message(rows, i));
	spout_json(req, list);
}

/* --- the table ---------------------------------------------------------------------- */

void
room_start(void)
{
	struct spout_rows *rows;

	if (!spout_has_database())
		return;
	rows = spout_try_pg_query(
	    "CREATE TABLE IF NOT EXISTS chat_messages ("
	    " id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
	    " room text NOT NULL, author text NOT NULL, key text NOT NULL,"
	    " text text NOT NULL, at timestamptz NOT NULL DEFAULT now(),"
	    " UNIQUE (author, key))");
	if (rows == NULL)
		spout_warning("chat: no table for messages: %s", spout_error());
}
