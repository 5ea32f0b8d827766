/* SPDX-License-Identifier: MIT */
/*
 * What the program is doing, as JSON, out of shared memory: any worker can tell it of
 * all. For spoutctl and the dashboard; /metrics is the same for Prometheus. Counters
 * only grow: whoever wants rates asks twice.
 *
 *   { "name", "version", "pid", "uptime": s, "reloads", "failed_reloads",
 *     "set_aside": bool, "stopping": bool, "wanted_workers",
 *     "workers": [ { "worker", "pid", "state", "uptime": s, "starts", "recycles",
 *                    "deaths": { cause: n }, "heartbeat_age": s,
 *                    "figures": { name: value } } ],
 *     "pools":   [ { "worker", "pool", "threads", "threads_max", "queued", "running",
 *                    "refused", "wait": H, "run": H } ],
 *     "routes":  [ { "route", "responses": [1xx, ... 5xx], "duration": H } ] }
 *
 * H is { "sum": s, "buckets": [n] }: bucket i holds the times below 2^i microseconds.
 */
#ifndef SPOUT_APP_STATUS_H
#define SPOUT_APP_STATUS_H

#include <jansson.h>

#include "app/program.h"
#include "supervisor/scoreboard.h"

/** A new reference; NULL: no memory. */
json_t *spout__status_json(
    const struct spout__scoreboard *board, const struct spout__program *program);
/** [ { "worker", "id", "what", "age": s } ]: requests in flight, the oldest first. */
json_t *spout__requests_json(const struct spout__scoreboard *board);

#endif
