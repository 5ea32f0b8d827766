/* SPDX-License-Identifier: MIT */
/*
 * The web application: routes, requests, responses.
 *
 * A handler is a plain function that may wait; it runs as a coroutine of its own with the
 * request's scope (spout/async.h). Everything here belongs to the loop's thread and, but
 * for the tables, inside a handler. What a function returns without saying otherwise is
 * borrowed and lives as long as the request.
 *
 * A call that cannot do its work ends the handler with an error page (spout_fail()).
 * Misuse (a header after the head has been sent, an unknown status) is logged once as a
 * warning and returns -EINVAL; calls from a pool job abort with the job's name.
 */
#ifndef SPOUT_WEB_H
#define SPOUT_WEB_H

#include <spout/async.h>
#include <spout/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct spout_app;
struct spout_locales;
struct spout_cors;
struct spout_option;
struct spout_security_headers;
struct spout_sessions;
struct spout_rate_limit;
struct spout_request;
struct spout_certificate;
struct spout_template_function;
struct spout_template_program;
struct json_t;

/** A handler, or middleware: a handler that calls spout_next() for what it wraps. */
typedef void (*spout_handler_fn)(struct spout_request *req);

/** How a handler has failed. Texts are not escaped. */
struct spout_failure {
	int status;          /* 400 to 599; set already, and the fields that go with it */
	const char *reason;  /* its standard words: "Not Found" */
	const char *message; /* for the client: the text of spout_fail() up to 499, else
	                      * what to do about it; perhaps "" */
	const char *cause;   /* as the log has it: may tell what is nobody's business */
	bool json;           /* the client prefers JSON to HTML (Accept) */
};
/**
 * Writes the error page. It runs in place of what was left of the handler, and may do
 * what that may, waiting for a database too, unless the handler was ended by its
 * deadline or by a stop. What it writes is buffered, at most 64 KiB. If it writes
 * nothing, or fails itself, the page is the library's. (Tornado: write_error)
 */
typedef void (*spout_error_fn)(
    struct spout_request *req, const struct spout_failure *failure);

/* --- routes -------------------------------------------------------------------- */

enum {
	SPOUT_METHOD_GET = 1 << 0,
	SPOUT_METHOD_HEAD = 1 << 1,
	SPOUT_METHOD_POST = 1 << 2,
	SPOUT_METHOD_PUT = 1 << 3,
	SPOUT_METHOD_PATCH = 1 << 4,
	SPOUT_METHOD_DELETE = 1 << 5,
	SPOUT_METHOD_OPTIONS = 1 << 6,
};

/**
 * One row of an application's table of routes. Patterns:
 *
 *     /users              exactly this
 *     /users/{id}         one segment, not empty: spout_path(req, "id")
 *     /files/{path...}    the rest, perhaps empty: spout_path(req, "path")
 *     /users/{id:int}     a segment that fits: int, int(1..1000), uuid, or a regular
 *                         expression of PCRE2 without '/' for the whole of it
 *
 * A parameter that does not fit makes the path unknown: 404.
 *
 * A fixed segment wins over a parameter, a parameter over a rest. Segments are compared
 * and handed out percent-decoded once, after the path was split at its slashes: "%2F"
 * stays inside a segment. A rest refuses "%2F" and ".." with 400, since it will be split
 * again. An unknown path answers 404, a known one with another method 405 with Allow;
 * HEAD is served by GET and OPTIONS answers itself unless the table says otherwise.
 * Two rows for one method and pattern are an error when the program starts.
 */
struct spout_route {
	const char *pattern;      /* NULL ends the table */
	spout_handler_fn handler;
	unsigned methods;         /* SPOUT_METHOD_… */
	bool stream_body;         /* start after the head; read with spout_body_read() */
	bool half_close;          /* a client that shut its sending side is still there */
	uint64_t timeout_ms;      /* deadline of the request [the app's] */
	uint64_t body_timeout_ms; /* between two pieces of the body [the server's] */
	uint64_t max_body_bytes;  /* more: 413 [the app's] */
	bool login_required;      /* for users only (spout/security.h) */
	const struct spout_rate_limit *rate_limit; /* by the client's address */
	bool decompress_body;     /* as if the app said so */
	bool no_compress;         /* never compress, whatever the app says */
	bool xsrf_exempt;         /* no token needed: for programs, not for browsers */
	const void *data;         /* spout_route_data(req) */
	const char *name;         /* for spout_reverse_url() */
	const spout_handler_fn *middleware; /* around the handler; ended by NULL */
	const struct spout_route *mount;    /* a table below this path: SPOUT_MOUNT */
	spout_error_fn write_error; /* pages of what fails here [the app's] */
};

/* SPOUT_GET("/users/{id}", show_user, .timeout_ms = 2000) */
#define SPOUT_GET(path, ...) SPOUT_ROUTE(SPOUT_METHOD_GET, path, __VA_ARGS__)
#define SPOUT_POST(path, ...) SPOUT_ROUTE(SPOUT_METHOD_POST, path, __VA_ARGS__)
#define SPOUT_PUT(path, ...) SPOUT_ROUTE(SPOUT_METHOD_PUT, path, __VA_ARGS__)
#define SPOUT_PATCH(path, ...) SPOUT_ROUTE(SPOUT_METHOD_PATCH, path, __VA_ARGS__)
#define SPOUT_DELETE(path, ...) SPOUT_ROUTE(SPOUT_METHOD_DELETE, path, __VA_ARGS__)
/* SPOUT_ROUTE(SPOUT_METHOD_GET | SPOUT_METHOD_POST, "/login", login) */
#define SPOUT_ROUTE(method_bits, path, ...) \
	{ .methods = (method_bits), .pattern = (path), .handler = __VA_ARGS__ }
/*
 * The rows of another table, each pattern with this path before it: SPOUT_MOUNT("/blog",
 * blog_routes, .middleware = (const spout_handler_fn[]){ log_in, NULL }). There a pattern
 * may be "": "/blog" itself. Tables may be mounted in mounted tables.
 */
#define SPOUT_MOUNT(path, ...) { .pattern = (path), .mount = __VA_ARGS__ }
/*
 * Send GET and HEAD to another place, for good (301) or for now (302): a path or URL in
 * which parameters of the pattern are replaced, SPOUT_REDIRECT("/u/{id}", "/users/{id}").
 * The query goes with it. (Tornado: RedirectHandler)
 */
#define SPOUT_REDIRECT(path, to) \
	SPOUT_GET(path, spout_redirect_moved, .data = (const char *)(to))
#define SPOUT_REDIRECT_FOUND(path, to) \
	SPOUT_GET(path, spout_redirect_found, .data = (const char *)(to))
#define SPOUT_END { .pattern = NULL }

SPOUT_API void spout_redirect_moved(struct spout_request *req);
SPOUT_API void spout_redirect_found(struct spout_request *req);

/**
 * In middleware: run what it wraps, the next middleware or the handler, and come back
 * when that has returned. What fails in there does not come back (spout_defer() and
 * spout_on_finish() do); not calling it is an answer without the handler. Once only.
 */
SPOUT_API void spout_next(struct spout_request *req);

/* --- the application -------------------------------------------------------------- */

/** Something done again and again in each worker, each time with a scope of its own. */
struct spout_periodic_task {
	const char *name;         /* for the log; NULL ends the table */
	void (*run)(struct spout_app *app); /* a coroutine; a failure is logged */
	uint64_t every_ms;        /* fixed; a round that still runs skips the next */
	double jitter;            /* 0 to 1: varies each interval, half down, half up */
	uint64_t timeout_ms;      /* deadline of a round [none] */
};

/**
 * Something that must work for the worker to be ready: `check` fails by leaving, as any
 * plain call does (spout_pg_query("SELECT 1"), spout_fail_with()). Runs for each GET
 * /readyz, in turn, as a coroutine with a deadline of one second.
 */
struct spout_readiness {
	const char *name;         /* in the answer of /readyz; NULL ends the table */
	void (*check)(struct spout_app *app);
};

/** A table of routes for some hosts. (Tornado: add_handlers, HostMatches) */
struct spout_host {
	const char *name;         /* "example.org", "*.example.org"; NULL ends it */
	const struct spout_route *routes;
};

/** What to do with a path that only a '/' at its end keeps from being found. */
enum spout_slash_policy {
	SPOUT_SLASH_STRICT,   /* another path: 404 */
	SPOUT_SLASH_REDIRECT, /* 301 to the path that is found, 308 unless GET or HEAD */
	SPOUT_SLASH_SAME,     /* the same path */
};

/** How a response ended. */
struct spout_finish {
	int status;           /* 499: the client was gone before an answer */
	uint64_t bytes;       /* of the body, sent */
	uint64_t duration_us; /* since the head was read */
	bool cut;             /* failed after the head: the connection was cut */
};

/** A program. Tables and texts are borrowed for its whole life; see spout/app.h. */
struct spout_app {
	const char *name;         /* for the log and the database: "users" */
	const char *version;      /* for --version */
	const char *description;  /* for --help: one line */
	const struct spout_route *routes; /* ended by SPOUT_END */
	const struct spout_option *options; /* its own (spout/option.h), or NULL */
	const struct spout_periodic_task *periodic_tasks; /* or NULL */
	const struct spout_readiness *readiness; /* or NULL */
	void *data;               /* whatever it likes: spout_app_data(req) */
	const struct spout_host *hosts; /* looked at before `routes`, or NULL */
	const spout_handler_fn *middleware; /* around every handler, and around the pages
	                           * for 404, 405 and OPTIONS; ended by NULL, or NULL */
	enum spout_slash_policy slash;
	const struct spout_locales *locales; /* spout/locale.h, or NULL */
	const char *default_locale; /* for who accepts none of them: "de" */
	/* The language that the user of this request has chosen: "de", NULL: none. */
	const char *(*get_user_locale)(struct spout_request *req);
	/* After each response, with its outcome, whatever became of the handler. May look
	 * at the request; may neither wait nor write nor fail. (log_request) */
	void (*on_finish)(struct spout_request *req, const struct spout_finish *how);
	/* Files below this directory are /static/…, /favicon.ico and /robots.txt
	 * (spout/file.h); --static-path wins. NULL: none. */
	const char *static_path;
	/* Error pages, of handlers and of paths that are not found; NULL: the library's,
	 * HTML or JSON by Accept. Not of requests that are malformed. */
	spout_error_fn write_error;
	/*
	 * For whoever writes the program, never for the public: error pages (the
	 * library's) show the reason, the place in the source, the functions that ran and
	 * the request; --debug sets it and does more, see spout-options(7). (Tornado:
	 * debug, serve_traceback)
	 */
	bool debug;

	/* Before the fork; no threads, no sockets. 0, or -errno to end the program. */
	int (*preload)(struct spout_app *app);
	/* In each worker, as a coroutine; the worker is ready when it returns. A failure
	 * (by leaving) ends the worker with its reason in the log. */
	void (*on_worker_start)(struct spout_app *app);
	/* In each worker, as a coroutine, when the last request has been answered. */
	void (*on_worker_stop)(struct spout_app *app);

	/*
	 * Compress what is worth it: text, JSON, XML, SVG and the like, from 1024 bytes
	 * on or sent as it comes, by brotli or gzip as the client accepts. Not what has a
	 * Content-Encoding, a Content-Length or Cache-Control: no-transform set by the
	 * handler, nor text/event-stream. A page that shows a secret beside what somebody
	 * else can put there should be left out (.no_compress; BREACH). (Tornado:
	 * compress_response)
	 */
	bool compress;
	/*
	 * Decompress request bodies by their Content-Encoding: gzip, deflate, br; another
	 * answers 415, a malformed one 400. max_body_bytes is the limit of what comes out
	 * as well as of what is sent. (Tornado: decompress_request)
	 */
	bool decompress_body;
	/*
	 * Give an ETag, by the content, to answers to GET and HEAD with status 200 that
	 * are not longer than 64 KiB and not flushed, and answer 304 to a client that has
	 * them. The handler runs in any case: spout_not_modified() spares its work.
	 */
	bool etag;

	/* Defaults for routes that say nothing; 0: what the program's options say. */
	uint64_t request_timeout_ms;
	uint64_t max_body_bytes;

	/*
	 * What signs and encrypts cookies (spout/cookie.h): a secret of at least 16
	 * characters, or a line "VERSION SECRET" for each of several, of which the first
	 * signs. --cookie-secret-file and SPOUT_COOKIE_SECRET win over it; preload may
	 * set it.
	 */
	const char *cookie_secret;

	/* Security (spout/security.h). */
	bool xsrf_cookies;            /* check tokens against forged requests */
	const char *xsrf_cookie_name; /* ["_xsrf"]; "__Host-_xsrf" where all is https */
	/* Who has logged in: anything, or NULL for nobody. May wait. */
	const void *(*current_user)(struct spout_request *req);
	/* The same user for templates, where it is `current_user`: a value, owned by the
	 * caller; NULL is an error. Without it templates see true. */
	struct json_t *(*describe_user)(struct spout_request *req, const void *user);
	const char *login_url;        /* where .login_required sends others ["/login"] */
	const struct spout_security_headers *security_headers; /* or NULL */
	const struct spout_cors *cors; /* or NULL */
	const struct spout_sessions *sessions; /* spout/session.h, or NULL */

	/* Pages (spout/template.h): a folder of files, a table that spoutc(1) made, and
	 * functions beside those of the library; each may be NULL. */
	const char *template_path;
	const struct spout_template_program *template_programs;
	const struct spout_template_function *template_functions;
	bool template_reload;     /* look for changes at each page: reads files then */

	/*
	 * The password for the database, asked for with each log-in, so that a token may
	 * change: written to ret_password (of `size` bytes) with its NUL. Returns 0 or
	 * -errno. On a db thread, several at once: it may block, for as long as
	 * --db-connect-timeout allows. NULL: --db-password-file, or what libpq finds.
	 */
	int (*database_password)(char *ret_password, size_t size);
};

/** The application that serves this request, its data, and the data of the route. */
SPOUT_API struct spout_app *spout_request_app(const struct spout_request *req);
SPOUT_API void *spout_app_data(const struct spout_request *req);
SPOUT_API const void *spout_route_data(const struct spout_request *req);

/**
 * Call fn(req, how, arg) when the response is over, newest first, under the rules of the
 * application's on_finish. `arg` lives as long as the request. (Tornado: on_finish)
 */
SPOUT_API void spout_on_finish(struct spout_request *req,
    void (*fn)(struct spout_request *req, const struct spout_finish *how, void *arg),
    void *arg);
/**
 * The path of the row of that name, in the table that serves this request, with its
 * parameters in order, percent-encoded: spout_reverse_url(req, "user", "7"). Another
 * number of parameters, or an unknown name, ends the handler with 500. (Tornado:
 * reverse_url)
 */
#define spout_reverse_url(req, ...) \
	spout_reverse_url_of((req), (const char *const[]){ __VA_ARGS__, NULL })
SPOUT_API const char *spout_reverse_url_of(struct spout_request *req,
    const char *const *name_and_values);

/* --- the request -------------------------------------------------------------------- */

/** "GET" … */
SPOUT_API const char *spout_request_method(const struct spout_request *req);
/** As the client sent it, still encoded: "/users/7?page=2", "/users/7", "page=2". */
SPOUT_API const char *spout_request_target(struct spout_request *req);
SPOUT_API const char *spout_request_path(struct spout_request *req);
SPOUT_API const char *spout_request_query(struct spout_request *req);
/** The host the client asked for, with its port if it named one; in HTTP/1.0 maybe "". */
SPOUT_API const char *spout_request_host(struct spout_request *req);
/** The same without the port. (host_name) */
SPOUT_API const char *spout_request_host_name(struct spout_request *req);
/** The whole URL, by which the client has come, as far as we know. (full_url) */
SPOUT_API const char *spout_request_url(struct spout_request *req);
/** "HTTP/1.1" or "HTTP/1.0". */
SPOUT_API const char *spout_request_version(const struct spout_request *req);
/** Microseconds from the head to now, or to the end of the handler. (request_time) */
SPOUT_API uint64_t spout_request_time_us(const struct spout_request *req);
/** The text that finds this request in the log: the client's X-Request-Id, or our own. */
SPOUT_API const char *spout_request_id(const struct spout_request *req);
/**
 * Address of the client: "192.0.2.1", "2001:db8::1", "unix". Proxies that are trusted
 * (--trusted-proxy) tell it; without them it is the other end of the connection.
 */
SPOUT_API const char *spout_remote_addr(struct spout_request *req);
/** Did the client use TLS: to us, or to a proxy that is trusted (--trusted-proxy)? */
SPOUT_API bool spout_request_secure(const struct spout_request *req);
/**
 * The certificate that the client has shown, checked against --tls-client-ca (spout/tls.h
 * has the struct); NULL without one, or when the client is gone. Lives as long as the
 * request.
 */
SPOUT_API const struct spout_certificate *spout_request_certificate(
    const struct spout_request *req);
/** The value of the first field of that name (any case), or NULL. */
SPOUT_API const char *spout_header(struct spout_request *req, const char *name);
/** The i-th field as sent; false behind the last one. */
SPOUT_API bool spout_header_at(const struct spout_request *req, unsigned i,
    struct spout_slice *ret_name, struct spout_slice *ret_value);
/** Seconds since 1970. */
SPOUT_API int64_t spout_now(void);

/*
 * Arguments. Text is percent-decoded, valid UTF-8, without NUL; anything else answers
 * 400. spout_arg() looks into the form (a body of type
 * application/x-www-form-urlencoded), then into the query; of several arguments of one
 * name the last counts. Malformed or out of range answers 400 naming the field.
 */

/** A parameter of the route's pattern. */
SPOUT_API const char *spout_path(struct spout_request *req, const char *name);
/** An argument, NULL if it is missing: of either kind, of the query, of the form. */
SPOUT_API const char *spout_arg(struct spout_request *req, const char *name);
SPOUT_API const char *spout_query_arg(struct spout_request *req, const char *name);
SPOUT_API const char *spout_form_arg(struct spout_request *req, const char *name);
/** All values of that name, the query's first; ended by NULL, perhaps empty. */
SPOUT_API const char *const *spout_args(struct spout_request *req, const char *name);
/** The same as spout_arg(), but 400 if it is missing. */
SPOUT_API const char *spout_require_arg(struct spout_request *req, const char *name);

/** Numbers are not negative unless `min` says so. */
struct spout_int_range {
	int64_t min;       /* [0] */
	int64_t max;       /* 0: no upper bound */
	int64_t otherwise; /* if the argument is missing or empty [0]; not checked */
};
struct spout_double_range {
	double min;        /* [0] */
	double max;        /* 0: no upper bound */
	double otherwise;  /* if the argument is missing or empty [0]; not checked */
};

/* spout_arg_int(req, "page", .min = 1, .max = 1000, .otherwise = 1) */
#define spout_path_int(req, name, ...) \
	spout_path_int_in((req), (name), &(struct spout_int_range){ __VA_ARGS__ })
#define spout_arg_int(req, name, ...) \
	spout_arg_int_in((req), (name), &(struct spout_int_range){ __VA_ARGS__ })
#define spout_require_arg_int(req, name, ...) \
	spout_require_arg_int_in((req), (name), &(struct spout_int_range){ __VA_ARGS__ })
#define spout_arg_double(req, name, ...) \
	spout_arg_double_in((req), (name), &(struct spout_double_range){ __VA_ARGS__ })
#define spout_require_arg_double(req, name, ...) \
	spout_require_arg_double_in( \
	    (req), (name), &(struct spout_double_range){ __VA_ARGS__ })
SPOUT_API int64_t spout_path_int_in(struct spout_request *req, const char *name,
    const struct spout_int_range *range);
SPOUT_API int64_t spout_arg_int_in(struct spout_request *req, const char *name,
    const struct spout_int_range *range);
SPOUT_API int64_t spout_require_arg_int_in(struct spout_request *req, const char *name,
    const struct spout_int_range *range);
SPOUT_API double spout_arg_double_in(struct spout_request *req, const char *name,
    const struct spout_double_range *range);
SPOUT_API double spout_require_arg_double_in(struct spout_request *req, const char *name,
    const struct spout_double_range *range);
/** 1, true, yes, on; 0, false, no, off; anything else is 400. */
SPOUT_API bool spout_arg_bool(struct spout_request *req, const char *name,
    bool otherwise);
SPOUT_API bool spout_require_arg_bool(struct spout_request *req, const char *name);
/**
 * Which of the words (ended by NULL) it is, by letter: spout_arg_enum(req, "sort", (const
 * char *[]){ "name", "date", NULL }, 0). `otherwise` if it is missing or empty.
 */
SPOUT_API int spout_arg_enum(struct spout_request *req, const char *name,
    const char *const *words, int otherwise);
SPOUT_API int spout_require_arg_enum(struct spout_request *req, const char *name,
    const char *const *words);
/**
 * A date or time as RFC 3339 and HTML forms write it, in seconds since 1970:
 * "2026-11-21", "2026-11-21T10:30", "2026-11-21T10:30:00+01:00". Without an offset it is
 * UTC; fractions of a second are dropped. `otherwise` if it is missing or empty.
 */
SPOUT_API int64_t spout_arg_time(struct spout_request *req, const char *name,
    int64_t otherwise);
SPOUT_API int64_t spout_require_arg_time(struct spout_request *req, const char *name);

/** The whole body; empty for a route with .stream_body. */
SPOUT_API struct spout_slice spout_body(const struct spout_request *req);
/**
 * The next piece of the body, valid until the next call; empty at the end. Suspends in a
 * route with .stream_body; leaves when the body is malformed, too large or late.
 */
SPOUT_API struct spout_slice spout_body_read(struct spout_request *req);
/**
 * The body as JSON (jansson); belongs to the request. Malformed JSON, a name twice in one
 * object, or nesting deeper than 100 answers 400.
 */
SPOUT_API struct json_t *spout_body_json(struct spout_request *req);

/* --- the response --------------------------------------------------------------- */

/** Status of the response [200], 200 to 599. 0 or -EINVAL. */
SPOUT_API int spout_set_status(struct spout_request *req, int status);
/** The status that was set, or that an error page has. (get_status) */
SPOUT_API int spout_status(const struct spout_request *req);
/** Forget status, fields and body so far. 0, or -EINVAL when the head has been sent. */
SPOUT_API int spout_clear(struct spout_request *req);
/**
 * Set a header field (replacing all of that name), or add one more. Copies. Content-Type
 * is text/html; charset=UTF-8 unless it is set. 0, or -EINVAL when the head has been
 * sent. A control character in the value, a name that is no token, or one that is the
 * server's (Connection, Date, Server, Transfer-Encoding) ends the handler with 500.
 */
SPOUT_API int spout_set_header(struct spout_request *req, const char *name,
    const char *value);
SPOUT_API int spout_add_header(struct spout_request *req, const char *name,
    const char *value);
/** Take back all fields of that name. 0, or -EINVAL when the head has been sent. */
SPOUT_API int spout_clear_header(struct spout_request *req, const char *name);
/**
 * Set the ETag to `tag` in quotes: any visible ASCII but quotes; "W/" before it makes a
 * weak one. Another text ends the handler with 500. 0, or -EINVAL when the head has been
 * sent. (Tornado: set_etag_header)
 */
SPOUT_API int spout_set_etag(struct spout_request *req, const char *tag);
/**
 * Does the client have this already, by the ETag that was set and the time it was last
 * modified (seconds since 1970, sent as Last-Modified; -1: not known)? True: the status
 * is 304 now, and the handler is done. A condition that does not hold (If-Match,
 * If-Unmodified-Since; If-None-Match of a method other than GET and HEAD) ends the
 * handler with 412. RFC 9110 13.2.2. (Tornado: check_etag_header)
 *
 *     spout_set_etag(req, page->version);
 *     if (spout_not_modified(req, page->changed))
 *             return;
 */
SPOUT_API bool spout_not_modified(struct spout_request *req, int64_t last_modified);
/**
 * Add a measurement for the developer tools of browsers (Server-Timing): its name, a
 * token, how long it took, and a description, printable ASCII, or NULL. Anyone can read
 * it. The rules of spout_add_header().
 */
SPOUT_API int spout_server_timing(struct spout_request *req, const char *name,
    uint64_t duration_us, const char *description);
/**
 * Append to the body. Copies. Buffered to 64 KiB, beyond that sent in chunks; suspends
 * while the client is slow. The plain forms leave when the client is gone.
 */
SPOUT_API void spout_write(struct spout_request *req, const void *data, size_t len);
SPOUT_API SPOUT_MUST_CHECK int spout_try_write(struct spout_request *req,
    const void *data, size_t len);
SPOUT_API void spout_write_text(struct spout_request *req, const char *text);
SPOUT_API void spout_printf(struct spout_request *req, const char *fmt, ...)
    SPOUT_PRINTF(2, 3);
/** Append text with &, <, >, " and ' escaped. */
SPOUT_API void spout_write_escaped(struct spout_request *req, const char *text);
/** Send the head and what is buffered now; suspends while the client is slow. */
SPOUT_API void spout_flush(struct spout_request *req);
/** Answer with plain text: sets the Content-Type, appends. */
SPOUT_API void spout_plain(struct spout_request *req, const char *text);
/** Answer with JSON: sets the Content-Type, appends. Takes the reference. Arrays and
 * objects nested more than 256 deep leave with -ENOMEM. */
SPOUT_API void spout_json(struct spout_request *req, struct json_t *value);
/** The same from a format of json_pack(): spout_json_pack(req, "{s:i}", "n", 1). */
SPOUT_API void spout_json_pack(struct spout_request *req, const char *fmt, ...);
/**
 * Append the page that a template makes of the members of a JSON object (or NULL); see
 * spout-template(7). Takes the reference. Templates are read and compiled when the worker
 * starts. Beside the values every page has `request` (method, uri, path, query, host,
 * remote_ip, id), `current_user`, `locale`, `xsrf_token`, reverse_url("name", …),
 * static_url("style.css"), xsrf_form_html(), _("message"), format_date(), and the
 * application's .template_functions. An error of the template ends the handler with 500,
 * "page.html:12: …" in the log. (Tornado: render)
 */
SPOUT_API void spout_render(
    struct spout_request *req, const char *name, struct json_t *values);
/** The same from a format of json_pack(): spout_render_pack(req, "a.html", "{}"). */
SPOUT_API void spout_render_pack(
    struct spout_request *req, const char *name, const char *fmt, ...);
/** The text instead, in the request's memory. (Tornado: render_string) */
SPOUT_API char *spout_render_string(
    struct spout_request *req, const char *name, struct json_t *values);
/**
 * Answer with Location: `url` (absolute or a path, already encoded; a control character
 * or space ends the handler with 500) and status 301, 302, 303, 307 or 308 (0: 302).
 */
SPOUT_API void spout_redirect(struct spout_request *req, const char *url, int status);
/**
 * spout_fail(req, 404, "no user %s", name): end the handler with an error page of that
 * status (400 to 599). Up to 499 the text is shown to the client, escaped; from 500 on it
 * goes to the log only. What was buffered is discarded; when the head is out already the
 * connection is cut. .write_error of the route or of the application writes the page.
 */
#define spout_fail(req, ...) spout_fail_at((req), SPOUT_WHERE, __VA_ARGS__)
/** `where`: static text, for the page of debug mode; NULL: the library looks itself. */
SPOUT_API SPOUT_NORETURN void spout_fail_at(struct spout_request *req, const char *where,
    int status, const char *fmt, ...) SPOUT_PRINTF(4, 5);

/**
 * End the handler here, as if it and the middleware around it had returned: what was
 * written is the answer. In a child coroutine only that ends. (Tornado: raise Finish)
 */
SPOUT_API SPOUT_NORETURN void spout_leave(struct spout_request *req);

/** Text with &, <, >, " and ' escaped, in the running scope. */
SPOUT_API char *spout_html_escape(const char *text);
/** References (&amp; &lt; &gt; &quot; &apos; &nbsp; &#65; &#x41;) replaced by what they
 * stand for; others stay. (Tornado: xhtml_unescape) */
SPOUT_API char *spout_html_unescape(const char *text);
/** Text percent-encoded for a segment of a path or a value of a query (RFC 3986). */
SPOUT_API char *spout_url_escape(const char *text);
/** Back, '+' being a space; NULL if it is malformed, or not UTF-8. (url_unescape) */
SPOUT_API char *spout_url_unescape(const char *text);
/**
 * A URL with more arguments in its query, before its fragment: spout_url_concat("/a?b=1",
 * "page", "2", "q", "a b") is "/a?b=1&page=2&q=a%20b". (Tornado: url_concat)
 */
#define spout_url_concat(url, ...) \
	spout_url_concat_of((url), (const char *const[]){ __VA_ARGS__, NULL, NULL })
SPOUT_API char *spout_url_concat_of(const char *url, const char *const *pairs);
/** "Sat, 21 Nov 2026 19:00:00 GMT" of seconds since 1970. (format_timestamp) */
SPOUT_API char *spout_http_date(int64_t seconds);

#ifdef __cplusplus
}
#endif

#endif
