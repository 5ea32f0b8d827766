/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a body between the handler and the wire: request bodies are
 * decompressed, responses get entity tags and are compressed.
 * It is the outermost middleware of the rows that need it, and of no others.
 */
#ifndef SPOUT_WEB_TRANSFORM_H
#define SPOUT_WEB_TRANSFORM_H

#include "web/condition.h"
#include "web/request.h"

/** Does this row need more than its handler? */
bool spout__transform_needed(
    const struct spout_app *app, const struct spout_route *route);
/** Middleware: arrange for it, then go on. */
void spout__transform_run(struct spout_request *req);

/**
 * What the conditions of a request say of the answer whose fields are ETag and
 * Last-Modified (RFC 9110 13.2.2). Does not wait or leave.
 */
enum spout__verdict spout__response_judge(struct spout_request *req);

#endif
