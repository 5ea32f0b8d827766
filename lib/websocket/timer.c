/* SPDX-License-Identifier: MIT */
/*
 * The one timer of a WebSocket: silence, pings, output that does not move, closing that
 * takes too long, leaving for a reload. It is lazy: what happens meanwhile is only noted,
 * and a timer that came too early starts itself again.
 */
#include "config.h"

#include "websocket/socket.h"

#define PING_INTERVAL_MS 30000u
#define PING_TIMEOUT_MS 20000u
#define WRITE_TIMEOUT_MS 30000u

static uint64_t
min_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t
after(uint64_t at, uint64_t ms)
{
	return at > UINT64_MAX - ms ? UINT64_MAX : at + ms;
}

/* When a ping is due, or its time is up; UINT64_MAX: never. */
static uint64_t
ping_at(const struct spout_websocket *ws)
{
	uint64_t interval = spout__ws_or(ws->handler->ping_interval_ms, PING_INTERVAL_MS);

	if (interval == SPOUT_FOREVER || !ws->stream.reading)
		return UINT64_MAX; /* whoever is not read cannot be heard */
	if (ws->pinged_ms > ws->heard_ms)
		return after(ws->pinged_ms,
		    spout__ws_or(ws->handler->ping_timeout_ms, PING_TIMEOUT_MS));
	return after(ws->heard_ms, interval);
}

/* When to make way for the next process; UINT64_MAX: never. */
static uint64_t
leave_at(const struct spout_websocket *ws)
{
	return ws->end_by_ms != 0 ? ws->end_by_ms : UINT64_MAX;
}

/* When the next thing is due. */
static uint64_t
due_at(const struct spout_websocket *ws)
{
	uint64_t at = UINT64_MAX;

	if (ws->state == SPOUT__WS_CLOSED || !ws->taken)
		return at;
	if (ws->state == SPOUT__WS_OPEN)
		at = min_of(ping_at(ws), leave_at(ws));
	else
		at = ws->end_by_ms;
	if (spout__ws_unsent(ws) > 0)
		at = min_of(at, after(ws->moved_ms,
		    spout__ws_or(ws->handler->write_timeout_ms, WRITE_TIMEOUT_MS)));
	return at;
}

void
spout__ws_watch(struct spout_websocket *ws)
{
	uint64_t at = due_at(ws);

	if (at != UINT64_MAX &&
	    (!spout__timer_pending(&ws->timer) || ws->timer.at_ms > at))
		spout__timer_start_at(spout__ws_loop(ws), &ws->timer, at);
}

void
spout__ws_on_timer(struct spout__timer *timer)
{
	struct spout_websocket *ws =
	    spout__container_of(timer, struct spout_websocket, timer);
	uint64_t now = spout_loop_now_ms(spout__ws_loop(ws));

	if (ws->state == SPOUT__WS_OPEN && now >= leave_at(ws)) {
		(void)spout_websocket_close(
		    ws, SPOUT__WS_RESTART, "the server is replaced");
	} else if (now >= due_at(ws)) {
		/* Of all that can be due only a first ping is no failure. */
		if (ws->state != SPOUT__WS_OPEN || now < ping_at(ws) ||
		    ws->pinged_ms > ws->heard_ms) {
			spout__ws_set_close(ws, SPOUT__WS_ABNORMAL, "timed out", 9);
			spout__ws_lost(ws);
			return;
		}
		ws->pinged_ms = now;
		(void)spout__ws_put_control(ws, SPOUT__WS_PING, "", 0);
	}
	spout__ws_watch(ws);
}
