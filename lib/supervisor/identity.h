/* SPDX-License-Identifier: MIT */
/* Whom the workers run as: looked up before the fork, assumed after it (--user). */
#ifndef SPOUT_SUPERVISOR_IDENTITY_H
#define SPOUT_SUPERVISOR_IDENTITY_H

#include <spout/types.h>

#include <sys/types.h>

#include "supervisor/listeners.h"

#define SPOUT__GROUPS_MAX 64

struct spout__identity {
	uid_t uid;
	gid_t gid;
	int n_groups;
	gid_t groups[SPOUT__GROUPS_MAX];
};

/**
 * Look up `USER` or `USER:GROUP` (names or numbers) with the user's further groups.
 * Returns 0, or -ENOENT / -errno with one line in `ret_why`.
 */
int spout__identity_lookup(
    const char *text, struct spout__identity *ret_identity, char ret_why[SPOUT__WHY]);
/**
 * Become it for good: groups, group, user, no new privileges. A process that may not
 * change anything and already is that user is fine. Clears PR_SET_PDEATHSIG (the kernel
 * does). Before any thread. Returns 0 or -errno.
 */
int spout__identity_assume(const struct spout__identity *identity);

#endif
