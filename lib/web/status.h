/* SPDX-License-Identifier: MIT */
/*
 * The one map from the error that ended a handler to the status of its answer, and the
 * words that go with a status. Pure.
 */
#ifndef SPOUT_WEB_STATUS_H
#define SPOUT_WEB_STATUS_H

#include <stdbool.h>

/*
 * An error that stands for a status chosen by spout_fail(): so it survives the way
 * through a future or a child coroutine, which carry an error only.
 */
#define SPOUT__ERROR_OF_STATUS(status) (-(100000 + (status)))

/** Nobody is left to read the answer; stands in the access log only. */
#define SPOUT__STATUS_CLIENT_GONE 499

/** Seconds that a client is asked to wait after a 503. */
#define SPOUT__RETRY_AFTER "1"

/** The status (400 to 599) that answers a handler which ended with `error` (-errno). */
int spout__status_of_error(int error);
/** Its standard words: "Not Found"; "Error" for one without. */
const char *spout__status_reason(int status);
/** What a client is told about it when the reason is none of its business. */
const char *spout__status_advice(int status);

#endif
