/* SPDX-License-Identifier: MIT */
/*
 * WebSockets (RFC 6455, RFC 7692), the server's side, and at the end of this file the
 * client's. A row of the table of routes names a handler,
 * whose callbacks may wait like any other:
 *
 *     static void
 *     echo(struct spout_websocket *ws, const char *data, size_t len)
 *     {
 *         spout_websocket_send_text(ws, data, len);
 *     }
 *
 *     static const struct spout_websocket_handler echo_handler = { .message = echo };
 *     …
 *     SPOUT_WEBSOCKET("/ws/echo", &echo_handler),
 *
 * The callbacks of one socket run one at a time, in order, each as a coroutine of its own
 * with a scope of its own; different sockets are independent. An idle socket owns no
 * stack and no buffer. While a callback waits, the socket is read up to one more message;
 * control frames before that are answered.
 *
 * A text that is not UTF-8, a message that is too big and a client that breaks the
 * protocol close the socket with the code that says so, before a callback sees anything.
 * A callback that fails (leaves, as a handler does) is logged and closes the socket with
 * 1011. When the connection is lost, the callback that runs is cancelled in its wait;
 * after an orderly close it goes on to its end.
 *
 * When the program stops, sockets are closed with 1001; at a reload with 1012, each at a
 * random time of a few seconds, so that not all clients come back at once: a page that
 * sees its socket close connects again.
 *
 * Everything belongs to the loop's thread. A socket lives until its close callback has
 * returned; without one, until the connection has ended.
 */
#ifndef SPOUT_WEBSOCKET_H
#define SPOUT_WEBSOCKET_H

#include <spout/client.h>
#include <spout/web.h>
#include <spout/topic.h>

#ifdef __cplusplus
extern "C" {
#endif

struct spout_websocket;

/** What happens when a message is sent to a client that takes less than it is sent. */
enum spout_websocket_slow {
	SPOUT_WEBSOCKET_WAIT,        /* the sender waits */
	SPOUT_WEBSOCKET_DROP_OLDEST, /* the oldest messages that wait are dropped */
	SPOUT_WEBSOCKET_CLOSE,       /* the socket is closed, with 1008 */
};

/**
 * Compression of messages: permessage-deflate (RFC 7692). Whatever is 0 has the value in
 * []. A message that would not become shorter is sent as it is. What comes is
 * decompressed when it is complete, up to max_message_bytes: 1009 beyond that.
 * (Tornado: get_compression_options)
 */
struct spout_websocket_compress {
	bool on; /* if the peer agrees [false] */
	/*
	 * Compress each message with the help of those before it: smaller, but the socket
	 * owns its windows then, about 300 KiB [false: all sockets of a loop share them,
	 * and an idle one owns nothing]. Not with SPOUT_WEBSOCKET_DROP_OLDEST.
	 */
	bool keep_context;
	unsigned char level;        /* 1 (fast) to 9 (small) [1] */
	unsigned char memory_level; /* 1 to 9, of compressing [8] */
	unsigned char window_bits;  /* of what is sent, 9 to 15 [15] */
	unsigned char peer_window_bits; /* of what comes, 9 to 15, where the peer lets
	                                 * itself be told [15] */
	size_t min_bytes;           /* shorter messages are sent as they are [128] */
};

/** Borrowed for the life of the program. Whatever is 0 or NULL has the value in []. */
struct spout_websocket_handler {
	/*
	 * Before the 101: fails like any handler, with an ordinary answer of HTTP
	 * (spout_websocket_fail(ws, 403, "log in first")). What it sends is queued behind
	 * the 101: at most max_unsent_bytes, it cannot wait for the client.
	 */
	void (*open)(struct spout_websocket *ws);
	/*
	 * A whole message: text, or what spout_websocket_is_binary() tells. `data` ends
	 * with a NUL that `len` does not count, and lives until the callback has ended.
	 */
	void (*message)(struct spout_websocket *ws, const char *data, size_t len);
	/*
	 * Once for each socket whose open() returned, the last callback: what the client
	 * said, or 1005 if it gave no code, 1006 if the connection was lost; or the code
	 * that it was closed with for a mistake of its own. Nothing can be sent any more.
	 * (Without the memory for a coroutine it is left out.)
	 */
	void (*close)(struct spout_websocket *ws, int code, const char *reason);
	/* A ping, which has been answered; a pong. At most 125 bytes. */
	void (*ping)(struct spout_websocket *ws, const char *data, size_t len);
	void (*pong)(struct spout_websocket *ws, const char *data, size_t len);

	/*
	 * Who may connect from a browser. A request with an Origin is refused with 403
	 * unless that is the host it asks for, stands in `origins` ("https://a.example",
	 * "*" for all; ended by NULL), or check_origin() says yes, which then decides
	 * alone. (Tornado: check_origin)
	 */
	const char *const *origins;
	bool (*check_origin)(struct spout_request *req, const char *origin);
	/* Subprotocols, the best first, ended by NULL: the first that the client offers
	 * is taken; none, if it offers none. (Tornado: select_subprotocol) */
	const char *const *subprotocols;

	struct spout_websocket_compress compress; /* of messages [off] */

	size_t max_message_bytes;      /* more closes with 1009 [1 MiB] */
	/* More messages and pings than that close with 1008, but so many may come at
	 * once. */
	unsigned max_messages_per_second; /* [no limit] */
	unsigned message_burst;           /* [as many as in a second] */
	size_t max_unsent_bytes;       /* queue of what is sent [1 MiB] */
	enum spout_websocket_slow slow; /* what happens when that is full */
	uint64_t ping_interval_ms;     /* of silence, then a ping [30 s]; SPOUT_FOREVER */
	uint64_t ping_timeout_ms;      /* for anything to come after it [20 s] */
	uint64_t write_timeout_ms;     /* between writes that make progress [30 s] */
	uint64_t close_timeout_ms;     /* for the client's part of closing [5 s] */
	uint64_t callback_timeout_ms;  /* deadline of a callback [none; close: 30 s] */
};

/** SPOUT_WEBSOCKET("/ws/echo", &echo_handler, .login_required = true) */
#define SPOUT_WEBSOCKET(path, ...) \
	{ .methods = SPOUT_METHOD_GET, .pattern = (path), \
	    .handler = spout_websocket_serve, .stream_body = true, .data = __VA_ARGS__ }
/**
 * The handler of those rows. What is no handshake (RFC 6455 4.2.1) answers 400, without
 * Upgrade or with another version 426, from another origin 403.
 */
SPOUT_API void spout_websocket_serve(struct spout_request *req);

/* --- in callbacks ----------------------------------------------------------------- */

/**
 * The request of the handshake: arguments, cookies, the user; fields set here go out with
 * the 101. In open() only, later NULL.
 */
SPOUT_API struct spout_request *spout_websocket_request(struct spout_websocket *ws);
/**
 * What lives as long as the socket: memory (spout_strdup_in) and clean-ups
 * (spout_defer_in), run behind the close callback. Made when first asked for, 4 KiB.
 * Leaves with -ENOMEM.
 */
SPOUT_API struct spout_scope *spout_websocket_scope(struct spout_websocket *ws);
/** A pointer of yours on the socket. */
SPOUT_API void spout_websocket_set_data(struct spout_websocket *ws, void *data);
SPOUT_API void *spout_websocket_data(const struct spout_websocket *ws);
/** Is the message that message() has got binary? */
SPOUT_API bool spout_websocket_is_binary(const struct spout_websocket *ws);
/** The subprotocol that was agreed on, or NULL. */
SPOUT_API const char *spout_websocket_subprotocol(const struct spout_websocket *ws);
/**
 * End the running callback of this socket: in open() with an error page of that status
 * (400 to 599), later by closing with that code (1000 to 4999; another becomes 1011) and
 * the text as its reason.
 */
SPOUT_API SPOUT_NORETURN void spout_websocket_fail(struct spout_websocket *ws, int code,
    const char *fmt, ...) SPOUT_PRINTF(3, 4);

/* --- topics ----------------------------------------------------------------------- */

/**
 * Send this client what comes to a topic (spout/topic.h), until the socket ends: the data
 * of each message, as text, or binary if it is no UTF-8. With .json = true instead JSON
 * of each event, gaps, who comes and who leaves among them; and at first, behind what
 * .history or .since ask for, {"topic": …, "position": TEXT, "present": [NAME, …]}. A
 * client that comes again gives that position, with the ids of messages that came since
 * added, by commas: for each origin, the part before the last "-", the last one counts.
 *
 * Each message is framed and compressed once for all sockets of this worker. Nobody waits
 * for a slow client: with SPOUT_WEBSOCKET_DROP_OLDEST it loses messages, otherwise it is
 * closed with 1008 when max_unsent_bytes wait for it.
 *
 * In callbacks of this socket. May wait, as spout_topic_subscribe(). Errors: those, and
 * -EPIPE (closed), -EALREADY (it has subscribed to that topic).
 */
#define spout_websocket_subscribe(ws, topic, ...) \
	spout_websocket_subscribe_with((ws), (topic), SPOUT_TOPIC_OPTIONS_(__VA_ARGS__))
#define spout_try_websocket_subscribe(ws, topic, ...) \
	spout_try_websocket_subscribe_with( \
	    (ws), (topic), SPOUT_TOPIC_OPTIONS_(__VA_ARGS__))
SPOUT_API void spout_websocket_subscribe_with(struct spout_websocket *ws,
    const char *topic, const struct spout_topic_options *options);
SPOUT_API SPOUT_MUST_CHECK int spout_try_websocket_subscribe_with(
    struct spout_websocket *ws, const char *topic,
    const struct spout_topic_options *options);
/** End it before the socket ends; no-op if there is none. */
SPOUT_API void spout_websocket_unsubscribe(struct spout_websocket *ws,
    const char *topic);

/* --- sending ---------------------------------------------------------------------- */

/*
 * Messages leave in the order of the calls, from whichever coroutine. Copies. With
 * SPOUT_WEBSOCKET_WAIT a call waits while max_unsent_bytes would be exceeded. Errors:
 * -EPIPE (closed, or being closed), -EMSGSIZE (more than max_unsent_bytes), -EINVAL (text
 * that is not UTF-8), -ENOBUFS (in open(): no more than max_unsent_bytes), -ENOMEM.
 * (Tornado: write_message, WebSocketClosedError)
 */
SPOUT_API void spout_websocket_send_text(struct spout_websocket *ws, const char *text,
    size_t len);
SPOUT_API void spout_websocket_send_binary(struct spout_websocket *ws, const void *data,
    size_t len);
SPOUT_API SPOUT_MUST_CHECK int spout_try_websocket_send_text(struct spout_websocket *ws,
    const char *text, size_t len);
SPOUT_API SPOUT_MUST_CHECK int spout_try_websocket_send_binary(
    struct spout_websocket *ws, const void *data, size_t len);
/** Queue a ping with at most 125 bytes. Does not wait: 0, -EPIPE, -EMSGSIZE, -ENOBUFS
 * (the queue is full), -ENOMEM. */
SPOUT_API int spout_websocket_ping(struct spout_websocket *ws, const void *data,
    size_t len);
/**
 * Begin to close, with a code (1000 to 4999, one that may be sent) and a reason of at
 * most 123 bytes of UTF-8 (NULL: none). Does not wait; nothing more is sent or received.
 * 0, -EINVAL, or -EPIPE when that has begun already.
 */
SPOUT_API int spout_websocket_close(struct spout_websocket *ws, int code,
    const char *reason);
/** Can messages still be sent? */
SPOUT_API bool spout_websocket_is_open(const struct spout_websocket *ws);
/** Bytes that wait for the client; how many messages were dropped since it is slow. */
SPOUT_API size_t spout_websocket_unsent_bytes(const struct spout_websocket *ws);
SPOUT_API unsigned spout_websocket_dropped(const struct spout_websocket *ws);

/* --- the client ------------------------------------------------------------------- */

/*
 * A client connects, sends as above, and reads what comes:
 *
 *     struct spout_websocket *ws = spout_websocket_connect("wss://a.example/feed");
 *     struct spout_websocket_message message;
 *
 *     spout_websocket_send_text(ws, "hello", 5);
 *     while (spout_websocket_read(ws, &message))
 *         show(message.data, message.len);
 *
 * The socket belongs to the scope in which it was made: when that ends it is closed, with
 * 1000, and goes on in the background until the server has closed, too. Pings are
 * answered meanwhile. One message is read ahead, and 64 KiB of what follows it. Inside a
 * coroutine. (Tornado: websocket_connect, WebSocketClientConnection)
 */

/** How a server has refused: what it answered, in the scope of the caller. */
struct spout_websocket_refusal {
	int status;
	const struct spout_field *headers; /* ended by a name of NULL */
	struct spout_slice body;           /* at most 64 KiB */
};

/** Whatever is 0 or NULL has the value in []. Borrowed for the call. */
struct spout_websocket_options {
	size_t size; /* sizeof this struct, set by the macro */
	const struct spout_field *headers; /* SPOUT_FIELDS(…): Origin, Cookie … [none] */
	const char *const *subprotocols;   /* to choose from, ended by NULL [none] */
	struct spout_websocket_compress compress; /* is offered [not] */
	struct spout_tls *tls;             /* of wss:// [spout_tls_default()] */
	struct spout_websocket_refusal *refusal; /* is filled in after -EREMOTEIO */
	uint64_t connect_timeout_ms; /* until the handshake is over [10 s] */
	size_t max_message_bytes;    /* more closes with 1009 [1 MiB] */
	size_t max_unsent_bytes;     /* then sending waits [1 MiB] */
	uint64_t ping_interval_ms;   /* of silence, then a ping [30 s]; SPOUT_FOREVER */
	uint64_t ping_timeout_ms;    /* for anything to come after it [20 s] */
	uint64_t write_timeout_ms;   /* between writes that make progress [30 s] */
	uint64_t close_timeout_ms;   /* for the server's part of closing [5 s] */
};

/**
 * Connect to ws:// or wss://. Leaves, or returns -EINVAL (the URL, a header), -EREMOTEIO
 * (the server refused: see .refusal), -EPROTO (its answer is no handshake, or agrees to
 * what was not offered), -ETIMEDOUT, -ENOMEM, or what spout_tcp_connect() gives.
 * Redirects are not followed.
 */
#define spout_websocket_connect(url, ...) \
	spout_websocket_connect_with((url), &(struct spout_websocket_options){ \
	    .size = sizeof(struct spout_websocket_options), __VA_ARGS__ })
#define spout_try_websocket_connect(url, ret_ws, ...) \
	spout_try_websocket_connect_with((url), &(struct spout_websocket_options){ \
	    .size = sizeof(struct spout_websocket_options), __VA_ARGS__ }, (ret_ws))
SPOUT_API struct spout_websocket *spout_websocket_connect_with(
    const char *url, const struct spout_websocket_options *options);
SPOUT_API SPOUT_MUST_CHECK int spout_try_websocket_connect_with(const char *url,
    const struct spout_websocket_options *options, struct spout_websocket **ret_ws);

/** `data` ends with a NUL that `len` does not count, and lives until the next read. */
struct spout_websocket_message {
	const char *data;
	size_t len;
	bool binary;
};

/**
 * The next message, which is waited for; false when there is none any more: the socket is
 * closed, or this side closes it. One coroutine reads at a time. The other form waits at
 * most `ms`, and returns 1, 0 when it is closed, -ETIMEDOUT, -ENOMEM. (Tornado:
 * read_message)
 */
SPOUT_API bool spout_websocket_read(
    struct spout_websocket *ws, struct spout_websocket_message *ret_message);
SPOUT_API SPOUT_MUST_CHECK int spout_try_websocket_read(struct spout_websocket *ws,
    uint64_t ms, struct spout_websocket_message *ret_message);
/** After that: the code it was closed with, as `close` of a handler gets it, and the
 * reason, perhaps "". 0 as long as it is open. */
SPOUT_API int spout_websocket_close_code(const struct spout_websocket *ws);
SPOUT_API const char *spout_websocket_close_reason(const struct spout_websocket *ws);

#ifdef __cplusplus
}
#endif

#endif
