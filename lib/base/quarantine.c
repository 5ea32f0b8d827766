/* SPDX-License-Identifier: MIT */
/* Requests that end their worker again and again: see quarantine.h. */
#include "config.h"

#include "base/quarantine.h"

static struct spout__quarantine nobody;
struct spout__quarantine *spout__quarantine = &nobody;

static uint64_t
load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

/* The row of such requests, else a free one, else the one that is quiet for longest. */
static struct spout__quarantine_row *
row_for(struct spout__quarantine *q, const char *what)
{
	struct spout__quarantine_row *best = &q->rows[0];

	for (unsigned i = 0; i < SPOUT__QUARANTINE_ROUTES; i++) {
		struct spout__quarantine_row *row = &q->rows[i];

		if (row->deaths != 0 && strcmp(row->what, what) == 0)
			return row;
		if (load(&row->last_ms) < load(&best->last_ms))
			best = row;
	}
	best->deaths = 0;
	best->until_ms = 0;
	memcpy(best->what, what, sizeof(best->what));
	return best;
}

/* How long after that many deaths. */
static uint64_t
hold_ms(uint32_t deaths)
{
	uint32_t doubled = deaths - SPOUT__QUARANTINE_DEATHS;
	uint64_t ms = SPOUT__QUARANTINE_MS;

	while (doubled-- > 0 && ms < SPOUT__QUARANTINE_MAX_MS)
		ms *= 2;
	return ms < SPOUT__QUARANTINE_MAX_MS ? ms : SPOUT__QUARANTINE_MAX_MS;
}

uint64_t
spout__quarantine_blame(struct spout__quarantine *q, const char *what, uint64_t now_ms)
{
	char cut[SPOUT__INFLIGHT_WHAT] = { 0 };
	struct spout__quarantine_row *row;
	uint64_t quiet_since;

	strncpy(cut, what, sizeof(cut) - 1);
	row = row_for(q, cut);
	quiet_since = load(&row->until_ms) > load(&row->last_ms) ? load(&row->until_ms)
								 : load(&row->last_ms);
	if (now_ms > quiet_since + SPOUT__QUARANTINE_WINDOW_MS)
		row->deaths = 0;
	row->deaths++;
	row->last_ms = now_ms;
	if (row->deaths < SPOUT__QUARANTINE_DEATHS)
		return 0;
	row->until_ms = now_ms + hold_ms(row->deaths);
	if (load(&row->until_ms) > load(&q->until_ms))
		q->until_ms = load(&row->until_ms);
	return load(&row->until_ms) - now_ms;
}

uint64_t
spout__quarantine_left_ms(struct spout_slice what, uint64_t now_ms)
{
	for (unsigned i = 0; i < SPOUT__QUARANTINE_ROUTES; i++) {
		const struct spout__quarantine_row *row = &spout__quarantine->rows[i];
		uint64_t until = load(&row->until_ms);

		if (until > now_ms && spout_slice_equal(what, row->what))
			return until - now_ms;
	}
	return 0;
}
