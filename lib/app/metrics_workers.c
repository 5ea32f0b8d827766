/* SPDX-License-Identifier: MIT */
/* What the supervisor knows of its workers, in /metrics; and all figures together. */
#include "config.h"

#include "app/metrics_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"

/* What the supervisor knows of a slot. */
static uint64_t
slot_up(const struct spout__scoreboard_slot *slot)
{
	return atomic_load(&slot->state) == SPOUT__WORKER_RUNNING;
}

static uint64_t
slot_pid(const struct spout__scoreboard_slot *slot)
{
	return atomic_load(&slot->pid);
}

static uint64_t
slot_starts(const struct spout__scoreboard_slot *slot)
{
	return atomic_load(&slot->generation);
}

static uint64_t
slot_uptime(const struct spout__scoreboard_slot *slot)
{
	uint64_t now = spout__clock_ms(), started = atomic_load(&slot->started_ms);

	return slot_pid(slot) != 0 && now > started ? (now - started) / 1000 : 0;
}

static uint64_t
slot_recycles(const struct spout__scoreboard_slot *slot)
{
	return atomic_load(&slot->recycles);
}

static const struct slot_figure {
	const char *name, *help, *type;
	uint64_t (*get)(const struct spout__scoreboard_slot *slot);
} slot_figures[] = {
	{ "spout_worker_up", "1 while the worker serves.", "gauge", slot_up },
	{ "spout_worker_pid", "Process id, 0 for none.", "gauge", slot_pid },
	{ "spout_worker_starts_total", "Processes started in this slot.", "counter",
	    slot_starts },
	{ "spout_worker_recycles_total",
	    "Processes replaced because they had had their share.", "counter",
	    slot_recycles },
	{ "spout_worker_uptime_seconds", "Age of the process.", "gauge", slot_uptime },
};

static int
slot_figure_write(struct spout__buffer *to, const struct slot_figure *figure,
    const struct spout__scoreboard *board)
{
	int error = spout__metrics_head(to, figure->name, figure->help, figure->type);

	for (unsigned k = 0; k < board->n_slots && error == 0; k++) {
		const struct spout__scoreboard_slot *slot = &board->slots[k];

		if (slot_starts(slot) > 0)
			error = spout__buffer_printf(to,
			    "%s{worker=\"%u\"} %" PRIu64 "\n", figure->name, k,
			    figure->get(slot));
	}
	return error;
}

static int
deaths_write(struct spout__buffer *to, const struct spout__scoreboard *board)
{
	int error = spout__metrics_head(to, "spout_worker_deaths_total",
	    "Processes that ended unasked, by cause.", "counter");

	for (unsigned k = 0; k < board->n_slots; k++) {
		if (slot_starts(&board->slots[k]) == 0)
			continue;
		for (unsigned d = 0; d < SPOUT__N_DEATHS && error == 0; d++)
			error = spout__buffer_printf(to,
			    "spout_worker_deaths_total"
			    "{worker=\"%u\",cause=\"%s\"} %" PRIu64 "\n",
			    k, spout__death_labels[d],
			    atomic_load(&board->slots[k].deaths[d]));
	}
	return error;
}

static int
workers_write(struct spout__buffer *to, const struct spout__scoreboard *board)
{
	int error = 0;

	for (size_t i = 0; i < sizeof(slot_figures) / sizeof(slot_figures[0]); i++) {
		if (error == 0)
			error = slot_figure_write(to, &slot_figures[i], board);
	}
	return error ? error : deaths_write(to, board);
}

unsigned
spout__metrics_sources(
    const struct spout__scoreboard *board, struct spout__metrics_source *sources)
{
	unsigned n = 0;

	for (unsigned k = 0; k <= board->n_slots; k++)
		if (atomic_load(&board->slots[k].used) != 0)
			sources[n++] =
			    (struct spout__metrics_source){ k, &board->slots[k].stats };
	return n;
}

int
spout__metrics_write_all(struct spout__buffer *to, const struct spout__scoreboard *board)
{
	struct spout__metrics_source *sources =
	    calloc(board->n_slots + 1, sizeof(*sources));
	int error;

	if (sources == NULL)
		return -ENOMEM;
	error = spout__metrics_write(to, sources, spout__metrics_sources(board, sources));
	free(sources);
	return error ? error : workers_write(to, board);
}
