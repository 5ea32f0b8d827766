/* SPDX-License-Identifier: MIT */
/*
 * spout-demo: a program that uses everything the library offers. One file per subject;
 * what they share is here. Uses public headers only, as any program would.
 */
#ifndef DEMO_H
#define DEMO_H

#include <spout/spout.h>

#include "examples/chat/room.h"

/** --fault-routes: serve /fault/… (faults.c). */
extern bool demo_fault_routes;
/** --fetch-allow: /fetch may fetch (fetch.c). */
extern bool demo_fetch_allow;

/* assets.c: the path of the demo's folder "static" or "locale"; NULL: it is not there. */
#define DEMO_PATH_SIZE 4200
const char *demo_folder(const char *name, char path[DEMO_PATH_SIZE]);

/* page.c */
void page_get(struct spout_request *req);

/* features.c: a page of all features, its style and its script. */
void features_get(struct spout_request *req);
void features_css_get(struct spout_request *req);
void features_js_get(struct spout_request *req);
extern const struct spout_template_function demo_template_functions[];

/* sources.c, highlight.c */
/** A file of the demo, or functions of it, as HTML in the scope; NULL: not there. */
const char *sources_html(const char *file, const char *const *names, size_t n);
/** C as HTML, in the scope. */
const char *highlight(const char *text);

/* basics.c: no database, no files. */
void plaintext_get(struct spout_request *req);
void json_get(struct spout_request *req);
void sleep_get(struct spout_request *req);
void cpu_get(struct spout_request *req);

/* bodies.c: streamed request bodies. */
void echo_post(struct spout_request *req);
void upload_post(struct spout_request *req);

/* login.c: a form, a signed cookie, a page behind it. */
const void *login_user(struct spout_request *req);
void login_get(struct spout_request *req);
void login_post(struct spout_request *req);
void logout_post(struct spout_request *req);
void account_get(struct spout_request *req);
void session_get(struct spout_request *req);

/* fetch.c: asking other servers. */
void fetch_start(void);
void fetch_get(struct spout_request *req);

/* events.c */
void events_get(struct spout_request *req);

/* websocket.c */
extern const struct spout_websocket_handler websocket_echo;

/* export.c: rows by the million. */
void export_get(struct spout_request *req);

/* worlds.c: the TechEmpower tests on the table world. */
void db_get(struct spout_request *req);
void queries_get(struct spout_request *req);
void updates_get(struct spout_request *req);
void cached_queries_get(struct spout_request *req);
void db_sleep_get(struct spout_request *req);

/* fortunes.c */
void fortunes_get(struct spout_request *req);

/* faults.c: what a server has to survive. */
void fault_spin_get(struct spout_request *req);
void fault_crash_get(struct spout_request *req);
void fault_leak_get(struct spout_request *req);
void fault_abort_db_get(struct spout_request *req);

/* tables.c */
#define DEMO_WORLDS 10000

/** Look for the tables, and create them, in the background. */
void tables_start(void);
/** The same again as long as they were not there: the database may come up later. */
void tables_round(struct spout_app *app);
/**
 * Go on only with a database: without one, answer 503 with a page that says how to give
 * one, and return false.
 */
bool tables_need(struct spout_request *req);

/** Made by spoutc of the folder templates. */
extern const struct spout_template_program demo_templates[];

#endif
