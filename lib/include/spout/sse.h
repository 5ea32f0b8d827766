/* SPDX-License-Identifier: MIT */
/*
 * Server-sent events (HTML, 9.2): a response that does not end, read by EventSource in
 * browsers.
 *
 *     static void
 *     ticks(struct spout_request *req)
 *     {
 *             struct spout_sse *sse = spout_sse_open(req);
 *
 *             for (;;) {
 *                     spout_sse_send(sse, "tick", "data of it", NULL);
 *                     spout_sleep(1000);
 *             }
 *     }
 *
 * The handler is cancelled in its wait when the client is gone or the server stops; when
 * it returns, the stream ends and a browser connects again, with the last id that it got.
 * Loop thread, inside a handler.
 */
#ifndef SPOUT_SSE_H
#define SPOUT_SSE_H

#include <spout/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct spout_request;
struct spout_sse;

struct spout_sse_options {
	size_t size;           /* sizeof this struct, set by the macro */
	uint64_t retry_ms;     /* when a browser shall connect again [its own idea] */
	uint64_t heartbeat_ms; /* a comment after so long a silence, so that proxies
				* keep the connection [15 s] */
};

/**
 * Send the head of a stream of events: text/event-stream, not to be cached or collected
 * by proxies. Nothing may have been written before. The request's time-out is lifted
 * unless the route has one of its own. Returns what lives as long as the request. Leaves
 * when the client is gone, and after the head of an answer to HEAD. Suspends.
 *
 *     sse = spout_sse_open(req, .retry_ms = 2000);
 */
#define spout_sse_open(req, ...) \
	spout_sse_open_with((req), &(struct spout_sse_options){ \
	    .size = sizeof(struct spout_sse_options), __VA_ARGS__ })
SPOUT_API struct spout_sse *spout_sse_open_with(struct spout_request *req,
    const struct spout_sse_options *options);
/**
 * Send an event at once: its name (NULL: "message"), its data, each line of which becomes
 * a line of it, and its id. NULL leaves data or id out: without data a browser only takes
 * the id. A line end in name or id ends the handler. Copies; suspends while the client is
 * slow, leaves when it is gone. One coroutine at a time; the heartbeat is ours.
 */
SPOUT_API void spout_sse_send(struct spout_sse *sse, const char *name, const char *data,
    const char *id);
/** The id of the last event that this client got before it connected again, or NULL. */
SPOUT_API const char *spout_sse_last_event_id(struct spout_request *req);

#ifdef __cplusplus
}
#endif

#endif
