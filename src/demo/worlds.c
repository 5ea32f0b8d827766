/* SPDX-License-Identifier: MIT */
/*
 * The TechEmpower tests on the table world: one query, several queries, updates, cached
 * queries; and a slow statement. Queries are real, one per row, as the tests ask.
 */
#include "config.h"

#include "demo.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_QUERIES 500
#define AT_ONCE 50
#define MAX_WAIT_MS 60000
#define CACHE_SLOTS 16384
#define CACHE_SECONDS 60

struct world {
	int64_t id, number;
};

/* From 1 to DEMO_WORLDS. */
static int64_t
random_world(void)
{
	static uint64_t state;

	if (state == 0)
		state = ((uint64_t)spout_now() << 20) ^ ((uint64_t)getpid() << 1) ^ 1;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (int64_t)(state % DEMO_WORLDS) + 1;
}

/*
 * As TechEmpower wants it: what is no number counts as 1, the rest is cut to 1 … 500.
 * The parameter has the name that the test gives it, or for short n.
 */
static size_t
query_count(struct spout_request *req, const char *name)
{
	const char *text = spout_arg(req, name);
	long n;

	if (text == NULL)
		text = spout_arg(req, "n");
	n = text ? strtol(text, NULL, 10) : 1;

	return n < 1 ? 1 : n > MAX_QUERIES ? MAX_QUERIES : (size_t)n;
}

static const char read_sql[] = "SELECT id, randomnumber FROM world WHERE id = $1";

static struct world
world_of(struct spout_rows *rows, int64_t id)
{
	if (spout_rows_count(rows) == 0)
		return (struct world){ id, 0 };
	return (struct world){ spout_row_int(rows, 0, "id"),
		spout_row_int(rows, 0, "randomnumber") };
}

/* Reads them by their ids: a query for each, up to AT_ONCE of them at once. */
static void
worlds_read(struct world *worlds, size_t n)
{
	struct spout_future *answers[AT_ONCE];

	for (size_t done = 0; done < n; done += AT_ONCE) {
		size_t some = n - done < AT_ONCE ? n - done : AT_ONCE;

		for (size_t i = 0; i < some; i++)
			answers[i] = spout_pg_query_async(read_sql, worlds[done + i].id);
		for (size_t i = 0; i < some; i++)
			worlds[done + i] =
			    world_of(spout_future_rows(answers[i]), worlds[done + i].id);
	}
}

static json_t *
world_json(const struct world *world)
{
	json_t *object = json_object();

	json_object_set_new_nocheck(object, "id", json_integer(world->id));
	json_object_set_new_nocheck(
	    object, "randomNumber", json_integer(world->number));
	return object;
}

static void
worlds_answer(struct spout_request *req, const struct world *worlds, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, world_json(&worlds[i]));
	spout_json(req, array);
}

void
db_get(struct spout_request *req)
{
	int64_t id = random_world();
	struct world world;

	if (!tables_need(req))
		return;
	world = world_of(spout_pg_query(read_sql, id), id);
	spout_json(req, world_json(&world));
}

void
queries_get(struct spout_request *req)
{
	size_t n = query_count(req, "queries");
	struct world *worlds;

	if (!tables_need(req))
		return;
	worlds = spout_zalloc(n, sizeof(*worlds));
	for (size_t i = 0; i < n; i++)
		worlds[i].id = random_world();
	worlds_read(worlds, n);
	worlds_answer(req, worlds, n);
}

/* --- cached ----------------------------------------------------------------------- */

/* Of this worker: by id, each of them for a while; a newcomer takes the slot. */
static struct cached {
	struct world world;
	int64_t until;
} cache[CACHE_SLOTS];

static struct cached *
cache_slot(int64_t id)
{
	return &cache[(uint64_t)id % CACHE_SLOTS];
}

static bool
cache_get(struct world *world)
{
	const struct cached *slot = cache_slot(world->id);

	if (slot->world.id != world->id || slot->until <= spout_now())
		return false;
	*world = slot->world;
	return true;
}

static void
cache_put(const struct world *world)
{
	*cache_slot(world->id) = (struct cached){ *world, spout_now() + CACHE_SECONDS };
}

/* From the cache; what it has not is read, a query for each, and put there. */
void
cached_queries_get(struct spout_request *req)
{
	size_t n = query_count(req, "count"), missing = 0;
	struct world *worlds, *read;
	size_t *place;

	if (!tables_need(req))
		return;
	worlds = spout_zalloc(2 * n, sizeof(*worlds));
	place = spout_zalloc(n, sizeof(*place));
	read = worlds + n;
	for (size_t i = 0; i < n; i++) {
		worlds[i].id = random_world();
		if (cache_get(&worlds[i]))
			continue;
		place[missing] = i;
		read[missing++].id = worlds[i].id;
	}
	worlds_read(read, missing);
	for (size_t i = 0; i < missing; i++) {
		cache_put(&read[i]);
		worlds[place[i]] = read[i];
	}
	worlds_answer(req, worlds, n);
}

/* --- updates ---------------------------------------------------------------------- */

/* n different worlds. */
static void
worlds_choose(struct world *worlds, size_t n)
{
	bool *taken = spout_zalloc(DEMO_WORLDS + 1, sizeof(*taken));

	for (size_t i = 0; i < n; i++) {
		int64_t id = random_world();

		while (taken[id])
			id = random_world();
		taken[id] = true;
		worlds[i].id = id;
	}
}

/* An array of PostgreSQL, as text: {1,2,3}. */
static const char *
array_text(const struct world *worlds, size_t n, bool numbers)
{
	char *text = spout_alloc(n * 8 + 3), *at = text;

	for (size_t i = 0; i < n; i++)
		at += sprintf(at, "%c%d", i == 0 ? '{' : ',',
		    (int)(numbers ? worlds[i].number : worlds[i].id));
	strcpy(at, "}");
	return text;
}

/*
 * Reads each row, then writes all with one statement. It locks the rows in the order of
 * their ids first: two of these at a time wait for each other, but never in a circle.
 */
void
updates_get(struct spout_request *req)
{
	size_t n = query_count(req, "queries");
	struct world *worlds;

	if (!tables_need(req))
		return;
	worlds = spout_zalloc(n, sizeof(*worlds));
	worlds_choose(worlds, n);
	worlds_read(worlds, n);
	for (size_t i = 0; i < n; i++)
		worlds[i].number = random_world();
	spout_pg_query(
	    "WITH locked AS ("
	    " SELECT id FROM world WHERE id = ANY ($1::int[]) ORDER BY id FOR UPDATE)"
	    " UPDATE world w SET randomnumber = new.number"
	    " FROM locked, unnest($1::int[], $2::int[]) AS new (id, number)"
	    " WHERE w.id = locked.id AND w.id = new.id",
	    array_text(worlds, n, false), array_text(worlds, n, true));
	worlds_answer(req, worlds, n);
}

/* Cancelled on the server, too, when the client goes away or the request's time is up. */
void
db_sleep_get(struct spout_request *req)
{
	int64_t ms = spout_arg_int(req, "ms", .max = MAX_WAIT_MS, .otherwise = 1000);

	if (!tables_need(req))
		return;
	spout_pg_query("SELECT pg_sleep($1::float8 / 1000)", ms);
	spout_json_pack(req, "{s:I}", "slept_ms", (long long)ms);
}
