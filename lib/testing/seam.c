/* SPDX-License-Identifier: MIT */
/* The table of seam.h: the one part of the test kit that is in libspout itself. */
#include "config.h"

#include "testing/seam.h"

static struct spout__stats *
stats(void)
{
	return spout__stats;
}

const struct spout__seam *
spout_testing_seam(void)
{
#define SPOUT__SEAM_ENTRY(name) .name = spout__##name,
	static const struct spout__seam seam = {
		SPOUT__SEAM(SPOUT__SEAM_ENTRY)
		.on_wait = &spout__on_wait,
		.stats = stats,
	};
#undef SPOUT__SEAM_ENTRY

	return &seam;
}
