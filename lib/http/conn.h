/* SPDX-License-Identifier: MIT */
/* Structs of the HTTP server, for the files of this folder: see server.h. */
#ifndef SPOUT_HTTP_CONN_H
#define SPOUT_HTTP_CONN_H

#include <netinet/in.h>

#include "base/clock.h"
#include "http/body.h"
#include "http/server.h"
#include "net/accept.h"
#include "net/stream.h"

/* Bytes read ahead while a request runs or its body waits to be read. */
#define SPOUT__CONN_READ_AHEAD 16384u
#define SPOUT__CONN_BODY_AHEAD 65536u
/* A response is buffered up to here to get a Content-Length; above, it is chunked. */
#define SPOUT__RESPONSE_BUFFER 65536u
/* A writer waits while more than this is unsent; no new request starts either. */
#define SPOUT__CONN_UNSENT_HIGH 131072u
#define SPOUT__CONN_UNSENT_MAX (1u << 20)

/*
 *   IDLE      no byte of a request yet
 *   HEAD      part of a head has arrived
 *   BODY      a buffered request: its body arrives, the handler has not started
 *   RUNNING   the handler runs (it may be reading a streamed body)
 *   DRAINING  answered; the rest of the body is read and dropped, then IDLE
 *   GIVEN     answered with 101; handed over in this turn, what comes is kept
 *   LINGERING the response says close: flush, FIN, read and drop, close
 *   CLOSED    detached; freed at the end of the turn
 * Changed in spout__conn_set_state() only.
 */
enum spout__conn_state {
	SPOUT__CONN_IDLE,
	SPOUT__CONN_HEAD,
	SPOUT__CONN_BODY,
	SPOUT__CONN_RUNNING,
	SPOUT__CONN_DRAINING,
	SPOUT__CONN_GIVEN,
	SPOUT__CONN_LINGERING,
	SPOUT__CONN_CLOSED,
};

/* The address of a client, without the size of a sockaddr_storage. */
union spout__peer {
	struct sockaddr sa;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

struct spout__http_conn {
	struct spout__stream stream;
	struct spout__http_server *server;
	struct spout__http_exchange *ex; /* BODY, RUNNING */
	struct spout__http_guest *guest; /* GIVEN: to whom */
	struct spout__list link;         /* server->idle or server->busy */
	struct spout__timer timer;       /* lazy: fires, looks at deadline_ms, starts
					  * again */
	uint64_t deadline_ms;
	struct spout__ready ready;       /* process later; and the deferred free */
	struct spout__buffer in;         /* bytes read and not yet used */
	size_t find_from;                /* how far the head has been searched */
	struct spout__http_body drain;   /* DRAINING: the body being dropped */
	unsigned char state;
	unsigned char empty_bytes; /* of empty lines skipped before this head */
	bool processing;  /* conn_process() is on the stack */
	bool run_pending; /* start the handler when the bytes at hand are stored */
	bool close_after; /* no request after this one */
	bool close_clean; /* as the client asked, nothing unread: no need to linger */
	bool fin_sent;
	uint32_t lingered; /* bytes dropped while lingering */
	union spout__peer peer;
};

/*
 * A wait for the client, by the handler's coroutine or a child of it. On its stack; the
 * exchange lives longer, for a child pins the scope that it lives in.
 */
struct spout__http_wait {
	struct spout__waker waker;
	struct spout__list link; /* in ex->readers or ex->writers */
};

struct spout__http_exchange {
	struct spout__http_conn *conn; /* NULL: the client is gone */
	struct spout__http_server *server;
	struct spout_coroutine *co;
	const struct spout__http_head *head;
	void *data;
	uint64_t started_us, duration_us;

	/* Request body. */
	enum spout__http_fault fault;  /* what went wrong with it */
	bool continue_sent, body_read_began;
	bool secure; /* came over TLS; known here when the client is gone */
	uint64_t body_waited_ms;       /* for pieces of a streamed one */

	/* Response. */
	bool head_sent, chunked, finished, close_after;
	bool encoded; /* its pieces go through the encoder */
	int status;
	char *fields; /* "Name: value\r\n"..., in the scope */
	size_t fields_len, fields_cap;
	struct spout__http_guest *guest; /* takes the connection over, or NULL */
	int64_t promised;  /* Content-Length set by the handler, -1: none */
	uint64_t written;  /* body bytes so far */
	uint64_t sent_body;

	/* Set one by one when it is made; what stands above is cleared. */
	struct spout__list readers, writers; /* who waits for body bytes, or to
					      * write more */
	struct spout__http_plan plan;
	struct spout__http_body body;
	uint64_t body_began_ms;
	struct spout_slice content_type;
	const struct spout__http_encoder *encoder; /* NULL: none */
	void *encoder_arg;
	struct spout__buffer body_in; /* a buffered body, or a piece of a streamed one */
	struct spout__buffer out;     /* body not yet handed to the stream */
	union spout__peer peer;       /* copied: outlives the connection */
};

struct spout__http_listener {
	struct spout__list link;
	struct spout__acceptor *acceptor;
	struct spout__http_server *server;
	struct spout_tls *tls; /* NULL: in the clear */
	struct spout__proxy_gate *gate; /* NULL: no PROXY protocol */
	bool (*may_accept)(void *ctx);
	void *ctx;
};

struct spout__http_server {
	struct spout_loop *loop;
	struct spout__http_options options;
	struct spout__http_delegate delegate;
	struct spout__list idle, busy; /* connections; idle: the longest idle first */
	struct spout__list guests;     /* what has taken over others */
	struct spout__list listeners;
	unsigned n_conns;
	unsigned n_exchanges; /* outlive connections: a cancelled handler ends a turn
			       * later */
	bool draining, freeing;
	uint64_t guest_window_ms; /* guests leave within so long; 0: at once */
	unsigned drain_ticks; /* over so many the idle ones are closed; 0: at once */
	struct spout__timer drain_timer;
	spout_callback_fn drained;
	void *drained_arg;
	time_t common_second;
	unsigned common_len;
	char common[128]; /* "Server: ...", "Date: ...", of this second */
	struct spout__http_head head; /* parsed here, then copied as small as it is */
};

/* --- conn.c ------------------------------------------------------------------------ */

int spout__conn_new(struct spout__http_server *server, int fd,
    const struct sockaddr *peer, socklen_t peer_len, struct spout_tls *tls);
/** The exchange has been answered (its head may ask to close): go on, drain or linger. */
void spout__conn_exchange_done(struct spout__http_conn *conn, bool cut);
/** Read more or less, as the buffer and the state allow. */
void spout__conn_update_reading(struct spout__http_conn *conn);
/** Can the connection go on after this exchange? Decides what its head says. */
bool spout__conn_may_keep(const struct spout__http_conn *conn);

/* --- conn_time.c ------------------------------------------------------------------- */

/** Enter a state: its deadline, and its list of the server. */
void spout__conn_set_state(struct spout__http_conn *conn, enum spout__conn_state state);
/** Move the deadline `ms` from now (0: none). */
void spout__conn_set_deadline(struct spout__http_conn *conn, uint64_t ms);
/** A handler runs and does not wait for the client: the deadline is that of its
 * output. */
void spout__conn_watch_output(struct spout__http_conn *conn);
/** Idle: the deadline is that of the next request, or of output that waits. */
void spout__conn_watch_idle(struct spout__http_conn *conn);
/** Does the body of this exchange trickle in below the minimum rate? */
bool spout__conn_body_too_slow(const struct spout__http_conn *conn,
    const struct spout__http_exchange *ex);
/** The deadline may have come. */
void spout__conn_on_timer(struct spout__timer *timer);

/* --- conn_end.c -------------------------------------------------------------------- */

/** Close now, cancelling what runs. */
void spout__conn_close(struct spout__http_conn *conn);
/**
 * The response was the last: send it, say so with a FIN, and read what the client still
 * sends, so that its kernel does not throw the response away on a reset (RFC 9112 9.6).
 */
void spout__conn_linger(struct spout__http_conn *conn);
/** `len` bytes have come while lingering. */
void spout__conn_linger_data(struct spout__http_conn *conn, size_t len);
/** Answer a fault, whole, and linger; a handler that has not started never will. */
void spout__conn_fault(struct spout__http_conn *conn, enum spout__http_fault fault);
/** The response was 101: hand the connection over when nothing of it is on the stack. */
void spout__conn_give(struct spout__http_conn *conn, struct spout__http_guest *guest);
/** Is an idle connection without an answer to send and without a request to read? */
bool spout__conn_expects_nothing(const struct spout__http_conn *conn);
/** Draining: close after what runs; close if idle. */
void spout__conn_drain(struct spout__http_conn *conn, bool close_idle);

/* --- server.c ----------------------------------------------------------------------- */

/** A connection is handed over, and counts like any other. */
void spout__server_guest_comes(
    struct spout__http_server *server, struct spout__http_guest *guest);
/** A connection is gone: accept again, or report the end of draining. */
void spout__server_conn_gone(struct spout__http_server *server);
/** A connection is idle although the server stops: close it when its time has come. */
void spout__server_idle_in_drain(struct spout__http_server *server);
/** A handler has ended, or was never started: it does not refer to the server any
 * more. */
void spout__server_exchange_gone(struct spout__http_server *server);

/* --- exchange.c ------------------------------------------------------------------- */

/** Start an exchange for the head at `data`. Returns NULL and *ret_fault, or out of
 * memory (fault NONE). */
struct spout__http_exchange *spout__exchange_new(struct spout__http_conn *conn,
    const char *data, size_t len, enum spout__http_fault *ret_fault);
/** Run its handler; it may have ended when this returns. */
void spout__exchange_run(struct spout__http_exchange *ex);
/** Give up an exchange whose handler never started. */
void spout__exchange_drop(struct spout__http_exchange *ex);
/** The connection is gone: cancel the handler. */
void spout__exchange_detach(struct spout__http_exchange *ex);
/** Wait on one of the lists of `ex`, for spout__exchange_wake(). */
void spout__exchange_wait(struct spout__list *list, const char *what);
void spout__exchange_wake(struct spout__list *list);
/** Send "100 Continue" if the client waits for it. */
void spout__exchange_continue(struct spout__http_exchange *ex);

/* --- response.c ------------------------------------------------------------------- */

/** Does this response carry a body (not to HEAD, not with 204 …)? */
bool spout__response_has_body(const struct spout__http_exchange *ex);
/** Queue the head, if it is still to come, and what is buffered. 0 or -errno. */
int spout__response_push(struct spout__http_exchange *ex, enum spout__http_piece how);
/** Has the handler promised a Content-Length that it has not written? */
bool spout__response_is_short(const struct spout__http_exchange *ex);
/** Compose what is missing of the response. Returns false when it has to be cut. */
bool spout__response_finish(struct spout__http_exchange *ex, bool failed);
/** Answer a fault outside an exchange, whole, with Connection: close. */
void spout__response_fault(struct spout__http_conn *conn, enum spout__http_fault fault);

#endif
