/* SPDX-License-Identifier: MIT */
/*
 * What is looked at before a handler runs: see spout/security.h. It is the outermost
 * middleware of the rows that need it, and of no others.
 */
#ifndef SPOUT_WEB_GUARD_H
#define SPOUT_WEB_GUARD_H

#include <spout/security.h>

#include "web/request.h"

#define SPOUT__XSRF_TOKEN_SIZE 16u

/** What a request knows about its security; made when first asked for. */
struct spout__guarded {
	bool user_known, xsrf_known;
	const void *user;
	unsigned char xsrf[SPOUT__XSRF_TOKEN_SIZE];
	const char *nonce, *challenge;
	uint64_t retry_after_s;
	struct spout__session *session; /* loaded when first asked for */
};

/** Never NULL: leaves when out of memory. */
struct spout__guarded *spout__guarded(struct spout_request *req);

/** Does this row need more than its handler? */
bool spout__guard_needed(const struct spout_app *app, const struct spout_route *route);
/** Middleware: check, then go on. */
void spout__guard_run(struct spout_request *req);
/** The fields of every response; leaves when it cannot. */
void spout__guard_open(struct spout_request *req);
/** What is wrong with an application's security, or NULL; reads its secrets. */
const char *spout__guard_check(
    const struct spout_app *app, struct spout__keyring *ret_keys);

/** Fields of every response. Does not wait or leave: 0 or -errno. */
int spout__guard_fields(struct spout_request *req);
int spout__cors_fields(struct spout_request *req);
/** The answer to OPTIONS may be a preflight's; `allow` are the methods of the path. */
void spout__cors_preflight(struct spout_request *req, const char *allow);

/** What .rate_limit counts by. */
const char *spout__rate_key_of_client(struct spout_request *req);

/** What spout_xsrf_token() sends, for a token and a mask. Pure. */
#define SPOUT__XSRF_TEXT_ROOM 72
void spout__xsrf_compose(const unsigned char token[SPOUT__XSRF_TOKEN_SIZE],
    const unsigned char mask[4], int64_t when, char to[SPOUT__XSRF_TEXT_ROOM]);
/** 0, or -EBADMSG for what is no token. Pure. */
int spout__xsrf_parse(struct spout_slice text,
    unsigned char ret_token[SPOUT__XSRF_TOKEN_SIZE]);

#endif
