/* SPDX-License-Identifier: MIT */
/*
 * The HTTP client. (Tornado: AsyncHTTPClient, HTTPClient)
 *
 *     struct spout_response *page = spout_fetch("http://backend/", .timeout_ms = 500);
 *
 *     spout_write(req, spout_response_body(page).data, spout_response_body(page).len);
 *
 * HTTP/1.1 over TCP and TLS, by libcurl inside the loop. Connections are kept and used
 * again; at most max_clients requests run at once in a worker, others wait in the order
 * in which they came, and their waiting counts towards their time-outs. Names are looked
 * up off the loop. Redirects, decompression and limits are this library's own.
 *
 * Every fetch exists as everything that waits: spout_fetch() leaves when it fails,
 * spout_try_fetch() returns NULL with errno, spout_fetch_async() gives a future; and
 * spout_fetch_sync() blocks the calling thread. An answer is an answer whatever its
 * status, unless .fail_on_status is set. What can go wrong:
 *
 *   -EINVAL       the URL or an option is wrong
 *   -ENOBUFS      too many fetches are waiting
 *   -ETIMEDOUT    a time-out; spout_fetch_failure() says in which phase
 *   -EHOSTUNREACH no such name, or no route (-ENETUNREACH)
 *   -EACCES       the .allow function refused every address
 *   -ECONNREFUSED, -ECONNRESET (also: the answer ended too early)
 *   -EKEYREJECTED the server's certificate: unknown authority, other host, expired …
 *   -EPROTO       TLS failed otherwise, or the answer is malformed
 *   -ELOOP        too many redirects
 *   -EMSGSIZE     head or body of the answer larger than allowed
 *   -EREMOTEIO    .fail_on_status: the status was 400 or more
 *   -ECANCELED, -ENOMEM
 *
 * When a handler leaves with one of these it answers 502, 503 or 504 (lib/web/status.c).
 *
 * A fetch and its answer belong to the scope in which they were made: when that ends, a
 * fetch that runs is cancelled and its connection closed at once. Loop thread, inside a
 * coroutine, unless it says otherwise.
 */
#ifndef SPOUT_CLIENT_H
#define SPOUT_CLIENT_H

#include <spout/async.h>
#include <spout/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct spout_response;
struct json_t;

/** What a fetch was about when it failed. */
enum spout_fetch_phase {
	SPOUT_FETCH_PREPARE,    /* its URL and options */
	SPOUT_FETCH_QUEUE,      /* waiting for others to finish */
	SPOUT_FETCH_RESOLVE,    /* looking up the name */
	SPOUT_FETCH_CONNECT,    /* TCP */
	SPOUT_FETCH_TLS,        /* the handshake */
	SPOUT_FETCH_SEND,       /* sending the request */
	SPOUT_FETCH_FIRST_BYTE, /* waiting for the answer */
	SPOUT_FETCH_BODY,       /* reading it */
	SPOUT_FETCH_REDIRECT,   /* following it */
};
/** "queue", "resolve" …; static text. Any thread. */
SPOUT_API const char *spout_fetch_phase_name(enum spout_fetch_phase phase);

/** A header field, or a field of a form. */
struct spout_field {
	const char *name, *value;
};
/** .headers = SPOUT_FIELDS({ "Accept", "text/html" }, { "X-Tag", "a" }) */
#define SPOUT_FIELDS(...) ((const struct spout_field[]){ __VA_ARGS__, { NULL, NULL } })

/**
 * May a connection be made to this address (numeric, without brackets) and port? Asked
 * for every address before it is used, at every redirect, and again for the address that
 * a kept connection goes to; with a proxy it is the proxy's. A plain function: it may
 * not wait or fetch.
 */
typedef bool (*spout_fetch_allow_fn)(const char *address, uint16_t port, void *arg);
/** Ready-made ones: loopback only; anything but loopback, private, link-local, multicast
 * and reserved ranges (RFC 6890). Any thread. */
SPOUT_API bool spout_fetch_allow_loopback(const char *address, uint16_t port, void *arg);
SPOUT_API bool spout_fetch_allow_public(const char *address, uint16_t port, void *arg);

/**
 * More of the request's body: write at most `room` bytes to `to`. Returns how many, 0 at
 * the end, or -errno, which fails the fetch. Called on the loop's stack: may not wait.
 */
typedef long (*spout_fetch_body_fn)(void *arg, char *to, size_t room);

/** A time-out without a limit; 0 is the default. */
#define SPOUT_NO_TIMEOUT UINT64_MAX

/** Everything is copied but what `body_fn` uses; zero means the default, in brackets. */
struct spout_fetch_options {
	size_t size;                   /* sizeof this struct, set by the macro */

	/* The request. */
	const char *method;            /* [GET; POST if there is a body] */
	const struct spout_field *headers; /* SPOUT_FIELDS(…); a name may be repeated */
	const char *user_agent;        /* ["Spout/VERSION"] */
	const char *username, *password; /* Basic authentication, RFC 7617 */
	bool digest;                   /* Digest authentication (RFC 7616) instead: the
	                                  password is not sent; not for a streamed body */
	const char *bearer;            /* a token, RFC 6750 */

	/* Its body: one of these. A Content-Type in .headers wins over the one given. */
	struct spout_slice body;
	const struct spout_field *form; /* application/x-www-form-urlencoded */
	const struct json_t *json;     /* application/json */
	spout_fetch_body_fn body_fn;   /* streamed, asked for when there is room */
	void *body_arg;
	bool upload;                   /* streamed, by spout_fetch_write() */
	uint64_t upload_bytes;         /* length of a streamed one [unknown: chunked];
	                                  any other fails the fetch, -EINVAL */

	/* The answer. */
	bool stream;                   /* stop at the head, see spout_response_read() */
	bool fail_on_status;           /* 400 and above are failures: -EREMOTEIO */
	bool keep_encoding;            /* neither ask for compression nor undo it */
	size_t max_header_bytes;       /* [64 KiB] */
	uint64_t max_body_bytes;       /* after decompression [16 MiB] */
	int max_redirects;             /* -1: a redirect is an answer [5] */
	unsigned retries;              /* further tries when no answer came, for GET,
	                                  HEAD, OPTIONS, TRACE, PUT, DELETE only [0] */

	/* Time-outs in milliseconds; SPOUT_NO_TIMEOUT: none. */
	uint64_t timeout_ms;           /* all in all, waiting in the queue too [20000] */
	uint64_t queue_timeout_ms;     /* waiting for others [none] */
	uint64_t resolve_timeout_ms;   /* the name [none] */
	uint64_t connect_timeout_ms;   /* TCP, all addresses together [20000] */
	uint64_t tls_timeout_ms;       /* the handshake [20000] */
	uint64_t first_byte_timeout_ms; /* from request sent to answer [none] */
	uint64_t low_speed_ms;         /* fail after so long … [off] */
	uint64_t low_speed_bytes;      /* … with less than this a second [1] */

	/* Where to. */
	const char *proxy;             /* http://, https:// or socks5h:// URL, with
	                                  user:password@ if need be [none; the
	                                  environment is not asked] */
	const char *connect_to;        /* "host:port" instead of that in the URL */
	const char *source;            /* numeric address to connect from [any] */
	int family;                    /* AF_INET or AF_INET6 only [both] */
	spout_fetch_allow_fn allow;    /* [every address] */
	void *allow_arg;

	/* TLS. */
	bool insecure;                 /* do not verify the server's certificate */
	const char *ca_file;           /* PEM [the system's] */
	const char *client_cert, *client_key; /* PEM files */
	const char *client_key_password;
	const char *tls_server_name;   /* to ask for and verify [the URL's host] */
};

/* --- fetching --------------------------------------------------------------------- */

/**
 * Fetch a URL (http or https; absolute, already encoded) and wait for the answer, which
 * lives until the scope ends or spout_response_free(). user:password@ in the URL is
 * Basic authentication. Authorization, Cookie, Host, user, password, token and client
 * certificate are for the origin of the URL: they are left out when a redirect leads
 * elsewhere.
 */
#define SPOUT_FETCH_OPTIONS_(...) \
	(&(struct spout_fetch_options){ .size = sizeof(struct spout_fetch_options), \
	    __VA_ARGS__ })
#define spout_fetch(url, ...) spout_fetch_with((url), SPOUT_FETCH_OPTIONS_(__VA_ARGS__))
#define spout_try_fetch(url, ...) \
	spout_try_fetch_with((url), SPOUT_FETCH_OPTIONS_(__VA_ARGS__))
#define spout_fetch_async(url, ...) \
	spout_fetch_async_at((url), SPOUT_FETCH_OPTIONS_(__VA_ARGS__), SPOUT_WHERE)
SPOUT_API struct spout_response *spout_fetch_with(
    const char *url, const struct spout_fetch_options *options);
SPOUT_API SPOUT_MUST_CHECK struct spout_response *spout_try_fetch_with(
    const char *url, const struct spout_fetch_options *options);
SPOUT_API struct spout_future *spout_fetch_async_at(
    const char *url, const struct spout_fetch_options *options, const char *where);
/** Wait for the answer of a future of spout_fetch_async(): leaves with its error, or
 * returns NULL with errno. */
SPOUT_API struct spout_response *spout_response(struct spout_future *future);
SPOUT_API SPOUT_MUST_CHECK struct spout_response *spout_try_response(
    struct spout_future *future);

/** Why a fetch failed. */
struct spout_fetch_failure {
	int error; /* -errno; 0: none has failed */
	enum spout_fetch_phase phase;
	int status;       /* of an answer that was a failure, or 0 */
	char reason[224]; /* in words */
};
/** The failure of the last try form of this coroutine. Borrowed, until the next one. */
SPOUT_API const struct spout_fetch_failure *spout_fetch_failure(void);

/**
 * Fetch and block the calling thread, loop and all, until the answer is there: for
 * scripts, and for threads without a loop. Any thread, no coroutine needed; connections
 * are kept for the next call of the thread. The name is looked up by the thread itself,
 * which no time-out interrupts; .upload and .stream are not for it. Returns owned, see
 * spout_response_free(); or NULL with errno and, unless it is NULL, `ret_failure`.
 */
#define spout_fetch_sync(url, ret_failure, ...) \
	spout_fetch_sync_with((url), (ret_failure), SPOUT_FETCH_OPTIONS_(__VA_ARGS__))
SPOUT_API SPOUT_MUST_CHECK struct spout_response *spout_fetch_sync_with(const char *url,
    struct spout_fetch_failure *ret_failure, const struct spout_fetch_options *options);
/** Close the connections that spout_fetch_sync() keeps for this thread. Its end does. */
SPOUT_API void spout_fetch_sync_close(void);

/* --- the answer ------------------------------------------------------------------- */

/* What these return is borrowed and lives as long as the response. Any thread. */

SPOUT_API int spout_response_status(const struct spout_response *response);
/** The words behind the status, perhaps "". */
SPOUT_API const char *spout_response_reason(const struct spout_response *response);
/** The first field of that name (in any case), or NULL. */
SPOUT_API const char *spout_response_header(
    const struct spout_response *response, const char *name);
/** Field number `i` as it was sent, NULL after the last one. */
SPOUT_API const struct spout_field *spout_response_field(
    const struct spout_response *response, size_t i);
/** The body, decompressed; a NUL is behind it. Empty for a streamed one. */
SPOUT_API struct spout_slice spout_response_body(const struct spout_response *response);
/** The body as JSON (jansson), NULL if it is none: malformed, a name twice in one object,
 * or deeper than 100. */
SPOUT_API const struct json_t *spout_response_json(struct spout_response *response);
/** The URL that answered, after redirects; without user and password. */
SPOUT_API const char *spout_response_url(const struct spout_response *response);

/** Microseconds. Of several tries or redirects: queue and total of all, else the last. */
struct spout_fetch_timings {
	uint64_t queue_us, resolve_us, connect_us, tls_us;
	uint64_t first_byte_us; /* from the request's sending to the answer's begin */
	uint64_t total_us;
	unsigned redirects, retries;
	bool reused; /* the connection was open already */
};
SPOUT_API const struct spout_fetch_timings *spout_response_timings(
    const struct spout_response *response);

/** Free it before its scope ends: always after spout_fetch_sync(). NULL is fine. What
 * still runs for it is cancelled. Takes void * to fit spout_defer(). */
SPOUT_API void spout_response_free(void *response);

/* --- streams ---------------------------------------------------------------------- */

/** spout_fetch() with .stream: returns when the head is there. */
#define spout_fetch_stream(url, ...) spout_fetch((url), .stream = true, ##__VA_ARGS__)
#define spout_try_fetch_stream(url, ...) \
	spout_try_fetch((url), .stream = true, ##__VA_ARGS__)
/**
 * The next piece of the body, valid until the next call; empty at the end. While nobody
 * reads, at most about 256 KiB are taken from the peer. Leaves, or returns -errno.
 * (Tornado: streaming_callback)
 */
SPOUT_API struct spout_slice spout_response_read(struct spout_response *response);
SPOUT_API SPOUT_MUST_CHECK int spout_try_response_read(
    struct spout_response *response, struct spout_slice *ret);

/**
 * Send a piece of the body of a fetch made with .upload: copies; suspends while 256 KiB
 * are unsent. The plain form leaves with the fetch's error; -EPIPE when the answer came
 * first, and -EINVAL after the end. (Tornado: body_producer)
 *
 *     struct spout_future *put = spout_fetch_async(url, .method = "PUT", .upload = true);
 *
 *     while ((piece = spout_body_read(req)).len > 0)
 *         spout_fetch_write(put, piece.data, piece.len);
 *     spout_fetch_write_end(put);
 *     status = spout_response_status(spout_response(put));
 */
SPOUT_API void spout_fetch_write(
    struct spout_future *fetch, const void *data, size_t len);
SPOUT_API SPOUT_MUST_CHECK int spout_try_fetch_write(
    struct spout_future *fetch, const void *data, size_t len);
/** No more of the body comes. */
SPOUT_API void spout_fetch_write_end(struct spout_future *fetch);

/* --- the client of this loop ------------------------------------------------------- */

struct spout_client_options {
	size_t size;          /* sizeof this struct, set by the macro */
	unsigned max_clients; /* fetches that run at once [100] */
	unsigned max_queued;  /* more that wait are refused with -ENOBUFS [1000] */
	unsigned max_idle;    /* connections kept for later [100] */
};
/**
 * Set the limits of this loop's client, for what comes. Returns 0 or -ENOMEM. Loop
 * thread, also outside a coroutine. The first use of the client sets up libcurl, which
 * takes some milliseconds: a call in on_worker_start leaves them out of the requests.
 */
#define spout_client_configure(...) \
	spout_client_configure_with(&(struct spout_client_options){ \
	    .size = sizeof(struct spout_client_options), __VA_ARGS__ })
SPOUT_API int spout_client_configure_with(const struct spout_client_options *options);

/** Figures of this loop's client since it was made. */
struct spout_client_stats {
	unsigned running, queued;
	uint64_t fetches, failures;
	uint64_t connections; /* opened */
};
SPOUT_API void spout_client_get_stats(struct spout_client_stats *ret);

#ifdef __cplusplus
}
#endif

#endif
