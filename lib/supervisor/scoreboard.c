/* SPDX-License-Identifier: MIT */
/* The scoreboard: see scoreboard.h. */
#include "config.h"

#include "supervisor/scoreboard.h"

#include "base/log.h"

#include <sys/mman.h>


const char *const spout__worker_state_names[] = { "waiting", "booting", "running",
	"draining", "aborting", "killing", "stopped" };
#define LABEL(id, label, text) label,
const char *const spout__death_labels[] = { SPOUT__DEATHS(LABEL) };
#define TEXT(id, label, text) text,
const char *const spout__death_texts[] = { SPOUT__DEATHS(TEXT) };

static size_t
board_size(unsigned n_slots)
{
	return sizeof(struct spout__scoreboard) +
	    ((size_t)n_slots + 1) * sizeof(struct spout__scoreboard_slot);
}

struct spout__scoreboard *
spout__scoreboard_new(unsigned n_slots)
{
	struct spout__scoreboard *board = mmap(NULL, board_size(n_slots),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (board == MAP_FAILED)
		return NULL;
	board->n_slots = n_slots;
	return board;
}

void
spout__scoreboard_free(struct spout__scoreboard *board)
{
	if (board != NULL)
		munmap(board, board_size(board->n_slots));
}

void
spout__scoreboard_follow_log_level(const struct spout__scoreboard *board)
{
	spout__log_set_level((int)atomic_load(&board->log_level) - 1);
}

void
spout__scoreboard_clear(struct spout__scoreboard_slot *slot)
{
	spout__stats_clear_gauges(&slot->stats);
	memset(slot->requests, 0, sizeof(slot->requests));
}

static void
blame(struct spout__scoreboard *board, const struct spout__inflight *r, uint64_t now_ms)
{
	uint64_t ms = spout__quarantine_blame(&board->quarantine, r->what, now_ms);

	if (ms > 0)
		spout_error_log("%s has ended %u workers: it is answered 503 for %llu s",
		    r->what, SPOUT__QUARANTINE_DEATHS, (unsigned long long)(ms / 1000));
}

void
spout__scoreboard_log_requests(struct spout__scoreboard *board,
    const struct spout__scoreboard_slot *slot, unsigned index, uint64_t now_ms)
{
	for (unsigned i = 0; i < SPOUT__INFLIGHT_MAX; i++) {
		struct spout__inflight r;
		int rc = spout__inflight_read(&slot->requests[i], &r);

		if (rc < 0)
			spout_error_log("worker %u was at: a torn record", index);
		if (rc <= 0)
			continue;
		spout_error_log("worker %u was at: %s (request %s, for %llu ms)%s", index,
		    r.what, r.id, (unsigned long long)(now_ms - r.started_ms),
		    r.busy == SPOUT__INFLIGHT_BLAMED ? ", which ran" : "");
		if (r.busy == SPOUT__INFLIGHT_BLAMED)
			blame(board, &r, now_ms);
	}
}
