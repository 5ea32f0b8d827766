/* SPDX-License-Identifier: MIT */
/*
 * Sessions in PostgreSQL: see session_store.h. Each worker makes the table when it first
 * needs it, one after the other; those that are over go a few at a time, with some of the
 * saves.
 */
#include "config.h"

#include "app/session_store.h"

#include <spout/crypto.h>
#include <spout/pg.h>

#define PURGE_ONE_IN 64

static const char make_table[] =
    "DO $$ BEGIN"
    " PERFORM pg_advisory_xact_lock(7308604897286121572);"
    " IF to_regclass('spout_sessions') IS NULL THEN"
    "  CREATE TABLE spout_sessions (key text PRIMARY KEY, data text NOT NULL,"
    "   expires timestamptz NOT NULL);"
    "  CREATE INDEX spout_sessions_expires ON spout_sessions (expires);"
    " END IF;"
    "END $$";

static void
need_table(void)
{
	static bool made;

	if (!made)
		spout_pg_query(make_table);
	made = true;
}

static const char *
load(const char *key)
{
	struct spout_rows *rows;

	need_table();
	rows = spout_pg_query(
	    "SELECT data FROM spout_sessions WHERE key = $1 AND expires > now()", key);
	return spout_rows_count(rows) > 0 ? spout_row_text(rows, 0, "data") : NULL;
}

static void
purge(void)
{
	unsigned char dice;

	spout_random(&dice, sizeof(dice));
	if (dice % PURGE_ONE_IN == 0)
		spout_pg_query("DELETE FROM spout_sessions WHERE key IN (SELECT key FROM "
			       "spout_sessions WHERE expires < now() LIMIT 100)");
}

static void
save(const char *key, const char *text, int64_t seconds)
{
	need_table();
	spout_pg_query("INSERT INTO spout_sessions (key, data, expires) "
		       "VALUES ($1, $2, now() + make_interval(secs => $3)) "
		       "ON CONFLICT (key) DO UPDATE "
		       "SET data = EXCLUDED.data, expires = EXCLUDED.expires",
	    key, text, (double)seconds);
	purge();
}

static void
forget(const char *key)
{
	need_table();
	spout_pg_query("DELETE FROM spout_sessions WHERE key = $1", key);
}

const struct spout__session_store spout__session_store_pg = {
	.load = load, .save = save, .remove = forget
};
