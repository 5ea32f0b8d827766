/* SPDX-License-Identifier: MIT */
/* The table of faults: see fault.h. */
#include "config.h"

#include "http/fault.h"

#define ROW(id, status, word, section) [SPOUT__FAULT_##id] = { status, word, section },

const struct spout__http_fault_row spout__http_faults[SPOUT__N_FAULTS] = {
	SPOUT__HTTP_FAULTS(ROW)
};
