/* SPDX-License-Identifier: MIT */
/*
 * Inside of the HTTP client: the client of a loop, and one fetch. Loop thread (or, for
 * spout_fetch_sync(), a thread with a client of its own that has no loop).
 *
 *   QUEUED -> RESOLVING -> RUNNING -> (DRAINING: what is not decompressed yet) -> over
 *               ^  ^          |                                   |
 *               |  +- BACKOFF +-- failed, tries left              |
 *               +------------------------ redirect ---------------+
 *
 * A turn from RESOLVING to its end is a hop: one URL, one easy handle. libcurl is told
 * the addresses (CURLOPT_RESOLVE, in a cache that each handle has for itself) and never
 * looks up a name: its threads would be waited for when a handle goes.
 *
 * Callbacks of libcurl run on the loop's stack and only note, copy and complete futures;
 * whatever calls libcurl runs outside of them. A fetch is freed at its end or when it is
 * cancelled, never inside a callback of libcurl.
 */
#ifndef SPOUT_CLIENT_CLIENT_H
#define SPOUT_CLIENT_CLIENT_H

#include <spout/client.h>

#include <curl/curl.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "client/decode.h"
#include "executor/resolve.h"
#include "loop/loop.h"

/* A streamed body is not read on while so much of it is unread, … */
#define SPOUT__STREAM_BYTES (128u << 10)
/* … and a writer waits while so much of its body is unsent. */
#define SPOUT__UPLOAD_BYTES (256u << 10)

struct spout__fetch;

/* --- the client ---------------------------------------- */

/* A handle with a name cache of its own, used for one hop after another. */
struct spout__easy {
	struct spout__list link; /* in client->easies while unused */
	CURL *curl;
	CURLSH *names;
	char *named; /* "host:port" in that cache, or NULL */
};

/* What the loop watches for libcurl, by descriptor. */
struct spout__socket {
	struct spout_fd_handler *handler; /* NULL: not watched */
	bool idle; /* of a kept connection: nobody has asked for what comes */
};

struct spout__client {
	struct spout_loop *loop; /* NULL: synchronous */
	CURLM *multi;
	struct spout_client_options options;
	struct spout_client_stats stats;
	struct spout__list queue;   /* QUEUED fetches, oldest first */
	struct spout__list running; /* all others */
	struct spout__list easies;
	unsigned unused_easies;
	struct spout__socket *sockets;
	unsigned n_sockets;        /* room */
	struct spout__ready pump;  /* start what is queued */
	struct spout__ready kick;  /* libcurl's timer has run out */
	struct spout__timer timer; /* libcurl's */
	bool in_kick;
};

/** The client of a loop, made on first use; NULL when out of memory. */
struct spout__client *spout__client_of(struct spout_loop *loop);
/** The same without one, for one thread. */
struct spout__client *spout__client_new(struct spout_loop *loop);
/** Ends what runs. Takes void * to fit slots. */
void spout__client_free(void *client);
/** Collect the transfers that libcurl has finished. */
void spout__client_reap(struct spout__client *client);
/** So many more, or fewer, of its fetches run and wait. */
void spout__client_moved(struct spout__client *client, int running, int queued);
/** Callback of libcurl: close a socket. */
int spout__client_close_socket(void *client, curl_socket_t fd);
/** Start what is queued, soon. */
void spout__client_pump(struct spout__client *client);
/** A clean handle, or NULL when out of memory; and back, off the multi handle. */
struct spout__easy *spout__easy_get(struct spout__client *client);
void spout__easy_put(struct spout__client *client, struct spout__easy *easy);

/**
 * The folder of the system's authorities, if it is one that is read by need; else NULL.
 * libcurl would read all of the system's into each new connection: 10 ms.
 */
const char *spout__client_ca_path(void);
uint64_t spout__client_now_us(const struct spout__client *client);

/* --- the answer ---------------------------------------- */

struct spout_response {
	struct spout__arena arena; /* fields and texts */
	int status;
	const char *reason;
	char *url;
	struct spout_field *fields; /* ended by a NULL name */
	size_t n_fields, fields_room;
	char *last_value; /* of the last field, to which a folded line adds */
	size_t last_len, last_room;
	struct spout__buffer body;  /* all of it, or what is unread */
	struct spout__buffer piece; /* lent by the last read */
	bool streamed, over;        /* over: nothing more comes */
	struct json_t *json;
	struct spout_fetch_timings timings;
	struct spout_fetch_failure failure;
	/* Of who waits for it, see await.c; NULL for a synchronous one. */
	struct spout__fetch_future *future;
};

struct spout_response *spout__response_new(void);
/** Forget status, fields and body: another answer comes. */
void spout__response_reset(struct spout_response *response);
void spout__response_release(struct spout_response *response);
/** Take one line of the head. Returns 0, 1 at the end of the head, -ENOMEM, -EPROTO. */
int spout__response_line(struct spout_response *response, const char *line, size_t len);
/**
 * Is there at most one Content-Length, whole and once more the same if it is repeated?
 * libcurl takes the last one; what is behind the body would be the next answer.
 */
bool spout__response_length_ok(const struct spout_response *response);

/* --- a fetch ---------------------------------------- */

enum spout__fetch_state {
	SPOUT__FETCH_QUEUED,
	SPOUT__FETCH_BACKOFF,
	SPOUT__FETCH_RESOLVING,
	SPOUT__FETCH_RUNNING,
	SPOUT__FETCH_DRAINING,
};

/** What its owner is told. */
enum spout__fetch_event {
	SPOUT__FETCH_HEAD, /* the head of a streamed answer is there */
	SPOUT__FETCH_DATA, /* more of its body */
	SPOUT__FETCH_ROOM, /* for more of an uploaded body */
	SPOUT__FETCH_OVER, /* see response->failure; the fetch is freed next */
};

struct spout__fetch {
	struct spout__list link; /* client->queue or ->running */
	struct spout__client *client;
	enum spout__fetch_state state;
	struct spout_response *response; /* the owner's */
	/* May be called inside of a callback of libcurl. */
	void (*notify)(struct spout__fetch *fetch, enum spout__fetch_event event);
	void *owner;

	/* The request. */
	struct spout__arena arena;
	struct spout_fetch_options options; /* texts in the arena, defaults filled in */
	const char *method;
	struct spout_slice body;  /* of .body, .form or .json */
	const char *content_type; /* of that, or NULL */
	bool has_body;            /* body, body_fn or upload */
	bool foreign;             /* a redirect left the origin: no credentials */

	/* The hop. */
	CURLU *url, *renamed_url;          /* renamed: for .tls_server_name */
	const char *scheme, *host, *port;  /* of the URL; the host without brackets */
	struct spout__lookup lookup;       /* for whom we connect to */
	const char *peer_host, *peer_port; /* that one */
	struct spout__easy *easy;
	struct curl_slist *headers, *addresses, *connect_to;
	bool numeric;      /* libcurl finds the address without a look-up */
	unsigned challenges; /* of Digest authentication, answered by libcurl */
	unsigned connects; /* times that a connection was ready for it */
	int local_port;    /* of that connection */
	char error_text[CURL_ERROR_SIZE];

	/* The answer. */
	struct spout_fetch_failure failure; /* error 0: none yet */
	bool head_begun, head_done, follow;
	size_t header_bytes;
	uint64_t body_bytes; /* after decompression */
	struct spout__decoder *decoder;
	struct spout__buffer pending; /* not decompressed yet */
	bool more;                    /* the decoder has more to give than was taken */
	bool receive_paused, send_paused, sent;
	struct spout__buffer upload; /* of .upload, not sent yet */
	bool upload_ended;
	uint64_t given_bytes; /* to libcurl, of a streamed one */
	struct spout__ready
	    resume; /* go on with a paused transfer, or end a failed one */
	struct spout__ready next_turn; /* … in the next turn of the loop */
	bool resume_wanted;            /* the same without a loop */

	/* Time, of the client's clock; milliseconds unless they are _us. */
	struct spout__timer timer;
	uint64_t timer_at_ms; /* the same without a loop; 0: none */
	uint64_t began_us, hop_us;
	uint64_t end_ms;                    /* of all; UINT64_MAX: none */
	uint64_t state_ms;                  /* since when it is in this state */
	uint64_t tls_ms, ready_ms, sent_ms; /* handshake begun, connection ready, sent */
	uint64_t window_ms, window_bytes, received_bytes; /* of the low-speed limit */
};

/**
 * Make a fetch, not yet started: copies the options. Returns owned, or NULL with
 * response->failure. `response` is borrowed until OVER.
 */
struct spout__fetch *spout__fetch_new(struct spout__client *client, const char *url,
    const struct spout_fetch_options *options, struct spout_response *response);
/**
 * Put it into the queue. Returns 0, or an error with its failure noted; it is as it was.
 */
int spout__fetch_start(struct spout__fetch *fetch);
/** Begin its first hop, out of the queue. Not from inside of libcurl. */
void spout__fetch_run(struct spout__fetch *fetch);
/** Stop and free it at once; its owner is not told. Not from inside of libcurl. */
void spout__fetch_drop(struct spout__fetch *fetch);
/** End it with a failure. Not from inside of libcurl. */
void spout__fetch_end(struct spout__fetch *fetch, enum spout_fetch_phase phase, int error,
    const char *fmt, ...) SPOUT_PRINTF(4, 5);
/** The hop is over: retry, follow, or end. Not from inside of libcurl. */
void spout__fetch_hop_over(struct spout__fetch *fetch);
/** Go on soon: spout__fetch_resumed() will be called on the loop's stack. */
void spout__fetch_resume(struct spout__fetch *fetch);
void spout__fetch_resume_next_turn(struct spout__fetch *fetch);
void spout__fetch_resumed(struct spout__fetch *fetch);

/* request.c */
/** Copy and check options and URL. Returns 0, or an error with the failure noted. */
int spout__request_init(struct spout__fetch *fetch, const char *url,
    const struct spout_fetch_options *options);
/** The header lines of this hop. Returns 0 or -ENOMEM. */
int spout__request_headers(struct spout__fetch *fetch);
/** Is its body made while it is sent? */
/** Does libcurl answer a challenge with the credentials of this hop? */
bool spout__request_digests(const struct spout__fetch *fetch);
bool spout__request_streams(const struct spout__fetch *fetch);
/** Has the handshake another name than the URL? */
bool spout__request_renamed(const struct spout__fetch *fetch);
/** May it be made twice: RFC 9110 9.2.2? */
bool spout__request_idempotent(const struct spout__fetch *fetch);

/* url.c */
/** Take a URL as that of the next hop, relative to the last one. */
int spout__url_take(struct spout__fetch *fetch, const char *url);
/** Find out whom to connect to. */
int spout__url_peer(struct spout__fetch *fetch);
/** Go where the answer's Location leads: RFC 9110 15.4. Returns 0, or the failure. */
int spout__url_redirect(struct spout__fetch *fetch);
/** Does this answer lead elsewhere, and is it to be followed? */
bool spout__url_redirects(const struct spout__fetch *fetch);

/* transfer.c */
/** The head of the answer is there: decide about its body. 0 or an error. */
int spout__transfer_head(struct spout__fetch *fetch);
/** Hand the hop to libcurl. Returns 0, or an error with the failure noted. */
int spout__transfer_start(struct spout__fetch *fetch);
/** libcurl is done with it. */
void spout__transfer_done(struct spout__fetch *fetch, CURLcode code);
/** Take the handle from libcurl, whatever it does: a connection in use is closed. */
void spout__transfer_stop(struct spout__fetch *fetch);
/** Unpause what is paused and need not be. */
void spout__transfer_unpause(struct spout__fetch *fetch, bool receive, bool send);
/** libcurl wants this of its socket. Inside of libcurl. */
void spout__transfer_watched(struct spout__fetch *fetch, unsigned events);
enum spout_fetch_phase spout__transfer_phase(const struct spout__fetch *fetch);

/* body.c */
/** Callback of libcurl. */
size_t spout__body_take(char *data, size_t size, size_t n, void *fetch);
/** Callback of libcurl: the request's body. */
size_t spout__body_give(char *to, size_t size, size_t n, void *fetch);
/** Decompress more of what is pending. Returns 0, or an error with the failure noted. */
int spout__body_drain(struct spout__fetch *fetch);
/** Is a streamed body as far ahead of its reader as it may be? */
bool spout__body_full(const struct spout__fetch *fetch);
/** The head is complete: choose a decoder, hold it against the limits. 0 or the error. */
int spout__body_begin(struct spout__fetch *fetch);
/** The body is complete: did it end where it should? 0 or the error. */
int spout__body_end(struct spout__fetch *fetch);

/* deadline.c */
/** Look at the time-outs, and at the clock again when the next one can be due. */
void spout__deadline_check(struct spout__fetch *fetch);
void spout__deadline_stop(struct spout__fetch *fetch);
/** Call spout__deadline_check() in `ms`. */
void spout__deadline_in(struct spout__fetch *fetch, uint64_t ms);

/* failure.c */
/** Note why it fails, unless that is known already. Returns the error. */
int spout__failure_note(struct spout__fetch *fetch, enum spout_fetch_phase phase,
    int error, const char *fmt, ...) SPOUT_PRINTF(4, 5);
/** What libcurl gave up with. */
int spout__failure_of_code(struct spout__fetch *fetch, CURLcode code);

#endif
