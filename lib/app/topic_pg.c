/* SPDX-License-Identifier: MIT */
/*
 * Topics between hosts by LISTEN and NOTIFY, in the database of the program. Good for
 * some hundred messages a second; for more there is Redis.
 *
 * A payload is base64 of frames, as many as have come together. What is too large for one
 * goes into the table spout_topics, and its number is the payload: "#123". Rows stay for
 * a minute.
 */
#include "config.h"

#include "app/topic_bridge.h"

#include <errno.h>
#include <stdlib.h>

#include <spout/crypto.h>
#include <spout/pg.h>
#include <spout/pg_listen.h>

#include "async/async.h"

#define CHANNEL "spout_topics"
#define MAX_PAYLOAD 7996u /* base64; PostgreSQL takes less than 8000 */
#define MAX_FRAMES SPOUT_BASE64_ROOM(MAX_PAYLOAD)

static const char make_table[] =
    "DO $$ BEGIN"
    " PERFORM pg_advisory_xact_lock(7308604897286121573);"
    " IF to_regclass('spout_topics') IS NULL THEN"
    "  CREATE UNLOGGED TABLE spout_topics ("
    "   id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    "   at timestamptz NOT NULL DEFAULT now(), frames text NOT NULL);"
    " END IF;"
    "END $$";

/* By reference; what is old goes with what is new. */
static void
send_large(const char *text)
{
	spout_pg_query(make_table);
	spout_pg_query("DELETE FROM spout_topics WHERE at < now() - interval '1 minute'");
	spout_pg_query("WITH kept AS (INSERT INTO spout_topics (frames) VALUES ($1)"
		       " RETURNING id) SELECT pg_notify('" CHANNEL "', '#' || id)"
		       " FROM kept",
	    text);
}

static void
send_frames(struct spout__bridge *bridge, const char *frames, size_t len)
{
	char *text = spout_alloc(SPOUT_BASE64_SIZE(len) + 1);

	(void)bridge;
	spout_base64(frames, len, text);
	if (len <= MAX_FRAMES)
		spout_pg_notify(CHANNEL, text);
	else
		send_large(text);
}

static void
came(struct spout__bridge *bridge, const char *text, size_t len)
{
	char *frames = spout_alloc(SPOUT_BASE64_ROOM(len) + 1);
	long n = spout_base64_decode(text, len, frames);

	if (n > 0)
		spout__bridge_came(bridge, frames, (size_t)n);
}

struct notice {
	struct spout__bridge *bridge;
	const struct spout_pg_event *event;
};

static void
take_notice(void *arg)
{
	const struct notice *notice = arg;
	const struct spout_pg_event *event = notice->event;
	struct spout_rows *rows;
	const char *text;

	if (event->payload[0] != '#') {
		came(notice->bridge, event->payload, event->len);
		return;
	}
	rows = spout_pg_query("SELECT frames FROM spout_topics WHERE id = $1::bigint",
	    strtoll(event->payload + 1, NULL, 10));
	if (spout_rows_count(rows) == 0)
		return; /* too late; the next number shows the gap */
	text = spout_row_text(rows, 0, "frames");
	came(notice->bridge, text, strlen(text));
}

static void
forget_subscription(void *arg)
{
	struct spout__bridge *bridge = arg;

	bridge->state = NULL;
}

static void
receive(struct spout__bridge *bridge)
{
	struct spout_pg_subscription *sub =
	    spout_pg_listen(CHANNEL, .max_bytes = 8 << 20, .max_events = 8192);
	const struct spout_pg_event *event;

	bridge->state = sub;
	spout_defer(forget_subscription, bridge);
	while (spout__bridge_receives(bridge)) {
		struct notice notice = { bridge, NULL };

		event = spout_try_pg_next_event(sub, SPOUT_FOREVER);
		if (event == NULL)
			return;
		notice.event = event;
		if (event->kind != SPOUT_PG_NOTIFICATION)
			spout__bridge_up(bridge, event->kind != SPOUT_PG_LISTENING);
		else if (spout_try_scope_run(take_notice, &notice) < 0)
			spout__bridge_up(bridge, true); /* it is lost */
	}
}

static void
stop(struct spout__bridge *bridge)
{
	spout_pg_unlisten(bridge->state);
	bridge->state = NULL;
}

const struct spout__bridge_way spout__bridge_pg = {
	.receive = receive, .stop = stop, .send = send_frames, .max_bytes = MAX_FRAMES
};
