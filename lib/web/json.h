/* SPDX-License-Identifier: MIT */
/* JSON of requests: see json.c. */
#ifndef SPOUT_WEB_JSON_H
#define SPOUT_WEB_JSON_H

#include <spout/types.h>

/** Deepest nesting taken from a client: jansson recurses on the coroutine's stack. */
#define SPOUT__JSON_MAX_DEPTH 100u

/** False if the text opens more brackets at once than that. Pure. */
bool spout__json_depth_ok(struct spout_slice text);

#endif
