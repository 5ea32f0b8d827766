/* SPDX-License-Identifier: MIT */
/*
 * A fetch from queue to end: hops, retries, redirects. The states are told in client.h.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/stats.h"
#include "client/client.h"

#define BACKOFF_MS 50u
#define BACKOFF_MAX_SHIFT 5u

static void hop(struct spout__fetch *fetch);
static void on_looked_up(struct spout__lookup *lookup);

/* --- life ---------------------------------------- */

static void
on_timer(struct spout__timer *timer)
{
	spout__deadline_check(spout__container_of(timer, struct spout__fetch, timer));
}

static void
on_resume(struct spout__ready *ready)
{
	spout__fetch_resumed(spout__container_of(ready, struct spout__fetch, resume));
}

static void
on_next_turn(struct spout__ready *ready)
{
	spout__fetch_resume(spout__container_of(ready, struct spout__fetch, next_turn));
}

static void
forget_body(struct spout__fetch *fetch)
{
	spout__decoder_free(fetch->decoder);
	fetch->decoder = NULL;
	fetch->more = false;
	spout__buffer_release(&fetch->pending);
}

static void
fetch_free(struct spout__fetch *fetch)
{
	forget_body(fetch);
	curl_url_cleanup(fetch->url);
	spout__buffer_release(&fetch->upload);
	spout__arena_release(&fetch->arena);
	free(fetch);
}

static void
nobody(struct spout__fetch *fetch, enum spout__fetch_event event)
{
	(void)fetch;
	(void)event;
}

struct spout__fetch *
spout__fetch_new(struct spout__client *client, const char *url,
    const struct spout_fetch_options *options, struct spout_response *response)
{
	struct spout__fetch *fetch = calloc(1, sizeof(*fetch));

	if (fetch == NULL)
		return NULL;
	fetch->client = client;
	fetch->response = response;
	fetch->notify = nobody;
	fetch->lookup.on_done = on_looked_up;
	spout__list_init(&fetch->link);
	spout__arena_init(&fetch->arena, SIZE_MAX);
	spout__buffer_init(&fetch->pending, SIZE_MAX / 2);
	spout__buffer_init(&fetch->upload, SIZE_MAX / 2);
	spout__timer_init(&fetch->timer, on_timer);
	spout__ready_init(&fetch->resume, on_resume);
	spout__ready_init(&fetch->next_turn, on_next_turn);
	fetch->url = curl_url();
	if (fetch->url == NULL)
		spout__failure_note(fetch, SPOUT_FETCH_PREPARE, -ENOMEM, "out of memory");
	else if (spout__request_init(fetch, url, options) == 0)
		return fetch;
	response->failure = fetch->failure;
	fetch_free(fetch);
	return NULL;
}

/* Off everything but the list of its client. */
static void
stop(struct spout__fetch *fetch)
{
	spout__deadline_stop(fetch);
	spout__lookup_cancel(&fetch->lookup);
	spout__transfer_stop(fetch);
	spout__list_remove(&fetch->resume.link);
	spout__list_remove(&fetch->next_turn.link);
	fetch->resume_wanted = false;
}

static void
leave(struct spout__fetch *fetch)
{
	struct spout__client *client = fetch->client;

	stop(fetch);
	if (spout__list_empty(&fetch->link))
		return; /* never started */
	spout__list_remove(&fetch->link);
	if (fetch->state == SPOUT__FETCH_QUEUED)
		spout__client_moved(client, 0, -1);
	else
		spout__client_moved(client, -1, 0);
	spout__client_pump(client);
}

void
spout__fetch_drop(struct spout__fetch *fetch)
{
	leave(fetch);
	fetch_free(fetch);
}

static void
over(struct spout__fetch *fetch)
{
	struct spout_response *response = fetch->response;
	struct spout__client *client = fetch->client;

	response->timings.total_us = spout__client_now_us(client) - fetch->began_us;
	response->failure = fetch->failure;
	response->failure.status = fetch->failure.error != 0 ? response->status : 0;
	response->over = true;
	if (fetch->failure.error != 0) {
		client->stats.failures++;
		spout__count_shared(SPOUT__C_FETCH_FAILURES, 1);
	}
	leave(fetch);
	fetch->notify(fetch, SPOUT__FETCH_OVER);
	fetch_free(fetch);
}

void
spout__fetch_end(struct spout__fetch *fetch, enum spout_fetch_phase phase, int error,
    const char *fmt, ...)
{
	char reason[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	spout__failure_note(fetch, phase, error, "%s", reason);
	over(fetch);
}

/* --- start ---------------------------------------- */

/* Those that were queued in this turn of the loop may find a place yet. */
static bool
queue_is_full(const struct spout__client *client)
{
	const struct spout_client_options *o = &client->options;
	unsigned running = client->stats.running;
	uint64_t places = running < o->max_clients ? o->max_clients - running : 0;

	return client->stats.queued >= places + o->max_queued;
}

int
spout__fetch_start(struct spout__fetch *fetch)
{
	struct spout__client *client = fetch->client;
	uint64_t ms = fetch->options.timeout_ms, now_ms;

	if (queue_is_full(client))
		return spout__failure_note(fetch, SPOUT_FETCH_QUEUE, -ENOBUFS,
		    "%u fetches are waiting", client->stats.queued);
	fetch->began_us = spout__client_now_us(client);
	now_ms = fetch->began_us / 1000;
	fetch->state_ms = now_ms;
	/* Rounded up, as every time-out. */
	fetch->end_ms = ms >= UINT64_MAX - now_ms - 1 ? UINT64_MAX : now_ms + 1 + ms;
	client->stats.fetches++;
	spout__count_shared(SPOUT__C_FETCHES, 1);
	spout__client_moved(client, 0, 1);
	spout__list_push(&client->queue, &fetch->link);
	spout__deadline_check(fetch);
	spout__client_pump(client);
	return 0;
}

void
spout__fetch_run(struct spout__fetch *fetch)
{
	if (fetch->state == SPOUT__FETCH_QUEUED)
		fetch->response->timings.queue_us =
		    spout__client_now_us(fetch->client) - fetch->began_us;
	hop(fetch);
}

/* --- one hop ---------------------------------------- */

static void
enter(struct spout__fetch *fetch, enum spout__fetch_state state)
{
	fetch->state = state;
	fetch->state_ms = spout__client_now_us(fetch->client) / 1000;
	fetch->window_ms = 0;
}

/* Leave the addresses to which the caller lets us go. */
static void
filter_addresses(struct spout__fetch *fetch)
{
	struct spout__addresses *all = &fetch->lookup.addresses;
	const struct spout_fetch_options *o = &fetch->options;
	char text[SPOUT__ADDRESS_TEXT];
	unsigned n = 0;

	for (unsigned i = 0; i < all->n; i++) {
		spout__address_text(&all->at[i].addr, text);
		if (o->allow(text, (uint16_t)atoi(fetch->peer_port), o->allow_arg))
			all->at[n++] = all->at[i];
	}
	all->n = n;
}

static void
connect_to_peer(struct spout__fetch *fetch)
{
	struct spout_fetch_timings *timings = &fetch->response->timings;

	timings->resolve_us = spout__client_now_us(fetch->client) - fetch->hop_us;
	if (fetch->options.allow != NULL)
		filter_addresses(fetch);
	if (fetch->lookup.addresses.n == 0) {
		spout__fetch_end(fetch, SPOUT_FETCH_CONNECT, -EACCES,
		    "%.80s is not a host to fetch from", fetch->peer_host);
		return;
	}
	enter(fetch, SPOUT__FETCH_RUNNING);
	if (spout__transfer_start(fetch) < 0)
		over(fetch);
	else
		spout__deadline_check(fetch);
}

static void
looked_up(struct spout__fetch *fetch)
{
	if (fetch->lookup.error == 0) {
		connect_to_peer(fetch);
		return;
	}
	spout__failure_note(
	    fetch, SPOUT_FETCH_RESOLVE, fetch->lookup.error, "%s", fetch->lookup.reason);
	spout__fetch_hop_over(fetch);
}

static void
on_looked_up(struct spout__lookup *lookup)
{
	looked_up(spout__container_of(lookup, struct spout__fetch, lookup));
}

/* Returns 0 if on_looked_up() comes, 1 if the answer is there. */
static int
look_up(struct spout__fetch *fetch)
{
	struct spout__lookup *lookup = &fetch->lookup;
	int family = fetch->options.family, r;

	if (fetch->client->loop != NULL) {
		r = spout__lookup_start(
		    fetch->client->loop, lookup, fetch->peer_host, family);
		return r < 0 ? 1 : r;
	}
	lookup->error = 0;
	if (!spout__addresses_parse(fetch->peer_host, family, &lookup->addresses))
		lookup->error = spout__addresses_look_up(
		    fetch->peer_host, family, &lookup->addresses, lookup->reason);
	return 1;
}

static void
hop(struct spout__fetch *fetch)
{
	enter(fetch, SPOUT__FETCH_RESOLVING);
	fetch->hop_us = spout__client_now_us(fetch->client);
	spout__response_reset(fetch->response);
	forget_body(fetch);
	fetch->head_begun = fetch->head_done = fetch->follow = false;
	fetch->challenges = 0;
	fetch->receive_paused = fetch->send_paused = fetch->sent = false;
	fetch->connects = 0;
	fetch->header_bytes = 0;
	fetch->body_bytes = fetch->given_bytes = 0;
	fetch->tls_ms = fetch->ready_ms = fetch->sent_ms = 0;
	if (spout__url_peer(fetch) < 0)
		over(fetch);
	else if (look_up(fetch) == 1)
		looked_up(fetch);
	else
		spout__deadline_check(fetch);
}

/* Nothing of an answer came, and another try does no harm: RFC 9110 9.2.2. */
static bool
worth_a_retry(const struct spout__fetch *fetch)
{
	int error = fetch->failure.error;

	return spout__request_idempotent(fetch) && !fetch->head_begun &&
	    !spout__request_streams(fetch) &&
	    fetch->response->timings.retries < fetch->options.retries &&
	    (error == -ECONNREFUSED || error == -ECONNRESET || error == -EHOSTUNREACH ||
		error == -ENETUNREACH || error == -ETIMEDOUT);
}

static void
retry(struct spout__fetch *fetch)
{
	unsigned n = fetch->response->timings.retries++;

	fetch->failure.error = 0;
	enter(fetch, SPOUT__FETCH_BACKOFF);
	spout__deadline_in(
	    fetch, BACKOFF_MS << (n < BACKOFF_MAX_SHIFT ? n : BACKOFF_MAX_SHIFT));
}

void
spout__fetch_hop_over(struct spout__fetch *fetch)
{
	const struct spout_response *response = fetch->response;

	stop(fetch);
	if (fetch->failure.error != 0) {
		if (worth_a_retry(fetch))
			retry(fetch);
		else
			over(fetch);
		return;
	}
	if (fetch->follow) {
		if (spout__url_redirect(fetch) < 0)
			over(fetch);
		else
			hop(fetch);
		return;
	}
	if (spout__body_end(fetch) == 0 && fetch->options.fail_on_status &&
	    response->status >= 400)
		spout__failure_note(fetch, SPOUT_FETCH_BODY, -EREMOTEIO, "%d %.60s",
		    response->status, response->reason);
	over(fetch);
}

/* --- pauses ---------------------------------------- */

void
spout__fetch_resume(struct spout__fetch *fetch)
{
	fetch->resume_wanted = true;
	if (fetch->client->loop != NULL)
		spout__loop_ready(fetch->client->loop, &fetch->resume);
}

void
spout__fetch_resume_next_turn(struct spout__fetch *fetch)
{
	/* What becomes ready at the end of a turn runs in the next one. */
	if (fetch->client->loop != NULL)
		spout__loop_at_turn_end(fetch->client->loop, &fetch->next_turn);
	else
		fetch->resume_wanted = true;
}

void
spout__fetch_resumed(struct spout__fetch *fetch)
{
	bool full;

	fetch->resume_wanted = false;
	if (fetch->failure.error == 0 && fetch->more)
		(void)spout__body_drain(fetch);
	full = fetch->more || spout__body_full(fetch);
	if (fetch->failure.error == 0 && fetch->easy != NULL &&
	    ((fetch->receive_paused && !full) || fetch->send_paused))
		spout__transfer_unpause(fetch, !full, fetch->send_paused);
	if (fetch->failure.error != 0 ||
	    (fetch->state == SPOUT__FETCH_DRAINING && !fetch->more))
		spout__fetch_hop_over(fetch);
}
