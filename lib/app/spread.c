/* SPDX-License-Identifier: MIT */
/* Spreading connections over the workers: see spread.h. */
#include "config.h"

#include "app/spread.h"

#include "base/clock.h"
#include "base/log.h"
#include "supervisor/steer.h"

#define ALIVE_MS 3000  /* since its last heartbeat */
#define PAUSE_MS 1     /* between two programs of one worker */

struct count {
	uint64_t open; /* connections */
	bool takes_part;
};

static struct count
count_at(const struct spout__scoreboard_slot *place, uint64_t now)
{
	const _Atomic uint64_t *gauges = place->stats.gauges;
	uint64_t beat = atomic_load_explicit(
	    &gauges[SPOUT__G_HEARTBEAT_MS], memory_order_relaxed);

	return (struct count){
		.open = atomic_load_explicit(
		    &gauges[SPOUT__G_CONNECTIONS_OPEN], memory_order_relaxed),
		.takes_part = atomic_load(&place->serving) != 0 && beat + ALIVE_MS >= now,
	};
}

bool
spout__spread_has_few(void *ctx)
{
	const struct spout__worker *worker = ((struct spout__life *)ctx)->worker;
	uint64_t now = spout__clock_ms(), own = 0, total = 0, n = 0;

	for (unsigned k = 0; k <= worker->board->n_slots; k++) {
		struct count count = count_at(&worker->board->slots[k], now);

		if (k == worker->place)
			own = count.open;
		else if (!count.takes_part)
			continue;
		total += count.open;
		n++;
	}
	return own * n < total + n;
}

/* --- a socket for each worker ------------------------------------------------------ */

/* Bit k: worker k shall get connections. */
static uint64_t
choose(const struct spout__scoreboard *board, unsigned n)
{
	struct count counts[SPOUT__SPREAD_MAX];
	uint64_t now = spout__clock_ms(), total = 0, parts = 0, chosen = 0;

	for (unsigned k = 0; k < n; k++) {
		unsigned place = atomic_load(&board->slots[k].place);

		counts[k] = count_at(&board->slots[place], now);
		if (!counts[k].takes_part)
			continue;
		total += counts[k].open;
		parts++;
	}
	for (unsigned k = 0; k < n; k++)
		if (counts[k].takes_part && counts[k].open * parts <= total)
			chosen |= (uint64_t)1 << k;
	return chosen;
}

static int
steer_to(const struct spout__life *life, uint64_t chosen)
{
	const struct spout__listeners *listeners = life->worker->listeners;
	uint16_t members[SPOUT__SPREAD_MAX];
	unsigned n = 0;
	int error = 0;

	for (unsigned k = 0; k < SPOUT__SPREAD_MAX; k++)
		if (chosen >> k & 1)
			members[n++] = (uint16_t)k;
	for (unsigned i = 0; i < listeners->n && error == 0; i++)
		if (listeners->items[i].mode == SPOUT__LISTEN_REUSEPORT)
			error = spout__steer(spout__listener_fd(&listeners->items[i],
						 life->worker->slot),
			    members, n);
	return error;
}

/*
 * The supervisor changes the number of workers first and steers then; so whoever steers
 * last has seen the last number, if workers look at it again afterwards.
 */
void
spout__spread_look(struct spout__life *life)
{
	struct spout__scoreboard *board = life->worker->board;
	unsigned n = atomic_load(&board->n_workers);
	int error = 0;

	if (life->spread_off || life->phase != SPOUT__LIFE_SERVING)
		return;
	for (unsigned seen = 0; seen != n && error == 0;
	     n = atomic_load(&board->n_workers)) {
		uint64_t chosen =
		    n > 1 && n <= SPOUT__SPREAD_MAX ? choose(board, n) : 0;

		seen = n;
		if (chosen == 0 || atomic_exchange(&board->spread, chosen) == chosen)
			continue;
		error = steer_to(life, chosen);
	}
	if (error == 0)
		return;
	spout_debug("connections are spread by the kernel: %s", strerror(-error));
	life->spread_off = true;
}

bool
spout__spread_accepts(void *ctx)
{
	struct spout__life *life = ctx;
	uint64_t accepted = atomic_load_explicit(
	    &spout__stats->counters[SPOUT__C_CONNECTIONS], memory_order_relaxed);
	uint64_t now;

	if (accepted == life->spread_accepted)
		return true;
	now = spout__clock_ms();
	if (now - life->spread_ms >= PAUSE_MS) {
		life->spread_ms = now;
		life->spread_accepted = accepted;
		spout__spread_look(life);
	}
	return true;
}
