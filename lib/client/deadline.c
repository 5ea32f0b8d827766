/* SPDX-License-Identifier: MIT */
/*
 * The time-outs of a fetch, on one timer. libcurl does not say when it goes from one
 * phase to the next, so the timer is set for the earliest time at which any time-out can
 * be due: that of this phase, or of a later one that begins now. What it finds it looks
 * at again.
 */
#include "config.h"

#include <errno.h>

#include "client/client.h"

static uint64_t
after(uint64_t at, uint64_t ms)
{
	return ms >= UINT64_MAX - at ? UINT64_MAX : at + ms;
}

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t
now_ms(const struct spout__fetch *fetch)
{
	return spout__client_now_us(fetch->client) / 1000;
}

void
spout__deadline_stop(struct spout__fetch *fetch)
{
	spout__timer_stop(&fetch->timer);
	fetch->timer_at_ms = 0;
}

static void
check_at(struct spout__fetch *fetch, uint64_t at_ms)
{
	if (at_ms == UINT64_MAX)
		return;
	fetch->timer_at_ms = at_ms;
	if (fetch->client->loop != NULL)
		spout__timer_start_at(fetch->client->loop, &fetch->timer, at_ms);
}

void
spout__deadline_in(struct spout__fetch *fetch, uint64_t ms)
{
	spout__deadline_stop(fetch);
	/* Rounded up: the clock may be anywhere in its millisecond. */
	check_at(fetch, earlier(fetch->end_ms, after(now_ms(fetch) + 1, ms)));
}

/* Since when it is in its phase, and how long it may be. */
static void
phase_limit(struct spout__fetch *fetch, enum spout_fetch_phase phase, uint64_t now,
    uint64_t *ret_since, uint64_t *ret_limit)
{
	const struct spout_fetch_options *o = &fetch->options;

	*ret_since = fetch->state_ms;
	*ret_limit = UINT64_MAX;
	switch (phase) {
	case SPOUT_FETCH_QUEUE:
		*ret_limit = o->queue_timeout_ms;
		break;
	case SPOUT_FETCH_RESOLVE:
		*ret_limit = o->resolve_timeout_ms;
		break;
	case SPOUT_FETCH_CONNECT:
		*ret_limit = o->connect_timeout_ms;
		break;
	case SPOUT_FETCH_TLS:
		*ret_since = fetch->tls_ms;
		*ret_limit = o->tls_timeout_ms;
		break;
	case SPOUT_FETCH_FIRST_BYTE:
		if (fetch->sent_ms == 0)
			fetch->sent_ms = now;
		*ret_since = fetch->sent_ms;
		*ret_limit = o->first_byte_timeout_ms;
		break;
	default:
		break;
	}
}

/* Bytes of bodies, both ways. */
static uint64_t
moved_bytes(const struct spout__fetch *fetch)
{
	curl_off_t sent = 0;

	if (fetch->easy != NULL)
		curl_easy_getinfo(fetch->easy->curl, CURLINFO_SIZE_UPLOAD_T, &sent);
	return fetch->received_bytes + (uint64_t)sent;
}

/* Does too little move? Looked at once per window; a new one begins with each pause. */
static bool
too_slow(struct spout__fetch *fetch, enum spout_fetch_phase phase, uint64_t now)
{
	const struct spout_fetch_options *o = &fetch->options;
	uint64_t moved = moved_bytes(fetch);
	bool moves = (phase == SPOUT_FETCH_SEND && !fetch->send_paused) ||
	    (phase == SPOUT_FETCH_BODY && !fetch->receive_paused);

	if (o->low_speed_ms == UINT64_MAX)
		return false;
	if (moves && fetch->window_ms != 0 &&
	    now < after(fetch->window_ms, o->low_speed_ms))
		return false;
	if (moves && fetch->window_ms != 0 &&
	    moved - fetch->window_bytes < o->low_speed_bytes * o->low_speed_ms / 1000 + 1)
		return true;
	fetch->window_ms = moves ? now : 0;
	fetch->window_bytes = moved;
	return false;
}

/* The shortest time-out of any phase that may still come. */
static uint64_t
shortest_later(const struct spout__fetch *fetch, enum spout_fetch_phase phase)
{
	const struct spout_fetch_options *o = &fetch->options;
	uint64_t limit = o->low_speed_ms;

	if (phase < SPOUT_FETCH_FIRST_BYTE)
		limit = earlier(limit, o->first_byte_timeout_ms);
	if (phase < SPOUT_FETCH_TLS)
		limit = earlier(limit, o->tls_timeout_ms);
	return limit;
}

static enum spout_fetch_phase
phase_of(const struct spout__fetch *fetch)
{
	switch (fetch->state) {
	case SPOUT__FETCH_QUEUED:
		return SPOUT_FETCH_QUEUE;
	case SPOUT__FETCH_RESOLVING:
		return SPOUT_FETCH_RESOLVE;
	case SPOUT__FETCH_RUNNING:
		return spout__transfer_phase(fetch);
	default:
		return SPOUT_FETCH_BODY;
	}
}

static void
timed_out(struct spout__fetch *fetch, enum spout_fetch_phase phase, const char *what,
    uint64_t ms)
{
	spout__fetch_end(
	    fetch, phase, -ETIMEDOUT, "%s after %llu ms", what, (unsigned long long)ms);
}

void
spout__deadline_check(struct spout__fetch *fetch)
{
	uint64_t now = now_ms(fetch), since, limit, next;
	enum spout_fetch_phase phase = phase_of(fetch);

	spout__deadline_stop(fetch);
	if (now >= fetch->end_ms) {
		timed_out(fetch, phase, "time-out", fetch->options.timeout_ms);
		return;
	}
	if (fetch->state == SPOUT__FETCH_BACKOFF) {
		spout__fetch_run(fetch);
		return;
	}
	phase_limit(fetch, phase, now, &since, &limit);
	if (now >= after(since, limit)) {
		timed_out(fetch, phase, "time-out", limit);
		return;
	}
	if (too_slow(fetch, phase, now)) {
		timed_out(fetch, phase, "too slow", fetch->options.low_speed_ms);
		return;
	}
	next = earlier(fetch->end_ms, after(since, limit));
	next = earlier(next, after(now + 1, shortest_later(fetch, phase)));
	if (fetch->window_ms != 0)
		next =
		    earlier(next, after(fetch->window_ms, fetch->options.low_speed_ms));
	check_at(fetch, next <= now ? now + 1 : next);
}
