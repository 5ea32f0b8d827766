/* SPDX-License-Identifier: MIT */
/*
 * A worker that has answered max_requests, lived for max_age_ms or holds
 * max_memory_bytes is replaced, as by a reload: first its successor is ready, then it
 * drains. One at a time, and never while the program is being changed otherwise. Each
 * process has limits of its own, up to a tenth lower by chance, so that workers that were
 * born together do not come due together.
 */
#include "config.h"

#include "supervisor/slots.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"

#define PAUSE_MS 10000 /* after a successor that could not start */

static bool
is_on(const struct spout__supervisor *sup)
{
	return sup->o.max_requests != 0 || sup->o.max_age_ms != 0 ||
	    sup->o.max_memory_bytes != 0;
}

static uint64_t
lowered(const struct spout__slot *slot, uint64_t limit)
{
	uint64_t tenth = limit / 10;

	return limit - tenth / 256 * slot->chance - tenth % 256 * slot->chance / 256;
}

/* What it holds besides files and shared memory; 0: unknown. */
static uint64_t
memory_of(pid_t pid)
{
	uint64_t resident, shared;
	char path[40];
	FILE *file;
	int n;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	n = fscanf(file, "%*u %" SCNu64 " %" SCNu64, &resident, &shared);
	fclose(file);
	if (n != 2 || resident < shared)
		return 0;
	return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Why this worker has to go, or "" if it need not. */
static void
reason_of(const struct spout__supervisor *sup, const struct spout__slot *slot, char *to,
    size_t cap)
{
	const struct spout__supervisor_options *o = &sup->o;
	uint64_t requests =
	    spout__slot_requests(sup, slot) - slot->requests_before;
	uint64_t age = sup->now_ms - slot->ready_ms;
	uint64_t memory = o->max_memory_bytes != 0 ? memory_of(slot->pid) : 0;

	to[0] = '\0';
	if (o->max_requests != 0 && requests >= lowered(slot, o->max_requests))
		snprintf(to, cap, "has had %" PRIu64 " requests", requests);
	else if (o->max_age_ms != 0 && age >= lowered(slot, o->max_age_ms))
		snprintf(to, cap, "has served for %" PRIu64 " s", age / 1000);
	else if (memory != 0 && memory >= lowered(slot, o->max_memory_bytes))
		snprintf(to, cap, "holds %" PRIu64 " KiB of memory", memory / 1024);
}

uint64_t
spout__recycle_wakes_ms(const struct spout__supervisor *sup)
{
	if (!is_on(sup) || sup->phase != SPOUT__PHASE_SERVING)
		return SPOUT__NEVER;
	return sup->recycle_at_ms > sup->now_ms ? sup->recycle_at_ms : sup->now_ms;
}

void
spout__recycle_round(struct spout__supervisor *sup)
{
	char why[80];
	unsigned i;

	if (spout__recycle_wakes_ms(sup) > sup->now_ms)
		return;
	sup->recycle_at_ms = sup->now_ms + sup->o.recycle_look_ms;
	if (!spout__supervisor_is_calm(sup))
		return;
	for (i = 0; i < sup->n_workers; i++) {
		struct spout__slot *slot =
		    &sup->slots[(sup->recycle_next + i) % sup->n_workers];

		if (slot->state != SPOUT__WORKER_RUNNING)
			continue;
		reason_of(sup, slot, why, sizeof(why));
		if (why[0] == '\0')
			continue;
		spout_info("recycle: worker %u (pid %d) %s: replacing it", slot->index,
		    (int)slot->pid, why);
		sup->recycle_next = slot->index + 1;
		spout__succeed(sup, slot, SPOUT__SUCCESSION_RECYCLE);
		return;
	}
}

void
spout__recycle_failed(struct spout__supervisor *sup, unsigned index, const char *why)
{
	spout_error_log("recycle: the old worker %u goes on: the new one %s", index, why);
	sup->recycle_at_ms = sup->now_ms + PAUSE_MS;
}
