/* SPDX-License-Identifier: MIT */
/*
 * The web layer of one worker: the delegate of its HTTP server. Made after the fork, on
 * the loop's thread, before the server; freed after it.
 */
#ifndef SPOUT_WEB_PRIVATE_H
#define SPOUT_WEB_PRIVATE_H

#include <spout/web.h>

#include "http/server.h"
#include "web/router.h"

struct spout__session_store;
struct spout__trust;
struct spout__web;

struct spout__web_options {
	int access_log_fd;      /* -1: no access log */
	bool access_log_json;   /* one JSON object per line, not the combined format */
	const struct spout__trust *trust; /* in proxies; copied; NULL: in nobody */
};

/**
 * Check the routes of an application: before the fork, for --check. Returns 0, or -errno
 * with `why` saying what is wrong.
 */
int spout__web_check(const struct spout_app *app, char why[SPOUT__ROUTER_WHY_SIZE]);
/** The same for its templates; SPOUT_TEMPLATE_WHY_SIZE bytes. Reads files. */
int spout__web_check_templates(const struct spout_app *app, char *why);
/** Returns owned, or NULL with errno; borrows `app`. */
struct spout__web *spout__web_new(struct spout_loop *loop, struct spout_app *app,
    const struct spout__web_options *options);
void spout__web_free(struct spout__web *web);
/** What spout__http_server_new() wants. */
struct spout__http_delegate spout__web_delegate(struct spout__web *web);

/**
 * What /readyz says: `why` is the reason why the worker is not ready ("starting",
 * "stopping"; static text), NULL when it is. It begins as "starting".
 */
void spout__web_set_unready(struct spout__web *web, const char *why);
/** One more check for /readyz beside the application's (static name). 0 or -ENOMEM. */
int spout__web_add_check(struct spout__web *web, const char *name, spout_fn check,
    void *arg);
/** Where sessions are kept, if not in cookies; borrowed. */
void spout__web_set_session_store(
    struct spout__web *web, const struct spout__session_store *store);
/** Descriptor of the access log, for when its file was opened anew. */
void spout__web_set_access_log(struct spout__web *web, int fd);

#endif
