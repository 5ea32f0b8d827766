/* SPDX-License-Identifier: MIT */
/*
 * HTTP/1 server connections: between accepted sockets and the web layer. Loop thread.
 *
 * A connection reads a head, asks the delegate what to do with it (spout__http_plan), and
 * runs the delegate's handler as one coroutine per request: an "exchange". Exchanges of
 * one connection run one at a time and are answered in order. Framing, keep-alive,
 * limits, time-outs, 100-continue, HEAD and lingering close are decided here, statuses
 * and pages by the delegate.
 *
 *   connection:  IDLE -> HEAD -> RUNNING (-> DRAINING body) -> IDLE ...
 *                                        \-> LINGERING -> closed
 */
#ifndef SPOUT_HTTP_SERVER_H
#define SPOUT_HTTP_SERVER_H

#include <spout/async.h>
#include <spout/types.h>

#include <sys/socket.h>

#include "async/async.h"
#include "base/buffer.h"
#include "http/head.h"

struct spout__http_server;
struct spout__http_exchange;
struct spout__stream;
struct spout_tls;
struct spout__network;
struct spout_certificate;
struct spout__route_figures;

/** What the delegate decides when the head has been read. Defaults are filled in
 * before. */
struct spout__http_plan {
	/* The handler: runs as the coroutine of the exchange. */
	void (*run)(struct spout__http_exchange *ex, void *arg);
	void *arg;
	bool stream_body;       /* start after the head, read with
				 * spout__http_body_read() */
	bool half_close;        /* end of input does not mean that the client is gone */
	uint64_t max_body_bytes;
	uint64_t timeout_ms;    /* deadline of the handler, from its start */
	uint64_t body_timeout_ms;
	struct spout__route_figures *figures; /* where it counts [those of no route] */
};

struct spout__http_delegate {
	/* The head is complete and valid. Loop's stack; `head` lives as long as the
	 * exchange. */
	void (*on_head)(void *ctx, struct spout__http_exchange *ex,
	    const struct spout__http_head *head, struct spout__http_plan *plan);
	/*
	 * The handler has failed, and no head has been sent: the last thing it does, on
	 * its stack, as part of it; may wait and fail. on_exit follows. May be NULL.
	 */
	void (*on_failure)(void *ctx, struct spout__http_exchange *ex,
	    const struct spout__outcome *outcome);
	/*
	 * The handler has ended (on the coroutine's stack; may not wait). If no head has
	 * been sent the delegate may still write a whole response (an error page); the
	 * connection finishes it afterwards. `client_gone`: nobody will read it.
	 */
	void (*on_exit)(void *ctx, struct spout__http_exchange *ex,
	    const struct spout__outcome *outcome, bool client_gone);
	/* The response is complete or cut: for the access log. Once for each exchange
	 * whose handler was started; others end in on_fault(). */
	void (*on_finish)(void *ctx, struct spout__http_exchange *ex);
	/*
	 * A request that never became an exchange (malformed, head too large, time-out …)
	 * is answered with `fault`'s status: compose the body of that page into `body`.
	 * For the access log too.
	 */
	void (*on_fault)(void *ctx, enum spout__http_fault fault,
	    const struct sockaddr *peer, struct spout__buffer *body);
	void *ctx;
};

struct spout__http_options {
	struct spout__http_limits limits;
	uint64_t head_timeout_ms;   /* from the first byte of a head to its end [10 s] */
	uint64_t idle_timeout_ms;   /* keep-alive, between requests [75 s] */
	bool no_keep_alive;         /* one request for each connection */
	uint64_t body_timeout_ms;   /* between two reads of a body that make
				     * progress [30 s] */
	uint64_t min_body_rate;     /* bytes per second of waiting for them; 0:
				     * off [240] */
	uint64_t min_body_grace_ms; /* not looked at before so much waiting [5 s] */
	uint64_t write_timeout_ms;  /* between two writes that make progress [30 s] */
	uint64_t request_timeout_ms; /* default deadline of a request [30 s] */
	uint64_t max_body_bytes;    /* [1 MiB] */
	unsigned max_connections;   /* more wait in the kernel's queue [10000] */
	const char *server_name;    /* Server field; borrowed ["Spout/VERSION"] */
	struct spout_slice content_type; /* unless the handler says another; borrowed
	                                    ["text/html; charset=UTF-8"] */
	uint64_t proxy_timeout_ms; /* to send a header of the PROXY protocol [5 s] */
	uint64_t drain_idle_ms;     /* how long idle connections stay open when draining
				     * [300] */
};

void spout__http_options_init(struct spout__http_options *options);

/** Make a server on this loop. Copies both. Returns owned or NULL. */
struct spout__http_server *spout__http_server_new(struct spout_loop *loop,
    const struct spout__http_options *options,
    const struct spout__http_delegate *delegate);
/** A listening socket to serve. All is borrowed. */
struct spout__http_listen {
	int fd;                /* never closed here */
	struct spout_tls *tls; /* NULL: in the clear */
	bool shared;           /* by several workers: accept one at a time */
	bool (*may_accept)(void *ctx); /* and only while it says so; NULL: always */
	void *ctx;
	/* Proxies that begin with a header of the PROXY protocol, before TLS; nobody else
	 * is served then. */
	const struct spout__network *proxies;
	unsigned n_proxies;
};

/** Serve its connections. Returns 0, -errno. */
int spout__http_server_listen(
    struct spout__http_server *server, const struct spout__http_listen *listen);
/** Serve one connected socket; takes the descriptor. Returns 0 or -errno. */
int spout__http_server_adopt(struct spout__http_server *server, int fd,
    const struct sockaddr *peer, socklen_t peer_len);
/**
 * Graceful stop: accept what is queued until EAGAIN, stop accepting, answer from now on
 * with Connection: close; connections still idle after drain_idle_ms are closed (a
 * request that was on its way is answered). `done(arg)` when no connection is left,
 * perhaps at once.
 */
void spout__http_server_drain(struct spout__http_server *server, spout_callback_fn done,
    void *arg);
/**
 * Have idle connections closed `ms` from now, in place of drain_idle_ms: those that are
 * idle then over a tenth of that time, oldest first; and guests within that time. Before
 * or during a drain.
 */
void spout__http_server_set_drain_idle(struct spout__http_server *server, uint64_t ms);
/**
 * Cancel what runs, close all connections, free. The delegate and its context are needed
 * until the cancelled handlers have ended, on the loop.
 */
void spout__http_server_free(struct spout__http_server *server);
unsigned spout__http_server_connections(const struct spout__http_server *server);

/* --- other protocols --------------------------------------------------------------- */

/*
 * Takes a connection over when its exchange has been answered with 101 (RFC 9110 7.8).
 * The connection still counts for the server: its limit, its draining, its end.
 */
struct spout__http_guest;
struct spout__http_guest_ops {
	/* The connection: move the stream (spout__stream_move) now. `ahead` is what has
	 * been read of it already, borrowed. The answer may still be in its queue. */
	void (*take)(struct spout__http_guest *guest, struct spout__stream *stream,
	    struct spout_slice ahead);
	/* Instead: it has failed before. */
	void (*lost)(struct spout__http_guest *guest);
	/* The server drains: come to an end, now, or within some time because there is
	 * another that serves the client when it comes again. */
	void (*drain)(struct spout__http_guest *guest, uint64_t within_ms);
	/* The server is freed: close now. It is off the server's books already. */
	void (*stop)(struct spout__http_guest *guest);
};
/* Its memory stays until the end of the turn in which it was gone. */
struct spout__http_guest {
	const struct spout__http_guest_ops *ops;
	struct spout__list link;
	struct spout__http_server *server; /* NULL: on nobody's books */
	bool given; /* the exchange ended with 101: take() or lost() will be called */
};

void spout__http_guest_init(
    struct spout__http_guest *guest, const struct spout__http_guest_ops *ops);
/** The guest has closed its connection; no-op if it is on nobody's books. */
void spout__http_guest_gone(struct spout__http_guest *guest);
/**
 * Answer the request with 101, "Upgrade: `protocol`" and the fields that were set, and
 * hand the connection over when the handler has returned; if it fails instead, the
 * guest is not given anything. For a plan with .stream_body. -EALREADY after the head,
 * -ECANCELED when the client is gone or the server drains, -ENOMEM.
 */
int spout__http_upgrade(struct spout__http_exchange *ex, struct spout_slice protocol,
    struct spout__http_guest *guest);

/* --- exchange: the request side ------------------------------------------------- */

const struct spout__http_head *spout__http_head_of(const struct spout__http_exchange *ex);
struct spout_scope *spout__http_scope(struct spout__http_exchange *ex);
/** Address of the client: AF_INET, AF_INET6 or AF_UNIX (family only). */
const struct sockaddr *spout__http_peer(const struct spout__http_exchange *ex);
/** Did it come over TLS? */
bool spout__http_secure(const struct spout__http_exchange *ex);
/** The certificate that the client has shown, in the exchange's scope; NULL: none. */
struct spout_certificate *spout__http_certificate(const struct spout__http_exchange *ex);
/** From the complete head to the end of the handler, or until now. The histogram,
 * the counters of requests and of answers are kept by this layer. */
uint64_t spout__http_duration_us(const struct spout__http_exchange *ex);
/** The limit of its body. */
uint64_t spout__http_max_body(const struct spout__http_exchange *ex);
/** The whole body of a buffered plan; lives in the scope. */
struct spout_slice spout__http_body_buffered(const struct spout__http_exchange *ex);
/**
 * The next piece of a streamed body (valid until the next call), empty at its end. Sends
 * 100-continue when the client waits for it. Leaves on a fault (413, 408, 400) or when
 * the client is gone; suspends.
 */
struct spout_slice spout__http_body_read(struct spout__http_exchange *ex);

/* --- exchange: the response side ------------------------------------------------- */

/**
 * The delegate's pointer on the exchange; and what was decided so far.
 */
void *spout__http_data(const struct spout__http_exchange *ex);
void spout__http_set_data(struct spout__http_exchange *ex, void *data);
int spout__http_status(const struct spout__http_exchange *ex);
bool spout__http_head_sent(const struct spout__http_exchange *ex);
uint64_t spout__http_bytes_sent(const struct spout__http_exchange *ex); /* of the body */
/** Bytes of the body that were handed in so far, sent or not. */
uint64_t spout__http_written(const struct spout__http_exchange *ex);

/** Status of the response [200]. Returns 0, -EINVAL, or -EALREADY after the head
 * is out. */
int spout__http_set_status(struct spout__http_exchange *ex, int status);
/**
 * Add a header field. Copies. Connection, Transfer-Encoding, Date and Server are ours:
 * -EINVAL, as for CR, LF, NUL or a bad name; a Content-Type replaces the one before; a
 * Content-Length given by the handler is checked against what is written. -EALREADY after
 * the head; -ENOMEM.
 */
int spout__http_add_header(struct spout__http_exchange *ex, struct spout_slice name,
    struct spout_slice value);
/** The same, replacing all fields of that name. */
int spout__http_set_header(struct spout__http_exchange *ex, struct spout_slice name,
    struct spout_slice value);
/** Take back all fields of that name that were added. 0, or -EALREADY after the head. */
int spout__http_clear_header(struct spout__http_exchange *ex, struct spout_slice name);
/**
 * The Content-Type, as text that needs no check and lives as long as the exchange (a
 * constant): cheaper than spout__http_set_header(). -EALREADY after the head.
 */
int spout__http_set_content_type(
    struct spout__http_exchange *ex, struct spout_slice type);
/**
 * Add header lines as they stand, each ended by CRLF: ours, so nothing is looked at.
 * Copies. 0, -EALREADY after the head, -ENOMEM.
 */
int spout__http_add_fields(
    struct spout__http_exchange *ex, const char *lines, size_t len);
/** Promise a Content-Length. 0, -EALREADY after the head, -EINVAL (more is written). */
int spout__http_promise(struct spout__http_exchange *ex, uint64_t length);
/**
 * The whole body at once, at most SPOUT__RESPONSE_BUFFER bytes: head and body are copied
 * into the output as one. Never suspends. 0, -EALREADY when there was any writing or a
 * promise before, -EPIPE, -ENOMEM.
 */
int spout__http_answer(struct spout__http_exchange *ex, const void *data, size_t len);
/**
 * Send bytes of a file as the next ones of a promised body: the kernel copies them, and
 * blocks where they are not in memory. Borrows `fd`. Suspends while the client is slow.
 * Returns 0, -EPIPE, -ENOMEM, -EMSGSIZE (past the promise), -ESTALE (the file ends
 * before), -EOPNOTSUPP (this connection or this file cannot do it: read and write
 * instead), ….
 */
int spout__http_send_file(
    struct spout__http_exchange *ex, int fd, uint64_t offset, size_t len);

/** What the bytes handed to an encoder are followed by. */
enum spout__http_piece {
	SPOUT__PIECE_MORE,
	SPOUT__PIECE_FLUSH, /* a pause: the client should get all that there is */
	SPOUT__PIECE_LAST,  /* nothing */
};

/**
 * What stands between the body that a handler writes and the one that is sent: entity
 * tags, compression. None of its functions may wait or leave.
 */
struct spout__http_encoder {
	/* The whole body, before the head: may change status, fields and `body`. */
	void (*whole)(void *arg, struct spout__http_exchange *ex,
	    struct spout__buffer *body);
	/* The head of a body that is sent as it comes goes now: may change fields. True:
	 * the pieces shall go through piece(). Not called if a length was promised. */
	bool (*begin)(void *arg, struct spout__http_exchange *ex);
	/* Bytes, perhaps none; what becomes of them goes to spout__http_emit(). 0 or
	 * -errno: the response is cut. */
	int (*piece)(void *arg, struct spout__http_exchange *ex, struct spout_slice piece,
	    enum spout__http_piece how);
};

/** Let the body of this response go through an encoder. Borrows both. */
void spout__http_set_encoder(struct spout__http_exchange *ex,
    const struct spout__http_encoder *encoder, void *arg);
/** For piece(): bytes of the body that is sent. Copies. Returns 0 or -ENOMEM. */
int spout__http_emit(struct spout__http_exchange *ex, const char *data, size_t len);
/** The value of the first field of that name that was added; data NULL: none. */
struct spout_slice spout__http_field(const struct spout__http_exchange *ex,
    struct spout_slice name);
struct spout_slice spout__http_content_type(const struct spout__http_exchange *ex);
/** Was a Content-Length promised? */
bool spout__http_promised(const struct spout__http_exchange *ex);
/** Append to the body. Buffered to 64 KiB, then chunked (or sent as is to HTTP/1.0) with
 * back-pressure: suspends while the client is slow. Returns 0, -EPIPE, -ENOMEM, -EMSGSIZE
 * (past the Content-Length that was set). */
int spout__http_write(struct spout__http_exchange *ex, const void *data, size_t len);
/** Send what is buffered now; suspends while the client is slow. */
int spout__http_flush(struct spout__http_exchange *ex);
/** Forget status, fields and body that have not been sent. -EALREADY after the head. */
int spout__http_reset(struct spout__http_exchange *ex);
/** Close the connection after this response. */
void spout__http_close_after(struct spout__http_exchange *ex);

#endif
