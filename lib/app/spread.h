/* SPDX-License-Identifier: MIT */
/*
 * Who of the workers takes the next connection, so that each has about as many. Else
 * long-lived connections of a proxy would stay as chance has dealt them.
 *
 * Of workers that share a socket, one that is above the mean leaves the next connection
 * to the others. Where each has its own, whoever has accepted looks at the counts of all
 * and steers new connections (supervisor/steer.h) to those at or below the mean: at once,
 * for a rule that lags some accepts behind is no better than chance. One that hangs gets
 * none. With more than SPOUT__SPREAD_MAX workers, or without BPF, the kernel's hash
 * decides. Loop thread of a worker.
 */
#ifndef SPOUT_APP_SPREAD_H
#define SPOUT_APP_SPREAD_H

#include "app/worker.h"

#define SPOUT__SPREAD_MAX 64u

/** For a shared socket: whether this worker (struct spout__life) should accept now. */
bool spout__spread_has_few(void *life);
/** For a socket of its own: true; looks at the counts. Asked before each accept. */
bool spout__spread_accepts(void *life);
/** Now and then: whoever has come, gone or begun to hang counts. */
void spout__spread_look(struct spout__life *life);

#endif
