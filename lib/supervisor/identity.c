/* SPDX-License-Identifier: MIT */
/* Looking up and assuming an identity: see identity.h. */
#include "config.h"

#include "supervisor/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

/* A decimal id; (uid_t)-1 means "leave it" to the kernel and is refused. */
static bool
parse_id(const char *text, unsigned *ret_id)
{
	char *end;
	unsigned long n;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	n = strtoul(text, &end, 10);
	if (*end != '\0' || errno != 0 || n >= UINT32_MAX)
		return false;
	*ret_id = (unsigned)n;
	return true;
}

static int
lookup_user(const char *name, struct spout__identity *id)
{
	struct passwd *pw = getpwnam(name);
	int n = SPOUT__GROUPS_MAX;
	unsigned uid;

	if (pw == NULL && parse_id(name, &uid)) {
		pw = getpwuid(uid);
		if (pw == NULL) { /* a number without an entry: no further groups */
			id->uid = uid;
			id->gid = id->groups[0] = uid;
			id->n_groups = 1;
			return 0;
		}
	}
	if (pw == NULL)
		return -ENOENT;
	id->uid = pw->pw_uid;
	id->gid = pw->pw_gid;
	if (getgrouplist(pw->pw_name, pw->pw_gid, id->groups, &n) < 0)
		n = SPOUT__GROUPS_MAX; /* more than fit: the first ones */
	id->n_groups = n;
	return 0;
}

static int
lookup_group(const char *name, struct spout__identity *id)
{
	struct group *gr = getgrnam(name);
	unsigned gid;

	if (gr != NULL)
		id->gid = gr->gr_gid;
	else if (parse_id(name, &gid))
		id->gid = gid;
	else
		return -ENOENT;
	return 0;
}

int
spout__identity_lookup(
    const char *text, struct spout__identity *ret_identity, char ret_why[SPOUT__WHY])
{
	struct spout__identity id = { 0 };
	char user[128];
	const char *colon = strchr(text, ':');

	snprintf(user, sizeof(user), "%.*s",
	    (int)(colon != NULL ? (size_t)(colon - text) : strlen(text)), text);
	if (lookup_user(user, &id) < 0) {
		snprintf(ret_why, SPOUT__WHY, "no such user: '%.100s'", user);
		return -ENOENT;
	}
	if (colon != NULL && lookup_group(colon + 1, &id) < 0) {
		snprintf(ret_why, SPOUT__WHY, "no such group: '%.100s'", colon + 1);
		return -ENOENT;
	}
	*ret_identity = id;
	return 0;
}

int
spout__identity_assume(const struct spout__identity *id)
{
	if (geteuid() == 0) {
		if (setgroups((size_t)id->n_groups, id->groups) < 0 ||
		    setresgid(id->gid, id->gid, id->gid) < 0 ||
		    setresuid(id->uid, id->uid, id->uid) < 0)
			return -errno;
		if (id->uid != 0 && setuid(0) == 0)
			return -EPERM; /* it did not hold */
	} else if (geteuid() != id->uid || getegid() != id->gid) {
		return -EPERM;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* a hung worker shall leave a core */
	return 0;
}
