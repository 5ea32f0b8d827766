/* SPDX-License-Identifier: MIT */
/*
 * A web layer on a real loop and HTTP server, and a client on a socket pair: for the
 * tests of the web layer. One request per connection; its raw answer and the log are kept
 * as text.
 */
#ifndef SPOUT_TESTS_WEB_CLIENT_H
#define SPOUT_TESTS_WEB_CLIENT_H

#include "web/web.h"

extern struct spout_loop *loop;
extern struct spout__web *web;
/** In whom the next begin() trusts; NULL: in nobody. */
extern const struct spout__trust *trust;
extern int client, log_fd;
/** The last answer; what was logged since begin(), access log included. */
extern char got[1 << 20], logged[65536];
extern size_t got_len;

enum access_log { NO_ACCESS_LOG, ACCESS_LOG_TEXT, ACCESS_LOG_JSON };

/** Start serving an application. */
void begin(struct spout_app *app, enum access_log access_log);
/** Stop, free everything. */
void end(void);

/** The raw answer to raw bytes; the connection is closed afterwards. */
const char *say(const char *bytes, size_t len);
/** The same for "GET /path", more fields (each ended by CRLF), and a body or NULL. */
const char *request(const char *start, const char *fields, const char *body);
const char *get(const char *target);

/** About the last answer. */
bool status_is(int status);
bool has(const char *text);
bool lacks(const char *text);
const char *body(void);

#endif
