/* SPDX-License-Identifier: MIT */
/*
 * A WebSocket, for the files of this folder: see spout/websocket.h. Loop thread.
 *
 *     OPEN ----- we close -----> CLOSING (what comes is dropped, but for their Close)
 *       |                           |
 *       +-- they close, or fail --> ENDING: flush, FIN, drop what comes until their end
 *       |                           |
 *       +--- connection lost --> CLOSED: nothing of it is left but this struct
 *
 * From ENDING on the close callback may run, when no other does. The struct is freed when
 * the state is CLOSED, all callbacks are over, and the request of open() is gone.
 */
#ifndef SPOUT_WEBSOCKET_SOCKET_H
#define SPOUT_WEBSOCKET_SOCKET_H

#include <spout/websocket.h>

#include "http/server.h"
#include "net/stream.h"
#include "websocket/extension.h"
#include "websocket/frame.h"

enum spout__ws_state {
	SPOUT__WS_OPEN,
	SPOUT__WS_CLOSING,
	SPOUT__WS_ENDING,
	SPOUT__WS_CLOSED,
};

/* The queue takes this much more than the handler says: control frames, heads. */
#define SPOUT__WS_CONTROL_ROOM 65536u
/* With DROP_OLDEST no more than this is handed to the stream ahead. */
#define SPOUT__WS_STREAM_AHEAD 16384u

/* What a socket has while it is not idle. */
struct spout__ws_input {
	struct spout__buffer ahead;   /* read and not yet used */
	struct spout__buffer message; /* as far as it has come */
	struct spout__buffer pending; /* waits for the callback that runs */
	unsigned char pending_opcode; /* 0: nothing */
};

/* What it has while messages wait for its client, or senders for room. */
struct spout__ws_output {
	struct spout_websocket *ws;
	struct spout__list entries; /* messages, behind what the stream has */
	struct spout__list writers; /* who waits to send */
	size_t bytes;               /* of those messages, framed */
	struct spout__ready flush;
};

struct spout_websocket {
	struct spout__stream stream;   /* closed until taken; its queue fills before */
	struct spout__http_guest guest;
	struct spout__ready ready;     /* go on; in the end the deferred free */
	struct spout__timer timer;
	struct spout__ws_reader reader;
	const struct spout_websocket_handler *handler;
	struct spout_request *request; /* in open() */
	struct spout_coroutine *co;    /* the callback that runs */
	struct spout__ws_topic *topics; /* what it is subscribed to */
	struct spout__ws_input *input; /* NULL when idle */
	struct spout__ws_output *output; /* NULL when idle */
	struct spout__ws_scope *scope; /* NULL until asked for */
	struct spout__ws_client *client; /* NULL: a server's */
	struct spout__ws_context *context; /* of compression; NULL: none of its own */
	void *data;
	const char *subprotocol;
	char *close_reason;            /* owned, NULL: none */
	uint64_t heard_ms, pinged_ms;  /* last byte from the client, last ping of ours */
	uint64_t moved_ms;             /* when the client last took something */
	uint64_t end_by_ms; /* CLOSING, ENDING; OPEN: when to go for a reload, or 0 */
	uint64_t rate_us;   /* up to when messages have been paid for */
	unsigned dropped;
	unsigned short close_code;
	struct spout__ws_deflate deflate;
	unsigned char state;
	bool opening;    /* the request of open() is not gone */
	bool opened;     /* open() returned: close() will run */
	bool taken;      /* the connection is ours */
	bool using;      /* receive() is on the stack */
	bool binary;
	bool fin_sent;
	bool close_ran;  /* or need not run */
	bool counted;    /* in the figures of the worker: a server's that was open */
};

static inline struct spout_loop *
spout__ws_loop(const struct spout_websocket *ws)
{
	return ws->stream.loop;
}

static inline uint64_t
spout__ws_or(uint64_t value, uint64_t otherwise)
{
	return value != 0 ? value : otherwise;
}

static inline size_t
spout__ws_max_unsent(const struct spout_websocket *ws)
{
	return spout__ws_or(ws->handler->max_unsent_bytes, 1u << 20);
}

/** Messages that are shorter are sent as they are; SIZE_MAX: all of them. */
static inline size_t
spout__ws_min_packed(const struct spout_websocket *ws)
{
	return ws->deflate.own_bits < 9 ? SIZE_MAX :
	    spout__ws_or(ws->handler->compress.min_bytes, 128);
}

/* --- socket.c: its life ----------------------------------------------------------- */

/** A socket without a connection; NULL when out of memory. */
struct spout_websocket *spout__ws_new(
    struct spout_loop *loop, const struct spout_websocket_handler *handler);
/** Compression was negotiated, or was not. */
void spout__ws_agree(
    struct spout_websocket *ws, const struct spout__ws_deflate *deflate);
extern const struct spout__stream_ops spout__ws_stream_ops;

/** The connection is gone: close what is left of it. */
void spout__ws_lost(struct spout_websocket *ws);
/** In ENDING: FIN, as soon as everything has been sent. */
void spout__ws_finish_output(struct spout_websocket *ws);
/** Both sides have closed, or there is nothing more to say: flush, then FIN. */
void spout__ws_end(struct spout_websocket *ws);
/** Fail the connection (RFC 6455 7.1.7): say why, and end. */
void spout__ws_fail(struct spout_websocket *ws, int code, const char *reason);
/** The loop ends, nothing of it runs any more: close and free. */
void spout__ws_abandon(struct spout_websocket *ws);
/** Remember how it ended, if it is not known yet. */
void spout__ws_set_close(
    struct spout_websocket *ws, int code, const char *reason, size_t len);

/* --- receive.c -------------------------------------------------------------------- */

/** Use what has come, if that can be done now. */
void spout__ws_receive(struct spout_websocket *ws, const char *data, size_t len);
/** The buffers of a socket that is not idle; NULL when out of memory. */
struct spout__ws_input *spout__ws_input(struct spout_websocket *ws);
void spout__ws_input_free(struct spout_websocket *ws);
/** The message that waits will not be wanted any more. */
void spout__ws_drop_pending(struct spout_websocket *ws);
/** Run the message that waits. */
void spout__ws_run_pending(struct spout_websocket *ws);

/* --- callback.c ------------------------------------------------------------------- */

/**
 * Run a callback now, on the loop's stack; takes the bytes of `data`, if it is not NULL.
 * Out of memory fails the connection.
 */
void spout__ws_run(
    struct spout_websocket *ws, enum spout__ws_opcode opcode, struct spout__buffer *data);

/* --- output.c --------------------------------------------------------------------- */

struct spout__ws_message;

/** Are there messages behind what the stream has? */
static inline bool
spout__ws_has_messages(const struct spout_websocket *ws)
{
	return ws->output != NULL && !spout__list_empty(&ws->output->entries);
}

/** Bytes that wait for the client. */
static inline size_t
spout__ws_unsent(const struct spout_websocket *ws)
{
	return spout__stream_unsent(&ws->stream) +
	    (ws->output != NULL ? ws->output->bytes : 0);
}

/** Frame a copy, before all messages that wait. 0 or -errno. */
int spout__ws_put_copy(struct spout_websocket *ws, unsigned opcode, const void *data,
    size_t len);
/** Frame a copy behind everything; `whole`: as a message, so that it can be dropped. */
int spout__ws_put(struct spout_websocket *ws, unsigned opcode, const void *data,
    size_t len, bool whole);
/** Queue a reference behind everything. 0 or -errno. */
int spout__ws_put_message(
    struct spout_websocket *ws, struct spout__ws_message *message);
/** Drop messages, the oldest first, until no more than `max` bytes of them wait. */
void spout__ws_drop_oldest(struct spout_websocket *ws, size_t max);
/** Drop all messages that wait. */
void spout__ws_drop_output(struct spout_websocket *ws);
/** What a socket with output has; NULL when out of memory. */
struct spout__ws_output *spout__ws_output(struct spout_websocket *ws);
void spout__ws_output_free(struct spout_websocket *ws);
/** Write what can be written now. */
void spout__ws_flush(struct spout_websocket *ws);
/** Some of the queue has left: go on. */
void spout__ws_sent(struct spout_websocket *ws);

/* --- send.c ----------------------------------------------------------------------- */

/** Queue a control frame; a pong or ping that finds the queue full is not sent. */
int spout__ws_put_control(struct spout_websocket *ws, enum spout__ws_opcode opcode,
    const void *data, size_t len);
/** Queue a Close frame behind everything else; nothing may be sent any more. */
void spout__ws_put_close(struct spout_websocket *ws, int code, const char *reason);
/** Wake who waits to send: 0, or what its sending returns. */
void spout__ws_wake_writers(struct spout_websocket *ws, int error);

/* --- client.c --------------------------------------------------------------------- */

/** Does a coroutine hold it that may still read? */
bool spout__ws_is_held(const struct spout_websocket *ws);
/** There may be something to read, or nothing any more. No-op for a server's. */
void spout__ws_wake_reader(struct spout_websocket *ws);
/** What came before the end of input has not been read: it is noted for later. */
bool spout__ws_eof_can_wait(struct spout_websocket *ws);
void spout__ws_client_free(struct spout__ws_client *client);

/* --- subscribe.c ------------------------------------------------------------------ */

/** End its subscriptions; not from within a delivery. */
void spout__ws_unsubscribe(struct spout_websocket *ws);
void spout__ws_free_topics(struct spout_websocket *ws);

/* --- timer.c ---------------------------------------------------------------------- */

void spout__ws_on_timer(struct spout__timer *timer);
/** Something has changed that the timer may have to come earlier for. */
void spout__ws_watch(struct spout_websocket *ws);

#endif
