/* SPDX-License-Identifier: MIT */
/*
 * Who has asked how often: a table of fixed size, one for each worker. An entry is the
 * time until which somebody's requests are "used up" (the generic cell rate algorithm: a
 * token bucket that needs one number). Where too many meet in one place of the table, the
 * one that would be free soonest is forgotten: who floods it with names gains nothing,
 * for those are the ones. Names are hashed under a random key. Loop thread.
 */
#ifndef SPOUT_WEB_RATE_H
#define SPOUT_WEB_RATE_H

#include <spout/security.h>

#define SPOUT__RATE_SETS 2048u
#define SPOUT__RATE_WAYS 8u

struct spout__rates;

/** An empty table (384 KiB), or NULL. */
struct spout__rates *spout__rates_new(void);
void spout__rates_free(struct spout__rates *rates);
/**
 * One more request of `key` under `limit` at `now_us`. Returns 0 if it may be, else the
 * microseconds until it may; -ENOMEM.
 */
int64_t spout__rates_take(struct spout__rates *rates,
    const struct spout_rate_limit *limit, struct spout_slice key, int64_t now_us);

#endif
