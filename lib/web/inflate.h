/* SPDX-License-Identifier: MIT */
/*
 * Request bodies that came compressed: gzip, deflate, brotli. The limit of the route is
 * that of what comes out, too, so that a small body cannot become a large one.
 */
#ifndef SPOUT_WEB_INFLATE_H
#define SPOUT_WEB_INFLATE_H

#include "web/request.h"

struct spout__inflater;

/**
 * If the body of this request has a Content-Encoding, decompress it: whole, or as it is
 * read in a route with .stream_body. Leaves with 415 for an unknown coding, and with 400
 * and 413 for a whole body.
 */
void spout__inflate_begin(struct spout_request *req);
/** The whole body of a request whose `inflater` is not NULL. */
struct spout_slice spout__inflated(const struct spout__inflater *inflater);
/** The next piece of a streamed one; empty at the end. Suspends, leaves (400, 413). */
struct spout_slice spout__inflate_read(struct spout_request *req);

#endif
