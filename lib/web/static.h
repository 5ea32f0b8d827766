/* SPDX-License-Identifier: MIT */
/* The static files of an application: the routes that it gets for .static_path. */
#ifndef SPOUT_WEB_STATIC_H
#define SPOUT_WEB_STATIC_H

#include <spout/file.h>

#include "web/router.h"

struct spout__static {
	const struct spout_static *main; /* what spout_static_url() means; NULL: none */
	struct spout_static files;       /* of .static_path */
	struct spout_route routes[4];    /* for it; ended by an empty row */
};

/** Fill in place; `own` may not move afterwards. */
void spout__static_init(struct spout__static *own, const struct spout_app *app);
/** Are the directories there? Blocks. Returns 0, or -EINVAL with `why`. */
int spout__static_check(const struct spout_app *app, char why[SPOUT__ROUTER_WHY_SIZE]);

#endif
