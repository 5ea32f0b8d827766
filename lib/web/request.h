/* SPDX-License-Identifier: MIT */
/*
 * The request, as the files of this folder see it.
 *
 * It lies in the memory of the handler's scope, made when the head is there, and so do
 * the texts that the handler asks for.
 */
#ifndef SPOUT_WEB_REQUEST_H
#define SPOUT_WEB_REQUEST_H

#include "base/list.h"
#include "http/server.h"
#include "web/access_log.h"
#include "web/args.h"
#include "web/forwarded.h"
#include "web/keyring.h"
#include "web/file_cache.h"
#include "web/static.h"
#include "web/web.h"

/* Who reads a page of debug mode wants to see a place of the program, not of ours. */
#undef spout_fail
#define spout_fail(req, ...) spout_fail_at((req), NULL, __VA_ARGS__)

#define SPOUT__REQUEST_ID_MAX 64

struct spout_request {
	struct spout__web *web;
	struct spout__http_exchange *ex;
	const struct spout__http_head *head;
	const struct spout_route *route;
	struct spout__args *query, *form; /* parsed on first use, in the scope */
	struct spout__sent_cookie *sent_cookies; /* by spout_set_cookie(), newest first */
	struct spout__guarded *guarded; /* made when first asked for (web/guard.h) */
	const spout_handler_fn *chain; /* what spout_next() runs */
	struct spout__finisher *finishers;
	struct spout__inflater *inflater; /* of a body that came compressed */
	bool body_read;                /* a buffered body was handed out as a piece */
	bool finished;                 /* the handler has ended: no more writing */
	bool client_gone, cut;         /* for the access log */
	bool failure_logged;
	bool answered;                 /* by write_error */
	bool has_failed_at;
	uint32_t inflight;             /* its record in the table of the worker */
	struct spout__match match;
	const char *failed_at;         /* "file.c:12" of spout_fail(), or NULL */
	size_t id_len;
	char id[SPOUT__REQUEST_ID_MAX + 1];
};

/* One spout_on_finish(), in the scope; the newest first. */
struct spout__finisher {
	struct spout__finisher *next;
	void (*fn)(struct spout_request *req, const struct spout_finish *how, void *arg);
	void *arg;
};

struct spout__web_check {
	struct spout__list link;
	const char *name;
	spout_fn check;
	void *arg;
};

struct spout__web {
	struct spout_loop *loop;
	struct spout_app *app;
	struct spout__router *router;
	struct spout__host_router *hosts; /* ended by one without a name, or NULL */
	struct spout_templates *templates;
	struct spout__access_log access_log;
	bool watches_finish;           /* every response is logged or told of */
	struct spout__list checks;
	struct spout__keyring keys;    /* texts of the application's cookie_secret */
	struct spout__trust trust;     /* in proxies */
	struct spout__rates *rates;    /* made when first needed */
	const struct spout__session_store *session_store; /* NULL: no database */
	struct spout__file_cache *files; /* NULL until the first is asked for */
	struct spout__static statics;
	struct spout__compressor *compressor; /* made when first needed */
	const char *unready;           /* why; NULL: ready */
	char next_id[SPOUT__REQUEST_ID_MAX + 1]; /* the id of the next request */
};

/** Make the request of an exchange in its scope; NULL when out of memory. */
struct spout_request *spout__request_new(struct spout__web *web,
    struct spout__http_exchange *ex, const struct spout__http_head *head);
/** Set its id: the client's if that is sane (then it is sent back), else the next one. */
void spout__request_set_id(struct spout_request *req);
/** Begin the series of ids of this worker. */
void spout__request_ids_init(struct spout__web *web);

/** Who asks, as far as that can be known. Does not allocate. */
void spout__request_client(
    const struct spout_request *req, struct spout__client *ret_client);

/** A host of the application's table, and its routes. */
struct spout__host_router {
	const char *name;
	struct spout__router *router;
};

/** The row, or the page that says what is wrong; NULL: out of memory. */
const struct spout_route *spout__find_route(struct spout_request *req,
    const struct spout__http_head *head);
/** Make the routers of the application. 0, or -errno with `why`; free them either way. */
int spout__routers_make(struct spout__web *web, char why[SPOUT__ROUTER_WHY_SIZE]);
void spout__routers_free(struct spout__web *web);
/** The routes that serve the host of this request. */
const struct spout__router *spout__request_router(const struct spout_request *req);
/** What is done behind a handler that has not failed; may wait and leave. */
void spout__after_handler(struct spout_request *req);
/** Run the handler with all that is around it. */
void spout__run_chain(struct spout_request *req);
/** The response is over: tell those who asked. */
void spout__run_finishers(struct spout_request *req, const struct spout_finish *how);

/** The Content-Type, a constant. */
void spout__response_type(struct spout_request *req, struct spout_slice type);
#define SPOUT__LITERAL(text) spout_slice_of(text, sizeof(text) - 1)
/**
 * The handler fails: let the program write the page, if it wants to. On its stack; may
 * wait and leave.
 */
void spout__failure_write(struct spout_request *req,
    const struct spout__outcome *outcome);
/**
 * Answer with the error page for how the handler ended, and log. On its stack; does not
 * wait.
 */
void spout__failure_answer(struct spout_request *req,
    const struct spout__outcome *outcome);

/** The library's own routes, ended by SPOUT_END. */
extern const struct spout_route spout__health_routes[];

#endif
